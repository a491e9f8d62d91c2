//! Managed nodes: their states, and how they go from one to another.

use crate::Service;
use crate::macros::message;

message! {
    /// A state of a managed node.
    #[derive(Eq, Hash)]
    pub struct State = "lifecycle_msgs/msg/State" {
        /// Which: one of the constants.
        id: u8,
        /// Its name.
        label: String,
    }
    const {
        /// Not known.
        PRIMARY_STATE_UNKNOWN: u8 = 0,
        /// Not set up.
        PRIMARY_STATE_UNCONFIGURED: u8 = 1,
        /// Set up, and at rest.
        PRIMARY_STATE_INACTIVE: u8 = 2,
        /// At work.
        PRIMARY_STATE_ACTIVE: u8 = 3,
        /// Ended.
        PRIMARY_STATE_FINALIZED: u8 = 4,
        /// Being set up.
        TRANSITION_STATE_CONFIGURING: u8 = 10,
        /// Giving up what it was set up with.
        TRANSITION_STATE_CLEANINGUP: u8 = 11,
        /// Ending.
        TRANSITION_STATE_SHUTTINGDOWN: u8 = 12,
        /// Beginning to work.
        TRANSITION_STATE_ACTIVATING: u8 = 13,
        /// Coming to rest.
        TRANSITION_STATE_DEACTIVATING: u8 = 14,
        /// After an error.
        TRANSITION_STATE_ERRORPROCESSING: u8 = 15,
    }
}

message! {
    /// A way from one state to another.
    #[derive(Eq, Hash)]
    pub struct Transition = "lifecycle_msgs/msg/Transition" {
        /// Which: one of the constants.
        id: u8,
        /// Its name.
        label: String,
    }
    const {
        /// Not in use.
        TRANSITION_CREATE: u8 = 0,
        /// Set it up.
        TRANSITION_CONFIGURE: u8 = 1,
        /// Give up what it was set up with.
        TRANSITION_CLEANUP: u8 = 2,
        /// Let it work.
        TRANSITION_ACTIVATE: u8 = 3,
        /// Let it rest.
        TRANSITION_DEACTIVATE: u8 = 4,
        /// End it where it is not set up.
        TRANSITION_UNCONFIGURED_SHUTDOWN: u8 = 5,
        /// End it where it rests.
        TRANSITION_INACTIVE_SHUTDOWN: u8 = 6,
        /// End it where it works.
        TRANSITION_ACTIVE_SHUTDOWN: u8 = 7,
        /// Not in use.
        TRANSITION_DESTROY: u8 = 8,
        /// It is set up.
        TRANSITION_ON_CONFIGURE_SUCCESS: u8 = 10,
        /// It could not be set up.
        TRANSITION_ON_CONFIGURE_FAILURE: u8 = 11,
        /// An error while setting it up.
        TRANSITION_ON_CONFIGURE_ERROR: u8 = 12,
        /// It is cleaned up.
        TRANSITION_ON_CLEANUP_SUCCESS: u8 = 20,
        /// It could not be cleaned up.
        TRANSITION_ON_CLEANUP_FAILURE: u8 = 21,
        /// An error while cleaning up.
        TRANSITION_ON_CLEANUP_ERROR: u8 = 22,
        /// It works.
        TRANSITION_ON_ACTIVATE_SUCCESS: u8 = 30,
        /// It could not begin to work.
        TRANSITION_ON_ACTIVATE_FAILURE: u8 = 31,
        /// An error while it began to work.
        TRANSITION_ON_ACTIVATE_ERROR: u8 = 32,
        /// It rests.
        TRANSITION_ON_DEACTIVATE_SUCCESS: u8 = 40,
        /// It could not come to rest.
        TRANSITION_ON_DEACTIVATE_FAILURE: u8 = 41,
        /// An error while it came to rest.
        TRANSITION_ON_DEACTIVATE_ERROR: u8 = 42,
        /// It has ended.
        TRANSITION_ON_SHUTDOWN_SUCCESS: u8 = 50,
        /// It has ended all the same.
        TRANSITION_ON_SHUTDOWN_FAILURE: u8 = 51,
        /// An error while it ended.
        TRANSITION_ON_SHUTDOWN_ERROR: u8 = 52,
        /// The error was dealt with.
        TRANSITION_ON_ERROR_SUCCESS: u8 = 60,
        /// The error was not dealt with.
        TRANSITION_ON_ERROR_FAILURE: u8 = 61,
        /// Another error on the way.
        TRANSITION_ON_ERROR_ERROR: u8 = 62,
        /// What was asked for is done.
        TRANSITION_CALLBACK_SUCCESS: u8 = 97,
        /// It was not done.
        TRANSITION_CALLBACK_FAILURE: u8 = 98,
        /// An error on the way.
        TRANSITION_CALLBACK_ERROR: u8 = 99,
    }
}

