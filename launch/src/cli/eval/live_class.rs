//! `saccade eval live-class`: a class taught while the nodes run, and what it costs the
//! others.

use super::not_the_same;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::plots::{self, Confusion};
use saccade_msgs::saccade_msgs::{Decision, Label, SaccadePhase};
use saccade_nodes::host::{Observer, RunReport};
use saccade_nodes::payload::Payload;
use saccade_nodes::{NodeSpec, RunOptions, lockstep, realtime};
use saccade_rosbags::dataset::Dataset;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Arguments of `saccade eval live-class`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  saccade dataset make --classes ball,bottle,pen,background,mug --per-class 50 --seed 11 -o lesson.mcap
  saccade dataset make --classes ball,bottle,pen,background,mug --per-class 50 --seed 13 \\
      --split test -o test.mcap
  saccade eval live-class --lesson lesson.mcap --test test.mcap --weights launch/weights/grasp.safetensors

The lesson's scenes are shown in their order; only those of the class to be taught come with a
label. The test comes after it in the same run, without a word. The same test in a run without
a lesson tells what the other classes had before.")]
pub struct LiveClassArgs {
    /// Data set with scenes of all classes, the new one among them.
    #[arg(long)]
    lesson: PathBuf,
    /// Held-out data set with scenes of all classes, of other seeds and sizes.
    #[arg(long)]
    test: PathBuf,
    /// Weights that the classifier starts with.
    #[arg(long, short)]
    weights: PathBuf,
    /// The class to teach.
    #[arg(long, default_value = "mug")]
    label: String,
    /// Presentations of it with a label.
    #[arg(long, default_value_t = 50)]
    presentations: u32,
    /// Parameters of eprop_classifier, NAME:=VALUE (see `saccade node describe`).
    #[arg(long = "parameter", short = 'p')]
    parameters: Vec<String>,
    /// By the wall clock, a thread for each node; otherwise simulated time.
    #[arg(long)]
    realtime: bool,
    /// Folder for live_class.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// What was found, as `live_class.json` holds it.
#[derive(Debug, Serialize)]
struct Results {
    label: String,
    told: u64,
    realtime: bool,
    lesson: String,
    lesson_fingerprint: String,
    test: String,
    test_fingerprint: String,
    classes: Vec<ClassResult>,
    /// Mean accuracy of the old classes before and after, and what it lost.
    others_before: f64,
    others_after: f64,
    /// Test decisions after the lesson: row = truth, column = decision.
    confusion: Vec<Vec<u64>>,
    confusion_before: Vec<Vec<u64>>,
    /// What the classifier's inputs took in all, by the wall clock, in the run with the
    /// lesson.
    classifier_seconds: f64,
    /// Of both runs.
    late_ticks: u64,
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct ClassResult {
    name: String,
    scenes: u64,
    before: f64,
    after: f64,
}

/// A scene as the run saw it.
#[derive(Debug, Clone)]
struct Seen {
    truth: String,
    told: bool,
    decided: Option<String>,
}

/// Notes what was shown and what was decided. A saccade has the number of its scene.
#[derive(Debug, Default)]
struct Notes {
    next: Option<(String, bool)>,
    seen: Vec<Seen>,
}

struct Watcher(Arc<Mutex<Notes>>);

impl Observer for Watcher {
    fn message(&mut self, _now_ns: i64, _node: &str, topic: &str, payload: &Payload) {
        // The lock is poisoned only if this very thread has panicked.
        let Ok(mut notes) = self.0.lock() else { return };
        match topic {
            "/label" => {
                if let Ok(label) = payload.get::<Label>() {
                    notes.next = Some((label.label.clone(), label.learn));
                }
            }
            "/saccade" => {
                let begins = payload.get::<SaccadePhase>().is_ok_and(|p| p.moving);
                if let Some((truth, told)) = notes.next.take_if(|_| begins) {
                    notes.seen.push(Seen {
                        truth,
                        told,
                        decided: None,
                    });
                }
            }
            "/decision" => {
                if let Ok(decision) = payload.get::<Decision>()
                    && decision.r#final
                    && let Some(i) = (decision.saccade_id as usize).checked_sub(1)
                    && let Some(seen) = notes.seen.get_mut(i)
                {
                    seen.decided = Some(decision.label.clone());
                }
            }
            _ => {}
        }
    }
}

/// Runs `saccade eval live-class`.
///
/// # Errors
/// Data or weights cannot be read or do not fit, or writing fails.
pub fn run(args: &LiveClassArgs) -> CliResult {
    let fingerprint = |path: &Path| -> Result<String, CliError> {
        Ok(format!("{:016x}", Dataset::open(path)?.fingerprint()?))
    };
    let (of_lesson, of_test) = (fingerprint(&args.lesson)?, fingerprint(&args.test)?);
    not_the_same("--lesson", &of_lesson, &of_test)?;
    for path in [&args.lesson, &args.test] {
        has_label(path, &args.label)?;
    }
    let (before, first) = show(args, None)?;
    let (during, report) = show(args, Some(&args.lesson))?;
    let after = &during[during.len().saturating_sub(before.len())..];
    let mut results = compare(args, &before, after);
    results.classifier_seconds = report
        .node_seconds
        .get("/eprop_classifier")
        .copied()
        .unwrap_or(0.0);
    for run in [&first, &report] {
        results.late_ticks += run.late_ticks.values().sum::<u64>();
        results.dropped += run.dropped.values().sum::<u64>();
    }
    results.told = during.iter().filter(|s| s.told).count() as u64;
    results.lesson_fingerprint = of_lesson;
    results.test_fingerprint = of_test;
    if let Some(folder) = &args.report {
        write_report(folder, &results)?;
    }
    match args.json {
        true => print_json(&results)?,
        false => print_line(text(&results))?,
    }
    Ok(match first.lost_data() || report.lost_data() {
        true => Exit::LostData,
        false => Exit::Success,
    })
}

/// Refuses a data set in which no scene shows what is to be taught.
fn has_label(path: &Path, label: &str) -> Result<(), CliError> {
    for sample in Dataset::open(path)? {
        if sample?.label == label {
            return Ok(());
        }
    }
    Err(CliError::failed(format!(
        "{}: no scene shows '{label}'; `saccade dataset info` lists the classes, `saccade \
         dataset make --classes` makes others",
        path.display()
    )))
}

/// Shows lesson and test to the nodes; what they were and were taken for.
fn show(args: &LiveClassArgs, lesson: Option<&Path>) -> Result<(Vec<Seen>, RunReport), CliError> {
    let mut teacher = NodeSpec::new("teacher")
        .parameter("label", &args.label)
        .parameter("presentations", args.presentations)
        .parameter("test", args.test.display());
    if let Some(lesson) = lesson {
        teacher = teacher.parameter("lesson", lesson.display());
    }
    let mut classifier = NodeSpec::new("eprop_classifier")
        .parameter("weights", args.weights.display())
        .parameter("new_classes", 1);
    for parameter in &args.parameters {
        let (name, value) = parameter.split_once(":=").ok_or_else(|| {
            CliError::usage(format!("--parameter {parameter}: write NAME:=VALUE"))
        })?;
        classifier = classifier.parameter(name, value);
    }
    let notes = Arc::new(Mutex::new(Notes::default()));
    let options = RunOptions {
        observer: Box::new(Watcher(notes.clone())),
        ..RunOptions::default()
    };
    let specs = [teacher, NodeSpec::new("dvs_ingest"), classifier];
    eprintln!(
        "{} {}",
        if lesson.is_some() {
            "lesson and test"
        } else {
            "test before the lesson"
        },
        if args.realtime {
            "in real time"
        } else {
            "in lockstep"
        }
    );
    let report = match args.realtime {
        true => realtime::run(&specs, options)?,
        false => lockstep::run(&specs, options)?,
    };
    if !report.finished {
        return Err(CliError::failed(format!(
            "the run ended early: {}",
            report.ended
        )));
    }
    let mut notes = notes
        .lock()
        .map_err(|_| CliError::failed("the observer of the run has failed"))?;
    Ok((std::mem::take(&mut notes.seen), report))
}

fn compare(args: &LiveClassArgs, before: &[Seen], after: &[Seen]) -> Results {
    let mut names: Vec<String> = Vec::new();
    let known = saccade_msgs::CLASSES.iter().map(|c| (*c).to_owned());
    for name in known
        .chain([args.label.clone()])
        .chain(before.iter().map(|s| s.truth.clone()))
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let confusion = |scenes: &[Seen]| {
        let mut counts = vec![vec![0_u64; names.len() + 1]; names.len()];
        for seen in scenes {
            let row = names.iter().position(|n| *n == seen.truth);
            let decided = |d: &String| names.iter().position(|n| n == d);
            let column = seen
                .decided
                .as_ref()
                .and_then(decided)
                .unwrap_or(names.len());
            if let Some(row) = row {
                counts[row][column] += 1;
            }
        }
        counts
    };
    let (first, last) = (confusion(before), confusion(after));
    let share = |row: &[u64], i: usize| row[i] as f64 / row.iter().sum::<u64>().max(1) as f64;
    let classes: Vec<ClassResult> = names
        .iter()
        .enumerate()
        .map(|(i, name)| ClassResult {
            name: name.clone(),
            scenes: last[i].iter().sum(),
            before: share(&first[i], i),
            after: share(&last[i], i),
        })
        .collect();
    let others = |f: fn(&ClassResult) -> f64| {
        let old: Vec<f64> = classes
            .iter()
            .filter(|c| c.name != args.label && c.scenes > 0)
            .map(f)
            .collect();
        old.iter().sum::<f64>() / old.len().max(1) as f64
    };
    Results {
        label: args.label.clone(),
        told: 0,
        realtime: args.realtime,
        lesson: args.lesson.display().to_string(),
        lesson_fingerprint: String::new(),
        test: args.test.display().to_string(),
        test_fingerprint: String::new(),
        others_before: others(|c| c.before),
        others_after: others(|c| c.after),
        confusion: last,
        confusion_before: first,
        classes,
        classifier_seconds: 0.0,
        late_ticks: 0,
        dropped: 0,
    }
}

fn text(r: &Results) -> String {
    let host = if r.realtime {
        "in real time"
    } else {
        "in lockstep"
    };
    let percent = |x: f64| format!("{:.1} %", 100.0 * x);
    let mut lines = vec![
        format!(
            "lesson  {} ({}), {} labels '{}', {host}",
            r.lesson, r.lesson_fingerprint, r.told, r.label
        ),
        format!("test    {} ({}), no label", r.test, r.test_fingerprint),
        String::new(),
        format!(
            "  {:<12} {:>7} {:>9} {:>9}",
            "class", "scenes", "before", "after"
        ),
    ];
    for c in &r.classes {
        let (before, after) = (percent(c.before), percent(c.after));
        lines.push(format!(
            "  {:<12} {:>7} {before:>9} {after:>9}",
            c.name, c.scenes
        ));
    }
    lines.push(format!(
        "  {:<12} {:>7} {:>9} {:>9}   {:+.1} points",
        "the others",
        "",
        percent(r.others_before),
        percent(r.others_after),
        100.0 * (r.others_after - r.others_before)
    ));
    lines.push(String::new());
    lines.push("decisions after the lesson (row = truth, column = decision)".into());
    let head: String = r
        .classes
        .iter()
        .map(|c| format!("{:>12}", c.name))
        .collect();
    lines.push(format!("  {:<12}{head}{:>12}", "", "none"));
    for (class, row) in r.classes.iter().zip(&r.confusion) {
        let cells: String = row.iter().map(|n| format!("{n:>12}")).collect();
        lines.push(format!("  {:<12}{cells}", class.name));
    }
    if r.realtime || r.dropped > 0 {
        lines.push(format!(
            "late ticks {}, messages dropped {}",
            r.late_ticks, r.dropped
        ));
    }
    lines.join("\n")
}

fn write_report(folder: &Path, results: &Results) -> Result<(), CliError> {
    let classes: Vec<String> = results.classes.iter().map(|c| c.name.clone()).collect();
    for (name, when, counts) in [
        ("before.png", "before", &results.confusion_before),
        ("after.png", "after", &results.confusion),
    ] {
        let picture = Confusion {
            title: format!("Held-out decisions {when} the lesson"),
            classes: classes.clone(),
            counts: counts.clone(),
        };
        plots::save(&picture, &folder.join(name))?;
    }
    write_json(results, &folder.join("live_class.json"))
}
