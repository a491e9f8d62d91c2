//! Joints are played; what setpoints leave, and how goals end.

use super::*;
use crate::interface::Value;
use crate::node::{GoalStatus, Output};

const START_NS: i64 = 5_000_000_000;

struct Rig {
    node: Box<dyn Node>,
    now_ns: i64,
    outputs: Vec<Output>,
    next_id: u64,
    names: Vec<String>,
    at: Vec<f64>,
}

impl Rig {
    fn new(controller: &str) -> Self {
        let mut parameters = Parameters::defaults(&INTERFACE);
        let world = concat!(env!("CARGO_MANIFEST_DIR"), "/../worlds/grasp_table.sdf");
        parameters.set("world", Value::Text(world.into())).unwrap();
        parameters
            .set("controller", Value::Text(controller.into()))
            .unwrap();
        let node = create(&parameters).expect("the shipped world has it");
        Rig {
            node,
            now_ns: START_NS,
            outputs: Vec::new(),
            next_id: 0,
            names: Vec::new(),
            at: Vec::new(),
        }
    }

    fn input(&mut self, input: Input) {
        let (now_ns, outputs) = (self.now_ns, &mut self.outputs);
        let mut ctx = Context::new(now_ns, now_ns, outputs, &mut self.next_id);
        self.node.handle(input, &mut ctx);
    }

    fn message<M: saccade_msgs::Message>(&mut self, topic: &'static str, message: M) {
        self.input(Input::Message {
            topic,
            payload: Payload::new(message),
        });
    }

    fn say(&mut self) {
        let joints = JointState {
            name: self.names.clone(),
            position: self.at.clone(),
            ..JointState::default()
        };
        self.message("joint_states", joints);
    }

    /// The last setpoint, by name.
    fn sent(&self) -> Option<Vec<(String, f64, f64)>> {
        self.outputs.iter().rev().find_map(|o| match o {
            Output::Publish { payload, .. } => {
                let m = payload.get::<JointTrajectory>().expect("setpoints only");
                assert_eq!(m.points.len(), 1);
                let point = &m.points[0];
                let values = point.positions.iter().zip(&point.velocities);
                let all = m.joint_names.iter().zip(values);
                Some(all.map(|(n, (p, v))| (n.clone(), *p, *v)).collect())
            }
            _ => None,
        })
    }

    /// Ten milliseconds; joints obey where `obey`.
    fn step(&mut self, obey: bool) {
        self.now_ns += STEP_NS;
        self.input(Input::Timer { name: "step" });
        if obey && let Some(sent) = self.sent() {
            for (name, at) in self.names.iter().zip(&mut self.at) {
                *at = sent.iter().find(|s| s.0 == *name).expect("it is sent").1;
            }
        }
        self.say();
    }

    fn goal(&mut self, id: u64, to: f64, seconds: i64) -> bool {
        let point = JointTrajectoryPoint {
            positions: vec![to; self.names.len()],
            velocities: vec![0.0; self.names.len()],
            time_from_start: Duration::from_ns(seconds * 1_000_000_000),
            ..JointTrajectoryPoint::default()
        };
        let goal = fjt::Goal {
            trajectory: JointTrajectory {
                joint_names: self.names.clone(),
                points: vec![point],
                ..JointTrajectory::default()
            },
            ..fjt::Goal::default()
        };
        self.outputs.clear();
        self.input(Input::Goal {
            action: ACTION,
            id,
            payload: Payload::new(goal),
        });
        let taken = |o: &Output| matches!(o, Output::AnswerGoal { accepted: true, .. });
        self.outputs.iter().any(taken)
    }

    fn ended(&self) -> Option<GoalStatus> {
        self.outputs.iter().find_map(|o| match o {
            Output::FinishGoal { status, .. } => Some(*status),
            _ => None,
        })
    }

    fn arm() -> Self {
        let mut rig = Rig::new("arm");
        rig.names = (1..=6).map(|i| format!("arm_{i}_joint")).collect();
        rig.at = vec![0.1; 6];
        rig
    }
}

#[test]
fn a_goal_is_interpolated_and_reached() {
    let mut rig = Rig::arm();
    assert!(
        !rig.goal(1, 0.6, 2),
        "not before it knows where the joints are"
    );
    rig.say();
    assert!(rig.goal(2, 0.6, 2));
    let (mut last, mut fastest) = (0.1, 0.0f64);
    while rig.ended().is_none() {
        rig.step(true);
        let (_, at, speed) = rig.sent().expect("a setpoint each step")[0].clone();
        assert!(at >= last - 1e-6 && at - last < 0.01, "{last} to {at}");
        (last, fastest) = (at, fastest.max(speed));
        assert!(rig.now_ns < START_NS + 3_000_000_000, "it does not end");
    }
    assert_eq!(rig.ended(), Some(GoalStatus::Succeeded));
    assert!((last - 0.6).abs() < 1e-6 && fastest > 0.3);
    let sent = rig.sent().expect("the last");
    assert!(sent.iter().all(|s| s.2 == 0.0), "it stands at the end");
}

#[test]
fn a_joint_that_does_not_follow_ends_the_goal() {
    let mut rig = Rig::arm();
    rig.say();
    assert!(rig.goal(1, 0.6, 2));
    for _ in 0..250 {
        rig.step(false);
    }
    assert_eq!(rig.ended(), Some(GoalStatus::Aborted));
}

#[test]
fn the_e_stop_and_a_cancel_hold_the_joints_in_the_same_moment() {
    for cancel in [false, true] {
        let mut rig = Rig::arm();
        rig.say();
        assert!(rig.goal(7, 0.6, 2));
        for _ in 0..100 {
            rig.step(true);
        }
        rig.outputs.clear();
        match cancel {
            true => rig.input(Input::Cancel {
                action: ACTION,
                id: 7,
            }),
            false => rig.message("e_stop", Bool { data: true }),
        }
        let sent = rig.sent().expect("at once");
        assert!(
            sent.iter()
                .all(|s| s.2 == 0.0 && (s.1 - rig.at[0]).abs() < 0.01)
        );
        let expected = if cancel {
            GoalStatus::Canceled
        } else {
            GoalStatus::Aborted
        };
        assert_eq!(rig.ended(), Some(expected));
        assert_eq!(rig.goal(8, 0.6, 2), cancel, "a stopped robot takes no goal");
        rig.message("e_stop", Bool { data: false });
        assert!(rig.goal(9, 0.6, 2));
    }
}

#[test]
fn coupled_joints_are_sent_too() {
    let mut rig = Rig::new("hand");
    rig.names = crate::grasp_affordance::plan::HAND_JOINTS
        .map(str::to_owned)
        .to_vec();
    rig.at = vec![0.2; 9];
    rig.say();
    rig.step(true);
    let sent = rig.sent().expect("it holds");
    assert_eq!(sent.len(), 20);
    let at = |name: &str| sent.iter().find(|s| s.0 == name).expect("there").1;
    assert!((at("j13") - 1.3588 * at("Pinky")).abs() < 1e-6);
}

#[test]
fn an_unknown_controller_is_refused_by_name() {
    let mut parameters = Parameters::defaults(&INTERFACE);
    let world = concat!(env!("CARGO_MANIFEST_DIR"), "/../worlds/grasp_table.sdf");
    parameters.set("world", Value::Text(world.into())).unwrap();
    parameters
        .set("controller", Value::Text("leg".into()))
        .unwrap();
    let error = create(&parameters).err().expect("no leg").to_string();
    assert!(
        error.contains("no controller 'leg'; it has: arm, hand, head"),
        "{error}"
    );
}
