//! `trajectory_server`: `FollowJointTrajectory` for joints that only take setpoints, such
//! as those of Gazebo's joint trajectory controller, which has no action and does not
//! interpolate. The controller is the one of the embedded world.

use crate::embedded_world::{feedback, trajectory_goal, verdict};
use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use saccade_msgs::builtin_interfaces::Duration;
use saccade_msgs::control_msgs::follow_joint_trajectory as fjt;
use saccade_msgs::sensor_msgs::JointState;
use saccade_msgs::std_msgs::Bool;
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};
use saccade_worlds::controllers::{ControlledJoint, TrajectoryController};
use saccade_worlds::physics::{JointState as State, JointTarget};
use saccade_worlds::sdf::{Controller, Model, World};
use std::path::Path;

const ACTION: &str = "follow_joint_trajectory";
const STEP_NS: i64 = 10_000_000;
/// A simulator that comes late still hears where the joints shall stay.
const REPEAT_STEPS: u64 = 100;
/// Time between feedback messages of a goal, ns.
const FEEDBACK_NS: i64 = 50_000_000;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "trajectory_server",
    doc: "FollowJointTrajectory for joints that only take setpoints, such as Gazebo's.",
    publishers: &[Endpoint::new(
        "joint_trajectory",
        "trajectory_msgs/msg/JointTrajectory",
        "Where the joints shall be now, coupled ones among them: one point with velocities, every 10 ms while a goal is under way, else every second.",
    )],
    subscriptions: &[
        Endpoint::new(
            "joint_states",
            "sensor_msgs/msg/JointState",
            "Where they are, rad; a message may have a part of them.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "e_stop",
            "std_msgs/msg/Bool",
            "True holds all joints where they shall be now, and goals are refused until false.",
        )
        .qos(Qos::LATCHED),
    ],
    action_servers: &[Endpoint::new(
        ACTION,
        "control_msgs/action/FollowJointTrajectory",
        "As ros2_control's joint_trajectory_controller has it.",
    )],
    parameters: &[
        ParameterDecl::text(
            "world",
            "worlds/grasp_table.sdf",
            "World file (SDF) with the joints, their limits, couplings and tolerances.",
        ),
        ParameterDecl::text("controller", "arm", "Which of its controllers this is."),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: STEP_NS,
    }],
    ..Interface::EMPTY
};

/// A joint that follows one of the controller's.
struct Coupled {
    name: String,
    leader: usize,
    multiplier: f64,
    offset: f64,
}

struct TrajectoryServer {
    name: String,
    tolerances: [f64; 2],
    joints: Vec<ControlledJoint>,
    coupled: Vec<Coupled>,
    states: Vec<Option<State>>,
    /// From when all joints have been heard of.
    controller: Option<TrajectoryController>,
    /// Action's number, controller's number, when feedback is due.
    running: Option<(u64, u64, i64)>,
    stopped: bool,
    steps: u64,
    goals: u64,
    refused: u64,
}

/// Makes the node and reads its joints.
///
/// # Errors
/// A world that cannot be loaded, or has no such controller.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let wrong = |reason: String| NodeError::Configuration {
        node: "trajectory_server",
        reason,
    };
    let (path, name) = (parameters.text("world"), parameters.text("controller"));
    let world = World::load(Path::new(path)).map_err(|e| wrong(e.to_string()))?;
    let all = || {
        let models = world.models.iter();
        models.flat_map(|m| m.controllers.iter().map(move |c| (m, c)))
    };
    let (model, controller) = all().find(|(_, c)| c.name == name).ok_or_else(|| {
        let known: Vec<&str> = all().map(|(_, c)| c.name.as_str()).collect();
        let known = known.join(", ");
        wrong(format!(
            "{path} has no controller '{name}'; it has: {known}"
        ))
    })?;
    Ok(Box::new(TrajectoryServer::new(model, controller)))
}

impl TrajectoryServer {
    fn new(model: &Model, controller: &Controller) -> Self {
        let joints = controller.joints.iter().enumerate().map(|(index, j)| {
            let joint = &model.joints[*j];
            ControlledJoint {
                name: joint.name.clone(),
                index,
                limits: joint.limits.map(f64::from),
                velocity: f64::from(joint.velocity),
            }
        });
        let coupled = model.joints.iter().filter_map(|joint| {
            let mimic = joint.mimic.as_ref()?;
            Some(Coupled {
                name: joint.name.clone(),
                leader: controller.joints.iter().position(|j| *j == mimic.joint)?,
                multiplier: f64::from(mimic.multiplier),
                offset: f64::from(mimic.offset),
            })
        });
        TrajectoryServer {
            name: controller.name.clone(),
            tolerances: [controller.path_tolerance, controller.goal_tolerance],
            joints: joints.collect(),
            coupled: coupled.collect(),
            states: vec![None; controller.joints.len()],
            controller: None,
            running: None,
            stopped: false,
            steps: 0,
            goals: 0,
            refused: 0,
        }
    }

    fn hear(&mut self, message: &JointState, ctx: &mut Context<'_>) {
        for (joint, state) in self.joints.iter().zip(&mut self.states) {
            let Some(k) = message.name.iter().position(|n| *n == joint.name) else {
                continue;
            };
            let number = |list: &[f64]| list.get(k).copied().filter(|v| v.is_finite());
            if let Some(position) = number(&message.position) {
                *state = Some(State {
                    position: position as f32,
                    velocity: number(&message.velocity).unwrap_or(0.0) as f32,
                    ..State::default()
                });
            }
        }
        if self.controller.is_some() {
            return;
        }
        let at: Option<Vec<f32>> = self
            .states
            .iter()
            .map(|s| Some(s.as_ref()?.position))
            .collect();
        if let Some(at) = at {
            let [path, goal] = self.tolerances;
            let (name, joints) = (self.name.clone(), self.joints.clone());
            let action = ACTION.to_owned();
            let mut controller = TrajectoryController::new(name, action, joints, path, goal, &at);
            controller.set_stopped(self.stopped);
            self.controller = Some(controller);
            ctx.log(Level::Info, format!("{} holds its joints", self.name));
        }
    }

