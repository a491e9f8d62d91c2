//! What becomes of a network when its teacher leaves, and why.
//!
//! A network is taught sample by sample for some epochs, then sees the same samples for
//! some more with no label. [`Manner`] says in which way it is taught and what goes on
//! without a label; comparing manners that differ in one thing separates the causes:
//!
//! - *the label answers*: weights that change within a presentation push the readout
//!   towards the label that is being shown, and the decision is read off that readout
//!   ([`Point::during`] against [`Point::before`]);
//! - *regularisation goes on*: firing rates are still pulled to their target when there
//!   is no label to say what the rates are for ([`Manner::goes_on`]);
//! - *the last samples weigh too much*: every step is as large as the first one, so the
//!   weights are those of the last few samples ([`Manner::annealed`], [`Manner::average`]).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::classifier::Classifier;
use super::config::ClassifierConfig;
use super::evaluation::Judge;
use super::presentation::Presentation;
use super::sample::{Sample, validate};
use super::training::{follow, scale_to_rate};
use crate::error::{Error, Result, check, check_count};
use crate::learning::eprop::Adjoint;
use crate::learning::loss;
use crate::learning::online::{Online, OnlineConfig};
use crate::learning::optimizer::{Optimizer, OptimizerConfig};
use crate::network::{Network, Weights};
use crate::spikes::SpikeLog;

/// Ticks without input after a presentation where nothing is reset, and ticks after a
/// spike in which its synapses learn: potentials and eligibilities are down to 1 % then.
const PAUSE_TICKS: usize = 100;
/// Decay per presentation of the running average of the weights.
const AVERAGE_DECAY: f64 = 0.99;
/// Rate to which the initial input weights are scaled on the samples, in Hz.
const INITIAL_RATE_HZ: f64 = 15.0;

/// When weights change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// In every tick ([`crate::learning::online`]).
    Tick,
    /// At the end of a presentation ([`crate::learning::eprop`]).
    Presentation,
}

/// What the running average of the weights is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// There is none: the weights that learn decide.
    None,
    /// It decides, and takes no part in learning.
    Decides,
    /// It decides, and is what learns: gradients are taken at it ([`super::slow`]).
    /// (Not for changes in every tick.)
    Learns,
}

/// A way of being taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manner {
    /// In a few words.
    pub name: String,
    /// When weights change.
    pub timing: Timing,
    /// Strength of the firing-rate regularisation while there is a label.
    pub c_reg: f64,
    /// Whether what is left of the rule without a label, the regularisation, goes on.
    /// (Of changes in every tick it always does.)
    pub goes_on: bool,
    /// Whether the learning rate falls to 0 along a cosine while the teacher is there.
    /// (Not for changes in every tick.)
    pub annealed: bool,
    /// What the running average of the weights is for.
    pub average: Average,
    /// Adam's step size.
    pub learning_rate: f64,
}

impl Manner {
    /// Refuses what changes in every tick have not.
    fn validate(&self) -> Result<()> {
        let per_tick = self.timing == Timing::Tick;
        let wanted = [
            ("goes_on", !self.goes_on),
            ("annealed", self.annealed),
            ("average", self.average == Average::Learns),
        ];
        match wanted.into_iter().find(|(_, other)| per_tick && *other) {
            None => Ok(()),
            Some((name, _)) => Err(Error::Parameter {
                name: format!("{name} of '{}'", self.name),
                value: "other than for changes in every tick".to_owned(),
                range: "going on, not annealed, no average that learns".to_owned(),
            }),
        }
    }
}

/// How long, and from which seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Epochs with the teacher.
    pub taught: usize,
    /// Epochs after that without.
    pub alone: usize,
    /// Times per epoch, at most, at which the held-out samples are put to the network.
    pub looks: usize,
    /// Seed of initial weights and orders.
    pub seed: u64,
}

/// An epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Whether the teacher was there.
    pub taught: bool,
    /// Share of right decisions at the end of the presentations of this epoch, as they
    /// were: with the label acting and weights changing, if there was one.
    pub during: f64,
    /// The same, had the weights stayed as they were before each presentation.
    pub before: f64,
    /// Share of right decisions on the same samples after the epoch, no label.
    pub again: f64,
    /// Share of right decisions on the held-out samples, no label, at each look.
    pub held_out: Vec<f64>,
    /// Share of the held-out samples taken for the class that was shown last, mean over
    /// the looks; where nothing pulls, the share of that class.
    pub pull: f64,
    /// Mean rate of the recurrent layer on the held-out samples at the last look, in Hz.
    pub rate_hz: f64,
    /// How far the deciding weights are from those when the teacher left, relative to
    /// these (Euclidean norm over all); 0 before.
    pub moved: f64,
}

