//! The field's reference tasks, as code that can be run, drawn and compared.
//!
//! A [`Task`] is a network at its start and how it learns; a [`Problem`] draws the
//! sequences it learns from; an [`Experiment`] learns them, batch by batch.
//!
//! | task | is | of |
//! |---|---|---|
//! | [`SineRegression`] | one readout follows a sum of sines while frozen noise comes in | Bellec et al. 2020, supplementary note; NEST's example |
//! | [`EvidenceAccumulation`] | which side had more of seven cues, asked after a delay | the same, figure 4 |
//! | [`DelayedRecall`] | which symbol was to be stored, among others to be ignored | Bellec et al. 2018 |
//! | [`YinYang`] | which part of a figure a point lies in, told by five spike times | Kriener et al. 2022 |
//! | [`RandomManifold`] | which curve in the space of spike times a sample lies on | Zenke & Vogels 2021 |
//!
//! All draw with NumPy's numbers ([`numpy_random`]): in the first two a seed gives the
//! very task of NEST's own tests, and its losses can be held against ours. The last three
//! have sequences to be judged by that are never learnt from.

pub mod baseline;
mod checkpoint;
mod delayed_recall;
mod evidence_accumulation;
pub mod numpy_random;
mod random_manifold;
mod samples;
mod sine_regression;
mod yin_yang;

pub use delayed_recall::DelayedRecall;
pub use evidence_accumulation::EvidenceAccumulation;
pub use random_manifold::RandomManifold;
pub use sine_regression::SineRegression;
pub use yin_yang::YinYang;

use rayon::prelude::*;

use crate::error::{Error, Result, check};
use crate::learning::bptt::Paths;
use crate::learning::eprop::{EpropConfig, Forward};
use crate::learning::feedback::Feedback;
use crate::learning::loss;
use crate::learning::optimizer::{Optimizer, OptimizerConfig};
use crate::learning::rule::{Learner, Rule};
use crate::network::{Interval, Network, Topology, Weights};
use crate::neurons::NeuronParams;
use crate::real::Real;
use crate::simd::add_scaled;

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
    /// Sequences that are never learnt from; none where the task has no such.
    fn held_out(&self) -> &[Sequence] {
        &[]
    }
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

/// A network that learns a task by interval.
#[derive(Clone, Debug)]
pub struct Experiment<R> {
    network: Network<R>,
    rule: Rule,
    eprop: EpropConfig,
    optimizer: Optimizer<R>,
    feedback: Feedback,
    /// Sum over a batch.
    gradients: Weights<R>,
    ticks: usize,
    window: usize,
    /// What the learning rate is multiplied by.
    rate_factor: f64,
    /// One for each sequence of the largest batch so far.
    desks: Vec<Desk<R>>,
    /// The desk of the last sequence.
    last: usize,
}

/// What a sequence is worked on with.
#[derive(Clone, Debug)]
struct Desk<R> {
    interval: Interval<R>,
    learner: Learner<R>,
    gradients: Weights<R>,
    readouts: Vec<R>,
}

impl<R: Real> Experiment<R> {
    /// The network of a task at its start, to learn by e-prop.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a parameter of the task is out of range or an
    /// array has the wrong length.
    pub fn new(task: &Task) -> Result<Self> {
        Self::with_rule(task, Rule::Eprop)
    }

