//! Replies that wait for who asked to listen.
//!
//! A request can come before discovery has told the server of the client's subscriber to
//! replies: what is sent then reaches nobody, and the client waits for nothing.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::host::lock;
use super::{Identity, NetworkError, Reply};

/// Replies of a service that may wait; the oldest give way.
const MAX_WAITING: usize = 64;
/// How long a reply waits: as long as a call of ours does.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server's replies go, each once its caller listens.
pub(crate) struct HeldReplies {
    out: Box<dyn Reply>,
    waiting: Mutex<VecDeque<Waiting>>,
    unheard: AtomicU64,
}

struct Waiting {
    caller: Identity,
    cdr: Vec<u8>,
    since: Instant,
}

impl HeldReplies {
    pub fn new(out: Box<dyn Reply>) -> Self {
        HeldReplies {
            out,
            waiting: Mutex::default(),
            unheard: AtomicU64::new(0),
        }
    }

    /// Sends a reply in CDR now, or when its caller listens.
    ///
    /// # Errors
    /// If it cannot be sent now although it should.
    pub fn reply(&self, caller: &Identity, cdr: Vec<u8>) -> Result<(), NetworkError> {
        if self.out.is_heard(caller) {
            return self.out.reply(caller, cdr);
        }
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= MAX_WAITING
            && let Some(oldest) = waiting.pop_front()
        {
            self.give_up(&oldest);
        }
        waiting.push_back(Waiting {
            caller: *caller,
            cdr,
            since: Instant::now(),
        });
        Ok(())
    }

    /// Sends the replies whose callers listen by now, and gives up those that waited too long.
    pub fn go_on(&self) {
        self.go_on_at(Instant::now());
    }

    fn go_on_at(&self, now: Instant) {
        let mut waiting = lock(&self.waiting);
        waiting.retain_mut(|held| {
            if self.out.is_heard(&held.caller) {
                if (self.out.reply(&held.caller, std::mem::take(&mut held.cdr))).is_err() {
                    self.unheard.fetch_add(1, Ordering::Relaxed);
                }
                return false;
            }
            let waits = now.saturating_duration_since(held.since) <= PATIENCE;
            if !waits {
                self.give_up(held);
            }
            waits
        });
    }

    /// Replies that nobody was seen to listen for.
    pub fn unheard(&self) -> u64 {
        self.unheard.load(Ordering::Relaxed)
    }

    /// Who listens may be another than it seemed, so it is sent all the same.
    fn give_up(&self, held: &Waiting) {
        self.unheard.fetch_add(1, Ordering::Relaxed);
        let _ = self.out.reply(&held.caller, held.cdr.clone());
    }
}

/// What was lost of some services' replies, for [`crate::network::Network::lost`].
pub(super) fn lost<'a>(
    services: impl Iterator<Item = (&'static str, &'a HeldReplies)>,
) -> impl Iterator<Item = (String, u64)> {
    let counts = services.map(|(name, r)| (format!("{name} (replies)"), r.unheard()));
    counts.filter(|(_, unheard)| *unheard > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Callers that listen, and what was sent to whom.
    #[derive(Default)]
    struct Line {
        listening: Vec<i64>,
        sent: Vec<(i64, Vec<u8>)>,
    }

    impl Reply for Arc<Mutex<Line>> {
        fn reply(&self, caller: &Identity, cdr: Vec<u8>) -> Result<(), NetworkError> {
            lock(self).sent.push((caller.number, cdr));
            Ok(())
        }

        fn is_heard(&self, caller: &Identity) -> bool {
            lock(self).listening.contains(&caller.number)
        }
    }

    fn caller(number: i64) -> Identity {
        Identity {
            number,
            ..Identity::default()
        }
    }

    fn sent(line: &Mutex<Line>) -> Vec<i64> {
        lock(line).sent.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn a_reply_waits_for_its_own_caller() {
        let line = Arc::<Mutex<Line>>::default();
        let replies = HeldReplies::new(Box::new(line.clone()));
        lock(&line).listening.push(1);
        for number in [2, 1, 3] {
            replies
                .reply(&caller(number), vec![7])
                .expect("it can be sent");
        }
        replies.go_on();
        assert_eq!(sent(&line), [1]);
        lock(&line).listening.push(3);
        replies.go_on();
        replies.go_on();
        assert_eq!(lock(&line).sent, [(1, vec![7]), (3, vec![7])]);
        assert_eq!(replies.unheard(), 0);
    }

    #[test]
    fn replies_wait_neither_for_ever_nor_without_bound() {
        let line = Arc::<Mutex<Line>>::default();
        let replies = HeldReplies::new(Box::new(line.clone()));
        for number in 0..MAX_WAITING as i64 + 2 {
            replies.reply(&caller(number), vec![]).expect("it waits");
        }
        assert_eq!(sent(&line), [0, 1]);
        assert_eq!(replies.unheard(), 2);
        replies.go_on_at(Instant::now() + PATIENCE / 2);
        assert_eq!(replies.unheard(), 2);
        replies.go_on_at(Instant::now() + 2 * PATIENCE);
        assert_eq!(replies.unheard(), MAX_WAITING as u64 + 2);
        assert!(lock(&replies.waiting).is_empty());
    }
}
