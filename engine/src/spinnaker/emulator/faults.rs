//! What a network may do to packets.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What happens to packets: shares of them, 0 to 1, and a delay of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Lost.
    pub lost: f64,
    /// Delivered twice.
    pub duplicated: f64,
    /// Delivered after the next one.
    pub reordered: f64,
    /// Ticks of the board that every packet takes longer.
    pub delay_ticks: u32,
}

/// How many packets something has happened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FaultCounts {
    /// Lost.
    pub lost: u64,
    /// Delivered twice.
    pub duplicated: u64,
    /// Delivered after the next one.
    pub reordered: u64,
}

/// One direction of a bad network.
#[derive(Debug)]
pub struct BadLine {
    faults: Faults,
    rng: ChaCha8Rng,
    held: Option<Vec<u8>>,
    /// Packets under way, and when they come.
    delayed: VecDeque<(u32, Vec<u8>)>,
    /// What it has done.
    pub counts: FaultCounts,
}

impl BadLine {
    /// A line with these faults, drawn from a seed.
    pub fn new(faults: Faults, seed: u64) -> Self {
        Self {
            faults,
            rng: ChaCha8Rng::seed_from_u64(seed),
            held: None,
            delayed: VecDeque::new(),
            counts: FaultCounts::default(),
        }
    }

    /// Puts a packet on the line in tick `now`; `deliver` is given what comes out at once.
    pub fn pass(&mut self, now: u32, packet: &[u8], deliver: &mut dyn FnMut(&[u8])) {
        let draw: f64 = self.rng.random();
        let Faults {
            lost,
            duplicated,
            reordered,
            ..
        } = self.faults;
        if draw < lost {
            self.counts.lost += 1;
            return;
        }
        if self.held.is_none() && draw >= 1.0 - reordered {
            self.counts.reordered += 1;
            self.held = Some(packet.to_vec());
            return;
        }
        self.carry(now, packet, deliver);
        if draw < lost + duplicated {
            self.counts.duplicated += 1;
            self.carry(now, packet, deliver);
        }
        if let Some(held) = self.held.take() {
            self.carry(now, &held, deliver);
        }
    }

    fn carry(&mut self, now: u32, packet: &[u8], deliver: &mut dyn FnMut(&[u8])) {
        match self.faults.delay_ticks {
            0 => deliver(packet),
            ticks => (self.delayed).push_back((now.saturating_add(ticks), packet.to_vec())),
        }
    }

    /// Delivers what has been under way long enough in tick `now`.
    pub fn arrive(&mut self, now: u32, deliver: &mut dyn FnMut(&[u8])) {
        while self.delayed.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, packet)) = self.delayed.pop_front() {
                deliver(&packet);
            }
        }
    }
}
