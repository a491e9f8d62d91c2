//! Records of MCAP, looked over before the crate `mcap` parses them: it asks for as
//! much memory as a string says it is long, up to 4 GiB, and takes for granted that an
//! attachment is long enough for its checksum.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use mcap::read::ChannelAccumulator;
use mcap::records::{Record, op};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use mcap::{MAGIC, McapError, McapResult, Message};

use super::framing::Framed;

/// Bytes of the footer record with its head, and of the magic after it.
const FOOTER: u64 = 9 + 20 + 8;

/// A part of a record's body.
enum Part {
    /// So many bytes.
    Bytes(usize),
    /// Bytes behind their number (u32): a string, or a map of numbers.
    Counted,
    /// A map of strings behind its length in bytes.
    Strings,
}

/// The parts of a record up to its last string; empty where it has none.
fn layout(opcode: u8) -> &'static [Part] {
    use Part::{Bytes, Counted, Strings};
    match opcode {
        op::HEADER => &[Counted, Counted],
        op::SCHEMA => &[Bytes(2), Counted, Counted],
        op::CHANNEL => &[Bytes(4), Counted, Counted, Strings],
        op::CHUNK => &[Bytes(28), Counted],
        op::CHUNK_INDEX => &[Bytes(32), Counted, Bytes(8), Counted],
        op::ATTACHMENT => &[Bytes(16), Counted, Counted, Bytes(12)],
        op::ATTACHMENT_INDEX => &[Bytes(40), Counted, Counted],
        op::METADATA => &[Counted, Strings],
        op::METADATA_INDEX => &[Bytes(16), Counted],
        _ => &[],
    }
}

/// The first `n` bytes, and the rest.
fn split(bytes: &[u8], n: usize) -> McapResult<(&[u8], &[u8])> {
    bytes.split_at_checked(n).ok_or(McapError::UnexpectedEof)
}

/// Bytes behind their number, and the rest.
fn counted(bytes: &[u8]) -> McapResult<(&[u8], &[u8])> {
    let (n, bytes) = bytes.split_first_chunk().ok_or(McapError::UnexpectedEof)?;
    split(bytes, u32::from_le_bytes(*n) as usize)
}

/// Whether all that a record says about lengths is within it.
fn check(opcode: u8, mut body: &[u8]) -> McapResult<()> {
    for part in layout(opcode) {
        body = match part {
            Part::Bytes(n) => split(body, *n)?.1,
            Part::Counted => counted(body)?.1,
            Part::Strings => {
                let (mut strings, rest) = counted(body)?;
                while !strings.is_empty() {
                    strings = counted(strings)?.1;
                }
                rest
            }
        };
    }
    Ok(())
}

/// [`mcap::parse_record`] of a record whose lengths are within it.
pub(super) fn parse(opcode: u8, body: &[u8]) -> McapResult<Record<'_>> {
    check(opcode, body)?;
    mcap::parse_record(opcode, body)
}

/// Looks over the records of the summary section, where there is one, of at most
/// `limit` bytes; leaves the file at its start.
pub(super) fn check_summary(file: &mut File, limit: usize) -> McapResult<()> {
    let length = file.metadata()?.len();
    let footer_at = length.checked_sub(FOOTER).ok_or(McapError::UnexpectedEof)?;
    file.seek(SeekFrom::Start(footer_at))?;
    let mut footer = [0; FOOTER as usize];
    file.read_exact(&mut footer)?;
    if footer[0] != op::FOOTER || !footer.ends_with(MAGIC) {
        return Err(McapError::UnexpectedEof);
    }
    let start = u64::from_le_bytes(std::array::from_fn(|i| footer[9 + i]));
    if start > 0 {
        let length = footer_at.checked_sub(start);
        let length = length.filter(|&n| n <= limit as u64);
        let mut section = vec![0; length.ok_or(McapError::UnexpectedEof)? as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut section)?;
        let mut rest = &section[..];
        while let [opcode, after @ ..] = rest {
            let (n, after) = after.split_first_chunk().ok_or(McapError::UnexpectedEof)?;
            let n = usize::try_from(u64::from_le_bytes(*n)).unwrap_or(usize::MAX);
            let (body, after) = split(after, n)?;
            check(*opcode, body)?;
            rest = after;
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

/// The messages of a file in its order, up to an error. What is not needed for them
/// (indexes, attachments) is not parsed; schemas and channels that the summary repeats
/// must be those of the data.
pub(super) struct Messages<R> {
    source: Framed<R>,
    reader: LinearReader,
    channels: ChannelAccumulator<'static>,
    done: bool,
}

impl<R: Read> Messages<R> {
    pub fn new(source: R, options: LinearReaderOptions) -> Self {
        Self {
            source: Framed::new(source),
            reader: LinearReader::new_with_options(options),
            channels: ChannelAccumulator::default(),
            done: false,
        }
    }

    fn advance(&mut self) -> McapResult<Option<Message<'static>>> {
        while let Some(event) = self.reader.next_event() {
            let need = match event? {
                LinearReadEvent::ReadRequest(need) => need,
                LinearReadEvent::Record { opcode, data } => {
                    match message(&mut self.channels, opcode, data)? {
                        Some(message) => return Ok(Some(message)),
                        None => continue,
                    }
                }
            };
            let read = loop {
                match self.source.read(self.reader.insert(need)) {
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            self.reader.notify_read(read);
        }
        Ok(None)
    }
}

/// The message that a record is; schemas and channels are kept.
fn message(
    channels: &mut ChannelAccumulator<'static>,
    opcode: u8,
    data: &[u8],
) -> McapResult<Option<Message<'static>>> {
    if !matches!(opcode, op::SCHEMA | op::CHANNEL | op::MESSAGE) {
        return Ok(None);
    }
    match parse(opcode, data)? {
        Record::Schema { header, data } => channels.add_schema_from_slice(header, &data)?,
        Record::Channel(channel) => channels.add_channel(channel)?,
        Record::Message { header, data } => {
            let channel = channels
                .get(header.channel_id)
                .ok_or(McapError::UnknownChannel(
                    header.sequence,
                    header.channel_id,
                ))?;
            return Ok(Some(Message {
                channel,
                sequence: header.sequence,
                log_time: header.log_time,
                publish_time: header.publish_time,
                data: Cow::Owned(data.into_owned()),
            }));
        }
        _ => {}
    }
    Ok(None)
}

impl<R: Read> Iterator for Messages<R> {
    type Item = McapResult<Message<'static>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance();
        self.done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A length that is not there is an error, not a request for memory.
    #[test]
    fn lengths_beyond_the_record() {
        let long = u32::MAX.to_le_bytes();
        let kinds = [
            (op::SCHEMA, [&[0; 2][..], &long].concat()),
            (
                op::CHANNEL,
                [&[0; 4][..], &[0; 8], &[8, 0, 0, 0], &long, &long].concat(),
            ),
            (op::ATTACHMENT_INDEX, [&[0; 40][..], &long].concat()),
            (
                op::CHUNK_INDEX,
                [&[0; 32][..], &[0; 4], &[0; 8], &long].concat(),
            ),
            // No room for the checksum.
            (op::ATTACHMENT, vec![0; 16 + 8 + 3]),
        ];
        for (opcode, body) in kinds {
            let parsed = parse(opcode, &body);
            assert!(
                matches!(parsed, Err(McapError::UnexpectedEof)),
                "{opcode}: {parsed:?}"
            );
        }
        assert!(parse(op::SCHEMA, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_ok());
    }
}
