//! The tree of frames.

use crate::geometry_msgs::TransformStamped;
use crate::macros::message;

message! {
    /// Places of frames.
    pub struct TFMessage = "tf2_msgs/msg/TFMessage" {
        /// One for each frame.
        transforms: Vec<TransformStamped>,
    }
}
