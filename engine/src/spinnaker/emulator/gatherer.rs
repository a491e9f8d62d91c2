//! The live packet gatherer: collects keys, and sends them off with their tick.

use crate::spinnaker::eieio::{Header, Writer};

/// Keys in a packet of the gatherer.
pub const PACKET_KEYS: usize = 64;
/// Keys that a real gatherer holds.
pub const FIFO: usize = 256;

/// Keys on their way out of the board.
#[derive(Debug)]
pub(super) struct Gatherer {
    keys: Vec<u32>,
    capacity: usize,
    /// Keys that found it full.
    pub(super) overflow: u64,
}

impl Gatherer {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            keys: Vec::new(),
            capacity,
            overflow: 0,
        }
    }

    pub(super) fn push(&mut self, key: u32) {
        if self.keys.len() < self.capacity {
            self.keys.push(key);
        } else {
            self.overflow += 1;
        }
    }

    /// Sends what it holds, all of this tick; `send` is given packets and the keys in each.
    pub(super) fn flush(&mut self, tick: u32, mut send: impl FnMut(&[u8], usize)) {
        let mut packet = [0; 6 + 4 * PACKET_KEYS];
        for keys in self.keys.chunks(PACKET_KEYS) {
            // The buffer holds the header and 64 keys of 32 bits: nothing is refused.
            let Ok(mut writer) = Writer::new(&mut packet, Header::at_tick(tick)) else {
                continue;
            };
            for &key in keys {
                let _ = writer.push(key, None);
            }
            let n = writer.finish();
            send(&packet[..n], keys.len());
        }
        self.keys.clear();
    }
}
