//! A classifier that is taught by spikes and answers by spikes, as on a SpiNNaker board.
//!
//! The wiring of HBP report SGA2 M24, section 8.2: a label is a neuron that fires at 50 Hz
//! while its class is shown, the answer is the class whose output neuron fires most, and the
//! difference of the two reaches the recurrent neurons by the spikes of positive and negative
//! error neurons ([`crate::learning::error_neurons`]). So nothing goes in or out but spikes.
//!
//! The recurrent layer is the [classifier's](super::classifier). In a tick, for class `k`, with
//! `z` the layer's spikes and `l` those of the label neurons:
//!
//! ```text
//! y_k = kappa y_k + Po sum_j W_kj z_j          membrane of the output neuron, but for its resets
//! r_k = kappa r_k
//! o_k = 1 where y_k - r_k >= threshold, then r_k = r_k + threshold
//! O_k = lambda O_k + (1 - lambda) o_k / q      lambda = exp(-dt/tau);  q = 50 Hz in ticks: the
//! T_k = lambda T_k + (1 - lambda) l_k / q      traces are 1 where a neuron fires at 50 Hz
//! E_k = O_k - T_k                              what drives the error neurons, within their
//!                                              threshold: more they cannot carry
//! ```
//!
//! An output neuron that is silent where it should be costs nothing: errors are rare once the
//! answer is right. The surrogate derivative of its spikes by its membrane is 1. The error
//! neurons are held silent unless some label has fired within [`LABEL_HOLD_TICKS`]: nothing
//! changes without a label. Weights change once, at the end of an interval, by e-prop.

use serde::{Deserialize, Serialize};

use super::classifier::Classifier;
use super::config::ClassifierConfig;
use crate::error::{Error, Result, check};
use crate::learning::eprop::Adjoint;
use crate::learning::error_neurons::{ErrorNeuronParams, ErrorNeurons};
use crate::learning::optimizer::{Optimizer, OptimizerConfig};
use crate::network::{Interval, Network, Weights};

/// Ticks after a label's spike in which the error neurons may fire: two intervals at 50 Hz and
/// ticks of 1 ms.
pub const LABEL_HOLD_TICKS: u32 = 40;

/// Parameters of the spikes that teach. All fields have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpikeTaughtConfig {
    /// Rate of the label neuron of the class that is shown, in Hz; also the rate that its
    /// output neuron is drawn to.
    pub label_hz: f64,
    /// Membrane potential at which an output neuron fires (in the unit of the readout).
    pub output_threshold: f64,
    /// Time constant in ms of the traces that label and output spikes leave at the error
    /// neurons.
    pub trace_ms: f64,
    /// The error neurons.
    pub errors: ErrorNeuronParams,
    /// What changes the weights, once per interval.
    pub optimizer: OptimizerConfig,
}

impl Default for SpikeTaughtConfig {
    /// The label's rate is the report's. The errors' threshold lets rates up to 100 Hz be
    /// carried, twice the label's.
    fn default() -> Self {
        Self {
            label_hz: 50.0,
            output_threshold: 0.5,
            trace_ms: 20.0,
            errors: ErrorNeuronParams {
                size: 10,
                threshold: 2.0,
                tau_ms: 10.0,
            },
            optimizer: OptimizerConfig::adam(0.003),
        }
    }
}

impl SpikeTaughtConfig {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("label_hz", self.label_hz, 0.1, 1000.0)?;
        check("output_threshold", self.output_threshold, 1e-6, 1e6)?;
        check("trace_ms", self.trace_ms, 0.1, 1e5)?;
        self.errors.validate()?;
        self.optimizer.validate()
    }

    /// Ticks of `dt_ms` between two spikes of a label neuron.
    pub fn label_period(&self, dt_ms: f64) -> u32 {
        ((1000.0 / (self.label_hz * dt_ms)).round() as u32).max(1)
    }
}

/// The output neurons and the traces at the error neurons, `[n_out]` each.
#[derive(Clone, Debug)]
struct Outputs {
    threshold: f32,
    /// Decay of a trace, and what a spike adds to it.
    lambda: f32,
    quantum: f32,
    /// What resets have taken off the membranes.
    reset: Vec<f32>,
    output_trace: Vec<f32>,
    label_trace: Vec<f32>,
    fired: Vec<u32>,
}

