//! Where the robot is, by the places that are like what it senses.

use saccade_engine::models::place::{Found, Pose};
use saccade_msgs::geometry_msgs;

/// What is added to the squared distance of two codes, so that equal ones have a weight.
const NEAREST: f64 = 1e-6;

/// A pose and the covariance of x, y and yaw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// In the map's frame.
    pub pose: Pose,
    /// Row by row, in m and rad.
    pub covariance: [[f64; 3]; 3],
}

/// The mean of these places; `None` of none.
///
/// 1 - score is half the squared distance of two codes of length 1; a place weighs by
/// its inverse, so that what is known exactly stands for itself.
pub fn estimate(found: &[Found], min_deviation: f64) -> Option<Estimate> {
    let weights = found
        .iter()
        .map(|f| 1.0 / ((1.0 - f64::from(f.score)).max(0.0) + NEAREST));
    let weights: Vec<f64> = weights.collect();
    let total: f64 = weights.iter().sum();
    if found.is_empty() {
        return None;
    }
    let mean = |value: fn(&Pose) -> f64| {
        let all = found.iter().zip(&weights).map(|(f, w)| w * value(&f.pose));
        all.sum::<f64>() / total
    };
    let pose = Pose {
        x_m: mean(|p| p.x_m),
        y_m: mean(|p| p.y_m),
        theta_rad: mean(|p| p.theta_rad.sin()).atan2(mean(|p| p.theta_rad.cos())),
    };
    let mut covariance = [[0.0; 3]; 3];
    for (f, w) in found.iter().zip(&weights) {
        let turn = f.pose.theta_rad - pose.theta_rad;
        let off = [
            f.pose.x_m - pose.x_m,
            f.pose.y_m - pose.y_m,
            turn.sin().atan2(turn.cos()),
        ];
        for (row, a) in covariance.iter_mut().zip(off) {
            for (cell, b) in row.iter_mut().zip(off) {
                *cell += w / total * a * b;
            }
        }
    }
    for (k, row) in covariance.iter_mut().enumerate() {
        row[k] += min_deviation * min_deviation;
    }
    Some(Estimate { pose, covariance })
}

/// As a message's pose.
pub fn pose_message(pose: &Pose) -> geometry_msgs::Pose {
    let mut message = geometry_msgs::Pose::default();
    (message.position.x, message.position.y) = (pose.x_m, pose.y_m);
    let (z, w) = (0.5 * pose.theta_rad).sin_cos();
    (message.orientation.z, message.orientation.w) = (z, w);
    message
}

/// As a message without its header.
pub fn message(estimate: &Estimate) -> geometry_msgs::PoseWithCovarianceStamped {
    let mut message = geometry_msgs::PoseWithCovarianceStamped::default();
    message.pose.pose = pose_message(&estimate.pose);
    // x, y and yaw among x, y, z, roll, pitch, yaw.
    const AT: [usize; 3] = [0, 1, 5];
    for (row, r) in estimate.covariance.iter().zip(AT) {
        for (value, c) in row.iter().zip(AT) {
            message.pose.covariance[6 * r + c] = *value;
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(score: f32, x_m: f64, theta_rad: f64) -> Found {
        let pose = Pose {
            x_m,
            y_m: 0.0,
            theta_rad,
        };
        Found { id: 0, pose, score }
    }

    #[test]
    fn what_is_more_alike_weighs_more_and_headings_go_round() {
        assert_eq!(estimate(&[], 0.1), None);
        // Twice as far in code: half the weight. Headings lie on both sides of pi.
        let two = [found(0.99, 0.0, 3.0), found(0.98, 3.0, -3.0)];
        let e = estimate(&two, 0.1).expect("two places");
        assert!((e.pose.x_m - 1.0).abs() < 1e-3, "{e:?}");
        assert!(e.pose.theta_rad.abs() > 3.0, "{e:?}");
        // 2/3 (1 m)^2 + 1/3 (2 m)^2, and what is added.
        assert!((e.covariance[0][0] - 2.01).abs() < 1e-3, "{e:?}");
        assert!(
            e.covariance[2][2] < 0.1 && e.covariance[0][2] > 0.0,
            "{e:?}"
        );
        let sent = message(&e).pose.covariance;
        assert_eq!(
            [sent[0], sent[5], sent[35]],
            [e.covariance[0][0], e.covariance[0][2], e.covariance[2][2]]
        );
        let known = [found(1.0, 2.0, 0.5), found(0.5, 9.0, 0.0)];
        let e = estimate(&known, 0.1).expect("a place");
        assert!((e.pose.x_m - 2.0).abs() < 1e-3, "{e:?}");
    }
}
