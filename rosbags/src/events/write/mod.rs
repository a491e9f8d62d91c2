//! Writing events to a file of any format, batch by batch.

mod aedat3;
mod aedat4;
mod bag;
mod hdf5;
mod npz;
mod options;
mod plain;
mod raw;

use std::path::{Path, PathBuf};

pub use options::{Compression, Encoding, FileFormat, WriteOptions};

use saccade_msgs::Event;
use xxhash_rust::xxh3::Xxh3;

use super::{EventBatch, EventError, Geometry, RawEncoding, hash_events};
use crate::error::{BagError, Result};
use crate::file::PartFile;

/// Events that an encoder gets at once at most.
const CHUNK: usize = 8192;
/// Bytes that are gathered before they are written.
const GATHER: usize = 1 << 18;

/// The encoder of a file format.
trait Encode: Send {
    /// Appends the bytes of at most [`CHUNK`] events and their triggers to `out`.
    /// Returns how many of the triggers it cannot say.
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64>;

    /// Appends what ends the file; returns what belongs at its start, and where.
    fn finish(&mut self, _out: &mut Vec<u8>) -> Encoded<Option<(u64, Vec<u8>)>> {
        Ok(None)
    }
}

/// Why something cannot be encoded.
enum Failure {
    Event(EventError),
    Io(std::io::Error),
}

type Encoded<T> = std::result::Result<T, Failure>;

impl From<EventError> for Failure {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// What was written, and what the format could not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteCounts {
    /// Events.
    pub events: u64,
    /// Triggers.
    pub triggers: u64,
    /// Triggers left out, for the format has none, or none with that number.
    pub triggers_lost: u64,
    /// Whether the sensor's size was known and is not in the file.
    pub geometry_lost: bool,
    /// Checksum of the events, as `info` finds it in the file.
    pub checksum: u64,
}

/// Writes events to a file that appears whole under its name, or not at all:
/// it is written beside and renamed by [`finish`](Self::finish), and dropped
/// before that it leaves nothing. Memory does not grow with the events (but by
/// 40 bytes for every 8192 of AEDAT 4).
///
/// ```
/// # fn main() -> saccade_rosbags::Result<()> {
/// use saccade_rosbags::events::{EventBatch, EventWriter, Geometry, WriteOptions};
/// # let dir = tempfile::tempdir().expect("a directory");
/// # let path = dir.path().join("events.raw");
/// let sensor = Geometry { width: 640, height: 480 };
/// let mut writer = EventWriter::create(&path, &WriteOptions::of_sensor(sensor))?;
/// let mut batch = EventBatch::default();
/// batch.events.push(saccade_msgs::Event { t_us: 5, x: 1, y: 2, on: true });
/// writer.write(&batch)?;
/// assert_eq!(writer.finish()?.events, 1);
/// # Ok(())
/// # }
/// ```
pub struct EventWriter {
    path: PathBuf,
    format: FileFormat,
    options: WriteOptions,
    sink: Sink,
    /// What is taken off all times, once known.
    zero_us: Option<u64>,
    chunk: EventBatch,
    counts: WriteCounts,
    hash: Xxh3,
}

enum Sink {
    File {
        file: PartFile,
        encoder: Box<dyn Encode>,
        gathered: Vec<u8>,
    },
    Npz(npz::NpzSink),
    Hdf5(Box<hdf5::Hdf5Sink>),
    Bag(Box<bag::BagSink>),
}

