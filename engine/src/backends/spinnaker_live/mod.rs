//! A classifier's recurrent layer on a SpiNNaker board, or on its emulator: input spikes go
//! there over UDP, the spikes of the layer come back, with the board's ticks.
//!
//! The owner calls [`SpinnakerLive::poll`] about once a millisecond; nothing here blocks, and
//! there is no thread. The board is found by the tool chain's notification, or by its
//! database. Where it vanishes it is asked for until it comes back.

mod clock;
mod link;
mod pace;
#[cfg(test)]
mod tests;
mod ticks;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use clock::BoardClock;
pub use link::{Link, LinkCounts};
pub use pace::{Pace, PaceCounts};
pub use ticks::{BoardTick, TickCounts};

use crate::spinnaker::board_map::BoardMap;
use crate::spinnaker::command::Command;
use crate::spinnaker::sdp::SCAMP_PORT;
use crate::spinnaker::socket::{self, kernel_drops};
use crate::spinnaker::{Result, SpinnakerError};

/// Silence after which a running board has vanished.
const SILENCE: Duration = Duration::from_millis(250);
/// Between requests to a board that does not answer.
const ASK: Duration = Duration::from_millis(100);
/// Between requests to one that does, as the tool chain's client sends them.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// Datagrams taken in one poll.
const AT_ONCE: usize = 4096;

/// Where the board is found, and how it is talked to.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// Address to listen on.
    pub local: Ipv4Addr,
    /// Port on which the tool chain says where the database is (19999 by custom).
    pub notify_port: Option<u16>,
    /// The database, where it is known already.
    pub database: Option<PathBuf>,
    /// Inputs of the network.
    pub n_in: usize,
    /// Recurrent neurons of the network.
    pub n_rec: usize,
    /// How fast the board may be fed.
    pub pace: Pace,
    /// A tick is handed on when a packet has come of one so much later: 1 where packets keep
    /// their order, more where they do not.
    pub hold: u32,
}

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

/// A board that is known.
struct Known {
    link: Link,
    address: SocketAddr,
    tick_us: u32,
    asked: Option<Instant>,
    last_tick: Option<Instant>,
    paused: bool,
}

/// The backend: sockets around a [`Link`].
pub struct SpinnakerLive {
    config: LiveConfig,
    socket: UdpSocket,
    notify: Option<UdpSocket>,
    known: Option<Known>,
    epoch: Instant,
    counts: LiveCounts,
    trouble: Option<String>,
}

impl SpinnakerLive {
    /// Opens the sockets, and reads the database where it is known.
    ///
    /// # Errors
    /// A port, the database or the pace cannot be used.
    pub fn new(config: LiveConfig) -> Result<Self> {
        config.pace.validate()?;
        if config.notify_port.is_none() && config.database.is_none() {
            return Err(SpinnakerError::Setting(
                "neither a database nor a port for notifications: the board cannot be found".into(),
            ));
        }
        let mut live = Self {
            socket: socket::bind(config.local, 0)?,
            notify: (config.notify_port)
                .map(|port| socket::bind(config.local, port))
                .transpose()?,
            known: None,
            epoch: Instant::now(),
            counts: LiveCounts::default(),
            trouble: None,
            config,
        };
        if let Some(path) = live.config.database.clone() {
            live.read(&path)?;
        }
        Ok(live)
    }

    /// Where notifications are awaited.
    pub fn notify_address(&self) -> Option<SocketAddr> {
        self.notify.as_ref().and_then(|s| s.local_addr().ok())
    }

    fn read(&mut self, path: &Path) -> Result<()> {
        let map = BoardMap::read(path)?;
        let LiveConfig {
            n_in,
            n_rec,
            pace,
            hold,
            ..
        } = self.config;
        self.known = Some(Known {
            link: Link::new(&map, n_in, n_rec, pace, hold)?,
            address: SocketAddrV4::new(map.address, SCAMP_PORT).into(),
            tick_us: map.tick_us,
            asked: None,
            last_tick: None,
            paused: false,
        });
        self.counts.databases += 1;
        Ok(())
    }

    /// How things are with the board.
    pub fn state(&self) -> State {
        match &self.known {
            None => State::Unknown,
            Some(known) if known.last_tick.is_some() => State::Running,
            Some(known) if known.link.is_answered() => State::Ready,
            Some(_) => State::Silent,
        }
    }

