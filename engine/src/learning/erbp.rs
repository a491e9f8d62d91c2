//! Event-driven random backpropagation (eRBP), the rule that e-prop replaced in the
//! grasping experiments (Kaiser et al. 2019, arXiv:1904.04805).
//!
//! Neftci et al., Front. Neurosci. 11, 324 (2017): when a presynaptic spike arrives, the
//! weight changes by the error in the neuron's second compartment, if the neuron is near
//! its threshold. One addition and two comparisons for a spike, and no trace of the past:
//! what came before the error cannot be credited.
//!
//! ```text
//! X_k   error of readout k as it arrives by the spikes of error neurons
//! T_j   = sum_k G_kj X_k                     G fixed and random
//! Th_j  = 1 where |v_j - th_j| < w and the neuron is not refractory, else 0
//! g_ji  = sum over spikes of i that arrive at s of (T_j[s] + reg_j) Th_j[s]
//! g_kj  = sum over spikes of j at s of X_k[s]
//! ```
//!
//! The paper gates by the synaptic current; here a spike acts on the potential at once,
//! so the potential takes its place, with the window `w` of the surrogate gradient. The
//! readouts do not spike and have no gate. `reg` is e-prop's regularisation of the rate
//! (see [`super::eprop`]), which the paper does not have: `c_reg` 0 is the published rule.

use crate::learning::eprop::{EpropConfig, clear_diagonal, feedback, regularisation};
use crate::network::{Interval, Network, Weights};
use crate::real::Real;
use crate::simd::{add_scaled, add_to_rows};

/// Working memory of eRBP.
#[derive(Clone, Debug)]
pub struct Erbp<R> {
    /// `G`, `[n_out, n_rec]`.
    feedback: Vec<R>,
    /// `reg`, `[n_rec]`.
    reg: Vec<R>,
    /// `(T + reg) Th`, `[n_rec]`.
    change: Vec<R>,
    /// Scaled error, `[n_out]`.
    error: Vec<R>,
}

impl<R: Real> Erbp<R> {
    /// Working memory for a network.
    pub fn new(network: &Network<R>) -> Self {
        let (n, k) = (network.topology.n_rec(), network.topology.n_out);
        Self {
            feedback: vec![R::ZERO; k * n],
            reg: vec![R::ZERO; n],
            change: vec![R::ZERO; n],
            error: vec![R::ZERO; k],
        }
    }

    /// Adds what the rule descends in a recorded interval to `gradients`. `G` is the
    /// network's feedback, which should be random.
    pub fn accumulate(
        &mut self,
        network: &Network<R>,
        interval: &Interval<R>,
        config: &EpropConfig,
        gradients: &mut Weights<R>,
    ) {
        let d = &network.dynamics;
        let scale = config.scale(interval);
        // A surrogate above its value at the edge of the window is a potential within it.
        let edge = d.psi_height * d.surrogate.at(R::ONE);
        feedback(network, &mut self.feedback);
        regularisation(interval, d, config, &mut self.reg);
        for s in 0..interval.recorded() {
            for (x, &e) in self.error.iter_mut().zip(interval.error(s)) {
                *x = e * scale;
            }
            self.change.fill(R::ZERO);
            add_scaled(&mut self.change, scale, &self.reg);
            let rows = self.feedback.chunks_exact(self.reg.len().max(1));
            for (row, &x) in rows.zip(&self.error) {
                add_scaled(&mut self.change, x, row);
            }
            for (change, &psi) in self.change.iter_mut().zip(interval.psi(s)) {
                if psi <= edge {
                    *change = R::ZERO;
                }
            }
            if let Some(before) = s.checked_sub(1) {
                let arrived = interval.spikes().tick(before);
                add_to_rows(&mut gradients.w_rec, arrived, &self.change);
            }
            add_to_rows(&mut gradients.w_in, interval.inputs().tick(s), &self.change);
            add_to_rows(&mut gradients.w_out, interval.spikes().tick(s), &self.error);
        }
        clear_diagonal(&mut gradients.w_rec, network.topology.n_rec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Topology;
    use crate::neurons::{NeuronParams, Surrogate};

    /// Two inputs, two neurons, one readout, three ticks, from the equations by hand.
    #[test]
    fn three_ticks_by_hand() {
        for surrogate in [Surrogate::PiecewiseLinear, Surrogate::Arctan] {
            let params = NeuronParams {
                tau_m_ms: 10.0,
                v_th: 1.0,
                t_ref_ms: 0.0,
                psi_width: 0.5,
                surrogate,
                regular_spike_arrival: true,
                ..NeuronParams::default()
            };
            let topology = Topology {
                n_in: 2,
                n_lif: 2,
                n_alif: 0,
                n_out: 1,
            };
            let mut network = Network::<f64>::new(topology, &params);
            // Input 0 makes neuron 0 fire, input 1 brings neuron 1 near to its threshold.
            network.weights.w_in = vec![1.25, 0.0, 0.0, 0.75];
            network.feedback = Some(vec![2.0, -3.0]);
            let mut interval = Interval::new(&network, 3, 4);
            interval.begin();
            // 0: v = 1.25, 0: neuron 0 within its window, fires.
            // 1: v = 1.25 al - 1 = 0.13, 0.75: neuron 1 within.
            // 2: v = 0.12 + 1.25, 0.68 + 0.75: both within, both fire.
            for (inputs, e) in [(&[0][..], 0.5), (&[1], 0.25), (&[0, 1], -1.0)] {
                interval.step(&network, inputs);
                interval.error_mut().unwrap()[0] = e;
                if interval.ticks() < 3 {
                    assert_eq!(interval.fired().len(), 2 - interval.ticks());
                }
            }
            let config = EpropConfig {
                c_reg: 0.0,
                f_target_hz: 0.0,
                average_gradient: false,
            };
            let mut g = Weights::zeros(&topology);
            Erbp::new(&network).accumulate(&network, &interval, &config, &mut g);
            let (in_0, in_1) = ([0.5 * 2.0 - 2.0, 3.0], [-2.0, -0.25 * 3.0 + 3.0]);
            assert_eq!(g.w_in, [in_0, in_1].concat());
            // Neuron 0's spike of tick 0 arrives at tick 1, where neuron 1 is near.
            assert_eq!(g.w_rec, [0.0, -0.25 * 3.0, 0.0, 0.0]);
            assert_eq!(g.w_out, [0.5 - 1.0, -1.0]);
        }
    }
}
