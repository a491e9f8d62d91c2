//! How a recording is to be written.

use std::path::Path;

use crate::error::{BagError, Result};
use crate::mcap::McapCompression;
use crate::message::Serialization;
use crate::ros1::Ros1Compression;

/// Compression of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// Chunks packed with LZ4 (ROS 1 bag, MCAP).
    Lz4,
    /// Chunks packed with Zstandard (MCAP).
    Zstd,
    /// Chunks packed with bzip2 (ROS 1 bag).
    Bz2,
    /// Files packed with Zstandard when they are complete (.db3.zstd, .mcap.zstd).
    File,
    /// Messages packed with Zstandard, one by one (SQLite in a directory).
    Message,
}

/// What the files of a directory are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// MCAP, the default of ROS 2 from Iron on.
    #[default]
    Mcap,
    /// SQLite, the default of ROS 2 up to Humble.
    Sqlite,
}

/// How a recording is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Compression; `None` is LZ4 for ROS 1 bags, Zstandard for MCAP, and none for
    /// SQLite.
    pub compression: Option<Compression>,
    /// Directories: what their files are.
    pub storage: Storage,
    /// Directories: a file's messages take no more bytes than this before
    /// compression, but for one that is larger by itself.
    pub split_bytes: Option<u64>,
    /// Directories: a file's log times span less than this, ns.
    pub split_ns: Option<i64>,
    /// How messages are serialised: MCAP can hold ROS 1's, too.
    pub messages: Serialization,
    /// Directories and SQLite: ROS distribution to note.
    pub ros_distro: String,
    /// Directories and SQLite: what users have added.
    pub custom_data: Vec<(String, String)>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            compression: None,
            storage: Storage::default(),
            split_bytes: None,
            split_ns: None,
            messages: Serialization::Cdr,
            ros_distro: String::new(),
            custom_data: Vec::new(),
        }
    }
}

/// What a path's name asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Ros1,
    Mcap,
    Sqlite,
    Directory,
}

impl Target {
    /// By the extension; without one it is a directory.
    pub fn of(path: &Path) -> Result<Self> {
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        let name = name.strip_suffix(".zstd").unwrap_or(name);
        Ok(match Path::new(name).extension().and_then(|e| e.to_str()) {
            Some("mcap") => Self::Mcap,
            Some("bag") => Self::Ros1,
            Some("db3") => Self::Sqlite,
            None if !name.is_empty() => Self::Directory,
            _ => {
                return Err(BagError::Unsupported {
                    path: path.to_owned(),
                    what: "writing a bag of this name".into(),
                    remedy:
                        "give it the extension .mcap, .db3 or .bag (ROS 1), or none for a rosbag2 \
                             directory"
                            .into(),
                });
            }
        })
    }
}

impl WriteOptions {
    /// How messages are serialised in a recording of this name.
    ///
    /// # Errors
    /// If the name says no format.
    pub fn serialization(&self, path: &Path) -> Result<Serialization> {
        Ok(match Target::of(path)? {
            Target::Ros1 => Serialization::Ros1,
            Target::Mcap => self.messages,
            Target::Directory if self.storage == Storage::Mcap => self.messages,
            Target::Sqlite | Target::Directory => Serialization::Cdr,
        })
    }

    /// Completes what the name of the recording implies, and refuses what does not
    /// go together.
    pub(crate) fn checked(&self, path: &Path) -> Result<(Target, Self)> {
        let target = Target::of(path)?;
        let mut options = self.clone();
        let packed = path.extension().is_some_and(|e| e == "zstd");
        if packed {
            options.compression = Some(Compression::File);
        }
        match target {
            Target::Mcap => options.storage = Storage::Mcap,
            Target::Sqlite => options.storage = Storage::Sqlite,
            _ => {}
        }
        let directory = target == Target::Directory;
        let sqlite = options.storage == Storage::Sqlite;
        let fits = match (options.compression, target) {
            (None | Some(Compression::None), _) => true,
            (Some(Compression::Lz4 | Compression::Bz2), Target::Ros1) => true,
            (Some(_), Target::Ros1) => false,
            (Some(Compression::Bz2), _) => false,
            (Some(Compression::Lz4 | Compression::Zstd), _) => !sqlite,
            (Some(Compression::Message), _) => directory && sqlite,
            (Some(Compression::File), _) => directory || packed,
        };
        let refuse = |what: String, remedy: &str| {
            Err(BagError::Unsupported {
                path: path.to_owned(),
                what,
                remedy: remedy.into(),
            })
        };
        if !fits {
            return refuse(
                format!(
                    "compression {:?} of such a recording",
                    options.compression.unwrap_or(Compression::None)
                ),
                "there is: none, lz4, bz2 for .bag; none, lz4, zstd for MCAP; none for .db3; file for \
                 directories and names that end in .zstd; message for directories of SQLite",
            );
        }
        if !directory && (options.split_bytes.is_some() || options.split_ns.is_some()) {
            return refuse(
                "splitting a recording that is one file".into(),
                "write a directory: a name without extension",
            );
        }
        if sqlite && target != Target::Ros1 && options.messages == Serialization::Ros1 {
            return refuse(
                "ROS 1 messages in rosbag2 SQLite".into(),
                "write MCAP, or let them be transcoded",
            );
        }
        Ok((target, options))
    }

    pub(crate) fn ros1(&self) -> Ros1Compression {
        match self.compression {
            Some(Compression::None) => Ros1Compression::None,
            Some(Compression::Bz2) => Ros1Compression::Bz2,
            _ => Ros1Compression::Lz4,
        }
    }

    /// A file that is packed as a whole has plain chunks.
    pub(crate) fn mcap(&self) -> McapCompression {
        match self.compression {
            Some(Compression::None | Compression::File) => McapCompression::None,
            Some(Compression::Lz4) => McapCompression::Lz4,
            _ => McapCompression::Zstd,
        }
    }
}
