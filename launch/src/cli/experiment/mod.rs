//! `saccade experiment`: the field's reference tasks, learnt and drawn.

use super::{CliError, CliResult, Context, Exit, print_json, print_line};
use crate::plots::{self, LineChart, Series};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_engine::experiments::{
    EvidenceAccumulation, Experiment, Iteration, Problem, SineRegression, Target,
};
use saccade_rosbags::write_atomic;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments of `saccade experiment`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Seed 1 is the task of NEST's own test: its losses are the first that \
                        `saccade experiment sine-regression` prints."
)]
pub struct ExperimentArgs {
    #[command(subcommand)]
    task: TaskArgs,
}

#[derive(Debug, clap::Subcommand)]
enum TaskArgs {
    /// A readout learns to follow a sum of four sines while frozen noise comes in.
    SineRegression(RunArgs),
    /// Seven cues left or right, a second of delay, then: on which side were there more?
    EvidenceAccumulation {
        #[command(flatten)]
        run: RunArgs,
        /// Sequences in an iteration (one change of the weights).
        #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
        batch: u16,
    },
}

/// What all experiments are asked.
#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Seed of weights and input, drawn as NumPy draws them.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Changes of the weights.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,
    /// Folder for `curves.json` and the pictures; made where it is missing.
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// One JSON document on stdout, that of `curves.json`.
    #[arg(long)]
    json: bool,
}

/// What an experiment gives.
#[derive(Debug, Serialize)]
struct Document {
    task: &'static str,
    seed: u32,
    iterations: u32,
    sequences_per_iteration: usize,
    /// Loss of each iteration, before its change of the weights.
    loss: Vec<f64>,
    /// Mean firing rate of the recurrent layer in Hz.
    rate_hz: Vec<f64>,
    /// Share of right answers, where there is a question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accuracy: Vec<f64>,
    /// Readout in the window of the last sequence, step by step.
    readout: Vec<Vec<f64>>,
    /// What it should have been, where that is a signal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    target: Vec<f64>,
    /// How long the iterations took, in s.
    wall_s: f64,
}

/// Runs `saccade experiment`.
///
/// # Errors
/// A picture or file cannot be written, or learning has diverged.
pub fn run(args: ExperimentArgs) -> CliResult {
    match args.task {
        TaskArgs::SineRegression(args) => report(
            "sine-regression",
            &mut SineRegression::new(args.seed),
            &args,
        ),
        TaskArgs::EvidenceAccumulation { run, batch } => {
            let mut problem = EvidenceAccumulation::new(run.seed, usize::from(batch));
            report("evidence-accumulation", &mut problem, &run)
        }
    }
}

fn report(task: &'static str, problem: &mut impl Problem, args: &RunArgs) -> CliResult {
    let document = learn(task, problem, args).context(format!("learning {task}"))?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).context(format!("making {}", folder.display()))?;
        write(&document, folder)?;
    }
    if args.json {
        print_json(&document)?;
        return Ok(Exit::Success);
    }
    for line in lines(&document) {
        print_line(line)?;
    }
    if let Some(folder) = &args.out {
        print_line(format!("curves and pictures: {}", folder.display()))?;
    }
    Ok(Exit::Success)
}

