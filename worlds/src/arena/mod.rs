//! A small robot that goes about on textured ground: a kinematic base that slips and is
//! blown aside, a compass, odometry, a scanner, and an event camera that looks down.
//!
//! The base goes where its wheels push it, less what they slip, plus what the wind adds:
//! or, if it flies, where its thrust and the drag of the air take it ([`Body`]). There are no masses, no contacts but with obstacles, which stop it. Why is said in
//! `docs/decisions/0018-a-body-for-path-integration.md`. Everything random comes from
//! the seeds.

mod base;
pub(crate) mod noise;

pub use base::{Base, Body, Command, Disturbances, Obstacle, Place};

use glam::{Mat3, Quat, Vec3};
use noise::Wander;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::Event;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::event_camera::{EventCamera, EventCameraError, Stats, standard_normal};
use crate::render::{Camera, Light, Material, Pose, Scene, Shape, Visual};
use crate::sdf::{self, Model, SdfError, World};
use crate::textures::{self, UnknownTexture};
use crate::vision::{camera_of, params_of, shape_of};

/// Farthest that the scanner sees, m.
pub const SCAN_RANGE_M: f64 = 5.0;
/// Nearest.
pub const SCAN_NEAREST_M: f64 = 0.05;

/// Errors of the compass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompassErrors {
    /// Of each reading, standard deviation in rad.
    pub noise_rad: f64,
    /// That drifts, standard deviation in rad.
    pub drift_rad: f64,
    /// Time in which the drift forgets what it was, s.
    pub drift_time_s: f64,
}

