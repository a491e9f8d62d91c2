//! A session of Zenoh as part of ROS 2's graph.

use std::sync::Arc;
use std::time::Duration;

use ::zenoh::liveliness::LivelinessToken;
use ::zenoh::{Config, Session, Wait};

use super::hash::Types;
use super::names::{Kind, NodeName, TopicName, gid};
use super::publisher::Publisher;
use super::service::{Client, Server};
use super::subscriber::Subscriber;
use super::{Options, ZenohError};
use crate::dds::names::check_token;
use crate::dds::{dds_topic, dds_type};
use crate::interface::Qos;
use crate::ros::signal::Signal;
use crate::ros::{self, Middleware, NetworkError, Publish, Receive};

/// Between two looks for a router.
const ROUTER_CHECK: Duration = Duration::from_secs(1);

/// What the default session of `rmw_zenoh_cpp` has other than Zenoh's own: a peer on this
/// machine, which finds others by the router of this machine and no multicast.
const USUAL: &[(&str, &str)] = &[
    ("mode", "\"peer\""),
    ("connect/endpoints", "[\"tcp/localhost:7447\"]"),
    ("listen/endpoints", "[\"tcp/localhost:0\"]"),
    ("scouting/multicast/enabled", "false"),
    ("scouting/gossip/enabled", "true"),
    // Transient local needs it.
    (
        "timestamping/enabled",
        "{router: true, peer: true, client: true}",
    ),
];

/// What is made has to be told: its key expression, its token, its identifier.
pub(super) struct Entity {
    pub key: String,
    pub gid: [u8; 16],
}

/// A session and its nodes.
pub(super) struct Member {
    nodes: Vec<NodeName>,
    /// What says that nodes and what they have are there, until this is dropped.
    tokens: Vec<LivelinessToken>,
    entities: usize,
    types: Types,
    domain: u16,
    signal: Arc<Signal>,
    session: Session,
}

impl Member {
    /// Opens a session.
    ///
    /// # Errors
    /// A configuration that is none, no router where one is waited for.
    pub fn join(options: &Options) -> Result<Self, ZenohError> {
        let session = ::zenoh::open(configuration(options)?).wait();
        let session = session.map_err(|e| ZenohError::refused("open a session of Zenoh", &e))?;
        look_for_router(&session, options.router_attempts)?;
        Ok(Member {
            nodes: Vec::new(),
            tokens: Vec::new(),
            entities: 0,
            types: Types::new(options.distribution),
            domain: options.domain,
            signal: Arc::default(),
            session,
        })
    }

    fn say(&mut self, token: &str) -> Result<(), ZenohError> {
        let said = self.session.liveliness().declare_token(token).wait();
        let said = said.map_err(|e| ZenohError::refused(format!("declare `{token}`"), &e))?;
        self.tokens.push(said);
        Ok(())
    }

    fn number(&mut self) -> usize {
        self.entities += 1;
        self.entities - 1
    }

    /// Names something of a node, and its token, to be [said](Member::say) once it is there.
    fn name(&mut self, node: usize, kind: Kind, topic: &TopicName, qos: Qos) -> (Entity, String) {
        let number = self.number();
        let token = self.nodes[node].token_of(number, kind, topic, qos);
        let entity = Entity {
            key: topic.key(self.domain),
            gid: gid(&token),
        };
        (entity, token)
    }

    fn topic(&mut self, name: &str, type_name: &str) -> Result<TopicName, NetworkError> {
        // For its checks: the name that DDS has is not used.
        dds_topic(name)?;
        Ok(TopicName {
            name: name.to_owned(),
            dds_type: dds_type(type_name)?,
            hash: self.types.hash(type_name)?,
        })
    }
}

impl Middleware for Member {
    fn add_node(&mut self, namespace: &str, name: &str) -> Result<(), NetworkError> {
        check_token("node", name, name)?;
        let node = NodeName {
            domain: self.domain,
            session: self.session.zid().to_string(),
            number: self.number(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.say(&node.token())?;
        self.nodes.push(node);
        Ok(())
    }

    fn publisher(
        &mut self,
        node: usize,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Publish>, NetworkError> {
        let topic = self.topic(topic, type_name)?;
        let (entity, token) = self.name(node, Kind::Publisher, &topic, qos);
        let publisher = Publisher::new(&self.session, entity, qos)?;
        self.say(&token)?;
        Ok(Box::new(publisher))
    }

    fn subscriber(
        &mut self,
        nodes: &[usize],
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Receive>, NetworkError> {
        let topic = self.topic(topic, type_name)?;
        let key = topic.key(self.domain);
        let subscriber = Subscriber::new(&self.session, key, qos, self.signal.clone())?;
        for node in nodes {
            let (_, token) = self.name(*node, Kind::Subscription, &topic, qos);
            self.say(&token)?;
        }
        Ok(Box::new(subscriber))
    }

    fn server(
        &mut self,
        node: usize,
        name: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<ros::Server, NetworkError> {
        let service = self.topic(name, type_name)?;
        let (entity, token) = self.name(node, Kind::Server, &service, qos);
        let server = Server::new(&self.session, entity, qos, self.signal.clone())?;
        self.say(&token)?;
        Ok((Box::new(server.clone()), Box::new(server)))
    }

    fn client(
        &mut self,
        node: usize,
        name: &str,
        type_name: &str,
    ) -> Result<ros::Client, NetworkError> {
        let service = self.topic(name, type_name)?;
        let (entity, token) = self.name(node, Kind::Client, &service, Qos::DEFAULT);
        let client = Client::new(&self.session, entity, self.signal.clone())?;
        self.say(&token)?;
        Ok((Box::new(client.clone()), Box::new(client)))
    }

    // Each has been told as it was made.
    fn announce(&mut self) -> Result<(), NetworkError> {
        Ok(())
    }

    // The type is part of the key expression.
    fn type_of(&self, _: &[u8; 16]) -> Option<String> {
        None
    }

    fn wait(&mut self, limit: Duration) {
        self.signal.wait(limit);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Others are told that the tokens are gone; if they cannot be, they see the link end.
        self.tokens.clear();
        let _ = self.session.close().wait();
    }
}

/// The configuration of a session: the file's or the usual, and what goes before it.
fn configuration(options: &Options) -> Result<Config, ZenohError> {
    let mut config = match &options.config {
        None => usual()?,
        Some(file) => Config::from_file(file).map_err(|e| ZenohError::Environment {
            name: "ZENOH_SESSION_CONFIG_URI",
            value: file.display().to_string(),
            why: e.to_string(),
        })?,
    };
    for (key, value) in &options.overrides {
        let set = config.insert_json5(key, value);
        set.map_err(|e| ZenohError::Environment {
            name: "ZENOH_CONFIG_OVERRIDE",
            value: format!("{key}={value}"),
            why: e.to_string(),
        })?;
    }
    Ok(config)
}

fn usual() -> Result<Config, ZenohError> {
    let mut config = Config::default();
    for (key, value) in USUAL {
        let set = config.insert_json5(key, value);
        set.map_err(|e| ZenohError::refused(format!("configure {key} as {value}"), &e))?;
    }
    Ok(config)
}

/// Waits for a router, if any attempts are to be made.
fn look_for_router(session: &Session, attempts: u32) -> Result<(), ZenohError> {
    for attempt in 0..attempts {
        if attempt > 0 {
            std::thread::sleep(ROUTER_CHECK);
        }
        if session.info().routers_zid().wait().next().is_some() {
            return Ok(());
        }
    }
    match attempts {
        0 => Ok(()),
        _ => Err(ZenohError::NoRouter { attempts }),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
