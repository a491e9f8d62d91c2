//! The topics that are recorded, and those yet to come.

use super::RecordedTopic;
use super::queue::Queue;
use crate::cli::CliError;
use saccade_msgs::registry;
use saccade_nodes::Reliability;
use saccade_nodes::dds::{DiscoveredTopic, Participant, Subscriber, common_qos, qos_to_yaml};
use saccade_rosbags::{Connection, RawMessage, Serialization};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Messages that may wait in DDS until they are taken, per topic.
const DEPTH: usize = 256;

/// What is recorded.
pub struct Topics {
    /// The topics asked for; empty: all.
    wanted: Vec<String>,
    followed: BTreeMap<String, Followed>,
    /// What was warned of, once.
    warned: BTreeSet<String>,
}

struct Followed {
    subscriber: Subscriber,
    connection: Arc<Connection>,
    reliability: Reliability,
}

impl Topics {
    pub fn new(wanted: &[String]) -> Self {
        Self {
            wanted: wanted.to_vec(),
            followed: BTreeMap::new(),
            warned: BTreeSet::new(),
        }
    }

    /// Subscribes to what has appeared on the network.
    pub fn follow(&mut self, participant: &mut Participant) -> Result<(), CliError> {
        for topic in participant.topics() {
            let wanted = self.wanted.is_empty() || self.wanted.contains(&topic.name);
            if !wanted || topic.publishers.is_empty() {
                continue;
            }
            match self.followed.get(&topic.name) {
                Some(followed) => self.warn(&topic, misfit(followed, &topic)),
                None => {
                    let followed = Followed::new(&topic, participant)?;
                    self.followed.insert(topic.name, followed);
                }
            }
        }
        Ok(())
    }

    fn warn(&mut self, topic: &DiscoveredTopic, what: Option<String>) {
        if let Some(what) = what
            && self
                .warned
                .insert(format!("{} {}", topic.name, topic.type_name))
        {
            eprintln!("warning: {}: {what}", topic.name);
        }
    }

    /// Takes what has come.
    pub fn take(&mut self, queue: &Queue) {
        for followed in self.followed.values_mut() {
            while let Some(message) = followed.subscriber.take() {
                queue.push(RawMessage {
                    connection: Arc::clone(&followed.connection),
                    stamp_ns: message.received_ns,
                    publish_ns: message.published_ns.unwrap_or(message.received_ns),
                    sequence: message.sequence as u32,
                    data: message.cdr,
                });
            }
        }
    }

    pub fn report(&self) -> Vec<RecordedTopic> {
        let report = |followed: &Followed| {
            let counts = followed.subscriber.counts();
            RecordedTopic {
                topic: followed.connection.topic.clone(),
                r#type: followed.connection.type_name.clone(),
                messages: counts.received,
                lost: counts.lost + counts.unreadable,
            }
        };
        self.followed.values().map(report).collect()
    }
}

impl Followed {
    fn new(topic: &DiscoveredTopic, participant: &mut Participant) -> Result<Self, CliError> {
        let qos = common_qos(&topic.publishers, DEPTH);
        let subscriber = participant.subscribe(&topic.name, &topic.type_name, qos)?;
        let definition = registry::definition_of(&topic.type_name);
        eprintln!("recording {} ({})", topic.name, topic.type_name);
        if definition.is_none() {
            eprintln!(
                "note: {}: the definition of {} is not known here, and not recorded",
                topic.name, topic.type_name
            );
        }
        let connection = Connection {
            topic: topic.name.clone(),
            type_name: topic.type_name.clone(),
            definition_encoding: definition.as_ref().map_or("", |_| "ros2msg").to_owned(),
            definition: definition.unwrap_or_default(),
            serialization: Serialization::Cdr,
            qos: qos_to_yaml(&topic.publishers),
            md5: String::new(),
        };
        Ok(Self {
            subscriber,
            connection: Arc::new(connection),
            reliability: qos.reliability,
        })
    }
}

/// Why publishers of this topic are not received.
fn misfit(followed: &Followed, topic: &DiscoveredTopic) -> Option<String> {
    let recorded = &followed.connection.type_name;
    if topic.type_name != *recorded {
        let theirs = &topic.type_name;
        return Some(format!(
            "also published as {theirs}; only {recorded} is recorded"
        ));
    }
    let best_effort = |q: &saccade_nodes::Qos| q.reliability == Reliability::BestEffort;
    let deaf = followed.reliability == Reliability::Reliable;
    (deaf && topic.publishers.iter().any(best_effort)).then(|| {
        "a best-effort publisher came after a reliable one, and is not recorded".to_owned()
    })
}
