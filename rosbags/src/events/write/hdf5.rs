//! HDF5 in Prophesee's layout: `/CD/events` and `/EXT_TRIGGER/events`, arrays that grow
//! chunk by chunk, packed with gzip (Prophesee's own filter ECF has no crate); the
//! attribute `geometry` of the file tells the sensor.

use std::path::Path;

use hdf5_pure::{
    AttrValue, CompoundTypeBuilder, Dataset, Datatype, File, FileAccessProperties, FileBuilder,
    FormatError, MaxExtent, MemoryStrategy, SyncPolicy,
};

use super::super::{EventBatch, EventError, Geometry};
use super::{Compression, Encoded, Failure, WriteOptions};
use crate::error::{BagError, Result};
use crate::file::PartFile;

/// Records of a chunk: 256 KiB of events.
const CHUNK: usize = 1 << 14;
/// Of gzip: higher ones take longer for little.
const LEVEL: u32 = 4;
/// Bytes of x, y, p and t, with the gap that Prophesee's layout has before t.
const EVENT: usize = 16;
/// Bytes of p, t and id with their gaps.
const TRIGGER: usize = 24;

/// The arrays of a file, written beside until it is finished.
pub(super) struct Hdf5Sink {
    part: PartFile,
    file: File,
    events: Array,
    triggers: Array,
}

/// An array, and its records that fill no chunk yet.
struct Array {
    dataset: Dataset,
    waiting: Vec<u8>,
    record: usize,
}

impl Hdf5Sink {
    /// Creates the file with empty arrays.
    pub fn create(path: &Path, options: &WriteOptions) -> Result<Self> {
        let io = |e| BagError::io(path, "create", e);
        let part = PartFile::create(path).map_err(io)?;
        let file = arrays(part.part(), options).map_err(|e| io(as_io(e)))?;
        let array = |name: &str, record: usize| {
            let dataset = file.dataset(name).map_err(|e| io(as_io(e)))?;
            Ok(Array {
                dataset,
                waiting: Vec::with_capacity(2 * CHUNK * record),
                record,
            })
        };
        Ok(Self {
            events: array("CD/events", EVENT)?,
            triggers: array("EXT_TRIGGER/events", TRIGGER)?,
            part,
            file,
        })
    }

    /// Takes events and triggers.
    pub fn batch(&mut self, batch: &EventBatch) -> Encoded<u64> {
        for (i, event) in batch.events.iter().enumerate() {
            let Ok(t_us) = i64::try_from(event.t_us) else {
                let why = "times go up to 2^63 us";
                return Err(EventError::unencodable(i, *event, "hdf5", why).into());
            };
            let mut record = [0; EVENT];
            record[..2].copy_from_slice(&event.x.to_le_bytes());
            record[2..4].copy_from_slice(&event.y.to_le_bytes());
            record[4] = event.on.into();
            record[8..].copy_from_slice(&t_us.to_le_bytes());
            self.events.waiting.extend(record);
        }
        let mut lost = 0;
        for trigger in &batch.triggers {
            let Ok(t_us) = i64::try_from(trigger.t_us) else {
                lost += 1;
                continue;
            };
            let mut record = [0; TRIGGER];
            record[0] = trigger.rising.into();
            record[8..16].copy_from_slice(&t_us.to_le_bytes());
            record[16] = trigger.id;
            self.triggers.waiting.extend(record);
        }
        for array in [&mut self.events, &mut self.triggers] {
            array.put(false).map_err(|e| Failure::Io(as_io(e)))?;
        }
        Ok(lost)
    }

    /// Writes what waits and gives the file its name.
    pub fn finish(mut self, path: &Path) -> Result<()> {
        let io = |e| BagError::io(path, "write", e);
        for array in [&mut self.events, &mut self.triggers] {
            array.put(true).map_err(|e| io(as_io(e)))?;
        }
        drop((self.events, self.triggers));
        self.file.close().map_err(|e| io(as_io(e)))?;
        self.part.commit().map_err(io)
    }
}

impl Array {
    /// Writes whole chunks, or with `all` the rest too.
    fn put(&mut self, all: bool) -> std::result::Result<(), hdf5_pure::Error> {
        let chunk = CHUNK * self.record;
        let ready = match all {
            true => self.waiting.len(),
            false => self.waiting.len() / chunk * chunk,
        };
        if ready > 0 {
            self.dataset.append_raw(&self.waiting[..ready])?;
            self.waiting.drain(..ready);
        }
        Ok(())
    }
}

/// Makes the file with its empty arrays and opens it.
fn arrays(path: &Path, options: &WriteOptions) -> std::result::Result<File, hdf5_pure::Error> {
    let packed = options.compression != Some(Compression::None);
    let mut file = FileBuilder::new();
    if let Some(Geometry { width, height }) = options.geometry {
        let size = AttrValue::String(format!("{width}x{height}"));
        file.set_attr("geometry", size);
    }
    for (name, kind) in [("CD", event_type()?), ("EXT_TRIGGER", trigger_type()?)] {
        let mut group = file.create_group(name);
        let array = (group.create_dataset("events"))
            .with_raw_data(kind, Vec::new(), 0)
            .with_shape(&[0])
            .with_maxshape(&[MaxExtent::Unlimited])
            .with_chunks(&[CHUNK as u64]);
        if packed {
            array.with_shuffle().with_deflate(LEVEL);
        }
        file.add_group(group.finish());
    }
    file.write(path)?;
    let properties = FileAccessProperties::new()
        .with_sync_policy(SyncPolicy::OnClose)
        .with_memory_strategy(MemoryStrategy::Bounded);
    File::open_rw_with_options(path, properties)
}

fn event_type() -> std::result::Result<Datatype, FormatError> {
    CompoundTypeBuilder::with_size(EVENT as u32)
        .u16_field("x", 0)
        .u16_field("y", 2)
        .i16_field("p", 4)
        .i64_field("t", 8)
        .build()
}

fn trigger_type() -> std::result::Result<Datatype, FormatError> {
    CompoundTypeBuilder::with_size(TRIGGER as u32)
        .i16_field("p", 0)
        .i64_field("t", 8)
        .i16_field("id", 16)
        .build()
}

fn as_io(error: hdf5_pure::Error) -> std::io::Error {
    match error {
        hdf5_pure::Error::Io(error) => error,
        other => std::io::Error::other(other),
    }
}
