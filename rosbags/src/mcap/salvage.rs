//! What can be read of a file that is unfinished, cut off or damaged.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::{Record, op};
use mcap::{Channel, Schema};

use super::reader::read_summary;
use super::records::parse;
use super::{MAX_RECORD, connection};
use crate::error::{BagError, Result, printable};
use crate::message::{Connection, RawMessage};
use crate::recover::{Losses, unpack_prefix};

/// Opcode and length of a record.
const RECORD_HEADER: usize = 9;

/// Reads every message that can be reached, whatever lies between.
pub(crate) struct McapSalvage {
    path: PathBuf,
    file: BufReader<File>,
    len: u64,
    pos: u64,
    /// Where chunks start, by the index, if there is one.
    chunk_starts: Vec<u64>,
    schemas: BTreeMap<u16, Arc<Schema<'static>>>,
    connections: BTreeMap<u16, Arc<Connection>>,
    /// Unpacked chunk, where it stands in the file, and how far it is read.
    chunk: Vec<u8>,
    offset: u64,
    at: usize,
    /// Whether the chunk's data is damaged.
    suspect: bool,
    expected: Option<u64>,
    seen: u64,
    losses: Losses,
}

impl McapSalvage {
    /// # Errors
    /// If the file is no MCAP.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |e| BagError::io(path, "read", e);
        let mut file = BufReader::new(File::open(path).map_err(|e| BagError::io(path, "open", e))?);
        let mut magic = Vec::new();
        (&mut file)
            .take(mcap::MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(fail)?;
        if magic != mcap::MAGIC {
            return Err(BagError::corrupt(
                path,
                0,
                printable(mcap::MAGIC),
                printable(&magic),
            ));
        }
        let len = file.get_ref().metadata().map_err(fail)?.len();
        let mut salvage = Self {
            path: path.to_owned(),
            file,
            len,
            pos: magic.len() as u64,
            chunk_starts: Vec::new(),
            schemas: BTreeMap::new(),
            connections: BTreeMap::new(),
            chunk: Vec::new(),
            offset: 0,
            at: 0,
            suspect: false,
            expected: None,
            seen: 0,
            losses: Losses::default(),
        };
        match read_summary(path) {
            Ok(Some(summary)) => {
                salvage.expected = summary.stats.as_ref().map(|s| s.message_count);
                let starts = summary.chunk_indexes.iter().map(|c| c.chunk_start_offset);
                salvage.chunk_starts = starts.collect();
                salvage.chunk_starts.sort_unstable();
                for (id, channel) in &summary.channels {
                    salvage.add(*id, channel);
                }
            }
            _ => salvage.losses.unfinished = true,
        }
        Ok(salvage)
    }

    fn add(&mut self, id: u16, channel: &Channel<'_>) {
        match connection(&self.path, channel) {
            Ok(connection) => {
                self.connections.insert(id, Arc::new(connection));
            }
            Err(error) => self.losses.place(error.to_string()),
        }
    }

