//! What can be written, by the names that users say.

use std::path::Path;

use super::super::{Geometry, HalfOrder, RawEncoding};
use crate::error::{BagError, Result};

/// A file format that events are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Prophesee RAW (`.raw`): EVT3, EVT2 or EVT2.1.
    Raw,
    /// Prophesee DAT (`.dat`).
    Dat,
    /// AEDAT 4 (`.aedat4`).
    Aedat4,
    /// AEDAT 3.1 (`.aedat`).
    Aedat3,
    /// Event Stream 2 (`.es`).
    EventStream,
    /// N-MNIST (`.bin`).
    Nmnist,
    /// Lines of text (`.csv`, `.txt`, `.tsv`).
    Text,
    /// NumPy array (`.npy`).
    Npy,
    /// NumPy archive (`.npz`).
    Npz,
    /// Prophesee's HDF5 (`.hdf5`, `.h5`).
    Hdf5,
    /// MCAP with a topic of events (`.mcap`).
    Mcap,
    /// ROS 1 bag with a topic of events (`.bag`).
    Ros1Bag,
}

impl FileFormat {
    /// All formats with their names.
    pub const NAMES: [(&'static str, Self); 12] = [
        ("raw", Self::Raw),
        ("dat", Self::Dat),
        ("aedat4", Self::Aedat4),
        ("aedat3", Self::Aedat3),
        ("es", Self::EventStream),
        ("nmnist", Self::Nmnist),
        ("text", Self::Text),
        ("npy", Self::Npy),
        ("npz", Self::Npz),
        ("hdf5", Self::Hdf5),
        ("mcap", Self::Mcap),
        ("bag", Self::Ros1Bag),
    ];

    /// The format of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        find(&Self::NAMES, name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }

    /// The format that the extension of `path` asks for.
    ///
    /// # Errors
    /// If it asks for none that can be written.
    pub fn of_path(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let extension = extension.to_ascii_lowercase();
        let name = match extension.as_str() {
            "aedat" => "aedat3",
            "bin" => "nmnist",
            "csv" | "txt" | "tsv" => "text",
            "h5" => "hdf5",
            other => other,
        };
        Self::of_name(name).ok_or_else(|| BagError::Unsupported {
            path: path.to_owned(),
            what: format!("writing events to the extension `{extension}`"),
            remedy: "name the format, or use .raw, .dat, .aedat4, .aedat (3.1), .es, \
                     .bin (N-MNIST), .csv, .npy, .npz, .hdf5, .mcap or .bag"
                .into(),
        })
    }

    /// Whether a reader of the file can tell the size of the sensor.
    pub(super) fn tells_geometry(self) -> bool {
        !matches!(self, Self::Nmnist | Self::Text | Self::Npy | Self::Npz)
    }

    /// Whether it cannot be written without the size of the sensor.
    pub(super) fn needs_geometry(self) -> bool {
        matches!(
            self,
            Self::Aedat4 | Self::EventStream | Self::Mcap | Self::Ros1Bag
        )
    }
}

/// How events are encoded in RAW files and bags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// EVT3.
    Evt3,
    /// EVT2.
    Evt2,
    /// EVT2.1.
    Evt21,
    /// EVT2.1 with its halves swapped (files only).
    Evt21Legacy,
    /// `mono` of event_camera_msgs (bags only).
    Mono,
    /// `libcaer` of event_camera_msgs (bags only).
    Libcaer,
    /// `libcaer_cmp` of event_camera_msgs (bags only).
    LibcaerCmp,
    /// `dvs_msgs/EventArray` in place of packets (bags only).
    DvsMsgs,
}

impl Encoding {
    /// All encodings with their names.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("evt3", Self::Evt3),
        ("evt2", Self::Evt2),
        ("evt21", Self::Evt21),
        ("evt21-legacy", Self::Evt21Legacy),
        ("mono", Self::Mono),
        ("libcaer", Self::Libcaer),
        ("libcaer_cmp", Self::LibcaerCmp),
        ("dvs_msgs", Self::DvsMsgs),
    ];

    /// The encoding of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        find(&Self::NAMES, name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }

    /// As RAW files have it.
    pub(super) fn raw(self) -> Option<RawEncoding> {
        match self {
            Self::Evt3 => Some(RawEncoding::Evt3),
            Self::Evt2 => Some(RawEncoding::Evt2),
            Self::Evt21 => Some(RawEncoding::Evt21(HalfOrder::LittleEndian)),
            Self::Evt21Legacy => Some(RawEncoding::Evt21(HalfOrder::Swapped)),
            Self::Mono | Self::Libcaer | Self::LibcaerCmp | Self::DvsMsgs => None,
        }
    }
}

/// How the content of a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4 (AEDAT 4).
    Lz4,
    /// Zstandard (AEDAT 4).
    Zstd,
    /// Deflate (`.npz`, HDF5).
    Deflate,
}

impl Compression {
    /// All of them with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("none", Self::None),
        ("lz4", Self::Lz4),
        ("zstd", Self::Zstd),
        ("deflate", Self::Deflate),
    ];

    /// The compression of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        find(&Self::NAMES, name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }
}

/// How events are written. The default leaves everything to the file's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Size of the sensor; AEDAT 4, Event Stream and bags must know it.
    pub geometry: Option<Geometry>,
    /// The format; without it the extension tells.
    pub format: Option<FileFormat>,
    /// EVT3 in RAW files and `mono` in bags, unless told.
    pub encoding: Option<Encoding>,
    /// LZ4 in AEDAT 4, deflate in HDF5 and none in `.npz`, unless told.
    pub compression: Option<Compression>,
    /// The topic in a bag: `/events`, unless told.
    pub topic: Option<String>,
    /// Whether times count from the first event (or trigger) on.
    pub from_zero: bool,
}

impl WriteOptions {
    /// The default, for a sensor of that size.
    pub fn of_sensor(geometry: Geometry) -> Self {
        Self {
            geometry: Some(geometry),
            ..Self::default()
        }
    }
}

fn find<T: Copy>(names: &[(&'static str, T)], name: &str) -> Option<T> {
    Some(names.iter().find(|(n, _)| *n == name)?.1)
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    (names.iter().find(|(_, v)| *v == value)).map_or("", |(name, _)| name)
}
