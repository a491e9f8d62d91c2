//! `grasp_affordance`: from what the classifier decided and where the events
//! show it, to what arm and hand do: reach, pre-shape, close, lift, hold, put
//! back. A visible state machine that never moves on stale or doubtful data and
//! says why it did not. See `nodes/doc/grasp_affordance.md`.

mod bottle;
pub mod contour;
pub mod evidence;
pub mod geometry;
pub mod guard;
pub mod kinematics;
pub mod locate;
pub mod machine;
pub mod plan;
mod report;
mod senses;
mod settings;
pub mod shading;
pub mod tf;
pub mod trajectory;

use crate::interface::{Endpoint, Interface, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use machine::Machine;
use settings::Settings;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "grasp_affordance",
    doc: "Turns a decision and the object's place in the event image into a safe grasp.",
    publishers: &[
        Endpoint::new(
            "state",
            "saccade_msgs/msg/GraspState",
            "State and its reason, on every transition and at 2 Hz.",
        )
        .qos(Qos::DEFAULT.depth(64)),
        Endpoint::new(
            "object_pose",
            "geometry_msgs/msg/PoseStamped",
            "Where the object was found: its centre, x along the pen.",
        ),
        Endpoint::new(
            "planned",
            "trajectory_msgs/msg/JointTrajectory",
            "The arm's planned way to the grasp.",
        ),
        Endpoint::new(
            "markers",
            "visualization_msgs/msg/MarkerArray",
            "The object found and the tool at the grasp; in a dry run the tool's whole way.",
        ),
    ],
    subscriptions: &[
        Endpoint::new(
            "events",
            "event_camera_msgs/msg/EventPacket",
            "Events of the camera on the head.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "saccade",
            "saccade_msgs/msg/SaccadePhase",
            "Onset and end of each saccade.",
        )
        .qos(Qos::DEFAULT.depth(32)),
        Endpoint::new(
            "decision",
            "saccade_msgs/msg/Decision",
            "What the classifier takes the object for; only the final one of a saccade is acted on.",
        )
        .qos(Qos::DEFAULT.depth(64)),
        Endpoint::new(
            "joint_states",
            "sensor_msgs/msg/JointState",
            "Positions of arm and hand, rad.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "camera_info",
            "sensor_msgs/msg/CameraInfo",
            "Calibration of the event camera, without distortion.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new("tf", "tf2_msgs/msg/TFMessage", "The head's moving frames.")
            .qos(Qos::DEFAULT.depth(100)),
        Endpoint::new("tf_static", "tf2_msgs/msg/TFMessage", "The fixed frames.")
            .qos(Qos::LATCHED.depth(16)),
        Endpoint::new(
            "e_stop",
            "std_msgs/msg/Bool",
            "True: stop at once, and stay so until it is false and `reset` has been called.",
        )
        .qos(Qos::LATCHED),
    ],
    services: &[
        Endpoint::new(
            machine::STOP,
            "std_srvs/srv/Trigger",
            "Stops as the topic does, for those who have no button.",
        ),
        Endpoint::new(
            machine::RESET,
            "std_srvs/srv/Trigger",
            "Motion is allowed again after an e-stop; refused while it is pressed.",
        ),
    ],
    clients: &[Endpoint::new(
        "microsaccade",
        "std_srvs/srv/Trigger",
        "Makes the head perform a saccade.",
    )],
    action_servers: &[Endpoint::new(
        machine::ACTION,
        "saccade_msgs/action/GraspObject",
        "Look, decide and, if there is something, pick it up and put it back.",
    )],
    action_clients: &[
        Endpoint::new(
            machine::CONTROLLERS[0],
            "control_msgs/action/FollowJointTrajectory",
            "The arm's joint_trajectory_controller.",
        ),
        Endpoint::new(
            machine::CONTROLLERS[1],
            "control_msgs/action/FollowJointTrajectory",
            "The hand's joint_trajectory_controller.",
        ),
    ],
    parameters: settings::PARAMETERS,
    timers: &[TimerDecl { name: "step", period_ns: 10_000_000 }],
};

/// Makes the node.
///
/// # Errors
/// A workspace box without room.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let settings = Settings::new(parameters);
    let work_box = settings.work_box;
    if !work_box.low.cmplt(work_box.high).all() {
        return Err(NodeError::Configuration {
            node: "grasp_affordance",
            reason: format!(
                "the box from {} to {} has no room; each box_*_min must be below its box_*_max",
                work_box.low, work_box.high
            ),
        });
    }
    Ok(Box::new(GraspAffordance {
        machine: Machine::new(settings),
    }))
}

