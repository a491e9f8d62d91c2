//! `embedded_world`: the embedded simulator behind a robot's usual topics,
//! actions and services.
//!
//! What a robot's drivers offer: joint states, event packets, images,
//! transforms, and `FollowJointTrajectory` for arm, hand and head. What only a
//! simulator offers: `randomise`, and ground truth under `/ground_truth/`,
//! which [`crate::graph`] keeps from every node but the referee.

use crate::event_camera_driver::EventCameraDriver;
use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, GoalStatus, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::Payload;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::control_msgs::follow_joint_trajectory as fjt;
use saccade_msgs::geometry_msgs::{Quaternion, Transform, TransformStamped, Vector3};
use saccade_msgs::rosgraph_msgs::Clock;
use saccade_msgs::saccade_msgs::{ObjectTruth, randomise};
use saccade_msgs::sensor_msgs::{Image, JointState};
use saccade_msgs::std_msgs;
use saccade_msgs::tf2_msgs::TFMessage;
use saccade_msgs::{CLASSES, Event};
use saccade_worlds::controllers::{self, Outcome, TrajectoryGoal, TrajectoryPoint};
use saccade_worlds::scenario::{SceneRequest, Split};
use saccade_worlds::sdf::Pose;
use saccade_worlds::simulation::Simulation;
use saccade_worlds::vision::{Look, Vision};
use std::path::Path;

/// Name of the event camera in the world file.
pub const EVENT_CAMERA: &str = "dvs_right";
/// Name of the colour camera in the world file.
pub const COLOUR_CAMERA: &str = "head_camera";
/// Actions by the world file's controller names.
const ACTIONS: [(&str, &str); 3] = [
    ("arm_controller", "arm"),
    ("hand_controller", "hand"),
    ("head_controller", "head"),
];

const FJT: &str = "control_msgs/action/FollowJointTrajectory";

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "embedded_world",
    doc: "The embedded simulator: robot, cameras and table behind standard topics and actions.",
    publishers: &[
        Endpoint::new(
            "events",
            "event_camera_msgs/msg/EventPacket",
            "The event camera, encoding mono.",
        )
        .qos(Qos::SENSOR.depth(256)),
        Endpoint::new(
            "image_raw",
            "sensor_msgs/msg/Image",
            "The colour camera, rgb8.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "camera_info",
            "sensor_msgs/msg/CameraInfo",
            "The event camera's calibration, at 1 Hz.",
        )
        .qos(Qos::LATCHED),
        Endpoint::new(
            "joint_states",
            "sensor_msgs/msg/JointState",
            "All moving joints.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new("/clock", "rosgraph_msgs/msg/Clock", "Simulated time.").qos(Qos::SENSOR),
        Endpoint::new("/tf", "tf2_msgs/msg/TFMessage", "All links.").qos(Qos::DEFAULT.depth(100)),
        Endpoint::new(
            "/tf_static",
            "tf2_msgs/msg/TFMessage",
            "Cameras' optical frames.",
        )
        .qos(Qos::LATCHED),
        Endpoint::new(
            "/ground_truth/object",
            "saccade_msgs/msg/ObjectTruth",
            "For scoring alone.",
        )
        .qos(Qos::DEFAULT.depth(128)),
    ],
    subscriptions: &[Endpoint::new(
        "e_stop",
        "std_msgs/msg/Bool",
        "True stops all joints at once.",
    )
    .qos(Qos::LATCHED)],
    services: &[Endpoint::new(
        "randomise",
        "saccade_msgs/srv/Randomise",
        "Makes a scene from a seed; the robot is put home.",
    )],
    action_servers: &[
        Endpoint::new(
            "arm_controller",
            FJT,
            "Joint trajectory controller of the arm.",
        ),
        Endpoint::new(
            "hand_controller",
            FJT,
            "Joint trajectory controller of the hand.",
        ),
        Endpoint::new(
            "head_controller",
            FJT,
            "Joint trajectory controller of the head.",
        ),
    ],
    parameters: &[
        ParameterDecl::text("world", "worlds/grasp_table.sdf", "World file (SDF)."),
        ParameterDecl::integer(
            "seed",
            1,
            (0, i64::MAX),
            "",
            "Seed of the camera's fixed pattern and of noise.",
        ),
        ParameterDecl::double(
            "camera_rate",
            1.0,
            (0.0, 60.0),
            "Hz",
            "Frames of the colour camera; 0 switches it off.",
        ),
        ParameterDecl::double(
            "joint_state_rate",
            100.0,
            (1.0, 1000.0),
            "Hz",
            "Joint states, clock and ground truth.",
        ),
        ParameterDecl::double("tf_rate", 50.0, (1.0, 1000.0), "Hz", "Transforms."),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: 1_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node and loads its world.
///
/// # Errors
/// A world that cannot be loaded, or lacks the cameras and controllers.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let wrong = |reason: String| NodeError::Configuration {
        node: "embedded_world",
        reason,
    };
    let path = parameters.text("world");
    let sim = Simulation::load(Path::new(path)).map_err(|e| wrong(e.to_string()))?;
    for (_, controller) in ACTIONS {
        if sim.controller(controller).is_none() {
            return Err(wrong(format!(
                "{path}: the world has no controller \"{controller}\""
            )));
        }
    }
    for camera in [EVENT_CAMERA, COLOUR_CAMERA] {
        if Vision::camera(&sim, camera).is_none() {
            return Err(wrong(format!(
                "{path}: the world has no camera \"{camera}\""
            )));
        }
    }
    let seed = parameters.integer("seed") as u64;
    let vision = Vision::new(&sim, seed).map_err(|e| wrong(e.to_string()))?;
    Ok(Box::new(EmbeddedWorld {
        world: path.to_owned(),
        sim,
        vision,
        seed,
        offset_ns: 0,
        camera: Every::hertz(parameters.double("camera_rate")),
        states: Every::hertz(parameters.double("joint_state_rate")),
        tf: Every::hertz(parameters.double("tf_rate")),
        info: Every::hertz(1.0),
        scene_seed: 0,
        driver: EventCameraDriver::new(EVENT_CAMERA),
        goals: Vec::new(),
        buffer: Vec::new(),
        broken: None,
    }))
}

