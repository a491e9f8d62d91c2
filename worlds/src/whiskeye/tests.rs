use super::*;
use crate::sdf::{Collision, Inertial, Link, Role, Shape};
use glam::Vec3;

const EXACT: Senses = Senses {
    odometry: OdometryErrors {
        scale: 0.0,
        turn_radps: 0.0,
    },
    image_width: 80,
    image_noise: 0.0,
    angle_noise_rad: 0.0,
    xy_noise: 0.0,
};
const STAY: Command = Command {
    velocity: [0.0; 3],
    neck_rad: None,
    theta_rad: None,
};
const STEP_NS: u64 = 20_000_000;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn robot(senses: Senses) -> WhiskEye {
    WhiskEye::load(&file("whiskeye_arena.sdf"), senses, 1).expect("the world")
}

/// Walls of a metre's thickness: centres and whether across x or y.
fn walls(centres: &[[f32; 2]]) -> Surroundings {
    let models: Vec<Model> = centres
        .iter()
        .map(|&[x, y]| {
            thing(
                [x, y, 0.5],
                Shape::Box {
                    size: Vec3::splat(1.0),
                },
            )
        })
        .collect();
    Surroundings::new(models.iter())
}

fn thing(at: [f32; 3], shape: Shape) -> Model {
    let link = Link {
        name: "link".into(),
        pose: Pose::IDENTITY,
        inertial: Inertial::default(),
        gravity: true,
        velocity_decay: [0.0; 2],
        collisions: vec![Collision {
            name: "c".into(),
            pose: Pose::IDENTITY,
            shape,
            friction: 1.0,
        }],
        visuals: Vec::new(),
        sensors: Vec::new(),
    };
    Model {
        name: "thing".into(),
        is_static: true,
        self_collide: false,
        pose: Pose::from_translation(Vec3::from(at)),
        links: vec![link],
        joints: Vec::new(),
        controllers: Vec::new(),
        role: Role::Fixture,
    }
}

/// A whisker that stands out to the left of a head at the origin, 0.2 m high.
const WHISKER: Whisker = Whisker {
    base: Vec3::new(0.0, 0.0, 0.2),
    along: Vec3::Y,
    axis: Vec3::NEG_Z,
    length_m: 0.172,
    limits_rad: [-1.0, 1.0],
    speed_radps: 40.0,
};

#[test]
fn before_a_wall_it_bends_by_what_clears_its_tip() {
    for (distance_m, theta) in [(0.15f32, 0.3f32), (0.1, 0.5), (0.12, -0.4), (0.16, 0.2)] {
        let world = walls(&[[0.0, 0.5 + distance_m]]);
        let [x, y] = WHISKER.deflection(&Pose::IDENTITY, theta, &world, &[0]);
        // The tip goes on along the wall, away from the normal: forward when it points forward.
        let bend = (distance_m / WHISKER.length_m).acos() - theta.abs();
        assert!(bend > 0.0, "a case that says something");
        assert!(
            (x - bend.copysign(theta)).abs() < 2e-3,
            "{distance_m} {theta}: {x}, not {bend}"
        );
        assert!(y.abs() < 1e-5);
    }
}

#[test]
fn what_it_does_not_reach_it_does_not_feel() {
    let world = walls(&[[0.0, 0.5 + 0.1721]]);
    assert_eq!(
        WHISKER.deflection(&Pose::IDENTITY, 0.0, &world, &[0]),
        [0.0; 2]
    );
    // Nor what it points past.
    let world = walls(&[[0.0, 0.5 + 0.16]]);
    assert_eq!(
        WHISKER.deflection(&Pose::IDENTITY, 0.5, &world, &[0]),
        [0.0; 2]
    );
}

#[test]
fn it_feels_deeper_and_nearer_contacts_more() {
    let post = |y: f32, x: f32| {
        let post = Shape::Cylinder {
            radius: 0.02,
            length: 1.0,
        };
        Surroundings::new([thing([x, y, 0.5], post)].iter())
    };
    let feel = |world: &Surroundings| WHISKER.deflection(&Pose::IDENTITY, 0.0, world, &[0]);
    // A post in front of the whisker's plane bends it backward, the more the farther in.
    let (little, more) = (feel(&post(0.1, 0.015)), feel(&post(0.1, 0.005)));
    assert!(
        more[0] < little[0] && little[0] < -0.02,
        "{little:?} {more:?}"
    );
    // A tangent from the base to the post, lever from where it touches.
    let (distance, angle) = (0.1f32.hypot(0.015), (0.015f32 / 0.1).atan());
    let bend = (0.02 / distance).asin() - angle;
    let lever = 0.172 / (distance * distance - 0.02 * 0.02).sqrt();
    assert!(
        (little[0] + bend * lever).abs() < 0.01 * lever,
        "{little:?}, not {}",
        bend * lever
    );
    // As deep, but nearer to the base.
    let near = feel(&post(0.06, 0.015));
    assert!(near[0] < 1.5 * little[0], "{little:?} {near:?}");
    // From behind it is bent forward.
    assert!(feel(&post(0.1, -0.005))[0] > 0.02);
}