struct GraspAffordance {
    machine: Machine,
}

impl GraspAffordance {
    fn message(
        &mut self,
        topic: &str,
        payload: &Payload,
        ctx: &mut Context<'_>,
    ) -> Result<(), PayloadError> {
        let machine = &mut self.machine;
        match topic {
            "events" => machine.senses.packet(&*payload.get()?, ctx.now_ns),
            "saccade" => machine.phase(&*payload.get()?, ctx),
            "decision" => machine.decision(&*payload.get()?, ctx),
            "joint_states" => machine.senses.joints(&*payload.get()?, ctx.now_ns),
            "camera_info" => machine.senses.camera_info(&*payload.get()?),
            "tf" => machine.senses.transforms(&*payload.get()?, false),
            "tf_static" => machine.senses.transforms(&*payload.get()?, true),
            "e_stop" => {
                let pressed = payload.get::<saccade_msgs::std_msgs::Bool>()?.data;
                machine.e_stop(pressed, ctx);
            }
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, input: Input, ctx: &mut Context<'_>) -> Result<(), PayloadError> {
        let machine = &mut self.machine;
        match input {
            Input::Message { topic, payload } => return self.message(topic, &payload, ctx),
            Input::Start | Input::Timer { .. } => machine.tick(ctx),
            Input::Goal { id, payload, .. } => machine.goal(id, &*payload.get()?, ctx),
            Input::Cancel { id, .. } => machine.cancel(id, ctx),
            Input::Response { payload, .. } => {
                let response = payload.map(|p| p.get()).transpose()?;
                machine.triggered(response.as_deref(), ctx);
            }
            Input::GoalResponse { id, accepted, .. } => machine.taken(id, accepted, ctx),
            Input::GoalResult {
                id,
                status,
                payload,
                ..
            } => {
                machine.ended(id, status, payload.get().ok().as_deref(), ctx);
            }
            Input::Request { service, id, .. } => machine.request(service, id, ctx),
            Input::Feedback { .. } => {}
        }
        Ok(())
    }
}

impl Node for GraspAffordance {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        if let Err(error) = self.take(input, ctx) {
            self.machine.senses.unusable += 1;
            ctx.log(crate::node::Level::Warn, error.to_string());
        }
    }

    fn deactivate(&mut self, ctx: &mut Context<'_>) {
        self.machine.rest(ctx);
    }

    fn change(&mut self, parameters: &Parameters) -> Result<(), NodeError> {
        self.machine.set_speed(parameters.double("speed_scaling"));
        Ok(())
    }

    fn health(&self) -> Health {
        let machine = &self.machine;
        let (counts, senses) = (machine.counts, &machine.senses);
        let warning = (machine.state == machine::State::Stopped)
            .then(|| format!("stopped: {}", machine.reason))
            .or_else(|| machine.held());
        let number = |name: &str, value: u64| (name.to_owned(), value.to_string());
        Health {
            warning,
            values: vec![
                ("state".to_owned(), machine.state.name().to_owned()),
                ("reason".to_owned(), machine.reason.clone()),
                number("goals", counts.goals),
                number("grasped", counts.grasped),
                number("background", counts.background),
                number("refused", counts.refused),
                number("failed", counts.failed),
                number("stopped", counts.stopped),
                number("events_dropped", senses.dropped),
                number("unusable_messages", senses.unusable),
            ],
        }
    }
}

#[cfg(test)]
mod tests;
