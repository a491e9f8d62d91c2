//! Writes a directory: storage files of bounded size, then `metadata.yaml`.

use std::path::{Path, PathBuf};

use super::{FileFigures, METADATA, Metadata};
use crate::error::{BagError, Result};
use crate::file::write_atomic;
use crate::message::{Connection, RawMessage};
use crate::options::{Compression, Storage, WriteOptions};
use crate::packed;
use crate::sink::{FileSink, merge_counts};

/// Bytes that a message takes in a storage file beside its own, about.
const OVERHEAD: u64 = 32;

/// A directory that is being written.
pub(crate) struct DirectoryWriter {
    dir: PathBuf,
    /// How its storage files' names start.
    name: String,
    options: WriteOptions,
    file: FileSink,
    /// Bytes of messages in the file, and the log time of its first one.
    bytes: u64,
    first_ns: Option<i64>,
    /// What has gone into files that are complete.
    figures: Vec<FileFigures>,
    topics: Vec<(Connection, u64)>,
}

impl DirectoryWriter {
    /// Makes the directory and its first file. Files are named after `name`.
    ///
    /// # Errors
    /// If the directory exists and is not empty, or cannot be written.
    pub fn create(dir: &Path, name: &str, options: &WriteOptions) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(|e| BagError::io(dir, "create", e))?;
        let mut entries = std::fs::read_dir(dir).map_err(|e| BagError::io(dir, "list", e))?;
        if entries.next().is_some() {
            return Err(BagError::Exists {
                path: dir.to_owned(),
            });
        }
        let file = FileSink::create(&dir.join(file_name(name, 0, options)), options)?;
        Ok(Self {
            dir: dir.to_owned(),
            name: name.to_owned(),
            options: options.clone(),
            file,
            bytes: 0,
            first_ns: None,
            figures: Vec::new(),
            topics: Vec::new(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    pub fn add_connection(&mut self, connection: &Connection) -> Result<()> {
        self.file.add_connection(connection)
    }

    pub fn write_raw(&mut self, message: &RawMessage) -> Result<()> {
        let size = message.data.len() as u64 + OVERHEAD;
        let too_big = |limit: u64| self.bytes > 0 && self.bytes + size > limit;
        let late = |limit: i64| {
            let first = self.first_ns.unwrap_or(message.stamp_ns);
            message.stamp_ns.saturating_sub(first) >= limit
        };
        if self.options.split_bytes.is_some_and(too_big) || self.options.split_ns.is_some_and(late)
        {
            self.split()?;
        }
        self.first_ns.get_or_insert(message.stamp_ns);
        self.bytes += size;
        self.file.write_raw(message)
    }

    pub fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }

    pub fn finish(mut self) -> Result<()> {
        let number = self.figures.len();
        let (figures, topics) = self.file.finish()?;
        self.figures
            .push(pack(&self.dir, &self.name, number, &self.options, figures)?);
        merge_counts(&mut self.topics, topics);
        let metadata = metadata_of(&self.figures, self.topics, &self.options);
        let path = self.dir.join(METADATA);
        write_atomic(&path, metadata.to_text().as_bytes())
            .map_err(|e| BagError::io(&path, "write", e))
    }

    /// Completes the file and begins the next, with the same topics.
    fn split(&mut self) -> Result<()> {
        let number = self.figures.len();
        let path = self
            .dir
            .join(file_name(&self.name, number + 1, &self.options));
        let mut next = FileSink::create(&path, &self.options)?;
        for connection in self.file.connections() {
            next.add_connection(connection)?;
        }
        let (figures, topics) = std::mem::replace(&mut self.file, next).finish()?;
        self.figures
            .push(pack(&self.dir, &self.name, number, &self.options, figures)?);
        merge_counts(&mut self.topics, topics);
        (self.bytes, self.first_ns) = (0, None);
        Ok(())
    }
}

fn file_name(name: &str, number: usize, options: &WriteOptions) -> String {
    let ending = match options.storage {
        Storage::Mcap => "mcap",
        Storage::Sqlite => "db3",
    };
    format!("{name}_{number}.{ending}")
}

/// Packs a complete file, where that is wanted.
fn pack(
    dir: &Path,
    name: &str,
    number: usize,
    options: &WriteOptions,
    mut figures: FileFigures,
) -> Result<FileFigures> {
    figures.path = file_name(name, number, options);
    if options.compression == Some(Compression::File) {
        let plain = dir.join(&figures.path);
        figures.path += ".zstd";
        packed::pack_file(&plain, &dir.join(&figures.path))?;
    }
    Ok(figures)
}

/// The metadata of files with these figures.
pub(crate) fn metadata_of(
    files: &[FileFigures],
    topics: Vec<(Connection, u64)>,
    options: &WriteOptions,
) -> Metadata {
    let filled = files.iter().filter(|f| f.messages > 0);
    let start_ns = filled.clone().map(|f| f.start_ns).min().unwrap_or(0);
    let end_ns = filled
        .map(|f| f.start_ns.saturating_add(f.duration_ns))
        .max();
    let mode = match options.compression {
        Some(Compression::File) => "FILE",
        Some(Compression::Message) => "MESSAGE",
        _ => "",
    };
    Metadata {
        version: super::VERSION,
        storage: match options.storage {
            Storage::Mcap => "mcap".into(),
            Storage::Sqlite => "sqlite3".into(),
        },
        paths: files.iter().map(|f| f.path.clone()).collect(),
        start_ns,
        duration_ns: end_ns.map_or(0, |end| end.saturating_sub(start_ns)),
        messages: files.iter().map(|f| f.messages).sum(),
        topics,
        compression_format: if mode.is_empty() { "" } else { "zstd" }.into(),
        compression_mode: mode.into(),
        files: files.to_vec(),
        custom_data: options.custom_data.clone(),
        ros_distro: options.ros_distro.clone(),
    }
}
