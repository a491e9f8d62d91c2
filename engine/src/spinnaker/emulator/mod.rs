//! A board on this machine: our engine behind the board's protocol, in real time.
//!
//! It takes events on SCAMP's port, lets IP tags be set, sends live output as the gatherer
//! does, writes the database of its network and tells clients when it starts, pauses and
//! stops. [`Board`] has no sockets and no clock; [`Emulator`] gives it both.

mod board;
pub(crate) mod central_complex;
mod classifier;
mod faults;
mod gatherer;
mod learning;
mod notifier;
mod program;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use board::{Board, BoardCounts, BoardSettings, Limits, Send};
pub use central_complex::CentralComplexProgram;
pub use classifier::{BEGIN, ClassifierProgram, END, populations as classifier_populations};
pub use faults::{BadLine, FaultCounts, Faults};
pub use gatherer::{FIFO, PACKET_KEYS};
pub use learning::LearningProgram;
pub use program::{Program, Relay, Role, Spec, Spike};

use super::command::Command;
use super::error::{Result, SpinnakerError};
use super::sdp::SCAMP_PORT;
use super::socket::{self, kernel_drops};
use notifier::Notifier;

/// Datagrams taken between two looks at the clock.
const AT_ONCE: usize = 64;

/// How an emulated board runs.
#[derive(Clone, Debug)]
pub struct EmulatorConfig {
    /// Where the board is; its port is SCAMP's.
    pub address: Ipv4Addr,
    /// Length of a tick in microseconds, 100 to 1 000 000.
    pub tick_us: u32,
    /// Clients that are told of every start; may be none.
    pub notify: Vec<SocketAddr>,
    /// Where the database goes: an absolute path of at most 298 bytes.
    pub database: PathBuf,
    /// Runs, with a pause between.
    pub cycles: u32,
    /// Ticks of a run; `None`: until it is stopped.
    pub run_ticks: Option<u64>,
    /// Length of a pause.
    pub pause: Duration,
    /// How the board behaves.
    pub board: BoardSettings,
}

impl EmulatorConfig {
    /// A board on loopback that runs until it is stopped, with ticks of a millisecond, and
    /// tells nobody.
    pub fn new(database: PathBuf) -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST,
            tick_us: 1000,
            notify: Vec::new(),
            database,
            cycles: 1,
            run_ticks: None,
            pause: Duration::from_millis(100),
            board: BoardSettings::default(),
        }
    }

    fn validate(&self) -> Result<()> {
        if !(100..=1_000_000).contains(&self.tick_us) {
            let us = self.tick_us;
            return Err(SpinnakerError::Setting(format!(
                "a tick of {us} us is outside of 100..=1000000"
            )));
        }
        if !self.database.is_absolute() {
            let path = self.database.display();
            return Err(SpinnakerError::Setting(format!(
                "the database path {path} is relative; clients need an absolute one"
            )));
        }
        if !self.address.is_loopback() && self.board.allowed.is_empty() {
            let address = self.address;
            return Err(SpinnakerError::Setting(format!(
                "at {address} the board can be reached from elsewhere; say who may talk to it"
            )));
        }
        Ok(())
    }
}

/// What a run has come to.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Report {
    /// Runs that were completed or stopped.
    pub cycles: u32,
    /// Ticks that began more than a tick late.
    pub late_ticks: u64,
    /// Datagrams that the system dropped before the board saw them, where it says so.
    pub kernel_drops: u64,
    /// Datagrams that the system did not send.
    pub send_failed: u64,
    /// What the board has counted.
    pub board: BoardCounts,
}

/// What may be asked of a running board from elsewhere.
#[derive(Debug, Default)]
pub struct Control {
    /// End now.
    pub stop: AtomicBool,
    /// End the run under way, as if its ticks were over.
    pub end_run: AtomicBool,
}

/// Where a run is.
enum Phase {
    /// Clients are being told of the database.
    Announcing,
    /// Ticks go by, up to this one.
    Running { last: Option<u64> },
    /// Until then.
    Paused { until: Instant },
}

