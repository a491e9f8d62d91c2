//! `saccade spinnaker eval`: a data set through a board, beside the same in this process.

use super::connection::{ConnectionArgs, Manner, present};
use crate::cli::eval::weights_on;
use crate::cli::priority::Scheduling;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line};
use saccade_engine::backends::spinnaker_live::{EmulatedBoard, LiveBoard, LiveCounts};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::sample::Sample;
use saccade_engine::spikes::SpikeLog;
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often a sample is tried that an outage or a late tick has spoilt.
const ATTEMPTS: u32 = 5;

/// Arguments of `saccade spinnaker eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, in two terminals:
  saccade spinnaker emulate launch/weights/grasp.safetensors --at-once --database /tmp/board.sqlite3
  saccade spinnaker eval test.mcap --weights launch/weights/grasp.safetensors --database /tmp/board.sqlite3

Spikes are sent in real time, as they would come from a camera, each for the board's next
tick; so some fall into another tick than they do in this process. With --ahead they are
sent before their time, with the tick that they are for, and the spikes are the same where
they come in time; the board counts those that do not.")]
pub struct EvalArgs {
    /// Data set (`saccade dataset make`)
    dataset: PathBuf,
    /// Weights, the same as on the board
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    #[command(flatten)]
    board: ConnectionArgs,
    /// Send spikes ahead, with the tick that they are for
    #[arg(long)]
    ahead: bool,
    /// Only the first N samples
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Length of the interval after onset that is used, in ms
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    interval_ms: u16,
    #[command(flatten)]
    scheduling: Scheduling,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// What a sample gave.
struct Outcome {
    class: usize,
    hidden: Vec<Vec<u32>>,
    /// From the end of the interval to the decision; 0 where that is unknown: it was sent
    /// ahead, or the board is in this process.
    latency: Duration,
    /// Polls from the end of the interval to the decision: ticks, where the board is in this
    /// process.
    polls: u32,
}

/// Both side by side.
#[derive(Debug, Default, Serialize)]
struct Compared {
    samples: usize,
    accuracy_cpu: f64,
    accuracy_board: f64,
    equal_decisions: f64,
    equal_spikes: f64,
    latency_ms_cpu: [f64; 2],
    latency_ms_board: [f64; 2],
    /// Of a board in this process, at most.
    latency_ticks_board: Option<u32>,
    tried_again: u32,
    drift_ppm: f64,
    counts: LiveCounts,
}

/// Runs `saccade spinnaker eval`.
///
/// # Errors
/// Data or weights do not fit, or there is no board.
pub fn run(args: &EvalArgs) -> CliResult {
    args.scheduling.apply()?;
    let (classifier, mut data) = weights_on(&args.weights, &args.dataset, args.interval_ms)?;
    data.samples.truncate(args.samples.unwrap_or(usize::MAX));
    if data.samples.is_empty() {
        return Err(CliError::usage("--samples 0 leaves nothing to be done"));
    }
    let mut live = live(args, &classifier)?;
    let compared = compare(live.as_mut(), classifier, &data.samples, args)?;
    print(&compared, args)?;
    let lost = compared.counts.link.out.dropped + compared.counts.link.ticks.incomplete;
    Ok(if lost == 0 {
        Exit::Success
    } else {
        Exit::LostData
    })
}

fn live(args: &EvalArgs, classifier: &Classifier) -> Result<Box<dyn LiveBoard>, CliError> {
    args.board
        .connect(classifier.config(), |pace, hold, settings| {
            let program = args.board.emulated.program(classifier.clone());
            let program = program.context("the board's network")?;
            EmulatedBoard::new(program, pace, hold, settings).context("emulating the board")
        })
}

fn compare(
    live: &mut dyn LiveBoard,
    mut classifier: Classifier,
    samples: &[Sample],
    args: &EvalArgs,
) -> Result<Compared, CliError> {
    let mut c = Compared {
        samples: samples.len(),
        ..Compared::default()
    };
    let (mut cpu_latency, mut board_latency) = (Vec::new(), Vec::new());
    let (mut log, mut scratch) = (SpikeLog::default(), Vec::new());
    let share = 1.0 / samples.len() as f64;
    let of = |yes: bool| if yes { share } else { 0.0 };
    for sample in samples {
        log.fill(sample.ticks, &sample.spikes, &mut scratch);
        let cpu = on_cpu(&mut classifier, &log)?;
        let mut board = None;
        for attempt in 0..ATTEMPTS {
            c.tried_again += u32::from(attempt > 0);
            args.board.wait_for(live)?;
            board = on_board(live, &mut classifier, &log, args)?;
            if board.is_some() {
                break;
            }
        }
        let board = board.ok_or_else(|| {
            CliError::failed(format!(
                "the board did not get through a sample in {ATTEMPTS} attempts"
            ))
        })?;
        c.accuracy_cpu += of(cpu.class == sample.label);
        c.accuracy_board += of(board.class == sample.label);
        c.equal_decisions += of(cpu.class == board.class);
        c.equal_spikes += of(cpu.hidden == board.hidden);
        cpu_latency.push(cpu.latency);
        board_latency.push(board.latency);
        if args.board.in_process && !args.ahead {
            c.latency_ticks_board = c.latency_ticks_board.max(Some(board.polls));
        }
    }
    c.latency_ms_cpu = median_and_p99(cpu_latency);
    c.latency_ms_board = median_and_p99(board_latency);
    c.drift_ppm = live.drift_ppm();
    c.counts = live.counts();
    Ok(c)
}

fn on_cpu(classifier: &mut Classifier, log: &SpikeLog) -> Result<Outcome, CliError> {
    classifier.begin_interval();
    let mut hidden = Vec::new();
    let mut latency = Duration::ZERO;
    for s in 0..log.ticks() {
        let begun = Instant::now();
        for &input in log.tick(s) {
            classifier.push_spike(input)?;
        }
        classifier.tick(None)?;
        latency = begun.elapsed();
        hidden.push(classifier.hidden_spikes().to_vec());
    }
    Ok(Outcome {
        class: classifier.decision().class,
        hidden,
        latency,
        polls: 0,
    })
}

/// A sample through the board; `None` where it vanished, or the sample came too late.
fn on_board(
    live: &mut dyn LiveBoard,
    classifier: &mut Classifier,
    log: &SpikeLog,
    args: &EvalArgs,
) -> Result<Option<Outcome>, CliError> {
    let how = Manner {
        in_process: args.board.in_process,
        ahead: args.ahead,
        label: None,
    };
    let Some(shown) = present(live, log, &how)? else {
        return Ok(None);
    };
    classifier.begin_interval();
    for tick in &shown.ticks {
        classifier.observe(&tick.hidden)?;
    }
    Ok(Some(Outcome {
        class: classifier.decision().class,
        hidden: shown.ticks.into_iter().map(|t| t.hidden).collect(),
        latency: shown.latency,
        polls: shown.polls,
    }))
}

fn median_and_p99(mut all: Vec<Duration>) -> [f64; 2] {
    all.sort_unstable();
    let at = |share: f64| {
        let i = (share * all.len().saturating_sub(1) as f64).round() as usize;
        all.get(i).map_or(0.0, |d| d.as_secs_f64() * 1e3)
    };
    [at(0.5), at(0.99)]
}

fn print(c: &Compared, args: &EvalArgs) -> Result<(), CliError> {
    if args.json {
        return print_json(c);
    }
    let percent = |x: f64| format!("{:6.2} %", 100.0 * x);
    let ([cpu, cpu99], [board, board99]) = (c.latency_ms_cpu, c.latency_ms_board);
    let (out, ticks) = (c.counts.link.out, c.counts.link.ticks);
    print_line(format!("samples              {}", c.samples))?;
    print_line(format!("accuracy in process  {}", percent(c.accuracy_cpu)))?;
    print_line(format!(
        "accuracy on board    {}",
        percent(c.accuracy_board)
    ))?;
    print_line(format!(
        "equal decisions      {}",
        percent(c.equal_decisions)
    ))?;
    print_line(format!(
        "equal spikes         {}   every tick of the sample",
        percent(c.equal_spikes)
    ))?;
    if let Some(ticks) = c.latency_ticks_board {
        print_line(format!(
            "decision after       at most {ticks} ticks of the board"
        ))?;
    } else if !args.ahead {
        print_line(format!(
            "decision after       {cpu:.3} ms in process, {board:.3} ms on board (p99 {cpu99:.3}, {board99:.3})"
        ))?;
    }
    print_line(format!(
        "sent                 {} events in {} datagrams, {} delayed, {} dropped",
        out.events, out.datagrams, out.delayed, out.dropped
    ))?;
    print_line(format!(
        "received             {} ticks, {} incomplete, {} late spikes, {} outages, clocks apart by {:.0} ppm",
        ticks.ticks, ticks.incomplete, ticks.late, c.counts.outages, c.drift_ppm
    ))?;
    print_line(format!("tried again          {} times", c.tried_again))
}