    /// The network of a task at its start, to learn by a rule. eRBP takes the task's
    /// random feedback whatever the task says, backpropagation through time takes none.
    ///
    /// # Errors
    /// As [`Experiment::new`], and where a parameter of the rule is out of range.
    pub fn with_rule(task: &Task, rule: Rule) -> Result<Self> {
        rule.validate()?;
        task.neurons.validate()?;
        if matches!(rule, Rule::Bptt(_)) && task.neurons.reset.is_hard() {
            return Err(Error::Parameter {
                name: "neurons.reset".to_owned(),
                value: format!("{:?}", task.neurons.reset),
                range: "Late or AtOnce with BPTT".to_owned(),
            });
        }
        task.eprop.validate()?;
        task.feedback_kind.validate()?;
        let mut network = Network::new(task.topology, &task.neurons);
        let parts = network.weights.parts_mut().into_iter();
        for (ours, theirs) in parts.zip(task.weights.parts()) {
            copy("weights", ours, theirs)?;
        }
        let mut feedback = vec![R::ZERO; task.topology.n_out * task.topology.n_rec()];
        copy("feedback", &mut feedback, &task.feedback)?;
        let feedback_kind = match rule {
            Rule::Erbp(_) => Feedback::Random,
            _ => task.feedback_kind,
        };
        if feedback_kind != Feedback::Symmetric {
            network.feedback = Some(feedback);
        }
        let (low, high) = task.bounds;
        let optimizer = Optimizer::new(task.optimizer.clone(), &task.topology)?;
        let mut experiment = Self {
            network,
            rule,
            eprop: task.eprop.clone(),
            optimizer: optimizer.bounded(low, high)?,
            feedback: feedback_kind,
            gradients: Weights::zeros(&task.topology),
            ticks: task.ticks,
            window: task.window,
            rate_factor: 1.0,
            desks: Vec::new(),
            last: 0,
        };
        experiment.desks_for(1);
        Ok(experiment)
    }

    fn desks_for(&mut self, sequences: usize) {
        let topology = self.network.topology;
        while self.desks.len() < sequences {
            self.desks.push(Desk {
                interval: Interval::new(&self.network, self.ticks, self.ticks * topology.n_in),
                learner: Learner::new(&self.network, self.rule),
                gradients: Weights::zeros(&topology),
                readouts: Vec::with_capacity(self.window * topology.n_out),
            });
        }
        self.last = sequences.saturating_sub(1);
    }

    /// Multiplies the optimizer's learning rate by a factor from now on; 1 at the start.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless it is within 0..=1000.
    pub fn set_rate_factor(&mut self, factor: f64) -> Result<()> {
        check("rate_factor", factor, 0.0, 1e3)?;
        self.rate_factor = factor;
        Ok(())
    }

    /// The network.
    pub fn network(&self) -> &Network<R> {
        &self.network
    }

    /// The last sequence of the last iteration.
    pub fn interval(&self) -> &Interval<R> {
        &self.desks[self.last].interval
    }

    /// The readout of the last sequence within its window, `[window, n_out]`.
    pub fn readouts(&self) -> &[R] {
        &self.desks[self.last].readouts
    }

    /// Runs a batch, its sequences on several threads, and changes the weights once.
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a gradient is not finite,
    /// [`Error::ClassOutOfRange`] and [`Error::InputOutOfRange`] where a sequence
    /// does not fit the network.
    pub fn iterate(&mut self, batch: &[Sequence]) -> Result<Iteration> {
        let runs = self.run(batch, true)?;
        self.finish(&runs)
    }

    /// Runs sequences and changes nothing.
    ///
    /// # Errors
    /// As [`Experiment::iterate`].
    pub fn evaluate(&mut self, sequences: &[Sequence]) -> Result<Iteration> {
        let mut runs = Vec::with_capacity(sequences.len());
        // A few at a time: each has a desk of its own.
        for some in sequences.chunks(self.desks.len().max(16)) {
            runs.extend(self.run(some, false)?);
        }
        Ok(mean(&runs, &self.network))
    }

    /// Cosine between what the rule would descend on a batch and the gradient of
    /// backpropagation through time; changes nothing.
    ///
    /// # Errors
    /// As [`Experiment::iterate`].
    pub fn cosine_to_bptt(&mut self, batch: &[Sequence]) -> Result<f64> {
        self.run(batch, true)?;
        self.add_up(batch.len());
        let ours = self.gradients.clone();
        let mut other = Self {
            rule: Rule::Bptt(Paths::default()),
            desks: Vec::new(),
            ..self.clone()
        };
        other.run(batch, true)?;
        other.add_up(batch.len());
        Ok(ours.cosine(&other.gradients))
    }

