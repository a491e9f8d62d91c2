//! Writes a file chunk by chunk.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::{HASH_KEY, QOS_KEY, error};
use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage, Serialization};

/// Compression of the chunks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum McapCompression {
    /// As they are.
    None,
    /// LZ4: quick.
    Lz4,
    /// Zstandard: small.
    #[default]
    Zstd,
}

/// Writes MCAP with the profile `ros2` (or `ros1`): chunks, schemas, QoS profiles,
/// sequence numbers, index and statistics.
///
/// It writes in place: each chunk that is full (1 MiB) goes to the file, so
/// that after a crash all but the last is readable; [`McapWriter::flush`] closes
/// a chunk early.
pub struct McapWriter {
    path: PathBuf,
    writer: mcap::Writer<BufWriter<File>>,
    channels: Vec<(Connection, u16)>,
    written: u64,
}

impl McapWriter {
    /// Creates the file, with Zstandard chunks and the profile `ros2`.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_with(path, McapCompression::Zstd, Serialization::Cdr)
    }

    /// Creates the file with the profile that belongs to messages of this kind.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create_with(
        path: &Path,
        compression: McapCompression,
        messages: Serialization,
    ) -> Result<Self> {
        let file = File::create(path).map_err(|e| BagError::io(path, "create", e))?;
        let writer = mcap::WriteOptions::new()
            .profile(match messages {
                Serialization::Cdr => "ros2",
                Serialization::Ros1 => "ros1",
            })
            .library(concat!("saccade-rosbags ", env!("CARGO_PKG_VERSION")))
            .compression(match compression {
                McapCompression::None => None,
                McapCompression::Lz4 => Some(mcap::Compression::Lz4),
                McapCompression::Zstd => Some(mcap::Compression::Zstd),
            })
            .compression_threads(0)
            .create(BufWriter::new(file))
            .map_err(|source| error(path, 0, source))?;
        Ok(Self {
            path: path.to_owned(),
            writer,
            channels: Vec::new(),
            written: 0,
        })
    }

    /// Adds a topic, also one that will have no messages.
    ///
    /// # Errors
    /// If writing fails.
    pub fn add_connection(&mut self, connection: &Connection) -> Result<()> {
        self.channel_id(connection).map(drop)
    }

    /// Path of the file that is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a serialised message.
    ///
    /// # Errors
    /// If a time is negative or writing fails.
    pub fn write_raw(&mut self, message: &RawMessage) -> Result<()> {
        let channel_id = self.channel_id(&message.connection)?;
        let header = mcap::records::MessageHeader {
            channel_id,
            sequence: message.sequence,
            log_time: self.time(message.stamp_ns, message)?,
            publish_time: self.time(message.publish_ns, message)?,
        };
        self.written += message.data.len() as u64;
        self.writer
            .write_to_known_channel(&header, &message.data)
            .map_err(|source| error(&self.path, self.written, source))
    }

    /// Closes the chunk, so that everything written so far is readable even if
    /// the program does not live to finish the file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&mut self) -> Result<()> {
        self.writer
            .flush()
            .map_err(|source| error(&self.path, self.written, source))
    }

    /// Writes index and statistics.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> Result<()> {
        self.writer
            .finish()
            .map_err(|source| error(&self.path, self.written, source))?;
        let buffered = self.writer.into_inner();
        (buffered.into_inner().map_err(|e| e.into_error()))
            .and_then(|file| file.sync_all())
            .map_err(|e| BagError::io(&self.path, "write", e))
    }

    fn channel_id(&mut self, connection: &Connection) -> Result<u16> {
        if let Some((_, id)) = self.channels.iter().find(|(c, _)| c == connection) {
            return Ok(*id);
        }
        let mut add = || {
            let schema = self.writer.add_schema(
                &connection.type_name,
                &connection.definition_encoding,
                connection.definition.as_bytes(),
            )?;
            let metadata = [
                (QOS_KEY.to_owned(), connection.qos.clone()),
                (HASH_KEY.to_owned(), connection.md5.clone()),
            ];
            self.writer.add_channel(
                schema,
                &connection.topic,
                connection.serialization.name(),
                &metadata.into_iter().collect(),
            )
        };
        let id = add().map_err(|source| error(&self.path, self.written, source))?;
        self.channels.push((connection.clone(), id));
        Ok(id)
    }

    fn time(&self, ns: i64, message: &RawMessage) -> Result<u64> {
        u64::try_from(ns).map_err(|_| BagError::Unsupported {
            path: self.path.clone(),
            what: format!("time {ns} ns of a message of `{}` in MCAP", message.topic()),
            remedy: "MCAP times are not negative".into(),
        })
    }
}
