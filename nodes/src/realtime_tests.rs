//! Queues of the real-time host, with nodes made for it.

use super::*;
use crate::graph::routed;
use crate::interface::{Endpoint, Interface, Qos, TimerDecl};
use crate::lifecycle;
use crate::node::{Context, Node};
use crate::parameters::Parameters;
use saccade_msgs::lifecycle_msgs::{Transition, change_state};
use saccade_msgs::saccade_msgs::SaccadePhase;
use std::time::Duration;

const DEPTH: usize = 4;

static SPEAKER: Interface = Interface {
    name: "speaker",
    publishers: &[Endpoint::new(
        "numbers",
        "saccade_msgs/msg/SaccadePhase",
        "1, 2, 3, ...",
    )],
    timers: &[TimerDecl {
        name: "tick",
        period_ns: 1_000_000,
    }],
    ..Interface::EMPTY
};

static LISTENER: Interface = Interface {
    name: "listener",
    subscriptions: &[
        Endpoint::new("numbers", "saccade_msgs/msg/SaccadePhase", "")
            .qos(Qos::DEFAULT.depth(DEPTH)),
    ],
    ..Interface::EMPTY
};

/// As [`LISTENER`], and busy with a timer.
static BUSY: Interface = Interface {
    name: "busy",
    timers: &[TimerDecl {
        name: "work",
        period_ns: 1_000_000,
    }],
    ..LISTENER
};

#[derive(Default)]
struct Speaker(u32);

impl Node for Speaker {
    fn interface(&self) -> &'static Interface {
        &SPEAKER
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        if let Input::Timer { .. } = input {
            self.0 += 1;
            let phase = SaccadePhase {
                id: self.0,
                ..SaccadePhase::default()
            };
            ctx.publish("numbers", phase);
        }
    }
}

/// Takes `patience` for each input and writes down the numbers it hears.
struct Listener {
    interface: &'static Interface,
    patience: Duration,
    heard: Arc<Mutex<Vec<u32>>>,
}

impl Node for Listener {
    fn interface(&self) -> &'static Interface {
        self.interface
    }

    fn handle(&mut self, input: Input, _ctx: &mut Context<'_>) {
        std::thread::sleep(self.patience);
        if let Input::Message { payload, .. } = input {
            let phase = payload.get::<SaccadePhase>().expect("the type is checked");
            lock(&self.heard).push(phase.id);
        }
    }
}

fn graph_of(nodes: Vec<Box<dyn Node>>) -> (Graph, Vec<Instance>) {
    let specs: Vec<_> = nodes
        .iter()
        .map(|node| NodeSpec::new(node.interface().name))
        .collect();
    let instances: Vec<_> = nodes
        .into_iter()
        .map(|node| Instance {
            name: format!("/{}", node.interface().name),
            interface: node.interface(),
            parameters: Parameters::defaults(node.interface()),
            node,
        })
        .collect();
    let graph = Graph::wire(&specs, &instances).expect("the nodes fit together");
    (graph, instances)
}

/// Runs a speaker and a listener for a while; what was heard, and the report.
fn listen(interface: &'static Interface, patience_ms: u64) -> (Vec<u32>, RunReport) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (graph, instances) = graph_of(vec![
        Box::new(Speaker::default()),
        Box::new(Listener {
            interface,
            patience: Duration::from_millis(patience_ms),
            heard: heard.clone(),
        }),
    ]);
    let options = RunOptions {
        duration_ns: Some(300_000_000),
        ..RunOptions::default()
    };
    let report = run_graph(graph, instances, None, options).expect("runs");
    let heard = lock(&heard).clone();
    (heard, report)
}

#[test]
fn a_slow_listener_loses_messages_and_every_one_is_counted() {
    let (heard, report) = listen(&LISTENER, 10);
    let said = report.topics["/numbers"];
    let dropped = report.dropped["/listener numbers"];
    let waiting = report.unhandled.get("/listener numbers").copied();
    let waiting = waiting.unwrap_or(0);
    assert!(dropped > 0 && !heard.is_empty(), "{report:?}");
    assert!(report.lost_data());
    assert!(waiting <= DEPTH as u64, "{waiting} waited");
    assert_eq!(said, heard.len() as u64 + dropped + waiting);
    assert_eq!(
        report.latencies["/listener numbers handled"].count,
        heard.len() as u64
    );
    assert!(heard.is_sorted(), "in order: {heard:?}");
}

#[test]
fn slowed_the_clock_has_the_same_ticks_in_more_time() {
    let (graph, instances) = graph_of(vec![Box::new(Speaker::default())]);
    let options = RunOptions {
        duration_ns: Some(200_000_000),
        pace: Pace::new(0.25).expect("in range"),
        ..RunOptions::default()
    };
    let report = run_graph(graph, instances, None, options).expect("runs");
    assert!(report.sim_s >= 0.2 && report.wall_s >= 0.8, "{report:?}");
    // The two are looked at one after the other.
    let factor = report.sim_s / report.wall_s;
    assert!((factor - 0.25).abs() < 0.02, "{factor}");
    // One for each period of the robot's time, up to what a stop cuts off.
    let period_ns = Speaker::default().interface().timers[0].period_ns;
    let due = report.sim_s * 1e9 / period_ns as f64;
    let said = f64::from(report.topics["/numbers"] as u32);
    assert!(said <= due + 1.0 && said >= 0.5 * due, "{said} of {due}");
}

/// Nobody is outside who would hear.
struct Deaf;

