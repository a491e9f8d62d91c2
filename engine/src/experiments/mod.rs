//! The field's reference tasks, as code that can be run, drawn and compared.
//!
//! A [`Task`] is a network at its start and how it learns; a [`Problem`] draws the
//! sequences it learns from; an [`Experiment`] learns them, batch by batch.
//!
//! | task | is | of |
//! |---|---|---|
//! | [`SineRegression`] | one readout follows a sum of sines while frozen noise comes in | Bellec et al. 2020, supplementary note; NEST's example |
//! | [`EvidenceAccumulation`] | which side had more of seven cues, asked after a delay | the same, figure 4 |
//!
//! Both draw with NumPy's numbers ([`numpy_random`]), so that a seed gives the very
//! task of NEST's own tests, and its losses can be held against ours.

mod evidence_accumulation;
pub mod numpy_random;
mod sine_regression;

pub use evidence_accumulation::EvidenceAccumulation;
pub use sine_regression::SineRegression;

use crate::error::{Error, Result};
use crate::learning::eprop::{Adjoint, EpropConfig, Forward};
use crate::learning::feedback::Feedback;
use crate::learning::loss;
use crate::learning::optimizer::{Optimizer, OptimizerConfig};
use crate::network::{Interval, Network, Topology, Weights};
use crate::neurons::NeuronParams;
use crate::real::Real;

/// A network at its start, and how it learns.
#[derive(Clone, Debug)]
pub struct Task {
    /// Sizes.
    pub topology: Topology,
    /// Neurons and readout.
    pub neurons: NeuronParams,
    /// The learning rule.
    pub eprop: EpropConfig,
    /// What changes the weights.
    pub optimizer: OptimizerConfig,
    /// Lowest and highest weight.
    pub bounds: (f64, f64),
    /// Steps of a sequence.
    pub ticks: usize,
    /// Steps at its end in which there is an error.
    pub window: usize,
    /// Initial weights.
    pub weights: Weights<f64>,
    /// What becomes of the feedback weights.
    pub feedback_kind: Feedback,
    /// Random feedback, `[n_out, n_rec]`; not used where it is symmetric.
    pub feedback: Vec<f64>,
}

/// What a network hears in a sequence, and what it should say.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Inputs that spike in each step.
    pub inputs: Vec<Vec<u32>>,
    /// What the readout should be.
    pub target: Target,
}

/// What the readout should be.
#[derive(Clone, Debug)]
pub enum Target {
    /// A value for each readout in each step, `[ticks, n_out]`: squared error.
    Signal(Vec<f64>),
    /// A class: cross entropy of the softmax.
    Class(usize),
}

/// Where the sequences of a task come from.
pub trait Problem {
    /// The network and how it learns.
    fn task(&self) -> &Task;
    /// The sequences of the next iteration.
    fn batch(&mut self) -> Vec<Sequence>;
}

/// What came out of an iteration, before its weight update.
#[derive(Clone, Debug, PartialEq)]
pub struct Iteration {
    /// Squared error: half the sum over the steps, mean over readouts and sequences.
    /// Cross entropy: mean over the steps of the window and the sequences, in nats.
    pub loss: f64,
    /// Sequences whose mean softmax over the window was largest at their class.
    pub right: usize,
    /// Sequences.
    pub sequences: usize,
    /// Mean firing rate of the recurrent layer in Hz.
    pub rate_hz: f64,
}

/// A network that learns a task by interval-wise e-prop.
#[derive(Clone, Debug)]
pub struct Experiment<R> {
    network: Network<R>,
    interval: Interval<R>,
    eprop: EpropConfig,
    optimizer: Optimizer<R>,
    gradients: Weights<R>,
    feedback: Feedback,
    window: usize,
    readouts: Vec<R>,
}

