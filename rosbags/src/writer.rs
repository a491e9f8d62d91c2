//! One writer over all bag formats, and typed writing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use saccade_msgs::{Message, Ros1Message, to_cdr, to_ros1};

use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage, Serialization};
use crate::options::{Compression, Target, WriteOptions};
use crate::packed;
use crate::ros1::Ros1Compression;
use crate::rosbag2::DirectoryWriter;
use crate::sink::FileSink;

/// A profile in the YAML that rosbag2 records, in the numbers of `rmw`.
macro_rules! profile {
    (depth $depth:literal, reliability $reliability:literal, durability $durability:literal) => {
        concat!(
            "- history: 1\n  depth: ",
            $depth,
            "\n  reliability: ",
            $reliability,
            "\n  durability: ",
            $durability,
            "\n  deadline:\n    sec: 9223372036\n    nsec: 854775807",
            "\n  lifespan:\n    sec: 9223372036\n    nsec: 854775807",
            "\n  liveliness: 1",
            "\n  liveliness_lease_duration:\n    sec: 9223372036\n    nsec: 854775807",
            "\n  avoid_ros_namespace_conventions: false"
        )
    };
}

/// QoS of a publisher with ROS 2's default profile (reliable, volatile, keep
/// the last 10).
pub const DEFAULT_QOS: &str = profile!(depth 10, reliability 1, durability 2);

/// QoS of a publisher with `SensorDataQoS` (best effort, volatile, keep the
/// last 5).
pub const SENSOR_DATA_QOS: &str = profile!(depth 5, reliability 2, durability 2);

/// QoS of a publisher that latches: as [`DEFAULT_QOS`], but transient local and
/// with a depth of 1.
pub(crate) const LATCHED_QOS: &str = profile!(depth 1, reliability 1, durability 1);

impl Connection {
    /// A topic of CDR messages of type `M`, with [`DEFAULT_QOS`].
    pub fn cdr<M: Message>(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            type_name: M::TYPE_NAME.to_owned(),
            definition: M::definition(),
            definition_encoding: "ros2msg".to_owned(),
            serialization: Serialization::Cdr,
            qos: DEFAULT_QOS.to_owned(),
            md5: String::new(),
        }
    }

    /// A topic of ROS 1 messages of type `M`.
    pub fn ros1<M: Ros1Message>(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            type_name: M::TYPE_NAME.to_owned(),
            definition: M::ros1_definition(),
            definition_encoding: "ros1msg".to_owned(),
            serialization: Serialization::Ros1,
            qos: String::new(),
            md5: M::ros1_md5(),
        }
    }
}

/// Writes a bag: ROS 1, MCAP, rosbag2 SQLite, or a rosbag2 directory.
///
/// ```no_run
/// # fn main() -> saccade_rosbags::Result<()> {
/// use saccade_msgs::saccade_msgs::Label;
/// let mut bag = saccade_rosbags::BagWriter::create("labels.mcap".as_ref())?;
/// bag.write("/label", 1_000_000, &Label::default())?;
/// bag.finish()?;
/// # Ok(())
/// # }
/// ```
pub struct BagWriter {
    sink: Sink,
    serialization: Serialization,
    /// A file that is packed into another one at the end.
    pack: Option<(PathBuf, PathBuf)>,
    /// Per topic: its connection and the number of its next message.
    topics: BTreeMap<String, (Arc<Connection>, u32)>,
}

enum Sink {
    File(Box<FileSink>),
    Directory(Box<DirectoryWriter>),
}

