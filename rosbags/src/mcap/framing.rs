//! Heads of the records of an MCAP file, looked over while its bytes go by: the crate
//! `mcap` takes for granted that a record of a chunk that is not compressed ends within
//! that chunk.

use std::io::{Error, ErrorKind, Read, Result};

use mcap::MAGIC;
use mcap::records::op;

/// Bytes of a record's opcode and length.
const HEAD: usize = 9;
/// Bytes of a chunk before the name of its compression, and of that name's length.
const CHUNK_HEAD: usize = 28 + 4;

/// What the next bytes that matter are.
enum Next {
    /// Head of a record.
    Record,
    /// Start of a chunk of so many bytes.
    Chunk(u64),
    /// Length of the records of a chunk of which so many bytes are left.
    Records(u64),
    /// Head of a record within a chunk: bytes left to the records, and after them.
    Inner { left: u64, after: u64 },
}

/// A file whose records are followed. Reading fails before a record that is longer than
/// its chunk; what lies within records is not looked at.
pub(super) struct Framed<R> {
    source: R,
    next: Next,
    /// Bytes to go by before those.
    skip: u64,
    /// What has come of them.
    held: Vec<u8>,
}

impl<R: Read> Framed<R> {
    pub fn new(source: R) -> Self {
        Self {
            source,
            next: Next::Record,
            skip: MAGIC.len() as u64,
            held: Vec::with_capacity(CHUNK_HEAD),
        }
    }

    fn follow(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let gone = self.skip.min(bytes.len() as u64);
            self.skip -= gone;
            bytes = &bytes[gone as usize..];
            let want = match self.next {
                Next::Record | Next::Inner { .. } => HEAD,
                Next::Chunk(_) => CHUNK_HEAD,
                Next::Records(_) => 8,
            };
            let (here, later) = bytes.split_at(bytes.len().min(want - self.held.len()));
            self.held.extend_from_slice(here);
            bytes = later;
            if self.held.len() == want {
                self.step()?;
                self.held.clear();
            }
        }
        Ok(())
    }

    /// Goes on from the bytes held.
    fn step(&mut self) -> Result<()> {
        let number = |at: usize| {
            let bytes = self.held[at..].first_chunk().copied();
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        match self.next {
            Next::Record if self.held[0] == op::CHUNK => self.next = Next::Chunk(number(1)),
            Next::Record => self.skip = number(1),
            Next::Chunk(length) => {
                let left = length.saturating_sub(CHUNK_HEAD as u64);
                if self.held[28..] == [0; 4] {
                    self.next = Next::Records(left);
                } else {
                    (self.next, self.skip) = (Next::Record, left);
                }
            }
            Next::Records(rest) => {
                let rest = rest.saturating_sub(8);
                let left = number(0).min(rest);
                self.within(left, rest - left);
            }
            Next::Inner { left, after } => {
                let length = number(1).saturating_add(HEAD as u64);
                if length > left {
                    let text = format!("a record of {length} bytes in a chunk that has {left}");
                    return Err(Error::new(ErrorKind::InvalidData, text));
                }
                self.within(left - length, after);
                self.skip += length - HEAD as u64;
            }
        }
        Ok(())
    }

    /// Goes on within a chunk, or behind it.
    fn within(&mut self, left: u64, after: u64) {
        (self.next, self.skip) = match left {
            0 => (Next::Record, after),
            _ => (Next::Inner { left, after }, 0),
        };
    }
}

impl<R: Read> Read for Framed<R> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let n = self.source.read(buf)?;
        self.follow(&buf[..n])?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(opcode: u8, body: &[u8]) -> Vec<u8> {
        [&[opcode][..], &(body.len() as u64).to_le_bytes(), body].concat()
    }

    fn chunk(compression: &str, records: &[u8], after: &[u8]) -> Vec<u8> {
        let name = (compression.len() as u32).to_le_bytes();
        let length = (records.len() as u64).to_le_bytes();
        let parts = [&[0; 28][..], &name, compression.as_bytes(), &length];
        record(op::CHUNK, &[&parts.concat(), records, after].concat())
    }

    /// Reads all, in pieces of `step` bytes.
    fn read(bytes: &[u8], step: usize) -> Result<Vec<u8>> {
        let mut framed = Framed::new(bytes);
        let (mut all, mut piece) = (Vec::new(), vec![0; step]);
        loop {
            match framed.read(&mut piece)? {
                0 => return Ok(all),
                n => all.extend_from_slice(&piece[..n]),
            }
        }
    }

    /// Whole records pass, in any pieces; one that leaves its chunk does not, wherever
    /// its chunk stands. What is compressed is not looked into.
    #[test]
    fn a_record_ends_within_its_chunk() {
        let inner = [record(op::MESSAGE, &[7; 30]), record(op::MESSAGE, &[])].concat();
        let mut long = inner.clone();
        long[1] += 10;
        let file = |records: &[u8]| {
            let compressed = chunk("zstd", &[9; 50], &[]);
            let plain = chunk("", records, &[0; 3]);
            let parts = [MAGIC, &record(op::HEADER, &[0; 8]), &compressed, &inner];
            [
                &parts.concat()[..],
                &chunk("", &[], &[]),
                &plain,
                &inner,
                MAGIC,
            ]
            .concat()
        };
        for step in [1, 2, 5, 9, 64, 4096] {
            assert_eq!(read(&file(&inner), step).expect("is whole"), file(&inner));
            for records in [&long[..], &inner[..inner.len() - 1], &inner[..4]] {
                let error = read(&file(records), step).expect_err("leaves its chunk");
                assert!(error.to_string().contains("in a chunk that has"), "{error}");
            }
        }
    }
}
