//! Prophesee EVT2: words of 32 bits whose upper four tell their type.
//!
//! An event word holds the lower 6 bits of its time; `TIME_HIGH` tells the 28
//! above them. A wrap (after 4.8 h) shows as `TIME_HIGH` falling by half its
//! range or more.

use saccade_msgs::Event;

use super::words::Words;
use super::{DecodeCounts, EventBatch, EventError, Geometry, Trigger, has_vectors};

pub(super) const CD_OFF: u32 = 0x0;
pub(super) const CD_ON: u32 = 0x1;
pub(super) const TIME_HIGH: u32 = 0x8;
pub(super) const EXT_TRIGGER: u32 = 0xA;
pub(super) const OTHERS: u32 = 0xE;
pub(super) const CONTINUED: u32 = 0xF;

/// The clock of EVT2 and EVT2.1: what `TIME_HIGH` words have told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HighTime {
    /// Time of the last `TIME_HIGH` with the rounds before it, µs.
    pub base_us: u64,
    pub known: bool,
}

impl HighTime {
    const BITS: u32 = 28;

    /// Takes the 28 bits of a `TIME_HIGH` word.
    pub fn set(&mut self, high: u32) {
        let high = u64::from(high & ((1 << Self::BITS) - 1));
        let last = self.base_us >> 6 & ((1 << Self::BITS) - 1);
        let mut rounds = self.base_us >> (Self::BITS + 6);
        if last >= high + (1 << (Self::BITS - 1)) {
            rounds += 1;
        }
        self.base_us = rounds << (Self::BITS + 6) | high << 6;
        self.known = true;
    }
}

/// Decodes an EVT2 stream; see the [module](self).
#[derive(Debug, Clone)]
pub struct Evt2Decoder {
    geometry: Geometry,
    words: Words<4>,
    time: HighTime,
    counts: DecodeCounts,
    pub(super) vectors: bool,
}

impl Evt2Decoder {
    /// A decoder at the start of a stream. Events outside of `geometry` are counted,
    /// not passed on.
    pub fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
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

    fn decode_words(&mut self, words: &[[u8; 4]], out: &mut EventBatch) {
        let skip = if self.time.known {
            0
        } else {
            self.skip_to_time(words)
        };
        let mut rest = &words[skip..];
        #[cfg(target_arch = "x86_64")]
        if self.vectors {
            while rest.len() >= 8 {
                // SAFETY: `vectors` says that the CPU has the instructions.
                let done = unsafe {
                    super::avx2::evt2(rest, &mut self.time, self.geometry, &mut out.events)
                };
                let (unusual, later) = rest[done..].split_at((rest.len() - done).min(8));
                self.decode_portably(unusual, out);
                rest = later;
            }
        }
        self.decode_portably(rest, out);
    }

    /// One word after the other, from a `TIME_HIGH` on.
    fn decode_portably(&mut self, words: &[[u8; 4]], out: &mut EventBatch) {
        let Geometry { width, height } = self.geometry;
        let mut time = self.time;
        let mut outside = 0u64;
        let mut unknown = 0u64;
        out.events.reserve(words.len());
        for &bytes in words {
            let word = u32::from_le_bytes(bytes);
            let kind = word >> 28;
            match kind {
                CD_OFF | CD_ON => {
                    let event = Event {
                        t_us: time.base_us | u64::from(word >> 22 & 0x3F),
                        x: (word >> 11 & 0x7FF) as u16,
                        y: (word & 0x7FF) as u16,
                        on: kind == CD_ON,
                    };
                    if event.x < width && event.y < height {
                        out.events.push(event);
                    } else {
                        outside += 1;
                    }
                }
                TIME_HIGH => time.set(word),
                EXT_TRIGGER => out.triggers.push(Trigger {
                    t_us: time.base_us | u64::from(word >> 22 & 0x3F),
                    id: (word >> 8 & 0x1F) as u8,
                    rising: word & 1 != 0,
                }),
                OTHERS | CONTINUED => {}
                _ => unknown += 1,
            }
        }
        self.time = time;
        self.counts.outside += outside;
        self.counts.unknown_words += unknown;
    }

