//! Reads the storage files of a directory as one recording.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Metadata;
use crate::bag::BagReader;
use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage};

/// What every finished directory holds.
pub(crate) const METADATA: &str = "metadata.yaml";
/// How storage files end.
const ENDINGS: [&str; 4] = [".db3", ".mcap", ".db3.zstd", ".mcap.zstd"];

/// A directory, read file by file, or in the order of time all at once.
pub(crate) struct DirectoryReader {
    dir: PathBuf,
    metadata: Option<Metadata>,
    files: Vec<PathBuf>,
    in_time_order: bool,
    /// Files that are being read, each with its next message.
    open: Vec<(BagReader, Option<RawMessage>)>,
    /// The file to open next.
    next: usize,
    /// Storage that does not number messages is numbered here, over all files.
    sequence: BTreeMap<(String, String), u32>,
    /// Topics as the files tell them, and completed by the metadata.
    completed: Vec<(Arc<Connection>, Arc<Connection>)>,
    compressions: BTreeSet<String>,
    attachments: u64,
    seen: u64,
    failed: bool,
}

impl DirectoryReader {
    /// # Errors
    /// If there is no storage file, one that the metadata names is missing, or the
    /// metadata is damaged.
    pub fn open(dir: &Path, in_time_order: bool) -> Result<Self> {
        let (metadata, files) = storage_files(dir)?;
        if let Some(missing) = files.iter().find(|file| !file.exists()) {
            return Err(BagError::Unsupported {
                path: missing.clone(),
                what: format!("a recording that lacks this file, which {METADATA} names,"),
                remedy: "`saccade bag recover` reads the files that are there".into(),
            });
        }
        Ok(Self {
            dir: dir.to_owned(),
            metadata,
            files,
            in_time_order,
            open: Vec::new(),
            next: 0,
            sequence: BTreeMap::new(),
            completed: Vec::new(),
            compressions: BTreeSet::new(),
            attachments: 0,
            seen: 0,
            failed: false,
        })
    }

    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Of the files opened so far.
    pub fn compression(&self) -> String {
        Vec::from_iter(self.compressions.iter().cloned()).join(", ")
    }

    /// Attachments and metadata records in the files opened so far.
    pub fn attachments(&self) -> u64 {
        self.attachments
    }

    /// The topics of all files, in the order of the files.
    pub fn connections(&mut self) -> Result<Vec<Arc<Connection>>> {
        let mut all: Vec<Arc<Connection>> = Vec::new();
        for file in self.files.clone() {
            for connection in BagReader::open(&file)?.connections()? {
                let connection = self.complete(connection);
                if !all.contains(&connection) {
                    all.push(connection);
                }
            }
        }
        self.completed.clear();
        Ok(all)
    }

    /// Adds what only the metadata tells.
    fn complete(&mut self, connection: Arc<Connection>) -> Arc<Connection> {
        let known = self
            .completed
            .iter()
            .find(|(from, _)| Arc::ptr_eq(from, &connection));
        if let Some((_, to)) = known {
            return to.clone();
        }
        let mut completed = connection.clone();
        let topics = self.metadata.iter().flat_map(|m| &m.topics);
        let same =
            |c: &Connection| c.topic == connection.topic && c.type_name == connection.type_name;
        if let Some((told, _)) = topics.into_iter().find(|(c, _)| same(c)) {
            let to = Arc::make_mut(&mut completed);
            for (own, told) in [(&mut to.qos, &told.qos), (&mut to.md5, &told.md5)] {
                if own.is_empty() {
                    own.clone_from(told);
                }
            }
        }
        self.completed.push((connection, completed.clone()));
        completed
    }

    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        if self.failed {
            return Ok(None);
        }
        let result = self.advance();
        self.failed = !matches!(result, Ok(Some(_)));
        result
    }

    fn advance(&mut self) -> Result<Option<RawMessage>> {
        if self.in_time_order {
            while self.next < self.files.len() {
                self.open_next()?;
            }
        }
        loop {
            let first = (self.open.iter().enumerate())
                .filter_map(|(at, (_, message))| Some((message.as_ref()?.stamp_ns, at)))
                .min();
            let Some((_, at)) = first else {
                if self.next == self.files.len() {
                    return self.check_count();
                }
                self.open.clear();
                self.completed.clear();
                self.open_next()?;
                continue;
            };
            let (reader, message) = &mut self.open[at];
            let next = reader.next_message()?;
            let Some(mut taken) = std::mem::replace(message, next) else {
                continue;
            };
            if reader.format_name() == "db3" {
                let key = (taken.topic().to_owned(), taken.type_name().to_owned());
                let sequence = self.sequence.entry(key).or_insert(0);
                taken.sequence = *sequence;
                *sequence = sequence.wrapping_add(1);
            }
            taken.connection = self.complete(taken.connection);
            self.seen += 1;
            return Ok(Some(taken));
        }
    }

    fn open_next(&mut self) -> Result<()> {
        let file = &self.files[self.next];
        let mut reader = match self.in_time_order {
            true => BagReader::open_in_time_order(file)?,
            false => BagReader::open(file)?,
        };
        self.next += 1;
        let first = reader.next_message()?;
        self.compressions.insert(reader.compression());
        self.attachments += reader.attachments();
        self.open.push((reader, first));
        Ok(())
    }

    fn check_count(&self) -> Result<Option<RawMessage>> {
        match &self.metadata {
            Some(metadata) if metadata.messages != self.seen => Err(BagError::Metadata {
                path: self.dir.join(METADATA),
                reason: format!(
                    "it says {} messages, the files hold {}; `saccade bag recover` writes it anew",
                    metadata.messages, self.seen
                ),
            }),
            _ => Ok(None),
        }
    }
}

/// The metadata, if there is any, and the storage files in order: those it names,
/// or all, by the numbers in their names.
pub(crate) fn storage_files(dir: &Path) -> Result<(Option<Metadata>, Vec<PathBuf>)> {
    let metadata = dir.join(METADATA);
    if metadata.exists() {
        let metadata = Metadata::read(&metadata)?;
        let files = metadata.paths.iter().map(|name| dir.join(name)).collect();
        return Ok((Some(metadata), files));
    }
    Ok((None, present_files(dir)?))
}

/// The storage files that are there, in the order of the numbers in their names. A file
/// that was being packed is there twice: it is taken as it was, for it goes only when the
/// packed one is whole.
pub(crate) fn present_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(|e| BagError::io(dir, "list", e))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| BagError::io(dir, "list", e))?.path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        if let Some(ending) = ENDINGS.iter().find(|ending| name.ends_with(**ending)) {
            let stem = name.len() - ending.len();
            files.push(((stem, name.to_owned()), path));
        }
    }
    // `a_10` comes after `a_9`: it is longer.
    files.sort();
    files.dedup_by(|((_, later), _), ((_, earlier), _)| *later == format!("{earlier}.zstd"));
    if files.is_empty() {
        return Err(BagError::Unsupported {
            path: dir.to_owned(),
            what: "a directory without .db3 or .mcap files".into(),
            remedy: "name a rosbag2 directory or a recording".into(),
        });
    }
    Ok(files.into_iter().map(|(_, path)| path).collect())
}
