//! The recurrent layer on a SpiNNaker board: spikes go there, the layer's spikes come back.

use crate::parameters::Parameters;
use saccade_engine::backends::spinnaker_live::{
    EmulatedBoard, LiveBoard, LiveConfig, Pace, SpinnakerLive, State,
};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::spinnaker::emulator::{BoardSettings, ClassifierProgram, Limits};
use std::path::PathBuf;

/// Polls after which an interval's begin that the board has not echoed is sent again.
const BEGIN_AGAIN: u32 = 20;
/// More ticks than this are not made up for: the board has started anew.
const MOST_MISSED: u32 = 1000;
/// A tick is handed on when a packet of the next one has come.
const HOLD: u32 = 1;

/// What the board says of an interval.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// Its first tick, and who fired in it. Once more where the begin was sent again.
    Begins(Vec<u32>),
    /// Its next tick, and who fired in it.
    Tick(Vec<u32>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Idle,
    /// The begin was sent so many polls ago.
    Begun(u32),
    /// The last tick of the interval that was handed on.
    Under(u32),
}

/// What this has counted, beside the board's own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Input spikes that another one of the same input and tick stands for.
    pub(super) merged: u64,
    /// Begins of intervals that were sent again.
    pub(super) repeated: u64,
    /// Ticks of intervals that never came, and were taken as silent.
    pub(super) silent: u64,
}

/// A board, and how far it is with the interval.
pub(super) struct Board {
    live: Box<dyn LiveBoard>,
    /// Whether the board is in this process, and so ticks with it.
    pub(super) here: bool,
    phase: Phase,
    due: Vec<u32>,
    /// Silent ticks to be handed on, and then this one.
    gap: u32,
    held: Option<Vec<u32>>,
    pub(super) counts: Counts,
}

impl Board {
    /// The board that the parameters name, for these weights; `None` for the CPU.
    ///
    /// # Errors
    /// In words: a parameter, a network that does not fit, a port or a file.
    pub(super) fn new(
        parameters: &Parameters,
        classifier: &Classifier,
    ) -> Result<Option<Self>, String> {
        match parameters.text("backend") {
            "cpu" => return Ok(None),
            "spinnaker" => {}
            other => {
                return Err(format!(
                    "parameter 'backend' = '{other}' is none of: cpu, spinnaker"
                ));
            }
        }
        if parameters.text("weights").is_empty() {
            return Err(
                "parameter 'backend' = 'spinnaker' needs 'weights': those that the board has"
                    .into(),
            );
        }
        let board = parameters.text("board");
        let here = board == "emulated";
        let live: Box<dyn LiveBoard> = match here {
            true => Box::new(emulated(parameters, classifier)?),
            false => Box::new(outside(parameters, classifier, board)?),
        };
        Ok(Some(Self::with(live, here)))
    }

    pub(super) fn with(live: Box<dyn LiveBoard>, here: bool) -> Self {
        Self {
            live,
            here,
            phase: Phase::Idle,
            due: Vec::new(),
            gap: 0,
            held: None,
            counts: Counts::default(),
        }
    }

    /// Begins an interval; whether the board runs, and so will.
    pub(super) fn begin(&mut self) -> bool {
        (self.gap, self.held) = (0, None);
        let taken = self.live.control(true, None);
        self.phase = match taken {
            true => Phase::Begun(0),
            false => Phase::Idle,
        };
        taken
    }

    /// Ends the interval.
    pub(super) fn end(&mut self) {
        (self.gap, self.held) = (0, None);
        if self.phase != Phase::Idle {
            self.live.control(false, None);
            self.phase = Phase::Idle;
        }
    }

    /// An input spike for the board's next tick. Inputs are the network's.
    pub(super) fn push(&mut self, input: u32) {
        self.due.push(input);
    }

    /// Sends what is due, and receives.
    pub(super) fn poll(&mut self) {
        let before = self.due.len();
        self.due.sort_unstable();
        self.due.dedup();
        self.counts.merged += (before - self.due.len()) as u64;
        for input in self.due.drain(..) {
            // An input that there is; one for which there is no room is counted there.
            let _ = self.live.push(input, None);
        }
        if let Phase::Begun(polls) = &mut self.phase {
            *polls += 1;
            if *polls % BEGIN_AGAIN == 0 {
                self.counts.repeated += 1;
                self.live.control(true, None);
            }
        }
        self.live.poll();
    }

