//! Where the robot is, by the places that are like what it senses.

use saccade_engine::models::place::{Estimate, Found, Pose};
use saccade_msgs::geometry_msgs;

/// What is added to the squared distance of two codes, so that equal ones have a weight.
const NEAREST: f64 = 1e-6;

/// The mean of these places; `None` of none.
///
/// 1 - score is half the squared distance of two codes of length 1; a place weighs by
/// its inverse, so that what is known exactly stands for itself.
pub fn estimate(found: &[Found], min_deviation: f64) -> Option<Estimate> {
    let weight = |f: &Found| 1.0 / ((1.0 - f64::from(f.score)).max(0.0) + NEAREST);
    let mut estimate = Estimate::of(found.iter().map(|f| (&f.pose, weight(f))))?;
    for (k, row) in estimate.covariance.iter_mut().enumerate() {
        row[k] += min_deviation * min_deviation;
    }
    Some(estimate)
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
    message.pose.covariance = covariance(estimate);
    message
}

/// Of x, y, z, roll, pitch and yaw, row by row.
pub fn covariance(estimate: &Estimate) -> [f64; 36] {
    // x, y and yaw among them.
    const AT: [usize; 3] = [0, 1, 5];
    let mut all = [0.0; 36];
    for (row, r) in estimate.covariance.iter().zip(AT) {
        for (value, c) in row.iter().zip(AT) {
            all[6 * r + c] = *value;
        }
    }
    all
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
