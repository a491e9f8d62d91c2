//! What becomes of the goals of an action.

use crate::Service;
use crate::builtin_interfaces::Time;
use crate::macros::message;
use crate::unique_identifier_msgs::UUID;

message! {
    /// Which goal.
    #[derive(Copy, Eq, Hash)]
    pub struct GoalInfo = "action_msgs/msg/GoalInfo" {
        /// Its identifier.
        goal_id: UUID,
        /// When it was accepted.
        stamp: Time,
    }
}

message! {
    /// The state of a goal.
    #[derive(Copy, Eq, Hash)]
    pub struct GoalStatus = "action_msgs/msg/GoalStatus" {
        /// Which goal.
        goal_info: GoalInfo,
        /// One of the constants.
        status: i8,
    }
    const {
        /// Nobody knows.
        STATUS_UNKNOWN: i8 = 0,
        /// Accepted, waits.
        STATUS_ACCEPTED: i8 = 1,
        /// At work.
        STATUS_EXECUTING: i8 = 2,
        /// Being cancelled.
        STATUS_CANCELING: i8 = 3,
        /// Done.
        STATUS_SUCCEEDED: i8 = 4,
        /// Cancelled by the client.
        STATUS_CANCELED: i8 = 5,
        /// Given up by the server.
        STATUS_ABORTED: i8 = 6,
    }
}

message! {
    /// The states of all goals of an action.
    #[derive(Eq, Hash)]
    pub struct GoalStatusArray = "action_msgs/msg/GoalStatusArray" {
        /// One for each goal.
        status_list: Vec<GoalStatus>,
    }
}

/// Cancel goals of an action.
#[derive(Debug, Clone, Copy)]
pub struct CancelGoal;

impl Service for CancelGoal {
    type Request = cancel_goal::Request;
    type Response = cancel_goal::Response;
    const TYPE_NAME: &'static str = "action_msgs/srv/CancelGoal";
}

/// The two sides of [`CancelGoal`].
pub mod cancel_goal {
    use super::GoalInfo;
    use crate::macros::message;

    message! {
        /// Which goals.
        #[derive(Copy, Eq, Hash)]
        pub struct Request = "action_msgs/srv/CancelGoal_Request" {
            /// One goal; without identifier, those accepted until the stamp; without both, all.
            goal_info: GoalInfo,
        }
    }

    message! {
        /// What became of it.
        #[derive(Eq, Hash)]
        pub struct Response = "action_msgs/srv/CancelGoal_Response" {
            /// One of the constants.
            return_code: i8,
            /// The goals that are being cancelled.
            goals_canceling: Vec<GoalInfo>,
        }
        const {
            /// They are being cancelled.
            ERROR_NONE: i8 = 0,
            /// The server refuses.
            ERROR_REJECTED: i8 = 1,
            /// There is no such goal.
            ERROR_UNKNOWN_GOAL_ID: i8 = 2,
            /// The goal has ended already.
            ERROR_GOAL_TERMINATED: i8 = 3,
        }
    }
}
