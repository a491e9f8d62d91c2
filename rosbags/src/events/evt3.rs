//! Prophesee EVT3: words of 16 bits whose upper four tell their type.
//!
//! A row (`ADDR_Y`), a time (`TIME_HIGH`, `TIME_LOW`) and a base column
//! (`VECT_BASE_X`) hold until they are told anew. `ADDR_X` is an event;
//! `VECT_12` and `VECT_8` are up to 12 or 8 events at the base column and after
//! it, which they move on. Time has 24 bits of microseconds: a wrap shows as
//! `TIME_HIGH` falling by half its range or more. Sensors really send `TIME_LOW`
//! (and `TIME_HIGH`) values a little below the last, which are taken as they are.

use saccade_msgs::Event;

use super::words::Words;
use super::{DecodeCounts, EventBatch, EventError, Geometry, Trigger, has_vectors};

const ADDR_Y: u16 = 0x0;
const ADDR_X: u16 = 0x2;
const VECT_BASE_X: u16 = 0x3;
const VECT_12: u16 = 0x4;
const VECT_8: u16 = 0x5;
pub(super) const TIME_LOW: u16 = 0x6;
const CONTINUED_4: u16 = 0x7;
pub(super) const TIME_HIGH: u16 = 0x8;
const EXT_TRIGGER: u16 = 0xA;
const IMU: u16 = 0xD;
const OTHERS: u16 = 0xE;
const CONTINUED_12: u16 = 0xF;

/// One round of the 24-bit clock, in µs.
const ROUND_US: u64 = 1 << 24;
/// Range of `TIME_HIGH`.
const HIGHS: u64 = 1 << 12;
/// Half the range of `TIME_HIGH`: a fall by this much is a wrap.
const HALF_HIGH: u64 = HIGHS / 2;
/// A rise of `TIME_HIGH` by its range less this (65 ms) or more is a step back
/// over a wrap, not a jump of 16 s ahead.
const JITTER_HIGH: u64 = 16;
/// Bit 11: polarity, beside a column in bits 10-0.
pub(super) const POLARITY: u16 = 1 << 11;
pub(super) const ADDRESS: u16 = POLARITY - 1;

/// Decodes an EVT3 stream; see the [module](self).
#[derive(Debug, Clone)]
pub struct Evt3Decoder {
    geometry: Geometry,
    words: Words<2>,
    state: State,
    synced: Synced,
    counts: DecodeCounts,
    pub(super) vectors: bool,
}

/// What words leave for those that follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// Whole rounds of the clock and `TIME_HIGH`, µs.
    pub base_us: u64,
    /// `base_us` and `TIME_LOW`.
    pub t_us: u64,
    pub y: u16,
    /// Columns below this are inside: the width, or 0 while the row is outside.
    width: u16,
    pub base_x: u16,
    pub vector_on: bool,
}

/// Which parts of the state the stream has told since its start or a loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Synced {
    high: bool,
    low: bool,
    row: bool,
}

impl Synced {
    fn time(self) -> bool {
        self.high && self.low
    }

    fn all(self) -> bool {
        self.time() && self.row
    }
}

/// A base column outside of every sensor, for vectors that come before one is
/// told. (Sensors without vectors never tell one, so being in step cannot
/// depend on it.)
const NO_BASE: u16 = u16::MAX;