message! {
    /// A transition, and from where to where it goes.
    #[derive(Eq, Hash)]
    pub struct TransitionDescription = "lifecycle_msgs/msg/TransitionDescription" {
        /// The transition.
        transition: Transition,
        /// From where.
        start_state: State,
        /// To where.
        goal_state: State,
    }
}

message! {
    /// A transition that a node has gone through.
    #[derive(Eq, Hash)]
    pub struct TransitionEvent = "lifecycle_msgs/msg/TransitionEvent" {
        /// When, in nanoseconds.
        timestamp: u64,
        /// The transition.
        transition: Transition,
        /// From where.
        start_state: State,
        /// To where.
        goal_state: State,
    }
}

/// Has a node go through a transition.
#[derive(Debug, Clone, Copy)]
pub struct ChangeState;

impl Service for ChangeState {
    type Request = change_state::Request;
    type Response = change_state::Response;
    const TYPE_NAME: &'static str = "lifecycle_msgs/srv/ChangeState";
}

/// The two sides of [`ChangeState`].
pub mod change_state {
    use super::Transition;
    use crate::macros::message;

    message! {
        /// Which; by its label where it has one, otherwise by its id.
        #[derive(Eq, Hash)]
        pub struct Request = "lifecycle_msgs/srv/ChangeState_Request" {
            /// The transition.
            transition: Transition,
        }
    }

    message! {
        /// How it went.
        #[derive(Copy, Eq, Hash)]
        pub struct Response = "lifecycle_msgs/srv/ChangeState_Response" {
            /// Whether the node is where it was to go.
            success: bool,
        }
    }
}

/// In what state a node is.
#[derive(Debug, Clone, Copy)]
pub struct GetState;

impl Service for GetState {
    type Request = get_state::Request;
    type Response = get_state::Response;
    const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetState";
}

/// The two sides of [`GetState`].
pub mod get_state {
    use super::State;
    use crate::macros::message;

    message! {
        /// Nothing to say.
        #[derive(Copy, Eq, Hash)]
        pub struct Request = "lifecycle_msgs/srv/GetState_Request" {}
    }

    message! {
        /// The state.
        #[derive(Eq, Hash)]
        pub struct Response = "lifecycle_msgs/srv/GetState_Response" {
            /// The state.
            current_state: State,
        }
    }
}

/// What states there are.
#[derive(Debug, Clone, Copy)]
pub struct GetAvailableStates;

impl Service for GetAvailableStates {
    type Request = get_available_states::Request;
    type Response = get_available_states::Response;
    const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableStates";
}

/// The two sides of [`GetAvailableStates`].
pub mod get_available_states {
    use super::State;
    use crate::macros::message;

    message! {
        /// Nothing to say.
        #[derive(Copy, Eq, Hash)]
        pub struct Request = "lifecycle_msgs/srv/GetAvailableStates_Request" {}
    }

    message! {
        /// The states.
        #[derive(Eq, Hash)]
        pub struct Response = "lifecycle_msgs/srv/GetAvailableStates_Response" {
            /// All of them.
            available_states: Vec<State>,
        }
    }
}

/// What transitions there are: from a node's present state, or all.
#[derive(Debug, Clone, Copy)]
pub struct GetAvailableTransitions;

impl Service for GetAvailableTransitions {
    type Request = get_available_transitions::Request;
    type Response = get_available_transitions::Response;
    const TYPE_NAME: &'static str = "lifecycle_msgs/srv/GetAvailableTransitions";
}

/// The two sides of [`GetAvailableTransitions`].
pub mod get_available_transitions {
    use super::TransitionDescription;
    use crate::macros::message;

    message! {
        /// Nothing to say.
        #[derive(Copy, Eq, Hash)]
        pub struct Request = "lifecycle_msgs/srv/GetAvailableTransitions_Request" {}
    }

    message! {
        /// The transitions.
        #[derive(Eq, Hash)]
        pub struct Response = "lifecycle_msgs/srv/GetAvailableTransitions_Response" {
            /// Each with its states.
            available_transitions: Vec<TransitionDescription>,
        }
    }
}
