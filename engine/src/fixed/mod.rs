//! The classifier's network in fixed point, as it runs on SpiNNaker: for inference, and to
//! know before what it costs in accuracy.
//!
//! Potentials, adaptation, thresholds and readouts are s16.15 (32 bits, 15 of them behind
//! the point). Weights are 16 bits `q` with a power of two for each projection,
//! `w = q 2^e`, with the smallest `e` that holds the largest weight. Decays and gains have
//! 32 bits. The step is that of [`crate::neurons`], in the same order:
//!
//! ```text
//! I = sum q_in 2^e_in + sum q_rec 2^e_rec      each sum exact, then to the nearest s16.15
//! v = alpha v + P I - V_th z[s-1]              each product to the nearest, halves up
//! ```
//!
//! What leaves the range of s16.15 stays at its end and is counted. There is no state
//! but integers: the same input gives the same bits on every machine.

mod comparison;
pub mod number;

pub use comparison::{Comparison, compare};
use number::{Factor, ONE, from_f64, saturate, scale};

use crate::error::{Result, check};
use crate::network::{Network, Topology};
use crate::neurons::{NeuronParams, Reset};

/// The weights of a projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// Row-major `[presynaptic, postsynaptic]`.
    weights: Vec<i16>,
    n_post: usize,
    exponent: i32,
}

impl Projection {
    /// The nearest weights of 16 bits to these, `[presynaptic, postsynaptic]`; those beyond
    /// 65534 become that.
    pub fn new(weights: &[f32], n_post: usize) -> Self {
        let largest = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
        let holds = |e: i32| f64::from(largest) <= 32767.0 * f64::from(e).exp2();
        // Within these bounds every shift is one that `scale` can do, and a weight fits s16.15.
        let exponent = (-40..=1).find(|&e| holds(e)).unwrap_or(1);
        let unit = f64::from(-exponent).exp2();
        let nearest = |w: &f32| (f64::from(*w) * unit).round() as i16;
        Self {
            weights: weights.iter().map(nearest).collect(),
            n_post,
            exponent,
        }
    }

    /// `e`: a weight is its 16 bits times `2^e`.
    pub fn exponent(&self) -> i32 {
        self.exponent
    }

    /// Adds the rows of these presynaptic neurons to `sums`. Panics where there is none.
    fn add(&self, sums: &mut [i64], presynaptic: &[u32]) {
        for &i in presynaptic {
            let row = &self.weights[i as usize * self.n_post..][..self.n_post];
            for (sum, &q) in sums.iter_mut().zip(row) {
                *sum += i64::from(q);
            }
        }
    }

    /// A sum of rows in s16.15.
    fn current(&self, sum: i64) -> i64 {
        scale(sum, self.exponent + 15)
    }
}

/// A network in fixed point.
#[derive(Clone, Debug)]
pub struct FixedNetwork {
    topology: Topology,
    w_in: Projection,
    w_rec: Projection,
    w_out: Projection,
    alpha: Factor,
    kappa: Factor,
    rho: Factor,
    p: Factor,
    p_out: Factor,
    beta: Factor,
    v_th: i32,
    t_ref: u32,
    reset: Reset,
}

impl FixedNetwork {
    /// The nearest network to one with these neurons.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where the threshold or a weight is too large for s16.15,
    /// or the threshold too small to be told from 0.
    pub fn new(network: &Network<f32>, neuron: &NeuronParams) -> Result<Self> {
        neuron.validate()?;
        check("neuron.v_th (in s16.15)", neuron.v_th, 0.001, 65_535.0)?;
        let (t, w) = (network.topology, &network.weights);
        for (name, part) in ["w_in", "w_rec", "w_out"].into_iter().zip(w.parts()) {
            let largest = part.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
            let name = format!("largest weight of {name} (in s16.15)");
            check(&name, f64::from(largest), 0.0, 65_534.0)?;
        }
        let decay = |tau_ms: f64| (-neuron.dt_ms / tau_ms).exp();
        let gain = |full: bool, tau_ms| if full { 1.0 } else { 1.0 - decay(tau_ms) };
        Ok(Self {
            topology: t,
            w_in: Projection::new(&w.w_in, t.n_rec()),
            w_rec: Projection::new(&w.w_rec, t.n_rec()),
            w_out: Projection::new(&w.w_out, t.n_out),
            alpha: Factor::new(decay(neuron.tau_m_ms)),
            kappa: Factor::new(decay(neuron.tau_out_ms)),
            rho: Factor::new(decay(neuron.tau_a_ms)),
            p: Factor::new(gain(neuron.regular_spike_arrival, neuron.tau_m_ms)),
            p_out: Factor::new(gain(neuron.regular_spike_arrival_out, neuron.tau_out_ms)),
            beta: Factor::new(neuron.beta),
            v_th: from_f64(neuron.v_th),
            t_ref: (neuron.t_ref_ms / neuron.dt_ms).round() as u32,
            reset: neuron.reset,
        })
    }

