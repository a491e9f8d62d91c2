//! Streams the messages of a bag, one chunk in memory at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::file::TrackedFile;
use super::op;
use super::record::{Fields, split_sized};
use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage, Serialization, ros2_type_name};
use crate::writer::LATCHED_QOS;

/// A chunk may not unpack to more than this (recorders use 768 KiB).
pub(super) const MAX_CHUNK: u64 = 1 << 30;
/// Unpacked chunks kept for messages in the order of time, in bytes.
const KEPT_BYTES: usize = 256 << 20;

/// A ROS 1 bag, read in file order or in the order of time. Memory: one chunk and
/// its compressed form.
pub struct Ros1Reader {
    file: TrackedFile,
    /// First byte of the index: chunks end here.
    index_pos: u64,
    connections: BTreeMap<u32, Arc<Connection>>,
    sequence: BTreeMap<u32, u32>,
    /// Messages each chunk must hold, by file position.
    counts: BTreeMap<u64, u32>,
    chunk: Chunk,
    /// Where messages stand in the order of time: (chunk's offset, offset in it).
    order: Option<std::vec::IntoIter<(u64, u32)>>,
    /// In that order: chunks that were used before the present one.
    used: VecDeque<Chunk>,
    /// Compressions that were seen.
    compressions: BTreeSet<String>,
    failed: bool,
}

/// A chunk in memory.
#[derive(Default)]
struct Chunk {
    /// Where its record stands in the file.
    offset: u64,
    bytes: Vec<u8>,
    pos: usize,
    messages: u32,
}

