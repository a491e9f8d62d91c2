//! A set of samples to learn from in random order, and one held out.

use super::Sequence;
use super::numpy_random::NumpyRandom;

/// Training samples, worked through in a new order each time round, and held-out ones.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    train: Vec<Sequence>,
    pub held_out: Vec<Sequence>,
    /// What is left of this round, from the end.
    order: Vec<usize>,
    random: NumpyRandom,
}

impl Samples {
    /// `train` is not empty.
    pub fn new(train: Vec<Sequence>, held_out: Vec<Sequence>, random: NumpyRandom) -> Self {
        Self {
            train,
            held_out,
            order: Vec::new(),
            random,
        }
    }

    pub fn batch(&mut self, size: usize) -> Vec<Sequence> {
        (0..size).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Sequence {
        if self.order.is_empty() {
            self.order = (0..self.train.len()).collect();
            for at in (1..self.order.len()).rev() {
                let other = self.random.below(at as u32 + 1);
                self.order.swap(at, other as usize);
            }
        }
        let at = self.order.pop().unwrap_or_default();
        self.train[at].clone()
    }
}

/// A sequence in which each input spikes once, in the given step.
pub(super) fn spike_times(steps: impl Iterator<Item = usize>, ticks: usize) -> Vec<Vec<u32>> {
    let mut inputs = vec![Vec::new(); ticks];
    for (id, step) in steps.enumerate() {
        inputs[step.min(ticks - 1)].push(id as u32);
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    #[test]
    fn every_sample_comes_once_in_a_round() {
        let sample = |class| Sequence {
            inputs: spike_times([class].into_iter(), 9),
            target: Target::Class(class),
        };
        let mut samples = Samples::new((0..9).map(sample).collect(), vec![], NumpyRandom::new(1));
        let mut round = || {
            let batch = samples.batch(9);
            let classes = batch.iter().map(|s| match s.target {
                Target::Class(class) => {
                    assert_eq!(s.inputs[class], [0]);
                    class
                }
                Target::Signal(_) => 99,
            });
            classes.collect::<Vec<_>>()
        };
        let (first, second) = (round(), round());
        assert_ne!(first, second);
        for mut round in [first, second] {
            round.sort_unstable();
            assert_eq!(round, (0..9).collect::<Vec<_>>());
        }
    }
}
