//! Prophesee DAT: after the header two bytes (event type, event size), then 8
//! bytes per event: u32 µs, u32 with column 13-0, row 27-14, polarity 28.

use saccade_msgs::Event;

use super::words::Words;
use super::{DecodeCounts, EventBatch, Geometry, has_vectors};

/// Decodes the events of a DAT file.
#[derive(Debug, Clone)]
pub struct DatDecoder {
    geometry: Geometry,
    words: Words<8>,
    rounds_us: u64,
    last: u32,
    counts: DecodeCounts,
    pub(super) vectors: bool,
}

impl DatDecoder {
    /// A decoder at the first event. Events outside of `geometry` are counted, not
    /// passed on.
    pub fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            words: Words::default(),
            rounds_us: 0,
            last: 0,
            counts: DecodeCounts::default(),
            vectors: has_vectors(),
        }
    }

    /// What could not be turned into events so far.
    pub fn counts(&self) -> DecodeCounts {
        self.counts
    }

    /// Tells that the stream has ended.
    pub fn finish(&mut self) {
        self.counts.torn_bytes += self.words.drop_rest();
    }

    /// Decodes the next piece of the file and appends what it holds to `out`.
    pub fn decode(&mut self, bytes: &[u8], out: &mut EventBatch) {
        let mut words = std::mem::take(&mut self.words);
        words.feed(bytes, |w| self.decode_words(w, out));
        self.words = words;
    }

    fn decode_words(&mut self, words: &[[u8; 8]], out: &mut EventBatch) {
        let mut rest = words;
        #[cfg(target_arch = "x86_64")]
        if self.vectors {
            while rest.len() >= 4 {
                let (last, events) = (&mut self.last, &mut out.events);
                // SAFETY: `vectors` says that the CPU has the instructions.
                let done =
                    unsafe { super::avx2::dat(rest, self.rounds_us, last, self.geometry, events) };
                let (unusual, later) = rest[done..].split_at((rest.len() - done).min(4));
                self.decode_portably(unusual, out);
                rest = later;
            }
        }
        self.decode_portably(rest, out);
    }

    /// One event after the other.
    fn decode_portably(&mut self, words: &[[u8; 8]], out: &mut EventBatch) {
        out.events.reserve(words.len());
        for &bytes in words {
            let word = u64::from_le_bytes(bytes);
            let (t, address) = (word as u32, (word >> 32) as u32);
            // The clock wraps after 71 minutes.
            if self.last.saturating_sub(t) >= 1 << 31 {
                self.rounds_us += 1 << 32;
            }
            self.last = t;
            let event = Event {
                t_us: self.rounds_us | u64::from(t),
                x: (address & 0x3FFF) as u16,
                y: (address >> 14 & 0x3FFF) as u16,
                on: address >> 28 & 1 != 0,
            };
            if event.x < self.geometry.width && event.y < self.geometry.height {
                out.events.push(event);
            } else {
                self.counts.outside += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_wrap() {
        let words = [
            u64::from(u32::MAX) | (5 | 7 << 14 | 1 << 28) << 32,
            2 | (16383 | 3 << 14) << 32,
            3 | (1 | 2 << 14) << 32,
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|w: &u64| w.to_le_bytes()).collect();
        let mut out = EventBatch::default();
        let mut decoder = DatDecoder::new(Geometry {
            width: 640,
            height: 480,
        });
        bytes.chunks(5).for_each(|c| decoder.decode(c, &mut out));
        let event = |t_us, x, y, on| Event { t_us, x, y, on };
        assert_eq!(
            out.events,
            [
                event(u64::from(u32::MAX), 5, 7, true),
                event((1 << 32) + 3, 1, 2, false)
            ]
        );
        assert_eq!(decoder.counts().outside, 1);
    }
}