    fn goal(&mut self, id: u64, payload: &Payload, ctx: &mut Context<'_>) {
        let taken = match (&mut self.controller, payload.get::<fjt::Goal>()) {
            (Some(controller), Ok(goal)) => controller
                .start(&trajectory_goal(&goal, 0), ctx.now_ns.max(0) as u64)
                .map_err(|e| e.to_string()),
            (None, Ok(_)) => Err(format!(
                "no joint states of all joints of {} yet",
                self.name
            )),
            (_, Err(error)) => Err(error.to_string()),
        };
        ctx.answer_goal(ACTION, id, taken.is_ok());
        match taken {
            Ok(number) => {
                self.goals += 1;
                // The one before it has been preempted.
                self.report(ctx);
                self.running = Some((id, number, ctx.now_ns + FEEDBACK_NS));
            }
            Err(reason) => {
                self.refused += 1;
                ctx.log(Level::Warn, reason);
            }
        }
    }

    /// Tells of goals that have ended.
    fn report(&mut self, ctx: &mut Context<'_>) {
        let Some(controller) = &mut self.controller else {
            return;
        };
        for (number, outcome) in controller.take_finished() {
            if let Some((id, n, _)) = self.running
                && n == number
            {
                let (status, result) = verdict(&outcome);
                ctx.finish_goal(ACTION, id, status, result);
                self.running = None;
            }
        }
    }

    fn step(&mut self, ctx: &mut Context<'_>) {
        let Some(controller) = &mut self.controller else {
            return;
        };
        let states: Vec<State> = self.states.iter().map(|s| s.unwrap_or_default()).collect();
        let mut targets = vec![JointTarget::default(); states.len()];
        let busy = self.running.is_some();
        controller.update(ctx.now_ns.max(0) as u64, &states, &mut targets);
        if let Some((id, _, due_ns)) = &mut self.running
            && ctx.now_ns >= *due_ns
        {
            *due_ns += FEEDBACK_NS;
            ctx.feedback(ACTION, *id, feedback(controller, ctx.stamp()));
        }
        self.report(ctx);
        if busy || self.steps.is_multiple_of(REPEAT_STEPS) {
            self.send(&targets, ctx);
        }
        self.steps += 1;
    }

    /// Stops at once: the setpoint of the moment leaves with no velocity.
    fn hold(&mut self, ctx: &mut Context<'_>) {
        self.report(ctx);
        let Some(controller) = &self.controller else {
            return;
        };
        let targets: Vec<JointTarget> = controller.feedback().iter().map(|f| f.desired).collect();
        self.send(&targets, ctx);
    }

    fn send(&self, targets: &[JointTarget], ctx: &mut Context<'_>) {
        let mut message = JointTrajectory::default();
        let mut point = JointTrajectoryPoint {
            time_from_start: Duration::from_ns(0),
            ..JointTrajectoryPoint::default()
        };
        let mut add = |name: &str, position: f64, velocity: f64| {
            message.joint_names.push(name.to_owned());
            point.positions.push(position);
            point.velocities.push(velocity);
        };
        for (joint, target) in self.joints.iter().zip(targets) {
            add(&joint.name, target.position.into(), target.velocity.into());
        }
        for joint in &self.coupled {
            let leader = &targets[joint.leader];
            let position = joint.multiplier * f64::from(leader.position) + joint.offset;
            add(
                &joint.name,
                position,
                joint.multiplier * f64::from(leader.velocity),
            );
        }
        message.header.stamp = ctx.stamp();
        message.points.push(point);
        ctx.publish("joint_trajectory", message);
    }

    fn message(
        &mut self,
        topic: &str,
        payload: &Payload,
        ctx: &mut Context<'_>,
    ) -> Result<(), PayloadError> {
        if topic == "joint_states" {
            self.hear(&*payload.get()?, ctx);
            return Ok(());
        }
        self.stopped = payload.get::<Bool>()?.data;
        if let Some(controller) = &mut self.controller {
            controller.set_stopped(self.stopped);
            self.hold(ctx);
        }
        Ok(())
    }
}

impl Node for TrajectoryServer {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Message { topic, payload } => {
                if let Err(error) = self.message(topic, &payload, ctx) {
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            Input::Timer { .. } => self.step(ctx),
            Input::Goal { id, payload, .. } => self.goal(id, &payload, ctx),
            Input::Cancel { id, .. } if self.running.is_some_and(|r| r.0 == id) => {
                if let Some(controller) = &mut self.controller {
                    controller.cancel();
                }
                self.hold(ctx);
            }
            _ => {}
        }
    }

    fn health(&self) -> Health {
        let waiting = self.states.iter().filter(|s| s.is_none()).count();
        let number = |name: &str, n: u64| (name.to_owned(), n.to_string());
        Health {
            warning: (waiting > 0).then(|| format!("no joint states of {waiting} joints yet")),
            values: vec![number("goals", self.goals), number("refused", self.refused)],
        }
    }
}

#[cfg(test)]
mod tests;
