//! Joint paths and their timing under velocity and acceleration limits.

use super::geometry::Pose;
use super::kinematics::{ACCELERATION_LIMITS, Arm, DOF, Joints, VELOCITY_LIMITS, distance};

/// Fractions of the joint limits that may be used, 0 to 1 (the reports'
/// robot: 0.25 and 0.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// Of the velocity limits.
    pub velocity: f64,
    /// Of the acceleration limits.
    pub acceleration: f64,
}

/// One sample of a timed path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Since the start, seconds.
    pub t: f64,
    /// Joint positions, radians.
    pub q: Joints,
    /// Joint velocities, rad/s.
    pub v: Joints,
}

/// A timed path that starts and ends at rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trajectory {
    /// Samples with increasing times, the first at 0.
    pub points: Vec<Point>,
}

impl Trajectory {
    /// How long it takes, seconds.
    pub fn duration(&self) -> f64 {
        self.points.last().map_or(0.0, |p| p.t)
    }

    /// Where it ends.
    pub fn end(&self) -> Option<&Joints> {
        self.points.last().map(|p| &p.q)
    }
}

/// Time between samples, seconds.
const SAMPLE: f64 = 0.05;
/// Largest joint step between the inverse solutions along a straight line,
/// radians: more would be a jump to another posture.
const JUMP: f64 = 0.25;
/// Way of the tool between two inverse solutions on a straight line, metres.
const LINE_STEP: f64 = 0.01;

/// The joint path of a straight line of the tool from `from` (the tool's pose
/// at `start`) to `to`; `None` where it leaves the reach, the limits, or would
/// change posture.
pub fn straight(arm: &Arm, start: &Joints, to: &Pose) -> Option<Vec<Joints>> {
    let from = arm.forward(start);
    let turn = from.q.angle_between(to.q);
    let steps = ((to.p - from.p).length().max(turn * 0.1) / LINE_STEP)
        .ceil()
        .max(1.0) as usize;
    let mut path = Vec::with_capacity(steps + 1);
    path.push(*start);
    let mut near = *start;
    for k in 1..=steps {
        let pose = from.interpolate(to, k as f64 / steps as f64);
        let next = arm.inverse_near(&pose, &near)?;
        if distance(&next, &near) > JUMP {
            return None;
        }
        path.push(next);
        near = next;
    }
    Some(path)
}

/// Times a joint path (at least one way-point, evenly spaced in the path
/// parameter): a trapezoidal profile of the path parameter, as fast as the
/// scaled limits allow. Half of each acceleration limit is kept for the path's
/// curvature where it has any.
pub fn timed(path: &[Joints], scaling: Scaling) -> Trajectory {
    let Some(first) = path.first() else {
        return Trajectory::default();
    };
    let spans = path.len() - 1;
    let (top, rate) = profile_limits(path, scaling);
    if spans == 0 || !top.is_finite() {
        return Trajectory {
            points: vec![Point {
                t: 0.0,
                q: *first,
                v: [0.0; DOF],
            }],
        };
    }
    let length = spans as f64;
    // Trapezoid, or triangle where the top speed is not reached.
    let top = top.min((length * rate).sqrt());
    let ramp = top / rate;
    let duration = length / top + ramp;
    let count = (duration / SAMPLE).ceil().max(2.0) as usize;
    let points = (0..=count)
        .map(|k| {
            let t = duration * k as f64 / count as f64;
            let (s, speed) = if t < ramp {
                (0.5 * rate * t * t, rate * t)
            } else if t <= duration - ramp {
                (top * (t - 0.5 * ramp), top)
            } else {
                let left = duration - t;
                (length - 0.5 * rate * left * left, rate * left)
            };
            let (q, tangent) = at(path, s);
            Point {
                t,
                q,
                v: tangent.map(|d| d * speed),
            }
        })
        .collect();
    Trajectory { points }
}

/// Largest speed and acceleration of the path parameter (in way-points per s
/// and s²) that keep every joint within its scaled limits.
fn profile_limits(path: &[Joints], scaling: Scaling) -> (f64, f64) {
    let (mut top, mut rate) = (f64::INFINITY, f64::INFINITY);
    for joint in 0..DOF {
        let v_max = VELOCITY_LIMITS[joint] * scaling.velocity;
        let a_max = ACCELERATION_LIMITS[joint] * scaling.acceleration;
        let slope = path
            .windows(2)
            .map(|w| (w[1][joint] - w[0][joint]).abs())
            .fold(0.0, f64::max);
        let bend = path
            .windows(3)
            .map(|w| (w[2][joint] - 2.0 * w[1][joint] + w[0][joint]).abs())
            .fold(0.0, f64::max);
        let straight = bend < 1e-9;
        let share = if straight { 1.0 } else { 0.5 };
        if slope > 1e-9 {
            top = top.min(v_max / slope);
            rate = rate.min(share * a_max / slope);
        }
        if !straight {
            top = top.min(((1.0 - share) * a_max / bend).sqrt());
        }
    }
    (top, rate)
}

