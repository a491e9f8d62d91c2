//! Messages the node sends, made from its own values.

use super::contour::{BALL_RADIUS, BOTTLE_HEIGHT, Class, PEN_LENGTH, PEN_RADIUS};
use super::geometry::Pose;
use super::kinematics::Arm;
use super::locate::{Located, object_pose};
use super::plan::{HAND_JOINTS, Hand};
use super::senses::ARM_JOINTS;
use super::trajectory::Trajectory;
use saccade_msgs::builtin_interfaces::{Duration, Time};
use saccade_msgs::geometry_msgs as geometry;
use saccade_msgs::std_msgs::{ColorRGBA, Header};
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};
use saccade_msgs::visualization_msgs::{Marker, MarkerArray};

/// Least time between way-points of the hand, seconds.
const SHORTEST_S: f64 = 0.1;

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

/// The hand's way through poses at `speed` of its fastest joint (rad/s), at
/// rest after the last; and its duration in seconds.
pub fn hand_trajectory(from: &Hand, poses: &[Hand], speed: f64) -> (JointTrajectory, f64) {
    let mut times = vec![0.0];
    let all: Vec<&Hand> = std::iter::once(from).chain(poses).collect();
    for pair in all.windows(2) {
        let way = pair[0]
            .iter()
            .zip(pair[1])
            .fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        times.push(times[times.len() - 1] + (way / speed).max(SHORTEST_S));
    }
    let points = (1..all.len()).map(|k| {
        // Through a way-point at the mean speed of the spans beside it.
        let velocity = |j: usize| match all.get(k + 1) {
            Some(next) => (next[j] - all[k - 1][j]) / (times[k + 1] - times[k - 1]),
            None => 0.0,
        };
        JointTrajectoryPoint {
            positions: all[k].to_vec(),
            velocities: (0..from.len()).map(velocity).collect(),
            time_from_start: seconds(times[k]),
            ..JointTrajectoryPoint::default()
        }
    });
    let trajectory = JointTrajectory {
        joint_names: HAND_JOINTS.map(str::to_owned).to_vec(),
        points: points.collect(),
        ..JointTrajectory::default()
    };
    (trajectory, times[times.len() - 1])
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

/// The tool's way along each part of a plan, as lines to draw.
pub fn ways(arm: &Arm, parts: &[&Trajectory], frame: &str, stamp: Time) -> Vec<Marker> {
    let line = |(k, part): (usize, &&Trajectory)| {
        let along = part.points.iter().map(|p| arm.forward(&p.q).p);
        Marker {
            header: Header {
                stamp,
                frame_id: frame.to_owned(),
            },
            ns: "way".to_owned(),
            id: k as i32,
            r#type: Marker::LINE_STRIP,
            action: Marker::ADD,
            pose: pose(&Pose::from_xyz_rpy([0.0; 3], [0.0; 3])),
            // The width of a line.
            scale: vector([0.004, 0.0, 0.0]),
            color: ColorRGBA {
                r: 0.2,
                g: 0.4 + 0.1 * k as f32,
                b: 0.9,
                a: 1.0,
            },
            points: along
                .map(|p| geometry::Point {
                    x: p.x,
                    y: p.y,
                    z: p.z,
                })
                .collect(),
            ..Marker::default()
        }
    };
    parts.iter().enumerate().map(line).collect()
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
