//! The summary of a run, for people and as JSON.

use crate::cli::{CliError, print_line};
use crate::processes::Ended;
use crate::report::{Journey, JourneySummary, Run, Summary, Trial};
use saccade_nodes::clock::Pace;
use saccade_nodes::{Health, RunReport};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything a run came to.
pub(super) struct Outcome<'a> {
    pub(super) run: &'a Run,
    pub(super) host: &'a RunReport,
    pub(super) realtime: bool,
    pub(super) trials: &'a [Trial],
    pub(super) summary: Summary,
    pub(super) journeys: &'a [Journey],
    /// Whether nodes ran in this process.
    pub(super) composed: bool,
    pub(super) processes: &'a [Ended],
    /// How fast the robot's clock went, where it was not simulated.
    pub(super) pace: Pace,
    pub(super) report: &'a Path,
}

impl Outcome<'_> {
    /// Simulated per wall second.
    fn speed(&self) -> f64 {
        self.host.sim_s / self.host.wall_s.max(1e-9)
    }

    /// How fast the simulator alone ran, in multiples of real time.
    fn world_speed(&self) -> Option<f64> {
        let mut parts = self.host.profile.keys();
        let world = parts.find_map(|part| part.strip_suffix(" physics"))?;
        Some(self.host.sim_s / self.host.node_seconds.get(world)?.max(1e-9))
    }

    /// Wall seconds of nodes and of parts within them, most first.
    fn shares(&self) -> Vec<(&str, f64)> {
        let all = self.host.node_seconds.iter().chain(&self.host.profile);
        let mut shares: Vec<_> = all.map(|(name, s)| (name.as_str(), *s)).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        shares
    }

    /// The document of `--json`.
    pub(super) fn json(&self) -> Value {
        let health: BTreeMap<_, _> = self
            .host
            .health
            .iter()
            .map(|(node, h)| (node, health_json(h)))
            .collect();
        json!({
            "run": self.run,
            "times_real_time": self.speed(),
            "world_times_real_time": self.world_speed(),
            "health": health,
            "summary": self.summary,
            "trials": self.trials,
            "journey_summary": JourneySummary::new(self.journeys),
            "journeys": self.journeys,
            "processes": self.processes,
            "report": self.report.display().to_string(),
        })
    }

    /// The summary on stdout.
    pub(super) fn print(&self) -> Result<(), CliError> {
        if let Some(summary) = JourneySummary::new(self.journeys) {
            print_line("")?;
            summary.lines().into_iter().try_for_each(print_line)?;
        } else if self.trials.is_empty() {
            self.print_counters()?;
        } else {
            print_line("")?;
            self.print_trials()?;
        }
        self.print_speed()?;
        self.print_latencies()?;
        if self.composed {
            self.print_losses()?;
        }
        for process in self.processes {
            let times = match process.starts {
                1 => String::new(),
                n => format!(", started {n} times"),
            };
            print_line(format!(
                "process      {}: {}{times}",
                process.name, process.how
            ))?;
        }
        print_line(format!(
            "report       {}",
            self.report.join("index.html").display()
        ))?;
        if let Some(recording) = &self.run.recording {
            print_line(format!(
                "recording    {}",
                self.report.join(recording).display()
            ))?;
        }
        Ok(())
    }

    fn print_trials(&self) -> Result<(), CliError> {
        let summary = &self.summary;
        print_line(format!("grasped      {}", summary.grasped))?;
        for (class, rate) in &summary.by_class {
            print_line(format!("  {class:<10} {rate}"))?;
        }
        print_line(format!("decided      {}", summary.classified))?;
        if let Some(median) = summary.decision_time_median_s {
            print_line(format!(
                "  median     {median:.3} s after the saccade's onset"
            ))?;
        }
        print_line(format!(
            "empty table  false motions {}, of these after a decision for background {}",
            summary.false_motions, summary.motions_after_background
        ))
    }

    /// What the nodes counted, where no trials say how it went.
    fn print_counters(&self) -> Result<(), CliError> {
        for (node, health) in &self.host.health {
            print_line(node)?;
            for (name, value) in health.values.iter().filter(|(_, v)| v != "0") {
                print_line(format!("  {name:<40} {value:>14}"))?;
            }
        }
        Ok(())
    }

    fn print_speed(&self) -> Result<(), CliError> {
        let host = self.host;
        print_line(format!(
            "time         {:.1} s {} in {:.1} s, {:.2} times real time; ended: {}",
            host.sim_s,
            match (self.realtime, self.pace.is_real()) {
                (false, _) => "simulated",
                (true, true) => "of the wall clock",
                (true, false) => "of the robot's clock",
            },
            host.wall_s,
            self.speed(),
            host.ended
        ))?;
        for (name, seconds) in self.shares() {
            let percent = 100.0 * seconds / host.wall_s.max(1e-9);
            if percent >= 0.1 {
                print_line(format!("  {name:<32} {percent:5.1} %"))?;
            }
        }
        if let Some(speed) = self.world_speed().filter(|_| !self.realtime) {
            print_line(format!("  the world by itself {speed:.2} times real time"))?;
        }
        Ok(())
    }

    fn print_latencies(&self) -> Result<(), CliError> {
        let clock = if self.realtime {
            "us"
        } else {
            "us (simulated)"
        };
        for (name, p) in &self.host.latencies {
            print_line(format!(
                "latency      {name}: p50 {:.0}, p99 {:.0}, p99.9 {:.0}, most {:.0} {clock} of {}",
                p.p50_us, p.p99_us, p.p999_us, p.max_us, p.count
            ))?;
        }
        for (name, p) in &self.host.timings {
            print_line(format!(
                "takes        {name}: p50 {:.2}, p99 {:.2}, most {:.2} ms, of {}",
                p.p50_us * 1e-3,
                p.p99_us * 1e-3,
                p.max_us * 1e-3,
                p.count
            ))?;
        }
        for (name, count) in self.host.late_ticks.iter().filter(|(_, n)| **n > 0) {
            print_line(format!("late ticks   {name}: {count}"))?;
        }
        if self.realtime && self.host.late_ticks.values().any(|n| *n > 0) {
            let half = 0.5 * self.pace.factor();
            print_line(format!(
                "  this machine is too slow, or busy with other things: --pace {half} gives a \
                 simulated robot twice the time"
            ))?;
        }
        Ok(())
    }

    fn print_losses(&self) -> Result<(), CliError> {
        let host = self.host;
        for (queue, count) in host.dropped.iter().filter(|(_, n)| **n > 0) {
            print_line(format!("DROPPED      {queue}: {count} messages"))?;
        }
        if host.unrecorded > 0 {
            print_line(format!("UNRECORDED   {} messages", host.unrecorded))?;
        }
        if !host.lost_data() {
            print_line("dropped      nothing")?;
        }
        for (node, health) in &host.health {
            if let Some(warning) = &health.warning {
                print_line(format!("warning      {node}: {warning}"))?;
            }
        }
        Ok(())
    }
}

fn health_json(health: &Health) -> Value {
    let values: BTreeMap<_, _> = health.values.iter().cloned().collect();
    json!({"warning": health.warning, "values": values})
}
