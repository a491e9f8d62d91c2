//! Who hears whom: the nodes of a run and the routes between them.

use crate::host::{HostError, NodeSpec, resolve};
use crate::interface::{Endpoint, Interface, Qos};
use crate::network::OUTSIDE;
use crate::node::{Input, Node, Output};
use crate::parameters::{AUTOSTART, Parameters};
use crate::registry;
use crate::slot::{Unmade, own_services};
use std::collections::BTreeMap;

/// Topics below this are for scoring alone; see [`Graph::build`].
pub const GROUND_TRUTH: &str = "/ground_truth/";
/// The nodes that may see them.
pub const REFEREES: [&str; 2] = ["referee", "journey_referee"];

/// A node with its place in the graph.
pub struct Instance {
    /// Fully qualified name.
    pub name: String,
    /// The node's declarations.
    pub interface: &'static Interface,
    /// The node's parameters as they are now.
    pub parameters: Parameters,
    /// The node.
    pub node: Box<dyn Node>,
}

/// A topic and its subscribers.
#[derive(Debug)]
pub struct Topic {
    /// Resolved name.
    pub name: String,
    /// ROS type.
    pub type_name: &'static str,
    /// Who hears it.
    pub subscribers: Vec<Subscriber>,
}

/// A node that subscribes to a topic.
#[derive(Debug, Clone, Copy)]
pub struct Subscriber {
    /// Node index.
    pub node: usize,
    /// The node's own name for the topic.
    pub name: &'static str,
    /// Depth and lifespan of its queue.
    pub qos: Qos,
}

/// One thing to hand to a node.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Node index.
    pub to: usize,
    /// What.
    pub input: Input,
    /// When its cause arrived from outside.
    pub origin_ns: i64,
    /// Its number on its topic, or among the exchanges.
    pub sequence: u32,
}

/// Names of a node's endpoints, resolved.
struct Ports {
    publishers: Vec<(&'static str, usize)>,
    /// Both services and actions: own name → the node that serves it and its name for it.
    outgoing: Vec<(&'static str, Option<(usize, &'static str)>)>,
    /// Own name of a served service or action → resolved name.
    served: Vec<(&'static str, String)>,
}

/// All routes of a run. Immutable while it runs, so threads share it.
pub struct Graph {
    /// Topics by index.
    pub topics: Vec<Topic>,
    /// Fully qualified node names by index.
    pub names: Vec<String>,
    ports: Vec<Ports>,
    /// Per node, `(action server's resolved name, client's own name)` of its clients.
    client_names: Vec<BTreeMap<String, &'static str>>,
}

/// Bits of a routed id that hold the client's own id.
pub(crate) const ID_BITS: u32 = 48;

impl Graph {
    /// Makes the nodes and wires them.
    ///
    /// # Errors
    /// Unknown executables, wrong parameters, two nodes of one name, two
    /// servers of one service, two types on one topic, remaps of names that
    /// the node does not have, and any node but a referee that subscribes
    /// to ground truth.
    pub fn build(specs: &[NodeSpec]) -> Result<(Graph, Vec<Instance>), HostError> {
        let mut instances: Vec<Instance> = Vec::with_capacity(specs.len());
        for spec in specs {
            let name = spec.full_name();
            if instances.iter().any(|i| i.name == name) {
                return Err(HostError::Graph(format!(
                    "two nodes are called {name}; give one of them another name or namespace"
                )));
            }
            let (interface, parameters, node) = create(spec)?;
            check_remaps(spec, interface)?;
            instances.push(Instance {
                name,
                interface,
                parameters,
                node,
            });
        }
        let graph = Graph::wire(specs, &instances)?;
        Ok((graph, instances))
    }

