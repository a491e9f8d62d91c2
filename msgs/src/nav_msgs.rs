//! Where a robot is and which way it goes.

use crate::geometry_msgs::{PoseStamped, PoseWithCovariance, TwistWithCovariance};
use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// Estimated pose and velocity of a robot.
    pub struct Odometry = "nav_msgs/msg/Odometry" {
        /// When; the frame of the pose.
        header: Header,
        /// The frame of the velocity.
        child_frame_id: String,
        /// The pose.
        pose: PoseWithCovariance,
        /// The velocity.
        twist: TwistWithCovariance,
    }
}

message! {
    /// Poses to go through.
    pub struct Path = "nav_msgs/msg/Path" {
        /// When, in which frame.
        header: Header,
        /// The poses in order.
        poses: Vec<PoseStamped>,
    }
}
