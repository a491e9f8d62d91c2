//! Training a classifier on labelled samples, batch by batch.
//!
//! e-prop gives the gradient of every sample, Adam the step of every batch. The
//! learning rate rises over the first epoch and falls to nothing along a cosine, and
//! what is handed out is the running average of the weights, not their last value:
//! both keep the result from depending on the samples seen last, so that it holds
//! when the learning signal is gone.
//!
//! Nothing depends on the number of threads: the samples of a batch are dealt to
//! shards of fixed size, each with its own gradient, and these are summed in order.
//! Every draw comes from the seed, the epoch and the position of the sample, so that a
//! checkpoint need not hold any generator: a training that was interrupted between two
//! batches goes on to the same bits ([`Trainer::checkpoint`], [`Trainer::resume`]).

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::augment::Augment;
use super::classifier::{Classifier, Provenance};
use super::config::ClassifierConfig;
use super::evaluation::{Judge, outcomes};
use super::presentation::Presentation;
use super::sample::{Sample, fingerprint, validate};
use crate::error::{Error, Result, check, check_count};
use crate::learning::eprop::Adjoint;
use crate::learning::loss;
use crate::learning::optimizer::{Optimizer, OptimizerConfig};
use crate::network::{Network, Weights};
use crate::simd::{add_scaled, blend};
use crate::spikes::SpikeLog;

/// Samples whose gradient is summed on one thread. Part of the definition of the
/// result (it sets the order of additions), so no parameter.
const SHARD: usize = 4;

/// Parameters of a training. All fields have defaults; unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples per step of the optimizer.
    pub batch: usize,
    /// Optimizer with its peak learning rate.
    pub optimizer: OptimizerConfig,
    /// Share of all steps over which the learning rate rises from 0 to its peak.
    pub warmup: f64,
    /// Decay per step of the running average of the weights; 0 takes the last weights.
    pub average_decay: f64,
    /// How samples vary.
    pub augment: Augment,
    /// Share of the samples held out to fit the decision's sharpness.
    pub held_out: f64,
    /// Mean rate of the recurrent layer in Hz to which the initial input weights are
    /// scaled on the data; `None` leaves them as drawn.
    pub initial_rate_hz: Option<f64>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 40,
            batch: 16,
            optimizer: OptimizerConfig::adam(0.03),
            warmup: 0.05,
            average_decay: 0.99,
            augment: Augment::default(),
            held_out: 0.1,
            initial_rate_hz: Some(15.0),
        }
    }
}

impl TrainConfig {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self, classifier: &ClassifierConfig) -> Result<()> {
        check_count("epochs", self.epochs, 1, 1_000_000)?;
        check_count("batch", self.batch, 1, 4096)?;
        check("warmup", self.warmup, 0.0, 1.0)?;
        check("average_decay", self.average_decay, 0.0, 0.999_999)?;
        check("held_out", self.held_out, 0.0, 0.9)?;
        if let Some(rate) = self.initial_rate_hz {
            check("initial_rate_hz", rate, 0.1, 500.0)?;
        }
        self.augment.validate(classifier.n_in)?;
        self.optimizer.validate()
    }
}

/// What an epoch gave, measured while learning on varied samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochReport {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Mean cross entropy per tick in nats.
    pub loss: f64,
    /// Share of right decisions at the end of a sample.
    pub accuracy: f64,
    /// Mean firing rate of the recurrent layer in Hz.
    pub mean_rate_hz: f64,
}

/// What a training gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainReport {
    /// Every epoch.
    pub epochs: Vec<EpochReport>,
    /// Samples learnt from.
    pub trained_on: usize,
    /// Samples held out for the sharpness.
    pub held_out: usize,
    /// Accuracy on these, with the weights handed out.
    pub held_out_accuracy: Option<f64>,
    /// Sharpness of the decision.
    pub decision_sharpness: f64,
}

/// Trains a new classifier. `callback` hears of every epoch and may end the training
/// with [`ControlFlow::Break`].
///
/// # Errors
/// [`Error::Parameter`], [`Error::Sample`], [`Error::NoSamples`];
/// [`Error::NotFinite`] where the training diverges.
pub fn train(
    samples: &[Sample],
    config: &ClassifierConfig,
    training: &TrainConfig,
    seed: u64,
    callback: &mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
) -> Result<(Classifier, TrainReport)> {
    let mut trainer = Trainer::new(samples, config, training, seed)?;
    while trainer.epoch() < training.epochs {
        let report = trainer.run_epoch()?;
        if callback(&report).is_break() {
            break;
        }
    }
    Ok(trainer.finish())
}

