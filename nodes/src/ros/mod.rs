//! The nodes of a real-time run on ROS 2's network, whatever carries the bytes.
//!
//! A [`Middleware`] makes publishers, subscribers and the ends of services, by ROS's
//! names and types, and carries messages as CDR bytes: [`crate::dds`], Zenoh, or rcl
//! where ROS 2 is installed. What is said with them is here, once: topics, services, and the three
//! services and two topics of an action.

mod action_client;
mod action_server;
pub(crate) mod gaps;
mod host;
mod replies;
mod services;
#[cfg(feature = "dds")]
pub(crate) mod signal;

pub use host::connect;
#[cfg(all(test, feature = "dds"))]
pub(crate) use replies::HeldReplies;

use std::time::Duration;

use crate::interface::Qos;

/// Who sent a message, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity {
    /// Of a publisher or client.
    pub writer: [u8; 16],
    /// Of the message or request.
    pub number: i64,
    /// The process that sent it, as far as the middleware says: what all its identifiers
    /// begin with.
    pub participant: [u8; 12],
}

/// A message from another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// In CDR with its header.
    pub cdr: Vec<u8>,
    /// Of a message on a topic: its publisher. Of a request: whom to answer. Of a reply:
    /// the request that it answers.
    pub of: Identity,
}

/// What can go wrong between a run and its middleware.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// DDS.
    #[cfg(feature = "dds")]
    #[error(transparent)]
    Dds(#[from] crate::dds::DdsError),
    /// ROS 2's client library.
    #[cfg(feature = "rcl")]
    #[error(transparent)]
    Rcl(#[from] crate::rcl::RclError),
    /// Zenoh.
    #[cfg(feature = "zenoh")]
    #[error(transparent)]
    Zenoh(#[from] crate::zenoh::ZenohError),
    /// A request or reply that is none.
    #[error(transparent)]
    Cdr(#[from] saccade_msgs::cdr::CdrError),
    /// A type that is not in the registry.
    #[error("`{0}` is no type that this program knows")]
    Unknown(String),
    /// No thread to receive in.
    #[error("no thread to receive in: {0}")]
    Thread(String),
}

/// A service's requests, and where replies go.
pub type Server = (Box<dyn Receive>, Box<dyn Reply>);
/// The replies to a client's requests, and where these go.
pub type Client = (Box<dyn Receive>, Box<dyn Ask>);

/// Carries messages between processes. Names are ROS's, absolute: `/scan`; so are types:
/// `sensor_msgs/msg/LaserScan`. Messages of the same process are not handed out.
pub trait Middleware: Send {
    /// Adds a node, in a namespace, `/` or `/robot`. Nodes are numbered from 0.
    ///
    /// # Errors
    /// A name that no node can have.
    fn add_node(&mut self, namespace: &str, name: &str) -> Result<(), NetworkError>;

    /// A publisher of a node.
    ///
    /// # Errors
    /// Names that ROS does not allow, a type that is not installed.
    fn publisher(
        &mut self,
        node: usize,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Publish>, NetworkError>;

    /// A subscriber of some nodes.
    ///
    /// # Errors
    /// As [`Middleware::publisher`].
    fn subscriber(
        &mut self,
        nodes: &[usize],
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Receive>, NetworkError>;

    /// A service of a node: its requests, and where replies go.
    ///
    /// # Errors
    /// As [`Middleware::publisher`].
    fn server(
        &mut self,
        node: usize,
        name: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Server, NetworkError>;

    /// A client of a node: the replies to its requests, and where these go.
    ///
    /// # Errors
    /// As [`Middleware::publisher`].
    fn client(&mut self, node: usize, name: &str, type_name: &str) -> Result<Client, NetworkError>;

    /// Tells others of what has been made.
    ///
    /// # Errors
    /// If it cannot be sent.
    fn announce(&mut self) -> Result<(), NetworkError>;

    /// The type that a publisher of another process has, where matching does not look at it.
    fn type_of(&self, publisher: &[u8; 16]) -> Option<String>;

    /// Waits until one of the receivers, of which each has said that there was no more,
    /// has something again, at most for `limit`.
    fn wait(&mut self, limit: Duration);
}

/// Publishes on a topic.
pub trait Publish: Send + Sync {
    /// Sends a message in CDR.
    ///
    /// # Errors
    /// If it cannot be sent now.
    fn publish(&self, cdr: Vec<u8>) -> Result<(), NetworkError>;

    /// Whether a process beside this one listens, as far as is known.
    fn is_heard(&self) -> bool;
}

/// Receives messages, requests or replies.
pub trait Receive: Send {
    /// Whether something may have come since this was asked before.
    fn rang(&self) -> bool;

    /// Has [`Receive::rang`] say yes once more.
    fn ring(&self);

    /// The next, if there is one.
    fn take(&mut self) -> Option<Result<Incoming, NetworkError>>;
}

/// Answers requests.
pub trait Reply: Send + Sync {
    /// Sends a reply in CDR.
    ///
    /// # Errors
    /// If it cannot be sent now.
    fn reply(&self, caller: &Identity, cdr: Vec<u8>) -> Result<(), NetworkError>;

    /// Whether the caller is known to listen for replies. It is taken to where the
    /// middleware itself sees to it.
    fn is_heard(&self, _caller: &Identity) -> bool {
        true
    }
}

/// Asks a service.
pub trait Ask: Send + Sync {
    /// Whether a server is there to hear a request.
    fn is_heard(&self) -> bool;

    /// Sends a request in CDR; returns its number, which the reply names.
    ///
    /// # Errors
    /// If it cannot be sent now.
    fn ask(&self, cdr: Vec<u8>) -> Result<i64, NetworkError>;
}

/// A message in CDR with its header.
fn cdr(write: impl FnOnce(&mut saccade_msgs::cdr::Writer)) -> Vec<u8> {
    let mut w = saccade_msgs::cdr::Writer::new(saccade_msgs::cdr::Encoding::Cdr);
    write(&mut w);
    w.into_bytes()
}
