//! Grasps in random scenes from ground truth: what the physics can hold.
//!
//!     cargo run --release -p saccade-worlds --example grasp_trials -- \
//!         [TRIALS [SEED [CLASS|any [OFFSET_MM [TURN_DEG]]]]]
//!
//! Every trial randomises the scene, moves the arm over the object with joint
//! trajectories, closes the hand, lifts by 0.15 m and holds for 2 s. Poses are those
//! of `GRASPS.md`. No node and no perception takes part; OFFSET_MM and TURN_DEG stand
//! for its errors: the hand goes that far beside the object, in a random direction,
//! and is turned by that much against it.

use std::collections::BTreeMap;
use std::path::Path;

use glam::{Mat3, Quat, Vec3};
use saccade_worlds::controllers::{Outcome, ResultCode, TrajectoryGoal, TrajectoryPoint};
use saccade_worlds::kinematics::{Kinematics, couple};
use saccade_worlds::scenario::{SceneRequest, Split};
use saccade_worlds::sdf::{Model, Pose};
use saccade_worlds::simulation::Simulation;

const NS: f64 = 1e9;

/// Joint order of the hand controller: Finger_Spread, Index_Distal,
/// Index_Proximal, Middle_Distal, Middle_Proximal, Pinky, Ring, Thumb_Flexion,
/// Thumb_Opposition.
type HandPose = [f64; 9];

/// How a class is grasped.
struct Recipe {
    open: HandPose,
    /// On the way, so that fingertips keep their height.
    between: Vec<HandPose>,
    closed: HandPose,
    /// Angle between palm normal and approach direction.
    alpha: f32,
    /// Grasp point in the hand's frame as (x, along e, along d); see GRASPS.md.
    point: [f32; 3],
    /// Height of the grasp point over the table.
    height: f32,
    /// Start of the straight approach, before the grasp point.
    approach: f32,
}

fn recipe(class: &str) -> Recipe {
    match class {
        "pen" => Recipe {
            open: [0.0, 0.704, 0.125, 0.908, 0.008, 0.95, 0.95, 0.48, 0.9],
            between: vec![
                [0.0, 0.818, 0.19, 1.003, 0.087, 0.95, 0.95, 0.48, 0.9],
                [0.0, 0.892, 0.291, 1.066, 0.196, 0.95, 0.95, 0.48, 0.9],
                [0.0, 0.923, 0.391, 1.093, 0.299, 0.95, 0.95, 0.48, 0.9],
            ],
            closed: [0.0, 0.926, 0.506, 1.098, 0.414, 0.95, 0.95, 0.48, 0.9],
            alpha: 32.0,
            point: [-0.013, 0.104, 0.119],
            height: 0.006,
            approach: 0.08,
        },
        "ball" => Recipe {
            open: [0.55, 0.0, 0.15, 0.15, 0.05, 0.1, 0.1, 0.25, 0.9],
            between: vec![],
            closed: [0.55, 0.85, 0.6, 1.05, 0.5, 0.4, 0.6, 0.45, 0.9],
            alpha: 40.0,
            point: [-0.022, 0.086, 0.135],
            height: 0.031,
            approach: 0.10,
        },
        _ => Recipe {
            open: [0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9],
            between: vec![],
            closed: [0.1, 0.7, 0.75, 0.75, 0.75, 0.8, 0.8, 0.6, 0.9],
            alpha: 40.0,
            point: [0.0, 0.055, 0.135],
            height: 0.065,
            approach: 0.14,
        },
    }
}

/// Hand pose in the world that brings the grasp point of `r` to `at`, approaching
/// along `d` with the fingers towards `e`.
fn hand_pose(r: &Recipe, at: Vec3, d: Vec3, e: Vec3) -> Pose {
    let (s, c) = r.alpha.to_radians().sin_cos();
    let y = d * c - e * s;
    let z = d * s + e * c;
    let q = Quat::from_mat3(&Mat3::from_cols(y.cross(z), y, z));
    let [px, pe, pd] = r.point;
    let local = Vec3::new(px, c * pd - s * pe, s * pd + c * pe);
    Pose::from_parts(at - q * local, q)
}

