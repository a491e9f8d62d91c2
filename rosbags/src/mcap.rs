//! MCAP as rosbag2 writes it, through the crate `mcap`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mcap::sans_io::{LinearReaderOptions, SummaryReadEvent, SummaryReader, SummaryReaderOptions};
use mcap::{Channel, McapError};

use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage, Serialization, ros2_type_name};

/// No record, unpacked, may be longer than this.
const MAX_RECORD: usize = 1 << 28;
/// Channel metadata key under which rosbag2 keeps QoS profiles.
const QOS_KEY: &str = "offered_qos_profiles";
/// Channel metadata key of the type hash.
const HASH_KEY: &str = "topic_type_hash";

/// An MCAP file, read in file order. Memory: a record and a decompressor's window.
pub struct McapReader {
    path: PathBuf,
    messages: mcap::io::MessageReader<Counted>,
    read_bytes: Arc<AtomicU64>,
    known: BTreeMap<u16, Arc<Connection>>,
    /// Messages the file's statistics promise, and those seen.
    expected: Option<u64>,
    seen: u64,
    failed: bool,
}

impl McapReader {
    /// Opens the file; the summary at its end may be missing.
    ///
    /// # Errors
    /// If the file cannot be opened or a topic of its summary is not of ROS.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| BagError::io(path, "open", e))?;
        let mut reader = Self {
            path: path.to_owned(),
            read_bytes: Arc::default(),
            messages: message_reader(file, &Arc::default()),
            known: BTreeMap::new(),
            expected: None,
            seen: 0,
            failed: false,
        };
        // A file cut short has no summary to read. That is no reason not to read
        // what is there: the error comes where the messages end.
        if let Ok(Some(summary)) = read_summary(path) {
            reader.expected = summary.stats.as_ref().map(|s| s.message_count);
            for (id, channel) in &summary.channels {
                (reader.known).insert(*id, Arc::new(connection(path, channel)?));
            }
        }
        reader.rewind()?;
        Ok(reader)
    }

    /// The topics in the order of their channel ids. Without a summary the whole
    /// file is read for this, up to where it is damaged.
    ///
    /// # Errors
    /// If the file cannot be read again from its start.
    pub fn connections(&mut self) -> Result<Vec<Arc<Connection>>> {
        if self.expected.is_none() && self.seen == 0 && !self.failed {
            while let Ok(Some(_)) = self.next_message() {}
            self.rewind()?;
        }
        Ok(self.known.values().cloned().collect())
    }

    fn rewind(&mut self) -> Result<()> {
        let file = File::open(&self.path).map_err(|e| BagError::io(&self.path, "open", e))?;
        self.read_bytes = Arc::default();
        self.messages = message_reader(file, &self.read_bytes);
        self.seen = 0;
        self.failed = false;
        Ok(())
    }

    /// The next message in file order, `None` at the end.
    ///
    /// # Errors
    /// If the file is damaged here; nothing comes after an error.
    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        if self.failed {
            return Ok(None);
        }
        let result = self.advance();
        self.failed = !matches!(result, Ok(Some(_)));
        result
    }

    fn advance(&mut self) -> Result<Option<RawMessage>> {
        let Some(message) = self.messages.next() else {
            return self.check_count();
        };
        let message = message.map_err(|source| self.error(source))?;
        let connection = match self.known.get(&message.channel.id) {
            Some(known) => known.clone(),
            None => {
                let new = Arc::new(connection(&self.path, &message.channel)?);
                self.known.insert(message.channel.id, new.clone());
                new
            }
        };
        self.seen += 1;
        Ok(Some(RawMessage {
            stamp_ns: self.time(message.log_time, &connection)?,
            publish_ns: self.time(message.publish_time, &connection)?,
            connection,
            sequence: message.sequence,
            data: message.data.into_owned(),
        }))
    }

    fn check_count(&self) -> Result<Option<RawMessage>> {
        match self.expected {
            Some(expected) if expected != self.seen => Err(BagError::corrupt(
                &self.path,
                self.read_bytes.load(Ordering::Relaxed),
                format!("{expected} messages in all, as the file's statistics say"),
                self.seen.to_string(),
            )),
            _ => Ok(None),
        }
    }

    fn time(&self, time: u64, connection: &Connection) -> Result<i64> {
        i64::try_from(time).map_err(|_| {
            BagError::corrupt(
                &self.path,
                self.read_bytes.load(Ordering::Relaxed),
                format!("a time below 2^63 ns on topic `{}`", connection.topic),
                format!("{time} ns"),
            )
        })
    }

    fn error(&self, source: McapError) -> BagError {
        BagError::Mcap {
            path: self.path.clone(),
            offset: self.read_bytes.load(Ordering::Relaxed),
            source,
        }
    }
}

fn message_reader(file: File, read_bytes: &Arc<AtomicU64>) -> mcap::io::MessageReader<Counted> {
    let options = LinearReaderOptions::default()
        .with_validate_chunk_crcs(true)
        .with_record_length_limit(MAX_RECORD);
    let source = Counted {
        file: BufReader::with_capacity(1 << 16, file),
        read_bytes: read_bytes.clone(),
    };
    mcap::io::MessageReader::new_with_options(source, options)
}

/// A file that tells how much of it was read, for error texts.
struct Counted {
    file: BufReader<File>,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buf)?;
        self.read_bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

fn read_summary(path: &Path) -> std::result::Result<Option<mcap::Summary>, McapError> {
    let mut file = File::open(path)?;
    let options = SummaryReaderOptions::default()
        .with_file_size(file.metadata()?.len())
        .with_record_length_limit(MAX_RECORD);
    let mut reader = SummaryReader::new_with_options(options);
    while let Some(event) = reader.next_event() {
        match event? {
            SummaryReadEvent::ReadRequest(n) => {
                let n = file.read(reader.insert(n))?;
                reader.notify_read(n);
            }
            SummaryReadEvent::SeekRequest(to) => reader.notify_seeked(file.seek(to)?),
        }
    }
    Ok(reader.finish())
}

fn connection(path: &Path, channel: &Channel<'_>) -> Result<Connection> {
    let Some(serialization) = Serialization::from_name(&channel.message_encoding) else {
        return Err(BagError::Unsupported {
            path: path.to_owned(),
            what: format!(
                "message encoding `{}` of topic `{}`",
                channel.message_encoding, channel.topic
            ),
            remedy: "ROS recordings hold cdr (ROS 2) or ros1".into(),
        });
    };
    let metadata = |key: &str| channel.metadata.get(key).cloned().unwrap_or_default();
    let schema = channel.schema.as_deref();
    Ok(Connection {
        topic: channel.topic.clone(),
        type_name: ros2_type_name(schema.map_or("", |s| s.name.as_str())),
        definition: schema.map_or_else(String::new, |s| {
            String::from_utf8_lossy(&s.data).into_owned()
        }),
        definition_encoding: schema.map_or_else(String::new, |s| s.encoding.clone()),
        serialization,
        qos: metadata(QOS_KEY),
        md5: metadata(HASH_KEY),
    })
}

/// Writes MCAP with the profile `ros2`: zstd chunks, schemas, QoS profiles,
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
    /// Creates the file.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| BagError::io(path, "create", e))?;
        let writer = mcap::WriteOptions::new()
            .profile("ros2")
            .library(concat!("saccade-rosbags ", env!("CARGO_PKG_VERSION")))
            .compression(Some(mcap::Compression::Zstd))
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

fn error(path: &Path, offset: u64, source: McapError) -> BagError {
    BagError::Mcap {
        path: path.to_owned(),
        offset,
        source,
    }
}
