//! SDFormat world files: the subset of SDF 1.9 that the embedded world runs.
//!
//! Read are `world` (gravity, physics, directional light), `model` (static,
//! pose, self_collide), `link` (pose, inertial, gravity, velocity_decay,
//! collision, visual, sensor) and `joint` (fixed, revolute, prismatic). What SDF
//! has no word for stands in elements of the namespace
//! `https://saccade-robotics.github.io/sdf`, which Gazebo carries along without
//! looking: servos, couplings, controllers, event cameras, object classes, the step where
//! Gazebo's is another. Everything else in the file (plugins, contact sensors, GUI) is left alone. The element
//! reference is <http://sdformat.org/spec?ver=1.9>.

mod frames;
mod parse;
mod xml;

use std::path::{Path, PathBuf};

use glam::Vec3;
pub use rapier3d::math::Pose;

/// XML namespace of the elements that are ours.
pub const NAMESPACE: &str = "https://saccade-robotics.github.io/sdf";

/// Why a world file was refused.
#[derive(Debug, thiserror::Error)]
pub enum SdfError {
    /// The file could not be read.
    #[error("{path}: cannot read the world file: {source}; give the path of an SDF file", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is not well-formed XML.
    #[error("{file}: not well-formed XML: {source}; check the file with `ign sdf -k {file}`")]
    Xml {
        /// The file.
        file: String,
        /// What and where.
        source: roxmltree::Error,
    },
    /// An element is missing, unknown or has a value that cannot be used.
    #[error("{file}:{line}: <{element}>: {problem}; {remedy}")]
    Element {
        /// The file.
        file: String,
        /// 1-based line of the element.
        line: u32,
        /// Element and, where it has one, its name.
        element: String,
        /// What was found and what was expected.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
}

/// A loaded world. Lengths in metres, angles in radians, masses in kilograms.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Name of the world.
    pub name: String,
    /// Gravity in m/s².
    pub gravity: Vec3,
    /// Length of a physics step in nanoseconds.
    pub step_ns: u64,
    /// Directional lights.
    pub lights: Vec<Light>,
    /// Models in file order.
    pub models: Vec<Model>,
    /// Where objects are put, if the file says so.
    pub area: Option<Area>,
}

/// A directional light.
#[derive(Debug, Clone, PartialEq)]
pub struct Light {
    /// Name of the light.
    pub name: String,
    /// Unit vector in which the light travels, world frame.
    pub direction: Vec3,
    /// Linear RGB, 0 to 1.
    pub diffuse: [f32; 3],
}

/// The rectangle on the table in which objects stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Centre in the world; z is the height of the table's surface.
    pub center: Vec3,
    /// Extent along x and y.
    pub size: [f32; 2],
}

/// A model: links, the joints between them, and what they are for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Name of the model.
    pub name: String,
    /// Never moves.
    pub is_static: bool,
    /// Links of this model collide with each other.
    pub self_collide: bool,
    /// Pose in the world.
    pub pose: Pose,
    /// Links in file order.
    pub links: Vec<Link>,
    /// Joints in file order.
    pub joints: Vec<Joint>,
    /// Joint controllers.
    pub controllers: Vec<Controller>,
    /// What role the model has in randomised scenes.
    pub role: Role,
}

/// What role a model has in randomised scenes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Part of the furniture or the robot.
    Fixture,
    /// Something to grasp.
    Object {
        /// Name of its class.
        class: String,
        /// Whether only scenes that ask for the class have it: such an object changes
        /// nothing of the scenes that were there before it.
        on_request: bool,
    },
}

/// A rigid body.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Name, unique in its model.
    pub name: String,
    /// Pose in the model frame.
    pub pose: Pose,
    /// Mass and its distribution.
    pub inertial: Inertial,
    /// Gravity acts on it. Off for links whose weight the real controller
    /// compensates: ideal gravity compensation.
    pub gravity: bool,
    /// Damping of linear and angular velocity, 1/s.
    pub velocity_decay: [f32; 2],
    /// Shapes that touch.
    pub collisions: Vec<Collision>,
    /// Shapes that are seen.
    pub visuals: Vec<Visual>,
    /// Cameras.
    pub sensors: Vec<Sensor>,
}

/// Mass and its distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inertial {
    /// Mass in kg.
    pub mass: f32,
    /// Centre of mass and axes of the inertia tensor, in the link frame.
    pub pose: Pose,
    /// ixx, iyy, izz, ixy, ixz, iyz in kg·m².
    pub inertia: [f32; 6],
}

impl Default for Inertial {
    fn default() -> Self {
        // SDF's own default.
        Self {
            mass: 1.0,
            pose: Pose::IDENTITY,
            inertia: [1.0, 1.0, 1.0, 0.0, 0.0, 0.0],
        }
    }
}

/// A shape that touches.
#[derive(Debug, Clone, PartialEq)]
pub struct Collision {
    /// Name, unique in its link.
    pub name: String,
    /// Pose in the link frame.
    pub pose: Pose,
    /// Form and size.
    pub shape: Shape,
    /// Coulomb friction coefficient; a contact takes the smaller of two.
    pub friction: f32,
}

/// A shape that is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Visual {
    /// Name, unique in its link.
    pub name: String,
    /// Pose in the link frame.
    pub pose: Pose,
    /// Form and size.
    pub shape: Shape,
    /// Linear RGB, 0 to 1.
    pub diffuse: [f32; 3],
    /// Name of a procedural texture that modulates the colour.
    pub texture: Option<String>,
}

