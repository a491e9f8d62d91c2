//! `.npz`: a zip archive with one member `events.npy`. The head of an array
//! tells their number, so the array is written to a file first.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::super::EventBatch;
use super::plain::NpyWriter;
use super::{Compression, Encode, Encoded, GATHER, WriteOptions};
use crate::error::{BagError, Result};
use crate::file::PartFile;

/// The array beside the archive, until that is made of it.
pub(super) struct NpzSink {
    array: PartFile,
    encoder: NpyWriter,
    gathered: Vec<u8>,
    method: CompressionMethod,
}

impl NpzSink {
    /// Creates the array.
    pub fn create(path: &Path, options: &WriteOptions) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".npy");
        let array = PartFile::create(&PathBuf::from(name));
        let mut gathered = Vec::new();
        Ok(Self {
            array: array.map_err(|e| BagError::io(path, "create", e))?,
            encoder: NpyWriter::new(&mut gathered),
            gathered,
            method: match options.compression {
                Some(Compression::Deflate) => CompressionMethod::Deflated,
                _ => CompressionMethod::Stored,
            },
        })
    }

    /// Takes events.
    pub fn batch(&mut self, batch: &EventBatch) -> Encoded<u64> {
        let lost = self.encoder.batch(batch, &mut self.gathered)?;
        if self.gathered.len() >= GATHER {
            self.array.write(&self.gathered)?;
            self.gathered.clear();
        }
        Ok(lost)
    }

    /// Makes the archive of the array.
    pub fn finish(mut self, path: &Path) -> Result<()> {
        let io = |e| BagError::io(path, "write", e);
        self.array.write(&self.gathered).map_err(io)?;
        self.array.patch(0, &self.encoder.head()).map_err(io)?;
        let mut archive = PartFile::create(path).map_err(io)?;
        self.pack(&mut archive).map_err(io)?;
        archive.commit().map_err(io)
    }

    fn pack(&mut self, archive: &mut PartFile) -> std::io::Result<()> {
        let size = self.array.len();
        let options = SimpleFileOptions::default()
            .compression_method(self.method)
            .large_file(size >> 32 != 0);
        let mut zip = ZipWriter::new(BufWriter::new(archive.file()));
        zip.start_file("events.npy", options)?;
        let array: &mut File = self.array.file();
        std::io::Seek::rewind(array)?;
        std::io::copy(&mut array.take(size), &mut zip)?;
        zip.finish()?.flush()
    }
}