impl Evt3Decoder {
    /// A decoder at the start of a stream. Events outside of `geometry` are counted,
    /// not passed on.
    pub fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            words: Words::default(),
            state: State::START,
            synced: Synced::default(),
            counts: DecodeCounts::default(),
            vectors: has_vectors(),
        }
    }

    /// What could not be turned into events so far.
    pub fn counts(&self) -> DecodeCounts {
        self.counts
    }

    /// Tells that a part of the stream was lost: events are left out (and
    /// counted) until time and row are told anew. The rounds of the clock so
    /// far are kept.
    pub fn resync(&mut self) {
        self.counts.torn_bytes += self.words.drop_rest();
        self.synced = Synced::default();
        self.state.base_x = NO_BASE;
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

    fn decode_words(&mut self, words: &[[u8; 2]], out: &mut EventBatch) {
        let skip = if self.synced.all() {
            0
        } else {
            self.synchronise(words, out)
        };
        self.decode_synced(&words[skip..], out);
    }

    /// Words after which all state is known.
    fn decode_synced(&mut self, words: &[[u8; 2]], out: &mut EventBatch) {
        #[cfg(target_arch = "x86_64")]
        if self.vectors {
            let mut rest = words;
            while rest.len() >= 8 {
                // SAFETY: `vectors` says that the CPU has the instructions.
                let done = unsafe {
                    super::avx2::evt3(rest, &mut self.state, self.geometry, &mut out.events)
                };
                let (unusual, later) = rest[done..].split_at((rest.len() - done).min(8));
                self.decode_portably(unusual, out);
                rest = later;
            }
            return self.decode_portably(rest, out);
        }
        self.decode_portably(words, out);
    }

    /// One word after the other. The state lives in locals, which the compiler
    /// keeps in registers; the row's check against the sensor is folded into `width`.
    fn decode_portably(&mut self, words: &[[u8; 2]], out: &mut EventBatch) {
        let mut s = self.state;
        let mut outside = 0u64;
        let mut unknown = 0u64;
        out.events.reserve(words.len());
        for &bytes in words {
            let word = u16::from_le_bytes(bytes);
            match word >> 12 {
                ADDR_X => {
                    let x = word & ADDRESS;
                    if x < s.width {
                        out.events.push(Event {
                            t_us: s.t_us,
                            x,
                            y: s.y,
                            on: word & POLARITY != 0,
                        });
                    } else {
                        outside += 1;
                    }
                }
                ADDR_Y => s.set_row(word, self.geometry),
                VECT_BASE_X => s.set_base(word),
                VECT_12 => outside += s.vector(word & 0xFFF, 12, &mut out.events),
                VECT_8 => outside += s.vector(word & 0xFF, 8, &mut out.events),
                TIME_LOW => s.t_us = s.base_us | u64::from(word & 0xFFF),
                TIME_HIGH => s.set_time_high(word),
                EXT_TRIGGER => out.triggers.push(s.trigger(word)),
                CONTINUED_4 | IMU | OTHERS | CONTINUED_12 => {}
                _ => unknown += 1,
            }
        }
        self.state = s;
        self.counts.outside += outside;
        self.counts.unknown_words += unknown;
    }

    /// Follows the stream until all state is known, or to its end; returns how
    /// many words that took. Whatever is complete before is decoded already.
    fn synchronise(&mut self, words: &[[u8; 2]], out: &mut EventBatch) -> usize {
        for (i, &bytes) in words.iter().enumerate() {
            if self.synced.all() {
                return i;
            }
            let word = u16::from_le_bytes(bytes);
            let usable = match word >> 12 {
                ADDR_X | VECT_12 | VECT_8 => self.synced.all(),
                EXT_TRIGGER => self.synced.time(),
                TIME_LOW => {
                    // A low part without its high part is no time.
                    self.synced.low = self.synced.high;
                    true
                }
                TIME_HIGH => {
                    self.synced.high = true;
                    true
                }
                ADDR_Y => {
                    self.synced.row = true;
                    true
                }
                _ => true,
            };
            if usable {
                self.decode_synced(&words[i..=i], out);
            } else {
                let mask = match word >> 12 {
                    VECT_12 => word & 0xFFF,
                    VECT_8 => word & 0xFF,
                    _ => 1,
                };
                self.counts.unsynced += u64::from(mask.count_ones());
            }
        }
        words.len()
    }
}

impl State {
    /// Before the first word.
    pub const START: Self = Self {
        base_us: 0,
        t_us: 0,
        y: 0,
        width: 0,
        base_x: NO_BASE,
        vector_on: false,
    };

    pub fn set_row(&mut self, word: u16, geometry: Geometry) {
        self.y = word & ADDRESS;
        self.width = if self.y < geometry.height {
            geometry.width
        } else {
            0
        };
    }