#[test]
fn a_shelf_below_bends_it_upward() {
    let shelf = Shape::Box {
        size: Vec3::new(1.0, 1.0, 0.2),
    };
    let world = Surroundings::new([thing([0.0, 0.55, 0.105], shelf)].iter());
    // Its top is at 0.205, its edge at y = 0.05: the whisker meets it head-on and buckles back.
    let [x, y] = WHISKER.deflection(&Pose::IDENTITY, 0.0, &world, &[0]);
    assert!(x < -0.5 && y.abs() < 1e-4, "{x} {y}");
    // From above it lies down on it.
    let above = Pose::from_parts(Vec3::new(0.0, 0.0, 0.03), Quat::from_rotation_x(-0.3));
    let [x, y] = WHISKER.deflection(&above, 0.0, &world, &[0]);
    assert!(x.abs() < 1e-3 && y > 0.05, "{x} {y}");
}

#[test]
fn walls_on_both_sides_alike_are_felt_alike() {
    let mut it = robot(EXACT);
    it.surroundings = walls(&[[0.3, 0.66], [0.3, -0.66], [1.3, 0.66], [1.3, -0.66]]);
    assert!(it.stand(Place::default()), "it fits between the walls");
    let angles = std::array::from_fn(|i| 0.1 + 0.02 * (i % COLUMNS) as f32);
    for _ in 0..20 {
        it.step(
            STEP_NS,
            &Command {
                theta_rad: Some(angles),
                ..STAY
            },
        );
    }
    let (theta, xy) = it.felt();
    let mut felt = 0;
    for i in 0..WHISKERS / 2 {
        let other = i + WHISKERS / 2;
        assert!((theta[i] - theta[other]).abs() < 1e-6);
        for k in 0..2 {
            assert!(
                (xy[2 * i + k] - xy[2 * other + k]).abs() < 1e-4,
                "{i}: {:?}",
                &xy[2 * i..2 * i + 2]
            );
        }
        felt += usize::from(xy[2 * i].abs() > 0.05);
    }
    assert!((3..12).contains(&felt), "{felt} of 12 whiskers feel a wall");
}

#[test]
fn lengths_limits_and_neck_are_whiskeyes() {
    let it = robot(EXACT);
    for (i, whisker) in it.robot.whiskers.iter().enumerate() {
        assert_eq!(whisker.length_m, [0.060, 0.081, 0.111, 0.172][i % COLUMNS]);
        assert!(
            whisker
                .limits_rad
                .iter()
                .all(|l| (l.abs() - 60f32.to_radians()).abs() < 1e-3)
        );
        // Forward is forward on both sides, and rows 0 to 2 are on the left.
        let (along, forward) = whisker_directions(whisker);
        assert!(forward.x > 0.5, "{i}");
        assert_eq!(along.y > 0.0, i < WHISKERS / 2, "{i}");
    }
    let limits: Vec<_> = it
        .robot
        .neck
        .iter()
        .map(|&j| {
            it.robot.model.joints[j]
                .limits
                .map(|l| l.to_degrees().round())
        })
        .collect();
    assert_eq!(limits, [[0.0, 70.0], [0.0, 120.0], [-90.0, 90.0]]);
    let cameras: Vec<_> = it
        .cameras()
        .map(|(name, c)| (name.to_owned(), c.width, c.height))
        .collect();
    assert_eq!(cameras, [("cam0".into(), 80, 60), ("cam1".into(), 80, 60)]);
}

fn whisker_directions(whisker: &Whisker) -> (Vec3, Vec3) {
    (whisker.along, whisker.axis.cross(whisker.along))
}

#[test]
fn the_neck_turns_the_head_and_keeps_its_limits() {
    let mut it = robot(EXACT);
    it.stand(Place::default());
    let level = it.head();
    for _ in 0..200 {
        it.step(
            STEP_NS,
            &Command {
                neck_rad: Some([9.0, 1.2217, 0.5]),
                ..STAY
            },
        );
    }
    assert!((it.neck()[0].to_degrees() - 70.0).abs() < 0.1);
    let head = it.head();
    assert!(head.translation.z > level.translation.z + 0.04, "lifted");
    let ahead = head.rotation * Vec3::X;
    assert!(
        (ahead.y.atan2(ahead.x) - 0.5).abs() < 1e-3 && ahead.z.abs() < 1e-3,
        "{ahead}"
    );
}

