//! A world that runs: physics, controllers, scenes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glam::{Mat3, Quat, Vec3};

use crate::controllers::{ControlledJoint, TrajectoryController};
use crate::physics::{JointState, Physics, Placement};
use crate::scenario::{self, SceneRequest, SceneTruth};
use crate::sdf::{Pose, SdfError, Sensor, World};

/// Steps that a new scene gets to come to rest.
const SETTLE_STEPS: usize = 300;

/// Why a request to a running world failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The world file.
    #[error(transparent)]
    Sdf(#[from] SdfError),
    /// The scene cannot be made.
    #[error(transparent)]
    Scene(#[from] scenario::SceneError),
}

/// A frame of `/tf`: a link relative to its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkFrame<'a> {
    /// Link.
    pub name: &'a str,
    /// Parent link, or `world`.
    pub parent: &'a str,
    /// Pose of the link in the parent.
    pub pose: Pose,
}

/// Where the object of the scene is, and whether the robot has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObjectState {
    /// Pose of the object's link in the world (ball and pen: their centre; bottle:
    /// the middle of its bottom).
    pub pose: Pose,
    /// How far it is above where it rested, m.
    pub lift: f32,
    /// Normal force between robot and object, N.
    pub robot_force: f32,
    /// Normal force between the furniture and the object, N.
    pub support_force: f32,
}

/// A world that runs.
pub struct Simulation {
    world: Arc<World>,
    physics: Physics,
    controllers: Vec<TrajectoryController>,
    now_ns: u64,
    joint_names: Vec<String>,
    placements: Vec<Placement>,
    truth: SceneTruth,
    rest_height: f32,
    stopped: bool,
    physics_time: Duration,
}

impl Simulation {
    /// Loads a world file and puts everything where the file says.
    ///
    /// # Errors
    ///
    /// [`SimulationError::Sdf`] as [`World::load`].
    pub fn load(path: &Path) -> Result<Self, SimulationError> {
        Ok(Self::new(World::load(path)?))
    }

    /// As [`Simulation::load`], from text; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// [`SimulationError::Sdf`] as [`World::from_str`].
    pub fn from_str(file: &str, text: &str) -> Result<Self, SimulationError> {
        Ok(Self::new(World::from_str(file, text)?))
    }

    /// Runs a world that is loaded already.
    #[must_use]
    pub fn new(world: World) -> Self {
        let placements: Vec<Placement> = world
            .models
            .iter()
            .map(|m| Placement {
                pose: m.pose,
                scale: 1.0,
                present: true,
            })
            .collect();
        let physics = Physics::new(&world, &placements);
        let joint_names = physics
            .joints()
            .map(|(m, j)| world.models[m].joints[j].name.clone())
            .collect();
        let mut out = Self {
            controllers: Vec::new(),
            truth: SceneTruth::empty(&world),
            world: Arc::new(world),
            physics,
            now_ns: 0,
            joint_names,
            placements,
            rest_height: 0.0,
            stopped: false,
            physics_time: Duration::ZERO,
        };
        out.controllers = out.idle_controllers();
        out
    }

    fn idle_controllers(&self) -> Vec<TrajectoryController> {
        let mut out = Vec::new();
        for (m, model) in self.world.models.iter().enumerate() {
            for controller in &model.controllers {
                let mut joints = Vec::new();
                let mut positions = Vec::new();
                for &j in &controller.joints {
                    let joint = &model.joints[j];
                    let Some(index) = self.physics.joints().position(|at| at == (m, j)) else {
                        continue;
                    };
                    joints.push(ControlledJoint {
                        name: joint.name.clone(),
                        index,
                        limits: joint.limits.map(f64::from),
                        velocity: f64::from(joint.velocity),
                    });
                    positions.push(joint.home);
                }
                out.push(TrajectoryController::new(
                    controller.name.clone(),
                    controller.action.clone(),
                    joints,
                    controller.path_tolerance,
                    controller.goal_tolerance,
                    &positions,
                ));
            }
        }
        out
    }

    /// The world's description.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Simulated time in nanoseconds; never goes back.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Runs controllers and physics for one step of the world file's length.
    pub fn step(&mut self) {
        self.now_ns += self.world.step_ns;
        for controller in &mut self.controllers {
            // States and targets lie side by side in `physics`.
            self.physics.with_targets(|states, targets| {
                controller.update(self.now_ns, states, targets);
            });
        }
        let start = Instant::now();
        self.physics.step(&self.world);
        self.physics_time += start.elapsed();
    }

    /// Names of the joints that move, in the order of [`Simulation::joint_states`].
    #[must_use]
    pub fn joint_names(&self) -> &[String] {
        &self.joint_names
    }

    /// State of every joint that moves.
    #[must_use]
    pub fn joint_states(&self) -> &[JointState] {
        self.physics.states()
    }

    /// The controller with that name.
    #[must_use]
    pub fn controller(&self, name: &str) -> Option<&TrajectoryController> {
        self.controllers.iter().find(|c| c.name() == name)
    }

    /// The controller with that name, to give it goals.
    pub fn controller_mut(&mut self, name: &str) -> Option<&mut TrajectoryController> {
        self.controllers.iter_mut().find(|c| c.name() == name)
    }

    /// All controllers.
    #[must_use]
    pub fn controllers(&self) -> &[TrajectoryController] {
        &self.controllers
    }

