//! Learning a place network from samples, without labels: the poses are not looked at.
//!
//! Every sample keeps its causes from epoch to epoch; each time it comes up they move some
//! steps, and the weights change once for the minibatch. [`Schedule::published`] is that of
//! the papers, one sample at a time. [`Schedule::default`] goes the same way faster: a
//! minibatch reads the weights once for all its samples, and both causes and weights take
//! longer steps, as long as they do not overshoot, which is measured every epoch.
//!
//! Nothing depends on the number of threads, and the order of the samples comes from seed
//! and epoch, so that a checkpoint holds no generator.

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::config::Config;
use super::network::{Activity, Network, TACTILE, VISUAL, row};
use super::place_network::{PlaceNetwork, Provenance, Scaling};
use super::settled::{Next, Settled};
use crate::error::{Error, Result, check, check_count};
use crate::models::place::{Samples, Senses};

/// How long and in which steps to learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Passes over the samples.
    pub epochs: usize,
    /// Samples that move their causes together, and then change the weights once.
    pub minibatch: usize,
    /// Steps of the causes each time a sample comes up.
    pub cause_steps: usize,
    /// How many times as far as the configured rate a step of the causes goes, at most.
    pub cause_gain: f64,
    /// The same of the weights.
    pub weight_gain: f64,
    /// Steps are shortened where they would overshoot.
    pub bounded: bool,
    /// A new order of the samples in each epoch.
    pub shuffled: bool,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule {
            epochs: 50,
            minibatch: 60,
            cause_steps: 5,
            cause_gain: 4.0,
            weight_gain: 4.0,
            bounded: true,
            shuffled: true,
        }
    }
}

impl Schedule {
    /// That of the papers: 200 epochs, one sample at a time, 20 steps.
    pub fn published() -> Self {
        Schedule {
            epochs: 200,
            minibatch: 1,
            cause_steps: 20,
            cause_gain: 1.0,
            weight_gain: 1.0,
            bounded: false,
            shuffled: true,
        }
    }

    /// Whether steps go as far as the configured rates say.
    fn is_plain(&self) -> bool {
        self.cause_gain == 1.0 && self.weight_gain == 1.0 && !self.bounded
    }

    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check_count("epochs", self.epochs, 1, 1_000_000)?;
        check_count("minibatch", self.minibatch, 1, 4096)?;
        check_count("cause_steps", self.cause_steps, 1, 10_000)?;
        check("cause_gain", self.cause_gain, 1e-6, 1e6)?;
        check("weight_gain", self.weight_gain, 1e-6, 1e6)
    }
}

/// What an epoch gave: mean squared errors over the samples, before the weights changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochReport {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Of the image.
    pub visual: f64,
    /// Of the whiskers, scaled.
    pub tactile: f64,
    /// Of what the joint causes predict in the visual and the tactile pathway.
    pub joint: [f64; 2],
}

/// A training in progress.
pub struct Trainer<'a> {
    samples: &'a Samples,
    pub(super) schedule: Schedule,
    pub(super) seed: u64,
    pub(super) network: Network<f32>,
    scaling: Scaling,
    /// Of the samples.
    pub(super) fingerprint: String,
    /// All samples, scaled.
    tactile: Vec<f32>,
    /// Causes of all samples, layer by layer; the last of all are the joint ones.
    pub(super) causes: Vec<Vec<f32>>,
    pub(super) reports: Vec<EpochReport>,
}

impl<'a> Trainer<'a> {
    /// Draws the initial weights.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::NoSamples`], [`Error::Sample`].
    pub fn new(
        samples: &'a Samples,
        config: &Config,
        schedule: &Schedule,
        seed: u64,
    ) -> Result<Self> {
        schedule.validate()?;
        check_samples(samples, config)?;
        let network = Network::new(config.clone(), seed)?;
        let scaling = Scaling::of(samples);
        let n = samples.len();
        let mut tactile = vec![0.0; n * config.tactile.input];
        for i in 0..n {
            scaling.apply(samples.tactile(i), row(&mut tactile, i, n));
        }
        let layers = config.pathways().map(|p| p.layers.iter());
        let layers = layers.into_iter().flatten().chain([&config.joint]);
        Ok(Trainer {
            samples,
            schedule: schedule.clone(),
            seed,
            network,
            scaling,
            fingerprint: fingerprint(samples),
            tactile,
            causes: layers
                .map(|size| vec![config.start as f32; n * size])
                .collect(),
            reports: Vec::new(),
        })
    }

