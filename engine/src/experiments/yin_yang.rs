//! Yin-Yang: three classes of points in a disc, told by the times of five spikes.

use super::numpy_random::NumpyRandom;
use super::samples::{Samples, spike_time_task, spike_times};
use super::{Problem, Sequence, Target, Task};
use crate::network::{Topology, Weights};

const TRAIN: usize = 5000;
const HELD_OUT: usize = 1000;
/// The published seeds of the two sets.
const TRAIN_SEED: u32 = 42;
const HELD_OUT_SEED: u32 = 40;
/// Spikes come from `EARLY` to `EARLY + SPREAD` ms, the bias in the middle.
const EARLY: f64 = 2.0;
const SPREAD: f64 = 40.0;
const TICKS: usize = 70;
/// The error counts from the first spikes on: a rule without traces knows no other time.
const WINDOW: usize = 60;
const TOPOLOGY: Topology = Topology {
    n_in: 5,
    n_lif: 120,
    n_alif: 0,
    n_out: 3,
};

/// The Yin-Yang data set (Kriener, Göltz & Petrovici 2022, arXiv:2102.08211): points in
/// a disc belong to yin, to yang or to a dot. Their coordinates x, y, 1-x and 1-y are
/// the times of one spike each, a fifth input gives the bias. 120 LIF neurons.
///
/// The 5000 training samples and the 1000 held-out ones are those that the published
/// code draws with its seeds 42 and 40, with equal chances for the three classes. There,
/// a linear classifier gets 64 % right and a network of 120 units 98.7 %.
#[derive(Clone, Debug)]
pub struct YinYang {
    task: Task,
    samples: Samples,
    batch: usize,
}

impl YinYang {
    /// The task with weights and an order of samples that a seed gives.
    pub fn new(seed: u32, batch: usize) -> Self {
        let mut random = NumpyRandom::new(seed);
        let (n_in, n, n_out) = (TOPOLOGY.n_in, TOPOLOGY.n_rec(), TOPOLOGY.n_out);
        let w_in = (0..n_in * n).map(|_| 0.45 + 0.5 * random.normal());
        let w_in = w_in.collect();
        let mut w_rec = super::normal(&mut random, n * n, n);
        w_rec.iter_mut().for_each(|w| *w *= 0.3);
        w_rec.iter_mut().step_by(n + 1).for_each(|w| *w = 0.0);
        let w_out = super::normal(&mut random, n * n_out, n);
        let feedback = super::normal(&mut random, n_out * n, n);
        let samples = Samples::new(
            draw(TRAIN_SEED, TRAIN),
            draw(HELD_OUT_SEED, HELD_OUT),
            random,
        );
        Self {
            task: Task {
                ticks: TICKS,
                window: WINDOW,
                weights: Weights { w_in, w_rec, w_out },
                feedback,
                ..spike_time_task(TOPOLOGY, 30.0)
            },
            samples,
            batch,
        }
    }
}

impl Problem for YinYang {
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

/// The class of a point of the unit square's disc: 0 yang, 1 yin, 2 one of the two dots
/// (numbers as published).
fn class(x: f64, y: f64) -> usize {
    let (dot, half) = (0.1, 0.25);
    let right = (x - 0.75).hypot(y - 0.5);
    let left = (x - 0.25).hypot(y - 0.5);
    if right < dot || left < dot {
        return 2;
    }
    let bulge = left <= half;
    let above = y > 0.5 && right > half;
    usize::from(bulge || above)
}

/// The points that the published code draws: first a class, then points until one is of it.
fn points(seed: u32, count: usize) -> Vec<(f64, f64, usize)> {
    let mut random = NumpyRandom::new(seed);
    let mut point = || {
        let wanted = random.below(3) as usize;
        loop {
            let (x, y) = (random.uniform(), random.uniform());
            if (x - 0.5).hypot(y - 0.5) <= 0.5 && class(x, y) == wanted {
                return (x, y, wanted);
            }
        }
    };
    (0..count).map(|_| point()).collect()
}

fn draw(seed: u32, count: usize) -> Vec<Sequence> {
    let sequence = |(x, y, class)| {
        let times = [x, y, 1.0 - x, 1.0 - y, 0.5].map(|v| EARLY + SPREAD * v);
        let steps = times.into_iter().map(|ms| ms.round() as usize);
        Sequence {
            inputs: spike_times(steps, TICKS),
            target: Target::Class(class),
        }
    };
    points(seed, count).into_iter().map(sequence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the published code's rule gives with NumPy 2.4.
    #[test]
    fn the_points_are_the_published_ones() {
        let points = points(TRAIN_SEED, TRAIN);
        let first = [
            (0.680_307_538_587_779_7, 0.450_499_251_969_543, 2),
            (0.097_672_114_006_383_87, 0.684_233_026_512_156_9, 1),
            (0.755_361_410_317_652_5, 0.425_155_874_491_244_7, 2),
        ];
        assert_eq!(points[..3], first);
        let sum = |f: fn(&(f64, f64, usize)) -> f64| points.iter().map(f).sum::<f64>();
        assert!((sum(|p| p.0) - 2_528.322_456_568_823_3).abs() < 1e-8);
        assert!((sum(|p| p.1) - 2_505.766_861_748_284).abs() < 1e-8);
        assert_eq!(points.iter().map(|p| p.2).sum::<usize>(), 4936);
    }
}
