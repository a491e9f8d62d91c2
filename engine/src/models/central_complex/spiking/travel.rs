//! Where the agent goes, which need not be where it looks.
//!
//! Sixteen columns (PFN cells) see the heading through synapses that flow makes stronger or
//! weaker: their weight `y` is a slow trace of the spikes of the flow neurons of their side,
//! TN2 less TN1. A ring of eight columns adds up the two halves, each turned by the eighth
//! of a circle that its flow neuron looks aside, and is silent in the direction of travel as
//! TB1 is in that of the heading (the fly's: Lyu et al., Nature 601, 92 (2022)). The trace
//! is slow and the heading is not: how far off its nose an agent is carried changes slowly,
//! and one that turned by the heading of a second ago would circle.

use super::columns::{FULL_RATE_HZ, NEURONS};

/// Time constant of the weights in ms.
const TAU_MS: f32 = 1000.0;
/// What a weight makes of the heading: at the speed of the way home the ring's bump is then
/// as high as that of TB1.
const GAIN: f32 = 1.1;

/// The weights to the right and to the left, in units of flow.
#[derive(Clone, Debug)]
pub(super) struct TravelSynapses {
    weights: [f32; 2],
    keep: f32,
    add: f32,
}

impl TravelSynapses {
    pub(super) fn new() -> Self {
        let keep = (-1.0 / TAU_MS).exp();
        let full = FULL_RATE_HZ as f32 * 1e-3 * NEURONS as f32;
        Self {
            weights: [0.0; 2],
            keep,
            add: (1.0 - keep) / full,
        }
    }

    /// A millisecond in which so many spikes of flow came from the right and the left.
    pub(super) fn tick(&mut self, flow: [f32; 2]) {
        for (w, spikes) in self.weights.iter_mut().zip(flow) {
            *w = self.keep * *w + self.add * spikes;
        }
    }

    /// What drives the PFN cells where the TB1 columns left the traces `heading`.
    pub(super) fn drive(&self, heading: &[f32; 8]) -> [f32; 16] {
        let mean = heading.iter().sum::<f32>() / 8.0;
        std::array::from_fn(|i| 0.5 + GAIN * self.weights[i / 8] * (mean - heading[i % 8]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_of_a_side_opens_its_synapses_and_they_close_again() {
        let mut synapses = TravelSynapses::new();
        let mut heading = [0.5; 8];
        (heading[2], heading[6]) = (0.0, 1.0);
        // A fifth of the spikes that full flow sends.
        (0..5000).for_each(|_| synapses.tick([0.2 * 0.48, 0.0]));
        let drive = synapses.drive(&heading);
        assert!(
            (drive[2] - 0.5 - GAIN * 0.2 * 0.5).abs() < 2e-3,
            "{drive:?}"
        );
        assert!(
            (drive[6] - 0.5 + GAIN * 0.2 * 0.5).abs() < 2e-3,
            "{drive:?}"
        );
        assert_eq!(drive[8..], [0.5; 8]);
        (0..1000).for_each(|_| synapses.tick([0.0; 2]));
        let left = (synapses.drive(&heading)[2] - 0.5) / (drive[2] - 0.5);
        assert!((left - (-1.0_f32).exp()).abs() < 1e-3, "{left}");
    }
}
