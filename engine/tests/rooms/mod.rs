//! A made-up room, for tests of place recognition: smooth images and touches of a pose.

use saccade_engine::models::place::{Pose, Samples};

/// Height, width and colours of its images.
#[derive(Clone, Copy)]
pub struct Eye {
    pub height: usize,
    pub width: usize,
    pub colours: usize,
}

/// Numbers without order, from 0 to 1, the same on every machine.
fn drawn(k: usize) -> f32 {
    let mut x = (k as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 40) as f32 / (1u64 << 24) as f32
}

/// Where a ray meets the wall of a room of 2 m around the origin, and how far away.
fn wall(pose: &Pose, angle: f64) -> (f64, f64) {
    let (dy, dx) = angle.sin_cos();
    let until = |p: f64, d: f64| (d.signum() - p) / if d.abs() < 1e-9 { 1e-9 } else { d };
    let far = until(pose.x_m, dx).min(until(pose.y_m, dy)).max(0.0);
    ((pose.y_m + far * dy).atan2(pose.x_m + far * dx), far)
}

/// What a camera sees from a pose: coloured waves on the walls, nearer ones larger.
fn image(eye: Eye, pose: &Pose) -> Vec<f32> {
    let mut values = Vec::with_capacity(eye.height * eye.width * eye.colours);
    for row in 0..eye.height {
        for column in 0..eye.width {
            let across = column as f64 / eye.width as f64 - 0.5;
            let (around, far) = wall(pose, pose.theta_rad + across);
            let up = (row as f64 / eye.height as f64 - 0.5) * far;
            for colour in 0..eye.colours {
                let mut bright = 0.5;
                for wave in 0..6 {
                    let of = |k: usize| f64::from(drawn(100 * colour + 10 * wave + k));
                    let turns = 1.0 + (of(0)).round() + wave as f64;
                    let phase = turns * around + 6.0 * up * of(1) + 6.3 * of(2);
                    bright += 0.3 / (1.0 + wave as f64) * phase.sin();
                }
                values.push(bright.clamp(0.0, 1.0) as f32);
            }
        }
    }
    values
}

/// What whiskers feel at a pose: the nearer a wall the more they bend.
fn touch(size: usize, pose: &Pose) -> Vec<f32> {
    (0..size)
        .map(|k| {
            let angle = pose.theta_rad + 2.0 * (k as f64 / size as f64 - 0.5);
            let (around, far) = wall(pose, angle);
            let bend = (-2.0 * far).exp() * (1.0 + 0.3 * (3.0 * around + k as f64).sin());
            (3.0 * bend) as f32
        })
        .collect()
}

/// `count` samples at poses drawn from `seed`.
pub fn samples(eye: Eye, whiskers: usize, count: usize, seed: usize) -> Samples {
    let visual = eye.height * eye.width * eye.colours;
    let mut samples = Samples::new(visual, whiskers);
    for i in 0..count {
        let of = |k: usize| f64::from(drawn(1_000_003 * (seed + 1) + 3 * i + k)) - 0.5;
        let pose = Pose {
            x_m: 1.6 * of(0),
            y_m: 1.6 * of(1),
            theta_rad: std::f64::consts::TAU * of(2),
        };
        let (seen, felt) = (image(eye, &pose), touch(whiskers, &pose));
        samples.push(&seen, &felt, pose).unwrap();
    }
    samples
}
