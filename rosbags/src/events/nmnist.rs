//! N-MNIST: 5 bytes per event: column, row, then polarity in bit 23 and the time
//! in the 23 bits below it, big endian, µs. A row of 240 is no event: from there
//! on 2^13 µs are added. Neither magic nor size of sensor are in the file.

use std::path::Path;

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader};
use super::{DecodeCounts, EventBatch, EventError, Geometry};
use crate::error::{BagError, Result};
use crate::file;

/// The row that says that time has overflown.
const OVERFLOW_ROW: u8 = 240;
/// What an overflow adds, µs.
const OVERFLOW_US: u64 = 1 << 13;
/// Bits of the time.
const TIME: u32 = (1 << 23) - 1;
/// N-MNIST's part of the sensor.
const DIGIT: Geometry = Geometry {
    width: 34,
    height: 34,
};

/// Reads an N-MNIST file.
pub(super) struct NmnistReader {
    bytes: Bytes,
    geometry: Option<Geometry>,
    overflow_us: u64,
}

impl NmnistReader {
    /// A reader at the first event. The files of N-Caltech101 are alike but of a
    /// larger sensor: 34 x 34 is only taken if `scan`, the same file once more,
    /// has no event outside of it.
    pub fn open(bytes: Bytes, scan: Bytes) -> Result<Self> {
        let mut scan = Self {
            bytes: scan,
            geometry: None,
            overflow_us: 0,
        };
        let mut batch = EventBatch::default();
        let mut inside = true;
        while inside && scan.next_batch(&mut batch)? {
            inside = (batch.events.iter()).all(|e| e.x < DIGIT.width && e.y < DIGIT.height);
            batch.clear();
        }
        Ok(Self {
            bytes,
            geometry: inside.then_some(DIGIT),
            overflow_us: 0,
        })
    }
}

impl FileReader for NmnistReader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        let records = self.bytes.records(5, None, "an event")?;
        for &[x, y, a, b, c] in records.as_chunks::<5>().0 {
            if y == OVERFLOW_ROW {
                self.overflow_us += OVERFLOW_US;
                continue;
            }
            let word = u32::from_be_bytes([0, a, b, c]);
            batch.events.push(Event {
                t_us: self.overflow_us + u64::from(word & TIME),
                x: x.into(),
                y: y.into(),
                on: word > TIME,
            });
        }
        Ok(!records.is_empty())
    }

    fn geometry(&self) -> Option<Geometry> {
        self.geometry
    }

    fn counts(&self) -> DecodeCounts {
        DecodeCounts::default()
    }
}

/// Writes events as N-MNIST has them.
///
/// # Errors
/// If a column is above 255, a row above 255 or 240, or a time needs more than 23
/// bits (8.4 s; the writer uses no overflows), or writing fails.
pub fn write_nmnist(path: &Path, events: &[Event]) -> Result<()> {
    let mut out = Vec::with_capacity(5 * events.len());
    for (i, e) in events.iter().enumerate() {
        let (Ok(x), Ok(y)) = (u8::try_from(e.x), u8::try_from(e.y)) else {
            return Err(unencodable(path, i, *e));
        };
        if y == OVERFLOW_ROW || e.t_us > TIME.into() {
            return Err(unencodable(path, i, *e));
        }
        let [_, a, b, c] = (u32::from(e.on) << 23 | e.t_us as u32).to_be_bytes();
        out.extend([x, y, a, b, c]);
    }
    file::write(path, &out)
}

fn unencodable(path: &Path, index: usize, event: Event) -> BagError {
    let why = "columns go up to 255, rows up to 255 without 240, times up to 2^23 us";
    BagError::Events {
        path: path.to_owned(),
        source: EventError::unencodable(index, event, "nmnist", why),
    }
}
