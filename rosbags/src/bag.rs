//! One reader and one writer over all bag formats.

use std::path::Path;
use std::sync::Arc;

use crate::error::{BagError, Result};
use crate::format::{Format, detect};
use crate::mcap::McapReader;
use crate::message::{Connection, RawMessage};
use crate::ros1::Ros1Reader;
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
pub enum BagReader {
    /// ROS 1 bag.
    Ros1(Ros1Reader),
    /// rosbag2 SQLite.
    Sqlite(SqliteReader),
    /// MCAP.
    Mcap(Box<McapReader>),
}

impl BagReader {
    /// Opens a bag; the format is told from the content. A rosbag2 directory
    /// with one storage file stands for that file.
    ///
    /// # Errors
    /// If the file cannot be read, is of no bag format, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let (format, path) = detect(path)?;
        Ok(match format {
            Format::Ros1Bag => Self::Ros1(Ros1Reader::open(&path)?),
            Format::Sqlite => Self::Sqlite(SqliteReader::open(&path)?),
            Format::Mcap => Self::Mcap(Box::new(McapReader::open(&path)?)),
            _ => {
                return Err(BagError::Unsupported {
                    path,
                    what: "an event-camera file in place of a bag".into(),
                    remedy: "open it as a source of events".into(),
                });
            }
        })
    }

    /// `ros1`, `db3` or `mcap`.
    pub fn format_name(&self) -> &'static str {
        match self {
            Self::Ros1(_) => "ros1",
            Self::Sqlite(_) => "db3",
            Self::Mcap(_) => "mcap",
        }
    }

    /// The topics of the bag. Call it before the first message: of an MCAP file
    /// without summary it reads the whole file and starts anew.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn connections(&mut self) -> Result<Vec<Arc<Connection>>> {
        match self {
            Self::Ros1(reader) => Ok(reader.connections()),
            Self::Sqlite(reader) => Ok(reader.connections()),
            Self::Mcap(reader) => reader.connections(),
        }
    }

    /// The next message, `None` at the end.
    ///
    /// # Errors
    /// If the bag is damaged here; nothing comes after an error.
    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        match self {
            Self::Ros1(reader) => reader.next_message(),
            Self::Sqlite(reader) => reader.next_message(),
            Self::Mcap(reader) => reader.next_message(),
        }
    }
}

impl Iterator for BagReader {
    type Item = Result<RawMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_message().transpose()
    }
}
