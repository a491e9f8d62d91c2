//! `saccade eval grasp`: the same trials from one launch file in several ways, and where they
//! came out differently.

use crate::cli::priority::Scheduling;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line, write_json};
use saccade_nodes::clock::Pace;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Arguments of `saccade eval grasp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  saccade eval grasp --trials 50 --seed 1 --report ways
  saccade eval grasp --ways lockstep,spinnaker --trials 50 --seed 7

Every way gets the same seeds, and with them the same scenes and the same noise of the camera. By
the wall clock the robot needs the CPU to itself: on a busy machine data grow older than the nodes
allow, which they say, and which is printed for each trial; --pace slows its clock, and
--realtime-priority has it run before other programs.")]
pub struct GraspArgs {
    /// Launch file with a referee, and arguments `trials`, `seed` and `record`.
    #[arg(default_value = "launch/grasp.launch.xml")]
    file: PathBuf,
    /// How many trials.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    trials: u32,
    /// Seed of the scenes and of the camera's noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The ways; the first is what the others are held against.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Way::ALL)]
    ways: Vec<Way>,
    /// By the wall clock, how fast the robot's own goes, from 0.001 to 1: a machine that is too
    /// slow for real time needs less.
    #[arg(long, value_name = "FACTOR", default_value_t)]
    pace: Pace,
    #[command(flatten)]
    scheduling: Scheduling,
    /// Folder for grasp.json, and a report of each way.
    #[arg(long, default_value = "ways")]
    report: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// A way to run a launch file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// All nodes in one process, in simulated time.
    Lockstep,
    /// All nodes in one process, by the wall clock.
    Realtime,
    /// As lockstep, with the classifier's recurrent layer on an emulated SpiNNaker board
    /// (`backend:=spinnaker`). Not among the default ways.
    Spinnaker,
    /// Each node a process of its own, by the wall clock, over DDS.
    #[cfg(feature = "dds")]
    Processes,
}

impl Way {
    #[cfg(feature = "dds")]
    const ALL: [Way; 3] = [Way::Lockstep, Way::Realtime, Way::Processes];
    #[cfg(not(feature = "dds"))]
    const ALL: [Way; 2] = [Way::Lockstep, Way::Realtime];

    fn name(self) -> &'static str {
        match self {
            Way::Lockstep => "lockstep",
            Way::Realtime => "realtime",
            Way::Spinnaker => "spinnaker",
            #[cfg(feature = "dds")]
            Way::Processes => "processes",
        }
    }

    /// Whether the clock of the wall drives it.
    fn has_pace(self) -> bool {
        !matches!(self, Way::Lockstep | Way::Spinnaker)
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Way::Lockstep => &["--lockstep"],
            Way::Realtime => &["--realtime"],
            Way::Spinnaker => &["--lockstep", "backend:=spinnaker"],
            #[cfg(feature = "dds")]
            Way::Processes => &["--processes", "--ros", "dds"],
        }
    }
}

/// A verdict, as `saccade launch --json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
struct Verdict {
    trial: u32,
    seed: u64,
    truth: String,
    decision: String,
    reason: String,
    success: bool,
    /// From the saccade's onset to the decision, in s.
    decision_time_s: f64,
}

impl Verdict {
    /// In what it differs from another one.
    fn beside(&self, other: &Verdict) -> Same {
        if self.success != other.success {
            Same::Nothing
        } else if self.decision != other.decision {
            Same::Outcome
        } else {
            Same::All
        }
    }

    fn text(&self) -> String {
        let verdict = if self.success { "right" } else { "FAILED" };
        format!("{verdict}, decided for {}, {}", self.decision, self.reason)
    }
}

/// What two ways have in common in a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Same {
    /// The referee judged differently, or one did not reach the trial.
    Nothing,
    /// The referee judged the same, of another decision.
    Outcome,
    /// Outcome and decision.
    All,
}

/// The run of one way.
#[derive(Debug, Serialize)]
struct WayRun {
    way: Way,
    /// Exit status of `saccade launch`: 3 where messages were dropped.
    status: Option<i32>,
    succeeded: usize,
    wall_s: f64,
    /// Time from the saccade's onset to the decision, median and p99 over the trials that
    /// came to one, in s.
    decision_s: Option<[f64; 2]>,
    verdicts: Vec<Verdict>,
}

