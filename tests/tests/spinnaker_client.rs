//! The emulated board against sPyNNaker's own clients, unmodified.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use saccade_engine::spinnaker::emulator::{
    Control, Emulator, EmulatorConfig, Program, Relay, Report, Spec, Spike,
};
use saccade_tests::{free_board, peer_command, until};

const ATOMS: u32 = 1000;
const SOURCES: usize = 40;

/// Spikes of a population, as (tick, atom).
type Fired = Arc<Mutex<Vec<(u32, u32)>>>;

/// The relay, with a record of what it fires.
struct Recorded {
    relay: Relay,
    tick: u32,
    fired: Fired,
}

impl Program for Recorded {
    fn populations(&self) -> Vec<Spec> {
        self.relay.populations()
    }

    fn tick(&mut self, arrived: &[Spike], fired: &mut Vec<Spike>) {
        self.tick += 1;
        self.relay.tick(arrived, fired);
        let mut record = self.fired.lock().expect("no panic");
        record.extend(fired.iter().map(|s| (self.tick, s.atom)));
    }
}

/// A board in a thread of its own.
struct Running {
    control: Arc<Control>,
    fired: Fired,
    thread: JoinHandle<Report>,
}

fn start(address: Ipv4Addr, notify: &[SocketAddr], database: &Path, cycles: u32) -> Running {
    let config = EmulatorConfig {
        address,
        notify: notify.to_vec(),
        cycles,
        ..EmulatorConfig::new(database.to_owned())
    };
    let fired = Fired::default();
    let program = || Recorded {
        relay: Relay {
            n: ATOMS as usize,
            sources: SOURCES,
        },
        tick: 0,
        fired: Arc::clone(&fired),
    };
    // A board that has just gone may hold its port for a moment.
    let board = until("the board's port", || {
        Emulator::new(config.clone(), Box::new(program())).ok()
    });
    let control = Arc::new(Control::default());
    let seen = Arc::clone(&control);
    Running {
        control,
        fired,
        thread: std::thread::spawn(move || board.run(&seen)),
    }
}

/// The clients' process.
struct Clients {
    child: Child,
    tell: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Clients {
    fn start(received: &Path) -> (Self, Vec<SocketAddr>) {
        let mut command = peer_command("spinnaker_client.py");
        command.arg(received).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("runs");
        let mut clients = Clients {
            tell: child.stdin.take().expect("piped"),
            said: BufReader::new(child.stdout.take().expect("piped")).lines(),
            child,
        };
        let ports = clients.wait("ports");
        let at = |port: &str| (Ipv4Addr::LOCALHOST, port.parse::<u16>().expect("a port")).into();
        let ports = ports.split(' ').map(at).collect();
        (clients, ports)
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.tell, "{what}").expect("it listens");
    }

    /// What it says after `word`, the next time that it says so.
    fn wait(&mut self, word: &str) -> String {
        for line in &mut self.said {
            let line = line.expect("text");
            assert!(!line.starts_with("not "), "{line}");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
        panic!("the clients ended before they said `{word}`");
    }

    /// A run of the board: events there and back, then its end.
    fn run(&mut self, board: &Running, narrow: u32, wide: u32) {
        self.tell(&format!("run {narrow} {wide}"));
        self.wait("done");
        board.control.end_run.store(true, Ordering::Relaxed);
        self.wait("paused");
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // Where a test breaks off; a process that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the clients have received, by run, sorted.
fn received(path: &Path) -> Vec<Vec<(u32, u32)>> {
    let bytes = std::fs::read(path).expect("reads");
    let words: Vec<_> = bytes
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes(b.try_into().expect("four")))
        .collect();
    let mut runs = Vec::new();
    for event in words.chunks_exact(3) {
        runs.resize_with(runs.len().max(event[0] as usize + 1), Vec::new);
        runs[event[0] as usize].push((event[1], event[2]));
    }
    runs.iter_mut().for_each(|run| run.sort_unstable());
    runs
}

/// What is expected of the relay for events of atoms 0, 1, 2, ... and then twenty more.
fn expected_atoms(events: u32) -> Vec<u32> {
    let sent = (0..events).map(|i| i % ATOMS).chain(0..20);
    let mut atoms: Vec<_> = sent.map(|i| (7 * i + 3) % ATOMS).collect();
    atoms.sort_unstable();
    atoms
}

#[test]
fn the_real_clients_take_it_for_a_board() {
    let folder = tempfile::tempdir().expect("a folder");
    let (database, file) = (folder.path().join("db.sqlite3"), folder.path().join("out"));
    let (mut clients, ports) = Clients::start(&file);
    let address = free_board();

    // Two runs with a pause between.
    let board = start(address, &ports, &database, 2);
    clients.run(&board, 140_000, 0);
    clients.tell("run 0 140000");
    clients.wait("done");
    clients.tell("poisson");
    clients.wait("silent");
    board.control.end_run.store(true, Ordering::Relaxed);
    clients.wait("paused");
    let mut fired = vec![std::mem::take(&mut *board.fired.lock().expect("no panic"))];
    let report = board.thread.join().expect("no panic");
    let counts = report.board;
    assert_eq!((report.cycles, report.kernel_drops), (2, 0));
    assert_eq!(counts.events_in, 280_040);
    assert_eq!(counts.rates_set, 2 * SOURCES as u64);
    let lost = counts.malformed + counts.foreign + counts.unknown_key + counts.while_paused;
    assert_eq!(lost + counts.no_room + counts.over_fifo, 0, "{counts:?}");
    // All spikes of the sources arrive, and none of the one with rate 0.
    let of_sources = counts.events_out + counts.nobody_listens - counts.events_in;
    assert!(
        of_sources >= 200 && counts.nobody_listens == 0,
        "{counts:?}"
    );
    clients.tell(&format!("expect {of_sources}"));
    let atoms = clients.wait("there");
    let atoms: Vec<usize> = atoms.split(' ').map(|a| a.parse().expect("one")).collect();
    assert!(atoms.iter().all(|a| (1..SOURCES).contains(a)), "{atoms:?}");

    // The board goes, and another one comes at its address.
    let board = start(address, &ports, &database, 1);
    clients.run(&board, 70_000, 70_000);
    fired.push(std::mem::take(&mut *board.fired.lock().expect("no panic")));
    let report = board.thread.join().expect("no panic");
    assert_eq!(report.board.events_in, 140_020);
    clients.tell("end");
    clients.wait("ended");
    assert!(clients.child.wait().expect("ends").success());

    // Every spike came back, with its atom and its tick.
    let runs = received(&file);
    assert_eq!(runs.len(), 3);
    for (run, events) in runs.iter().zip([140_000, 140_000, 140_000]) {
        let mut atoms: Vec<_> = run.iter().map(|(_, atom)| *atom).collect();
        atoms.sort_unstable();
        assert!(atoms == expected_atoms(events), "other atoms");
    }
    let mut first_board = runs[..2].concat();
    first_board.sort_unstable();
    for (fired, received) in fired.iter_mut().zip([&first_board, &runs[2]]) {
        fired.sort_unstable();
        assert!(fired == received, "other ticks or atoms");
    }
}
