//! rosbag2 directories: storage files in order, and `metadata.yaml`.

mod metadata;
mod qos;
mod reader;
mod writer;
mod yaml;

pub(crate) use metadata::VERSION;
pub use metadata::{FileFigures, Metadata};
pub use qos::QosProfile;
pub(crate) use reader::{DirectoryReader, METADATA, present_files, storage_files};
pub(crate) use writer::{DirectoryWriter, metadata_of};
