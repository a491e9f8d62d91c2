//! A network, its weights and its input, the same for everybody who is measured.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::learning::optimizer::OptimizerConfig;
use saccade_engine::network::{Network, Topology};
use saccade_engine::neurons::{NeuronParams, Reset};
use std::str::FromStr;

/// Decay of the traces in a tick, of both the eligibility and the regularisation.
pub(super) const KAPPA: f64 = 0.95;
/// Firing rate that the regularisation pulls to, in Hz.
pub(super) const F_TARGET_HZ: f64 = 10.0;
/// What each readout is to be, all the time.
pub(super) const TARGET: f64 = 0.1;

/// Inputs, neurons and readouts, as `100/100/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub n_in: usize,
    pub n_rec: usize,
    pub n_out: usize,
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not inputs/neurons/readouts, such as 100/100/2");
        let parts = text
            .split('/')
            .map(str::parse)
            .collect::<Result<Vec<usize>, _>>();
        let Ok(&[n_in, n_rec, n_out]) = parts.as_deref() else {
            return Err(wrong());
        };
        let most = [(n_in, 1 << 14), (n_rec, 1 << 13), (n_out, 1 << 10)];
        if most.iter().any(|&(n, most)| n == 0 || n > most) {
            return Err(format!(
                "{text}: from 1 to 16384 inputs, 8192 neurons and 1024 readouts are measured"
            ));
        }
        Ok(Self { n_in, n_rec, n_out })
    }
}

impl std::fmt::Display for Sizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.n_in, self.n_rec, self.n_out)
    }
}

impl Sizes {
    /// Plastic synapses.
    pub fn synapses(&self) -> usize {
        self.n_rec * (self.n_in + self.n_rec - 1 + self.n_out)
    }
}

/// What is measured.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub sizes: Sizes,
    pub neurons: NeuronParams,
    pub optimizer: OptimizerConfig,
    /// Initial weights and feedback.
    pub network: Network<f64>,
    /// Inputs that spike in each tick, Poisson.
    pub inputs: Vec<Vec<u32>>,
}

impl Problem {
    /// LIF neurons with normal weights that make them fire at some 10 to 20 Hz where
    /// every input does at `rate_hz`.
    pub fn new(
        sizes: Sizes,
        optimizer: OptimizerConfig,
        rate_hz: f64,
        ticks: usize,
        seed: u64,
    ) -> Self {
        let Sizes { n_in, n_rec, n_out } = sizes;
        // `Reset` and arrival of NEST's `eprop_iaf`.
        let neurons = NeuronParams {
            reset: Reset::AtOnce,
            regular_spike_arrival: true,
            regular_spike_arrival_out: true,
            ..NeuronParams::default()
        };
        let topology = Topology {
            n_in,
            n_lif: n_rec,
            n_alif: 0,
            n_out,
        };
        let mut network = Network::new(topology, &neurons);
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let per_tick = rate_hz / 1000.0 * neurons.dt_ms;
        // Summed over the membrane's time constant, the input's deviation is 0.8 V_th.
        let arriving = n_in as f64 * per_tick * neurons.tau_m_ms / 2.0;
        let deviation = 0.8 * neurons.v_th / arriving.max(1e-3).sqrt();
        network.weights.w_in.fill_with(|| deviation * normal(rng));
        let recurrent = 0.4 * neurons.v_th / (n_rec as f64 * 0.1).sqrt();
        network.weights.w_rec.fill_with(|| recurrent * normal(rng));
        for w in network.weights.w_rec.iter_mut().step_by(n_rec + 1) {
            *w = 0.0;
        }
        network.weights.w_out.fill_with(|| 0.1 * normal(rng));
        let feedback = (0..n_out * n_rec).map(|_| 0.1 * normal(rng));
        network.feedback = Some(feedback.collect());
        let spikes = |_| {
            let all = 0..n_in as u32;
            all.filter(|_| rng.random_bool(per_tick.min(1.0))).collect()
        };
        let inputs = (0..ticks).map(spikes).collect();
        Self {
            sizes,
            neurons,
            optimizer,
            network,
            inputs,
        }
    }
}

/// A normal number, by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_refused() {
        let sizes: Sizes = "100/50/2".parse().expect("sizes");
        assert_eq!(sizes.to_string(), "100/50/2");
        assert_eq!(sizes.synapses(), 100 * 50 + 50 * 49 + 50 * 2);
        for wrong in ["", "1/2", "1/2/3/4", "a/b/c", "0/1/1", "1/99999999/1"] {
            assert!(wrong.parse::<Sizes>().is_err(), "{wrong}");
        }
    }
}
