//! Spikes on their way: weights that arrive in steps to come.

use crate::real::Real;

/// What arrives at `n` neurons in this step and the next ones.
#[derive(Clone, Debug)]
pub(super) struct Arrivals<R> {
    n: usize,
    /// `[steps, n]`, the row of this step at `at`.
    sums: Vec<R>,
    at: usize,
}

impl<R: Real> Arrivals<R> {
    /// For delays of up to `longest` steps.
    pub(super) fn new(n: usize, longest: usize) -> Self {
        Self {
            n,
            sums: vec![R::ZERO; n * (longest + 1)],
            at: 0,
        }
    }

    /// Adds a weight that arrives `delay` steps from now.
    pub(super) fn add(&mut self, neuron: u32, delay: u32, weight: R) {
        // Less than twice round; a division would cost more than all the rest.
        let ahead = self.at + delay as usize * self.n;
        let at = ahead.checked_sub(self.sums.len()).unwrap_or(ahead);
        self.sums[at + neuron as usize] += weight;
    }

    /// What arrives in this step, `[n]`.
    pub(super) fn now(&self) -> &[R] {
        &self.sums[self.at..self.at + self.n]
    }

    /// Goes on to the next step.
    pub(super) fn advance(&mut self) {
        self.sums[self.at..self.at + self.n].fill(R::ZERO);
        self.at = (self.at + self.n) % self.sums.len();
    }
}
