//! Bayes-optimal integration of two cues by neurons with conductance-based dendrites
//! (Jordan et al., arXiv:2104.13238; the rule is in [`crate::learning::conductance`]).
//!
//! Two neurons, one for either answer, each with a dendrite for what is seen, one for what
//! is felt and one for the prior (a constant input), learn from labels alone; nobody tells
//! them how noisy the cues are. The neuron with the higher potential decides.

mod task;

pub use task::{BOUNDARY_DEG, DETECTORS, LOW_RATE, Noise, Stimulus, TESTED_DEG, TRAINED_DEG};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, check_count};
use crate::learning::conductance::{ConductanceParams, Neuron, Opinion};

/// Rate of the neuron of the right answer in its lesson; that of the other is [`LOW_RATE`].
const HIGH_RATE: f64 = 16.0;

/// Inputs of a neuron: both modalities and the prior.
const INPUTS: usize = 2 * DETECTORS + 1;

/// The senses that a trial offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cues {
    /// Seen and felt.
    Both,
    /// Only seen.
    Visual,
    /// Only felt.
    Tactile,
}

/// How the neurons learn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lesson {
    /// Noise of the cues.
    pub noise: Noise,
    /// Trials learnt from.
    pub trials: usize,
    /// Trials between two changes of the weights.
    pub batch: usize,
    /// Parameters of the neurons.
    pub neuron: ConductanceParams,
    /// All that is random follows from it.
    pub seed: u64,
}

impl Default for Lesson {
    fn default() -> Self {
        Lesson {
            noise: Noise::default(),
            trials: 400_000,
            batch: 12,
            neuron: ConductanceParams::default(),
            seed: 1,
        }
    }
}

/// Two neurons that decide.
#[derive(Clone, Debug)]
pub struct Decider {
    above: Neuron,
    below: Neuron,
}

