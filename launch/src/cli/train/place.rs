//! `saccade train place`: a place network from recordings of a robot that looks and feels.

use super::{PlaceArgs, SchedulePreset};
use crate::cli::keep::goes_on;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line};
use crate::plots::{self, LineChart, Series};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_engine::models::place::Samples;
use saccade_engine::models::predictive_coding::{
    Config, EpochReport, Fields, PlaceNetwork, Quick, Readout, ReadoutConfig, Reliability,
    Schedule, Trainer,
};
use saccade_nodes::place_samples::{self, Topics, VISUAL};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Document<'a> {
    weights: &'a Path,
    samples: usize,
    seed: u64,
    schedule: &'a Schedule,
    epochs: &'a [EpochReport],
}

/// Runs it.
///
/// # Errors
/// A recording cannot be read, a parameter is out of range, or writing fails.
pub fn run(args: &PlaceArgs) -> CliResult {
    super::check_out(&args.out)?;
    let schedule = schedule(args);
    let samples = read(args)?;
    let (visual, tactile) = samples.sizes();
    let mut config = Config::for_inputs(visual, tactile);
    config.visual.fields = args.receptive_fields.then(|| Fields::over(VISUAL));
    let mut trainer = begin(args, &samples, &config, &schedule)?;
    let bar = ProgressBar::new(schedule.epochs as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} epochs  {msg}  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.set_position(trainer.epoch() as u64);
    while trainer.epoch() < schedule.epochs {
        let report = trainer.run_epoch()?;
        bar.set_message(format!(
            "errors: seen {:.4}, felt {:.4}",
            report.visual, report.tactile
        ));
        bar.inc(1);
        if let Some(path) = &args.checkpoint {
            trainer.save_checkpoint(path)?;
        }
    }
    bar.finish_and_clear();
    let reports = trainer.reports().to_vec();
    let mut network = trainer.finish()?;
    if args.reliability {
        let known = Reliability::learn(&network, Quick::default(), &samples, args.seed)?;
        network = network.with_reliability(known);
    }
    if !args.published_code {
        network = with_readout(network, &samples);
    }
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder).context(format!("making {}", folder.display()))?;
    }
    network.save(&args.out)?;
    if let Some(curve) = &args.curve {
        plots::save(&chart(&reports), curve)?;
    }
    if args.json {
        print_json(&Document {
            weights: &args.out,
            samples: samples.len(),
            seed: args.seed,
            schedule: &schedule,
            epochs: &reports,
        })?;
    } else {
        let text = reports.last().map_or(String::new(), |r| {
            format!(", errors: seen {:.4}, felt {:.4}", r.visual, r.tactile)
        });
        let (out, n, epochs) = (args.out.display(), samples.len(), reports.len());
        print_line(format!(
            "{out}: learnt from {n} samples, {epochs} epochs{text}"
        ))?;
    }
    Ok(Exit::Success)
}

/// With slow features, if they can be learnt: a long training is not lost by it.
fn with_readout(network: PlaceNetwork, samples: &Samples) -> PlaceNetwork {
    match Readout::learn(&network, samples, ReadoutConfig::default()) {
        Ok(readout) => network.with_readout(readout),
        Err(error) => {
            eprintln!("places are coded by the joint causes: {error}");
            network
        }
    }
}

fn schedule(args: &PlaceArgs) -> Schedule {
    let mut schedule = match args.schedule {
        SchedulePreset::Quick => Schedule::default(),
        SchedulePreset::Published => Schedule::published(),
    };
    schedule.epochs = args.epochs.unwrap_or(schedule.epochs);
    schedule.minibatch = args.minibatch.unwrap_or(schedule.minibatch);
    schedule
}

/// The samples of all recordings, in the order given.
fn read(args: &PlaceArgs) -> Result<Samples, CliError> {
    let mut all: Option<Samples> = None;
    for path in &args.recordings {
        let (samples, counts) = place_samples::read(path, &Topics::default())
            .context(format!("reading {}", path.display()))?;
        let (n, left_out) = (samples.len(), counts.whisks - samples.len() as u64);
        eprintln!("{}: {n} samples, {left_out} left out", path.display());
        match &mut all {
            None => all = Some(samples),
            Some(all) => {
                for (i, pose) in samples.poses().iter().enumerate() {
                    all.push(samples.visual(i), samples.tactile(i), *pose)?;
                }
            }
        }
    }
    all.ok_or_else(|| CliError::usage("a recording is needed"))
}

fn begin<'a>(
    args: &PlaceArgs,
    samples: &'a Samples,
    config: &Config,
    schedule: &Schedule,
) -> Result<Trainer<'a>, CliError> {
    let Some(path) = &args.checkpoint else {
        return Ok(Trainer::new(samples, config, schedule, args.seed)?);
    };
    if goes_on(path, args.resume)? {
        let trainer = Trainer::load_checkpoint(samples, config, schedule, args.seed, path);
        return trainer.context(format!("going on from {}", path.display()));
    }
    Ok(Trainer::new(samples, config, schedule, args.seed)?)
}

fn chart(reports: &[EpochReport]) -> LineChart {
    let points =
        |of: fn(&EpochReport) -> f64| reports.iter().map(|r| (r.epoch as f64, of(r))).collect();
    LineChart {
        title: "Learning places".into(),
        x_label: "epoch".into(),
        y_label: "mean squared error".into(),
        x_range: Some((1.0, reports.len().max(2) as f64)),
        series: vec![
            Series::new(0, "image", points(|r| r.visual)),
            Series::new(1, "whiskers", points(|r| r.tactile)),
        ],
        ..LineChart::default()
    }
}
