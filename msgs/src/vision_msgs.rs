//! What is seen.

use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// A class and how well it fits.
    pub struct ObjectHypothesis = "vision_msgs/msg/ObjectHypothesis" {
        /// The class.
        class_id: String,
        /// How well it fits; a probability where it can be one.
        score: f64,
    }
}

message! {
    /// Classes that may be seen.
    pub struct Classification = "vision_msgs/msg/Classification" {
        /// When, in which optical frame.
        header: Header,
        /// The classes, in no particular order.
        results: Vec<ObjectHypothesis>,
    }
}
