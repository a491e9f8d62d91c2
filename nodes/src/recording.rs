//! Recording a run into MCAP, so completely that it can be replayed.
//!
//! Besides every message on its topic, a recording holds
//!
//! * `/saccade/graph` (`std_msgs/String`, JSON): the [`NodeSpec`]s of the run;
//! * `/saccade/exchange` (`saccade_msgs/Exchange`): requests, goals, feedback,
//!   results, with the sender's name as `frame_id`;
//! * `/saccade/network` (`std_msgs/String`), where other processes took part: what they
//!   sent is on its topic or among the exchanges, what only they were sent is not;
//! * `/saccade/inputs` (`saccade_msgs/InputLog`): for each node, in order, what
//!   it was handed, when, and at which of its ticks. A node is a function of
//!   its inputs, so this is all that [`crate::replay`] needs, whichever host
//!   made the recording.

use crate::graph::Graph;
use crate::host::{HostError, NodeSpec};
use crate::node::{Input, LogLine};
use crate::payload::Payload;
use crate::rosout;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::diagnostic_msgs::DiagnosticArray;
use saccade_msgs::rcl_interfaces::Log;
use saccade_msgs::saccade_msgs::{Exchange, InputLog};
use saccade_msgs::std_msgs;
use saccade_msgs::{Message, to_cdr};
use saccade_rosbags::{Connection, McapWriter, RawMessage, Serialization};
use std::path::Path;
use std::sync::Arc;

/// Topic of the run's node specifications.
pub const GRAPH: &str = "/saccade/graph";
/// Topic that is there where other processes took part in the run.
pub const NETWORK: &str = "/saccade/network";
/// Topic of service and action traffic.
pub const EXCHANGES: &str = "/saccade/exchange";
/// Topic of the nodes' input logs.
pub const INPUTS: &str = "/saccade/inputs";

/// Inputs per [`InputLog`] message.
const LOG_LENGTH: usize = 512;

/// Kinds of input in an [`InputLog`].
pub mod kind {
    /// [`crate::Input::Start`]
    pub const START: u8 = 0;
    /// [`crate::Input::Message`]
    pub const MESSAGE: u8 = 1;
    /// [`crate::Input::Timer`]
    pub const TIMER: u8 = 2;
    /// Service and action traffic.
    pub const EXCHANGE: u8 = 3;
}

/// Writes a recording.
pub struct Recorder {
    writer: McapWriter,
    path: String,
    topics: Vec<Arc<Connection>>,
    exchanges: Arc<Connection>,
    inputs: Arc<Connection>,
    diagnostics: Arc<Connection>,
    rosout: Arc<Connection>,
    logs: Vec<InputLog>,
    names: Vec<String>,
    last_ns: i64,
}

impl Recorder {
    /// Starts a recording of the nodes of `graph`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, specs: &[NodeSpec], graph: &Graph) -> Result<Self, HostError> {
        let shown = path.display().to_string();
        let writer = McapWriter::create(path).map_err(|e| failure(&shown, &e))?;
        let topics = graph
            .topics
            .iter()
            .map(|t| connection(&t.name, t.type_name))
            .collect();
        let graph_topic = connection(GRAPH, std_msgs::String::TYPE_NAME);
        let json = serde_json::to_string(specs).map_err(|e| failure(&shown, &e))?;
        let names: Vec<_> = specs.iter().map(NodeSpec::full_name).collect();
        let logs = names
            .iter()
            .map(|node| InputLog {
                node: node.clone(),
                ..InputLog::default()
            })
            .collect();
        let mut recorder = Recorder {
            writer,
            path: shown,
            topics,
            exchanges: connection(EXCHANGES, Exchange::TYPE_NAME),
            inputs: connection(INPUTS, InputLog::TYPE_NAME),
            diagnostics: connection(crate::diagnostics::TOPIC, DiagnosticArray::TYPE_NAME),
            rosout: connection(rosout::TOPIC, Log::TYPE_NAME),
            logs,
            names,
            last_ns: 0,
        };
        recorder.write(&graph_topic, 0, 1, to_cdr(&std_msgs::String { data: json }))?;
        Ok(recorder)
    }

    /// Notes that other processes take part.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn with_network(mut self) -> Result<Self, HostError> {
        let topic = connection(NETWORK, std_msgs::String::TYPE_NAME);
        let data = "other processes took part".to_owned();
        self.write(&topic, 0, 1, to_cdr(&std_msgs::String { data }))?;
        Ok(self)
    }

    /// A message on a topic of the graph.
    pub fn message(
        &mut self,
        topic: usize,
        now_ns: i64,
        sequence: u32,
        payload: &Payload,
    ) -> Result<(), HostError> {
        self.write(
            &self.topics[topic].clone(),
            now_ns,
            sequence,
            payload.cdr().into_owned(),
        )
    }

    /// The hosts' own diagnostics.
    pub fn diagnostics(&mut self, now_ns: i64, payload: &Payload) -> Result<(), HostError> {
        self.write(
            &self.diagnostics.clone(),
            now_ns,
            0,
            payload.cdr().into_owned(),
        )
    }

    /// A log line, on `/rosout`.
    pub fn log(&mut self, now_ns: i64, node: &str, line: &LogLine) -> Result<(), HostError> {
        let line = to_cdr(&rosout::message(now_ns, node, line));
        self.write(&self.rosout.clone(), now_ns, 0, line)
    }

    /// Service or action traffic sent by node `from`, or by the host.
    pub fn exchange(
        &mut self,
        from: usize,
        now_ns: i64,
        input: &Input,
        sequence: u32,
    ) -> Result<(), HostError> {
        let mut message = pack(input);
        message.header.stamp = Time::from_ns(now_ns);
        message.header.frame_id = self.names.get(from).map_or("/host", |n| n).to_owned();
        self.write(&self.exchanges.clone(), now_ns, sequence, to_cdr(&message))
    }

    /// An input handed to a node at one of its ticks.
    pub fn input(
        &mut self,
        node: usize,
        now_ns: i64,
        tick: u64,
        input: &Input,
        sequence: u32,
    ) -> Result<(), HostError> {
        let (kind, name) = describe(input);
        let log = &mut self.logs[node];
        let index = log.names.iter().position(|n| n == name).unwrap_or_else(|| {
            log.names.push(name.to_owned());
            log.names.len() - 1
        });
        log.now_ns.push(now_ns);
        log.tick.push(tick);
        log.kind.push(kind);
        log.name.push(index as u16);
        log.source_sequence.push(sequence);
        self.last_ns = now_ns;
        if log.now_ns.len() >= LOG_LENGTH {
            self.flush(node)
        } else {
            Ok(())
        }
    }

    /// The name of a node of the graph.
    pub fn name(&self, node: usize) -> String {
        self.names[node].clone()
    }

    /// Completes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<(), HostError> {
        for node in 0..self.logs.len() {
            self.flush(node)?;
        }
        let path = self.path;
        self.writer.finish().map_err(|e| failure(&path, &e))
    }

    fn flush(&mut self, node: usize) -> Result<(), HostError> {
        let log = &mut self.logs[node];
        if log.now_ns.is_empty() {
            return Ok(());
        }
        let bytes = to_cdr(log);
        log.first_order += log.now_ns.len() as u64;
        log.now_ns.clear();
        log.tick.clear();
        log.kind.clear();
        log.name.clear();
        log.source_sequence.clear();
        self.write(&self.inputs.clone(), self.last_ns, node as u32, bytes)
    }

    fn write(
        &mut self,
        connection: &Arc<Connection>,
        now_ns: i64,
        sequence: u32,
        data: Vec<u8>,
    ) -> Result<(), HostError> {
        let connection = connection.clone();
        let message = RawMessage {
            connection,
            stamp_ns: now_ns,
            publish_ns: now_ns,
            sequence,
            data,
        };
        self.writer
            .write_raw(&message)
            .map_err(|e| failure(&self.path, &e))
    }
}

