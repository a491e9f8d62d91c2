//! A recurrent spiking network with a leaky readout, and what it does in one interval.
//!
//! Inputs and recurrent neurons project all-to-all to the recurrent layer (no
//! self-connections), the recurrent layer to the readout. Weights are stored one
//! row per *presynaptic* neuron, so that a spike adds one contiguous row: the cost
//! of a tick follows the spikes. Spikes of the recurrent layer arrive one tick
//! later, those of the input and those to the readout within the tick.

use crate::error::{Result, check_count};
use crate::neurons::{Dynamics, Layer, NeuronParams};
use crate::real::Real;
use crate::simd::add_rows;
use crate::spikes::SpikeLog;

/// Sizes of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Inputs.
    pub n_in: usize,
    /// LIF neurons of the recurrent layer (they come first).
    pub n_lif: usize,
    /// ALIF neurons of the recurrent layer.
    pub n_alif: usize,
    /// Readouts.
    pub n_out: usize,
}

impl Topology {
    /// Neurons of the recurrent layer.
    pub fn n_rec(&self) -> usize {
        self.n_lif + self.n_alif
    }
}

/// The plastic weights, or anything else there is one of per plastic synapse (gradients, moments).
#[derive(Clone, Debug, PartialEq)]
pub struct Weights<R> {
    /// Input to recurrent, row-major `[n_in, n_rec]`.
    pub w_in: Vec<R>,
    /// Recurrent to recurrent, row-major `[n_rec (from), n_rec (to)]`, diagonal 0.
    pub w_rec: Vec<R>,
    /// Recurrent to readout, row-major `[n_rec, n_out]`.
    pub w_out: Vec<R>,
}

impl<R: Real> Weights<R> {
    /// All zero.
    pub fn zeros(topology: &Topology) -> Self {
        let n = topology.n_rec();
        Self {
            w_in: vec![R::ZERO; topology.n_in * n],
            w_rec: vec![R::ZERO; n * n],
            w_out: vec![R::ZERO; n * topology.n_out],
        }
    }

    /// The three matrices, in the order of the fields.
    pub fn parts(&self) -> [&[R]; 3] {
        [&self.w_in, &self.w_rec, &self.w_out]
    }

    /// The three matrices, in the order of the fields.
    pub fn parts_mut(&mut self) -> [&mut [R]; 3] {
        [&mut self.w_in, &mut self.w_rec, &mut self.w_out]
    }

    /// Cosine of the angle to another, all three matrices taken as one vector; NaN where
    /// one of them is zero.
    pub fn cosine(&self, other: &Self) -> f64 {
        let dot = |a: &Self, b: &Self| -> f64 {
            let parts = a.parts().into_iter().zip(b.parts());
            let pairs = parts.flat_map(|(a, b)| a.iter().zip(b));
            pairs.map(|(a, b)| a.to_f64() * b.to_f64()).sum()
        };
        dot(self, other) / (dot(self, self) * dot(other, other)).sqrt()
    }

    /// Sets everything to zero.
    pub fn clear(&mut self) {
        for part in self.parts_mut() {
            part.fill(R::ZERO);
        }
    }
}

/// The matrices of [`Weights`], in the order of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Input to recurrent.
    Input,
    /// Recurrent to recurrent.
    Recurrent,
    /// Recurrent to readout.
    Readout,
}

/// A network: sizes, dynamics, weights, and the weights of the feedback.
#[derive(Clone, Debug)]
pub struct Network<R> {
    /// Sizes.
    pub topology: Topology,
    /// Coefficients of a step.
    pub dynamics: Dynamics<R>,
    /// Rise of the threshold per spike of an ALIF neuron.
    pub beta: f64,
    /// Plastic weights.
    pub weights: Weights<R>,
    /// Fixed random feedback, row-major `[n_out, n_rec]`; `None` is symmetric
    /// feedback, the transposed readout weights.
    pub feedback: Option<Vec<R>>,
    /// Synapses that there are not, as positions in the parts of `weights`.
    absent: [Vec<u32>; 3],
}

