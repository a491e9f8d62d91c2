//! What compass and optic flow send: Poisson spikes.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::columns::{FULL_RATE_HZ, NEURONS};
use crate::real::Real;

/// Bundles of axons from the senses, one for each cell that they drive, with as many axons
/// as the cell's column has neurons.
#[derive(Clone, Debug)]
pub(super) struct Axons<const N: usize> {
    /// Spikes per tick that a bundle sends on average.
    rate: [f32; N],
    /// What `rate` has still to sum up to until the next spike of a bundle.
    left: [f32; N],
    rng: ChaCha8Rng,
}

impl<const N: usize> Axons<N> {
    pub(super) fn new(mut rng: ChaCha8Rng) -> Self {
        Self {
            rate: [0.0; N],
            left: std::array::from_fn(|_| exponential(&mut rng)),
            rng,
        }
    }

    /// Sets the activities, of which 1 is the highest. What is not a number is 0.
    pub(super) fn set(&mut self, activities: [f64; N]) {
        for (rate, activity) in self.rate.iter_mut().zip(activities) {
            // Not clamp: it hands NaN on.
            let activity = if activity > 0.0 {
                activity.min(1.0)
            } else {
                0.0
            };
            *rate = full_rate() * activity as f32;
        }
    }

    /// Spikes of each bundle in a tick.
    pub(super) fn tick(&mut self) -> [f32; N] {
        let mut spikes = [0.0; N];
        for (i, spikes) in spikes.iter_mut().enumerate() {
            self.left[i] -= self.rate[i];
            while self.left[i] < 0.0 {
                *spikes += 1.0;
                self.left[i] += exponential(&mut self.rng);
            }
        }
        spikes
    }
}

/// The synapses on which the axons end.
#[derive(Clone, Debug)]
pub(super) struct Synapses<const N: usize> {
    /// Traces of the spikes, in units of activity.
    trace: [f32; N],
    keep: f32,
    add: f32,
}

impl<const N: usize> Synapses<N> {
    pub(super) fn new(synapse_ms: f32) -> Self {
        let keep = (-1.0 / synapse_ms).exp();
        Self {
            trace: [0.0; N],
            keep,
            add: (1.0 - keep) / full_rate(),
        }
    }

    pub(super) fn trace(&self) -> &[f32; N] {
        &self.trace
    }

    /// A tick in which so many spikes came through each bundle.
    pub(super) fn tick(&mut self, spikes: &[f32; N]) {
        for (trace, spikes) in self.trace.iter_mut().zip(spikes) {
            let next = self.keep * *trace + self.add * spikes;
            *trace = next.unless_below(f32::TINY);
        }
    }
}

/// Spikes per tick of a bundle whose activity is 1.
fn full_rate() -> f32 {
    FULL_RATE_HZ as f32 * 1e-3 * NEURONS as f32
}

fn exponential(rng: &mut ChaCha8Rng) -> f32 {
    -(1.0 - rng.random::<f32>()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Mean and variance of the number of spikes in 1 s are those of a Poisson process.
    #[test]
    fn spikes_are_poisson() {
        let mut axons = Axons::<2>::new(ChaCha8Rng::seed_from_u64(1));
        axons.set([0.5, f64::NAN]);
        let counts: Vec<f64> = (0..400)
            .map(|_| {
                let ticks = (0..1000).map(|_| axons.tick());
                let sum = ticks.fold([0.0; 2], |sum, n| [sum[0] + n[0], sum[1] + n[1]]);
                assert_eq!(sum[1], 0.0);
                f64::from(sum[0])
            })
            .collect();
        let mean = counts.iter().sum::<f64>() / 400.0;
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 399.0;
        // Standard errors 0.77 and 17.
        assert!((mean - 240.0).abs() < 4.0, "{mean}");
        assert!((variance - 240.0).abs() < 70.0, "{variance}");
    }
}
