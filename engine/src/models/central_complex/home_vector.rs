//! Reads the home vector out of a memory.

use std::f64::consts::TAU;

/// Where home is, seen from the agent, in the world's axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HomeVector {
    /// Heading towards home in rad (0 is +y, clockwise positive).
    pub heading_rad: f64,
    /// Distance in steps of length.
    pub distance: f64,
}

impl HomeVector {
    /// The first Fourier component of the two halves of a memory, each turned by the
    /// eighth of a circle that its flow neuron looks aside.
    pub(super) fn read(memory: &[f64; 16], length_per_unit: f64) -> Self {
        let (mut re, mut im) = (0.0, 0.0);
        for k in 0..8 {
            let m = memory[(k + 7) % 8] + memory[8 + (k + 1) % 8];
            let angle = TAU * k as f64 / 8.0;
            re += m * angle.cos();
            im += m * angle.sin();
        }
        Self {
            // The memory grew in the direction that the agent went.
            heading_rad: (-im).atan2(-re),
            distance: re.hypot(im) * length_per_unit,
        }
    }
}
