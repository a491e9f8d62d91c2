//! `saccade eval classifier`: how good trained weights, or a whole training, are.

use super::{fixed, not_the_same, robustness, weights_on};
use crate::cli::train::{NetworkArgs, epoch_bar, epoch_text};
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line, write_json};
use crate::experiment::{Results, SHUFFLED, compare, load, load_training};
use crate::plots;
use saccade_engine::models::evaluation::evaluate;
use std::path::{Path, PathBuf};

/// Arguments of `saccade eval classifier`.
#[derive(Debug, clap::Args)]
pub struct ClassifierArgs {
    /// Data set to evaluate --weights on.
    #[arg(
        required_unless_present = "train",
        conflicts_with = "train",
        requires = "weights"
    )]
    dataset: Option<PathBuf>,
    /// Weights (.safetensors).
    #[arg(long, short, requires = "dataset")]
    weights: Option<PathBuf>,
    /// Data sets to train on, once per seed. A class counts by the root of the
    /// number of its samples.
    #[arg(long, requires = "test", value_delimiter = ',')]
    train: Vec<PathBuf>,
    /// Held-out data set.
    #[arg(long, requires = "train")]
    test: Option<PathBuf>,
    /// Number of trainings.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The first training's seed, the others follow; with --robustness, the seed of all
    /// draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Evaluate --weights in fixed point as well (16-bit weights, s16.15 state, as on
    /// SpiNNaker), and print what that costs.
    #[arg(long, requires = "weights", conflicts_with = "report")]
    fixed: bool,
    /// How accuracy falls with coarse weights, dead neurons, unequal thresholds, and lost,
    /// false and late events: a table.
    #[arg(long, requires = "weights", conflicts_with = "fixed")]
    robustness: bool,
    /// Draws of each fault that is random.
    #[arg(long, default_value_t = 5, requires = "robustness",
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    draws: u64,
    #[command(flatten)]
    network: NetworkArgs,
    /// Folder for eval.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs `saccade eval classifier`.
///
/// # Errors
/// Data or weights cannot be read or do not fit, or writing fails.
pub fn run(args: &ClassifierArgs) -> CliResult {
    if let (true, Some(dataset), Some(weights)) = (args.fixed, &args.dataset, &args.weights) {
        return fixed::run(dataset, weights, args.network.interval_ms, args.json);
    }
    if let (true, Some(dataset), Some(weights)) = (args.robustness, &args.dataset, &args.weights) {
        let table = robustness::measure(&robustness::Wanted {
            dataset,
            weights,
            interval_ms: args.network.interval_ms,
            draws: args.draws,
            seed: args.seed,
        })?;
        return robustness::show(&table, args.report.as_deref(), args.json);
    }
    let results = match (&args.dataset, &args.weights, &args.test) {
        (Some(dataset), Some(weights), _) => of_weights(args, dataset, weights)?,
        (_, _, Some(test)) => of_trainings(args, &args.train, test)?,
        _ => {
            return Err(CliError::usage(
                "give a data set and --weights, or --train and --test",
            ));
        }
    };
    if let Some(folder) = &args.report {
        write_report(folder, &results)?;
    }
    if args.json {
        print_json(&results)?;
    } else {
        print_line(text(&results))?;
    }
    Ok(Exit::Success)
}

fn of_weights(args: &ClassifierArgs, dataset: &Path, weights: &Path) -> Result<Results, CliError> {
    let (classifier, data) = weights_on(weights, dataset, args.network.interval_ms)?;
    let evaluation = evaluate(&classifier, &data.samples).context(format!(
        "weights {} on {}",
        weights.display(),
        dataset.display()
    ))?;
    let seed = classifier.provenance().seed;
    Ok(Results::new(&data, &[(seed, evaluation)]))
}

