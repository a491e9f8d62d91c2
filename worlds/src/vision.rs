//! What the cameras of a running world see: the renderer's scene kept in step
//! with the simulation, and a random look for every random scene.
//!
//! The look (table texture, light, colours, flat clutter) is drawn from the
//! scene's seed on a stream of its own, so that geometry and look do not
//! disturb each other. Clutter is seen, not felt: cards of a millimetre.

use glam::{Quat, Vec3};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::Event;
use std::time::{Duration, Instant};

use crate::event_camera::{self, EventCamera, EventCameraError, EventCameraParams, Stats};
use crate::render::{
    self, Camera, Light, Material, Pose, RenderError, Scene, Scratch, Shape, Visual,
};
use crate::scenario::{SceneRequest, Split};
use crate::sdf::{self, Role, World};
use crate::simulation::Simulation;
use crate::textures;

/// What is random about how a scene looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Name of the table's texture.
    pub texture: String,
    /// The table's surface.
    pub table: Material,
    /// The light.
    pub light: Light,
    /// Colour of the object's main part, linear RGB.
    pub object: [f32; 3],
    /// Cards that lie on the table.
    pub clutter: Vec<Visual>,
}

/// Most cards on a table.
const CARDS: u32 = 2;

impl Look {
    /// Draws the look of a scene: textures of the request's split, a light from
    /// above (elevation 35° to 80°), an object clearly lighter or darker than
    /// the table's middle grey, and up to two cards around the object area.
    ///
    /// # Errors
    /// None of the texture names is known: a bug of this crate.
    pub fn draw(world: &World, request: &SceneRequest) -> Result<Self, textures::UnknownTexture> {
        let mut rng = ChaCha8Rng::seed_from_u64(request.seed);
        rng.set_stream(1);
        let names: Vec<&str> = match request.split {
            Split::Train => textures::TRAIN.to_vec(),
            Split::Test => textures::TEST.to_vec(),
            Split::Any => textures::TRAIN.into_iter().chain(textures::TEST).collect(),
        };
        let texture = names[rng.random_range(0..names.len())];
        let table = textures::table_material(texture, rng.random())?;
        let light = draw_light(&mut rng);
        // Linear reflectance: dark 0.03-0.12 or light 0.75-0.95.
        let grey = if rng.random_bool(0.5) {
            rng.random_range(0.03..0.12)
        } else {
            rng.random_range(0.75..0.95)
        };
        let object = std::array::from_fn(|_| grey * rng.random_range(0.8..1.05_f32));
        let clutter = draw_clutter(world, &mut rng);
        Ok(Look {
            texture: texture.to_owned(),
            table,
            light,
            object,
            clutter,
        })
    }
}

fn draw_light(rng: &mut ChaCha8Rng) -> Light {
    let azimuth = rng.random_range(0.0..std::f32::consts::TAU);
    let elevation = rng.random_range(35.0_f32..80.0).to_radians();
    let level = rng.random_range(0.4..1.2);
    let direct = rng.random_range(0.4..0.8);
    Light {
        direction: Vec3::new(
            -elevation.cos() * azimuth.cos(),
            -elevation.cos() * azimuth.sin(),
            -elevation.sin(),
        ),
        intensity: level * direct,
        ambient: level * (1.0 - direct),
    }
}

fn draw_clutter(world: &World, rng: &mut ChaCha8Rng) -> Vec<Visual> {
    let Some(area) = world.area else {
        return Vec::new();
    };
    let cards = rng.random_range(0..=CARDS);
    let card = |_| {
        let half = Vec3::new(
            rng.random_range(0.01..0.045),
            rng.random_range(0.01..0.045),
            0.0005,
        );
        let at = Vec3::new(
            rng.random_range(-1.0..1.0) * area.size[0],
            rng.random_range(-1.0..1.0) * area.size[1],
            half.z,
        );
        let grey = rng.random_range(0.38..0.62_f32);
        Visual {
            shape: Shape::Box { half },
            pose: Pose {
                p: area.center + at,
                q: Quat::from_rotation_z(rng.random_range(0.0..std::f32::consts::PI)),
            },
            material: Material::matt([grey, grey * 0.95, grey * 0.9]),
            body: u32::MAX,
            shadow: false,
        }
    };
    (0..cards).map(card).collect()
}

/// What can go wrong with a world's cameras.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VisionError {
    /// A camera's parameters.
    #[error("camera \"{camera}\": {source}")]
    Camera {
        /// Name of the sensor.
        camera: String,
        /// Why.
        source: EventCameraError,
    },
    /// Rendering.
    #[error("camera \"{camera}\": {source}")]
    Render {
        /// Name of the sensor.
        camera: String,
        /// Why.
        source: RenderError,
    },
    /// No such camera.
    #[error("the world has no camera \"{camera}\"; it has {known:?}")]
    NoCamera {
        /// Asked for.
        camera: String,
        /// Its cameras.
        known: Vec<String>,
    },
    /// A texture name in the world file that nobody draws.
    #[error(transparent)]
    Texture(#[from] textures::UnknownTexture),
}

