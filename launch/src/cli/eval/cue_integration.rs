//! `saccade eval cue-integration`: how well two noisy cues are weighed.

use crate::cli::bench::clock::timed;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::plots::{self, LineChart, Marker, Series};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_engine::models::cue_integration::{
    BOUNDARY_DEG, Decider, Errors, Lesson, Noise, OBSERVERS, Share, Test,
};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Of which each test draws its trials, apart from those of the lessons.
const TEST_SEED: u64 = 0x7E57;

/// Arguments of `saccade eval cue-integration`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Is a grating, seen and felt through noise, turned by more than 45°? Two neurons learn it from
labels, and with it how far each cue can be trusted. Both cues at several noises of touch,
learnt anew for each, with a chart of error against noise:

  saccade eval cue-integration --tactile-deg 7,13.5,20,28.5,40 --report cues")]
pub struct CueIntegrationArgs {
    /// Trials learnt from.
    #[arg(long, default_value_t = 400_000)]
    trials: usize,
    /// Standard deviation of the noise of what is seen, in degrees.
    #[arg(long, default_value_t = 13.5)]
    visual_deg: f64,
    /// Of what is felt; several make a row each.
    #[arg(long, value_delimiter = ',', default_values_t = [28.5])]
    tactile_deg: Vec<f64>,
    /// Orientations tested, evenly spaced from -135° to 225°.
    #[arg(long, default_value_t = 10_000)]
    orientations: usize,
    /// Test trials with each of them.
    #[arg(long, default_value_t = 50)]
    repeats: usize,
    /// Seed of weights and trials.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for cue_integration.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    seed: u64,
    /// Trials learnt from.
    trials: usize,
    /// Trials tested.
    tested: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    noise: Noise,
    /// Shares of wrong decisions, 0 to 1.
    errors: Errors,
    /// Standard errors of these: of a share of so many trials.
    standard_errors: Errors,
    /// While it learnt.
    curve: Vec<Point>,
    /// CPU time of learning, in s.
    learning_s: f64,
    /// How long testing took, in s.
    testing_s: f64,
    #[serde(skip)]
    shares: Vec<Share>,
}

#[derive(Serialize)]
struct Point {
    trials: usize,
    errors: Errors,
}

