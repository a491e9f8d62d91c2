//! Points, poses, velocities and frames; metres, radians, seconds (REP 103).

use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// A direction and length in space.
    #[derive(Copy)]
    pub struct Vector3 = "geometry_msgs/msg/Vector3" {
        /// Along x.
        x: f64,
        /// Along y.
        y: f64,
        /// Along z.
        z: f64,
    }
}

message! {
    /// A position in space, in metres.
    #[derive(Copy)]
    pub struct Point = "geometry_msgs/msg/Point" {
        /// Along x.
        x: f64,
        /// Along y.
        y: f64,
        /// Along z.
        z: f64,
    }
}

message! {
    /// A rotation; by default none.
    #[derive(Copy)]
    pub struct Quaternion = "geometry_msgs/msg/Quaternion" {
        /// i.
        x: f64 = 0.0,
        /// j.
        y: f64 = 0.0,
        /// k.
        z: f64 = 0.0,
        /// Real part.
        w: f64 = 1.0,
    }
}

message! {
    /// Where something is and how it is turned.
    #[derive(Copy)]
    pub struct Pose = "geometry_msgs/msg/Pose" {
        /// Where, in metres.
        position: Point,
        /// How it is turned.
        orientation: Quaternion,
    }
}

message! {
    /// A pose in the plane.
    #[derive(Copy)]
    pub struct Pose2D = "geometry_msgs/msg/Pose2D" {
        /// Along x, in metres.
        x: f64,
        /// Along y, in metres.
        y: f64,
        /// From x to y, in radians.
        theta: f64,
    }
}

message! {
    /// A pose at a time in a frame.
    pub struct PoseStamped = "geometry_msgs/msg/PoseStamped" {
        /// When and in which frame.
        header: Header,
        /// The pose.
        pose: Pose,
    }
}

message! {
    /// A pose and how uncertain it is.
    #[derive(Copy)]
    pub struct PoseWithCovariance = "geometry_msgs/msg/PoseWithCovariance" {
        /// The pose.
        pose: Pose,
        /// Row-major 6x6 over x, y, z and the rotations about them.
        covariance: [f64; 36],
    }
}

message! {
    /// A force and a torque.
    #[derive(Copy)]
    pub struct Wrench = "geometry_msgs/msg/Wrench" {
        /// In N.
        force: Vector3,
        /// In Nm.
        torque: Vector3,
    }
}

message! {
    /// A velocity.
    #[derive(Copy)]
    pub struct Twist = "geometry_msgs/msg/Twist" {
        /// In m/s.
        linear: Vector3,
        /// In rad/s.
        angular: Vector3,
    }
}

message! {
    /// A velocity at a time in a frame.
    pub struct TwistStamped = "geometry_msgs/msg/TwistStamped" {
        /// When and in which frame.
        header: Header,
        /// The velocity.
        twist: Twist,
    }
}

message! {
    /// A velocity and how uncertain it is.
    #[derive(Copy)]
    pub struct TwistWithCovariance = "geometry_msgs/msg/TwistWithCovariance" {
        /// The velocity.
        twist: Twist,
        /// Row-major 6x6 over x, y, z and the rotations about them.
        covariance: [f64; 36],
    }
}

message! {
    /// A shift and a rotation after it.
    #[derive(Copy)]
    pub struct Transform = "geometry_msgs/msg/Transform" {
        /// The shift, in metres.
        translation: Vector3,
        /// The rotation.
        rotation: Quaternion,
    }
}

message! {
    /// Where a frame is within another.
    pub struct TransformStamped = "geometry_msgs/msg/TransformStamped" {
        /// When and within which frame.
        header: Header,
        /// Name of the frame that is placed.
        child_frame_id: String,
        /// Takes coordinates of the child to those of the parent.
        transform: Transform,
    }
}

message! {
    /// A position at a time in a frame.
    pub struct PointStamped = "geometry_msgs/msg/PointStamped" {
        /// When and in which frame.
        header: Header,
        /// The position.
        point: Point,
    }
}

message! {
    /// A pose at a time in a frame, and how uncertain it is.
    pub struct PoseWithCovarianceStamped = "geometry_msgs/msg/PoseWithCovarianceStamped" {
        /// When and in which frame.
        header: Header,
        /// The pose.
        pose: PoseWithCovariance,
    }
}

message! {
    /// A velocity at a time in a frame, and how uncertain it is.
    pub struct TwistWithCovarianceStamped = "geometry_msgs/msg/TwistWithCovarianceStamped" {
        /// When and in which frame.
        header: Header,
        /// The velocity.
        twist: TwistWithCovariance,
    }
}
