//! The nodes of a real-time run on ROS 2's network: [`connect`] offers what they
//! publish, and hands them what others do. Each publisher of a node is one there; a
//! topic has one subscriber for all nodes of the process that hear it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::action_client::{ActionClients, ClientPart};
use super::action_server::{ActionServers, ServerPart};
use super::gaps::{Gaps, MAX_PUBLISHERS};
use super::services::{ServicePart, Services};
use super::{Incoming, Middleware, NetworkError, Publish, Receive};
use crate::clock;
use crate::graph::{Graph, Instance};
use crate::host::HostError;
use crate::interface::Qos;
use crate::network::{Connect, HOST_TOPICS, Inlet, Network};
use crate::node::{Level, LogLine, Output};
use crate::payload::Payload;
use saccade_msgs::rosgraph_msgs::Clock;
use saccade_msgs::{Message, from_cdr};

/// At most so many messages are taken from a topic before the others have their turn.
const TURN: usize = 64;
/// How often it is seen whether the run is over.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often calls and goals are looked after that wait for a server.
const GO_ON: Duration = Duration::from_millis(20);
/// A topic complains of its messages at most so often.
const COMPLAINT: Duration = Duration::from_secs(5);

/// Connects all nodes of a real-time run by what `join` makes.
pub fn connect<M: Middleware + 'static>(
    join: impl FnOnce() -> Result<M, NetworkError> + Send + 'static,
) -> Connect {
    Box::new(move |graph, instances, inlet| {
        let network = join().and_then(|m| Outlet::open(Box::new(m), graph, instances, inlet));
        let network = network.map_err(|e| HostError::Network(e.to_string()))?;
        Ok(Arc::new(network))
    })
}

/// What the nodes publish.
struct Outlet {
    // Dropped before the middleware they belong to.
    nodes: Vec<Vec<NodeTopic>>,
    heard: Vec<Heard>,
    exchanges: Arc<Exchanges>,
    stop: Arc<AtomicBool>,
    receiver: Mutex<Option<JoinHandle<Box<dyn Middleware>>>>,
    closed: Mutex<Option<Box<dyn Middleware>>>,
}

/// A topic on which a node publishes.
struct NodeTopic {
    name: &'static str,
    transient_local: bool,
    publisher: Box<dyn Publish>,
    lost: AtomicU64,
}

/// What is missing of a topic that nodes here hear.
#[derive(Clone)]
struct Heard {
    /// The first that hears it, which tells.
    node: usize,
    name: String,
    missing: Arc<AtomicU64>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The registered type that a service's or action's part has.
pub(super) fn typed(type_name: &str, part: &str) -> Result<&'static str, NetworkError> {
    let name = format!("{type_name}{part}");
    match saccade_msgs::registry::find(&name) {
        Some(entry) => Ok(entry.type_name),
        None => Err(NetworkError::Unknown(name)),
    }
}

/// Services and actions, shared by the nodes' threads and the one that receives.
struct Exchanges {
    services: Services,
    servers: ActionServers,
    clients: ActionClients,
}

