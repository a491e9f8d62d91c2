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

use crate::clock::{self, Pace, Told, Wall};
use crate::diagnostics;
use crate::graph::{Delivery, Graph, HOST, Instance};
use crate::host::{HostError, Latency, NodeSpec, RunOptions, RunReport, ended_from_outside};
use crate::network::{Network, OUTSIDE};
use crate::node::{Input, Level, LogLine, Output};
use crate::parameter_services;
use crate::payload::Payload;
use crate::recording::Recorder;
use crate::rosout;
use crate::slot::{Slot, is_own};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use saccade_msgs::rosgraph_msgs::Clock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// What is told to the observer and the recorder.
enum Witnessed {
    Message {
        topic: usize,
        node: usize,
        now_ns: i64,
        sequence: u32,
        payload: Payload,
    },
    Exchange {
        from: usize,
        now_ns: i64,
        sequence: u32,
        input: Input,
    },
    Input {
        node: usize,
        now_ns: i64,
        tick: u64,
        sequence: u32,
        input: Input,
    },
    Log {
        node: usize,
        now_ns: i64,
        line: LogLine,
    },
    Diagnostics {
        now_ns: i64,
        payload: Payload,
    },
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

struct Worker {
    index: usize,
    slot: Slot,
    shared: Arc<Shared>,
    time: follow::Time,
    jitter: Latency,
    handling: BTreeMap<&'static str, Latency>,
    late: BTreeMap<&'static str, u64>,
    diagnostics_ns: i64,
}

impl Worker {
    fn new(index: usize, slot: Slot, shared: Arc<Shared>) -> Self {
        let diagnostics_ns = shared.wall.now_ns() + DIAGNOSTICS_NS;
        Worker {
            index,
            time: follow::Time::default(),
            slot,
            shared,
            jitter: Latency::default(),
            handling: BTreeMap::new(),
            late: BTreeMap::new(),
            diagnostics_ns,
        }
    }

    fn run(mut self) -> Self {
        while !self.shared.stopping.load(Ordering::SeqCst) {
            if self.keep_time() {
                self.fire_timers();
            }
            if self.shared.wall.now_ns() >= self.diagnostics_ns {
                self.diagnostics_ns += DIAGNOSTICS_NS;
                self.diagnose();
            }
            if let Some(delivery) = self.wait() {
                let name = name_of(&delivery.input);
                self.hand(delivery.input, delivery.origin_ns, delivery.sequence);
                let spent_ns = self.shared.wall.now_ns() - delivery.origin_ns;
                self.handling.entry(name).or_default().add(spent_ns);
            }
        }
        self
    }