    /// Epochs done.
    pub fn epoch(&self) -> usize {
        self.reports.len()
    }

    /// What every epoch so far gave.
    pub fn reports(&self) -> &[EpochReport] {
        &self.reports
    }

    /// One pass over the samples.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where the training diverges: lower the rates, or use a bounded
    /// schedule.
    pub fn run_epoch(&mut self) -> Result<EpochReport> {
        let n = self.samples.len();
        let mut order: Vec<usize> = (0..n).collect();
        if self.schedule.shuffled {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(1 + self.epoch() as u64);
            order.shuffle(&mut rng);
        }
        let mut gain = [self.schedule.cause_gain; 3];
        if self.schedule.bounded {
            let stable = self.network.stable_gains();
            gain = [0, 1, 2].map(|k| gain[k].min(stable[k]));
        }
        // Its curvature knows nothing of receptive fields.
        let sees_all = self.network.config().visual.fields.is_none();
        let settled = self.schedule.is_plain() && self.schedule.minibatch == 1 && sees_all;
        let mut settled = settled.then(|| Settled::new(&self.network));
        let mut sums = [0.0; 4];
        let mut activity = self.network.activity(self.schedule.minibatch.min(n));
        for (i, minibatch) in order.chunks(self.schedule.minibatch).enumerate() {
            if activity.batch() != minibatch.len() {
                activity = self.network.activity(minibatch.len());
            }
            self.load(minibatch, &mut activity);
            match &mut settled {
                // Minibatches of one.
                Some(settled) => self.learn_settled(settled, &mut activity, order.get(i + 1)),
                None => self.learn(gain, &mut activity),
            }
            self.keep(minibatch, &mut activity, &mut sums);
        }
        if let Some(index) = sums.iter().position(|x| !x.is_finite()) {
            return Err(Error::NotFinite {
                name: format!(
                    "errors in epoch {} (the training diverges)",
                    self.epoch() + 1
                ),
                index,
                value: sums[index],
            });
        }
        let [visual, tactile, joint @ ..] = sums.map(|x| x / n as f64);
        let report = EpochReport {
            epoch: self.epoch() + 1,
            epochs: self.schedule.epochs,
            visual,
            tactile,
            joint,
        };
        self.reports.push(report);
        Ok(report)
    }

    /// Inputs and causes of some samples.
    fn load(&mut self, minibatch: &[usize], activity: &mut Activity<f32>) {
        let (n, batch) = (self.samples.len(), minibatch.len());
        for (s, &i) in minibatch.iter().enumerate() {
            let seen = row(&mut activity.inputs[VISUAL], s, batch);
            seen.copy_from_slice(self.samples.visual(i));
            let felt = row(&mut activity.inputs[TACTILE], s, batch);
            felt.copy_from_slice(row(&mut self.tactile, i, n));
            for (kept, now) in self.causes.iter_mut().zip(layers(activity)) {
                row(now, s, batch).copy_from_slice(row(kept, i, n));
            }
        }
    }

    /// Moves causes and weights.
    fn learn(&mut self, gain: [f64; 3], activity: &mut Activity<f32>) {
        let schedule = &self.schedule;
        for _ in 0..schedule.cause_steps {
            self.network.errors(Senses::Both, activity);
            self.network
                .move_causes(Senses::Both, activity, gain, |_| true);
        }
        self.network.errors(Senses::Both, activity);
        self.network
            .learn(activity, schedule.weight_gain, schedule.bounded);
    }