impl Ros1Reader {
    /// Opens a bag and reads its index.
    ///
    /// # Errors
    /// If the file is not a bag of version 2.0, has no index, or is cut off.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = TrackedFile::open(path)?;
        let header = file.record()?;
        let fields = Fields::parse(path, header.offset, &header.header)?;
        file.expect_op(&header, &fields, op::BAG_HEADER, "the bag header")?;
        let index_pos = fields.u64("index_pos")?;
        let connection_count = fields.u32("conn_count")?;
        let chunk_count = fields.u32("chunk_count")?;
        if index_pos == 0 {
            return Err(BagError::NotClosed {
                path: path.to_owned(),
                offset: header.offset,
            });
        }
        let chunks_pos = file.pos;
        if index_pos > file.len {
            return Err(BagError::Truncated {
                path: path.to_owned(),
                what: "the bag, whose index the bag header places after the chunks,",
                offset: 0,
                needed: index_pos,
                left: file.len,
            });
        }
        if index_pos < chunks_pos {
            return Err(BagError::corrupt(
                path,
                header.offset,
                format!("an index_pos of {chunks_pos} or more"),
                index_pos.to_string(),
            ));
        }
        let mut reader = Self {
            file,
            index_pos,
            connections: BTreeMap::new(),
            sequence: BTreeMap::new(),
            counts: BTreeMap::new(),
            chunk: Chunk::default(),
            order: None,
            used: VecDeque::new(),
            compressions: BTreeSet::new(),
            failed: false,
        };
        reader.read_index(connection_count, chunk_count)?;
        reader.file.seek(chunks_pos)?;
        Ok(reader)
    }

    /// Opens a bag whose messages come in the order of their log times, also where
    /// chunks overlap. Memory: 24 bytes for each message, and some chunks.
    ///
    /// # Errors
    /// As [`Ros1Reader::open`], and if the index of a chunk is damaged.
    pub fn open_in_time_order(path: &Path) -> Result<Self> {
        let mut reader = Self::open(path)?;
        let mut entries = Vec::new();
        let mut chunk = 0;
        while reader.file.pos < reader.index_pos {
            let (record, left) = reader.file.record_header()?;
            let fields = Fields::parse(path, record.offset, &record.header)?;
            match fields.op()? {
                op::INDEX_DATA => {
                    let data = reader.file.read(left, "index data")?;
                    for entry in data.as_chunks::<12>().0 {
                        let [s0, s1, s2, s3, n0, n1, n2, n3, o0, o1, o2, o3] = *entry;
                        let time = (
                            u32::from_le_bytes([s0, s1, s2, s3]),
                            u32::from_le_bytes([n0, n1, n2, n3]),
                        );
                        entries.push((time, chunk, u32::from_le_bytes([o0, o1, o2, o3])));
                    }
                }
                _ => {
                    chunk = record.offset;
                    let after = reader.file.pos.saturating_add(left);
                    reader.file.seek(after)?;
                }
            }
        }
        let expected: u64 = reader.counts.values().map(|n| u64::from(*n)).sum();
        if entries.len() as u64 != expected {
            return Err(BagError::corrupt(
                path,
                reader.index_pos,
                format!("{expected} messages in the chunks' own indices, as the bag's index says"),
                entries.len().to_string(),
            ));
        }
        entries.sort_unstable();
        let order: Vec<_> = entries
            .into_iter()
            .map(|(_, chunk, at)| (chunk, at))
            .collect();
        reader.order = Some(order.into_iter());
        Ok(reader)
    }

    /// The message of a chunk at an offset of its unpacked bytes.
    fn message_at(&mut self, chunk: u64, at: u32) -> Result<RawMessage> {
        if self.chunk.offset != chunk || self.chunk.bytes.is_empty() {
            self.take_chunk(chunk)?;
        }
        self.chunk.pos = at as usize;
        match self.next_in_chunk()? {
            Some(message) => Ok(message),
            None => Err(BagError::corrupt(
                &self.file.path,
                chunk,
                format!("a message at byte {at} of the unpacked chunk, as its index says"),
                "a connection record",
            )),
        }
    }

    /// Makes a chunk the present one: of those kept, or from the file.
    fn take_chunk(&mut self, offset: u64) -> Result<()> {
        let kept = self.used.iter().position(|chunk| chunk.offset == offset);
        let next = match kept.and_then(|at| self.used.remove(at)) {
            Some(chunk) => chunk,
            None => {
                self.file.seek(offset)?;
                let path = self.file.path.clone();
                let record = self.file.record()?;
                let fields = Fields::parse(&path, offset, &record.header)?;
                self.file
                    .expect_op(&record, &fields, op::CHUNK, "a chunk")?;
                Chunk {
                    offset,
                    bytes: self.unpack(&path, offset, &fields, record.data)?,
                    ..Chunk::default()
                }
            }
        };
        let before = std::mem::replace(&mut self.chunk, next);
        self.used.push_back(before);
        let kept: usize = self.used.iter().map(|chunk| chunk.bytes.len()).sum();
        if kept > KEPT_BYTES {
            self.used.pop_front();
        }
        Ok(())
    }

    /// The topics of the bag, in the order of their connection numbers.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        self.connections.values().cloned().collect()
    }

    /// The next message in file order, `None` at the end of the bag.
    ///
    /// # Errors
    /// If the bag is damaged here; nothing comes after an error.
    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        if self.failed {
            return Ok(None);
        }
        let result = self.advance();
        self.failed = !matches!(result, Ok(Some(_)));
        result
    }

    fn advance(&mut self) -> Result<Option<RawMessage>> {
        if let Some(order) = &mut self.order {
            let Some((chunk, at)) = order.next() else {
                return Ok(None);
            };
            return self.message_at(chunk, at).map(Some);
        }
        loop {
            while self.chunk.pos < self.chunk.bytes.len() {
                if let Some(message) = self.next_in_chunk()? {
                    return Ok(Some(message));
                }
            }
            self.check_count()?;
            if !self.next_chunk()? {
                return Ok(None);
            }
        }
    }

    /// Reads connections and chunk infos, which end the file.
    fn read_index(&mut self, connection_count: u32, chunk_count: u32) -> Result<()> {
        self.file.seek(self.index_pos)?;
        for _ in 0..connection_count {
            let record = self.file.record()?;
            let path = self.file.path.clone();
            let fields = Fields::parse(&path, record.offset, &record.header)?;
            self.file
                .expect_op(&record, &fields, op::CONNECTION, "a connection record")?;
            self.add_connection(&fields, record.offset, &record.data)?;
        }
        for _ in 0..chunk_count {
            let record = self.file.record()?;
            let fields = Fields::parse(&self.file.path, record.offset, &record.header)?;
            self.file
                .expect_op(&record, &fields, op::CHUNK_INFO, "a chunk info record")?;
            let messages = (record.data.as_chunks::<8>().0.iter())
                .map(|entry| u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]))
                .fold(0, u32::saturating_add);
            self.counts.insert(fields.u64("chunk_pos")?, messages);
        }
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

    /// Loads the next chunk; false when the index is reached.
    fn next_chunk(&mut self) -> Result<bool> {
        let path = self.file.path.clone();
        while self.file.pos < self.index_pos {
            let record = self.file.record()?;
            let fields = Fields::parse(&path, record.offset, &record.header)?;
            match fields.op()? {
                op::INDEX_DATA => {}
                op::CHUNK => {
                    if !self.counts.contains_key(&record.offset) {
                        return Err(BagError::corrupt(
                            &path,
                            record.offset,
                            "a chunk that the index knows",
                            "one that it does not",
                        ));
                    }
                    self.chunk = Chunk {
                        offset: record.offset,
                        bytes: self.unpack(&path, record.offset, &fields, record.data)?,
                        pos: 0,
                        messages: 0,
                    };
                    return Ok(true);
                }
                other => {
                    return Err(BagError::corrupt(
                        &path,
                        record.offset,
                        "a chunk or index data record (op 5 or 4)",
                        format!("op {other}"),
                    ));
                }
            }
        }
        if let Some((&offset, _)) = self.counts.first_key_value() {
            return Err(BagError::corrupt(
                &path,
                offset,
                "a chunk, as the index says",
                "none",
            ));
        }
        Ok(false)
    }

    /// Unpacks the data of a chunk record.
    fn unpack(
        &mut self,
        path: &Path,
        offset: u64,
        fields: &Fields<'_>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let size = u64::from(fields.u32("size")?);
        let compression = fields.text("compression")?;
        let bytes = decompress(path, offset, &compression, data, size)?;
        self.compressions.insert(compression);
        Ok(bytes)
    }

    /// Compression of the chunks read so far.
    pub fn compression(&self) -> String {
        match self.compressions.is_empty() {
            true => "none".into(),
            false => Vec::from_iter(self.compressions.iter().cloned()).join(", "),
        }
    }

    /// Compares what the chunk held with what the index says, once it is used up.
    fn check_count(&mut self) -> Result<()> {
        if let Some(expected) = self.counts.remove(&self.chunk.offset)
            && expected != self.chunk.messages
        {
            return Err(BagError::corrupt(
                &self.file.path,
                self.chunk.offset,
                format!("a chunk of {expected} messages, as the index says"),
                self.chunk.messages.to_string(),
            ));
        }
        Ok(())
    }

    /// Takes one record from the chunk; `None` if it was a connection.
    fn next_in_chunk(&mut self) -> Result<Option<RawMessage>> {
        let path = self.file.path.clone();
        let bytes = std::mem::take(&mut self.chunk.bytes);
        let result = self.record_in_chunk(&path, &bytes);
        self.chunk.bytes = bytes;
        result
    }

    fn record_in_chunk(&mut self, path: &Path, bytes: &[u8]) -> Result<Option<RawMessage>> {
        let at = self.chunk.pos;
        let offset = self.chunk.offset;
        let Some((header, data, rest)) =
            split_sized(bytes.get(at..).unwrap_or(&[])).and_then(|(header, after)| {
                let (data, rest) = split_sized(after)?;
                Some((header, data, rest))
            })
        else {
            return Err(BagError::corrupt(
                path,
                offset,
                format!("a whole record at byte {at} of the unpacked chunk"),
                format!("a record longer than the {} bytes left", bytes.len() - at),
            ));
        };
        self.chunk.pos = bytes.len() - rest.len();
        let fields = Fields::parse(path, offset, header)?;
        match fields.op()? {
            op::CONNECTION => {
                self.add_connection(&fields, offset, data)?;
                Ok(None)
            }
            op::MESSAGE => {
                let id = fields.u32("conn")?;
                let Some(connection) = self.connections.get(&id) else {
                    return Err(BagError::corrupt(
                        path,
                        offset,
                        "a message of a known connection",
                        format!("connection {id}"),
                    ));
                };
                let sequence = self.sequence.entry(id).or_insert(0);
                let stamp_ns = fields.time_ns("time")?;
                let message = RawMessage {
                    connection: connection.clone(),
                    stamp_ns,
                    publish_ns: stamp_ns,
                    sequence: *sequence,
                    data: data.to_vec(),
                };
                *sequence = sequence.wrapping_add(1);
                self.chunk.messages = self.chunk.messages.saturating_add(1);
                Ok(Some(message))
            }
            other => Err(BagError::corrupt(
                path,
                offset,
                format!("a message or connection record at byte {at} of the unpacked chunk"),
                format!("op {other}"),
            )),
        }
    }
}

