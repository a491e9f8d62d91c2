//! The nodes of a run on a ROS 2 that is installed: topics and services through its own
//! client library `rcl`, with the bindings of the crate `r2r_rcl`.
//!
//! Messages are carried as CDR bytes by the name of their type, whose code is loaded when
//! the run begins: a package need only be installed (sourced), and nothing of it is
//! compiled in. rcl takes requests and replies as C structures; the middleware itself
//! turns these to bytes and back ([`types`]).

mod context;
mod ends;
mod types;

use std::ffi::{CStr, CString};
use std::time::Duration;

use r2r_rcl as rcl;

use crate::interface::{Qos, Reliability};
use crate::network::Connect;
use crate::ros::{self, Middleware, NetworkError, Publish, Receive};
use context::{Context, Node};
use ends::{Client, Publisher, Service, Subscription};

/// What can go wrong between us and rcl.
#[derive(Debug, thiserror::Error)]
pub enum RclError {
    /// rcl refuses.
    #[error("cannot {what}: {reason} (rcl's code {code})")]
    Refused {
        /// What was to be done.
        what: String,
        /// What rcl says.
        reason: String,
        /// Its return value.
        code: i32,
    },
    /// The type's package is not to be found.
    #[error(
        "type `{type_name}`: {reason}; is its package installed, and its workspace sourced (`source install/setup.bash`)?"
    )]
    Type {
        /// ROS name of the type.
        type_name: String,
        /// What is missing.
        reason: String,
    },
    /// A name with a zero byte, or a type that is not `package/kind/Name`.
    #[error("`{0}` is no name that ROS allows")]
    Name(String),
    /// rcl has no memory.
    #[error("rcl has no memory for {0}")]
    Memory(&'static str),
}

/// Joins ROS 2 with all nodes of a real-time run, as the environment says (`ROS_DOMAIN_ID`,
/// `RMW_IMPLEMENTATION`, `ROS_LOCALHOST_ONLY` …); `domain` goes before the variable.
pub fn connect(domain: Option<u16>) -> Connect {
    ros::connect(move || {
        Ok(Member {
            context: Context::new(domain)?,
            nodes: Vec::new(),
        })
    })
}

/// A part of ROS 2's graph: a context and its nodes.
struct Member {
    nodes: Vec<Node>,
    context: Context,
}

impl Middleware for Member {
    fn add_node(&mut self, namespace: &str, name: &str) -> Result<(), NetworkError> {
        self.nodes.push(self.context.node(namespace, name)?);
        Ok(())
    }

    fn publisher(
        &mut self,
        node: usize,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Publish>, NetworkError> {
        let support = self.context.types().message(type_name)?;
        let made = Publisher::new(&self.nodes[node], topic, support, profile(qos))?;
        Ok(Box::new(made))
    }

    // rcl knows one node for each subscription: the first stands for all.
    fn subscriber(
        &mut self,
        nodes: &[usize],
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Receive>, NetworkError> {
        let node = &self.nodes[nodes.first().copied().unwrap_or(0)];
        let support = self.context.types().message(type_name)?;
        let made = Subscription::new(node, topic, support, profile(qos))?;
        self.context.watch_subscription(&made);
        Ok(Box::new(made))
    }

    fn server(
        &mut self,
        node: usize,
        name: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<ros::Server, NetworkError> {
        let kind = self.context.types().service(type_name)?;
        let made = Service::new(&self.nodes[node], name, kind, profile(qos))?;
        self.context.watch_service(&made);
        Ok((Box::new(made.clone()), Box::new(made)))
    }

    fn client(
        &mut self,
        node: usize,
        name: &str,
        type_name: &str,
    ) -> Result<ros::Client, NetworkError> {
        let kind = self.context.types().service(type_name)?;
        let made = Client::new(&self.nodes[node], name, kind)?;
        self.context.watch_client(&made);
        Ok((Box::new(made.clone()), Box::new(made)))
    }

    // rcl tells the graph of each as it is made.
    fn announce(&mut self) -> Result<(), NetworkError> {
        Ok(self.context.ready()?)
    }

    // The middleware matches topics by type as well.
    fn type_of(&self, _: &[u8; 16]) -> Option<String> {
        None
    }

    fn wait(&mut self, limit: Duration) {
        self.context.wait(limit);
    }
}

/// The profile as rmw has it.
fn profile(qos: Qos) -> rcl::rmw_qos_profile_t {
    use rcl::rmw_qos_durability_policy_e::{
        RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL, RMW_QOS_POLICY_DURABILITY_VOLATILE,
    };
    use rcl::rmw_qos_history_policy_e::RMW_QOS_POLICY_HISTORY_KEEP_LAST;
    use rcl::rmw_qos_reliability_policy_e::{
        RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT, RMW_QOS_POLICY_RELIABILITY_RELIABLE,
    };
    // SAFETY: it only returns a value.
    let mut profile = unsafe { rcl::rcl_publisher_get_default_options() }.qos;
    profile.history = RMW_QOS_POLICY_HISTORY_KEEP_LAST;
    profile.depth = qos.depth.max(1);
    profile.reliability = match qos.reliability {
        Reliability::Reliable => RMW_QOS_POLICY_RELIABILITY_RELIABLE,
        Reliability::BestEffort => RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT,
    };
    profile.durability = match qos.transient_local {
        true => RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL,
        false => RMW_QOS_POLICY_DURABILITY_VOLATILE,
    };
    if let Some(ns) = qos.lifespan_ns.and_then(|ns| u64::try_from(ns).ok()) {
        profile.lifespan.sec = ns / 1_000_000_000;
        profile.lifespan.nsec = ns % 1_000_000_000;
    }
    profile
}

/// Turns what rcl returns to a result.
fn check(code: rcl::rcl_ret_t, what: impl FnOnce() -> String) -> Result<(), RclError> {
    if code == rcl::RCL_RET_OK as i32 {
        return Ok(());
    }
    // SAFETY: rcl keeps the string for this thread, with a zero at its end, until it is reset.
    let reason = unsafe {
        let said = rcl::rcutils_get_error_string();
        let text = CStr::from_ptr(said.str_.as_ptr())
            .to_string_lossy()
            .into_owned();
        rcl::rcutils_reset_error();
        text
    };
    Err(RclError::Refused {
        what: what(),
        reason,
        code,
    })
}

fn c_string(text: &str) -> Result<CString, RclError> {
    CString::new(text).map_err(|_| RclError::Name(text.to_owned()))
}
