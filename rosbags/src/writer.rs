//! One writer over the bag formats that can be written, and typed writing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use saccade_msgs::{Message, Ros1Message, to_cdr, to_ros1};

use crate::error::{BagError, Result};
use crate::mcap::McapWriter;
use crate::message::{Connection, RawMessage, Serialization};
use crate::ros1::{Ros1Compression, Ros1Writer};

/// QoS of a publisher with ROS 2's default profile (reliable, volatile, keep
/// the last 10), in the YAML that rosbag2 records.
pub const DEFAULT_QOS: &str = "- history: 1
  depth: 10
  reliability: 1
  durability: 2
  deadline:
    sec: 9223372036
    nsec: 854775807
  lifespan:
    sec: 9223372036
    nsec: 854775807
  liveliness: 1
  liveliness_lease_duration:
    sec: 9223372036
    nsec: 854775807
  avoid_ros_namespace_conventions: false";

/// QoS of a publisher with `SensorDataQoS` (best effort, volatile, keep the
/// last 5), in the YAML that rosbag2 records.
pub const SENSOR_DATA_QOS: &str = "- history: 1
  depth: 5
  reliability: 2
  durability: 2
  deadline:
    sec: 9223372036
    nsec: 854775807
  lifespan:
    sec: 9223372036
    nsec: 854775807
  liveliness: 1
  liveliness_lease_duration:
    sec: 9223372036
    nsec: 854775807
  avoid_ros_namespace_conventions: false";

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

/// Writes a bag: MCAP, or ROS 1 where the name ends in `.bag`.
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
    /// Per topic: its connection and the number of its next message.
    topics: BTreeMap<String, (Arc<Connection>, u32)>,
}

enum Sink {
    Mcap(Box<McapWriter>),
    Ros1(Box<Ros1Writer>),
}

impl BagWriter {
    /// Creates a bag; the format follows the extension (`.mcap` or `.bag`, with
    /// LZ4 chunks).
    ///
    /// # Errors
    /// If the extension is another one or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("mcap") => Self::mcap(path),
            Some("bag") => Self::ros1(path, Ros1Compression::Lz4),
            _ => Err(BagError::Unsupported {
                path: path.to_owned(),
                what: "writing a bag of this name".into(),
                remedy: "give it the extension .mcap or .bag (ROS 1)".into(),
            }),
        }
    }

    /// Creates an MCAP file, whatever its extension.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn mcap(path: &Path) -> Result<Self> {
        Ok(Self::to(Sink::Mcap(Box::new(McapWriter::create(path)?))))
    }

    /// Creates a ROS 1 bag, whatever its extension.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn ros1(path: &Path, compression: Ros1Compression) -> Result<Self> {
        let writer = Ros1Writer::create(path, compression)?;
        Ok(Self::to(Sink::Ros1(Box::new(writer))))
    }

    fn to(sink: Sink) -> Self {
        Self {
            sink,
            topics: BTreeMap::new(),
        }
    }

    /// Whether messages are written as ROS 1 or CDR.
    pub fn serialization(&self) -> Serialization {
        match self.sink {
            Sink::Mcap(_) => Serialization::Cdr,
            Sink::Ros1(_) => Serialization::Ros1,
        }
    }

    /// Writes a message that both kinds of ROS know. Messages of a topic are
    /// numbered from 0.
    ///
    /// # Errors
    /// If the topic was written with another type, the time does not fit the
    /// format, or writing fails.
    pub fn write<M: Ros1Message>(&mut self, topic: &str, stamp_ns: i64, message: &M) -> Result<()> {
        let (make, data): (fn(&str) -> Connection, _) = match self.sink {
            Sink::Mcap(_) => (Connection::cdr::<M>, to_cdr(message)),
            Sink::Ros1(_) => (Connection::ros1::<M>, to_ros1(message)),
        };
        let path = self.sink.path();
        let (connection, next) =
            (self.topics.entry(topic.to_owned())).or_insert_with(|| (Arc::new(make(topic)), 0));
        if connection.type_name != M::TYPE_NAME {
            return Err(BagError::Unsupported {
                path: path.to_owned(),
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
            Sink::Mcap(writer) => writer.write_raw(message),
            Sink::Ros1(writer) => {
                writer.write_raw(&message.connection, message.stamp_ns, &message.data)
            }
        }
    }

    /// Completes the file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(self) -> Result<()> {
        match self.sink {
            Sink::Mcap(writer) => writer.finish(),
            Sink::Ros1(writer) => writer.finish(),
        }
    }
}

impl Sink {
    fn path(&self) -> &Path {
        match self {
            Self::Mcap(writer) => writer.path(),
            Self::Ros1(writer) => writer.path(),
        }
    }
}
