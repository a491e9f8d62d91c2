//! Streams events in batches from an event-camera file or from a bag's topic.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::{Event, Message, dvs_msgs};

use super::aedat2::Aedat2Reader;
use super::aedat3::Aedat3Reader;
use super::aedat4::Aedat4Reader;
use super::bytes::{Bytes, FileReader};
use super::event_stream::EventStreamReader;
use super::hdf5::Hdf5Reader;
use super::nmnist::NmnistReader;
use super::npy::NpyReader;
use super::npz;
use super::prophesee::PropheseeReader;
use super::text::TextReader;
use super::{
    Aedat2Convention, DecodeCounts, EventBatch, Geometry, PacketCounts, PacketDecoder, PacketView,
};
use crate::bag::BagReader;
use crate::error::{BagError, Result};
use crate::format::{Format, detect};
use crate::message::{Connection, RawMessage};
use crate::unpack;

/// What a source met so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Packets, where the source is a topic of packets.
    pub packets: PacketCounts,
    /// What could not be turned into events.
    pub decode: DecodeCounts,
}

/// What a recording does not tell about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What the bits of AEDAT 2 mean.
    pub aedat2: Aedat2Convention,
}

/// Events of a file or topic, batch by batch, with memory that does not grow
/// with the recording.
///
/// ```no_run
/// # fn main() -> saccade_rosbags::Result<()> {
/// use saccade_rosbags::events::{EventBatch, EventSource};
/// let mut source = EventSource::open("recording.raw".as_ref(), None)?;
/// let mut batch = EventBatch::default();
/// while source.next_batch(&mut batch)? {
///     println!("{} events", batch.events.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct EventSource {
    path: PathBuf,
    format: String,
    geometry: Option<Geometry>,
    stamp_ns: Option<i64>,
    /// Bytes read so far.
    progress: Arc<AtomicU64>,
    input: Input,
}

enum Input {
    Reader(Box<dyn FileReader>),
    Topic(Box<TopicInput>),
}

struct TopicInput {
    bag: BagReader,
    connection: Arc<Connection>,
    decoder: PacketDecoder,
    /// Events of `dvs_msgs/EventArray` outside of the stated geometry.
    outside: u64,
}

impl EventSource {
    /// Opens `path`. Of a bag, `topic` names the topic of events (of AEDAT 4 the
    /// number of the stream); without it the bag must have exactly one.
    ///
    /// # Errors
    /// If the file cannot be read, is of no known format, or the topic is not
    /// there or not unique.
    pub fn open(path: &Path, topic: Option<&str>) -> Result<Self> {
        Self::open_with(path, topic, ReadOptions::default())
    }

    /// As [`Self::open`], with what the recording does not tell.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(path: &Path, topic: Option<&str>, options: ReadOptions) -> Result<Self> {
        let (format, path) = detect(path)?;
        if let Format::Ros1Bag | Format::Sqlite | Format::Mcap = format {
            return Self::open_topic(path, topic);
        }
        let progress = RefCell::new(None);
        let bytes = || {
            let unpacked = unpack::open(&path)?;
            // The first is the one that is read.
            progress.borrow_mut().get_or_insert(unpacked.progress);
            Ok(Bytes::new(&path, unpacked.source))
        };
        let (name, reader) = file_reader(format, bytes, topic, options)?;
        Ok(Self {
            format: name.into(),
            geometry: reader.geometry(),
            stamp_ns: None,
            input: Input::Reader(reader),
            progress: progress.take().unwrap_or_default(),
            path,
        })
    }

    fn open_topic(path: PathBuf, topic: Option<&str>) -> Result<Self> {
        let mut bag = BagReader::open(&path)?;
        let connection = pick_topic(&path, &bag.connections()?, topic)?;
        Ok(Self {
            path,
            format: bag.format_name().into(),
            geometry: None,
            stamp_ns: None,
            progress: Arc::default(),
            input: Input::Topic(Box::new(TopicInput {
                bag,
                connection,
                decoder: PacketDecoder::new(),
                outside: 0,
            })),
        })
    }

    /// Container and encoding: `raw/evt3`, `dat`, `mcap/mono`; of a topic the
    /// encoding is known after the first batch.
    pub fn format(&self) -> &str {
        &self.format
    }

    /// The topic, where the source is one.
    pub fn topic(&self) -> Option<&str> {
        match &self.input {
            Input::Reader(_) => None,
            Input::Topic(input) => Some(&input.connection.topic),
        }
    }

    /// Size of the sensor, if the recording tells it; of a topic, that of the
    /// last packet.
    pub fn geometry(&self) -> Option<Geometry> {
        self.geometry
    }

    /// Log time of the message the last batch came from, ns; `None` for files.
    pub fn stamp_ns(&self) -> Option<i64> {
        self.stamp_ns
    }

    /// Bytes of the file read so far (of a bag, bytes of messages).
    pub fn bytes_read(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// What was met so far.
    pub fn counts(&self) -> SourceCounts {
        match &self.input {
            Input::Reader(reader) => SourceCounts {
                packets: PacketCounts::default(),
                decode: reader.counts(),
            },
            Input::Topic(input) => {
                let packets = input.decoder.counts();
                let mut decode = packets.decode;
                decode.outside += input.outside;
                SourceCounts { packets, decode }
            }
        }
    }

    /// Replaces the content of `batch` by the next events: those of one message
    /// or of one piece of a file, possibly none. False at the end.
    ///
    /// # Errors
    /// If the recording is damaged here.
    pub fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        batch.clear();
        match &mut self.input {
            Input::Reader(reader) => reader.next_batch(batch),
            Input::Topic(input) => loop {
                let Some(message) = input.bag.next_message()? else {
                    return Ok(false);
                };
                let read = message.data.len() as u64;
                self.progress.fetch_add(read, Ordering::Relaxed);
                if message.connection.topic != input.connection.topic {
                    continue;
                }
                let (encoding, geometry) = input.decode(&self.path, &message, batch)?;
                self.stamp_ns = Some(message.stamp_ns);
                self.geometry = geometry;
                let container = input.bag.format_name();
                self.format.clear();
                self.format.extend([container, "/", &encoding]);
                return Ok(true);
            },
        }
    }
}

