//! Trajectory controllers against ros2_control's semantics, on a plant that obeys.

use saccade_worlds::controllers::{
    ControlledJoint, GoalError, JointTolerance, Outcome, ResultCode, TrajectoryController,
    TrajectoryGoal, TrajectoryPoint,
};
use saccade_worlds::physics::{JointState, JointTarget};

const MS: u64 = 1_000_000;

struct Plant {
    controller: TrajectoryController,
    states: Vec<JointState>,
    targets: Vec<JointTarget>,
    now_ns: u64,
    /// The first joint goes no further than this.
    wall: f32,
}

impl Plant {
    fn new(path_tolerance: f64, goal_tolerance: f64) -> Self {
        let joint = |name: &str, index| ControlledJoint {
            name: name.to_owned(),
            index,
            limits: [-2.0, 2.0],
            velocity: 1.0,
        };
        let controller = TrajectoryController::new(
            "arm".into(),
            "/arm/follow_joint_trajectory".into(),
            vec![joint("a", 0), joint("b", 1)],
            path_tolerance,
            goal_tolerance,
            &[0.0, 0.0],
        );
        Self {
            controller,
            states: vec![JointState::default(); 2],
            targets: vec![JointTarget::default(); 2],
            now_ns: 0,
            wall: f32::MAX,
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now_ns += MS;
            self.controller
                .update(self.now_ns, &self.states, &mut self.targets);
            for (s, t) in self.states.iter_mut().zip(&self.targets) {
                s.position = t.position;
                s.velocity = t.velocity;
            }
            self.states[0].position = self.states[0].position.min(self.wall);
        }
    }

    fn start(&mut self, goal: &TrajectoryGoal) -> Result<u64, GoalError> {
        self.controller.start(goal, self.now_ns)
    }
}

fn point(seconds: f64, positions: [f64; 2]) -> TrajectoryPoint {
    TrajectoryPoint {
        positions: positions.to_vec(),
        velocities: Vec::new(),
        time_from_start_ns: (seconds * 1e9) as i64,
    }
}

fn goal(points: &[TrajectoryPoint]) -> TrajectoryGoal {
    TrajectoryGoal {
        joint_names: vec!["a".into(), "b".into()],
        points: points.to_vec(),
        ..TrajectoryGoal::default()
    }
}

#[test]
fn joints_may_come_in_any_order() {
    let mut plant = Plant::new(0.1, 0.01);
    let mut g = goal(&[point(1.0, [0.5, -0.5])]);
    g.joint_names.reverse();
    plant.start(&g).expect("a good goal");
    plant.run(1100);
    assert_eq!(
        [plant.states[0].position, plant.states[1].position],
        [-0.5, 0.5]
    );
}

#[test]
fn without_velocities_it_is_linear_with_them_cubic() {
    let mut plant = Plant::new(0.1, 0.01);
    plant
        .start(&goal(&[point(1.0, [0.4, 0.0])]))
        .expect("a good goal");
    plant.run(250);
    assert!((plant.targets[0].position - 0.1).abs() < 1e-6);
    assert!((plant.targets[0].velocity - 0.4).abs() < 1e-6);

    let mut plant = Plant::new(0.1, 0.01);
    let mut g = goal(&[point(1.0, [0.4, 0.0])]);
    g.points[0].velocities = vec![0.0, 0.0];
    plant.start(&g).expect("a good goal");
    plant.run(250);
    // 3 s² − 2 s³ at a quarter, and its slope 6 s − 6 s².
    assert!((plant.targets[0].position - 0.4 * 0.15625).abs() < 1e-6);
    assert!((plant.targets[0].velocity - 0.4 * 1.125).abs() < 1e-6);
}

