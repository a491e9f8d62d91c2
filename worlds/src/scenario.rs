//! Random scenes: which object, how large, where, in which light.

use glam::{Quat, Vec3};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::physics::Placement;
use crate::sdf::{Pose, Role, World};

/// Which of two disjoint families of scenes to draw from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// Sizes and textures for training.
    Train,
    /// Sizes and textures that training never sees.
    Test,
    /// All of them.
    #[default]
    Any,
}

/// What scene to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SceneRequest {
    /// Everything random follows from it.
    pub seed: u64,
    /// Class of the object; `Some("background")` is an empty table, `None` draws
    /// one (an empty table as often as each class, none that comes on request only).
    pub label: Option<String>,
    /// Where sizes and textures come from.
    pub split: Split,
}

/// The object of a scene.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectTruth {
    /// Index of its model in the world.
    pub model: usize,
    /// Pose before it settled; the origin is its lowest point.
    pub pose: Pose,
    /// Turn about the vertical, rad.
    pub yaw: f32,
    /// Size relative to the model's.
    pub scale: f32,
}

/// What a scene was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneTruth {
    /// Name of the class; "background" on an empty table.
    pub class: String,
    /// The object, if there is one.
    pub object: Option<ObjectTruth>,
}

/// Why a scene cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SceneError {
    /// The world has no area for objects.
    #[error(
        "the world \"{0}\" has no object area; add <saccade:area center=\"x y z\" size=\"x y\"/>"
    )]
    NoArea(String),
    /// The world has no object of the class.
    #[error(
        "no object of class \"{class}\"; the world \"{world}\" has {known:?} and \"background\""
    )]
    NoClass {
        /// Asked for.
        class: String,
        /// World.
        world: String,
        /// Its classes.
        known: Vec<String>,
    },
}

/// Name of the class of an empty table.
pub const BACKGROUND: &str = "background";

/// Sizes are within 15 %.
const SCALE: [f32; 2] = [0.85, 1.15];
/// Size bands: the even ones are for training, the odd ones for testing.
const BANDS: u32 = 6;

impl SceneTruth {
    /// A world before its first scene.
    #[must_use]
    pub fn empty(_world: &World) -> Self {
        Self {
            class: BACKGROUND.to_owned(),
            object: None,
        }
    }
}

/// Draws a scene: what it is made of and where every model of the world goes.
///
/// # Errors
///
/// [`SceneError`] if the world cannot give it.
pub fn draw(
    world: &World,
    request: &SceneRequest,
) -> Result<(SceneTruth, Vec<Placement>), SceneError> {
    let area = world
        .area
        .ok_or_else(|| SceneError::NoArea(world.name.clone()))?;
    let mut rng = ChaCha8Rng::seed_from_u64(request.seed);
    let mut objects: Vec<(usize, &str)> = Vec::new();
    let mut common = Vec::new();
    for (i, model) in world.models.iter().enumerate() {
        if let Role::Object { class, on_request } = &model.role {
            objects.push((i, class.as_str()));
            if !on_request {
                common.push((i, class.as_str()));
            }
        }
    }
    // Drawn always, so that asking for the class that would have come anyway gives
    // the same scene.
    let drawn = rng.random_range(0..=common.len());
    let chosen = match request.label.as_deref() {
        None => common.get(drawn).copied(),
        Some(BACKGROUND) => None,
        Some(class) => {
            let found = objects.iter().find(|(_, c)| *c == class).copied();
            Some(found.ok_or_else(|| SceneError::NoClass {
                class: class.to_owned(),
                world: world.name.clone(),
                known: objects.iter().map(|(_, c)| (*c).to_owned()).collect(),
            })?)
        }
    };
    let scale = scale(request.split, &mut rng);
    let yaw = rng.random_range(-std::f32::consts::PI..std::f32::consts::PI);
    let spread = Vec3::new(
        rng.random_range(-0.5..0.5) * area.size[0],
        rng.random_range(-0.5..0.5) * area.size[1],
        0.0,
    );
    let pose = Pose::from_parts(area.center + spread, Quat::from_rotation_z(yaw));
    let mut placements: Vec<Placement> = world
        .models
        .iter()
        .map(|m| Placement {
            pose: m.pose,
            scale: 1.0,
            // Of the objects only the one that was drawn.
            present: !matches!(m.role, Role::Object { .. }),
        })
        .collect();
    let object = chosen.map(|(model, _)| ObjectTruth {
        model,
        pose,
        yaw,
        scale,
    });
    if let Some(o) = &object {
        placements[o.model] = Placement {
            pose,
            scale,
            present: true,
        };
    }
    let truth = SceneTruth {
        class: chosen.map_or(BACKGROUND, |(_, class)| class).to_owned(),
        object,
    };
    Ok((truth, placements))
}

fn scale(split: Split, rng: &mut ChaCha8Rng) -> f32 {
    let band = rng.random_range(0..BANDS / 2) * 2;
    let within: f32 = rng.random_range(0.0..1.0);
    let any = rng.random_range(0..2u32);
    let band = band
        + match split {
            Split::Train => 0,
            Split::Test => 1,
            Split::Any => any,
        };
    SCALE[0] + (SCALE[1] - SCALE[0]) * (band as f32 + within) / BANDS as f32
}
