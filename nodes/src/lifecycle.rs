//! The states of a managed node and the ways between them, as ROS 2 has them
//! (`rcl_lifecycle`, `lifecycle_msgs`), and the services that tell of them. What the node
//! does on the way is in [`crate::slot`].

use crate::interface::Endpoint;
use saccade_msgs::Message;
use saccade_msgs::lifecycle_msgs::{
    State, Transition, TransitionDescription, TransitionEvent, get_available_states,
    get_available_transitions, get_state,
};

/// Goes through a transition.
pub const CHANGE: &str = "~/change_state";
/// The present state.
pub const GET: &str = "~/get_state";
const STATES_OF: &str = "~/get_available_states";
const TRANSITIONS_OF: &str = "~/get_available_transitions";
const GRAPH: &str = "~/get_transition_graph";

/// The services, with names relative to the node's own (`~`).
pub static SERVICES: &[Endpoint] = &[
    Endpoint::new(
        CHANGE,
        "lifecycle_msgs/srv/ChangeState",
        "Configures, activates, deactivates, cleans up or shuts down.",
    ),
    Endpoint::new(GET, "lifecycle_msgs/srv/GetState", "The present state."),
    Endpoint::new(
        STATES_OF,
        "lifecycle_msgs/srv/GetAvailableStates",
        "All states.",
    ),
    Endpoint::new(
        TRANSITIONS_OF,
        "lifecycle_msgs/srv/GetAvailableTransitions",
        "Transitions from the present state.",
    ),
    Endpoint::new(
        GRAPH,
        "lifecycle_msgs/srv/GetAvailableTransitions",
        "All transitions.",
    ),
];

/// Where transitions are told.
pub const EVENTS: Endpoint = Endpoint::new(
    "~/transition_event",
    TransitionEvent::TYPE_NAME,
    "Transitions as they happen.",
);

/// All states, with their names.
const STATES: [(u8, &str); 11] = [
    (State::PRIMARY_STATE_UNKNOWN, "unknown"),
    (State::PRIMARY_STATE_UNCONFIGURED, "unconfigured"),
    (State::PRIMARY_STATE_INACTIVE, "inactive"),
    (State::PRIMARY_STATE_ACTIVE, "active"),
    (State::PRIMARY_STATE_FINALIZED, "finalized"),
    (State::TRANSITION_STATE_CONFIGURING, "configuring"),
    (State::TRANSITION_STATE_CLEANINGUP, "cleaningup"),
    (State::TRANSITION_STATE_SHUTTINGDOWN, "shuttingdown"),
    (State::TRANSITION_STATE_ACTIVATING, "activating"),
    (State::TRANSITION_STATE_DEACTIVATING, "deactivating"),
    (State::TRANSITION_STATE_ERRORPROCESSING, "errorprocessing"),
];

/// A transition: its identifier and name, from where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub id: u8,
    pub label: &'static str,
    from: u8,
    /// The state that it leads to.
    pub to: u8,
}

const fn way(id: u8, label: &'static str, from: u8, to: u8) -> Way {
    Way {
        id,
        label,
        from,
        to,
    }
}

const UNCONFIGURED: u8 = State::PRIMARY_STATE_UNCONFIGURED;
const INACTIVE: u8 = State::PRIMARY_STATE_INACTIVE;
const ACTIVE: u8 = State::PRIMARY_STATE_ACTIVE;
const FINALIZED: u8 = State::PRIMARY_STATE_FINALIZED;
const CONFIGURING: u8 = State::TRANSITION_STATE_CONFIGURING;
const CLEANINGUP: u8 = State::TRANSITION_STATE_CLEANINGUP;
const SHUTTINGDOWN: u8 = State::TRANSITION_STATE_SHUTTINGDOWN;
const ACTIVATING: u8 = State::TRANSITION_STATE_ACTIVATING;
const DEACTIVATING: u8 = State::TRANSITION_STATE_DEACTIVATING;
const ERRORPROCESSING: u8 = State::TRANSITION_STATE_ERRORPROCESSING;
const SUCCESS: &str = "transition_success";
const FAILURE: &str = "transition_failure";
const ERROR: &str = "transition_error";