struct Arm<'a> {
    model: &'a Model,
    kinematics: Kinematics,
    joints: Vec<usize>,
    tip: usize,
}

impl<'a> Arm<'a> {
    fn new(model: &'a Model) -> Self {
        let joints = (1..=6)
            .filter_map(|i| {
                model
                    .joints
                    .iter()
                    .position(|j| j.name == format!("arm_{i}_joint"))
            })
            .collect();
        Self {
            model,
            kinematics: Kinematics::new(model),
            joints,
            tip: model
                .links
                .iter()
                .position(|l| l.name == "hand_base_link")
                .unwrap_or(0),
        }
    }

    /// Height of the elbow over the arm's foot.
    fn elbow(&self, q: &[f32]) -> f32 {
        let mut all: Vec<f32> = self.model.joints.iter().map(|j| j.home).collect();
        for (&j, &value) in self.joints.iter().zip(q) {
            all[j] = value;
        }
        let mut links = Vec::new();
        self.kinematics.forward(self.model, &all, &mut links);
        links[self.model.joints[self.joints[2]].child].translation.z
    }

    /// Damped least squares from `start`; `None` if it does not arrive within
    /// limits.
    fn solve(&self, target: Pose, start: &[f32]) -> Option<Vec<f32>> {
        let target = self.model.pose.inverse() * target;
        let mut all: Vec<f32> = self.model.joints.iter().map(|j| j.home).collect();
        couple(self.model, &mut all);
        let mut q = start.to_vec();
        let mut links = Vec::new();
        for _ in 0..200 {
            for (&j, &value) in self.joints.iter().zip(&q) {
                all[j] = value;
            }
            self.kinematics.forward(self.model, &all, &mut links);
            let at = links[self.tip];
            let dp = target.translation - at.translation;
            let turn = target.rotation * at.rotation.inverse();
            // The short way round.
            let dr = if turn.w < 0.0 { -turn } else { turn }.to_scaled_axis();
            if dp.length() < 1e-4 && dr.length() < 1e-3 {
                return Some(q);
            }
            let columns: Vec<[f32; 6]> = self
                .joints
                .iter()
                .map(|&j| {
                    let (axis, point) = self.kinematics.axis(self.model, j, &links);
                    let v = axis.cross(at.translation - point);
                    let w = axis * 0.3;
                    [v.x, v.y, v.z, w.x, w.y, w.z]
                })
                .collect();
            let error = [dp.x, dp.y, dp.z, dr.x * 0.3, dr.y * 0.3, dr.z * 0.3];
            let step = damped_step(&columns, &error);
            let longest = step.iter().fold(0.0f32, |m, s| m.max(s.abs())).max(0.3);
            for ((q, s), &j) in q.iter_mut().zip(step).zip(&self.joints) {
                let [low, high] = self.model.joints[j].limits;
                *q = (*q + s * 0.3 / longest).clamp(low, high);
            }
        }
        None
    }
}

/// Jᵀ (J Jᵀ + λ²)⁻¹ e for the six columns of J.
fn damped_step(columns: &[[f32; 6]], error: &[f32; 6]) -> Vec<f32> {
    let mut a = [[0.0f32; 7]; 6];
    for (r, row) in a.iter_mut().enumerate() {
        for c in 0..6 {
            row[c] = columns.iter().map(|j| j[r] * j[c]).sum();
        }
        row[r] += 4e-4;
        row[6] = error[r];
    }
    // Gauss elimination; the matrix is positive definite.
    for p in 0..6 {
        let pivot = a[p];
        for (r, row) in a.iter_mut().enumerate() {
            if r != p {
                let f = row[p] / pivot[p];
                for (x, y) in row.iter_mut().zip(&pivot) {
                    *x -= f * y;
                }
            }
        }
    }
    columns
        .iter()
        .map(|j| (0..6).map(|r| j[r] * a[r][6] / a[r][r]).sum())
        .collect()
}

