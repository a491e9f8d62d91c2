//! What the node tells of its memory: how uncertain it is, and the way so far.

use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::geometry_msgs::{PoseStamped, PoseWithCovarianceStamped, Quaternion};
use saccade_msgs::nav_msgs::Path;
use saccade_msgs::std_msgs::{Float32MultiArray, MultiArrayDimension};

/// Poses of a path closer together than this are left out, m.
const SPACING_M: f64 = 0.05;
/// Most poses of a path; beyond, every other one is dropped.
const MOST_POSES: usize = 4096;

/// The covariance of the home vector, in the world's axes, as it grows with the way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// xx, xy, yy in m^2.
    pub covariance_m2: [f64; 3],
}

impl Spread {
    /// A step with a velocity of this variance in (m/s)^2.
    pub fn step(&mut self, way_m: [f64; 2], heading_variance: f64, variance: f64, dt_s: f64) {
        let [x, y] = way_m;
        let along = variance * dt_s * dt_s;
        // A heading that is off moves what was gone to the side.
        self.covariance_m2[0] += along + heading_variance * y * y;
        self.covariance_m2[1] -= heading_variance * x * y;
        self.covariance_m2[2] += along + heading_variance * x * x;
    }

    /// A time in which motion was not seen, though there may have been some.
    pub fn blind(&mut self, reach_m: f64) {
        self.covariance_m2[0] += reach_m * reach_m;
        self.covariance_m2[2] += reach_m * reach_m;
    }

    /// With the compass's slow error, seen from a robot with this yaw: xx, xy, yy.
    fn seen(&self, home_m: [f64; 2], drift_rad: f64, yaw_rad: f64) -> [f64; 3] {
        let mut spread = *self;
        spread.step(home_m, drift_rad * drift_rad, 0.0, 0.0);
        let [xx, xy, yy] = spread.covariance_m2;
        let (s, c) = yaw_rad.sin_cos();
        [
            c * c * xx + 2.0 * c * s * xy + s * s * yy,
            c * s * (yy - xx) + (c * c - s * s) * xy,
            s * s * xx - 2.0 * c * s * xy + c * c * yy,
        ]
    }
}

/// A vector of the world's axes in those of a robot with this yaw.
pub fn seen_from(yaw_rad: f64, [x, y]: [f64; 2]) -> [f64; 2] {
    let (s, c) = yaw_rad.sin_cos();
    [c * x + s * y, c * y - s * x]
}

/// A rotation about the vertical.
pub fn about_z(yaw_rad: f64) -> Quaternion {
    let (z, w) = (0.5 * yaw_rad).sin_cos();
    Quaternion {
        z,
        w,
        ..Quaternion::default()
    }
}

/// The home vector as a message.
pub fn home_vector(
    home_m: [f64; 2],
    spread: &Spread,
    drift_rad: f64,
    yaw_rad: f64,
    stamp: Time,
    frame: &str,
) -> PoseWithCovarianceStamped {
    let mut message = PoseWithCovarianceStamped::default();
    message.header.stamp = stamp;
    frame.clone_into(&mut message.header.frame_id);
    let [x, y] = seen_from(yaw_rad, home_m);
    let pose = &mut message.pose.pose;
    (pose.position.x, pose.position.y) = (x, y);
    pose.orientation = about_z(y.atan2(x));
    let [xx, xy, yy] = spread.seen(home_m, drift_rad, yaw_rad);
    let covariance = &mut message.pose.covariance;
    (covariance[0], covariance[1], covariance[6], covariance[7]) = (xx, xy, xy, yy);
    message
}

/// The way since home was set, bounded.
#[derive(Debug)]
pub struct Track {
    path: Path,
    spacing_m: f64,
}

impl Track {
    /// At home.
    pub fn new() -> Self {
        let mut path = Path::default();
        path.header.frame_id = "home".into();
        Track {
            path,
            spacing_m: SPACING_M,
        }
    }

    /// The robot is here.
    pub fn add(&mut self, at_m: [f64; 2], yaw_rad: f64, stamp: Time) {
        let near = self.path.poses.last().is_some_and(|last| {
            let p = last.pose.position;
            (p.x - at_m[0]).hypot(p.y - at_m[1]) < self.spacing_m
        });
        if near {
            return;
        }
        if self.path.poses.len() == MOST_POSES {
            let mut keep = false;
            self.path.poses.retain(|_| {
                keep = !keep;
                keep
            });
            self.spacing_m *= 2.0;
        }
        let mut pose = PoseStamped::default();
        pose.header.stamp = stamp;
        pose.header.frame_id = "home".into();
        (pose.pose.position.x, pose.pose.position.y) = (at_m[0], at_m[1]);
        pose.pose.orientation = about_z(yaw_rad);
        self.path.poses.push(pose);
    }

    /// As a message.
    pub fn message(&self, stamp: Time) -> Path {
        let mut path = self.path.clone();
        path.header.stamp = stamp;
        path
    }
}

/// The activities of a population as a message.
pub fn activities(label: &str, data: Vec<f32>) -> Float32MultiArray {
    let size = data.len() as u32;
    let mut message = Float32MultiArray {
        data,
        ..Float32MultiArray::default()
    };
    message.layout.dim.push(MultiArrayDimension {
        label: label.into(),
        size,
        stride: size,
    });
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_covariance_turns_with_the_robot() {
        let mut spread = Spread::default();
        // 10 m along x: the heading's error moves it along y.
        spread.step([10.0, 0.0], 0.01, 0.0, 0.1);
        let [xx, xy, yy] = spread.seen([-10.0, 0.0], 0.0, std::f64::consts::FRAC_PI_2);
        assert!((xx - 1.0).abs() < 1e-12 && xy.abs() < 1e-12 && yy.abs() < 1e-12);
        let drifted = spread.seen([-10.0, 0.0], 0.1, 0.0);
        assert!((drifted[2] - 2.0).abs() < 1e-12, "{drifted:?}");
    }

    #[test]
    fn a_track_is_bounded() {
        let mut track = Track::new();
        for i in 0..20_000 {
            track.add([0.06 * f64::from(i), 0.0], 0.0, Time::default());
        }
        let poses = &track.message(Time::default()).poses;
        assert!(poses.len() <= MOST_POSES && poses.len() > MOST_POSES / 4);
        assert_eq!(poses[0].pose.position.x, 0.0);
        assert!(poses[poses.len() - 1].pose.position.x > 1190.0);
    }
}
