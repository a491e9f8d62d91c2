//! A classifier's recurrent layer on a SpiNNaker board, or on its emulator: input spikes go
//! there over UDP, the spikes of the layer come back, with the board's ticks. A board that
//! learns takes the spikes of labels as well, and sends those of its output and error neurons.
//!
//! A [`LiveBoard`] is either [`SpinnakerLive`], over UDP, or [`EmulatedBoard`], in this process.
//! The owner calls [`LiveBoard::poll`] about once a millisecond; nothing here blocks, and
//! there is no thread. A board over UDP is found by the tool chain's notification, or by its
//! database. Where it vanishes it is asked for until it comes back.

mod clock;
mod emulated;
#[cfg(test)]
mod learning_tests;
mod link;
mod pace;
#[cfg(test)]
mod tests;
mod ticks;
mod udp;

pub use clock::BoardClock;
pub use emulated::EmulatedBoard;
pub use link::{Link, LinkCounts};
pub use pace::{Pace, PaceCounts};
pub use ticks::{BoardTick, TickCounts};
pub use udp::{LiveConfig, SpinnakerLive};

use std::time::{Duration, Instant};

use crate::spinnaker::Result;

/// How things are with the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has said where it is.
    Unknown,
    /// It does not answer.
    Silent,
    /// It answers; its simulation does not run.
    Ready,
    /// Its ticks come.
    Running,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LiveCounts {
    /// With the board that is there now.
    pub link: LinkCounts,
    /// Spikes that were not sent because the board did not run.
    pub not_running: u64,
    /// Times that it vanished while it ran.
    pub outages: u64,
    /// Databases read.
    pub databases: u64,
    /// Datagrams from elsewhere than the board, or that nobody can want.
    pub foreign: u64,
    /// Datagrams that the system did not send.
    pub send_failed: u64,
    /// Datagrams that the system dropped before they were read here, where it says so.
    pub kernel_drops: u64,
}

/// A board with a classifier's recurrent layer.
pub trait LiveBoard: Send {
    /// Queues an input spike for the board's next tick, or a later one; it leaves with the next
    /// [`LiveBoard::poll`] that has room for it. Whether it was taken.
    ///
    /// # Errors
    /// The network has no such input.
    fn push(&mut self, input: u32, tick: Option<u32>) -> Result<bool>;

    /// Queues the begin or the end of an interval. Whether it was taken.
    fn control(&mut self, begin: bool, tick: Option<u32>) -> bool;

    /// Queues a spike of the label neuron of a class, for a board that learns. Whether it was
    /// taken.
    ///
    /// # Errors
    /// The board does not learn, or has no such class.
    fn label(&mut self, class: u32, tick: Option<u32>) -> Result<bool>;

    /// Classes that have a label on the board; 0 where it does not learn, or is not there.
    fn classes(&self) -> usize;

    /// Receives and sends what there is.
    fn poll(&mut self);

    /// Polls until then; in this process, where no time passes, for a tick.
    fn poll_until(&mut self, due: Instant);

    /// Waits until something comes from the board, or so long; in this process not at all.
    fn wait(&self, most: Duration);

    /// The board's next tick, once it is complete as far as can be known.
    fn next_tick(&mut self) -> Option<BoardTick>;

    /// How things are with the board.
    fn state(&self) -> State;

    /// What went wrong last while the board was being found.
    fn trouble(&self) -> Option<&str>;

    /// Events that wait to be sent.
    fn waiting(&self) -> usize;

    /// How much slower the board's clock is than ours, in parts per million.
    fn drift_ppm(&self) -> f64;

    /// What has happened.
    fn counts(&self) -> LiveCounts;
}