impl<R: Real> Network<R> {
    /// A network without weights (all zero) and with symmetric feedback.
    pub fn new(topology: Topology, params: &NeuronParams) -> Self {
        Self {
            topology,
            dynamics: Dynamics::new(params),
            beta: params.beta,
            weights: Weights::zeros(&topology),
            feedback: None,
            absent: Default::default(),
        }
    }

    /// Leaves only these synapses, (presynaptic, postsynaptic), of a part: the weights of
    /// the others are 0 now and stay so. Matrices remain dense, and cost what dense ones do
    /// (but for [`crate::learning::online`], where few synapses cost little).
    ///
    /// # Errors
    /// [`Error::Parameter`] for a neuron that there is not; nothing has changed then.
    pub fn connect(&mut self, part: Part, pairs: &[(u32, u32)]) -> Result<()> {
        let t = &self.topology;
        let (n_pre, n_post) = match part {
            Part::Input => (t.n_in, t.n_rec()),
            Part::Recurrent => (t.n_rec(), t.n_rec()),
            Part::Readout => (t.n_rec(), t.n_out),
        };
        let mut present = vec![false; n_pre * n_post];
        for &(i, j) in pairs {
            let (i, j) = (i as usize, j as usize);
            check_count("pairs: presynaptic neuron", i, 0, n_pre.max(1) - 1)?;
            check_count("pairs: postsynaptic neuron", j, 0, n_post.max(1) - 1)?;
            present[i * n_post + j] = true;
        }
        let all = 0..present.len() as u32;
        self.absent[part as usize] = all.filter(|&at| !present[at as usize]).collect();
        self.drop_absent();
        Ok(())
    }

    /// Synapses of a part that there are not, as positions in its matrix.
    pub fn absent(&self, part: Part) -> &[u32] {
        &self.absent[part as usize]
    }

    /// Sets the weights of the synapses that there are not to 0.
    pub(crate) fn drop_absent(&mut self) {
        for (weights, absent) in self.weights.parts_mut().into_iter().zip(&self.absent) {
            for &at in absent {
                weights[at as usize] = R::ZERO;
            }
        }
    }
}

/// State of a network within one update interval, and the history that learning needs of it.
///
/// Everything starts at zero with [`Interval::begin`]. All memory is taken at the
/// start: a tick allocates nothing. Ticks beyond `max_ticks` run, but are not
/// recorded and cannot be learnt from.
#[derive(Clone, Debug)]
pub struct Interval<R> {
    max_ticks: usize,
    ticks: usize,
    error_ticks: usize,
    layer: Layer<R>,
    readout: Vec<R>,
    fired: Vec<u32>,
    /// `[max_ticks + 1, n_rec]`; the last row takes what is not recorded.
    psi: Vec<R>,
    /// `[max_ticks, n_out]`.
    error: Vec<R>,
    inputs: SpikeLog,
    spikes: SpikeLog,
}

impl<R: Real> Interval<R> {
    /// State for intervals of up to `max_ticks` ticks with up to `max_inputs` input spikes.
    pub fn new(network: &Network<R>, max_ticks: usize, max_inputs: usize) -> Self {
        let t = &network.topology;
        let n = t.n_rec();
        Self {
            max_ticks,
            ticks: 0,
            error_ticks: 0,
            layer: Layer::new(t.n_lif, t.n_alif, network.beta),
            readout: vec![R::ZERO; t.n_out],
            fired: Vec::with_capacity(n),
            psi: vec![R::ZERO; (max_ticks + 1) * n],
            error: vec![R::ZERO; max_ticks * t.n_out],
            inputs: SpikeLog::with_capacity(max_ticks, max_inputs),
            spikes: SpikeLog::with_capacity(max_ticks, max_ticks * n),
        }
    }

    /// Starts a new interval: all state and history is zero.
    pub fn begin(&mut self) {
        let recorded = self.recorded();
        self.error[..recorded * self.readout.len()].fill(R::ZERO);
        self.ticks = 0;
        self.error_ticks = 0;
        self.layer.reset();
        self.readout.fill(R::ZERO);
        self.fired.clear();
        self.inputs.clear();
        self.spikes.clear();
    }