/// Something done at a rate, by simulated time.
struct Every {
    period_ns: u64,
    due_ns: u64,
}

impl Every {
    fn hertz(rate: f64) -> Self {
        let period_ns = if rate > 0.0 {
            (1e9 / rate) as u64
        } else {
            u64::MAX
        };
        // Nothing is due at 0 that shall never be due.
        Every {
            period_ns,
            due_ns: if rate > 0.0 { 0 } else { u64::MAX },
        }
    }

    fn due(&mut self, now_ns: u64) -> bool {
        let due = now_ns >= self.due_ns;
        if due {
            self.due_ns = self
                .due_ns
                .saturating_add(self.period_ns)
                .max(now_ns.saturating_sub(self.period_ns));
        }
        due
    }
}

/// A goal under way.
struct Goal {
    action: &'static str,
    id: u64,
    controller: &'static str,
    number: u64,
    feedback_ns: u64,
}

/// Time between feedback messages of a goal, ns.
const FEEDBACK_NS: u64 = 50_000_000;

struct EmbeddedWorld {
    world: String,
    sim: Simulation,
    vision: Vision,
    seed: u64,
    /// ROS time minus simulated time.
    offset_ns: i64,
    camera: Every,
    states: Every,
    tf: Every,
    info: Every,
    scene_seed: u64,
    driver: EventCameraDriver,
    goals: Vec<Goal>,
    buffer: Vec<Event>,
    broken: Option<String>,
}

impl EmbeddedWorld {
    fn step(&mut self, ctx: &mut Context<'_>) {
        self.sim.step();
        self.look(ctx);
        self.finish_goals(ctx);
        let now_ns = self.sim.now_ns();
        if self.states.due(now_ns) {
            self.publish_states(ctx);
        }
        if self.tf.due(now_ns) {
            let transforms = self
                .sim
                .frames()
                .map(|f| transform(f.parent, f.name, &f.pose, ctx.stamp()));
            let message = TFMessage {
                transforms: transforms.collect(),
            };
            ctx.publish("/tf", message);
        }
        if self.info.due(now_ns) {
            self.publish_static(ctx);
        }
        if self.camera.due(now_ns) {
            self.publish_image(ctx);
        }
    }

    fn look(&mut self, ctx: &mut Context<'_>) {
        self.buffer.clear();
        if let Err(error) = self
            .vision
            .advance(&self.sim, EVENT_CAMERA, &mut self.buffer)
        {
            if self.broken.is_none() {
                ctx.log(Level::Error, error.to_string());
            }
            self.broken = Some(error.to_string());
            return;
        }
        if let Some(camera) = Vision::camera(&self.sim, EVENT_CAMERA) {
            self.driver
                .publish(&mut self.buffer, self.offset_ns, &camera, ctx);
        }
    }

