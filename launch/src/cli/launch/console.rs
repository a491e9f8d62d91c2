//! What one sees while a launch file runs: a line a trial, log lines, progress.

use crate::report::{Collector, Journey};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use saccade_msgs::Message;
use saccade_msgs::saccade_msgs::{JourneyResult, TrialResult};
use saccade_nodes::{Level, Observer, Payload};
use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Simulated time between two updates of the progress line, ns.
const PROGRESS_NS: i64 = 200_000_000;

/// Hands everything on to the console and the report.
pub(super) struct Watch {
    pub(super) console: Console,
    pub(super) collector: Collector,
}

impl Observer for Watch {
    fn log(&mut self, now_ns: i64, node: &str, level: Level, text: &str) {
        self.console.log(now_ns, node, level, text);
        self.collector.log(now_ns, node, level, text);
    }

    fn message(&mut self, now_ns: i64, node: &str, topic: &str, payload: &Payload) {
        self.console.message(now_ns, payload);
        self.collector.message(now_ns, node, topic, payload);
    }
}

/// Prints trials on stdout (on stderr with `--json`), the rest on stderr.
/// Clones share the progress line.
#[derive(Clone)]
pub(super) struct Console {
    trials: u64,
    level: Level,
    json: bool,
    colour: bool,
    begun: Instant,
    progress: ProgressBar,
    shown_ns: i64,
}

impl Console {
    /// For a run of so many trials, where that is known.
    pub(super) fn new(expected: Option<usize>, level: Level, json: bool) -> Self {
        let expected = expected.map(|n| n as u64);
        let progress = ProgressBar::with_draw_target(expected, ProgressDrawTarget::stderr());
        let template = match expected {
            Some(_) => "{bar:20} {pos}/{len} trials  {msg}",
            None => "{spinner} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.set_style(style);
        }
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Console {
            trials: 0,
            level,
            json,
            colour,
            begun: Instant::now(),
            progress,
            shown_ns: i64::MIN,
        }
    }

    fn log(&self, now_ns: i64, node: &str, level: Level, text: &str) {
        if level < self.level {
            return;
        }
        let line = log_line(now_ns, node, level, text, self.colour);
        self.progress.suspend(|| eprintln!("{line}"));
    }

    fn message(&mut self, now_ns: i64, payload: &Payload) {
        if let Some((heading, line)) = verdict(payload) {
            self.judged(heading, line);
        }
        if now_ns >= self.shown_ns.saturating_add(PROGRESS_NS) {
            self.shown_ns = now_ns;
            let (simulated, real) = (now_ns as f64 / 1e9, self.begun.elapsed().as_secs_f64());
            let multiple = simulated / real.max(1e-3);
            self.progress
                .set_message(format!("{simulated:.1} s, {multiple:.1} x real time"));
        }
    }

    /// A verdict, and the names of its columns for the first one.
    fn judged(&mut self, heading: String, line: String) {
        let heading = (self.trials == 0).then_some(heading);
        self.trials += 1;
        self.progress.set_position(self.trials);
        let lines = heading.into_iter().chain([line]);
        self.progress.suspend(|| {
            for line in lines {
                // Nobody listening to the progress of a run is no reason to end it.
                let _ = if self.json {
                    writeln!(std::io::stderr(), "{line}")
                } else {
                    writeln!(std::io::stdout(), "{line}")
                };
            }
        });
    }

    /// The progress line.
    pub(super) fn progress(&self) -> ProgressBar {
        self.progress.clone()
    }

    /// Takes the progress line away.
    pub(super) fn finish(&self) {
        self.progress.finish_and_clear();
    }
}

/// A referee's verdict as a line, with the names of its columns before it.
pub(in crate::cli) fn verdict(payload: &Payload) -> Option<(String, String)> {
    match payload.type_name() {
        TrialResult::TYPE_NAME => {
            let trial = payload.get::<TrialResult>().ok()?;
            Some((heading(), line(&trial)))
        }
        JourneyResult::TYPE_NAME => {
            let result = payload.get::<JourneyResult>().ok()?;
            Some((Journey::heading(), Journey::from(result.as_ref()).line()))
        }
        _ => None,
    }
}

/// A line of the log as ROS 2 prints it.
pub(in crate::cli) fn log_line(
    now_ns: i64,
    node: &str,
    level: Level,
    text: &str,
    colour: bool,
) -> String {
    let (name, code) = match level {
        Level::Debug => ("DEBUG", "2"),
        Level::Info => ("INFO", "0"),
        Level::Warn => ("WARN", "33"),
        Level::Error => ("ERROR", "31"),
    };
    let line = format!("[{name}] [{:.3}] [{node}]: {text}", now_ns as f64 / 1e9);
    if colour {
        format!("\x1b[{code}m{line}\x1b[0m")
    } else {
        line
    }
}

fn heading() -> String {
    format!(
        "{:>5}  {:<10}  {:<16}  {:>7}  {:<8}  why",
        "trial", "truth", "decision", "after", "result"
    )
}

fn line(trial: &TrialResult) -> String {
    let (decision, after) = if trial.decision.is_empty() {
        ("none".to_owned(), "-".to_owned())
    } else {
        (
            format!("{} {:.2}", trial.decision, trial.confidence),
            format!("{:.3} s", trial.decision_time_s),
        )
    };
    let result = match (trial.truth == "background", trial.success) {
        (false, true) => "grasped",
        (true, true) => "still",
        (_, false) => "FAILED",
    };
    let lift = if trial.success && trial.lift_m > 0.0 {
        format!(", {:.2} m up for {:.1} s", trial.lift_m, trial.held_s)
    } else {
        String::new()
    };
    format!(
        "{:>5}  {:<10}  {decision:<16}  {after:>7}  {result:<8}  {}{lift}",
        trial.trial, trial.truth, trial.reason
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_one_line() {
        let trial = TrialResult {
            trial: 3,
            truth: "pen".into(),
            decision: "pen".into(),
            confidence: 0.97,
            decision_time_s: 0.25,
            reason: "lifted and held".into(),
            success: true,
            lift_m: 0.151,
            held_s: 1.5,
            ..TrialResult::default()
        };
        let expected = "    3  pen         pen 0.97          0.250 s  grasped   lifted and held, 0.15 m up for 1.5 s";
        assert_eq!(line(&trial), expected);
        let failed = TrialResult {
            success: false,
            decision: String::new(),
            ..trial
        };
        assert!(line(&failed).contains("none                    -  FAILED"));
    }
}
