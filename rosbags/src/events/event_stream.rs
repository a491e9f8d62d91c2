//! Event Stream (`.es`), DVS events. Version 2: `Event Stream`, three bytes of
//! version, a byte of type, u16 width and height; then 5 bytes per event: time
//! since the one before (7 bits, µs) and polarity (bit 0), u16 column, u16 row.
//! A byte 0xFF in place of an event adds 127 µs, 0xFE does nothing. Rows count
//! from the bottom; they are turned to count from the top.
//!
//! Version 1 has two bytes of version, a byte of type, no size of the sensor (so
//! that rows stay as they are), and 3 bytes per event. DVS events (type 0) have,
//! from the lowest bit of the first byte on, 4 bits of time, 10 of column, 9 of
//! row and the polarity; ATIS events (type 1) 5, 9, 8, whether they are of
//! exposure, and the polarity. A time of all ones is no event: the bits above it
//! tell how often that time is to be added (0 is a reset). ATIS events of
//! exposure are passed over.

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader, PIECE};
use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::{BagError, Result};

pub(super) const MAGIC: &[u8] = b"Event Stream";
pub(super) const KIND_DVS: u8 = 1;
pub(super) const OVERFLOW: u8 = 0xFF;
const RESET: u8 = 0xFE;
/// What an overflow adds, µs.
pub(super) const OVERFLOW_US: u64 = 127;

/// Reads an Event Stream file of DVS events.
pub(super) struct EventStreamReader {
    bytes: Bytes,
    layout: Layout,
    t_us: u64,
    counts: DecodeCounts,
}

/// How an event lies in the file.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// Version 1: bits of time, column and row.
    One { t: u32, x: u32, y: u32, atis: bool },
    /// Version 2, with the size of the sensor.
    Two(Geometry),
}

impl EventStreamReader {
    /// Reads the header.
    pub fn open(mut bytes: Bytes) -> Result<Self> {
        bytes.take(MAGIC.len(), "the first bytes of Event Stream")?;
        let [major, minor] = bytes.array("the version of Event Stream")?;
        let layout = match major {
            1 => {
                let [kind] = bytes.array("the type of Event Stream")?;
                let atis = kind == 1;
                let (t, x, y) = if atis { (5, 9, 8) } else { (4, 10, 9) };
                let layout = Layout::One { t, x, y, atis };
                (kind <= 1)
                    .then_some(layout)
                    .ok_or(format!("type {kind} of version 1"))
            }
            2 => {
                let [_, kind] = bytes.array("version and type of Event Stream")?;
                let [a, b, c, d] = bytes.array("width and height of Event Stream")?;
                let layout = Layout::Two(Geometry {
                    width: u16::from_le_bytes([a, b]),
                    height: u16::from_le_bytes([c, d]),
                });
                (kind == KIND_DVS)
                    .then_some(layout)
                    .ok_or(format!("type {kind} of version 2"))
            }
            _ => Err(format!("version {major}.{minor}")),
        };
        let layout = layout.map_err(|what| BagError::Unsupported {
            path: bytes.path().to_owned(),
            what: format!("Event Stream {what} (from byte 12 on)"),
            remedy: "read are DVS events (type 1 of version 2, 0 of version 1) and those of \
                     ATIS of version 1: write it anew"
                .into(),
        })?;
        Ok(Self {
            bytes,
            layout,
            t_us: 0,
            counts: DecodeCounts::default(),
        })
    }
}

impl FileReader for EventStreamReader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        let here = self.bytes.peek(PIECE)?;
        let rest = match self.layout {
            Layout::One { t, x, y, atis } => {
                let one = (t, x, y, atis);
                version1(here, one, &mut self.t_us, &mut batch.events)
            }
            Layout::Two(sensor) => {
                let outside = &mut self.counts.outside;
                version2(here, sensor, &mut self.t_us, outside, &mut batch.events)
            }
        };
        let (used, more) = (here.len() - rest.len(), !rest.is_empty());
        self.bytes.advance(used);
        if used == 0 && more {
            let size = if let Layout::Two(_) = self.layout {
                5
            } else {
                3
            };
            self.bytes.take(size, "an event")?;
        }
        Ok(used > 0)
    }

    fn geometry(&self) -> Option<Geometry> {
        match self.layout {
            Layout::One { .. } => None,
            Layout::Two(sensor) => Some(sensor),
        }
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}

/// Decodes events of version 2; returns what is no whole one.
fn version2<'a>(
    mut rest: &'a [u8],
    sensor: Geometry,
    t_us: &mut u64,
    outside: &mut u64,
    events: &mut Vec<Event>,
) -> &'a [u8] {
    loop {
        match *rest {
            [OVERFLOW, ref after @ ..] => {
                *t_us += OVERFLOW_US;
                rest = after;
            }
            [RESET, ref after @ ..] => rest = after,
            [head, a, b, c, d, ref after @ ..] => {
                *t_us += u64::from(head >> 1);
                let (x, y) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                if x < sensor.width && y < sensor.height {
                    events.push(Event {
                        t_us: *t_us,
                        x,
                        y: sensor.height - 1 - y,
                        on: head & 1 != 0,
                    });
                } else {
                    *outside += 1;
                }
                rest = after;
            }
            _ => return rest,
        }
    }
}

/// Decodes events of version 1, of so many bits of time, column and row; returns
/// what is no whole one.
fn version1<'a>(
    mut rest: &'a [u8],
    (t, x, y, atis): (u32, u32, u32, bool),
    t_us: &mut u64,
    events: &mut Vec<Event>,
) -> &'a [u8] {
    let ones = (1u32 << t) - 1;
    loop {
        match *rest {
            [head, ref after @ ..] if u32::from(head) & ones == ones => {
                *t_us += u64::from(ones * (u32::from(head) >> t));
                rest = after;
            }
            [a, b, c, ref after @ ..] => {
                let word = u32::from_le_bytes([a, b, c, 0]);
                *t_us += u64::from(word & ones);
                let event = Event {
                    t_us: *t_us,
                    x: (word >> t & ((1 << x) - 1)) as u16,
                    y: (word >> (t + x) & ((1 << y) - 1)) as u16,
                    on: word >> 23 != 0,
                };
                let exposure = atis && word >> 22 & 1 != 0;
                if !exposure {
                    events.push(event);
                }
                rest = after;
            }
            _ => return rest,
        }
    }
}
