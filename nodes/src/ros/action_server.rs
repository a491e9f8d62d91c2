//! The actions of the nodes of a run, for other processes: three services and two
//! topics each, as `rcl_action` has them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use saccade_msgs::Message;
use saccade_msgs::action_msgs::{GoalInfo, GoalStatus as Status, GoalStatusArray, cancel_goal};
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::cdr::Reader;
use saccade_msgs::unique_identifier_msgs::UUID;

use super::host::{lock, typed};
use super::replies::{self, HeldReplies};
use super::services::own;
use super::{Identity, Incoming, Middleware, NetworkError, Publish, Receive, cdr};
use crate::graph::{Graph, Instance, routed};
use crate::interface::Qos;
use crate::network::{Inlet, OUTSIDE};
use crate::node::{GoalStatus, Input};
use crate::payload::Payload;

/// Goals that are remembered; the oldest that have ended give way, and then new ones are refused.
const MAX_GOALS: usize = 256;
/// What feedback has for its quality of service.
const FEEDBACK: Qos = Qos::DEFAULT;

/// The actions of nodes here.
pub(super) struct ActionServers {
    served: Vec<Served>,
    goals: Mutex<Goals>,
}

struct Served {
    node: usize,
    name: &'static str,
    goal: &'static str,
    result: &'static str,
    accepted: HeldReplies,
    cancelled: HeldReplies,
    results: HeldReplies,
    feedback: Box<dyn Publish>,
    status: Box<dyn Publish>,
}

impl Served {
    fn replies(&self) -> [&HeldReplies; 3] {
        [&self.accepted, &self.cancelled, &self.results]
    }
}

#[derive(Default)]
struct Goals {
    last: u64,
    all: BTreeMap<u64, Goal>,
}

struct Goal {
    action: usize,
    info: GoalInfo,
    /// As in `action_msgs/msg/GoalStatus`.
    status: i8,
    /// Who sent it, until it is answered.
    sender: Option<Identity>,
    result: Option<Payload>,
    /// Who asked for the result.
    asked: Vec<Identity>,
}

/// What a subscriber of [`ActionServers`] is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum ServerPart {
    Goals(usize),
    Cancels(usize),
    Results(usize),
}

type Parts = Vec<(Box<dyn Receive>, ServerPart)>;

impl ActionServers {
    /// Of all nodes of a run.
    pub fn open(
        middleware: &mut dyn Middleware,
        graph: &Graph,
        instances: &[Instance],
    ) -> Result<(Self, Parts), NetworkError> {
        let (mut served, mut parts) = (Vec::new(), Vec::new());
        for (node, instance) in instances.iter().enumerate() {
            for endpoint in instance.interface.action_servers {
                let name = format!("{}/_action", graph.full_name(node, endpoint.name));
                let kind = endpoint.type_name;
                let mut server = |part: &str, type_name: &str| {
                    let name = format!("{name}/{part}");
                    middleware.server(node, &name, type_name, Qos::DEFAULT)
                };
                let goals = server("send_goal", &format!("{kind}_SendGoal"))?;
                let cancels = server("cancel_goal", "action_msgs/srv/CancelGoal")?;
                let results = server("get_result", &format!("{kind}_GetResult"))?;
                let mut topic = |part: &str, type_name: &str, qos| {
                    middleware.publisher(node, &format!("{name}/{part}"), type_name, qos)
                };
                let feedback = topic("feedback", &format!("{kind}_FeedbackMessage"), FEEDBACK)?;
                let status = topic("status", GoalStatusArray::TYPE_NAME, Qos::LATCHED)?;
                let i = served.len();
                parts.push((goals.0, ServerPart::Goals(i)));
                parts.push((cancels.0, ServerPart::Cancels(i)));
                parts.push((results.0, ServerPart::Results(i)));
                served.push(Served {
                    node,
                    name: endpoint.name,
                    goal: typed(kind, "_Goal")?,
                    result: typed(kind, "_Result")?,
                    accepted: HeldReplies::new(goals.1),
                    cancelled: HeldReplies::new(cancels.1),
                    results: HeldReplies::new(results.1),
                    feedback,
                    status,
                });
            }
        }
        let servers = ActionServers {
            served,
            goals: Mutex::default(),
        };
        Ok((servers, parts))
    }

