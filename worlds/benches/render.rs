//! How long an image takes, with and without an arm in the scene.

#[path = "../examples/table/mod.rs"]
mod table;

use criterion::{Criterion, criterion_group, criterion_main};
use saccade_worlds::render::{Camera, Scratch, render_luminance, render_rgb};
use std::hint::black_box;

fn images(c: &mut Criterion) {
    let eye = table::eye();
    for texture in ["plain", "wood", "concrete"] {
        let mut scene = table::scene(&["bottle"], texture, 1).expect("the texture exists");
        table::add_arm(&mut scene);
        let mut scratch = Scratch::default();
        for (width, height) in [(128, 128), (640, 480)] {
            let camera = Camera::from_horizontal_fov(width, height, 25f32.to_radians());
            let mut image = vec![0.0; camera.pixels()];
            c.bench_function(&format!("luminance/{width}x{height}/{texture}"), |b| {
                b.iter(|| {
                    render_luminance(&scene, &camera, &eye, None, &mut scratch, &mut image)
                        .expect("the camera is valid");
                    black_box(image[0])
                });
            });
        }
        let camera = Camera::from_horizontal_fov(640, 480, 40f32.to_radians());
        let mut image = vec![0; 3 * camera.pixels()];
        c.bench_function(&format!("rgb/640x480/{texture}"), |b| {
            b.iter(|| {
                render_rgb(&scene, &camera, &eye, None, &mut scratch, &mut image)
                    .expect("the camera is valid");
                black_box(image[0])
            });
        });
    }
}

criterion_group!(benches, images);
criterion_main!(benches);