    /// What the board says next of the interval; ticks that were lost on the way are silent.
    pub(super) fn next(&mut self) -> Option<Heard> {
        if self.gap > 0 {
            self.gap -= 1;
            return Some(Heard::Tick(Vec::new()));
        }
        if let Some(hidden) = self.held.take() {
            return Some(Heard::Tick(hidden));
        }
        while let Some(tick) = self.live.next_tick() {
            match self.phase {
                Phase::Idle => {}
                _ if tick.begins => {
                    self.phase = Phase::Under(tick.tick);
                    return Some(Heard::Begins(tick.hidden));
                }
                Phase::Begun(_) => {}
                Phase::Under(last) => {
                    self.phase = Phase::Under(tick.tick);
                    let missed = tick.tick.saturating_sub(last).saturating_sub(1);
                    self.counts.silent += u64::from(missed);
                    if missed == 0 {
                        return Some(Heard::Tick(tick.hidden));
                    }
                    self.gap = missed.min(MOST_MISSED) - 1;
                    self.held = Some(tick.hidden);
                    return Some(Heard::Tick(Vec::new()));
                }
            }
        }
        None
    }

    /// Why nothing can be expected of the board; `None` while it runs.
    pub(super) fn trouble(&self) -> Option<String> {
        let what = match self.live.state() {
            State::Running => return None,
            State::Unknown => "nobody has said where the board is",
            State::Silent => "the board does not answer",
            State::Ready => "the board's simulation does not run",
        };
        let more = self.live.trouble().map(|why| format!(": {why}"));
        Some(format!("{what}{}", more.unwrap_or_default()))
    }

    /// Counters for the node's health; `spoilt` intervals are the node's.
    pub(super) fn health(&self, spoilt: u64) -> Vec<(&'static str, u64)> {
        let (c, live) = (self.counts, self.live.counts());
        let (out, ticks) = (live.link.out, live.link.ticks);
        vec![
            ("intervals without a decision", spoilt),
            ("begins sent again", c.repeated),
            ("silent ticks for lost ones", c.silent),
            ("board ticks", ticks.ticks),
            ("board ticks incomplete", ticks.incomplete),
            ("board spikes late", ticks.late),
            ("board spikes twice", ticks.duplicates),
            ("board keys unknown", ticks.unknown_key),
            ("board packets malformed", live.link.malformed),
            ("events sent", out.events),
            ("events delayed by the pace", out.delayed),
            ("events dropped by the pace", out.dropped),
            ("events while the board did not run", live.not_running),
            ("board outages", live.outages),
            ("datagrams from elsewhere", live.foreign),
            ("datagrams not sent", live.send_failed),
            ("datagrams dropped by the system", live.kernel_drops),
        ]
    }
}

fn emulated(parameters: &Parameters, classifier: &Classifier) -> Result<EmulatedBoard, String> {
    let network = classifier.clone();
    let program = match parameters.switch("board_fixed_point") {
        true => ClassifierProgram::fixed(network).map_err(|e| e.to_string())?,
        false => ClassifierProgram::new(network),
    };
    let settings = BoardSettings {
        limits: parameters.switch("board_limits").then_some(Limits::REAL),
        ..BoardSettings::default()
    };
    EmulatedBoard::new(program, Pace::REAL, HOLD, settings).map_err(|e| e.to_string())
}

fn outside(
    parameters: &Parameters,
    classifier: &Classifier,
    board: &str,
) -> Result<SpinnakerLive, String> {
    let host = parameters.text("board_host");
    let local = host.parse().map_err(|_| {
        format!("parameter 'board_host' = '{host}' is no IPv4 address of this machine")
    })?;
    let notified = board == "notified";
    let port = parameters.integer("board_port") as u16;
    let config = classifier.config();
    let live = SpinnakerLive::new(LiveConfig {
        local,
        notify_port: notified.then_some(port),
        database: (!notified).then(|| PathBuf::from(board)),
        n_in: config.n_in,
        n_rec: config.n_lif + config.n_alif,
        pace: Pace::REAL,
        hold: HOLD,
    });
    live.map_err(|e| format!("parameter 'board' = '{board}': {e}"))
}
