//! Kinematics of the Schunk LWA4P: forward, Jacobian, and all inverse
//! solutions.
//!
//! The chain is that of the public URDF (`shared` facts in `NOTICE`): every
//! joint turns about the z axis of its frame. Joints 2 and 3 are parallel,
//! 4 to 6 form a wrist that is spherical but for an offset of 5 mm. The
//! inverse therefore starts from the up to eight closed-form solutions of the
//! arm *without* that offset and closes each by Newton steps (damped least
//! squares), which takes two to four of them.

use super::geometry::Pose;
use glam::{DQuat, DVec3};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// Joints of the arm.
pub const DOF: usize = 6;
/// Joint positions, radians.
pub type Joints = [f64; DOF];

/// Symmetric position limits, radians (report's robot; `reference/grasp`).
pub const LIMITS: Joints = [2.947, 2.947, 2.694, 2.947, 2.947, 2.947];
/// Velocity limits, rad/s.
pub const VELOCITY_LIMITS: Joints = [1.26; DOF];
/// Acceleration limits, rad/s². The data sheet gives none; this is ours.
pub const ACCELERATION_LIMITS: Joints = [2.5; DOF];

/// Upper arm, metres.
const UPPER: f64 = 0.350;
/// Forearm, metres.
const FORE: f64 = 0.305;
/// Wrist offset, metres.
const OFFSET: f64 = 0.005_263;
/// Height of the shoulder over the mount, metres.
const SHOULDER: f64 = 0.10;

/// Origin of each joint's frame in the frame of the joint before, xyz and rpy.
const CHAIN: [([f64; 3], [f64; 3]); DOF] = [
    ([0.0, 0.0, SHOULDER], [0.0, 0.0, 0.0]),
    ([0.0, 0.0, 0.0], [FRAC_PI_2, 0.0, 0.0]),
    ([0.0, UPPER, 0.0], [0.0, PI, 0.0]),
    ([0.0, 0.0, 0.0], [-FRAC_PI_2, PI, 0.0]),
    ([0.0, OFFSET, FORE], [FRAC_PI_2, 0.0, PI]),
    ([0.0, 0.0, 0.0], [-FRAC_PI_2, 0.0, 0.0]),
];

/// Position and orientation error at which an inverse solution is accepted, m and rad.
const TOLERANCE: f64 = 1e-7;

/// The arm on its mount with a tool in its hand.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Mount in the world.
    base: Pose,
    /// Tool (grasp centre) in the frame of joint 6.
    tool: Pose,
    /// The chain's constant transforms.
    links: [Pose; DOF],
}

impl Arm {
    /// An arm mounted at `base` (world) whose tool frame lies at `tool` in the
    /// frame of joint 6.
    pub fn new(base: Pose, tool: Pose) -> Self {
        Arm {
            base,
            tool,
            links: CHAIN.map(|(xyz, rpy)| Pose::from_xyz_rpy(xyz, rpy)),
        }
    }

    /// Where the arm is mounted, world.
    pub fn mount(&self) -> DVec3 {
        self.base.p
    }

    /// World poses of the six joint frames (after their rotation) and of the
    /// tool as the seventh.
    pub fn frames(&self, joints: &Joints) -> [Pose; DOF + 1] {
        let mut out = [Pose::IDENTITY; DOF + 1];
        let mut pose = self.base;
        for ((link, angle), slot) in self.links.iter().zip(joints).zip(&mut out) {
            pose = pose * *link * Pose::new(DVec3::ZERO, DQuat::from_rotation_z(*angle));
            *slot = pose;
        }
        out[DOF] = pose * self.tool;
        out
    }

    /// World pose of the tool.
    pub fn forward(&self, joints: &Joints) -> Pose {
        self.frames(joints)[DOF]
    }

    /// Geometric Jacobian of the tool in the world: column j is
    /// [z_j × (p - p_j); z_j], m/rad and rad/rad.
    pub fn jacobian(&self, joints: &Joints) -> [[f64; 6]; DOF] {
        let frames = self.frames(joints);
        let tip = frames[DOF].p;
        let mut columns = [[0.0; 6]; DOF];
        for (column, frame) in columns.iter_mut().zip(&frames) {
            let axis = frame.q * DVec3::Z;
            let linear = axis.cross(tip - frame.p);
            *column = [linear.x, linear.y, linear.z, axis.x, axis.y, axis.z];
        }
        columns
    }

    /// All joint positions within the limits that put the tool at `target`;
    /// empty when it is out of reach.
    pub fn inverse(&self, target: &Pose) -> Vec<Joints> {
        let flange = self.base.inverse() * *target * self.tool.inverse();
        let mut found: Vec<Joints> = Vec::with_capacity(8);
        for seed in self.closed_form(&flange) {
            let Some(joints) = self.polish(seed, target) else {
                continue;
            };
            let is_new = found.iter().all(|f| distance(f, &joints) > 1e-3);
            if is_new && within_limits(&joints) {
                found.push(joints);
            }
        }
        found
    }

