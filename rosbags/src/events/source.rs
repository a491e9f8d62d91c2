//! Streams events in batches from an event-camera file or from a bag's topic.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::{Event, Message, dvs_msgs};

use super::aedat2::Aedat2Reader;
use super::aedat3::Aedat3Reader;
use super::aedat4::Aedat4Reader;
use super::bytes::{Bytes, FileReader, PIECE};
use super::event_stream::EventStreamReader;
use super::nmnist::NmnistReader;
use super::npy::NpyReader;
use super::text::TextReader;
use super::{
    Aedat2Convention, DatDecoder, DecodeCounts, EventBatch, Evt2Decoder, Evt3Decoder, Evt21Decoder,
    Geometry, PacketCounts, PacketDecoder, PacketView, RawEncoding, RawHeader,
};
use crate::bag::BagReader;
use crate::error::{BagError, Result};
use crate::format::{Format, detect};
use crate::message::{Connection, RawMessage};

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
    input: Input,
}

enum Input {
    File(FileInput),
    Reader(Box<dyn FileReader>),
    Topic(Box<TopicInput>),
}

struct FileInput {
    file: File,
    decoder: FileDecoder,
    piece: Vec<u8>,
    done: bool,
}

enum FileDecoder {
    Evt2(Evt2Decoder),
    Evt21(Evt21Decoder),
    Evt3(Evt3Decoder),
    Dat(DatDecoder),
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
        match (format, topic) {
            (Format::Prophesee, None) => Self::open_file(path),
            (Format::Prophesee, Some(topic)) => Err(no_topics(&path, topic)),
            (Format::Ros1Bag | Format::Sqlite | Format::Mcap, _) => Self::open_topic(path, topic),
            _ => Self::open_reader(format, path, topic, options),
        }
    }

    fn open_reader(
        format: Format,
        path: PathBuf,
        topic: Option<&str>,
        options: ReadOptions,
    ) -> Result<Self> {
        let bytes = || {
            let file = File::open(&path).map_err(|e| BagError::io(&path, "open", e))?;
            Ok(Bytes::new(&path, Box::new(file)))
        };
        let (name, reader) = file_reader(format, bytes, topic, options)?;
        Ok(Self {
            format: name.into(),
            geometry: reader.geometry(),
            stamp_ns: None,
            input: Input::Reader(reader),
            path,
        })
    }

    fn open_file(path: PathBuf) -> Result<Self> {
        let header = RawHeader::read(&path)?;
        let geometry = header.geometry.unwrap_or(Geometry::UNBOUNDED);
        let decoder = match header.encoding {
            RawEncoding::Evt2 => FileDecoder::Evt2(Evt2Decoder::new(geometry)),
            RawEncoding::Evt21(order) => FileDecoder::Evt21(Evt21Decoder::new(geometry, order)),
            RawEncoding::Evt3 => FileDecoder::Evt3(Evt3Decoder::new(geometry)),
            RawEncoding::Dat => FileDecoder::Dat(DatDecoder::new(geometry)),
        };
        let mut file = File::open(&path).map_err(|e| BagError::io(&path, "open", e))?;
        file.seek(SeekFrom::Start(header.data_offset))
            .map_err(|e| BagError::io(&path, "seek", e))?;
        Ok(Self {
            path,
            format: match header.encoding {
                RawEncoding::Dat => "dat".into(),
                evt => format!("raw/{}", evt.name()),
            },
            geometry: header.geometry,
            stamp_ns: None,
            input: Input::File(FileInput {
                file,
                decoder,
                piece: vec![0; PIECE],
                done: false,
            }),
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
            Input::File(_) | Input::Reader(_) => None,
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

    /// What was met so far.
    pub fn counts(&self) -> SourceCounts {
        match &self.input {
            Input::File(input) => SourceCounts {
                packets: PacketCounts::default(),
                decode: input.decoder.counts(),
            },
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
            Input::File(input) => input.next_batch(&self.path, batch),
            Input::Reader(reader) => reader.next_batch(batch),
            Input::Topic(input) => loop {
                let Some(message) = input.bag.next_message()? else {
                    return Ok(false);
                };
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
        Format::Ros1Bag | Format::Sqlite | Format::Mcap | Format::Prophesee => {
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

impl FileInput {
    fn next_batch(&mut self, path: &Path, batch: &mut EventBatch) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        let n = self
            .file
            .read(&mut self.piece)
            .map_err(|e| BagError::io(path, "read", e))?;
        if n == 0 {
            self.done = true;
            self.decoder.finish();
            return Ok(false);
        }
        self.decoder.decode(&self.piece[..n], batch);
        Ok(true)
    }
}

impl FileDecoder {
    fn decode(&mut self, bytes: &[u8], out: &mut EventBatch) {
        match self {
            Self::Evt2(d) => d.decode(bytes, out),
            Self::Evt21(d) => d.decode(bytes, out),
            Self::Evt3(d) => d.decode(bytes, out),
            Self::Dat(d) => d.decode(bytes, out),
        }
    }

    fn finish(&mut self) {
        match self {
            Self::Evt2(d) => d.finish(),
            Self::Evt21(d) => d.finish(),
            Self::Evt3(d) => d.finish(),
            Self::Dat(d) => d.finish(),
        }
    }

    fn counts(&self) -> DecodeCounts {
        match self {
            Self::Evt2(d) => d.counts(),
            Self::Evt21(d) => d.counts(),
            Self::Evt3(d) => d.counts(),
            Self::Dat(d) => d.counts(),
        }
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
fn pick_topic(
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
