//! Formats that are one record after the other: Event Stream, N-MNIST, text and
//! NumPy arrays. None of them has triggers. What the records look like is told
//! where they are read.

use std::io::Write;

use saccade_msgs::Event;

use super::super::event_stream::{KIND_DVS, MAGIC as ES_MAGIC, OVERFLOW, OVERFLOW_US};
use super::super::npy::MAGIC as NPY_MAGIC;
use super::super::{EventBatch, EventError, Geometry, nmnist};
use super::{Encode, Encoded};

/// The longest time without events that is told by overflows, µs: of Event
/// Stream they take a byte per 127 µs.
const MAX_SILENCE_US: u64 = 3_600_000_000;
const SILENCE: &str = "over an hour passes before it; count times from the first event";

/// Event Stream 2.0.0, type DVS.
pub(super) struct EventStreamWriter {
    height: u16,
    last_us: u64,
}

impl EventStreamWriter {
    /// Puts the header into `out`.
    pub fn new(sensor: Geometry, out: &mut Vec<u8>) -> Self {
        out.extend(ES_MAGIC);
        out.extend([2, 0, 0, KIND_DVS]);
        out.extend(sensor.width.to_le_bytes());
        out.extend(sensor.height.to_le_bytes());
        Self {
            height: sensor.height,
            last_us: 0,
        }
    }
}

impl Encode for EventStreamWriter {
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64> {
        for (i, e) in batch.events.iter().enumerate() {
            let refuse = |why| EventError::unencodable(i, *e, "es", why);
            let after_us = (e.t_us.checked_sub(self.last_us))
                .ok_or_else(|| refuse("it is earlier than the event before it"))?;
            if after_us > MAX_SILENCE_US {
                return Err(refuse(SILENCE).into());
            }
            self.last_us = e.t_us;
            let overflows = (after_us / OVERFLOW_US) as usize;
            out.resize(out.len() + overflows, OVERFLOW);
            out.push(((after_us % OVERFLOW_US) as u8) << 1 | u8::from(e.on));
            out.extend_from_slice(&e.x.to_le_bytes());
            out.extend_from_slice(&(self.height - 1 - e.y).to_le_bytes());
        }
        Ok(batch.triggers.len() as u64)
    }
}

/// N-MNIST.
#[derive(Default)]
pub(super) struct NmnistWriter {
    overflow_us: u64,
}

impl NmnistWriter {
    fn event(&mut self, e: &Event, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let (Ok(x), Ok(y)) = (u8::try_from(e.x), u8::try_from(e.y)) else {
            return Err("columns and rows go up to 255");
        };
        if y == nmnist::OVERFLOW_ROW {
            return Err("a row of 240 is no event in this format");
        }
        let after_us =
            (e.t_us.checked_sub(self.overflow_us)).ok_or("time steps back by 8 s or more")?;
        if after_us > MAX_SILENCE_US {
            return Err(SILENCE);
        }
        let most = u64::from(nmnist::TIME);
        let overflows = after_us.saturating_sub(most).div_ceil(nmnist::OVERFLOW_US);
        for _ in 0..overflows {
            out.extend_from_slice(&[0, nmnist::OVERFLOW_ROW, 0, 0, 0]);
        }
        self.overflow_us += overflows * nmnist::OVERFLOW_US;
        let word = u32::from(e.on) << 23 | (e.t_us - self.overflow_us) as u32;
        let [_, a, b, c] = word.to_be_bytes();
        out.extend_from_slice(&[x, y, a, b, c]);
        Ok(())
    }
}

impl Encode for NmnistWriter {
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64> {
        for (i, e) in batch.events.iter().enumerate() {
            self.event(e, out)
                .map_err(|why| EventError::unencodable(i, *e, "nmnist", why))?;
        }
        Ok(batch.triggers.len() as u64)
    }
}

/// Lines `t,x,y,p` under a line that says so; times in µs.
pub(super) struct TextWriter;

impl TextWriter {
    /// Puts the first line into `out`.
    pub fn new(out: &mut Vec<u8>) -> Self {
        out.extend(b"t,x,y,p\n");
        Self
    }
}

impl Encode for TextWriter {
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64> {
        for e in &batch.events {
            writeln!(out, "{},{},{},{}", e.t_us, e.x, e.y, u8::from(e.on))?;
        }
        Ok(batch.triggers.len() as u64)
    }
}

/// A structured array of t (u64), x, y (u16) and p (bool).
pub(super) struct NpyWriter {
    events: u64,
}

impl NpyWriter {
    /// Puts a head for no events into `out`; the number is told at the end.
    pub fn new(out: &mut Vec<u8>) -> Self {
        out.extend(npy_head(0));
        Self { events: 0 }
    }

    /// The head for the events so far, as long as the first.
    pub fn head(&self) -> Vec<u8> {
        npy_head(self.events)
    }
}

impl Encode for NpyWriter {
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64> {
        self.events += batch.events.len() as u64;
        for e in &batch.events {
            out.extend_from_slice(&e.t_us.to_le_bytes());
            out.extend_from_slice(&e.x.to_le_bytes());
            out.extend_from_slice(&e.y.to_le_bytes());
            out.push(u8::from(e.on));
        }
        Ok(batch.triggers.len() as u64)
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> Encoded<Option<(u64, Vec<u8>)>> {
        Ok(Some((0, self.head())))
    }
}

/// A head of 192 bytes, whatever the number of events: the events start at a
/// multiple of 64 bytes.
fn npy_head(events: u64) -> Vec<u8> {
    const LENGTH: usize = 192 - 10;
    let mut head = format!(
        "{{'descr': [('t', '<u8'), ('x', '<u2'), ('y', '<u2'), ('p', '|b1')], \
         'fortran_order': False, 'shape': ({events},), }}"
    );
    head.extend(std::iter::repeat_n(' ', LENGTH - 1 - head.len()));
    head.push('\n');
    let mut out = NPY_MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((LENGTH as u16).to_le_bytes());
    out.extend(head.as_bytes());
    out
}
