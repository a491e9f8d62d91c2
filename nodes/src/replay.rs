//! Replaying a recording: every node of the run is given its recorded inputs
//! in their recorded order, and what it says is held against what it said.
//!
//! It works for lockstep and real-time recordings alike, because a node is a
//! function of its inputs. The embedded world is left out: its part is played
//! by the recording.

use crate::graph::{Graph, Instance};
use crate::host::{HostError, NodeSpec};
use crate::interface::Interface;
use crate::node::{GoalStatus, Input, Output};
use crate::payload::Payload;
use crate::recording::{self, kind};
use crate::slot::{Slot, own_services};
use saccade_msgs::saccade_msgs::{Exchange, InputLog};
use saccade_msgs::{from_cdr, std_msgs};
use saccade_rosbags::BagReader;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// How a replay compares with its recording.
#[derive(Debug, Default, serde::Serialize)]
pub struct ReplayReport {
    /// Inputs fed, by node.
    pub inputs: BTreeMap<String, u64>,
    /// Outputs that equal the recorded ones to the byte, by topic.
    pub equal: BTreeMap<String, u64>,
    /// Outputs that differ or were not in the recording, by topic.
    pub different: BTreeMap<String, u64>,
    /// What the recording has of these nodes and they did not say again, by topic.
    pub missing: BTreeMap<String, u64>,
    /// The first difference, for the eye.
    pub first_difference: Option<String>,
}

impl ReplayReport {
    /// Whether every output equals its recording, and there was at least one, and the
    /// recording holds no other.
    pub fn identical(&self) -> bool {
        self.different.is_empty() && self.missing.is_empty() && self.equal.values().any(|n| *n > 0)
    }

    fn miss(&mut self, name: &str, count: usize) {
        if count == 0 {
            return;
        }
        *self.missing.entry(name.to_owned()).or_default() += count as u64;
        self.first_difference
            .get_or_insert_with(|| format!("{name}: {count} of the recording are not said again"));
    }

    fn compare(&mut self, name: &str, at_ns: i64, new: &[u8], recorded: Option<&[u8]>) {
        let equal = recorded == Some(new);
        let table = if equal {
            &mut self.equal
        } else {
            &mut self.different
        };
        *table.entry(name.to_owned()).or_default() += 1;
        if !equal && self.first_difference.is_none() {
            self.first_difference = Some(match recorded {
                Some(old) => format!(
                    "{name} at {at_ns} ns: byte {} differs",
                    new.iter().zip(old).take_while(|(a, b)| a == b).count()
                ),
                None => format!("{name} at {at_ns} ns: not in the recording"),
            });
        }
    }
}

/// All that a replay needs of a recording, in memory.
#[derive(Default)]
struct Recording {
    specs: Vec<NodeSpec>,
    /// `(topic, sequence)` → CDR
    messages: HashMap<(String, u32), Vec<u8>>,
    exchanges: HashMap<u32, Exchange>,
    /// Exchange numbers by sender, in order.
    sent: HashMap<String, Vec<u32>>,
    logs: HashMap<String, Vec<InputLog>>,
    /// Whether other processes took part: what they were sent was not recorded.
    network: bool,
}

/// Replays all nodes of a recording but the embedded world, and those that talk with
/// something that has a clock of its own.
///
/// # Errors
/// A file that is no recording of ours, is damaged, or names nodes or
/// parameters that do not exist any more.
pub fn run(path: &Path) -> Result<ReplayReport, HostError> {
    let recording = Recording::read(path)?;
    let (graph, instances) = Graph::build(&recording.specs)?;
    let mut report = ReplayReport::default();
    let mut said = Said::of(&recording, &graph, &instances);
    for (index, instance) in instances.into_iter().enumerate() {
        if is_replayed(&instance) {
            let slot = Slot::new(instance, 0);
            replay_node(
                &graph,
                index,
                slot,
                &recording,
                &mut said,
                &mut report,
                path,
            )?;
        }
    }
    for (topic, left) in said.left {
        report.miss(topic, left.len());
    }
    Ok(report)
}

/// The recording plays the part of the embedded world, and of what is not a function of its
/// inputs.
fn is_replayed(instance: &Instance) -> bool {
    instance.interface.name != "embedded_world" && !instance.node.real_time_only()
}

/// What a recording holds of the topics on which only replayed nodes publish.
struct Said<'a> {
    /// Numbers of the messages that nobody has said again yet.
    left: BTreeMap<&'a str, BTreeSet<u32>>,
    /// Where several nodes publish, or other processes may, whose messages are numbered
    /// together: the numbers by what was said.
    shared: HashMap<&'a str, HashMap<&'a [u8], Vec<u32>>>,
}

