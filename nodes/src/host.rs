//! What the hosts share: which nodes to run, what they report, how long a
//! message took.

use crate::clock::Pace;
use crate::network::Connect;
use crate::node::{Health, Level, NodeError};
use crate::payload::Payload;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One node instance to run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NodeSpec {
    /// Which node: an executable's name out of [`crate::registry`].
    pub exec: String,
    /// Instance name, unique within its namespace.
    pub name: String,
    /// Namespace, "" or "/robot".
    pub namespace: String,
    /// Parameters that differ from the defaults, as text; later ones win.
    pub parameters: Vec<(String, String)>,
    /// Remaps from the node's names to others, `(from, to)`.
    pub remaps: Vec<(String, String)>,
}

impl NodeSpec {
    /// A node under its own name, without parameters or remaps.
    pub fn new(exec: &str) -> Self {
        NodeSpec {
            exec: exec.to_owned(),
            name: exec.to_owned(),
            namespace: String::new(),
            parameters: Vec::new(),
            remaps: Vec::new(),
        }
    }

    /// With a parameter.
    pub fn parameter(mut self, name: &str, value: impl ToString) -> Self {
        self.parameters.push((name.to_owned(), value.to_string()));
        self
    }

    /// With a remap.
    pub fn remap(mut self, from: &str, to: &str) -> Self {
        self.remaps.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Fully qualified name, `/namespace/name`.
    pub fn full_name(&self) -> String {
        resolve(&self.namespace, &self.name)
    }
}

/// `name` in `namespace`, as ROS 2 resolves relative names.
pub fn resolve(namespace: &str, name: &str) -> String {
    if name.starts_with('/') {
        name.to_owned()
    } else {
        let namespace = namespace.trim_matches('/');
        if namespace.is_empty() {
            format!("/{name}")
        } else {
            format!("/{namespace}/{name}")
        }
    }
}

/// Sees everything that happens, without taking part in it.
pub trait Observer: Send {
    /// A node wrote a log line.
    fn log(&mut self, _now_ns: i64, _node: &str, _level: Level, _text: &str) {}
    /// A node published a message.
    fn message(&mut self, _now_ns: i64, _node: &str, _topic: &str, _payload: &Payload) {}
}

/// An observer that looks away.
pub struct Blind;

impl Observer for Blind {}

/// Parameters of a node that change during a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterChange {
    /// When, after the start.
    pub after_ns: i64,
    /// The node's full name.
    pub node: String,
    /// Name and value as text; all are taken, or none.
    pub parameters: Vec<(String, String)>,
}

/// How to run.
pub struct RunOptions {
    /// Record every message and input into this MCAP file.
    pub record: Option<PathBuf>,
    /// Stop after this much (simulated or real) time.
    pub duration_ns: Option<i64>,
    /// Parameters that change on the way, in any order.
    pub changes: Vec<ParameterChange>,
    /// Who watches.
    pub observer: Box<dyn Observer>,
    /// Set from another thread (by Ctrl-C, say) it ends the run in good order: the
    /// recording is closed.
    pub stop: Arc<AtomicBool>,
    /// In real time: what connects the nodes with other processes.
    pub network: Option<Connect>,
    /// The least severe lines that go to `/rosout` on the network.
    pub rosout_level: Level,
    /// In real time: how fast the robot's clock goes.
    pub pace: Pace,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            record: None,
            duration_ns: None,
            changes: Vec::new(),
            observer: Box::new(Blind),
            stop: Arc::default(),
            network: None,
            rosout_level: Level::Info,
            pace: Pace::REAL,
        }
    }
}

/// Why a run ended that no node ended.
pub(crate) fn ended_from_outside(stop: &AtomicBool) -> String {
    let interrupted = stop.load(Ordering::Relaxed);
    if interrupted {
        "interrupted"
    } else {
        "time is up"
    }
    .to_owned()
}

