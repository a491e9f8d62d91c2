//! One interval put to a network: spikes in, evidence out, errors recorded.

use super::classifier::Decision;
use crate::learning::loss;
use crate::network::{Interval, Network};

/// The state of one interval with its evidence and its loss.
#[derive(Clone, Debug)]
pub(super) struct Presentation {
    pub(super) interval: Interval<f32>,
    /// Sum of the readout over the interval, `[n_out]`.
    pub(super) evidence: Vec<f32>,
    error: Vec<f32>,
    loss: f64,
}

impl Presentation {
    /// Memory for intervals of up to `max_ticks` ticks.
    pub(super) fn new(network: &Network<f32>, max_ticks: usize) -> Self {
        let t = &network.topology;
        Self {
            interval: Interval::new(network, max_ticks, max_ticks * t.n_in),
            evidence: vec![0.0; t.n_out],
            error: vec![0.0; t.n_out],
            loss: 0.0,
        }
    }

    pub(super) fn begin(&mut self) {
        self.interval.begin();
        self.evidence.fill(0.0);
        self.loss = 0.0;
    }

    pub(super) fn step(&mut self, network: &Network<f32>, inputs: &[u32]) {
        self.interval.step(network, inputs);
        self.add_evidence();
    }

    /// A tick of a recurrent layer that runs elsewhere.
    pub(super) fn observe(&mut self, network: &Network<f32>, inputs: &[u32], hidden: &[u32]) {
        self.interval.observe(network, inputs, hidden);
        self.add_evidence();
    }

    fn add_evidence(&mut self) {
        for (sum, &y) in self.evidence.iter_mut().zip(self.interval.readout()) {
            *sum += y;
        }
    }

    /// Gives the last tick a learning signal towards `class`, times `weight`.
    pub(super) fn teach(&mut self, class: usize, weight: f32) {
        let loss = loss::cross_entropy(self.interval.readout(), class, &mut self.error);
        if let Some(error) = self.interval.error_mut() {
            self.loss += loss;
            for (to, &e) in error.iter_mut().zip(&self.error) {
                *to = e * weight;
            }
        }
    }

    /// Mean cross entropy of the ticks with a learning signal, in nats.
    pub(super) fn mean_loss(&self) -> f64 {
        self.loss / self.interval.error_ticks().max(1) as f64
    }

    /// Probability of every class by the evidence so far, into `out`.
    pub(super) fn probabilities(&self, sharpness: f64, out: &mut [f32]) {
        loss::softmax(&self.evidence, self.per_tick(sharpness), out);
    }

    /// The decision by the evidence so far.
    pub(super) fn decision(&self, sharpness: f64) -> Decision {
        let best = loss::first_largest(&self.evidence);
        let (top, factor) = (self.evidence[best], self.per_tick(sharpness));
        // The best class has the exponent 0: its probability is 1 over the sum.
        let odds = self.evidence.iter().map(|&e| ((e - top) * factor).exp());
        Decision {
            class: best,
            confidence: 1.0 / odds.sum::<f32>(),
        }
    }

    fn per_tick(&self, sharpness: f64) -> f32 {
        sharpness as f32 / self.interval.ticks().max(1) as f32
    }
}
