//! What there is on the network.

use std::collections::BTreeMap;

use rustdds::discovery::{DiscoveredReaderData, DiscoveredWriterData};

use super::names::{ros_topic, ros_type};
use super::qos::discovered;
use crate::Qos;

/// A topic of other participants, with one type. A topic that is used with
/// several types is there once for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredTopic {
    /// ROS name, `/events`.
    pub name: String,
    /// ROS type name, `event_camera_msgs/msg/EventPacket`.
    pub type_name: String,
    /// What each publisher offers; how deep its queue is, none tells (0).
    pub publishers: Vec<Qos>,
    /// Number of subscribers.
    pub subscribers: usize,
}

/// The topics of ROS 2 among these endpoints, in the order of their names.
pub(super) fn topics(
    writers: &[DiscoveredWriterData],
    readers: &[DiscoveredReaderData],
) -> Vec<DiscoveredTopic> {
    let mut found = BTreeMap::new();
    for writer in writers {
        let data = &writer.publication_topic_data;
        if let Some(topic) = entry(&mut found, &data.topic_name, &data.type_name) {
            topic.publishers.push(discovered(&data.qos()));
        }
    }
    for reader in readers {
        let data = &reader.subscription_topic_data;
        if let Some(topic) = entry(&mut found, data.topic_name(), data.type_name()) {
            topic.subscribers += 1;
        }
    }
    found.into_values().collect()
}

type Found = BTreeMap<(String, String), DiscoveredTopic>;

fn entry<'a>(
    found: &'a mut Found,
    topic: &str,
    type_name: &str,
) -> Option<&'a mut DiscoveredTopic> {
    let key = (ros_topic(topic)?.to_owned(), ros_type(type_name)?);
    let new = DiscoveredTopic {
        name: key.0.clone(),
        type_name: key.1.clone(),
        publishers: Vec::new(),
        subscribers: 0,
    };
    Some(found.entry(key).or_insert(new))
}
