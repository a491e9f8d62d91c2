//! The task: is a grating's orientation, seen and felt through noise, above 45°?

use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// Orientations above it are one class, those below the other, in degrees.
pub const BOUNDARY_DEG: f64 = 45.0;

/// Orientations learnt from, in degrees: wider than those tested, so that edges do not tell.
/// They lie on a line and are not wrapped.
pub const TRAINED_DEG: Range<f64> = -270.0..360.0;

/// Orientations tested, in degrees.
pub const TESTED_DEG: Range<f64> = -135.0..225.0;

/// Detectors of each modality.
pub const DETECTORS: usize = 70;

/// First and last preferred orientation of the detectors, in degrees.
const PREFERRED_DEG: [f64; 2] = [-315.0, 405.0];

/// Rate of a detector far from its preferred orientation.
pub const LOW_RATE: f64 = 0.75;

/// What its preferred orientation adds to it.
const GAIN: f64 = 15.25;

/// Standard deviation of the noise in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Of what is seen.
    pub visual_deg: f64,
    /// Of what is felt.
    pub tactile_deg: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Noise {
            visual_deg: 13.5,
            tactile_deg: 28.5,
        }
    }
}

impl Noise {
    /// Checks that both lie within 0.1° to 180°.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names what lies outside.
    pub fn validate(&self) -> Result<()> {
        check("cue_integration.visual_deg", self.visual_deg, 0.1, 180.0)?;
        check("cue_integration.tactile_deg", self.tactile_deg, 0.1, 180.0)
    }
}

/// What is seen and felt of one orientation, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stimulus {
    /// Seen.
    pub visual_deg: f64,
    /// Felt.
    pub tactile_deg: f64,
}

impl Stimulus {
    /// Draws what is seen and felt of an orientation.
    pub fn draw(orientation_deg: f64, noise: Noise, rng: &mut ChaCha8Rng) -> Self {
        let mut noisy = |deg: f64| {
            let normal: f64 = rng.sample(StandardNormal);
            orientation_deg + deg * normal
        };
        Stimulus {
            visual_deg: noisy(noise.visual_deg),
            tactile_deg: noisy(noise.tactile_deg),
        }
    }

    /// What an observer decides that knows both noises: the maximum of the posterior.
    pub fn optimal(&self, noise: Noise) -> bool {
        let (v, t) = (noise.visual_deg.powi(-2), noise.tactile_deg.powi(-2));
        (v * self.visual_deg + t * self.tactile_deg) / (v + t) > BOUNDARY_DEG
    }

    /// What an observer decides that trusts both senses alike.
    pub fn unweighted(&self) -> bool {
        f64::midpoint(self.visual_deg, self.tactile_deg) > BOUNDARY_DEG
    }
}

/// Rates of the detectors of one modality for an orientation.
pub fn rates(orientation_deg: f64, rates: &mut [f64]) {
    let [first, last] = PREFERRED_DEG;
    let step = (last - first) / (DETECTORS - 1) as f64;
    for (k, rate) in rates.iter_mut().enumerate() {
        let apart = (orientation_deg - (first + step * k as f64)).to_radians();
        *rate = LOW_RATE + GAIN * (-3.0 * apart * apart).exp();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observers_by_hand() {
        let noise = Noise {
            visual_deg: 1.0,
            tactile_deg: 2.0,
        };
        // (4 * 44 + 48) / 5 = 44.8, but (44 + 48) / 2 = 46.
        let stimulus = Stimulus {
            visual_deg: 44.0,
            tactile_deg: 48.0,
        };
        assert!(!stimulus.optimal(noise));
        assert!(stimulus.unweighted());
    }

    #[test]
    fn detectors_by_hand() {
        let mut all = [0.0; DETECTORS];
        rates(-315.0, &mut all);
        assert_eq!(all[0], 16.0);
        // One step of 720/69 degrees is 0.18212 rad: exp(-3 * 0.033168) = 0.90529.
        assert!((all[1] - (0.75 + 15.25 * 0.90529)).abs() < 1e-3);
        assert!((all[69] - 0.75).abs() < 1e-12);
    }
}