/// Position and tangent (per way-point) at path parameter `s`, on a Catmull-Rom
/// spline through the way-points, whose velocity is continuous.
fn at(path: &[Joints], s: f64) -> (Joints, Joints) {
    let spans = path.len() - 1;
    let k = (s.max(0.0) as usize).min(spans - 1);
    let u = (s - k as f64).clamp(0.0, 1.0);
    let tangent = |i: usize, joint: usize| {
        let (a, b) = (i.saturating_sub(1), (i + 1).min(spans));
        (path[b][joint] - path[a][joint]) / (b - a) as f64
    };
    let (mut q, mut d) = ([0.0; DOF], [0.0; DOF]);
    for joint in 0..DOF {
        let (p0, p1) = (path[k][joint], path[k + 1][joint]);
        let (m0, m1) = (tangent(k, joint), tangent(k + 1, joint));
        // Cubic Hermite polynomial on the span.
        let (c2, c3) = (3.0 * (p1 - p0) - 2.0 * m0 - m1, 2.0 * (p0 - p1) + m0 + m1);
        q[joint] = p0 + u * (m0 + u * (c2 + u * c3));
        d[joint] = m0 + u * (2.0 * c2 + u * 3.0 * c3);
    }
    (q, d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DVec3;

    const SCALING: Scaling = Scaling {
        velocity: 0.25,
        acceleration: 0.5,
    };

    #[test]
    fn a_joint_line_takes_the_time_of_its_trapezoid() {
        let goal = [1.0, -0.5, 0.0, 0.2, 0.0, 0.0];
        let run = timed(&[[0.0; DOF], goal], SCALING);
        // 1 rad at 0.315 rad/s with 1.25 rad/s²: 1/0.315 + 0.315/1.25 s.
        assert!((run.duration() - (1.0 / 0.315 + 0.315 / 1.25)).abs() < 1e-9);
        assert_eq!(run.points[0].v, [0.0; DOF]);
        assert!(distance(run.end().unwrap(), &goal) < 1e-9);
        assert!(run.points.last().unwrap().v.iter().all(|v| v.abs() < 1e-9));
    }

    #[test]
    fn a_curved_path_keeps_the_limits_and_its_velocities_fit_its_positions() {
        let path: Vec<Joints> = (0..30)
            .map(|k| {
                let s = k as f64 / 29.0;
                [
                    s,
                    (3.0 * s).sin() * 0.4,
                    -s * s,
                    0.1,
                    0.2 * s,
                    (2.0 * s).cos(),
                ]
            })
            .collect();
        let run = timed(&path, SCALING);
        for pair in run.points.windows(2) {
            let dt = pair[1].t - pair[0].t;
            for joint in 0..DOF {
                assert!(pair[0].v[joint].abs() <= 0.25 * VELOCITY_LIMITS[joint] * 1.01);
                let acceleration = (pair[1].v[joint] - pair[0].v[joint]).abs() / dt;
                assert!(
                    acceleration <= 0.5 * ACCELERATION_LIMITS[joint] * 1.1,
                    "{acceleration}"
                );
                let mean = (pair[1].q[joint] - pair[0].q[joint]) / dt;
                let expected = 0.5 * (pair[0].v[joint] + pair[1].v[joint]);
                assert!((mean - expected).abs() < 0.02);
            }
        }
    }

    #[test]
    fn no_way_takes_no_time() {
        assert_eq!(timed(&[[0.3; DOF], [0.3; DOF]], SCALING).duration(), 0.0);
        assert_eq!(timed(&[[0.3; DOF]], SCALING).duration(), 0.0);
        assert!(timed(&[], SCALING).points.is_empty());
    }

    #[test]
    fn the_tool_follows_a_straight_line() {
        let tool = Pose::from_xyz_rpy([0.0, 0.0, 0.15], [0.0; 3]);
        let arm = Arm::new(Pose::IDENTITY, tool);
        let start = [0.1, -0.5, 1.2, 0.0, 0.9, 0.0];
        let from = arm.forward(&start);
        let to = from.shifted(DVec3::new(0.02, 0.03, -0.1));
        let run = timed(&straight(&arm, &start, &to).unwrap(), SCALING);
        for point in &run.points {
            let p = arm.forward(&point.q).p;
            let along = (p - from.p).dot((to.p - from.p).normalize());
            let off = (p - from.p - (to.p - from.p).normalize() * along).length();
            assert!(off < 5e-4, "{off} m off the line");
        }
        assert!((arm.forward(run.end().unwrap()).p - to.p).length() < 1e-6);
        assert!(straight(&arm, &start, &to.shifted(DVec3::X * 2.0)).is_none());
    }
}