impl BagWriter {
    /// Creates a bag; the format follows the extension: `.mcap`, `.db3`, `.bag`
    /// (ROS 1), or none for a directory.
    ///
    /// # Errors
    /// If the extension is another one or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_with(path, &WriteOptions::default())
    }

    /// Creates a bag with options.
    ///
    /// # Errors
    /// If the options do not go together, a directory is not empty, or the file
    /// cannot be created.
    pub fn create_with(path: &Path, options: &WriteOptions) -> Result<Self> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::create_as(path, path, &name, options)
    }

    /// Creates an MCAP file, whatever its extension.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn mcap(path: &Path) -> Result<Self> {
        let options = WriteOptions::default();
        Self::create_as(path, Path::new("any.mcap"), "", &options)
    }

    /// Creates a ROS 1 bag, whatever its extension.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn ros1(path: &Path, compression: Ros1Compression) -> Result<Self> {
        let options = WriteOptions {
            compression: Some(match compression {
                Ros1Compression::None => Compression::None,
                Ros1Compression::Lz4 => Compression::Lz4,
                Ros1Compression::Bz2 => Compression::Bz2,
            }),
            ..WriteOptions::default()
        };
        Self::create_as(path, Path::new("any.bag"), "", &options)
    }

    /// Creates a bag at `path` that has the format of `like`; a directory's files
    /// are named after `name`.
    pub(crate) fn create_as(
        path: &Path,
        like: &Path,
        name: &str,
        options: &WriteOptions,
    ) -> Result<Self> {
        let (target, options) = options.checked(like)?;
        let pack = like.extension().is_some_and(|e| e == "zstd");
        let pack = pack.then(|| (path.with_extension("unpacked"), path.to_owned()));
        let file = pack.as_ref().map_or(path, |(plain, _)| plain);
        let sink = match target {
            Target::Directory => {
                Sink::Directory(Box::new(DirectoryWriter::create(path, name, &options)?))
            }
            Target::Ros1 => Sink::File(Box::new(FileSink::create_ros1(file, &options)?)),
            Target::Mcap | Target::Sqlite => {
                Sink::File(Box::new(FileSink::create(file, &options)?))
            }
        };
        Ok(Self {
            sink,
            serialization: options.serialization(like)?,
            pack,
            topics: BTreeMap::new(),
        })
    }

    /// Whether messages are written as ROS 1 or CDR.
    pub fn serialization(&self) -> Serialization {
        self.serialization
    }

    /// Adds a topic, also one that will have no messages.
    ///
    /// # Errors
    /// If its serialisation does not fit the format, or writing fails.
    pub fn add_connection(&mut self, connection: &Connection) -> Result<()> {
        match &mut self.sink {
            Sink::File(file) => file.add_connection(connection),
            Sink::Directory(directory) => directory.add_connection(connection),
        }
    }

    /// Writes a message that both kinds of ROS know. Messages of a topic are
    /// numbered from 0.
    ///
    /// # Errors
    /// If the topic was written with another type, the time does not fit the
    /// format, or writing fails.
    pub fn write<M: Ros1Message>(&mut self, topic: &str, stamp_ns: i64, message: &M) -> Result<()> {
        let (make, data): (fn(&str) -> Connection, _) = match self.serialization {
            Serialization::Cdr => (Connection::cdr::<M>, to_cdr(message)),
            Serialization::Ros1 => (Connection::ros1::<M>, to_ros1(message)),
        };
        let (connection, next) =
            (self.topics.entry(topic.to_owned())).or_insert_with(|| (Arc::new(make(topic)), 0));
        if connection.type_name != M::TYPE_NAME {
            return Err(BagError::Unsupported {
                path: self.sink.path().to_owned(),
                what: format!(
                    "a {} on topic `{topic}`, which carries {},",
                    M::TYPE_NAME,
                    connection.type_name
                ),
                remedy: "give each type its own topic".into(),
            });
        }
        let raw = RawMessage {
            connection: connection.clone(),
            stamp_ns,
            publish_ns: stamp_ns,
            sequence: *next,
            data,
        };
        *next = next.wrapping_add(1);
        self.write_raw(&raw)
    }

    /// Writes a message as it is, with the sequence number it has.
    ///
    /// # Errors
    /// If its serialisation or time does not fit the format, or writing fails.
    pub fn write_raw(&mut self, message: &RawMessage) -> Result<()> {
        match &mut self.sink {
            Sink::File(file) => file.write_raw(message),
            Sink::Directory(directory) => directory.write_raw(message),
        }
    }

    /// Hands everything written so far to the operating system, in a form that can
    /// be read even if the program does not live to finish the bag.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.sink {
            Sink::File(file) => file.flush(),
            Sink::Directory(directory) => directory.flush(),
        }
    }

    /// Completes the bag.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(self) -> Result<()> {
        match self.sink {
            Sink::File(file) => file.finish().map(drop)?,
            Sink::Directory(directory) => directory.finish()?,
        }
        match self.pack {
            Some((plain, packed)) => packed::pack_file(&plain, &packed),
            None => Ok(()),
        }
    }
}

impl Sink {
    fn path(&self) -> &Path {
        match self {
            Self::File(file) => file.path(),
            Self::Directory(directory) => directory.path(),
        }
    }
}