fn learn(
    task: &'static str,
    problem: &mut impl Problem,
    args: &RunArgs,
) -> Result<Document, CliError> {
    let mut experiment = Experiment::<f64>::new(problem.task())?;
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} iterations  {msg}  {eta} left");
    let bar = ProgressBar::new(u64::from(args.iterations))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let start = Instant::now();
    let (mut done, mut target) = (Vec::new(), Vec::new());
    for _ in 0..args.iterations {
        let batch = problem.batch();
        let iteration = experiment.iterate(&batch)?;
        bar.set_message(format!(
            "loss {:.4}  {:.1} Hz",
            iteration.loss, iteration.rate_hz
        ));
        bar.inc(1);
        done.push(iteration);
        if let Some(Target::Signal(signal)) = batch.last().map(|sequence| &sequence.target) {
            target.clone_from(signal);
        }
    }
    bar.finish_and_clear();
    let n_out = experiment.network().topology.n_out;
    let rows = experiment.readouts().chunks_exact(n_out);
    let asked = target.is_empty();
    let column = |f: fn(&Iteration) -> f64| done.iter().map(f).collect::<Vec<f64>>();
    Ok(Document {
        task,
        seed: args.seed,
        iterations: args.iterations,
        sequences_per_iteration: done.first().map_or(0, |i| i.sequences),
        loss: column(|i| i.loss),
        rate_hz: column(|i| i.rate_hz),
        accuracy: match asked {
            true => column(|i| i.right as f64 / i.sequences as f64),
            false => Vec::new(),
        },
        readout: rows.map(<[f64]>::to_vec).collect(),
        target,
        wall_s: start.elapsed().as_secs_f64(),
    })
}

/// What is printed: the first losses in full, to hold against others', and the end.
fn lines(document: &Document) -> Vec<String> {
    let mut lines = vec![format!(
        "{}, seed {}, {} iterations of {} sequences, {:.1} s",
        document.task,
        document.seed,
        document.iterations,
        document.sequences_per_iteration,
        document.wall_s
    )];
    let first: Vec<String> = document
        .loss
        .iter()
        .take(5)
        .map(|l| format!("{l:.12}"))
        .collect();
    lines.push(format!("first losses  {}", first.join("  ")));
    let mean = |values: &[f64]| {
        let last = &values[values.len().saturating_sub(10)..];
        last.iter().sum::<f64>() / last.len().max(1) as f64
    };
    let (loss, rate) = (mean(&document.loss), mean(&document.rate_hz));
    let mut end = format!("last ten      loss {loss:.6}, {rate:.1} Hz");
    if !document.accuracy.is_empty() {
        end += &format!(", {:.1} % right", 100.0 * mean(&document.accuracy));
    }
    lines.push(end);
    lines
}

fn write(document: &Document, folder: &Path) -> Result<(), CliError> {
    let path = folder.join("curves.json");
    write_atomic(&path, &serde_json::to_vec_pretty(document)?)
        .context(format!("writing {}", path.display()))?;
    for (name, chart) in charts(document) {
        plots::save(&chart, &folder.join(name))?;
    }
    Ok(())
}

/// Loss, and accuracy or the readout beside its target.
fn charts(document: &Document) -> Vec<(&'static str, LineChart)> {
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        (1..).map(f64::from).zip(values.iter().copied()).collect()
    };
    let over_iterations = |name: &str, values: &[f64]| LineChart {
        title: format!("{}, seed {}", document.task, document.seed),
        x_label: "iteration".into(),
        y_label: name.into(),
        series: vec![Series::new(0, name, points(values))],
        ..LineChart::default()
    };
    let mut charts = vec![
        ("loss.png", over_iterations("loss", &document.loss)),
        (
            "rate.png",
            over_iterations("firing rate (Hz)", &document.rate_hz),
        ),
    ];
    if !document.accuracy.is_empty() {
        let chart = over_iterations("share of right answers", &document.accuracy);
        charts.push(("accuracy.png", chart));
    }
    let mut series: Vec<Series> = (0..document.readout.first().map_or(0, Vec::len))
        .map(|k| {
            let values: Vec<f64> = document.readout.iter().map(|row| row[k]).collect();
            Series::new(k, format!("readout {k}"), points(&values))
        })
        .collect();
    if !document.target.is_empty() {
        series.push(Series::new(
            series.len(),
            "target",
            points(&document.target),
        ));
    }
    charts.push((
        "readout.png",
        LineChart {
            title: format!("{}, last sequence", document.task),
            x_label: "step of the window (ms)".into(),
            y_label: "readout".into(),
            series,
            ..LineChart::default()
        },
    ));
    charts
}