impl Network for Deaf {
    fn publish(&self, _: usize, _: &'static str, _: &Payload) {}
    fn lost(&self, _: usize) -> Vec<(String, u64)> {
        Vec::new()
    }
    fn exchange(&self, _: usize, _: Output) {}
    fn close(&self) {}
}

/// Transitions come from outside while the node is at work; the recording has them, and the
/// replay takes the same node through the same states.
#[test]
fn a_managed_node_is_replayed_through_its_states() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("managed.mcap");
    let specs = [
        NodeSpec::new("event_generator").parameter("rate", 0.05),
        NodeSpec::new("event_image").parameter("rate", 100.0),
    ];
    let inlet = Arc::new(OnceLock::<Inlet>::new());
    let (keep, stop) = (inlet.clone(), Arc::<AtomicBool>::default());
    let options = RunOptions {
        record: Some(path.clone()),
        stop: stop.clone(),
        network: Some(Box::new(move |_, _, inlet| {
            let _ = keep.set(inlet);
            Ok(Arc::new(Deaf))
        })),
        ..RunOptions::default()
    };
    let run = std::thread::spawn(move || super::run(&specs, options));
    let pause = || std::thread::sleep(Duration::from_millis(100));
    pause();
    let labels = [
        "deactivate",
        "activate",
        "deactivate",
        "cleanup",
        "configure",
        "activate",
    ];
    for (id, label) in labels.into_iter().enumerate() {
        let transition = Transition {
            id: 0,
            label: label.to_owned(),
        };
        let input = Input::Request {
            service: lifecycle::CHANGE,
            id: routed(OUTSIDE, id as u64),
            payload: Payload::new(change_state::Request { transition }),
        };
        inlet.get().expect("it runs").exchange(1, input);
        pause();
    }
    stop.store(true, Ordering::Relaxed);
    let report = run.join().expect("no panic").expect("it runs");
    assert_eq!(report.unrecorded, 0, "{report:?}");
    let replayed = crate::replay::run(&path).expect("it is replayed");
    assert!(replayed.identical(), "{replayed:?}");
    // It rests in four of the seven pauses.
    let pictures = report.topics["/image"];
    assert_eq!(
        replayed.equal.get("/image"),
        Some(&pictures),
        "{replayed:?}"
    );
    let due = 100.0 * report.sim_s;
    assert!(
        pictures > 10 && (pictures as f64) < 0.7 * due,
        "{pictures} of {due}"
    );
}

/// Panics at the first message that it hears.
struct Fragile;

impl Node for Fragile {
    fn interface(&self) -> &'static Interface {
        &LISTENER
    }

    fn handle(&mut self, input: Input, _ctx: &mut Context<'_>) {
        assert!(!matches!(input, Input::Message { .. }), "as it should");
    }
}

/// The others do not go on without it until somebody looks.
#[test]
fn a_node_that_panics_ends_the_run_and_is_named() {
    let (graph, instances) = graph_of(vec![Box::new(Speaker::default()), Box::new(Fragile)]);
    let begun = std::time::Instant::now();
    let options = RunOptions {
        duration_ns: Some(60_000_000_000),
        ..RunOptions::default()
    };
    let error = run_graph(graph, instances, None, options).expect_err("it panicked");
    assert!(error.to_string().contains("/listener panicked"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_full_queue_drops_its_oldest_message() {
    let (graph, instances) = graph_of(vec![
        Box::new(Speaker::default()),
        Box::new(Listener {
            interface: &LISTENER,
            patience: Duration::ZERO,
            heard: Arc::default(),
        }),
    ]);
    let (witness, _told) = bounded(1);
    let shared = Shared::new(graph, instances.len(), witness, Level::Info, Pace::REAL);
    for sequence in 1..=10 {
        let input = Input::Message {
            topic: "numbers",
            payload: Payload::new(SaccadePhase::default()),
        };
        shared.post(
            Delivery {
                to: 1,
                input,
                origin_ns: 0,
                sequence,
            },
            "numbers",
            DEPTH,
            i64::MAX,
        );
    }
    let inbox = lock(&shared.inboxes[1].0);
    let waiting: Vec<u32> = inbox.deliveries.iter().map(|(d, _)| d.sequence).collect();
    assert_eq!(waiting, [7, 8, 9, 10]);
    assert_eq!(inbox.waiting["numbers"], DEPTH);
    assert_eq!(inbox.dropped["numbers"], 6);
}

#[test]
fn a_node_that_is_late_with_its_timer_still_hears_messages() {
    let (heard, report) = listen(&BUSY, 3);
    assert!(report.late_ticks["/busy work"] > 0, "{report:?}");
    assert!(!heard.is_empty(), "{report:?}");
}

#[test]
fn what_waited_too_long_is_dropped_and_counted() {
    let mut inbox = Inbox::default();
    for sequence in 1..=3 {
        let input = Input::Message {
            topic: "numbers",
            payload: Payload::new(SaccadePhase::default()),
        };
        let delivery = Delivery {
            to: 0,
            input,
            origin_ns: 0,
            sequence,
        };
        inbox
            .deliveries
            .push_back((delivery, 10 * i64::from(sequence)));
    }
    inbox.waiting.insert("numbers", 3);
    assert_eq!(inbox.take(20).map(|d| d.sequence), Some(2));
    assert_eq!(inbox.dropped["numbers"], 1);
    assert!(inbox.take(31).is_none());
    assert_eq!((inbox.dropped["numbers"], inbox.waiting["numbers"]), (2, 0));
}
