//! What a step of touch and an image cost, on the open floor and in a corner.

use criterion::{Criterion, criterion_group, criterion_main};
use saccade_worlds::arena::Place;
use saccade_worlds::whiskeye::{Command, OdometryErrors, Senses, WHISKERS, WhiskEye};
use std::hint::black_box;
use std::path::Path;

fn costs(c: &mut Criterion) {
    let senses = Senses {
        odometry: OdometryErrors {
            scale: 0.05,
            turn_radps: 0.01,
        },
        image_width: 160,
        image_noise: 0.015,
        angle_noise_rad: 0.003,
        xy_noise: 0.005,
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("whiskeye_arena.sdf");
    let mut robot = WhiskEye::load(&file, senses, 1).expect("the world loads");
    let stay = Command {
        velocity: [0.0; 3],
        neck_rad: None,
        theta_rad: Some([0.5; WHISKERS]),
    };
    for (name, at_m, yaw_rad) in [("floor", [-0.5, -1.2], 0.3), ("corner", [1.45, 1.1], 0.7)] {
        robot.stand(Place { at_m, yaw_rad });
        for _ in 0..50 {
            robot.step(20_000_000, &stay);
        }
        c.bench_function(&format!("step/{name}"), |b| {
            b.iter(|| {
                robot.step(20_000_000, &stay);
                black_box(robot.felt().1[0])
            });
        });
        c.bench_function(&format!("image/160x120/{name}"), |b| {
            b.iter(|| black_box(robot.look(0).expect("an image")));
        });
    }
}

criterion_group!(benches, costs);
criterion_main!(benches);
