//! One reader and one writer over all bag formats.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;

use crate::error::{BagError, Result};
use crate::format::{Format, detect};
use crate::mcap::{McapReader, McapSortedReader};
use crate::message::{Connection, RawMessage};
use crate::packed;
use crate::ros1::Ros1Reader;
use crate::rosbag2::{DirectoryReader, Metadata};
use crate::sqlite::SqliteReader;

/// Reads a bag of any format, message by message, in the order of recording,
/// with memory that does not grow with the bag.
///
/// ```no_run
/// # fn main() -> saccade_rosbags::Result<()> {
/// for message in saccade_rosbags::BagReader::open("run.mcap".as_ref())? {
///     let message = message?;
///     println!("{} {} {}", message.stamp_ns, message.topic(), message.data.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct BagReader {
    source: Source,
    /// Of a packed file: its path, with what it is packed, and the file that is read
    /// in its place.
    unpacked: Option<(PathBuf, &'static str, TempPath)>,
}

enum Source {
    Ros1(Box<Ros1Reader>),
    Sqlite(Box<SqliteReader>),
    Mcap(Box<McapReader>),
    McapSorted(Box<McapSortedReader>),
    Directory(Box<DirectoryReader>, &'static str),
}

impl BagReader {
    /// Opens a bag; the format is told from the content. The files of a rosbag2
    /// directory are read as one recording. Packed files (`.db3.zstd`) are unpacked
    /// into the temporary directory.
    ///
    /// # Errors
    /// If the file cannot be read, is of no bag format, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_any(path, false)
    }

    /// Opens a bag whose messages come in the order of their log times, also where
    /// chunks or files overlap.
    ///
    /// # Errors
    /// As [`BagReader::open`], and if an MCAP file has no index.
    pub fn open_in_time_order(path: &Path) -> Result<Self> {
        Self::open_any(path, true)
    }

    fn open_any(path: &Path, sorted: bool) -> Result<Self> {
        let (format, path) = detect(path)?;
        let name = match format {
            Format::Ros1Bag => "ros1",
            Format::Sqlite => "db3",
            Format::Mcap => "mcap",
            _ => {
                return Err(BagError::Unsupported {
                    path,
                    what: "an event-camera file in place of a bag".into(),
                    remedy: "open it as a source of events".into(),
                });
            }
        };
        if path.is_dir() {
            let reader = DirectoryReader::open(&path, sorted)?;
            return Ok(Self {
                source: Source::Directory(Box::new(reader), name),
                unpacked: None,
            });
        }
        let Some((packed, file)) = packed::unpack_file(&path)? else {
            return Ok(Self {
                source: Source::open(&path, format, sorted)?,
                unpacked: None,
            });
        };
        match Source::open(&file, format, sorted) {
            Ok(source) => Ok(Self {
                source,
                unpacked: Some((path, packed, file)),
            }),
            Err(error) => Err(unpacked_error(&path, error)),
        }
    }

    /// `ros1`, `db3` or `mcap`; of a directory that of its files.
    pub fn format_name(&self) -> &'static str {
        match &self.source {
            Source::Ros1(_) => "ros1",
            Source::Sqlite(_) => "db3",
            Source::Mcap(_) | Source::McapSorted(_) => "mcap",
            Source::Directory(_, name) => name,
        }
    }

    /// Files of a directory.
    pub fn files(&self) -> Option<&[PathBuf]> {
        match &self.source {
            Source::Directory(reader, _) => Some(reader.files()),
            _ => None,
        }
    }

    /// What rosbag2 has noted about the recording, in `metadata.yaml` or in SQLite.
    pub fn metadata(&self) -> Option<Metadata> {
        match &self.source {
            Source::Directory(reader, _) => reader.metadata().cloned(),
            Source::Sqlite(reader) => reader.metadata(),
            _ => None,
        }
    }

    /// How the part that was read so far is compressed: `none`, `lz4`, `bz2`, `zstd`
    /// for chunks, `file (zstd)` or `message (zstd)`; several where it is mixed.
    pub fn compression(&self) -> String {
        if let Some((_, packed, _)) = &self.unpacked {
            return format!("file ({packed})");
        }
        match &self.source {
            Source::Ros1(reader) => reader.compression(),
            Source::Sqlite(reader) if reader.packed() => "message (zstd)".into(),
            Source::Sqlite(_) => "none".into(),
            Source::Mcap(reader) => reader.compression(),
            Source::McapSorted(reader) => reader.compression(),
            Source::Directory(reader, _) => reader.compression(),
        }
    }

    /// Attachments and metadata records of an MCAP file, which are no messages.
    pub fn attachments(&self) -> u64 {
        match &self.source {
            Source::Mcap(reader) => reader.attachments(),
            Source::McapSorted(reader) => reader.attachments(),
            Source::Directory(reader, _) => reader.attachments(),
            _ => 0,
        }
    }

    /// The topics of the bag. Call it before the first message: of an MCAP file
    /// without summary it reads the whole file and starts anew.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn connections(&mut self) -> Result<Vec<Arc<Connection>>> {
        match &mut self.source {
            Source::Ros1(reader) => Ok(reader.connections()),
            Source::Sqlite(reader) => Ok(reader.connections()),
            Source::Mcap(reader) => reader.connections(),
            Source::McapSorted(reader) => Ok(reader.connections()),
            Source::Directory(reader, _) => reader.connections(),
        }
    }

    /// The next message, `None` at the end.
    ///
    /// # Errors
    /// If the bag is damaged here; nothing comes after an error.
    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        let message = match &mut self.source {
            Source::Ros1(reader) => reader.next_message(),
            Source::Sqlite(reader) => reader.next_message(),
            Source::Mcap(reader) => reader.next_message(),
            Source::McapSorted(reader) => reader.next_message(),
            Source::Directory(reader, _) => reader.next_message(),
        };
        match (message, &self.unpacked) {
            (Err(error), Some((path, ..))) => Err(unpacked_error(path, error)),
            (message, _) => message,
        }
    }
}

impl Source {
    fn open(file: &Path, format: Format, sorted: bool) -> Result<Self> {
        Ok(match (format, sorted) {
            (Format::Ros1Bag, false) => Self::Ros1(Box::new(Ros1Reader::open(file)?)),
            (Format::Ros1Bag, true) => Self::Ros1(Box::new(Ros1Reader::open_in_time_order(file)?)),
            (Format::Sqlite, false) => Self::Sqlite(Box::new(SqliteReader::open(file)?)),
            (Format::Sqlite, true) => {
                Self::Sqlite(Box::new(SqliteReader::open_in_time_order(file)?))
            }
            (_, false) => Self::Mcap(Box::new(McapReader::open(file)?)),
            (_, true) => Self::McapSorted(Box::new(McapSortedReader::open(file)?)),
        })
    }
}

/// An error in what is packed in a file.
fn unpacked_error(path: &Path, error: BagError) -> BagError {
    BagError::Unpacked {
        path: path.to_owned(),
        source: Box::new(error),
    }
}

impl Iterator for BagReader {
    type Item = Result<RawMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_message().transpose()
    }
}