impl EventWriter {
    /// Starts a file; its format is that of the options, or of the extension.
    ///
    /// # Errors
    /// If the format is not known, cannot be written as the options say, needs the
    /// size of the sensor, or the file cannot be created.
    pub fn create(path: &Path, options: &WriteOptions) -> Result<Self> {
        let format = options
            .format
            .map_or_else(|| FileFormat::of_path(path), Ok)?;
        check(path, format, options)?;
        let sink = match format {
            FileFormat::Mcap | FileFormat::Ros1Bag => {
                Sink::Bag(Box::new(bag::BagSink::create(path, format, options)?))
            }
            FileFormat::Npz => Sink::Npz(npz::NpzSink::create(path, options)?),
            FileFormat::Hdf5 => Sink::Hdf5(Box::new(hdf5::Hdf5Sink::create(path, options)?)),
            _ => {
                let mut gathered = Vec::new();
                let encoder = encoder(format, options, &mut gathered);
                Sink::File {
                    file: PartFile::create(path).map_err(|e| BagError::io(path, "create", e))?,
                    encoder,
                    gathered,
                }
            }
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            options: options.clone(),
            sink,
            zero_us: (!options.from_zero).then_some(0),
            chunk: EventBatch::default(),
            counts: WriteCounts::default(),
            hash: Xxh3::new(),
        })
    }

    /// Writes the events and triggers of a batch.
    ///
    /// # Errors
    /// If an event cannot be said in the format (its number counts from the first
    /// event of the file), or writing fails. The file will not appear then.
    pub fn write(&mut self, batch: &EventBatch) -> Result<()> {
        let zero_us = match self.zero_us {
            Some(zero) => zero,
            None => {
                let event = batch.events.first().map(|e| e.t_us);
                let trigger = batch.triggers.first().map(|t| t.t_us);
                let first = event.into_iter().chain(trigger).min();
                let Some(first) = first else { return Ok(()) };
                *self.zero_us.insert(first)
            }
        };
        let mut triggers = batch.triggers.as_slice();
        let mut chunks = batch.events.chunks(CHUNK).peekable();
        loop {
            let events = chunks.next().unwrap_or(&[]);
            let now = match (events.last(), chunks.peek()) {
                (Some(last), Some(_)) => triggers.partition_point(|t| t.t_us <= last.t_us),
                _ => triggers.len(),
            };
            let (these, later) = triggers.split_at(now);
            self.fill(events, these, zero_us)?;
            self.put()?;
            triggers = later;
            if chunks.peek().is_none() {
                return Ok(());
            }
        }
    }

    /// Sets the chunk, its times counted from `zero_us`.
    fn fill(&mut self, events: &[Event], triggers: &[super::Trigger], zero_us: u64) -> Result<()> {
        self.chunk.clear();
        let sensor = self.options.geometry.unwrap_or(Geometry::UNBOUNDED);
        for (i, &event) in events.iter().enumerate() {
            let why = match event.t_us.checked_sub(zero_us) {
                Some(t_us) if event.x < sensor.width && event.y < sensor.height => {
                    self.chunk.events.push(Event { t_us, ..event });
                    continue;
                }
                Some(_) => "it is outside of the sensor",
                None => "it is earlier than the first, from which times were to count",
            };
            let error = EventError::unencodable(i, event, self.format.name(), why);
            return Err(self.failed(error.into()));
        }
        self.counts.triggers += triggers.len() as u64;
        for &trigger in triggers {
            match trigger.t_us.checked_sub(zero_us) {
                Some(t_us) => self.chunk.triggers.push(super::Trigger { t_us, ..trigger }),
                None => self.counts.triggers_lost += 1,
            }
        }
        Ok(())
    }

    /// Encodes the chunk.
    fn put(&mut self) -> Result<()> {
        let lost = match &mut self.sink {
            Sink::File {
                file,
                encoder,
                gathered,
            } => {
                let encoded = encoder.batch(&self.chunk, gathered);
                let written = match gathered.len() < GATHER {
                    true => Ok(()),
                    false => file.write(gathered).map(|()| gathered.clear()),
                };
                encoded.and_then(|lost| written.map(|()| lost).map_err(Failure::from))
            }
            Sink::Npz(sink) => sink.batch(&self.chunk),
            Sink::Hdf5(sink) => sink.batch(&self.chunk),
            Sink::Bag(sink) => Ok(sink.batch(&self.chunk)?),
        };
        let lost = lost.map_err(|failure| self.failed(failure))?;
        hash_events(&self.chunk.events, &mut self.hash);
        self.counts.events += self.chunk.events.len() as u64;
        self.counts.triggers_lost += lost;
        Ok(())
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// If writing or renaming fails; nothing is left then.
    pub fn finish(mut self) -> Result<WriteCounts> {
        let io = |e| BagError::io(&self.path, "write", e);
        match self.sink {
            Sink::File {
                mut file,
                mut encoder,
                mut gathered,
            } => {
                let patch = encoder
                    .finish(&mut gathered)
                    .map_err(|failure| match failure {
                        Failure::Io(e) => io(e),
                        Failure::Event(source) => BagError::Events {
                            path: self.path.clone(),
                            source,
                        },
                    })?;
                file.write(&gathered).map_err(io)?;
                if let Some((at, bytes)) = patch {
                    file.patch(at, &bytes).map_err(io)?;
                }
                file.commit().map_err(io)?;
            }
            Sink::Npz(sink) => sink.finish(&self.path)?,
            Sink::Hdf5(sink) => sink.finish(&self.path)?,
            Sink::Bag(sink) => self.counts.triggers_lost += sink.finish()?,
        }
        Ok(WriteCounts {
            triggers: self.counts.triggers - self.counts.triggers_lost,
            geometry_lost: self.options.geometry.is_some() && !self.format.tells_geometry(),
            checksum: self.hash.digest(),
            ..self.counts
        })
    }

    fn failed(&self, failure: Failure) -> BagError {
        match failure {
            Failure::Io(e) => BagError::io(&self.path, "write", e),
            Failure::Event(source) => BagError::Events {
                path: self.path.clone(),
                source: source.after(self.counts.events),
            },
        }
    }
}