    /// What was lost of a node's replies.
    pub fn lost(&self, node: usize) -> impl Iterator<Item = (String, u64)> {
        let of_node = self.served.iter().filter(move |s| s.node == node);
        replies::lost(of_node.flat_map(|s| s.replies().map(|r| (s.name, r))))
    }

    /// Sends the replies whose caller listens by now.
    pub fn go_on(&self) {
        let replies = self.served.iter().flat_map(Served::replies);
        replies.for_each(HeldReplies::go_on);
    }

    /// Takes what came to a subscriber.
    ///
    /// # Errors
    /// What it should have been.
    pub fn take(
        &self,
        part: ServerPart,
        received: &Incoming,
        inlet: &Inlet,
    ) -> Result<(), (usize, String)> {
        let (ServerPart::Goals(i) | ServerPart::Cancels(i) | ServerPart::Results(i)) = part;
        let served = &self.served[i];
        let wrong = |e: &dyn std::fmt::Display| (served.node, format!("{}: {e}", served.name));
        let caller = received.of;
        let mut reader = Reader::cdr(&received.cdr).map_err(|e| wrong(&e))?;
        match part {
            ServerPart::Goals(_) => {
                let uuid = UUID::decode(&mut reader).map_err(|e| wrong(&e))?;
                let goal = Payload::read(served.goal, &mut reader).map_err(|e| wrong(&e))?;
                self.goal(i, uuid, goal, caller, inlet);
            }
            ServerPart::Cancels(_) => {
                let asked = whole::<cancel_goal::Request>(reader).map_err(|e| wrong(&e))?;
                self.cancel(i, &asked.goal_info, &caller, inlet);
            }
            ServerPart::Results(_) => {
                let uuid = whole::<UUID>(reader).map_err(|e| wrong(&e))?;
                self.result(i, uuid, caller);
            }
        }
        Ok(())
    }

    fn goal(&self, i: usize, uuid: UUID, payload: Payload, caller: Identity, inlet: &Inlet) {
        let mut goals = lock(&self.goals);
        let known = goals.all.values().any(|g| g.info.goal_id == uuid);
        if known || !goals.make_room() {
            drop(goals);
            return self.answer(i, &caller, false, Time::default());
        }
        goals.last += 1;
        let id = goals.last;
        let info = GoalInfo {
            goal_id: uuid,
            stamp: Time::from_ns(inlet.now_ns(self.served[i].node)),
        };
        let goal = Goal {
            action: i,
            info,
            status: Status::STATUS_ACCEPTED,
            sender: Some(caller),
            result: None,
            asked: Vec::new(),
        };
        goals.all.insert(id, goal);
        drop(goals);
        let input = Input::Goal {
            action: self.served[i].name,
            id: routed(OUTSIDE, id),
            payload,
        };
        inlet.exchange(self.served[i].node, input);
    }

    fn answer(&self, i: usize, caller: &Identity, accepted: bool, stamp: Time) {
        // Who cannot be told will ask no more.
        let answer = cdr(|w| {
            w.raw(&[u8::from(accepted)]);
            stamp.encode(w);
        });
        let _ = self.served[i].accepted.reply(caller, answer);
    }

    /// The node takes a goal, or refuses it.
    pub fn answered(&self, id: u64, accepted: bool) {
        let mut goals = lock(&self.goals);
        let Some(goal) = goals.all.get_mut(&own(id)) else {
            return;
        };
        let Some(caller) = goal.sender.take() else {
            return;
        };
        let (i, stamp) = (goal.action, goal.info.stamp);
        goal.status = Status::STATUS_EXECUTING;
        if !accepted {
            goals.all.remove(&own(id));
        }
        self.answer(i, &caller, accepted, stamp);
        self.tell_status(i, &goals);
    }

    /// The node tells how a goal goes.
    pub fn feedback(&self, id: u64, payload: &Payload) {
        let goals = lock(&self.goals);
        let Some(goal) = goals.all.get(&own(id)) else {
            return;
        };
        let (i, uuid) = (goal.action, goal.info.goal_id);
        drop(goals);
        let publisher = &self.served[i].feedback;
        if publisher.is_heard() {
            let _ = publisher.publish(cdr(|w| {
                uuid.encode(w);
                payload.encode(w);
            }));
        }
    }

