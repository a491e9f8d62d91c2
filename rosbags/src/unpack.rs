//! Files that are packed as a whole, with gzip or Zstandard.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{BagError, Result};

/// A file from its first byte on, unpacked on the way if it is packed.
pub(crate) struct Unpacked {
    /// The content.
    pub source: Box<dyn Read + Send>,
    /// Bytes of the file read so far.
    pub progress: Arc<AtomicU64>,
    /// The name without the extension that says how it is packed.
    pub name: PathBuf,
    /// `gzip` or `zstd`, if it is packed.
    pub packed: Option<&'static str>,
}

/// Counts the bytes that pass.
struct Counted<R> {
    inner: R,
    passed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.passed.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Opens a file. How it is packed is told from its first bytes.
pub(crate) fn open(path: &Path) -> Result<Unpacked> {
    let io = |e| BagError::io(path, "open", e);
    let mut mark = Vec::new();
    let head = File::open(path).and_then(|f| f.take(4).read_to_end(&mut mark));
    head.map_err(io)?;
    let progress = Arc::new(AtomicU64::new(0));
    let file = Counted {
        inner: File::open(path).map_err(io)?,
        passed: Arc::clone(&progress),
    };
    let (source, packed): (Box<dyn Read + Send>, _) = match mark.as_slice() {
        [0x1F, 0x8B, ..] => {
            let buffered = BufReader::with_capacity(1 << 16, file);
            (
                Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
                Some("gzip"),
            )
        }
        [0x28, 0xB5, 0x2F, 0xFD] => {
            let decoder = zstd::Decoder::new(file).map_err(io)?;
            (Box::new(decoder), Some("zstd"))
        }
        _ => (Box::new(file), None),
    };
    Ok(Unpacked {
        source,
        progress,
        name: match packed {
            Some(_) => path.with_extension(""),
            None => path.to_owned(),
        },
        packed,
    })
}