    /// One tick with these input spikes. Panics on an input the network does not have.
    pub fn step(&mut self, network: &Network<R>, inputs: &[u32]) {
        let n = self.layer.v.len();
        let row = self.ticks.min(self.max_ticks) * n;
        add_rows(&mut self.layer.current, &network.weights.w_in, inputs);
        add_rows(&mut self.layer.current, &network.weights.w_rec, &self.fired);
        self.layer
            .step(&network.dynamics, &mut self.psi[row..row + n]);
        self.fired.clear();
        self.layer.fired(&mut self.fired);
        self.end_tick(network, inputs);
    }

    /// One tick of a recurrent layer that runs elsewhere: it was given `inputs`, and `fired`
    /// are its spikes, ascending. Readout and record go on as in [`Interval::step`], but for
    /// the surrogate gradients, which are unknown and stay zero: only the readout can learn.
    /// Panics on a neuron that the network does not have.
    pub fn observe(&mut self, network: &Network<R>, inputs: &[u32], fired: &[u32]) {
        let n = self.layer.v.len();
        let row = self.ticks.min(self.max_ticks) * n;
        self.psi[row..row + n].fill(R::ZERO);
        self.fired.clear();
        self.fired.extend_from_slice(fired);
        self.end_tick(network, inputs);
    }

    fn end_tick(&mut self, network: &Network<R>, inputs: &[u32]) {
        self.read_out(network);
        if self.ticks < self.max_ticks {
            self.inputs.push_tick(inputs);
            self.spikes.push_tick(&self.fired);
        }
        self.ticks += 1;
    }

    /// Step 6 of the neurons' module docs.
    fn read_out(&mut self, network: &Network<R>) {
        let k = self.readout.len();
        for y in &mut self.readout {
            *y *= network.dynamics.kappa;
        }
        for &j in &self.fired {
            let start = j as usize * k;
            let row = &network.weights.w_out[start..start + k];
            for (y, &w) in self.readout.iter_mut().zip(row) {
                *y += network.dynamics.p_out * w;
            }
        }
    }

    /// The error of the last tick, `[n_out]`, to be written: zero unless written,
    /// `None` where that tick is not recorded. The tick then counts to the learning window.
    pub fn error_mut(&mut self) -> Option<&mut [R]> {
        if self.ticks == 0 || self.ticks > self.max_ticks {
            return None;
        }
        self.error_ticks += 1;
        let k = self.readout.len();
        Some(&mut self.error[(self.ticks - 1) * k..self.ticks * k])
    }

    /// Ticks since the start of the interval.
    pub fn ticks(&self) -> usize {
        self.ticks
    }

    /// Ticks of the interval that are recorded.
    pub fn recorded(&self) -> usize {
        self.ticks.min(self.max_ticks)
    }

    /// Ticks with an error, the learning window.
    pub fn error_ticks(&self) -> usize {
        self.error_ticks
    }

    /// Readout after the last tick, `[n_out]`.
    pub fn readout(&self) -> &[R] {
        &self.readout
    }

    /// Neurons that fired in the last tick, ascending.
    pub fn fired(&self) -> &[u32] {
        &self.fired
    }

    /// State of the recurrent layer.
    pub fn layer(&self) -> &Layer<R> {
        &self.layer
    }

    /// Surrogate gradients of recorded tick `s`, `[n_rec]`.
    pub fn psi(&self, s: usize) -> &[R] {
        let n = self.layer.v.len();
        &self.psi[s * n..(s + 1) * n]
    }

    /// Errors of recorded tick `s`, `[n_out]`.
    pub fn error(&self, s: usize) -> &[R] {
        let k = self.readout.len();
        &self.error[s * k..(s + 1) * k]
    }

    /// Recorded input spikes.
    pub fn inputs(&self) -> &SpikeLog {
        &self.inputs
    }

    /// Recorded spikes of the recurrent layer.
    pub fn spikes(&self) -> &SpikeLog {
        &self.spikes
    }
}
