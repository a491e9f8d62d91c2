//! The nodes of Saccade and the hosts that run them.
//!
//! A [`Node`] is a value with typed state and no sockets, threads, clocks or
//! files of its own. It declares its [`Interface`] and is then *driven*: an
//! [`Input`] comes in with its time stamp, [`Output`]s go out through the
//! [`Context`]. Hosts ([`lockstep`], [`realtime`], [`replay`]) do everything
//! else, so that the same node runs in simulated time, in real time and over
//! a recording without knowing which.

pub mod clock;
#[cfg(feature = "dds")]
pub mod dds;
pub mod diagnostics;
pub mod dvs_ingest;
pub mod embedded_arena;
pub mod embedded_whiskeye;
pub mod embedded_world;
pub mod eprop_classifier;
mod event_camera_driver;
pub mod event_canvas;
pub mod event_generator;
pub mod event_image;
pub mod explore;
pub mod filters;
pub mod gazebo_whiskeye;
pub mod graph;
pub mod grasp_affordance;
pub mod gz_bridge;
pub mod host;
pub mod interface;
pub mod journey_referee;
pub mod lifecycle;
pub mod lockstep;
pub mod microsaccade;
pub mod network;
pub mod node;
pub mod optic_flow;
mod parameter_queries;
pub mod parameter_services;
pub mod parameters;
pub mod path_integration;
pub mod payload;
pub mod place_recognition;
pub mod place_samples;
#[cfg(feature = "rcl")]
pub mod rcl;
pub mod realtime;
pub mod recording;
pub mod referee;
pub mod registry;
pub mod replay;
#[cfg(any(feature = "dds", feature = "rcl"))]
pub mod ros;
pub mod rosout;
mod slot;
pub mod tables;
pub mod teacher;
pub mod trajectory_server;
pub mod wander;
pub mod whisk;
#[cfg(feature = "zenoh")]
pub mod zenoh;

pub use host::{HostError, NodeSpec, Observer, ParameterChange, RunOptions, RunReport};
pub use interface::{
    Default, Endpoint, Interface, ParameterDecl, Qos, Reliability, TimerDecl, Value,
};
pub use node::{
    Context, Factory, GoalStatus, Health, Input, Level, LogLine, Node, NodeError, Output,
};
pub use parameters::{ParameterError, Parameters};
pub use payload::{Payload, PayloadError};