    fn publish_states(&mut self, ctx: &mut Context<'_>) {
        ctx.publish("/clock", Clock { clock: ctx.stamp() });
        let states = self.sim.joint_states();
        let mut message = JointState {
            name: self.sim.joint_names().to_vec(),
            position: states.iter().map(|s| f64::from(s.position)).collect(),
            velocity: states.iter().map(|s| f64::from(s.velocity)).collect(),
            effort: states.iter().map(|s| f64::from(s.effort)).collect(),
            ..JointState::default()
        };
        message.header.stamp = ctx.stamp();
        ctx.publish("joint_states", message);
        let truth = self.truth(ctx.stamp());
        ctx.publish("/ground_truth/object", truth);
    }

    fn truth(&self, stamp: Time) -> ObjectTruth {
        let scene = self.sim.truth();
        let look = self.vision.look();
        let mut truth = ObjectTruth {
            class_id: CLASSES
                .iter()
                .position(|c| *c == scene.class)
                .map_or(-1, |i| i as i32),
            label: scene.class.clone(),
            texture: look.texture.clone(),
            light_direction: look.light.direction.to_array().map(f64::from),
            light_intensity: f64::from(look.light.intensity + look.light.ambient),
            seed: self.scene_seed,
            size: self
                .sim
                .object_size()
                .map_or([0.0; 3], |s| s.to_array().map(f64::from)),
            scale: scene.object.as_ref().map_or(1.0, |o| f64::from(o.scale)),
            ..ObjectTruth::default()
        };
        truth.header.stamp = stamp;
        truth.header.frame_id = "world".into();
        if let Some(object) = self.sim.object() {
            let p = object.pose.translation;
            truth.pose.position.x = p.x.into();
            truth.pose.position.y = p.y.into();
            truth.pose.position.z = p.z.into();
            truth.pose.orientation = quaternion(&object.pose);
            truth.held_by_contact = object.robot_force > 0.0 && object.support_force == 0.0;
        }
        truth
    }

    fn publish_static(&mut self, ctx: &mut Context<'_>) {
        let mut transforms = Vec::new();
        for camera in [EVENT_CAMERA, COLOUR_CAMERA] {
            let Some((model, link, _)) = self.sim.cameras().find(|(_, _, s)| s.name == camera)
            else {
                continue;
            };
            let Some(at) = self.sim.camera_pose(camera) else {
                continue;
            };
            let pose = self.sim.link_pose_at(model, link).inverse() * at;
            let parent = &self.sim.world().models[model].links[link].name;
            transforms.push(transform(
                parent,
                &format!("{camera}_optical"),
                &pose,
                ctx.stamp(),
            ));
        }
        ctx.publish("/tf_static", TFMessage { transforms });
        if let Some(camera) = Vision::camera(&self.sim, EVENT_CAMERA) {
            self.driver.inform(&camera, ctx);
        }
    }

    fn publish_image(&mut self, ctx: &mut Context<'_>) {
        match self.vision.render_rgb(&self.sim, COLOUR_CAMERA) {
            Ok((width, height, data)) => {
                let mut image = Image {
                    height,
                    width,
                    encoding: "rgb8".into(),
                    step: width * 3,
                    data,
                    ..Image::default()
                };
                image.header.stamp = ctx.stamp();
                image.header.frame_id = format!("{COLOUR_CAMERA}_optical");
                ctx.publish("image_raw", image);
            }
            Err(error) => ctx.log(Level::Error, error.to_string()),
        }
    }

    fn randomise(
        &mut self,
        request: &randomise::Request,
        ctx: &mut Context<'_>,
    ) -> randomise::Response {
        let split = match request.split.as_str() {
            "train" => Split::Train,
            "test" => Split::Test,
            "" | "any" => Split::Any,
            other => {
                let message = format!("split '{other}' is none of train, test, any");
                return randomise::Response {
                    message,
                    ..Default::default()
                };
            }
        };
        let label = (!request.label.is_empty()).then(|| request.label.clone());
        let scene = SceneRequest {
            seed: request.seed,
            label,
            split,
        };
        match set_scene(&mut self.sim, &mut self.vision, &scene, self.seed) {
            Ok(()) => {
                // Only now: a request that is refused changes nothing.
                self.end_all_goals("the world was reset", ctx);
                self.scene_seed = request.seed;
                // The new scene is shown at once, not half a period later.
                if self.camera.due_ns < u64::MAX {
                    self.camera.due_ns = self.camera.due_ns.min(self.sim.now_ns());
                }
                self.broken = None;
                let label = self.sim.truth().class.clone();
                randomise::Response {
                    success: true,
                    label,
                    ..Default::default()
                }
            }
            Err(message) => randomise::Response {
                message,
                ..Default::default()
            },
        }
    }