impl Outputs {
    fn new(network: &Network<f32>, config: &SpikeTaughtConfig) -> Self {
        let (n_out, dt_ms) = (network.topology.n_out, network.dynamics.dt_ms);
        let lambda = (-dt_ms / config.trace_ms).exp();
        let per_tick = config.label_hz * dt_ms * 1e-3;
        Self {
            threshold: config.output_threshold as f32,
            lambda: lambda as f32,
            quantum: ((1.0 - lambda) / per_tick) as f32,
            reset: vec![0.0; n_out],
            output_trace: vec![0.0; n_out],
            label_trace: vec![0.0; n_out],
            fired: Vec::with_capacity(n_out),
        }
    }

    fn begin(&mut self) {
        self.reset.fill(0.0);
        self.output_trace.fill(0.0);
        self.label_trace.fill(0.0);
        self.fired.clear();
    }

    /// A tick with these readouts, which decay by `kappa`, and spikes of labels.
    fn step(&mut self, readout: &[f32], kappa: f32, labels: &[u32]) {
        self.fired.clear();
        for trace in self.label_trace.iter_mut().chain(&mut self.output_trace) {
            *trace *= self.lambda;
        }
        for &label in labels {
            self.label_trace[label as usize] += self.quantum;
        }
        for (k, (reset, &y)) in self.reset.iter_mut().zip(readout).enumerate() {
            *reset *= kappa;
            if y - *reset >= self.threshold {
                *reset += self.threshold;
                self.output_trace[k] += self.quantum;
                self.fired.push(k as u32);
            }
        }
    }

    fn errors(&self, out: &mut [f32]) {
        let traces = self.output_trace.iter().zip(&self.label_trace);
        for (error, (output, label)) in out.iter_mut().zip(traces) {
            *error = output - label;
        }
    }
}

/// Which of the error neurons fire: those of a population take turns.
#[derive(Clone, Debug)]
struct ErrorSpikes {
    size: u32,
    /// The next to fire, of each readout's positive and negative population.
    turn: Vec<[u32; 2]>,
    fired: Vec<u32>,
}

impl ErrorSpikes {
    fn take(&mut self, counts: &[[u32; 2]]) {
        self.fired.clear();
        for (k, (counts, turn)) in counts.iter().zip(&mut self.turn).enumerate() {
            for (sign, (&count, turn)) in counts.iter().zip(turn).enumerate() {
                let first = (2 * k + sign) as u32 * self.size;
                for i in 0..count {
                    self.fired.push(first + (*turn + i) % self.size);
                }
                *turn = (*turn + count) % self.size;
            }
        }
        self.fired.sort_unstable();
    }

    fn reset(&mut self) {
        self.turn.fill([0; 2]);
        self.fired.clear();
    }
}

/// A classifier that is taught by spikes.
#[derive(Clone, Debug)]
pub struct SpikeTaught {
    config: ClassifierConfig,
    teaching: SpikeTaughtConfig,
    network: Network<f32>,
    interval: Interval<f32>,
    outputs: Outputs,
    errors: ErrorNeurons<f32>,
    error_spikes: ErrorSpikes,
    /// Errors of the tick, `[n_out]`.
    error: Vec<f32>,
    /// Ticks since some label fired.
    since_label: u32,
    adjoint: Adjoint<f32>,
    gradients: Weights<f32>,
    optimizer: Optimizer<f32>,
    changes: u64,
    diverged: u64,
}

impl SpikeTaught {
    /// With random weights.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a parameter is out of range.
    pub fn new(config: ClassifierConfig, teaching: SpikeTaughtConfig, seed: u64) -> Result<Self> {
        Self::of(&Classifier::new(config, seed)?, teaching)
    }

    /// With the weights of this classifier.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a parameter is out of range.
    pub fn of(classifier: &Classifier, teaching: SpikeTaughtConfig) -> Result<Self> {
        teaching.validate()?;
        let (config, network) = (classifier.config().clone(), classifier.network().clone());
        let t = network.topology;
        Ok(Self {
            interval: Interval::new(&network, config.max_ticks, config.max_ticks * t.n_in),
            outputs: Outputs::new(&network, &teaching),
            errors: ErrorNeurons::new(&network, &teaching.errors),
            error_spikes: ErrorSpikes {
                size: teaching.errors.size as u32,
                turn: vec![[0; 2]; t.n_out],
                fired: Vec::with_capacity(2 * t.n_out * teaching.errors.size),
            },
            error: vec![0.0; t.n_out],
            since_label: LABEL_HOLD_TICKS,
            adjoint: Adjoint::new(&network),
            gradients: Weights::zeros(&t),
            optimizer: Optimizer::new(teaching.optimizer.clone(), &t)?,
            changes: 0,
            diverged: 0,
            config,
            teaching,
            network,
        })
    }

