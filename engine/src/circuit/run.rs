//! A built circuit, and its ticks.

use super::neuron::Neurons;
use super::{Population, Source};
use crate::error::{Error, Result};
use crate::real::Real;

/// One synapse as it is stored: where it leads to, when, and how strongly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<R> {
    pub(super) neuron: u32,
    pub(super) delay: u32,
    pub(super) weight: R,
}

/// The synapses of a projection, those of each presynaptic neuron together.
#[derive(Clone, Debug)]
pub(super) struct Projection<R> {
    /// Where spikes come from, and go to.
    pub(super) from: Source,
    pub(super) to: Population,
    /// Which receptor of the population takes them.
    pub(super) receptor: usize,
    /// `starts[i]..starts[i + 1]` are the synapses of neuron `i`.
    pub(super) starts: Vec<u32>,
    pub(super) targets: Vec<Target<R>>,
}

impl<R: Real> Projection<R> {
    /// Sends the spikes of some presynaptic neurons on their way; `early` steps of
    /// their delays have passed.
    fn send(&self, fired: &[u32], early: u32, neurons: &mut Neurons<R>) {
        let arrivals = &mut neurons.receptors[self.receptor].arrivals;
        for &i in fired {
            let (start, end) = (self.starts[i as usize], self.starts[i as usize + 1]);
            for target in &self.targets[start as usize..end as usize] {
                arrivals.add(target.neuron, target.delay - early, target.weight);
            }
        }
    }
}

/// A circuit that runs: what [`super::Builder::build`] makes.
///
/// A tick costs what its neurons and spikes cost, and allocates nothing.
#[derive(Clone, Debug)]
pub struct Circuit<R> {
    pub(super) populations: Vec<Neurons<R>>,
    /// Number of neurons of each group of inputs.
    pub(super) inputs: Vec<usize>,
    pub(super) projections: Vec<Projection<R>>,
    pub(super) ticks: u64,
}

impl<R: Real> Circuit<R> {
    /// Spikes of a group of inputs in the coming tick.
    ///
    /// # Errors
    /// [`Error::InputOutOfRange`]; none of the spikes has been taken then.
    pub fn spike(&mut self, inputs: super::Inputs, fired: &[u32]) -> Result<()> {
        let n_in = self.inputs.get(inputs.0).copied().unwrap_or(0);
        if let Some(&id) = fired.iter().find(|id| **id as usize >= n_in) {
            return Err(Error::InputOutOfRange { id, n_in });
        }
        for projection in &self.projections {
            if projection.from == Source::Inputs(inputs) {
                projection.send(fired, 0, &mut self.populations[projection.to.0]);
            }
        }
        Ok(())
    }

    /// One step of every neuron; its spikes are on their way then.
    pub fn tick(&mut self) {
        for population in &mut self.populations {
            population.step();
        }
        for projection in &self.projections {
            let Source::Population(from) = projection.from else {
                continue;
            };
            // The receptors have gone on to the next step: one of the delay has passed.
            let mut fired = std::mem::take(&mut self.populations[from.0].fired);
            projection.send(&fired, 1, &mut self.populations[projection.to.0]);
            std::mem::swap(&mut self.populations[from.0].fired, &mut fired);
        }
        self.ticks += 1;
    }

    /// Neurons of a population that fired in the last tick, ascending.
    pub fn fired(&self, population: Population) -> &[u32] {
        &self.populations[population.0].fired
    }

    /// Potentials of a population after the last tick, in mV.
    pub fn potentials(&self, population: Population) -> &[R] {
        &self.populations[population.0].v
    }

    /// Ticks since the start.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Number of synapses.
    pub fn synapses(&self) -> usize {
        self.projections.iter().map(|p| p.targets.len()).sum()
    }
}
