//! Backpropagation through time with surrogate gradients: what e-prop approximates.
//!
//! The derivative of the loss by the weights, with `psi` in the place of the derivative
//! of a spike (Bohte 2011; Bellec et al. 2018; Neftci, Mostafa & Zenke 2019). It needs
//! the future and the weights of other neurons, so no synapse could compute it while
//! the network runs: it is the upper bound that other rules are held against.
//!
//! In the terms of [`super::eprop`], going backwards from the last step, with `C` and
//! `D` those of the step after:
//!
//! ```text
//! M_j = Po sum_k W_out_jk Eb_k + reg_j                the readout, the rate
//!     + sum_l W_rec_jl C_l                            recurrent path
//!     - (late + alpha at_once)/P C_j                  reset path
//! A_j = psi_j (M_j + D_j)                             D: path through the adaptation
//! C_j = alpha C_j + P A_j
//! ```
//!
//! `C_j / P` is the derivative of the loss by the potential. `late` and `at_once` are
//! what a spike takes off the potential ([`crate::neurons::Reset`]; a reset to 0, whose
//! derivative would need the potential, is refused). The path through the
//! refractory time has no derivative and is left out, as everywhere. With both paths
//! detached this is e-prop with symmetric feedback, up to its factor `1 - kappa` for `Po`.
//!
//! A step costs neurons^2 more than e-prop's where the recurrent path is there.

use serde::{Deserialize, Serialize};

use crate::learning::eprop::{Adjoint, EpropConfig};
use crate::network::{Interval, Network, Weights};
use crate::real::Real;
use crate::simd::{add_scaled, vectorised};

/// The paths by which a derivative goes back in time, besides membrane and adaptation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// From a spike through the recurrent synapses.
    pub recurrent: bool,
    /// From a spike through the reset of its own neuron.
    pub reset: bool,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            recurrent: true,
            reset: true,
        }
    }
}

/// Backpropagation through the recorded history of an interval.
#[derive(Clone, Debug)]
pub struct Bptt<R> {
    paths: Paths,
    adjoint: Adjoint<R>,
}

impl<R: Real> Bptt<R> {
    /// Working memory for a network.
    pub fn new(network: &Network<R>, paths: Paths) -> Self {
        Self {
            paths,
            adjoint: Adjoint::new(network),
        }
    }

    /// Adds the gradient of a recorded interval to `gradients`. The feedback weights of
    /// the network are not used.
    pub fn accumulate(
        &mut self,
        network: &Network<R>,
        interval: &Interval<R>,
        config: &EpropConfig,
        gradients: &mut Weights<R>,
    ) {
        let d = &network.dynamics;
        let reset = (d.reset_late + d.alpha * d.reset_at_once) / d.p;
        let paths = self.paths;
        let back_in_time = |m: &mut [R], c: &[R]| {
            if paths.reset {
                add_scaled(m, -reset, c);
            }
            if paths.recurrent {
                add_product(m, &network.weights.w_rec, c);
            }
        };
        self.adjoint
            .accumulate_through_time(network, interval, config, back_in_time, gradients);
    }
}

vectorised! {
    /// `m += W c` for a square row-major matrix `W`; each product in eight sums, which a
    /// vector register holds.
    fn add_product<R: Real>(m: &mut [R], matrix: &[R], c: &[R]) {
        let (c8, c_rest) = c.as_chunks::<8>();
        for (m, row) in m.iter_mut().zip(matrix.chunks_exact(c.len().max(1))) {
            let (row8, row_rest) = row.as_chunks::<8>();
            let mut sums = [R::ZERO; 8];
            for (w, c) in row8.iter().zip(c8) {
                for k in 0..8 {
                    sums[k] += w[k] * c[k];
                }
            }
            for (&w, &c) in row_rest.iter().zip(c_rest) {
                sums[0] += w * c;
            }
            for sum in sums {
                *m += sum;
            }
        }
    }
}
