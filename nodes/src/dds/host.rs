//! The nodes of a real-time run on ROS 2's network: [`connect`] offers what they
//! publish, and hands them what others do. Each publisher of a node is one of DDS; a
//! topic has one subscriber for all nodes of the process that hear it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::action_client::{ActionClients, ClientPart};
use super::action_server::{ActionServers, ServerPart};
use super::names::{dds_topic, dds_type};
use super::services::{ServicePart, Services};
use super::{DdsError, Options, Participant, Publisher, Received, Subscriber, common_qos};
use crate::graph::{Graph, Instance};
use crate::host::HostError;
use crate::interface::Qos;
use crate::network::{Connect, HOST_TOPICS, Inlet, Network};
use crate::node::{Level, Output};
use crate::payload::Payload;

/// At most so many messages are taken from a topic before the others have their turn.
const TURN: usize = 64;
/// How often it is seen whether the run is over.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often calls and goals are looked after that wait for a server.
const GO_ON: Duration = Duration::from_millis(20);
/// A topic complains of its messages at most so often.
const COMPLAINT: Duration = Duration::from_secs(5);
/// Publishers of which the type is remembered.
const MAX_PUBLISHERS: usize = 4096;

/// Joins the domain with all nodes of a real-time run.
pub fn connect(options: Options) -> Connect {
    Box::new(move |graph, instances, inlet| {
        let network = Outlet::open(&options, graph, instances, inlet);
        let network = network.map_err(|e| HostError::Network(e.to_string()))?;
        Ok(Arc::new(network))
    })
}

/// What the nodes publish.
struct Outlet {
    // Dropped before the participant they belong to.
    nodes: Vec<Vec<NodeTopic>>,
    exchanges: Arc<Exchanges>,
    stop: Arc<AtomicBool>,
    receiver: Mutex<Option<JoinHandle<Participant>>>,
    closed: Mutex<Option<Participant>>,
}

