//! `saccade bench spinnaker`: events to the emulated board and back, over loopback.

use crate::cli::priority::Scheduling;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line};
use saccade_engine::spinnaker::command::Core;
use saccade_engine::spinnaker::eieio::{Header, Kind, Message, Writer};
use saccade_engine::spinnaker::emulator::{Control, Emulator, EmulatorConfig, Relay, Report};
use saccade_engine::spinnaker::sdp::{IpTagSet, SCAMP_PORT, SdpHeader, tag_answer};
use saccade_engine::spinnaker::socket;
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Atoms of the relay network.
const ATOMS: usize = 1000;
/// Events in a datagram.
const PACKET: usize = 127;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `saccade bench spinnaker`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status 3 says that events were lost. A round trip is a spike that waits \
                  for the board's next tick, goes through it, and comes back."
)]
pub struct SpinnakerArgs {
    /// Events per second to inject
    #[arg(long, default_value_t = 600_000, value_parser = clap::value_parser!(u64).range(1000..))]
    rate: u64,
    /// How long, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Round trips of single spikes
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    trips: u32,
    /// Where the board is put; its port is 17893
    #[arg(long, value_name = "IPV4", default_value_t = Ipv4Addr::LOCALHOST)]
    address: Ipv4Addr,
    #[command(flatten)]
    scheduling: Scheduling,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    tick_us: u32,
    events_sent: u64,
    events_per_s: f64,
    events_back: u64,
    lost: u64,
    trips: usize,
    trip_ms_median: f64,
    trip_ms_p99: f64,
    trip_ms_max: f64,
    client_kernel_drops: u64,
    board: Report,
}

/// Runs `saccade bench spinnaker`.
///
/// # Errors
/// The board's port is taken, or the board does not answer.
pub fn run(args: &SpinnakerArgs) -> CliResult {
    args.scheduling.apply()?;
    let name = format!("saccade_bench_{}.sqlite3", std::process::id());
    let database = std::env::temp_dir().join(name);
    let config = EmulatorConfig {
        address: args.address,
        ..EmulatorConfig::new(database.clone())
    };
    let tick_us = config.tick_us;
    let relay = Relay {
        n: ATOMS,
        sources: 0,
    };
    let emulator = Emulator::new(config, Box::new(relay))?;
    let control = Arc::new(Control::default());
    let seen = Arc::clone(&control);
    let board = std::thread::spawn(move || emulator.run(&seen));
    let measured = measure(args);
    control.stop.store(true, Ordering::Relaxed);
    let board = (board.join()).map_err(|_| CliError::failed("the board's thread broke off"))?;
    // A file that stays behind in the temporary folder harms nobody.
    let _ = std::fs::remove_file(database);
    let (client, sent, seconds, back, mut trips) = measured?;
    trips.sort_unstable();
    let at = |share: f64| {
        let i = (share * (trips.len() - 1) as f64).round() as usize;
        trips[i].as_secs_f64() * 1e3
    };
    let measured = Measured {
        tick_us,
        events_sent: sent,
        events_per_s: sent as f64 / seconds,
        events_back: back,
        lost: sent.saturating_sub(back),
        trips: trips.len(),
        trip_ms_median: at(0.5),
        trip_ms_p99: at(0.99),
        trip_ms_max: at(1.0),
        client_kernel_drops: socket::kernel_drops(&client.socket),
        board,
    };
    print(&measured, args.json)?;
    Ok(if measured.lost == 0 {
        Exit::Success
    } else {
        Exit::LostData
    })
}

fn print(m: &Measured, json: bool) -> Result<(), CliError> {
    if json {
        return print_json(m);
    }
    let drops = m.client_kernel_drops;
    print_line(format!(
        "injected    {} events, {:.0} per second; {} came back, {} lost",
        m.events_sent, m.events_per_s, m.events_back, m.lost
    ))?;
    print_line(format!(
        "dropped     {} by the system before the board, {drops} before the client, {} by the board",
        m.board.kernel_drops,
        m.board.board.no_room + m.board.board.over_fifo
    ))?;
    print_line(format!(
        "round trip  median {:.2} ms, p99 {:.2} ms, longest {:.2} ms of {} at ticks of {} us",
        m.trip_ms_median, m.trip_ms_p99, m.trip_ms_max, m.trips, m.tick_us
    ))?;
    print_line(format!(
        "board       {} ticks, {} of them late",
        m.board.board.ticks, m.board.late_ticks
    ))
}

