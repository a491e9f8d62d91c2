//! The actions of other processes, for the nodes of a run.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use saccade_msgs::Message;
use saccade_msgs::action_msgs::GoalInfo;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::cdr::{CdrError, Reader};
use saccade_msgs::unique_identifier_msgs::UUID;

use super::host::{lock, typed};
use super::services::Found;
use super::{Ask, Incoming, Middleware, NetworkError, Receive, cdr};
use crate::graph::{Graph, Instance};
use crate::interface::Qos;
use crate::network::Inlet;
use crate::node::{GoalStatus, Input};
use crate::payload::{Payload, PayloadError};

/// Goals that may be under way; the oldest are forgotten.
const MAX_GOALS: usize = 256;
/// How long a goal waits for its server, and then for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Actions that nodes here call.
pub(super) struct ActionClients {
    called: Vec<Called>,
    goals: Mutex<Vec<Goal>>,
}

struct Called {
    node: usize,
    name: &'static str,
    result: &'static str,
    feedback: &'static str,
    goals: Box<dyn Ask>,
    cancels: Box<dyn Ask>,
    results: Box<dyn Ask>,
    found: [Found; 2],
}

struct Goal {
    called: usize,
    /// As the node knows it.
    id: u64,
    uuid: UUID,
    payload: Payload,
    since: Instant,
    stage: Stage,
}

/// How far a goal is, with the number of the request that waits for its reply.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Waiting,
    Sent(i64),
    Taken(i64),
}

/// What a subscriber of [`ActionClients`] is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum ClientPart {
    Answers(usize),
    Results(usize),
    Feedback(usize),
    /// Replies to requests to cancel, which say nothing that the result does not.
    Cancels,
}

type Parts = Vec<(Box<dyn Receive>, ClientPart)>;

impl ActionClients {
    /// Of all nodes of a run.
    pub fn open(
        middleware: &mut dyn Middleware,
        graph: &Graph,
        instances: &[Instance],
    ) -> Result<(Self, Parts), NetworkError> {
        let (mut called, mut parts) = (Vec::new(), Vec::new());
        for (node, instance) in instances.iter().enumerate() {
            for endpoint in instance.interface.action_clients {
                let name = format!("{}/_action", graph.full_name(node, endpoint.name));
                let kind = endpoint.type_name;
                let mut client = |part: &str, type_name: &str| {
                    let name = format!("{name}/{part}");
                    middleware.client(node, &name, type_name)
                };
                let goals = client("send_goal", &format!("{kind}_SendGoal"))?;
                let cancels = client("cancel_goal", "action_msgs/srv/CancelGoal")?;
                let results = client("get_result", &format!("{kind}_GetResult"))?;
                let feedback = middleware.subscriber(
                    &[node],
                    &format!("{name}/feedback"),
                    &format!("{kind}_FeedbackMessage"),
                    Qos::DEFAULT,
                )?;
                let i = called.len();
                parts.push((goals.0, ClientPart::Answers(i)));
                parts.push((results.0, ClientPart::Results(i)));
                parts.push((cancels.0, ClientPart::Cancels));
                parts.push((feedback, ClientPart::Feedback(i)));
                called.push(Called {
                    node,
                    name: endpoint.name,
                    result: typed(kind, "_Result")?,
                    feedback: typed(kind, "_Feedback")?,
                    goals: goals.1,
                    cancels: cancels.1,
                    results: results.1,
                    found: Default::default(),
                });
            }
        }
        let goals = Mutex::default();
        Ok((ActionClients { called, goals }, parts))
    }

    /// A node here sends a goal.
    pub fn send(&self, node: usize, action: &'static str, id: u64, payload: Payload) {
        let Some(called) = self.find(node, action) else {
            return;
        };
        let mut goal = Goal {
            called,
            id,
            uuid: UUID {
                uuid: rand::random(),
            },
            payload,
            since: Instant::now(),
            stage: Stage::Waiting,
        };
        let mut goals = lock(&self.goals);
        self.try_send(&mut goal);
        goals.push(goal);
    }

    /// A node here cancels a goal.
    pub fn cancel(&self, node: usize, action: &'static str, id: u64) {
        let Some(called) = self.find(node, action) else {
            return;
        };
        let goals = lock(&self.goals);
        let Some(goal) = goals.iter().find(|g| g.called == called && g.id == id) else {
            return;
        };
        let info = GoalInfo {
            goal_id: goal.uuid,
            stamp: Time::default(),
        };
        let _ = (self.called[called].cancels).ask(saccade_msgs::to_cdr(&info));
    }

    fn find(&self, node: usize, action: &str) -> Option<usize> {
        (self.called.iter()).position(|c| c.node == node && c.name == action)
    }