/// A training in progress.
pub struct Trainer<'a> {
    pub(super) samples: &'a [Sample],
    pub(super) config: TrainConfig,
    pub(super) seed: u64,
    pub(super) classifier: Classifier,
    pub(super) optimizer: Optimizer<f32>,
    pub(super) average: Weights<f32>,
    workers: Vec<Worker>,
    /// Samples to learn from.
    learning: Vec<usize>,
    /// Samples held out.
    held_out: Vec<usize>,
    pub(super) progress: Progress,
}

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// Epochs done.
    pub(super) reports: Vec<EpochReport>,
    /// Batches done of the next one.
    pub(super) batches: usize,
    /// Sums over these.
    pub(super) tally: Tally,
}

impl<'a> Trainer<'a> {
    /// Draws the initial weights and the samples to hold out.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Sample`], [`Error::NoSamples`].
    pub fn new(
        samples: &'a [Sample],
        config: &ClassifierConfig,
        training: &TrainConfig,
        seed: u64,
    ) -> Result<Self> {
        let mut trainer = Self::drawn(samples, config, training, seed)?;
        if let Some(rate) = training.initial_rate_hz {
            scale_to_rate(&mut trainer.classifier, samples, &trainer.learning, rate);
            let weights = &trainer.classifier.network().weights;
            trainer.average.clone_from(weights);
        }
        Ok(trainer)
    }

    /// The same with the initial weights as drawn.
    pub(super) fn drawn(
        samples: &'a [Sample],
        config: &ClassifierConfig,
        training: &TrainConfig,
        seed: u64,
    ) -> Result<Self> {
        config.validate()?;
        training.validate(config)?;
        validate(samples, config)?;
        let mut order: Vec<usize> = (0..samples.len()).collect();
        order.shuffle(&mut rng(seed, u64::MAX, 0));
        let held = (samples.len() as f64 * training.held_out).round() as usize;
        let learning = order.split_off(held);
        if learning.is_empty() {
            let what = format!("all {} samples are held out, none is left", samples.len());
            return Err(Error::NoSamples(what));
        }
        let classifier = Classifier::new(config.clone(), seed)?;
        let network = classifier.network();
        let optimizer = Optimizer::new(training.optimizer.clone(), &network.topology)?;
        let shards = training.batch.min(learning.len()).div_ceil(SHARD);
        let workers = (0..shards).map(|_| Worker::new(network, config.max_ticks));
        Ok(Self {
            samples,
            config: training.clone(),
            seed,
            optimizer,
            average: network.weights.clone(),
            workers: workers.collect(),
            learning,
            held_out: order,
            progress: Progress::default(),
            classifier,
        })
    }

    /// Epochs done.
    pub fn epoch(&self) -> usize {
        self.progress.reports.len()
    }

    /// What every epoch so far gave.
    pub fn reports(&self) -> &[EpochReport] {
        &self.progress.reports
    }

    /// The rest of a pass over the samples.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where the training diverges.
    pub fn run_epoch(&mut self) -> Result<EpochReport> {
        loop {
            if let Some(report) = self.step()? {
                return Ok(report);
            }
        }
    }

    /// One batch; a report where it was the last one of an epoch.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where the training diverges.
    pub fn step(&mut self) -> Result<Option<EpochReport>> {
        let epoch = self.epoch();
        let mut order = self.learning.clone();
        order.shuffle(&mut rng(self.seed, epoch as u64, u64::MAX));
        let start = self.progress.batches * self.config.batch;
        let end = order.len().min(start + self.config.batch);
        let tally = self.run_batch(epoch, &order[start..end])?;
        let progress = &mut self.progress;
        progress.tally.add(&tally);
        progress.batches += 1;
        if end < order.len() {
            return Ok(None);
        }
        progress.batches = 0;
        let sum = std::mem::take(&mut progress.tally);
        let network = self.classifier.network();
        let seconds = sum.ticks as f64 * network.dynamics.dt_ms / 1000.0;
        let report = EpochReport {
            epoch: epoch + 1,
            epochs: self.config.epochs,
            loss: sum.loss / order.len() as f64,
            accuracy: sum.right as f64 / order.len() as f64,
            mean_rate_hz: sum.spikes as f64 / (seconds * network.topology.n_rec() as f64),
        };
        progress.reports.push(report);
        Ok(Some(report))
    }

    /// Batches of an epoch.
    pub(super) fn batches(&self) -> usize {
        self.learning.len().div_ceil(self.config.batch)
    }

