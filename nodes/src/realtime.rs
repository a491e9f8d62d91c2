//! The real-time host: each node on its own thread, by the wall clock, or by `/clock` where
//! its parameter `use_sim_time` says so (`follow`). The classifier's thread is the engine's:
//! its first timer is the engine's tick.
//!
//! Every node has one inbox, bounded per subscription by its QoS depth; when
//! a subscription is full its oldest message goes and is counted. Timers that
//! fire late are counted, and caught up without being skipped, so that the
//! engine's tick stays a millisecond of the robot's time. The wall clock may be slowed, and all
//! of this with it ([`Pace`](crate::clock::Pace)).

mod follow;
mod witness;
mod worker;

use crate::clock::{self, Pace, Told, Wall};
use crate::graph::{Delivery, Graph, Instance};
use crate::host::{HostError, NodeSpec, RunOptions, RunReport, ended_from_outside};
use crate::network::{Network, OUTSIDE};
use crate::node::{Input, Level, LogLine, Output};
use crate::parameter_services;
use crate::payload::Payload;
use crate::recording::Recorder;
use crate::rosout;
use crate::slot::{Slot, is_own};
use crossbeam_channel::{Sender, TrySendError, bounded};
use saccade_msgs::rosgraph_msgs::Clock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use witness::{Witnessed, witness_run};
use worker::Worker;

/// Exchanges (services, actions) a node may have waiting. Far more than any
/// honest client sends; a flood is dropped and counted.
const EXCHANGE_DEPTH: usize = 1024;
/// What the witness (observer and recorder) may be behind before it loses.
const WITNESS_DEPTH: usize = 1 << 16;
/// How often nodes report on `/diagnostics`.
const DIAGNOSTICS_NS: i64 = 1_000_000_000;

/// Runs nodes in real time until one asks for the end or the time is up.
///
/// # Errors
/// What [`Graph::build`] finds, a recording that cannot be written.
pub fn run(specs: &[NodeSpec], options: RunOptions) -> Result<RunReport, HostError> {
    let (graph, instances) = Graph::build(specs)?;
    let recorder = match &options.record {
        Some(path) => {
            let recorder = Recorder::create(path, specs, &graph)?;
            Some(match options.network {
                Some(_) => recorder.with_network()?,
                None => recorder,
            })
        }
        None => None,
    };
    run_graph(graph, instances, recorder, options)
}

fn run_graph(
    graph: Graph,
    instances: Vec<Instance>,
    recorder: Option<Recorder>,
    mut options: RunOptions,
) -> Result<RunReport, HostError> {
    if !options.pace.is_real()
        && let Some(own) = instances.iter().find(|i| i.node.real_time_only())
    {
        let (name, pace) = (&own.name, options.pace);
        let text = format!("{name} talks with what has a clock of its own: no pace of {pace}");
        return Err(HostError::Graph(text));
    }
    let mut changes = parameter_services::schedule(&options.changes, &instances)?;
    let (witness, events) = bounded(WITNESS_DEPTH);
    let count = instances.len();
    let (level, pace) = (options.rosout_level, options.pace);
    let shared = Arc::new(Shared::new(graph, count, witness, level, pace));
    if let Some(connect) = options.network.take() {
        let network = connect(&shared.graph, &instances, Inlet(shared.clone()))?;
        // It is empty until here.
        let _ = shared.network.set(network);
    }
    let (begun_ns, begun) = (shared.wall.now_ns(), Instant::now());
    let mut threads = Vec::new();
    for (index, instance) in instances.into_iter().enumerate() {
        let name = instance.name.clone();
        let worker = Worker::new(index, Slot::new(instance, begun_ns), shared.clone());
        let thread = std::thread::Builder::new()
            .name(name.clone())
            .spawn(move || worker.run());
        threads.push(thread.map_err(|e| {
            shared.stop();
            HostError::Graph(format!("{name}: no thread: {e}"))
        })?);
    }
    let stop = Arc::clone(&options.stop);
    let witnessed = witness_run(
        &shared,
        events,
        &threads,
        recorder,
        options,
        &mut changes,
        begun_ns,
    );
    shared.stop();
    let mut report = RunReport::default();
    let mut panicked = Vec::new();
    for (thread, name) in threads.into_iter().zip(&shared.graph.names) {
        match thread.join() {
            Ok(worker) => worker.account(&mut report),
            Err(_) => panicked.push(name.as_str()),
        }
    }
    if let Some(network) = shared.network.get() {
        network.close();
    }
    if !panicked.is_empty() {
        let names = panicked.join(", ");
        return Err(HostError::Graph(format!("{names} panicked; see above")));
    }
    witnessed?;
    shared.account(&mut report);
    let ended = lock(&shared.ended).take();
    report.finished = ended.is_some();
    report.ended = ended.unwrap_or_else(|| ended_from_outside(&stop));
    report.sim_s = (shared.wall.now_ns() - begun_ns) as f64 / 1e9;
    report.wall_s = begun.elapsed().as_secs_f64();
    report.unrecorded = shared.unrecorded.load(Ordering::Relaxed);
    for (topic, count) in shared.graph.topics.iter().zip(&shared.published) {
        report
            .topics
            .insert(topic.name.clone(), count.load(Ordering::Relaxed).into());
    }
    Ok(report)
}

