//! The board's ticks against local time.

/// How long delays are watched for their least, in microseconds.
const BLOCK_US: u64 = 1_000_000;

/// When the board's ticks happen, seen from here.
///
/// A packet of tick `t` comes at `offset + t * tick + delay`; the delay is never less than
/// that of a quiet network. So the least of `arrival - t * tick` over a second is the offset
/// (with that least delay in it), and how it moves from second to second is the drift of one
/// clock against the other.
#[derive(Clone, Debug)]
pub struct BoardClock {
    tick_us: f64,
    /// The first whole block: its middle, and the least difference in it.
    first: Option<(f64, f64)>,
    /// The last whole block, the same.
    last: Option<(f64, f64)>,
    block_start_us: u64,
    least_us: f64,
    seen: bool,
}

impl BoardClock {
    /// For ticks of this length.
    pub fn new(tick_us: u32) -> Self {
        Self {
            tick_us: tick_us.into(),
            first: None,
            last: None,
            block_start_us: 0,
            least_us: f64::INFINITY,
            seen: false,
        }
    }

    /// A packet of `tick` has come at this local time.
    pub fn packet(&mut self, tick: u32, now_us: u64) {
        if !self.seen {
            self.seen = true;
            self.block_start_us = now_us;
        }
        if now_us.saturating_sub(self.block_start_us) >= BLOCK_US {
            let middle = self.block_start_us as f64 + BLOCK_US as f64 / 2.0;
            let block = (middle, self.least_us);
            self.first.get_or_insert(block);
            self.last = Some(block);
            self.block_start_us = now_us;
            self.least_us = f64::INFINITY;
        }
        let difference = now_us as f64 - f64::from(tick) * self.tick_us;
        self.least_us = self.least_us.min(difference);
    }

    /// Local time in microseconds at which `tick` was done, but for the network's least
    /// delay; `None` before the first packet.
    pub fn time_us(&self, tick: u32) -> Option<f64> {
        let block = self.last.map_or(f64::INFINITY, |(_, least)| least);
        let offset = block.min(self.least_us);
        (self.seen).then(|| offset + f64::from(tick) * self.tick_us)
    }

    /// How much slower the board's clock is than ours, in parts per million; 0 until two
    /// seconds have been seen.
    pub fn drift_ppm(&self) -> f64 {
        match (self.first, self.last) {
            (Some((t0, d0)), Some((t1, d1))) if t1 > t0 => (d1 - d0) / (t1 - t0) * 1e6,
            _ => 0.0,
        }
    }
}
