//! `saccade spinnaker teach`: a network that learns on a board, from the spikes of labels.

use super::board_args::UNTRAINED;
use super::connection::{ConnectionArgs, Manner, Shown, present};
use crate::cli::eval::not_the_same;
use crate::cli::priority::Scheduling;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line};
use crate::experiment::{Data, load};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use saccade_engine::backends::spinnaker_live::{EmulatedBoard, LiveBoard, LiveCounts};
use saccade_engine::models::sample::{Sample, validate};
use saccade_engine::models::spike_taught::{SpikeTaughtConfig, answer};
use saccade_engine::spikes::SpikeLog;
use saccade_engine::spinnaker::emulator::LearningProgram;
use serde::Serialize;
use std::path::PathBuf;

/// How often a sample is tried that an outage has spoilt.
const ATTEMPTS: u32 = 5;

/// Arguments of `saccade spinnaker teach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples, the second in two terminals:
  saccade spinnaker teach train.mcap --test test.mcap --in-process --real-limits --neurons-per-core 8
  saccade spinnaker emulate untrained --learn --real-limits --neurons-per-core 8 --at-once \\
      --database /tmp/board.sqlite3
  saccade spinnaker teach train.mcap --test test.mcap --database /tmp/board.sqlite3

The label of the shown class fires at 50 Hz; the answer is the class whose output neuron fires
most. Over UDP each sample takes its time, 0.3 s. The test set is shown without labels. What the
board has learnt stays there: no packet reads weights back.")]
pub struct TeachArgs {
    /// Data set to teach (`saccade dataset make`)
    train: PathBuf,
    /// Held-out data set, shown at the end without labels
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    /// Passes over the samples to teach
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: u32,
    /// What is on the board: weights of a classifier, or `untrained`
    #[arg(long, value_name = "FILE", default_value = UNTRAINED)]
    network: String,
    /// Only the first N samples of either data set
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Length of the interval after onset that is used, in ms
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    interval_ms: u16,
    /// Seed of the order of samples
    #[arg(long, default_value_t = 1)]
    order_seed: u64,
    #[command(flatten)]
    board: ConnectionArgs,
    #[command(flatten)]
    scheduling: Scheduling,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// How samples were answered.
#[derive(Debug, Clone, Copy, Serialize)]
struct Answers {
    /// Share answered rightly; a sample without any output spike is not.
    accuracy: f64,
    /// Share without any output spike.
    silent: f64,
    /// Spikes per sample of the recurrent layer, the output and the error neurons.
    spikes: [f64; 3],
}

#[derive(Debug, Serialize)]
struct Taught {
    train: String,
    train_samples: usize,
    test: String,
    test_samples: usize,
    /// With labels, epoch for epoch: each answer before the weights change by its sample.
    with_labels: Vec<Answers>,
    /// The held-out samples after the last epoch, without labels.
    held_out: Answers,
    tried_again: u32,
    counts: LiveCounts,
}

/// Runs `saccade spinnaker teach`.
///
/// # Errors
/// Data and network do not fit, or there is no board that learns.
pub fn run(args: &TeachArgs) -> CliResult {
    args.scheduling.apply()?;
    let pupil = args.board.emulated.pupil(&args.network)?;
    let config = pupil.config().clone();
    let mut train = load(&args.train, args.interval_ms, None)?;
    let mut test = load(&args.test, args.interval_ms, Some(train.encoder.clone()))?;
    not_the_same("TRAIN", &train.source.fingerprint, &test.source.fingerprint)?;
    for (data, path) in [(&mut train, &args.train), (&mut test, &args.test)] {
        data.samples.truncate(args.samples.unwrap_or(usize::MAX));
        validate(&data.samples, &config).context(path.display().to_string())?;
    }
    let label_ticks = SpikeTaughtConfig::default().label_period(config.neuron.dt_ms);
    let live = args.board.connect(&config, |pace, hold, settings| {
        let board = EmulatedBoard::learning(LearningProgram::new(pupil), pace, hold, settings);
        board.context("emulating the board")
    })?;
    let lesson = Lesson {
        live,
        args,
        label_ticks,
        tried_again: 0,
    };
    let taught = lesson.give(&train, &test, config.n_out)?;
    print(&taught, args)?;
    let link = taught.counts.link;
    Ok(match link.out.dropped + link.ticks.incomplete {
        0 => Exit::Success,
        _ => Exit::LostData,
    })
}

/// A board that is taught.
struct Lesson<'a> {
    live: Box<dyn LiveBoard>,
    args: &'a TeachArgs,
    /// Ticks between spikes of a label.
    label_ticks: u32,
    tried_again: u32,
}