/// All transitions, in `rcl_lifecycle`'s order.
static WAYS: [Way; 25] = [
    way(1, "configure", UNCONFIGURED, CONFIGURING),
    way(10, SUCCESS, CONFIGURING, INACTIVE),
    way(11, FAILURE, CONFIGURING, UNCONFIGURED),
    way(12, ERROR, CONFIGURING, ERRORPROCESSING),
    way(2, "cleanup", INACTIVE, CLEANINGUP),
    way(20, SUCCESS, CLEANINGUP, UNCONFIGURED),
    way(21, FAILURE, CLEANINGUP, INACTIVE),
    way(22, ERROR, CLEANINGUP, ERRORPROCESSING),
    way(3, "activate", INACTIVE, ACTIVATING),
    way(30, SUCCESS, ACTIVATING, ACTIVE),
    way(31, FAILURE, ACTIVATING, INACTIVE),
    way(32, ERROR, ACTIVATING, ERRORPROCESSING),
    way(4, "deactivate", ACTIVE, DEACTIVATING),
    way(40, SUCCESS, DEACTIVATING, INACTIVE),
    way(41, FAILURE, DEACTIVATING, ACTIVE),
    way(42, ERROR, DEACTIVATING, ERRORPROCESSING),
    way(5, "shutdown", UNCONFIGURED, SHUTTINGDOWN),
    way(6, "shutdown", INACTIVE, SHUTTINGDOWN),
    way(7, "shutdown", ACTIVE, SHUTTINGDOWN),
    way(50, SUCCESS, SHUTTINGDOWN, FINALIZED),
    way(51, FAILURE, SHUTTINGDOWN, FINALIZED),
    way(52, ERROR, SHUTTINGDOWN, ERRORPROCESSING),
    way(60, SUCCESS, ERRORPROCESSING, UNCONFIGURED),
    way(61, FAILURE, ERRORPROCESSING, FINALIZED),
    way(62, ERROR, ERRORPROCESSING, FINALIZED),
];

/// How what a transition asks for went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    Error,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Outcome::Success => SUCCESS,
            Outcome::Failure => FAILURE,
            Outcome::Error => ERROR,
        }
    }
}

/// A managed node's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifecycle(u8);

impl Lifecycle {
    /// As every node begins.
    pub const UNCONFIGURED: Lifecycle = Lifecycle(UNCONFIGURED);

    /// Whether the node works.
    pub fn is_active(self) -> bool {
        self.0 == ACTIVE
    }

    /// Its name.
    pub fn label(self) -> &'static str {
        label(self.0)
    }

    /// The transition from here that is asked for: by its name where it has one.
    pub fn find(self, wanted: &Transition) -> Option<Way> {
        let is_it = |w: &&Way| match wanted.label.as_str() {
            "" => w.id == wanted.id,
            label => w.label == label,
        };
        WAYS.iter()
            .filter(|w| w.from == self.0)
            .find(is_it)
            .copied()
    }

    /// Names of the transitions from here.
    pub fn known(self) -> String {
        let from_here = WAYS.iter().filter(|w| w.from == self.0);
        let names: Vec<_> = from_here.map(|w| w.label).collect();
        names.join(", ")
    }

    /// Begins a transition.
    pub fn begin(&mut self, way: Way, now_ns: i64) -> TransitionEvent {
        self.0 = way.to;
        TransitionEvent {
            timestamp: now_ns.unsigned_abs(),
            transition: transition(way),
            start_state: state(way.from),
            goal_state: state(way.to),
        }
    }

    /// Ends what was begun; `None` where nothing was.
    pub fn end(&mut self, outcome: Outcome, now_ns: i64) -> Option<TransitionEvent> {
        let label = outcome.label();
        let mut from_here = WAYS.iter().filter(|w| w.from == self.0);
        let way = *from_here.find(|w| w.label == label)?;
        Some(self.begin(way, now_ns))
    }

    /// Whether an error is still to be dealt with.
    pub fn has_failed(self) -> bool {
        self.0 == ERRORPROCESSING
    }

    /// The answer to [`GET`].
    pub fn get(self) -> get_state::Response {
        get_state::Response {
            current_state: state(self.0),
        }
    }

    /// The answer to what asks for transitions.
    pub fn transitions(self, service: &str) -> get_available_transitions::Response {
        let all = service == GRAPH;
        let wanted = WAYS.iter().filter(|w| all || w.from == self.0);
        let described = wanted.map(|w| TransitionDescription {
            transition: transition(*w),
            start_state: state(w.from),
            goal_state: state(w.to),
        });
        get_available_transitions::Response {
            available_transitions: described.collect(),
        }
    }
}

