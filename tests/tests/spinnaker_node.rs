//! `eprop_classifier` with its recurrent layer on a board: on the emulated one it decides as on
//! the CPU, without one not at all; and sPyNNaker builds the network that it expects.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::backends::spinnaker_live::{LiveBoard, LiveConfig, Pace, SpinnakerLive, State};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::spinnaker::emulator::{
    ClassifierProgram, Control, Emulator, EmulatorConfig, Report,
};
use saccade_msgs::saccade_msgs::{Decision, SaccadePhase, Spikes};
use saccade_nodes::{Input, NodeSpec, Output, RunOptions, lockstep};
use saccade_tests::{
    Driven, SPIKE_FATES, count, free_board, peer_command, published, repository, sum, until,
};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

const INPUTS: u32 = 2048;
const MS_NS: i64 = 1_000_000;

fn weights() -> String {
    let path = repository("launch/weights/grasp.safetensors");
    path.display().to_string()
}

fn node(parameters: &[(&str, &str)]) -> Driven {
    let weights = weights();
    let all = [
        &[("weights", weights.as_str()), ("learn", "false")],
        parameters,
    ]
    .concat();
    Driven::new("eprop_classifier", &all).expect("a node")
}

fn tick(node: &mut Driven, now_ns: i64) -> Vec<Output> {
    node.hand(now_ns, Input::Timer { name: "tick" })
}

fn phase(id: u32, moving: bool) -> SaccadePhase {
    SaccadePhase {
        id,
        moving,
        ..SaccadePhase::default()
    }
}

/// A saccade of 300 ms with random spikes, 40 a millisecond in a window of the sensor. The
/// last decision, and the spikes of the hidden layer.
fn saccade(node: &mut Driven, id: u32, from_ns: i64, pause: Option<Duration>) -> Seen {
    let mut rng = ChaCha8Rng::seed_from_u64(id.into());
    let (mut seen, base) = (Seen::default(), 300 * (id % 5));
    seen.take(&node.message(from_ns, "saccade", phase(id, true)));
    for ms in 0..320 {
        let now_ns = from_ns + ms * MS_NS;
        let ids = (0..40).map(|_| base + rng.random_range(0..500)).collect();
        let spikes = Spikes {
            size: INPUTS,
            ids,
            offsets_us: vec![0; 40],
            ..Spikes::default()
        };
        seen.take(&node.message(now_ns, "spikes", spikes));
        seen.take(&tick(node, now_ns));
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
    }
    seen.take(&node.message(from_ns + 320 * MS_NS, "saccade", phase(id, false)));
    seen
}

#[derive(Default)]
struct Seen {
    last: Option<Arc<Decision>>,
    hidden: Vec<u32>,
    said: Vec<String>,
}

impl Seen {
    fn take(&mut self, outputs: &[Output]) {
        for decision in published::<Decision>(outputs, "decision") {
            if decision.r#final {
                self.last = Some(decision);
            }
        }
        for spikes in published::<Spikes>(outputs, "hidden_spikes") {
            self.hidden.extend(&spikes.ids);
        }
        self.said.extend(outputs.iter().filter_map(|o| match o {
            Output::Log(line) => Some(line.text.clone()),
            _ => None,
        }));
    }
}

#[test]
fn the_emulated_board_decides_as_the_cpu() {
    let mut cpu = node(&[]);
    let exact = [
        ("backend", "spinnaker"),
        ("board_fixed_point", "false"),
        ("board_limits", "false"),
    ];
    let mut board = node(&exact);
    let mut real = node(&[("backend", "spinnaker")]);
    for id in 1..=4 {
        let from_ns = i64::from(id) * 500 * MS_NS;
        let here = saccade(&mut cpu, id, from_ns, None);
        let there = saccade(&mut board, id, from_ns, None);
        let fixed = saccade(&mut real, id, from_ns, None);
        let (a, b) = (here.last.expect("decides"), there.last.expect("decides"));
        assert_eq!(a.probabilities, b.probabilities, "saccade {id}");
        assert!(here.hidden.len() > 100, "{}", here.hidden.len());
        // A tick comes one later: the last one of the interval is not seen any more.
        let n = there.hidden.len();
        assert_eq!(here.hidden[..n], there.hidden, "saccade {id}");
        assert!(here.hidden.len() - n < 30, "{n} of {}", here.hidden.len());
        let c = fixed.last.expect("decides");
        assert_eq!(a.label, c.label, "saccade {id}: as with 16-bit weights");
    }
    for node in [&board, &real] {
        let health = node.health();
        assert_eq!(health.warning, None);
        assert_eq!(sum(&health, &SPIKE_FATES), 4 * 320 * 40);
        assert_eq!(count(&health, "board ticks incomplete"), 0, "{health:?}");
        assert_eq!(count(&health, "events dropped by the pace"), 0);
        assert_eq!(count(&health, "intervals without a decision"), 0);
        let sent = count(&health, "events sent") + count(&health, "input spikes merged");
        // Begins and ends are events, too; an end waits for the next tick.
        assert_eq!(sent, count(&health, "input spikes delivered") + 2 * 4 - 1);
    }
}

