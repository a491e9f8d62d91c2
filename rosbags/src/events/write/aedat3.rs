//! AEDAT 3.1, format RAW: packets of polarity events, and of special events for
//! triggers.

use super::super::aedat3::{END, EVENT, INPUTS, POLARITY, SENSORS, SPECIAL, TIME};
use super::super::{EventBatch, EventError, Geometry, Trigger};
use super::{Encode, Encoded};

/// Writes AEDAT 3.1. The format tells sensors by name: that of a camera of this
/// size, or `unknown`, with the size behind it.
pub(super) struct Aedat3Writer;

impl Aedat3Writer {
    /// Puts the header into `out`.
    pub fn new(geometry: Option<Geometry>, out: &mut Vec<u8>) -> Self {
        let size = geometry.map(|g| (g.width, g.height));
        let camera = SENSORS.iter().find(|(_, w, h)| Some((*w, *h)) == size);
        let camera = camera.map_or("unknown", |(name, ..)| name);
        let mut header = format!("#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 0: {camera}\r\n");
        if let Some((width, height)) = size {
            header += &format!("#Size: {width}x{height}\r\n");
        }
        out.extend(header.as_bytes());
        out.extend(format!("{END}\r\n").as_bytes());
        Self
    }
}

impl Encode for Aedat3Writer {
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64> {
        let mut events = Vec::with_capacity(batch.events.len());
        for (i, e) in batch.events.iter().enumerate() {
            if e.x > 0x7FFF || e.y > 0x7FFF || e.t_us >> 62 != 0 {
                let why = "addresses go up to 32767, times to 2^62 us";
                return Err(EventError::unencodable(i, *e, "aedat3", why).into());
            }
            let polarity = u32::from(e.on) << 1;
            let address = u32::from(e.x) << 17 | u32::from(e.y) << 2 | polarity | 1;
            events.push((address, e.t_us));
        }
        packets(POLARITY, &events, out);
        let mut triggers = Vec::new();
        for t in batch.triggers.iter().filter(|t| t.t_us >> 62 == 0) {
            triggers.extend(kind(t).map(|kind| (u32::from(kind) << 1 | 1, t.t_us)));
        }
        packets(SPECIAL, &triggers, out);
        Ok((batch.triggers.len() - triggers.len()) as u64)
    }
}

/// The type of special event that says the trigger.
fn kind(trigger: &Trigger) -> Option<u8> {
    let (rising, falling) = *INPUTS.get(usize::from(trigger.id))?;
    Some(if trigger.rising { rising } else { falling })
}

/// Appends packets of words with their times; a packet has one number of
/// overflows of the clock.
fn packets(kind: i16, events: &[(u32, u64)], out: &mut Vec<u8>) {
    for events in events.chunk_by(|a, b| a.1 >> 31 == b.1 >> 31) {
        let overflows = events.first().map_or(0, |e| e.1 >> 31);
        let n = events.len() as i32;
        out.extend(kind.to_le_bytes());
        out.extend(0i16.to_le_bytes());
        for field in [EVENT as i32, 4, overflows as i32, n, n, n] {
            out.extend(field.to_le_bytes());
        }
        for &(word, t_us) in events {
            let t = u64::from(t_us as u32 & TIME);
            out.extend_from_slice(&(t << 32 | u64::from(word)).to_le_bytes());
        }
    }
}
