//! What can be read of a database that is cut off or damaged.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::config::DbConfig;
use tempfile::{NamedTempFile, TempPath};

use super::SqliteReader;
use crate::error::{BagError, Result};
use crate::message::RawMessage;
use crate::recover::Losses;

/// Rows that are tried one by one for the next readable one.
const NEAR: i64 = 1 << 12;
/// How far it may be.
const MAX_STEP: i64 = 1 << 40;

/// Bytes at most that a row may lack behind the end of a file.
const MAX_FILL: u64 = 1 << 30;

/// Reads every row that can be reached, whatever lies between.
pub(crate) struct SqliteSalvage {
    reader: SqliteReader,
    /// Of a file that is cut off: a copy, filled up with ones.
    filled: Option<(SqliteReader, TempPath)>,
    losses: Losses,
}

impl SqliteSalvage {
    /// # Errors
    /// If not even the tables of topics can be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (reader, cut) = SqliteReader::open_damaged(path)?;
        let mut losses = Losses::default();
        let filled = match cut {
            None => None,
            Some(error) => {
                losses.place(error.to_string());
                let copy = fill(path, &error)?;
                Some((SqliteReader::open_damaged(&copy)?.0, copy))
            }
        };
        Ok(Self {
            reader,
            filled,
            losses,
        })
    }

    /// SQLite takes what lies behind the end of a file for zeros. A row that is not
    /// the same in the copy reaches there.
    fn is_cut(&self) -> bool {
        let id = self.reader.last_id();
        match &self.filled {
            Some((filled, _)) => filled.stored(id) != self.reader.stored(id),
            None => false,
        }
    }

    /// The next row that can be read.
    pub fn next_message(&mut self) -> Option<RawMessage> {
        let start = self.reader.last_id();
        let mut whole = true;
        loop {
            let before = self.reader.last_id();
            match self.reader.advance() {
                Ok(Some(_)) if self.is_cut() => {
                    let id = self.reader.last_id();
                    (self.losses).place(format!("message {id} reaches beyond the end of the file"));
                    whole = false;
                }
                Ok(Some(message)) if whole => return Some(message),
                Ok(Some(message)) => {
                    // rosbag2 numbers rows without gaps.
                    let missing = self.reader.last_id() - start.max(0) - 1;
                    self.losses.messages += u64::try_from(missing).unwrap_or(0);
                    return Some(message);
                }
                Ok(None) => return None,
                Err(error) => {
                    whole = false;
                    self.losses.place(error.to_string());
                    let tried = self.reader.last_id() != before;
                    if !tried && !self.skip() {
                        return None;
                    }
                }
            }
        }
    }

    /// Finds the next readable row: one by one, then in steps that double and
    /// back to the first of those that were skipped.
    fn skip(&mut self) -> bool {
        let from = self.reader.last_id().max(0);
        let near = (1..=NEAR).find(|step| self.reader.readable_after(from + step));
        if let Some(step) = near {
            self.reader.set_last_id(from + step);
            return true;
        }
        let mut step = NEAR;
        while step <= MAX_STEP {
            step *= 2;
            if self.reader.readable_after(from + step) {
                let (mut bad, mut good) = (from + step / 2, from + step);
                while good - bad > 1 {
                    let middle = bad + (good - bad) / 2;
                    match self.reader.readable_after(middle) {
                        true => good = middle,
                        false => bad = middle,
                    }
                }
                self.reader.set_last_id(good);
                return true;
            }
        }
        false
    }

    pub fn losses(self) -> Losses {
        self.losses
    }
}

/// A copy of a file that is cut off, filled up with ones to the length it should have.
fn fill(path: &Path, cut: &BagError) -> Result<TempPath> {
    let missing = match cut {
        BagError::Truncated { needed, left, .. } => needed.saturating_sub(*left),
        _ => 0,
    };
    let fill = || {
        let mut copy = NamedTempFile::with_prefix("saccade-")?;
        std::io::copy(&mut File::open(path)?, &mut copy)?;
        let ones = std::io::repeat(0xFF).take(missing.min(MAX_FILL));
        std::io::copy(&mut { ones }, &mut copy)?;
        Ok(copy.into_temp_path())
    };
    fill().map_err(|e| BagError::io(path, "copy to a temporary file", e))
}

/// Lets SQLite read a file that is shorter than its header says.
pub(super) fn tolerate(database: &rusqlite::Connection) -> rusqlite::Result<()> {
    (database.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)).map(drop)
}
