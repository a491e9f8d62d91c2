//! Reading and writing of ROS bags and event-camera files.
//!
//! - [`BagReader`] streams the messages of ROS 1 bags, rosbag2 SQLite and MCAP.
//! - [`BagWriter`] writes MCAP and ROS 1 bags.
//! - [`dataset`] reads labelled samples out of a bag.
//! - [`events`] decodes event-camera encodings, and streams the events of a
//!   file or of a bag's topic.

mod bag;
pub mod dataset;
mod error;
pub mod events;
mod file;
mod format;
mod mcap;
mod message;
mod ros1;
mod sqlite;
mod unpack;
mod writer;

pub use bag::BagReader;
pub use error::{BagError, Result};
pub use file::write_atomic;
pub use format::{Format, detect};
pub use mcap::{McapReader, McapWriter};
pub use message::{Connection, RawMessage, Serialization};
pub use ros1::{Ros1Compression, Ros1Reader, Ros1Writer};
pub use sqlite::SqliteReader;
pub use writer::{BagWriter, DEFAULT_QOS, SENSOR_DATA_QOS};