/// Form and size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Full edge lengths.
    Box {
        /// Along x, y, z.
        size: Vec3,
    },
    /// About the origin.
    Sphere {
        /// Radius.
        radius: f32,
    },
    /// Along z, about the origin.
    Cylinder {
        /// Radius.
        radius: f32,
        /// Full length.
        length: f32,
    },
    /// Along z, about the origin.
    Capsule {
        /// Radius.
        radius: f32,
        /// Length of the cylindrical part, without the two caps.
        length: f32,
    },
    /// Through the origin.
    Plane {
        /// Unit normal.
        normal: Vec3,
        /// Extent of what is seen; what touches is 100 m wide.
        size: [f32; 2],
    },
}

impl Shape {
    /// Half edge lengths of the box around the shape, along its own axes, m.
    #[must_use]
    pub fn half_extents(self) -> Vec3 {
        match self {
            Self::Box { size } => 0.5 * size,
            Self::Sphere { radius } => Vec3::splat(radius),
            Self::Cylinder { radius, length } => Vec3::new(radius, radius, 0.5 * length),
            Self::Capsule { radius, length } => Vec3::new(radius, radius, 0.5 * length + radius),
            Self::Plane { size, .. } => Vec3::new(0.5 * size[0], 0.5 * size[1], 0.0),
        }
    }

    /// The shape scaled evenly about its origin.
    #[must_use]
    pub fn scaled(self, s: f32) -> Self {
        match self {
            Self::Box { size } => Self::Box { size: size * s },
            Self::Sphere { radius } => Self::Sphere { radius: radius * s },
            Self::Cylinder { radius, length } => Self::Cylinder {
                radius: radius * s,
                length: length * s,
            },
            Self::Capsule { radius, length } => Self::Capsule {
                radius: radius * s,
                length: length * s,
            },
            Self::Plane { normal, size } => Self::Plane {
                normal,
                size: size.map(|x| x * s),
            },
        }
    }
}

/// How a joint moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointKind {
    /// Not at all.
    Fixed,
    /// About its axis.
    Revolute,
    /// Along its axis.
    Prismatic,
}

/// A joint between two links of a model, or between the world and one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// Name, unique in its model.
    pub name: String,
    /// How it moves.
    pub kind: JointKind,
    /// Parent link; `None` is the world.
    pub parent: Option<usize>,
    /// Child link.
    pub child: usize,
    /// Pose of the joint in the model frame, at position zero.
    pub pose: Pose,
    /// Unit axis in the joint frame.
    pub axis: Vec3,
    /// Lower and upper position limit, rad or m.
    pub limits: [f32; 2],
    /// Largest torque or force, N·m or N.
    pub effort: f32,
    /// Largest speed, rad/s or m/s.
    pub velocity: f32,
    /// The position servo that drives it.
    pub servo: Servo,
    /// Position at reset.
    pub home: f32,
    /// Coupled to another joint.
    pub mimic: Option<Mimic>,
}

/// A position servo: torque = stiffness · (target − position) + damping ·
/// (target velocity − velocity), cut at the joint's effort limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Servo {
    /// N·m/rad or N/m.
    pub stiffness: f32,
    /// N·m·s/rad or N·s/m.
    pub damping: f32,
}

/// position = multiplier · position of the other joint + offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mimic {
    /// Index of the driving joint in the model.
    pub joint: usize,
    /// Factor.
    pub multiplier: f32,
    /// Offset in rad or m.
    pub offset: f32,
}

/// A joint trajectory controller and the joints it commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Controller {
    /// Name, unique in the world.
    pub name: String,
    /// Name of its `FollowJointTrajectory` action.
    pub action: String,
    /// Indices of its joints in the model.
    pub joints: Vec<usize>,
    /// Default path tolerance per joint in rad; zero: not watched.
    pub path_tolerance: f64,
    /// Default goal tolerance per joint in rad; zero: not watched.
    pub goal_tolerance: f64,
}

/// A camera on a link.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Name, unique in the world.
    pub name: String,
    /// Pose in the link frame; it looks along +x with z up, as SDF has it.
    pub pose: Pose,
    /// Frames per second of a frame camera.
    pub rate_hz: f64,
    /// Width and height in pixels.
    pub image: [usize; 2],
    /// Horizontal field of view in radians.
    pub horizontal_fov: f32,
    /// Topic of its frames or events.
    pub topic: String,
    /// Present on event cameras.
    pub event_camera: Option<EventCamera>,
}

/// What makes a camera an event camera; see the event-camera simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventCamera {
    /// Mean log-intensity step of an ON event.
    pub threshold_on: f32,
    /// Mean log-intensity step of an OFF event (positive).
    pub threshold_off: f32,
    /// Standard deviation of both over the pixels.
    pub threshold_sigma: f32,
    /// Refractory time in microseconds.
    pub refractory_us: u32,
    /// Leak events per pixel and second.
    pub leak_rate_hz: f32,
    /// Shot-noise events per pixel and second.
    pub shot_noise_rate_hz: f32,
}

impl World {
    /// Reads a world file.
    ///
    /// # Errors
    ///
    /// [`SdfError`] with the file, the line, the element, what was expected and
    /// what to do.
    pub fn load(path: &Path) -> Result<Self, SdfError> {
        let text = std::fs::read_to_string(path).map_err(|source| SdfError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::from_str(&path.display().to_string(), &text)
    }

    /// Reads a world from text; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// As [`World::load`].
    pub fn from_str(file: &str, text: &str) -> Result<Self, SdfError> {
        parse::world(file, text)
    }

    /// Index of the model with that name.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<usize> {
        self.models.iter().position(|m| m.name == name)
    }
}