/// Teaches a new network in this manner and leaves it alone.
///
/// # Errors
/// [`crate::Error::Parameter`], [`crate::Error::Sample`], [`crate::Error::NoSamples`];
/// [`crate::Error::NotFinite`] where learning diverges.
pub fn leave(
    samples: &[Sample],
    held_out: &[Sample],
    config: &ClassifierConfig,
    manner: &Manner,
    course: &Course,
    heard: &dyn Fn(&Point),
) -> Result<Vec<Point>> {
    check_count("taught", course.taught, 1, 100_000)?;
    check_count("alone", course.alone, 0, 100_000)?;
    check_count("looks", course.looks, 1, samples.len().max(1))?;
    check("c_reg", manner.c_reg, 0.0, 1e9)?;
    manner.validate()?;
    validate(samples, config)?;
    validate(held_out, config)?;
    let mut pupil = Pupil::new(samples, config, manner, course)?;
    let mut points = Vec::new();
    let mut left_with: Option<Weights<f32>> = None;
    for epoch in 0..course.taught + course.alone {
        if epoch == course.taught {
            left_with = Some(pupil.deciding().clone());
        }
        let mut point = pupil.epoch(epoch, samples, held_out)?;
        if let Some(then) = &left_with {
            point.moved = distance(pupil.deciding(), then);
        }
        heard(&point);
        points.push(point);
    }
    Ok(points)
}

/// A network and what teaches it.
struct Pupil<'a> {
    config: &'a ClassifierConfig,
    manner: &'a Manner,
    course: &'a Course,
    rule: Rule,
    average: Weights<f32>,
    judge: Judge,
    /// The network that decides: the pupil's with the deciding weights.
    decider: Network<f32>,
    /// Presentations so far, and with the teacher in all.
    shown: u64,
    taught: u64,
    log: SpikeLog,
    scratch: Vec<u32>,
}

enum Rule {
    Tick {
        online: Box<Online<f32>>,
        evidence: Vec<f32>,
        error: Vec<f32>,
    },
    Presentation(Box<ByPresentation>),
}

struct ByPresentation {
    network: Network<f32>,
    presentation: Presentation,
    adjoint: Adjoint<f32>,
    gradients: Weights<f32>,
    optimizer: Optimizer<f32>,
    /// The weights that make the steps, where the network has their average.
    leader: Option<Weights<f32>>,
}

impl<'a> Pupil<'a> {
    fn new(
        samples: &[Sample],
        config: &'a ClassifierConfig,
        manner: &'a Manner,
        course: &'a Course,
    ) -> Result<Self> {
        let mut classifier = Classifier::new(config.clone(), course.seed)?;
        let all: Vec<usize> = (0..samples.len()).collect();
        scale_to_rate(&mut classifier, samples, &all, INITIAL_RATE_HZ);
        let network = classifier.network().clone();
        let adam = OptimizerConfig::adam(manner.learning_rate);
        let rule = match manner.timing {
            Timing::Tick => {
                let online = OnlineConfig {
                    kappa: f64::from(network.dynamics.kappa),
                    c_reg: manner.c_reg,
                    f_target_hz: config.eprop.f_target_hz,
                    cutoff_ticks: Some(PAUSE_TICKS as u32),
                    optimizer: adam,
                    feedback: config.feedback,
                    ..OnlineConfig::default()
                };
                Rule::Tick {
                    online: Box::new(Online::new(network.clone(), &online)?),
                    evidence: vec![0.0; config.n_out],
                    error: vec![0.0; config.n_out],
                }
            }
            Timing::Presentation => Rule::Presentation(Box::new(ByPresentation {
                presentation: Presentation::new(&network, config.max_ticks),
                adjoint: Adjoint::new(&network),
                gradients: Weights::zeros(&network.topology),
                optimizer: Optimizer::new(adam, &network.topology)?,
                leader: (manner.average == Average::Learns).then(|| network.weights.clone()),
                network: network.clone(),
            })),
        };
        Ok(Self {
            config,
            manner,
            course,
            rule,
            average: network.weights.clone(),
            judge: Judge::new(&network, config.max_ticks),
            decider: network,
            shown: 0,
            taught: (course.taught * samples.len()) as u64,
            log: SpikeLog::default(),
            scratch: Vec::new(),
        })
    }

