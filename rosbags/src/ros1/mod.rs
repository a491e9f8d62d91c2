//! ROS 1 bags, format version 2.0.
//!
//! A bag is a line of magic and then records `{u32 header_len, header, u32
//! data_len, data}` whose headers are `name=value` fields; integers are little
//! endian. A bag header record (padded to a fixed size, so that it can be
//! rewritten) points to the index at the end: connections and chunk infos.
//! Between them stand chunks, which hold connections and messages and may be
//! compressed, each followed by its index data.
//! See <http://wiki.ros.org/Bags/Format/2.0>.

mod file;
mod reader;
mod record;
mod salvage;
mod writer;

pub use reader::Ros1Reader;
pub(crate) use salvage::Ros1Salvage;
pub use writer::{Ros1Compression, Ros1Writer};

/// First line of a bag.
const MAGIC: &[u8] = b"#ROSBAG V2.0\n";

/// Record kinds (header field `op`).
mod op {
    pub const MESSAGE: u8 = 2;
    pub const BAG_HEADER: u8 = 3;
    pub const INDEX_DATA: u8 = 4;
    pub const CHUNK: u8 = 5;
    pub const CHUNK_INFO: u8 = 6;
    pub const CONNECTION: u8 = 7;
}
