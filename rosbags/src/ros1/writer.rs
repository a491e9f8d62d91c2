//! Writes bags that ROS 1's own tools read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::record::{put_header, put_record};
use super::{MAGIC, op};
use crate::error::{BagError, Result};
use crate::message::{Connection, Serialization, ros1_type_name};
use crate::rosbag2::QosProfile;

/// Chunks are closed when they have grown to this, as `rosbag record` does.
const CHUNK_SIZE: usize = 768 * 1024;
/// The bag header and its padding, without the two lengths.
const BAG_HEADER_SIZE: usize = 4096;

/// Compression of the chunks of a bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ros1Compression {
    /// As they are.
    None,
    /// LZ4: quick.
    #[default]
    Lz4,
    /// bzip2: small, slow.
    Bz2,
}

/// Writes a ROS 1 bag. As `rosbag record` does, it writes to `NAME.active` and
/// renames on [`Ros1Writer::finish`]: a bag under its own name is complete.
pub struct Ros1Writer {
    path: PathBuf,
    active: PathBuf,
    file: File,
    pos: u64,
    compression: Ros1Compression,
    connections: Vec<Connection>,
    chunk: OpenChunk,
    chunks: Vec<ChunkInfo>,
}

/// The chunk that is being filled.
#[derive(Default)]
struct OpenChunk {
    bytes: Vec<u8>,
    /// Per connection: (ROS time, offset in the chunk) of its messages.
    index: BTreeMap<u32, Vec<(u64, u32)>>,
    start_ns: i64,
    end_ns: i64,
}

/// What the index says of a finished chunk.
struct ChunkInfo {
    pos: u64,
    start_ns: i64,
    end_ns: i64,
    counts: Vec<(u32, u32)>,
}

