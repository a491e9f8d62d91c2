//! `saccade eval stability`: what becomes of a network when its teacher leaves.

use super::not_the_same;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::experiment::{Data, Source, load, mean_and_std};
use crate::plots::{self, LineChart, Marker, Series};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::sample::Sample;
use saccade_engine::models::teacher::{Average, Course, Manner, Point, Timing, leave};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Firing-rate regularisation of the rule that learns in every tick. Its gradients are
/// not averaged over an interval, so the number differs; beside the learning signal it
/// weighs about as much as that of the other rule.
const C_REG_PER_TICK: f64 = 20.0;

/// Arguments of `saccade eval stability`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every way of being taught starts from the same weights and sees the same samples in the same
order. Those that change weights in every tick are what the original report had: the label
acts while the sample is being shown. 'during' counts the decisions as they were made then,
'before' those that the weights would have given before the label acted, 'again' those on the
same samples after the epoch without any label. Then the labels stop, and whatever the rule
does without them goes on.")]
pub struct StabilityArgs {
    /// Data set to teach with.
    #[arg(long)]
    train: PathBuf,
    /// Held-out data set.
    #[arg(long)]
    test: PathBuf,
    /// Samples of each class to teach with, the first of the data set. (Weights that change in
    /// every tick take their time.)
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    per_class: u64,
    /// Held-out samples of each class, the first of the data set.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    test_per_class: u64,
    /// Epochs with the teacher.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    taught: u64,
    /// Epochs after that without.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    alone: u64,
    /// Recurrent neurons; half of them adapt (ALIF).
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(2..=4096))]
    hidden: u64,
    /// Adam's step size where weights change after a presentation.
    #[arg(long, default_value_t = 0.005)]
    learning_rate: f64,
    /// Adam's step size where weights change in every tick.
    #[arg(long, default_value_t = 0.0005)]
    learning_rate_per_tick: f64,
    /// How much of a saccade the network sees, in milliseconds from its onset.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    interval_ms: u16,
    /// Seed of initial weights and orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for stability.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Everything measured, as `stability.json` holds it.
#[derive(Debug, Serialize)]
struct Results {
    train: Source,
    taught_with: usize,
    test: Source,
    tested_with: usize,
    interval_ms: u16,
    hidden: u64,
    course: Course,
    ways: Vec<Way>,
}

/// A way of being taught and what came of it.
#[derive(Debug, Serialize)]
struct Way {
    manner: Manner,
    summary: Summary,
    epochs: Vec<Point>,
}

/// Shares of right decisions of one way. With the teacher: over the last half of its
/// epochs; alone: at the end.
#[derive(Debug, Serialize)]
struct Summary {
    during: f64,
    before: f64,
    again: f64,
    held_out: f64,
    /// Standard deviation of the held-out accuracy from look to look.
    held_out_std: f64,
    held_out_lowest: f64,
    /// Share of the held-out samples taken for the class shown last.
    pull: f64,
    /// At the last look with the teacher.
    held_out_at_leave: f64,
    again_at_leave: f64,
    rate_hz_at_leave: f64,
    again_alone: f64,
    held_out_alone: f64,
    held_out_alone_lowest: f64,
    rate_hz_alone: f64,
    /// How far the weights have moved alone, relative to their length.
    moved: f64,
}

impl Summary {
    fn of(epochs: &[Point], taught: usize) -> Self {
        let steady = &epochs[taught / 2..taught];
        let mean = |f: fn(&Point) -> f64| mean_and_std(&steady.iter().map(f).collect::<Vec<_>>()).0;
        let looks: Vec<f64> = steady.iter().flat_map(|p| p.held_out.clone()).collect();
        let (held_out, held_out_std) = mean_and_std(&looks);
        let lowest = |looks: &[f64]| looks.iter().copied().fold(f64::INFINITY, f64::min);
        let (leave, end) = (&epochs[taught - 1], &epochs[epochs.len() - 1]);
        let last = |p: &Point| p.held_out.last().copied().unwrap_or(f64::NAN);
        let alone: Vec<f64> = epochs[taught..]
            .iter()
            .flat_map(|p| p.held_out.clone())
            .collect();
        Self {
            during: mean(|p| p.during),
            before: mean(|p| p.before),
            again: mean(|p| p.again),
            held_out,
            held_out_std,
            held_out_lowest: lowest(&looks),
            pull: mean(|p| p.pull),
            held_out_at_leave: last(leave),
            again_at_leave: leave.again,
            rate_hz_at_leave: leave.rate_hz,
            again_alone: end.again,
            held_out_alone: last(end),
            held_out_alone_lowest: lowest(&alone).min(last(end)),
            rate_hz_alone: end.rate_hz,
            moved: end.moved,
        }
    }
}

