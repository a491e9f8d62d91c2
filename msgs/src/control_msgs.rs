//! The action of `ros2_control`'s joint trajectory controller, as in Humble.

use crate::Action;
use crate::macros::message;

message! {
    /// How far a joint may be off; 0 leaves it to the controller, negative is any.
    pub struct JointTolerance = "control_msgs/msg/JointTolerance" {
        /// The joint.
        name: String,
        /// In rad or m.
        position: f64,
        /// In rad/s or m/s.
        velocity: f64,
        /// In rad/s^2 or m/s^2.
        acceleration: f64,
    }
}

message! {
    /// How far one component of a joint with several axes may be off.
    pub struct JointComponentTolerance = "control_msgs/msg/JointComponentTolerance" {
        /// The joint.
        joint_name: String,
        /// One of the constants.
        component: u16,
        /// In rad or m.
        position: f64,
        /// In rad/s or m/s.
        velocity: f64,
        /// In rad/s^2 or m/s^2.
        acceleration: f64,
    }
    const {
        /// Along x.
        X_AXIS: u16 = 1,
        /// Along y.
        Y_AXIS: u16 = 2,
        /// Along z.
        Z_AXIS: u16 = 3,
        /// Length of the shift.
        TRANSLATION: u16 = 4,
        /// Angle of the rotation.
        ROTATION: u16 = 5,
    }
}

/// Move joints along a trajectory.
#[derive(Debug, Clone, Copy)]
pub struct FollowJointTrajectory;

impl Action for FollowJointTrajectory {
    type Goal = follow_joint_trajectory::Goal;
    type Result = follow_joint_trajectory::Result;
    type Feedback = follow_joint_trajectory::Feedback;
    const TYPE_NAME: &'static str = "control_msgs/action/FollowJointTrajectory";
}

/// The three messages of [`FollowJointTrajectory`].
pub mod follow_joint_trajectory {
    use super::{JointComponentTolerance, JointTolerance};
    use crate::builtin_interfaces::Duration;
    use crate::macros::message;
    use crate::std_msgs::Header;
    use crate::trajectory_msgs::{
        JointTrajectory, JointTrajectoryPoint, MultiDOFJointTrajectory,
        MultiDOFJointTrajectoryPoint,
    };

    message! {
        /// The trajectory and how closely to follow it.
        pub struct Goal = "control_msgs/action/FollowJointTrajectory_Goal" {
            /// For single-axis joints.
            trajectory: JointTrajectory,
            /// For joints with several axes.
            multi_dof_trajectory: MultiDOFJointTrajectory,
            /// Along the way: beyond it, the controller aborts.
            path_tolerance: Vec<JointTolerance>,
            /// The same for joints with several axes.
            component_path_tolerance: Vec<JointComponentTolerance>,
            /// At the end.
            goal_tolerance: Vec<JointTolerance>,
            /// The same for joints with several axes.
            component_goal_tolerance: Vec<JointComponentTolerance>,
            /// How late the joints may arrive within the goal tolerance.
            goal_time_tolerance: Duration,
        }
    }

    message! {
        /// How it ended.
        pub struct Result = "control_msgs/action/FollowJointTrajectory_Result" {
            /// One of the constants.
            error_code: i32,
            /// The same in words, with the joint.
            error_string: String,
        }
        const {
            /// The joints arrived.
            SUCCESSFUL: i32 = 0,
            /// The goal is malformed.
            INVALID_GOAL: i32 = -1,
            /// The goal's joints are not the controller's.
            INVALID_JOINTS: i32 = -2,
            /// The trajectory starts in the past.
            OLD_HEADER_TIMESTAMP: i32 = -3,
            /// A joint left the path.
            PATH_TOLERANCE_VIOLATED: i32 = -4,
            /// A joint did not arrive in time.
            GOAL_TOLERANCE_VIOLATED: i32 = -5,
        }
    }

    message! {
        /// Where the joints are.
        pub struct Feedback = "control_msgs/action/FollowJointTrajectory_Feedback" {
            /// When.
            header: Header,
            /// The joints, in the order of every list in the points.
            joint_names: Vec<String>,
            /// Where they should be.
            desired: JointTrajectoryPoint,
            /// Where they are.
            actual: JointTrajectoryPoint,
            /// The difference.
            error: JointTrajectoryPoint,
            /// The joints with several axes.
            multi_dof_joint_names: Vec<String>,
            /// Where they should be.
            multi_dof_desired: MultiDOFJointTrajectoryPoint,
            /// Where they are.
            multi_dof_actual: MultiDOFJointTrajectoryPoint,
            /// The difference.
            multi_dof_error: MultiDOFJointTrajectoryPoint,
        }
    }
}