/// A board with its socket.
pub struct Emulator {
    board: Board,
    socket: UdpSocket,
    notifier: Notifier,
    config: EmulatorConfig,
    report: Report,
}

impl Emulator {
    /// Opens the board's port and writes the database.
    ///
    /// # Errors
    /// A setting, the port or the file cannot be used.
    pub fn new(config: EmulatorConfig, program: Box<dyn Program>) -> Result<Self> {
        config.validate()?;
        let (address, settings) = (config.address, config.board.clone());
        let board = Board::new(program, address, config.tick_us, settings)?;
        let notifier = Notifier::new(address, &config.notify, &config.database)?;
        let socket = socket::bind(address, SCAMP_PORT)?;
        let mut map = board.map().clone();
        let total = config.run_ticks.map(|t| t * u64::from(config.cycles));
        map.run_ms = total.map(|ticks| ticks * u64::from(config.tick_us) / 1000);
        map.write(&config.database)?;
        Ok(Self {
            board,
            socket,
            notifier,
            config,
            report: Report::default(),
        })
    }

    /// Runs all cycles, or until it is to stop; tells clients when it ends.
    pub fn run(mut self, control: &Control) -> Report {
        let tick = Duration::from_micros(self.config.tick_us.into());
        let mut phase = Phase::Announcing;
        socket::punctual();
        self.notifier.announce();
        let mut next = Instant::now();
        while !control.stop.load(Ordering::Relaxed) {
            match phase {
                Phase::Announcing if self.notifier.acknowledged() => {
                    phase = self.start();
                    next = Instant::now() + tick;
                }
                Phase::Running { last }
                    if last.is_some_and(|t| self.ticks() >= t)
                        || control.end_run.swap(false, Ordering::Relaxed) =>
                {
                    if self.pause() >= self.config.cycles {
                        break;
                    }
                    let until = Instant::now() + self.config.pause;
                    phase = Phase::Paused { until };
                }
                Phase::Paused { until } if Instant::now() >= until => {
                    self.notifier.announce();
                    phase = Phase::Announcing;
                }
                _ => {}
            }
            let now = Instant::now();
            if !matches!(phase, Phase::Running { .. }) {
                next = now + tick;
            } else if now >= next {
                self.report.late_ticks += u64::from(now >= next + tick);
                self.tick();
                next += tick;
            }
            socket::wait(&self.socket, next.saturating_duration_since(Instant::now()));
            self.receive();
        }
        if matches!(phase, Phase::Running { .. }) && self.report.cycles < self.config.cycles {
            self.pause();
        }
        self.report.kernel_drops = kernel_drops(&self.socket);
        self.report.board = self.board.counts();
        self.report
    }

    fn ticks(&self) -> u64 {
        self.board.counts().ticks
    }

    fn start(&mut self) -> Phase {
        self.board.run(true);
        self.notifier.tell(&Command::StartResume);
        let last = self.config.run_ticks.map(|t| self.ticks() + t);
        Phase::Running { last }
    }

    /// Pauses; returns the runs done.
    fn pause(&mut self) -> u32 {
        self.board.run(false);
        self.notifier.tell(&Command::StopPause);
        self.report.cycles += 1;
        self.report.cycles
    }

    fn tick(&mut self) {
        let (socket, failed) = (&self.socket, &mut self.report.send_failed);
        self.board.tick(&mut |packet, to| {
            *failed += u64::from(socket.send_to(packet, to).is_err());
        });
    }

    fn receive(&mut self) {
        let mut buffer = [0; 2048];
        for _ in 0..AT_ONCE {
            match self.socket.recv_from(&mut buffer) {
                Ok((n, from)) => {
                    let (socket, failed) = (&self.socket, &mut self.report.send_failed);
                    self.board.receive(&buffer[..n], from, &mut |packet, to| {
                        *failed += u64::from(socket.send_to(packet, to).is_err());
                    });
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                // What a client that has gone leaves behind.
                Err(_) => {}
            }
        }
    }
}