/// A topic on which a node publishes.
struct NodeTopic {
    name: &'static str,
    transient_local: bool,
    publisher: Mutex<Publisher>,
    lost: AtomicU64,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The registered type that a service's or action's part has.
pub(super) fn typed(type_name: &str, part: &str) -> Result<&'static str, DdsError> {
    let name = format!("{type_name}{part}");
    match saccade_msgs::registry::find(&name) {
        Some(entry) => Ok(entry.type_name),
        None => Err(DdsError::Name {
            what: "type",
            name,
            why: "it is none this program knows",
        }),
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
        options: &Options,
        graph: &Graph,
        instances: &[Instance],
        inlet: Inlet,
    ) -> Result<Self, DdsError> {
        let options = Options {
            node: String::new(),
            // Nodes must not wait.
            patience_ms: 0,
            ..options.clone()
        };
        let mut participant = Participant::join(&options)?;
        let mut nodes = Vec::with_capacity(instances.len());
        for (i, instance) in instances.iter().enumerate() {
            let (namespace, name) = instance.name.rsplit_once('/').unwrap_or_default();
            let namespace = if namespace.is_empty() { "/" } else { namespace };
            participant.add_node(namespace, name);
            nodes.push(node_topics(&mut participant, graph, i, instance)?);
        }
        let topics = subscribe(&mut participant, graph)?;
        let mapping = options.mapping;
        let (services, s) = Services::open(&mut participant, mapping, graph, instances)?;
        let (servers, a) = ActionServers::open(&mut participant, mapping, graph, instances)?;
        let (clients, c) = ActionClients::open(&mut participant, mapping, graph, instances)?;
        let mut parts: Vec<_> = s.into_iter().map(|(s, p)| (s, Part::Service(p))).collect();
        parts.extend(a.into_iter().map(|(s, p)| (s, Part::Server(p))));
        parts.extend(c.into_iter().map(|(s, p)| (s, Part::Client(p))));
        let exchanges = Arc::new(Exchanges {
            services,
            servers,
            clients,
        });
        participant.announce()?;
        let stop = Arc::new(AtomicBool::new(false));
        let receiver = Receiver {
            topics,
            parts,
            exchanges: exchanges.clone(),
            complained: None,
            inlet,
            publishers: BTreeMap::new(),
            participant,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("network".into());
        let thread = thread.spawn(move || receiver.run());
        let thread = thread.map_err(|e| DdsError::Thread(e.to_string()))?;
        Ok(Self {
            nodes,
            exchanges,
            stop,
            receiver: Mutex::new(Some(thread)),
            closed: Mutex::new(None),
        })
    }
}

fn node_topics(
    participant: &mut Participant,
    graph: &Graph,
    node: usize,
    instance: &Instance,
) -> Result<Vec<NodeTopic>, DdsError> {
    let mut topics = Vec::new();
    for endpoint in instance.interface.publishers.iter().chain(HOST_TOPICS) {
        let name = match graph.publishes(node, endpoint.name) {
            Some(topic) => &graph.topics[topic].name,
            None => endpoint.name,
        };
        let (topic, type_name) = (dds_topic(name)?, dds_type(endpoint.type_name)?);
        let publisher = participant.publish_for(node, &topic, &type_name, endpoint.qos)?;
        topics.push(NodeTopic {
            name: endpoint.name,
            transient_local: endpoint.qos.transient_local,
            publisher: Mutex::new(publisher),
            lost: AtomicU64::new(0),
        });
    }
    Ok(topics)
}

/// A subscriber to each topic that a node here hears.
fn subscribe(participant: &mut Participant, graph: &Graph) -> Result<Vec<TopicIn>, DdsError> {
    let mut topics = Vec::new();
    for (index, topic) in graph.topics.iter().enumerate() {
        let Some(first) = topic.subscribers.first() else {
            continue;
        };
        let nodes: Vec<_> = topic.subscribers.iter().map(|s| s.node).collect();
        let qos: Vec<Qos> = topic.subscribers.iter().map(|s| s.qos).collect();
        let depth = qos.iter().map(|q| q.depth).max().unwrap_or(1);
        let subscriber = participant.subscribe_for(
            &nodes,
            &dds_topic(&topic.name)?,
            &dds_type(topic.type_name)?,
            common_qos(&qos, depth),
        )?;
        topics.push(TopicIn {
            index,
            name: topic.name.clone(),
            type_name: topic.type_name,
            node: first.node,
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
        let mut publisher = lock(&topic.publisher);
        // What nobody hears and nobody will be given later need not be encoded.
        if publisher.matched() == 0 && !topic.transient_local {
            return;
        }
        if publisher.publish(payload.cdr().into_owned()).is_err() {
            topic.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lost(&self, node: usize) -> Vec<(String, u64)> {
        let lost = |t: &NodeTopic| (t.name.to_owned(), t.lost.load(Ordering::Relaxed));
        let topics = self.nodes[node].iter().map(lost);
        topics.filter(|(_, lost)| *lost > 0).collect()
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
    name: String,
    type_name: &'static str,
    /// The first that hears it, in whose log it complains.
    node: usize,
    subscriber: Subscriber,
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
    // Dropped before the participant they belong to.
    topics: Vec<TopicIn>,
    parts: Vec<(Subscriber, Part)>,
    exchanges: Arc<Exchanges>,
    /// When a part of services or actions last complained.
    complained: Option<Instant>,
    inlet: Inlet,
    /// The ROS types of the publishers that discovery knows.
    publishers: BTreeMap<[u8; 16], String>,
    participant: Participant,
    stop: Arc<AtomicBool>,
}

impl Receiver {
    fn run(mut self) -> Participant {
        let mut went_on = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let mut more = false;
            for topic in &mut self.topics {
                if !topic.subscriber.rang() {
                    continue;
                }
                more |= topic.take(&self.inlet, &mut self.publishers, &self.participant);
            }
            for i in 0..self.parts.len() {
                if self.parts[i].0.rang() {
                    more |= self.take(i);
                }
            }
            if went_on.elapsed() >= GO_ON {
                self.exchanges.services.go_on(&self.inlet);
                self.exchanges.clients.go_on(&self.inlet);
                went_on = Instant::now();
            }
            if !more {
                self.participant.wait(PATIENCE);
            }
        }
        self.participant
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
            let taken = match *part {
                Part::Service(part) => services.take(part, &received, &self.inlet),
                Part::Server(part) => servers.take(part, &received, &self.inlet),
                Part::Client(part) => clients.take(part, &received, &self.inlet),
            };
            if let Err((node, why)) = taken
                && self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT)
            {
                self.complained = Some(Instant::now());
                let text = format!("a request or reply from another process is passed over: {why}");
                self.inlet.log(node, Level::Warn, text);
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
        participant: &Participant,
    ) -> bool {
        for _ in 0..TURN {
            let Some(received) = self.subscriber.take() else {
                return false;
            };
            if !publishers.contains_key(&received.publisher)
                && let Some(found) = participant.type_of(&received.publisher)
            {
                if publishers.len() >= MAX_PUBLISHERS {
                    publishers.clear();
                }
                publishers.insert(received.publisher, found);
            }
            let of = publishers.get(&received.publisher).map(String::as_str);
            match self.decode(of, &received) {
                Ok(payload) => inlet.message(self.index, payload),
                Err(why) => self.complain(inlet, &why),
            }
        }
        self.subscriber.ring();
        true
    }

    fn decode(&self, publisher: Option<&str>, received: &Received) -> Result<Payload, String> {
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
            self.name, self.type_name
        );
        inlet.log(self.node, Level::Warn, text);
    }
}
