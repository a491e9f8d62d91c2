//! `event_camera_msgs/EventPacket`: packets of one topic, decoded with the state
//! that their encoding carries from packet to packet.

use std::borrow::Cow;

use saccade_msgs::Event;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::std_msgs::Header;

use super::{
    DecodeCounts, EventBatch, EventError, Evt2Decoder, Evt3Decoder, Evt21Decoder, Geometry,
    HalfOrder, libcaer, libcaer_cmp, mono,
};

/// The fields of a packet that decoding needs; the events are borrowed.
#[derive(Debug, Clone, Copy)]
pub struct PacketView<'a> {
    /// Rows of the sensor.
    pub height: u32,
    /// Columns of the sensor.
    pub width: u32,
    /// Counts the packets of the topic.
    pub seq: u64,
    /// What times count from in encodings that have no clock of their own, ns.
    pub time_base_ns: u64,
    /// Name of the encoding.
    pub encoding: &'a str,
    /// Whether the words of the events are big endian.
    pub is_bigendian: bool,
    /// The encoded events.
    pub events: &'a [u8],
}

impl<'a> From<&'a EventPacket> for PacketView<'a> {
    fn from(packet: &'a EventPacket) -> Self {
        Self {
            height: packet.height,
            width: packet.width,
            seq: packet.seq,
            time_base_ns: packet.time_base,
            encoding: &packet.encoding,
            is_bigendian: packet.is_bigendian,
            events: &packet.events,
        }
    }
}

/// What the packets of a topic looked like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PacketCounts {
    /// Packets decoded.
    pub packets: u64,
    /// `seq` of the first packet.
    pub seq_first: Option<u64>,
    /// `seq` of the last packet.
    pub seq_last: Option<u64>,
    /// Packets that are missing by the gaps in `seq`.
    pub lost: u64,
    /// Times that `seq` did not rise: the publisher was started anew, or packets
    /// were swapped.
    pub restarts: u64,
    /// What could not be turned into events.
    pub decode: DecodeCounts,
}

/// Decodes the packets of one topic in their order.
///
/// EVT streams run on from packet to packet. After a gap in `seq` the events
/// are left out until the stream has told time and row anew; if `seq` does not
/// rise, or encoding or geometry change, decoding starts afresh. The other
/// encodings have no state beyond a packet.
#[derive(Debug, Clone, Default)]
pub struct PacketDecoder {
    stream: Option<Stream>,
    counts: PacketCounts,
}

/// The decoder in use and what it was made for.
#[derive(Debug, Clone)]
struct Stream {
    encoding: Encoding,
    geometry: Geometry,
    codec: Codec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Evt3,
    Evt2,
    Evt21,
    Mono,
    Libcaer,
    LibcaerCmp,
}

impl Encoding {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "evt3" => Self::Evt3,
            "evt2" => Self::Evt2,
            "evt21" => Self::Evt21,
            "mono" => Self::Mono,
            "libcaer" => Self::Libcaer,
            "libcaer_cmp" => Self::LibcaerCmp,
            _ => return None,
        })
    }

    /// Bytes of the words whose order `is_bigendian` tells.
    fn word_size(self) -> usize {
        match self {
            Self::Evt3 | Self::LibcaerCmp => 2,
            Self::Evt2 | Self::Libcaer => 4,
            Self::Evt21 | Self::Mono => 8,
        }
    }
}

#[derive(Debug, Clone)]
enum Codec {
    Evt3(Evt3Decoder),
    Evt2(Evt2Decoder),
    Evt21(Evt21Decoder),
    Stateless(fn(&[u8], u64, Geometry, &mut EventBatch) -> DecodeCounts),
}

impl Codec {
    fn new(encoding: Encoding, geometry: Geometry) -> Self {
        match encoding {
            Encoding::Evt3 => Self::Evt3(Evt3Decoder::new(geometry)),
            Encoding::Evt2 => Self::Evt2(Evt2Decoder::new(geometry)),
            Encoding::Evt21 => Self::Evt21(Evt21Decoder::new(geometry, HalfOrder::LittleEndian)),
            Encoding::Mono => Self::Stateless(mono::decode),
            Encoding::Libcaer => Self::Stateless(libcaer::decode),
            Encoding::LibcaerCmp => Self::Stateless(libcaer_cmp::decode),
        }
    }

    fn resync(&mut self) {
        match self {
            Self::Evt3(decoder) => decoder.resync(),
            Self::Evt2(decoder) => decoder.resync(),
            Self::Evt21(decoder) => decoder.resync(),
            Self::Stateless(_) => {}
        }
    }

