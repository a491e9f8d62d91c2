//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes a file by way of a temporary one beside it, so that it appears whole
/// or not at all. Missing folders are made.
///
/// # Errors
/// The folder or the file cannot be written.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut part = PartFile::create(path)?;
    part.write(bytes)?;
    part.commit()
}

/// The name of what becomes `path` when it is complete; it keeps the extension.
/// Missing folders are made.
///
/// # Errors
/// If a folder cannot be made.
pub(crate) fn part_of(path: &Path) -> Result<PathBuf> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    Ok(path.with_file_name(name))
}

/// A file that is written beside `path` and takes its name when it is complete.
/// Dropped before, it leaves nothing.
pub(crate) struct PartFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    len: u64,
    committed: bool,
}

impl PartFile {
    /// Creates the file beside.
    pub fn create(path: &Path) -> Result<Self> {
        let part = part_of(path)?;
        Ok(Self {
            file: File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&part)?,
            path: path.to_owned(),
            part,
            len: 0,
            committed: false,
        })
    }

    /// Bytes written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Writes over bytes that are there.
    pub fn patch(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::Start(self.len)).map(drop)
    }

    /// Where it is until it is complete, for a writer that opens it itself.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// The file itself, for a writer that seeks.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name.
    pub fn commit(mut self) -> Result<()> {
        std::fs::rename(&self.part, &self.path)?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}
