//! What the commands that put samples to a board share: how it is found, and how a sample is
//! shown to it.

use super::board_args::BoardArgs;
use crate::cli::{CliError, Context};
use saccade_engine::backends::spinnaker_live::{
    BoardTick, EmulatedBoard, LiveBoard, LiveConfig, Pace, SpinnakerLive, State,
};
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::spikes::SpikeLog;
use saccade_engine::spinnaker::emulator::BoardSettings;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Ticks between sending a sample ahead and its first tick.
const LEAD: u32 = 50;
/// Events that are queued ahead at most.
const QUEUED: usize = 4096;
const MS: Duration = Duration::from_millis(1);
/// How much later than it should a sample may end, before it counts as lost.
const OVERDUE: Duration = Duration::from_secs(2);
/// The same where a poll is a tick.
const OVERDUE_POLLS: u32 = 2000;

/// Which board, and where.
#[derive(Debug, clap::Args)]
pub struct ConnectionArgs {
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
    pub in_process: bool,
    /// How long to wait for the board, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    patience: u64,
    #[command(flatten)]
    pub emulated: BoardArgs,
}

impl ConnectionArgs {
    /// The board: one in this process, of `emulate`'s making, or one over UDP with this network.
    ///
    /// # Errors
    /// The arguments contradict each other, or there is no such board.
    pub fn connect(
        &self,
        network: &ClassifierConfig,
        emulate: impl FnOnce(Pace, u32, BoardSettings) -> Result<EmulatedBoard, CliError>,
    ) -> Result<Box<dyn LiveBoard>, CliError> {
        let hold = self.emulated.hold();
        if self.in_process {
            let settings = self.emulated.settings(Vec::new())?;
            return Ok(Box::new(emulate(Pace::REAL, hold, settings)?));
        }
        if self.emulated != BoardArgs::default() {
            return Err(CliError::usage(
                "how an emulated board behaves is said where it is: here with --in-process, or \
                 to `saccade spinnaker emulate`",
            ));
        }
        let live = SpinnakerLive::new(LiveConfig {
            local: self.local,
            notify_port: self.database.is_none().then_some(self.notify_port),
            database: self.database.clone(),
            n_in: network.n_in,
            n_rec: network.n_lif + network.n_alif,
            pace: Pace::REAL,
            hold,
        });
        Ok(Box::new(live.context("looking for the board")?))
    }

    /// Waits until the board's ticks come.
    ///
    /// # Errors
    /// They do not come within the patience asked for.
    pub fn wait_for(&self, live: &mut dyn LiveBoard) -> Result<(), CliError> {
        let patience = Duration::from_secs(self.patience);
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
}

/// How a sample is shown.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Whether the board is in this process, where a poll is a tick.
    pub in_process: bool,
    /// Whether spikes are sent before their time, with the tick that they are for.
    pub ahead: bool,
    /// The class whose label fires meanwhile, and ticks between its spikes. (Not ahead.)
    pub label: Option<(u32, u32)>,
}

/// A sample as the board has answered it.
pub struct Shown {
    /// The board's ticks, from the one in which the sample began.
    pub ticks: Vec<BoardTick>,
    /// From the end of the sample to its last tick here; 0 where that is unknown: it was sent
    /// ahead, or the board is in this process.
    pub latency: Duration,
    /// Polls from the end of the sample to its last tick here: ticks, where the board is in
    /// this process.
    pub polls: u32,
}

/// Shows a sample to the board; `None` where it vanished, or the sample came too late.
///
/// # Errors
/// The board has no such input or label.
pub fn present(
    live: &mut dyn LiveBoard,
    log: &SpikeLog,
    how: &Manner,
) -> Result<Option<Shown>, CliError> {
    let mut ticks = Ticks::default();
    let onset = Instant::now();
    let start = if how.ahead {
        let Some(start) = send_ahead(live, log)? else {
            return Ok(None);
        };
        Some(start)
    } else {
        send_live(live, log, how.label, onset, &mut ticks)?;
        None
    };
    let sent = Instant::now();
    let mut polls = 0;
    while ticks.0.len() < log.ticks() {
        live.poll();
        polls += 1;
        ticks.take(live);
        let overdue = match how.in_process {
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
        None if !how.in_process => onset.elapsed().saturating_sub(log.ticks() as u32 * MS),
        _ => Duration::ZERO,
    };
    live.control(false, None);
    live.poll();
    ticks.0.truncate(log.ticks());
    Ok(Some(Shown {
        ticks: ticks.0,
        latency,
        polls,
    }))
}

/// Sends a sample as it happens, each spike for the board's next tick.
fn send_live(
    live: &mut dyn LiveBoard,
    log: &SpikeLog,
    label: Option<(u32, u32)>,
    onset: Instant,
    ticks: &mut Ticks,
) -> Result<(), CliError> {
    live.control(true, None);
    for s in 0..log.ticks() {
        for &input in log.tick(s) {
            live.push(input, None)?;
        }
        if let Some((class, _)) = label.filter(|(_, period)| (s as u32).is_multiple_of(*period)) {
            live.label(class, None)?;
        }
        let due = onset + (s as u32 + 1) * MS;
        live.poll_until(due);
        ticks.take(live);
    }
    Ok(())
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
