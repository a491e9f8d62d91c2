//! The tool chain's side of the notification protocol: tells clients where the database is,
//! and when the simulation starts, pauses and stops.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::spinnaker::command::Command;
use crate::spinnaker::error::{Result, SpinnakerError};

/// Between attempts to tell a client that is not there yet.
const RETRY: Duration = Duration::from_millis(50);

/// A client that is to be told.
#[derive(Debug)]
struct Client {
    socket: UdpSocket,
    acknowledged: bool,
    /// When to tell it (again) where the database is. A client that is there is told once:
    /// it would take a second time for the start.
    tell_at: Option<Instant>,
}

/// What all clients are told.
#[derive(Debug)]
pub(super) struct Notifier {
    clients: Vec<Client>,
    database: Vec<u8>,
}

impl Notifier {
    /// Tells `clients` of the database at `path`, from ports of `address`.
    pub(super) fn new(address: Ipv4Addr, clients: &[SocketAddr], path: &Path) -> Result<Self> {
        let text = path.to_str().ok_or_else(|| {
            let path = path.display();
            SpinnakerError::Setting(format!(
                "the path {path} is not UTF-8; choose another folder"
            ))
        })?;
        let mut database = vec![0; 2 + text.len()];
        let n = Command::Database(Some(text)).encode(&mut database)?;
        database.truncate(n);
        let connect = |to: &SocketAddr| {
            let socket = UdpSocket::bind((address, 0))?;
            socket.connect(to)?;
            socket.set_nonblocking(true)?;
            Ok(Client {
                socket,
                acknowledged: false,
                tell_at: None,
            })
        };
        let clients: std::io::Result<Vec<_>> = clients.iter().map(connect).collect();
        let clients = clients.map_err(|source| SpinnakerError::Io {
            doing: "opening a socket for notifications".into(),
            source,
        })?;
        Ok(Self { clients, database })
    }

    /// Begins to tell everybody of the database.
    pub(super) fn announce(&mut self) {
        for client in &mut self.clients {
            client.acknowledged = false;
            client.tell_at = Some(Instant::now());
        }
    }

    /// Goes on telling; whether everybody has read the database.
    pub(super) fn acknowledged(&mut self) -> bool {
        let now = Instant::now();
        let database = &self.database;
        let mut buffer = [0; 64];
        for client in self.clients.iter_mut().filter(|c| !c.acknowledged) {
            if client.tell_at.is_some_and(|at| at <= now) {
                // An error shows below, or when it is tried again.
                let sent = client.socket.send(database);
                client.tell_at = sent.is_err().then_some(now + RETRY);
            }
            match client.socket.recv(&mut buffer) {
                Ok(n) => {
                    let answer = Command::parse(&buffer[..n]);
                    client.acknowledged = matches!(answer, Ok(Command::Database(None)));
                }
                // Nobody is there: the system says so.
                Err(e) if e.kind() != ErrorKind::WouldBlock => {
                    client.tell_at = Some(now + RETRY);
                }
                Err(_) => {}
            }
        }
        self.clients.iter().all(|c| c.acknowledged)
    }

    /// Tells everybody that the simulation runs or stops.
    pub(super) fn tell(&self, command: &Command<'_>) {
        let mut buffer = [0; 2];
        if let Ok(n) = command.encode(&mut buffer) {
            for client in &self.clients {
                // A client that has gone does not want to know.
                let _ = client.socket.send(&buffer[..n]);
            }
        }
    }
}