/// Refuses options that the format has no place for.
fn check(path: &Path, format: FileFormat, options: &WriteOptions) -> Result<()> {
    let bag = matches!(format, FileFormat::Mcap | FileFormat::Ros1Bag);
    let refuse = |what: String, remedy: &str| {
        Err(BagError::Unsupported {
            path: path.to_owned(),
            what,
            remedy: remedy.into(),
        })
    };
    let name = format.name();
    if format.needs_geometry() && options.geometry.is_none() {
        let what = format!("writing {name} without the size of the sensor");
        return refuse(
            what,
            "the recording does not tell it, so name it (--sensor 640x480)",
        );
    }
    if let Some(encoding) = options.encoding {
        let fits = match format {
            FileFormat::Raw => encoding.raw().is_some(),
            _ => bag && encoding != Encoding::Evt21Legacy,
        };
        if !fits {
            let what = format!("the encoding {} in {name}", encoding.name());
            return refuse(
                what,
                "RAW files have evt3, evt2, evt21 and evt21-legacy; \
                bags evt3, evt2, evt21, mono, libcaer, libcaer_cmp and dvs_msgs; other formats have no choice",
            );
        }
    }
    if let Some(compression) = options.compression {
        use Compression::{Deflate, Lz4, None, Zstd};
        let fits = match format {
            FileFormat::Aedat4 => matches!(compression, None | Lz4 | Zstd),
            FileFormat::Npz | FileFormat::Hdf5 => matches!(compression, None | Deflate),
            _ => false,
        };
        if !fits {
            let what = format!("the compression {} in {name}", compression.name());
            return refuse(
                what,
                "aedat4 has none, lz4 and zstd; npz and hdf5 have none and deflate; \
                other formats have no choice",
            );
        }
    }
    if options.topic.is_some() && !bag {
        return refuse(format!("a topic in {name}"), "only bags have topics");
    }
    Ok(())
}

/// The encoder of a format, and its header in `out`.
fn encoder(format: FileFormat, options: &WriteOptions, out: &mut Vec<u8>) -> Box<dyn Encode> {
    let geometry = options.geometry;
    let sensor = geometry.unwrap_or(Geometry::UNBOUNDED);
    match format {
        FileFormat::Dat => Box::new(raw::RawWriter::new(RawEncoding::Dat, geometry, out)),
        FileFormat::Aedat4 => Box::new(aedat4::Aedat4Writer::new(
            options.compression.unwrap_or(Compression::Lz4),
            sensor,
            out,
        )),
        FileFormat::Aedat3 => Box::new(aedat3::Aedat3Writer::new(geometry, out)),
        FileFormat::EventStream => Box::new(plain::EventStreamWriter::new(sensor, out)),
        FileFormat::Nmnist => Box::new(plain::NmnistWriter::default()),
        FileFormat::Text => Box::new(plain::TextWriter::new(out)),
        FileFormat::Npy => Box::new(plain::NpyWriter::new(out)),
        FileFormat::Raw
        | FileFormat::Npz
        | FileFormat::Hdf5
        | FileFormat::Mcap
        | FileFormat::Ros1Bag => {
            let encoding = options.encoding.and_then(Encoding::raw);
            Box::new(raw::RawWriter::new(
                encoding.unwrap_or(RawEncoding::Evt3),
                geometry,
                out,
            ))
        }
    }
}

#[cfg(test)]
mod tests;
