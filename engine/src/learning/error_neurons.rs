//! A learning signal carried by spikes: positive and negative error neurons.
//!
//! The wiring that runs on SpiNNaker (HBP report SGA2 M24, section 8.2): labels and
//! readouts drive a population of positive and one of negative error neurons for each
//! readout, and their spikes are integrated in an error compartment of the learning
//! neurons. No analogue error leaves the readout. With `E_k` the error of readout `k`
//! (see [`super::loss`]) and `size` neurons in a population:
//!
//! ```text
//! u+_k = max(0, u+_k + E_k),   u-_k = max(0, u-_k - E_k)
//! n_k  = min(size, floor(u_k size / threshold)),   u_k = u_k - n_k threshold / size
//! X_k  = lambda X_k + (1 - lambda) (n+_k - n-_k) threshold / size,   lambda = exp(-dt/tau)
//! U_j  = sum_k B_kj X_k                                error compartment of neuron j
//! ```
//!
//! The neurons of a population are perfect integrators with the same drive and evenly
//! spread potentials, each firing at most once in a tick and losing the threshold then:
//! all that leaves them is how many fire, which is the count `n` above, and their mean
//! potential is `u`. The error compartments of all learning neurons have one time
//! constant, so their low-pass filter is worked once for each readout, before `B`.
//! `X_k` then stands where `E_k` stood. Errors above the threshold cannot be carried; up
//! to there the spikes lag behind by less than `threshold / size`.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check, check_count};
use crate::network::Network;
use crate::real::Real;

/// Parameters of the error neurons.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorNeuronParams {
    /// Neurons in a population; there are two populations for each readout.
    pub size: usize,
    /// Summed error at which a neuron fires: the largest error that can be carried.
    pub threshold: f64,
    /// Time constant of the error compartment in ms; 0 is none.
    pub tau_ms: f64,
}

impl Default for ErrorNeuronParams {
    /// Carries the errors of a cross entropy, which are within -1..1, in tenths. (With one
    /// neuron in a population, small errors in a short window never reach the threshold.)
    fn default() -> Self {
        Self {
            size: 10,
            threshold: 1.0,
            tau_ms: 10.0,
        }
    }
}

impl ErrorNeuronParams {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check_count("error_neurons.size", self.size, 1, 1_000_000)?;
        check("error_neurons.threshold", self.threshold, 1e-6, 1e6)?;
        check("error_neurons.tau_ms", self.tau_ms, 0.0, 1e5)
    }
}

/// The error neurons of a network's readouts.
#[derive(Clone, Debug)]
pub struct ErrorNeurons<R> {
    /// What one spike carries.
    quantum: R,
    size: R,
    lambda: R,
    /// `u+` and `u-` of each readout.
    potential: Vec<[R; 2]>,
    /// `X`, `[n_out]`.
    compartment: Vec<R>,
    /// `n+` and `n-` of each readout in the last tick.
    fired: Vec<[u32; 2]>,
    spikes: u64,
}

impl<R: Real> ErrorNeurons<R> {
    /// Error neurons at rest; the parameters are taken as valid.
    pub fn new(network: &Network<R>, params: &ErrorNeuronParams) -> Self {
        let n_out = network.topology.n_out;
        let lambda = match params.tau_ms {
            tau if tau > 0.0 => (-network.dynamics.dt_ms / tau).exp(),
            _ => 0.0,
        };
        Self {
            quantum: R::of(params.threshold / params.size as f64),
            size: R::of(params.size as f64),
            lambda: R::of(lambda),
            potential: vec![[R::ZERO; 2]; n_out],
            compartment: vec![R::ZERO; n_out],
            fired: vec![[0; 2]; n_out],
            spikes: 0,
        }
    }

    /// Returns everything to rest; goes on counting spikes.
    pub fn reset(&mut self) {
        self.potential.fill([R::ZERO; 2]);
        self.compartment.fill(R::ZERO);
        self.fired.fill([0; 2]);
    }

