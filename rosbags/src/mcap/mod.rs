//! MCAP as rosbag2 writes it, through the crate `mcap`.

mod framing;
mod reader;
mod records;
mod salvage;
mod sorted;
mod writer;

pub use reader::McapReader;
pub(crate) use salvage::McapSalvage;
pub use sorted::McapSortedReader;
pub use writer::{McapCompression, McapWriter};

use std::path::Path;

use ::mcap::{Channel, McapError};

use crate::error::{BagError, Result};
use crate::message::{Connection, Serialization, ros2_type_name};

/// No record, unpacked, may be longer than this.
const MAX_RECORD: usize = 1 << 28;
/// Channel metadata key under which rosbag2 keeps QoS profiles.
const QOS_KEY: &str = "offered_qos_profiles";
/// Channel metadata key of the type hash.
const HASH_KEY: &str = "topic_type_hash";

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

fn error(path: &Path, offset: u64, source: McapError) -> BagError {
    BagError::Mcap {
        path: path.to_owned(),
        offset,
        source,
    }
}