/// Why an arena cannot be made or run.
#[derive(Debug, thiserror::Error)]
pub enum ArenaError {
    /// The world file.
    #[error(transparent)]
    Sdf(#[from] SdfError),
    /// No robot.
    #[error("{file}: no model has an event camera; give one a camera with <saccade:event_camera/>")]
    NoRobot {
        /// The world file.
        file: String,
    },
    /// A texture that nobody draws.
    #[error(transparent)]
    Texture(#[from] UnknownTexture),
    /// The camera.
    #[error("camera \"{camera}\": {source}")]
    Camera {
        /// Its name.
        camera: String,
        /// Why.
        source: EventCameraError,
    },
}

/// The robot, its senses and the ground.
pub struct Arena {
    world: World,
    scene: Scene,
    /// Name of the camera, and its pose in the robot's frame.
    camera: (String, Pose),
    eye: EventCamera,
    base: Base,
    compass: CompassErrors,
    drift: Wander,
    rng: ChaCha8Rng,
    seed: u64,
    obstacles: usize,
    now_ns: u64,
    time: Duration,
}

impl Arena {
    /// Loads a world: everything but the first model with an event camera stands, and
    /// that is the robot. The camera's fixed pattern comes from `seed`. So many
    /// `obstacles` are put up.
    ///
    /// # Errors
    /// A world file that cannot be used.
    pub fn load(
        file: &Path,
        seed: u64,
        body: Body,
        disturbances: Disturbances,
        compass: CompassErrors,
        obstacles: usize,
    ) -> Result<Self, ArenaError> {
        let world = World::load(file)?;
        let robot = world
            .models
            .iter()
            .find_map(|model| Some((model, eye_of(model)?)));
        let Some((model, (link, sensor))) = robot else {
            return Err(ArenaError::NoRobot {
                file: file.display().to_string(),
            });
        };
        let at = link.pose * sensor.pose;
        // SDF's cameras look along x with z up.
        let optical = Quat::from_mat3(&Mat3::from_cols(-Vec3::Y, -Vec3::Z, Vec3::X));
        let mut camera = (
            sensor.name.clone(),
            Pose {
                p: at.translation,
                q: at.rotation * optical,
            },
        );
        camera.1.p.z += model.pose.translation.z;
        let params = sensor.event_camera.as_ref().map(params_of);
        let eye = EventCamera::new(&params.unwrap_or_default(), camera_of(sensor), seed);
        let eye = eye.map_err(|source| ArenaError::Camera {
            camera: camera.0.clone(),
            source,
        })?;
        let mut arena = Arena {
            scene: Scene {
                visuals: Vec::new(),
                light: Light::default(),
                sky: [0.3, 0.32, 0.35],
            },
            base: Base::new(body, disturbances),
            world,
            camera,
            eye,
            compass,
            drift: Wander::new(compass.drift_rad, compass.drift_time_s),
            rng: ChaCha8Rng::seed_from_u64(seed),
            seed,
            obstacles,
            now_ns: 0,
            time: Duration::ZERO,
        };
        arena.reset(0)?;
        Ok(arena)
    }

    /// A new ground, wind and noise from `seed` and that of the arena; the robot stands
    /// at the origin and looks anywhere.
    ///
    /// # Errors
    /// A texture that nobody draws.
    pub fn reset(&mut self, seed: u64) -> Result<(), ArenaError> {
        self.rng = ChaCha8Rng::seed_from_u64(self.seed.rotate_left(32) ^ seed);
        let yaw_rad = self
            .rng
            .random_range(-std::f64::consts::PI..std::f64::consts::PI);
        let obstacles = (0..self.obstacles).map(|_| Obstacle::draw(&mut self.rng));
        let obstacles: Vec<Obstacle> = obstacles.collect();
        self.scene.visuals = visuals(&self.world, seed)?;
        self.scene.visuals.extend(obstacles.iter().map(pillar));
        self.base.reset(yaw_rad, obstacles, &mut self.rng);
        self.drift.restart(&mut self.rng);
        let pose = self.eye_pose();
        let noise_seed = self.rng.random();
        let begun = self
            .eye
            .reset(self.now_ns / 1000, noise_seed, &self.scene, &pose);
        begun.map_err(|source| self.camera_error(source))
    }

    /// Goes on by `dt_ns` with the base commanded so; appends what the camera sees.
    ///
    /// # Errors
    /// A pose that is not finite: a command that was not.
    pub fn step(
        &mut self,
        dt_ns: u64,
        command: Command,
        out: &mut Vec<Event>,
    ) -> Result<(), ArenaError> {
        self.now_ns += dt_ns;
        let dt_s = dt_ns as f64 * 1e-9;
        self.base.step(dt_s, command, &mut self.rng);
        self.drift.step(dt_s, &mut self.rng);
        let begun = Instant::now();
        let pose = self.eye_pose();
        let seen = self
            .eye
            .advance(self.now_ns / 1000, &self.scene, &pose, out);
        self.time += begun.elapsed();
        seen.map_err(|source| self.camera_error(source))
    }

    fn camera_error(&self, source: EventCameraError) -> ArenaError {
        ArenaError::Camera {
            camera: self.camera.0.clone(),
            source,
        }
    }

    fn eye_pose(&self) -> Pose {
        let place = self.base.place();
        let robot = Pose {
            p: Vec3::new(place.at_m[0] as f32, place.at_m[1] as f32, 0.0),
            q: Quat::from_rotation_z(place.yaw_rad as f32),
        };
        robot.compose(&self.camera.1)
    }

    /// What the compass says now: the yaw with its errors, rad. Every call is a reading.
    pub fn read_compass(&mut self) -> f64 {
        let noise = self.compass.noise_rad * f64::from(standard_normal(&mut self.rng));
        self.base.place().yaw_rad + self.drift.value() + noise
    }

    /// Distances to obstacles in `rays` directions from -`angle_rad` to `angle_rad`, m;
    /// infinite where there is none within [`SCAN_RANGE_M`].
    pub fn scan(&self, angle_rad: f64, rays: usize) -> Vec<f32> {
        let step = 2.0 * angle_rad / (rays.max(2) - 1) as f64;
        let ray = |i: usize| self.base.ray_m(i as f64 * step - angle_rad) as f32;
        (0..rays).map(ray).collect()
    }

    /// The base.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// The camera's name, its optical model, and its height over the ground in m.
    pub fn camera(&self) -> (&str, &Camera, f64) {
        let (name, pose) = &self.camera;
        (name, self.eye.camera(), f64::from(pose.p.z))
    }

    /// The camera's pose in the robot's frame.
    pub fn camera_pose(&self) -> &Pose {
        &self.camera.1
    }

    /// Length of a step of the world file, ns.
    pub fn step_ns(&self) -> u64 {
        self.world.step_ns
    }

    /// Time since the start, ns; a reset does not set it back.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Counts of the camera.
    pub fn stats(&self) -> Stats {
        self.eye.stats()
    }

    /// Wall-clock time spent in the camera. A report; nothing depends on it.
    pub fn time(&self) -> Duration {
        self.time
    }
}

/// The first event camera of a model and the link it is on.
fn eye_of(model: &Model) -> Option<(&sdf::Link, &sdf::Sensor)> {
    let sensors = model
        .links
        .iter()
        .flat_map(|link| link.sensors.iter().map(move |sensor| (link, sensor)));
    sensors.into_iter().find(|(_, s)| s.event_camera.is_some())
}

/// What stands in the world, the robot left out: it does not see itself.
fn visuals(world: &World, seed: u64) -> Result<Vec<Visual>, UnknownTexture> {
    let mut visuals = Vec::new();
    let standing = world.models.iter().filter(|m| eye_of(m).is_none());
    for (m, model) in standing.enumerate() {
        for link in &model.links {
            for visual in &link.visuals {
                let at = model.pose * link.pose * visual.pose;
                let (shape, turn) = shape_of(visual.shape);
                let material = match &visual.texture {
                    Some(name) => textures::table_material(name, seed)?,
                    None => Material::matt(visual.diffuse),
                };
                visuals.push(Visual {
                    shape,
                    pose: Pose {
                        p: at.translation,
                        q: at.rotation * turn,
                    },
                    material,
                    body: m as u32,
                    shadow: false,
                });
            }
        }
    }
    Ok(visuals)
}

fn pillar(obstacle: &Obstacle) -> Visual {
    Visual {
        shape: Shape::Cylinder {
            radius: obstacle.radius_m as f32,
            half_length: 0.25,
        },
        pose: Pose {
            p: Vec3::new(obstacle.at_m[0] as f32, obstacle.at_m[1] as f32, 0.25),
            q: Quat::IDENTITY,
        },
        material: Material::matt([0.6; 3]),
        body: u32::MAX,
        shadow: false,
    }
}

#[cfg(test)]
mod tests;