/// The reader of a file that is no bag, and the format's name. `bytes` starts
/// the file from its first byte, as often as it is called.
pub(super) fn file_reader(
    format: Format,
    bytes: impl Fn() -> Result<Bytes>,
    topic: Option<&str>,
    options: ReadOptions,
) -> Result<(&'static str, Box<dyn FileReader>)> {
    let first = bytes()?;
    if let (Some(topic), true) = (topic, format != Format::Aedat4) {
        return Err(no_topics(first.path(), topic));
    }
    Ok(match format {
        Format::Aedat4 => ("aedat4", Box::new(Aedat4Reader::open(first, topic)?)),
        Format::Aedat3 => ("aedat3", Box::new(Aedat3Reader::open(first)?)),
        Format::Aedat2 => (
            "aedat2",
            Box::new(Aedat2Reader::open(first, options.aedat2)?),
        ),
        Format::Text => ("text", Box::new(TextReader::open(first)?)),
        Format::Npy => ("npy", Box::new(NpyReader::open(first)?)),
        Format::EventStream => ("es", Box::new(EventStreamReader::open(first)?)),
        Format::Nmnist => ("nmnist", Box::new(NmnistReader::open(first, bytes()?)?)),
        Format::Npz => ("npz", npz::open(first.path())?),
        Format::Prophesee => {
            let (name, reader) = PropheseeReader::open(first)?;
            (name, Box::new(reader))
        }
        Format::Hdf5 => ("hdf5", Box::new(Hdf5Reader::open(first.path())?)),
        Format::Ros1Bag | Format::Sqlite | Format::Mcap => {
            return Err(BagError::Unsupported {
                path: first.path().to_owned(),
                what: format!("reading {format:?} as a plain file of events"),
                remedy: "open it as a source of events".into(),
            });
        }
    })
}

fn no_topics(path: &Path, topic: &str) -> BagError {
    BagError::NoTopic {
        path: path.to_owned(),
        what: format!("topic `{topic}` was asked for"),
        has: "events only, no topics (it is no bag)".into(),
    }
}

impl TopicInput {
    /// Decodes a message into `batch`; returns encoding and geometry.
    fn decode(
        &mut self,
        path: &Path,
        message: &RawMessage,
        batch: &mut EventBatch,
    ) -> Result<(String, Option<Geometry>)> {
        if message.type_name() == dvs_msgs::EventArray::TYPE_NAME {
            let array: dvs_msgs::EventArray = message.decode(path)?;
            let geometry = geometry(array.width, array.height);
            self.outside += copy_array(&array, geometry.unwrap_or(Geometry::UNBOUNDED), batch);
            return Ok(("dvs_msgs".into(), geometry));
        }
        let packet: EventPacket = message.decode(path)?;
        self.decoder
            .decode(PacketView::from(&packet), batch)
            .map_err(|source| BagError::Events {
                path: path.to_owned(),
                source,
            })?;
        Ok((packet.encoding, geometry(packet.width, packet.height)))
    }
}

fn geometry(width: u32, height: u32) -> Option<Geometry> {
    Some(Geometry {
        width: u16::try_from(width).ok()?,
        height: u16::try_from(height).ok()?,
    })
}

/// Appends the events of the array; returns how many lay outside of the sensor.
fn copy_array(array: &dvs_msgs::EventArray, geometry: Geometry, batch: &mut EventBatch) -> u64 {
    let before = batch.events.len();
    let inside = (array.events.iter()).filter(|e| e.x < geometry.width && e.y < geometry.height);
    batch.events.extend(inside.map(|e| Event {
        t_us: (e.ts.to_ns().max(0) / 1000) as u64,
        x: e.x,
        y: e.y,
        on: e.polarity,
    }));
    (array.events.len() - (batch.events.len() - before)) as u64
}

/// The topic asked for, or the only one whose type holds events.
pub(super) fn pick_topic(
    path: &Path,
    connections: &[Arc<Connection>],
    topic: Option<&str>,
) -> Result<Arc<Connection>> {
    let of_events = |c: &&Arc<Connection>| {
        c.type_name == EventPacket::TYPE_NAME || c.type_name == dvs_msgs::EventArray::TYPE_NAME
    };
    let wanted = |c: &&Arc<Connection>| topic.is_none_or(|topic| c.topic == topic);
    let mut found: Vec<_> = connections
        .iter()
        .filter(of_events)
        .filter(wanted)
        .collect();
    // A topic may have a connection per publisher.
    found.dedup_by(|a, b| a.topic == b.topic);
    if let [one] = found.as_slice() {
        return Ok(Arc::clone(one));
    }
    let what = match (topic, found.len()) {
        (Some(topic), _) => format!("no topic `{topic}` of event packets"),
        (None, 0) => format!(
            "no topic of type {} or {}",
            EventPacket::TYPE_NAME,
            dvs_msgs::EventArray::TYPE_NAME
        ),
        (None, n) => format!("{n} topics of events: name one"),
    };
    let has: Vec<_> = (connections.iter())
        .map(|c| format!("{} ({})", c.topic, c.type_name))
        .collect();
    Err(BagError::NoTopic {
        path: path.to_owned(),
        what,
        has: format!("[{}]", has.join(", ")),
    })
}
