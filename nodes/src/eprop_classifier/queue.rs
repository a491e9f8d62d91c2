//! Spikes that wait for their tick.

use std::collections::VecDeque;

/// Spikes that may wait.
const MOST: usize = 1 << 20;
/// A message that comes later than the promptest by so much has lost a tick on its way.
const LATE_NS: i64 = 750_000;
/// How fast the promptest message is forgotten, each message: a clock may drift.
const FORGOTTEN_NS: i64 = 2_000;

/// A spike that waits: for which tick, at which input, when its packet came.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    due_tick: u64,
    pub input: u32,
    pub origin_ns: i64,
}

/// Waiting spikes in the order in which they came.
pub struct Queue {
    waiting: VecDeque<Waiting>,
    /// From the stamp of the promptest message to its coming.
    lag_ns: Option<i64>,
}

impl Queue {
    pub fn new() -> Self {
        Queue {
            waiting: VecDeque::with_capacity(1 << 14),
            lag_ns: None,
        }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets all spikes and says how many they were.
    pub fn clear(&mut self) -> u64 {
        let left = self.waiting.len() as u64;
        self.waiting.clear();
        left
    }

    /// How many ticks (0 or 1) the later spikes of a message can come sooner than their
    /// offsets say, for a message of this stamp that comes now.
    ///
    /// Where packets are not as long as a tick, one in some has two of them (packets of
    /// 1024 us: one in 42). It comes late by nearly a tick already, as measured on the
    /// promptest, and its second tick would come a tick later still, together with the
    /// first of the next packet.
    pub fn ahead(&mut self, stamp_ns: i64, now_ns: i64) -> u64 {
        let lag_ns = now_ns.saturating_sub(stamp_ns);
        let least_ns = (self.lag_ns).map_or(lag_ns, |l| l.saturating_add(FORGOTTEN_NS));
        let least_ns = least_ns.min(lag_ns);
        self.lag_ns = Some(least_ns);
        u64::from(lag_ns.saturating_sub(least_ns) >= LATE_NS)
    }

    /// Adds a spike; `false` if there is no room.
    pub fn push(&mut self, due_tick: u64, input: u32, origin_ns: i64) -> bool {
        let room = self.waiting.len() < MOST;
        if room {
            self.waiting.push_back(Waiting {
                due_tick,
                input,
                origin_ns,
            });
        }
        room
    }

    /// The next spike that is due at a tick.
    pub fn due(&mut self, tick: u64) -> Option<Waiting> {
        match self.waiting.front() {
            Some(waiting) if waiting.due_tick <= tick => self.waiting.pop_front(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 1024 us, each 360 us on its way, of an encoder with ticks of 1000 us:
    /// those with two ticks are ahead by one, and no other is.
    #[test]
    fn the_second_tick_of_a_packet_is_not_late() {
        let mut queue = Queue::new();
        let mut ticks = 0;
        let mut doubles = 0;
        for packet in 1..=420_i64 {
            let arrival_ns = packet * 1_024_000 + 360_000;
            let last = (packet * 1_024_000 - 1000) / 1_000_000;
            let first = ticks;
            let double = last > first;
            let ahead = queue.ahead(first * 1_000_000, arrival_ns);
            if packet > 42 && double {
                assert_eq!(ahead, 1, "packet {packet}");
                doubles += 1;
            }
            ticks = first.max(last) + 1;
        }
        assert_eq!(doubles, 9);
    }

    /// Packets of any one length that come steadily keep their offsets.
    #[test]
    fn steady_packets_keep_their_place() {
        for length_us in [500, 1000, 4000, 10_000] {
            let mut queue = Queue::new();
            for packet in 0..200_i64 {
                let stamp_ns = packet * length_us * 1000;
                let jitter_ns = packet * 7919 % 300_000;
                let ahead = queue.ahead(stamp_ns, stamp_ns + length_us * 1000 + jitter_ns);
                assert_eq!(ahead, 0, "{length_us} us, packet {packet}");
            }
        }
    }

    /// After a step of the clock that makes stamps older, messages are no longer taken for late.
    #[test]
    fn a_step_of_the_clock_is_forgotten() {
        let mut queue = Queue::new();
        queue.ahead(0, 1_000_000);
        let late = (1..2000).map(|i| queue.ahead(i * 1_000_000, i * 1_000_000 + 5_000_000));
        assert_eq!(late.last(), Some(0));
    }

    #[test]
    fn what_is_full_takes_no_more() {
        let mut queue = Queue::new();
        for i in 0..MOST {
            assert!(queue.push(1, i as u32, 0));
        }
        assert!(!queue.push(1, 0, 0));
        assert_eq!(queue.due(0).map(|w| w.input), None);
        assert_eq!(queue.due(1).map(|w| w.input), Some(0));
        assert_eq!(queue.clear(), MOST as u64 - 1);
    }
}
