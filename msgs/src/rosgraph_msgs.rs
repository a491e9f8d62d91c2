//! Simulated time.

use crate::builtin_interfaces::Time;
use crate::macros::message;

message! {
    /// What time it is in the simulation.
    #[derive(Copy, Eq, Hash)]
    pub struct Clock = "rosgraph_msgs/msg/Clock" {
        /// The time.
        clock: Time,
    }
}