impl<'a> Said<'a> {
    fn of(recording: &'a Recording, graph: &Graph, instances: &[Instance]) -> Self {
        let mut publishers: HashMap<&str, (usize, bool)> = HashMap::new();
        // Other processes may have said what nodes here have heard.
        let others =
            |topic: usize| recording.network && !graph.topics[topic].subscribers.is_empty();
        for (index, instance) in instances.iter().enumerate() {
            for endpoint in instance.interface.publishers {
                let Some(topic) = graph.publishes(index, endpoint.name) else {
                    continue;
                };
                let entry = publishers.entry(&graph.topics[topic].name);
                let (count, replayed) = entry.or_insert((0, true));
                *count += 1 + usize::from(others(topic));
                *replayed &= is_replayed(instance) && !others(topic);
            }
        }
        let (mut left, mut shared) = (BTreeMap::new(), HashMap::new());
        for ((topic, sequence), cdr) in &recording.messages {
            let Some((count, replayed)) = publishers.get(topic.as_str()) else {
                continue;
            };
            if *replayed {
                let numbers: &mut BTreeSet<u32> = left.entry(topic.as_str()).or_default();
                numbers.insert(*sequence);
            }
            if *count > 1 {
                let by_bytes: &mut HashMap<&[u8], Vec<u32>> =
                    shared.entry(topic.as_str()).or_default();
                by_bytes.entry(cdr).or_default().push(*sequence);
            }
        }
        Said { left, shared }
    }

    /// The number of what a node now says on a topic, its last one having been `last`.
    /// Alone on it, it is the next; otherwise the first of equal bytes after that.
    fn number(&mut self, topic: &str, last: u32, cdr: &[u8]) -> u32 {
        let number = match self.shared.get_mut(topic) {
            None => last + 1,
            Some(by_bytes) => {
                let numbers = by_bytes.get_mut(cdr).map_or(&mut [][..], Vec::as_mut_slice);
                let later = numbers.iter_mut().filter(|n| **n > last);
                // Taken: no other node has said this one.
                later.min().map_or(u32::MAX, std::mem::take)
            }
        };
        if let Some(left) = self.left.get_mut(topic) {
            left.remove(&number);
        }
        number
    }
}

fn replay_node(
    graph: &Graph,
    index: usize,
    mut slot: Slot,
    recording: &Recording,
    said: &mut Said<'_>,
    report: &mut ReplayReport,
    path: &Path,
) -> Result<(), HostError> {
    let name = slot.instance.name.clone();
    let sent = recording.sent.get(&name).map_or(&[][..], Vec::as_slice);
    let mut last_said = HashMap::new();
    let mut exchanged = 0;
    for log in recording.logs.get(&name).map_or(&[][..], Vec::as_slice) {
        for i in 0..log.now_ns.len() {
            let input = recording
                .input(log, i, graph, index, slot.instance.interface)
                .ok_or_else(|| {
                    failure(
                        path,
                        format!(
                            "{name}: input {} of its log cannot be restored",
                            log.first_order + i as u64
                        ),
                    )
                })?;
            let now_ns = log.now_ns[i];
            let mut outputs = slot.drive(input, now_ns, now_ns);
            for output in outputs.drain(..) {
                match output {
                    Output::Publish { topic, payload } => {
                        let Some(topic) = graph.publishes(index, topic) else {
                            continue;
                        };
                        let topic = &graph.topics[topic].name;
                        let last = last_said.entry(topic.clone()).or_insert(0_u32);
                        let new = payload.cdr();
                        let number = said.number(topic, *last, &new);
                        let old = recording.messages.get(&(topic.clone(), number));
                        if number < u32::MAX {
                            *last = number;
                        }
                        report.compare(topic, now_ns, &new, old.map(Vec::as_slice));
                    }
                    output if recording.network && graph.is_outside(index, &output) => {}
                    output => {
                        let Some((_, input)) = graph.exchange(index, output) else {
                            continue;
                        };
                        let old = sent.get(exchanged).and_then(|n| recording.exchanges.get(n));
                        exchanged += 1;
                        let new = recording::pack(&input);
                        let same = old.is_some_and(|o| {
                            (&o.name, o.kind, o.id, o.status)
                                == (&new.name, new.kind, new.id, new.status)
                        });
                        let old = old.filter(|_| same).map(|o| o.cdr.as_slice());
                        report.compare(recording::EXCHANGES, now_ns, &new.cdr, old);
                    }
                }
            }
            slot.recycle(outputs);
        }
    }
    report.miss(recording::EXCHANGES, sent.len().saturating_sub(exchanged));
    report.inputs.insert(name, slot.inputs);
    Ok(())
}

