//! Synthetic streams, the same for the same seed, as sensors send them: words
//! of all types in an order that nothing can foresee.
//!
//! The tests of the decoders use them too.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn mask(&mut self, bits: u32, events_in_16: u64) -> u16 {
        let mask = (0..bits).fold(0, |m, _| m << 1 | u16::from(self.below(16) < events_in_16));
        mask.max(1 << self.below(u64::from(bits)))
    }
}

/// EVT3 with its clock; 1280 x 720 pixels.
struct Evt3 {
    random: Random,
    t_us: u64,
    row: u64,
    bytes: Vec<u8>,
    events: usize,
}

impl Evt3 {
    fn new(seed: u64) -> Self {
        let mut stream = Self {
            random: Random(seed),
            t_us: 0,
            row: 0,
            bytes: Vec::new(),
            events: 0,
        };
        for kind in [8, 6, 0] {
            stream.put(kind, 0);
        }
        stream
    }

    fn put(&mut self, kind: u64, value: u64) {
        let word = kind << 12 | value & 0xFFF;
        self.bytes.extend_from_slice(&(word as u16).to_le_bytes());
    }

    /// Lets time pass; sensors tell `TIME_HIGH` anew every 16 µs.
    fn pass(&mut self, us: u64) {
        let next = self.t_us + us;
        if next >> 4 != self.t_us >> 4 {
            self.put(8, next >> 12);
        }
        if us > 0 {
            self.put(6, next);
        }
        self.t_us = next;
    }

    fn go_to_row(&mut self, row: u64) {
        if row != self.row {
            self.put(0, row);
            self.row = row;
        }
    }

    fn single(&mut self) {
        let (x, on) = (self.random.below(1280), self.random.below(2));
        self.put(2, on << 11 | x);
        self.events += 1;
    }

    fn vector(&mut self, events_in_16: u64) {
        let (x, on) = (self.random.below(1280 / 32) * 32, self.random.below(2));
        self.put(3, on << 11 | x);
        for (kind, bits) in [(4, 12), (4, 12), (5, 8)] {
            let mask = self.random.mask(bits, events_in_16);
            self.put(kind, u64::from(mask));
            self.events += mask.count_ones() as usize;
            if self.random.below(3) == 0 {
                break;
            }
        }
    }
}

/// EVT3 with at least `events` events, and how many: single events of a quiet
/// scene, about 7.7 bytes for each.
pub fn evt3_sparse(events: usize, seed: u64) -> (Vec<u8>, usize) {
    let mut s = Evt3::new(seed);
    while s.events < events {
        let us = s.random.below(40);
        s.pass(us);
        let row = s.random.below(720);
        s.go_to_row(row);
        s.single();
    }
    (s.bytes, s.events)
}

/// EVT3 of a busy scene: single events and vectors, about 2.8 bytes for each event.
pub fn evt3_dense(events: usize, seed: u64) -> (Vec<u8>, usize) {
    let mut s = Evt3::new(seed);
    while s.events < events {
        let us = s.random.below(4);
        s.pass(us);
        let row = s.random.below(720);
        s.go_to_row(row);
        for _ in 0..=s.random.below(4) {
            if s.random.below(2) == 0 {
                s.single();
            } else {
                s.vector(2);
            }
        }
    }
    (s.bytes, s.events)
}

/// EVT2; `mean_us` between two of the events.
pub fn evt2(events: usize, mean_us: u64, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = 0x8000_0000_u32.to_le_bytes().to_vec();
    let mut t_us = 0;
    for _ in 0..events {
        let next = t_us + random.below(2 * mean_us + 1);
        if next >> 6 != t_us >> 6 {
            bytes.extend_from_slice(&(0x8000_0000 | (next >> 6) as u32).to_le_bytes());
        }
        t_us = next;
        let (x, y, on) = (random.below(1280), random.below(720), random.below(2));
        let word = on << 28 | (t_us & 0x3F) << 22 | x << 11 | y;
        bytes.extend_from_slice(&(word as u32).to_le_bytes());
    }
    bytes
}

/// EVT2.1 words, and how many events are in them.
pub fn evt21(words: usize, seed: u64) -> (Vec<u8>, usize) {
    let mut random = Random(seed);
    let mut bytes = (8_u64 << 60).to_le_bytes().to_vec();
    let (mut t_us, mut events) = (0, 0);
    for _ in 0..words {
        let next: u64 = t_us + random.below(5);
        if next >> 6 != t_us >> 6 {
            bytes.extend_from_slice(&(8_u64 << 60 | (next >> 6) << 32).to_le_bytes());
        }
        t_us = next;
        let mask = u64::from(random.mask(16, 2)) << 16 | u64::from(random.mask(16, 2));
        let (x, y, on) = (random.below(40) * 32, random.below(720), random.below(2));
        events += mask.count_ones() as usize;
        let word = on << 60 | (t_us & 0x3F) << 54 | x << 43 | y << 32 | mask;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    (bytes, events)
}

/// The events of a DAT file.
pub fn dat(events: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut t_us = 0;
    let mut bytes = Vec::new();
    for _ in 0..events {
        t_us += random.below(3);
        let (x, y, on) = (random.below(1280), random.below(720), random.below(2));
        let word = (on << 28 | y << 14 | x) << 32 | t_us;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}
