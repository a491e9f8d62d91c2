//! A recording's own pace by the wall clock.

use crate::cli::CliError;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a recording is played.
#[derive(Debug, clap::Args)]
pub struct PaceArgs {
    /// How many times faster than it was recorded.
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// Begin anew at the end, until Ctrl-C.
    #[arg(long = "loop")]
    repeat: bool,
    /// Seconds of the recording to leave out at its start.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    start_offset: f64,
    /// Seconds of the recording to play.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// First wait until every topic has this many subscribers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    wait_subscribers: usize,
    /// Then wait this many seconds, in which subscribers learn of us.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    delay: f64,
}

impl PaceArgs {
    /// Checks what was said.
    pub fn pace(&self, stop: Arc<AtomicBool>) -> Result<Pace, CliError> {
        if !(1e-3..=1e3).contains(&self.rate) {
            let text = format!("--rate {}: expected 0.001 to 1000", self.rate);
            return Err(CliError::usage(text));
        }
        let from_ns = nanoseconds("--start-offset", self.start_offset)?;
        let duration_ns = (self.duration)
            .map(|s| nanoseconds("--duration", s))
            .transpose()?;
        Ok(Pace {
            rate: self.rate,
            repeat: self.repeat,
            from_ns,
            to_ns: duration_ns.map(|d| from_ns.saturating_add(d)),
            subscribers: self.wait_subscribers,
            delay: Duration::from_nanos(nanoseconds("--delay", self.delay)?),
            stop,
            start: Instant::now(),
            due: Instant::now(),
            rounds: 0,
            late_us: Histogram::new(3).map_err(|e| CliError::failed(e.to_string()))?,
        })
    }
}

fn nanoseconds(option: &str, seconds: f64) -> Result<u64, CliError> {
    if (0.0..=1e9).contains(&seconds) {
        return Ok((seconds * 1e9).round() as u64);
    }
    let text = format!("{option} {seconds}: expected seconds, 0 to 1e9");
    Err(CliError::usage(text))
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It lies before the part to play.
    Skip,
    /// Its time has come.
    Send,
    /// It lies after the part to play, or Ctrl-C was pressed.
    End,
}

/// Waits for the moments of a recording.
#[derive(Debug)]
pub struct Pace {
    rate: f64,
    repeat: bool,
    from_ns: u64,
    to_ns: Option<u64>,
    pub(super) subscribers: usize,
    pub(super) delay: Duration,
    stop: Arc<AtomicBool>,
    start: Instant,
    /// When the message that was waited for last was due.
    due: Instant,
    pub(super) rounds: u64,
    /// How late messages went out, µs.
    pub(super) late_us: Histogram<u64>,
}

/// Ctrl-C is looked for this often.
const GLANCE: Duration = Duration::from_millis(50);

impl Pace {
    /// Begins a round at the recording's start; false: there shall be none.
    pub fn next_round(&mut self) -> bool {
        if self.stopped() || (self.rounds > 0 && !self.repeat) {
            return false;
        }
        self.rounds += 1;
        self.start = Instant::now();
        true
    }

    /// Where in the recording the part to play begins, ns after its start.
    pub fn begin_ns(&self) -> u64 {
        self.from_ns
    }

    /// Waits for a moment of the recording, ns after its start.
    pub fn wait(&mut self, at_ns: u64) -> Turn {
        let Some(after_ns) = at_ns.checked_sub(self.from_ns) else {
            return Turn::Skip;
        };
        if self.to_ns.is_some_and(|end| at_ns > end) {
            return Turn::End;
        }
        let after_s = after_ns as f64 * 1e-9 / self.rate;
        self.due = self.start + Duration::from_secs_f64(after_s.min(1e9));
        loop {
            let left = self.due.saturating_duration_since(Instant::now());
            if self.stopped() {
                return Turn::End;
            }
            if left.is_zero() {
                return Turn::Send;
            }
            std::thread::sleep(left.min(GLANCE));
        }
    }

    /// When the message that was waited for last was due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Tells that the message that was waited for has gone out.
    pub(super) fn sent(&mut self) {
        let late = self.due.elapsed().as_micros();
        let late = u64::try_from(late).unwrap_or(u64::MAX);
        self.late_us.saturating_record(late);
    }

    /// Whether Ctrl-C was pressed.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(rate: f64, start_offset: f64, duration: Option<f64>) -> PaceArgs {
        PaceArgs {
            rate,
            repeat: false,
            start_offset,
            duration,
            wait_subscribers: 0,
            delay: 0.0,
        }
    }

    #[test]
    fn moments_come_in_time_and_not_before() {
        let args = args(10.0, 0.5, Some(1.0));
        let mut pace = args.pace(Arc::default()).expect("it can be");
        assert!(pace.next_round());
        assert_eq!(pace.wait(499_999_999), Turn::Skip);
        assert_eq!(pace.wait(500_000_000), Turn::Send);
        let before = Instant::now();
        assert_eq!(pace.wait(1_000_000_000), Turn::Send);
        assert!(before.elapsed() <= Duration::from_secs(10), "it hangs");
        assert!(pace.start.elapsed() >= Duration::from_millis(50));
        assert_eq!(pace.wait(1_500_000_001), Turn::End);
        assert!(!pace.next_round());
    }

    #[test]
    fn ctrl_c_ends_the_wait() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut pace = (args(1.0, 0.0, None).pace(Arc::clone(&stop))).expect("it can be");
        assert!(pace.next_round());
        stop.store(true, Ordering::Relaxed);
        assert_eq!(pace.wait(3_600_000_000_000), Turn::End);
        assert!(!pace.next_round());
    }

    #[test]
    fn nonsense_is_wrong_usage() {
        for (rate, offset, duration) in [
            (0.0, 0.0, None),
            (f64::NAN, 0.0, None),
            (1.0, -1.0, None),
            (1.0, 0.0, Some(f64::INFINITY)),
        ] {
            let pace = args(rate, offset, duration).pace(Arc::default());
            assert!(matches!(pace, Err(CliError::Usage(_))));
        }
    }
}
