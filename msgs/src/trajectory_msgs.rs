//! What joints shall do over time.

use crate::builtin_interfaces::Duration;
use crate::geometry_msgs::{Transform, Twist};
use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// A trajectory of single-axis joints.
    pub struct JointTrajectory = "trajectory_msgs/msg/JointTrajectory" {
        /// When it starts; zero is at once.
        header: Header,
        /// The joints, in the order of every list in the points.
        joint_names: Vec<String>,
        /// The points in order of time.
        points: Vec<JointTrajectoryPoint>,
    }
}

message! {
    /// A point of a trajectory; each list has one number per joint or none.
    pub struct JointTrajectoryPoint = "trajectory_msgs/msg/JointTrajectoryPoint" {
        /// In rad or m.
        positions: Vec<f64>,
        /// In rad/s or m/s.
        velocities: Vec<f64>,
        /// In rad/s^2 or m/s^2.
        accelerations: Vec<f64>,
        /// In Nm or N.
        effort: Vec<f64>,
        /// When, after the start.
        time_from_start: Duration,
    }
}

message! {
    /// A trajectory of joints with several axes.
    pub struct MultiDOFJointTrajectory = "trajectory_msgs/msg/MultiDOFJointTrajectory" {
        /// When it starts; zero is at once.
        header: Header,
        /// The joints, in the order of every list in the points.
        joint_names: Vec<String>,
        /// The points in order of time.
        points: Vec<MultiDOFJointTrajectoryPoint>,
    }
}

message! {
    /// A point of such a trajectory; each list has one element per joint or none.
    pub struct MultiDOFJointTrajectoryPoint = "trajectory_msgs/msg/MultiDOFJointTrajectoryPoint" {
        /// Where the joints are.
        transforms: Vec<Transform>,
        /// In m/s and rad/s.
        velocities: Vec<Twist>,
        /// In m/s^2 and rad/s^2.
        accelerations: Vec<Twist>,
        /// When, after the start.
        time_from_start: Duration,
    }
}
