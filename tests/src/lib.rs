//! Tests that cross crates stand in `tests/`; this library is what they share.

mod bars;
pub mod parsers;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

pub use bars::bars;
use saccade_msgs::Message;
use saccade_nodes::{
    Context, Health, Input, Node, NodeError, NodeSpec, Output, Parameters, Payload, registry,
};

/// Path of a file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A file of the real recordings; `None`, said loudly, where there are none.
pub fn recording(name: &str) -> Option<PathBuf> {
    match std::env::var_os("SACCADE_TEST_DATA") {
        Some(dir) => Some(PathBuf::from(dir).join("events").join(name)),
        None => {
            eprintln!("NOT TESTED: {name}: SACCADE_TEST_DATA is not set");
            None
        }
    }
}

/// A script of `tests/peers` in the peers' Python, which is installed where it is missing.
///
/// # Panics
/// Where the environment cannot be made.
pub fn peer_command(script: &str) -> Command {
    static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
        let peers = repository("target/peers");
        let status = Command::new(repository("tests/peers/install.sh"))
            .arg(&peers)
            .status()
            .expect("a shell");
        assert!(
            status.success(),
            "tests/peers/install.sh failed; it needs python3 with venv, and PyPI"
        );
        peers.join("bin/python")
    });
    let mut command = Command::new(&*PYTHON);
    command.arg(repository("tests/peers").join(script));
    command
}

/// Runs a peer and returns what it prints.
///
/// # Panics
/// Where the script fails.
pub fn peer(script: &str, arguments: &[&Path]) -> String {
    let output = peer_command(script).args(arguments).output();
    let output = output.expect("runs the peer");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{said}");
    String::from_utf8(output.stdout).expect("prints text")
}

/// Gives a peer a document and returns the one that it writes.
///
/// # Panics
/// Where the script fails, or there is no room for files.
pub fn ask_peer(script: &str, document: &serde_json::Value) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a folder");
    let (ask, answer) = (folder.path().join("ask"), folder.path().join("answer"));
    std::fs::write(&ask, document.to_string()).expect("writes");
    peer(script, &[&ask, &answer]);
    let answer = std::fs::read(&answer).expect("the peer's answer");
    serde_json::from_slice(&answer).expect("the peer writes JSON")
}

/// A ROS domain that nobody on this machine is in, for one test.
///
/// # Panics
/// Where all are taken.
pub fn free_domain() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Higher domains have ports that the system gives to others.
    const DOMAINS: u32 = 100;
    let start = std::process::id().wrapping_mul(7);
    for _ in 0..DOMAINS {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let domain = (start.wrapping_add(n) % DOMAINS) as u16 + 1;
        // Where the first participants of the domain listen; one that came first may be gone.
        let mut ports = (0..10).map(|participant| 7400 + 250 * domain + 10 + 2 * participant);
        if ports.all(|port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()) {
            return domain;
        }
    }
    panic!("all {DOMAINS} domains are taken");
}

/// A loopback address at which no SpiNNaker board is emulated, for one test: a board's port
/// is always the same.
///
/// # Panics
/// Where all that are tried are taken.
pub fn free_board() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    for _ in 0..100 {
        let n = NEXT.fetch_add(1, Ordering::Relaxed) + 1;
        let address = Ipv4Addr::new(127, (process >> 8) as u8 | 1, process as u8, n as u8);
        if UdpSocket::bind((address, 17893)).is_ok() {
            return address;
        }
    }
    panic!("no loopback address has port 17893 free");
}

/// Waits for something that comes soon on an idle machine, and within a minute on
/// a busy one.
///
/// # Panics
/// Where it has not come in a minute.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "not in a minute: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The world, the event camera's way into the classifier, and a saccade a second.
pub fn seeing_graph(seed: u64) -> Vec<NodeSpec> {
    let world = repository("worlds/grasp_table.sdf");
    vec![
        NodeSpec::new("embedded_world")
            .parameter("world", world.display())
            .parameter("seed", seed),
        NodeSpec::new("dvs_ingest"),
        NodeSpec::new("eprop_classifier"),
        NodeSpec::new("microsaccade").parameter("period", 1.0),
    ]
}

/// A counter out of a node's health.
///
/// # Panics
/// Where the node has no counter of this name.
pub fn count(health: &Health, name: &str) -> u64 {
    let found = health.values.iter().find(|(key, _)| key == name);
    let (_, value) = found.unwrap_or_else(|| panic!("no `{name}` in {health:?}"));
    value.parse().expect("a counter")
}

/// What may become of an event that `dvs_ingest` took in.
pub const FATES: [&str; 6] = [
    "spikes",
    "merged",
    "outside the window",
    "before the window was placed",
    "refused by the encoder",
    "removed by filters",
];

/// What may become of a spike that `eprop_classifier` was sent.
pub const SPIKE_FATES: [&str; 6] = [
    "input spikes delivered",
    "input spikes between saccades",
    "input spikes dropped at a full queue",
    "input spikes left at a saccade's end",
    "input spikes refused",
    "waiting spikes",
];

/// Sum of the counters `names`.
pub fn sum(health: &Health, names: &[&str]) -> u64 {
    names.iter().map(|name| count(health, name)).sum()
}

/// A node driven by hand.
pub struct Driven {
    node: Box<dyn Node>,
    next_id: u64,
}

impl Driven {
    /// A node of the registry with parameters as a command line gives them.
    ///
    /// # Errors
    /// What the node refuses.
    ///
    /// # Panics
    /// Where there is no such node.
    pub fn new(exec: &str, parameters: &[(&str, &str)]) -> Result<Self, NodeError> {
        let entry = registry::find(exec).expect("a node of the registry");
        let mut values = Parameters::defaults(entry.interface);
        for (name, text) in parameters {
            values.set_text(name, text)?;
        }
        let mut driven = Driven {
            node: (entry.create)(&values)?,
            next_id: 0,
        };
        driven.hand(0, Input::Start);
        Ok(driven)
    }

    /// Hands it an input; returns what it wants done.
    pub fn hand(&mut self, now_ns: i64, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut ctx = Context::new(now_ns, now_ns, &mut outputs, &mut self.next_id);
        self.node.handle(input, &mut ctx);
        outputs
    }

    /// Hands it a message.
    pub fn message<M: Message>(
        &mut self,
        now_ns: i64,
        topic: &'static str,
        message: M,
    ) -> Vec<Output> {
        let payload = Payload::new(message);
        self.hand(now_ns, Input::Message { topic, payload })
    }

    /// Its counters.
    pub fn health(&self) -> Health {
        self.node.health()
    }
}

/// The messages of type `M` that were published on the node's topic `name`.
///
/// # Panics
/// Where a message on the topic is of another type.
pub fn published<M: Message>(outputs: &[Output], name: &str) -> Vec<Arc<M>> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Publish { topic, payload } if *topic == name => Some(payload),
            _ => None,
        })
        .map(|payload| payload.get::<M>().expect("the declared type"))
        .collect()
}