    /// Runs sequences on several threads, and gathers each one's gradient if asked.
    fn run(&mut self, batch: &[Sequence], learning: bool) -> Result<Vec<Run>> {
        self.desks_for(batch.len());
        let (network, eprop, window) = (&self.network, &self.eprop, self.window);
        let runs: Vec<Result<Run>> = self.desks[..batch.len()]
            .par_iter_mut()
            .zip(batch)
            .map(|(desk, sequence)| {
                let run = desk.run(network, window, sequence, |_| {})?;
                if learning {
                    desk.gradients.clear();
                    let gradients = &mut desk.gradients;
                    desk.learner
                        .accumulate(network, &desk.interval, eprop, gradients);
                }
                Ok(run)
            })
            .collect();
        runs.into_iter().collect()
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
        self.desks_for(batch.len());
        let (network, eprop, window) = (&self.network, &self.eprop, self.window);
        let mut forward = Forward::new(network);
        let mut runs = Vec::with_capacity(batch.len());
        for (at, (desk, sequence)) in self.desks.iter_mut().zip(batch).enumerate() {
            let run = desk.run(network, window, sequence, |interval| {
                forward.step(network, interval);
            });
            runs.push(run?);
            let early = batch.get(at + 1).or(following);
            if let Some(early) = early.and_then(|next| next.inputs.get(1)) {
                forward.leave_out_last_signal(early);
            }
            desk.gradients.clear();
            forward.accumulate(network, &desk.interval, eprop, &mut desk.gradients);
        }
        self.finish(&runs)
    }

    /// Adds up the gradients in the order of the sequences.
    fn add_up(&mut self, sequences: usize) {
        self.gradients.clear();
        for desk in &self.desks[..sequences] {
            let parts = self.gradients.parts_mut().into_iter();
            for (sum, g) in parts.zip(desk.gradients.parts()) {
                add_scaled(sum, R::ONE, g);
            }
        }
    }

    /// Adds up the gradients and changes the weights.
    fn finish(&mut self, runs: &[Run]) -> Result<Iteration> {
        self.add_up(runs.len());
        let (network, gradients) = (&mut self.network, &self.gradients);
        self.optimizer.update(
            network,
            self.feedback,
            gradients,
            runs.len(),
            self.rate_factor,
        )?;
        Ok(mean(runs, &self.network))
    }
}

impl<R: Real> Desk<R> {
    /// Runs a sequence; `after` sees the interval after each step, its error written.
    fn run(
        &mut self,
        network: &Network<R>,
        window: usize,
        sequence: &Sequence,
        mut after: impl FnMut(&Interval<R>),
    ) -> Result<Run> {
        let topology = network.topology;
        check_sequence(sequence, &topology)?;
        let (n_out, ticks) = (topology.n_out, sequence.inputs.len());
        let start = ticks.saturating_sub(window);
        let mut run = Run::default();
        let (mut y, mut target) = (vec![R::ZERO; n_out], vec![R::ZERO; n_out]);
        let mut mean_softmax = vec![0.0; n_out];
        self.readouts.clear();
        self.interval.begin();
        self.learner.begin();
        for (s, inputs) in sequence.inputs.iter().enumerate() {
            self.interval.step(network, inputs);
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
                self.learner.signal(error);
            }
            after(&self.interval);
        }
        if let Target::Class(class) = sequence.target {
            run.right = loss::first_largest(&mean_softmax) == class;
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

/// What came out of a batch.
fn mean<R: Real>(runs: &[Run], network: &Network<R>) -> Iteration {
    let ticks: usize = runs.iter().map(|run| run.ticks).sum();
    let spikes: usize = runs.iter().map(|run| run.spikes).sum();
    let neuron_ms = (ticks * network.topology.n_rec()) as f64 * network.dynamics.dt_ms;
    Iteration {
        loss: runs.iter().map(|run| run.loss).sum::<f64>() / runs.len() as f64,
        right: runs.iter().filter(|run| run.right).count(),
        sequences: runs.len(),
        rate_hz: 1000.0 * spikes as f64 / neuron_ms.max(f64::MIN_POSITIVE),
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