    /// The next message that can be read.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        loop {
            while self.at < self.chunk.len() {
                let chunk = std::mem::take(&mut self.chunk);
                let message = self.in_chunk(&chunk);
                self.chunk = chunk;
                if message.is_some() {
                    return Ok(message);
                }
            }
            if self.pos >= self.len {
                return Ok(None);
            }
            if let Some(message) = self.next_record()? {
                return Ok(Some(message));
            }
        }
    }

    fn in_chunk(&mut self, chunk: &[u8]) -> Option<RawMessage> {
        let at = self.at;
        let left = &chunk[at..];
        let body = header(left).and_then(|(kind, length)| {
            let end = usize::try_from(length).ok()?.checked_add(RECORD_HEADER)?;
            Some((kind, left.get(RECORD_HEADER..end)?, end))
        });
        let Some((kind, body, length)) = body else {
            self.losses.place(format!(
                "{}: chunk at byte {}: the record at byte {at} of the unpacked chunk is cut off",
                self.path.display(),
                self.offset
            ));
            self.at = chunk.len();
            return None;
        };
        self.at += length;
        let message = self.record(kind, body);
        self.losses.suspect += u64::from(message.is_some() && self.suspect);
        message
    }

    /// Takes the next record of the file.
    fn next_record(&mut self) -> Result<Option<RawMessage>> {
        let start = self.pos;
        let mut head = [0; RECORD_HEADER];
        let found = match self.len - start >= RECORD_HEADER as u64 {
            true => {
                self.read(&mut head)?;
                header(&head)
            }
            false => None,
        };
        // The file's last bytes are its magic again.
        if start + mcap::MAGIC.len() as u64 == self.len && found.is_none() {
            self.pos = self.len;
            return Ok(None);
        }
        let left = self.len - self.pos;
        let Some((kind, length)) = found
            .filter(|(kind, n)| *n <= left || (*kind == op::CHUNK && self.chunk_starts.is_empty()))
        else {
            let path = self.path.display();
            let text = format!("{path}: at byte {start}: no whole record, {left} bytes are left");
            self.losses.place(text);
            self.resume(start)?;
            return Ok(None);
        };
        if length.min(left) > MAX_RECORD as u64 {
            let text = format!(
                "{}: record of {length} bytes at byte {start}",
                self.path.display()
            );
            self.losses.place(text);
            self.seek(self.pos + length.min(left))?;
            return Ok(None);
        }
        if !matches!(kind, op::SCHEMA | op::CHANNEL | op::MESSAGE | op::CHUNK) {
            self.seek(self.pos + length)?;
            return Ok(None);
        }
        let mut body = vec![0; length.min(left) as usize];
        self.read(&mut body)?;
        if kind == op::CHUNK {
            self.take_chunk(start, &body, length);
            return Ok(None);
        }
        Ok(self.record(kind, &body))
    }

    /// Goes on with the next chunk that the index knows, or at the file's end.
    fn resume(&mut self, after: u64) -> Result<()> {
        let next = self.chunk_starts.iter().find(|start| **start > after);
        self.seek(next.copied().unwrap_or(self.len).min(self.len))
    }

    fn record(&mut self, kind: u8, body: &[u8]) -> Option<RawMessage> {
        let failed = |reason: String| {
            format!(
                "{}: record in or at byte {}: {reason}",
                self.path.display(),
                self.offset
            )
        };
        if !matches!(kind, op::SCHEMA | op::CHANNEL | op::MESSAGE) {
            return None;
        }
        match parse(kind, body) {
            Ok(Record::Schema { header, data }) => {
                let schema = Schema {
                    id: header.id,
                    name: header.name,
                    encoding: header.encoding,
                    data: data.into_owned().into(),
                };
                self.schemas
                    .entry(header.id)
                    .or_insert_with(|| Arc::new(schema));
                None
            }
            Ok(Record::Channel(channel)) => {
                if !self.connections.contains_key(&channel.id) {
                    let schema = self.schemas.get(&channel.schema_id).cloned();
                    let id = channel.id;
                    self.add(
                        id,
                        &Channel {
                            id,
                            topic: channel.topic,
                            schema,
                            message_encoding: channel.message_encoding,
                            metadata: channel.metadata,
                        },
                    );
                }
                None
            }
            Ok(Record::Message { header, data }) => {
                let known = self.connections.get(&header.channel_id);
                let times = (header.log_time.try_into(), header.publish_time.try_into());
                let (Some(connection), (Ok(stamp_ns), Ok(publish_ns))) = (known, times) else {
                    let id = header.channel_id;
                    let text = failed(format!(
                        "a message of channel {id}, lost or with an impossible time"
                    ));
                    self.losses.place(text);
                    self.losses.messages += u64::from(self.expected.is_none());
                    return None;
                };
                self.seen += 1;
                Some(RawMessage {
                    connection: connection.clone(),
                    stamp_ns,
                    publish_ns,
                    sequence: header.sequence,
                    data: data.into_owned(),
                })
            }
            Ok(_) => None,
            Err(error) => {
                let text = failed(error.to_string());
                self.losses.place(text);
                None
            }
        }
    }

    /// Unpacks as much of a chunk record as there is.
    fn take_chunk(&mut self, start: u64, body: &[u8], length: u64) {
        self.chunk.clear();
        self.at = 0;
        self.offset = start;
        let Some(chunk) = ChunkRecord::parse(body) else {
            let text = format!(
                "{}: chunk at byte {start}: its header is cut off",
                self.path.display()
            );
            self.losses.place(text);
            return;
        };
        let limit = chunk.size.min(MAX_RECORD as u64);
        let (bytes, broken) = unpack_prefix(&chunk.compression, chunk.data, limit);
        let missing = length - body.len() as u64;
        let whole = broken.is_none() && bytes.len() as u64 == chunk.size;
        let wrong = whole && chunk.crc != 0 && crc32fast::hash(&bytes) != chunk.crc;
        self.suspect = wrong || (broken.is_some() && missing == 0);
        let reason = match broken {
            Some(reason) => Some(reason),
            None if missing > 0 => Some(format!("{missing} of its bytes are missing")),
            None if bytes.len() as u64 != chunk.size => Some("its size is wrong".to_owned()),
            None if wrong => Some("its checksum is wrong".to_owned()),
            None => None,
        };
        if let Some(reason) = reason {
            let text = format!("{}: chunk at byte {start}: {reason}", self.path.display());
            self.losses.place(text);
        }
        self.chunk = bytes;
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<()> {
        (self.file.read_exact(bytes)).map_err(|e| BagError::io(&self.path, "read", e))?;
        self.pos += bytes.len() as u64;
        Ok(())
    }

    fn seek(&mut self, to: u64) -> Result<()> {
        (self.file.seek(SeekFrom::Start(to))).map_err(|e| BagError::io(&self.path, "seek", e))?;
        self.pos = to;
        Ok(())
    }

    pub fn losses(mut self) -> Losses {
        let missing = self.expected.map_or(0, |n| n.saturating_sub(self.seen));
        self.losses.messages += missing;
        self.losses
    }
}

/// Opcode and length of a record.
fn header(bytes: &[u8]) -> Option<(u8, u64)> {
    let (kind, rest) = bytes.split_first()?;
    let length = rest.first_chunk::<8>()?;
    Some((*kind, u64::from_le_bytes(*length)))
}

/// A chunk record, whose data may be cut off.
struct ChunkRecord<'a> {
    size: u64,
    crc: u32,
    compression: String,
    data: &'a [u8],
}

impl<'a> ChunkRecord<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let (_times, rest) = body.split_at_checked(16)?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (stored, data) = rest.split_first_chunk::<8>()?;
        let stored = usize::try_from(u64::from_le_bytes(*stored)).ok()?;
        Some(Self {
            size: u64::from_le_bytes(*size),
            crc: u32::from_le_bytes(*crc),
            compression: match name {
                b"" => "none".to_owned(),
                name => String::from_utf8_lossy(name).into_owned(),
            },
            data: &data[..stored.min(data.len())],
        })
    }
}
