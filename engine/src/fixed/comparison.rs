//! What fixed point costs: the same samples in `f32` and in fixed point.

use rayon::prelude::*;
use serde::Serialize;

use super::number::to_f64;
use super::{FixedNetwork, FixedState};
use crate::error::Result;
use crate::learning::loss::first_largest;
use crate::models::classifier::Classifier;
use crate::models::sample::{Sample, validate};
use crate::network::Interval;
use crate::spikes::SpikeLog;

/// A network in `f32` and in fixed point on the same samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Samples.
    pub samples: usize,
    /// Share of right decisions at the end of a sample in `f32`.
    pub accuracy_f32: f64,
    /// The same in fixed point.
    pub accuracy_fixed: f64,
    /// Share of samples with the same decision.
    pub equal_decisions: f64,
    /// Share of samples in which every spike of the recurrent layer is the same.
    pub equal_spikes: f64,
    /// Largest difference of a readout in any tick.
    pub largest_readout_difference: f64,
    /// Largest readout in `f32`, for comparison.
    pub largest_readout: f64,
    /// Mean spikes of the recurrent layer in a sample, `f32` and fixed point.
    pub spikes: [f64; 2],
    /// Numbers that left the range of s16.15, in all samples.
    pub saturated: u64,
    /// Weights are 16 bits times 2 to the power of this: input, recurrent, readout.
    pub weight_exponents: [i32; 3],
}

/// What one sample gave.
struct Outcome {
    /// Classes decided for, `f32` and fixed point.
    classes: [usize; 2],
    equal_spikes: bool,
    difference: f64,
    largest: f64,
    spikes: [usize; 2],
    saturated: u64,
}

/// Puts every sample to the classifier in both forms, on all threads of the current
/// `rayon` pool; the result does not depend on their number.
///
/// # Errors
/// As [`validate`] and [`FixedNetwork::new`].
pub fn compare(classifier: &Classifier, samples: &[Sample]) -> Result<Comparison> {
    validate(samples, classifier.config())?;
    let (network, neuron) = (classifier.network(), &classifier.config().neuron);
    let fixed = FixedNetwork::new(network, neuron)?;
    // Nothing is learnt: no tick need be recorded.
    let memory = || (Interval::new(network, 0, 0), FixedState::new(&fixed));
    let outcomes: Vec<Outcome> = samples
        .par_iter()
        .map_init(memory, |(interval, state), sample| {
            run(classifier, &fixed, interval, state, sample)
        })
        .collect();
    let n = samples.len() as f64;
    let share = |count: usize| count as f64 / n;
    let right = |form: usize| {
        let hits = outcomes.iter().zip(samples);
        share(hits.filter(|(o, s)| o.classes[form] == s.label).count())
    };
    let largest = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).fold(0.0, f64::max);
    let spikes = |form: usize| outcomes.iter().map(|o| o.spikes[form] as f64).sum::<f64>() / n;
    Ok(Comparison {
        samples: samples.len(),
        accuracy_f32: right(0),
        accuracy_fixed: right(1),
        equal_decisions: share(
            outcomes
                .iter()
                .filter(|o| o.classes[0] == o.classes[1])
                .count(),
        ),
        equal_spikes: share(outcomes.iter().filter(|o| o.equal_spikes).count()),
        largest_readout_difference: largest(|o| o.difference),
        largest_readout: largest(|o| o.largest),
        spikes: [spikes(0), spikes(1)],
        saturated: outcomes.iter().map(|o| o.saturated).sum(),
        weight_exponents: fixed.exponents(),
    })
}

fn run(
    classifier: &Classifier,
    fixed: &FixedNetwork,
    interval: &mut Interval<f32>,
    state: &mut FixedState,
    sample: &Sample,
) -> Outcome {
    let n_out = classifier.config().n_out;
    let mut log = SpikeLog::default();
    log.fill(sample.ticks, &sample.spikes, &mut Vec::new());
    interval.begin();
    state.begin();
    let before = state.saturated();
    // The evidence is the sum of the readout; in `f32` summed as the classifier does.
    let (mut evidence, mut evidence_fixed) = (vec![0.0_f32; n_out], vec![0_i64; n_out]);
    let mut outcome = Outcome {
        classes: [0; 2],
        equal_spikes: true,
        difference: 0.0,
        largest: 0.0,
        spikes: [0; 2],
        saturated: 0,
    };
    for s in 0..sample.ticks {
        interval.step(classifier.network(), log.tick(s));
        state.step(fixed, log.tick(s));
        outcome.equal_spikes &= interval.fired() == state.fired();
        outcome.spikes[0] += interval.fired().len();
        outcome.spikes[1] += state.fired().len();
        for (k, (&y, &q)) in interval.readout().iter().zip(state.readout()).enumerate() {
            evidence[k] += y;
            evidence_fixed[k] += i64::from(q);
            let y = f64::from(y);
            outcome.difference = outcome.difference.max((y - to_f64(i64::from(q))).abs());
            outcome.largest = outcome.largest.max(y.abs());
        }
    }
    outcome.classes = [first_largest(&evidence), first_largest(&evidence_fixed)];
    outcome.saturated = state.saturated() - before;
    outcome
}
