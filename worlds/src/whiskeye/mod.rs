//! WhiskEye: a robot that goes any way, with a neck of three joints, two cameras and 24
//! whiskers, between walls and objects.
//!
//! Body, neck and whisker motors are kinematic; why is said in
//! `docs/decisions/0023-a-body-that-looks-and-feels.md`. Everything random comes from the
//! seeds.

mod body;
mod eyes;
mod surroundings;
mod whiskers;

pub use body::{Body, OdometryErrors, Part, base_pose};
pub use eyes::{Daylight, Eye, UnknownLight};
pub use surroundings::{Hit, Surroundings};
pub use whiskers::{COLUMNS, MOST_RAD, MOST_XY, ROWS, WHISKERS, Whisker};

use glam::{Mat3, Quat};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rapier3d::parry::shape::SharedShape;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::arena::Place;
use crate::event_camera::standard_normal;
use crate::kinematics::Kinematics;
use crate::render::{self, Camera, Light, Material, RenderError, Scene, Visual};
use crate::sdf::{Model, Pose, SdfError, World};
use crate::textures::{Texture, UnknownTexture};
use crate::vision::{camera_of, shape_of};

/// The neck's joints, in the order of commands.
pub const NECK: [&str; 3] = ["neck_lift", "neck_pitch", "neck_yaw"];
/// Whisker motors follow their commands in this time, s.
const MOTOR_S: f64 = 0.015;
/// Places tried for the robot to start at.
const TRIES: usize = 1000;

/// What is wrong with a world or with a run in it.
#[derive(Debug, thiserror::Error)]
pub enum WhiskEyeError {
    /// The world file.
    #[error(transparent)]
    Sdf(#[from] SdfError),
    /// No such robot.
    #[error("{file}: no model is WhiskEye: {missing}; take the model of worlds/whiskeye_arena.sdf")]
    NoRobot {
        /// The world file.
        file: String,
        /// What is not there.
        missing: String,
    },
    /// A texture that nobody draws.
    #[error(transparent)]
    Texture(#[from] UnknownTexture),
    /// No room.
    #[error(
        "{file}: the robot fits at none of {TRIES} places within <saccade:area>; give it a larger area"
    )]
    NoRoom {
        /// The world file.
        file: String,
    },
    /// A camera.
    #[error("camera \"{camera}\": {source}")]
    Render {
        /// Its name.
        camera: String,
        /// Why.
        source: RenderError,
    },
}

/// How well the robot senses, and how large its images are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Senses {
    /// Of the odometry.
    pub odometry: OdometryErrors,
    /// Columns of the images; rows follow from the world file's camera.
    pub image_width: u32,
    /// Standard deviation of a pixel, in parts of full scale.
    pub image_noise: f32,
    /// Standard deviation of a whisker's angle, rad.
    pub angle_noise_rad: f32,
    /// Standard deviation of a deflection.
    pub xy_noise: f32,
}

/// What the robot is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Command {
    /// Forward, left (m/s), turning (rad/s).
    pub velocity: [f64; 3],
    /// Lift, pitch, yaw, rad; `None` stays.
    pub neck_rad: Option<[f32; 3]>,
    /// Angles of the whiskers, rad; `None` stays.
    pub theta_rad: Option<[f32; WHISKERS]>,
}

/// The robot and what is about it.
pub struct WhiskEye {
    file: String,
    world: World,
    scene: Scene,
    surroundings: Surroundings,
    robot: Robot,
    senses: Senses,
    body: Body,
    neck_rad: [f32; 3],
    theta_rad: [f32; WHISKERS],
    /// As felt in the last step: angles, and deflections forward and upward.
    felt: ([f32; WHISKERS], [f32; 2 * WHISKERS]),
    eyes: Vec<Eye>,
    rng: ChaCha8Rng,
    seed: u64,
    now_ns: u64,
    time: [Duration; 2],
}

/// What does not change about the robot.
struct Robot {
    model: Model,
    kinematics: Kinematics,
    /// Joints of the neck, and the links that collide with their shapes.
    neck: [usize; 3],
    head: usize,
    parts: Vec<(usize, SharedShape, Pose)>,
    whiskers: [Whisker; WHISKERS],
}