    /// Starts an interval: all state returns to zero. What an interval that was not ended
    /// would have taught is forgotten.
    pub fn begin(&mut self) {
        self.interval.begin();
        self.outputs.begin();
        self.errors.reset();
        self.error_spikes.reset();
        self.since_label = LABEL_HOLD_TICKS;
    }

    /// A tick with these spikes, each input and each label at most once. Allocates nothing.
    ///
    /// # Errors
    /// [`Error::InputOutOfRange`], [`Error::ClassOutOfRange`]; nothing has happened then.
    pub fn tick(&mut self, inputs: &[u32], labels: &[u32]) -> Result<()> {
        let (n_in, n_out) = (self.config.n_in, self.config.n_out);
        if let Some(&id) = inputs.iter().find(|id| **id as usize >= n_in) {
            return Err(Error::InputOutOfRange { id, n_in });
        }
        if let Some(&class) = labels.iter().find(|k| **k as usize >= n_out) {
            let class = class as usize;
            return Err(Error::ClassOutOfRange { class, n_out });
        }
        self.interval.step(&self.network, inputs);
        let kappa = self.network.dynamics.kappa;
        self.outputs.step(self.interval.readout(), kappa, labels);
        self.since_label = match labels.is_empty() {
            true => self.since_label.saturating_add(1),
            false => 0,
        };
        self.send_errors();
        Ok(())
    }

    /// The error neurons' tick; what arrives of it is this tick's learning signal.
    fn send_errors(&mut self) {
        let taught = self.since_label < LABEL_HOLD_TICKS;
        if !taught {
            self.error_spikes.fired.clear();
            return;
        }
        self.outputs.errors(&mut self.error);
        let most = self.teaching.errors.threshold as f32;
        for error in &mut self.error {
            *error = error.clamp(-most, most);
        }
        self.errors.step(&mut self.error);
        self.error_spikes.take(self.errors.fired());
        if self.interval.ticks() <= self.config.learn_from_tick {
            return;
        }
        if let Some(signal) = self.interval.error_mut() {
            signal.copy_from_slice(&self.error);
        }
    }

    /// Ends the interval: weights change by what error spikes have said in it. Whether they
    /// did; without a label they do not.
    pub fn end(&mut self) -> bool {
        let taught = self.interval.error_ticks() > 0;
        if taught {
            self.gradients.clear();
            self.adjoint.accumulate(
                &self.network,
                &self.interval,
                &self.config.eprop,
                &mut self.gradients,
            );
            let (network, feedback) = (&mut self.network, self.config.feedback);
            match (self.optimizer).update(network, feedback, &self.gradients, 1, 1.0) {
                Ok(()) => self.changes += 1,
                Err(_) => self.diverged += 1,
            }
        }
        self.begin();
        taught
    }

    /// Recurrent neurons that fired in the last tick, ascending.
    pub fn hidden(&self) -> &[u32] {
        self.interval.fired()
    }

    /// Output neurons that fired in the last tick, ascending.
    pub fn output(&self) -> &[u32] {
        &self.outputs.fired
    }

    /// Error neurons that fired in the last tick, ascending: of class `k` those from
    /// `2 k size` on are positive, the next `size` negative.
    pub fn errors(&self) -> &[u32] {
        &self.error_spikes.fired
    }

    /// Error neurons in all.
    pub fn error_neurons(&self) -> usize {
        2 * self.config.n_out * self.teaching.errors.size
    }

    /// Times that weights have changed, and times that they should have and gradients were
    /// not finite.
    pub fn changes(&self) -> (u64, u64) {
        (self.changes, self.diverged)
    }

    /// Sizes and dynamics.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Parameters of the teaching.
    pub fn teaching(&self) -> &SpikeTaughtConfig {
        &self.teaching
    }

    /// The network with its weights.
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }
}