/// What a run was.
#[derive(Debug, Default, serde::Serialize)]
pub struct RunReport {
    /// Why it ended.
    pub ended: String,
    /// True when a node asked for the end, false when time was up or the run was
    /// interrupted.
    pub finished: bool,
    /// Simulated (or real) seconds.
    pub sim_s: f64,
    /// Wall seconds.
    pub wall_s: f64,
    /// Messages published, by topic.
    pub topics: BTreeMap<String, u64>,
    /// Messages dropped at full queues, by `node topic`.
    pub dropped: BTreeMap<String, u64>,
    /// Messages that lay in queues when the run ended, by `node topic`.
    pub unhandled: BTreeMap<String, u64>,
    /// Latencies in the real-time host, and tick jitter, by the robot's clock.
    pub latencies: BTreeMap<String, Percentiles>,
    /// Timer calls that came more than a period late, by `node timer`.
    pub late_ticks: BTreeMap<String, u64>,
    /// Wall seconds spent in each node.
    pub node_seconds: BTreeMap<String, f64>,
    /// Wall seconds of parts within nodes, by `node part`.
    pub profile: BTreeMap<String, f64>,
    /// Wall time of steps within nodes, by `node step`.
    pub timings: BTreeMap<String, Percentiles>,
    /// Each node's last word on its health.
    #[serde(skip)]
    pub health: Vec<(String, Health)>,
    /// Things the recorder could not keep up with (0 in lockstep).
    pub unrecorded: u64,
}

impl RunReport {
    /// Whether anything was dropped or left out of the recording.
    pub fn lost_data(&self) -> bool {
        self.unrecorded > 0 || self.dropped.values().any(|n| *n > 0)
    }
}

/// Quantiles of a latency in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Percentiles {
    /// Samples.
    pub count: u64,
    /// Median.
    pub p50_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// 99.9 %.
    pub p999_us: f64,
    /// Largest.
    pub max_us: f64,
}

/// Collects latencies; 0.1 % resolution between 1 ns and 1 h.
#[derive(Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Latency(
            Histogram::new_with_max(3_600_000_000_000, 3).unwrap_or_else(|_| {
                // These constants are valid; a growing histogram serves as well.
                Histogram::new(3).expect("three digits are within hdrhistogram's range")
            }),
        )
    }
}

impl Latency {
    /// Adds a sample; negative ones (clock differences) count as 0.
    pub fn add(&mut self, nanoseconds: i64) {
        self.0.saturating_record(nanoseconds.max(0) as u64);
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Latency) {
        // Both have the same bounds, so nothing can fall outside.
        let _ = self.0.add(&other.0);
    }

    /// Quantiles so far.
    pub fn percentiles(&self) -> Percentiles {
        let q = |q| self.0.value_at_quantile(q) as f64 / 1e3;
        Percentiles {
            count: self.0.len(),
            p50_us: q(0.5),
            p99_us: q(0.99),
            p999_us: q(0.999),
            max_us: self.0.max() as f64 / 1e3,
        }
    }
}

/// Why a run could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A node could not be made.
    #[error("{name}: {source}")]
    Node {
        /// Instance.
        name: String,
        /// Why.
        source: NodeError,
    },
    /// No such executable.
    #[error("no node '{exec}'; there are: {known}")]
    UnknownNode {
        /// What was asked for.
        exec: String,
        /// What exists.
        known: String,
    },
    /// The nodes do not fit together.
    #[error("{0}")]
    Graph(String),
    /// The connection with other processes cannot be made.
    #[error("network: {0}")]
    Network(String),
    /// The recording failed.
    #[error("recording {path}: {reason}")]
    Recording {
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
    /// Nodes answer each other without time going on.
    #[error(
        "at {now_ns} ns more than {limit} messages were exchanged without time going on; last: {last}"
    )]
    Livelock {
        /// Simulated time.
        now_ns: i64,
        /// The bound.
        limit: usize,
        /// The last delivery.
        last: String,
    },
}

impl RunReport {
    /// Books what a node's slot has counted.
    pub(crate) fn add_slot(&mut self, slot: &crate::slot::Slot) {
        let name = &slot.instance.name;
        self.node_seconds.insert(name.clone(), slot.seconds);
        for (part, seconds) in slot.instance.node.profile() {
            self.profile.insert(format!("{name} {part}"), seconds);
        }
        for (step, took) in slot.instance.node.timings() {
            self.timings.insert(format!("{name} {step}"), took);
        }
        for (what, latency) in &slot.latencies {
            self.latencies
                .insert(format!("{name} {what}"), latency.percentiles());
        }
        self.health
            .push((name.clone(), slot.instance.node.health()));
    }
}