fn run(sim: &mut Simulation, seconds: f64) {
    for _ in 0..(seconds * 1000.0) as usize {
        sim.step();
    }
}

/// Moves a controller through `points` (seconds from now, positions), smoothly.
fn go(
    sim: &mut Simulation,
    name: &str,
    points: &[(f64, Vec<f64>)],
    stop_at_each: bool,
) -> Result<(), String> {
    let now = sim.now_ns();
    let controller = sim.controller_mut(name).ok_or("no such controller")?;
    let n = points.len();
    let goal = TrajectoryGoal {
        joint_names: controller.joints().iter().map(|j| j.name.clone()).collect(),
        points: points
            .iter()
            .enumerate()
            .map(|(i, (t, q))| TrajectoryPoint {
                positions: q.clone(),
                velocities: if stop_at_each || i + 1 == n {
                    vec![0.0; q.len()]
                } else if i == 0 {
                    // The first point of a path is where it starts.
                    vec![0.0; q.len()]
                } else {
                    let (t0, a) = &points[i - 1];
                    let (t1, b) = &points[i + 1];
                    a.iter().zip(b).map(|(a, b)| (b - a) / (t1 - t0)).collect()
                },
                time_from_start_ns: (t * NS) as i64,
            })
            .collect(),
        ..TrajectoryGoal::default()
    };
    controller.start(&goal, now).map_err(|e| e.to_string())?;
    Ok(())
}

fn finish(sim: &mut Simulation, name: &str) -> Result<(), String> {
    while sim.controller(name).is_some_and(|c| c.active().is_some()) {
        sim.step();
    }
    let ended = sim
        .controller_mut(name)
        .map(|c| c.take_finished())
        .unwrap_or_default();
    match ended.last() {
        Some((
            _,
            Outcome::Finished {
                code: ResultCode::Successful,
                ..
            },
        )) => Ok(()),
        other => Err(format!("{name}: {other:?}")),
    }
}

fn wide(q: &[f32]) -> Vec<f64> {
    q.iter().map(|&x| f64::from(x)).collect()
}

/// Directions to try: approach `d` and finger side `e`, best first.
fn directions(class: &str, at: Vec3, rotation: Quat) -> Vec<(Vec3, Vec3)> {
    let out = Vec3::new(at.x, at.y, 0.0).normalize();
    match class {
        "pen" => {
            let along = rotation * Vec3::X;
            let across = Vec3::new(-along.y, along.x, 0.0).normalize();
            let e = if across.dot(out) >= 0.0 {
                across
            } else {
                -across
            };
            vec![(-Vec3::Z, e), (-Vec3::Z, -e)]
        }
        "ball" => [0.0f32, -0.5, 0.5]
            .iter()
            .map(|&a| (-Vec3::Z, Quat::from_rotation_z(a) * out))
            .collect(),
        _ => [0.3f32, 0.0, 0.6, -0.3, 0.9, 1.2, -0.6]
            .iter()
            .map(|&a| {
                let d = Quat::from_rotation_z(a) * out;
                // Index finger up.
                (d, (-Vec3::Z).cross(d))
            })
            .collect(),
    }
}