    pub(crate) fn wire(specs: &[NodeSpec], instances: &[Instance]) -> Result<Graph, HostError> {
        let name_of = |node: usize, endpoint: &Endpoint| {
            let spec = &specs[node];
            let to = spec
                .remaps
                .iter()
                .rev()
                .find(|(from, _)| is_meant(spec, from, endpoint));
            resolve(&spec.namespace, to.map_or(endpoint.name, |(_, to)| to))
        };
        let mut topics: Vec<Topic> = Vec::new();
        let mut index = BTreeMap::new();
        let mut topic = |name: String, endpoint: &Endpoint, who: &str| {
            let i = *index.entry(name.clone()).or_insert_with(|| {
                topics.push(Topic {
                    name: name.clone(),
                    type_name: endpoint.type_name,
                    subscribers: Vec::new(),
                });
                topics.len() - 1
            });
            if topics[i].type_name != endpoint.type_name {
                return Err(HostError::Graph(format!(
                    "topic {name} is {} but {who} declares {}; remap one of them",
                    topics[i].type_name, endpoint.type_name
                )));
            }
            Ok(i)
        };
        let mut publishers: Vec<Vec<(&'static str, usize)>> = Vec::new();
        let mut subscriptions = Vec::new();
        for (n, instance) in instances.iter().enumerate() {
            let mut own = Vec::new();
            for endpoint in instance.interface.publishers {
                own.push((
                    endpoint.name,
                    topic(name_of(n, endpoint), endpoint, &instance.name)?,
                ));
            }
            publishers.push(own);
            for endpoint in instance.interface.subscriptions {
                let name = name_of(n, endpoint);
                if name.starts_with(GROUND_TRUTH) && !REFEREES.contains(&instance.interface.name) {
                    return Err(HostError::Graph(format!(
                        "{} subscribes to {name}: ground truth is for scoring alone, \
                         no node of the robot may see it",
                        instance.name
                    )));
                }
                let i = topic(name, endpoint, &instance.name)?;
                let subscriber = Subscriber {
                    node: n,
                    name: endpoint.name,
                    qos: endpoint.qos,
                };
                subscriptions.push((i, subscriber));
            }
        }
        for (i, subscriber) in subscriptions {
            topics[i].subscribers.push(subscriber);
        }

        let mut servers: BTreeMap<String, (usize, &'static str)> = BTreeMap::new();
        let mut served = Vec::new();
        for (n, instance) in instances.iter().enumerate() {
            let mut own = Vec::new();
            for endpoint in instance
                .interface
                .services
                .iter()
                .chain(instance.interface.action_servers)
            {
                let name = name_of(n, endpoint);
                if let Some((other, _)) = servers.insert(name.clone(), (n, endpoint.name)) {
                    return Err(HostError::Graph(format!(
                        "{} and {} both serve {name}; remap one of them",
                        instances[other].name, instance.name
                    )));
                }
                own.push((endpoint.name, name));
            }
            for endpoint in own_services() {
                let name = endpoint.of_node(&instance.name);
                servers.insert(name.clone(), (n, endpoint.name));
                own.push((endpoint.name, name));
            }
            served.push(own);
        }
        let mut ports = Vec::new();
        let mut client_names = Vec::new();
        for (n, instance) in instances.iter().enumerate() {
            let mut outgoing = Vec::new();
            let mut names = BTreeMap::new();
            for endpoint in instance
                .interface
                .clients
                .iter()
                .chain(instance.interface.action_clients)
            {
                let name = name_of(n, endpoint);
                outgoing.push((endpoint.name, servers.get(&name).copied()));
                names.insert(name, endpoint.name);
            }
            ports.push(Ports {
                publishers: std::mem::take(&mut publishers[n]),
                outgoing,
                served: std::mem::take(&mut served[n]),
            });
            client_names.push(names);
        }
        let names = instances.iter().map(|i| i.name.clone()).collect();
        Ok(Graph {
            topics,
            names,
            ports,
            client_names,
        })
    }

    /// The topic that node `from` publishes under its own name.
    pub fn publishes(&self, from: usize, own: &str) -> Option<usize> {
        self.ports[from]
            .publishers
            .iter()
            .find(|(n, _)| *n == own)
            .map(|(_, t)| *t)
    }

    /// Turns a service or action output of node `from` into what its peer is
    /// handed; `None` for outputs that are no exchange.
    pub fn exchange(&self, from: usize, output: Output) -> Option<(usize, Input)> {
        match output {
            Output::Call {
                service,
                id,
                payload,
            } => Some(match self.server(from, service) {
                Some((to, service)) => (
                    to,
                    Input::Request {
                        service,
                        id: routed(from, id),
                        payload,
                    },
                ),
                None => (
                    from,
                    Input::Response {
                        service,
                        id,
                        payload: None,
                    },
                ),
            }),
            Output::SendGoal {
                action,
                id,
                payload,
            } => Some(match self.server(from, action) {
                Some((to, action)) => (
                    to,
                    Input::Goal {
                        action,
                        id: routed(from, id),
                        payload,
                    },
                ),
                None => (
                    from,
                    Input::GoalResponse {
                        action,
                        id,
                        accepted: false,
                    },
                ),
            }),
            Output::CancelGoal { action, id } => {
                let (to, action) = self.server(from, action)?;
                Some((
                    to,
                    Input::Cancel {
                        action,
                        id: routed(from, id),
                    },
                ))
            }
            Output::Respond {
                service,
                id,
                payload,
            } => {
                let (to, service, id) = self.client(from, service, id)?;
                Some((
                    to,
                    Input::Response {
                        service,
                        id,
                        payload: Some(payload),
                    },
                ))
            }
            Output::AnswerGoal {
                action,
                id,
                accepted,
            } => {
                let (to, action, id) = self.client(from, action, id)?;
                Some((
                    to,
                    Input::GoalResponse {
                        action,
                        id,
                        accepted,
                    },
                ))
            }
            Output::Feedback {
                action,
                id,
                payload,
            } => {
                let (to, action, id) = self.client(from, action, id)?;
                Some((
                    to,
                    Input::Feedback {
                        action,
                        id,
                        payload,
                    },
                ))
            }
            Output::FinishGoal {
                action,
                id,
                status,
                payload,
            } => {
                let (to, action, id) = self.client(from, action, id)?;
                Some((
                    to,
                    Input::GoalResult {
                        action,
                        id,
                        status,
                        payload,
                    },
                ))
            }
            _ => None,
        }
    }

    /// The resolved name of a service or action that a node serves or calls under its own
    /// name, which is returned where it has none such.
    pub fn full_name<'a>(&'a self, node: usize, own: &'a str) -> &'a str {
        let served = self.ports[node].served.iter().find(|(n, _)| *n == own);
        let called = || self.client_names[node].iter().find(|(_, n)| **n == own);
        match served {
            Some((_, name)) => name,
            None => called().map_or(own, |(name, _)| name),
        }
    }

    /// Whether the other side of a service or action output of node `from` is none of
    /// these nodes.
    pub(crate) fn is_outside(&self, from: usize, output: &Output) -> bool {
        match output {
            Output::Call { service: name, .. }
            | Output::SendGoal { action: name, .. }
            | Output::CancelGoal { action: name, .. } => self.server(from, name).is_none(),
            Output::Respond { id, .. }
            | Output::AnswerGoal { id, .. }
            | Output::Feedback { id, .. }
            | Output::FinishGoal { id, .. } => (id >> ID_BITS) as usize == OUTSIDE,
            _ => false,
        }
    }

    fn server(&self, from: usize, own: &str) -> Option<(usize, &'static str)> {
        self.ports[from]
            .outgoing
            .iter()
            .find(|(n, _)| *n == own)
            .and_then(|(_, s)| *s)
    }

    fn client(&self, server: usize, own: &str, id: u64) -> Option<(usize, &'static str, u64)> {
        let to = (id >> ID_BITS) as usize;
        let (_, name) = self.ports[server].served.iter().find(|(n, _)| *n == own)?;
        let own = self.client_names.get(to)?.get(name)?;
        Some((to, own, id & ((1 << ID_BITS) - 1)))
    }
}

/// What stands for the host where a node's index is meant: it changes parameters,
/// and its answers are not routed.
pub const HOST: usize = (1 << (u64::BITS - ID_BITS)) - 1;

/// A client's id as its server sees it: unique over all clients.
pub(crate) fn routed(client: usize, id: u64) -> u64 {
    (client as u64) << ID_BITS | id
}

type Created = (&'static Interface, Parameters, Box<dyn Node>);

fn create(spec: &NodeSpec) -> Result<Created, HostError> {
    let entry = registry::find(&spec.exec).ok_or_else(|| HostError::UnknownNode {
        exec: spec.exec.clone(),
        known: registry::names().join(", "),
    })?;
    let wrap = |source| HostError::Node {
        name: spec.full_name(),
        source,
    };
    let mut parameters = Parameters::defaults(entry.interface);
    for (name, value) in &spec.parameters {
        parameters
            .set_text(name, value)
            .map_err(|e| wrap(e.into()))?;
    }
    let node = match parameters.switch(AUTOSTART) {
        true => (entry.create)(&parameters).map_err(wrap)?,
        // It is made when it is configured.
        false => Box::new(Unmade(entry.interface)),
    };
    Ok((entry.interface, parameters, node))
}

/// Whether a remap is of this endpoint: by its own name, or by what that resolves to.
fn is_meant(spec: &NodeSpec, from: &str, endpoint: &Endpoint) -> bool {
    resolve(&spec.namespace, from) == resolve(&spec.namespace, endpoint.name)
}

fn check_remaps(spec: &NodeSpec, interface: &Interface) -> Result<(), HostError> {
    let all = [
        interface.publishers,
        interface.subscriptions,
        interface.services,
        interface.clients,
        interface.action_servers,
        interface.action_clients,
    ];
    for (from, _) in &spec.remaps {
        if !all
            .iter()
            .any(|list| list.iter().any(|e| is_meant(spec, from, e)))
        {
            let mut known: Vec<_> = all.iter().flat_map(|l| l.iter().map(|e| e.name)).collect();
            known.sort_unstable();
            known.dedup();
            return Err(HostError::Graph(format!(
                "{}: cannot remap '{from}', the node has no such name; it has: {}",
                spec.full_name(),
                known.join(", ")
            )));
        }
    }
    Ok(())
}
