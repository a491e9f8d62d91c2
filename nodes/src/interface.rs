//! What a node declares about itself, once, as constants: the hosts wire it
//! from here, parameters are checked against it, and the tables of
//! `nodes/doc/` are tested against it.

/// A node's whole interface.
#[derive(Debug, Clone, Copy)]
pub struct Interface {
    /// The executable's name, e.g. `dvs_ingest`.
    pub name: &'static str,
    /// One sentence on what the node does.
    pub doc: &'static str,
    /// Topics it publishes. Names are relative; launch files remap them.
    pub publishers: &'static [Endpoint],
    /// Topics it subscribes to.
    pub subscriptions: &'static [Endpoint],
    /// Services it offers.
    pub services: &'static [Endpoint],
    /// Services it calls.
    pub clients: &'static [Endpoint],
    /// Actions it offers.
    pub action_servers: &'static [Endpoint],
    /// Actions it calls.
    pub action_clients: &'static [Endpoint],
    /// Parameters with ranges, units and defaults.
    pub parameters: &'static [ParameterDecl],
    /// Periodic timers.
    pub timers: &'static [TimerDecl],
}

impl Interface {
    /// An interface with nothing in it, to be filled by struct update syntax.
    pub const EMPTY: Interface = Interface {
        name: "",
        doc: "",
        publishers: &[],
        subscriptions: &[],
        services: &[],
        clients: &[],
        action_servers: &[],
        action_clients: &[],
        parameters: &[],
        timers: &[],
    };
}

/// One topic, service or action.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Name, relative to the node's namespace.
    pub name: &'static str,
    /// ROS type name, e.g. `sensor_msgs/msg/Image`.
    pub type_name: &'static str,
    /// Quality of service (topics only).
    pub qos: Qos,
    /// What is on it, with units.
    pub doc: &'static str,
}

impl Endpoint {
    /// An endpoint with reliable QoS of depth 10, ROS 2's default.
    pub const fn new(name: &'static str, type_name: &'static str, doc: &'static str) -> Self {
        Endpoint {
            name,
            type_name,
            qos: Qos::DEFAULT,
            doc,
        }
    }

    /// Its name for the node `node`, of which `~` stands for the full name.
    pub fn of_node(&self, node: &str) -> String {
        self.name.replacen('~', node, 1)
    }

    /// The same with another QoS.
    pub const fn qos(mut self, qos: Qos) -> Self {
        self.qos = qos;
        self
    }
}

/// Whether a publisher waits for slow readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliability {
    /// Every message arrives or is counted as dropped at a full queue.
    Reliable,
    /// Old messages give way to new ones.
    BestEffort,
}

/// The part of a ROS 2 QoS profile that Saccade's nodes use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qos {
    /// Reliable or best effort.
    pub reliability: Reliability,
    /// Keep-last depth: the bound of the subscriber's queue, in messages.
    pub depth: usize,
    /// Late joiners get the last message (`/tf_static`, maps, truth).
    pub transient_local: bool,
    /// In real time, a message that waited longer than this is dropped, and counted:
    /// at overload it bounds how old is what a node still hears.
    pub lifespan_ns: Option<i64>,
}

impl Qos {
    /// ROS 2's default profile: reliable, volatile, depth 10.
    pub const DEFAULT: Qos = Qos {
        reliability: Reliability::Reliable,
        depth: 10,
        transient_local: false,
        lifespan_ns: None,
    };
    /// `SensorDataQoS`: best effort; deeper than ROS's 5 because event packets
    /// come at up to 1 kHz.
    pub const SENSOR: Qos = Qos {
        reliability: Reliability::BestEffort,
        depth: 64,
        transient_local: false,
        lifespan_ns: None,
    };
    /// Reliable and latched, depth 1.
    pub const LATCHED: Qos = Qos {
        reliability: Reliability::Reliable,
        depth: 1,
        transient_local: true,
        lifespan_ns: None,
    };

    /// What a subscriber asks for so that every one of these publishers matches it:
    /// reliable if all are, transient local if all are.
    pub fn common(publishers: &[Qos], depth: usize) -> Qos {
        let reliable = |q: &Qos| q.reliability == Reliability::Reliable;
        Qos {
            reliability: if publishers.iter().all(reliable) {
                Reliability::Reliable
            } else {
                Reliability::BestEffort
            },
            depth,
            transient_local: !publishers.is_empty() && publishers.iter().all(|q| q.transient_local),
            // The publishers' affair.
            lifespan_ns: None,
        }
    }

