//! The services of the nodes of a run, for other processes, and those of other
//! processes, for these nodes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::host::{lock, typed};
use super::replies::{self, HeldReplies};
use super::{Ask, Identity, Incoming, Middleware, NetworkError, Receive};
use crate::graph::{Graph, Instance, routed};
use crate::interface::Qos;
use crate::network::{Inlet, OUTSIDE};
use crate::node::Input;
use crate::payload::Payload;
use crate::slot::own_services;

/// Requests that nodes may have open; the oldest give way.
const MAX_OPEN: usize = 1024;
/// Calls that may wait for their server, or for its reply.
const MAX_CALLS: usize = 256;
/// How long a call waits for its server, and then for the reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// A server that has just been found may not have found this client: its reply would be lost.
pub(super) const SETTLE: Duration = Duration::from_millis(200);

/// Services between nodes here and other processes.
pub(super) struct Services {
    served: Vec<Served>,
    called: Vec<Called>,
    open: Mutex<Open>,
    calls: Mutex<Vec<Call>>,
}

/// A service of a node here.
struct Served {
    node: usize,
    name: &'static str,
    request: &'static str,
    replies: HeldReplies,
}

/// A service that a node here calls.
struct Called {
    node: usize,
    name: &'static str,
    response: &'static str,
    requests: Box<dyn Ask>,
    found: Found,
}

/// Since when a server is known.
#[derive(Default)]
pub(super) struct Found(Mutex<Option<Instant>>);

impl Found {
    /// Whether a server can be called.
    pub fn is_ready(&self, requests: &dyn Ask) -> bool {
        let mut since = lock(&self.0);
        if !requests.is_heard() {
            *since = None;
        } else if since.is_none() {
            *since = Some(Instant::now());
        }
        since.is_some_and(|s| s.elapsed() >= SETTLE)
    }
}

#[derive(Default)]
struct Open {
    last: u64,
    /// Requests that were handed to nodes: the service and who asked.
    requests: BTreeMap<u64, (usize, Identity)>,
}

struct Call {
    called: usize,
    id: u64,
    payload: Payload,
    since: Instant,
    /// The number of the request, once it is sent.
    sent: Option<i64>,
}

/// What a subscriber of [`Services`] is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum ServicePart {
    /// Requests to a service here.
    Requests(usize),
    /// Replies to a node here.
    Replies(usize),
}

type Parts = Vec<(Box<dyn Receive>, ServicePart)>;