    /// Index of the first `TIME_HIGH`; events before it are counted as unsynced.
    fn skip_to_time(&mut self, words: &[[u8; 4]]) -> usize {
        for (i, &bytes) in words.iter().enumerate() {
            match u32::from_le_bytes(bytes) >> 28 {
                TIME_HIGH => return i,
                CD_OFF | CD_ON | EXT_TRIGGER => self.counts.unsynced += 1,
                OTHERS | CONTINUED => {}
                _ => self.counts.unknown_words += 1,
            }
        }
        words.len()
    }
}

/// Encodes events as EVT2.
#[derive(Debug, Clone, Default)]
pub struct Evt2Encoder {
    clock: HighClock,
}

/// What an encoder of EVT2 or EVT2.1 has told of the time.
#[derive(Debug, Clone, Default)]
pub(super) struct HighClock {
    /// The last `TIME_HIGH`.
    high: Option<u64>,
    /// Whether it is to be told again.
    anew: bool,
}

impl HighClock {
    /// The 28 bits of the `TIME_HIGH` that must come before an event or trigger
    /// of that time, if one must.
    pub fn tell(&mut self, t_us: u64) -> Result<Option<u32>, &'static str> {
        let high = t_us >> 6;
        if high >> HighTime::BITS != 0 {
            return Err("times go up to 2^34 us");
        }
        let half = 1 << (HighTime::BITS - 1);
        if self.high.is_some_and(|told| told >= high + half) {
            return Err("time steps back by 2.4 h or more");
        }
        let told = self.high.replace(high) == Some(high) && !self.anew;
        self.anew = false;
        Ok((!told).then_some(high as u32))
    }

    /// Has the next event tell the time anew.
    pub fn tell_anew(&mut self) {
        self.anew = true;
    }
}

/// The fields of a trigger in the upper or only half of a word; `None` if its
/// number has more than 5 bits.
pub(super) fn trigger_word(trigger: Trigger) -> Option<u32> {
    let id = u32::from(trigger.id);
    let low = (trigger.t_us & 0x3F) as u32;
    let word = EXT_TRIGGER << 28 | low << 22 | id << 8 | u32::from(trigger.rising);
    (id < 1 << 5).then_some(word)
}

impl Evt2Encoder {
    /// An encoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the words of `events` to `out`.
    ///
    /// # Errors
    /// If an address has more than 11 bits or a time more than 34 (4.8 h).
    /// Events before that one are written.
    pub fn encode(&mut self, events: &[Event], out: &mut Vec<u8>) -> Result<(), EventError> {
        for (i, e) in events.iter().enumerate() {
            if e.x > 0x7FF || e.y > 0x7FF {
                let why = "addresses go up to 2047";
                return Err(EventError::unencodable(i, *e, "evt2", why));
            }
            let high = (self.clock.tell(e.t_us))
                .map_err(|why| EventError::unencodable(i, *e, "evt2", why))?;
            if let Some(high) = high {
                out.extend_from_slice(&(TIME_HIGH << 28 | high).to_le_bytes());
            }
            let kind = if e.on { CD_ON } else { CD_OFF };
            let low = (e.t_us & 0x3F) as u32;
            let word = kind << 28 | low << 22 | u32::from(e.x) << 11 | u32::from(e.y);
            out.extend_from_slice(&word.to_le_bytes());
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
        if let Some(high) = high {
            out.extend_from_slice(&(TIME_HIGH << 28 | high).to_le_bytes());
        }
        out.extend_from_slice(&word.to_le_bytes());
        true
    }

    /// Has the next event tell the time anew, so that decoding can start there.
    pub fn tell_anew(&mut self) {
        self.clock.tell_anew();
    }
}

#[cfg(test)]
#[path = "evt2_tests.rs"]
mod tests;
