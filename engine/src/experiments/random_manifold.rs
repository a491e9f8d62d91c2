//! Random manifolds: classes that are smooth curves in the space of spike times.

use std::f64::consts::TAU;

use super::numpy_random::NumpyRandom;
use super::samples::{Samples, spike_time_task, spike_times};
use super::{Problem, Sequence, Target, Task};
use crate::error::{Result, check_count};
use crate::network::{Topology, Weights};

/// Inputs, each of which spikes once.
const UNITS: usize = 20;
const HIDDEN: usize = 128;
const TRAIN_PER_CLASS: usize = 400;
const HELD_OUT_PER_CLASS: usize = 100;
/// Steps in which the inputs spike.
const SPREAD: usize = 100;
const TICKS: usize = 120;
/// The error counts from the first spikes on: a rule without traces knows no other time.
const WINDOW: usize = 110;
/// How fast the amplitude of the harmonics falls: the smoothness of the manifolds.
const ALPHA: f64 = 2.0;
/// Harmonics: those above a thousandth of the first.
const HARMONICS: usize = 32;

/// Smooth random manifolds (Zenke & Vogels, Neural Comput. 33:899, 2021): each class is a
/// random curve, and where along it a sample lies says when each of 20 inputs spikes, once,
/// within 100 ms. Spike counts say nothing. 128 LIF neurons. A coordinate of a curve is
///
/// ```text
/// f(x) = sum_i a_i (i + 1)^-alpha sin(2 pi (i b_i x + c_i)),   x, a, b, c uniform in 0..1
/// ```
///
/// brought to 0..1 over the samples of its class.
#[derive(Clone, Debug)]
pub struct RandomManifold {
    task: Task,
    samples: Samples,
    batch: usize,
}

impl RandomManifold {
    /// The task that a seed gives: manifolds, samples, weights.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] unless there are 2 to 100 classes.
    pub fn new(seed: u32, classes: usize, batch: usize) -> Result<Self> {
        check_count("classes", classes, 2, 100)?;
        let mut random = NumpyRandom::new(seed);
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for class in 0..classes {
            let mut sequences = manifold(class, &mut random);
            held_out.extend(sequences.split_off(TRAIN_PER_CLASS));
            train.extend(sequences);
        }
        let topology = Topology {
            n_in: UNITS,
            n_lif: HIDDEN,
            n_alif: 0,
            n_out: classes,
        };
        let n = topology.n_rec();
        let mut scaled = |count, fan_in, scale: f64| -> Vec<f64> {
            let weights = super::normal(&mut random, count, fan_in);
            weights.into_iter().map(|w| scale * w).collect()
        };
        let w_in = scaled(UNITS * n, UNITS, 2.0);
        let mut w_rec = scaled(n * n, n, 0.3);
        w_rec.iter_mut().step_by(n + 1).for_each(|w| *w = 0.0);
        let w_out = scaled(n * classes, n, 1.0);
        let feedback = scaled(classes * n, n, 1.0);
        Ok(Self {
            task: Task {
                ticks: TICKS,
                window: WINDOW,
                weights: Weights { w_in, w_rec, w_out },
                feedback,
                ..spike_time_task(topology, 40.0)
            },
            samples: Samples::new(train, held_out, random),
            batch,
        })
    }
}

impl Problem for RandomManifold {
    fn task(&self) -> &Task {
        &self.task
    }

    fn batch(&mut self) -> Vec<Sequence> {
        self.samples.batch(self.batch)
    }

    fn held_out(&self) -> &[Sequence] {
        &self.samples.held_out
    }
}

/// The samples of a class, those held out last.
fn manifold(class: usize, random: &mut NumpyRandom) -> Vec<Sequence> {
    let count = TRAIN_PER_CLASS + HELD_OUT_PER_CLASS;
    let along: Vec<f64> = (0..count).map(|_| random.uniform()).collect();
    let units: Vec<Vec<f64>> = (0..UNITS).map(|_| coordinate(&along, random)).collect();
    let sequence = |k: usize| {
        let last = (SPREAD - 1) as f64;
        let steps = units.iter().map(|unit| (last * unit[k]).round() as usize);
        Sequence {
            inputs: spike_times(steps, TICKS),
            target: Target::Class(class),
        }
    };
    (0..count).map(sequence).collect()
}

/// A coordinate of the samples of a curve, within 0..1.
fn coordinate(along: &[f64], random: &mut NumpyRandom) -> Vec<f64> {
    let harmonics = [(); HARMONICS].map(|()| [(); 3].map(|()| random.uniform()));
    let value = |x: f64| -> f64 {
        let terms = harmonics.iter().enumerate().map(|(i, [a, b, c])| {
            let amplitude = a / (i as f64 + 1.0).powf(ALPHA);
            amplitude * (TAU * (i as f64 * b * x + c)).sin()
        });
        terms.sum()
    };
    let values: Vec<f64> = along.iter().map(|&x| value(x)).collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let length = (high - low).max(1e-9);
    values.into_iter().map(|v| (v - low) / length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_spikes_once_and_near_points_are_near() {
        let mut random = NumpyRandom::new(1);
        for sequence in manifold(0, &mut random) {
            let mut ids: Vec<u32> = sequence.inputs.into_iter().flatten().collect();
            ids.sort_unstable();
            assert_eq!(ids, (0..UNITS as u32).collect::<Vec<_>>());
        }
        let along: Vec<f64> = (0..=1000).map(|k| f64::from(k) / 1000.0).collect();
        let values = coordinate(&along, &mut random);
        let step = values.windows(2).map(|w| (w[1] - w[0]).abs());
        assert!(step.fold(0.0, f64::max) < 0.05, "smooth");
        let extremes = values.iter().filter(|&&v| v == 0.0 || v == 1.0).count();
        assert!(extremes >= 2, "from 0 to 1");
    }

    #[test]
    fn a_number_of_classes_that_there_cannot_be_is_named() {
        let error = RandomManifold::new(1, 1, 32).unwrap_err().to_string();
        assert!(error.contains("classes is 1"), "{error}");
    }
}