/// Joint waypoints down to the start of the approach and straight on to the grasp: of all branches
/// of the inverse kinematics the one nearest to home that keeps the elbow up.
fn approach(
    arm: &Arm<'_>,
    r: &Recipe,
    class: &str,
    at: Vec3,
    q: Quat,
    home: &[f32],
) -> Option<Vec<Vec<f32>>> {
    // Elbow up, and every way to turn the wrist.
    let mut starts = vec![home.to_vec()];
    for q4 in [1.5, -1.6] {
        for q5 in [0.8, -0.9] {
            for q6 in [-0.6, 0.7, 2.4, -2.4] {
                starts.push(vec![at.y.atan2(at.x), -0.4, 1.8, q4, q5, q6]);
            }
        }
    }
    let mut best: Option<(f32, Vec<Vec<f32>>)> = None;
    for (turn, (d, e)) in directions(class, at, q).into_iter().enumerate() {
        for start in &starts {
            let Some(path) = straight(arm, r, at, d, e, start) else {
                continue;
            };
            // Comes from above, clear of the table.
            let Some(mut down) = lift(arm, hand_pose(r, at - d * r.approach, d, e), &path[0])
            else {
                continue;
            };
            down.reverse();
            down.pop();
            let Some(up) = lift(arm, hand_pose(r, at, d, e), &path[path.len() - 1]) else {
                continue;
            };
            let far = distance(home, &down[0]);
            let longest = path
                .windows(2)
                .chain(up.windows(2))
                .chain(down.windows(2))
                .map(|w| distance(&w[0], &w[1]))
                .fold(0.0f32, f32::max);
            // With the elbow down the arm would meet the table.
            let elbow = arm.elbow(&path[0]).min(arm.elbow(&path[path.len() - 1]));
            if elbow < 0.15 {
                continue;
            }
            let cost = far + 0.3 * turn as f32 + 2.0 * longest;
            if best.as_ref().is_none_or(|(c, _)| cost < *c) {
                best = Some((cost, down.into_iter().chain(path).collect()));
            }
        }
    }
    best.map(|(_, path)| path)
}

/// Joint waypoints straight up from a hand pose.
fn lift(arm: &Arm<'_>, hand: Pose, start: &[f32]) -> Option<Vec<Vec<f32>>> {
    let mut from = start.to_vec();
    (0..=8)
        .map(|k| {
            let up = Vec3::Z * (0.15 * k as f32 / 8.0);
            let target = Pose::from_parts(hand.translation + up, hand.rotation);
            from = arm.solve(target, &from)?;
            Some(from.clone())
        })
        .collect()
}

