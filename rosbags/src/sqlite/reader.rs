//! Reads a database row by row.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection as Database, OpenFlags, OptionalExtension, Row, ToSql};

use super::error;
use super::salvage::tolerate;
use super::writer::definition_name;
use crate::error::{BagError, Result};
use crate::message::{Connection, RawMessage, Serialization, ros2_type_name};
use crate::packed;
use crate::rosbag2::Metadata;

/// A rosbag2 `.db3` file, read in the order of recording or of time. Memory: one
/// message.
pub struct SqliteReader {
    path: PathBuf,
    database: Database,
    connections: BTreeMap<i64, Arc<Connection>>,
    sequence: BTreeMap<i64, u32>,
    in_time_order: bool,
    last_id: i64,
    last_stamp_ns: i64,
    /// Whether a packed message was seen.
    packed: bool,
    failed: bool,
}

impl SqliteReader {
    /// Opens the database read-only and reads its topics.
    ///
    /// # Errors
    /// If the file is cut off, not a database, or not one of rosbag2.
    pub fn open(path: &Path) -> Result<Self> {
        check_length(path)?;
        Self::open_any(path, false)
    }

    /// The same, with the messages in the order of their log times.
    ///
    /// # Errors
    /// As [`SqliteReader::open`].
    pub fn open_in_time_order(path: &Path) -> Result<Self> {
        let mut reader = Self::open(path)?;
        reader.in_time_order = true;
        Ok(reader)
    }

    /// Opens a database that may be cut off; says so where it is.
    pub(super) fn open_damaged(path: &Path) -> Result<(Self, Option<BagError>)> {
        let cut = check_length(path).err();
        Ok((Self::open_any(path, true)?, cut))
    }

    fn open_any(path: &Path, damaged: bool) -> Result<Self> {
        let sqlite = |source| error(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Database::open_with_flags(path, flags).map_err(sqlite)?;
        if damaged {
            tolerate(&database).map_err(sqlite)?;
        }
        let mut connections = BTreeMap::new();
        {
            let column = |name: &str| {
                let found = has_column(&database, "topics", name).map_err(sqlite)?;
                Ok::<_, BagError>(if found {
                    name.to_owned()
                } else {
                    "''".to_owned()
                })
            };
            let (qos, hash) = (
                column("offered_qos_profiles")?,
                column("type_description_hash")?,
            );
            let mut statement = database
                .prepare(&format!(
                    "SELECT id, name, type, serialization_format, {qos}, {hash} \
                     FROM topics ORDER BY id"
                ))
                .map_err(sqlite)?;
            let mut rows = statement.query([]).map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                let (id, connection) = topic(path, row)?;
                connections.insert(id, connection);
            }
        }
        read_definitions(&database, &mut connections).map_err(sqlite)?;
        Ok(Self {
            path: path.to_owned(),
            database,
            connections: (connections.into_iter())
                .map(|(id, c)| (id, Arc::new(c)))
                .collect(),
            sequence: BTreeMap::new(),
            in_time_order: false,
            last_id: i64::MIN,
            last_stamp_ns: i64::MIN,
            packed: false,
            failed: false,
        })
    }

    /// What the recorder noted last about the recording, where it did.
    pub fn metadata(&self) -> Option<Metadata> {
        let query = "SELECT metadata FROM metadata ORDER BY id DESC LIMIT 1";
        let text: String = self.database.query_row(query, [], |row| row.get(0)).ok()?;
        Metadata::parse_body(&text).ok()
    }

    /// Whether a message was read that is packed with Zstandard.
    pub fn packed(&self) -> bool {
        self.packed
    }

