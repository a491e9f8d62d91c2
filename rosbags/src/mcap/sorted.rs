//! Reads a file in the order of log times, by its index.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::sans_io::indexed_reader::{
    IndexedReadEvent, IndexedReader, IndexedReaderOptions, ReadOrder,
};

use super::reader::{About, read_summary};
use super::{MAX_RECORD, connection, error};
use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage};

/// An MCAP file, read in the order of log times. Memory: the chunks whose times
/// overlap.
pub struct McapSortedReader {
    path: PathBuf,
    file: File,
    reader: IndexedReader,
    /// By channel id.
    connections: Vec<(u16, Arc<Connection>)>,
    expected: Option<u64>,
    seen: u64,
    /// Where the last chunk stands.
    offset: u64,
    about: About,
    failed: bool,
}

impl McapSortedReader {
    /// Opens the file and reads its index.
    ///
    /// # Errors
    /// If the file has no index, or a topic in it is not of ROS.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| BagError::io(path, "open", e))?;
        let summary = read_summary(path).ok().flatten();
        let Some(summary) = summary.filter(|s| s.stats.is_some()) else {
            return Err(BagError::Unsupported {
                path: path.to_owned(),
                what: "reading an MCAP file without index in the order of time".into(),
                remedy: "run `saccade bag recover` on it first, which writes the index".into(),
            });
        };
        for chunk in &summary.chunk_indexes {
            let size = chunk.compressed_size.max(chunk.uncompressed_size);
            if size > MAX_RECORD as u64 {
                return Err(BagError::corrupt(
                    path,
                    chunk.chunk_start_offset,
                    format!("a chunk of at most {MAX_RECORD} bytes"),
                    format!("{size} bytes"),
                ));
            }
        }
        let options = IndexedReaderOptions::new()
            .with_order(ReadOrder::LogTime)
            .with_record_length_limit(MAX_RECORD);
        let reader =
            IndexedReader::new_with_options(&summary, options).map_err(|e| error(path, 0, e))?;
        let mut connections = Vec::new();
        for (id, channel) in &summary.channels {
            connections.push((*id, Arc::new(connection(path, channel)?)));
        }
        connections.sort_by_key(|(id, _)| *id);
        Ok(Self {
            path: path.to_owned(),
            file,
            reader,
            connections,
            expected: summary.stats.as_ref().map(|s| s.message_count),
            seen: 0,
            offset: 0,
            about: About::of(&summary),
            failed: false,
        })
    }

    /// The topics in the order of their channel ids.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        self.connections.iter().map(|(_, c)| c.clone()).collect()
    }

    /// Compression of the chunks.
    pub fn compression(&self) -> String {
        self.about.compression.clone()
    }

    /// Attachments and metadata records.
    pub fn attachments(&self) -> u64 {
        self.about.attachments
    }

    /// The next message in the order of log times, `None` at the end.
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
        loop {
            let request = match self.reader.next_event() {
                None => return self.check_count(),
                Some(Err(e)) => return Err(error(&self.path, self.offset, e)),
                Some(Ok(IndexedReadEvent::ReadChunkRequest { offset, length })) => (offset, length),
                Some(Ok(IndexedReadEvent::Message { header, data })) => {
                    self.seen += 1;
                    let data = data.to_vec();
                    return self.message(&header, data).map(Some);
                }
            };
            self.load(request.0, request.1)?;
        }
    }

    fn load(&mut self, offset: u64, length: usize) -> Result<()> {
        self.offset = offset;
        let fail = |e| BagError::io(&self.path, "read", e);
        let size = self.file.metadata().map_err(fail)?.len();
        if offset.saturating_add(length as u64) > size {
            return Err(BagError::Truncated {
                path: self.path.clone(),
                what: "a chunk, by the index,",
                offset,
                needed: length as u64,
                left: size.saturating_sub(offset),
            });
        }
        let mut chunk = vec![0; length];
        (self.file.seek(SeekFrom::Start(offset)))
            .and_then(|_| self.file.read_exact(&mut chunk))
            .map_err(fail)?;
        (self.reader.insert_chunk_record_data(offset, &chunk))
            .map_err(|e| error(&self.path, offset, e))
    }

    fn message(&self, header: &mcap::records::MessageHeader, data: Vec<u8>) -> Result<RawMessage> {
        let fail = |expected: String, found: String| {
            BagError::corrupt(&self.path, self.offset, expected, found)
        };
        let known = (self.connections).binary_search_by_key(&header.channel_id, |(id, _)| *id);
        let Ok(at) = known else {
            let found = format!("channel {}", header.channel_id);
            return Err(fail(
                "a message of a channel that the summary knows".into(),
                found,
            ));
        };
        let time = |ns: u64| {
            i64::try_from(ns).map_err(|_| fail("a time below 2^63 ns".into(), format!("{ns} ns")))
        };
        Ok(RawMessage {
            connection: self.connections[at].1.clone(),
            stamp_ns: time(header.log_time)?,
            publish_ns: time(header.publish_time)?,
            sequence: header.sequence,
            data,
        })
    }

    fn check_count(&self) -> Result<Option<RawMessage>> {
        match self.expected {
            Some(expected) if expected != self.seen => Err(BagError::corrupt(
                &self.path,
                self.offset,
                format!("{expected} messages in chunks, as the file's statistics say"),
                self.seen.to_string(),
            )),
            _ => Ok(None),
        }
    }
}
