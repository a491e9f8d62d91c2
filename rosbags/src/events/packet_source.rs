//! Event packets out of any recording, each with the moment it is due.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::std_msgs::Header;
use saccade_msgs::{Event, Message};

use super::bytes::PIECE;
use super::cut::{Cut, Cutter, MAX_PACKET, Words};
use super::evt2::HighTime;
use super::evt3::State;
use super::source::pick_topic;
use super::{EventBatch, EventSource, Geometry, RawEncoding, RawHeader, info, mono_packet};
use crate::bag::BagReader;
use crate::error::{BagError, Result};
use crate::format::{Format, detect};
use crate::message::Connection;

/// `mono` counts 32 bits of nanoseconds from a packet's time base.
const MAX_MONO_US: u64 = (1 << 32) / 1000;
/// Events of a `mono` packet at most.
const MAX_MONO_EVENTS: usize = MAX_PACKET / 8;

/// How packets are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketOptions {
    /// How much time a packet spans, µs (of `mono`, 4 s at most).
    pub packet_us: u64,
    /// Optical frame in their headers.
    pub frame_id: String,
}

/// A packet and when it is due.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedPacket {
    /// When its last event has happened, and a camera could send it: µs after the
    /// recording's first event. Of a bag, when it was recorded, µs after the first.
    pub due_us: u64,
    /// The packet. If it was made here, its stamp is `due_us`.
    pub packet: EventPacket,
}

/// Packets of a recording in their order, with memory that does not grow with it.
///
/// Prophesee RAW is cut into packets of `evt2`, `evt21` or `evt3` without changing a
/// word. Packets in a bag come as they are. Events of any other recording come as
/// packets of `mono`, with the recording's own times.
///
/// ```no_run
/// # fn main() -> saccade_rosbags::Result<()> {
/// use saccade_rosbags::events::{PacketOptions, PacketSource};
/// let options = PacketOptions { packet_us: 1000, frame_id: "camera".into() };
/// let mut source = PacketSource::open("recording.raw".as_ref(), None, options)?;
/// while let Some(timed) = source.next_packet()? {
///     println!("{} µs: {} bytes", timed.due_us, timed.packet.events.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct PacketSource {
    path: PathBuf,
    options: PacketOptions,
    input: Input,
    next_seq: u64,
}

enum Input {
    Words(Box<WordInput>),
    Packets(Box<PacketInput>),
    Events(Box<EventInput>),
}

impl PacketSource {
    /// Opens a recording; `topic` as for [`EventSource::open`]. A recording that
    /// does not tell its sensor's size is read once for it.
    ///
    /// # Errors
    /// As [`EventSource::open`].
    pub fn open(path: &Path, topic: Option<&str>, options: PacketOptions) -> Result<Self> {
        let (format, path) = detect(path)?;
        let input = match format {
            Format::Ros1Bag | Format::Sqlite | Format::Mcap => {
                match PacketInput::open(&path, topic)? {
                    Some(input) => Input::Packets(Box::new(input)),
                    None => Input::Events(Box::new(EventInput::open(&path, topic)?)),
                }
            }
            Format::Prophesee if topic.is_none() => {
                match WordInput::open(&path, options.packet_us)? {
                    Some(input) => Input::Words(Box::new(input)),
                    None => Input::Events(Box::new(EventInput::open(&path, topic)?)),
                }
            }
            _ => Input::Events(Box::new(EventInput::open(&path, topic)?)),
        };
        Ok(Self {
            path,
            options,
            input,
            next_seq: 0,
        })
    }

    /// Whether the packets are made here, not recorded ones.
    pub fn makes_packets(&self) -> bool {
        !matches!(self.input, Input::Packets(_))
    }

    /// Bytes at the end of the file that are no whole word and in no packet.
    pub fn torn_bytes(&self) -> u64 {
        match &self.input {
            Input::Words(input) => input.torn,
            Input::Packets(_) => 0,
            Input::Events(input) => input.source.counts().decode.torn_bytes,
        }
    }