    /// The solution that continues from `near`: the closest one, by Newton
    /// steps from there. For straight lines in small steps.
    pub fn inverse_near(&self, target: &Pose, near: &Joints) -> Option<Joints> {
        self.polish(*near, target).filter(within_limits)
    }

    /// Solutions of the arm without wrist offset, `flange` being joint 6's
    /// frame in the mount's.
    fn closed_form(&self, flange: &Pose) -> Vec<Joints> {
        let wrist = flange.p - DVec3::new(0.0, 0.0, SHOULDER);
        let radius = wrist.x.hypot(wrist.y);
        let reach2 = wrist.length_squared();
        // Out of reach by less than the offset may still have a solution.
        let cos_elbow =
            ((reach2 - UPPER * UPPER - FORE * FORE) / (2.0 * UPPER * FORE)).clamp(-1.0, 1.0);
        let mut out = Vec::with_capacity(8);
        for (shoulder, lean) in [(0.0, radius), (PI, -radius)] {
            let q1 = wrap(wrist.y.atan2(wrist.x) + shoulder);
            for q3 in [cos_elbow.acos(), -cos_elbow.acos()] {
                // Angles from the vertical: upper arm -q2, forearm q3 - q2.
                let to_wrist = lean.atan2(wrist.z);
                let q2 = -(to_wrist - (FORE * q3.sin()).atan2(UPPER + FORE * q3.cos()));
                let q2 = wrap(q2);
                for [q4, q5, q6] in self.wrist(q1, q2, q3, flange) {
                    out.push([q1, q2, q3, q4, q5, q6]);
                }
            }
        }
        out
    }

    /// The two wrist solutions: with joints 1 to 3 set, joints 4 to 6 turn by
    /// Rz(q4) Ry(q5) Rz(q6 + π).
    fn wrist(&self, q1: f64, q2: f64, q3: f64, flange: &Pose) -> [[f64; 3]; 2] {
        let unmounted = Arm {
            base: Pose::IDENTITY,
            ..self.clone()
        };
        let forearm = unmounted.frames(&[q1, q2, q3, 0.0, 0.0, 0.0])[3].q;
        let r = forearm.conjugate() * flange.q;
        let (x, z) = (r * DVec3::X, r * DVec3::Z);
        let y = r * DVec3::Y;
        let sin5 = z.x.hypot(z.y);
        if sin5 < 1e-6 {
            // Axes 4 and 6 coincide: share the turn between them.
            let turn = x.y.atan2(x.x) * z.z.signum();
            let q5 = if z.z > 0.0 { 0.0 } else { PI };
            return [
                [0.0, q5, wrap(turn - PI)],
                [wrap(turn / 2.0), q5, wrap(turn / 2.0 - PI)],
            ];
        }
        [1.0, -1.0].map(|s| {
            let q4 = (s * z.y).atan2(s * z.x);
            let q5 = (s * sin5).atan2(z.z);
            let q6 = (s * y.z).atan2(-s * x.z);
            [q4, q5, wrap(q6 - PI)]
        })
    }

    /// Newton steps from `joints` to the target; `None` when they do not close.
    fn polish(&self, mut joints: Joints, target: &Pose) -> Option<Joints> {
        for _ in 0..20 {
            let error = pose_error(target, &self.forward(&joints));
            let size = error.iter().map(|e| e * e).sum::<f64>().sqrt();
            if size < TOLERANCE {
                return Some(joints.map(wrap));
            }
            // Damping only while far away, so that convergence stays quadratic.
            let damping = (0.05 * size).min(1e-3);
            let step = damped_step(&self.jacobian(&joints), &error, damping)?;
            let largest = step.iter().fold(0.0f64, |m, s| m.max(s.abs()));
            let scale = if largest > 0.5 { 0.5 / largest } else { 1.0 };
            for (q, s) in joints.iter_mut().zip(step) {
                *q += scale * s;
            }
        }
        None
    }
}

/// A swept sphere, for clearances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capsule {
    /// One end of the axis, world, metres.
    pub a: DVec3,
    /// The other end.
    pub b: DVec3,
    /// Radius, metres.
    pub radius: f64,
}

impl Capsule {
    /// Distance of its lowest point from the plane z = `height`, metres;
    /// negative below.
    pub fn height_over(&self, height: f64) -> f64 {
        self.a.z.min(self.b.z) - self.radius - height
    }

    /// Distance of the surfaces of two capsules, metres; negative when they overlap.
    pub fn distance(&self, other: &Capsule) -> f64 {
        segment_distance(self.a, self.b, other.a, other.b) - self.radius - other.radius
    }
}

