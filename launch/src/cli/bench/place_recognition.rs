//! `saccade bench place-recognition`: how fast the place network learns and answers.

use super::clock::{median, timed};
use super::place_peer::{Learner, Numpy, Ours, Took};
use crate::cli::{CliError, CliResult, Exit, print_json, print_line};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::models::place::{Pose, Samples, Senses};
use saccade_engine::models::predictive_coding::{
    Config, Method, Network, PlaceNetwork, Precision, Provenance, Quick, Recogniser, Scaling,
    Schedule,
};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `saccade bench place-recognition`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  saccade bench place-recognition
  tests/peers/install.sh
  saccade bench place-recognition --numpy target/peers/bin/python

Everybody learns the same samples with the same weights at the published size, one sample
at a time, 20 steps of the causes and one of the weights, in turns; a first turn warms up
and is not counted. Once with weights just drawn, and once with weights that have learnt,
where we need not read all of them in each step. What is learnt is compared: the command fails where NumPy's joint
causes are others than ours. Then queries, each with another image, on one thread: the
published inference, and the quick one with several numbers of steps.

Times are of the clock on the wall; on a busy machine those of the CPU say more.")]
pub struct PlaceRecognitionArgs {
    /// Learn in NumPy too, in this Python that has it.
    #[arg(long, value_name = "PYTHON")]
    numpy: Option<PathBuf>,
    /// Samples of a turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    samples: u16,
    /// Epochs of the faster schedule before the second slice.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    epochs: u16,
    /// Turns that count.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeats: u16,
    /// Queries of each quick method.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    queries: u16,
    /// Seed of weights and samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Weights and samples to learn.
pub(super) struct Slice {
    pub network: Network<f32>,
    pub samples: usize,
    pub cause_steps: usize,
    /// Of each modality, sample after sample.
    pub inputs: [Vec<f32>; 2],
}

impl Slice {
    /// The published network as it is drawn, and waves to look at.
    fn new(samples: usize, seed: u64) -> Result<Self, CliError> {
        let network = Network::new(Config::default(), seed)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let [visual, tactile] = network.config().pathways().map(|p| p.input);
        let mut seen = Vec::with_capacity(visual * samples);
        for _ in 0..samples {
            let waves: Vec<[f32; 3]> = (0..8).map(|_| rng.random()).collect();
            seen.extend((0..visual).map(|k| {
                // Rows of 80 pixels in three colours.
                let (row, column, colour) = ((k / 240) as f32, (k / 3 % 80) as f32, (k % 3) as f32);
                let wave =
                    |[a, b, c]: &[f32; 3]| (0.3 * (a * row + b * column + colour) + 6.3 * c).sin();
                let sum: f32 = waves.iter().map(wave).sum();
                (0.5 + 0.1 * sum).clamp(0.0, 1.0)
            }));
        }
        let felt = (0..tactile * samples).map(|_| rng.random()).collect();
        Ok(Self {
            network,
            samples,
            cause_steps: Schedule::published().cause_steps,
            inputs: [seen, felt],
        })
    }

    /// The same with weights that have learnt, by the faster schedule.
    fn trained(self, epochs: usize, seed: u64) -> Result<Self, CliError> {
        let config = self.network.config();
        let mut samples = Samples::new(config.visual.input, config.tactile.input);
        for i in 0..self.samples {
            samples.push(self.input(0, i), self.input(1, i), Pose::default())?;
        }
        let schedule = Schedule {
            epochs,
            ..Schedule::default()
        };
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        let place = PlaceNetwork::train(&samples, config, &schedule, seed, go_on)?;
        Ok(Self {
            network: place.network().clone(),
            ..self
        })
    }

