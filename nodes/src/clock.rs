//! The clocks of a real-time run: this machine's, and the one that `/clock` tells.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where simulated time is told.
pub const TOPIC: &str = "/clock";

/// How fast the clock of a simulated robot goes, in seconds of the robot by second of the
/// wall. A machine that is too slow for real time runs the same loop, with the same limits on
/// the age of data, at a pace below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace(f64);

/// From here on all slowed clocks go slowly, whenever a process begins: those of several
/// processes agree. 2026-01-01 00:00 UTC, ns since the epoch.
const SLOW_SINCE_NS: i64 = 1_767_225_600_000_000_000;

impl Pace {
    /// As the wall clock.
    pub const REAL: Pace = Pace(1.0);

    /// So many seconds of the robot by second of the wall.
    ///
    /// # Errors
    /// A factor that is not 0.001 to 1.
    pub fn new(factor: f64) -> Result<Self, PaceError> {
        match (0.001..=1.0).contains(&factor) {
            true => Ok(Pace(factor)),
            false => Err(PaceError(factor.to_string())),
        }
    }

    /// Seconds of the robot by second of the wall.
    pub fn factor(self) -> f64 {
        self.0
    }

    /// Whether it is that of the wall clock.
    pub fn is_real(self) -> bool {
        self.0 == 1.0
    }

    /// The robot's time, ns since the epoch, when the wall clock says `wall_ns`.
    fn of(self, wall_ns: i64) -> i64 {
        SLOW_SINCE_NS + self.scale(wall_ns - SLOW_SINCE_NS)
    }

    /// How far the robot's clock goes in `wall_ns`.
    fn scale(self, wall_ns: i64) -> i64 {
        match self.is_real() {
            true => wall_ns,
            false => (wall_ns as f64 * self.0) as i64,
        }
    }

    /// How long the robot's clock takes for `ns`.
    pub fn wall(self, ns: i64) -> Duration {
        let wall_ns = ns.max(0) as f64 / self.0;
        // Rounded up: who wakes before the time must wait again.
        Duration::from_nanos(wall_ns.ceil() as u64)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Pace::REAL
    }
}

impl std::str::FromStr for Pace {
    type Err = PaceError;

    fn from_str(text: &str) -> Result<Self, PaceError> {
        let factor = text.trim().parse();
        Pace::new(factor.map_err(|_| PaceError(text.to_owned()))?)
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A pace that no clock has.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is no pace, which is a number from 0.001 to 1: seconds of the robot by second of the wall"
)]
pub struct PaceError(String);

/// Wall time that never steps back: the system's at the start, then monotonic; or the time
/// of a robot whose clock goes more slowly.
pub(crate) struct Wall {
    origin: Instant,
    origin_ns: i64,
    pace: Pace,
}

impl Wall {
    pub fn new(pace: Pace) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall_ns = since.unwrap_or_default().as_nanos() as i64;
        Wall {
            origin: Instant::now(),
            origin_ns: pace.of(wall_ns),
            pace,
        }
    }

    pub fn now_ns(&self) -> i64 {
        self.origin_ns + self.pace.scale(self.origin.elapsed().as_nanos() as i64)
    }

    /// How long a thread has to sleep for `ns` to go by.
    pub fn sleep(&self, ns: i64) -> Duration {
        self.pace.wall(ns)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_from_a_thousandth_to_one() {
        for good in ["1", "0.001", " 0.25 "] {
            assert!(good.parse::<Pace>().is_ok(), "{good}");
        }
        for bad in ["0", "-1", "1.001", "nan", "inf", "fast", ""] {
            assert!(bad.parse::<Pace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn slow_clocks_agree_whenever_they_begin() {
        let pace = Pace::new(0.25).expect("in range");
        let second = 1_000_000_000;
        let begun = SLOW_SINCE_NS + 4_000_000 * second;
        assert_eq!(pace.of(begun), SLOW_SINCE_NS + 1_000_000 * second);
        // One that begins 8 s later is 2 s further, as is the first by then.
        assert_eq!(
            pace.of(begun + 8 * second),
            pace.of(begun) + pace.scale(8 * second)
        );
        assert_eq!(pace.wall(second), Duration::from_secs(4));
        assert_eq!(Pace::REAL.of(begun), begun);
    }

    #[test]
    fn a_slow_wall_goes_slowly() {
        let (slow, real) = (Wall::new(Pace(0.1)), Wall::new(Pace::REAL));
        let begun = (slow.now_ns(), real.now_ns());
        std::thread::sleep(slow.sleep(5_000_000));
        let (slow, real) = (slow.now_ns() - begun.0, real.now_ns() - begun.1);
        assert!(slow >= 5_000_000, "{slow}");
        // They are read one after the other, and a thread may be put aside between.
        let apart = (real as f64 * 0.1 - slow as f64).abs();
        assert!(apart < 0.1 * real as f64, "{slow} of {real}");
    }
}