impl Lesson<'_> {
    fn give(mut self, train: &Data, test: &Data, classes: usize) -> Result<Taught, CliError> {
        self.args.board.wait_for(self.live.as_mut())?;
        if self.live.classes() != classes {
            return Err(CliError::failed(format!(
                "the board has {} labels, {} has {classes} classes; put that network there, with \
                 --learn",
                self.live.classes(),
                self.args.network
            )));
        }
        let mut order: Vec<usize> = (0..train.samples.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(self.args.order_seed);
        let mut with_labels = Vec::new();
        for epoch in 1..=self.args.epochs {
            order.shuffle(&mut rng);
            let samples = order.iter().map(|&at| &train.samples[at]);
            let answers = self.show(samples, true, classes)?;
            eprintln!(
                "epoch {epoch}: {:.1} % right, {:.1} % silent",
                100.0 * answers.accuracy,
                100.0 * answers.silent
            );
            with_labels.push(answers);
        }
        let held_out = self.show(test.samples.iter(), false, classes)?;
        Ok(Taught {
            train: train.source.fingerprint.clone(),
            train_samples: train.samples.len(),
            test: test.source.fingerprint.clone(),
            test_samples: test.samples.len(),
            with_labels,
            held_out,
            tried_again: self.tried_again,
            counts: self.live.counts(),
        })
    }

    /// Shows samples in this order.
    fn show<'s>(
        &mut self,
        samples: impl ExactSizeIterator<Item = &'s Sample>,
        taught: bool,
        classes: usize,
    ) -> Result<Answers, CliError> {
        let n = samples.len() as f64;
        let (mut right, mut silent, mut spikes) = (0_u32, 0_u32, [0_usize; 3]);
        let (mut log, mut scratch) = (SpikeLog::default(), Vec::new());
        for sample in samples {
            log.fill(sample.ticks, &sample.spikes, &mut scratch);
            let label = taught.then_some((sample.label as u32, self.label_ticks));
            let shown = self.present(&log, label)?;
            let mut counts = vec![0; classes];
            for tick in &shown.ticks {
                for &k in &tick.output {
                    counts[k as usize] += 1;
                }
                let fired = [&tick.hidden, &tick.output, &tick.errors];
                for (sum, fired) in spikes.iter_mut().zip(fired) {
                    *sum += fired.len();
                }
            }
            let answer = answer(&counts);
            right += u32::from(answer == Some(sample.label));
            silent += u32::from(answer.is_none());
        }
        Ok(Answers {
            accuracy: f64::from(right) / n,
            silent: f64::from(silent) / n,
            spikes: spikes.map(|sum| sum as f64 / n),
        })
    }

    fn present(&mut self, log: &SpikeLog, label: Option<(u32, u32)>) -> Result<Shown, CliError> {
        let how = Manner {
            in_process: self.args.board.in_process,
            ahead: false,
            label,
        };
        for attempt in 0..ATTEMPTS {
            self.tried_again += u32::from(attempt > 0);
            self.args.board.wait_for(self.live.as_mut())?;
            if let Some(shown) = present(self.live.as_mut(), log, &how)? {
                return Ok(shown);
            }
        }
        Err(CliError::failed(format!(
            "the board did not get through a sample in {ATTEMPTS} attempts"
        )))
    }
}

fn print(taught: &Taught, args: &TeachArgs) -> Result<(), CliError> {
    if args.json {
        return print_json(taught);
    }
    let line = |name: &str, samples: usize, a: &Answers| {
        let [hidden, output, error] = a.spikes;
        print_line(format!(
            "{name:<23}{:6.2} % of {samples} samples right, {:.2} % silent; {hidden:.0} hidden, \
             {output:.1} output, {error:.1} error spikes each",
            100.0 * a.accuracy,
            100.0 * a.silent
        ))
    };
    if let Some(last) = taught.with_labels.last() {
        let name = format!("with labels, epoch {}", taught.with_labels.len());
        line(&name, taught.train_samples, last)?;
    }
    line("held out, no labels", taught.test_samples, &taught.held_out)?;
    let (out, ticks) = (taught.counts.link.out, taught.counts.link.ticks);
    print_line(format!(
        "{} events sent, {} delayed, {} dropped; {} ticks, {} incomplete, {} samples tried again",
        out.events, out.delayed, out.dropped, ticks.ticks, ticks.incomplete, taught.tried_again
    ))
}