fn connection(topic: &str, type_name: &str) -> Arc<Connection> {
    Arc::new(Connection {
        topic: topic.to_owned(),
        type_name: type_name.to_owned(),
        definition: saccade_msgs::registry::definition_of(type_name).unwrap_or_default(),
        definition_encoding: "ros2msg".to_owned(),
        serialization: Serialization::Cdr,
        qos: String::new(),
        md5: String::new(),
    })
}

fn failure(path: &str, reason: &dyn std::fmt::Display) -> HostError {
    HostError::Recording {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// Kind and name of an input, as an [`InputLog`] holds them.
fn describe(input: &Input) -> (u8, &'static str) {
    match input {
        Input::Start => (kind::START, ""),
        Input::Message { topic, .. } => (kind::MESSAGE, topic),
        Input::Timer { name } => (kind::TIMER, name),
        Input::Request { service: name, .. }
        | Input::Response { service: name, .. }
        | Input::Goal { action: name, .. }
        | Input::Cancel { action: name, .. }
        | Input::GoalResponse { action: name, .. }
        | Input::Feedback { action: name, .. }
        | Input::GoalResult { action: name, .. } => (kind::EXCHANGE, name),
    }
}

/// An exchange as a message. `status` holds a goal's status, whether it was
/// accepted, or whether a service answered.
pub(crate) fn pack(input: &Input) -> Exchange {
    let (kind, id, status, payload) = match input {
        Input::Request { id, payload, .. } => (Exchange::REQUEST, *id, 0, Some(payload)),
        Input::Response { id, payload, .. } => (
            Exchange::RESPONSE,
            *id,
            i8::from(payload.is_some()),
            payload.as_ref(),
        ),
        Input::Goal { id, payload, .. } => (Exchange::GOAL, *id, 0, Some(payload)),
        Input::Cancel { id, .. } => (Exchange::CANCEL, *id, 0, None),
        Input::GoalResponse { id, accepted, .. } => {
            (Exchange::GOAL_RESPONSE, *id, i8::from(*accepted), None)
        }
        Input::Feedback { id, payload, .. } => (Exchange::FEEDBACK, *id, 0, Some(payload)),
        Input::GoalResult {
            id,
            status,
            payload,
            ..
        } => (Exchange::RESULT, *id, *status as i8, Some(payload)),
        Input::Start | Input::Message { .. } | Input::Timer { .. } => (u8::MAX, 0, 0, None),
    };
    Exchange {
        name: describe(input).1.to_owned(),
        r#type: payload.map_or(String::new(), |p| p.type_name().to_owned()),
        kind,
        id,
        status,
        cdr: payload.map_or(Vec::new(), |p| p.cdr().into_owned()),
        ..Exchange::default()
    }
}
