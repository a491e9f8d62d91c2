//! A node at work: its timers, its queue of outputs, and the account of what
//! it did. Used by every host. What it does as a managed node is in `managed`.

mod managed;

use crate::graph::Instance;
use crate::host::Latency;
use crate::interface::Endpoint;
use crate::lifecycle::{self, Lifecycle};
use crate::node::{Context, Input, Output};
use crate::parameters::{AUTOSTART, USE_SIM_TIME};
use crate::payload::Payload;
use crate::{parameter_services, rosout};
use saccade_msgs::Message;
use saccade_msgs::rosgraph_msgs::Clock;
use std::collections::BTreeMap;
use std::time::Instant;

pub(crate) use managed::Unmade;

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
    lifecycle: Lifecycle,
    /// Whether `instance.node` is the node, or stands for one that is not configured.
    made: bool,
    /// What came last on latched topics: nobody says it again.
    latched: Vec<(&'static str, Payload)>,
    /// Goals under way that it serves, by action and identifier.
    served: Vec<(&'static str, u64)>,
    /// Goals under way that it has sent.
    sent: Vec<(&'static str, u64)>,
}

/// The services of every node, with names relative to its own (`~`), which its host serves.
pub(crate) fn own_services() -> impl Iterator<Item = &'static Endpoint> {
    parameter_services::SERVICES
        .iter()
        .chain(lifecycle::SERVICES)
}

/// Whether a service is one of those that every node has.
pub(crate) fn is_own(service: &str) -> bool {
    own_services().any(|s| s.name == service)
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
            timers,
            tick: 0,
            inputs: 0,
            seconds: 0.0,
            latencies: BTreeMap::new(),
            next_id: 0,
            outputs: Vec::new(),
            lifecycle: Lifecycle::UNCONFIGURED,
            made: instance.parameters.switch(AUTOSTART),
            latched: Vec::new(),
            served: Vec::new(),
            sent: Vec::new(),
            instance,
        }
    }

    /// Whether the node works: otherwise its timers stand.
    pub fn is_active(&self) -> bool {
        self.lifecycle.is_active()
    }

    /// The name of the state it is in, as a managed node.
    pub fn state(&self) -> &'static str {
        self.lifecycle.label()
    }

    /// Whether its time is that of `/clock`. A node that tells the time has its own.
    pub fn follows_clock(&self) -> bool {
        let tells = |e: &Endpoint| e.type_name == Clock::TYPE_NAME;
        self.instance.parameters.switch(USE_SIM_TIME)
            && !self.instance.interface.publishers.iter().any(tells)
    }

    /// When its next timer is due.
    pub fn next_due_ns(&self) -> Option<i64> {
        let running = self.timers.iter().filter(|t| t.period_ns.is_some());
        let due = running.map(|t| t.due_ns).min();
        due.filter(|_| self.is_active())
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
        let mut next_id = self.next_id;
        let begun = Instant::now();
        self.settle_goal(&input);
        rosout::listen();
        let mut ctx = Context::new(now_ns, origin_ns, &mut outputs, &mut next_id);
        self.take(input, &mut ctx);
        rosout::heard(&mut outputs);
        self.next_id = next_id;
        self.seconds += begun.elapsed().as_secs_f64();
        for output in &outputs {
            self.book(output, now_ns);
        }
        outputs
    }

    fn book(&mut self, output: &Output, now_ns: i64) {
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
            Output::AnswerGoal {
                action,
                id,
                accepted: true,
            } => self.served.push((action, *id)),
            Output::FinishGoal { action, id, .. } => self.served.retain(|g| *g != (*action, *id)),
            Output::SendGoal { action, id, .. } => self.sent.push((action, *id)),
            _ => {}
        }
    }

    /// Takes back an emptied output vector, so that a tick allocates nothing.
    pub fn recycle(&mut self, mut outputs: Vec<Output>) {
        outputs.clear();
        self.outputs = outputs;
    }
}