/// A generator for one purpose.
fn rng(seed: u64, purpose: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&purpose.to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Potential in mV at which a neuron fires at this rate: the inverse of softplus(u + 70).
fn potential_mv(rate: f64) -> f64 {
    rate.exp_m1().ln() - 70.0
}

/// The rates at the inputs of both neurons; a sense that is not there is silent.
fn inputs(stimulus: &Stimulus, cues: Cues, into: &mut [f64; INPUTS]) {
    let (visual, rest) = into.split_at_mut(DETECTORS);
    let (tactile, prior) = rest.split_at_mut(DETECTORS);
    match cues {
        Cues::Tactile => visual.fill(0.0),
        _ => task::rates(stimulus.visual_deg, visual),
    }
    match cues {
        Cues::Visual => tactile.fill(0.0),
        _ => task::rates(stimulus.tactile_deg, tactile),
    }
    prior.fill(1.0);
}

impl Decider {
    /// Before it has learnt: all weights nearly alike and weak.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names what lies outside its range.
    pub fn new(lesson: &Lesson) -> Result<Self> {
        lesson.noise.validate()?;
        let mut rng = rng(lesson.seed, 0, 0);
        let mut neuron = || {
            let start = || -3.0 + 0.1 * rng.sample::<f64, _>(StandardNormal);
            Neuron::new(lesson.neuron, &[DETECTORS, DETECTORS, 1], start)
        };
        Ok(Decider {
            above: neuron()?,
            below: neuron()?,
        })
    }

    /// Learns from trials of which 90 % offer both cues and 5 % each alone. `watch` is shown
    /// the neurons and the number of trials so far, at first often and then less so: after
    /// 100 trials, 150, 225 and so on, and at the end.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names what lies outside its range.
    pub fn train(lesson: &Lesson, watch: &mut dyn FnMut(&Self, usize)) -> Result<Self> {
        check_count("cue_integration.trials", lesson.trials, 1, 1_000_000_000)?;
        check_count("cue_integration.batch", lesson.batch, 1, 1_000_000)?;
        let mut decider = Self::new(lesson)?;
        let mut rng = rng(lesson.seed, 1, 0);
        let targets = (potential_mv(HIGH_RATE), potential_mv(LOW_RATE));
        let mut rates = [0.0; INPUTS];
        let mut next = 100;
        for trial in 1..=lesson.trials {
            let orientation = rng.random_range(TRAINED_DEG);
            let cues = match rng.random::<f64>() {
                x if x < 0.9 => Cues::Both,
                x if x < 0.95 => Cues::Visual,
                _ => Cues::Tactile,
            };
            let stimulus = Stimulus::draw(orientation, lesson.noise, &mut rng);
            inputs(&stimulus, cues, &mut rates);
            let (above, below) = match orientation > BOUNDARY_DEG {
                true => targets,
                false => (targets.1, targets.0),
            };
            decider.above.learn(&rates, above)?;
            decider.below.learn(&rates, below)?;
            if trial % lesson.batch == 0 || trial == lesson.trials {
                decider.above.apply();
                decider.below.apply();
            }
            if trial == next || trial == lesson.trials {
                watch(&decider, trial);
                next += next / 2;
            }
        }
        Ok(decider)
    }

    /// Whether it takes the orientation for one above the boundary.
    ///
    /// # Errors
    /// None with a stimulus; those of [`Neuron::soma`] are passed on.
    pub fn decide(&self, stimulus: &Stimulus, cues: Cues) -> Result<bool> {
        let mut rates = [0.0; INPUTS];
        inputs(stimulus, cues, &mut rates);
        Ok(self.above.soma(&rates)?.mean_mv > self.below.soma(&rates)?.mean_mv)
    }

    /// What the dendrites of the neuron for "above" make of a stimulus: seen, felt, prior.
    ///
    /// # Errors
    /// None with a stimulus; those of [`Neuron::dendrites`] are passed on.
    pub fn opinions(&self, stimulus: &Stimulus) -> Result<Vec<Opinion>> {
        let mut rates = [0.0; INPUTS];
        inputs(stimulus, Cues::Both, &mut rates);
        self.above.dendrites(&rates)
    }
}

/// Who decided a trial, in the order of the figures of [`Errors`] and [`Share`].
pub const OBSERVERS: [&str; 5] = ["MAP", "both", "unweighted", "visual", "tactile"];

/// Shares of wrong decisions, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Errors {
    /// Of the observer that knows both noises.
    pub map: f64,
    /// Of the neurons with both cues.
    pub both: f64,
    /// Of the observer that trusts both cues alike.
    pub unweighted: f64,
    /// Of the neurons that only see.
    pub visual: f64,
    /// Of the neurons that only feel.
    pub tactile: f64,
}

/// How often each observer decided for "above" at one orientation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Orientation in degrees.
    pub orientation_deg: f64,
    /// Shares of decisions for "above", 0 to 1, in the order of [`OBSERVERS`].
    pub above: [f64; 5],
}

/// Trials that nothing was learnt from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Test {
    /// Orientations, evenly spaced.
    pub orientations: usize,
    /// Trials with each.
    pub repeats: usize,
    /// Noise of the cues.
    pub noise: Noise,
    /// All that is random follows from it.
    pub seed: u64,
}

impl Test {
    /// Runs it, on all threads of the current `rayon` pool; the result does not depend on
    /// their number. Shares come in the order of their orientations.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names what lies outside its range.
    pub fn run(&self, decider: &Decider) -> Result<(Errors, Vec<Share>)> {
        self.noise.validate()?;
        check_count(
            "cue_integration.orientations",
            self.orientations,
            1,
            100_000_000,
        )?;
        check_count("cue_integration.repeats", self.repeats, 1, 1_000_000)?;
        let shares = (0..self.orientations as u64).into_par_iter();
        let shares: Vec<Share> = shares
            .map(|k| self.share(decider, k))
            .collect::<Result<_>>()?;
        let mut wrong = [0.0; 5];
        for share in &shares {
            for (wrong, &above) in wrong.iter_mut().zip(&share.above) {
                let right = share.orientation_deg > BOUNDARY_DEG;
                *wrong += if right { 1.0 - above } else { above };
            }
        }
        let [map, both, unweighted, visual, tactile] =
            wrong.map(|wrong| wrong / self.orientations as f64);
        let errors = Errors {
            map,
            both,
            unweighted,
            visual,
            tactile,
        };
        Ok((errors, shares))
    }

