//! What the body sends: compass and flow as spikes.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;

use super::axons::Axons;
use crate::models::central_complex::noise::{NoiseSource, Population};
use crate::models::central_complex::rate::flow;

/// Bundles of axons from the compass: one for each TL cell.
pub(crate) const COMPASS_BUNDLES: usize = 16;
/// Bundles of axons from the flow: to the right and left, forwards and then backwards.
pub(crate) const FLOW_BUNDLES: usize = 4;

/// By how much the compass's axons fire more, in units of activity, where the agent looks,
/// and less behind it. With the rate model's narrow response the bump of so few columns
/// sticks to them: 8 degrees off between two of them, against less than one.
const COMPASS_SWING: f64 = 0.4;
/// Spikes of each bundle in a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct AxonSpikes {
    pub compass: [f32; COMPASS_BUNDLES],
    pub flow: [f32; FLOW_BUNDLES],
}

/// Turns heading and velocity into spikes.
#[derive(Clone, Debug)]
pub(crate) struct Senses {
    compass: Axons<COMPASS_BUNDLES>,
    flow: Axons<FLOW_BUNDLES>,
}

impl Senses {
    pub(super) fn new(compass: ChaCha8Rng, flow: ChaCha8Rng) -> Self {
        Self {
            compass: Axons::new(compass),
            flow: Axons::new(flow),
        }
    }

    /// What they see in the exchange that begins.
    pub(crate) fn see<N: NoiseSource>(
        &mut self,
        heading_rad: f64,
        velocity: [f64; 2],
        noise: &mut N,
    ) {
        let mut draws = [0.0; 16];
        noise.draw(Population::Tl, &mut draws);
        let seen = |i: usize| {
            let aside_rad = heading_rad - TAU * (i % 8) as f64 / 8.0;
            0.5 + COMPASS_SWING * aside_rad.cos()
        };
        self.compass
            .set(std::array::from_fn(|i| seen(i) + draws[i]));
        noise.draw(Population::Tn1, &mut draws[2..4]);
        noise.draw(Population::Tn2, &mut draws[..2]);
        let [right, left] = flow(heading_rad, velocity);
        let flow = [right, left, -right, -left];
        self.flow.set(std::array::from_fn(|i| flow[i] + draws[i]));
    }

    /// The spikes of a tick.
    pub(crate) fn tick(&mut self) -> AxonSpikes {
        AxonSpikes {
            compass: self.compass.tick(),
            flow: self.flow.tick(),
        }
    }
}

/// What is drawn for senses that are elsewhere: leaves `noise` as [`Senses::see`] does.
#[cfg(feature = "spinnaker")]
pub(crate) fn skip<N: NoiseSource>(noise: &mut N) {
    let mut draws = [0.0; 16];
    noise.draw(Population::Tl, &mut draws);
    noise.draw(Population::Tn1, &mut draws[2..4]);
    noise.draw(Population::Tn2, &mut draws[..2]);
}