impl Services {
    /// Of all nodes of a run.
    pub fn open(
        middleware: &mut dyn Middleware,
        graph: &Graph,
        instances: &[Instance],
    ) -> Result<(Self, Parts), NetworkError> {
        let (mut served, mut called, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (node, instance) in instances.iter().enumerate() {
            let own = instance.interface.services.iter();
            for endpoint in own.chain(own_services()) {
                let name = graph.full_name(node, endpoint.name);
                // As deep as rcl has it for the services of parameters.
                let qos = Qos::DEFAULT.depth(1000);
                let (requests, replies) = middleware.server(node, name, endpoint.type_name, qos)?;
                parts.push((requests, ServicePart::Requests(served.len())));
                served.push(Served {
                    node,
                    name: endpoint.name,
                    request: typed(endpoint.type_name, "_Request")?,
                    replies: HeldReplies::new(replies),
                });
            }
            for endpoint in instance.interface.clients {
                let name = graph.full_name(node, endpoint.name);
                let (replies, requests) = middleware.client(node, name, endpoint.type_name)?;
                parts.push((replies, ServicePart::Replies(called.len())));
                called.push(Called {
                    node,
                    name: endpoint.name,
                    response: typed(endpoint.type_name, "_Response")?,
                    requests,
                    found: Found::default(),
                });
            }
        }
        let services = Services {
            served,
            called,
            open: Mutex::default(),
            calls: Mutex::default(),
        };
        Ok((services, parts))
    }

    /// Takes what came to a subscriber.
    ///
    /// # Errors
    /// What it should have been.
    pub fn take(
        &self,
        part: ServicePart,
        received: &Incoming,
        inlet: &Inlet,
    ) -> Result<(), (usize, String)> {
        match part {
            ServicePart::Requests(i) => self.request(i, received, inlet),
            ServicePart::Replies(i) => self.reply(i, received, inlet),
        }
    }

    fn request(&self, i: usize, received: &Incoming, inlet: &Inlet) -> Result<(), (usize, String)> {
        let served = &self.served[i];
        let wrong = |e: &dyn std::fmt::Display| (served.node, format!("{}: {e}", served.name));
        let payload = Payload::decode(served.request, &received.cdr).map_err(|e| wrong(&e))?;
        let id = {
            let mut open = lock(&self.open);
            open.last += 1;
            let last = open.last;
            open.requests.insert(last, (i, received.of));
            if open.requests.len() > MAX_OPEN {
                open.requests.pop_first();
            }
            last
        };
        let input = Input::Request {
            service: served.name,
            id: routed(OUTSIDE, id),
            payload,
        };
        inlet.exchange(served.node, input);
        Ok(())
    }

    /// A node here answers; false if the reply could not be sent.
    pub fn respond(&self, id: u64, payload: &Payload) -> bool {
        let found = lock(&self.open).requests.remove(&own(id));
        let Some((i, caller)) = found else {
            return false;
        };
        let sent = (self.served[i].replies).reply(&caller, payload.cdr().into_owned());
        sent.is_ok()
    }

    /// A node here calls.
    pub fn call(&self, node: usize, service: &'static str, id: u64, payload: Payload) {
        let is_it = |c: &Called| c.node == node && c.name == service;
        let Some(called) = self.called.iter().position(is_it) else {
            return;
        };
        let mut call = Call {
            called,
            id,
            payload,
            since: Instant::now(),
            sent: None,
        };
        let mut calls = lock(&self.calls);
        self.try_send(&mut call);
        calls.push(call);
    }

    fn try_send(&self, call: &mut Call) {
        let called = &self.called[call.called];
        if called.found.is_ready(&*called.requests) {
            call.sent = (called.requests.ask(call.payload.cdr().into_owned())).ok();
            call.since = Instant::now();
        }
    }

    /// What was lost of a node's replies.
    pub fn lost(&self, node: usize) -> impl Iterator<Item = (String, u64)> {
        let of_node = self.served.iter().filter(move |s| s.node == node);
        replies::lost(of_node.map(|s| (s.name, &s.replies)))
    }

    /// Sends the calls whose server has been found and the replies whose caller has, and
    /// gives up those that waited too long.
    pub fn go_on(&self, inlet: &Inlet) {
        for served in &self.served {
            served.replies.go_on();
        }
        let mut given_up = Vec::new();
        let mut calls = lock(&self.calls);
        let too_many = calls.len().saturating_sub(MAX_CALLS);
        for (i, mut call) in std::mem::take(&mut *calls).into_iter().enumerate() {
            if call.sent.is_none() {
                self.try_send(&mut call);
            }
            if i < too_many || call.since.elapsed() > PATIENCE {
                given_up.push(call);
            } else {
                calls.push(call);
            }
        }
        drop(calls);
        for call in given_up {
            self.hand(&call, None, inlet);
        }
    }

    fn reply(&self, i: usize, received: &Incoming, inlet: &Inlet) -> Result<(), (usize, String)> {
        let called = &self.called[i];
        let wrong = |e: &dyn std::fmt::Display| (called.node, format!("{}: {e}", called.name));
        let number = received.of.number;
        let payload = Payload::decode(called.response, &received.cdr).map_err(|e| wrong(&e))?;
        let call = {
            let mut calls = lock(&self.calls);
            let at = calls
                .iter()
                .position(|c| c.called == i && c.sent == Some(number));
            at.map(|at| calls.remove(at))
        };
        if let Some(call) = call {
            self.hand(&call, Some(payload), inlet);
        }
        Ok(())
    }

    fn hand(&self, call: &Call, payload: Option<Payload>, inlet: &Inlet) {
        let called = &self.called[call.called];
        let input = Input::Response {
            service: called.name,
            id: call.id,
            payload,
        };
        inlet.exchange(called.node, input);
    }
}

/// The identifier without who asked.
pub(super) fn own(id: u64) -> u64 {
    id & ((1 << crate::graph::ID_BITS) - 1)
}