    /// Exponents of input, recurrent and readout weights.
    pub fn exponents(&self) -> [i32; 3] {
        [&self.w_in, &self.w_rec, &self.w_out].map(Projection::exponent)
    }
}

/// State of a network in fixed point within an interval. Arrays are `[n_rec]`, the
/// readout `[n_out]`; numbers are s16.15.
#[derive(Clone, Debug)]
pub struct FixedState {
    v: Vec<i32>,
    a: Vec<i32>,
    /// Steps left of the refractory time.
    r: Vec<u32>,
    z: Vec<bool>,
    readout: Vec<i32>,
    fired: Vec<u32>,
    /// Sums of 16-bit weights: input, recurrent, readout.
    sums: [Vec<i64>; 3],
    saturated: u64,
}

impl FixedState {
    /// A network at rest.
    pub fn new(network: &FixedNetwork) -> Self {
        let (n, n_out) = (network.topology.n_rec(), network.topology.n_out);
        Self {
            v: vec![0; n],
            a: vec![0; n],
            r: vec![0; n],
            z: vec![false; n],
            readout: vec![0; n_out],
            fired: Vec::with_capacity(n),
            sums: [vec![0; n], vec![0; n], vec![0; n_out]],
            saturated: 0,
        }
    }

    /// Returns everything to rest; the count of saturations goes on.
    pub fn begin(&mut self) {
        self.v.fill(0);
        self.a.fill(0);
        self.r.fill(0);
        self.z.fill(false);
        self.readout.fill(0);
        self.fired.clear();
    }

    /// One tick with these input spikes. Panics on an input the network does not have.
    pub fn step(&mut self, network: &FixedNetwork, inputs: &[u32]) {
        let [sum_in, sum_rec, sum_out] = &mut self.sums;
        for sums in [&mut *sum_in, &mut *sum_rec, &mut *sum_out] {
            sums.fill(0);
        }
        network.w_in.add(sum_in, inputs);
        network.w_rec.add(sum_rec, &self.fired);
        self.fired.clear();
        for j in 0..self.v.len() {
            self.neuron(network, j);
            if self.z[j] {
                self.fired.push(j as u32);
            }
        }
        let sum_out = &mut self.sums[2];
        network.w_out.add(sum_out, &self.fired);
        for (y, &sum) in self.readout.iter_mut().zip(&*sum_out) {
            let current = saturate(network.w_out.current(sum), &mut self.saturated);
            let next = network.kappa.times(*y) + network.p_out.times(current);
            *y = saturate(next, &mut self.saturated);
        }
    }

    /// Steps 1, 2, 3 and 5 of [`crate::neurons`] for neuron `j`.
    fn neuron(&mut self, network: &FixedNetwork, j: usize) {
        let saturated = &mut self.saturated;
        let v_th = i64::from(network.v_th);
        let fired = i64::from(self.z[j]);
        let late = if network.reset == Reset::Late {
            v_th
        } else {
            0
        };
        let current =
            network.w_in.current(self.sums[0][j]) + network.w_rec.current(self.sums[1][j]);
        let current = saturate(current, saturated);
        let left = self.r[j].saturating_sub(1);
        let v = network.alpha.times(self.v[j]) + network.p.times(current) - late * fired;
        let v = saturate(v, saturated);
        let a = network.rho.times(self.a[j]) + i64::from(ONE) * fired;
        self.a[j] = saturate(a, saturated);
        let adapts = j >= network.topology.n_lif;
        let rise = if adapts {
            network.beta.times(self.a[j])
        } else {
            0
        };
        let spike = left == 0 && i64::from(v) >= v_th + rise;
        self.z[j] = spike;
        self.r[j] = if spike { network.t_ref } else { left };
        self.v[j] = match network.reset {
            Reset::AtOnce if spike => saturate(i64::from(v) - v_th, saturated),
            Reset::ToZero if spike => 0,
            Reset::To(v) if spike => from_f64(v),
            _ => v,
        };
    }

    /// Membrane potentials, s16.15.
    pub fn v(&self) -> &[i32] {
        &self.v
    }

    /// Readout after the last tick, s16.15.
    pub fn readout(&self) -> &[i32] {
        &self.readout
    }

    /// Neurons that fired in the last tick, ascending.
    pub fn fired(&self) -> &[u32] {
        &self.fired
    }

    /// Numbers that left the range of s16.15, since creation.
    pub fn saturated(&self) -> u64 {
        self.saturated
    }
}

#[cfg(test)]
mod tests;
