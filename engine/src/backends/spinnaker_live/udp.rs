//! A board over UDP: sockets around a [`Link`].

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{BoardClock, BoardTick, Link, LiveBoard, LiveCounts, Pace, State};
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

    fn running(&mut self) -> Option<&mut Link> {
        if self.state() != State::Running {
            self.counts.not_running += 1;
            return None;
        }
        self.known.as_mut().map(|known| &mut known.link)
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

    /// The board's ticks against local time, in microseconds since this was made.
    pub fn clock(&self) -> Option<&BoardClock> {
        self.known.as_ref().map(|known| known.link.clock())
    }
}

impl LiveBoard for SpinnakerLive {
    fn push(&mut self, input: u32, tick: Option<u32>) -> Result<bool> {
        match self.running() {
            Some(link) => link.push(input, tick),
            None => Ok(false),
        }
    }

    fn control(&mut self, begin: bool, tick: Option<u32>) -> bool {
        match self.running() {
            Some(link) => link.control(begin, tick),
            None => false,
        }
    }

    fn label(&mut self, class: u32, tick: Option<u32>) -> Result<bool> {
        match self.running() {
            Some(link) => link.label(class, tick),
            None => Ok(false),
        }
    }

    fn classes(&self) -> usize {
        self.known.as_ref().map_or(0, |known| known.link.classes())
    }

    fn poll(&mut self) {
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

    fn poll_until(&mut self, due: Instant) {
        self.poll();
        while Instant::now() < due {
            self.wait(due.saturating_duration_since(Instant::now()));
            self.poll();
        }
    }

    fn wait(&self, most: Duration) {
        socket::wait(&self.socket, most);
    }

    fn next_tick(&mut self) -> Option<BoardTick> {
        self.known.as_mut()?.link.next_tick()
    }

    fn state(&self) -> State {
        match &self.known {
            None => State::Unknown,
            Some(known) if known.last_tick.is_some() => State::Running,
            Some(known) if known.link.is_answered() => State::Ready,
            Some(_) => State::Silent,
        }
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn waiting(&self) -> usize {
        self.known.as_ref().map_or(0, |known| known.link.waiting())
    }

    fn drift_ppm(&self) -> f64 {
        self.clock().map_or(0.0, BoardClock::drift_ppm)
    }

    fn counts(&self) -> LiveCounts {
        let link = self.known.as_ref().map(|known| known.link.counts());
        LiveCounts {
            link: link.unwrap_or_default(),
            kernel_drops: kernel_drops(&self.socket),
            ..self.counts
        }
    }
}
