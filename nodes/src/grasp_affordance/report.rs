//! Messages the node sends, made from its own values.

use super::contour::{BALL_RADIUS, BOTTLE_HEIGHT, Class, PEN_LENGTH, PEN_RADIUS};
use super::geometry::Pose;
use super::locate::{Located, object_pose};
use super::plan::{HAND_JOINTS, Hand};
use super::senses::ARM_JOINTS;
use super::trajectory::Trajectory;
use saccade_msgs::builtin_interfaces::{Duration, Time};
use saccade_msgs::geometry_msgs as geometry;
use saccade_msgs::std_msgs::{ColorRGBA, Header};
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};
use saccade_msgs::visualization_msgs::{Marker, MarkerArray};

/// The arm's trajectories, one after the other, as a message.
pub fn arm_trajectory(parts: &[&Trajectory]) -> JointTrajectory {
    let mut points = Vec::new();
    let mut start = 0.0;
    for (k, part) in parts.iter().enumerate() {
        // The first point of a later part is the last of the one before.
        for point in part.points.iter().skip(usize::from(k > 0)) {
            points.push(JointTrajectoryPoint {
                positions: point.q.to_vec(),
                velocities: point.v.to_vec(),
                time_from_start: seconds(start + point.t),
                ..JointTrajectoryPoint::default()
            });
        }
        start += part.duration();
    }
    JointTrajectory {
        joint_names: ARM_JOINTS.map(str::to_owned).to_vec(),
        points,
        ..JointTrajectory::default()
    }
}

/// The hand's way to a pose, at rest there after `duration_s`.
pub fn hand_trajectory(pose: &Hand, duration_s: f64) -> JointTrajectory {
    JointTrajectory {
        joint_names: HAND_JOINTS.map(str::to_owned).to_vec(),
        points: vec![JointTrajectoryPoint {
            positions: pose.to_vec(),
            velocities: vec![0.0; pose.len()],
            time_from_start: seconds(duration_s),
            ..JointTrajectoryPoint::default()
        }],
        ..JointTrajectory::default()
    }
}

/// Where the object was found.
pub fn object(
    class: Class,
    found: &Located,
    table: f64,
    frame: &str,
    stamp: Time,
) -> geometry::PoseStamped {
    geometry::PoseStamped {
        header: Header {
            stamp,
            frame_id: frame.to_owned(),
        },
        pose: pose(&object_pose(class, &found.place, table)),
    }
}

/// The object found and the tool at the grasp, to draw.
pub fn markers(
    class: Class,
    found: &Located,
    table: f64,
    grasp: Option<&Pose>,
    frame: &str,
    stamp: Time,
) -> MarkerArray {
    let header = Header {
        stamp,
        frame_id: frame.to_owned(),
    };
    let s = found.place.scale;
    let (shape, size) = match class {
        Class::Ball => (Marker::SPHERE, [2.0 * BALL_RADIUS * s; 3]),
        Class::Bottle => (
            Marker::CYLINDER,
            [
                2.0 * BALL_RADIUS * s,
                2.0 * BALL_RADIUS * s,
                BOTTLE_HEIGHT * s,
            ],
        ),
        Class::Pen => (
            Marker::CUBE,
            [PEN_LENGTH * s, 2.0 * PEN_RADIUS * s, 2.0 * PEN_RADIUS * s],
        ),
    };
    let object = Marker {
        header: header.clone(),
        ns: "object".to_owned(),
        id: 0,
        r#type: shape,
        action: Marker::ADD,
        pose: pose(&object_pose(class, &found.place, table)),
        scale: vector(size),
        color: ColorRGBA {
            r: 0.1,
            g: 0.8,
            b: 0.2,
            a: 0.6,
        },
        ..Marker::default()
    };
    let mut markers = vec![object];
    if let Some(grasp) = grasp {
        markers.push(Marker {
            header,
            ns: "grasp".to_owned(),
            id: 1,
            r#type: Marker::ARROW,
            action: Marker::ADD,
            pose: pose(grasp),
            scale: vector([0.1, 0.01, 0.01]),
            color: ColorRGBA {
                r: 0.9,
                g: 0.5,
                b: 0.1,
                a: 1.0,
            },
            ..Marker::default()
        });
    }
    MarkerArray { markers }
}

fn pose(of: &Pose) -> geometry::Pose {
    geometry::Pose {
        position: geometry::Point {
            x: of.p.x,
            y: of.p.y,
            z: of.p.z,
        },
        orientation: geometry::Quaternion {
            x: of.q.x,
            y: of.q.y,
            z: of.q.z,
            w: of.q.w,
        },
    }
}

fn vector(v: [f64; 3]) -> geometry::Vector3 {
    geometry::Vector3 {
        x: v[0],
        y: v[1],
        z: v[2],
    }
}

fn seconds(s: f64) -> Duration {
    Duration::from_ns((s * 1e9).round() as i64)
}