/// Median and p99 of the times to a decision; `None` where there was no decision.
fn decision_times(verdicts: &[Verdict]) -> Option<[f64; 2]> {
    let decided = verdicts.iter().filter(|v| !v.decision.is_empty());
    let mut times: Vec<f64> = decided.map(|v| v.decision_time_s).collect();
    times.sort_unstable_by(f64::total_cmp);
    let last = times.len().checked_sub(1)?;
    Some([0.5, 0.99].map(|share| times[(share * last as f64).round() as usize]))
}

/// A trial that came out differently in some way than in the first.
#[derive(Debug, Serialize, PartialEq)]
struct Difference {
    trial: u32,
    seed: u64,
    truth: String,
    /// Each way's verdict; `None` where the run ended before.
    ways: Vec<(Way, Option<String>)>,
    /// For each way, what it shares with the first.
    same: Vec<Same>,
    /// Whether some node refused data for their age, as a busy machine makes them.
    too_old: bool,
}

#[derive(Debug, Serialize)]
struct Results {
    file: PathBuf,
    trials: u32,
    seed: u64,
    /// Seconds of the robot by second of the wall, in the ways that go by it.
    pace: f64,
    runs: Vec<WayRun>,
    different: Vec<Difference>,
}

/// Runs `saccade eval grasp`.
///
/// # Errors
/// The launch file cannot be run, or its trials are not the same in all ways.
pub fn run(args: &GraspArgs) -> CliResult {
    args.scheduling.apply()?;
    let runs = args
        .ways
        .iter()
        .map(|way| run_way(args, *way))
        .collect::<Result<Vec<_>, _>>()?;
    let different = differences(&runs)?;
    let whole = runs
        .iter()
        .all(|r| r.verdicts.len() == args.trials as usize);
    let results = Results {
        file: args.file.clone(),
        trials: args.trials,
        seed: args.seed,
        pace: args.pace.factor(),
        runs,
        different,
    };
    write_json(&results, &args.report.join("grasp.json"))?;
    if args.json {
        print_json(&results)?;
    } else {
        print(&results)?;
    }
    Ok(if whole { Exit::Success } else { Exit::Failure })
}

/// Runs the launch file in a process of its own: this program.
fn run_way(args: &GraspArgs, way: Way) -> Result<WayRun, CliError> {
    eprintln!("{}: {} trials", way.name(), args.trials);
    let pace = args.pace.to_string();
    let pace = way.has_pace().then_some(["--pace", &pace]);
    let output = Command::new(std::env::current_exe()?)
        .arg("launch")
        .arg(&args.file)
        .args([
            format!("trials:={}", args.trials),
            format!("seed:={}", args.seed),
        ])
        .args(["record:=false", "--json", "--report"])
        .arg(args.report.join(way.name()))
        .args(way.words())
        .args(pace.into_iter().flatten())
        .stderr(Stdio::inherit())
        .output()
        .context("starting saccade launch")?;
    let what = || format!("{} of {}", way.name(), args.file.display());
    if output.stdout.is_empty() {
        let text = format!("saccade launch failed ({})", output.status);
        return Err(CliError::failed(text).context(what()));
    }
    let document: Value = serde_json::from_slice(&output.stdout).context(what())?;
    let verdicts: Vec<Verdict> =
        serde_json::from_value(document["trials"].clone()).context(what())?;
    Ok(WayRun {
        way,
        status: output.status.code(),
        succeeded: verdicts.iter().filter(|v| v.success).count(),
        wall_s: document["run"]["host"]["wall_s"].as_f64().unwrap_or(0.0),
        decision_s: decision_times(&verdicts),
        verdicts,
    })
}

/// The trials that did not come to the same in all ways.
fn differences(runs: &[WayRun]) -> Result<Vec<Difference>, CliError> {
    let trials: BTreeSet<u32> = runs
        .iter()
        .flat_map(|r| &r.verdicts)
        .map(|v| v.trial)
        .collect();
    let mut found = Vec::new();
    for trial in trials {
        let of = |run: &'_ WayRun| run.verdicts.iter().find(|v| v.trial == trial).cloned();
        let verdicts: Vec<_> = runs.iter().map(of).collect();
        let Some(one) = verdicts.iter().flatten().next() else {
            continue;
        };
        if let Some(other) = verdicts.iter().flatten().find(|v| v.seed != one.seed) {
            let (a, b) = (one.seed, other.seed);
            let text =
                format!("trial {trial} has the seeds {a} and {b}: these are not the same trials");
            return Err(CliError::failed(text));
        }
        let same: Vec<_> = verdicts
            .iter()
            .map(|v| match (v, &verdicts[0]) {
                (Some(v), Some(first)) => v.beside(first),
                _ => Same::Nothing,
            })
            .collect();
        if same.iter().all(|same| *same == Same::All) {
            continue;
        }
        let ways = runs.iter().zip(&verdicts);
        found.push(Difference {
            trial,
            seed: one.seed,
            truth: one.truth.clone(),
            ways: ways
                .map(|(r, v)| (r.way, v.as_ref().map(Verdict::text)))
                .collect(),
            same,
            // As the nodes say it (`senses.rs` of grasp_affordance).
            too_old: verdicts
                .iter()
                .flatten()
                .any(|v| v.reason.contains(" s old (limit ")),
        });
    }
    Ok(found)
}

