//! NumPy `.npz`: a zip archive whose members are arrays: one structured array of
//! events (see [`npy`](super::npy)), or four plain ones named t, x, y and p.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::bytes::{Bytes, FileReader};
use super::npy::{Array, NpyReader, to_event};
use super::text::{P_NAMES, T_NAMES, X_NAMES, Y_NAMES};
use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::{BagError, Result};

/// Members of an archive at most.
const MAX_MEMBERS: usize = 1000;
/// Events of a batch.
const PER_BATCH: usize = 8192;

/// The reader of an archive of events.
pub(super) fn open(path: &Path) -> Result<Box<dyn FileReader>> {
    let broken = |e: zip::result::ZipError| {
        BagError::corrupt(path, 0, "a zip archive (.npz)", e.to_string())
    };
    let file = File::open(path).map_err(|e| BagError::io(path, "open", e))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    let names = archive.file_names().map(|name| Ok(name?.into_owned()));
    let names: Vec<String> = names
        .collect::<std::result::Result<_, _>>()
        .map_err(broken)?;
    if names.len() > MAX_MEMBERS {
        let expected = format!("an archive of at most {MAX_MEMBERS} members");
        return Err(BagError::corrupt(
            path,
            0,
            expected,
            names.len().to_string(),
        ));
    }
    let find = |known: &[&str]| {
        names.iter().find(|name| {
            let name = name.strip_suffix(".npy").unwrap_or("").to_ascii_lowercase();
            known.contains(&name.as_str())
        })
    };
    let columns = [T_NAMES, X_NAMES, Y_NAMES, P_NAMES].map(find);
    if let [Some(t), Some(x), Some(y), Some(p)] = columns {
        let mut column = |name: &str| Array::plain(member(path, &mut archive, name)?);
        return Ok(Box::new(Columns::new(
            [column(t)?, column(x)?, column(y)?, column(p)?],
            path,
        )?));
    }
    if let [name] = names.as_slice() {
        return Ok(Box::new(NpyReader::open(member(
            path,
            &mut archive,
            name,
        )?)?));
    }
    Err(BagError::Unsupported {
        path: path.to_owned(),
        what: format!("an archive of [{}]", names.join(", ")),
        remedy: "it must have one structured array, or arrays named t, x, y and p".into(),
    })
}

/// The content of a member, unpacked on the way. The archive tells its place,
/// and the file is opened once more: so several are read side by side.
fn member(path: &Path, archive: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Bytes> {
    let broken = |e: zip::result::ZipError| {
        BagError::corrupt(path, 0, format!("a member `{name}`"), e.to_string())
    };
    let io = |e| BagError::io(path, "read", e);
    let (start, size, crc, method) = {
        let member = archive.by_name(name).map_err(broken)?;
        let start = member.data_start().unwrap_or(0);
        (
            start,
            member.compressed_size(),
            member.crc32(),
            member.compression(),
        )
    };
    let mut file = File::open(path).map_err(io)?;
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    let packed = BufReader::with_capacity(1 << 16, file).take(size);
    let source: Box<dyn Read + Send> = match method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
        other => {
            return Err(BagError::Unsupported {
                path: path.to_owned(),
                what: format!("member `{name}` packed as {other}"),
                remedy: "NumPy writes members stored or deflated; save it anew".into(),
            });
        }
    };
    let checked = Checked {
        source,
        sum: flate2::Crc::new(),
        expected: crc,
    };
    Ok(Bytes::new(&path.join(name), Box::new(checked)))
}

/// Compares the sum of what was read at its end.
struct Checked {
    source: Box<dyn Read + Send>,
    sum: flate2::Crc,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.sum.update(&buffer[..n]);
        if n == 0 && !buffer.is_empty() && self.sum.sum() != self.expected {
            let text = "the member is damaged or cut: its checksum (CRC-32) is another";
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
        }
        Ok(n)
    }
}

/// Four arrays of the same length.
struct Columns {
    columns: [Array; 4],
    left: u64,
    counts: DecodeCounts,
}

impl Columns {
    fn new(columns: [Array; 4], path: &Path) -> Result<Self> {
        let lengths = columns.each_ref().map(|c| c.left);
        if lengths.iter().any(|n| *n != lengths[0]) {
            let expected = "arrays t, x, y and p of the same length";
            return Err(BagError::corrupt(path, 0, expected, format!("{lengths:?}")));
        }
        Ok(Self {
            columns,
            left: lengths[0],
            counts: DecodeCounts::default(),
        })
    }
}

impl FileReader for Columns {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        if self.left == 0 {
            // Checksums are compared at the end.
            let check = |column: &mut Array| column.bytes.peek(1).map(drop);
            self.columns.iter_mut().try_for_each(check)?;
            return Ok(false);
        }
        let n = usize::try_from(self.left)
            .unwrap_or(PER_BATCH)
            .min(PER_BATCH);
        let mut values = [const { Vec::new() }; 4];
        for (column, values) in self.columns.iter_mut().zip(&mut values) {
            column.next(n, values)?;
        }
        self.left -= n as u64;
        let [t, x, y, p] = values;
        for i in 0..n {
            match to_event(t[i], x[i], y[i], p[i]) {
                Ok(event) => batch.events.push(event),
                Err(None) => self.counts.outside += 1,
                Err(Some(found)) => {
                    let (bytes, back) = (&self.columns[0].bytes, n - i);
                    let at = bytes.offset() - (back * self.columns[0].size()) as u64;
                    return Err(bytes.corrupt(at, "a time from 0 on", found));
                }
            }
        }
        Ok(true)
    }

    fn geometry(&self) -> Option<Geometry> {
        None
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}
