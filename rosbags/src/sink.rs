//! One file that is being written, of any format, and what went into it.

use std::path::Path;

use crate::error::Result;
use crate::mcap::McapWriter;
use crate::message::{Connection, RawMessage};
use crate::options::{Compression, Storage, WriteOptions};
use crate::ros1::Ros1Writer;
use crate::rosbag2::{FileFigures, metadata_of};
use crate::sqlite::SqliteWriter;

enum Sink {
    Mcap(Box<McapWriter>),
    Ros1(Box<Ros1Writer>),
    Sqlite(Box<SqliteWriter>),
}

/// A file that is being written.
pub(crate) struct FileSink {
    sink: Sink,
    options: WriteOptions,
    topics: Vec<(Connection, u64)>,
    /// Log times of the first and the last message, ns.
    span: Option<(i64, i64)>,
}

impl FileSink {
    /// A storage file of rosbag2.
    pub fn create(path: &Path, options: &WriteOptions) -> Result<Self> {
        let pack = options.compression == Some(Compression::Message);
        let sink = match options.storage {
            Storage::Mcap => {
                let writer = McapWriter::create_with(path, options.mcap(), options.messages)?;
                Sink::Mcap(Box::new(writer))
            }
            Storage::Sqlite => {
                let writer = SqliteWriter::create(path, pack, &options.ros_distro)?;
                Sink::Sqlite(Box::new(writer))
            }
        };
        Ok(Self::of(sink, options))
    }

    /// A ROS 1 bag.
    pub fn create_ros1(path: &Path, options: &WriteOptions) -> Result<Self> {
        let writer = Ros1Writer::create(path, options.ros1())?;
        Ok(Self::of(Sink::Ros1(Box::new(writer)), options))
    }

    fn of(sink: Sink, options: &WriteOptions) -> Self {
        Self {
            sink,
            options: options.clone(),
            topics: Vec::new(),
            span: None,
        }
    }

    pub fn path(&self) -> &Path {
        match &self.sink {
            Sink::Mcap(writer) => writer.path(),
            Sink::Ros1(writer) => writer.path(),
            Sink::Sqlite(writer) => writer.path(),
        }
    }

    /// The topics so far.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.topics.iter().map(|(connection, _)| connection)
    }

    pub fn add_connection(&mut self, connection: &Connection) -> Result<()> {
        match &mut self.sink {
            Sink::Mcap(writer) => writer.add_connection(connection)?,
            Sink::Ros1(writer) => writer.add_connection(connection)?,
            Sink::Sqlite(writer) => writer.add_connection(connection)?,
        }
        self.count(connection, 0);
        Ok(())
    }

    pub fn write_raw(&mut self, message: &RawMessage) -> Result<()> {
        match &mut self.sink {
            Sink::Mcap(writer) => writer.write_raw(message)?,
            Sink::Ros1(writer) => {
                writer.write_raw(&message.connection, message.stamp_ns, &message.data)?;
            }
            Sink::Sqlite(writer) => writer.write_raw(message)?,
        }
        self.count(&message.connection, 1);
        let stamp = message.stamp_ns;
        let (first, last) = self.span.unwrap_or((stamp, stamp));
        self.span = Some((first.min(stamp), last.max(stamp)));
        Ok(())
    }

    fn count(&mut self, connection: &Connection, messages: u64) {
        match self.topics.iter_mut().find(|(c, _)| c == connection) {
            Some((_, count)) => *count += messages,
            None => self.topics.push((connection.clone(), messages)),
        }
    }

    pub fn flush(&mut self) -> Result<()> {
        match &mut self.sink {
            Sink::Mcap(writer) => writer.flush(),
            Sink::Ros1(writer) => writer.flush(),
            Sink::Sqlite(writer) => writer.flush(),
        }
    }

    /// Completes the file; returns what is in it.
    pub fn finish(self) -> Result<(FileFigures, Vec<(Connection, u64)>)> {
        let (first, last) = self.span.unwrap_or((0, 0));
        let name = self.path().file_name().unwrap_or_default();
        let figures = FileFigures {
            path: name.to_string_lossy().into_owned(),
            start_ns: first,
            duration_ns: last.saturating_sub(first),
            messages: self.topics.iter().map(|(_, count)| count).sum(),
        };
        match self.sink {
            Sink::Mcap(writer) => writer.finish()?,
            Sink::Ros1(writer) => writer.finish()?,
            Sink::Sqlite(writer) => {
                let topics = self.topics.clone();
                let files = std::slice::from_ref(&figures);
                writer.finish(&metadata_of(files, topics, &self.options))?;
            }
        }
        Ok((figures, self.topics))
    }
}

/// Adds the messages of a file's topics to those of the files before it.
pub(crate) fn merge_counts(all: &mut Vec<(Connection, u64)>, file: Vec<(Connection, u64)>) {
    for (connection, count) in file {
        match all.iter_mut().find(|(c, _)| *c == connection) {
            Some((_, sum)) => *sum += count,
            None => all.push((connection, count)),
        }
    }
}