    fn try_send(&self, goal: &mut Goal) {
        let called = &self.called[goal.called];
        let [goals, results] = &called.found;
        // Both are asked, so that both begin to wait.
        let ready = [
            goals.is_ready(&*called.goals),
            results.is_ready(&*called.results),
        ];
        if ready != [true; 2] {
            return;
        }
        let request = cdr(|w| {
            goal.uuid.encode(w);
            goal.payload.encode(w);
        });
        let sent = called.goals.ask(request);
        if let Ok(number) = sent {
            goal.stage = Stage::Sent(number);
            goal.since = Instant::now();
        }
    }

    /// Sends the goals whose server has been found, and gives up those that waited too long.
    pub fn go_on(&self, inlet: &Inlet) {
        let mut given_up = Vec::new();
        let mut goals = lock(&self.goals);
        let too_many = goals.len().saturating_sub(MAX_GOALS);
        for (i, mut goal) in std::mem::take(&mut *goals).into_iter().enumerate() {
            if goal.stage == Stage::Waiting {
                self.try_send(&mut goal);
            }
            let taken = matches!(goal.stage, Stage::Taken(_));
            if i < too_many || (!taken && goal.since.elapsed() > PATIENCE) {
                given_up.push(goal);
            } else {
                goals.push(goal);
            }
        }
        drop(goals);
        for goal in given_up {
            self.answer(&goal, false, inlet);
        }
    }

    /// Takes what came to a subscriber.
    ///
    /// # Errors
    /// What it should have been.
    pub fn take(
        &self,
        part: ClientPart,
        received: &Incoming,
        inlet: &Inlet,
    ) -> Result<(), (usize, String)> {
        let (i, done) = match part {
            ClientPart::Answers(i) => (i, self.answered(i, received, inlet)),
            ClientPart::Results(i) => (i, self.result(i, received, inlet)),
            ClientPart::Feedback(i) => (i, self.feedback(i, received, inlet)),
            ClientPart::Cancels => return Ok(()),
        };
        let called = &self.called[i];
        done.map_err(|e| (called.node, format!("{}: {e}", called.name)))
    }

    fn answered(&self, i: usize, received: &Incoming, inlet: &Inlet) -> Result<(), ReplyError> {
        let called = &self.called[i];
        let number = received.of.number;
        let mut reader = Reader::cdr(&received.cdr)?;
        let accepted = reader.bool()?;
        let mut goals = lock(&self.goals);
        let sent = |g: &Goal| g.called == i && g.stage == Stage::Sent(number);
        let Some(at) = goals.iter().position(sent) else {
            return Ok(());
        };
        let goal = if accepted {
            let uuid = goals[at].uuid;
            let asked = called.results.ask(saccade_msgs::to_cdr(&uuid));
            // A number that no reply has: the result will not come.
            goals[at].stage = Stage::Taken(asked.unwrap_or(-1));
            None
        } else {
            Some(goals.remove(at))
        };
        let id = goal.as_ref().map_or_else(|| goals[at].id, |g| g.id);
        drop(goals);
        self.hand_answer(i, id, accepted, inlet);
        Ok(())
    }

    fn answer(&self, goal: &Goal, accepted: bool, inlet: &Inlet) {
        self.hand_answer(goal.called, goal.id, accepted, inlet);
    }

    fn hand_answer(&self, i: usize, id: u64, accepted: bool, inlet: &Inlet) {
        let called = &self.called[i];
        let input = Input::GoalResponse {
            action: called.name,
            id,
            accepted,
        };
        inlet.exchange(called.node, input);
    }

    fn result(&self, i: usize, received: &Incoming, inlet: &Inlet) -> Result<(), ReplyError> {
        let called = &self.called[i];
        let number = received.of.number;
        let mut reader = Reader::cdr(&received.cdr)?;
        let status = status(&mut reader)?;
        let payload = Payload::read(called.result, &mut reader)?;
        let goal = {
            let mut goals = lock(&self.goals);
            let taken = |g: &Goal| g.called == i && g.stage == Stage::Taken(number);
            goals.iter().position(taken).map(|at| goals.remove(at))
        };
        if let Some(goal) = goal {
            let input = Input::GoalResult {
                action: called.name,
                id: goal.id,
                status,
                payload,
            };
            inlet.exchange(called.node, input);
        }
        Ok(())
    }

    fn feedback(&self, i: usize, received: &Incoming, inlet: &Inlet) -> Result<(), ReplyError> {
        let called = &self.called[i];
        let mut reader = Reader::cdr(&received.cdr)?;
        let uuid = UUID::decode(&mut reader)?;
        let found = {
            let goals = lock(&self.goals);
            let found = goals.iter().find(|g| g.called == i && g.uuid == uuid);
            found.map(|g| g.id)
        };
        if let Some(id) = found {
            let input = Input::Feedback {
                action: called.name,
                id,
                payload: Payload::read(called.feedback, &mut reader)?,
            };
            inlet.exchange(called.node, input);
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum ReplyError {
    #[error(transparent)]
    Cdr(#[from] CdrError),
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

fn status(reader: &mut Reader<'_>) -> Result<GoalStatus, CdrError> {
    let byte = reader.take(1, 1, "the status of a goal")?;
    Ok(GoalStatus::from_i8(byte[0] as i8))
}