    /// The same profile with another depth.
    pub const fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// The same profile with a lifespan, in milliseconds.
    pub const fn lifespan_ms(mut self, lifespan_ms: i64) -> Self {
        self.lifespan_ns = Some(lifespan_ms * 1_000_000);
        self
    }
}

/// A parameter's value; the four scalar kinds of `rcl_interfaces`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `PARAMETER_BOOL`
    Bool(bool),
    /// `PARAMETER_INTEGER`
    Integer(i64),
    /// `PARAMETER_DOUBLE`
    Double(f64),
    /// `PARAMETER_STRING`
    Text(String),
}

/// A parameter's default, which must be a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// `PARAMETER_BOOL`
    Bool(bool),
    /// `PARAMETER_INTEGER`
    Integer(i64),
    /// `PARAMETER_DOUBLE`
    Double(f64),
    /// `PARAMETER_STRING`
    Text(&'static str),
}

impl Default {
    /// As a value.
    pub fn value(self) -> Value {
        match self {
            Default::Bool(v) => Value::Bool(v),
            Default::Integer(v) => Value::Integer(v),
            Default::Double(v) => Value::Double(v),
            Default::Text(v) => Value::Text(v.to_owned()),
        }
    }
}

/// A parameter with everything `ros2 param describe` shows.
#[derive(Debug, Clone, Copy)]
pub struct ParameterDecl {
    /// Name, e.g. `confidence_min`.
    pub name: &'static str,
    /// Default value; it also fixes the type.
    pub default: Default,
    /// Inclusive range for numbers.
    pub range: Option<(f64, f64)>,
    /// Unit, or "" for a pure number.
    pub unit: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Whether it may change while the node runs; otherwise it is what ROS 2 calls
    /// `read_only`.
    pub live: bool,
}

impl ParameterDecl {
    /// The same, free to change while the node runs.
    pub const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// A number with a range.
    pub const fn double(
        name: &'static str,
        default: f64,
        range: (f64, f64),
        unit: &'static str,
        doc: &'static str,
    ) -> Self {
        ParameterDecl {
            name,
            default: Default::Double(default),
            range: Some(range),
            unit,
            doc,
            live: false,
        }
    }

    /// A whole number with a range.
    pub const fn integer(
        name: &'static str,
        default: i64,
        range: (i64, i64),
        unit: &'static str,
        doc: &'static str,
    ) -> Self {
        ParameterDecl {
            name,
            default: Default::Integer(default),
            range: Some((range.0 as f64, range.1 as f64)),
            unit,
            doc,
            live: false,
        }
    }

    /// A switch.
    pub const fn switch(name: &'static str, default: bool, doc: &'static str) -> Self {
        ParameterDecl {
            name,
            default: Default::Bool(default),
            range: None,
            unit: "",
            doc,
            live: false,
        }
    }

    /// A text.
    pub const fn text(name: &'static str, default: &'static str, doc: &'static str) -> Self {
        ParameterDecl {
            name,
            default: Default::Text(default),
            range: None,
            unit: "",
            doc,
            live: false,
        }
    }
}

/// A periodic timer.
#[derive(Debug, Clone, Copy)]
pub struct TimerDecl {
    /// Name handed back in [`crate::Input::Timer`].
    pub name: &'static str,
    /// Period in nanoseconds; [`crate::Context::set_timer`] changes it.
    pub period_ns: i64,
}

#[cfg(test)]
mod tests {
    use super::Qos;

    #[test]
    fn a_subscriber_matches_all_publishers() {
        let both = Qos::common(&[Qos::LATCHED, Qos::DEFAULT], 7);
        assert_eq!(both, Qos::DEFAULT.depth(7));
        let mixed = Qos::common(&[Qos::LATCHED, Qos::SENSOR], 7);
        assert_eq!(mixed, Qos::SENSOR.depth(7));
        assert_eq!(Qos::common(&[Qos::LATCHED], 1), Qos::LATCHED);
        assert_eq!(Qos::common(&[], 10), Qos::DEFAULT);
    }
}