    /// The same of one sample at the configured rates, before the sample `next`.
    fn learn_settled(
        &mut self,
        settled: &mut Settled<f32>,
        activity: &mut Activity<f32>,
        next: Option<&usize>,
    ) {
        let n = self.samples.len();
        let next = next.map(|&i| Next {
            seen: self.samples.visual(i),
            causes: row(&mut self.causes[0], i, n),
        });
        settled.learn(&mut self.network, activity, self.schedule.cause_steps, next);
    }

    /// Keeps the causes of some samples, and adds up what they missed.
    fn keep(&mut self, minibatch: &[usize], activity: &mut Activity<f32>, sums: &mut [f64; 4]) {
        let (n, batch) = (self.samples.len(), minibatch.len());
        let tops = [VISUAL, TACTILE].map(|m| activity.causes[m].len());
        for (s, &i) in minibatch.iter().enumerate() {
            for (m, top) in tops.into_iter().enumerate() {
                sums[m] += activity.mean_squared(m, 0, s);
                sums[2 + m] += activity.mean_squared(m, top, s);
            }
            for (kept, now) in self.causes.iter_mut().zip(layers(activity)) {
                row(kept, i, n).copy_from_slice(row(now, s, batch));
            }
        }
    }

    /// What has been learnt so far.
    ///
    /// # Errors
    /// [`Error::NotFinite`] names a weight that is not.
    pub fn finish(self) -> Result<PlaceNetwork> {
        let schedule = serde_json::to_string(&self.schedule);
        let provenance = Provenance {
            seed: self.seed,
            samples: self.fingerprint,
            schedule: schedule.map_err(|e| Error::Format(e.to_string()))?,
            epochs: self.reports.len(),
        };
        PlaceNetwork::new(self.network, self.scaling, provenance)
    }
}

impl PlaceNetwork {
    /// Learns a network from samples. `callback` hears of every epoch and may end the
    /// training with [`ControlFlow::Break`].
    ///
    /// # Errors
    /// As [`Trainer::new`] and [`Trainer::run_epoch`].
    pub fn train(
        samples: &Samples,
        config: &Config,
        schedule: &Schedule,
        seed: u64,
        callback: &mut dyn FnMut(&EpochReport) -> ControlFlow<()>,
    ) -> Result<Self> {
        let mut trainer = Trainer::new(samples, config, schedule, seed)?;
        while trainer.epoch() < schedule.epochs {
            if callback(&trainer.run_epoch()?).is_break() {
                break;
            }
        }
        trainer.finish()
    }
}

/// All causes of a batch, in the order of [`Trainer::causes`].
fn layers(activity: &mut Activity<f32>) -> impl Iterator<Item = &mut Vec<f32>> {
    let layers = activity.causes.iter_mut().flatten();
    layers.chain([&mut activity.joint])
}

fn check_samples(samples: &Samples, config: &Config) -> Result<()> {
    config.validate()?;
    if samples.is_empty() {
        let what = "there are no samples to learn from".to_owned();
        return Err(Error::NoSamples(what));
    }
    let expected = (config.visual.input, config.tactile.input);
    if samples.sizes() != expected {
        return Err(Error::NoSamples(format!(
            "samples have {:?} visual and tactile values, the network {expected:?}",
            samples.sizes()
        )));
    }
    for index in 0..samples.len() {
        let outside = |x: &&f32| !(0.0..=1.0).contains(*x);
        if let Some(x) = samples.visual(index).iter().find(outside) {
            let what = format!("a visual value is {x}, expected 0 (black) to 1");
            return Err(Error::Sample { index, what });
        }
    }
    Ok(())
}

/// XXH3-64 of what was seen and felt, as 16 hexadecimal digits.
fn fingerprint(samples: &Samples) -> String {
    let mut hash = Xxh3::new();
    for i in 0..samples.len() {
        for x in samples.visual(i).iter().chain(samples.tactile(i)) {
            hash.update(&x.to_le_bytes());
        }
    }
    format!("{:016x}", hash.digest())
}