    /// The next packet, `None` at the end. Those made here are numbered from 0.
    ///
    /// # Errors
    /// If the recording is damaged here.
    pub fn next_packet(&mut self) -> Result<Option<TimedPacket>> {
        let options = &self.options;
        let made = match &mut self.input {
            Input::Words(input) => input.next(&self.path, options, self.next_seq)?,
            Input::Packets(input) => input.next(&self.path)?,
            Input::Events(input) => input.next(&self.path, options, self.next_seq)?,
        };
        self.next_seq += 1;
        Ok(made)
    }
}

/// A RAW file.
struct WordInput {
    file: File,
    geometry: Geometry,
    cutter: Cutter,
    /// What was read of the packet under way, and after it.
    bytes: Vec<u8>,
    /// Where in `bytes` the packet under way begins.
    begin: usize,
    ended: bool,
    torn: u64,
}

impl WordInput {
    /// `None` for DAT, which has no packets of its own.
    fn open(path: &Path, packet_us: u64) -> Result<Option<Self>> {
        let header = RawHeader::read(path)?;
        let words = match header.encoding {
            RawEncoding::Evt2 => Words::Evt2(HighTime::default()),
            RawEncoding::Evt21(order) => Words::Evt21(HighTime::default(), order),
            RawEncoding::Evt3 => Words::Evt3 {
                state: State::START,
                high_known: false,
            },
            RawEncoding::Dat => return Ok(None),
        };
        let geometry = match header.geometry {
            Some(geometry) => geometry,
            None => surveyed(path, None)?,
        };
        let mut file = File::open(path).map_err(|e| BagError::io(path, "open", e))?;
        file.seek(SeekFrom::Start(header.data_offset))
            .map_err(|e| BagError::io(path, "seek", e))?;
        Ok(Some(Self {
            file,
            geometry,
            cutter: Cutter::new(words, packet_us),
            bytes: Vec::new(),
            begin: 0,
            ended: false,
            torn: 0,
        }))
    }

    fn next(
        &mut self,
        path: &Path,
        options: &PacketOptions,
        seq: u64,
    ) -> Result<Option<TimedPacket>> {
        loop {
            let found = self.cutter.find(&self.bytes[self.begin..]);
            if let Some(cut) = found {
                return Ok(Some(self.packet(cut, options, seq)));
            }
            if self.ended {
                let rest = self.cutter.rest(&self.bytes[self.begin..]);
                let last = rest.map(|cut| self.packet(cut, options, seq));
                self.torn = (self.bytes.len() - self.begin) as u64;
                return Ok(last);
            }
            self.read(path)?;
        }
    }

    fn read(&mut self, path: &Path) -> Result<()> {
        self.bytes.drain(..self.begin);
        self.begin = 0;
        let held = self.bytes.len();
        self.bytes.resize(held + PIECE, 0);
        let n =
            (self.file.read(&mut self.bytes[held..])).map_err(|e| BagError::io(path, "read", e))?;
        self.bytes.truncate(held + n);
        self.ended = n == 0;
        Ok(())
    }

    fn packet(&mut self, cut: Cut, options: &PacketOptions, seq: u64) -> TimedPacket {
        let mut events = self.bytes[self.begin..self.begin + cut.length].to_vec();
        self.begin += cut.length;
        self.cutter.words().order_halves(&mut events);
        TimedPacket {
            due_us: cut.due_us,
            packet: EventPacket {
                header: Header {
                    stamp: stamp(cut.due_us),
                    frame_id: options.frame_id.clone(),
                },
                height: u32::from(self.geometry.height),
                width: u32::from(self.geometry.width),
                seq,
                // These encodings have a clock of their own.
                time_base: 0,
                encoding: self.cutter.words().encoding().to_owned(),
                is_bigendian: false,
                events,
            },
        }
    }
}

/// A bag's topic of packets.
struct PacketInput {
    bag: BagReader,
    connection: Arc<Connection>,
    first_ns: Option<i64>,
}

