//! What can be read of a bag that is unfinished (`.bag.active`), cut off or damaged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::file::TrackedFile;
use super::op;
use super::reader::{MAX_CHUNK, connection};
use super::record::{Fields, split_sized};
use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage};
use crate::recover::{Losses, unpack_prefix};

/// The longest record header that is looked for.
const MAX_HEADER: usize = 128;
/// Bytes read at once in search of a chunk.
const WINDOW: u64 = 1 << 20;

/// Reads every message that can be reached, whatever lies between.
pub(crate) struct Ros1Salvage {
    file: TrackedFile,
    connections: BTreeMap<u32, Arc<Connection>>,
    sequence: BTreeMap<u32, u32>,
    /// Unpacked chunk, where it stands in the file, and how far it is read.
    chunk: Vec<u8>,
    offset: u64,
    at: usize,
    /// Whether the chunk's data is damaged.
    suspect: bool,
    /// Messages by the index, if there is one.
    expected: Option<u64>,
    seen: u64,
    losses: Losses,
}

impl Ros1Salvage {
    /// # Errors
    /// If the file is no bag.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TrackedFile::open(path)?;
        let mut salvage = Self {
            file,
            connections: BTreeMap::new(),
            sequence: BTreeMap::new(),
            chunk: Vec::new(),
            offset: 0,
            at: 0,
            suspect: false,
            expected: None,
            seen: 0,
            losses: Losses::default(),
        };
        let start = salvage.file.pos;
        if let Err(error) = salvage.read_index() {
            salvage.losses.place(error.to_string());
            // The topics it did tell are kept, but its count of messages may be wrong.
            salvage.expected = None;
        }
        salvage.file.seek(start)?;
        Ok(salvage)
    }

    /// Topics and message counts, where the bag has its index.
    fn read_index(&mut self) -> Result<()> {
        let path = self.file.path.clone();
        let header = self.file.record()?;
        let fields = Fields::parse(&path, header.offset, &header.header)?;
        self.file
            .expect_op(&header, &fields, op::BAG_HEADER, "the bag header")?;
        let index_pos = fields.u64("index_pos")?;
        if index_pos == 0 {
            self.losses.unfinished = true;
            return Ok(());
        }
        self.file.seek(index_pos)?;
        let mut expected = 0;
        while self.file.pos < self.file.len {
            let record = self.file.record()?;
            let fields = Fields::parse(&path, record.offset, &record.header)?;
            match fields.op()? {
                op::CONNECTION => self.add_connection(&fields, record.offset, &record.data)?,
                op::CHUNK_INFO => {
                    for entry in record.data.as_chunks::<8>().0 {
                        expected +=
                            u64::from(u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]));
                    }
                }
                _ => {}
            }
        }
        self.expected = Some(expected);
        Ok(())
    }

    fn add_connection(&mut self, fields: &Fields<'_>, offset: u64, data: &[u8]) -> Result<()> {
        let id = fields.u32("conn")?;
        if !self.connections.contains_key(&id) {
            let connection = connection(&self.file.path, fields, offset, data)?;
            self.connections.insert(id, Arc::new(connection));
        }
        Ok(())
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
                match message {
                    Ok(Some(message)) => {
                        self.seen += 1;
                        self.losses.suspect += u64::from(self.suspect);
                        return Ok(Some(message));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        self.losses.place(error.to_string());
                        self.at = self.chunk.len();
                    }
                }
            }
            if !self.next_record()? {
                return Ok(None);
            }
        }
    }

    /// One record of the chunk; `None` if it was no message.
    fn in_chunk(&mut self, chunk: &[u8]) -> Result<Option<RawMessage>> {
        let path = self.file.path.clone();
        let at = self.at;
        let rest = chunk.get(at..).unwrap_or(&[]);
        let record = split_sized(rest).and_then(|(header, after)| {
            let (data, rest) = split_sized(after)?;
            Some((header, data, rest))
        });
        let Some((header, data, rest)) = record else {
            let found = format!("one longer than the {} bytes left", rest.len());
            let expected = format!("a whole record at byte {at} of the unpacked chunk");
            return Err(BagError::corrupt(&path, self.offset, expected, found));
        };
        let fields = Fields::parse(&path, self.offset, header)?;
        let kind = fields.op()?;
        self.at = chunk.len() - rest.len();
        match kind {
            op::CONNECTION => self.add_connection(&fields, self.offset, data)?,
            op::MESSAGE => {
                let id = fields.u32("conn")?;
                let stamp_ns = fields.time_ns("time")?;
                let Some(connection) = self.connections.get(&id) else {
                    self.losses.messages += u64::from(self.expected.is_none());
                    let text = format!(
                        "{}: a message of connection {id}, which is lost",
                        path.display()
                    );
                    self.losses.place(text);
                    return Ok(None);
                };
                let sequence = self.sequence.entry(id).or_insert(0);
                let message = RawMessage {
                    connection: connection.clone(),
                    stamp_ns,
                    publish_ns: stamp_ns,
                    sequence: *sequence,
                    data: data.to_vec(),
                };
                *sequence = sequence.wrapping_add(1);
                return Ok(Some(message));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Takes the next record of the file; false at its end.
    fn next_record(&mut self) -> Result<bool> {
        let start = self.file.pos;
        if start >= self.file.len {
            return Ok(false);
        }
        match self.take_record() {
            Ok(()) => Ok(true),
            Err(error) => {
                self.losses.place(error.to_string());
                self.find_chunk(start + 1)
            }
        }
    }

    fn take_record(&mut self) -> Result<()> {
        let path = self.file.path.clone();
        let (record, length) = self.file.record_header()?;
        let fields = Fields::parse(&path, record.offset, &record.header)?;
        let kind = fields.op()?;
        if kind != op::CHUNK {
            let data = self.file.read(length, "a record's data")?;
            if kind == op::CONNECTION {
                self.add_connection(&fields, record.offset, &data)?;
            }
            return Ok(());
        }
        let size = u64::from(fields.u32("size")?);
        let left = self.file.len - self.file.pos;
        // `rosbag record` writes the lengths of a chunk when it is complete.
        let open = length == 0 && size == 0;
        let cut = length > left;
        let data = self
            .file
            .read(if open || cut { left } else { length }, "a chunk")?;
        let limit = if open { MAX_CHUNK } else { size.min(MAX_CHUNK) };
        let (chunk, broken) = unpack_prefix(&fields.text("compression")?, &data, limit);
        self.suspect = broken.is_some() && !open && !cut;
        let reason = match broken {
            Some(reason) => Some(reason),
            None if open => Some("it was not finished".into()),
            None if cut => Some(format!("{} of its bytes are missing", length - left)),
            None => None,
        };
        if let Some(reason) = reason {
            let text = format!(
                "{}: chunk at byte {}: {reason}",
                path.display(),
                record.offset
            );
            self.losses.place(text);
        }
        self.chunk = chunk;
        self.at = 0;
        self.offset = record.offset;
        Ok(())
    }

    /// Goes to the next chunk record from byte `from` on; false if there is none.
    fn find_chunk(&mut self, mut from: u64) -> Result<bool> {
        const MARK: &[u8] = b"op=\x05";
        while from < self.file.len {
            self.file.seek(from)?;
            let length = WINDOW.min(self.file.len - from);
            let window = self.file.read(length, "the rest of the bag")?;
            let marks = window.windows(MARK.len()).enumerate();
            for (at, _) in marks.filter(|(_, bytes)| *bytes == MARK) {
                if let Some(start) = self.chunk_around(&window, at) {
                    self.file.seek(from + start as u64)?;
                    return Ok(true);
                }
            }
            if from + length == self.file.len {
                break;
            }
            from += length - MAX_HEADER as u64;
        }
        self.file.seek(self.file.len)?;
        Ok(false)
    }

    /// Where the record header starts that has the mark at `at` in it.
    fn chunk_around(&self, window: &[u8], at: usize) -> Option<usize> {
        (at.saturating_sub(MAX_HEADER)..=at.checked_sub(8)?)
            .rev()
            .find(|&start| {
                let Some((header, _)) = split_sized(&window[start..]) else {
                    return false;
                };
                let holds = start + 4 + header.len() >= at + 4 && header.len() <= MAX_HEADER;
                let fields = Fields::parse(&self.file.path, 0, header);
                holds
                    && fields.is_ok_and(|f| f.text("compression").is_ok() && f.u32("size").is_ok())
            })
    }

    pub fn losses(mut self) -> Losses {
        let missing = self.expected.map_or(0, |n| n.saturating_sub(self.seen));
        self.losses.messages += missing;
        self.losses
    }
}
