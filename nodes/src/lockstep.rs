//! The lockstep host: simulated time, one thread, bit-reproducible, as fast
//! as the CPU allows.
//!
//! Time jumps from one due timer to the next. Timers due at the same moment
//! fire in the order of the nodes in the launch file; what they cause is
//! delivered first in, first out, before time goes on.

use crate::diagnostics;
use crate::graph::{Delivery, Graph, HOST};
use crate::host::{HostError, NodeSpec, Observer, RunOptions, RunReport, ended_from_outside};
use crate::node::{Input, Output};
use crate::parameter_services;
use crate::payload::Payload;
use crate::recording::Recorder;
use crate::slot::Slot;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// More exchanges than this at one moment mean that nodes answer each other for ever.
const EXCHANGES_AT_ONCE: usize = 1_000_000;
/// How often nodes report on `/diagnostics`.
const DIAGNOSTICS_NS: i64 = 1_000_000_000;

/// Runs nodes until one asks for the end or the time is up.
///
/// # Errors
/// What [`Graph::build`] finds, a recording that cannot be written, a livelock.
pub fn run(specs: &[NodeSpec], options: RunOptions) -> Result<RunReport, HostError> {
    Lockstep::new(specs, options)?.run()
}

struct Lockstep {
    graph: Graph,
    slots: Vec<Slot>,
    queue: VecDeque<Delivery>,
    /// Requests of the host, the next one last: when, to which node, what.
    changes: Vec<(i64, usize, Input)>,
    recorder: Option<Recorder>,
    observer: Box<dyn Observer>,
    now_ns: i64,
    end_ns: i64,
    stop: Arc<AtomicBool>,
    published: Vec<u64>,
    exchanges: u32,
    ended: Option<String>,
}

impl Lockstep {
    fn new(specs: &[NodeSpec], options: RunOptions) -> Result<Self, HostError> {
        let (graph, instances) = Graph::build(specs)?;
        if let Some(own) = instances.iter().find(|i| i.node.real_time_only()) {
            return Err(HostError::Graph(format!(
                "{} talks with something that has a clock of its own, which simulated time \
                 would leave behind; run it in real time (--realtime), or let its parameters \
                 name nothing outside",
                own.name
            )));
        }
        let recorder = match &options.record {
            Some(path) => Some(Recorder::create(path, specs, &graph)?),
            None => None,
        };
        let changes = parameter_services::schedule(&options.changes, &instances)?;
        let slots: Vec<_> = instances.into_iter().map(|i| Slot::new(i, 0)).collect();
        Ok(Lockstep {
            published: vec![0; graph.topics.len()],
            graph,
            slots,
            queue: VecDeque::with_capacity(256),
            changes,
            recorder,
            observer: options.observer,
            stop: options.stop,
            now_ns: 0,
            end_ns: options.duration_ns.unwrap_or(i64::MAX),
            exchanges: 0,
            ended: None,
        })
    }

    fn run(mut self) -> Result<RunReport, HostError> {
        let begun = Instant::now();
        for to in 0..self.slots.len() {
            self.deliver_later(to, Input::Start, 0);
        }
        self.drain()?;
        let mut diagnostics_ns = DIAGNOSTICS_NS;
        while self.ended.is_none() && !self.stop.load(Ordering::Relaxed) {
            let timers = self.slots.iter().filter_map(Slot::next_due_ns);
            let changes = self.changes.last().map(|c| c.0);
            let Some(due_ns) = timers.chain(changes).min() else {
                self.ended = Some("no timer is running any more".into());
                break;
            };
            if due_ns > self.end_ns {
                self.now_ns = self.end_ns;
                break;
            }
            self.now_ns = due_ns;
            self.change_parameters()?;
            self.fire_timers();
            self.drain()?;
            if self.now_ns >= diagnostics_ns {
                diagnostics_ns += DIAGNOSTICS_NS;
                self.diagnose()?;
            }
        }
        self.diagnose()?;
        self.report(begun.elapsed().as_secs_f64())
    }

    /// Hands out the host's requests that are due.
    fn change_parameters(&mut self) -> Result<(), HostError> {
        while let Some((_, to, input)) = self.changes.pop_if(|c| c.0 <= self.now_ns) {
            self.request(HOST, to, input)?;
        }
        Ok(())
    }

    /// Notes an exchange and lets it wait for its delivery.
    fn request(&mut self, from: usize, to: usize, input: Input) -> Result<(), HostError> {
        self.exchanges += 1;
        let sequence = self.exchanges;
        if let Some(recorder) = &mut self.recorder {
            recorder.exchange(from, self.now_ns, &input, sequence)?;
        }
        self.deliver_later(to, input, sequence);
        Ok(())
    }

