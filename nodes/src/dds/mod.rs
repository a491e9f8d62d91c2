//! Topics over DDS, with nothing of ROS installed: raw CDR messages by topic and
//! type name, as other ROS 2 processes exchange them.
//!
//! A [`Participant`] joins a domain, sees which [topics](Participant::topics)
//! there are, and makes [`Publisher`]s and [`Subscriber`]s. Names are mangled,
//! and nodes announced, as ROS 2 does; the DDS underneath is the crate `rustdds`.
//!
//! Queues are DDS's own history, as deep as the [`Qos`](crate::Qos) says. What
//! did not come through is counted: DDS numbers the messages of each publisher,
//! so that a [`Subscriber`] sees every gap.

mod discovery;
mod graph;
mod middleware;
pub(crate) mod names;
pub(crate) mod options;
mod participant;
mod publisher;
mod qos;
mod raw;
mod service;
mod subscriber;

pub use discovery::DiscoveredTopic;
pub use middleware::connect;
pub use names::{dds_topic, dds_type, ros_topic, ros_type, service_topics};
pub use options::{Distribution, Mapping, Options, Reach};
pub use participant::Participant;
pub use publisher::Publisher;
pub use qos::{qos_from_yaml, qos_to_yaml};
pub use subscriber::{Received, Subscriber, SubscriberCounts};

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What can go wrong between us and DDS.
#[derive(Debug, thiserror::Error)]
pub enum DdsError {
    /// An environment variable says something that cannot be.
    #[error("environment variable {name} is `{value}`; expected {expected}")]
    Environment {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        expected: &'static str,
    },
    /// A name that ROS 2 does not allow.
    #[error("{what} name `{name}`: {why}")]
    Name {
        /// `topic`, `type` or `node`.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// DDS refuses to make something.
    #[error("cannot make {what}: {source}")]
    Create {
        /// What was to be made.
        what: String,
        /// The library's reason.
        source: rustdds::dds::CreateError,
    },
    /// Bytes that are no message in little-endian CDR.
    #[error(
        "topic `{topic}`: a message must begin with the CDR header 00 01 (little endian), this one with {found}"
    )]
    NoCdr {
        /// The topic.
        topic: String,
        /// What it begins with.
        found: String,
    },
    /// Reliable subscribers do not keep up, and the publisher's queue is full.
    #[error(
        "topic `{topic}`: subscribers have not acknowledged the messages before, and the queue is full"
    )]
    Blocked {
        /// The topic.
        topic: String,
    },
    /// DDS refuses to send.
    #[error("topic `{topic}`: cannot publish: {reason}")]
    Publish {
        /// The topic.
        topic: String,
        /// The library's reason.
        reason: String,
    },
}
