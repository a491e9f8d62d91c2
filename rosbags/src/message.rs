//! What every recording holds: topics, and messages as bytes.

use std::path::Path;
use std::sync::Arc;

use saccade_msgs::Message;
use saccade_msgs::cdr::{CdrError, Reader};

use crate::error::{BagError, Result};

/// How the messages of a topic are serialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Serialization {
    /// OMG CDR with its four-byte encapsulation header (ROS 2).
    Cdr,
    /// ROS 1's own.
    Ros1,
}

impl Serialization {
    /// The name the formats use: `cdr` or `ros1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cdr => "cdr",
            Self::Ros1 => "ros1",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "cdr" => Some(Self::Cdr),
            "ros1" => Some(Self::Ros1),
            _ => None,
        }
    }
}

/// A topic as a recording describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Topic name, `/dvs_right/events`.
    pub topic: String,
    /// ROS 2 type name, `std_msgs/msg/Header`, also where the recording is of ROS 1.
    pub type_name: String,
    /// Definition text of the type, empty where the recording has none.
    pub definition: String,
    /// Language of the definition: `ros2msg`, `ros1msg`, or empty.
    pub definition_encoding: String,
    /// How messages are serialised.
    pub serialization: Serialization,
    /// QoS profiles of the publishers as rosbag2 writes them (YAML), or empty.
    pub qos: String,
    /// ROS 1 md5 sum or ROS 2 type hash, or empty.
    pub md5: String,
}

/// A message as it lies in a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct RawMessage {
    /// Its topic.
    pub connection: Arc<Connection>,
    /// Log time: when the recorder received it, ns since the epoch (or of the simulation).
    pub stamp_ns: i64,
    /// When it was published, ns; equals the log time where the format has one time only.
    pub publish_ns: i64,
    /// Sequence number; counted per topic where the format has none.
    pub sequence: u32,
    /// The serialised message.
    pub data: Vec<u8>,
}

impl RawMessage {
    /// Topic name.
    pub fn topic(&self) -> &str {
        &self.connection.topic
    }

    /// ROS 2 type name.
    pub fn type_name(&self) -> &str {
        &self.connection.type_name
    }

    /// Decodes the message by the serialisation of its connection. `path` is
    /// that of the recording, for error texts.
    ///
    /// # Errors
    /// If the message is of another type than `M`, or its bytes are not one.
    pub fn decode<M: Message>(&self, path: &Path) -> Result<M> {
        let fail = |reason: String| BagError::Message {
            path: path.to_owned(),
            topic: self.topic().to_owned(),
            type_name: M::TYPE_NAME.to_owned(),
            sequence: self.sequence,
            stamp_ns: self.stamp_ns,
            reason,
        };
        if self.type_name() != M::TYPE_NAME {
            return Err(fail(format!("its type is {}", self.type_name())));
        }
        let read = || -> std::result::Result<M, CdrError> {
            let mut r = match self.connection.serialization {
                Serialization::Cdr => Reader::cdr(&self.data)?,
                Serialization::Ros1 => Reader::ros1(&self.data),
            };
            let message = M::decode(&mut r)?;
            r.finish(M::TYPE_NAME)?;
            Ok(message)
        };
        read().map_err(|e| fail(e.to_string()))
    }
}

/// `std_msgs/Header` to `std_msgs/msg/Header`; a ROS 2 name stays as it is.
pub(crate) fn ros2_type_name(name: &str) -> String {
    match name.split_once('/') {
        Some((package, rest)) if !rest.contains('/') => format!("{package}/msg/{rest}"),
        _ => name.to_owned(),
    }
}

/// `std_msgs/msg/Header` to `std_msgs/Header`.
pub(crate) fn ros1_type_name(name: &str) -> String {
    name.replacen("/msg/", "/", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_convert_both_ways() {
        assert_eq!(ros2_type_name("std_msgs/Header"), "std_msgs/msg/Header");
        assert_eq!(ros2_type_name("std_msgs/msg/Header"), "std_msgs/msg/Header");
        assert_eq!(ros1_type_name("std_msgs/msg/Header"), "std_msgs/Header");
        assert_eq!(ros2_type_name("nonsense"), "nonsense");
    }
}