/// Runs `saccade eval cue-integration`.
///
/// # Errors
/// A parameter is out of range, or the report cannot be written.
pub fn run(args: &CueIntegrationArgs) -> CliResult {
    let style = ProgressStyle::with_template("{bar:30} {percent} %  {msg}");
    let bar = ProgressBar::new((args.tactile_deg.len() * args.trials) as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut rows = Vec::new();
    for &tactile_deg in &args.tactile_deg {
        bar.set_message(format!("touch {tactile_deg}°"));
        let done = rows.len() * args.trials;
        rows.push(row(args, tactile_deg, &|trials| {
            bar.set_position((done + trials) as u64);
        })?);
    }
    bar.finish_and_clear();
    let document = Document {
        seed: args.seed,
        trials: args.trials,
        tested: args.orientations * args.repeats,
        rows,
    };
    if let Some(folder) = &args.report {
        write(&document, folder)?;
    }
    if args.json {
        print_json(&document)?;
    } else {
        print_line(text(&document))?;
    }
    Ok(Exit::Success)
}

fn row(args: &CueIntegrationArgs, tactile_deg: f64, told: &dyn Fn(usize)) -> Result<Row, CliError> {
    let noise = Noise {
        visual_deg: args.visual_deg,
        tactile_deg,
    };
    let lesson = Lesson {
        noise,
        trials: args.trials,
        seed: args.seed,
        ..Lesson::default()
    };
    let test = Test {
        orientations: args.orientations,
        repeats: args.repeats,
        noise,
        seed: args.seed ^ TEST_SEED,
    };
    // A point of the curve is worth no more trials than it takes to see where it goes.
    let glance = Test {
        orientations: args.orientations.min(1000),
        repeats: args.repeats.min(10),
        ..test
    };
    let mut curve = Vec::new();
    let (mut learnt, mut failed) = (Decider::new(&lesson), Ok(()));
    let learning_s = timed(|| {
        learnt = Decider::train(&lesson, &mut |decider, trials| {
            told(trials);
            match glance.run(decider) {
                Ok((errors, _)) => curve.push((trials, errors)),
                Err(error) => failed = Err(error),
            }
        });
    });
    let decider = learnt?;
    failed?;
    let start = Instant::now();
    let (errors, shares) = test.run(&decider)?;
    let tested = (args.orientations * args.repeats) as f64;
    let points = curve.into_iter();
    Ok(Row {
        noise,
        standard_errors: each(errors, |p| (p * (1.0 - p) / tested).sqrt()),
        errors,
        curve: points
            .map(|(trials, errors)| Point { trials, errors })
            .collect(),
        learning_s,
        testing_s: start.elapsed().as_secs_f64(),
        shares,
    })
}

/// The errors of all observers, in the order of their names.
fn values(e: &Errors) -> [f64; 5] {
    [e.map, e.both, e.unweighted, e.visual, e.tactile]
}

fn each(e: Errors, f: impl Fn(f64) -> f64) -> Errors {
    let [map, both, unweighted, visual, tactile] = values(&e).map(f);
    Errors {
        map,
        both,
        unweighted,
        visual,
        tactile,
    }
}

fn text(document: &Document) -> String {
    let names: String = OBSERVERS.iter().map(|name| format!("{name:>16}")).collect();
    let mut lines = vec![
        format!(
            "wrong decisions of {} trials in %, ± standard error; {} trials learnt, seed {}",
            document.tested, document.trials, document.seed
        ),
        format!("{:>10}{:>10}{names}{:>14}", "seen", "felt", "learnt in"),
    ];
    for row in &document.rows {
        let errors = values(&row.errors)
            .into_iter()
            .zip(values(&row.standard_errors));
        let errors = errors.map(|(e, s)| format!("{:>8.3} ± {:.3}", 100.0 * e, 100.0 * s));
        lines.push(format!(
            "{:>9}°{:>9}°{}{:>12.1} s",
            row.noise.visual_deg,
            row.noise.tactile_deg,
            errors.map(|e| format!("{e:>16}")).collect::<String>(),
            row.learning_s
        ));
    }
    lines.push(
        "MAP and unweighted are observers that are told the noise, and that trust both cues alike"
            .to_owned(),
    );
    lines.join("\n")
}

fn write(document: &Document, folder: &Path) -> Result<(), CliError> {
    write_json(document, &folder.join("cue_integration.json"))?;
    for (k, row) in document.rows.iter().enumerate() {
        let shares = psychometric_chart(row);
        plots::save(&shares, &folder.join(format!("psychometric_{k}.png")))?;
        plots::save(&curve_chart(row), &folder.join(format!("learning_{k}.png")))?;
    }
    if document.rows.len() > 1 {
        plots::save(&noise_chart(document), &folder.join("error_vs_noise.png"))?;
    }
    Ok(())
}

fn title(what: &str, noise: Noise) -> String {
    format!(
        "{what}, noise {}° seen, {}° felt",
        noise.visual_deg, noise.tactile_deg
    )
}

/// Share of decisions for "above" against orientation, within 90° of the boundary.
fn psychometric_chart(row: &Row) -> LineChart {
    const BINS: usize = 60;
    const REACH_DEG: f64 = 90.0;
    let mut bins = vec![([0.0; 5], 0.0); BINS];
    for share in &row.shares {
        let at = (share.orientation_deg - BOUNDARY_DEG + REACH_DEG) / (2.0 * REACH_DEG);
        if (0.0..1.0).contains(&at) {
            let (sums, n) = &mut bins[(at * BINS as f64) as usize];
            for (sum, above) in sums.iter_mut().zip(share.above) {
                *sum += above;
            }
            *n += 1.0;
        }
    }
    let x = |k: usize| BOUNDARY_DEG + REACH_DEG * ((2 * k + 1) as f64 / BINS as f64 - 1.0);
    let series = OBSERVERS.iter().enumerate().map(|(i, name)| {
        let bins = bins.iter().enumerate();
        let points = bins.map(|(k, (sums, n))| (x(k), sums[i] / n)).collect();
        Series::new(i, *name, points)
    });
    LineChart {
        title: title("Decisions for \"above 45°\"", row.noise),
        x_label: "orientation (°)".into(),
        y_label: "share".into(),
        series: series.collect(),
        times: vec![Marker {
            at: BOUNDARY_DEG,
            label: "boundary".into(),
        }],
        ..LineChart::default()
    }
}

/// Errors of the neurons while they learn.
fn curve_chart(row: &Row) -> LineChart {
    let line = |i: usize| {
        let points = row.curve.iter();
        let points = points.map(|p| ((p.trials as f64).log10(), 100.0 * values(&p.errors)[i]));
        Series::new(i, OBSERVERS[i], points.collect())
    };
    LineChart {
        title: title("Errors while learning", row.noise),
        x_label: "trials learnt (log10)".into(),
        y_label: "wrong decisions (%)".into(),
        series: (0..OBSERVERS.len()).map(line).collect(),
        ..LineChart::default()
    }
}

/// Error against the noise of touch.
fn noise_chart(document: &Document) -> LineChart {
    let line = |i: usize| {
        let (mut points, mut band) = (Vec::new(), Vec::new());
        for row in &document.rows {
            let (x, y) = (row.noise.tactile_deg, 100.0 * values(&row.errors)[i]);
            let spread = 200.0 * values(&row.standard_errors)[i];
            points.push((x, y));
            band.push((x, y - spread, y + spread));
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        band.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series {
            band,
            ..Series::new(i, OBSERVERS[i], points)
        }
    };
    LineChart {
        title: "Errors against the noise of touch".into(),
        x_label: "standard deviation of what is felt (°)".into(),
        y_label: "wrong decisions ± 2 standard errors (%)".into(),
        series: (0..OBSERVERS.len()).map(line).collect(),
        ..LineChart::default()
    }
}
