//! What can go wrong with a recording, in words a user can act on.

use std::path::{Path, PathBuf};

/// An error of reading or writing a recording. Every text names the file, the
/// place in it, what was expected there, and where it helps, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum BagError {
    /// The operating system refused.
    #[error("{path}: cannot {doing}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried ("open", "read", ...).
        doing: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file ends inside a structure.
    #[error(
        "{path}: truncated: {what} at byte {offset} needs {needed} bytes, the file ends after {left} of them"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The structure that is cut off.
        what: &'static str,
        /// Its first byte in the file.
        offset: u64,
        /// Bytes it needs.
        needed: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// The bytes do not mean what the format says they must.
    #[error("{path}: at byte {offset}: expected {expected}, found {found}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Place of the bytes in the file.
        offset: u64,
        /// What the format demands.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A ROS 1 bag whose index was never written.
    #[error(
        "{path}: the bag has no index (index_pos is 0 in the bag header at byte {offset}): \
         its recorder was stopped before it closed the file; run `saccade bag recover` on it first"
    )]
    NotClosed {
        /// The file.
        path: PathBuf,
        /// Where the bag header stands.
        offset: u64,
    },
    /// Something is wrong with what is packed in a file.
    #[error("{path}: unpacked into {source}")]
    Unpacked {
        /// The packed file.
        path: PathBuf,
        /// What is wrong with its content; names the temporary file.
        source: Box<BagError>,
    },
    /// `metadata.yaml` of a rosbag2 directory is not what it must be.
    #[error("{path}: {reason}")]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What is to be written is there already.
    #[error(
        "{path}: it exists already, and recordings are not written over; remove it or choose another name"
    )]
    Exists {
        /// The file or directory.
        path: PathBuf,
    },
    /// The first bytes belong to no format this crate reads.
    #[error(
        "{path}: not a recording this program knows: the file starts with {found}; \
         expected a ROS 1 bag, a rosbag2 .db3 or .mcap, Prophesee RAW (EVT2, EVT2.1, EVT3) or DAT, \
         AEDAT 4, 3.1 or 2.0, Event Stream, .npy, .npz, HDF5, or the extension .bin (N-MNIST), .csv, .tsv or .txt"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The first bytes, printable.
        found: String,
    },
    /// A known format in a variant that is not handled.
    #[error("{path}: {what} is not supported; {remedy}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The variant.
        what: String,
        /// What to do instead.
        remedy: String,
    },
    /// The SQLite library reports an error.
    #[error("{path}: SQLite: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: rusqlite::Error,
    },
    /// The MCAP library reports an error.
    #[error("{path}: MCAP, within the {offset} bytes read or written so far: {source}")]
    Mcap {
        /// The file.
        path: PathBuf,
        /// How far reading or writing had come.
        offset: u64,
        /// The library's reason.
        source: mcap::McapError,
    },
    /// A message that does not decode as its type.
    #[error(
        "{path}: message {sequence} of `{topic}` (log time {stamp_ns} ns): not a valid {type_name}: {reason}"
    )]
    Message {
        /// The file.
        path: PathBuf,
        /// Topic.
        topic: String,
        /// ROS type asked for.
        type_name: String,
        /// Sequence number of the message in its topic.
        sequence: u32,
        /// Log time, ns.
        stamp_ns: i64,
        /// The codec's reason.
        reason: String,
    },
    /// No topic fits what was asked for.
    #[error("{path}: {what}; the recording has: {has}")]
    NoTopic {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: String,
        /// Topics and types of the recording.
        has: String,
    },
    /// Event data that cannot be decoded or encoded.
    #[error("{path}: {source}")]
    Events {
        /// The file.
        path: PathBuf,
        /// The decoder's or encoder's reason.
        source: crate::events::EventError,
    },
}

impl BagError {
    pub(crate) fn io(path: &Path, doing: &'static str, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    }

    pub(crate) fn corrupt(
        path: &Path,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            offset,
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, BagError>;

/// The first bytes of something, so that a person can recognise them.
pub(crate) fn printable(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing (it is empty)".into();
    }
    format!("\"{}\"", bytes.escape_ascii())
}