/// The ways that are compared. Each differs from another one in a single thing.
fn manners(args: &StabilityArgs) -> Vec<Manner> {
    let c_reg = ClassifierConfig::default().eprop.c_reg;
    let per_tick = |name: &str, c_reg: f64| Manner {
        name: name.into(),
        timing: Timing::Tick,
        c_reg,
        goes_on: true,
        annealed: false,
        average: Average::None,
        learning_rate: args.learning_rate_per_tick,
    };
    let per_presentation = |name: &str, goes_on: bool, annealed: bool, average: Average| Manner {
        name: name.into(),
        timing: Timing::Presentation,
        c_reg,
        goes_on,
        annealed,
        average,
        learning_rate: args.learning_rate,
    };
    vec![
        per_tick("every tick, rates regulated on", C_REG_PER_TICK),
        per_tick("every tick, no regularisation", 0.0),
        per_presentation(
            "per saccade, rates regulated on",
            true,
            false,
            Average::None,
        ),
        per_presentation("per saccade", false, false, Average::None),
        per_presentation("per saccade, annealed", false, true, Average::None),
        per_presentation(
            "per saccade, average decides",
            false,
            false,
            Average::Decides,
        ),
        per_presentation("per saccade, average learns", false, false, Average::Learns),
        per_presentation(
            "per saccade, annealed, averaged",
            false,
            true,
            Average::Decides,
        ),
    ]
}

/// Runs `saccade eval stability`.
///
/// # Errors
/// Data cannot be read or does not fit, a parameter is out of range, or writing fails.
pub fn run(args: &StabilityArgs) -> CliResult {
    let train = load(&args.train, args.interval_ms, None)?;
    let test = load(&args.test, args.interval_ms, Some(train.encoder.clone()))?;
    not_the_same(
        "--train",
        &train.source.fingerprint,
        &test.source.fingerprint,
    )?;
    let results = measure(args, &train, &test)?;
    if let Some(folder) = &args.report {
        write_report(folder, &results)?;
    }
    match args.json {
        true => print_json(&results)?,
        false => print_line(text(&results))?,
    }
    Ok(Exit::Success)
}

fn measure(args: &StabilityArgs, train: &Data, test: &Data) -> Result<Results, CliError> {
    let hidden = args.hidden as usize;
    let ticks = usize::from(args.interval_ms);
    let config = ClassifierConfig {
        n_in: train.encoder.n_inputs(),
        n_alif: hidden / 2,
        n_lif: hidden - hidden / 2,
        max_ticks: ticks,
        learn_from_tick: ClassifierConfig::default().learn_from_tick.min(ticks - 1),
        ..ClassifierConfig::default()
    };
    let samples = first_of_each(&train.samples, config.n_out, args.per_class as usize);
    let held_out = first_of_each(&test.samples, config.n_out, args.test_per_class as usize);
    let course = Course {
        taught: args.taught as usize,
        alone: args.alone as usize,
        looks: 4.min(samples.len()),
        seed: args.seed,
    };
    let manners = manners(args);
    let bar = ProgressBar::new(((args.taught + args.alone) as usize * manners.len()) as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} epochs  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let ways: Result<Vec<Way>, saccade_engine::Error> = manners
        .into_par_iter()
        .map(|manner| {
            let heard = |_: &Point| bar.inc(1);
            let epochs = leave(&samples, &held_out, &config, &manner, &course, &heard)?;
            Ok(Way {
                summary: Summary::of(&epochs, course.taught),
                manner,
                epochs,
            })
        })
        .collect();
    bar.finish_and_clear();
    Ok(Results {
        train: train.source.clone(),
        taught_with: samples.len(),
        test: test.source.clone(),
        tested_with: held_out.len(),
        interval_ms: args.interval_ms,
        hidden: args.hidden,
        course: course.clone(),
        ways: ways?,
    })
}

