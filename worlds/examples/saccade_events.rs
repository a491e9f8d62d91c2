//! How many events each class of object gives during a microsaccade, on each table
//! texture; and how far the count alone, or the mean event image, tells the class.
//!
//! `cargo run --release -p saccade-worlds --example saccade_events -- FOLDER [SEEDS]`

mod table;

use glam::{Quat, Vec3};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::{CLASSES, Event};
use saccade_worlds::event_camera::{EventCamera, EventCameraParams, Stats};
use saccade_worlds::render::{Camera, Pose, Scene};
use saccade_worlds::textures;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

const SIDE: u32 = 128;
/// Corners of the saccade's triangle: yaw and pitch in degrees.
const CORNERS: [(f32, f32); 4] = [(0.0, 0.0), (1.5, 0.0), (0.75, 1.3), (0.0, 0.0)];
const LEG_MS: u64 = 100;
/// Side of the event images that are compared.
const IMAGE: usize = 32;

struct Sample {
    class: usize,
    texture: &'static str,
    count: f32,
    image: Vec<f32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("which folder?")?);
    let seeds: u64 = args.next().map_or(Ok(10), |s| s.parse())?;
    std::fs::create_dir_all(&folder)?;
    let mut samples = Vec::new();
    let mut total = Stats::default();
    let start = Instant::now();
    for texture in textures::TRAIN.into_iter().chain(textures::TEST) {
        for (class, name) in CLASSES.iter().enumerate() {
            for seed in 0..seeds {
                let own = samples.len() as u64;
                let scene = random_scene(name, texture, own)?;
                let (events, stats) = saccade(&scene, own)?;
                total.renders += stats.renders;
                total.noise_events += stats.noise_events;
                total.events += stats.events;
                if seed == 0 {
                    save(&folder.join(format!("{texture}_{name}.png")), &events)?;
                }
                let (count, image) = (events.len() as f32, binned(&events));
                samples.push(Sample {
                    class,
                    texture,
                    count,
                    image,
                });
            }
        }
    }
    let n = samples.len() as f64;
    println!(
        "{n} saccades of 0.3 s: {:.2} s each, {:.0} renders, {:.0} events, {:.0} of them noise",
        start.elapsed().as_secs_f64() / n,
        total.renders as f64 / n,
        total.events as f64 / n,
        total.noise_events as f64 / n
    );
    counts(&samples);
    baselines(&samples);
    Ok(())
}

/// One object, as the trials have it: anywhere in 0.2 m × 0.2 m, any yaw and light;
/// of any colour, with up to three other things around.
fn random_scene(class: &str, texture: &str, seed: u64) -> Result<Scene, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |lo: f32, hi: f32| lo + (hi - lo) * rng.random::<f32>();
    let mut scene = table::scene(&[], texture, seed)?;
    let at = Vec3::new(0.5 + draw(-0.1, 0.1), draw(-0.1, 0.1), table::TABLE);
    let yaw = draw(0.0, std::f32::consts::TAU);
    let albedo = [0; 3].map(|_| draw(0.05, 0.8));
    let mut parts = table::object(class, at, yaw);
    parts.iter_mut().for_each(|p| p.material.albedo = albedo);
    scene.visuals.extend(parts);
    scene.light.direction = Vec3::new(draw(-0.6, 0.6), draw(-0.6, 0.6), -1.0);
    scene.light.intensity = draw(0.4, 1.0);
    scene.light.ambient = draw(0.2, 0.4);
    let things = draw(0.0, 4.0) as usize;
    scene.visuals.extend(table::clutter(things, draw));
    Ok(scene)
}

/// The events of one saccade: minimum-jerk legs along a triangle.
fn saccade(scene: &Scene, seed: u64) -> Result<(Vec<Event>, Stats), Box<dyn Error>> {
    let camera = Camera::from_horizontal_fov(SIDE, SIDE, 25f32.to_radians());
    let mut sensor = EventCamera::new(&EventCameraParams::default(), camera, 1)?;
    let eye = table::eye();
    sensor.reset(0, seed, scene, &eye)?;
    let mut events = Vec::new();
    for t_ms in 1..=3 * LEG_MS {
        let leg = ((t_ms - 1) / LEG_MS) as usize;
        let s = (t_ms - leg as u64 * LEG_MS) as f32 / LEG_MS as f32;
        let s = s * s * s * (10.0 - 15.0 * s + 6.0 * s * s);
        let ((x0, y0), (x1, y1)) = (CORNERS[leg], CORNERS[leg + 1]);
        let turn = Quat::from_rotation_y((x0 + s * (x1 - x0)).to_radians())
            * Quat::from_rotation_x((y0 + s * (y1 - y0)).to_radians());
        let pose = eye.compose(&Pose {
            p: Vec3::ZERO,
            q: turn,
        });
        sensor.advance(1000 * t_ms, scene, &pose, &mut events)?;
    }
    Ok((events, sensor.stats()))
}

