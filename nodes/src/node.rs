//! The node: a state machine without I/O, and what goes in and out of it.

use crate::interface::Interface;
use crate::parameters::{ParameterError, Parameters};
use crate::payload::Payload;
use saccade_msgs::Message;

/// Why a node could not be configured.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A parameter is wrong.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Something the node loads (weights, world) is wrong; the text names it.
    #[error("node {node}: {reason}")]
    Configuration {
        /// Node name.
        node: &'static str,
        /// What, where and what to do.
        reason: String,
    },
}

/// How an action goal ended; values of `action_msgs/msg/GoalStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum GoalStatus {
    /// Reached.
    Succeeded = 4,
    /// Stopped on request.
    Canceled = 5,
    /// Failed.
    Aborted = 6,
}

impl GoalStatus {
    /// From the value in `action_msgs/msg/GoalStatus`; anything unknown is a failure.
    pub fn from_i8(value: i8) -> Self {
        match value {
            4 => GoalStatus::Succeeded,
            5 => GoalStatus::Canceled,
            _ => GoalStatus::Aborted,
        }
    }
}

/// What a host hands to a node. Names are those of the node's [`Interface`].
#[derive(Debug, Clone)]
#[allow(missing_docs)] // Each variant's text says what its fields are.
pub enum Input {
    /// First input of all, once, after configuration.
    Start,
    /// A message on a subscribed topic.
    Message {
        topic: &'static str,
        payload: Payload,
    },
    /// A timer is due.
    Timer { name: &'static str },
    /// Server: a service request; answer with [`Context::respond`].
    Request {
        service: &'static str,
        id: u64,
        payload: Payload,
    },
    /// Client: the answer to [`Context::call`]; `None` when no server took it.
    Response {
        service: &'static str,
        id: u64,
        payload: Option<Payload>,
    },
    /// Server: a new goal; answer with [`Context::answer_goal`].
    Goal {
        action: &'static str,
        id: u64,
        payload: Payload,
    },
    /// Server: a goal shall be cancelled.
    Cancel { action: &'static str, id: u64 },
    /// Client: the server took the goal or refused it.
    GoalResponse {
        action: &'static str,
        id: u64,
        accepted: bool,
    },
    /// Client: feedback of a running goal.
    Feedback {
        action: &'static str,
        id: u64,
        payload: Payload,
    },
    /// Client: a goal ended.
    GoalResult {
        action: &'static str,
        id: u64,
        status: GoalStatus,
        payload: Payload,
    },
}

/// Severity of a log line, as in `rcl_interfaces/msg/Log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// Normal course of events.
    Info,
    /// Something degraded.
    Warn,
    /// Something failed.
    Error,
}

/// A line of a node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How grave it is.
    pub level: Level,
    /// What is the matter.
    pub text: String,
    /// Source file.
    pub file: &'static str,
    /// Line of the file.
    pub line: u32,
    /// Function or module, where it is known.
    pub function: &'static str,
}

impl LogLine {
    /// A line said where this is called.
    #[track_caller]
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        let place = std::panic::Location::caller();
        LogLine {
            level,
            text: text.into(),
            file: place.file(),
            line: place.line(),
            function: "",
        }
    }
}

/// What a node wants done.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // Each variant's text says what its fields are.
pub enum Output {
    /// Publish on a topic.
    Publish {
        topic: &'static str,
        payload: Payload,
    },
    /// Client: call a service.
    Call {
        service: &'static str,
        id: u64,
        payload: Payload,
    },
    /// Server: answer a request.
    Respond {
        service: &'static str,
        id: u64,
        payload: Payload,
    },
    /// Client: send a goal.
    SendGoal {
        action: &'static str,
        id: u64,
        payload: Payload,
    },
    /// Client: cancel a goal.
    CancelGoal { action: &'static str, id: u64 },
    /// Server: accept or refuse a goal.
    AnswerGoal {
        action: &'static str,
        id: u64,
        accepted: bool,
    },
    /// Server: feedback.
    Feedback {
        action: &'static str,
        id: u64,
        payload: Payload,
    },
    /// Server: a goal ended.
    FinishGoal {
        action: &'static str,
        id: u64,
        status: GoalStatus,
        payload: Payload,
    },
    /// Change or stop (`None`) a timer; it is next due one period from now.
    SetTimer {
        name: &'static str,
        period_ns: Option<i64>,
    },
    /// A log line, to `/rosout` and the console.
    Log(LogLine),
    /// A latency sample in nanoseconds, for `/diagnostics`.
    Latency {
        name: &'static str,
        nanoseconds: i64,
    },
    /// This run is over (a required node is done).
    Shutdown { reason: String },
}

/// The moment a node is driven in, and the way its outputs leave.
pub struct Context<'a> {
    /// Time of the input, ROS time in nanoseconds.
    pub now_ns: i64,
    /// When what caused this input arrived from outside, in the same clock:
    /// carried along from message to message, so that latencies can be told.
    pub origin_ns: i64,
    outputs: &'a mut Vec<Output>,
    next_id: &'a mut u64,
}

impl<'a> Context<'a> {
    /// For hosts and unit tests: outputs are appended to `outputs`; `next_id`
    /// is the node's own counter of calls and goals.
    pub fn new(
        now_ns: i64,
        origin_ns: i64,
        outputs: &'a mut Vec<Output>,
        next_id: &'a mut u64,
    ) -> Self {
        Context {
            now_ns,
            origin_ns,
            outputs,
            next_id,
        }
    }

