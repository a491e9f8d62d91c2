//! What connects the nodes of a real-time run with other processes. A middleware
//! ([`crate::dds`]) implements [`Network`] for what goes out, and hands what comes
//! in to an [`Inlet`].

use crate::graph::{Graph, Instance};
use crate::host::HostError;
use crate::interface::{Endpoint, Qos};
use crate::node::Output;
use crate::payload::Payload;
use crate::{diagnostics, lifecycle, rosout};
use saccade_msgs::Message;
use saccade_msgs::diagnostic_msgs::DiagnosticArray;
use saccade_msgs::rcl_interfaces::{Log, ParameterEvent};
use std::sync::Arc;

pub use crate::realtime::Inlet;

/// Where changes of parameters are told.
pub const PARAMETER_EVENTS: &str = "/parameter_events";

/// Topics on which the host publishes in the name of each node.
pub static HOST_TOPICS: &[Endpoint] = &[
    Endpoint::new(
        diagnostics::TOPIC,
        DiagnosticArray::TYPE_NAME,
        "Counters and states.",
    ),
    Endpoint::new(rosout::TOPIC, Log::TYPE_NAME, "The node's log.").qos(Qos {
        transient_local: true,
        depth: 1000,
        lifespan_ns: Some(10_000_000_000),
        ..Qos::DEFAULT
    }),
    Endpoint::new(
        PARAMETER_EVENTS,
        ParameterEvent::TYPE_NAME,
        "Parameters that have changed.",
    )
    .qos(Qos::DEFAULT.depth(1000)),
    lifecycle::EVENTS,
];

/// Takes what nodes send to other processes. It is called in their own threads,
/// does not make them wait, and counts what it cannot send.
pub trait Network: Send + Sync {
    /// A message on a topic, by the node's own name for it, or one of [`HOST_TOPICS`].
    fn publish(&self, node: usize, topic: &'static str, payload: &Payload);

    /// What has been lost of a node's topics, each with its count since the start.
    fn lost(&self, node: usize) -> Vec<(String, u64)>;

    /// Service and action traffic of which the other side is outside.
    fn exchange(&self, node: usize, output: Output);

    /// Stops receiving, and returns when that is done.
    fn close(&self);
}

/// Makes the connection before the nodes begin.
pub type Connect =
    Box<dyn FnOnce(&Graph, &[Instance], Inlet) -> Result<Arc<dyn Network>, HostError> + Send>;

/// The bits of an exchange's identifier that say that the other side is outside: what a
/// node answers to it goes to [`Network::exchange`].
pub const OUTSIDE: usize = crate::graph::HOST - 1;