/// Shortest distance of two segments (Ericson, Real-Time Collision Detection, 5.1.9).
fn segment_distance(p1: DVec3, q1: DVec3, p2: DVec3, q2: DVec3) -> f64 {
    let (d1, d2, r) = (q1 - p1, q2 - p2, p1 - p2);
    let (a, e, b) = (d1.length_squared(), d2.length_squared(), d1.dot(d2));
    let (c, f) = (d1.dot(r), d2.dot(r));
    let safe = |num: f64, den: f64| {
        if den > 1e-12 {
            (num / den).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let mut s = safe(b * f - c * e, a * e - b * b);
    let t = safe(b * s + f, e);
    s = safe(b * t - c, a);
    (p1 + d1 * s).distance(p2 + d2 * t)
}

/// The moving links as capsules: frame index of start and end, radius in metres.
const CAPSULES: [(usize, usize, f64); 3] = [(1, 2, 0.095), (2, 2, 0.075), (2, 4, 0.057)];
/// The hand with bent fingers: length from joint 6 and radius, metres.
const HAND: (f64, f64) = (0.27, 0.055);

impl Arm {
    /// Upper arm, elbow, forearm and, last, the hand.
    pub fn capsules(&self, joints: &Joints) -> [Capsule; 4] {
        let frames = self.frames(joints);
        let [upper, elbow, fore] = CAPSULES.map(|(from, to, radius)| Capsule {
            a: frames[from].p,
            b: frames[to].p,
            radius,
        });
        let tip = frames[5].transform(DVec3::new(0.0, 0.0, HAND.0));
        [
            upper,
            elbow,
            fore,
            Capsule {
                a: frames[5].p,
                b: tip,
                radius: HAND.1,
            },
        ]
    }
}

/// Whether every joint is within its limits.
pub fn within_limits(joints: &Joints) -> bool {
    joints
        .iter()
        .zip(&LIMITS)
        .all(|(q, limit)| q.is_finite() && q.abs() <= *limit)
}

/// Largest difference of a joint, radians.
pub fn distance(a: &Joints, b: &Joints) -> f64 {
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

/// How little a solution is liked: squared way from `from` plus a term that
/// grows towards the limits.
pub fn cost(joints: &Joints, from: &Joints) -> f64 {
    joints
        .iter()
        .zip(from)
        .zip(&LIMITS)
        .map(|((q, f), limit)| {
            let used = q / limit;
            (q - f).powi(2) + 2.0 * used.powi(8)
        })
        .sum()
}

/// Angle wrapped to -π..=π.
fn wrap(angle: f64) -> f64 {
    let turned = (angle + PI).rem_euclid(TAU) - PI;
    if turned < -PI { PI } else { turned }
}

/// Position (m) and orientation (rotation vector, rad) from `actual` to `target`.
fn pose_error(target: &Pose, actual: &Pose) -> [f64; 6] {
    let mut turn = target.q * actual.q.conjugate();
    if turn.w < 0.0 {
        turn = -turn;
    }
    let rotation = turn.to_scaled_axis();
    let p = target.p - actual.p;
    [p.x, p.y, p.z, rotation.x, rotation.y, rotation.z]
}

/// Solves (JᵀJ + λ²I) Δq = Jᵀe by elimination with pivoting; `None` if singular.
fn damped_step(jacobian: &[[f64; 6]; DOF], error: &[f64; 6], damping: f64) -> Option<Joints> {
    let dot = |a: &[f64; 6], b: &[f64; 6]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut rows = [[0.0; DOF + 1]; DOF];
    for (i, row) in rows.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().take(DOF).enumerate() {
            *cell = dot(&jacobian[i], &jacobian[j]);
        }
        row[i] += damping * damping + 1e-14;
        row[DOF] = dot(&jacobian[i], error);
    }
    for k in 0..DOF {
        let pivot = (k..DOF).max_by(|&a, &b| rows[a][k].abs().total_cmp(&rows[b][k].abs()))?;
        rows.swap(k, pivot);
        let head = rows[k];
        if head[k].abs() < 1e-300 {
            return None;
        }
        for row in rows.iter_mut().skip(k + 1) {
            let factor = row[k] / head[k];
            for (cell, h) in row.iter_mut().zip(&head).skip(k) {
                *cell -= factor * h;
            }
        }
    }
    let mut x = [0.0; DOF];
    for k in (0..DOF).rev() {
        let known: f64 = (k + 1..DOF).map(|j| rows[k][j] * x[j]).sum();
        x[k] = (rows[k][DOF] - known) / rows[k][k];
    }
    x.iter().all(|v| v.is_finite()).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn arm() -> Arm {
        Arm::new(
            Pose::from_xyz_rpy([0.0, 0.0, 0.75], [0.0; 3]),
            Pose::from_xyz_rpy([0.01, 0.02, 0.2], [0.0, 0.0, 0.3]),
        )
    }

    #[test]
    fn forward_matches_configurations_worked_out_by_hand() {
        let bare = Arm::new(Pose::IDENTITY, Pose::IDENTITY);
        // Straight up: heights add; y4 = z3 = -z2 = y, so the offset points to +y
        // after the two half turns... and z6 is up again.
        let up = bare.forward(&[0.0; 6]);
        assert!((up.p - DVec3::new(0.0, OFFSET, SHOULDER + UPPER + FORE)).length() < 1e-12);
        assert!((up.q * DVec3::Z - DVec3::Z).length() < 1e-12);
        // Shoulder forward by a right angle: everything lies along +x.
        let flat = bare.forward(&[0.0, -FRAC_PI_2, 0.0, 0.0, 0.0, 0.0]);
        assert!((flat.p - DVec3::new(UPPER + FORE, OFFSET, SHOULDER)).length() < 1e-12);
        // Elbow bent forward by a right angle: upper arm up, forearm along +x;
        // the base turned by a right angle takes +x to +y and +y to -x.
        let bent = bare.forward(&[FRAC_PI_2, 0.0, FRAC_PI_2, 0.0, 0.0, 0.0]);
        assert!((bent.p - DVec3::new(-OFFSET, FORE, SHOULDER + UPPER)).length() < 1e-12);
        // Wrist bent by a right angle out of the straight pose: z6 turns to ±x.
        let wrist = bare.forward(&[0.0, 0.0, 0.0, 0.0, FRAC_PI_2, 0.0]);
        assert!((wrist.q * DVec3::Z).x.abs() > 1.0 - 1e-12);
    }

    #[test]
    fn jacobian_matches_finite_differences() {
        let arm = arm();
        let q = [0.3, -0.6, 0.9, -0.4, 0.7, 1.1];
        let jacobian = arm.jacobian(&q);
        for (joint, column) in jacobian.iter().enumerate() {
            let mut plus = q;
            plus[joint] += 1e-6;
            let numeric = pose_error(&arm.forward(&plus), &arm.forward(&q)).map(|e| e / 1e-6);
            for (a, b) in column.iter().zip(numeric) {
                assert!((a - b).abs() < 1e-5, "joint {joint}: {a} against {b}");
            }
        }
    }

    #[test]
    fn inverse_finds_every_random_reachable_pose() {
        let arm = arm();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut compared = 0;
        for _ in 0..2000 {
            let q: Joints = LIMITS.map(|l| rng.random_range(-0.98 * l..0.98 * l));
            let target = arm.forward(&q);
            let all = arm.inverse(&target);
            for solution in &all {
                let error = pose_error(&target, &arm.forward(solution));
                assert!(error.iter().all(|e| e.abs() < 1e-6));
                assert!(within_limits(solution));
            }
            // At singular postures (elbow or wrist stretched, wrist over the
            // shoulder) the offset decides which solutions exist at all.
            let wrist = arm.frames(&q)[4].p;
            if q[2].abs() > 0.2 && q[4].abs() > 0.1 && wrist.x.hypot(wrist.y) > 0.05 {
                compared += 1;
                assert!(
                    all.iter().any(|s| distance(s, &q) < 1e-3),
                    "{q:?} is not among {all:?}"
                );
            }
        }
        assert!(compared > 1500);
    }

    #[test]
    fn inverse_refuses_what_is_out_of_reach() {
        let far = Pose::from_xyz_rpy([1.5, 0.0, 1.0], [0.0; 3]);
        assert!(arm().inverse(&far).is_empty());
        assert!(arm().inverse_near(&far, &[0.0; 6]).is_none());
    }

    #[test]
    fn capsules_tell_their_distances() {
        let arm = arm();
        // Stretched forward, all axes lie 0.10 m over the mount.
        let flat = arm.capsules(&[0.0, -FRAC_PI_2, 0.0, 0.0, 0.0, 0.0]);
        assert!((flat[2].height_over(0.75) - (0.10 - 0.057)).abs() < 1e-9);
        let tip = UPPER + FORE + HAND.0;
        let post = |x: f64| Capsule {
            a: DVec3::new(x, OFFSET, 0.75),
            b: DVec3::new(x, OFFSET, 2.0),
            radius: 0.01,
        };
        assert!((flat[3].distance(&post(tip + 0.2)) - (0.2 - HAND.1 - 0.01)).abs() < 1e-9);
        assert!(flat[3].distance(&post(tip - 0.1)) < 0.0);
        // Parallel axes, side by side.
        let beside = Capsule {
            a: flat[3].a + DVec3::Y,
            b: flat[3].b + DVec3::Y,
            radius: 0.0,
        };
        assert!((flat[3].distance(&beside) - (1.0 - HAND.1)).abs() < 1e-9);
    }
}