impl Outlet {
    fn open(
        mut middleware: Box<dyn Middleware>,
        graph: &Graph,
        instances: &[Instance],
        inlet: Inlet,
    ) -> Result<Self, NetworkError> {
        let mut nodes = Vec::with_capacity(instances.len());
        for (i, instance) in instances.iter().enumerate() {
            let (namespace, name) = instance.name.rsplit_once('/').unwrap_or_default();
            let namespace = if namespace.is_empty() { "/" } else { namespace };
            middleware.add_node(namespace, name)?;
            nodes.push(node_topics(&mut *middleware, graph, i, instance)?);
        }
        let topics = subscribe(&mut *middleware, graph)?;
        let heard = topics.iter().map(|t| t.heard.clone()).collect();
        // Whichever of them follow it: that may change.
        let all: Vec<_> = (0..instances.len()).collect();
        let qos = Qos::SENSOR.depth(1);
        let clock = middleware.subscriber(&all, clock::TOPIC, Clock::TYPE_NAME, qos)?;
        let (services, s) = Services::open(&mut *middleware, graph, instances)?;
        let (servers, a) = ActionServers::open(&mut *middleware, graph, instances)?;
        let (clients, c) = ActionClients::open(&mut *middleware, graph, instances)?;
        let mut parts: Vec<_> = s.into_iter().map(|(s, p)| (s, Part::Service(p))).collect();
        parts.extend(a.into_iter().map(|(s, p)| (s, Part::Server(p))));
        parts.extend(c.into_iter().map(|(s, p)| (s, Part::Client(p))));
        let exchanges = Arc::new(Exchanges {
            services,
            servers,
            clients,
        });
        middleware.announce()?;
        let stop = Arc::new(AtomicBool::new(false));
        let receiver = Receiver {
            clock,
            topics,
            parts,
            exchanges: exchanges.clone(),
            complained: None,
            inlet,
            publishers: BTreeMap::new(),
            middleware,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("network".into());
        let thread = thread.spawn(move || receiver.run());
        let thread = thread.map_err(|e| NetworkError::Thread(e.to_string()))?;
        Ok(Self {
            nodes,
            heard,
            exchanges,
            stop,
            receiver: Mutex::new(Some(thread)),
            closed: Mutex::new(None),
        })
    }
}

fn node_topics(
    middleware: &mut dyn Middleware,
    graph: &Graph,
    node: usize,
    instance: &Instance,
) -> Result<Vec<NodeTopic>, NetworkError> {
    let mut topics = Vec::new();
    for endpoint in instance.interface.publishers.iter().chain(HOST_TOPICS) {
        let name = match graph.publishes(node, endpoint.name) {
            Some(topic) => graph.topics[topic].name.clone(),
            None => endpoint.of_node(&instance.name),
        };
        let publisher = middleware.publisher(node, &name, endpoint.type_name, endpoint.qos)?;
        topics.push(NodeTopic {
            name: endpoint.name,
            transient_local: endpoint.qos.transient_local,
            publisher,
            lost: AtomicU64::new(0),
        });
    }
    Ok(topics)
}

/// A subscriber to each topic that a node here hears.
fn subscribe(middleware: &mut dyn Middleware, graph: &Graph) -> Result<Vec<TopicIn>, NetworkError> {
    let mut topics = Vec::new();
    for (index, topic) in graph.topics.iter().enumerate() {
        let Some(first) = topic.subscribers.first() else {
            continue;
        };
        let nodes: Vec<_> = topic.subscribers.iter().map(|s| s.node).collect();
        let qos: Vec<Qos> = topic.subscribers.iter().map(|s| s.qos).collect();
        let depth = qos.iter().map(|q| q.depth).max().unwrap_or(1);
        let qos = Qos::common(&qos, depth);
        let subscriber = middleware.subscriber(&nodes, &topic.name, topic.type_name, qos)?;
        topics.push(TopicIn {
            index,
            heard: Heard {
                node: first.node,
                name: topic.name.clone(),
                missing: Arc::default(),
            },
            type_name: topic.type_name,
            gaps: Gaps::default(),
            subscriber,
            complained: None,
        });
    }
    Ok(topics)
}

impl Network for Outlet {
    fn publish(&self, node: usize, topic: &'static str, payload: &Payload) {
        let Some(topic) = self.nodes[node].iter().find(|t| t.name == topic) else {
            return;
        };
        // What nobody hears and nobody will be given later need not be encoded.
        if !topic.transient_local && !topic.publisher.is_heard() {
            return;
        }
        if topic.publisher.publish(payload.cdr().into_owned()).is_err() {
            topic.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lost(&self, node: usize) -> Vec<(String, u64)> {
        let lost = |t: &NodeTopic| (t.name.to_owned(), t.lost.load(Ordering::Relaxed));
        let topics = self.nodes[node].iter().map(lost);
        let heard = self.heard.iter().filter(|h| h.node == node);
        let heard = heard.map(|h| {
            let missing = h.missing.load(Ordering::Relaxed);
            (format!("{} (of others)", h.name), missing)
        });
        let topics = topics.chain(heard).filter(|(_, lost)| *lost > 0);
        let Exchanges {
            services, servers, ..
        } = &*self.exchanges;
        let replies = services.lost(node).chain(servers.lost(node));
        topics.chain(replies).collect()
    }

    fn exchange(&self, node: usize, output: Output) {
        let Exchanges {
            services,
            servers,
            clients,
        } = &*self.exchanges;
        match output {
            Output::Respond { id, payload, .. } => {
                services.respond(id, &payload);
            }
            Output::Call {
                service,
                id,
                payload,
            } => services.call(node, service, id, payload),
            Output::AnswerGoal { id, accepted, .. } => servers.answered(id, accepted),
            Output::Feedback { id, payload, .. } => servers.feedback(id, &payload),
            Output::FinishGoal {
                id,
                status,
                payload,
                ..
            } => servers.finished(id, status, payload),
            Output::SendGoal {
                action,
                id,
                payload,
            } => clients.send(node, action, id, payload),
            Output::CancelGoal { action, id } => clients.cancel(node, action, id),
            _ => {}
        }
    }

    fn close(&self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(receiver) = lock(&self.receiver).take() {
            // If it panicked, that has been printed.
            *lock(&self.closed) = receiver.join().ok();
        }
    }
}

/// A topic that nodes here hear.
struct TopicIn {
    /// Its number in the graph.
    index: usize,
    /// In whose node's log it complains.
    heard: Heard,
    type_name: &'static str,
    gaps: Gaps,
    subscriber: Box<dyn Receive>,
    complained: Option<Instant>,
}

/// What a subscriber is for that is none of a topic.
#[derive(Debug, Clone, Copy)]
enum Part {
    Service(ServicePart),
    Server(ServerPart),
    Client(ClientPart),
}

/// Receives for all nodes, in a thread of its own.
struct Receiver {
    // Dropped before the middleware they belong to.
    clock: Box<dyn Receive>,
    topics: Vec<TopicIn>,
    parts: Vec<(Box<dyn Receive>, Part)>,
    exchanges: Arc<Exchanges>,
    /// When a part of services or actions last complained.
    complained: Option<Instant>,
    inlet: Inlet,
    /// The ROS types of the publishers that discovery knows.
    publishers: BTreeMap<[u8; 16], String>,
    middleware: Box<dyn Middleware>,
    stop: Arc<AtomicBool>,
}

impl Receiver {
    fn run(mut self) -> Box<dyn Middleware> {
        let mut went_on = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let mut more = false;
            if self.clock.rang() {
                self.hear_the_time();
            }
            for topic in &mut self.topics {
                if !topic.subscriber.rang() {
                    continue;
                }
                more |= topic.take(&self.inlet, &mut self.publishers, &*self.middleware);
            }
            for i in 0..self.parts.len() {
                if self.parts[i].0.rang() {
                    more |= self.take(i);
                }
            }
            if went_on.elapsed() >= GO_ON {
                self.exchanges.services.go_on(&self.inlet);
                self.exchanges.servers.go_on();
                self.exchanges.clients.go_on(&self.inlet);
                went_on = Instant::now();
            }
            if !more {
                self.middleware.wait(PATIENCE);
            }
        }
        self.middleware
    }

    /// Tells the time that others tell. What is none is passed over.
    fn hear_the_time(&mut self) {
        for _ in 0..TURN {
            let Some(received) = self.clock.take() else {
                return;
            };
            let told = received.ok().and_then(|r| from_cdr::<Clock>(&r.cdr).ok());
            if let Some(told) = told {
                self.inlet.clock(told.clock.to_ns());
            }
        }
        self.clock.ring();
    }

    /// Hands on what came for services and actions; true if there may be more.
    fn take(&mut self, i: usize) -> bool {
        let (subscriber, part) = &mut self.parts[i];
        for _ in 0..TURN {
            let Some(received) = subscriber.take() else {
                return false;
            };
            let Exchanges {
                services,
                servers,
                clients,
            } = &*self.exchanges;
            let taken = match (*part, received) {
                (Part::Service(part), Ok(received)) => services.take(part, &received, &self.inlet),
                (Part::Server(part), Ok(received)) => servers.take(part, &received, &self.inlet),
                (Part::Client(part), Ok(received)) => clients.take(part, &received, &self.inlet),
                (_, Err(why)) => Err((0, why.to_string())),
            };
            if let Err((node, why)) = taken
                && self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT)
            {
                self.complained = Some(Instant::now());
                let text = format!("a request or reply from another process is passed over: {why}");
                self.inlet.log(node, LogLine::new(Level::Warn, text));
            }
        }
        subscriber.ring();
        true
    }
}

impl TopicIn {
    /// Hands on what has come; true if there may be more.
    fn take(
        &mut self,
        inlet: &Inlet,
        publishers: &mut BTreeMap<[u8; 16], String>,
        middleware: &dyn Middleware,
    ) -> bool {
        for _ in 0..TURN {
            let Some(received) = self.subscriber.take() else {
                return false;
            };
            let received = match received {
                Ok(received) => received,
                Err(why) => {
                    self.complain(inlet, &why.to_string());
                    continue;
                }
            };
            let publisher = received.of.writer;
            let missing = self.gaps.before(publisher, received.of.number);
            self.heard.missing.fetch_add(missing, Ordering::Relaxed);
            if !publishers.contains_key(&publisher)
                && let Some(found) = middleware.type_of(&publisher)
            {
                if publishers.len() >= MAX_PUBLISHERS {
                    publishers.clear();
                }
                publishers.insert(publisher, found);
            }
            let of = publishers.get(&publisher).map(String::as_str);
            match self.decode(of, &received) {
                Ok(payload) => inlet.message(self.index, payload),
                Err(why) => self.complain(inlet, &why),
            }
        }
        self.subscriber.ring();
        true
    }

    fn decode(&self, publisher: Option<&str>, received: &Incoming) -> Result<Payload, String> {
        match publisher {
            Some(other) if other != self.type_name => {
                Err(format!("its publisher's type is {other}"))
            }
            _ => Payload::decode(self.type_name, &received.cdr).map_err(|e| e.to_string()),
        }
    }

    fn complain(&mut self, inlet: &Inlet, why: &str) {
        let count = inlet.refuse(self.index);
        if self.complained.is_some_and(|at| at.elapsed() < COMPLAINT) {
            return;
        }
        self.complained = Some(Instant::now());
        let text = format!(
            "{}: a message from another process is no {}, and passed over ({count} so far): {why}",
            self.heard.name, self.type_name
        );
        inlet.log(self.heard.node, LogLine::new(Level::Warn, text));
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