impl WhiskEye {
    /// Loads a world: everything but the robot stands.
    ///
    /// # Errors
    /// A world file that cannot be used.
    pub fn load(file: &Path, senses: Senses, seed: u64) -> Result<Self, WhiskEyeError> {
        let world = World::load(file)?;
        let name = file.display().to_string();
        let (index, robot) = Robot::find(&world).map_err(|missing| WhiskEyeError::NoRobot {
            file: name.clone(),
            missing,
        })?;
        let others = || {
            let models = world.models.iter().enumerate();
            models.filter(|(m, _)| *m != index).map(|(_, model)| model)
        };
        let mut scene = Scene {
            visuals: visuals(others())?,
            light: Light::default(),
            sky: [0.0; 3],
        };
        if let Some(light) = world.lights.first() {
            scene.light.direction = light.direction;
        }
        Daylight::Day.fall_on(&mut scene);
        let surroundings = Surroundings::new(others());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let body = Body::new(Place::default(), senses.odometry, &mut rng);
        let mut it = WhiskEye {
            file: name,
            scene,
            surroundings,
            body,
            neck_rad: robot.neck.map(|j| robot.model.joints[j].home),
            theta_rad: [0.0; WHISKERS],
            felt: ([0.0; WHISKERS], [0.0; 2 * WHISKERS]),
            eyes: robot.eyes(senses.image_width, seed),
            robot,
            world,
            senses,
            rng,
            seed,
            now_ns: 0,
            time: [Duration::ZERO; 2],
        };
        it.reset(0)?;
        Ok(it)
    }

    /// Puts the robot anywhere in the world's area, turned anywhere, by `seed` and that of
    /// the world; noise begins anew.
    ///
    /// # Errors
    /// There is no room.
    pub fn reset(&mut self, seed: u64) -> Result<(), WhiskEyeError> {
        self.rng = ChaCha8Rng::seed_from_u64(self.seed.rotate_left(32) ^ seed);
        self.neck_rad = self.robot.neck.map(|j| self.robot.model.joints[j].home);
        self.theta_rad = [0.0; WHISKERS];
        let (centre, size) = self
            .world
            .area
            .map_or(([0.0; 2], [0.0; 2]), |a| ([a.center.x, a.center.y], a.size));
        for _ in 0..TRIES {
            let at_m = [0, 1].map(|k| {
                let draw: f64 = self.rng.random_range(-0.5..0.5);
                f64::from(centre[k]) + draw * f64::from(size[k])
            });
            let yaw_rad = self
                .rng
                .random_range(-std::f64::consts::PI..std::f64::consts::PI);
            if self.stand(Place { at_m, yaw_rad }) {
                return Ok(());
            }
        }
        Err(WhiskEyeError::NoRoom {
            file: self.file.clone(),
        })
    }

    /// Puts the robot to a place; says whether it touches nothing there.
    pub fn stand(&mut self, place: Place) -> bool {
        self.body = Body::new(place, self.senses.odometry, &mut self.rng);
        let links = self.links();
        let free = !self
            .body
            .touches(&self.robot.parts(&links), &self.surroundings);
        self.feel();
        free
    }

    /// Goes on by `dt_ns`.
    pub fn step(&mut self, dt_ns: u64, command: &Command) {
        self.now_ns += dt_ns;
        let dt_s = dt_ns as f64 * 1e-9;
        let begun = Instant::now();
        if let Some(wanted) = command.neck_rad {
            for ((angle, wanted), joint) in
                self.neck_rad.iter_mut().zip(wanted).zip(self.robot.neck)
            {
                let joint = &self.robot.model.joints[joint];
                *angle = approach(
                    *angle,
                    wanted,
                    joint.limits,
                    joint.velocity * dt_s as f32,
                    1.0,
                );
            }
        }
        let follow = (1.0 - (-dt_s / MOTOR_S).exp()) as f32;
        if let Some(wanted) = command.theta_rad {
            let whiskers = self
                .theta_rad
                .iter_mut()
                .zip(wanted)
                .zip(&self.robot.whiskers);
            for ((angle, wanted), whisker) in whiskers {
                let most_rad = whisker.speed_radps * dt_s as f32;
                *angle = approach(*angle, wanted, whisker.limits_rad, most_rad, follow);
            }
        }
        let links = self.links();
        let parts = self.robot.parts(&links);
        self.body.step(
            dt_s,
            command.velocity,
            &parts,
            &self.surroundings,
            &mut self.rng,
        );
        self.feel();
        self.time[0] += begun.elapsed();
    }

