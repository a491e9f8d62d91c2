//! Synthetic streams, the same for the same seed, as sensors send them: words of all
//! types in an order that nothing can foresee. For tests and for measuring.

/// SplitMix64.
#[derive(Debug, Clone)]
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

/// What a stream is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// EVT3 of a quiet scene: single events, about 7.7 bytes for each.
    Evt3Sparse,
    /// EVT3 of a busy scene: single events and vectors, about 2.8 bytes per event.
    Evt3Dense,
    /// EVT2.
    Evt2 {
        /// Mean time between two events, µs.
        mean_us: u64,
    },
    /// EVT2.1, about 4 events to a word.
    Evt21,
    /// The events of a DAT file.
    Dat,
}

/// A stream of 1280 x 720 pixels, as long as it is asked to go on.
#[derive(Debug, Clone)]
pub struct Stream {
    kind: Kind,
    random: Random,
    t_us: u64,
    row: u64,
    bytes: Vec<u8>,
    events: usize,
}

impl Stream {
    /// Columns.
    pub const WIDTH: u16 = 1280;
    /// Rows.
    pub const HEIGHT: u16 = 720;

    /// A stream at its start.
    pub fn new(kind: Kind, seed: u64) -> Self {
        let mut stream = Self {
            kind,
            random: Random(seed),
            t_us: 0,
            row: 0,
            bytes: Vec::new(),
            events: 0,
        };
        match kind {
            Kind::Evt3Sparse | Kind::Evt3Dense => {
                [8, 6, 0].into_iter().for_each(|k| stream.put(k, 0))
            }
            Kind::Evt2 { .. } => stream.put32(8 << 28),
            Kind::Evt21 => stream.put64(8 << 60),
            Kind::Dat => {}
        }
        stream
    }

    /// Goes on by at least `events` events; returns their bytes and their number.
    pub fn more(&mut self, events: usize) -> (&[u8], usize) {
        // What `new` put is the start of the first piece.
        if self.events > 0 {
            self.bytes.clear();
        }
        let until = self.events + events;
        let before = self.events;
        while self.events < until {
            match self.kind {
                Kind::Evt3Sparse => self.evt3_sparse(),
                Kind::Evt3Dense => self.evt3_dense(),
                Kind::Evt2 { mean_us } => self.evt2(mean_us),
                Kind::Evt21 => self.evt21(),
                Kind::Dat => self.dat(),
            }
        }
        (&self.bytes, self.events - before)
    }

    fn put(&mut self, kind: u64, value: u64) {
        let word = kind << 12 | value & 0xFFF;
        self.bytes.extend_from_slice(&(word as u16).to_le_bytes());
    }

    fn put32(&mut self, word: u64) {
        self.bytes.extend_from_slice(&(word as u32).to_le_bytes());
    }

    fn put64(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    fn evt3_sparse(&mut self) {
        let us = self.random.below(40);
        self.pass(us);
        let row = self.random.below(720);
        self.go_to_row(row);
        self.single();
    }

    fn evt3_dense(&mut self) {
        let us = self.random.below(4);
        self.pass(us);
        let row = self.random.below(720);
        self.go_to_row(row);
        for _ in 0..=self.random.below(4) {
            if self.random.below(2) == 0 {
                self.single();
            } else {
                self.vector(2);
            }
        }
    }

    /// Lets EVT3's time pass; sensors tell `TIME_HIGH` anew every 16 µs.
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

    fn evt2(&mut self, mean_us: u64) {
        let next = self.t_us + self.random.below(2 * mean_us + 1);
        if next >> 6 != self.t_us >> 6 {
            self.put32(8 << 28 | (next >> 6) & 0xFFF_FFFF);
        }
        self.t_us = next;
        let (x, y, on) = self.place();
        self.put32(on << 28 | (next & 0x3F) << 22 | x << 11 | y);
        self.events += 1;
    }

    fn evt21(&mut self) {
        let next = self.t_us + self.random.below(5);
        if next >> 6 != self.t_us >> 6 {
            self.put64(8 << 60 | ((next >> 6) & 0xFFF_FFFF) << 32);
        }
        self.t_us = next;
        let mask = u64::from(self.random.mask(16, 2)) << 16 | u64::from(self.random.mask(16, 2));
        let (x, y, on) = (
            self.random.below(40) * 32,
            self.random.below(720),
            self.random.below(2),
        );
        self.events += mask.count_ones() as usize;
        self.put64(on << 60 | (next & 0x3F) << 54 | x << 43 | y << 32 | mask);
    }

    fn dat(&mut self) {
        self.t_us += self.random.below(3);
        let (x, y, on) = self.place();
        self.put64((on << 28 | y << 14 | x) << 32 | self.t_us & 0xFFFF_FFFF);
        self.events += 1;
    }

    fn place(&mut self) -> (u64, u64, u64) {
        (
            self.random.below(1280),
            self.random.below(720),
            self.random.below(2),
        )
    }
}

/// A stream of at least `events` events, and how many.
pub fn stream(kind: Kind, events: usize, seed: u64) -> (Vec<u8>, usize) {
    let mut stream = Stream::new(kind, seed);
    let (_, events) = stream.more(events);
    (stream.bytes, events)
}
