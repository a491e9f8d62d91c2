//! The clocks of a real-time run: this machine's, and the one that `/clock` tells.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where simulated time is told.
pub const TOPIC: &str = "/clock";

/// Wall time that never steps back: the system's at the start, then monotonic.
pub(crate) struct Wall {
    origin: Instant,
    origin_ns: i64,
}

impl Wall {
    pub fn new() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Wall {
            origin: Instant::now(),
            origin_ns: since.as_nanos() as i64,
        }
    }

    pub fn now_ns(&self) -> i64 {
        self.origin_ns + self.origin.elapsed().as_nanos() as i64
    }
}

/// What was said on `/clock` last, and when it came.
#[derive(Default)]
pub(crate) struct Told(Mutex<Option<(i64, Instant)>>);

impl Told {
    /// Takes in a time; false where it is none.
    pub fn set(&self, now_ns: i64) -> bool {
        let is_time = now_ns >= 0;
        if is_time {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ns, Instant::now()));
        }
        is_time
    }

    /// The time, if one was told.
    pub fn now_ns(&self) -> Option<i64> {
        self.last().map(|(now_ns, _)| now_ns)
    }

    /// For how long nothing came, if ever something did.
    pub fn silence(&self) -> Option<Duration> {
        self.last().map(|(_, at)| at.elapsed())
    }

    fn last(&self) -> Option<(i64, Instant)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