    fn epoch(&mut self, epoch: usize, samples: &[Sample], held_out: &[Sample]) -> Result<Point> {
        let taught = epoch < self.course.taught;
        let mut order: Vec<usize> = (0..samples.len()).collect();
        let seed = self.course.seed.wrapping_add(epoch as u64 + 1);
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut point = Point {
            epoch: epoch + 1,
            taught,
            during: 0.0,
            before: 0.0,
            again: 0.0,
            held_out: Vec::new(),
            pull: 0.0,
            rate_hz: 0.0,
            moved: 0.0,
        };
        let each = order.len().div_ceil(self.course.looks);
        let share = 1.0 / order.len() as f64;
        for stretch in order.chunks(each) {
            for &index in stretch {
                let sample = &samples[index];
                self.decide_with_what_was_learnt();
                let guess = self.judge.judge(&self.decider, sample, 1.0);
                point.before += share * f64::from(u8::from(guess.right(sample)));
                let right = self.present(sample, taught.then_some(sample.label))?;
                point.during += share * f64::from(u8::from(right));
            }
            let last = stretch.last().map_or(0, |&index| samples[index].label);
            self.look(held_out, last, &mut point);
        }
        point.pull /= point.held_out.len() as f64;
        for sample in samples {
            let again = self.judge.judge(&self.decider, sample, 1.0);
            point.again += share * f64::from(u8::from(again.right(sample)));
        }
        Ok(point)
    }

    /// Puts the held-out samples to the network after a sample of class `last`.
    fn look(&mut self, held_out: &[Sample], last: usize, point: &mut Point) {
        self.decide_with_what_was_learnt();
        let (mut right, mut pulled, mut spikes, mut ticks) = (0, 0, 0, 0);
        for sample in held_out {
            let outcome = self.judge.judge(&self.decider, sample, 1.0);
            right += usize::from(outcome.right(sample));
            pulled += usize::from(outcome.last().class == last);
            spikes += outcome.spikes;
            ticks += sample.ticks;
        }
        let n = held_out.len() as f64;
        let neurons = self.decider.topology.n_rec() as f64;
        let seconds = ticks as f64 * self.decider.dynamics.dt_ms / 1000.0;
        point.held_out.push(right as f64 / n);
        point.pull += pulled as f64 / n;
        point.rate_hz = spikes as f64 / (seconds * neurons);
    }

    fn deciding(&self) -> &Weights<f32> {
        match &self.rule {
            _ if self.manner.average == Average::Decides => &self.average,
            Rule::Tick { online, .. } => online
                .network()
                .map_or(&self.decider.weights, |n| &n.weights),
            Rule::Presentation(by) => &by.network.weights,
        }
    }

    fn decide_with_what_was_learnt(&mut self) {
        self.decider.weights = self.deciding().clone();
    }

    /// Shows a sample, with a label or without; whether it was decided rightly.
    fn present(&mut self, sample: &Sample, label: Option<usize>) -> Result<bool> {
        self.log
            .fill(sample.ticks, &sample.spikes, &mut self.scratch);
        let from = self.config.learn_from_tick;
        let decided = match &mut self.rule {
            Rule::Tick {
                online,
                evidence,
                error,
            } => {
                evidence.fill(0.0);
                for s in 0..sample.ticks {
                    online.tick(self.log.tick(s))?;
                    for (sum, y) in evidence.iter_mut().zip(online.readout()) {
                        *sum += y;
                    }
                    let label = label.filter(|_| s >= from);
                    if let Some(class) = label {
                        loss::cross_entropy(online.readout(), class, error);
                    }
                    online.learn(label.map(|_| &error[..]));
                }
                let decided = loss::first_largest(evidence);
                for _ in 0..PAUSE_TICKS {
                    online.tick(&[])?;
                    online.learn(None);
                }
                online.settle();
                decided
            }
            Rule::Presentation(by) => {
                by.presentation.begin();
                for s in 0..sample.ticks {
                    by.presentation.step(&by.network, self.log.tick(s));
                    match label {
                        _ if s < from => {}
                        Some(class) => by.presentation.teach(class, 1.0),
                        // An error of zero: the tick counts, and that is all.
                        None if self.manner.goes_on => {
                            by.presentation.interval.error_mut();
                        }
                        None => {}
                    }
                }
                let decided = by.presentation.decision(1.0).class;
                let done = self.shown as f64 / self.taught as f64;
                let rate = match self.manner.annealed {
                    true => 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos()),
                    false => 1.0,
                };
                if by.presentation.interval.error_ticks() > 0 {
                    by.learn(self.config, self.manner.c_reg, rate)?;
                }
                decided
            }
        };
        self.shown += 1;
        let moved = label.is_some() || self.manner.goes_on;
        if self.manner.average == Average::Decides && moved {
            let weights = match &self.rule {
                Rule::Tick { online, .. } => online
                    .network()
                    .map_or(&self.decider.weights, |n| &n.weights),
                Rule::Presentation(by) => &by.network.weights,
            };
            follow(&mut self.average, weights, self.shown, AVERAGE_DECAY);
        }
        Ok(decided == sample.label)
    }
}