    /// Stops all controllers at once, or lets them take goals again. A new scene
    /// changes nothing about it.
    pub fn set_stopped(&mut self, stopped: bool) {
        self.stopped = stopped;
        for controller in &mut self.controllers {
            controller.set_stopped(stopped);
        }
    }

    /// Puts the robot home and makes a scene from a seed. The physics is built anew
    /// and comes to rest before this returns, so that the same request gives the
    /// same scene bit for bit whatever ran before. Time goes on; running goals end
    /// as stopped and are dropped.
    ///
    /// # Errors
    ///
    /// [`scenario::SceneError`] if the world has no object area or no such class.
    pub fn randomise(&mut self, request: &SceneRequest) -> Result<&SceneTruth, SimulationError> {
        let (truth, placements) = scenario::draw(&self.world, request)?;
        self.placements = placements;
        self.physics = Physics::new(&self.world, &self.placements);
        self.controllers = self.idle_controllers();
        self.set_stopped(self.stopped);
        for _ in 0..SETTLE_STEPS {
            self.physics.step(&self.world);
        }
        self.truth = truth;
        self.rest_height = self
            .object_model()
            .map_or(0.0, |m| self.physics.link_pose(m, 0).translation.z);
        Ok(&self.truth)
    }

    /// Normal force between two models over the last step, N.
    #[must_use]
    pub fn contact_force(&self, a: &str, b: &str) -> f32 {
        match (self.world.model(a), self.world.model(b)) {
            (Some(a), Some(b)) => self.physics.contact_force(a, b),
            _ => 0.0,
        }
    }

    /// What the scene was made of.
    #[must_use]
    pub fn truth(&self) -> &SceneTruth {
        &self.truth
    }

    fn object_model(&self) -> Option<usize> {
        self.truth.object.as_ref().map(|o| o.model)
    }

    /// Edge lengths of the box around the object, along its own axes, m; `None` on an
    /// empty table.
    #[must_use]
    pub fn object_size(&self) -> Option<Vec3> {
        let object = self.truth.object.as_ref()?;
        let link = self.world.models[object.model].links.first()?;
        let (mut low, mut high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
        for visual in &link.visuals {
            let turn = Mat3::from_quat(visual.pose.rotation);
            let half = turn.abs() * visual.shape.half_extents();
            low = low.min(visual.pose.translation - half);
            high = high.max(visual.pose.translation + half);
        }
        Some((high - low).max(Vec3::ZERO) * object.scale)
    }

    /// Where the object is now; `None` on an empty table.
    #[must_use]
    pub fn object(&self) -> Option<ObjectState> {
        let model = self.object_model()?;
        let at = self.physics.link_pose(model, 0);
        let (mut robot_force, mut support_force) = (0.0, 0.0);
        for (other, description) in self.world.models.iter().enumerate() {
            if other == model {
                continue;
            }
            let force = self.physics.contact_force(other, model);
            if description.controllers.is_empty() {
                support_force += force;
            } else {
                robot_force += force;
            }
        }
        Some(ObjectState {
            pose: at,
            lift: at.translation.z - self.rest_height,
            robot_force,
            support_force,
        })
    }

    /// Pose of a link in the world.
    #[must_use]
    pub fn link_pose(&self, name: &str) -> Option<Pose> {
        self.world.models.iter().enumerate().find_map(|(m, model)| {
            let l = model.links.iter().position(|l| l.name == name)?;
            Some(self.physics.link_pose(m, l))
        })
    }

    /// Pose of a link in the world, by model and link index of the description.
    #[must_use]
    pub fn link_pose_at(&self, model: usize, link: usize) -> Pose {
        self.physics.link_pose(model, link)
    }

    /// Where every model of the description was put.
    #[must_use]
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// Frames of all jointed links.
    pub fn frames(&self) -> impl Iterator<Item = LinkFrame<'_>> + '_ {
        self.world
            .models
            .iter()
            .enumerate()
            .flat_map(move |(m, model)| {
                model.joints.iter().map(move |joint| {
                    let pose = self.physics.link_pose(m, joint.child);
                    let (parent, parent_pose) = match joint.parent {
                        Some(p) => (model.links[p].name.as_str(), self.physics.link_pose(m, p)),
                        None => ("world", Pose::IDENTITY),
                    };
                    LinkFrame {
                        name: &model.links[joint.child].name,
                        parent,
                        pose: parent_pose.inverse() * pose,
                    }
                })
            })
    }

    /// All cameras: model, link and sensor.
    pub fn cameras(&self) -> impl Iterator<Item = (usize, usize, &Sensor)> + '_ {
        self.world.models.iter().enumerate().flat_map(|(m, model)| {
            model
                .links
                .iter()
                .enumerate()
                .flat_map(move |(l, link)| link.sensors.iter().map(move |s| (m, l, s)))
        })
    }

    /// Pose of a camera's optical frame (x right, y down, z forward) in the world.
    #[must_use]
    pub fn camera_pose(&self, name: &str) -> Option<Pose> {
        let (m, l, sensor) = self.cameras().find(|(_, _, s)| s.name == name)?;
        // SDF's cameras look along x with z up.
        let optical = Quat::from_mat3(&Mat3::from_cols(
            -glam::Vec3::Y,
            -glam::Vec3::Z,
            glam::Vec3::X,
        ));
        Some(self.physics.link_pose(m, l) * sensor.pose * Pose::from_rotation(optical))
    }

    /// Wall-clock time spent in physics so far. A report; nothing depends on it.
    #[must_use]
    pub fn physics_time(&self) -> Duration {
        self.physics_time
    }
}
