//! Which format a file has, told from its content; by its extension where the
//! format has no mark of its own.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{BagError, Result, printable};
use crate::rosbag2::{METADATA, storage_files};
use crate::unpack;

/// A file format that holds events or messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// ROS 1 bag, version 2.0.
    Ros1Bag,
    /// rosbag2, SQLite storage.
    Sqlite,
    /// MCAP.
    Mcap,
    /// Prophesee RAW or DAT: starts with `%` header lines.
    Prophesee,
    /// AEDAT 4 (iniVation DV).
    Aedat4,
    /// AEDAT 3.1 (cAER, libcaer).
    Aedat3,
    /// AEDAT 2 (jAER).
    Aedat2,
    /// Event Stream (`.es`).
    EventStream,
    /// N-MNIST: `.bin`, no mark in the content.
    Nmnist,
    /// NumPy structured array (`.npy`).
    Npy,
    /// Zip archive of NumPy arrays (`.npz`).
    Npz,
    /// HDF5.
    Hdf5,
    /// Lines of text: `.csv`, `.tsv` or `.txt`, no mark in the content.
    Text,
}

impl Format {
    /// What the first bytes of a file say.
    fn of_content(head: &[u8]) -> Option<Self> {
        let marks: [(&[u8], Self); 11] = [
            (b"#ROSBAG V", Self::Ros1Bag),
            (b"SQLite format 3\0", Self::Sqlite),
            (mcap::MAGIC, Self::Mcap),
            (b"% ", Self::Prophesee),
            (b"#!AER-DAT4.0", Self::Aedat4),
            (b"#!AER-DAT3.1", Self::Aedat3),
            (b"#!AER-DAT2.0", Self::Aedat2),
            (b"\x93NUMPY", Self::Npy),
            (b"Event Stream", Self::EventStream),
            (b"PK\x03\x04", Self::Npz),
            (b"\x89HDF\r\n\x1A\n", Self::Hdf5),
        ];
        let found = marks.iter().find(|(mark, _)| head.starts_with(mark));
        found.map(|(_, format)| *format)
    }

    /// Whether it holds messages.
    pub fn is_bag(self) -> bool {
        matches!(self, Self::Ros1Bag | Self::Sqlite | Self::Mcap)
    }

    /// What the extension says, of formats that nothing else tells.
    fn of_extension(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "bin" => Some(Self::Nmnist),
            "csv" | "tsv" | "txt" => Some(Self::Text),
            _ => None,
        }
    }

    /// Whether reading it needs more than its bytes from first to last; bags are
    /// unpacked into a temporary file for that.
    fn is_read_in_places(self) -> bool {
        matches!(self, Self::Npz | Self::Hdf5)
    }
}

/// Finds the format of `path` from its first bytes (unpacked, if it is packed as
/// a whole with gzip or Zstandard), or where they say nothing
/// from its extension. A rosbag2 directory has the format of its storage files.
///
/// # Errors
/// If the path cannot be read, the content is of no known format, or a
/// directory holds no storage file.
pub fn detect(path: &Path) -> Result<(Format, PathBuf)> {
    let file = match path.is_dir() {
        false => path.to_owned(),
        true => {
            let first = storage_files(path)?.1.into_iter().next();
            first.ok_or_else(|| BagError::Metadata {
                path: path.join(METADATA),
                reason: "it names no storage file".into(),
            })?
        }
    };
    let mut head = Vec::new();
    let unpacked = unpack::open(&file)?;
    (unpacked.source.take(16))
        .read_to_end(&mut head)
        .map_err(|e| BagError::io(&file, "read", e))?;
    match Format::of_content(&head).or_else(|| Format::of_extension(&unpacked.name)) {
        Some(format) => match unpacked.packed {
            Some(packed) if format.is_read_in_places() => Err(BagError::Unsupported {
                path: file,
                what: format!("{format:?} packed as a whole with {packed}"),
                remedy: "it is not read front to back: unpack it first".into(),
            }),
            _ => Ok((format, path.to_owned())),
        },
        None => Err(BagError::UnknownFormat {
            path: file,
            found: printable(&head),
        }),
    }
}