impl Ros1Writer {
    /// Creates a bag.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(path: &Path, compression: Ros1Compression) -> Result<Self> {
        let mut active = path.as_os_str().to_owned();
        active.push(".active");
        let active = PathBuf::from(active);
        let file = File::create(&active).map_err(|e| BagError::io(&active, "create", e))?;
        let mut writer = Self {
            path: path.to_owned(),
            active,
            file,
            pos: 0,
            compression,
            connections: Vec::new(),
            chunk: OpenChunk::default(),
            chunks: Vec::new(),
        };
        let mut head = MAGIC.to_vec();
        head.extend(bag_header(0, 0, 0));
        writer.put(&head)?;
        Ok(writer)
    }

    /// Path of the file that is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a serialised message with its log time.
    ///
    /// # Errors
    /// If the connection is not serialised as ROS 1, the time is not one of
    /// ROS 1 (0 to 2^32 s), the message is over 4 GiB, or writing fails.
    pub fn write_raw(&mut self, connection: &Connection, stamp_ns: i64, data: &[u8]) -> Result<()> {
        self.check_serialization(connection)?;
        let time = ros_time(stamp_ns).ok_or_else(|| BagError::Unsupported {
            path: self.path.clone(),
            what: format!(
                "log time {stamp_ns} ns of topic `{}` in a ROS 1 bag",
                connection.topic
            ),
            remedy: "ROS 1 times run from 0 to 4294967295 s".into(),
        })?;
        if data.len() >= u32::MAX as usize - CHUNK_SIZE {
            return Err(BagError::Unsupported {
                path: self.path.clone(),
                what: format!("a message of {} bytes in a ROS 1 bag", data.len()),
                remedy: "write MCAP".into(),
            });
        }
        if !self.chunk.bytes.is_empty() && self.chunk.bytes.len() + data.len() > CHUNK_SIZE {
            self.close_chunk()?;
        }
        let id = self.connection_id(connection);
        let chunk = &mut self.chunk;
        if chunk.index.is_empty() {
            (chunk.start_ns, chunk.end_ns) = (stamp_ns, stamp_ns);
        }
        chunk.start_ns = chunk.start_ns.min(stamp_ns);
        chunk.end_ns = chunk.end_ns.max(stamp_ns);
        let entry = (time, chunk.bytes.len() as u32);
        chunk.index.entry(id).or_default().push(entry);
        put_record(
            &mut chunk.bytes,
            &[
                ("op", &[op::MESSAGE]),
                ("conn", &id.to_le_bytes()),
                ("time", &time.to_le_bytes()),
            ],
            data,
        );
        Ok(())
    }

    /// Adds a topic, also one that will have no messages.
    ///
    /// # Errors
    /// If the connection is not serialised as ROS 1.
    pub fn add_connection(&mut self, connection: &Connection) -> Result<()> {
        self.check_serialization(connection)?;
        self.connection_id(connection);
        Ok(())
    }

    /// Closes the chunk, so that [`crate::recover`] finds everything written so far
    /// even if the program does not live to finish the bag.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&mut self) -> Result<()> {
        self.close_chunk()
    }

    /// Writes the index, completes the header and gives the bag its name.
    ///
    /// # Errors
    /// If writing or renaming fails.
    pub fn finish(mut self) -> Result<()> {
        self.close_chunk()?;
        let index_pos = self.pos;
        let mut index = Vec::new();
        for (id, connection) in self.connections.iter().enumerate() {
            put_connection(&mut index, id as u32, connection);
        }
        for chunk in &self.chunks {
            put_chunk_info(&mut index, chunk);
        }
        self.put(&index)?;
        let header = bag_header(
            index_pos,
            self.connections.len() as u32,
            self.chunks.len() as u32,
        );
        (self.file.seek(SeekFrom::Start(MAGIC.len() as u64)))
            .and_then(|_| self.file.write_all(&header))
            .and_then(|()| self.file.sync_all())
            .map_err(|e| BagError::io(&self.active, "write", e))?;
        std::fs::rename(&self.active, &self.path)
            .map_err(|e| BagError::io(&self.active, "rename", e))
    }

    fn check_serialization(&self, connection: &Connection) -> Result<()> {
        if connection.serialization == Serialization::Ros1 {
            return Ok(());
        }
        Err(BagError::Unsupported {
            path: self.path.clone(),
            what: format!(
                "topic `{}` serialised as {} in a ROS 1 bag",
                connection.topic,
                connection.serialization.name()
            ),
            remedy: "write MCAP, or transcode it first (`saccade bag convert`)".into(),
        })
    }

    /// Number of the connection; a new one is also written into the chunk.
    fn connection_id(&mut self, connection: &Connection) -> u32 {
        if let Some(id) = self.connections.iter().position(|c| c == connection) {
            return id as u32;
        }
        let id = self.connections.len() as u32;
        put_connection(&mut self.chunk.bytes, id, connection);
        self.connections.push(connection.clone());
        id
    }

    fn close_chunk(&mut self) -> Result<()> {
        let chunk = std::mem::take(&mut self.chunk);
        if chunk.index.is_empty() {
            return Ok(());
        }
        let pos = self.pos;
        let (name, data) = self.compress(&chunk.bytes)?;
        let mut out = Vec::with_capacity(data.len() + 4096);
        put_record(
            &mut out,
            &[
                ("op", &[op::CHUNK]),
                ("compression", name.as_bytes()),
                ("size", &(chunk.bytes.len() as u32).to_le_bytes()),
            ],
            &data,
        );
        for (id, entries) in &chunk.index {
            put_index_data(&mut out, *id, entries);
        }
        self.put(&out)?;
        self.chunks.push(ChunkInfo {
            pos,
            start_ns: chunk.start_ns,
            end_ns: chunk.end_ns,
            counts: (chunk.index.iter())
                .map(|(id, entries)| (*id, entries.len() as u32))
                .collect(),
        });
        Ok(())
    }

    fn compress(&self, bytes: &[u8]) -> Result<(&'static str, Vec<u8>)> {
        let failed = |e| BagError::io(&self.active, "compress a chunk of", e);
        Ok(match self.compression {
            Ros1Compression::None => ("none", bytes.to_vec()),
            Ros1Compression::Lz4 => {
                // roslz4 reads frames of independent blocks with a content checksum only.
                let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(bytes).map_err(failed)?;
                let packed = encoder.finish().map_err(|e| failed(e.into()))?;
                ("lz4", packed)
            }
            Ros1Compression::Bz2 => {
                let level = bzip2::Compression::default();
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).map_err(failed)?;
                ("bz2", encoder.finish().map_err(failed)?)
            }
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|e| BagError::io(&self.active, "write", e))?;
        self.pos += bytes.len() as u64;
        Ok(())
    }
}

