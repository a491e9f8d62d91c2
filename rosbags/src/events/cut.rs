//! Cuts a stream of EVT words into packets by the time it tells, without changing
//! a word.
//!
//! As with camera drivers, a decoder's state lives on from packet to packet, so a
//! packet may begin with any word that tells the time. It begins with the
//! `TIME_HIGH` words before that one, so that most packets tell their time in full
//! and a decoder is soon in step again after a loss. Nothing is added: together
//! the packets are the bytes of the file.

use super::HalfOrder;
use super::evt2::{self, HighTime};
use super::evt3::{self, State};

/// A packet is no longer than this even if its stream tells no time.
pub(super) const MAX_PACKET: usize = 1 << 20;

/// Which words a stream is made of, and the time they have told.
#[derive(Debug, Clone)]
pub(super) enum Words {
    Evt2(HighTime),
    Evt21(HighTime, HalfOrder),
    Evt3 { state: State, high_known: bool },
}

/// What a word says about the time.
enum Told {
    Nothing,
    /// Half of it; the other half follows.
    High,
    /// In µs; a packet may begin here.
    Time(u64),
}

impl Words {
    /// Name of the packets' encoding.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Evt2(_) => "evt2",
            Self::Evt21(..) => "evt21",
            Self::Evt3 { .. } => "evt3",
        }
    }

    /// Bytes of a word.
    pub fn size(&self) -> usize {
        match self {
            Self::Evt2(_) => 4,
            Self::Evt21(..) => 8,
            Self::Evt3 { .. } => 2,
        }
    }

    /// Packets have no sign for swapped halves, so they are put in order.
    pub fn order_halves(&self, bytes: &mut [u8]) {
        if let Self::Evt21(_, HalfOrder::Swapped) = self {
            for word in bytes.as_chunks_mut::<8>().0 {
                word.rotate_left(4);
            }
        }
    }

    fn told(&mut self, word: &[u8]) -> Told {
        match (self, word) {
            (Self::Evt2(time), &[a, b, c, d]) => high(time, u32::from_le_bytes([a, b, c, d])),
            (Self::Evt21(time, order), &[a, b, c, d, e, f, g, h]) => {
                let upper = match order {
                    HalfOrder::LittleEndian => [e, f, g, h],
                    HalfOrder::Swapped => [a, b, c, d],
                };
                high(time, u32::from_le_bytes(upper))
            }
            (Self::Evt3 { state, high_known }, &[a, b]) => {
                let word = u16::from_le_bytes([a, b]);
                match word >> 12 {
                    evt3::TIME_HIGH => {
                        state.set_time_high(word);
                        *high_known = true;
                        Told::High
                    }
                    evt3::TIME_LOW if *high_known => {
                        state.t_us = state.base_us | u64::from(word & 0xFFF);
                        Told::Time(state.t_us)
                    }
                    _ => Told::Nothing,
                }
            }
            _ => Told::Nothing,
        }
    }
}

fn high(time: &mut HighTime, word: u32) -> Told {
    if word >> 28 != evt2::TIME_HIGH {
        return Told::Nothing;
    }
    time.set(word);
    Told::Time(time.base_us)
}

/// Finds where the packets of a stream end.
#[derive(Debug, Clone)]
pub(super) struct Cutter {
    words: Words,
    packet_us: u64,
    /// Bytes of the packet under way that were gone through.
    seen: usize,
    /// Where in it the `TIME_HIGH` words right before `seen` begin.
    highs: Option<usize>,
    /// When it began.
    begin_us: Option<u64>,
    /// First and latest time of all.
    first_us: Option<u64>,
    last_us: u64,
}

/// The end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes of the packet.
    pub length: usize,
    /// Latest time told in it or before, after the stream's first, µs.
    pub due_us: u64,
}

impl Cutter {
    pub fn new(words: Words, packet_us: u64) -> Self {
        Self {
            words,
            packet_us: packet_us.max(1),
            seen: 0,
            highs: None,
            begin_us: None,
            first_us: None,
            last_us: 0,
        }
    }

    pub fn words(&self) -> &Words {
        &self.words
    }

    /// Goes on through `bytes`, which begin with the packet under way and hold
    /// what was there at the last call; `None`: its end is not here.
    pub fn find(&mut self, bytes: &[u8]) -> Option<Cut> {
        let size = self.words.size();
        while let Some(word) = bytes.get(self.seen..self.seen + size) {
            if self.seen >= MAX_PACKET {
                return Some(self.cut(self.seen, self.begin_us));
            }
            match self.words.told(word) {
                Told::Nothing => self.highs = None,
                Told::High => {
                    self.highs.get_or_insert(self.seen);
                }
                Told::Time(t_us) => {
                    let length = self.highs.take().unwrap_or(self.seen);
                    self.first_us.get_or_insert(t_us);
                    let begin_us = *self.begin_us.get_or_insert(t_us);
                    if length > 0 && t_us >= begin_us.saturating_add(self.packet_us) {
                        self.seen += size;
                        let cut = self.cut(length, Some(t_us));
                        self.last_us = self.last_us.max(t_us);
                        return Some(cut);
                    }
                    self.last_us = self.last_us.max(t_us);
                }
            }
            self.seen += size;
        }
        None
    }

    /// The last packet, of whole words.
    pub fn rest(&mut self, bytes: &[u8]) -> Option<Cut> {
        let size = self.words.size();
        let length = bytes.len() / size * size;
        self.seen = length;
        (length > 0).then(|| self.cut(length, None))
    }

    fn cut(&mut self, length: usize, begin_us: Option<u64>) -> Cut {
        self.seen -= length;
        self.highs = None;
        self.begin_us = begin_us;
        Cut {
            length,
            due_us: self
                .last_us
                .saturating_sub(self.first_us.unwrap_or(self.last_us)),
        }
    }
}