    fn goal(&mut self, action: &'static str, id: u64, payload: &Payload, ctx: &mut Context<'_>) {
        let goal = match payload.get::<fjt::Goal>() {
            Ok(goal) => goal,
            Err(error) => {
                ctx.log(Level::Warn, error.to_string());
                return ctx.answer_goal(action, id, false);
            }
        };
        let Some((_, name)) = ACTIONS.iter().find(|(a, _)| *a == action) else {
            return;
        };
        let now_ns = self.sim.now_ns();
        let Some(controller) = self.sim.controller_mut(name) else {
            return;
        };
        match controller.start(&trajectory_goal(&goal, self.offset_ns), now_ns) {
            Ok(number) => {
                ctx.answer_goal(action, id, true);
                let feedback_ns = now_ns + FEEDBACK_NS;
                self.goals.push(Goal {
                    action,
                    id,
                    controller: name,
                    number,
                    feedback_ns,
                });
            }
            Err(error) => {
                ctx.log(Level::Warn, error.to_string());
                ctx.answer_goal(action, id, false);
            }
        }
    }

    fn finish_goals(&mut self, ctx: &mut Context<'_>) {
        if self.goals.is_empty() {
            return;
        }
        for (_, name) in ACTIONS {
            let Some(controller) = self.sim.controller_mut(name) else {
                continue;
            };
            for (number, outcome) in controller.take_finished() {
                let found = self
                    .goals
                    .iter()
                    .position(|g| g.controller == name && g.number == number);
                if let Some(found) = found {
                    let goal = self.goals.remove(found);
                    let (status, result) = verdict(&outcome);
                    ctx.finish_goal(goal.action, goal.id, status, result);
                }
            }
        }
        let now_ns = self.sim.now_ns();
        for goal in &mut self.goals {
            if now_ns >= goal.feedback_ns {
                goal.feedback_ns += FEEDBACK_NS;
                if let Some(controller) = self.sim.controller(goal.controller) {
                    ctx.feedback(goal.action, goal.id, feedback(controller, ctx.stamp()));
                }
            }
        }
    }

    fn end_all_goals(&mut self, why: &str, ctx: &mut Context<'_>) {
        for goal in self.goals.drain(..) {
            let result = fjt::Result {
                error_code: fjt::Result::INVALID_GOAL,
                error_string: why.into(),
            };
            ctx.finish_goal(goal.action, goal.id, GoalStatus::Aborted, result);
        }
    }
}

/// Makes a scene with its look, and shows it to the cameras. `run_seed` and the
/// scene's seed together seed the noise.
///
/// # Errors
/// What the world cannot make, in words.
pub fn set_scene(
    sim: &mut Simulation,
    vision: &mut Vision,
    scene: &SceneRequest,
    run_seed: u64,
) -> Result<(), String> {
    let look = Look::draw(sim.world(), scene).map_err(|e| e.to_string())?;
    sim.randomise(scene).map_err(|e| e.to_string())?;
    let noise_seed = run_seed.rotate_left(32) ^ scene.seed;
    vision
        .reset(sim, look, noise_seed)
        .map_err(|e| e.to_string())
}

/// A goal as the controllers take it.
pub fn trajectory_goal(goal: &fjt::Goal, offset_ns: i64) -> TrajectoryGoal {
    let tolerance = |list: &[saccade_msgs::control_msgs::JointTolerance]| {
        let one = |t: &saccade_msgs::control_msgs::JointTolerance| controllers::JointTolerance {
            name: t.name.clone(),
            position: t.position,
        };
        list.iter().map(one).collect()
    };
    let stamp_ns = goal.trajectory.header.stamp.to_ns();
    TrajectoryGoal {
        joint_names: goal.trajectory.joint_names.clone(),
        points: goal
            .trajectory
            .points
            .iter()
            .map(|p| TrajectoryPoint {
                positions: p.positions.clone(),
                velocities: p.velocities.clone(),
                time_from_start_ns: p.time_from_start.to_ns(),
            })
            .collect(),
        stamp_ns: if stamp_ns == 0 {
            0
        } else {
            stamp_ns - offset_ns
        },
        path_tolerance: tolerance(&goal.path_tolerance),
        goal_tolerance: tolerance(&goal.goal_tolerance),
        goal_time_tolerance_ns: goal.goal_time_tolerance.to_ns(),
    }
}