/// Seconds in the low half, nanoseconds in the high: the bytes of a ROS 1 time.
fn ros_time(stamp_ns: i64) -> Option<u64> {
    let sec = u32::try_from(stamp_ns.div_euclid(1_000_000_000)).ok()?;
    let nsec = stamp_ns.rem_euclid(1_000_000_000) as u64;
    Some(nsec << 32 | u64::from(sec))
}

fn bag_header(index_pos: u64, connections: u32, chunks: u32) -> Vec<u8> {
    let mut out = Vec::new();
    put_header(
        &mut out,
        &[
            ("op", &[op::BAG_HEADER]),
            ("index_pos", &index_pos.to_le_bytes()),
            ("conn_count", &connections.to_le_bytes()),
            ("chunk_count", &chunks.to_le_bytes()),
        ],
    );
    let padding = BAG_HEADER_SIZE + 4 - out.len();
    out.extend_from_slice(&(padding as u32).to_le_bytes());
    out.resize(out.len() + padding, b' ');
    out
}

/// Whether the last message is for those who come later, as transient local
/// durability says in ROS 2.
fn latches(connection: &Connection) -> bool {
    let profiles = QosProfile::parse_list(&connection.qos).unwrap_or_default();
    profiles.iter().any(|profile| profile.durability == 1)
}

fn put_connection(out: &mut Vec<u8>, id: u32, connection: &Connection) {
    let mut data = Vec::new();
    let type_name = ros1_type_name(&connection.type_name);
    let mut fields = vec![
        ("topic", connection.topic.as_bytes()),
        ("type", type_name.as_bytes()),
        ("md5sum", connection.md5.as_bytes()),
        ("message_definition", connection.definition.as_bytes()),
    ];
    if latches(connection) {
        fields.push(("latching", b"1"));
    }
    put_header(&mut data, &fields);
    put_record(
        out,
        &[
            ("op", &[op::CONNECTION]),
            ("conn", &id.to_le_bytes()),
            ("topic", connection.topic.as_bytes()),
        ],
        &data[4..],
    );
}

fn put_index_data(out: &mut Vec<u8>, id: u32, entries: &[(u64, u32)]) {
    let mut data = Vec::with_capacity(12 * entries.len());
    for (time, offset) in entries {
        data.extend_from_slice(&time.to_le_bytes());
        data.extend_from_slice(&offset.to_le_bytes());
    }
    put_record(
        out,
        &[
            ("op", &[op::INDEX_DATA]),
            ("ver", &1u32.to_le_bytes()),
            ("conn", &id.to_le_bytes()),
            ("count", &(entries.len() as u32).to_le_bytes()),
        ],
        &data,
    );
}

fn put_chunk_info(out: &mut Vec<u8>, chunk: &ChunkInfo) {
    let mut data = Vec::new();
    for (id, count) in &chunk.counts {
        data.extend_from_slice(&id.to_le_bytes());
        data.extend_from_slice(&count.to_le_bytes());
    }
    // The times come from messages whose own were checked.
    let time = |ns| ros_time(ns).unwrap_or(0).to_le_bytes();
    put_record(
        out,
        &[
            ("op", &[op::CHUNK_INFO]),
            ("ver", &1u32.to_le_bytes()),
            ("chunk_pos", &chunk.pos.to_le_bytes()),
            ("start_time", &time(chunk.start_ns)),
            ("end_time", &time(chunk.end_ns)),
            ("count", &(chunk.counts.len() as u32).to_le_bytes()),
        ],
        &data,
    );
}