    /// The stamp for message headers.
    pub fn stamp(&self) -> saccade_msgs::builtin_interfaces::Time {
        saccade_msgs::builtin_interfaces::Time::from_ns(self.now_ns)
    }

    /// Publishes a message.
    pub fn publish<M: Message>(&mut self, topic: &'static str, message: M) {
        self.outputs.push(Output::Publish {
            topic,
            payload: Payload::new(message),
        });
    }

    /// Calls a service; the answer comes as [`Input::Response`] with this id.
    pub fn call<M: Message>(&mut self, service: &'static str, request: M) -> u64 {
        let id = self.new_id();
        self.outputs.push(Output::Call {
            service,
            id,
            payload: Payload::new(request),
        });
        id
    }

    /// Answers a service request.
    pub fn respond<M: Message>(&mut self, service: &'static str, id: u64, response: M) {
        self.outputs.push(Output::Respond {
            service,
            id,
            payload: Payload::new(response),
        });
    }

    /// Sends an action goal; answers come with this id.
    pub fn send_goal<M: Message>(&mut self, action: &'static str, goal: M) -> u64 {
        let id = self.new_id();
        self.outputs.push(Output::SendGoal {
            action,
            id,
            payload: Payload::new(goal),
        });
        id
    }

    /// Asks to cancel a goal.
    pub fn cancel_goal(&mut self, action: &'static str, id: u64) {
        self.outputs.push(Output::CancelGoal { action, id });
    }

    /// Accepts or refuses a goal.
    pub fn answer_goal(&mut self, action: &'static str, id: u64, accepted: bool) {
        self.outputs.push(Output::AnswerGoal {
            action,
            id,
            accepted,
        });
    }

    /// Feedback on a running goal.
    pub fn feedback<M: Message>(&mut self, action: &'static str, id: u64, feedback: M) {
        self.outputs.push(Output::Feedback {
            action,
            id,
            payload: Payload::new(feedback),
        });
    }

    /// Ends a goal.
    pub fn finish_goal<M: Message>(
        &mut self,
        action: &'static str,
        id: u64,
        status: GoalStatus,
        result: M,
    ) {
        self.outputs.push(Output::FinishGoal {
            action,
            id,
            status,
            payload: Payload::new(result),
        });
    }

    /// Changes or stops a timer.
    pub fn set_timer(&mut self, name: &'static str, period_ns: Option<i64>) {
        self.outputs.push(Output::SetTimer { name, period_ns });
    }

    /// Writes a log line.
    #[track_caller]
    pub fn log(&mut self, level: Level, text: impl Into<String>) {
        self.outputs.push(Output::Log(LogLine::new(level, text)));
    }

    /// What the node has said so far.
    pub(crate) fn outputs(&mut self) -> &mut Vec<Output> {
        self.outputs
    }

    /// Reports a latency sample since `origin_ns`.
    pub fn latency_since(&mut self, name: &'static str, origin_ns: i64) {
        self.outputs.push(Output::Latency {
            name,
            nanoseconds: self.now_ns - origin_ns,
        });
    }

    /// Ends the run.
    pub fn shutdown(&mut self, reason: impl Into<String>) {
        self.outputs.push(Output::Shutdown {
            reason: reason.into(),
        });
    }

    fn new_id(&mut self) -> u64 {
        *self.next_id += 1;
        *self.next_id
    }
}

/// A node's own view of its health, for `/diagnostics`.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// `OK` when empty; otherwise what is wrong.
    pub warning: Option<String>,
    /// Counters and states by name.
    pub values: Vec<(String, String)>,
}

/// A node. It is given inputs one at a time and in order; its outputs must be
/// a function of the parameters and the inputs alone.
pub trait Node: Send {
    /// What it publishes, subscribes to, offers and needs.
    fn interface(&self) -> &'static Interface;

    /// Takes one input.
    fn handle(&mut self, input: Input, ctx: &mut Context<'_>);

    /// Takes parameters of which some that are declared [`live`] have changed, and
    /// are in range. It is called between inputs, by the host's services
    /// ([`crate::parameter_services`]), and works as long as it does.
    ///
    /// # Errors
    /// What the ranges do not say; the node goes on as it was then.
    ///
    /// [`live`]: crate::ParameterDecl::live
    fn change(&mut self, _parameters: &Parameters) -> Result<(), NodeError> {
        Ok(())
    }

    /// Comes to rest, before the node is made inactive: the robot stands, and what was
    /// under way is forgotten. Goals that are still under way after it are cancelled by
    /// the host. [`Input::Start`] comes when the node is made active again.
    fn deactivate(&mut self, _ctx: &mut Context<'_>) {}

    /// Whether it learns. Where time goes back other nodes are made anew, as at the
    /// beginning; one that learns only comes to rest and starts again.
    fn learns(&self) -> bool {
        false
    }

    /// Whether it talks with something that has a clock of its own, beside its inputs: then
    /// the lockstep host refuses it, and a replay leaves it out.
    fn real_time_only(&self) -> bool {
        false
    }

    /// Counters and state for `/diagnostics`; called about once a second.
    fn health(&self) -> Health {
        Health::default()
    }

    /// Wall seconds spent in parts of the node, by name, for speed reports.
    /// Kept apart from [`Node::health`] because it differs from run to run.
    fn profile(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// How long a step of the node takes by the wall clock, by name, for speed reports.
    fn timings(&self) -> Vec<(&'static str, crate::host::Percentiles)> {
        Vec::new()
    }
}

/// How a node is made: from its parameters.
pub type Factory = fn(&Parameters) -> Result<Box<dyn Node>, NodeError>;