struct Eye {
    name: String,
    camera: EventCamera,
}

/// The cameras of a world.
pub struct Vision {
    scene: Scene,
    /// Model, link and pose in the link of each visual that follows a body.
    followers: Vec<(usize, usize, Pose)>,
    eyes: Vec<Eye>,
    /// Of the frame camera.
    scratch: Scratch,
    /// From where its last image was taken.
    seen_from: Option<Pose>,
    look: Look,
    time: Duration,
}

impl Vision {
    /// Makes the cameras of the simulation's world; their fixed patterns come
    /// from `seed`, so that it is one camera for the whole run.
    ///
    /// # Errors
    /// Camera parameters out of range.
    pub fn new(sim: &Simulation, seed: u64) -> Result<Self, VisionError> {
        let world = sim.world().clone();
        let mut eyes = Vec::new();
        for (i, (_, _, sensor)) in sim.cameras().enumerate() {
            let Some(params) = &sensor.event_camera else {
                continue;
            };
            let camera = EventCamera::new(
                &params_of(params),
                camera_of(sensor),
                seed ^ (i as u64) << 32,
            )
            .map_err(|source| VisionError::Camera {
                camera: sensor.name.clone(),
                source,
            })?;
            eyes.push(Eye {
                name: sensor.name.clone(),
                camera,
            });
        }
        let look = Look::draw(&world, &SceneRequest::default())?;
        let mut vision = Vision {
            scene: Scene {
                visuals: Vec::new(),
                light: look.light,
                sky: [0.3, 0.32, 0.35],
            },
            followers: Vec::new(),
            eyes,
            scratch: Scratch::default(),
            seen_from: None,
            look,
            time: Duration::ZERO,
        };
        vision.reset(sim, vision.look.clone(), seed)?;
        Ok(vision)
    }

    /// Looks at a new scene, without events: after [`Simulation::randomise`].
    ///
    /// # Errors
    /// Poses that are not finite.
    pub fn reset(
        &mut self,
        sim: &Simulation,
        look: Look,
        noise_seed: u64,
    ) -> Result<(), VisionError> {
        self.look = look;
        self.build(sim);
        self.follow(sim);
        for eye in &mut self.eyes {
            let pose = optical(sim, &eye.name);
            eye.camera
                .reset(sim.now_ns() / 1000, noise_seed, &self.scene, &pose)
                .map_err(|source| VisionError::Camera {
                    camera: eye.name.clone(),
                    source,
                })?;
        }
        Ok(())
    }

    /// Sees what happened since the last call; appends the events of the event
    /// camera `name` to `out`, in order of time.
    ///
    /// # Errors
    /// No such event camera; poses that are not finite.
    pub fn advance(
        &mut self,
        sim: &Simulation,
        name: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), VisionError> {
        let begun = Instant::now();
        self.follow(sim);
        let pose = optical(sim, name);
        let Some(eye) = self.eyes.iter_mut().find(|e| e.name == name) else {
            let known = self.eyes.iter().map(|e| e.name.clone()).collect();
            return Err(VisionError::NoCamera {
                camera: name.to_owned(),
                known,
            });
        };
        let seen = eye
            .camera
            .advance(sim.now_ns() / 1000, &self.scene, &pose, out);
        self.time += begun.elapsed();
        seen.map_err(|source| VisionError::Camera {
            camera: name.to_owned(),
            source,
        })
    }

    /// An rgb8 image of a frame camera, with its width and height in pixels.
    ///
    /// # Errors
    /// No such camera.
    pub fn render_rgb(
        &mut self,
        sim: &Simulation,
        name: &str,
    ) -> Result<(u32, u32, Vec<u8>), VisionError> {
        let begun = Instant::now();
        let Some((_, _, sensor)) = sim.cameras().find(|(_, _, s)| s.name == name) else {
            let known = sim.cameras().map(|(_, _, s)| s.name.clone()).collect();
            return Err(VisionError::NoCamera {
                camera: name.to_owned(),
                known,
            });
        };
        self.follow(sim);
        let camera = camera_of(sensor);
        let mut out = vec![0; camera.pixels() * 3];
        let pose = optical(sim, name);
        let nearest = self.scratch.nearest();
        let still = |from: &Pose| {
            event_camera::camera_motion_px(&camera, from, &pose, nearest)
                < event_camera::CAMERA_STILL_PX
        };
        let seen_from = self.seen_from.filter(still).unwrap_or(pose);
        self.seen_from = Some(seen_from);
        render::render_moving_rgb(
            &self.scene,
            &camera,
            &seen_from,
            &mut self.scratch,
            &mut out,
        )
        .map_err(|source| VisionError::Render {
            camera: name.to_owned(),
            source,
        })?;
        self.time += begun.elapsed();
        Ok((camera.width, camera.height, out))
    }