    fn set_base(&mut self, word: u16) {
        self.base_x = word & ADDRESS;
        self.vector_on = word & POLARITY != 0;
    }

    pub fn set_time_high(&mut self, word: u16) {
        let high = u64::from(word & 0xFFF);
        let last = self.base_us / (1 << 12) % HIGHS;
        if high == last {
            return;
        }
        let mut rounds = self.base_us / ROUND_US;
        if last >= high + HALF_HIGH {
            rounds += 1;
        } else if high + JITTER_HIGH >= last + HIGHS {
            rounds = rounds.saturating_sub(1);
        }
        self.base_us = rounds * ROUND_US + (high << 12);
        // The old low part belongs to the old high part; a new one comes next.
        self.t_us = self.base_us;
    }

    fn trigger(&self, word: u16) -> Trigger {
        Trigger {
            t_us: self.t_us,
            id: (word >> 8 & 0xF) as u8,
            rising: word & 1 != 0,
        }
    }

    /// Appends the events of a vector word and moves the base on; returns how
    /// many lay outside of the sensor.
    fn vector(&mut self, mask: u16, columns: u16, events: &mut Vec<Event>) -> u64 {
        let base = self.base_x;
        self.base_x = base.saturating_add(columns);
        let inside = self.width.saturating_sub(base);
        let seen = if inside >= columns {
            mask
        } else {
            mask & ((1 << inside) - 1)
        };
        let mut left = seen;
        while left != 0 {
            events.push(Event {
                t_us: self.t_us,
                x: base + left.trailing_zeros() as u16,
                y: self.y,
                on: self.vector_on,
            });
            left &= left - 1;
        }
        u64::from((mask ^ seen).count_ones())
    }
}

/// Encodes events as EVT3, with vectors where events share time, row and
/// polarity and their columns ascend closely, as sensors do.
#[derive(Debug, Clone, Default)]
pub struct Evt3Encoder {
    /// What a decoder of the stream so far knows: (`TIME_HIGH` with rounds, `TIME_LOW`).
    time: Option<(u64, u16)>,
    row: Option<u16>,
    /// Whether time is to be told again.
    anew: bool,
}

impl Evt3Encoder {
    /// Times up to this can be written, in µs (about three days): rounds of the
    /// clock can only be told one after the other.
    pub const MAX_T_US: u64 = 1 << 38;

    /// An encoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the words of `events` to `out`. Decoding gives the same events
    /// in the same order.
    ///
    /// # Errors
    /// If an address has more than 11 bits, a time is over
    /// [`MAX_T_US`](Self::MAX_T_US), or time steps back further than a decoder
    /// can tell from a wrap (8 s; over the end of a round of the clock 65 ms).
    /// Events before that one are written.
    pub fn encode(&mut self, events: &[Event], out: &mut Vec<u8>) -> Result<(), EventError> {
        let mut i = 0;
        while i < events.len() {
            let first = events[i];
            if let Err(why) = self.check(first) {
                return Err(EventError::unencodable(i, first, "evt3", why));
            }
            self.put_time(first.t_us, out);
            if self.row != Some(first.y) {
                put(out, ADDR_Y, first.y);
                self.row = Some(first.y);
            }
            let (mask, words) = shortest(vector_at(&events[i..]));
            if words == 1 {
                put(out, ADDR_X, first.x | polarity(first.on));
                i += 1;
                continue;
            }
            put(out, VECT_BASE_X, first.x | polarity(first.on));
            put(out, VECT_12, (mask & 0xFFF) as u16);
            if words > 2 {
                put(out, VECT_12, (mask >> 12 & 0xFFF) as u16);
            }
            if words > 3 {
                put(out, VECT_8, (mask >> 24) as u16);
            }
            i += mask.count_ones() as usize;
        }
        Ok(())
    }