    /// Of modality `m`, sample `i`.
    pub fn input(&self, m: usize, i: usize) -> &[f32] {
        let n = self.inputs[m].len() / self.samples;
        &self.inputs[m][i * n..(i + 1) * n]
    }
}

/// What the command prints.
#[derive(Debug, serde::Serialize)]
struct Report {
    /// Of a turn.
    samples: usize,
    repeats: usize,
    learning: Vec<Stage>,
    queries: Vec<Query>,
}

/// Learning with the weights of a stage of a training.
#[derive(Debug, serde::Serialize)]
struct Stage {
    weights: String,
    learners: Vec<Learning>,
}

/// How fast somebody learnt.
#[derive(Debug, serde::Serialize)]
struct Learning {
    name: String,
    /// Of a sample, medians.
    wall_ms: f64,
    cpu_ms: f64,
    /// Share of the rows of the largest weights that were read, of those that 20 steps
    /// and learning read one by one; the turn that warms up included.
    rows_read: Option<f64>,
    /// How many times as long the faster of NumPy's two ways takes; missing without NumPy.
    numpy_takes: Option<f64>,
    /// Largest difference of a joint cause from the first that learnt.
    differs: f64,
}

/// How long answers take.
#[derive(Debug, serde::Serialize)]
struct Query {
    name: String,
    method: Method,
    queries: usize,
    wall_ms_p50: f64,
    wall_ms_p99: f64,
    cpu_ms_p50: f64,
    cpu_ms_p99: f64,
    /// Once, before the first query.
    prepare_s: f64,
}

/// Runs `saccade bench place-recognition`.
pub fn run(args: &PlaceRecognitionArgs) -> CliResult {
    let drawn = Slice::new(usize::from(args.samples), args.seed)?;
    let begin = Stage {
        weights: "just drawn".to_owned(),
        learners: learn(args, &drawn)?,
    };
    eprintln!("{} epochs of the faster schedule", args.epochs);
    let slice = drawn.trained(usize::from(args.epochs), args.seed)?;
    let later = Stage {
        weights: format!("after {} epochs of the faster schedule", args.epochs),
        learners: learn(args, &slice)?,
    };
    let report = Report {
        samples: slice.samples,
        repeats: usize::from(args.repeats),
        learning: vec![begin, later],
        queries: queries(usize::from(args.queries), &slice)?,
    };
    match args.json {
        true => print_json(&report)?,
        false => print_line(report.lines().join("\n"))?,
    }
    // Causes are about 0.1; the order of additions moves them by 1e-6.
    let mut learners = report.learning.iter().flat_map(|s| &s.learners);
    let agree = learners.all(|l| l.differs < 1e-4);
    Ok(if agree { Exit::Success } else { Exit::Failure })
}

fn learn(args: &PlaceRecognitionArgs, slice: &Slice) -> Result<Vec<Learning>, CliError> {
    let mut everybody: Vec<Box<dyn Learner>> = vec![
        Box::new(Ours::new(slice, 1)?),
        Box::new(Ours::new(slice, 0)?),
    ];
    if let Some(python) = &args.numpy {
        for one_thread in [true, false] {
            everybody.push(Box::new(Numpy::start(python, slice, one_thread)?));
        }
    }
    let mut turns: Vec<Vec<Took>> = vec![Vec::new(); everybody.len()];
    for turn in 0..=args.repeats {
        eprintln!("turn {turn} of {}", args.repeats);
        for (learner, took) in everybody.iter_mut().zip(&mut turns) {
            let turn_took = learner.turn()?;
            if turn > 0 {
                took.push(turn_took);
            }
        }
    }
    let first = everybody[0].joint();
    let speed = |learner: &dyn Learner, took: &[Took]| {
        let of = |what: fn(&Took) -> f64| {
            let all: Vec<f64> = took.iter().map(what).collect();
            median(&all) * 1e3 / slice.samples as f64
        };
        let joint = learner.joint();
        let apart = first
            .iter()
            .zip(&joint)
            .map(|(a, b)| f64::from((a - b).abs()));
        Learning {
            name: learner.name().to_owned(),
            wall_ms: of(|t| t.wall_s),
            cpu_ms: of(|t| t.cpu_s),
            rows_read: learner.rows_read(),
            numpy_takes: None,
            differs: apart.fold(0.0, f64::max),
        }
    };
    let each = everybody.iter().zip(&turns);
    let mut all: Vec<Learning> = each.map(|(l, took)| speed(l.as_ref(), took)).collect();
    let numpy = all[2..].iter().map(|l| l.wall_ms).reduce(f64::min);
    for learning in &mut all {
        learning.numpy_takes = numpy.map(|ms| ms / learning.wall_ms);
    }
    Ok(all)
}

/// The methods that are timed, and what they are called.
fn methods() -> Vec<(String, Method)> {
    let mut methods = vec![(
        "published, 500 iterations".to_owned(),
        Method::Published(500),
    )];
    for (precision, bits) in [(Precision::F32, 32), (Precision::I8, 8)] {
        for steps in [2, 4, 6, 10] {
            let quick = Quick {
                precision,
                steps,
                ..Quick::default()
            };
            methods.push((
                format!("quick, {bits} bits, {steps} steps"),
                Method::Quick(quick),
            ));
        }
    }
    methods
}

fn queries(queries: usize, slice: &Slice) -> Result<Vec<Query>, CliError> {
    let whiskers = slice.network.config().tactile.input;
    let scaling = Scaling {
        least: vec![0.0; whiskers],
        greatest: vec![1.0; whiskers],
    };
    let place = PlaceNetwork::new(slice.network.clone(), scaling, Provenance::default())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| CliError::failed(e.to_string()))?;
    let mut all = Vec::new();
    for (name, method) in methods() {
        eprintln!("{name}");
        let begin = Instant::now();
        let mut recogniser = Recogniser::new(place.clone(), method)?;
        let prepare_s = begin.elapsed().as_secs_f64();
        // The published inference takes seconds.
        let count = if let Method::Published(_) = method {
            2
        } else {
            queries
        };
        let mut took = [Vec::new(), Vec::new()];
        let mut failed = Ok(());
        for i in 0..count + 1 {
            let (seen, felt) = (
                slice.input(0, i % slice.samples),
                slice.input(1, i % slice.samples),
            );
            let mut ask = || {
                let answer = recogniser.recognise(seen, felt, Senses::Both);
                failed = answer.map(|_| ());
            };
            let begin = Instant::now();
            let cpu_s = pool.install(|| timed(&mut ask));
            // The first finds nothing in the caches.
            if i > 0 {
                took[0].push(begin.elapsed().as_secs_f64() * 1e3);
                took[1].push(cpu_s * 1e3);
            }
        }
        failed?;
        took.iter_mut()
            .for_each(|t| t.sort_unstable_by(f64::total_cmp));
        let share = |t: &[f64], share: f64| t[((t.len() - 1) as f64 * share).round() as usize];
        all.push(Query {
            name,
            method,
            queries: count,
            wall_ms_p50: share(&took[0], 0.5),
            wall_ms_p99: share(&took[0], 0.99),
            cpu_ms_p50: share(&took[1], 0.5),
            cpu_ms_p99: share(&took[1], 0.99),
            prepare_s,
        });
    }
    Ok(all)
}