fn first_of_each(samples: &[Sample], classes: usize, count: usize) -> Vec<Sample> {
    let mut taken = vec![0; classes];
    let mut wanted = |label: usize| {
        taken[label] += 1;
        taken[label] <= count
    };
    let chosen = samples.iter().filter(|s| wanted(s.label));
    chosen.cloned().collect()
}

fn text(r: &Results) -> String {
    let mut lines = vec![
        format!(
            "taught with  {} of {} ({}), {} epochs",
            r.taught_with, r.train.file, r.train.fingerprint, r.course.taught
        ),
        format!(
            "held out     {} of {} ({}); {} neurons, {} ms, seed {}",
            r.tested_with, r.test.file, r.test.fingerprint, r.hidden, r.interval_ms, r.course.seed
        ),
        String::new(),
        "With the teacher, mean over the last half of the epochs (%)".into(),
        format!(
            "  {:<33} {:>7} {:>7} {:>7} | {:>8} {:>9} {:>7} {:>6}",
            "weights change",
            "during",
            "before",
            "again",
            "held out",
            "std. dev.",
            "lowest",
            "pull"
        ),
    ];
    let percent = |x: f64| format!("{:.1}", 100.0 * x);
    for Way {
        manner, summary: s, ..
    } in &r.ways
    {
        lines.push(format!(
            "  {:<33} {:>7} {:>7} {:>7} | {:>8} {:>9} {:>7} {:>6}",
            manner.name,
            percent(s.during),
            percent(s.before),
            percent(s.again),
            percent(s.held_out),
            percent(s.held_out_std),
            percent(s.held_out_lowest),
            percent(s.pull)
        ));
    }
    lines.extend([
        "  during: as decided, label acting. before: by the weights before the label acted.".into(),
        "  again: after the epoch, no label. pull: held-out samples taken for the class shown last."
            .into(),
        String::new(),
        format!(
            "Alone: when the teacher leaves, and {} epochs later (%)",
            r.course.alone
        ),
        format!(
            "  {:<33} {:>15} {:>15} {:>7} {:>9} {:>13}",
            "weights change", "same samples", "held out", "lowest", "moved", "rate (Hz)"
        ),
    ]);
    for Way {
        manner, summary: s, ..
    } in &r.ways
    {
        lines.push(format!(
            "  {:<33} {:>6} -> {:>5} {:>6} -> {:>5} {:>7} {:>9} {:>4.1} -> {:>5.1}",
            manner.name,
            percent(s.again_at_leave),
            percent(s.again_alone),
            percent(s.held_out_at_leave),
            percent(s.held_out_alone),
            percent(s.held_out_alone_lowest),
            percent(s.moved),
            s.rate_hz_at_leave,
            s.rate_hz_alone
        ));
    }
    lines.push("  moved: distance of the deciding weights, relative to their length.".into());
    lines.join("\n")
}

fn write_report(folder: &Path, results: &Results) -> Result<(), CliError> {
    plots::save(&held_out_chart(results), &folder.join("stability.png"))?;
    if let Some(first) = results.ways.first() {
        let chart = with_label_chart(first, results.course.taught);
        plots::save(&chart, &folder.join("with_label.png"))?;
    }
    write_json(results, &folder.join("stability.json"))
}

fn chart(title: String, taught: usize, series: Vec<Series>) -> LineChart {
    LineChart {
        title,
        x_label: "epoch".into(),
        y_label: "accuracy".into(),
        y_range: Some((0.0, 1.0)),
        series,
        times: vec![Marker {
            at: taught as f64 + 0.5,
            label: "the teacher leaves".into(),
        }],
        ..LineChart::default()
    }
}

