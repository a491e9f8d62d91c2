//! A node at work: its timers, its queue of outputs, and the account of what
//! it did. Used by every host.

use crate::graph::Instance;
use crate::host::Latency;
use crate::node::{Context, Input, Output};
use crate::parameter_services;
use std::collections::BTreeMap;
use std::time::Instant;

/// A timer of a node.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    /// The node's name for it.
    pub name: &'static str,
    /// Period, or stopped.
    pub period_ns: Option<i64>,
    /// Next due.
    pub due_ns: i64,
}

/// A node with its run-time state.
pub struct Slot {
    /// The node.
    pub instance: Instance,
    /// Its timers in declared order.
    pub timers: Vec<Timer>,
    /// Firings of its first timer: the tick that recordings carry. For the
    /// classifier it is the engine's tick.
    pub tick: u64,
    /// Inputs taken.
    pub inputs: u64,
    /// Wall seconds spent in the node.
    pub seconds: f64,
    /// Latencies the node reported.
    pub latencies: BTreeMap<&'static str, Latency>,
    next_id: u64,
    outputs: Vec<Output>,
}

impl Slot {
    /// Timers start one period after `now_ns`.
    pub fn new(instance: Instance, now_ns: i64) -> Self {
        let timers = instance
            .interface
            .timers
            .iter()
            .map(|t| Timer {
                name: t.name,
                period_ns: Some(t.period_ns),
                due_ns: now_ns + t.period_ns,
            })
            .collect();
        Slot {
            instance,
            timers,
            tick: 0,
            inputs: 0,
            seconds: 0.0,
            latencies: BTreeMap::new(),
            next_id: 0,
            outputs: Vec::new(),
        }
    }

    /// When its next timer is due.
    pub fn next_due_ns(&self) -> Option<i64> {
        self.timers
            .iter()
            .filter(|t| t.period_ns.is_some())
            .map(|t| t.due_ns)
            .min()
    }

    /// Hands an input to the node and returns what it wants done. Timers are
    /// set and latencies booked here; the rest is the host's business. Give
    /// the vector back with [`Slot::recycle`].
    pub fn drive(&mut self, input: Input, now_ns: i64, origin_ns: i64) -> Vec<Output> {
        self.inputs += 1;
        if let (Input::Timer { name }, Some(first)) = (&input, self.timers.first()) {
            self.tick += u64::from(*name == first.name);
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        let begun = Instant::now();
        let mut ctx = Context::new(now_ns, origin_ns, &mut outputs, &mut self.next_id);
        match input {
            Input::Request {
                service,
                id,
                payload,
            } if parameter_services::find(service).is_some() => {
                parameter_services::serve(&mut self.instance, service, id, &payload, &mut ctx);
            }
            input => self.instance.node.handle(input, &mut ctx),
        }
        self.seconds += begun.elapsed().as_secs_f64();
        for output in &outputs {
            match output {
                Output::SetTimer { name, period_ns } => {
                    for timer in self.timers.iter_mut().filter(|t| t.name == *name) {
                        timer.period_ns = period_ns.filter(|p| *p > 0);
                        timer.due_ns = now_ns + period_ns.unwrap_or(0);
                    }
                }
                Output::Latency { name, nanoseconds } => {
                    self.latencies.entry(name).or_default().add(*nanoseconds);
                }
                _ => {}
            }
        }
        outputs
    }

    /// Takes back an emptied output vector, so that a tick allocates nothing.
    pub fn recycle(&mut self, mut outputs: Vec<Output>) {
        outputs.clear();
        self.outputs = outputs;
    }
}