struct Board {
    control: Arc<Control>,
    thread: JoinHandle<Report>,
}

impl Board {
    fn start(address: Ipv4Addr, database: &Path) -> Self {
        let program = || {
            let network = Classifier::load(Path::new(&weights())).expect("weights");
            Box::new(ClassifierProgram::new(network))
        };
        let config = EmulatorConfig {
            address,
            ..EmulatorConfig::new(database.to_owned())
        };
        // One that has just gone may hold its port for a moment.
        let emulator = until("the board's port", || {
            Emulator::new(config.clone(), program()).ok()
        });
        let control = Arc::new(Control::default());
        let seen = Arc::clone(&control);
        Self {
            control,
            thread: std::thread::spawn(move || emulator.run(&seen)),
        }
    }

    fn stop(self) {
        self.control.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

/// Ticks until the node is content with its board, or is not.
fn until_content(node: &mut Driven, content: bool) {
    until(if content { "a board" } else { "an outage" }, || {
        tick(node, 0);
        (node.health().warning.is_none() == content).then_some(())
    });
}

#[test]
fn without_a_board_there_is_no_decision_and_with_the_next_one_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("board.sqlite3");
    let address = free_board();
    let board = Board::start(address, &database);
    let path = database.display().to_string();
    let mut node = node(&[("backend", "spinnaker"), ("board", &path)]);
    until_content(&mut node, true);
    let ms = Some(Duration::from_millis(1));
    assert!(saccade(&mut node, 1, 0, ms).last.is_some());
    board.stop();
    until_content(&mut node, false);
    let seen = saccade(&mut node, 2, 500 * MS_NS, None);
    assert!(seen.last.is_none(), "{:?}", seen.last);
    let said = seen.said.join("\n");
    assert!(
        said.contains("saccade 2 gets no decision") && said.contains("board"),
        "{said}"
    );
    let board = Board::start(address, &database);
    until_content(&mut node, true);
    assert!(saccade(&mut node, 3, 1000 * MS_NS, ms).last.is_some());
    board.stop();
    let health = node.health();
    assert_eq!(count(&health, "board outages"), 1, "{health:?}");
    assert_eq!(count(&health, "intervals without a decision"), 1);
}

#[test]
fn what_cannot_be_is_refused() {
    let weights = weights();
    let refused = |parameters: &[(&str, &str)], words: &[&str]| {
        let error = match Driven::new("eprop_classifier", parameters) {
            Ok(_) => panic!("{parameters:?} was taken"),
            Err(error) => error.to_string(),
        };
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    let w = ("weights", weights.as_str());
    let board = ("backend", "spinnaker");
    refused(&[w, ("backend", "gpu")], &["'backend'", "gpu", "spinnaker"]);
    refused(&[board], &["'weights'"]);
    refused(&[w, board, ("plastic", "all")], &["'plastic'", "readout"]);
    let missing = ("board", "/nowhere/board.sqlite3");
    refused(&[w, board, missing], &["'board'", "/nowhere/board.sqlite3"]);
    let host = ("board_host", "my machine");
    refused(
        &[w, board, ("board", "notified"), host],
        &["'board_host'", "my machine"],
    );
    // A board outside has a clock of its own.
    let spec = NodeSpec::new("eprop_classifier")
        .parameter("weights", &weights)
        .parameter("backend", "spinnaker")
        .parameter("board", "notified")
        .parameter("board_port", 0);
    let error = lockstep::run(&[spec], RunOptions::default()).expect_err("in lockstep");
    let error = error.to_string();
    assert!(
        error.contains("/eprop_classifier") && error.contains("--realtime"),
        "{error}"
    );
}

/// The script for owners of a board, as far as it goes without one: sPyNNaker maps the network,
/// writes its database, and tells; what the backend looks for is in it.
#[test]
fn spynnaker_builds_the_network_that_the_backend_expects() {
    let mut live = SpinnakerLive::new(LiveConfig {
        local: Ipv4Addr::LOCALHOST,
        notify_port: Some(0),
        database: None,
        n_in: INPUTS as usize,
        n_rec: 200,
        pace: Pace::REAL,
        hold: 1,
    })
    .expect("sockets");
    let port = live.notify_address().expect("a port").port();
    let script = repository("nodes/spinnaker/classifier_on_board.py");
    let mut command = peer_command(&script.display().to_string());
    command
        .args([&weights(), "--virtual", "--port", &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let script = command.spawn().expect("Python");
    until("the database", || {
        live.poll();
        (live.counts().databases > 0 || live.trouble().is_some()).then_some(())
    });
    assert_eq!(live.trouble(), None);
    // Known; there is no board to answer.
    assert_eq!(live.state(), State::Silent);
    let output = script.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let populations = [
        "input      2048",
        "control    2",
        "hidden     200",
        "heartbeat  1",
    ];
    assert!(populations.iter().all(|p| said.contains(p)), "{said}");
}
