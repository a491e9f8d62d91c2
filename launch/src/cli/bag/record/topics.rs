//! The topics that are recorded, and those yet to come.

use super::RecordedTopic;
use crate::cli::CliError;
use saccade_msgs::registry;
use saccade_nodes::Qos;
use saccade_nodes::Reliability;
use saccade_nodes::dds::{DiscoveredTopic, Participant, Subscriber, qos_to_yaml};
use saccade_rosbags::{
    BagRecorder, Connection, RawMessage, Serialization, TranscodeError, Transcoder,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Messages that may wait in DDS until they are taken, per topic: a second of an event camera's
/// packets, for a disk or a machine that stalls.
const DEPTH: usize = 1024;

/// What is recorded.
pub struct Topics {
    /// The topics asked for; empty: all.
    wanted: Vec<String>,
    /// How messages are recorded.
    serialization: Serialization,
    followed: BTreeMap<String, Followed>,
    /// What was warned of, once.
    warned: BTreeSet<String>,
}

struct Followed {
    subscriber: Subscriber,
    connection: Arc<Connection>,
    /// Into ROS 1, where the recording is one.
    transcoder: Option<Transcoder>,
    reliability: Reliability,
    unreadable: u64,
}

impl Topics {
    pub fn new(wanted: &[String], serialization: Serialization) -> Self {
        Self {
            wanted: wanted.to_vec(),
            serialization,
            followed: BTreeMap::new(),
            warned: BTreeSet::new(),
        }
    }

    /// Subscribes to what has appeared on the network.
    pub fn follow(
        &mut self,
        participant: &mut Participant,
        recorder: &mut BagRecorder,
    ) -> Result<(), CliError> {
        for topic in participant.topics() {
            let wanted = self.wanted.is_empty() || self.wanted.contains(&topic.name);
            if !wanted || topic.publishers.is_empty() {
                continue;
            }
            match self.followed.get(&topic.name) {
                Some(followed) => self.warn(&topic, misfit(followed, &topic)),
                None => match recorded(&topic, self.serialization) {
                    Ok((connection, transcoder)) => {
                        recorder.add_connection(Arc::clone(&connection))?;
                        let followed = Followed::new(&topic, connection, transcoder, participant)?;
                        self.followed.insert(topic.name, followed);
                    }
                    Err(why) => self.warn(&topic, Some(format!("cannot be recorded: {why}"))),
                },
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
    pub fn take(&mut self, recorder: &mut BagRecorder) -> Result<(), CliError> {
        for followed in self.followed.values_mut() {
            while let Some(message) = followed.subscriber.take() {
                let data = match &followed.transcoder {
                    None => message.cdr,
                    Some(transcoder) => {
                        let mut data = Vec::new();
                        if transcoder.transcode(&message.cdr, &mut data).is_err() {
                            followed.unreadable += 1;
                            continue;
                        }
                        data
                    }
                };
                recorder.push(RawMessage {
                    connection: Arc::clone(&followed.connection),
                    stamp_ns: message.received_ns,
                    publish_ns: message.published_ns.unwrap_or(message.received_ns),
                    sequence: message.sequence as u32,
                    data,
                })?;
            }
        }
        Ok(())
    }

    pub fn report(&self) -> Vec<RecordedTopic> {
        let report = |followed: &Followed| {
            let counts = followed.subscriber.counts();
            RecordedTopic {
                topic: followed.connection.topic.clone(),
                r#type: followed.connection.type_name.clone(),
                messages: counts.received - followed.unreadable,
                lost: counts.lost + counts.unreadable + followed.unreadable,
            }
        };
        self.followed.values().map(report).collect()
    }
}

impl Followed {
    fn new(
        topic: &DiscoveredTopic,
        connection: Arc<Connection>,
        transcoder: Option<Transcoder>,
        participant: &mut Participant,
    ) -> Result<Self, CliError> {
        let qos = Qos::common(&topic.publishers, DEPTH);
        let subscriber = participant.subscribe(&topic.name, &topic.type_name, qos)?;
        eprintln!("recording {} ({})", topic.name, topic.type_name);
        if connection.definition_encoding.is_empty() {
            eprintln!(
                "note: {}: the definition of {} is not known here, and not recorded",
                topic.name, topic.type_name
            );
        }
        Ok(Self {
            subscriber,
            connection,
            transcoder,
            reliability: qos.reliability,
            unreadable: 0,
        })
    }
}

/// The topic as the recording describes it, and what turns its messages into that.
fn recorded(
    topic: &DiscoveredTopic,
    serialization: Serialization,
) -> Result<(Arc<Connection>, Option<Transcoder>), TranscodeError> {
    let definition = registry::definition_of(&topic.type_name);
    let connection = Connection {
        topic: topic.name.clone(),
        type_name: topic.type_name.clone(),
        definition_encoding: definition.as_ref().map_or("", |_| "ros2msg").to_owned(),
        definition: definition.unwrap_or_default(),
        serialization: Serialization::Cdr,
        qos: qos_to_yaml(&topic.publishers),
        md5: String::new(),
    };
    if serialization == Serialization::Cdr {
        return Ok((Arc::new(connection), None));
    }
    let transcoder = Transcoder::new(&connection, serialization)?;
    let connection = Arc::new(transcoder.connection().clone());
    Ok((connection, Some(transcoder)))
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
