//! Which format a file has, told from its content; by its extension where the
//! format has no mark of its own.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{BagError, Result, printable};
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

    /// What the extension says, of formats that nothing else tells.
    fn of_extension(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "bin" => Some(Self::Nmnist),
            "csv" | "tsv" | "txt" => Some(Self::Text),
            _ => None,
        }
    }

    /// Whether reading it needs more than its bytes from first to last.
    fn is_read_in_places(self) -> bool {
        use Format::{Hdf5, Mcap, Npz, Ros1Bag, Sqlite};
        matches!(self, Ros1Bag | Sqlite | Mcap | Npz | Hdf5)
    }
}

/// Finds the format of `path` from its first bytes (unpacked, if it is packed as
/// a whole with gzip or Zstandard), or where they say nothing
/// from its extension. Of a rosbag2 directory the
/// one storage file in it is taken; the path returned is that of the file.
///
/// # Errors
/// If the path cannot be read, the content is of no known format, or a
/// directory does not hold exactly one storage file.
pub fn detect(path: &Path) -> Result<(Format, PathBuf)> {
    let path = if path.is_dir() {
        storage_file(path)?
    } else {
        path.to_owned()
    };
    let mut head = Vec::new();
    let unpacked = unpack::open(&path)?;
    (unpacked.source.take(16))
        .read_to_end(&mut head)
        .map_err(|e| BagError::io(&path, "read", e))?;
    match Format::of_content(&head).or_else(|| Format::of_extension(&unpacked.name)) {
        Some(format) => match unpacked.packed {
            Some(packed) if format.is_read_in_places() => Err(BagError::Unsupported {
                path,
                what: format!("{format:?} packed as a whole with {packed}"),
                remedy: "it is not read front to back: unpack it first".into(),
            }),
            _ => Ok((format, path)),
        },
        None => Err(BagError::UnknownFormat {
            path,
            found: printable(&head),
        }),
    }
}

fn storage_file(dir: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(dir).map_err(|e| BagError::io(dir, "list", e))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| BagError::io(dir, "list", e))?.path();
        if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("db3" | "mcap")
        ) {
            found.push(path);
        }
    }
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(BagError::Unsupported {
            path: dir.to_owned(),
            what: format!("a bag directory with {} .db3 or .mcap files", found.len()),
            remedy: "name one storage file".into(),
        }),
    }
}