    /// Appends a trigger; false if its time or number (of 4 bits) cannot be said.
    pub fn encode_trigger(&mut self, trigger: Trigger, out: &mut Vec<u8>) -> bool {
        if trigger.id > 0xF || self.check_time(trigger.t_us).is_err() {
            return false;
        }
        self.put_time(trigger.t_us, out);
        put(
            out,
            EXT_TRIGGER,
            u16::from(trigger.id) << 8 | u16::from(trigger.rising),
        );
        true
    }

    /// Has the next event tell time and row anew, so that decoding can start there.
    pub fn tell_anew(&mut self) {
        self.anew = true;
        self.row = None;
    }

    fn check(&self, event: Event) -> Result<(), &'static str> {
        if event.x > ADDRESS || event.y > ADDRESS {
            return Err("addresses go up to 2047");
        }
        self.check_time(event.t_us)
    }

    fn check_time(&self, t_us: u64) -> Result<(), &'static str> {
        if t_us > Self::MAX_T_US {
            return Err("times go up to 2^38 us");
        }
        let high = t_us >> 12;
        match self.time {
            Some((told, _)) if told >= high + HALF_HIGH => Err("time steps back by 8 s or more"),
            Some((told, _)) if told / HIGHS > high / HIGHS && told > high + JITTER_HIGH => {
                Err("time steps back by more than 65 ms over a round of the 24-bit clock")
            }
            _ => Ok(()),
        }
    }

    fn put_time(&mut self, t_us: u64, out: &mut Vec<u8>) {
        let (high, low) = (t_us >> 12, (t_us & 0xFFF) as u16);
        if self.time == Some((high, low)) && !self.anew {
            return;
        }
        let mut told = self.time.map(|(high, _)| high);
        // Decoders differ in what they take for a new round of the clock; the last
        // TIME_HIGH followed by the first, as sensors send them, all of them do.
        while told.unwrap_or(0) / HIGHS < high / HIGHS {
            if told.unwrap_or(0) % HIGHS <= JITTER_HIGH {
                // From here the last one would be a step back over the wrap.
                put(out, TIME_HIGH, HALF_HIGH as u16);
            }
            put(out, TIME_HIGH, (HIGHS - 1) as u16);
            put(out, TIME_HIGH, 0);
            told = Some((told.unwrap_or(0) / HIGHS + 1) * HIGHS);
        }
        // Long silences are told by steps that a decoder cannot misread.
        while high > told.unwrap_or(0) + HALF_HIGH {
            let next = told.unwrap_or(0) + HALF_HIGH;
            put(out, TIME_HIGH, (next & 0xFFF) as u16);
            told = Some(next);
        }
        if told != Some(high) || self.anew {
            put(out, TIME_HIGH, (high & 0xFFF) as u16);
        }
        put(out, TIME_LOW, low);
        self.time = Some((high, low));
        self.anew = false;
    }
}

/// Of a vector the columns (12, 24 or 32) that save the most words over one word
/// for each event, and how many words those take; one word if none does.
fn shortest(mask: u32) -> (u32, u32) {
    let parts = [(mask & 0xFFF, 2), (mask & 0xFF_FFFF, 3), (mask, 4)];
    let saved = |(mask, words): (u32, u32)| mask.count_ones().saturating_sub(words);
    let mut best = (mask & 1, 1);
    for part in parts {
        if saved(part) > saved(best) {
            best = part;
        }
    }
    best
}

/// The events at the start of `events` that one base and 32 columns can carry.
fn vector_at(events: &[Event]) -> u32 {
    let first = events[0];
    let mut mask = 1u32;
    let mut last = first.x;
    for e in &events[1..] {
        let same = e.t_us == first.t_us && e.y == first.y && e.on == first.on;
        if !same || e.x <= last || e.x - first.x >= 32 || e.x > ADDRESS {
            break;
        }
        mask |= 1 << (e.x - first.x);
        last = e.x;
    }
    mask
}

fn polarity(on: bool) -> u16 {
    if on { POLARITY } else { 0 }
}

fn put(out: &mut Vec<u8>, kind: u16, payload: u16) {
    out.extend_from_slice(&(kind << 12 | payload).to_le_bytes());
}

#[cfg(test)]
#[path = "evt3_tests.rs"]
mod tests;