/// The answer to what asks for all states.
pub(crate) fn states(service: &str) -> Option<get_available_states::Response> {
    (service == STATES_OF).then(|| get_available_states::Response {
        available_states: STATES.iter().map(|(id, _)| state(*id)).collect(),
    })
}

fn label(id: u8) -> &'static str {
    let found = STATES.iter().find(|(i, _)| *i == id);
    found.map_or("unknown", |(_, label)| label)
}

fn state(id: u8) -> State {
    State {
        id,
        label: label(id).to_owned(),
    }
}

fn transition(way: Way) -> Transition {
    Transition {
        id: way.id,
        label: way.label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: u8, label: &str) -> Transition {
        let label = label.to_owned();
        Transition { id, label }
    }

    #[test]
    fn a_node_goes_the_ways_there_are_and_no_others() {
        let mut node = Lifecycle::UNCONFIGURED;
        assert_eq!(node.find(&asked(3, "")), None);
        assert_eq!(node.find(&asked(1, "activate")), None, "the name holds");
        for (wanted, outcome, to) in [
            (asked(1, ""), Outcome::Failure, "unconfigured"),
            (asked(0, "configure"), Outcome::Success, "inactive"),
            (asked(3, ""), Outcome::Success, "active"),
            (asked(0, "deactivate"), Outcome::Success, "inactive"),
            (asked(2, "cleanup"), Outcome::Error, "errorprocessing"),
        ] {
            let way = node.find(&wanted).expect("a way");
            let begun = node.begin(way, 7);
            assert_eq!((begun.timestamp, begun.goal_state.id), (7, way.to));
            let ended = node.end(outcome, 8).expect("it was begun");
            assert_eq!(ended.start_state, begun.goal_state);
            assert_eq!((node.label(), ended.goal_state.label.as_str()), (to, to));
        }
        assert!(node.has_failed());
        node.end(Outcome::Success, 9).expect("dealt with");
        let way = node.find(&asked(0, "shutdown")).expect("a way");
        assert_eq!(way.id, Transition::TRANSITION_UNCONFIGURED_SHUTDOWN);
        node.begin(way, 10);
        node.end(Outcome::Success, 11).expect("it was begun");
        assert_eq!((node.label(), node.known().as_str()), ("finalized", ""));
        assert_eq!(node.end(Outcome::Success, 12), None);
    }

    #[test]
    fn what_there_is_can_be_asked() {
        let node = Lifecycle::UNCONFIGURED;
        assert_eq!(node.transitions(GRAPH).available_transitions.len(), 25);
        let here = node.transitions(TRANSITIONS_OF).available_transitions;
        let names: Vec<_> = here.iter().map(|t| t.transition.label.as_str()).collect();
        assert_eq!(names, ["configure", "shutdown"]);
        let all = states(STATES_OF).expect("they are asked for");
        assert_eq!((all.available_states.len(), states(GET)), (11, None));
        assert_eq!(node.get().current_state, state(1));
    }
}