impl ByPresentation {
    fn learn(&mut self, config: &ClassifierConfig, c_reg: f64, rate: f64) -> Result<()> {
        let mut eprop = config.eprop.clone();
        eprop.c_reg = c_reg;
        self.gradients.clear();
        let interval = &self.presentation.interval;
        self.adjoint
            .accumulate(&self.network, interval, &eprop, &mut self.gradients);
        let (network, gradients) = (&mut self.network, &self.gradients);
        if let Some(leader) = &mut self.leader {
            std::mem::swap(&mut network.weights, leader);
        }
        self.optimizer
            .update(network, config.feedback, gradients, 1, rate)?;
        if let Some(leader) = &mut self.leader {
            std::mem::swap(&mut network.weights, leader);
            let steps = self.optimizer.steps();
            follow(&mut network.weights, leader, steps, AVERAGE_DECAY);
        }
        Ok(())
    }
}

/// `|a - b| / |b|` over all weights.
fn distance(a: &Weights<f32>, b: &Weights<f32>) -> f64 {
    let (mut apart, mut length) = (0.0, 0.0);
    for (a, b) in a.parts().into_iter().zip(b.parts()) {
        for (a, b) in a.iter().zip(b) {
            apart += f64::from(a - b).powi(2);
            length += f64::from(*b).powi(2);
        }
    }
    (apart / length.max(f64::MIN_POSITIVE)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs `10 class..10 class + 10` spike in turn, from an offset of the sample's own.
    fn samples(n: usize) -> Vec<Sample> {
        let one = |i: usize| {
            let spikes = (0..120).map(|k| {
                let input = 10 * (i % 4) + (7 * k + i) % 10;
                ((k / 2) as u16, input as u32)
            });
            Sample {
                spikes: spikes.collect(),
                ticks: 60,
                label: i % 4,
                weight: 1.0,
            }
        };
        (0..n).map(one).collect()
    }

    fn manner(timing: Timing, goes_on: bool) -> Manner {
        let (learning_rate, c_reg) = match timing {
            Timing::Tick => (1e-3, 20.0),
            Timing::Presentation => (0.02, 300.0),
        };
        Manner {
            name: String::new(),
            timing,
            c_reg,
            goes_on,
            annealed: !goes_on,
            average: match goes_on {
                true => Average::None,
                false => Average::Decides,
            },
            learning_rate,
        }
    }

    fn run(manner: &Manner) -> Vec<Point> {
        let config = ClassifierConfig {
            n_in: 40,
            n_lif: 15,
            n_alif: 15,
            max_ticks: 60,
            ..ClassifierConfig::default()
        };
        let course = Course {
            taught: 12,
            alone: 4,
            looks: 2,
            seed: 4,
        };
        let all = samples(24);
        leave(&all[..16], &all[16..], &config, manner, &course, &|_| {}).unwrap()
    }

    #[test]
    fn without_a_label_our_default_stays_to_the_bit_and_the_naive_form_does_not() {
        let ours = run(&manner(Timing::Presentation, false));
        assert_eq!(ours.len(), 16);
        let then = &ours[11];
        assert!(then.taught && then.again > 0.9, "{then:?}");
        for point in &ours[12..] {
            assert!(!point.taught && point.moved == 0.0, "{point:?}");
            assert_eq!(point.again, then.again);
            assert_eq!(point.during, point.before);
            assert_eq!(point.held_out[..], [then.held_out[1]; 2]);
        }
        for timing in [Timing::Presentation, Timing::Tick] {
            let naive = run(&manner(timing, true));
            let moved: Vec<f64> = naive[12..].iter().map(|p| p.moved).collect();
            assert!(moved[3] > 0.01, "{timing:?} {moved:?}");
            assert!(naive[11].again > 0.7, "it learns: {:?}", naive[11]);
        }
    }

    #[test]
    fn a_label_that_acts_within_the_presentation_answers_itself() {
        let mut fast = manner(Timing::Tick, true);
        fast.learning_rate = 0.02;
        let first = &run(&fast)[0];
        assert!(first.during > first.before + 0.2, "{first:?}");
    }
}
