//! Reading and writing of ROS bags and event-camera files.
//!
//! - [`BagReader`] streams the messages of ROS 1 bags, rosbag2 SQLite, MCAP and
//!   rosbag2 directories.
//! - [`BagWriter`] writes them, [`BagRecorder`] from a thread of its own.
//! - [`convert`] turns any of them into any other, [`recover`] saves what can be
//!   read of one that is damaged; [`Transcoder`] turns messages of any type from ROS
//!   1's bytes to CDR and back.
//! - [`dataset`] reads labelled samples out of a bag.
//! - [`events`] decodes event-camera encodings, and streams the events of a
//!   file or of a bag's topic.

mod bag;
mod convert;
pub mod dataset;
mod error;
pub mod events;
mod file;
mod format;
mod mcap;
mod message;
mod options;
mod packed;
mod recorder;
mod recover;
mod ros1;
mod rosbag2;
mod sink;
mod sqlite;
mod transcode;
mod unpack;
mod writer;

pub use bag::BagReader;
pub use convert::{ConvertOptions, ConvertReport, LostTopic, NotHeld, convert};
pub use error::{BagError, Result};
pub use file::write_atomic;
pub use format::{Format, detect};
pub use mcap::{McapCompression, McapReader, McapSortedReader, McapWriter};
pub use message::{Connection, RawMessage, Serialization};
pub use options::{Compression, Storage, WriteOptions};
pub use recorder::{BagRecorder, RecorderOptions, RecorderReport};
pub use recover::{Losses, RecoverReport, recover};
pub use ros1::{Ros1Compression, Ros1Reader, Ros1Writer};
pub use rosbag2::{FileFigures, Metadata, QosProfile};
pub use sqlite::{SqliteReader, SqliteWriter};
pub use transcode::{TranscodeError, Transcoder};
pub use writer::{BagWriter, DEFAULT_QOS, SENSOR_DATA_QOS};
