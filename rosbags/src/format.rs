//! Which format a file has, told from its content.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{BagError, Result, printable};

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
}

/// Finds the format of `path` from its first bytes. Of a rosbag2 directory the
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
    File::open(&path)
        .map_err(|e| BagError::io(&path, "open", e))?
        .take(16)
        .read_to_end(&mut head)
        .map_err(|e| BagError::io(&path, "read", e))?;
    let format = if head.starts_with(b"#ROSBAG V") {
        Format::Ros1Bag
    } else if head.starts_with(b"SQLite format 3\0") {
        Format::Sqlite
    } else if head.starts_with(mcap::MAGIC) {
        Format::Mcap
    } else if head.starts_with(b"% ") {
        Format::Prophesee
    } else {
        return Err(BagError::UnknownFormat {
            path,
            found: printable(&head),
        });
    };
    Ok((format, path))
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
