//! The running world: scenes, trajectories, limits, repeatability.

use saccade_worlds::controllers::{Outcome, ResultCode, TrajectoryGoal, TrajectoryPoint};
use saccade_worlds::scenario::{SceneRequest, Split};
use saccade_worlds::simulation::Simulation;

fn simulation() -> Simulation {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grasp_table.sdf");
    Simulation::load(path.as_ref()).expect("the shipped world loads")
}

fn scene(seed: u64, class: &str) -> SceneRequest {
    SceneRequest {
        seed,
        label: Some(class.to_owned()),
        ..SceneRequest::default()
    }
}

fn goal(sim: &Simulation, controller: &str, seconds: f64, q: &[f64]) -> TrajectoryGoal {
    let joints = sim.controller(controller).expect("a controller").joints();
    TrajectoryGoal {
        joint_names: joints.iter().map(|j| j.name.clone()).collect(),
        points: vec![TrajectoryPoint {
            positions: q.to_vec(),
            velocities: vec![0.0; q.len()],
            time_from_start_ns: (seconds * 1e9) as i64,
        }],
        ..TrajectoryGoal::default()
    }
}

fn start(sim: &mut Simulation, controller: &str, goal: &TrajectoryGoal) -> u64 {
    let now = sim.now_ns();
    let controller = sim.controller_mut(controller).expect("a controller");
    controller.start(goal, now).expect("a good goal")
}

fn run(sim: &mut Simulation, steps: usize) {
    for _ in 0..steps {
        sim.step();
    }
}

/// Bits of everything that moves.
fn fingerprint(sim: &Simulation) -> Vec<u32> {
    let joints = sim
        .joint_states()
        .iter()
        .flat_map(|s| [s.position, s.velocity, s.effort]);
    let object = sim.object().map(|o| o.pose).unwrap_or_default();
    joints
        .chain(object.translation.to_array())
        .chain(object.rotation.to_array())
        .map(f32::to_bits)
        .collect()
}

const REACH: [f64; 6] = [0.2, -0.2, 1.5, 1.2, 0.9, 0.2];

#[test]
fn a_scene_depends_on_its_request_alone() {
    let request = scene(5, "bottle");
    let mut fresh = simulation();
    fresh.randomise(&request).expect("a scene");
    let mut used = simulation();
    used.randomise(&scene(99, "pen")).expect("another scene");
    let g = goal(&used, "arm", 2.0, &REACH);
    start(&mut used, "arm", &g);
    run(&mut used, 700);
    used.randomise(&request).expect("the scene");
    assert_eq!(fingerprint(&fresh), fingerprint(&used));
    for sim in [&mut fresh, &mut used] {
        let g = goal(sim, "arm", 2.0, &REACH);
        start(sim, "arm", &g);
        run(sim, 300);
    }
    assert_eq!(fingerprint(&fresh), fingerprint(&used));
}

#[test]
fn objects_stay_where_they_are_put() {
    let mut sim = simulation();
    for class in ["ball", "bottle", "pen"] {
        for seed in 0..3 {
            sim.randomise(&scene(seed, class)).expect("a scene");
            let before = sim.object().expect("an object").pose;
            run(&mut sim, 1000);
            let after = sim.object().expect("an object");
            let moved = (after.pose.translation - before.translation).length();
            assert!(moved < 0.001, "{class} moved {moved} m by itself");
            assert_eq!(after.robot_force, 0.0, "{class}");
        }
    }
}

#[test]
fn scenes_lie_in_the_area_and_their_splits_apart() {
    let mut sim = simulation();
    let area = sim.world().area.expect("an area");
    let mut sizes = [Vec::new(), Vec::new()];
    for (split, sizes) in [Split::Train, Split::Test].into_iter().zip(&mut sizes) {
        for seed in 0..15 {
            let request = SceneRequest {
                seed,
                label: None,
                split,
            };
            let truth = sim.randomise(&request).expect("a scene").clone();
            let Some(object) = truth.object else {
                assert_eq!(truth.class, "background");
                continue;
            };
            let off = object.pose.translation - area.center;
            assert!(off.x.abs() <= 0.5 * area.size[0] && off.y.abs() <= 0.5 * area.size[1]);
            assert!((0.85..=1.15).contains(&object.scale));
            sizes.push((object.scale - 0.85) / 0.05);
        }
    }
    // Six bands of 5 %: training has the even ones, testing the odd ones.
    assert!(
        sizes[0].iter().all(|s| (*s as u32).is_multiple_of(2)),
        "{:?}",
        sizes[0]
    );
    assert!(
        sizes[1].iter().all(|s| !(*s as u32).is_multiple_of(2)),
        "{:?}",
        sizes[1]
    );
}