    fn feel(&mut self) {
        let head = self.head();
        let longest = self
            .robot
            .whiskers
            .iter()
            .map(|w| w.base.length() + w.length_m);
        let mut near = Vec::new();
        let reach_m = longest.fold(0.0, f32::max);
        self.surroundings.near(head.translation, reach_m, &mut near);
        for (i, whisker) in self.robot.whiskers.iter().enumerate() {
            let theta_rad = self.theta_rad[i];
            let xy = whisker.deflection(&head, theta_rad, &self.surroundings, &near);
            let mut noise = |deviation: f32| {
                if deviation > 0.0 {
                    deviation * standard_normal(&mut self.rng)
                } else {
                    0.0
                }
            };
            self.felt.0[i] = theta_rad + noise(self.senses.angle_noise_rad);
            for (felt, xy) in self.felt.1[2 * i..].iter_mut().zip(xy) {
                *felt = xy + noise(self.senses.xy_noise);
            }
        }
    }

    /// Poses of the robot's links in its own frame; whiskers as at angle 0.
    fn links(&self) -> Vec<Pose> {
        let mut positions = vec![0.0; self.robot.model.joints.len()];
        for (joint, angle) in self.robot.neck.into_iter().zip(self.neck_rad) {
            positions[joint] = angle;
        }
        let mut links = Vec::new();
        let robot = &self.robot;
        robot
            .kinematics
            .forward(&robot.model, &positions, &mut links);
        links
    }

    /// The head's pose in the world.
    pub fn head(&self) -> Pose {
        base_pose(self.body.place()) * self.links()[self.robot.head]
    }

    /// What a camera sees now, rgb8; the number counts from 0.
    ///
    /// # Errors
    /// A camera that cannot be.
    pub fn look(&mut self, camera: usize) -> Result<Vec<u8>, WhiskEyeError> {
        let begun = Instant::now();
        let head = self.head();
        let head = render::Pose {
            p: head.translation,
            q: head.rotation,
        };
        let eye = &mut self.eyes[camera];
        let image = eye.look(&self.scene, &head, self.senses.image_noise);
        self.time[1] += begun.elapsed();
        image.map_err(|source| WhiskEyeError::Render {
            camera: self.eyes[camera].name.clone(),
            source,
        })
    }

    /// Changes the light.
    pub fn set_light(&mut self, light: Daylight) {
        light.fall_on(&mut self.scene);
    }

    /// Angles of the whiskers as measured, rad, and their deflections, forward and upward.
    pub fn felt(&self) -> (&[f32; WHISKERS], &[f32; 2 * WHISKERS]) {
        (&self.felt.0, &self.felt.1)
    }

    /// Angles of the neck: lift, pitch, yaw, rad.
    pub fn neck(&self) -> [f32; 3] {
        self.neck_rad
    }

    /// The base.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Names and optics of the cameras, in the order of [`WhiskEye::look`].
    pub fn cameras(&self) -> impl Iterator<Item = (&str, &Camera)> {
        self.eyes.iter().map(|eye| (eye.name.as_str(), &eye.camera))
    }

    /// The world.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Time since the start, ns; a reset does not set it back.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Wall-clock time spent in motion and touch, and in images. A report; nothing depends
    /// on it.
    pub fn time(&self) -> [Duration; 2] {
        self.time
    }
}

/// An angle on its way to another: a part of the way, at most so far, within limits. What is
/// not finite is no command.
fn approach(angle: f32, wanted: f32, limits: [f32; 2], most: f32, follow: f32) -> f32 {
    if !wanted.is_finite() {
        return angle;
    }
    let wanted = wanted.clamp(limits[0], limits[1]);
    angle + ((wanted - angle) * follow).clamp(-most, most)
}