/// The topic of a connection record.
pub(super) fn connection(
    path: &Path,
    fields: &Fields<'_>,
    offset: u64,
    data: &[u8],
) -> Result<Connection> {
    let details = Fields::parse(path, offset, data)?;
    Ok(Connection {
        topic: fields.text("topic")?,
        type_name: ros2_type_name(&details.text("type")?),
        definition: details.text("message_definition")?,
        definition_encoding: "ros1msg".into(),
        serialization: Serialization::Ros1,
        // What latches in ROS 1 is transient local in ROS 2.
        qos: match details.optional("latching") {
            Some(b"1") => LATCHED_QOS.to_owned(),
            _ => String::new(),
        },
        md5: details.text("md5sum")?,
    })
}

/// Unpacks a chunk to exactly `size` bytes; what is allocated follows what is there.
fn decompress(
    path: &Path,
    offset: u64,
    compression: &str,
    data: Vec<u8>,
    size: u64,
) -> Result<Vec<u8>> {
    if size > MAX_CHUNK {
        return Err(BagError::corrupt(
            path,
            offset,
            format!("a chunk of at most {MAX_CHUNK} bytes"),
            format!("{size} bytes"),
        ));
    }
    let mut bytes = Vec::new();
    let unpacked = match compression {
        "none" => {
            bytes = data;
            Ok(bytes.len())
        }
        "bz2" => bzip2::read::MultiBzDecoder::new(data.as_slice())
            .take(size + 1)
            .read_to_end(&mut bytes),
        "lz4" => lz4_flex::frame::FrameDecoder::new(data.as_slice())
            .take(size + 1)
            .read_to_end(&mut bytes),
        other => {
            return Err(BagError::Unsupported {
                path: path.to_owned(),
                what: format!("chunk compression `{other}` at byte {offset}"),
                remedy: "repack the bag with none, bz2 or lz4".into(),
            });
        }
    };
    match unpacked {
        Ok(_) if bytes.len() as u64 == size => Ok(bytes),
        Ok(_) => Err(BagError::corrupt(
            path,
            offset,
            format!("a chunk that unpacks ({compression}) to {size} bytes"),
            if bytes.len() as u64 > size {
                "more".to_owned()
            } else {
                format!("{} bytes", bytes.len())
            },
        )),
        Err(error) => Err(BagError::corrupt(
            path,
            offset,
            format!("{compression} data"),
            format!("{error} after {} unpacked bytes", bytes.len()),
        )),
    }
}