    fn fire_timers(&mut self) {
        for to in 0..self.slots.len() {
            if !self.slots[to].is_active() {
                continue;
            }
            for i in 0..self.slots[to].timers.len() {
                let timer = &mut self.slots[to].timers[i];
                if let Some(period_ns) = timer.period_ns
                    && timer.due_ns == self.now_ns
                {
                    timer.due_ns += period_ns;
                    let name = timer.name;
                    self.deliver_later(to, Input::Timer { name }, 0);
                }
            }
        }
    }

    fn deliver_later(&mut self, to: usize, input: Input, sequence: u32) {
        self.queue.push_back(Delivery {
            to,
            input,
            origin_ns: self.now_ns,
            sequence,
        });
    }

    fn drain(&mut self) -> Result<(), HostError> {
        let mut count = 0;
        while let Some(delivery) = self.queue.pop_front() {
            count += 1;
            if count > EXCHANGES_AT_ONCE {
                return Err(HostError::Livelock {
                    now_ns: self.now_ns,
                    limit: EXCHANGES_AT_ONCE,
                    last: format!(
                        "{:?} to {}",
                        delivery.input, self.slots[delivery.to].instance.name
                    ),
                });
            }
            self.deliver(delivery)?;
            if self.ended.is_some() {
                self.queue.clear();
            }
        }
        Ok(())
    }

    fn deliver(&mut self, delivery: Delivery) -> Result<(), HostError> {
        let Delivery {
            to,
            input,
            origin_ns,
            sequence,
        } = delivery;
        if let Some(recorder) = &mut self.recorder {
            recorder.input(to, self.now_ns, self.slots[to].tick, &input, sequence)?;
        }
        let mut outputs = self.slots[to].drive(input, self.now_ns, origin_ns);
        for output in outputs.drain(..) {
            self.route(to, output)?;
        }
        self.slots[to].recycle(outputs);
        Ok(())
    }

    fn route(&mut self, from: usize, output: Output) -> Result<(), HostError> {
        match output {
            Output::Publish { topic, payload } => {
                if let Some(topic) = self.graph.publishes(from, topic) {
                    self.publish(from, topic, payload)?;
                }
            }
            Output::Log(line) => {
                let node = &self.slots[from].instance.name;
                self.observer.log(self.now_ns, node, line.level, &line.text);
                if let Some(recorder) = &mut self.recorder {
                    recorder.log(self.now_ns, node, &line)?;
                }
            }
            Output::Shutdown { reason } => self.ended = Some(reason),
            Output::SetTimer { .. } | Output::Latency { .. } => {}
            exchange => {
                if let Some((to, input)) = self.graph.exchange(from, exchange) {
                    self.request(from, to, input)?;
                }
            }
        }
        Ok(())
    }

    fn publish(&mut self, from: usize, topic: usize, payload: Payload) -> Result<(), HostError> {
        self.published[topic] += 1;
        let sequence = self.published[topic] as u32;
        let name = &self.graph.topics[topic].name;
        self.observer
            .message(self.now_ns, &self.slots[from].instance.name, name, &payload);
        if let Some(recorder) = &mut self.recorder {
            recorder.message(topic, self.now_ns, sequence, &payload)?;
        }
        for subscriber in &self.graph.topics[topic].subscribers {
            self.queue.push_back(Delivery {
                to: subscriber.node,
                input: Input::Message {
                    topic: subscriber.name,
                    payload: payload.clone(),
                },
                origin_ns: self.now_ns,
                sequence,
            });
        }
        Ok(())
    }

    fn diagnose(&mut self) -> Result<(), HostError> {
        let healths = self
            .slots
            .iter()
            .map(|s| (s.instance.name.as_str(), s.instance.node.health()));
        let message = Payload::new(diagnostics::array(self.now_ns, healths));
        self.observer
            .message(self.now_ns, "/host", diagnostics::TOPIC, &message);
        if let Some(recorder) = &mut self.recorder {
            recorder.diagnostics(self.now_ns, &message)?;
        }
        Ok(())
    }

    fn report(mut self, wall_s: f64) -> Result<RunReport, HostError> {
        if let Some(recorder) = self.recorder.take() {
            recorder.finish()?;
        }
        let mut report = RunReport {
            finished: self.ended.is_some(),
            ended: (self.ended.take()).unwrap_or_else(|| ended_from_outside(&self.stop)),
            sim_s: self.now_ns as f64 / 1e9,
            wall_s,
            ..RunReport::default()
        };
        for (topic, count) in self.graph.topics.iter().zip(&self.published) {
            report.topics.insert(topic.name.clone(), *count);
        }
        for slot in &self.slots {
            report.add_slot(slot);
        }
        Ok(report)
    }
}