/// ON white, OFF black, on grey.
fn save(path: &std::path::Path, events: &[Event]) -> Result<(), Box<dyn Error>> {
    let mut image = vec![128u8; (SIDE * SIDE) as usize];
    for e in events {
        let pixel = &mut image[usize::from(e.y) * SIDE as usize + usize::from(e.x)];
        *pixel = if e.on {
            pixel.saturating_add(40)
        } else {
            pixel.saturating_sub(40)
        };
    }
    let image = image::GrayImage::from_raw(SIDE, SIDE, image).ok_or("image size")?;
    image::imageops::resize(&image, 4 * SIDE, 4 * SIDE, image::imageops::Nearest).save(path)?;
    Ok(())
}

fn binned(events: &[Event]) -> Vec<f32> {
    let mut image = vec![0.0; 2 * IMAGE * IMAGE];
    let bin = |v: u16| usize::from(v) * IMAGE / SIDE as usize;
    for e in events {
        image[(usize::from(e.on) * IMAGE + bin(e.y)) * IMAGE + bin(e.x)] += 1.0;
    }
    image
}

fn counts(samples: &[Sample]) {
    print!("{:12}", "texture");
    CLASSES.iter().for_each(|c| print!("{c:>20}"));
    println!("   (mean events, least-most)");
    let row = |name: &str, chosen: &dyn Fn(&Sample) -> bool| {
        print!("{name:12}");
        for class in 0..CLASSES.len() {
            let of = |s: &&Sample| s.class == class && chosen(s);
            let counts: Vec<f32> = samples.iter().filter(of).map(|s| s.count).collect();
            let mean = counts.iter().sum::<f32>() / counts.len() as f32;
            let least = counts.iter().copied().fold(f32::INFINITY, f32::min);
            let most = counts.iter().copied().fold(0.0, f32::max);
            print!("{:>20}", format!("{mean:.0} ({least:.0}-{most:.0})"));
        }
        println!();
    };
    for texture in textures::TRAIN.into_iter().chain(textures::TEST) {
        row(texture, &|s| s.texture == texture);
    }
    row("train", &|s| textures::TRAIN.contains(&s.texture));
    row("test", &|s| textures::TEST.contains(&s.texture));
}

/// Learns from the train textures, is asked about the test textures.
fn baselines(samples: &[Sample]) {
    let (train, test): (Vec<&Sample>, Vec<&Sample>) = samples
        .iter()
        .partition(|s| textures::TRAIN.contains(&s.texture));
    let by_count = |s: &Sample| {
        let mut near: Vec<&&Sample> = train.iter().collect();
        near.sort_by(|a, b| {
            (a.count - s.count)
                .abs()
                .total_cmp(&(b.count - s.count).abs())
        });
        let votes = |c: usize| {
            near[..15.min(near.len())]
                .iter()
                .filter(|n| n.class == c)
                .count()
        };
        (0..CLASSES.len()).max_by_key(|&c| votes(c))
    };
    let means: Vec<Vec<f32>> = (0..CLASSES.len())
        .map(|class| {
            let of: Vec<_> = train.iter().filter(|s| s.class == class).collect();
            let pixel = |i: usize| of.iter().map(|s| s.image[i]).sum::<f32>() / of.len() as f32;
            (0..2 * IMAGE * IMAGE).map(pixel).collect()
        })
        .collect();
    let by_mean = |s: &Sample| {
        let distance =
            |m: &[f32]| -> f32 { m.iter().zip(&s.image).map(|(a, b)| (a - b).powi(2)).sum() };
        (0..CLASSES.len()).min_by(|&a, &b| distance(&means[a]).total_cmp(&distance(&means[b])))
    };
    let accuracy = |classify: &dyn Fn(&Sample) -> Option<usize>| {
        let right = test.iter().filter(|s| classify(s) == Some(s.class)).count();
        100.0 * right as f64 / test.len() as f64
    };
    println!(
        "15 nearest event counts: {:.1} % right",
        accuracy(&by_count)
    );
    println!(
        "nearest mean event image: {:.1} % right",
        accuracy(&by_mean)
    );
}