fn of_trainings(
    args: &ClassifierArgs,
    train: &[PathBuf],
    test: &Path,
) -> Result<Results, CliError> {
    let setup = args.network.setup();
    let train = load_training(train, args.network.interval_ms)?;
    let test = load(test, args.network.interval_ms, Some(train.encoder.clone()))?;
    not_the_same(
        "--train",
        &train.source.fingerprint,
        &test.source.fingerprint,
    )?;
    let seeds: Vec<u64> = (0..args.seeds).map(|i| args.seed.wrapping_add(i)).collect();
    let bar = epoch_bar(setup.training.epochs * (seeds.len() + seeds.len().min(SHUFFLED)));
    let results = compare(&train, &test, &setup, &seeds, &mut |p| {
        let shuffled = if p.shuffled { " shuffled" } else { "" };
        bar.set_prefix(format!("seed {}{shuffled} ", p.seed));
        bar.set_message(epoch_text(p.epoch));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    Ok(results)
}

fn write_report(folder: &Path, results: &Results) -> Result<(), CliError> {
    plots::save(&results.curve_chart(), &folder.join("accuracy_vs_time.png"))?;
    plots::save(&results.confusion_picture(), &folder.join("confusion.png"))?;
    write_json(results, &folder.join("eval.json"))
}

fn text(r: &Results) -> String {
    let percent = |x: f64| format!("{:5.1} %", 100.0 * x);
    let mut lines = Vec::new();
    if let Some(train) = &r.train {
        lines.push(format!(
            "trained on  {} ({} samples, {})",
            train.file, train.samples, train.fingerprint
        ));
    }
    lines.extend([
        format!(
            "tested on   {} ({} samples, {})",
            r.test.file, r.test.samples, r.test.fingerprint
        ),
        format!(
            "saccade     {}; the network sees {} ms from its onset",
            r.test.saccade, r.interval_ms
        ),
        String::new(),
        "held-out accuracy at the end of the interval, learning signal off".into(),
    ]);
    for run in &r.runs {
        lines.push(format!(
            "  seed {:<4} {}   cross entropy {:.3} nats   calibration error {:.3}   {:.1} Hz",
            run.seed,
            percent(run.accuracy),
            run.cross_entropy,
            run.calibration_error,
            run.mean_rate_hz
        ));
    }
    if r.runs.len() > 1 {
        lines.push(format!(
            "  mean      {}   standard deviation {:.1} %",
            percent(r.accuracy_mean),
            100.0 * r.accuracy_std
        ));
    }
    lines.extend(table(r));
    lines.extend(curve(r));
    if !r.shuffled.is_empty() {
        let mean = r.shuffled.iter().sum::<f64>() / r.shuffled.len() as f64;
        let each: Vec<_> = r
            .shuffled
            .iter()
            .map(|a| format!("{:.1}", 100.0 * a))
            .collect();
        lines.push(String::new());
        lines.push(format!(
            "shuffled labels  {}   ({}; chance is {})",
            percent(mean),
            each.join(", "),
            percent(1.0 / r.classes.len() as f64).trim()
        ));
    }
    if !r.baselines.is_empty() {
        lines.push("baselines".into());
        lines.extend(
            r.baselines
                .iter()
                .map(|b| format!("  {:<50} {}", b.name, percent(b.accuracy))),
        );
    }
    lines.join("\n")
}

fn table(r: &Results) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "confusion (row = truth, column = decision)".into(),
    ];
    let head: String = r.classes.iter().map(|c| format!("{c:>12}")).collect();
    lines.push(format!("  {:<12}{head}", ""));
    for (name, row) in r.classes.iter().zip(&r.confusion) {
        let cells: String = row.iter().map(|n| format!("{n:>12}")).collect();
        lines.push(format!("  {name:<12}{cells}"));
    }
    lines
}

fn curve(r: &Results) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "accuracy against time since saccade onset".into(),
    ];
    // A line for every 50 ms is enough to read; the picture has all of it.
    let shown = |ms: f64| (ms as u64).is_multiple_of(50) || ms >= f64::from(r.interval_ms);
    for p in r.curve.iter().filter(|p| shown(p.ms)) {
        let bar = "█".repeat((40.0 * p.mean).round().max(0.0) as usize);
        lines.push(format!(
            "  {:4.0} ms  {:5.1} %  {bar}",
            p.ms,
            100.0 * p.mean
        ));
    }
    lines.extend(
        r.settled_ms
            .map(|ms| format!("  within 1 % of the end from {ms:.0} ms on")),
    );
    lines
}