type Trips = (Client, u64, f64, u64, Vec<Duration>);

fn measure(args: &SpinnakerArgs) -> Result<Trips, CliError> {
    socket::punctual();
    let mut client = Client::new(args.address)?;
    let mut trips = Vec::with_capacity(args.trips as usize);
    for i in 0..args.trips {
        // So long that the spike falls anywhere in a tick.
        std::thread::sleep(Duration::from_micros(u64::from(i * 37 % 1000)));
        let begun = Instant::now();
        client.send(i % ATOMS as u32, 1)?;
        client.await_spikes(1)?;
        trips.push(begun.elapsed());
    }
    let (sent, seconds, back) = client.stream(args.rate, args.seconds)?;
    Ok((client, sent, seconds, back, trips))
}

/// A host that sends events to `inj` and receives those of `out`.
struct Client {
    socket: UdpSocket,
    board: SocketAddr,
    header: [u8; 10],
}

impl Client {
    fn new(address: Ipv4Addr) -> Result<Self, CliError> {
        let client = Self {
            socket: socket::bind(Ipv4Addr::LOCALHOST, 0)?,
            board: (address, SCAMP_PORT).into(),
            // The first population of the first chip.
            header: SdpHeader::to_core(Core { x: 0, y: 0, p: 3 }).to_bytes(),
        };
        let set = IpTagSet {
            yx: [0, 0],
            tag: 1,
            sequence: 1,
            strip: true,
            to: None,
        };
        let begun = Instant::now();
        client.socket.send_to(&set.to_bytes(), client.board)?;
        let mut buffer = [0; 512];
        while begun.elapsed() < PATIENCE {
            socket::wait(&client.socket, Duration::from_millis(10));
            if let Ok(n) = client.socket.recv(&mut buffer)
                && tag_answer(&buffer[..n]).is_some()
            {
                return Ok(client);
            }
        }
        Err(CliError::failed("the board does not set the IP tag"))
    }

    /// Sends `n` events of consecutive atoms in one datagram.
    fn send(&mut self, first: u32, n: usize) -> Result<(), CliError> {
        let mut datagram = [0; 282];
        datagram[..10].copy_from_slice(&self.header);
        let mut writer = Writer::new(&mut datagram[10..], Header::of(Kind::Key16))?;
        for i in 0..n as u32 {
            writer.push((first + i) % ATOMS as u32, None)?;
        }
        let bytes = 10 + writer.finish();
        self.socket
            .send_to(&datagram[..bytes], self.board)
            .context("sending to the board")?;
        Ok(())
    }

    /// Spikes that have come and not been counted yet.
    fn receive(&mut self) -> u64 {
        let (mut buffer, mut spikes) = ([0; 512], 0);
        while let Ok(n) = self.socket.recv(&mut buffer) {
            spikes += Message::parse(&buffer[..n]).map_or(0, |m| m.count() as u64);
        }
        spikes
    }

    fn await_spikes(&mut self, n: u64) -> Result<(), CliError> {
        let (begun, mut spikes) = (Instant::now(), 0);
        while spikes < n {
            if begun.elapsed() > PATIENCE {
                return Err(CliError::failed(format!(
                    "{spikes} of {n} spikes came back within {PATIENCE:?}"
                )));
            }
            socket::wait(&self.socket, Duration::from_millis(10));
            spikes += self.receive();
        }
        Ok(())
    }

    /// Sends at a rate, and receives; events sent, the seconds it took, and spikes received.
    fn stream(&mut self, rate: u64, seconds: u64) -> Result<(u64, f64, u64), CliError> {
        let (begun, mut sent, mut back) = (Instant::now(), 0_u64, 0);
        while sent < rate * seconds {
            let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
            while sent < due.min(rate * seconds) {
                self.send((sent % ATOMS as u64) as u32, PACKET)?;
                sent += PACKET as u64;
            }
            back += self.receive();
            socket::wait(&self.socket, Duration::from_micros(200));
        }
        let took = begun.elapsed().as_secs_f64();
        let last = Instant::now();
        while back < sent && last.elapsed() < PATIENCE {
            socket::wait(&self.socket, Duration::from_millis(1));
            back += self.receive();
        }
        Ok((sent, took, back))
    }
}