    /// Counts of the stream so far; stateless codecs report per packet instead.
    fn counts(&self) -> DecodeCounts {
        match self {
            Self::Evt3(decoder) => decoder.counts(),
            Self::Evt2(decoder) => decoder.counts(),
            Self::Evt21(decoder) => decoder.counts(),
            Self::Stateless(_) => DecodeCounts::default(),
        }
    }
}

impl PacketDecoder {
    /// A decoder before the first packet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts over all packets so far.
    pub fn counts(&self) -> PacketCounts {
        let mut counts = self.counts;
        if let Some(stream) = &self.stream {
            counts.decode += stream.codec.counts();
        }
        counts
    }

    /// Decodes a packet and appends what it holds to `out`. Times are those of
    /// the sensor for EVT encodings, and follow the time base for the others.
    ///
    /// # Errors
    /// If the encoding is unknown or the sensor too large; `out` is unchanged then.
    pub fn decode(
        &mut self,
        packet: PacketView<'_>,
        out: &mut EventBatch,
    ) -> Result<(), EventError> {
        let encoding =
            Encoding::of(packet.encoding).ok_or_else(|| EventError::UnknownEncoding {
                seq: packet.seq,
                encoding: packet.encoding.to_owned(),
            })?;
        let geometry = geometry_of(&packet)?;
        let in_order = self.follow(packet.seq);
        let bytes = if packet.is_bigendian {
            Cow::Owned(swap_words(packet.events, encoding.word_size()))
        } else {
            Cow::Borrowed(packet.events)
        };
        match &self.stream {
            Some(s) if in_order && s.encoding == encoding && s.geometry == geometry => {}
            _ => self.start(encoding, geometry),
        }
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        match &mut stream.codec {
            Codec::Evt3(decoder) => decoder.decode(&bytes, out),
            Codec::Evt2(decoder) => decoder.decode(&bytes, out),
            Codec::Evt21(decoder) => decoder.decode(&bytes, out),
            Codec::Stateless(decode) => {
                self.counts.decode += decode(&bytes, packet.time_base_ns, geometry, out);
            }
        }
        Ok(())
    }

    fn start(&mut self, encoding: Encoding, geometry: Geometry) {
        self.counts = self.counts();
        self.stream = Some(Stream {
            encoding,
            geometry,
            codec: Codec::new(encoding, geometry),
        });
    }

    /// Counts the packet and tells the codec of a gap; false if `seq` did not rise.
    fn follow(&mut self, seq: u64) -> bool {
        let counts = &mut self.counts;
        counts.packets += 1;
        counts.seq_first.get_or_insert(seq);
        let Some(last) = counts.seq_last.replace(seq) else {
            return true;
        };
        if seq <= last {
            counts.restarts += 1;
            return false;
        }
        if seq > last + 1 {
            counts.lost = counts.lost.saturating_add(seq - last - 1);
            if let Some(stream) = &mut self.stream {
                stream.codec.resync();
            }
        }
        true
    }
}

fn geometry_of(packet: &PacketView<'_>) -> Result<Geometry, EventError> {
    let side = |n: u32| {
        u16::try_from(n).map_err(|_| EventError::Geometry {
            seq: packet.seq,
            width: packet.width,
            height: packet.height,
        })
    };
    Ok(Geometry {
        width: side(packet.width)?,
        height: side(packet.height)?,
    })
}

fn swap_words(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut swapped = bytes.to_vec();
    swapped.chunks_mut(size).for_each(<[u8]>::reverse);
    swapped
}

/// Appends `events` to `out` in the encoding `mono`, for a packet with the time
/// base `time_base_ns`.
///
/// # Errors
/// If an event lies before the time base or more than 4.29 s after it, or its
/// row is over 32767.
pub fn encode_mono(
    events: &[Event],
    time_base_ns: u64,
    out: &mut Vec<u8>,
) -> Result<(), EventError> {
    mono::encode(events, time_base_ns, out)
}

/// A packet of `mono` with the given events, whose time base and stamp are
/// `time_base_ns`.
///
/// # Errors
/// As [`encode_mono`].
pub fn mono_packet(
    events: &[Event],
    time_base_ns: u64,
    geometry: Geometry,
    seq: u64,
    frame_id: &str,
) -> Result<EventPacket, EventError> {
    let mut bytes = Vec::new();
    encode_mono(events, time_base_ns, &mut bytes)?;
    Ok(EventPacket {
        header: Header {
            stamp: Time::from_ns(time_base_ns as i64),
            frame_id: frame_id.to_owned(),
        },
        height: u32::from(geometry.height),
        width: u32::from(geometry.width),
        seq,
        time_base: time_base_ns,
        encoding: "mono".to_owned(),
        is_bigendian: false,
        events: bytes,
    })
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