impl Report {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for stage in &self.learning {
            lines.push(format!(
                "learning, published size and schedule, weights {}; ms for a sample, medians of {} turns of {}",
                stage.weights, self.repeats, self.samples
            ));
            lines.push(format!(
                "{:<34} {:>8} {:>8} {:>10} {:>12} {:>9}",
                "", "wall", "CPU", "rows read", "NumPy takes", "differs"
            ));
            for l in &stage.learners {
                let read = l
                    .rows_read
                    .map_or("-".to_owned(), |r| format!("{:.1} %", 100.0 * r));
                let times = l.numpy_takes.map_or("-".to_owned(), |n| format!("{n:.2}"));
                lines.push(format!(
                    "{:<34} {:>8.1} {:>8.1} {read:>10} {times:>12} {:>9.1e}",
                    l.name, l.wall_ms, l.cpu_ms, l.differs
                ));
            }
            lines.push(String::new());
        }
        lines.push("queries on one thread, ms".to_owned());
        lines.push(format!(
            "{:<34} {:>10} {:>10} {:>10} {:>10}",
            "", "wall p50", "p99", "CPU p50", "p99"
        ));
        for q in &self.queries {
            lines.push(format!(
                "{:<34} {:>10.2} {:>10.2} {:>10.2} {:>10.2}",
                q.name, q.wall_ms_p50, q.wall_ms_p99, q.cpu_ms_p50, q.cpu_ms_p99
            ));
        }
        lines
    }
}
