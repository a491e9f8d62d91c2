//! A node's thread: its timers, what it hears, and where what it says goes.

use super::follow;
use super::witness::Witnessed;
use super::{DIAGNOSTICS_NS, Shared, lock, name_of};
use crate::diagnostics;
use crate::graph::Delivery;
use crate::host::{Latency, RunReport};
use crate::node::{Input, Output};
use crate::payload::Payload;
use crate::slot::Slot;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) slot: Slot,
    pub(super) shared: Arc<Shared>,
    pub(super) time: follow::Time,
    jitter: Latency,
    handling: BTreeMap<&'static str, Latency>,
    late: BTreeMap<&'static str, u64>,
    diagnostics_ns: i64,
}

impl Worker {
    pub(super) fn new(index: usize, slot: Slot, shared: Arc<Shared>) -> Self {
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

    pub(super) fn run(mut self) -> Self {
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
    pub(super) fn hand(&mut self, input: Input, origin_ns: i64, sequence: u32) {
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

    pub(super) fn account(self, report: &mut RunReport) {
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