impl PacketInput {
    /// `None` if the topic holds events, but no packets.
    fn open(path: &Path, topic: Option<&str>) -> Result<Option<Self>> {
        let mut bag = BagReader::open(path)?;
        let connection = pick_topic(path, &bag.connections()?, topic)?;
        let packets = connection.type_name == EventPacket::TYPE_NAME;
        Ok(packets.then_some(Self {
            bag,
            connection,
            first_ns: None,
        }))
    }

    fn next(&mut self, path: &Path) -> Result<Option<TimedPacket>> {
        while let Some(message) = self.bag.next_message()? {
            if message.topic() != self.connection.topic {
                continue;
            }
            let first_ns = *self.first_ns.get_or_insert(message.stamp_ns);
            let after_ns = message.stamp_ns.saturating_sub(first_ns).max(0);
            return Ok(Some(TimedPacket {
                due_us: after_ns as u64 / 1000,
                packet: message.decode(path)?,
            }));
        }
        Ok(None)
    }
}

/// Any other recording.
struct EventInput {
    source: EventSource,
    geometry: Geometry,
    batch: EventBatch,
    /// How many events of the batch are in packets.
    used: usize,
    /// Events of the packet under way.
    events: Vec<Event>,
    /// Their first and last time, µs.
    span_us: (u64, u64),
    /// The recording's first and latest time, µs.
    first_us: Option<u64>,
    last_us: u64,
}

impl EventInput {
    fn open(path: &Path, topic: Option<&str>) -> Result<Self> {
        let source = EventSource::open(path, topic)?;
        let geometry = match source.geometry() {
            Some(geometry) => geometry,
            None => surveyed(path, topic)?,
        };
        Ok(Self {
            source,
            geometry,
            batch: EventBatch::default(),
            used: 0,
            events: Vec::new(),
            span_us: (0, 0),
            first_us: None,
            last_us: 0,
        })
    }

    fn next(
        &mut self,
        path: &Path,
        options: &PacketOptions,
        seq: u64,
    ) -> Result<Option<TimedPacket>> {
        while self.take(options.packet_us.clamp(1, MAX_MONO_US)) {
            self.used = 0;
            if !self.source.next_batch(&mut self.batch)? {
                self.batch.clear();
                break;
            }
        }
        if self.events.is_empty() {
            return Ok(None);
        }
        let due_us = self.last_us - self.first_us.unwrap_or(self.last_us);
        let base_ns = self.span_us.0.saturating_mul(1000);
        let made = mono_packet(&self.events, base_ns, self.geometry, seq, &options.frame_id);
        let mut packet = made.map_err(|source| BagError::Events {
            path: path.to_owned(),
            source,
        })?;
        packet.header.stamp = stamp(due_us);
        self.events.clear();
        Ok(Some(TimedPacket { due_us, packet }))
    }

    /// Moves events from the batch into the packet; false: the packet is complete.
    fn take(&mut self, packet_us: u64) -> bool {
        for event in &self.batch.events[self.used..] {
            let t_us = event.t_us;
            let (begin, end) = if self.events.is_empty() {
                (t_us, t_us)
            } else {
                (self.span_us.0.min(t_us), self.span_us.1.max(t_us))
            };
            // Small steps back stay in the packet.
            if end - begin >= packet_us || self.events.len() == MAX_MONO_EVENTS {
                return false;
            }
            self.span_us = (begin, end);
            self.first_us.get_or_insert(t_us);
            self.last_us = self.last_us.max(t_us);
            self.events.push(*event);
            self.used += 1;
        }
        true
    }
}

/// The sensor's size from the events there are.
fn surveyed(path: &Path, topic: Option<&str>) -> Result<Geometry> {
    let info = info(path, topic)?;
    Ok(Geometry {
        width: info.width,
        height: info.height,
    })
}

fn stamp(due_us: u64) -> Time {
    Time::from_ns(i64::try_from(due_us.saturating_mul(1000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[path = "packet_source_tests.rs"]
mod tests;
