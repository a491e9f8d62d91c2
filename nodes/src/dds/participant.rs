//! One process's part in a domain.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustdds::{
    DomainParticipant, DomainParticipantBuilder, QosPolicies, RTPSEntity, Topic, TopicKind,
};

use super::graph::{self, Announced, Announcement};
use super::names::{dds_topic, dds_type, ros_type};
use super::qos::{reader_policies, writer_policies};
use super::{
    DdsError, DiscoveredTopic, Distribution, Options, Publisher, Reach, Subscriber, discovery,
};
use crate::Qos;
use crate::ros::signal::Signal;

/// A member of a domain, announced as one ROS 2 node, or as several.
pub struct Participant {
    // Dropped before the participant they belong to.
    announcer: Option<Publisher>,
    announced: Announcement,
    publisher: rustdds::Publisher,
    subscriber: rustdds::Subscriber,
    domain: DomainParticipant,
    signal: Arc<Signal>,
    patience: rustdds::Duration,
}

impl Participant {
    /// Joins a domain.
    ///
    /// # Errors
    /// If sockets cannot be opened.
    pub fn join(options: &Options) -> Result<Self, DdsError> {
        let what = || format!("a participant of domain {}", options.domain);
        let mut builder = DomainParticipantBuilder::new(options.domain);
        if options.reach == Reach::Localhost {
            builder = builder.with_only_networks([IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        }
        let domain = make(what, builder.build())?;
        let default = QosPolicies::qos_none();
        let publisher = make(what, domain.create_publisher(&default))?;
        let subscriber = make(what, domain.create_subscriber(&default))?;
        let mut participant = Self {
            announcer: None,
            announced: Announcement {
                distribution: options.distribution.unwrap_or(Distribution::Jazzy),
                participant: domain.guid().to_bytes(),
                nodes: Vec::new(),
            },
            publisher,
            subscriber,
            domain,
            signal: Arc::default(),
            patience: rustdds::Duration::from_millis(options.patience_ms.into()),
        };
        if options.distribution.is_some() {
            let announcer = participant.writer(graph::TOPIC, graph::TYPE, Qos::LATCHED)?;
            participant.announcer = Some(announcer);
        }
        if !options.node.is_empty() {
            participant.add_node("/", &options.node);
            participant.announce()?;
        }
        Ok(participant)
    }

    /// Adds a node to those that are announced, in a namespace, `/` or `/robot`; returns
    /// its number. Others hear of it with [`Participant::announce`].
    pub fn add_node(&mut self, namespace: &str, name: &str) -> usize {
        self.announced.nodes.push(Announced {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Announced::default()
        });
        self.announced.nodes.len() - 1
    }

    /// A publisher of messages of a type, `std_msgs/msg/String`, on a topic.
    ///
    /// # Errors
    /// If ROS 2 does not allow the names, or DDS fails.
    pub fn publish(
        &mut self,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Publisher, DdsError> {
        let publisher = self.publish_for(0, &dds_topic(topic)?, &dds_type(type_name)?, qos)?;
        self.announce()?;
        Ok(publisher)
    }

    /// A subscriber to a topic with messages of a type.
    ///
    /// # Errors
    /// If ROS 2 does not allow the names, or DDS fails.
    pub fn subscribe(
        &mut self,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Subscriber, DdsError> {
        let subscriber =
            self.subscribe_for(&[0], &dds_topic(topic)?, &dds_type(type_name)?, qos)?;
        self.announce()?;
        Ok(subscriber)
    }

    /// A publisher that belongs to a node, with names as DDS has them. It is announced with
    /// [`Participant::announce`].
    pub(super) fn publish_for(
        &mut self,
        node: usize,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Publisher, DdsError> {
        let publisher = self.writer(topic, type_name, qos)?;
        if let Some(node) = self.announced.nodes.get_mut(node) {
            node.writers.push(publisher.guid());
        }
        Ok(publisher)
    }

    /// A subscriber that belongs to nodes, with names as DDS has them. It is announced with
    /// [`Participant::announce`].
    pub(super) fn subscribe_for(
        &mut self,
        nodes: &[usize],
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Subscriber, DdsError> {
        let policies = reader_policies(qos);
        let dds = self.topic(topic, type_name, &policies)?;
        let reader = (self.subscriber).create_simple_datareader_no_key(&dds, Some(policies));
        let reader = make(|| format!("a subscriber to {topic}"), reader)?;
        let subscriber = Subscriber::new(reader, self.signal.clone());
        for node in nodes {
            if let Some(node) = self.announced.nodes.get_mut(*node) {
                node.readers.push(subscriber.guid());
            }
        }
        Ok(subscriber)
    }

    /// Tells the others which nodes there are and which endpoints are theirs. Endpoints
    /// that were dropped stay announced: ROS passes over what is not there.
    ///
    /// # Errors
    /// If DDS fails.
    pub fn announce(&self) -> Result<(), DdsError> {
        match &self.announcer {
            Some(announcer) => announcer.publish(self.announced.to_cdr()),
            None => Ok(()),
        }
    }

    /// The ROS type that another participant's publisher has, if it is known.
    pub fn type_of(&self, publisher: &[u8; 16]) -> Option<String> {
        let writers = self.domain.discovered_writers();
        let writer = writers
            .iter()
            .find(|w| w.writer_proxy.remote_writer_guid.to_bytes() == *publisher)?;
        ros_type(&writer.publication_topic_data.type_name)
    }

    /// The topics that other participants publish or subscribe to.
    pub fn topics(&self) -> Vec<DiscoveredTopic> {
        discovery::topics(
            &self.domain.discovered_writers(),
            &self.domain.discovered_readers(),
        )
    }

    /// Waits until one of the subscribers, of which each has said that there was
    /// no more, has something again, at most for `limit`.
    pub fn wait(&self, limit: Duration) {
        self.signal.wait(limit);
    }

    fn writer(&self, topic: &str, type_name: &str, qos: Qos) -> Result<Publisher, DdsError> {
        let policies = writer_policies(qos, self.patience);
        let dds = self.topic(topic, type_name, &policies)?;
        let writer = (self.publisher).create_datawriter_no_key(&dds, Some(policies));
        let writer = make(|| format!("a publisher on {topic}"), writer)?;
        Ok(Publisher::new(topic, writer))
    }

    fn topic(&self, topic: &str, type_name: &str, qos: &QosPolicies) -> Result<Topic, DdsError> {
        let made = self.domain.create_topic(
            topic.to_owned(),
            type_name.to_owned(),
            qos,
            TopicKind::NoKey,
        );
        make(|| format!("topic {topic}"), made)
    }
}

fn make<T>(
    what: impl FnOnce() -> String,
    made: rustdds::dds::CreateResult<T>,
) -> Result<T, DdsError> {
    made.map_err(|source| DdsError::Create {
        what: what(),
        source,
    })
}
