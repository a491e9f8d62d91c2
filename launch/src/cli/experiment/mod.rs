//! `saccade experiment`: the field's reference tasks, learnt, compared and drawn.

mod charts;
mod compare;
mod course;
mod learn;

use super::keep::KeepArgs;
use super::{CliError, CliResult, Context, Exit, print_json, print_line, write_json};
use crate::plots;
use clap::ValueEnum;
use saccade_engine::experiments::{
    DelayedRecall, EvidenceAccumulation, Problem, RandomManifold, SineRegression, YinYang,
};
use saccade_engine::learning::error_neurons::ErrorNeuronParams;
use saccade_engine::learning::rule::Rule;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `saccade experiment`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every task can be learnt by any rule: e-prop, e-prop with a learning signal of \
                  spikes, eRBP, and backpropagation through time as the upper bound. \
                  `saccade experiment yin-yang --compare` runs them all.\n\n\
                  Seed 1 of sine-regression and evidence-accumulation is the task of NEST's own \
                  test: its losses are the first that `saccade experiment sine-regression` prints."
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
        #[command(flatten)]
        batch: BatchArgs,
    },
    /// Six symbols, a sign to store one of them; at the end: which was it?
    DelayedRecall(HeldOutArgs),
    /// Points in a yin-yang figure, each told by the times of five spikes.
    YinYang(HeldOutArgs),
    /// Classes that are smooth random curves in the space of spike times.
    RandomManifold {
        #[command(flatten)]
        args: HeldOutArgs,
        /// Classes.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=100))]
        classes: u16,
    },
}

/// What all experiments are asked.
#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Seed of weights and input, drawn as NumPy draws them.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Changes of the weights [default: 100; yin-yang 2000, delayed-recall and random-manifold 500].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: Option<u32>,
    /// The learning rule.
    #[arg(long, value_enum, default_value_t = RuleName::Eprop)]
    rule: RuleName,
    /// Error neurons in each of the two populations of a readout, for error-neurons and erbp.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    population: u16,
    #[command(flatten)]
    keep: KeepArgs,
    /// Folder for `curves.json` and the pictures; made where it is missing.
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// One JSON document on stdout, that of `curves.json`.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct BatchArgs {
    /// Sequences in an iteration (one change of the weights).
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
}

/// What experiments are asked that have sequences to be judged by.
#[derive(Debug, clap::Args)]
struct HeldOutArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    batch: BatchArgs,
    /// Learn the same by all rules, and compare them: one table, one chart.
    #[arg(long, conflicts_with = "rule")]
    compare: bool,
    /// With --compare: how many seeds, from --seed on.
    #[arg(long, default_value_t = 1, requires = "compare", value_parser = clap::value_parser!(u16).range(1..=1000))]
    seeds: u16,
}

/// The learning rules by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum RuleName {
    /// e-prop.
    Eprop,
    /// e-prop with a learning signal carried by the spikes of error neurons.
    ErrorNeurons,
    /// Event-driven random backpropagation.
    Erbp,
    /// Backpropagation through time with surrogate gradients.
    Bptt,
}

impl RuleName {
    fn text(self) -> &'static str {
        match self {
            RuleName::Eprop => "e-prop",
            RuleName::ErrorNeurons => "e-prop, error neurons",
            RuleName::Erbp => "eRBP",
            RuleName::Bptt => "BPTT",
        }
    }

    fn rule(self, population: u16) -> Rule {
        let params = ErrorNeuronParams {
            size: usize::from(population),
            ..ErrorNeuronParams::default()
        };
        match self {
            RuleName::Eprop => Rule::Eprop,
            RuleName::ErrorNeurons => Rule::ErrorNeurons(params),
            RuleName::Erbp => Rule::Erbp(params),
            RuleName::Bptt => Rule::Bptt(Default::default()),
        }
    }
}

/// A task with its sizes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Task {
    SineRegression,
    EvidenceAccumulation { batch: usize },
    DelayedRecall { batch: usize },
    YinYang { batch: usize },
    RandomManifold { batch: usize, classes: usize },
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Task::SineRegression => "sine-regression",
            Task::EvidenceAccumulation { .. } => "evidence-accumulation",
            Task::DelayedRecall { .. } => "delayed-recall",
            Task::YinYang { .. } => "yin-yang",
            Task::RandomManifold { .. } => "random-manifold",
        }
    }

    fn default_iterations(self) -> u32 {
        match self {
            Task::SineRegression | Task::EvidenceAccumulation { .. } => 100,
            Task::DelayedRecall { .. } | Task::RandomManifold { .. } => 500,
            Task::YinYang { .. } => 2000,
        }
    }

    fn problem(self, seed: u32) -> Result<Box<dyn Problem>, CliError> {
        Ok(match self {
            Task::SineRegression => Box::new(SineRegression::new(seed)),
            Task::EvidenceAccumulation { batch } => {
                Box::new(EvidenceAccumulation::new(seed, batch))
            }
            Task::DelayedRecall { batch } => Box::new(DelayedRecall::new(seed, batch)),
            Task::YinYang { batch } => Box::new(YinYang::new(seed, batch)),
            Task::RandomManifold { batch, classes } => {
                Box::new(RandomManifold::new(seed, classes, batch)?)
            }
        })
    }
}

/// Runs `saccade experiment`.
///
/// # Errors
/// A picture or file cannot be written, or learning has diverged.
pub fn run(args: ExperimentArgs) -> CliResult {
    let (task, args) = match args.task {
        TaskArgs::SineRegression(args) => return one(Task::SineRegression, &args),
        TaskArgs::EvidenceAccumulation { run, batch } => {
            let batch = usize::from(batch.batch);
            return one(Task::EvidenceAccumulation { batch }, &run);
        }
        TaskArgs::DelayedRecall(args) => (
            Task::DelayedRecall {
                batch: args.batch(),
            },
            args,
        ),
        TaskArgs::YinYang(args) => (
            Task::YinYang {
                batch: args.batch(),
            },
            args,
        ),
        TaskArgs::RandomManifold { args, classes } => {
            let (batch, classes) = (args.batch(), usize::from(classes));
            (Task::RandomManifold { batch, classes }, args)
        }
    };
    match args.compare {
        true => compare::run(task, &args.run, args.seeds),
        false => one(task, &args.run),
    }
}

impl HeldOutArgs {
    fn batch(&self) -> usize {
        usize::from(self.batch.batch)
    }
}

/// Learns a task by one rule, from one seed.
fn one(task: Task, args: &RunArgs) -> CliResult {
    let kept = args.keep.kept()?;
    let (mut document, raster) = learn::learn(task, args.seed, args.rule, args, kept.as_ref())
        .context(format!("learning {}", task.name()))?;
    document.baselines = learn::baselines(task, args.seed)?;
    if let Some(folder) = &args.out {
        write(&document, folder)?;
        for (name, chart) in charts::charts(&document) {
            plots::save(&chart, &folder.join(name))?;
        }
        plots::save(&raster, &folder.join("raster.png"))?;
    }
    finish(&document, &document.lines(), args)
}

/// Writes `curves.json`.
fn write(document: &impl Serialize, folder: &Path) -> Result<(), CliError> {
    write_json(document, &folder.join("curves.json"))
}

/// Prints the document or its lines.
fn finish(document: &impl Serialize, lines: &[String], args: &RunArgs) -> CliResult {
    if args.json {
        print_json(document)?;
        return Ok(Exit::Success);
    }
    for line in lines {
        print_line(line)?;
    }
    if let Some(folder) = &args.out {
        print_line(format!("curves and pictures: {}", folder.display()))?;
    }
    Ok(Exit::Success)
}
