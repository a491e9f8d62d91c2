//! How the commands that write recordings write them.

use crate::cli::CliError;
use clap::ValueEnum;
use saccade_rosbags::{Compression, Storage, WriteOptions};
use std::path::Path;

/// How a recording is written.
#[derive(Debug, clap::Args)]
pub struct WriteArgs {
    /// Of chunks: none, lz4, zstd (MCAP), bz2 (.bag). Of rosbag2 directories: file, or with SQLite
    /// message (both zstd). Without it: lz4 for .bag, zstd for MCAP, none for SQLite.
    #[arg(long)]
    compression: Option<CompressionArg>,
    /// Directories: what their files are.
    #[arg(long, default_value = "mcap")]
    storage: StorageArg,
    /// Directories: no more bytes of messages in a file than this; K, M, G for powers of 1024.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    split_size: Option<u64>,
    /// Directories: less time in a file than this, seconds.
    #[arg(long, value_name = "S", value_parser = seconds_ns)]
    split_duration: Option<i64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompressionArg {
    None,
    Lz4,
    Zstd,
    Bz2,
    File,
    Message,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StorageArg {
    Mcap,
    Sqlite,
}

impl WriteArgs {
    /// The options for a recording of this name, which must not exist.
    pub fn options(&self, output: &Path) -> Result<WriteOptions, CliError> {
        if output.symlink_metadata().is_ok() {
            let path = output.display();
            return Err(CliError::usage(format!(
                "{path}: it exists already, and recordings are not written over"
            )));
        }
        Ok(WriteOptions {
            compression: self.compression.map(|c| match c {
                CompressionArg::None => Compression::None,
                CompressionArg::Lz4 => Compression::Lz4,
                CompressionArg::Zstd => Compression::Zstd,
                CompressionArg::Bz2 => Compression::Bz2,
                CompressionArg::File => Compression::File,
                CompressionArg::Message => Compression::Message,
            }),
            storage: match self.storage {
                StorageArg::Mcap => Storage::Mcap,
                StorageArg::Sqlite => Storage::Sqlite,
            },
            split_bytes: self.split_size,
            split_ns: self.split_duration,
            ..WriteOptions::default()
        })
    }
}

/// A duration in seconds, as ns.
pub fn seconds_ns(text: &str) -> Result<i64, String> {
    match text.parse::<f64>() {
        Ok(s) if (0.0..9e9).contains(&s) => Ok((s * 1e9).round() as i64),
        _ => Err("expected a number of seconds from 0 on".into()),
    }
}

/// A number of bytes, at least one.
fn bytes(text: &str) -> Result<u64, String> {
    let units = [("K", 1 << 10), ("M", 1 << 20), ("G", 1u64 << 30)];
    let unit = units
        .iter()
        .find(|(unit, _)| text.to_ascii_uppercase().ends_with(unit));
    let (number, factor) = unit.map_or((text, 1), |(_, n)| (&text[..text.len() - 1], *n));
    let count = number
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor));
    count
        .filter(|n| *n > 0)
        .ok_or_else(|| "expected a number of bytes, or one with K, M or G behind it".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(bytes("10"), Ok(10));
        assert_eq!(bytes("3M"), Ok(3 << 20));
        assert_eq!(bytes("2g"), Ok(2 << 30));
        for wrong in ["", "0", "K", "-1", "1T", "99999999999999G", "é"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds_ns("1.5"), Ok(1_500_000_000));
        for wrong in ["-1", "NaN", "inf", "1s", "1e30"] {
            assert!(seconds_ns(wrong).is_err(), "{wrong}");
        }
    }
}
