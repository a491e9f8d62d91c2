//! The memory: synapses that spikes change.
//!
//! A CPU4 neuron is driven by a column that fires all the time, through synapses whose
//! weight `w`, 0 to 1, is what the neuron remembers and how fast it fires. On them ends
//! one axon of a TN2 neuron and one of a TN1 neuron of the neuron's side, and on the
//! same dendrite the axons of one TB1 column, which leave a trace `x`. A spike of TN2
//! changes the weight by `g (h - x)`, one of TN1 by `-g (h - x)`: the weight grows where
//! flow forwards meets a heading cell that is silent (TB1 is silent where the agent looks),
//! shrinks where it meets one that fires, and the other way round for flow backwards. `h`
//! is the mean trace of all TB1 columns, which one axon brings that all of them reach: so
//! the sum over a ring stays where it is, however high the heading neurons fire. Nothing
//! else changes a weight, and nothing enters that does not arrive at the neuron itself.

use super::columns::NEURONS;

#[derive(Clone, Debug)]
pub(super) struct MemorySynapses {
    /// `[neuron of the column, column]`; columns 0 to 7 see flow to the right.
    weights: [[f32; 16]; NEURONS],
    gain: f32,
}

impl MemorySynapses {
    pub(super) fn new(gain: f32) -> Self {
        Self {
            weights: [[0.5; 16]; NEURONS],
            gain,
        }
    }

    pub(super) fn weights(&self) -> &[[f32; 16]; NEURONS] {
        &self.weights
    }

    /// Mean over the neurons of each column.
    pub(super) fn mean(&self) -> [f64; 16] {
        let sum = |i: usize| self.weights.iter().map(|w| f64::from(w[i])).sum::<f64>();
        std::array::from_fn(|i| sum(i) / NEURONS as f64)
    }

    /// The rule, for neuron `neuron` of every column: what spikes of flow (1 for TN2, -1
    /// for TN1) to the right and to the left do, where the TB1 columns left the traces
    /// `heading`.
    pub(super) fn learn(&mut self, neuron: usize, flow: [f32; 2], heading: &[f32; 8]) {
        if flow == [0.0; 2] {
            return;
        }
        let mean = heading.iter().sum::<f32>() / 8.0;
        for (i, w) in self.weights[neuron].iter_mut().enumerate() {
            let change = self.gain * (mean - heading[i % 8]) * flow[i / 8];
            *w = (*w + change).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spike changes the synapses on which its axon ends, by what the trace there says,
    /// and no other.
    #[test]
    fn the_rule_is_local() {
        let mut synapses = MemorySynapses::new(0.01);
        let mut heading = [0.5; 8];
        heading[2] = 0.0;
        heading[6] = 1.0;
        synapses.learn(3, [1.0, 0.0], &heading);
        for (neuron, weights) in synapses.weights().iter().enumerate() {
            for (column, &w) in weights.iter().enumerate() {
                let want = match (neuron, column) {
                    (3, 2) => 0.5 + 0.01 * 0.5,
                    (3, 6) => 0.5 + 0.01 * (0.5 - 1.0),
                    _ => 0.5,
                };
                assert_eq!(w, want, "neuron {neuron} of column {column}");
            }
        }
    }

    #[test]
    fn a_spike_of_flow_backwards_undoes_one_forwards() {
        let mut synapses = MemorySynapses::new(0.01);
        let heading = std::array::from_fn(|j| j as f32 / 8.0);
        synapses.learn(0, [1.0, 1.0], &heading);
        synapses.learn(0, [-1.0, -1.0], &heading);
        for w in synapses.weights().as_flattened() {
            assert!((w - 0.5).abs() < 1e-6, "{w}");
        }
    }

    #[test]
    fn without_flow_the_memory_keeps_to_the_bit() {
        let mut synapses = MemorySynapses::new(0.01);
        synapses.learn(1, [1.0, -1.0], &[0.0; 8]);
        let before = *synapses.weights();
        synapses.learn(1, [0.0, 0.0], &[0.0; 8]);
        assert_eq!(before, *synapses.weights());
    }

    #[test]
    fn weights_stay_between_0_and_1() {
        let mut synapses = MemorySynapses::new(1.0);
        let mut heading = [1.0; 8];
        heading[0] = 0.0;
        for _ in 0..10 {
            synapses.learn(0, [1.0, -1.0], &heading);
        }
        assert_eq!(synapses.weights()[0][0], 1.0);
        assert_eq!(synapses.weights()[0][8], 0.0);
    }
}