    /// One tick: takes the error of each readout, `[n_out]`, and puts what arrives of it
    /// in the error compartments in its place.
    pub fn step(&mut self, error: &mut [R]) {
        let states = self.potential.iter_mut().zip(&mut self.compartment);
        let states = states.zip(&mut self.fired);
        for (error, (([plus, minus], x), [n_plus, n_minus])) in error.iter_mut().zip(states) {
            let mut fire = |u: &mut R, fired: &mut u32, drive: R| {
                *u = (*u + drive).positive();
                let n = R::of((*u / self.quantum).to_f64().floor());
                let n = if n > self.size { self.size } else { n };
                *u -= n * self.quantum;
                *fired = n.to_f64() as u32;
                self.spikes += u64::from(*fired);
                n
            };
            let arrived = fire(plus, n_plus, *error) - fire(minus, n_minus, -*error);
            *x = self.lambda * *x + (R::ONE - self.lambda) * self.quantum * arrived;
            *error = *x;
        }
    }

    /// How many fired in the last tick: of the positive and of the negative population of
    /// each readout.
    pub fn fired(&self) -> &[[u32; 2]] {
        &self.fired
    }

    /// Spikes since the beginning.
    pub fn spikes(&self) -> u64 {
        self.spikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Topology;
    use crate::neurons::NeuronParams;

    fn neurons(n_out: usize, params: &ErrorNeuronParams) -> ErrorNeurons<f64> {
        let topology = Topology {
            n_in: 1,
            n_lif: 1,
            n_alif: 0,
            n_out,
        };
        ErrorNeurons::new(&Network::new(topology, &NeuronParams::default()), params)
    }

    /// One pair, five ticks; the second readout hears the opposite.
    #[test]
    fn five_ticks_by_hand() {
        let params = ErrorNeuronParams {
            size: 1,
            threshold: 1.0,
            tau_ms: 10.0,
        };
        let mut pair = neurons(2, &params);
        let l = (-0.1_f64).exp();
        // u+ : 0.75; 1.25 fires, 0.25; 0; 0; 0.      u- : 0; 0; 0.75; 1.5 fires, 0.5; 1.25 fires.
        let x2 = 1.0 - l;
        let x4 = l * l * x2 - (1.0 - l);
        let want = [0.0, x2, l * x2, x4, l * x4 - (1.0 - l)];
        for (e, want) in [0.75, 0.5, -0.75, -0.75, -0.75].into_iter().zip(want) {
            let mut error = [e, -e];
            pair.step(&mut error);
            assert!((error[0] - want).abs() < 1e-15, "{} {want}", error[0]);
            assert_eq!(error[1], -error[0]);
            let [first, second] = [pair.fired()[0], pair.fired()[1]];
            assert_eq!(first, [second[1], second[0]]);
        }
        assert_eq!(pair.fired(), [[0, 1], [1, 0]]);
        assert_eq!(pair.spikes(), 6);
    }

    /// With more and finer spikes what arrives is the error itself, low-pass filtered;
    /// what is carried cannot exceed the threshold.
    #[test]
    fn many_fine_spikes_carry_the_analogue_error() {
        let signal = |s: i32| 0.9 * (f64::from(s) / 9.0).sin() * (f64::from(s) / 50.0).cos();
        let mut before = f64::INFINITY;
        for size in [1, 10, 100, 1000, 10_000] {
            let params = ErrorNeuronParams {
                size,
                threshold: 1.0,
                tau_ms: 5.0,
            };
            let mut neurons = neurons(1, &params);
            let lambda = (-0.2_f64).exp();
            let (mut analogue, mut worst) = (0.0_f64, 0.0_f64);
            for s in 0..500 {
                analogue = lambda * analogue + (1.0 - lambda) * signal(s);
                let mut error = [signal(s)];
                neurons.step(&mut error);
                worst = worst.max((error[0] - analogue).abs());
            }
            assert!(worst <= 1.0 / size as f64, "{size}: {worst}");
            assert!(worst < 0.5 * before, "{size}: {worst} after {before}");
            before = worst;
        }
        let mut loud = neurons(1, &ErrorNeuronParams::default()); // carries at most 1
        let mut error = [50.0];
        loud.step(&mut error);
        assert!((error[0] - (1.0 - (-0.1_f64).exp())).abs() < 1e-15);
    }
}
