//! What tasks in spike times share: their parameters, and a set of samples to learn from
//! in random order, with one held out.

use super::numpy_random::NumpyRandom;
use super::{Sequence, Task};
use crate::learning::eprop::EpropConfig;
use crate::learning::feedback::Feedback;
use crate::learning::optimizer::OptimizerConfig;
use crate::network::{Topology, Weights};
use crate::neurons::NeuronParams;

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

/// The parameters of a task in spike times. Its ticks, window, weights and feedback weights
/// are still to be set.
pub(super) fn spike_time_task(topology: Topology, tau_out_ms: f64) -> Task {
    Task {
        topology,
        neurons: NeuronParams {
            tau_m_ms: 20.0,
            tau_out_ms,
            v_th: 1.0,
            beta: 0.0,
            t_ref_ms: 5.0,
            psi_height: 0.5,
            psi_width: 1.0,
            regular_spike_arrival: true,
            regular_spike_arrival_out: true,
            ..NeuronParams::default()
        },
        eprop: EpropConfig {
            c_reg: 1.0,
            f_target_hz: 20.0,
            average_gradient: true,
        },
        optimizer: OptimizerConfig::adam(3e-3),
        bounds: (-100.0, 100.0),
        ticks: 0,
        window: 0,
        weights: Weights::zeros(&topology),
        feedback_kind: Feedback::Symmetric,
        feedback: Vec::new(),
    }
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
