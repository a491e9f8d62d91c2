//! Which domain is joined, and how far it reaches.

use std::str::FromStr;

use super::DdsError;
use super::names::check_token;

/// How far DDS reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Processes of this machine.
    Localhost,
    /// All networks this machine is part of.
    Network,
}

/// Which ROS 2 the nodes are announced to. The announcement differs in the size
/// of an identifier; one of the wrong size confuses `ros2 node list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Humble and those before it: 24 bytes.
    Humble,
    /// Iron, Jazzy and those after them: 16 bytes.
    Jazzy,
}

impl Distribution {
    /// The one that `ROS_DISTRO` names.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "humble" | "galactic" | "foxy" => Distribution::Humble,
            _ => Distribution::Jazzy,
        }
    }
}

/// How the reply of a service says which request it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// As `rmw_cyclonedds_cpp` has it: 16 bytes before the request, and the same before
    /// the reply.
    Cyclone,
    /// As `rmw_fastrtps_cpp` has it: beside the message, as DDS-RPC's "enhanced" mapping.
    Fast,
}

/// How a [`Participant`](super::Participant) joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name of the node that is announced, without namespace; empty: none but those
    /// that are added.
    pub node: String,
    /// ROS domain, 0 to 232.
    pub domain: u16,
    /// How far it reaches.
    pub reach: Reach,
    /// To whom the node is announced; `None`: not at all, its topics are seen
    /// all the same.
    pub distribution: Option<Distribution>,
    /// How services are called.
    pub mapping: Mapping,
    /// How long a reliable publisher waits, in ms, while subscribers have not
    /// acknowledged the 1024 messages before.
    pub patience_ms: u32,
}

/// Ports of domains above this do not fit 16 bits.
const MAX_DOMAIN: u16 = 232;

impl Options {
    /// What the environment says, as ROS 2 reads it: `ROS_DOMAIN_ID` (default 0)
    /// and `ROS_DISTRO`. Other than in ROS 2, only this machine is reached
    /// unless `ROS_LOCALHOST_ONLY=0` or `ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET`
    /// says otherwise.
    ///
    /// `reach`, where it is given, goes before those two. Services are called as
    /// `RMW_IMPLEMENTATION` does; as Fast DDS, ROS 2's default, where it says nothing.
    ///
    /// Without `ROS_DISTRO` the node is announced as Jazzy does on this machine,
    /// and not at all on a network, where Humble may be.
    ///
    /// # Errors
    /// A variable that says what it cannot, or a name that no node can have.
    pub fn from_env(node: &str, reach: Option<Reach>) -> Result<Self, DdsError> {
        Self::from_variables(node, reach, |name| std::env::var(name).ok())
    }

    fn from_variables(
        node: &str,
        wanted: Option<Reach>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, DdsError> {
        if !node.is_empty() {
            check_token("node", node, node)?;
        }
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let domain = domain(&variable)?;
        let reach = match wanted {
            Some(reach) => reach,
            None => reach(&variable)?,
        };
        let distribution = match (variable("ROS_DISTRO").as_deref(), reach) {
            (Some(name), _) => Some(Distribution::named(name)),
            (None, Reach::Localhost) => Some(Distribution::Jazzy),
            (None, Reach::Network) => None,
        };
        let mapping = match variable("RMW_IMPLEMENTATION").as_deref() {
            None | Some("rmw_fastrtps_cpp" | "rmw_fastrtps_dynamic_cpp") => Mapping::Fast,
            Some("rmw_cyclonedds_cpp") => Mapping::Cyclone,
            Some(value) => {
                return Err(DdsError::Environment {
                    name: "RMW_IMPLEMENTATION",
                    value: value.to_owned(),
                    expected: "rmw_fastrtps_cpp or rmw_cyclonedds_cpp (for rmw_zenoh_cpp there is --ros zenoh, with the feature `zenoh`)",
                });
            }
        };
        Ok(Self {
            mapping,
            node: node.to_owned(),
            domain,
            reach,
            distribution,
            patience_ms: 10_000,
        })
    }
}

/// What `ROS_DOMAIN_ID` says; 0 where it says nothing.
pub(crate) fn domain(variable: &impl Fn(&'static str) -> Option<String>) -> Result<u16, DdsError> {
    let Some(value) = variable("ROS_DOMAIN_ID") else {
        return Ok(0);
    };
    let domain = u16::from_str(value.trim()).ok();
    let domain = domain.filter(|domain| *domain <= MAX_DOMAIN);
    domain.ok_or(DdsError::Environment {
        name: "ROS_DOMAIN_ID",
        value,
        expected: "a number from 0 to 232",
    })
}

fn reach(variable: &impl Fn(&'static str) -> Option<String>) -> Result<Reach, DdsError> {
    if let Some(value) = variable("ROS_AUTOMATIC_DISCOVERY_RANGE") {
        return match value.as_str() {
            "SUBNET" => Ok(Reach::Network),
            "LOCALHOST" | "SYSTEM_DEFAULT" => Ok(Reach::Localhost),
            _ => Err(DdsError::Environment {
                name: "ROS_AUTOMATIC_DISCOVERY_RANGE",
                value,
                expected: "LOCALHOST, SUBNET or SYSTEM_DEFAULT",
            }),
        };
    }
    match variable("ROS_LOCALHOST_ONLY").as_deref() {
        None | Some("1") => Ok(Reach::Localhost),
        Some("0") => Ok(Reach::Network),
        Some(value) => Err(DdsError::Environment {
            name: "ROS_LOCALHOST_ONLY",
            value: value.to_owned(),
            expected: "0 or 1",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Result<Options, DdsError> {
        let value = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Options::from_variables("recorder", None, value)
    }

    #[test]
    fn loopback_unless_told_otherwise() {
        let default = options(&[]).expect("nothing is wrong");
        assert_eq!((default.domain, default.reach), (0, Reach::Localhost));
        assert_eq!(default.distribution, Some(Distribution::Jazzy));
        for open in [
            ("ROS_LOCALHOST_ONLY", "0"),
            ("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET"),
        ] {
            let open = options(&[open, ("ROS_DOMAIN_ID", "42")]).expect("can be");
            assert_eq!((open.domain, open.reach), (42, Reach::Network));
            assert_eq!(open.distribution, None);
        }
        let humble = options(&[("ROS_LOCALHOST_ONLY", "0"), ("ROS_DISTRO", "humble")]);
        assert_eq!(
            humble.expect("can be").distribution,
            Some(Distribution::Humble)
        );
    }

    #[test]
    fn nonsense_names_the_variable() {
        for (name, value) in [
            ("ROS_DOMAIN_ID", "233"),
            ("ROS_DOMAIN_ID", "-1"),
            ("ROS_LOCALHOST_ONLY", "yes"),
            ("RMW_IMPLEMENTATION", "rmw_zenoh_cpp"),
            ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF"),
        ] {
            let text = options(&[(name, value)])
                .expect_err("cannot be")
                .to_string();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
    }
}