impl Recording {
    fn read(path: &Path) -> Result<Self, HostError> {
        let fail = |e: saccade_rosbags::BagError| failure(path, e.to_string());
        let bad = |e: saccade_msgs::cdr::CdrError| failure(path, e.to_string());
        let mut recording = Recording::default();
        for message in BagReader::open(path).map_err(fail)? {
            let message = message.map_err(fail)?;
            match message.topic() {
                recording::GRAPH => {
                    let text: std_msgs::String = from_cdr(&message.data).map_err(bad)?;
                    recording.specs = serde_json::from_str(&text.data)
                        .map_err(|e| failure(path, format!("{}: {e}", recording::GRAPH)))?;
                }
                recording::NETWORK => recording.network = true,
                recording::EXCHANGES => {
                    let exchange: Exchange = from_cdr(&message.data).map_err(bad)?;
                    let sender = exchange.header.frame_id.clone();
                    recording
                        .sent
                        .entry(sender)
                        .or_default()
                        .push(message.sequence);
                    recording.exchanges.insert(message.sequence, exchange);
                }
                recording::INPUTS => {
                    let log: InputLog = from_cdr(&message.data).map_err(bad)?;
                    recording
                        .logs
                        .entry(log.node.clone())
                        .or_default()
                        .push(log);
                }
                topic => {
                    let key = (topic.to_owned(), message.sequence);
                    recording.messages.insert(key, message.data);
                }
            }
        }
        if recording.specs.is_empty() || recording.logs.is_empty() {
            return Err(failure(
                path,
                format!(
                    "no {} and {} in it; only recordings made by `saccade launch --record` replay",
                    recording::GRAPH,
                    recording::INPUTS
                ),
            ));
        }
        for logs in recording.logs.values_mut() {
            logs.sort_by_key(|l| l.first_order);
        }
        Ok(recording)
    }

    /// The `i`-th input of a log, or `None` where the recording lacks its parts.
    fn input(
        &self,
        log: &InputLog,
        i: usize,
        graph: &Graph,
        node: usize,
        interface: &'static Interface,
    ) -> Option<Input> {
        let sequence = *log.source_sequence.get(i)?;
        let name = log.names.get(*log.name.get(i)? as usize)?;
        match *log.kind.get(i)? {
            kind::START => Some(Input::Start),
            kind::TIMER => {
                let timer = interface.timers.iter().find(|t| t.name == name)?;
                Some(Input::Timer { name: timer.name })
            }
            kind::MESSAGE => {
                let (topic, own) = graph.topics.iter().find_map(|t| {
                    let s = t
                        .subscribers
                        .iter()
                        .find(|s| s.node == node && s.name == name)?;
                    Some((t, s.name))
                })?;
                let cdr = self.messages.get(&(topic.name.clone(), sequence))?;
                let payload = Payload::from_cdr(topic.type_name, cdr.as_slice());
                Some(Input::Message {
                    topic: own,
                    payload,
                })
            }
            _ => unpack(self.exchanges.get(&sequence)?, interface),
        }
    }
}

fn unpack(e: &Exchange, interface: &'static Interface) -> Option<Input> {
    let own = |lists: &[&'static [crate::Endpoint]]| {
        lists
            .iter()
            .copied()
            .flatten()
            .find(|p| p.name == e.name)
            .map(|p| p.name)
    };
    let payload = || Payload::from_cdr(e.r#type.as_str(), e.cdr.as_slice());
    let hosts = || own_services().find(|s| s.name == e.name).map(|s| s.name);
    let service = own(&[interface.services, interface.clients]).or_else(hosts);
    let action = own(&[interface.action_servers, interface.action_clients]);
    let id = e.id;
    Some(match e.kind {
        Exchange::REQUEST => Input::Request {
            service: service?,
            id,
            payload: payload(),
        },
        Exchange::RESPONSE => Input::Response {
            service: service?,
            id,
            payload: (e.status != 0).then(payload),
        },
        Exchange::GOAL => Input::Goal {
            action: action?,
            id,
            payload: payload(),
        },
        Exchange::GOAL_RESPONSE => Input::GoalResponse {
            action: action?,
            id,
            accepted: e.status != 0,
        },
        Exchange::CANCEL => Input::Cancel {
            action: action?,
            id,
        },
        Exchange::FEEDBACK => Input::Feedback {
            action: action?,
            id,
            payload: payload(),
        },
        Exchange::RESULT => {
            let status = GoalStatus::from_i8(e.status);
            Input::GoalResult {
                action: action?,
                id,
                status,
                payload: payload(),
            }
        }
        _ => return None,
    })
}

fn failure(path: &Path, reason: String) -> HostError {
    HostError::Recording {
        path: path.display().to_string(),
        reason,
    }
}
