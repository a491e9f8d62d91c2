//! What every way has to pass before it is sent: the workspace box, and the speed.

use super::kinematics::{Arm, DOF, VELOCITY_LIMITS};
use super::trajectory::{Point, Trajectory};
use glam::DVec3;

/// Beyond its limit by this much a speed is no rounding.
const SLACK: f64 = 1.01;

/// The room that the hand may be in, world, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkBox {
    /// Lowest corner.
    pub low: DVec3,
    /// Highest corner.
    pub high: DVec3,
}

impl WorkBox {
    /// Where the hand, as a capsule, leaves the box first on the way; checked at every
    /// point and half-way between.
    pub fn left_at(&self, arm: &Arm, way: &Trajectory) -> Option<DVec3> {
        let half = way.points.windows(2).map(|pair| {
            let (a, b) = (&pair[0].q, &pair[1].q);
            std::array::from_fn(|j| 0.5 * (a[j] + b[j]))
        });
        let points = way.points.iter().map(|p| p.q).chain(half);
        points.into_iter().find_map(|q| {
            let [.., hand] = arm.capsules(&q);
            let r = DVec3::splat(hand.radius);
            let inside =
                |p: &DVec3| (*p - r).cmpge(self.low).all() && (*p + r).cmple(self.high).all();
            [hand.a, hand.b].into_iter().find(|p| !inside(p))
        })
    }
}

/// The way in the time that `scaling` (0 to 1) and the share `velocity` of the joints'
/// limits leave it: slower where it would be faster, as it is otherwise.
pub fn slowed(way: &Trajectory, scaling: f64, velocity: f64) -> Trajectory {
    let mut ratio = 0.0f64;
    let mut note = |j: usize, v: f64| ratio = ratio.max(v.abs() / (velocity * VELOCITY_LIMITS[j]));
    for (k, point) in way.points.iter().enumerate() {
        for j in 0..DOF {
            note(j, point.v[j]);
            if let Some(before) = k.checked_sub(1).map(|b| &way.points[b]) {
                note(j, (point.q[j] - before.q[j]) / (point.t - before.t));
            }
        }
    }
    let factor = if ratio > SLACK {
        scaling.min(1.0 / ratio)
    } else {
        scaling
    };
    if factor >= 1.0 {
        return way.clone();
    }
    let slow = |p: &Point| Point {
        t: p.t / factor,
        q: p.q,
        v: p.v.map(|v| v * factor),
    };
    Trajectory {
        points: way.points.iter().map(slow).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Pose;
    use super::super::plan::{HOME, TOOL};
    use super::super::trajectory::{Scaling, timed};
    use super::*;

    fn arm() -> Arm {
        let base = Pose::from_xyz_rpy([0.0, 0.0, 0.75], [0.0; 3]);
        Arm::new(base, Pose::from_xyz_rpy(TOOL, [0.0; 3]))
    }

    fn way() -> Trajectory {
        let mut there = HOME;
        there[0] += 1.5;
        let scaling = Scaling {
            velocity: 0.4,
            acceleration: 0.5,
        };
        timed(&[HOME, there], scaling)
    }

    #[test]
    fn a_way_that_leaves_the_box_is_told_with_the_place() {
        let (arm, way) = (arm(), way());
        let wide = WorkBox {
            low: DVec3::splat(-3.0),
            high: DVec3::splat(3.0),
        };
        assert_eq!(wide.left_at(&arm, &way), None);
        let [.., hand] = arm.capsules(way.end().expect("it has points"));
        for axis in 0..3 {
            let mut low = wide;
            low.low[axis] = hand.b[axis] - hand.radius + 0.001;
            assert!(low.left_at(&arm, &way).is_some(), "axis {axis}, below");
            let mut high = wide;
            high.high[axis] = hand.b[axis] + hand.radius - 0.001;
            assert!(high.left_at(&arm, &way).is_some(), "axis {axis}, above");
        }
    }

    #[test]
    fn what_is_too_fast_becomes_slow_enough_and_the_rest_stays() {
        let way = way();
        assert_eq!(slowed(&way, 1.0, 0.4), way, "it is made for 0.4");
        let half = slowed(&way, 0.5, 0.4);
        assert!((half.duration() - 2.0 * way.duration()).abs() < 1e-9);
        let clamped = slowed(&way, 1.0, 0.1);
        for pair in clamped.points.windows(2) {
            for (j, limit) in VELOCITY_LIMITS.iter().enumerate() {
                let mean = (pair[1].q[j] - pair[0].q[j]) / (pair[1].t - pair[0].t);
                let most = 0.1 * limit * (1.0 + 1e-9);
                assert!(mean.abs() <= most && pair[1].v[j].abs() <= most);
            }
        }
        assert_eq!(clamped.end(), way.end());
    }
}
