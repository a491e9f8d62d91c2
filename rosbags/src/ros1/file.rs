//! A bag as a file of records.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::MAGIC;
use super::record::Fields;
use crate::error::{BagError, Result, printable};

/// A record of the file, outside of chunks.
pub(super) struct Record {
    pub offset: u64,
    pub header: Vec<u8>,
    pub data: Vec<u8>,
}

/// A file that knows where it is, so that errors can say so.
pub(super) struct TrackedFile {
    pub path: Arc<Path>,
    file: BufReader<File>,
    pub len: u64,
    pub pos: u64,
}

impl TrackedFile {
    /// Opens a bag, and reads its first line.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| BagError::io(path, "open", e))?;
        let len = (file.metadata())
            .map_err(|e| BagError::io(path, "stat", e))?
            .len();
        let mut bag = Self {
            path: path.into(),
            file: BufReader::with_capacity(1 << 16, file),
            len,
            pos: 0,
        };
        let magic = bag.read(MAGIC.len() as u64, "the bag's first line")?;
        if magic != MAGIC {
            return Err(BagError::corrupt(
                path,
                0,
                printable(MAGIC),
                printable(&magic),
            ));
        }
        Ok(bag)
    }

    pub fn seek(&mut self, pos: u64) -> Result<()> {
        self.file
            .seek(SeekFrom::Start(pos))
            .map_err(|e| BagError::io(&self.path, "seek", e))?;
        self.pos = pos;
        Ok(())
    }

    /// Reads `n` bytes that the file is known to need; never allocates more than it has.
    pub fn read(&mut self, n: u64, what: &'static str) -> Result<Vec<u8>> {
        let left = self.len.saturating_sub(self.pos);
        if n > left {
            return Err(BagError::Truncated {
                path: self.path.to_path_buf(),
                what,
                offset: self.pos,
                needed: n,
                left,
            });
        }
        let mut bytes = vec![0; n as usize];
        self.file
            .read_exact(&mut bytes)
            .map_err(|e| BagError::io(&self.path, "read", e))?;
        self.pos += n;
        Ok(bytes)
    }

    fn read_sized(&mut self, what: &'static str) -> Result<Vec<u8>> {
        let length = self.read(4, what)?;
        let length = length.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
        self.read(length, what)
    }

    /// A record up to its data, and how long that is.
    pub fn record_header(&mut self) -> Result<(Record, u64)> {
        let offset = self.pos;
        let header = self.read_sized("a record header")?;
        let length = self.read(4, "the length of a record's data")?;
        let record = Record {
            offset,
            header,
            data: Vec::new(),
        };
        Ok((
            record,
            length.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)),
        ))
    }

    pub fn record(&mut self) -> Result<Record> {
        let offset = self.pos;
        Ok(Record {
            offset,
            header: self.read_sized("a record header")?,
            data: self.read_sized("a record's data")?,
        })
    }

    pub fn expect_op(
        &self,
        record: &Record,
        fields: &Fields<'_>,
        wanted: u8,
        what: &str,
    ) -> Result<()> {
        let op = fields.op()?;
        if op == wanted {
            return Ok(());
        }
        Err(BagError::corrupt(
            &self.path,
            record.offset,
            format!("{what} (op {wanted})"),
            format!("op {op}"),
        ))
    }
}
