//! Zstandard as rosbag2 uses it: whole files (`.db3.zstd`) and single messages. Whole
//! files may be packed with gzip, too.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

use crate::error::{BagError, Result};
use crate::unpack;

/// How a Zstandard frame starts.
pub(crate) const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The level that rosbag2 uses.
const LEVEL: i32 = 1;
/// A message may not unpack to more than this.
const MAX_MESSAGE: u64 = 1 << 30;
/// A file may not unpack to more than this many times its size, and a margin.
const MAX_RATIO: u64 = 4096;
const MARGIN: u64 = 64 << 20;

/// Unpacks a file into a temporary one, which goes when the path is dropped, and
/// tells with what it was packed; `None` if it is not packed.
pub(crate) fn unpack_file(path: &Path) -> Result<Option<(&'static str, TempPath)>> {
    match unpack_damaged(path)? {
        Some((_, _, Some(error))) => Err(error),
        Some((packed, file, None)) => Ok(Some((packed, file))),
        None => Ok(None),
    }
}

/// What a packed file is packed with, what is in it, and where it breaks off.
pub(crate) type Damaged = (&'static str, TempPath, Option<BagError>);

/// The same; where the data breaks off, what came before and the reason.
pub(crate) fn unpack_damaged(path: &Path) -> Result<Option<Damaged>> {
    let source = unpack::open(path)?;
    let Some(packed) = source.packed else {
        return Ok(None);
    };
    let size = std::fs::metadata(path)
        .map_err(|e| BagError::io(path, "stat", e))?
        .len();
    let limit = size.saturating_mul(MAX_RATIO).saturating_add(MARGIN);
    let mut out = NamedTempFile::with_prefix("saccade-")
        .map_err(|e| BagError::io(path, "unpack to a temporary file", e))?;
    let mut decoder = source.source.take(limit + 1);
    let mut unpacked = 0u64;
    let mut piece = vec![0; 1 << 16];
    let mut broken = None;
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                unpacked += n as u64;
                (out.write_all(&piece[..n]))
                    .map_err(|e| BagError::io(path, "unpack to a temporary file", e))?;
            }
            Err(e) => {
                let found = format!("{e} after {unpacked} unpacked bytes");
                broken = Some(BagError::corrupt(path, size, "packed data", found));
                break;
            }
        }
    }
    if unpacked > limit {
        return Err(BagError::Unsupported {
            path: path.to_owned(),
            what: format!("unpacking {size} bytes to more than {limit}"),
            remedy: "if that is right, unpack it yourself".into(),
        });
    }
    Ok(Some((packed, out.into_temp_path(), broken)))
}

/// Packs a file into `packed`, and removes it.
pub(crate) fn pack_file(path: &Path, packed: &Path) -> Result<()> {
    let pack = || {
        let mut from = BufReader::new(File::open(path)?);
        let mut to = zstd::Encoder::new(BufWriter::new(File::create(packed)?), LEVEL)?;
        to.include_checksum(true)?;
        std::io::copy(&mut from, &mut to)?;
        let file = to.finish()?.into_inner().map_err(|e| e.into_error())?;
        file.sync_all()?;
        std::fs::remove_file(path)
    };
    pack().map_err(|e| BagError::io(packed, "pack", e))
}

/// Packs a message.
pub(crate) fn pack(path: &Path, data: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(data, LEVEL).map_err(|e| BagError::io(path, "pack a message for", e))
}

/// Unpacks a message.
pub(crate) fn unpack(path: &Path, data: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let fail = |e| BagError::io(path, "unpack a message of", e);
    let decoder = zstd::Decoder::with_buffer(data).map_err(fail)?;
    (decoder.take(MAX_MESSAGE + 1).read_to_end(&mut out)).map_err(fail)?;
    if out.len() as u64 > MAX_MESSAGE {
        return Err(BagError::Unsupported {
            path: path.to_owned(),
            what: format!("a message that unpacks to more than {MAX_MESSAGE} bytes"),
            remedy: "record it in smaller pieces".into(),
        });
    }
    Ok(out)
}
