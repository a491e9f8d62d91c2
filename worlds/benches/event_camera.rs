//! Events from frames, ideal and noisy; and an event camera in a scene that is
//! still, or that a saccade moves over.

#[path = "../examples/table/mod.rs"]
mod table;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use glam::{Quat, Vec3};
use saccade_worlds::event_camera::{EventCamera, EventCameraParams, FrameToEvents};
use saccade_worlds::render::{Camera, Pose};
use std::hint::black_box;

/// Frames of a pattern that moves one pixel per frame, 1 ms apart.
fn frames(c: &mut Criterion) {
    let kinds = [
        ("ideal", EventCameraParams::ideal()),
        ("noisy", EventCameraParams::default()),
    ];
    for (name, params) in kinds {
        for (width, height) in [(128u32, 128u32), (240, 180), (346, 260), (640, 480)] {
            let frames: Vec<Vec<u8>> = (0..32)
                .map(|f| {
                    (0..width * height)
                        .map(|i| pattern(i % width + f, i / width))
                        .collect()
                })
                .collect();
            let mut sensor = FrameToEvents::new(&params, width, height, 1).expect("valid");
            let (mut t_us, mut out) = (0, Vec::new());
            let mut group = c.benchmark_group(format!("frames_{name}"));
            group.throughput(Throughput::Elements(1));
            group.bench_function(format!("{width}x{height}"), |b| {
                b.iter(|| {
                    t_us += 1000;
                    out.clear();
                    let frame = &frames[(t_us / 1000 % 32) as usize];
                    sensor.push_grey(t_us, frame, &mut out).expect("in order");
                    black_box(out.len())
                });
            });
        }
    }
}

/// Bars and blobs of moderate contrast, periodic in 32 pixels.
fn pattern(x: u32, y: u32) -> u8 {
    let phase = |v: u32| (v % 32) as f32 * std::f32::consts::TAU / 32.0;
    (128.0 + 60.0 * phase(x).sin() + 30.0 * phase(y).cos()) as u8
}

fn scenes(c: &mut Criterion) {
    let mut scene = table::scene(&["bottle"], "wood", 1).expect("the texture exists");
    table::add_arm(&mut scene);
    let eye = table::eye();
    for (width, height) in [(128, 128), (640, 480)] {
        let camera = Camera::from_horizontal_fov(width, height, 25f32.to_radians());
        for (name, amplitude) in [("still", 0.0), ("saccade", 1.5f32.to_radians())] {
            let mut sensor =
                EventCamera::new(&EventCameraParams::default(), camera, 1).expect("valid");
            sensor.reset(0, 1, &scene, &eye).expect("finite");
            let (mut t_ms, mut out) = (0u64, Vec::new());
            c.bench_function(&format!("step_1ms/{width}x{height}/{name}"), |b| {
                b.iter(|| {
                    t_ms += 1;
                    out.clear();
                    let angle = amplitude * (t_ms as f32 * std::f32::consts::TAU / 200.0).sin();
                    let turn = Pose {
                        p: Vec3::ZERO,
                        q: Quat::from_rotation_y(0.5 * angle),
                    };
                    sensor
                        .advance(1000 * t_ms, &scene, &eye.compose(&turn), &mut out)
                        .expect("in order");
                    black_box(out.len())
                });
            });
        }
    }
}

criterion_group!(benches, frames, scenes);
criterion_main!(benches);