    /// The topics, in the order of their ids.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        self.connections.values().cloned().collect()
    }

    /// The next message in the order of recording, `None` at the end.
    ///
    /// # Errors
    /// If the database is damaged here; nothing comes after an error.
    pub fn next_message(&mut self) -> Result<Option<RawMessage>> {
        if self.failed {
            return Ok(None);
        }
        let result = self.advance();
        self.failed = !matches!(result, Ok(Some(_)));
        result
    }

    pub(super) fn advance(&mut self) -> Result<Option<RawMessage>> {
        // One row at a time by its key: no statement has to outlive this call,
        // and a seek in the B-tree costs little beside reading the blob.
        let (statement, after): (_, &[&dyn ToSql]) = match self.in_time_order {
            false => (
                "SELECT id, topic_id, timestamp, data FROM messages \
                 WHERE id > ?1 ORDER BY id LIMIT 1",
                &[&self.last_id],
            ),
            true => (
                "SELECT id, topic_id, timestamp, data FROM messages \
                 WHERE (timestamp, id) > (?1, ?2) ORDER BY timestamp, id LIMIT 1",
                &[&self.last_stamp_ns, &self.last_id],
            ),
        };
        let row = self
            .database
            .prepare_cached(statement)
            .and_then(|mut statement| {
                statement
                    .query_row(after, |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                    })
                    .optional()
            })
            .map_err(|source| error(&self.path, source))?;
        let Some((id, topic_id, stamp_ns, data)): Option<(i64, i64, i64, Vec<u8>)> = row else {
            return Ok(None);
        };
        if !self.in_time_order && id <= self.last_id {
            // SQLite looks for the key and believes what it finds there.
            return Err(BagError::Unsupported {
                path: self.path.clone(),
                what: format!("message {id} where one after {} belongs", self.last_id),
                remedy: "the database is damaged: save what is left by `saccade bag recover`"
                    .into(),
            });
        }
        (self.last_id, self.last_stamp_ns) = (id, stamp_ns);
        let Some(connection) = self.connections.get(&topic_id) else {
            return Err(BagError::Unsupported {
                path: self.path.clone(),
                what: format!("message {id} of topic id {topic_id}, which table `topics` lacks,"),
                remedy: "the database is damaged: record or convert it again".into(),
            });
        };
        // CDR never starts like this, so that no metadata has to say it.
        let packed =
            connection.serialization == Serialization::Cdr && data.starts_with(&packed::MAGIC);
        self.packed |= packed;
        let data = match packed {
            true => packed::unpack(&self.path, &data)?,
            false => data,
        };
        let sequence = self.sequence.entry(topic_id).or_insert(0);
        let message = RawMessage {
            connection: connection.clone(),
            stamp_ns,
            publish_ns: stamp_ns,
            sequence: *sequence,
            data,
        };
        *sequence = sequence.wrapping_add(1);
        Ok(Some(message))
    }

    /// The row that was read last, or tried.
    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Goes on after this row.
    pub(super) fn set_last_id(&mut self, id: i64) {
        self.last_id = id;
    }

    /// The bytes of row `id` as they are stored, if it can be read.
    pub(super) fn stored(&self, id: i64) -> Option<Vec<u8>> {
        let query = "SELECT data FROM messages WHERE id = ?1";
        let found = self
            .database
            .prepare_cached(query)
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)));
        found.ok()
    }

    /// Whether there is a row after `id` that can be read.
    pub(super) fn readable_after(&self, id: i64) -> bool {
        let query = "SELECT id, data FROM messages WHERE id > ?1 ORDER BY id LIMIT 1";
        let found: rusqlite::Result<(i64, Vec<u8>)> = (self.database.prepare_cached(query))
            .and_then(|mut statement| {
                statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            });
        // Where a damaged tree does not rise, keys lie in the wrong place.
        found.is_ok_and(|(found, _)| found > id)
    }
}

/// SQLite reads a file that lacks its last pages without complaint as long as
/// no row lies there, so the length is held against the header first.
fn check_length(path: &Path) -> Result<()> {
    let mut file = File::open(path).map_err(|e| BagError::io(path, "open", e))?;
    let len = (file.metadata())
        .map_err(|e| BagError::io(path, "stat", e))?
        .len();
    let mut header = [0; 100];
    if len < header.len() as u64 {
        return Err(BagError::Truncated {
            path: path.to_owned(),
            what: "the SQLite header",
            offset: 0,
            needed: header.len() as u64,
            left: len,
        });
    }
    file.read_exact(&mut header)
        .map_err(|e| BagError::io(path, "read", e))?;
    let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| header[at + i]));
    let page_size = match u64::from(word(16) >> 16) {
        1 => 65536,
        n => n,
    };
    // The page count is valid if the change counter agrees with its copy.
    let needed = page_size * u64::from(word(28));
    if word(24) == word(92) && needed > len {
        return Err(BagError::Truncated {
            path: path.to_owned(),
            what: "the database, by the page count in its header,",
            offset: 0,
            needed,
            left: len,
        });
    }
    Ok(())
}

fn topic(path: &Path, row: &Row<'_>) -> Result<(i64, Connection)> {
    let read = || -> rusqlite::Result<(i64, String, String, String, String, String)> {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ))
    };
    let (id, topic, type_name, serialization, qos, md5) =
        read().map_err(|source| error(path, source))?;
    let Some(serialization) = Serialization::from_name(&serialization) else {
        return Err(BagError::Unsupported {
            path: path.to_owned(),
            what: format!("serialisation `{serialization}` of topic `{topic}`"),
            remedy: "record it as cdr".into(),
        });
    };
    let connection = Connection {
        topic,
        type_name: ros2_type_name(&type_name),
        definition: String::new(),
        definition_encoding: String::new(),
        serialization,
        qos,
        md5,
    };
    Ok((id, connection))
}

fn has_column(database: &Database, table: &str, column: &str) -> rusqlite::Result<bool> {
    let query = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
    let n: i64 = database.query_row(query, [table, column], |row| row.get(0))?;
    Ok(n > 0)
}

/// Newer rosbag2 versions store definition texts; older have no such table.
fn read_definitions(
    database: &Database,
    connections: &mut BTreeMap<i64, Connection>,
) -> rusqlite::Result<()> {
    if !has_column(database, "message_definitions", "topic_type")? {
        return Ok(());
    }
    let mut statement = database.prepare(
        "SELECT topic_type, encoding, encoded_message_definition, type_description_hash \
         FROM message_definitions ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let type_name: String = row.get(0)?;
        for connection in connections.values_mut() {
            if definition_name(&connection.type_name) == type_name {
                connection.definition_encoding = row.get(1)?;
                connection.definition = row.get(2)?;
                if connection.md5.is_empty() {
                    connection.md5 = row.get(3)?;
                }
            }
        }
    }
    Ok(())
}
