//! Waiting until something has come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Wake;
use std::time::{Duration, Instant};

/// Set by what receives, waited for by the run.
#[derive(Default)]
pub(crate) struct Signal {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Waits until the signal is set or `limit` is over, and clears it.
    pub fn wait(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while !*set {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(set, left);
            (set, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        *set = false;
    }
}

/// One of those that ring the same [`Signal`].
pub(crate) struct Bell {
    rang: AtomicBool,
    signal: Arc<Signal>,
}

impl Bell {
    /// It has rung: what came before it was hung up is not known.
    pub fn new(signal: Arc<Signal>) -> Arc<Self> {
        let rang = AtomicBool::new(true);
        Arc::new(Self { rang, signal })
    }

    /// Whether it has rung since this was asked before.
    pub fn rang(&self) -> bool {
        self.rang.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.signal.clone().wake();
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}
