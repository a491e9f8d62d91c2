//! Event Stream (`.es`), version 2, DVS events: `Event Stream`, three bytes of
//! version, a byte of type, u16 width and height; then 5 bytes per event: time
//! since the one before (7 bits, µs) and polarity (bit 0), u16 column, u16 row.
//! A byte 0xFF in place of an event adds 127 µs, 0xFE does nothing. Rows count
//! from the bottom; they are turned to count from the top.

use std::path::Path;

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader, PIECE};
use super::{DecodeCounts, EventBatch, EventError, Geometry};
use crate::error::{BagError, Result};
use crate::file;

const MAGIC: &[u8] = b"Event Stream";
const KIND_DVS: u8 = 1;
const OVERFLOW: u8 = 0xFF;
const RESET: u8 = 0xFE;
/// What an overflow adds, µs.
const OVERFLOW_US: u64 = 127;

/// Reads an Event Stream file of DVS events.
pub(super) struct EventStreamReader {
    bytes: Bytes,
    geometry: Geometry,
    t_us: u64,
    counts: DecodeCounts,
}

impl EventStreamReader {
    /// Reads the header.
    pub fn open(mut bytes: Bytes) -> Result<Self> {
        bytes.take(MAGIC.len(), "the first bytes of Event Stream")?;
        let [major, minor, patch, kind] = bytes.array("version and type of Event Stream")?;
        let unsupported = |what| BagError::Unsupported {
            path: bytes.path().to_owned(),
            what,
            remedy: "write it anew as version 2, DVS events".into(),
        };
        if major != 2 {
            let what = format!("Event Stream version {major}.{minor}.{patch} (byte 12)");
            return Err(unsupported(what));
        }
        if kind != KIND_DVS {
            let what = format!("Event Stream type {kind} (byte 15; 1 is DVS events)");
            return Err(unsupported(what));
        }
        let [a, b, c, d] = bytes.array("width and height of Event Stream")?;
        Ok(Self {
            geometry: Geometry {
                width: u16::from_le_bytes([a, b]),
                height: u16::from_le_bytes([c, d]),
            },
            bytes,
            t_us: 0,
            counts: DecodeCounts::default(),
        })
    }
}

impl FileReader for EventStreamReader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        let here = self.bytes.peek(PIECE)?;
        let mut rest = here;
        loop {
            match *rest {
                [OVERFLOW, ref after @ ..] => {
                    self.t_us += OVERFLOW_US;
                    rest = after;
                }
                [RESET, ref after @ ..] => rest = after,
                [head, a, b, c, d, ref after @ ..] => {
                    self.t_us += u64::from(head >> 1);
                    let (x, y) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                    if x < self.geometry.width && y < self.geometry.height {
                        batch.events.push(Event {
                            t_us: self.t_us,
                            x,
                            y: self.geometry.height - 1 - y,
                            on: head & 1 != 0,
                        });
                    } else {
                        self.counts.outside += 1;
                    }
                    rest = after;
                }
                _ => break,
            }
        }
        let (used, more) = (here.len() - rest.len(), !rest.is_empty());
        self.bytes.advance(used);
        if used == 0 && more {
            self.bytes.take(5, "an event")?;
        }
        Ok(used > 0)
    }

    fn geometry(&self) -> Option<Geometry> {
        Some(self.geometry)
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}

/// Writes events as Event Stream 2.0.0, type DVS.
///
/// # Errors
/// If an event lies outside of the sensor or is earlier than the one before it,
/// or writing fails.
pub fn write_event_stream(path: &Path, geometry: Geometry, events: &[Event]) -> Result<()> {
    let Geometry { width, height } = geometry;
    let mut out = MAGIC.to_vec();
    out.extend([2, 0, 0, KIND_DVS]);
    out.extend(width.to_le_bytes());
    out.extend(height.to_le_bytes());
    let mut last_us = 0;
    for (i, e) in events.iter().enumerate() {
        let unencodable = |why| BagError::Events {
            path: path.to_owned(),
            source: EventError::unencodable(i, *e, "event_stream", why),
        };
        if e.x >= width || e.y >= height {
            return Err(unencodable("it is outside of the sensor"));
        }
        let Some(after_us) = e.t_us.checked_sub(last_us) else {
            return Err(unencodable("it is earlier than the event before it"));
        };
        // An overflow is a byte per 127 us: a day of silence would be 680 MB.
        if after_us > MAX_SILENCE_US {
            return Err(unencodable(
                "over an hour passes before it; shift the times",
            ));
        }
        last_us = e.t_us;
        let overflows = (after_us / OVERFLOW_US) as usize;
        out.resize(out.len() + overflows, OVERFLOW);
        out.push(((after_us % OVERFLOW_US) as u8) << 1 | u8::from(e.on));
        out.extend(e.x.to_le_bytes());
        out.extend((height - 1 - e.y).to_le_bytes());
    }
    file::write(path, &out)
}

/// The longest time without events that the writer says, µs.
const MAX_SILENCE_US: u64 = 3_600_000_000;