#[test]
fn an_unknown_class_is_refused() {
    let error = simulation()
        .randomise(&scene(1, "teapot"))
        .expect_err("no teapot");
    assert!(error.to_string().contains("teapot"), "{error}");
}

#[test]
fn the_arm_follows_its_trajectory_within_its_limits() {
    let mut sim = simulation();
    let g = goal(&sim, "arm", 3.0, &REACH);
    let id = start(&mut sim, "arm", &g);
    let efforts: Vec<f32> = sim
        .joint_names()
        .iter()
        .map(|n| {
            let robot = &sim.world().models[sim.world().model("robot").expect("a robot")];
            robot
                .joints
                .iter()
                .find(|j| j.name == *n)
                .map_or(f32::MAX, |j| j.effort)
        })
        .collect();
    for _ in 0..3100 {
        sim.step();
        for (state, effort) in sim.joint_states().iter().zip(&efforts) {
            assert!(state.effort.abs() <= *effort);
        }
        for f in sim.controller("arm").expect("an arm").feedback() {
            assert!(f.error().abs() < 0.005, "{f:?}");
            assert!(f.actual.velocity.abs() < 1.26, "{f:?}");
        }
    }
    let ended = sim.controller_mut("arm").expect("an arm").take_finished();
    assert!(
        matches!(&ended[..], [(i, Outcome::Finished { code: ResultCode::Successful, .. })] if *i == id),
        "{ended:?}"
    );
}

#[test]
fn the_table_stops_the_arm_and_the_goal_fails() {
    let mut sim = simulation();
    // Straight down through the table.
    let g = goal(&sim, "arm", 4.0, &[0.0, -1.9, 0.6, 0.0, 0.0, 0.0]);
    start(&mut sim, "arm", &g);
    run(&mut sim, 5000);
    let ended = sim.controller_mut("arm").expect("an arm").take_finished();
    assert!(
        matches!(
            &ended[..],
            [(_, Outcome::Finished { code: ResultCode::PathToleranceViolated, text })]
                if text.contains("_joint")
        ),
        "{ended:?}"
    );
    let hand = sim.link_pose("hand_base_link").expect("a hand");
    assert!(hand.translation.z > 0.7, "the hand went through the table");
}

#[test]
fn the_emergency_stop_holds_at_once() {
    let mut sim = simulation();
    let g = goal(&sim, "arm", 2.0, &REACH);
    start(&mut sim, "arm", &g);
    run(&mut sim, 800);
    sim.set_stopped(true);
    let stop: Vec<f32> = sim.joint_states().iter().map(|s| s.position).collect();
    run(&mut sim, 500);
    for (before, after) in stop.iter().zip(sim.joint_states()) {
        assert!((before - after.position).abs() < 0.01);
        assert!(after.velocity.abs() < 0.02, "{after:?}");
    }
    let now = sim.now_ns();
    let arm = sim.controller_mut("arm").expect("an arm");
    assert!(matches!(&arm.take_finished()[..], [(_, Outcome::Stopped)]));
    assert!(arm.start(&g, now).is_err());
    // A new scene does not release it.
    sim.randomise(&SceneRequest::default()).expect("a scene");
    let arm = sim.controller_mut("arm").expect("an arm");
    assert!(arm.start(&g, now).is_err());
    sim.set_stopped(false);
    start(&mut sim, "arm", &g);
}

#[test]
fn couplings_follow_their_joints() {
    let mut sim = simulation();
    let q = [0.4, 0.8, 0.3, 0.7, 0.4, 0.8, 0.6, 0.5, 0.7];
    let g = goal(&sim, "hand", 1.5, &q);
    start(&mut sim, "hand", &g);
    run(&mut sim, 2000);
    let position = |name: &str| {
        let i = sim
            .joint_names()
            .iter()
            .position(|n| n == name)
            .expect("a joint");
        sim.joint_states()[i].position
    };
    for (coupled, driver, factor) in [
        ("j3", "Thumb_Flexion", 1.01511),
        ("j4", "Thumb_Flexion", 1.44889),
        ("j5", "Thumb_Opposition", 1.0),
        ("j14", "Index_Finger_Distal", 1.045),
        ("j16", "Ring_Finger", 1.42093),
        ("j17", "Pinky", 1.42307),
        ("ring_spread", "Finger_Spread", 0.5),
    ] {
        let off = position(coupled) - factor * position(driver);
        assert!(off.abs() < 0.002, "{coupled} is {off} rad off");
    }
}
