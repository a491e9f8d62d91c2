//! A synthetic stand-in for microsaccade recordings: outlines that swing to and fro.
//!
//! Every point of an outline gives events in proportion to how fast it moves along
//! its normal, ON or OFF by the direction. Position, size, orientation (a little),
//! contrast sign and noise are drawn per sample: counts per pixel say little, the
//! shape is in what spikes together.

use std::f32::consts::TAU;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::models::sample::Sample;

/// Size of the set-up.
#[derive(Clone, Copy)]
pub struct Scene {
    /// Side of the grid of inputs.
    pub grid: usize,
    /// Length of a sample in ticks.
    pub ticks: usize,
    /// About how many spikes a sample has.
    pub spikes: usize,
}

/// A point of an outline with its outward normal, around the origin.
type Edge = ([f32; 2], [f32; 2]);

/// Outlines of the four classes: disc, bar, cross of two bars, nothing but fragments.
fn outline(label: usize, size: f32, rng: &mut impl Rng) -> Vec<Edge> {
    let turn = rng.random_range(-0.3..0.3_f32);
    match label {
        0 => (0..64).map(|k| disc(size, k as f32 / 64.0 * TAU)).collect(),
        1 => bar(1.3 * size, 0.3 * size, turn),
        2 => {
            let mut cross = bar(size, 0.3 * size, turn);
            cross.extend(bar(size, 0.3 * size, turn + TAU / 4.0));
            cross
        }
        _ => (0..32)
            .map(|_| {
                let at = [rng.random_range(-1.5..1.5), rng.random_range(-1.5..1.5)];
                let angle = rng.random_range(0.0..TAU);
                (at.map(|x: f32| x * size), [angle.cos(), angle.sin()])
            })
            .collect(),
    }
}

fn disc(radius: f32, angle: f32) -> Edge {
    let normal = [angle.cos(), angle.sin()];
    (normal.map(|n| n * radius), normal)
}

/// The two long sides and two ends of a bar, turned.
fn bar(half_length: f32, half_width: f32, turn: f32) -> Vec<Edge> {
    let rotate = |[x, y]: [f32; 2]| {
        let (sin, cos) = turn.sin_cos();
        [cos * x - sin * y, sin * x + cos * y]
    };
    let mut edges = Vec::new();
    for k in -12..=12 {
        let along = half_length * k as f32 / 12.0;
        for side in [-1.0, 1.0] {
            edges.push((rotate([along, side * half_width]), rotate([0.0, side])));
        }
    }
    for k in -3..=3 {
        let across = half_width * k as f32 / 3.0;
        for side in [-1.0, 1.0] {
            edges.push((rotate([side * half_length, across]), rotate([side, 0.0])));
        }
    }
    edges
}

/// One sample of class `label`.
fn sample(scene: &Scene, label: usize, rng: &mut impl Rng) -> Sample {
    let grid = scene.grid as f32;
    let size = grid * rng.random_range(0.16..0.22);
    let edges = outline(label, size, rng);
    let mut jitter = || rng.random_range(-0.12..0.12_f32) * grid;
    let centre = [grid / 2.0 + jitter(), grid / 2.0 + jitter()];
    let contrast = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    let per_tick = scene.spikes as f32 / scene.ticks as f32 * rng.random_range(0.7..1.3);
    let noise = 0.2 * per_tick;
    let phase = rng.random_range(0.0..TAU);
    let mut spikes = Vec::new();
    for tick in 0..scene.ticks {
        let angle = TAU * tick as f32 / 100.0 + phase;
        // A figure of eight: every edge moves along its normal now and then.
        let shift = [1.5 * angle.cos(), 1.5 * (2.0 * angle).sin()];
        let velocity = [-angle.sin(), 2.0 * (2.0 * angle).cos()];
        let mut push = |x: f32, y: f32, on: bool| {
            let cell = [x, y].map(|v| v.floor() as i64);
            if cell.iter().all(|c| (0..scene.grid as i64).contains(c)) {
                let cell = cell.map(|c| c as usize);
                let id = (usize::from(on) * scene.grid + cell[1]) * scene.grid + cell[0];
                spikes.push((tick as u16, id as u32));
            }
        };
        for ([x, y], [nx, ny]) in &edges {
            let speed = contrast * (nx * velocity[0] + ny * velocity[1]);
            let rate = per_tick * speed.abs() / edges.len() as f32;
            if rng.random::<f32>() < rate {
                push(
                    centre[0] + x + shift[0],
                    centre[1] + y + shift[1],
                    speed > 0.0,
                );
            }
        }
        for _ in 0..noise as usize {
            push(
                rng.random_range(0.0..grid),
                rng.random_range(0.0..grid),
                rng.random_bool(0.5),
            );
        }
    }
    spikes.sort_unstable();
    spikes.dedup();
    Sample {
        spikes,
        ticks: scene.ticks,
        label,
        weight: 1.0,
    }
}

/// `per_class` samples of each of the four classes.
pub fn samples(scene: &Scene, per_class: usize, seed: u64) -> Vec<Sample> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..4 * per_class)
        .map(|k| sample(scene, k % 4, &mut rng))
        .collect()
}
