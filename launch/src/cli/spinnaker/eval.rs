//! `saccade spinnaker eval`: a data set through a board, beside the same in this process.

use super::board_args::BoardArgs;
use crate::cli::eval::weights_on;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line};
use saccade_engine::backends::spinnaker_live::{
    BoardTick, EmulatedBoard, LiveBoard, LiveConfig, LiveCounts, Pace, SpinnakerLive, State,
};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::sample::Sample;
use saccade_engine::spikes::SpikeLog;
use serde::Serialize;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Ticks between sending a sample ahead and its first tick.
const LEAD: u32 = 50;
/// Events that are queued ahead at most.
const QUEUED: usize = 4096;
/// How often a sample is tried that an outage or a late tick has spoilt.
const ATTEMPTS: u32 = 5;
const MS: Duration = Duration::from_millis(1);
/// How much later than it should a sample may end, before it counts as lost.
const OVERDUE: Duration = Duration::from_secs(2);
/// The same where a poll is a tick.
const OVERDUE_POLLS: u32 = 2000;

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
    /// Database of the board's network; without it, its notification is waited for
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Port on which the tool chain's notification comes
    #[arg(long, value_name = "PORT", default_value_t = 19999)]
    notify_port: u16,
    /// Address to listen on
    #[arg(long, value_name = "IPV4", default_value_t = Ipv4Addr::LOCALHOST)]
    local: Ipv4Addr,
    /// Take an emulated board in this process
    #[arg(long, conflicts_with = "database")]
    in_process: bool,
    #[command(flatten)]
    emulated: BoardArgs,
    /// Send spikes ahead, with the tick that they are for
    #[arg(long)]
    ahead: bool,
    /// Only the first N samples
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Length of the interval after onset that is used, in ms
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    interval_ms: u16,
    /// How long to wait for the board, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    patience: u64,
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
    let hold = args.emulated.hold();
    if args.in_process {
        let program = (args.emulated.program(classifier.clone())).context("the board's network")?;
        let settings = args.emulated.settings(Vec::new())?;
        let board = EmulatedBoard::new(program, Pace::REAL, hold, settings);
        return Ok(Box::new(board.context("emulating the board")?));
    }
    if args.emulated != BoardArgs::default() {
        return Err(CliError::usage(
            "how an emulated board behaves is said where it is: here with --in-process, or to \
             `saccade spinnaker emulate`",
        ));
    }
    let config = classifier.config();
    let live = SpinnakerLive::new(LiveConfig {
        local: args.local,
        notify_port: args.database.is_none().then_some(args.notify_port),
        database: args.database.clone(),
        n_in: config.n_in,
        n_rec: config.n_lif + config.n_alif,
        pace: Pace::REAL,
        hold,
    });
    Ok(Box::new(live.context("looking for the board")?))
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
            wait_for(live, Duration::from_secs(args.patience))?;
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
        if args.in_process && !args.ahead {
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

/// Waits until the board's ticks come.
fn wait_for(live: &mut dyn LiveBoard, patience: Duration) -> Result<(), CliError> {
    let begun = Instant::now();
    while live.state() != State::Running {
        live.poll();
        if begun.elapsed() > patience {
            let trouble = live.trouble().unwrap_or("no ticks come");
            let state = live.state();
            return Err(CliError::failed(format!(
                "no board runs within {patience:?} ({state:?}): {trouble}; is it started, and its database the one given?"
            )));
        }
        live.wait(MS);
    }
    Ok(())
}

/// A sample through the board; `None` where it vanished, or the sample came too late.
fn on_board(
    live: &mut dyn LiveBoard,
    classifier: &mut Classifier,
    log: &SpikeLog,
    args: &EvalArgs,
) -> Result<Option<Outcome>, CliError> {
    let mut ticks = Ticks::default();
    let onset = Instant::now();
    let start = if args.ahead {
        let Some(start) = send_ahead(live, log)? else {
            return Ok(None);
        };
        Some(start)
    } else {
        live.control(true, None);
        for s in 0..log.ticks() {
            for &input in log.tick(s) {
                live.push(input, None)?;
            }
            let due = onset + (s as u32 + 1) * MS;
            live.poll_until(due);
            ticks.take(live);
        }
        None
    };
    let sent = Instant::now();
    let mut polls = 0;
    while ticks.0.len() < log.ticks() {
        live.poll();
        polls += 1;
        ticks.take(live);
        let overdue = match args.in_process {
            true => polls > OVERDUE_POLLS + log.ticks() as u32,
            false => sent.elapsed() > log.ticks() as u32 * MS + OVERDUE,
        };
        let missed = start.is_some_and(|start| ticks.missed(start));
        if overdue || missed || live.state() != State::Running {
            return Ok(None);
        }
        live.wait(MS);
    }
    let latency = match start {
        None if args.in_process => Duration::ZERO,
        None => onset.elapsed().saturating_sub(log.ticks() as u32 * MS),
        Some(_) => Duration::ZERO,
    };
    live.control(false, None);
    live.poll();
    ticks.0.truncate(log.ticks());
    classifier.begin_interval();
    for tick in &ticks.0 {
        classifier.observe(&tick.hidden)?;
    }
    Ok(Some(Outcome {
        class: classifier.decision().class,
        hidden: ticks.0.into_iter().map(|t| t.hidden).collect(),
        latency,
        polls,
    }))
}

/// Sends all of a sample with the ticks that it is for; the first of them.
fn send_ahead(live: &mut dyn LiveBoard, log: &SpikeLog) -> Result<Option<u32>, CliError> {
    let begun = Instant::now();
    let mut now = None;
    while now.is_none() {
        live.poll();
        while let Some(tick) = live.next_tick() {
            now = Some(tick.tick);
        }
        if begun.elapsed() > Duration::from_secs(1) {
            return Ok(None);
        }
        live.wait(MS);
    }
    let start = now.unwrap_or(0) + LEAD;
    let mut taken = live.control(true, Some(start));
    for s in 0..log.ticks() {
        for &input in log.tick(s) {
            taken &= live.push(input, Some(start + s as u32))?;
        }
        // More than the queue holds would be dropped.
        while live.waiting() > QUEUED && live.state() == State::Running {
            live.poll();
            live.wait(MS);
        }
    }
    Ok(taken.then_some(start))
}

/// Ticks of the interval, from its first on.
#[derive(Default)]
struct Ticks(Vec<BoardTick>);

impl Ticks {
    fn take(&mut self, live: &mut dyn LiveBoard) {
        while let Some(tick) = live.next_tick() {
            if tick.begins {
                self.0.clear();
            }
            // What was lost on the way counts as silence, in its time.
            let next = self.0.last().map_or(tick.tick, |last| last.tick + 1);
            self.0.extend((next..tick.tick).map(|tick| BoardTick {
                tick,
                ..BoardTick::default()
            }));
            if tick.begins || !self.0.is_empty() {
                self.0.push(tick);
            }
        }
    }

    /// Whether the interval began in another tick than `start`.
    fn missed(&self, start: u32) -> bool {
        self.0.first().is_some_and(|first| first.tick != start)
    }
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