fn straight(
    arm: &Arm<'_>,
    r: &Recipe,
    at: Vec3,
    d: Vec3,
    e: Vec3,
    start: &[f32],
) -> Option<Vec<Vec<f32>>> {
    let steps = 8;
    let mut from = start.to_vec();
    (0..=steps)
        .map(|k| {
            let back = r.approach * (1.0 - k as f32 / steps as f32);
            from = arm.solve(hand_pose(r, at - d * back, d, e), &from)?;
            Some(from.clone())
        })
        .collect()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// Times for a path so that no joint is faster than `speed` on average.
fn timed(path: &[Vec<f32>], speed: f32) -> Vec<(f64, Vec<f64>)> {
    let mut t = 0.0;
    path.iter()
        .enumerate()
        .map(|(k, q)| {
            t += match k {
                0 => 0.1,
                _ => f64::from((distance(&path[k - 1], q) / speed).max(0.1)),
            };
            (t, wide(q))
        })
        .collect()
}

struct Report {
    lifted: bool,
    why: String,
}

fn trial(sim: &mut Simulation, class: &str, error: Vec3, turn: f32) -> Result<Report, String> {
    let object = sim.object().ok_or("no object")?;
    let world = sim.world().clone();
    let model = world
        .models
        .iter()
        .find(|m| m.name == "robot")
        .ok_or("no robot")?;
    let area = world.area.ok_or("no area")?;
    let arm = Arm::new(model);
    let r = recipe(class);
    let home: Vec<f32> = arm.joints.iter().map(|&j| model.joints[j].home).collect();
    let mut at = object.pose.translation + error;
    at.z = area.center.z + r.height;
    let path = approach(
        &arm,
        &r,
        class,
        at,
        Quat::from_rotation_z(turn) * object.pose.rotation,
        &home,
    )
    .ok_or("out of reach")?;
    let longest = home
        .iter()
        .zip(&path[0])
        .map(|(a, b)| (a - b).abs())
        .fold(0.0f32, f32::max);
    go(sim, "hand", &[(1.2, r.open.to_vec())], true)?;
    go(
        sim,
        "arm",
        &[(f64::from(longest / 0.6).max(1.0), wide(&path[0]))],
        true,
    )?;
    finish(sim, "arm")?;
    finish(sim, "hand")?;
    go(sim, "arm", &timed(&path, 0.5), false)?;
    finish(sim, "arm")?;
    let before = sim.object().map(|o| o.pose.translation).unwrap_or_default();
    let narrow = |q: &HandPose| q.map(|x| x as f32).to_vec();
    let hand: Vec<Vec<f32>> = std::iter::once(&r.open)
        .chain(&r.between)
        .chain(std::iter::once(&r.closed))
        .map(narrow)
        .collect();
    let closing = timed(&hand, 0.8);
    go(sim, "hand", &closing, false)?;
    finish(sim, "hand")?;
    run(sim, 0.3);
    let grip = sim.object().map_or(0.0, |o| o.robot_force);
    let closed = sim.object().map(|o| o.pose.translation).unwrap_or_default();

    // Up along the way the hand came in the joints, but straight up in space.
    let last = path.last().ok_or("no path")?;
    let hand = sim.link_pose("hand_base_link").ok_or("no hand")?;
    let up = lift(&arm, hand, last).ok_or("cannot lift")?;
    go(sim, "arm", &timed(&up, 0.5), false)?;
    finish(sim, "arm")?;
    let up = sim.object().map_or(0.0, |o| o.lift);
    run(sim, 2.0);
    let end = sim.object().map_or(0.0, |o| o.lift);
    let why = format!(
        "moved {:.0} mm before, {:.0} mm in closing, grip {grip:.1} N, lift {up:.3} then {end:.3}",
        (before - object.pose.translation).length() * 1e3,
        (closed - before).length() * 1e3
    );
    Ok(Report {
        lifted: up > 0.1 && end > 0.1 && (end - up).abs() < 0.03,
        why,
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let trials: u64 = args.first().map_or(Ok(30), |a| a.parse())?;
    let seed: u64 = args.get(1).map_or(Ok(1), |a| a.parse())?;
    let only = args.get(2).filter(|c| *c != "any").cloned();
    let offset: f32 = args.get(3).map_or(Ok(0.0), |a| a.parse())?;
    let turn: f32 = args.get(4).map_or(Ok(0.0), |a| a.parse())?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grasp_table.sdf");
    let mut sim = Simulation::load(&path)?;
    let mut table: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    for k in 0..trials {
        let class = only
            .clone()
            .unwrap_or_else(|| ["ball", "bottle", "pen"][k as usize % 3].to_owned());
        let request = SceneRequest {
            seed: seed * 1_000_003 + k,
            label: Some(class.clone()),
            split: Split::Any,
        };
        let truth = sim.randomise(&request)?.clone();
        let scale = truth.object.map_or(0.0, |o| o.scale);
        let report = trial(
            &mut sim,
            &class,
            Quat::from_rotation_z(k as f32 * 2.4) * Vec3::X * (offset * 1e-3),
            if k % 2 == 0 { turn } else { -turn }.to_radians(),
        )
        .unwrap_or_else(|why| Report { lifted: false, why });
        println!(
            "{k:4} {class:7} x{scale:.2} {} {}",
            if report.lifted { "ok  " } else { "LOST" },
            report.why
        );
        let row = table.entry(class).or_default();
        row[0] += u32::from(report.lifted);
        row[1] += 1;
    }
    for (class, [good, all]) in &table {
        println!("{class:7} {good}/{all}");
    }
    println!(
        "physics: {:.1} simulated s in {:.1} s",
        sim.now_ns() as f64 / NS,
        sim.physics_time().as_secs_f64()
    );
    Ok(())
}
