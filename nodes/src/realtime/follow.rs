//! A node's time: the wall clock's, or what `/clock` tells (`use_sim_time`).
//!
//! Before the first time is told it is 0, and the node is not started: only the services that
//! every node has are served. While time stands timers do not fire; messages are heard. Where
//! it goes back, nothing of before may be taken for new: what waits is dropped, and the node
//! begins anew. Where it leaps ahead, timers start anew and do not make up for the leap.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Inbox, Shared, Worker, lock};
use crate::graph::{HOST, routed};
use crate::lifecycle;
use crate::node::{Input, Level, LogLine};
use crate::payload::Payload;
use saccade_msgs::lifecycle_msgs::{Transition, change_state};

/// Timers make up for steps of time up to this.
const LEAP_NS: i64 = 10_000_000_000;
/// After this it is said that a node waits for its time.
const PATIENCE: Duration = Duration::from_secs(5);
/// After this without `/clock` it is said that time stands.
const STANDS: Duration = Duration::from_secs(2);

/// A node's time as it was when its thread last looked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Time {
    now_ns: i64,
    /// Whether it is that of `/clock`.
    told: bool,
    known: bool,
    /// Whether the node has been started.
    begun: bool,
    /// Since when it waits for its time, and whether that was said.
    waits: Option<(Instant, bool)>,
    /// Times that it went back, and leapt ahead.
    jumps: [u64; 2],
}

impl Time {
    /// Whether it is that of `/clock`.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Whether what depends on time may go on.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// For the node's diagnostics.
    pub fn values(&self) -> Vec<(String, String)> {
        let [back, ahead] = self.jumps;
        let all = [("time went back", back), ("time leapt ahead", ahead)];
        let values = all.into_iter().filter(|_| self.told);
        values.map(|(k, v)| (k.to_owned(), v.to_string())).collect()
    }

    /// What is wrong with it.
    pub fn trouble(&self, shared: &Shared) -> Option<String> {
        if !self.told {
            None
        } else if !self.known {
            Some("waits for /clock".to_owned())
        } else {
            let silence = shared.told.silence().filter(|s| *s > STANDS)?;
            let seconds = silence.as_secs();
            Some(format!("time stands: nothing on /clock for {seconds} s"))
        }
    }
}

impl Shared {
    /// A node's time, once it is known.
    pub(super) fn time_of(&self, node: usize) -> Option<i64> {
        match self.follows[node].load(Ordering::Relaxed) {
            true => self.told.now_ns(),
            false => Some(self.wall.now_ns()),
        }
    }

    /// `/clock` tells the time.
    pub(super) fn hear_time(&self, now_ns: i64) {
        if !self.told.set(now_ns) {
            return;
        }
        for (follows, (inbox, bell)) in self.follows.iter().zip(&self.inboxes) {
            if follows.load(Ordering::Relaxed) {
                // Not between its look at the time and its sleep.
                drop(lock(inbox));
                bell.notify_one();
            }
        }
    }
}

impl Inbox {
    /// Drops the messages that wait, but those of some topics.
    fn forget(&mut self, but: impl Fn(&str) -> bool) {
        let Inbox {
            deliveries,
            waiting,
            dropped,
            ..
        } = self;
        deliveries.retain(|(delivery, _)| {
            let Input::Message { topic, .. } = delivery.input else {
                return true;
            };
            let stays = but(topic);
            if !stays {
                *dropped.entry(topic).or_insert(0) += 1;
                if let Some(waiting) = waiting.get_mut(topic) {
                    *waiting -= 1;
                }
            }
            stays
        });
    }
}

impl Worker {
    /// The node's time: what the wall clock says now, or what was told when last looked.
    pub(super) fn now_ns(&self) -> i64 {
        match self.time.told {
            true => self.time.now_ns,
            false => self.shared.wall.now_ns(),
        }
    }

    /// Brings the node's time up to date, and starts the node with its first; false where it
    /// is not known.
    pub(super) fn keep_time(&mut self) -> bool {
        let told = self.slot.follows_clock();
        self.shared.follows[self.index].store(told, Ordering::Relaxed);
        let now_ns = self.shared.time_of(self.index);
        let before = self.time;
        (self.time.told, self.time.known) = (told, now_ns.is_some());
        let Some(now_ns) = now_ns else {
            self.say_that_it_waits();
            return false;
        };
        (self.time.now_ns, self.time.begun, self.time.waits) = (now_ns, true, None);
        if !before.begun {
            self.hand(Input::Start, self.shared.wall.now_ns(), 0);
            return true;
        }
        let gone_ns = now_ns - before.now_ns;
        if gone_ns < 0 {
            self.gone_back(-gone_ns);
        } else if gone_ns > LEAP_NS && (told || before.told) {
            self.leapt_ahead(gone_ns);
        }
        true
    }

    /// When, by the wall clock, the node's time calls for something.
    pub(super) fn due_ns(&self) -> i64 {
        let next_ns = self.slot.next_due_ns().unwrap_or(i64::MAX);
        if !self.time.told {
            return next_ns;
        }
        let now_ns = self.shared.told.now_ns();
        let has_changed = now_ns.is_some_and(|n| !self.time.known || n != self.time.now_ns);
        let is_due = self.time.known && next_ns <= self.time.now_ns;
        if has_changed || is_due { 0 } else { i64::MAX }
    }

    fn say_that_it_waits(&mut self) {
        let (since, said) = self.time.waits.get_or_insert((Instant::now(), false));
        if !*said && since.elapsed() >= PATIENCE {
            *said = true;
            let seconds = PATIENCE.as_secs();
            let text = format!(
                "use_sim_time is on and nobody has told the time on /clock for {seconds} s: the \
                 node waits; play a recording with --clock, start the simulation, or turn it off"
            );
            self.log(Level::Warn, text);
        }
    }

    /// Nothing that was heard, is due or is under way has to do with the time that it is now.
    fn gone_back(&mut self, by_ns: i64) {
        self.time.jumps[0] += 1;
        let latched = |topic: &str| {
            let mut all = self.slot.instance.interface.subscriptions.iter();
            all.any(|e| e.name == topic && e.qos.transient_local)
        };
        lock(&self.shared.inboxes[self.index].0).forget(latched);
        let seconds = by_ns as f64 * 1e-9;
        let text = format!("time went back by {seconds:.3} s: the node begins anew");
        self.log(Level::Warn, text);
        for id in self.slot.renewal() {
            let transition = Transition {
                id: *id,
                label: String::new(),
            };
            let input = Input::Request {
                service: lifecycle::CHANGE,
                id: routed(HOST, 0),
                payload: Payload::new(change_state::Request { transition }),
            };
            // As any request it is part of a recording.
            let sequence = self.shared.note(HOST, &input, self.now_ns());
            self.hand(input, self.shared.wall.now_ns(), sequence);
        }
    }

    fn leapt_ahead(&mut self, by_ns: i64) {
        self.time.jumps[1] += 1;
        let now_ns = self.now_ns();
        for timer in &mut self.slot.timers {
            timer.due_ns = now_ns.saturating_add(timer.period_ns.unwrap_or(0));
        }
        let seconds = by_ns as f64 * 1e-9;
        let text = format!("time leapt ahead by {seconds:.3} s: timers start anew");
        self.log(Level::Warn, text);
    }

    #[track_caller]
    fn log(&self, level: Level, text: String) {
        let line = LogLine::new(level, text);
        self.shared.log(self.index, self.now_ns(), line);
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
