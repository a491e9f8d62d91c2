//! Reads a file in the order of recording.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mcap::McapError;
use mcap::sans_io::{LinearReaderOptions, SummaryReadEvent, SummaryReader, SummaryReaderOptions};

use super::records::{Messages, check_summary};
use super::{MAX_RECORD, connection};
use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage};

/// An MCAP file, read in file order. Memory: a record and a decompressor's window.
pub struct McapReader {
    path: PathBuf,
    messages: Messages<Counted>,
    read_bytes: Arc<AtomicU64>,
    known: BTreeMap<u16, Arc<Connection>>,
    /// Messages the file's statistics promise, and those seen.
    expected: Option<u64>,
    seen: u64,
    about: About,
    failed: bool,
}

/// What the summary tells beside topics.
#[derive(Default)]
pub(super) struct About {
    /// Of the chunks.
    pub compression: String,
    /// Attachments and metadata records.
    pub attachments: u64,
}

impl About {
    pub fn of(summary: &mcap::Summary) -> Self {
        let names = summary
            .chunk_indexes
            .iter()
            .map(|c| match c.compression.as_str() {
                "" => "none".to_owned(),
                name => name.to_owned(),
            });
        let names: BTreeSet<String> = names.collect();
        let count = |s: &mcap::records::Statistics| {
            u64::from(s.attachment_count) + u64::from(s.metadata_count)
        };
        Self {
            compression: match names.is_empty() {
                true => "none".into(),
                false => Vec::from_iter(names).join(", "),
            },
            attachments: summary.stats.as_ref().map_or(0, count),
        }
    }
}

impl McapReader {
    /// Opens the file; the summary at its end may be missing.
    ///
    /// # Errors
    /// If the file cannot be opened or a topic of its summary is not of ROS.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| BagError::io(path, "open", e))?;
        let mut reader = Self {
            path: path.to_owned(),
            read_bytes: Arc::default(),
            messages: message_reader(file, &Arc::default()),
            known: BTreeMap::new(),
            expected: None,
            seen: 0,
            about: About {
                compression: "unknown (no index)".into(),
                attachments: 0,
            },
            failed: false,
        };
        // A file cut short has no summary to read. That is no reason not to read
        // what is there: the error comes where the messages end.
        if let Ok(Some(summary)) = read_summary(path) {
            reader.about = About::of(&summary);
            reader.expected = summary.stats.as_ref().map(|s| s.message_count);
            for (id, channel) in &summary.channels {
                (reader.known).insert(*id, Arc::new(connection(path, channel)?));
            }
        }
        reader.rewind()?;
        Ok(reader)
    }

    /// The topics in the order of their channel ids. Without a summary the whole
    /// file is read for this, up to where it is damaged.
    ///
    /// # Errors
    /// If the file cannot be read again from its start.
    pub fn connections(&mut self) -> Result<Vec<Arc<Connection>>> {
        if self.expected.is_none() && self.seen == 0 && !self.failed {
            while let Ok(Some(_)) = self.next_message() {}
            self.rewind()?;
        }
        Ok(self.known.values().cloned().collect())
    }

    fn rewind(&mut self) -> Result<()> {
        let file = File::open(&self.path).map_err(|e| BagError::io(&self.path, "open", e))?;
        self.read_bytes = Arc::default();
        self.messages = message_reader(file, &self.read_bytes);
        self.seen = 0;
        self.failed = false;
        Ok(())
    }

    /// Compression of the chunks, as the index tells it.
    pub fn compression(&self) -> String {
        self.about.compression.clone()
    }

    /// Attachments and metadata records.
    pub fn attachments(&self) -> u64 {
        self.about.attachments
    }

    /// The next message in file order, `None` at the end.
    ///
    /// # Errors
    /// If the file is damaged here; nothing comes after an error.
    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        if self.failed {
            return Ok(None);
        }
        let result = self.advance();
        self.failed = !matches!(result, Ok(Some(_)));
        result
    }

    fn advance(&mut self) -> Result<Option<RawMessage>> {
        let Some(message) = self.messages.next() else {
            return self.check_count();
        };
        let message = message.map_err(|source| self.error(source))?;
        let connection = match self.known.get(&message.channel.id) {
            Some(known) => known.clone(),
            None => {
                let new = Arc::new(connection(&self.path, &message.channel)?);
                self.known.insert(message.channel.id, new.clone());
                new
            }
        };
        self.seen += 1;
        Ok(Some(RawMessage {
            stamp_ns: self.time(message.log_time, &connection)?,
            publish_ns: self.time(message.publish_time, &connection)?,
            connection,
            sequence: message.sequence,
            data: message.data.into_owned(),
        }))
    }

    fn check_count(&self) -> Result<Option<RawMessage>> {
        match self.expected {
            Some(expected) if expected != self.seen => Err(BagError::corrupt(
                &self.path,
                self.read_bytes.load(Ordering::Relaxed),
                format!("{expected} messages in all, as the file's statistics say"),
                self.seen.to_string(),
            )),
            _ => Ok(None),
        }
    }

    fn time(&self, time: u64, connection: &Connection) -> Result<i64> {
        i64::try_from(time).map_err(|_| {
            BagError::corrupt(
                &self.path,
                self.read_bytes.load(Ordering::Relaxed),
                format!("a time below 2^63 ns on topic `{}`", connection.topic),
                format!("{time} ns"),
            )
        })
    }

    fn error(&self, source: McapError) -> BagError {
        BagError::Mcap {
            path: self.path.clone(),
            offset: self.read_bytes.load(Ordering::Relaxed),
            source,
        }
    }
}

fn message_reader(file: File, read_bytes: &Arc<AtomicU64>) -> Messages<Counted> {
    let options = LinearReaderOptions::default()
        .with_validate_chunk_crcs(true)
        .with_record_length_limit(MAX_RECORD);
    let source = Counted {
        file: BufReader::with_capacity(1 << 16, file),
        read_bytes: read_bytes.clone(),
    };
    Messages::new(source, options)
}

/// A file that tells how much of it was read, for error texts.
struct Counted {
    file: BufReader<File>,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buf)?;
        self.read_bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

pub(super) fn read_summary(path: &Path) -> std::result::Result<Option<mcap::Summary>, McapError> {
    let mut file = File::open(path)?;
    check_summary(&mut file, MAX_RECORD)?;
    let options = SummaryReaderOptions::default()
        .with_file_size(file.metadata()?.len())
        .with_record_length_limit(MAX_RECORD);
    let mut reader = SummaryReader::new_with_options(options);
    while let Some(event) = reader.next_event() {
        match event? {
            SummaryReadEvent::ReadRequest(n) => {
                let n = file.read(reader.insert(n))?;
                reader.notify_read(n);
            }
            SummaryReadEvent::SeekRequest(to) => reader.notify_seeked(file.seek(to)?),
        }
    }
    Ok(reader.finish())
}
