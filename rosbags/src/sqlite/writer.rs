//! Writes a database that every rosbag2 from Humble on reads (schema 4).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection as Database, params};

use super::error;
use crate::error::Result;
use crate::message::{Connection, RawMessage};
use crate::packed;
use crate::rosbag2::Metadata;

/// A transaction is closed when it has grown to this many bytes of messages.
const TRANSACTION: usize = 4 << 20;
/// The version of the tables.
const SCHEMA_VERSION: i64 = 4;
const TABLES: &str = "
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE metadata(
    id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE topics(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
    serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL,
    type_description_hash TEXT NOT NULL);
CREATE TABLE message_definitions(
    id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL,
    encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE messages(
    id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
";

/// Writes rosbag2 SQLite storage. Sequence numbers and publish times have no place
/// in it.
///
/// Messages are committed in transactions, by way of a write-ahead log beside the
/// file: what is committed survives the program's death, and is read with the log.
pub struct SqliteWriter {
    path: PathBuf,
    database: Database,
    topics: Vec<(Connection, i64)>,
    definitions: BTreeSet<String>,
    /// Bytes in the open transaction.
    open: Option<usize>,
    /// Whether messages are packed with Zstandard.
    pack: bool,
}

impl SqliteWriter {
    /// Creates the database; a file of this name is replaced. With `pack` every
    /// message is packed with Zstandard, which the directory's `metadata.yaml` must
    /// say (`compression_mode: message`).
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: &Path, pack: bool, ros_distro: &str) -> Result<Self> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(crate::error::BagError::io(path, "replace", e));
            }
            _ => {}
        }
        let create = || {
            let database = Database::open(path)?;
            database.pragma_update(None, "journal_mode", "WAL")?;
            database.pragma_update(None, "synchronous", "NORMAL")?;
            database.execute_batch(TABLES)?;
            database.execute(
                "INSERT INTO schema (schema_version, ros_distro) VALUES (?1, ?2)",
                params![SCHEMA_VERSION, ros_distro],
            )?;
            Ok(database)
        };
        Ok(Self {
            path: path.to_owned(),
            database: create().map_err(|e| error(path, e))?,
            topics: Vec::new(),
            definitions: BTreeSet::new(),
            open: None,
            pack,
        })
    }

    /// Path of the file that is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a topic, also one that will have no messages.
    ///
    /// # Errors
    /// If writing fails.
    pub fn add_connection(&mut self, connection: &Connection) -> Result<()> {
        self.topic_id(connection).map(drop)
    }

    /// Writes a serialised message.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write_raw(&mut self, message: &RawMessage) -> Result<()> {
        let topic = self.topic_id(&message.connection)?;
        let packed = match self.pack {
            true => Some(packed::pack(&self.path, &message.data)?),
            false => None,
        };
        let data = packed.as_deref().unwrap_or(&message.data);
        let before = match self.open {
            Some(bytes) => bytes,
            None => {
                self.execute("BEGIN")?;
                0
            }
        };
        self.open = Some(before + data.len());
        self.database
            .prepare_cached("INSERT INTO messages (topic_id, timestamp, data) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![topic, message.stamp_ns, data]))
            .map_err(|e| error(&self.path, e))?;
        if before + data.len() >= TRANSACTION {
            self.flush()?;
        }
        Ok(())
    }

    /// Commits what was written so far.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&mut self) -> Result<()> {
        if self.open.take().is_some() {
            self.execute("COMMIT")?;
        }
        Ok(())
    }

    /// Commits, notes what the recording holds, and folds the log into the file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self, metadata: &Metadata) -> Result<()> {
        self.flush()?;
        let close = || {
            self.database.execute(
                "INSERT INTO metadata (metadata_version, metadata) VALUES (?1, ?2)",
                params![metadata.version, metadata.body()],
            )?;
            self.database.pragma_update(None, "journal_mode", "DELETE")
        };
        close().map_err(|e| error(&self.path, e))?;
        self.database.close().map_err(|(_, e)| error(&self.path, e))
    }

    fn execute(&self, statement: &str) -> Result<()> {
        (self.database.execute_batch(statement)).map_err(|e| error(&self.path, e))
    }

    fn topic_id(&mut self, connection: &Connection) -> Result<i64> {
        if let Some((_, id)) = self.topics.iter().find(|(c, _)| c == connection) {
            return Ok(*id);
        }
        let c = connection;
        let insert = || {
            self.database.execute(
                "INSERT INTO topics (name, type, serialization_format, offered_qos_profiles, \
                 type_description_hash) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![c.topic, c.type_name, c.serialization.name(), c.qos, c.md5],
            )?;
            let id = self.database.last_insert_rowid();
            let of = definition_name(&c.type_name);
            if !c.definition_encoding.is_empty() && !self.definitions.contains(of) {
                self.database.execute(
                    "INSERT INTO message_definitions (topic_type, encoding, \
                     encoded_message_definition, type_description_hash) VALUES (?1, ?2, ?3, ?4)",
                    params![of, c.definition_encoding, c.definition, c.md5],
                )?;
            }
            Ok(id)
        };
        let id = insert().map_err(|e| error(&self.path, e))?;
        self.definitions
            .insert(definition_name(&c.type_name).to_owned());
        self.topics.push((connection.clone(), id));
        Ok(id)
    }
}

/// Under which name rosbag2 keeps a type's definition: that of a service's events
/// under the service's.
pub(super) fn definition_name(type_name: &str) -> &str {
    match type_name.strip_suffix("_Event") {
        Some(service) if service.contains("/srv/") => service,
        _ => type_name,
    }
}