fn print(results: &Results) -> Result<(), CliError> {
    for run in &results.runs {
        let note = match run.status {
            Some(0) => "",
            Some(3) => ", messages were dropped",
            _ => ", the run failed",
        };
        let decided = run.decision_s.map_or(String::new(), |[median, p99]| {
            format!(", decided after {median:.3} s (p99 {p99:.3})")
        });
        print_line(format!(
            "{:<10} {} of {} right{decided}, {:.0} s{note}",
            run.way.name(),
            run.succeeded,
            run.verdicts.len(),
            run.wall_s
        ))?;
    }
    for (i, run) in results.runs.iter().enumerate().skip(1) {
        let count = |same| {
            (results.different.iter())
                .filter(|d| d.same[i] == same)
                .count()
        };
        print_line(format!(
            "{} and {}: {} of {} trials came out differently, {} more were decided differently",
            results.runs[0].way.name(),
            run.way.name(),
            count(Same::Nothing),
            results.trials,
            count(Same::Outcome)
        ))?;
    }
    for difference in &results.different {
        let (trial, seed, truth) = (difference.trial, difference.seed, &difference.truth);
        let old = if difference.too_old {
            ": data were too old"
        } else {
            ""
        };
        print_line(format!("trial {trial} ({truth}, seed {seed}){old}"))?;
        for (way, verdict) in &difference.ways {
            let verdict = verdict.as_deref().unwrap_or("not reached");
            print_line(format!("    {:<10} {verdict}", way.name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_of(way: Way, verdicts: &[(u32, u64, &str, bool, &str)]) -> WayRun {
        let verdicts: Vec<_> = verdicts
            .iter()
            .map(|(trial, seed, decision, success, reason)| Verdict {
                trial: *trial,
                seed: *seed,
                truth: "ball".into(),
                decision: (*decision).into(),
                reason: (*reason).into(),
                success: *success,
                decision_time_s: 0.01 * f64::from(*trial),
            })
            .collect();
        WayRun {
            way,
            status: Some(0),
            succeeded: 0,
            wall_s: 1.0,
            decision_s: decision_times(&verdicts),
            verdicts,
        }
    }

    #[test]
    fn trials_are_paired_by_number_and_must_have_the_same_scene() {
        let lockstep = run_of(
            Way::Lockstep,
            &[
                (1, 5, "ball", true, "held"),
                (2, 6, "ball", true, "held"),
                (3, 7, "pen", false, "a"),
            ],
        );
        let realtime = run_of(
            Way::Realtime,
            &[
                (1, 5, "ball", true, "held"),
                (
                    2,
                    6,
                    "",
                    false,
                    "refused: events are 0.5 s old (limit 0.3 s)",
                ),
            ],
        );
        assert_eq!(lockstep.decision_s, Some([0.02, 0.03]));
        assert_eq!(
            realtime.decision_s,
            Some([0.01, 0.01]),
            "one did not decide"
        );
        let found = differences(&[lockstep, realtime]).expect("the same trials");
        let trials: Vec<_> = found
            .iter()
            .map(|d| (d.trial, d.same[1], d.too_old))
            .collect();
        assert_eq!(
            trials,
            [(2, Same::Nothing, true), (3, Same::Nothing, false)]
        );
        assert_eq!(found[1].ways[1], (Way::Realtime, None));

        let wavering = [
            run_of(Way::Lockstep, &[(1, 5, "background", true, "still")]),
            run_of(Way::Realtime, &[(1, 5, "ball", true, "still")]),
        ];
        let found = differences(&wavering).expect("the same trials");
        assert_eq!(found[0].same, [Same::All, Same::Outcome]);

        let other = [
            run_of(Way::Lockstep, &[(1, 5, "ball", true, "held")]),
            run_of(Way::Realtime, &[(1, 6, "ball", true, "held")]),
        ];
        let error = differences(&other).expect_err("other scenes");
        assert!(error.lines()[0].contains("seeds 5 and 6"));
    }
}