    /// What went wrong last while the board was being found.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Queues an input spike for the board's next tick, or a later one; it leaves with the next
    /// [`SpinnakerLive::poll`] that has room for it. Whether it was taken.
    ///
    /// # Errors
    /// The network has no such input.
    pub fn push(&mut self, input: u32, tick: Option<u32>) -> Result<bool> {
        match self.running() {
            Some(link) => link.push(input, tick),
            None => Ok(false),
        }
    }

    /// Queues the begin or the end of an interval. Whether it was taken.
    pub fn control(&mut self, begin: bool, tick: Option<u32>) -> bool {
        match self.running() {
            Some(link) => link.control(begin, tick),
            None => false,
        }
    }

    fn running(&mut self) -> Option<&mut Link> {
        if self.state() != State::Running {
            self.counts.not_running += 1;
            return None;
        }
        self.known.as_mut().map(|known| &mut known.link)
    }

    /// Receives and sends what there is.
    pub fn poll(&mut self) {
        self.hear();
        self.receive();
        let now = Instant::now();
        let now_us = now.duration_since(self.epoch).as_micros() as u64;
        let (socket, failed) = (&self.socket, &mut self.counts.send_failed);
        let Some(known) = &mut self.known else {
            return;
        };
        let mut send = |datagram: &[u8]| {
            *failed += u64::from(socket.send_to(datagram, known.address).is_err());
        };
        if known.last_tick.is_some_and(|at| now - at > SILENCE) {
            known.last_tick = None;
            known.link.forget(known.tick_us);
            self.counts.outages += u64::from(!known.paused);
            known.asked = None;
        }
        let every = match known.link.is_answered() && known.last_tick.is_some() {
            true => ASK_AGAIN,
            false => ASK,
        };
        if known.asked.is_none_or(|at| now - at >= every) {
            known.asked = Some(now);
            send(&known.link.ask());
        }
        known.link.flush(now_us, &mut send);
    }

    /// Notifications of the tool chain.
    fn hear(&mut self) {
        let mut buffer = [0; 512];
        loop {
            let Some((n, from)) =
                (self.notify.as_ref()).and_then(|s| s.recv_from(&mut buffer).ok())
            else {
                return;
            };
            match Command::parse(&buffer[..n]) {
                Ok(Command::Database(Some(path))) => {
                    // The tool chain waits for us; what is wrong is ours to say.
                    self.trouble = self.read(Path::new(path)).err().map(|e| e.to_string());
                    let mut answer = [0; 2];
                    let encoded = Command::Database(None).encode(&mut answer);
                    if let (Ok(n), Some(notify)) = (encoded, &self.notify) {
                        let sent = notify.send_to(&answer[..n], from);
                        self.counts.send_failed += u64::from(sent.is_err());
                    }
                }
                Ok(command @ (Command::StartResume | Command::StopPause)) => {
                    if let Some(known) = &mut self.known {
                        known.paused = command == Command::StopPause;
                    }
                }
                _ => self.counts.foreign += 1,
            }
        }
    }

    fn receive(&mut self) {
        let mut buffer = [0; 2048];
        for _ in 0..AT_ONCE {
            let (n, from) = match self.socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                // What a board that has gone leaves behind.
                Err(_) => continue,
            };
            let Some(known) = self.known.as_mut().filter(|k| k.address == from) else {
                self.counts.foreign += 1;
                continue;
            };
            let now = Instant::now();
            let now_us = now.duration_since(self.epoch).as_micros() as u64;
            if known.link.receive(&buffer[..n], now_us) {
                // It runs again, whether or not somebody has said so.
                known.paused &= known.last_tick.is_some();
                known.last_tick = Some(now);
            }
        }
    }

    /// The board's next tick, once it is complete as far as can be known.
    pub fn next_tick(&mut self) -> Option<BoardTick> {
        self.known.as_mut()?.link.next_tick()
    }

    /// Events that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.known.as_ref().map_or(0, |known| known.link.waiting())
    }

    /// The board's ticks against local time, in microseconds since this was made.
    pub fn clock(&self) -> Option<&BoardClock> {
        self.known.as_ref().map(|known| known.link.clock())
    }

    /// Waits until something comes from the board, or so long.
    pub fn wait(&self, most: Duration) {
        socket::wait(&self.socket, most);
    }

    /// What has happened.
    pub fn counts(&self) -> LiveCounts {
        let link = self.known.as_ref().map(|known| known.link.counts());
        LiveCounts {
            link: link.unwrap_or_default(),
            kernel_drops: kernel_drops(&self.socket),
            ..self.counts
        }
    }
}