    /// The next delivery, or `None` when a timer is due and nothing waits, or time has gone
    /// on. Between timers there is one delivery, so that neither starves the other: a node
    /// that is late with its timers still hears an emergency stop.
    fn wait(&mut self) -> Option<Delivery> {
        let (inbox, bell) = &self.shared.inboxes[self.index];
        let mut inbox = lock(inbox);
        loop {
            if self.shared.stopping.load(Ordering::SeqCst) {
                return None;
            }
            let wall_ns = self.shared.wall.now_ns();
            let next = match self.time.is_known() {
                true => inbox.take(wall_ns),
                false => inbox.take_own(),
            };
            if next.is_some() {
                return next;
            }
            let due_ns = self.due_ns().min(self.diagnostics_ns);
            if due_ns <= wall_ns {
                return None;
            }
            let patience = self.shared.wall.sleep(due_ns.saturating_sub(wall_ns));
            inbox = bell
                .wait_timeout(inbox, patience)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn fire_timers(&mut self) {
        for i in 0..self.slot.timers.len() {
            let now_ns = self.now_ns();
            let timer = &mut self.slot.timers[i];
            let Some(period_ns) = timer.period_ns else {
                continue;
            };
            if timer.due_ns > now_ns || !self.slot.is_active() {
                continue;
            }
            let timer = &mut self.slot.timers[i];
            let late_ns = now_ns - timer.due_ns;
            let name = timer.name;
            timer.due_ns += period_ns;
            // Time that is told comes in steps: how late a timer is then says nothing of us.
            if !self.time.is_told() {
                if i == 0 {
                    self.jitter.add(late_ns);
                }
                if late_ns > period_ns {
                    *self.late.entry(name).or_insert(0) += 1;
                }
            }
            let wall_ns = self.shared.wall.now_ns();
            self.hand(Input::Timer { name }, wall_ns, 0);
            let spent_ns = self.shared.wall.now_ns() - wall_ns;
            self.handling.entry(name).or_default().add(spent_ns);
        }
    }

    /// Drives the node. The origin is by the wall clock, and becomes as long ago by the
    /// node's: latencies are those of this machine whatever its time is.
    fn hand(&mut self, input: Input, origin_ns: i64, sequence: u32) {
        let now_ns = self.now_ns();
        let (node, tick) = (self.index, self.slot.tick);
        self.shared.tell(Witnessed::Input {
            node,
            now_ns,
            tick,
            sequence,
            input: input.clone(),
        });
        let since_ns = match self.time.is_told() {
            true => now_ns - (self.shared.wall.now_ns() - origin_ns),
            false => origin_ns,
        };
        let mut outputs = self.slot.drive(input, now_ns, since_ns);
        for output in outputs.drain(..) {
            self.route(output, now_ns, origin_ns);
        }
        self.slot.recycle(outputs);
    }

    fn route(&mut self, output: Output, now_ns: i64, origin_ns: i64) {
        let node = self.index;
        match output {
            Output::Publish { topic, payload } => {
                if let Some(network) = self.shared.network.get() {
                    network.publish(node, topic, &payload);
                }
                if let Some(topic) = self.shared.graph.publishes(node, topic) {
                    (self.shared).publish(node, topic, payload, now_ns, origin_ns);
                }
            }
            Output::Log(line) => self.shared.log(node, now_ns, line),
            Output::Shutdown { reason } => *lock(&self.shared.ended) = Some(reason),
            Output::SetTimer { .. } | Output::Latency { .. } => {}
            exchange if self.shared.is_outside(node, &exchange) => {
                if let Some(network) = self.shared.network.get() {
                    network.exchange(node, exchange);
                }
            }
            exchange => {
                let Some((to, input)) = self.shared.graph.exchange(node, exchange) else {
                    return;
                };
                self.shared.request(node, to, input, now_ns);
            }
        }
    }

    /// This node's counters, with what the host knows of it: drops, late
    /// ticks, latencies.
    fn diagnose(&mut self) {
        let now_ns = self.now_ns();
        let mut health = self.slot.instance.node.health();
        if !self.slot.is_active() {
            health.warning = Some(self.slot.state().to_owned());
        }
        health.values.extend(self.time.values());
        health.warning = self.time.trouble(&self.shared).or(health.warning);
        for (name, dropped) in &lock(&self.shared.inboxes[self.index].0).dropped {
            health
                .values
                .push((format!("dropped {name}"), dropped.to_string()));
        }
        for (name, refused) in &lock(&self.shared.inboxes[self.index].0).refused {
            let name = format!("refused {name}");
            health.values.push((name, refused.to_string()));
        }
        for (name, lost) in (self.shared.network.get()).map_or(Vec::new(), |n| n.lost(self.index)) {
            health
                .values
                .push((format!("lost {name}"), lost.to_string()));
        }
        for (name, late) in &self.late {
            health
                .values
                .push((format!("late {name}"), late.to_string()));
        }
        let jitter = [("timer jitter", &self.jitter)];
        for (name, latency) in jitter
            .into_iter()
            .chain(self.slot.latencies.iter().map(|(n, l)| (*n, l)))
        {
            let p = latency.percentiles();
            let text = format!("{:.0} / {:.0} / {:.0}", p.p50_us, p.p99_us, p.p999_us);
            health
                .values
                .push((format!("{name} p50/p99/p99.9 (us)"), text));
        }
        let name = self.slot.instance.name.as_str();
        let payload = Payload::new(diagnostics::array(now_ns, std::iter::once((name, health))));
        if let Some(network) = self.shared.network.get() {
            network.publish(self.index, diagnostics::TOPIC, &payload);
        }
        self.shared.tell(Witnessed::Diagnostics { now_ns, payload });
    }

    fn account(self, report: &mut RunReport) {
        report.add_slot(&self.slot);
        let name = &self.slot.instance.name;
        if !self.slot.timers.is_empty() {
            report
                .latencies
                .insert(format!("{name} timer jitter"), self.jitter.percentiles());
        }
        for (what, latency) in &self.handling {
            report
                .latencies
                .insert(format!("{name} {what} handled"), latency.percentiles());
        }
        for (what, late) in &self.late {
            report.late_ticks.insert(format!("{name} {what}"), *late);
        }
    }
}

/// The main thread's part: shows and records what the nodes do until the end.
fn witness_run(
    shared: &Shared,
    events: Receiver<Witnessed>,
    threads: &[JoinHandle<Worker>],
    mut recorder: Option<Recorder>,
    mut options: RunOptions,
    changes: &mut Vec<(i64, usize, Input)>,
    begun_ns: i64,
) -> Result<(), HostError> {
    let end_ns = options
        .duration_ns
        .map_or(i64::MAX, |d| begun_ns.saturating_add(d));
    let stop = Arc::clone(&options.stop);
    let mut witness = |what: Witnessed| -> Result<(), HostError> {
        show(shared, &mut options, &what);
        match &mut recorder {
            Some(recorder) => record(recorder, what),
            None => Ok(()),
        }
    };
    // Without a node that has panicked, the others must not go on.
    let goes_on = || {
        lock(&shared.ended).is_none()
            && shared.wall.now_ns() < end_ns
            && !stop.load(Ordering::Relaxed)
            && !threads.iter().any(JoinHandle::is_finished)
    };
    while goes_on() {
        let since_ns = shared.wall.now_ns() - begun_ns;
        while let Some((_, to, input)) = changes.pop_if(|c| c.0 <= since_ns) {
            let now_ns = shared.time_of(to).unwrap_or(0);
            shared.request(HOST, to, input, now_ns);
        }
        if let Ok(what) = events.recv_timeout(Duration::from_millis(20)) {
            witness(what)?;
        }
    }
    shared.stop();
    // The nodes finish what they are at and tell of it, however long it takes.
    loop {
        let all_told = threads.iter().all(JoinHandle::is_finished);
        while let Ok(what) = events.try_recv() {
            witness(what)?;
        }
        if all_told {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    recorder.map_or(Ok(()), Recorder::finish)
}

fn show(shared: &Shared, options: &mut RunOptions, what: &Witnessed) {
    match what {
        Witnessed::Message {
            topic,
            node,
            now_ns,
            payload,
            ..
        } => {
            let topic = &shared.graph.topics[*topic].name;
            let node = (shared.graph.names.get(*node)).map_or("(outside)", String::as_str);
            options.observer.message(*now_ns, node, topic, payload);
        }
        Witnessed::Log { node, now_ns, line } => {
            let name = &shared.graph.names[*node];
            options.observer.log(*now_ns, name, line.level, &line.text);
        }
        Witnessed::Diagnostics { now_ns, payload } => {
            options
                .observer
                .message(*now_ns, "/host", diagnostics::TOPIC, payload);
        }
        Witnessed::Exchange { .. } | Witnessed::Input { .. } => {}
    }
}

fn record(recorder: &mut Recorder, what: Witnessed) -> Result<(), HostError> {
    match what {
        Witnessed::Message {
            topic,
            now_ns,
            sequence,
            payload,
            ..
        } => recorder.message(topic, now_ns, sequence, &payload),
        Witnessed::Exchange {
            from,
            now_ns,
            sequence,
            input,
        } => recorder.exchange(from, now_ns, &input, sequence),
        Witnessed::Input {
            node,
            now_ns,
            tick,
            sequence,
            input,
        } => recorder.input(node, now_ns, tick, &input, sequence),
        Witnessed::Log { node, now_ns, line } => {
            let name = recorder.name(node);
            recorder.log(now_ns, &name, &line)
        }
        Witnessed::Diagnostics { now_ns, payload } => recorder.diagnostics(now_ns, &payload),
    }
}

#[cfg(test)]
#[path = "realtime_tests.rs"]
mod tests;
