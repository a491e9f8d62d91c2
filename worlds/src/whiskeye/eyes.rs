//! Two colour cameras, by day, at dusk and in the dark.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::str::FromStr;

use crate::render::{self, Camera, Light, Pose, RenderError, Scene, Scratch};

/// How much light there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daylight {
    /// All of it.
    Day,
    /// 6 % of it: the cameras' noise is a large part of what they see.
    Dusk,
    /// None: they see noise.
    Dark,
}

/// A word that is none of the three.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("light is '{0}'; write day, dusk or dark")]
pub struct UnknownLight(pub String);

impl FromStr for Daylight {
    type Err = UnknownLight;

    fn from_str(word: &str) -> Result<Self, UnknownLight> {
        match word {
            "day" => Ok(Self::Day),
            "dusk" => Ok(Self::Dusk),
            "dark" => Ok(Self::Dark),
            _ => Err(UnknownLight(word.to_owned())),
        }
    }
}

/// Direct and ambient light of the day, and the sky.
const DIRECT: f32 = 0.6;
const AMBIENT: f32 = 0.4;
const SKY: [f32; 3] = [0.45, 0.55, 0.7];

impl Daylight {
    /// Part of the day's light.
    fn share(self) -> f32 {
        match self {
            Self::Day => 1.0,
            Self::Dusk => 0.06,
            Self::Dark => 0.0,
        }
    }

    /// Puts a scene in this light.
    pub fn fall_on(self, scene: &mut Scene) {
        let share = self.share();
        scene.light = Light {
            intensity: DIRECT * share,
            ambient: AMBIENT * share,
            ..scene.light
        };
        scene.sky = SKY.map(|c| c * share);
    }
}

/// A camera.
pub struct Eye {
    /// Its name in the world file.
    pub name: String,
    /// Its optics.
    pub camera: Camera,
    /// Its optical frame in the head's.
    pub in_head: Pose,
    scratch: Scratch,
    rng: ChaCha8Rng,
}

impl Eye {
    /// With noise from a seed.
    pub fn new(name: &str, camera: Camera, in_head: Pose, seed: u64) -> Self {
        Eye {
            name: name.to_owned(),
            camera,
            in_head,
            scratch: Scratch::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// An rgb8 image with noise of this standard deviation, in parts of 255.
    ///
    /// # Errors
    /// An impossible camera.
    pub fn look(&mut self, scene: &Scene, head: &Pose, noise: f32) -> Result<Vec<u8>, RenderError> {
        let mut image = vec![0; 3 * self.camera.pixels()];
        let pose = head.compose(&self.in_head);
        render::render_rgb(
            scene,
            &self.camera,
            &pose,
            None,
            &mut self.scratch,
            &mut image,
        )?;
        if noise > 0.0 {
            for value in &mut image {
                // Bits of 64 that are set: binomial, mean 32, standard deviation 4.
                let draw = self.rng.next_u64().count_ones() as f32 - 32.0;
                let noisy = f32::from(*value) + 255.0 * noise * 0.25 * draw;
                *value = noisy.round().clamp(0.0, 255.0) as u8;
            }
        }
        Ok(image)
    }
}
