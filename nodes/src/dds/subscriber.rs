//! Receiving messages as bytes.

use std::sync::Arc;
use std::task::Wake;

use rustdds::no_key::SimpleDataReader;
use rustdds::{GUID, SampleIdentity, Timestamp};

use super::raw::{Adapter, Whole};
use crate::ros::gaps::Gaps;
use crate::ros::signal::{Bell, Signal};

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The message in CDR with its header; up to three bytes of padding may follow.
    pub cdr: Vec<u8>,
    /// When it came, ns since the epoch.
    pub received_ns: i64,
    /// When it was published by the publisher's clock, ns since the epoch, if it says.
    pub published_ns: Option<i64>,
    /// Counts the messages of its publisher from 1 on.
    pub sequence: i64,
    /// Its publisher.
    pub publisher: [u8; 16],
    /// The message it says it answers: publisher and number.
    pub(super) answers: Option<SampleIdentity>,
}

/// What a subscriber has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SubscriberCounts {
    /// Messages taken.
    pub received: u64,
    /// Messages missing in the publishers' numbers since the first of each: not
    /// sent again, or pushed out of the queue because they were not taken in time.
    /// What was not taken when its publisher left is not among them: nothing tells.
    pub lost: u64,
    /// Messages that are nothing DDS can hand over.
    pub unreadable: u64,
}

/// Receives one topic. Dropping it takes it off the network.
pub struct Subscriber {
    reader: SimpleDataReader<Whole, Adapter>,
    bell: Arc<Bell>,
    gaps: Gaps,
    counts: SubscriberCounts,
}

impl Subscriber {
    pub(super) fn new(reader: SimpleDataReader<Whole, Adapter>, signal: Arc<Signal>) -> Self {
        Self {
            reader,
            bell: Bell::new(signal),
            gaps: Gaps::default(),
            counts: SubscriberCounts::default(),
        }
    }

    /// The next message, if there is one. After `None`,
    /// [`Participant::wait`](super::Participant::wait) wakes when more has come.
    pub fn take(&mut self) -> Option<Received> {
        self.take_now().or_else(|| {
            // What came before the signal was armed did not set it.
            self.reader.set_waker(Some(self.bell.clone().into()));
            self.take_now()
        })
    }

    /// Whether something may have come since this was asked before.
    pub(super) fn rang(&self) -> bool {
        self.bell.rang()
    }

    /// Has [`Subscriber::rang`] say yes once more.
    pub(super) fn ring(&self) {
        self.bell.clone().wake();
    }

    /// Of a publisher of the same participant: it has been delivered already.
    fn is_own(&self, publisher: GUID) -> bool {
        publisher.prefix == self.reader.guid().prefix
    }

    /// What was seen so far.
    pub fn counts(&self) -> SubscriberCounts {
        self.counts
    }

    fn take_now(&mut self) -> Option<Received> {
        loop {
            self.reader.drain_read_notifications();
            match self.reader.try_take_one() {
                Ok(None) => return None,
                Err(_) => self.counts.unreadable += 1,
                Ok(Some(sample)) if self.is_own(sample.writer_guid) => {}
                Ok(Some(sample)) => {
                    let sequence = i64::from(sample.sequence_number);
                    let publisher = sample.writer_guid.to_bytes();
                    self.counts.received += 1;
                    self.counts.lost += self.gaps.before(publisher, sequence);
                    return Some(Received {
                        received_ns: nanoseconds(sample.receive_instant),
                        published_ns: sample.source_timestamp().map(nanoseconds),
                        sequence,
                        publisher,
                        answers: sample.related_sample_identity(),
                        cdr: sample.sample.0,
                    });
                }
            }
        }
    }

    pub(super) fn guid(&self) -> [u8; 16] {
        self.reader.guid().to_bytes()
    }
}

/// DDS counts 2^-32 s.
fn nanoseconds(time: Timestamp) -> i64 {
    let ticks = time.to_ticks();
    let fraction = ((ticks & 0xFFFF_FFFF) * 1_000_000_000 + (1 << 31)) >> 32;
    ((ticks >> 32) * 1_000_000_000 + fraction) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_nanoseconds() {
        let second = 1u64 << 32;
        for (ticks, ns) in [
            (0, 0),
            (second, 1_000_000_000),
            (second + second / 2, 1_500_000_000),
            (second - 1, 1_000_000_000),
            (u64::MAX, 4_294_967_296_000_000_000),
        ] {
            assert_eq!(nanoseconds(Timestamp::from_ticks(ticks)), ns);
        }
    }
}
