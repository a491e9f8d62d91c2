//! Zenoh as what carries the messages of a run, with nothing of ROS installed: what
//! `rmw_zenoh_cpp` says, said by the crate `zenoh`. After rmw_zenoh's design page
//! (`docs/design.md` in its repository); nothing of its code is here.
//!
//! A topic is a key expression that ends with the [hash](hash) of its type; the graph is
//! made of [liveliness tokens](names); number, time and sender of a message are its
//! [attachment]; services are queries. Processes find each other by a router (`rmw_zenohd`,
//! or any `zenohd`), and then talk to each other.

mod attachment;
pub mod hash;
mod inbox;
mod names;
mod options;
mod publisher;
mod service;
mod session;
mod subscriber;

pub use options::Options;

use crate::network::Connect;
use crate::ros;

/// What can go wrong between us and Zenoh.
#[derive(Debug, thiserror::Error)]
pub enum ZenohError {
    /// An environment variable says something that cannot be.
    #[error("environment variable {name} is `{value}`: {why}")]
    Environment {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// Zenoh refuses to make something.
    #[error("cannot {what}: {reason}")]
    Refused {
        /// What was to be done.
        what: String,
        /// The library's reason.
        reason: String,
    },
    /// There is no router, and somebody wants one.
    #[error(
        "no Zenoh router answered in {attempts} attempts (ZENOH_ROUTER_CHECK_ATTEMPTS); start one: \
         `ros2 run rmw_zenoh_cpp rmw_zenohd`, or `zenohd`"
    )]
    NoRouter {
        /// How often it was looked for one.
        attempts: u32,
    },
    /// A message without number, time and sender as `rmw_zenoh_cpp` has them.
    #[error(
        "`{key}`: a message must have an attachment of 33 bytes (number, time, 16 and the \
         sender), this one has {found}"
    )]
    Attachment {
        /// Key expression of the message.
        key: String,
        /// What it has.
        found: String,
    },
    /// A server answers with an error of Zenoh's.
    #[error("service `{service}`: {reason}")]
    NoReply {
        /// The service's key expression.
        service: String,
        /// What it answers.
        reason: String,
    },
    /// Something that is no message was sent.
    #[error("`{key}`: a deletion, which ROS 2 has none of")]
    Deletion {
        /// Key expression of the message.
        key: String,
    },
}

impl ZenohError {
    fn refused(what: impl Into<String>, reason: &dyn std::fmt::Display) -> Self {
        ZenohError::Refused {
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

/// Joins the domain with all nodes of a real-time run.
pub fn connect(options: Options) -> Connect {
    ros::connect(move || Ok(session::Member::join(&options)?))
}