#[derive(Default)]
struct Inbox {
    /// In the order of arrival, each with the time at which it is too old.
    deliveries: VecDeque<(Delivery, i64)>,
    /// Waiting messages by subscription name.
    waiting: BTreeMap<&'static str, usize>,
    dropped: BTreeMap<&'static str, u64>,
    /// Messages from other processes that were none of the topic's type, by subscription.
    refused: BTreeMap<&'static str, u64>,
}

impl Inbox {
    /// The oldest delivery that is not too old.
    fn take(&mut self, now_ns: i64) -> Option<Delivery> {
        while let Some((delivery, expires_ns)) = self.deliveries.pop_front() {
            let name = name_of(&delivery.input);
            if let Some(waiting) = self.waiting.get_mut(name) {
                *waiting -= 1;
            }
            if now_ns <= expires_ns {
                return Some(delivery);
            }
            *self.dropped.entry(name).or_insert(0) += 1;
        }
        None
    }

    /// The oldest request that the host itself answers, whatever time it is.
    fn take_own(&mut self) -> Option<Delivery> {
        let own =
            |d: &Delivery| matches!(d.input, Input::Request { service, .. } if is_own(service));
        let at = self.deliveries.iter().position(|(d, _)| own(d))?;
        let (delivery, _) = self.deliveries.remove(at)?;
        if let Some(waiting) = self.waiting.get_mut(name_of(&delivery.input)) {
            *waiting -= 1;
        }
        Some(delivery)
    }
}

struct Shared {
    graph: Graph,
    wall: Wall,
    /// What `/clock` tells, which may be a topic of the graph.
    told: Told,
    clock_topic: Option<usize>,
    /// By node: whether its time is that of `/clock`.
    follows: Vec<AtomicBool>,
    inboxes: Vec<(Mutex<Inbox>, Condvar)>,
    published: Vec<AtomicU32>,
    exchanges: AtomicU32,
    unrecorded: AtomicU64,
    witness: Sender<Witnessed>,
    stopping: AtomicBool,
    ended: Mutex<Option<String>>,
    network: OnceLock<Arc<dyn Network>>,
    rosout_level: Level,
}

