//! Prophesee EVT2.1: words of 64 bits, each with up to 32 events side by side.
//!
//! Bits 63-60 type, 59-54 time, 53-43 base column, 42-32 row, 31-0 which of the
//! 32 columns from the base on have an event. `TIME_HIGH` has its 28 bits in
//! 59-32. A legacy variant swaps the two halves.

use saccade_msgs::Event;

use super::evt2::{
    CD_OFF, CD_ON, CONTINUED, EXT_TRIGGER, HighClock, HighTime, OTHERS, TIME_HIGH, trigger_word,
};
use super::words::Words;
use super::{DecodeCounts, EventBatch, EventError, Geometry, Trigger, has_vectors};

/// Which half of a 64-bit word comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HalfOrder {
    /// Little endian throughout: the valid mask first.
    #[default]
    LittleEndian,
    /// Legacy: the half with the type first.
    Swapped,
}

/// Decodes an EVT2.1 stream; see the [module](self).
#[derive(Debug, Clone)]
pub struct Evt21Decoder {
    geometry: Geometry,
    order: HalfOrder,
    words: Words<8>,
    time: HighTime,
    counts: DecodeCounts,
    pub(super) vectors: bool,
}

impl Evt21Decoder {
    /// A decoder at the start of a stream. Events outside of `geometry` are counted,
    /// not passed on.
    pub fn new(geometry: Geometry, order: HalfOrder) -> Self {
        Self {
            geometry,
            order,
            words: Words::default(),
            time: HighTime::default(),
            counts: DecodeCounts::default(),
            vectors: has_vectors(),
        }
    }

    /// What could not be turned into events so far.
    pub fn counts(&self) -> DecodeCounts {
        self.counts
    }

    /// Tells that a part of the stream was lost: events are left out (and
    /// counted) until the time is told anew.
    pub fn resync(&mut self) {
        self.counts.torn_bytes += self.words.drop_rest();
        self.time.known = false;
    }

    /// Tells that the stream has ended.
    pub fn finish(&mut self) {
        self.counts.torn_bytes += self.words.drop_rest();
    }

    /// Decodes the next piece of the stream and appends what it holds to `out`.
    pub fn decode(&mut self, bytes: &[u8], out: &mut EventBatch) {
        let mut words = std::mem::take(&mut self.words);
        words.feed(bytes, |w| self.decode_words(w, out));
        self.words = words;
    }

    fn decode_words(&mut self, words: &[[u8; 8]], out: &mut EventBatch) {
        let mut rest = words;
        #[cfg(target_arch = "x86_64")]
        if self.vectors {
            let swapped = self.order == HalfOrder::Swapped;
            while !rest.is_empty() {
                if self.time.known {
                    let (time, events) = (&mut self.time, &mut out.events);
                    // SAFETY: `vectors` says that the CPU has the instructions.
                    let done =
                        unsafe { super::avx2::evt21(rest, swapped, time, self.geometry, events) };
                    rest = &rest[done..];
                }
                let (unusual, later) = rest.split_at(rest.len().min(8));
                self.decode_portably(unusual, out);
                rest = later;
            }
        }
        self.decode_portably(rest, out);
    }

    /// One word after the other.
    fn decode_portably(&mut self, words: &[[u8; 8]], out: &mut EventBatch) {
        for &bytes in words {
            let word = match self.order {
                HalfOrder::LittleEndian => u64::from_le_bytes(bytes),
                HalfOrder::Swapped => u64::from_le_bytes(bytes).rotate_right(32),
            };
            let (upper, mask) = ((word >> 32) as u32, word as u32);
            let t_us = self.time.base_us | u64::from(upper >> 22 & 0x3F);
            let kind = upper >> 28;
            match kind {
                CD_OFF | CD_ON if !self.time.known => {
                    self.counts.unsynced += u64::from(mask.count_ones());
                }
                CD_OFF | CD_ON => self.vector(upper, mask, t_us, out),
                TIME_HIGH => self.time.set(upper),
                EXT_TRIGGER if !self.time.known => self.counts.unsynced += 1,
                EXT_TRIGGER => out.triggers.push(Trigger {
                    t_us,
                    id: (upper >> 8 & 0x1F) as u8,
                    rising: upper & 1 != 0,
                }),
                OTHERS | CONTINUED => {}
                _ => self.counts.unknown_words += 1,
            }
        }
    }

    fn vector(&mut self, upper: u32, mut mask: u32, t_us: u64, out: &mut EventBatch) {
        let (base, y) = ((upper >> 11 & 0x7FF) as u16, (upper & 0x7FF) as u16);
        while mask != 0 {
            let event = Event {
                t_us,
                x: base + mask.trailing_zeros() as u16,
                y,
                on: upper >> 28 == CD_ON,
            };
            if event.x < self.geometry.width && event.y < self.geometry.height {
                out.events.push(event);
            } else {
                self.counts.outside += 1;
            }
            mask &= mask - 1;
        }
    }
}

