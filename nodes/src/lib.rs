//! The nodes of Saccade and the hosts that run them.
//!
//! A [`Node`] is a value with typed state and no sockets, threads, clocks or
//! files of its own. It declares its [`Interface`] and is then *driven*: an
//! [`Input`] comes in with its time stamp, [`Output`]s go out through the
//! [`Context`]. Hosts ([`lockstep`], [`realtime`], [`replay`]) do everything
//! else, so that the same node runs in simulated time, in real time and over
//! a recording without knowing which.

pub mod interface;
pub mod node;
pub mod parameters;
pub mod payload;

pub use interface::{
    Endpoint, Interface, ParameterDecl, Qos, Reliability, TimerDecl, Value,
};
pub use node::{Context, GoalStatus, Health, Input, Level, Node, NodeError, Output};
pub use parameters::{ParameterError, Parameters};
pub use payload::{Payload, PayloadError};