impl<R: Real> Experiment<R> {
    /// The network of a task at its start.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a parameter of the task is out of range or an
    /// array has the wrong length.
    pub fn new(task: &Task) -> Result<Self> {
        task.neurons.validate()?;
        task.eprop.validate()?;
        task.feedback_kind.validate()?;
        let mut network = Network::new(task.topology, &task.neurons);
        let parts = network.weights.parts_mut().into_iter();
        for (ours, theirs) in parts.zip(task.weights.parts()) {
            copy("weights", ours, theirs)?;
        }
        let mut feedback = vec![R::ZERO; task.topology.n_out * task.topology.n_rec()];
        copy("feedback", &mut feedback, &task.feedback)?;
        if task.feedback_kind != Feedback::Symmetric {
            network.feedback = Some(feedback);
        }
        let (low, high) = task.bounds;
        Ok(Self {
            interval: Interval::new(&network, task.ticks, task.ticks * task.topology.n_in),
            eprop: task.eprop.clone(),
            optimizer: Optimizer::new(task.optimizer.clone(), &task.topology)?
                .bounded(low, high)?,
            gradients: Weights::zeros(&task.topology),
            feedback: task.feedback_kind,
            window: task.window,
            readouts: Vec::with_capacity(task.window * task.topology.n_out),
            network,
        })
    }

    /// The network.
    pub fn network(&self) -> &Network<R> {
        &self.network
    }

    /// The last sequence of the last iteration.
    pub fn interval(&self) -> &Interval<R> {
        &self.interval
    }

    /// The readout of the last sequence within its window, `[window, n_out]`.
    pub fn readouts(&self) -> &[R] {
        &self.readouts
    }

    /// Runs a batch and changes the weights once.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a gradient is not finite,
    /// [`Error::ClassOutOfRange`] and [`Error::InputOutOfRange`] where a sequence
    /// does not fit the network.
    pub fn iterate(&mut self, batch: &[Sequence]) -> Result<Iteration> {
        let mut adjoint = Adjoint::new(&self.network);
        let mut sum = Sum::default();
        for sequence in batch {
            sum.add(self.run(sequence, |_, _| {})?);
            let Self {
                network, interval, ..
            } = self;
            adjoint.accumulate(network, interval, &self.eprop, &mut self.gradients);
        }
        self.update(batch.len())?;
        Ok(sum.mean(batch.len(), &self.network))
    }

    /// As [`Experiment::iterate`], with the terms left out that NEST leaves out.
    ///
    /// NEST computes a synapse's gradient when its presynaptic neuron next spikes.
    /// If that is step 1 of the next sequence (`following` is the one after the
    /// batch), the learning signal of the last step has not arrived yet, and the
    /// synapse learns without it. This is no rule to learn with: it exists so that
    /// the two can be compared over many iterations, spike by spike.
    ///
    /// # Errors
    /// As [`Experiment::iterate`].
    pub fn iterate_as_nest(
        &mut self,
        batch: &[Sequence],
        following: Option<&Sequence>,
    ) -> Result<Iteration> {
        let mut forward = Forward::new(&self.network);
        let mut sum = Sum::default();
        for (at, sequence) in batch.iter().enumerate() {
            sum.add(self.run(sequence, |network, interval| {
                forward.step(network, interval);
            })?);
            let early = batch.get(at + 1).or(following);
            if let Some(early) = early.and_then(|next| next.inputs.get(1)) {
                forward.leave_out_last_signal(early);
            }
            let Self {
                network, interval, ..
            } = self;
            forward.accumulate(network, interval, &self.eprop, &mut self.gradients);
        }
        self.update(batch.len())?;
        Ok(sum.mean(batch.len(), &self.network))
    }

    fn update(&mut self, batch: usize) -> Result<()> {
        let mut before = Vec::new();
        self.feedback.remember(&self.network, &mut before);
        let weights = &mut self.network.weights;
        let done = self.optimizer.step(weights, &self.gradients, batch, 1.0);
        self.feedback.follow(&mut self.network, &before);
        self.gradients.clear();
        done
    }

