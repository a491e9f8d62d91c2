//! N-MNIST: 5 bytes per event: column, row, then polarity in bit 23 and the time
//! in the 23 bits below it, big endian, µs. A row of 240 is no event: from there
//! on 2^13 µs are added. Neither magic nor size of sensor are in the file.

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader};
use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::Result;

/// The row that says that time has overflown.
pub(super) const OVERFLOW_ROW: u8 = 240;
/// What an overflow adds, µs.
pub(super) const OVERFLOW_US: u64 = 1 << 13;
/// Bits of the time.
pub(super) const TIME: u32 = (1 << 23) - 1;
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
