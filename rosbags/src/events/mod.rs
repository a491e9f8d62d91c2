//! Event-camera data: decoders and encoders of the encodings, and sources that
//! stream the events of a file or of a topic.
//!
//! Every decoder takes bytes in pieces of any size (a word may be split
//! anywhere), keeps its state from piece to piece, appends to an
//! [`EventBatch`], and counts in [`DecodeCounts`] what it could not use.

mod aedat2;
mod aedat3;
mod aedat4;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod bytes;
mod cut;
mod dat;
mod event_stream;
mod evt2;
mod evt21;
mod evt3;
mod flatbuffer;
mod hdf5;
mod info;
mod libcaer;
mod libcaer_cmp;
mod mono;
mod nmnist;
mod npy;
mod npz;
mod packet;
mod packet_source;
mod prophesee;
mod raw_file;
mod source;
pub mod synthetic;
mod text;
mod words;
mod write;

#[cfg(test)]
mod file_tests;

pub use aedat2::Aedat2Convention;
pub use dat::DatDecoder;
pub use evt2::{Evt2Decoder, Evt2Encoder};
pub use evt3::{Evt3Decoder, Evt3Encoder};
pub use evt21::{Evt21Decoder, Evt21Encoder, HalfOrder};
pub(crate) use info::hash_events;
pub use info::{EventInfo, info, info_with};
pub use packet::{PacketCounts, PacketDecoder, PacketView, encode_mono, mono_packet};
pub use packet_source::{PacketOptions, PacketSource, TimedPacket};
pub use raw_file::{RawEncoding, RawHeader};

pub use source::{EventSource, ReadOptions, SourceCounts};
pub use write::{Compression, Encoding, EventWriter, FileFormat, WriteCounts, WriteOptions};

use saccade_msgs::Event;

/// An edge on an external trigger input of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trigger {
    /// Time in microseconds, on the clock of the events around it.
    pub t_us: u64,
    /// Number of the input.
    pub id: u8,
    /// Whether the signal rose.
    pub rising: bool,
}

/// Events and triggers decoded from one piece of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventBatch {
    /// Change events in the order of the stream.
    pub events: Vec<Event>,
    /// Triggers in the order of the stream.
    pub triggers: Vec<Trigger>,
}

impl EventBatch {
    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.triggers.clear();
    }
}

/// Columns and rows of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Geometry {
    /// For a sensor whose size is not known: every address is inside.
    pub const UNBOUNDED: Self = Self {
        width: u16::MAX,
        height: u16::MAX,
    };
}

/// Whether the decoders may use the vector instructions of this CPU.
fn has_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx2::available();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// What a decoder met and could not turn into events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    /// Words of a type that the encoding does not have.
    pub unknown_words: u64,
    /// Events with an address outside of the sensor; they are left out.
    pub outside: u64,
    /// Events that came before the stream had told time and row, after its
    /// start or after a loss; they are left out, for their time or place would
    /// be invented.
    pub unsynced: u64,
    /// Bytes at the end that are no whole word.
    pub torn_bytes: u64,
}

impl std::ops::AddAssign for DecodeCounts {
    fn add_assign(&mut self, other: Self) {
        self.unknown_words += other.unknown_words;
        self.outside += other.outside;
        self.unsynced += other.unsynced;
        self.torn_bytes += other.torn_bytes;
    }
}

/// Event data that cannot be decoded or encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A packet names an encoding that is not known.
    #[error(
        "packet {seq}: encoding `{encoding}` is not known; known are evt3, evt2, evt21, mono, libcaer, libcaer_cmp"
    )]
    UnknownEncoding {
        /// Sequence number of the packet.
        seq: u64,
        /// The encoding.
        encoding: String,
    },
    /// A packet's sensor is larger than any event can address.
    #[error(
        "packet {seq}: a sensor of {width} x {height} pixels; at most 65535 x 65535 can be addressed"
    )]
    Geometry {
        /// Sequence number of the packet.
        seq: u64,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// An event cannot be said in the encoding.
    #[error(
        "event {index} (t = {t_us} us, x = {x}, y = {y}) cannot be written as {encoding}: {why}"
    )]
    Unencodable {
        /// Index of the event in what was to be written.
        index: usize,
        /// Its time.
        t_us: u64,
        /// Its column.
        x: u16,
        /// Its row.
        y: u16,
        /// The encoding.
        encoding: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl EventError {
    fn unencodable(index: usize, event: Event, encoding: &'static str, why: &'static str) -> Self {
        Self::Unencodable {
            index,
            t_us: event.t_us,
            x: event.x,
            y: event.y,
            encoding,
            why,
        }
    }

    /// With `n` events before those that were counted.
    fn after(mut self, n: u64) -> Self {
        if let Self::Unencodable { index, .. } = &mut self {
            *index += n as usize;
        }
        self
    }
}

#[cfg(test)]
mod portable_tests;