/// A poisoned lock means that a node panicked; the others still shut down in order.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn new(
        graph: Graph,
        nodes: usize,
        witness: Sender<Witnessed>,
        rosout_level: Level,
        pace: Pace,
    ) -> Self {
        Shared {
            published: graph.topics.iter().map(|_| AtomicU32::new(0)).collect(),
            clock_topic: graph.topics.iter().position(|t| t.name == clock::TOPIC),
            graph,
            wall: Wall::new(pace),
            told: Told::default(),
            follows: (0..nodes).map(|_| AtomicBool::new(false)).collect(),
            inboxes: (0..nodes).map(|_| Default::default()).collect(),
            exchanges: AtomicU32::new(0),
            unrecorded: AtomicU64::new(0),
            witness,
            stopping: AtomicBool::new(false),
            ended: Mutex::new(None),
            network: OnceLock::new(),
            rosout_level,
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for (_, bell) in &self.inboxes {
            bell.notify_all();
        }
    }

    fn tell(&self, what: Witnessed) {
        if let Err(TrySendError::Full(_)) = self.witness.try_send(what) {
            self.unrecorded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts a delivery into an inbox; `depth` bounds what waits under `name`, and
    /// after `expires_ns` it is dropped.
    fn post(&self, delivery: Delivery, name: &'static str, depth: usize, expires_ns: i64) {
        let (inbox, bell) = &self.inboxes[delivery.to];
        let mut inbox = lock(inbox);
        let waiting = inbox.waiting.entry(name).or_insert(0);
        if *waiting >= depth.max(1) {
            let oldest = inbox
                .deliveries
                .iter()
                .position(|(d, _)| name_of(&d.input) == name);
            if let Some(oldest) = oldest {
                inbox.deliveries.remove(oldest);
                *inbox.dropped.entry(name).or_insert(0) += 1;
            }
        } else {
            *waiting += 1;
        }
        inbox.deliveries.push_back((delivery, expires_ns));
        bell.notify_one();
    }

    /// Hands a message to who subscribes to its topic here, and tells of it. Its origin is by
    /// the wall clock, the time of the node is not always.
    fn publish(&self, node: usize, topic: usize, payload: Payload, now_ns: i64, origin_ns: i64) {
        if self.clock_topic == Some(topic)
            && let Ok(told) = payload.get::<Clock>()
        {
            self.hear_time(told.clock.to_ns());
        }
        let wall_ns = self.wall.now_ns();
        let sequence = self.published[topic].fetch_add(1, Ordering::Relaxed) + 1;
        for subscriber in &self.graph.topics[topic].subscribers {
            let qos = subscriber.qos;
            let expires_ns = wall_ns.saturating_add(qos.lifespan_ns.unwrap_or(i64::MAX));
            let input = Input::Message {
                topic: subscriber.name,
                payload: payload.clone(),
            };
            let delivery = Delivery {
                to: subscriber.node,
                input,
                origin_ns,
                sequence,
            };
            self.post(delivery, subscriber.name, qos.depth, expires_ns);
        }
        self.tell(Witnessed::Message {
            topic,
            node,
            now_ns,
            sequence,
            payload,
        });
    }

    fn log(&self, node: usize, now_ns: i64, line: LogLine) {
        if let Some(network) = self.network.get()
            && line.level >= self.rosout_level
        {
            let message = rosout::message(now_ns, &self.graph.names[node], &line);
            network.publish(node, rosout::TOPIC, &Payload::new(message));
        }
        self.tell(Witnessed::Log { node, now_ns, line });
    }

    /// Whether the other side of an exchange is another process: it is known to be, or
    /// nobody serves it here.
    fn is_outside(&self, node: usize, output: &Output) -> bool {
        self.network.get().is_some() && self.graph.is_outside(node, output)
    }

    /// Tells of an exchange; returns its number.
    fn note(&self, from: usize, input: &Input, now_ns: i64) -> u32 {
        let sequence = self.exchanges.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell(Witnessed::Exchange {
            from,
            now_ns,
            sequence,
            input: input.clone(),
        });
        sequence
    }

    /// Tells of an exchange and puts it into the inbox of its receiver.
    fn request(&self, from: usize, to: usize, input: Input, now_ns: i64) {
        let sequence = self.note(from, &input, now_ns);
        let name = name_of(&input);
        let delivery = Delivery {
            to,
            input,
            origin_ns: self.wall.now_ns(),
            sequence,
        };
        self.post(delivery, name, EXCHANGE_DEPTH, i64::MAX);
    }

    /// What was dropped at full queues and what still waits, once all nodes have stopped.
    fn account(&self, report: &mut RunReport) {
        for (i, (name, (inbox, _))) in self.graph.names.iter().zip(&self.inboxes).enumerate() {
            for (what, lost) in self.network.get().map_or(Vec::new(), |n| n.lost(i)) {
                report.dropped.insert(format!("{name} {what} lost"), lost);
            }
            let inbox = lock(inbox);
            for (what, dropped) in &inbox.dropped {
                report.dropped.insert(format!("{name} {what}"), *dropped);
            }
            for (what, refused) in &inbox.refused {
                let what = format!("{name} {what} refused");
                report.dropped.insert(what, *refused);
            }
            for (what, waiting) in inbox.waiting.iter().filter(|(_, n)| **n > 0) {
                let waiting = *waiting as u64;
                report.unhandled.insert(format!("{name} {what}"), waiting);
            }
        }
    }
}

/// Hands what other processes send to the nodes of this run, into the queues that the
/// nodes' own messages wait in.
pub struct Inlet(Arc<Shared>);

impl Inlet {
    /// A node's time.
    pub fn now_ns(&self, node: usize) -> i64 {
        self.0.time_of(node).unwrap_or(0)
    }

    /// What `/clock` says.
    pub fn clock(&self, now_ns: i64) {
        self.0.hear_time(now_ns);
    }

    /// A message on a topic of the graph.
    pub fn message(&self, topic: usize, payload: Payload) {
        let first = self.0.graph.topics[topic].subscribers.first();
        let now_ns = first.map_or(0, |s| self.now_ns(s.node));
        let origin_ns = self.0.wall.now_ns();
        self.0.publish(OUTSIDE, topic, payload, now_ns, origin_ns);
    }

    /// Counts a message on a topic of the graph that is none of the topic's type;
    /// returns how many there were.
    pub fn refuse(&self, topic: usize) -> u64 {
        let mut most = 0;
        for subscriber in &self.0.graph.topics[topic].subscribers {
            let mut inbox = lock(&self.0.inboxes[subscriber.node].0);
            let count = inbox.refused.entry(subscriber.name).or_insert(0);
            *count += 1;
            most = most.max(*count);
        }
        most
    }

    /// Service or action traffic for a node.
    pub fn exchange(&self, to: usize, input: Input) {
        self.0.request(OUTSIDE, to, input, self.now_ns(to));
    }

    /// Writes a line into a node's log.
    pub fn log(&self, node: usize, line: LogLine) {
        self.0.log(node, self.now_ns(node), line);
    }
}

/// The queue an input waits in.
fn name_of(input: &Input) -> &'static str {
    match input {
        Input::Message { topic, .. } => topic,
        _ => "(services and actions)",
    }
}

#[cfg(test)]
#[path = "realtime_tests.rs"]
mod tests;
