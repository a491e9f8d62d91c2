//! Errors that drift.

use crate::event_camera::standard_normal;
use rand_chacha::ChaCha8Rng;

/// A value that wanders about 0 (an Ornstein-Uhlenbeck process, stepped exactly).
#[derive(Debug, Clone, Copy)]
pub struct Wander {
    deviation: f64,
    time_s: f64,
    value: f64,
}

impl Wander {
    /// With this standard deviation; forgets itself in `time_s`.
    pub fn new(deviation: f64, time_s: f64) -> Self {
        Wander {
            deviation,
            time_s,
            value: 0.0,
        }
    }

    /// From anywhere.
    pub fn restart(&mut self, rng: &mut ChaCha8Rng) {
        self.value = self.deviation * f64::from(standard_normal(rng));
    }

    /// Goes on.
    pub fn step(&mut self, dt_s: f64, rng: &mut ChaCha8Rng) {
        let keep = (-dt_s / self.time_s).exp();
        let fresh = self.deviation * (1.0 - keep * keep).sqrt();
        self.value = keep * self.value + fresh * f64::from(standard_normal(rng));
    }

    /// What it is now.
    pub fn value(&self) -> f64 {
        self.value
    }
}