    fn run_batch(&mut self, epoch: usize, batch: &[usize]) -> Result<Tally> {
        let (samples, seed, augment) = (self.samples, self.seed, &self.config.augment);
        let classifier = &self.classifier;
        let shards = batch.par_chunks(SHARD).zip(&mut self.workers);
        let tallies: Vec<Tally> = shards
            .map(|(shard, worker)| {
                worker.gradients.clear();
                let mut tally = Tally::default();
                for &index in shard {
                    let mut rng = rng(seed, epoch as u64, index as u64);
                    tally.add(&worker.learn(classifier, &samples[index], augment, &mut rng));
                }
                tally
            })
            .collect();

        let rate = self.rate_factor();
        let (first, rest) = self.workers.split_at_mut(1);
        for worker in &rest[..tallies.len() - 1] {
            let parts = worker.gradients.parts();
            for (sum, part) in first[0].gradients.parts_mut().into_iter().zip(parts) {
                add_scaled(sum, 1.0, part);
            }
        }
        let feedback = self.classifier.config().feedback;
        let network = self.classifier.network_mut();
        self.optimizer
            .update(network, feedback, &first[0].gradients, batch.len(), rate)?;
        self.update_average();
        let mut sum = Tally::default();
        tallies.iter().for_each(|t| sum.add(t));
        Ok(sum)
    }

    /// Factor of the learning rate for the coming step: a line up, half a cosine down.
    fn rate_factor(&self) -> f64 {
        let steps = self.config.epochs * self.batches();
        let done = self.optimizer.steps() as f64 / steps as f64;
        let warmup = self.config.warmup;
        if done < warmup {
            let next = (self.optimizer.steps() + 1) as f64 / steps as f64;
            return (next / warmup).min(1.0);
        }
        let fallen = (done - warmup) / (1.0 - warmup).max(f64::MIN_POSITIVE);
        0.5 * (1.0 + (std::f64::consts::PI * fallen.min(1.0)).cos())
    }

    fn update_average(&mut self) {
        let weights = &self.classifier.network().weights;
        let (steps, decay) = (self.optimizer.steps(), self.config.average_decay);
        follow(&mut self.average, weights, steps, decay);
    }

    /// Takes the averaged weights, fits the sharpness of the decision to the samples
    /// held out (to the others where there are none) and hands the classifier out.
    pub fn finish(mut self) -> (Classifier, TrainReport) {
        self.classifier.network_mut().weights = self.average.clone();
        let chosen = if self.held_out.is_empty() {
            &self.learning
        } else {
            &self.held_out
        };
        let chosen: Vec<Sample> = chosen.iter().map(|&i| self.samples[i].clone()).collect();
        let (sharpness, accuracy) = fit_sharpness(&self.classifier, &chosen);
        self.classifier.set_sharpness(sharpness);
        let report = TrainReport {
            trained_on: self.learning.len(),
            held_out: self.held_out.len(),
            held_out_accuracy: (!self.held_out.is_empty()).then_some(accuracy),
            decision_sharpness: sharpness,
            epochs: self.progress.reports,
        };
        let training = serde_json::json!({
            "config": self.config,
            "last_epoch": report.epochs.last(),
            "trained_on": report.trained_on,
            "held_out": report.held_out,
            "held_out_accuracy": report.held_out_accuracy,
        });
        self.classifier.set_provenance(Provenance {
            encoder: String::new(),
            seed: self.seed,
            dataset_fingerprint: fingerprint(self.samples),
            training: training.to_string(),
        });
        (self.classifier, report)
    }
}

/// Lets a running average follow the weights after step `steps` (from 1).
pub(super) fn follow(average: &mut Weights<f32>, weights: &Weights<f32>, steps: u64, decay: f64) {
    let steps = steps as f64;
    // Short at first: the average must not remember the initial weights.
    let decay = decay.min(steps / (steps + 10.0));
    for (mean, w) in average.parts_mut().into_iter().zip(weights.parts()) {
        blend(mean, decay as f32, w);
    }
}

/// Sums over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) loss: f64,
    pub(super) right: usize,
    pub(super) spikes: usize,
    pub(super) ticks: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.right += other.right;
        self.spikes += other.spikes;
        self.ticks += other.ticks;
    }
}

/// What a shard of a batch needs.
struct Worker {
    presentation: Presentation,
    adjoint: Adjoint<f32>,
    gradients: Weights<f32>,
    spikes: Vec<(u16, u32)>,
    log: SpikeLog,
    scratch: Vec<u32>,
}