#[test]
fn bad_goals_are_refused_with_their_code() {
    let mut plant = Plant::new(0.1, 0.01);
    let good = goal(&[point(1.0, [0.5, 0.0])]);
    let change = |f: &dyn Fn(&mut TrajectoryGoal)| {
        let mut g = good.clone();
        f(&mut g);
        g
    };
    let cases: [(TrajectoryGoal, ResultCode); 9] = [
        (
            change(&|g| g.joint_names[1] = "c".into()),
            ResultCode::InvalidJoints,
        ),
        (
            change(&|g| g.joint_names.truncate(1)),
            ResultCode::InvalidJoints,
        ),
        (
            change(&|g| g.joint_names[1] = "a".into()),
            ResultCode::InvalidJoints,
        ),
        (change(&|g| g.points.clear()), ResultCode::InvalidGoal),
        (
            change(&|g| g.points[0].positions[0] = f64::NAN),
            ResultCode::InvalidGoal,
        ),
        (
            change(&|g| g.points[0].positions[0] = 2.1),
            ResultCode::InvalidGoal,
        ),
        (
            change(&|g| g.points[0].velocities = vec![0.0]),
            ResultCode::InvalidGoal,
        ),
        (
            change(&|g| g.points.push(point(0.5, [0.0, 0.0]))),
            ResultCode::InvalidGoal,
        ),
        // 0.5 rad in 0.1 s at 1 rad/s.
        (
            change(&|g| g.points[0].time_from_start_ns = 100_000_000),
            ResultCode::InvalidGoal,
        ),
    ];
    for (g, code) in cases {
        let error = plant.start(&g).expect_err("a bad goal");
        assert_eq!(error.code(), code, "{error}");
    }
    plant.run(3000);
    let old = change(&|g| g.stamp_ns = 1_000_000_000);
    let error = plant.start(&old).expect_err("an old goal");
    assert_eq!(error.code(), ResultCode::OldHeaderTimestamp);
}

#[test]
fn straying_from_the_path_ends_the_goal_and_holds() {
    let mut plant = Plant::new(0.1, 0.01);
    plant.wall = 0.2;
    plant
        .start(&goal(&[point(2.0, [1.0, 0.0])]))
        .expect("a good goal");
    plant.run(2000);
    let ended = plant.controller.take_finished();
    assert!(matches!(
        &ended[..],
        [(1, Outcome::Finished { code: ResultCode::PathToleranceViolated, text })] if text.starts_with("a is")
    ));
    assert!(plant.targets[0].position < 0.31 && plant.targets[0].velocity == 0.0);
}

#[test]
fn arriving_late_is_a_matter_of_the_time_tolerance() {
    let mut plant = Plant::new(0.0, 0.01);
    plant.wall = 0.2;
    let mut g = goal(&[point(1.0, [0.5, 0.0])]);
    g.goal_time_tolerance_ns = 300_000_000;
    plant.start(&g).expect("a good goal");
    plant.run(1290);
    assert_eq!(plant.controller.active(), Some(1));
    plant.run(20);
    assert!(matches!(
        plant.controller.take_finished()[..],
        [(
            1,
            Outcome::Finished {
                code: ResultCode::GoalToleranceViolated,
                ..
            }
        )]
    ));

    // A negative tolerance switches the check off.
    g.goal_tolerance = vec![JointTolerance {
        name: "a".into(),
        position: -1.0,
    }];
    plant.states[0].position = 0.0;
    plant.start(&g).expect("a good goal");
    plant.run(1010);
    assert!(matches!(
        plant.controller.take_finished()[..],
        [(
            2,
            Outcome::Finished {
                code: ResultCode::Successful,
                ..
            }
        )]
    ));
}

#[test]
fn a_new_goal_takes_over_without_a_jump_and_cancel_holds() {
    let mut plant = Plant::new(0.1, 0.01);
    plant
        .start(&goal(&[point(2.0, [1.0, 0.0])]))
        .expect("a good goal");
    plant.run(500);
    let at = plant.targets[0].position;
    let second = plant
        .start(&goal(&[point(1.0, [0.0, 0.5])]))
        .expect("a good goal");
    plant.run(1);
    assert!((plant.targets[0].position - at).abs() < 0.001);
    assert!(matches!(
        plant.controller.take_finished()[..],
        [(1, Outcome::Preempted)]
    ));
    plant.run(300);
    plant.controller.cancel();
    let held = plant.targets[0].position;
    plant.run(500);
    assert_eq!(plant.targets[0].position, held);
    assert_eq!(plant.targets[0].velocity, 0.0);
    assert!(
        matches!(plant.controller.take_finished()[..], [(id, Outcome::Canceled)] if id == second)
    );
}