    /// The look of the scene.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// The pinhole model of a camera of the world.
    pub fn camera(sim: &Simulation, name: &str) -> Option<Camera> {
        sim.cameras()
            .find(|(_, _, s)| s.name == name)
            .map(|(_, _, s)| camera_of(s))
    }

    /// Counts of an event camera.
    pub fn stats(&self, name: &str) -> Option<Stats> {
        self.eyes
            .iter()
            .find(|e| e.name == name)
            .map(|e| e.camera.stats())
    }

    /// Wall-clock time spent in rendering and pixels so far. A report; nothing depends on it.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Lists the visuals: those of all models but unused objects, then the clutter.
    fn build(&mut self, sim: &Simulation) {
        self.scene.visuals.clear();
        self.followers.clear();
        self.scene.light = self.look.light;
        let present = sim.truth().object.as_ref().map(|o| o.model);
        for (m, model) in sim.world().models.iter().enumerate() {
            let is_object = matches!(model.role, Role::Object { .. });
            if is_object && Some(m) != present {
                continue;
            }
            let scale = sim.placements()[m].scale;
            for (l, link) in model.links.iter().enumerate() {
                for visual in &link.visuals {
                    let material = self.material(visual, is_object);
                    let (shape, turn) = shape_of(visual.shape.scaled(scale));
                    let at = visual.pose;
                    let pose = Pose {
                        p: at.translation * scale,
                        q: at.rotation * turn,
                    };
                    self.followers.push((m, l, pose));
                    self.scene.visuals.push(Visual {
                        shape,
                        pose,
                        material,
                        body: m as u32,
                        shadow: is_object,
                    });
                }
            }
        }
        self.scene.visuals.extend(self.look.clutter.iter().cloned());
    }

    fn material(&self, visual: &sdf::Visual, is_object: bool) -> Material {
        if visual.texture.is_some() {
            return self.look.table.clone();
        }
        let mut material = Material::matt(visual.diffuse);
        if is_object {
            // The file's colour tints what the look drew.
            let brightest = visual.diffuse.into_iter().fold(0.05, f32::max);
            material.albedo = std::array::from_fn(|i| {
                (self.look.object[i] * (0.4 + 0.6 * visual.diffuse[i] / brightest)).min(1.0)
            });
            material.specular = 0.1;
        }
        material
    }

    fn follow(&mut self, sim: &Simulation) {
        for (visual, (model, link, local)) in self.scene.visuals.iter_mut().zip(&self.followers) {
            let at = sim.link_pose_at(*model, *link);
            visual.pose = Pose {
                p: at.translation,
                q: at.rotation,
            }
            .compose(local);
        }
    }
}

fn optical(sim: &Simulation, name: &str) -> Pose {
    sim.camera_pose(name).map_or(
        Pose {
            p: Vec3::NAN,
            q: Quat::IDENTITY,
        },
        |at| Pose {
            p: at.translation,
            q: at.rotation,
        },
    )
}

pub(crate) fn camera_of(sensor: &sdf::Sensor) -> Camera {
    Camera::from_horizontal_fov(
        sensor.image[0] as u32,
        sensor.image[1] as u32,
        sensor.horizontal_fov,
    )
}

pub(crate) fn params_of(from: &sdf::EventCamera) -> EventCameraParams {
    EventCameraParams {
        contrast_on: from.threshold_on,
        contrast_off: from.threshold_off,
        contrast_sigma: from.threshold_sigma,
        refractory_us: from.refractory_us as f32,
        leak_rate_hz: from.leak_rate_hz,
        shot_noise_rate_hz: from.shot_noise_rate_hz,
        ..EventCameraParams::default()
    }
}

/// The renderer's shape, and the turn that brings its axis to the file's.
pub(crate) fn shape_of(shape: sdf::Shape) -> (Shape, Quat) {
    match shape {
        sdf::Shape::Box { size } => (Shape::Box { half: size * 0.5 }, Quat::IDENTITY),
        sdf::Shape::Sphere { radius } => (Shape::Sphere { radius }, Quat::IDENTITY),
        sdf::Shape::Cylinder { radius, length } => (
            Shape::Cylinder {
                radius,
                half_length: 0.5 * length,
            },
            Quat::IDENTITY,
        ),
        sdf::Shape::Capsule { radius, length } => (
            Shape::Capsule {
                radius,
                half_length: 0.5 * length,
            },
            Quat::IDENTITY,
        ),
        sdf::Shape::Plane { normal, .. } => (
            Shape::Plane,
            Quat::from_rotation_arc(Vec3::Z, normal.normalize_or(Vec3::Z)),
        ),
    }
}