#[test]
fn it_goes_any_way_slides_along_walls_and_says_that_it_bumps() {
    let mut it = robot(EXACT);
    it.surroundings = walls(&[[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]);
    it.stand(Place::default());
    let go = |it: &mut WhiskEye, velocity, steps| {
        for _ in 0..steps {
            it.step(STEP_NS, &Command { velocity, ..STAY });
        }
        it.body().place().at_m
    };
    let [x, y] = go(&mut it, [0.0, 0.2, 0.0], 50);
    assert!(x.abs() < 1e-9 && (y - 0.2 * 0.9).abs() < 0.01, "{x} {y}");
    assert!(!it.body().touching());
    // Into the wall at y = 0.5 and along it: the body's radius is 0.15.
    let [x, y] = go(&mut it, [0.2, 0.2, 0.0], 250);
    assert!((y - 0.35).abs() < 2e-3, "{y}");
    assert!((x - 1.0).abs() < 0.05, "{x}");
    assert!(it.body().touching());
    assert_eq!(it.body().bumps(), 1);
    // Without errors the odometer says the same.
    assert!((it.body().odometer().at_m[0] - x).abs() < 1e-9);
}

#[test]
fn nothing_gets_into_anything_in_the_shipped_worlds() {
    for world in ["whiskeye_arena.sdf", "whiskeye_novel.sdf"] {
        let mut it = WhiskEye::load(&file(world), EXACT, 5).expect("the world");
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut bumps = 0;
        for _ in 0..60 {
            let velocity = [
                rng.random_range(-0.5..0.5),
                rng.random_range(-0.5..0.5),
                rng.random_range(-2.0..2.0),
            ];
            for _ in 0..50 {
                it.step(STEP_NS, &Command { velocity, ..STAY });
            }
            let at_m = it.body().place().at_m;
            assert!(
                at_m[0].abs() < 2.0 && at_m[1].abs() < 1.6,
                "{world}: {at_m:?}"
            );
            bumps = it.body().bumps();
        }
        assert!(bumps > 3, "{world}: it bumped {bumps} times only");
    }
}

#[test]
fn odometry_drifts_as_it_is_set() {
    let wrong = Senses {
        odometry: OdometryErrors {
            scale: 0.05,
            turn_radps: 0.01,
        },
        ..EXACT
    };
    let mut squares = 0.0;
    let n = 40;
    for seed in 0..n {
        let mut it = robot(wrong);
        it.surroundings = Surroundings::new([].iter());
        it.reset(seed).expect("room");
        let before = *it.body().place();
        for _ in 0..100 {
            it.step(
                STEP_NS,
                &Command {
                    velocity: [0.5, 0.0, 0.0],
                    ..STAY
                },
            );
        }
        let gone = |p: &Place| (p.at_m[0] - before.at_m[0]).hypot(p.at_m[1] - before.at_m[1]);
        let share = gone(it.body().odometer()) / gone(it.body().place()) - 1.0;
        squares += share * share;
    }
    let deviation = (squares / n as f64).sqrt();
    assert!((deviation / 0.05 - 1.0).abs() < 0.4, "{deviation}");
}

#[test]
fn seeds_repeat_and_differ() {
    let noisy = Senses {
        image_noise: 0.02,
        xy_noise: 0.005,
        ..EXACT
    };
    let run = |seed| {
        let mut it = robot(noisy);
        it.reset(seed).expect("room");
        for _ in 0..20 {
            it.step(
                STEP_NS,
                &Command {
                    velocity: [0.2, 0.1, 0.5],
                    ..STAY
                },
            );
        }
        (
            *it.body().place(),
            it.felt().1.to_vec(),
            it.look(0).expect("an image"),
        )
    };
    let first = run(5);
    assert!(run(5) == first, "one seed, one run");
    let other = run(6);
    assert!(other.0 != first.0 && other.1 != first.1 && other.2 != first.2);
}

#[test]
fn images_have_colour_and_light_goes() {
    let mut it = robot(Senses {
        image_noise: 0.02,
        ..EXACT
    });
    let mean = |image: &[u8]| image.iter().map(|&v| f64::from(v)).sum::<f64>() / image.len() as f64;
    let day = it.look(0).expect("an image");
    let coloured = day.chunks(3).filter(|p| p[0].abs_diff(p[2]) > 60).count();
    assert!(coloured > day.len() / 300, "{coloured} coloured pixels");
    it.set_light(Daylight::Dusk);
    let dusk = it.look(0).expect("an image");
    it.set_light(Daylight::Dark);
    let dark = it.look(0).expect("an image");
    let means = [mean(&day), mean(&dusk), mean(&dark)];
    assert!(
        means[0] > 90.0 && (15.0..70.0).contains(&means[1]) && means[2] < 10.0,
        "{means:?}"
    );
    assert!(
        "noon"
            .parse::<Daylight>()
            .unwrap_err()
            .to_string()
            .contains("day, dusk or dark")
    );
}

#[test]
fn a_world_without_the_robot_is_refused() {
    let error = WhiskEye::load(&file("arena.sdf"), EXACT, 1)
        .err()
        .expect("refused");
    assert!(error.to_string().contains("neck_lift"), "{error}");
}

#[test]
fn both_worlds_have_the_same_robot() {
    let model = |name: &str| {
        let world = World::load(&file(name)).expect("the world");
        world.models[world.model("whiskeye").expect("the robot")].clone()
    };
    assert!(model("whiskeye_arena.sdf") == model("whiskeye_novel.sdf"));
}
