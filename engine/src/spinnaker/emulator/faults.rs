//! What a network may do to packets.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Shares of packets that something happens to, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Lost.
    pub lost: f64,
    /// Delivered twice.
    pub duplicated: f64,
    /// Delivered after the next one.
    pub reordered: f64,
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
            counts: FaultCounts::default(),
        }
    }

    /// Puts a packet on the line; `deliver` is given what comes out.
    pub fn pass(&mut self, packet: &[u8], deliver: &mut dyn FnMut(&[u8])) {
        let draw: f64 = self.rng.random();
        let Faults {
            lost,
            duplicated,
            reordered,
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
        deliver(packet);
        if draw < lost + duplicated {
            self.counts.duplicated += 1;
            deliver(packet);
        }
        if let Some(held) = self.held.take() {
            deliver(&held);
        }
    }
}
