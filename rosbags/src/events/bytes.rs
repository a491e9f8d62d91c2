//! The bytes of a file in order, whatever pieces they come in.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::{BagError, Result};

/// Bytes that are asked for at once.
pub(super) const PIECE: usize = 1 << 18;

/// A file format that is read front to back.
pub(super) trait FileReader: Send {
    /// Appends the next events to `batch`, possibly none. False at the end.
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool>;

    /// Size of the sensor, if the file tells it.
    fn geometry(&self) -> Option<Geometry>;

    /// What could not be turned into events so far.
    fn counts(&self) -> DecodeCounts;
}

/// Reads ahead of a format's reader. Memory grows with the bytes that have
/// arrived, never with a size that the file merely states.
pub(super) struct Bytes {
    path: PathBuf,
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold something.
    filled: usize,
    /// Bytes of the buffer that are used up.
    used: usize,
    /// Place in the file of the first byte not used up.
    offset: u64,
    ended: bool,
}

impl Bytes {
    /// The bytes of `source`; errors name `path`.
    pub fn new(path: &Path, source: Box<dyn Read + Send>) -> Self {
        Self {
            path: path.to_owned(),
            source,
            buffer: Vec::new(),
            filled: 0,
            used: 0,
            offset: 0,
            ended: false,
        }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Place in the file of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What comes next: at least `n` bytes, or all that are left. Nothing is
    /// used up.
    pub fn peek(&mut self, n: usize) -> Result<&[u8]> {
        if self.filled - self.used < n && !self.ended {
            self.fill(n.max(PIECE))?;
        }
        Ok(&self.buffer[self.used..self.filled])
    }

    /// Reads until `want` bytes are there, or to the end.
    fn fill(&mut self, want: usize) -> Result<()> {
        self.buffer.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        while self.filled < want && !self.ended {
            if self.filled == self.buffer.len() {
                let room = (2 * self.filled).clamp(PIECE, want.max(PIECE));
                self.buffer.resize(room, 0);
            }
            match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(got) => {
                    self.filled += got;
                    self.ended = got == 0;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(BagError::io(&self.path, "read", e)),
            }
        }
        Ok(())
    }

    /// Uses up `n` bytes that [`Self::peek`] has shown.
    pub fn advance(&mut self, n: usize) {
        self.used = (self.used + n).min(self.filled);
        self.offset += n as u64;
    }

    /// Uses up `n` bytes, which are `what` in an error.
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&[u8]> {
        let left = self.peek(n)?.len();
        if left < n {
            return Err(self.truncated(what, n as u64, left as u64));
        }
        let at = self.used;
        self.advance(n);
        Ok(&self.buffer[at..at + n])
    }

    /// Uses up `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// Passes over `n` bytes without keeping them.
    pub fn skip(&mut self, n: u64, what: &'static str) -> Result<()> {
        let mut left = n;
        while left > 0 {
            let here = self.peek(1)?.len();
            if here == 0 {
                return Err(BagError::Truncated {
                    path: self.path.clone(),
                    what,
                    offset: self.offset - (n - left),
                    needed: n,
                    left: n - left,
                });
            }
            let step = left.min(here as u64);
            self.advance(step as usize);
            left -= step;
        }
        Ok(())
    }

    /// The next whole records of `size` bytes, up to a piece of them.
    /// Bytes that are no whole record are an error. With a `limit`, that many must
    /// still come; without, there are none at the end.
    pub fn records(
        &mut self,
        size: usize,
        limit: Option<u64>,
        what: &'static str,
    ) -> Result<&[u8]> {
        let most = (PIECE / size)
            .max(1)
            .min(limit.map_or(PIECE, |n| usize::try_from(n).unwrap_or(PIECE)));
        if most == 0 {
            return Ok(&[]);
        }
        let here = self.peek(most * size)?.len();
        let whole = (here / size).min(most);
        if whole == 0 && (here > 0 || limit.is_some()) {
            return Err(self.truncated(what, size as u64, here as u64));
        }
        let at = self.used;
        self.advance(whole * size);
        Ok(&self.buffer[at..at + whole * size])
    }

    /// One line of text of at most `limit` bytes, with its end; `None` where there
    /// is no line feed within them.
    pub fn line(&mut self, limit: usize) -> Result<Option<&[u8]>> {
        // Most lines are there already.
        let held = &self.buffer[self.used..self.filled];
        let mut found = held.iter().take(limit).position(|&b| b == b'\n');
        if found.is_none() && held.len() < limit {
            found = self
                .peek(limit)?
                .iter()
                .take(limit)
                .position(|&b| b == b'\n');
        }
        Ok(found.map(|end| {
            let at = self.used;
            self.advance(end + 1);
            &self.buffer[at..=at + end]
        }))
    }

    /// An error about bytes at `offset`.
    pub fn corrupt(
        &self,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> BagError {
        BagError::corrupt(&self.path, offset, expected, found)
    }

    /// An error about bytes that are missing here.
    pub fn truncated(&self, what: &'static str, needed: u64, left: u64) -> BagError {
        BagError::Truncated {
            path: self.path.clone(),
            what,
            offset: self.offset,
            needed,
            left,
        }
    }
}

/// Appends `event` if it lies inside of the sensor, else counts it.
pub(super) fn push(
    event: saccade_msgs::Event,
    geometry: Geometry,
    batch: &mut EventBatch,
    counts: &mut DecodeCounts,
) {
    if event.x < geometry.width && event.y < geometry.height {
        batch.events.push(event);
    } else {
        counts.outside += 1;
    }
}