    /// Runs a sequence; `after` sees the interval after each step, its error written.
    fn run(
        &mut self,
        sequence: &Sequence,
        mut after: impl FnMut(&Network<R>, &Interval<R>),
    ) -> Result<Run> {
        let topology = self.network.topology;
        check_sequence(sequence, &topology)?;
        let (n_out, ticks) = (topology.n_out, sequence.inputs.len());
        let start = ticks.saturating_sub(self.window);
        let mut run = Run::default();
        let (mut y, mut target) = (vec![R::ZERO; n_out], vec![R::ZERO; n_out]);
        let mut mean_softmax = vec![0.0; n_out];
        self.readouts.clear();
        self.interval.begin();
        for (s, inputs) in sequence.inputs.iter().enumerate() {
            self.interval.step(&self.network, inputs);
            y.copy_from_slice(self.interval.readout());
            if s >= start
                && let Some(error) = self.interval.error_mut()
            {
                self.readouts.extend_from_slice(&y);
                match &sequence.target {
                    Target::Signal(signal) => {
                        for (t, &value) in target.iter_mut().zip(&signal[s * n_out..]) {
                            *t = R::of(value);
                        }
                        run.loss += loss::squared_error(&y, &target, error);
                    }
                    Target::Class(class) => {
                        let steps = (ticks - start) as f64;
                        run.loss += loss::cross_entropy(&y, *class, error) / steps;
                        loss::softmax(&y, R::ONE, &mut target);
                        for (mean, p) in mean_softmax.iter_mut().zip(&target) {
                            *mean += p.to_f64();
                        }
                    }
                }
            }
            after(&self.network, &self.interval);
        }
        if let Target::Class(class) = sequence.target {
            run.right = mean_softmax.iter().all(|&p| p <= mean_softmax[class]);
        }
        run.spikes = self.interval.spikes().all().len();
        run.ticks = ticks;
        Ok(run)
    }
}

/// Copies numbers into an array of this network's type.
fn copy<R: Real>(name: &str, ours: &mut [R], theirs: &[f64]) -> Result<()> {
    if ours.len() != theirs.len() {
        return Err(Error::Parameter {
            name: name.to_owned(),
            value: format!("{} numbers", theirs.len()),
            range: format!("{} numbers for this topology", ours.len()),
        });
    }
    for (ours, &theirs) in ours.iter_mut().zip(theirs) {
        *ours = R::of(theirs);
    }
    Ok(())
}

fn check_sequence(sequence: &Sequence, topology: &Topology) -> Result<()> {
    let n_in = topology.n_in;
    let outside = |&&id: &&u32| id as usize >= n_in;
    if let Some(&id) = sequence.inputs.iter().flatten().find(outside) {
        return Err(Error::InputOutOfRange { id, n_in });
    }
    let n_out = topology.n_out;
    match &sequence.target {
        &Target::Class(class) if class >= n_out => Err(Error::ClassOutOfRange { class, n_out }),
        Target::Signal(signal) if signal.len() != n_out * sequence.inputs.len() => {
            Err(Error::Parameter {
                name: "target".to_owned(),
                value: format!("{} numbers", signal.len()),
                range: format!("{n_out} for each of {} steps", sequence.inputs.len()),
            })
        }
        _ => Ok(()),
    }
}

/// What came out of a sequence.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    loss: f64,
    right: bool,
    spikes: usize,
    ticks: usize,
}

/// What came out of the sequences of a batch.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    loss: f64,
    right: usize,
    spikes: usize,
    ticks: usize,
}

impl Sum {
    fn add(&mut self, run: Run) {
        self.loss += run.loss;
        self.right += usize::from(run.right);
        self.spikes += run.spikes;
        self.ticks += run.ticks;
    }

    fn mean<R: Real>(&self, sequences: usize, network: &Network<R>) -> Iteration {
        let neuron_ms = (self.ticks * network.topology.n_rec()) as f64 * network.dynamics.dt_ms;
        Iteration {
            loss: self.loss / sequences as f64,
            right: self.right,
            sequences,
            rate_hz: 1000.0 * self.spikes as f64 / neuron_ms.max(f64::MIN_POSITIVE),
        }
    }
}

/// NEST's tasks round their weights to single precision.
fn in_single_precision(value: f64) -> f64 {
    f64::from(value as f32)
}

/// `count` normal deviates over the root of the fan-in.
fn normal(random: &mut numpy_random::NumpyRandom, count: usize, fan_in: usize) -> Vec<f64> {
    let scale = (fan_in as f64).sqrt();
    (0..count)
        .map(|_| in_single_precision(random.normal() / scale))
        .collect()
}