    fn share(&self, decider: &Decider, k: u64) -> Result<Share> {
        let mut rng = rng(self.seed, 2, k);
        let width = TESTED_DEG.end - TESTED_DEG.start;
        let orientation_deg =
            TESTED_DEG.start + width * (k as f64 + 0.5) / self.orientations as f64;
        let mut above = [0.0; 5];
        for _ in 0..self.repeats {
            let stimulus = Stimulus::draw(orientation_deg, self.noise, &mut rng);
            let decisions = [
                stimulus.optimal(self.noise),
                decider.decide(&stimulus, Cues::Both)?,
                stimulus.unweighted(),
                decider.decide(&stimulus, Cues::Visual)?,
                decider.decide(&stimulus, Cues::Tactile)?,
            ];
            for (above, decision) in above.iter_mut().zip(decisions) {
                *above += f64::from(u8::from(decision)) / self.repeats as f64;
            }
        }
        Ok(Share {
            orientation_deg,
            above,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lesson of 400 000 trials, tested on 100 000. The bounds are the errors of the
    /// published model (2.712, 2.996, 6.435 %; 2.697 and 3.494 % of the observers) and four
    /// standard errors of a share of 100 000 trials, `4 sqrt(p (1 - p) / 100 000)`. (MAP by
    /// theory is `sigma sqrt(2 / pi) / 360°` with `sigma` 12.2°: 2.704 %.)
    #[test]
    fn cues_are_weighed_as_well_as_the_published_model_does() {
        let lesson = Lesson::default();
        let decider = Decider::train(&lesson, &mut |_, _| {}).unwrap();
        let test = Test {
            orientations: 5000,
            repeats: 20,
            noise: lesson.noise,
            seed: 2,
        };
        let (errors, _) = test.run(&decider).unwrap();
        let bound = |p: f64| 4.0 * (p * (1.0 - p) / 1e5).sqrt();
        for (found, p) in [
            (errors.map, 0.02697),
            (errors.both, 0.02712),
            (errors.unweighted, 0.03494),
            (errors.visual, 0.02996),
            (errors.tactile, 0.06435),
        ] {
            assert!((found - p).abs() < bound(p), "{errors:?}");
        }
        // On the same trials, so that the noise of the test is in both.
        assert!(errors.both < errors.map + 0.0005, "{errors:?}");
        // What is seen counts more than what is felt, though nobody has said so.
        let seen_and_felt = Stimulus {
            visual_deg: 100.0,
            tactile_deg: 100.0,
        };
        let opinions = decider.opinions(&seen_and_felt).unwrap();
        assert!(opinions[0].conductance > opinions[1].conductance);
    }

    #[test]
    fn the_same_seed_gives_the_same_decisions() {
        let lesson = Lesson {
            trials: 3000,
            ..Lesson::default()
        };
        let test = Test {
            orientations: 50,
            repeats: 5,
            noise: lesson.noise,
            seed: 3,
        };
        let mut seen = Vec::new();
        let decider = Decider::train(&lesson, &mut |_, trials| seen.push(trials)).unwrap();
        assert_eq!(seen, [100, 150, 225, 337, 505, 757, 1135, 1702, 2553, 3000]);
        let again = Decider::train(&lesson, &mut |_, _| {}).unwrap();
        assert_eq!(test.run(&decider).unwrap(), test.run(&again).unwrap());
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let lesson = Lesson {
            batch: 0,
            ..Lesson::default()
        };
        let error = Decider::train(&lesson, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("cue_integration.batch"));
    }
}