impl Worker {
    fn new(network: &Network<f32>, max_ticks: usize) -> Self {
        Self {
            presentation: Presentation::new(network, max_ticks),
            adjoint: Adjoint::new(network),
            gradients: Weights::zeros(&network.topology),
            spikes: Vec::new(),
            log: SpikeLog::default(),
            scratch: Vec::new(),
        }
    }

    /// Presents a variation of the sample and adds its gradient.
    fn learn(
        &mut self,
        classifier: &Classifier,
        sample: &Sample,
        augment: &Augment,
        rng: &mut ChaCha8Rng,
    ) -> Tally {
        let (network, config) = (classifier.network(), classifier.config());
        augment.apply(&sample.spikes, sample.ticks, rng, &mut self.spikes);
        self.log.fill(sample.ticks, &self.spikes, &mut self.scratch);
        let shown = &mut self.presentation;
        shown.begin();
        for s in 0..sample.ticks {
            shown.step(network, self.log.tick(s));
            if s >= config.learn_from_tick {
                shown.teach(sample.label, sample.weight);
            }
        }
        let interval = &shown.interval;
        self.adjoint
            .accumulate(network, interval, &config.eprop, &mut self.gradients);
        Tally {
            loss: shown.mean_loss(),
            right: usize::from(shown.decision(1.0).class == sample.label),
            spikes: interval.spikes().all().len(),
            ticks: sample.ticks,
        }
    }
}

/// A generator for one purpose: seed, epoch and sample each give another stream.
fn rng(seed: u64, epoch: u64, sample: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    key[16..24].copy_from_slice(&sample.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Scales the input weights so that the recurrent layer fires at `rate` Hz on
/// (some of) the samples: by bisection of the factor on a logarithmic scale.
pub(super) fn scale_to_rate(
    classifier: &mut Classifier,
    samples: &[Sample],
    chosen: &[usize],
    rate: f64,
) {
    let mut network = classifier.network().clone();
    let drawn = network.weights.w_in.clone();
    let mut judge = Judge::new(&network, classifier.config().max_ticks);
    let (mut low, mut high) = (-10.0_f64, 10.0_f64);
    for _ in 0..12 {
        let middle = 0.5 * (low + high);
        let factor = middle.exp2() as f32;
        for (w, d) in network.weights.w_in.iter_mut().zip(&drawn) {
            *w = d * factor;
        }
        let (mut spikes, mut seconds) = (0, 0.0);
        for &index in chosen.iter().take(16) {
            let sample = &samples[index];
            spikes += judge.judge(&network, sample, 1.0).spikes;
            seconds += sample.ticks as f64 * network.dynamics.dt_ms / 1000.0;
        }
        if spikes as f64 > rate * seconds * network.topology.n_rec() as f64 {
            high = middle;
        } else {
            low = middle;
        }
    }
    classifier.network_mut().weights.w_in = network.weights.w_in;
}

/// The sharpness with the least cross entropy over all moments of the samples, by
/// golden-section search on a logarithmic scale (the loss has one minimum), and the
/// accuracy at the end.
///
/// The true class counts with `1 - 1/(n + 2)`, the others share the rest, as in
/// Platt (1999): `n` samples that are all right do not prove certainty.
fn fit_sharpness(classifier: &Classifier, samples: &[Sample]) -> (f64, f64) {
    let outcomes = outcomes(classifier, samples);
    let n_out = classifier.config().n_out;
    let doubt = 1.0 / (samples.len() as f64 + 2.0);
    let other = doubt / (n_out as f64 - 1.0);
    let mut probabilities = vec![0.0; n_out];
    let mut cross_entropy = |log_sharpness: f64| {
        let mut sum = 0.0;
        for (outcome, sample) in outcomes.iter().zip(samples) {
            for evidence in &outcome.evidence {
                loss::softmax(evidence, log_sharpness.exp() as f32, &mut probabilities);
                for (class, &p) in probabilities.iter().enumerate() {
                    let share = if class == sample.label {
                        1.0 - doubt
                    } else {
                        other
                    };
                    sum -= share * f64::from(p.max(f32::MIN_POSITIVE)).ln();
                }
            }
        }
        sum
    };
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (0.05_f64.ln(), 20.0_f64.ln());
    for _ in 0..30 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if cross_entropy(a) < cross_entropy(b) {
            high = b;
        } else {
            low = a;
        }
    }
    let right = outcomes.iter().zip(samples).filter(|(o, s)| o.right(s));
    let accuracy = right.count() as f64 / samples.len().max(1) as f64;
    ((0.5 * (low + high)).exp(), accuracy)
}