/// Encodes events as EVT2.1. Events that share time, row and polarity, ascend and
/// lie in the same 32 columns (from a multiple of 32 on) share a word.
#[derive(Debug, Clone, Default)]
pub struct Evt21Encoder {
    order: HalfOrder,
    clock: HighClock,
}

impl Evt21Encoder {
    /// An encoder at the start of a stream.
    pub fn new(order: HalfOrder) -> Self {
        Self {
            order,
            clock: HighClock::default(),
        }
    }

    /// Appends the words of `events` to `out`.
    ///
    /// # Errors
    /// As [`Evt2Encoder::encode`](super::Evt2Encoder::encode).
    pub fn encode(&mut self, events: &[Event], out: &mut Vec<u8>) -> Result<(), EventError> {
        let mut i = 0;
        while let Some(first) = events.get(i) {
            let refuse = |why| EventError::unencodable(i, *first, "evt21", why);
            if first.x > 0x7FF || first.y > 0x7FF {
                return Err(refuse("addresses go up to 2047"));
            }
            let high = self.clock.tell(first.t_us).map_err(refuse)?;
            self.put_high(high, out);
            let (mut mask, mut last) = (0u32, first.x);
            for e in &events[i..] {
                let alike =
                    (e.t_us, e.y, e.on, e.x >> 5) == (first.t_us, first.y, first.on, first.x >> 5);
                if !alike || mask != 0 && e.x <= last {
                    break;
                }
                mask |= 1 << (e.x & 31);
                last = e.x;
            }
            let kind = if first.on { CD_ON } else { CD_OFF };
            let low = (first.t_us & 0x3F) as u32;
            let base = u32::from(first.x & !31);
            self.put(
                kind << 28 | low << 22 | base << 11 | u32::from(first.y),
                mask,
                out,
            );
            i += mask.count_ones() as usize;
        }
        Ok(())
    }

    /// Appends a trigger; false if its time or number cannot be said.
    pub fn encode_trigger(&mut self, trigger: Trigger, out: &mut Vec<u8>) -> bool {
        let Some(word) = trigger_word(trigger) else {
            return false;
        };
        let Ok(high) = self.clock.tell(trigger.t_us) else {
            return false;
        };
        self.put_high(high, out);
        self.put(word, 0, out);
        true
    }

    /// Has the next event tell the time anew, so that decoding can start there.
    pub fn tell_anew(&mut self) {
        self.clock.tell_anew();
    }

    fn put_high(&self, high: Option<u32>, out: &mut Vec<u8>) {
        if let Some(high) = high {
            self.put(TIME_HIGH << 28 | high, 0, out);
        }
    }

    fn put(&self, upper: u32, lower: u32, out: &mut Vec<u8>) {
        let word = u64::from(upper) << 32 | u64::from(lower);
        let word = match self.order {
            HalfOrder::LittleEndian => word,
            HalfOrder::Swapped => word.rotate_left(32),
        };
        out.extend_from_slice(&word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(kind: u64, t: u64, x: u64, y: u64, mask: u64) -> u64 {
        kind << 60 | t << 54 | x << 43 | y << 32 | mask
    }

    #[test]
    fn both_half_orders_give_the_same_events() {
        let words = [
            word(1, 5, 32, 7, 1),
            0x8 << 60 | 3 << 32,
            word(1, 5, 32, 7, 0x8000_0001),
            word(0, 6, 0, 9, 0b10),
            word(0xA, 7, 0, 0, 0) | 1 << 32 | 4 << 40,
            word(3, 0, 0, 0, 0),
        ];
        let little: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let swapped: Vec<u8> = (words.iter())
            .flat_map(|w| w.rotate_left(32).to_le_bytes())
            .collect();
        let geometry = Geometry {
            width: 60,
            height: 10,
        };
        for (bytes, order) in [
            (little, HalfOrder::LittleEndian),
            (swapped, HalfOrder::Swapped),
        ] {
            let mut out = EventBatch::default();
            let mut decoder = Evt21Decoder::new(geometry, order);
            bytes.chunks(3).for_each(|c| decoder.decode(c, &mut out));
            let event = |t_us, x, y, on| Event { t_us, x, y, on };
            assert_eq!(
                out.events,
                [event(197, 32, 7, true), event(198, 1, 9, false)]
            );
            let trigger = Trigger {
                t_us: 199,
                id: 4,
                rising: true,
            };
            assert_eq!(out.triggers, [trigger]);
            let counts = DecodeCounts {
                unknown_words: 1,
                outside: 1,
                unsynced: 1,
                torn_bytes: 0,
            };
            assert_eq!(decoder.counts(), counts);
        }
    }
}
