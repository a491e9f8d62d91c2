//! How good a classifier is on samples it has not learnt from.

use rayon::prelude::*;
use serde::Serialize;

use super::classifier::{Classifier, Decision};
use super::presentation::Presentation;
use super::sample::{Sample, validate};
use crate::error::Result;
use crate::network::Network;
use crate::spikes::SpikeLog;

/// Ticks between two points of the accuracy over time.
pub const CURVE_STEP: usize = 10;

/// Results over a set of samples, learning signal off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Share of right decisions at the end of the interval.
    pub accuracy: f64,
    /// Decisions at the end: `[true class][decided class]`.
    pub confusion: Vec<Vec<u64>>,
    /// Ticks since onset and the share of decisions that are right then, every
    /// [`CURVE_STEP`] ticks; a sample that has ended keeps its last decision.
    pub accuracy_vs_time: Vec<(usize, f64)>,
    /// Mean negative log probability of the true class at the end, in nats.
    pub cross_entropy: f64,
    /// Expected calibration error: the mean distance between confidence and
    /// accuracy over ten bins of confidence at the end.
    pub calibration_error: f64,
    /// Mean firing rate of the recurrent layer in Hz.
    pub mean_rate_hz: f64,
}

/// What one sample gave.
pub(super) struct Outcome {
    /// Evidence per tick and class at every [`CURVE_STEP`] ticks and at the end.
    pub(super) evidence: Vec<Vec<f32>>,
    /// Decisions at the same times.
    decisions: Vec<Decision>,
    /// Probability of the true class at the end.
    probability: f64,
    /// Spikes of the recurrent layer.
    pub(super) spikes: usize,
}

impl Outcome {
    /// The decision at the end.
    pub(super) fn last(&self) -> Decision {
        self.decisions[self.decisions.len() - 1]
    }

    /// Whether the decision at the end is right.
    pub(super) fn right(&self, sample: &Sample) -> bool {
        self.last().class == sample.label
    }
}

/// Working memory to put samples to a network.
pub(super) struct Judge {
    presentation: Presentation,
    log: SpikeLog,
    scratch: Vec<u32>,
    probabilities: Vec<f32>,
}

impl Judge {
    pub(super) fn new(network: &Network<f32>, max_ticks: usize) -> Self {
        Self {
            presentation: Presentation::new(network, max_ticks),
            log: SpikeLog::default(),
            scratch: Vec::new(),
            probabilities: vec![0.0; network.topology.n_out],
        }
    }

    /// Puts one sample to the network.
    pub(super) fn judge(
        &mut self,
        network: &Network<f32>,
        sample: &Sample,
        sharpness: f64,
    ) -> Outcome {
        self.log
            .fill(sample.ticks, &sample.spikes, &mut self.scratch);
        let shown = &mut self.presentation;
        shown.begin();
        let (mut evidence, mut decisions) = (Vec::new(), Vec::new());
        for s in 0..sample.ticks {
            shown.step(network, self.log.tick(s));
            let done = s + 1;
            if done.is_multiple_of(CURVE_STEP) || done == sample.ticks {
                decisions.push(shown.decision(sharpness));
                let per_tick = shown.evidence.iter().map(|e| e / done as f32);
                evidence.push(per_tick.collect());
            }
        }
        shown.probabilities(sharpness, &mut self.probabilities);
        Outcome {
            evidence,
            decisions,
            probability: f64::from(self.probabilities[sample.label]),
            spikes: shown.interval.spikes().all().len(),
        }
    }
}

/// Outcomes of all samples in their order.
pub(super) fn outcomes(classifier: &Classifier, samples: &[Sample]) -> Vec<Outcome> {
    let (network, config) = (classifier.network(), classifier.config());
    samples
        .par_iter()
        .map_init(
            || Judge::new(network, config.max_ticks),
            |judge, sample| judge.judge(network, sample, config.decision_sharpness),
        )
        .collect()
}

/// Puts every sample to the classifier, on all threads of the current `rayon` pool;
/// the result does not depend on their number.
///
/// # Errors
/// As [`validate`].
pub fn evaluate(classifier: &Classifier, samples: &[Sample]) -> Result<Evaluation> {
    validate(samples, classifier.config())?;
    let outcomes = outcomes(classifier, samples);
    let n = samples.len();
    let n_out = classifier.config().n_out;

    let longest = outcomes.iter().map(|o| o.decisions.len()).max();
    let accuracy_vs_time = (0..longest.unwrap_or(0))
        .map(|point| {
            let right = samples.iter().zip(&outcomes).filter(|(sample, outcome)| {
                let last = outcome.decisions.len() - 1;
                outcome.decisions[point.min(last)].class == sample.label
            });
            ((point + 1) * CURVE_STEP, right.count() as f64 / n as f64)
        })
        .collect();

    let mut confusion = vec![vec![0; n_out]; n_out];
    let mut bins = [(0_u64, 0.0_f64, 0_u64); 10];
    let (mut nll, mut spikes, mut ticks, mut right) = (0.0, 0, 0, 0);
    for (sample, outcome) in samples.iter().zip(&outcomes) {
        let decision = outcome.last();
        let hit = u64::from(decision.class == sample.label);
        confusion[sample.label][decision.class] += 1;
        let bin = &mut bins[((decision.confidence * 10.0) as usize).min(9)];
        *bin = (
            bin.0 + 1,
            bin.1 + f64::from(decision.confidence),
            bin.2 + hit,
        );
        right += hit;
        nll -= outcome.probability.max(f64::MIN_POSITIVE).ln();
        spikes += outcome.spikes;
        ticks += sample.ticks;
    }
    let gap = bins.iter().map(|(_, sum, hits)| (sum - *hits as f64).abs());
    let network = classifier.network();
    let neuron_seconds =
        ticks as f64 * network.topology.n_rec() as f64 * network.dynamics.dt_ms / 1000.0;
    Ok(Evaluation {
        samples: n,
        accuracy: right as f64 / n as f64,
        confusion,
        accuracy_vs_time,
        cross_entropy: nll / n as f64,
        calibration_error: gap.sum::<f64>() / n as f64,
        mean_rate_hz: spikes as f64 / neuron_seconds,
    })
}