fn held_out_chart(r: &Results) -> LineChart {
    let series = r.ways.iter().enumerate().map(|(i, way)| {
        let mean = |p: &Point| (p.epoch as f64, mean_and_std(&p.held_out).0);
        let mut series = Series::new(i, &way.manner.name, way.epochs.iter().map(mean).collect());
        let spread = |p: &Point| {
            let low = p.held_out.iter().copied().fold(f64::INFINITY, f64::min);
            (
                p.epoch as f64,
                low,
                p.held_out.iter().copied().fold(0.0, f64::max),
            )
        };
        series.band = way.epochs.iter().map(spread).collect();
        series
    });
    let title = "Held-out accuracy, no label (band: looks within an epoch)".into();
    chart(title, r.course.taught, series.collect())
}

fn with_label_chart(way: &Way, taught: usize) -> LineChart {
    let curve = |f: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        way.epochs.iter().map(|p| (p.epoch as f64, f(p))).collect()
    };
    let series = vec![
        Series::new(0, "as decided, label acting", curve(|p| p.during)),
        Series::new(1, "before the label acted", curve(|p| p.before)),
        Series::new(2, "same samples, no label", curve(|p| p.again)),
        Series::new(
            4,
            "held out, no label",
            curve(|p| mean_and_std(&p.held_out).0),
        ),
    ];
    chart(
        format!("Weights change {}", way.manner.name),
        taught,
        series,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::tests::encoder;
    use saccade_tests::bars;

    /// The figures of a way's line in each of the two tables.
    fn printed(text: &str, name: &str) -> Vec<Vec<String>> {
        let head = format!("  {name:<33} ");
        let figures = |line: &str| -> Vec<String> {
            let words = line.split_whitespace().map(str::to_owned);
            words.filter(|word| word.parse::<f64>().is_ok()).collect()
        };
        let lines = text.lines().filter_map(|line| line.strip_prefix(&head));
        lines.map(figures).collect()
    }

    /// Whether the ways differ as they should is tested in the engine; here, that the
    /// figures printed are those measured.
    #[test]
    fn what_is_printed_is_what_was_measured() {
        let folder = tempfile::tempdir().expect("a folder");
        let args = StabilityArgs {
            train: folder.path().join("train.mcap"),
            test: folder.path().join("test.mcap"),
            per_class: 2,
            test_per_class: 1,
            taught: 2,
            alone: 1,
            hidden: 6,
            learning_rate: 0.01,
            learning_rate_per_tick: 1e-4,
            interval_ms: 40,
            seed: 1,
            report: None,
            json: false,
        };
        bars(&args.train, 12, 0);
        bars(&args.test, 8, 4);
        let load = |path: &Path| load(path, 40, Some(encoder())).expect("loads");
        let results = measure(&args, &load(&args.train), &load(&args.test)).expect("measured");
        assert_eq!((results.taught_with, results.tested_with), (8, 4));
        for way in &results.ways {
            assert_eq!(way.epochs.len(), 3);
            let still = !way.manner.goes_on;
            assert_eq!(way.summary.moved == 0.0, still, "{}", way.manner.name);
            assert_eq!(way.summary.held_out_lowest, {
                let looks = way.epochs[1].held_out.iter().copied();
                looks.fold(f64::INFINITY, f64::min)
            });
            let s = &way.summary;
            let percent = |x: f64| format!("{:.1}", 100.0 * x);
            let lines = printed(&text(&results), &way.manner.name);
            let with = [
                s.during,
                s.before,
                s.again,
                s.held_out,
                s.held_out_std,
                s.held_out_lowest,
                s.pull,
            ];
            assert_eq!(lines[0], with.map(percent));
            let alone = [
                s.again_at_leave,
                s.again_alone,
                s.held_out_at_leave,
                s.held_out_alone,
                s.held_out_alone_lowest,
                s.moved,
            ];
            let rates = [s.rate_hz_at_leave, s.rate_hz_alone].map(|x| format!("{x:.1}"));
            assert_eq!(lines[1], [&alone.map(percent)[..], &rates[..]].concat());
        }
        write_report(folder.path(), &results).expect("written");
        assert!(folder.path().join("stability.png").exists());
    }
}