    /// A goal has ended.
    pub fn finished(&self, id: u64, status: GoalStatus, payload: Payload) {
        let mut goals = lock(&self.goals);
        let Some(goal) = goals.all.get_mut(&own(id)) else {
            return;
        };
        goal.status = status as i8;
        for caller in std::mem::take(&mut goal.asked) {
            self.tell_result(goal.action, &caller, goal.status, &payload);
        }
        goal.result = Some(payload);
        let i = goal.action;
        self.tell_status(i, &goals);
    }

    fn result(&self, i: usize, uuid: UUID, caller: Identity) {
        let mut goals = lock(&self.goals);
        let found = goals.all.values_mut();
        let found = { found }.find(|g| g.action == i && g.info.goal_id == uuid);
        match found {
            Some(goal) => match &goal.result {
                Some(result) => self.tell_result(i, &caller, goal.status, result),
                None if goal.asked.len() < MAX_GOALS => goal.asked.push(caller),
                None => {}
            },
            None => {
                if let Some(none) = Payload::default_of(self.served[i].result) {
                    self.tell_result(i, &caller, Status::STATUS_UNKNOWN, &none);
                }
            }
        }
    }

    fn tell_result(&self, i: usize, caller: &Identity, status: i8, result: &Payload) {
        let answer = cdr(|w| {
            w.raw(&status.to_le_bytes());
            result.encode(w);
        });
        let _ = self.served[i].results.reply(caller, answer);
    }

    /// Without an identifier all goals are meant that were accepted until the stamp, and
    /// without that all.
    fn cancel(&self, i: usize, which: &GoalInfo, caller: &Identity, inlet: &Inlet) {
        let all = which.goal_id == UUID::default() && which.stamp == Time::default();
        let until = |g: &Goal| {
            let at = |t: Time| (t.sec, t.nanosec);
            which.stamp != Time::default() && at(g.info.stamp) <= at(which.stamp)
        };
        let mut goals = lock(&self.goals);
        let (mut cancelling, mut known) = (Vec::new(), None);
        for (id, goal) in goals.all.iter_mut().filter(|(_, g)| g.action == i) {
            if goal.info.goal_id == which.goal_id {
                known = Some(goal.status);
            } else if !all && !until(goal) {
                continue;
            }
            if goal.status <= Status::STATUS_CANCELING {
                goal.status = Status::STATUS_CANCELING;
                cancelling.push((*id, goal.info));
            }
        }
        let return_code = match known {
            None if !all && cancelling.is_empty() => cancel_goal::Response::ERROR_UNKNOWN_GOAL_ID,
            Some(status) if status > Status::STATUS_CANCELING => {
                cancel_goal::Response::ERROR_GOAL_TERMINATED
            }
            _ => cancel_goal::Response::ERROR_NONE,
        };
        let response = cancel_goal::Response {
            return_code,
            goals_canceling: cancelling.iter().map(|(_, info)| *info).collect(),
        };
        let _ = (self.served[i].cancelled).reply(caller, saccade_msgs::to_cdr(&response));
        self.tell_status(i, &goals);
        drop(goals);
        for (id, _) in cancelling {
            let input = Input::Cancel {
                action: self.served[i].name,
                id: routed(OUTSIDE, id),
            };
            inlet.exchange(self.served[i].node, input);
        }
    }

    fn tell_status(&self, i: usize, goals: &Goals) {
        let of_action = goals.all.values().filter(|g| g.action == i);
        let status = of_action.filter(|g| g.sender.is_none()).map(|g| Status {
            goal_info: g.info,
            status: g.status,
        });
        let message = GoalStatusArray {
            status_list: status.collect(),
        };
        let _ = (self.served[i].status).publish(saccade_msgs::to_cdr(&message));
    }
}

impl Goals {
    /// Forgets goals that have ended, the oldest first; false if all are at work.
    fn make_room(&mut self) -> bool {
        while self.all.len() >= MAX_GOALS {
            let ended = self.all.iter().find(|(_, g)| g.result.is_some());
            match ended.map(|(id, _)| *id) {
                Some(id) => self.all.remove(&id),
                None => return false,
            };
        }
        true
    }
}

/// A message that is the rest of a request.
fn whole<M: Message>(mut reader: Reader<'_>) -> Result<M, saccade_msgs::cdr::CdrError> {
    let message = M::decode(&mut reader)?;
    reader.finish(M::TYPE_NAME)?;
    Ok(message)
}
