//! Renders a table with the three objects and writes PNGs to a folder.
//!
//! `cargo run --release -p saccade-worlds --example render_scene -- FOLDER`

mod table;

use saccade_worlds::render::{Camera, Scratch, render_luminance, render_rgb};
use saccade_worlds::textures;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    let camera = Camera::from_horizontal_fov(640, 480, 40f32.to_radians());
    let small = Camera::from_horizontal_fov(128, 128, 25f32.to_radians());
    let eye = table::eye();
    let mut scratch = Scratch::default();
    for name in textures::TRAIN.into_iter().chain(textures::TEST) {
        let mut scene = table::scene(&["ball", "bottle", "pen"], name, 7)?;
        let mut image = vec![0; camera.pixels() * 3];
        render_rgb(&scene, &camera, &eye, None, &mut scratch, &mut image)?;
        image::save_buffer(
            folder.join(format!("{name}.png")),
            &image,
            camera.width,
            camera.height,
            image::ColorType::Rgb8,
        )?;
        table::add_arm(&mut scene);
        let mut luminance = vec![0.0; small.pixels()];
        let start = Instant::now();
        for _ in 0..20 {
            render_luminance(&scene, &small, &eye, None, &mut scratch, &mut luminance)?;
        }
        let per_image = start.elapsed() / 20;
        println!(
            "{name:12} 128x128 with {} primitives: {per_image:?}",
            scene.visuals.len()
        );
    }
    Ok(())
}
