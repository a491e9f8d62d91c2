//! `saccade train`: weights from a data set.

mod place;

use super::keep::KeepArgs;
use super::{CliError, CliResult, Context, Exit, print_json, print_line};
use crate::experiment::{Setup, load_training, train_on, training_chart};
use crate::plots;
use indicatif::{ProgressBar, ProgressStyle};
use saccade_engine::learning::optimizer::OptimizerConfig;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::training::{EpochReport, TrainConfig, TrainReport};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `saccade train`.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    #[command(subcommand)]
    network: TrainNetwork,
}

#[derive(Debug, clap::Subcommand)]
enum TrainNetwork {
    /// The recurrent LIF/ALIF classifier, by e-prop.
    Classifier(ClassifierArgs),
    /// The network that knows places again, by predictive coding.
    Place(PlaceArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
    Recordings of WhiskEye come from launch/place_recognition.launch.xml. At full size \
    (1200 samples, 11 million weights) the quick schedule takes minutes, the published hours.\n\n\
    Examples:\n  \
    saccade launch launch/place_recognition.launch.xml minutes:=10 seed:=1 record:=train.mcap\n  \
    saccade train place train.mcap --out place.safetensors --curve place.png")]
struct PlaceArgs {
    /// Recordings (.bag, .mcap or .db3) with images, whiskers and where the robot was.
    #[arg(required = true)]
    recordings: Vec<PathBuf>,
    /// Weights to write.
    #[arg(long, short, default_value = "place.safetensors")]
    out: PathBuf,
    /// Seed of the initial weights and of the order of samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long and in which steps.
    #[arg(long, value_enum, default_value = "quick")]
    schedule: SchedulePreset,
    /// Receptive fields: each unit of the lowest visual layer sees a patch of the image.
    #[arg(long)]
    receptive_fields: bool,
    /// Learn also how far each sense can be trusted, by what it leaves unexplained.
    #[arg(long)]
    reliability: bool,
    /// Code places by the joint causes, as published, and not by slow features.
    #[arg(long)]
    published_code: bool,
    /// Passes over the samples, other than the schedule's.
    #[arg(long)]
    epochs: Option<usize>,
    /// Samples per change of the weights, other than the schedule's.
    #[arg(long)]
    minibatch: Option<usize>,
    /// File to keep the training in, written after every epoch, so that it can go on after
    /// an interruption of any kind.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Go on from --checkpoint, to the same weights, to the bit. Recordings, parameters and
    /// seed must be the same. Begins anew where the file is not there yet.
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Picture of the errors over the epochs.
    #[arg(long)]
    curve: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// How a place network learns.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SchedulePreset {
    /// Minibatches and longer, bounded steps: 50 epochs of 5 steps.
    Quick,
    /// That of the papers: a sample at a time, 200 epochs of 20 steps.
    Published,
}

#[derive(Debug, clap::Args)]
struct ClassifierArgs {
    /// Data sets (.bag, .mcap or .db3) of `saccade dataset make`. A class counts by
    /// the root of the number of its samples.
    #[arg(required = true)]
    datasets: Vec<PathBuf>,
    /// Weights to write.
    #[arg(long, short, default_value = "weights.safetensors")]
    out: PathBuf,
    /// Seed of the initial weights and of the order of samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    keep: KeepArgs,
    /// Picture of loss and accuracy over the epochs.
    #[arg(long)]
    curve: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Options of network and training that `train` and `eval` share.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    /// Passes over the samples.
    #[arg(long)]
    epochs: Option<usize>,
    /// Recurrent neurons.
    #[arg(long)]
    hidden: Option<usize>,
    /// How many of them adapt (ALIF), in percent; 0 for networks that NIR can say.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    alif_percent: u8,
    /// Samples per step of the optimizer.
    #[arg(long)]
    batch: Option<usize>,
    /// Peak learning rate of Adam.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// How much of a saccade the network sees, in milliseconds from its onset.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub interval_ms: u16,
}

impl NetworkArgs {
    /// The network and training asked for; what was not is the engine's default.
    pub fn setup(&self) -> Setup {
        let mut setup = Setup {
            classifier: ClassifierConfig::default(),
            training: TrainConfig::default(),
        };
        let network = &mut setup.classifier;
        let hidden = self.hidden.unwrap_or(network.n_lif + network.n_alif);
        // Absurd numbers are refused by the engine, not by the multiplication.
        network.n_alif = hidden.saturating_mul(usize::from(self.alif_percent)) / 100;
        network.n_lif = hidden - network.n_alif;
        setup.classifier.max_ticks = setup
            .classifier
            .max_ticks
            .max(usize::from(self.interval_ms));
        let last = usize::from(self.interval_ms) - 1;
        setup.classifier.learn_from_tick = setup.classifier.learn_from_tick.min(last);
        if let Some(epochs) = self.epochs {
            setup.training.epochs = epochs;
        }
        if let Some(batch) = self.batch {
            setup.training.batch = batch;
        }
        if let Some(rate) = self.learning_rate {
            setup.training.optimizer = OptimizerConfig::adam(rate);
        }
        setup
    }
}

/// A bar that shows loss and accuracy.
pub fn epoch_bar(epochs: usize) -> ProgressBar {
    let bar = ProgressBar::new(epochs as u64);
    let style =
        ProgressStyle::with_template("{prefix}{bar:30} {pos}/{len} epochs  {msg}  {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What a bar says of an epoch.
pub fn epoch_text(e: &EpochReport) -> String {
    format!(
        "loss {:.3}  accuracy {:.1} %  {:.1} Hz",
        e.loss,
        100.0 * e.accuracy,
        e.mean_rate_hz
    )
}

#[derive(Serialize)]
struct TrainDocument<'a> {
    weights: &'a PathBuf,
    dataset: &'a crate::experiment::Source,
    seed: u64,
    interval_ms: u16,
    report: &'a TrainReport,
}

/// Runs `saccade train`.
///
/// # Errors
/// The data set cannot be read, a parameter is out of range, or writing fails.
pub fn run(args: TrainArgs) -> CliResult {
    match args.network {
        TrainNetwork::Classifier(args) => classifier(&args),
        TrainNetwork::Place(args) => place::run(&args),
    }
}

fn check_out(out: &Path) -> Result<(), CliError> {
    if out.extension().is_none_or(|e| e != "safetensors") {
        return Err(CliError::usage(format!(
            "--out {}: the name must end in .safetensors",
            out.display()
        )));
    }
    Ok(())
}

fn classifier(args: &ClassifierArgs) -> CliResult {
    let setup = args.network.setup();
    check_out(&args.out)?;
    let kept = args.keep.kept()?;
    let data = load_training(&args.datasets, args.network.interval_ms)?;
    let bar = epoch_bar(setup.training.epochs);
    let (classifier, report) = train_on(&data, &setup, args.seed, kept.as_ref(), &mut |e| {
        bar.set_message(epoch_text(e));
        bar.inc(1);
    })
    .context(format!("training on {}", data.source.file))?;
    bar.finish_and_clear();
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder).context(format!("making {}", folder.display()))?;
    }
    classifier.save(&args.out)?;
    if let Some(curve) = &args.curve {
        plots::save(&training_chart(&report), curve)?;
    }
    if args.json {
        let document = TrainDocument {
            weights: &args.out,
            dataset: &data.source,
            seed: args.seed,
            interval_ms: args.network.interval_ms,
            report: &report,
        };
        print_json(&document)?;
    } else {
        let held_out = report.held_out_accuracy.map_or(String::new(), |a| {
            format!(", {:.1} % of {} held out", 100.0 * a, report.held_out)
        });
        print_line(format!(
            "{}: trained on {} samples{held_out}",
            args.out.display(),
            report.trained_on
        ))?;
    }
    Ok(Exit::Success)
}
