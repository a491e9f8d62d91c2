//! What is to go to the board: waits for its turn, and goes no faster than the board takes it.

use std::collections::VecDeque;

use crate::spinnaker::command::Core;
use crate::spinnaker::eieio::{Header, Kind, Writer};
use crate::spinnaker::sdp::{MAX_DATAGRAM, SDP_HEADER, SdpHeader};
use crate::spinnaker::{Result, SpinnakerError};

/// 16-bit keys in a datagram: 254 bytes of events behind two of header.
const NARROW: usize = 127;
/// 32-bit keys that share a tick: as many as fit into 256 bytes.
const TIMED: usize = 62;
/// Bytes of a datagram before EIEIO.
const BEFORE: usize = 2 + SDP_HEADER;

/// How fast a board may be fed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Bytes per millisecond, on average; infinite: no limit.
    pub bytes_per_ms: f64,
    /// Bytes at once.
    pub burst: f64,
    /// Events that may wait for their turn; beyond, they are dropped and counted.
    pub waiting: usize,
}

impl Pace {
    /// What a real board takes: 2820 bytes per millisecond go through its Ethernet, both ways
    /// together. In no millisecond does this send more than 2266, which leaves room for 128
    /// spikes of output.
    pub const REAL: Pace = Pace {
        bytes_per_ms: 1000.0,
        burst: 1266.0,
        waiting: 1 << 14,
    };

    /// For an emulator without limits.
    pub const UNLIMITED: Pace = Pace {
        bytes_per_ms: f64::INFINITY,
        burst: f64::INFINITY,
        waiting: 1 << 20,
    };

    pub(super) fn validate(&self) -> Result<()> {
        let least = (BEFORE + 2 + 2 * NARROW) as f64;
        if self.bytes_per_ms > 0.0 && self.burst >= least && self.waiting > 0 {
            return Ok(());
        }
        Err(SpinnakerError::Setting(format!(
            "{self:?}: bytes_per_ms and waiting must be above 0, burst at least one datagram \
             ({least})"
        )))
    }
}

/// An event for the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) core: Core,
    /// Its 16-bit number, or its key where it has a tick.
    pub(super) key: u32,
    /// The tick that it is for; `None`: the next.
    pub(super) tick: Option<u32>,
}

/// What [`Pacer`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PaceCounts {
    /// Events sent.
    pub events: u64,
    /// Datagrams that they were in.
    pub datagrams: u64,
    /// Events that could not go when they were due, and went later.
    pub delayed: u64,
    /// Events dropped because too many waited.
    pub dropped: u64,
}

/// The queue of events, and how many bytes may go now.
#[derive(Debug)]
pub(super) struct Pacer {
    pace: Pace,
    queue: VecDeque<Outgoing>,
    /// Of the queue's front, events that were counted as delayed.
    counted: usize,
    credit: f64,
    refilled_us: u64,
    pub(super) counts: PaceCounts,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            credit: pace.burst,
            pace,
            queue: VecDeque::new(),
            counted: 0,
            refilled_us: 0,
            counts: PaceCounts::default(),
        }
    }

    /// Queues an event; whether there was room.
    pub(super) fn push(&mut self, event: Outgoing) -> bool {
        let room = self.queue.len() < self.pace.waiting;
        if room {
            self.queue.push_back(event);
        } else {
            self.counts.dropped += 1;
        }
        room
    }

    /// Events that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Drops all that waits; it is counted.
    pub(super) fn clear(&mut self) {
        self.counts.dropped += self.queue.len() as u64;
        self.queue.clear();
        self.counted = 0;
    }

    /// Sends what may go now, as many events in a datagram as fit.
    pub(super) fn flush(&mut self, now_us: u64, send: &mut dyn FnMut(&[u8])) {
        let elapsed_us = now_us.saturating_sub(self.refilled_us) as f64;
        self.refilled_us = self.refilled_us.max(now_us);
        let earned = if elapsed_us > 0.0 {
            elapsed_us * 1e-3 * self.pace.bytes_per_ms
        } else {
            0.0
        };
        self.credit = (self.credit + earned).min(self.pace.burst);
        let mut datagram = [0; MAX_DATAGRAM];
        while let Some(&first) = self.queue.front() {
            let (bytes, events) = self.fill(first, &mut datagram);
            if bytes as f64 > self.credit {
                break;
            }
            self.credit -= bytes as f64;
            self.queue.drain(..events);
            self.counted = self.counted.saturating_sub(events);
            self.counts.events += events as u64;
            self.counts.datagrams += 1;
            send(&datagram[..bytes]);
        }
        // What stays has been held up; each event counts once.
        self.counts.delayed += (self.queue.len() - self.counted) as u64;
        self.counted = self.queue.len();
    }

    /// A datagram of the events at the front that go to the same core and tick: its bytes
    /// and events.
    fn fill(&self, first: Outgoing, datagram: &mut [u8; MAX_DATAGRAM]) -> (usize, usize) {
        let (header, most) = match first.tick {
            None => (Header::of(Kind::Key16), NARROW),
            Some(tick) => (Header::at_tick(tick), TIMED),
        };
        let (before, body) = datagram.split_at_mut(BEFORE);
        before.copy_from_slice(&SdpHeader::to_core(first.core).to_bytes());
        let Ok(mut writer) = Writer::new(body, header) else {
            return (0, 0);
        };
        let same = |e: &&Outgoing| (e.core, e.tick) == (first.core, first.tick);
        for event in self.queue.iter().take(most).take_while(same) {
            // A key that does not fit was not let into the queue.
            let _ = writer.push(event.key, None);
        }
        let events = writer.events();
        (BEFORE + writer.finish(), events)
    }
}
