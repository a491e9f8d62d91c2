//! `referee`: the experimenter, not a part of the robot. It sets up a scene
//! for each trial, asks the robot to grasp, and judges from ground truth.
//!
//! It alone may subscribe to ground truth ([`crate::graph`] refuses any other
//! node), and nothing it knows reaches the robot: it calls the world's
//! `randomise` service and sends an empty `grasp_object` goal.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::Payload;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::saccade_msgs::{ObjectTruth, TrialResult, grasp_object, randomise};
use saccade_msgs::sensor_msgs::JointState;

/// The object must rise this far above where it lay, m.
const LIFT_M: f64 = 0.1;
/// And stay above for so long, s.
const HOLD_S: f64 = 1.0;
/// An arm joint that moves more than this in a trial has moved, rad.
const MOTION_RAD: f64 = 0.01;
/// The scene is at rest this long before the robot is asked, ns.
const PAUSE_NS: i64 = 100_000_000;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "referee",
    doc: "Runs grasping trials: random scene, goal, verdict from ground truth.",
    publishers: &[Endpoint::new(
        "trials",
        "saccade_msgs/msg/TrialResult",
        "One verdict per trial.",
    )],
    subscriptions: &[
        Endpoint::new(
            "/ground_truth/object",
            "saccade_msgs/msg/ObjectTruth",
            "What really lies there and where.",
        )
        .qos(Qos::DEFAULT.depth(128)),
        Endpoint::new(
            "joint_states",
            "sensor_msgs/msg/JointState",
            "To tell whether the arm moved.",
        )
        .qos(Qos::SENSOR),
    ],
    clients: &[Endpoint::new(
        "randomise",
        "saccade_msgs/srv/Randomise",
        "Sets up a scene.",
    )],
    action_clients: &[Endpoint::new(
        "grasp_object",
        "saccade_msgs/action/GraspObject",
        "The robot's task.",
    )],
    parameters: &[
        ParameterDecl::integer(
            "trials",
            10,
            (1, 1_000_000),
            "",
            "How many trials, then the run ends.",
        ),
        ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "Seed of the scenes."),
        ParameterDecl::text(
            "split",
            "test",
            "Sizes and textures of which split: train, test or any.",
        ),
        ParameterDecl::text(
            "label",
            "",
            "Only this class; empty draws ball, bottle, pen or nothing.",
        ),
        ParameterDecl::double(
            "timeout",
            40.0,
            (1.0, 600.0),
            "s",
            "A trial that takes longer has failed.",
        ),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: 10_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// `split` or `label` is none of its words.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let wrong = |what: &str, value: &str, words: &str| NodeError::Configuration {
        node: "referee",
        reason: format!("parameter '{what}' = '{value}' is none of: {words}"),
    };
    let split = parameters.text("split");
    if !["train", "test", "any"].contains(&split) {
        return Err(wrong("split", split, "train, test, any"));
    }
    let label = parameters.text("label");
    if !label.is_empty() && !saccade_msgs::CLASSES.contains(&label) {
        return Err(wrong("label", label, "'', ball, bottle, pen, background"));
    }
    Ok(Box::new(Referee {
        trials: parameters.integer("trials") as u32,
        seeds: ChaCha8Rng::seed_from_u64(parameters.integer("seed") as u64),
        split: split.to_owned(),
        label: label.to_owned(),
        timeout_ns: (parameters.double("timeout") * 1e9) as i64,
        trial: 0,
        seed: 0,
        stage: Stage::Idle,
        sight: Sight::default(),
        arm: Vec::new(),
        succeeded: 0,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Idle,
    Randomising { call: u64 },
    Pausing { until_ns: i64 },
    Grasping { goal: u64, since_ns: i64 },
}

/// What ground truth shows during a trial.
#[derive(Debug, Default)]
struct Sight {
    label: String,
    texture: String,
    /// Height at rest, before the robot was asked.
    rest_z_m: Option<f64>,
    lift_m: f64,
    above_since_ns: Option<i64>,
    held_ns: i64,
    /// Arm joints at the start and their largest deviation since.
    arm_start: Option<Vec<f64>>,
    moved_rad: f64,
}

struct Referee {
    trials: u32,
    seeds: ChaCha8Rng,
    split: String,
    label: String,
    timeout_ns: i64,
    trial: u32,
    seed: u64,
    stage: Stage,
    sight: Sight,
    arm: Vec<f64>,
    succeeded: u32,
}

impl Referee {
    fn next_trial(&mut self, ctx: &mut Context<'_>) {
        if self.trial == self.trials {
            ctx.shutdown(format!("{} trials done", self.trials));
            self.stage = Stage::Idle;
            return;
        }
        self.trial += 1;
        self.seed = self.seeds.next_u64();
        self.sight = Sight::default();
        let request = randomise::Request {
            seed: self.seed,
            label: self.label.clone(),
            split: self.split.clone(),
        };
        self.stage = Stage::Randomising {
            call: ctx.call("randomise", request),
        };
    }

    fn randomised(&mut self, payload: Option<Payload>, ctx: &mut Context<'_>) {
        let answer = payload.map(|p| p.get::<randomise::Response>());
        match answer {
            Some(Ok(response)) if response.success => {
                self.stage = Stage::Pausing {
                    until_ns: ctx.now_ns + PAUSE_NS,
                };
            }
            Some(Ok(response)) => ctx.shutdown(format!("no scene: {}", response.message)),
            Some(Err(error)) => ctx.shutdown(format!("no scene: {error}")),
            None => ctx.shutdown("no scene: nobody serves 'randomise'; is a world running?"),
        }
    }

    fn step(&mut self, ctx: &mut Context<'_>) {
        match self.stage {
            Stage::Idle => self.next_trial(ctx),
            Stage::Pausing { until_ns } if ctx.now_ns >= until_ns => {
                let timeout_s = self.timeout_ns as f64 / 1e9;
                let goal = grasp_object::Goal {
                    trial: self.trial,
                    timeout_s,
                };
                self.sight.arm_start = Some(self.arm.clone());
                let goal = ctx.send_goal("grasp_object", goal);
                self.stage = Stage::Grasping {
                    goal,
                    since_ns: ctx.now_ns,
                };
            }
            Stage::Grasping { goal, since_ns } if ctx.now_ns - since_ns > self.timeout_ns => {
                ctx.cancel_goal("grasp_object", goal);
                let result = grasp_object::Result {
                    outcome: "timeout".into(),
                    reason: format!("no result within {} s", self.timeout_ns as f64 / 1e9),
                    ..Default::default()
                };
                self.judge(&result, ctx);
            }
            _ => {}
        }
    }

    fn see(&mut self, truth: &ObjectTruth, now_ns: i64) {
        let z_m = truth.pose.position.z;
        let sight = &mut self.sight;
        match self.stage {
            Stage::Pausing { .. } => {
                sight.label.clone_from(&truth.label);
                sight.texture.clone_from(&truth.texture);
                sight.rest_z_m = Some(z_m);
            }
            Stage::Grasping { .. } => {
                let Some(rest_z_m) = sight.rest_z_m else {
                    return;
                };
                sight.lift_m = sight.lift_m.max(z_m - rest_z_m);
                if z_m - rest_z_m >= LIFT_M {
                    let since_ns = *sight.above_since_ns.get_or_insert(now_ns);
                    sight.held_ns = sight.held_ns.max(now_ns - since_ns);
                } else {
                    sight.above_since_ns = None;
                }
            }
            _ => {}
        }
    }

    fn watch_arm(&mut self, joints: &JointState) {
        let arm = joints
            .name
            .iter()
            .zip(&joints.position)
            .filter(|(n, _)| n.starts_with("arm_"));
        self.arm.clear();
        self.arm.extend(arm.map(|(_, p)| *p));
        if let (Stage::Grasping { .. }, Some(start)) = (self.stage, &self.sight.arm_start) {
            for (now, then) in self.arm.iter().zip(start) {
                self.sight.moved_rad = self.sight.moved_rad.max((now - then).abs());
            }
        }
    }

    fn judge(&mut self, robot: &grasp_object::Result, ctx: &mut Context<'_>) {
        let sight = &self.sight;
        let nothing = sight.label == "background";
        let moved = sight.moved_rad > MOTION_RAD;
        let lifted = sight.held_ns as f64 / 1e9 >= HOLD_S;
        let right_class = robot.label == sight.label;
        let success = if nothing {
            !moved
        } else {
            lifted && right_class
        };
        let reason = match (nothing, lifted, right_class) {
            (true, ..) if moved => "moved although nothing lay there".into(),
            (true, ..) => "nothing lay there and nothing moved".into(),
            (false, true, true) => "lifted and held".into(),
            (false, true, false) => format!("lifted, but taken for '{}'", robot.label),
            (false, false, _) => format!("{}: {}", robot.outcome, robot.reason),
        };
        let mut result = TrialResult {
            trial: self.trial,
            seed: self.seed,
            truth: sight.label.clone(),
            texture: sight.texture.clone(),
            decision: robot.label.clone(),
            confidence: robot.confidence,
            decision_time_s: robot.decision_time_s,
            outcome: robot.outcome.clone(),
            reason,
            success,
            moved,
            lift_m: sight.lift_m,
            held_s: sight.held_ns as f64 / 1e9,
            ..TrialResult::default()
        };
        result.header.stamp = ctx.stamp();
        self.succeeded += u32::from(success);
        ctx.publish("trials", result);
        self.next_trial(ctx);
    }
}

impl Node for Referee {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Timer { .. } => self.step(ctx),
            Input::Message { payload, .. } => {
                if let Ok(truth) = payload.get::<ObjectTruth>() {
                    self.see(&truth, ctx.now_ns);
                } else if let Ok(joints) = payload.get::<JointState>() {
                    self.watch_arm(&joints);
                }
            }
            Input::Response { id, payload, .. }
                if self.stage == (Stage::Randomising { call: id }) =>
            {
                self.randomised(payload, ctx);
            }
            Input::GoalResponse {
                id,
                accepted: false,
                ..
            } if self.is_goal(id) => {
                let result = grasp_object::Result {
                    outcome: "rejected".into(),
                    reason: "the robot refused the goal".into(),
                    ..Default::default()
                };
                self.judge(&result, ctx);
            }
            Input::GoalResult { id, payload, .. } if self.is_goal(id) => {
                match payload.get::<grasp_object::Result>() {
                    Ok(result) => self.judge(&result, ctx),
                    Err(error) => ctx.log(Level::Error, error.to_string()),
                }
            }
            _ => {}
        }
    }

    fn health(&self) -> Health {
        Health {
            warning: None,
            values: vec![
                ("trial".into(), self.trial.to_string()),
                ("succeeded".into(), self.succeeded.to_string()),
            ],
        }
    }
}

impl Referee {
    fn is_goal(&self, id: u64) -> bool {
        matches!(self.stage, Stage::Grasping { goal, .. } if goal == id)
    }
}
