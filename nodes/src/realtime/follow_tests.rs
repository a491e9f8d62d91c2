//! Nodes under `/clock`, told by hand.

use super::*;
use crate::graph::Graph;
use crate::host::{NodeSpec, RunOptions};
use crate::interface::{Endpoint, Interface, Qos, TimerDecl};
use crate::network::Network;
use crate::node::{Context, Node, Output};
use crate::parameters::{Parameters, USE_SIM_TIME};
use crate::{HostError, RunReport};
use saccade_msgs::std_msgs::Bool;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

static INTERFACE: Interface = Interface {
    name: "diary",
    publishers: &[Endpoint::new("written", "std_msgs/msg/Bool", "")],
    subscriptions: &[
        Endpoint::new("news", "std_msgs/msg/Bool", ""),
        Endpoint::new("law", "std_msgs/msg/Bool", "").qos(Qos::LATCHED),
    ],
    timers: &[TimerDecl {
        name: "tick",
        period_ns: 10_000_000,
    }],
    ..Interface::EMPTY
};

type Pages = Arc<Mutex<Vec<(&'static str, i64)>>>;

/// Writes down what it is given, and when.
struct Diary(Pages);

impl Node for Diary {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        let what = match input {
            Input::Start => "start",
            Input::Timer { name } => name,
            Input::Message { topic, .. } => topic,
            _ => "other",
        };
        lock(&self.0).push((what, ctx.now_ns));
        ctx.publish("written", Bool::default());
    }

    fn deactivate(&mut self, ctx: &mut Context<'_>) {
        lock(&self.0).push(("rest", ctx.now_ns));
    }

    // It is not in the registry, of which it could be made anew.
    fn learns(&self) -> bool {
        true
    }
}

/// Nobody is outside.
struct Nobody;

impl Network for Nobody {
    fn publish(&self, _: usize, _: &'static str, _: &Payload) {}
    fn lost(&self, _: usize) -> Vec<(String, u64)> {
        Vec::new()
    }
    fn exchange(&self, _: usize, _: Output) {}
    fn close(&self) {}
}

/// A diary under way, the inlet of its run, and its report at the end.
struct Rig {
    pages: Pages,
    inlet: Arc<OnceLock<super::super::Inlet>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
    run: JoinHandle<Result<RunReport, HostError>>,
}

const MS: i64 = 1_000_000;

impl Rig {
    fn new() -> Self {
        let (pages, inlet) = (Pages::default(), Arc::new(OnceLock::new()));
        let mut parameters = Parameters::defaults(&INTERFACE);
        parameters.set_text(USE_SIM_TIME, "true").expect("a switch");
        let instances = vec![crate::graph::Instance {
            name: "/diary".into(),
            interface: &INTERFACE,
            parameters,
            node: Box::new(Diary(pages.clone())),
        }];
        let graph = Graph::wire(&[NodeSpec::new("diary")], &instances).expect("one node");
        let (keep, stop) = (inlet.clone(), Arc::default());
        let options = RunOptions {
            network: Some(Box::new(move |_, _, inlet| {
                let _ = keep.set(inlet);
                Ok(Arc::new(Nobody))
            })),
            stop: Arc::clone(&stop),
            ..RunOptions::default()
        };
        let run = std::thread::spawn(|| super::super::run_graph(graph, instances, None, options));
        let rig = Rig {
            pages,
            inlet,
            stop,
            run,
        };
        while rig.inlet.get().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        rig
    }

    fn inlet(&self) -> &super::super::Inlet {
        self.inlet.get().expect("it is waited for")
    }

    fn say(&self, topic: &str) {
        let topics = &self.inlet().0.graph.topics;
        let topic = topics.iter().position(|t| t.name == topic);
        let payload = Payload::new(Bool::default());
        self.inlet().message(topic.expect("a topic"), payload);
    }

    /// What is written once so many pages are, and for a while nothing more is.
    fn pages(&self, count: usize) -> Vec<(&'static str, i64)> {
        let begun = Instant::now();
        while lock(&self.pages).len() < count && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(40));
        std::mem::take(&mut *lock(&self.pages))
    }

    fn end(self) -> RunReport {
        self.stop.store(true, Ordering::Relaxed);
        self.run.join().expect("no panic").expect("it runs")
    }
}

#[test]
fn timers_and_stamps_are_those_of_the_clock_however_fast_it_goes() {
    let rig = Rig::new();
    rig.say("/news");
    rig.say("/law");
    assert_eq!(rig.pages(0), [], "nobody has told the time");
    rig.inlet().clock(5000 * MS);
    // Its timers begin; what waited is heard.
    let at = 5000 * MS;
    let heard = [("start", at), ("news", at), ("law", at)];
    assert_eq!(rig.pages(3), heard);
    // A step makes up for each tick; then time stands, and messages are heard.
    rig.inlet().clock(5035 * MS);
    assert_eq!(rig.pages(3), [("tick", 5035 * MS); 3]);
    rig.say("/news");
    assert_eq!(rig.pages(1), [("news", 5035 * MS)]);
    // A second of the simulation in some milliseconds.
    for ms in 5036..=6040 {
        rig.inlet().clock(ms * MS);
    }
    let ticks = rig.pages(101);
    assert_eq!(ticks.len(), 101);
    assert!(ticks.is_sorted_by_key(|(_, now_ns)| *now_ns), "{ticks:?}");
    assert_eq!(ticks[100], ("tick", 6040 * MS));
    // What is no time is passed over.
    rig.inlet().clock(-1);
    assert_eq!(rig.pages(0), []);
    rig.end();
}

#[test]
fn time_that_goes_back_or_leaps_begins_anew() {
    let rig = Rig::new();
    rig.inlet().clock(50_000 * MS);
    rig.say("/law");
    assert_eq!(rig.pages(2).len(), 2);
    rig.inlet().clock(1000 * MS);
    // What nobody says again is told it again.
    let at = 1000 * MS;
    let anew = [("rest", at), ("start", at), ("law", at)];
    assert_eq!(rig.pages(3), anew);
    rig.inlet().clock(1020 * MS);
    assert_eq!(rig.pages(2), [("tick", 1020 * MS); 2]);
    rig.inlet().clock(90_000 * MS);
    assert_eq!(rig.pages(0), [], "a leap is not made up for");
    rig.inlet().clock(90_010 * MS);
    assert_eq!(rig.pages(1), [("tick", 90_010 * MS)]);
    let report = rig.end();
    assert!(report.late_ticks.is_empty(), "{report:?}");
}
