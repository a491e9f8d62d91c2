//! What a managed node does in its states and on the way between them. At rest it hears
//! nothing, its timers stand, and it takes no goals and no requests; it is still told how
//! what it had asked for ends.

use super::{Slot, is_own};
use crate::interface::Interface;
use crate::lifecycle::{self, Outcome};
use crate::node::{Context, GoalStatus, Input, Level, Node, NodeError, Output};
use crate::parameters::AUTOSTART;
use crate::payload::Payload;
use crate::{parameter_services, registry};
use saccade_msgs::lifecycle_msgs::{Transition, change_state};

/// Of a latched topic so many messages are kept at least: there may be several publishers.
const LATCHED_KEPT: usize = 8;

/// Stands for a node that is not configured.
pub(crate) struct Unmade(pub &'static Interface);

impl Node for Unmade {
    fn interface(&self) -> &'static Interface {
        self.0
    }

    fn handle(&mut self, _: Input, _: &mut Context<'_>) {}
}

impl Slot {
    /// Takes an input, as far as the node's state lets it.
    pub(super) fn take(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => self.start(ctx),
            Input::Request {
                service,
                id,
                payload,
            } if is_own(service) => self.serve(service, id, &payload, ctx),
            input => {
                self.keep_latched(&input);
                match self.is_active() {
                    true => self.instance.node.handle(input, ctx),
                    false => self.rest(input, ctx),
                }
            }
        }
    }

    /// As a plain node: at work at once, if not told otherwise.
    fn start(&mut self, ctx: &mut Context<'_>) {
        if !self.instance.parameters.switch(AUTOSTART) {
            let state = self.lifecycle.label();
            ctx.log(Level::Info, format!("{state}: waits to be configured"));
            return;
        }
        for id in [
            Transition::TRANSITION_CONFIGURE,
            Transition::TRANSITION_ACTIVATE,
        ] {
            let label = String::new();
            self.change_state(&Transition { id, label }, ctx);
        }
    }

    fn serve(&mut self, service: &'static str, id: u64, payload: &Payload, ctx: &mut Context<'_>) {
        if parameter_services::is_one(service) {
            parameter_services::serve(&mut self.instance, service, id, payload, ctx);
        } else if service == lifecycle::CHANGE {
            let success = match payload.get::<change_state::Request>() {
                Ok(request) => self.change_state(&request.transition, ctx),
                Err(error) => {
                    ctx.log(Level::Warn, format!("{service}: {error}"));
                    false
                }
            };
            let state = self.lifecycle.label();
            ctx.log(Level::Info, format!("the node is {state}"));
            ctx.respond(service, id, change_state::Response { success });
        } else if service == lifecycle::GET {
            ctx.respond(service, id, self.lifecycle.get());
        } else if let Some(states) = lifecycle::states(service) {
            ctx.respond(service, id, states);
        } else {
            ctx.respond(service, id, self.lifecycle.transitions(service));
        }
    }

    /// Goes through a transition; whether the node is where it was to go.
    fn change_state(&mut self, wanted: &Transition, ctx: &mut Context<'_>) -> bool {
        let Some(way) = self.lifecycle.find(wanted) else {
            let (state, known) = (self.lifecycle.label(), self.lifecycle.known());
            let text = format!(
                "no transition '{}' (id {}) from {state}; there are: {known}",
                wanted.label, wanted.id
            );
            ctx.log(Level::Warn, text);
            return false;
        };
        let was_active = self.is_active();
        ctx.publish(
            lifecycle::EVENTS.name,
            self.lifecycle.begin(way, ctx.now_ns),
        );
        let outcome = match way.id {
            Transition::TRANSITION_CONFIGURE => self.configure(ctx),
            Transition::TRANSITION_ACTIVATE => self.activate(ctx),
            Transition::TRANSITION_DEACTIVATE => self.deactivate(ctx),
            Transition::TRANSITION_CLEANUP => self.clean_up(),
            _ => {
                if was_active {
                    self.deactivate(ctx);
                }
                self.clean_up()
            }
        };
        self.end(outcome, ctx);
        if self.lifecycle.has_failed() {
            let outcome = self.clean_up();
            self.end(outcome, ctx);
        }
        outcome == Outcome::Success
    }

    fn end(&mut self, outcome: Outcome, ctx: &mut Context<'_>) {
        if let Some(event) = self.lifecycle.end(outcome, ctx.now_ns) {
            ctx.publish(lifecycle::EVENTS.name, event);
        }
    }

    /// Makes the node of its parameters, where it is not made yet.
    fn configure(&mut self, ctx: &mut Context<'_>) -> Outcome {
        if self.made {
            return Outcome::Success;
        }
        let name = self.instance.interface.name;
        let Some(entry) = registry::find(name) else {
            ctx.log(Level::Error, format!("no node '{name}' can be made"));
            return Outcome::Error;
        };
        match (entry.create)(&self.instance.parameters) {
            Ok(node) => {
                self.instance.node = node;
                self.made = true;
                Outcome::Success
            }
            Err(error) => {
                ctx.log(Level::Error, error.to_string());
                match error {
                    NodeError::Parameter(_) => Outcome::Failure,
                    NodeError::Configuration { .. } => Outcome::Error,
                }
            }
        }
    }

    fn clean_up(&mut self) -> Outcome {
        self.instance.node = Box::new(Unmade(self.instance.interface));
        self.made = false;
        Outcome::Success
    }

    /// Starts the node with its timers, and tells it what it cannot hear again.
    fn activate(&mut self, ctx: &mut Context<'_>) -> Outcome {
        for (timer, declared) in self.timers.iter_mut().zip(self.instance.interface.timers) {
            timer.period_ns = Some(declared.period_ns);
            timer.due_ns = ctx.now_ns.saturating_add(declared.period_ns);
        }
        let node = &mut self.instance.node;
        node.handle(Input::Start, ctx);
        for (topic, payload) in self.latched.clone() {
            node.handle(Input::Message { topic, payload }, ctx);
        }
        Outcome::Success
    }

    /// Brings the robot to a stand, and ends every goal that is under way.
    fn deactivate(&mut self, ctx: &mut Context<'_>) -> Outcome {
        self.instance.node.deactivate(ctx);
        let ended = |ctx: &mut Context<'_>, goal: (&str, u64)| {
            let ends = |o: &Output| matches!(o, Output::FinishGoal { action, id, .. } if (*action, *id) == goal);
            ctx.outputs().iter().any(ends)
        };
        for (action, id) in self.served.clone() {
            if !ended(ctx, (action, id)) {
                self.instance.node.handle(Input::Cancel { action, id }, ctx);
            }
            if !ended(ctx, (action, id))
                && let Some(payload) = self.result_of(action)
            {
                let status = GoalStatus::Aborted;
                ctx.outputs().push(Output::FinishGoal {
                    action,
                    id,
                    status,
                    payload,
                });
            }
        }
        for (action, id) in std::mem::take(&mut self.sent) {
            let cancels = |o: &Output| matches!(o, Output::CancelGoal { id: i, .. } if *i == id);
            if !ctx.outputs().iter().any(cancels) {
                ctx.cancel_goal(action, id);
            }
        }
        Outcome::Success
    }

    fn result_of(&self, action: &str) -> Option<Payload> {
        let mut servers = self.instance.interface.action_servers.iter();
        let server = servers.find(|e| e.name == action)?;
        Payload::default_of(&format!("{}_Result", server.type_name))
    }

    /// What the node does at rest.
    fn rest(&mut self, input: Input, ctx: &mut Context<'_>) {
        let state = self.lifecycle.label();
        match input {
            Input::Start | Input::Message { .. } | Input::Timer { .. } => {}
            Input::Goal { action, id, .. } => {
                ctx.log(Level::Warn, format!("goal refused: the node is {state}"));
                ctx.answer_goal(action, id, false);
            }
            Input::Request { service, id, .. } => {
                let text = format!("{service}: nothing is done, the node is {state}");
                ctx.log(Level::Warn, text);
                let mut services = self.instance.interface.services.iter();
                let own = services.find(|e| e.name == service);
                let response = own.map(|e| format!("{}_Response", e.type_name));
                if let Some(payload) = response.and_then(|name| Payload::default_of(&name)) {
                    ctx.outputs().push(Output::Respond {
                        service,
                        id,
                        payload,
                    });
                }
            }
            reply => {
                let before = ctx.outputs().len();
                self.instance.node.handle(reply, ctx);
                let said = ctx.outputs().split_off(before);
                ctx.outputs()
                    .extend(said.into_iter().filter(may_be_said_at_rest));
            }
        }
    }

    /// Transitions after which nothing is left of what the node was at; what it has learnt is.
    pub fn renewal(&self) -> &'static [u8] {
        use Transition as T;
        match (self.lifecycle.label(), self.instance.node.learns()) {
            ("active", true) => &[T::TRANSITION_DEACTIVATE, T::TRANSITION_ACTIVATE],
            ("active", false) => &[
                T::TRANSITION_DEACTIVATE,
                T::TRANSITION_CLEANUP,
                T::TRANSITION_CONFIGURE,
                T::TRANSITION_ACTIVATE,
            ],
            ("inactive", false) => &[T::TRANSITION_CLEANUP, T::TRANSITION_CONFIGURE],
            _ => &[],
        }
    }

    /// Keeps what comes on a latched topic: whoever said it does not say it again.
    fn keep_latched(&mut self, input: &Input) {
        let Input::Message { topic, payload } = input else {
            return;
        };
        let mut subscriptions = self.instance.interface.subscriptions.iter();
        let Some(own) = subscriptions.find(|e| e.name == *topic && e.qos.transient_local) else {
            return;
        };
        let of_it = |(t, _): &(&str, Payload)| t == topic;
        if self.latched.iter().filter(|l| of_it(l)).count() >= own.qos.depth.max(LATCHED_KEPT)
            && let Some(oldest) = self.latched.iter().position(of_it)
        {
            self.latched.remove(oldest);
        }
        self.latched.push((topic, payload.clone()));
    }

    /// Books that a goal of its own has ended.
    pub(super) fn settle_goal(&mut self, input: &Input) {
        if let Input::GoalResult { action, id, .. }
        | Input::GoalResponse {
            action,
            id,
            accepted: false,
        } = input
        {
            self.sent.retain(|g| *g != (*action, *id));
        }
    }
}

/// Nothing that others act on.
fn may_be_said_at_rest(output: &Output) -> bool {
    !matches!(
        output,
        Output::Publish { .. }
            | Output::Call { .. }
            | Output::SendGoal { .. }
            | Output::Shutdown { .. }
    )
}

#[cfg(test)]
#[path = "managed_tests.rs"]
mod tests;