/// The class that a presentation was answered with: whose output neuron fired most, the first
/// of several; `None` where none fired at all.
pub fn answer(counts: &[u32]) -> Option<usize> {
    let best = crate::learning::loss::first_largest(counts);
    counts.get(best).is_some_and(|n| *n > 0).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKS: u32 = 120;

    fn model(seed: u64) -> SpikeTaught {
        let config = ClassifierConfig {
            n_in: 40,
            n_lif: 15,
            n_alif: 15,
            max_ticks: TICKS as usize,
            ..ClassifierConfig::default()
        };
        let teaching = SpikeTaughtConfig {
            optimizer: OptimizerConfig::adam(0.02),
            ..SpikeTaughtConfig::default()
        };
        SpikeTaught::new(config, teaching, seed).unwrap()
    }

    /// Inputs `10 class..10 class + 10` spike in turn, from an offset of the sample's own.
    fn show(model: &mut SpikeTaught, sample: u32, taught: bool) -> (Option<usize>, Vec<u32>) {
        let class = sample % 4;
        let mut counts = [0; 4];
        let mut all = Vec::new();
        model.begin();
        for tick in 0..TICKS {
            let input = |k: u32| 10 * class + (7 * (2 * tick + k) + sample) % 10;
            let label: &[u32] = if taught && tick % 20 == 0 {
                &[class]
            } else {
                &[]
            };
            model.tick(&[input(0), input(1)], label).unwrap();
            for &k in model.output() {
                counts[k as usize] += 1;
            }
            all.extend([model.hidden(), model.output(), model.errors()].concat());
        }
        assert_eq!(model.end(), taught);
        (answer(&counts), all)
    }

    #[test]
    fn it_learns_by_spikes_alone_and_not_without_labels() {
        let mut model = model(3);
        let before = model.network().weights.clone();
        for sample in 0..8 {
            show(&mut model, sample, false);
        }
        assert_eq!(model.network().weights, before, "nobody taught");
        assert_eq!(model.changes(), (0, 0));
        for sample in 0..120 {
            show(&mut model, sample, true);
        }
        assert_eq!(model.changes(), (120, 0));
        let right = |s: &u32| show(&mut model.clone(), *s, false).0 == Some(*s as usize % 4);
        let right = (200..240).filter(right).count();
        assert!(right >= 38, "{right} of 40 right without labels");
    }

    #[test]
    fn the_same_seed_gives_the_same_spikes() {
        let run = |seed| {
            let mut model = model(seed);
            (0..6)
                .flat_map(|s| show(&mut model, s, true).1)
                .collect::<Vec<_>>()
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    /// An output neuron by hand: no leak to speak of, a drive of 0.3 of its threshold.
    #[test]
    fn spikes_of_labels_and_outputs_by_hand() {
        let model = model(1);
        let mut outputs = Outputs {
            threshold: 1.0,
            ..model.outputs.clone()
        };
        let mut fired = Vec::new();
        for tick in 1..=9 {
            // With kappa 1 the readout is the sum of what arrives.
            outputs.step(&[0.3 * tick as f32, 0.0, -5.0, 0.0], 1.0, &[]);
            fired.extend(outputs.fired.iter().map(|&k| (tick, k)));
        }
        assert_eq!(fired, [(4, 0), (7, 0)], "at 1.2 and 2.1");
        // A neuron at 50 Hz has a trace of 1 on average.
        let mut sum = 0.0;
        for tick in 0..2000 {
            let label: &[u32] = if tick % 20 == 0 { &[1] } else { &[] };
            outputs.step(&[0.0; 4], 1.0, label);
            let mut errors = [0.0; 4];
            outputs.errors(&mut errors);
            sum -= if tick >= 1000 { errors[1] } else { 0.0 };
        }
        assert!((sum / 1000.0 - 1.0).abs() < 0.01, "{sum}");
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let mut model = model(1);
        assert!(model.tick(&[40], &[]).is_err());
        assert!(model.tick(&[], &[4]).is_err());
        assert_eq!(model.interval.ticks(), 0, "and nothing has happened");
        let silent = SpikeTaughtConfig {
            label_hz: 0.0,
            ..SpikeTaughtConfig::default()
        };
        let text = SpikeTaught::new(ClassifierConfig::default(), silent, 1)
            .unwrap_err()
            .to_string();
        assert!(text.contains("label_hz"), "{text}");
    }
}
