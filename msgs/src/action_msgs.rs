//! What becomes of the goals of an action.

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