/// How a goal ended, as the action says it.
pub(crate) fn verdict(outcome: &Outcome) -> (GoalStatus, fjt::Result) {
    let (status, error_code, error_string) = match outcome {
        Outcome::Finished { code, text } => {
            let reached = *code as i32 == fjt::Result::SUCCESSFUL;
            let status = if reached {
                GoalStatus::Succeeded
            } else {
                GoalStatus::Aborted
            };
            (status, *code as i32, text.clone())
        }
        Outcome::Canceled => (
            GoalStatus::Canceled,
            fjt::Result::SUCCESSFUL,
            "cancelled".into(),
        ),
        Outcome::Preempted => (
            GoalStatus::Aborted,
            fjt::Result::INVALID_GOAL,
            "a newer goal took its place".into(),
        ),
        Outcome::Stopped => (
            GoalStatus::Aborted,
            fjt::Result::INVALID_GOAL,
            "emergency stop".into(),
        ),
    };
    (
        status,
        fjt::Result {
            error_code,
            error_string,
        },
    )
}

/// What a controller says on its way.
pub(crate) fn feedback(
    controller: &controllers::TrajectoryController,
    stamp: Time,
) -> fjt::Feedback {
    let states = controller.feedback();
    let mut message = fjt::Feedback {
        joint_names: controller.joints().iter().map(|j| j.name.clone()).collect(),
        ..fjt::Feedback::default()
    };
    message.header.stamp = stamp;
    message.desired.positions = states.iter().map(|s| s.desired.position.into()).collect();
    message.actual.positions = states.iter().map(|s| s.actual.position.into()).collect();
    message.error.positions = states.iter().map(|s| s.error().into()).collect();
    message
}

fn quaternion(pose: &Pose) -> Quaternion {
    let q = pose.rotation;
    Quaternion {
        x: q.x.into(),
        y: q.y.into(),
        z: q.z.into(),
        w: q.w.into(),
    }
}

fn transform(parent: &str, child: &str, pose: &Pose, stamp: Time) -> TransformStamped {
    let p = pose.translation;
    let mut message = TransformStamped {
        child_frame_id: child.to_owned(),
        transform: Transform {
            translation: Vector3 {
                x: p.x.into(),
                y: p.y.into(),
                z: p.z.into(),
            },
            rotation: quaternion(pose),
        },
        ..TransformStamped::default()
    };
    message.header.stamp = stamp;
    message.header.frame_id = parent.to_owned();
    message
}

impl Node for EmbeddedWorld {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => {
                self.offset_ns = ctx.now_ns - self.sim.now_ns() as i64;
                ctx.set_timer("step", Some(self.sim.world().step_ns as i64));
                ctx.log(Level::Info, format!("world {}", self.world));
            }
            Input::Timer { .. } => self.step(ctx),
            Input::Request {
                service,
                id,
                payload,
            } => {
                let response = match payload.get::<randomise::Request>() {
                    Ok(request) => self.randomise(&request, ctx),
                    Err(error) => randomise::Response {
                        message: error.to_string(),
                        ..Default::default()
                    },
                };
                ctx.respond(service, id, response);
            }
            Input::Goal {
                action,
                id,
                payload,
            } => self.goal(action, id, &payload, ctx),
            Input::Cancel { action, id } => {
                let goal = self.goals.iter().find(|g| g.action == action && g.id == id);
                let running = goal.map(|g| (g.controller, g.number));
                if let Some((controller, number)) = running
                    && let Some(controller) = self.sim.controller_mut(controller)
                    && controller.active() == Some(number)
                {
                    controller.cancel();
                }
            }
            Input::Message { payload, .. } => {
                if let Ok(stop) = payload.get::<std_msgs::Bool>() {
                    self.sim.set_stopped(stop.data);
                }
            }
            _ => {}
        }
    }

    fn health(&self) -> Health {
        let stats = self.vision.stats(EVENT_CAMERA).unwrap_or_default();
        let [packets, events] = self.driver.counts();
        let values = [
            packets,
            events,
            ("noise events", stats.noise_events),
            ("renders", stats.renders),
            ("pixels rendered", stats.pixels),
            ("simulated (ms)", self.sim.now_ns() / 1_000_000),
        ];
        Health {
            warning: self.broken.clone(),
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }

    fn profile(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("physics", self.sim.physics_time().as_secs_f64()),
            ("rendering", self.vision.time().as_secs_f64()),
        ]
    }
}
