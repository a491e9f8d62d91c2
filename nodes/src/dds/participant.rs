//! One process's part in a domain.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustdds::no_key::DataWriter;
use rustdds::{
    DomainParticipant, DomainParticipantBuilder, QosPolicies, RTPSEntity, Topic, TopicKind,
};

use super::graph::{self, Announcement};
use super::names::{dds_topic, dds_type};
use super::qos::{reader_policies, writer_policies};
use super::raw::{Adapter, Body};
use super::signal::Signal;
use super::{DdsError, DiscoveredTopic, Options, Publisher, Reach, Subscriber, discovery};
use crate::Qos;

/// A member of a domain, announced as one ROS 2 node.
pub struct Participant {
    // Dropped before the participant they belong to.
    announcer: Option<Announcer>,
    publisher: rustdds::Publisher,
    subscriber: rustdds::Subscriber,
    domain: DomainParticipant,
    signal: Arc<Signal>,
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
            publisher,
            subscriber,
            domain,
            signal: Arc::default(),
        };
        if let Some(distribution) = options.distribution {
            let writer = participant.writer(graph::TOPIC, graph::TYPE, Qos::LATCHED)?;
            let announcer = Announcer {
                announced: Announcement {
                    distribution,
                    participant: participant.domain.guid().to_bytes(),
                    node: options.node.clone(),
                    readers: Vec::new(),
                    writers: Vec::new(),
                },
                publisher: Publisher::new(graph::TOPIC, writer),
            };
            announcer.announce()?;
            participant.announcer = Some(announcer);
        }
        Ok(participant)
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
        let writer = self.writer(&dds_topic(topic)?, &dds_type(type_name)?, qos)?;
        let publisher = Publisher::new(topic, writer);
        self.announce(|node| node.writers.push(publisher.guid()))?;
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
        let policies = reader_policies(qos);
        let dds = self.topic(&dds_topic(topic)?, &dds_type(type_name)?, &policies)?;
        let reader = (self.subscriber).create_simple_datareader_no_key(&dds, Some(policies));
        let reader = make(|| format!("a subscriber to {topic}"), reader)?;
        let subscriber = Subscriber::new(reader, self.signal.clone());
        self.announce(|node| node.readers.push(subscriber.guid()))?;
        Ok(subscriber)
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

    fn writer(
        &self,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<DataWriter<Body, Adapter>, DdsError> {
        let policies = writer_policies(qos);
        let dds = self.topic(topic, type_name, &policies)?;
        let writer = (self.publisher).create_datawriter_no_key(&dds, Some(policies));
        make(|| format!("a publisher on {topic}"), writer)
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

    /// Endpoints that were dropped stay announced: ROS passes over what is not there.
    fn announce(&mut self, change: impl FnOnce(&mut Announcement)) -> Result<(), DdsError> {
        let Some(announcer) = &mut self.announcer else {
            return Ok(());
        };
        change(&mut announcer.announced);
        announcer.announce()
    }
}

/// Tells the others which node this is.
struct Announcer {
    announced: Announcement,
    publisher: Publisher,
}

impl Announcer {
    fn announce(&self) -> Result<(), DdsError> {
        self.publisher.publish(self.announced.to_cdr())
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
