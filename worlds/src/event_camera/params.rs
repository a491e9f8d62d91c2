//! Parameters of the event camera and their ranges.

use serde::{Deserialize, Serialize};

/// Parameters of an event camera. 0 switches a part off where its range says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventCameraParams {
    /// Mean ON threshold, in log luminance, 0.01 to 5. 0.2 (v2e).
    pub contrast_on: f32,
    /// Mean OFF threshold, in log luminance, 0.01 to 5. 0.2 (v2e).
    pub contrast_off: f32,
    /// Standard deviation of thresholds between pixels, 0 to 1. 0.03 (v2e).
    pub contrast_sigma: f32,
    /// eps of ln(eps + I), where white is 1; 1e-6 to 1. 0.001 (ESIM).
    pub log_eps: f32,
    /// Refractory period in microseconds, 0 to 1e6. 100 (ESIM).
    pub refractory_us: f32,
    /// Bandwidth of a white pixel in Hz, 0 (no low-pass) to 1e6. 300 (v2e).
    pub cutoff_hz: f32,
    /// Mean rate of leak events per pixel in Hz, 0 to 1000. 0.1 (v2e).
    pub leak_rate_hz: f32,
    /// Spread of leak rates between pixels, in decades, 0 to 1. 0.1 (v2e).
    pub leak_sigma_decades: f32,
    /// Rate R of shot noise events per pixel in the dark, both polarities together,
    /// in Hz, 0 to 1000. 0.1 (ours: v2e has 0.001 by default and 5 for dim light).
    pub shot_noise_rate_hz: f32,
    /// Motion of the image in pixels below which it is not rendered again, 0 to 1.
    pub min_motion_px: f32,
    /// Motion of the image in pixels above which a step is cut, 0.01 to 100.
    pub max_motion_px: f32,
    /// Most parts that a step is cut into, 1 to 1000.
    pub max_parts: u32,
}

impl Default for EventCameraParams {
    fn default() -> Self {
        Self {
            contrast_on: 0.2,
            contrast_off: 0.2,
            contrast_sigma: 0.03,
            log_eps: 0.001,
            refractory_us: 100.0,
            cutoff_hz: 300.0,
            leak_rate_hz: 0.1,
            leak_sigma_decades: 0.1,
            shot_noise_rate_hz: 0.1,
            min_motion_px: 0.2,
            max_motion_px: 1.0,
            max_parts: 32,
        }
    }
}

impl EventCameraParams {
    /// Identical pixels without low-pass, refractory period or noise.
    pub fn ideal() -> Self {
        Self {
            contrast_sigma: 0.0,
            refractory_us: 0.0,
            cutoff_hz: 0.0,
            leak_rate_hz: 0.0,
            leak_sigma_decades: 0.0,
            shot_noise_rate_hz: 0.0,
            ..Self::default()
        }
    }

    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`ParamError`] for the first one that is NaN or out of range.
    pub fn validate(&self) -> Result<(), ParamError> {
        let ranges = [
            ("contrast_on", self.contrast_on, 0.01, 5.0),
            ("contrast_off", self.contrast_off, 0.01, 5.0),
            ("contrast_sigma", self.contrast_sigma, 0.0, 1.0),
            ("log_eps", self.log_eps, 1e-6, 1.0),
            ("refractory_us", self.refractory_us, 0.0, 1e6),
            ("cutoff_hz", self.cutoff_hz, 0.0, 1e6),
            ("leak_rate_hz", self.leak_rate_hz, 0.0, 1000.0),
            ("leak_sigma_decades", self.leak_sigma_decades, 0.0, 1.0),
            ("shot_noise_rate_hz", self.shot_noise_rate_hz, 0.0, 1000.0),
            ("min_motion_px", self.min_motion_px, 0.0, 1.0),
            ("max_motion_px", self.max_motion_px, 0.01, 100.0),
            ("max_parts", self.max_parts as f32, 1.0, 1000.0),
        ];
        for (name, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(ParamError {
                    name,
                    value,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }
}

/// A parameter of the event camera that is NaN or out of range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("event camera parameter `{name}` is {value}: it must be from {min} to {max}")]
pub struct ParamError {
    /// Name of the parameter.
    pub name: &'static str,
    /// The value given.
    pub value: f32,
    /// Smallest value allowed.
    pub min: f32,
    /// Largest value allowed.
    pub max: f32,
}