impl Robot {
    /// The model that has the neck, and its index; what is missing otherwise.
    fn find(world: &World) -> Result<(usize, Self), String> {
        let has = |model: &Model, name: &str| model.joints.iter().position(|j| j.name == name);
        let models = world.models.iter().enumerate();
        let found = models.into_iter().find(|(_, m)| has(m, NECK[0]).is_some());
        let (index, model) = found.ok_or(format!("none has a joint \"{}\"", NECK[0]))?;
        let joint = |name: &str| has(model, name).ok_or(format!("it has no joint \"{name}\""));
        let neck = [joint(NECK[0])?, joint(NECK[1])?, joint(NECK[2])?];
        let head = model.joints[neck[2]].child;
        let mut whiskers = Vec::with_capacity(WHISKERS);
        for i in 0..WHISKERS {
            let name = format!("whisker_{}{}_joint", i / COLUMNS, i % COLUMNS);
            let whisker = Whisker::of(model, head, &model.joints[joint(&name)?]);
            whiskers.push(whisker.ok_or(format!("the link of \"{name}\" has no cylinder"))?);
        }
        let whiskers = whiskers.try_into();
        let mut parts = Vec::new();
        for (l, link) in model.links.iter().enumerate() {
            // Rods collide in Gazebo alone: here a whisker feels by where it would bend.
            let rod = link.name.starts_with("whisker_");
            for collision in link.collisions.iter().filter(|_| !rod) {
                if let Some((shape, turn)) = surroundings::solid_of(collision.shape) {
                    parts.push((l, shape, surroundings::turned(collision.pose, turn)));
                }
            }
        }
        let robot = Robot {
            kinematics: Kinematics::new(model),
            neck,
            head,
            parts,
            whiskers: whiskers.map_err(|_| "it has not 24 whiskers".to_owned())?,
            model: model.clone(),
        };
        Ok((index, robot))
    }

    fn eyes(&self, width: u32, seed: u64) -> Vec<Eye> {
        // SDF's cameras look along x with z up.
        let optical = Quat::from_mat3(&Mat3::from_cols(
            -glam::Vec3::Y,
            -glam::Vec3::Z,
            glam::Vec3::X,
        ));
        let sensors = self.model.links[self.head].sensors.iter().enumerate();
        let eyes = sensors.map(|(i, sensor)| {
            let full = camera_of(sensor);
            let height = (width * full.height).div_ceil(full.width).max(1);
            let camera = Camera::from_horizontal_fov(width, height, sensor.horizontal_fov);
            let in_head = render::Pose {
                p: sensor.pose.translation,
                q: sensor.pose.rotation * optical,
            };
            Eye::new(&sensor.name, camera, in_head, seed ^ (i as u64 + 1) << 48)
        });
        eyes.collect()
    }

    /// What collides, in the frame of the robot whose links are here.
    fn parts(&self, links: &[Pose]) -> Vec<Part<'_>> {
        let parts = self.parts.iter();
        parts
            .map(|(l, shape, at)| (shape, links[*l] * *at))
            .collect()
    }
}

/// What stands in the world as it is seen; the robot does not see itself.
fn visuals<'a>(models: impl Iterator<Item = &'a Model>) -> Result<Vec<Visual>, UnknownTexture> {
    let mut visuals = Vec::new();
    for (m, model) in models.enumerate() {
        for link in &model.links {
            for visual in &link.visuals {
                let at = model.pose * link.pose * visual.pose;
                let (shape, turn) = shape_of(visual.shape);
                let mut material = Material::matt(visual.diffuse);
                if let Some(name) = &visual.texture {
                    // Walls of one texture look alike: every one has the same seed.
                    material.texture = Some(Texture::new(name, 0)?);
                }
                visuals.push(Visual {
                    shape,
                    pose: render::Pose {
                        p: at.translation,
                        q: at.rotation * turn,
                    },
                    material,
                    body: m as u32,
                    // Posters lie on walls; only what is felt throws shadows.
                    shadow: !link.collisions.is_empty(),
                });
            }
        }
    }
    Ok(visuals)
}

#[cfg(test)]
mod tests;
