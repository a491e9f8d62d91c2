//! The classifier's recurrent layer on the board.
//!
//! | population | atoms | |
//! |---|---|---|
//! | `input` | the network's inputs | what the host sends |
//! | `control` | 2 | 0: an interval begins, all state is zero; 1: it ends. Echoed, so that the host learns the tick |
//! | `hidden` | recurrent neurons | their spikes |
//! | `heartbeat` | 1 | fires in every tick |
//!
//! Within a tick what `control` says comes first. The readout is the host's: it is a linear
//! filter of the hidden spikes, and analogue, which a board does not send.

use super::program::{Program, Role, Spec, Spike};
use crate::fixed::{FixedNetwork, FixedState};
use crate::models::classifier::Classifier;

/// Atom of `control` that begins an interval.
pub const BEGIN: u32 = 0;
/// Atom of `control` that ends one.
pub const END: u32 = 1;

/// The populations of a classifier with so many inputs and recurrent neurons, in the order of
/// their numbers.
pub fn populations(n_in: usize, n_rec: usize) -> [Spec; 4] {
    let spec = |label, atoms, role| Spec { label, atoms, role };
    [
        spec("input", n_in, Role::Input),
        spec("control", 2, Role::Echo),
        spec("hidden", n_rec, Role::Output),
        spec("heartbeat", 1, Role::Output),
    ]
}

/// How the recurrent layer is computed.
enum Layer {
    /// As everywhere else.
    Float(Box<Classifier>),
    /// With 16-bit weights and s16.15 state, as on SpiNNaker.
    Fixed {
        network: Box<FixedNetwork>,
        state: Box<FixedState>,
        /// Inputs of the coming tick.
        pending: Vec<u32>,
    },
}

/// A classifier as a [`Program`].
pub struct ClassifierProgram {
    layer: Layer,
    specs: [Spec; 4],
    active: bool,
    idle: u64,
}

impl ClassifierProgram {
    /// With the weights of this one.
    pub fn new(mut classifier: Classifier) -> Self {
        classifier.begin_interval();
        let topology = &classifier.network().topology;
        Self {
            specs: populations(topology.n_in, topology.n_rec()),
            layer: Layer::Float(Box::new(classifier)),
            active: false,
            idle: 0,
        }
    }

    /// The same in fixed point.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where weights or threshold leave the range.
    pub fn fixed(classifier: Classifier) -> crate::Result<Self> {
        let network = FixedNetwork::new(classifier.network(), &classifier.config().neuron)?;
        let layer = Layer::Fixed {
            state: Box::new(FixedState::new(&network)),
            network: Box::new(network),
            pending: Vec::new(),
        };
        Ok(Self {
            layer,
            ..Self::new(classifier)
        })
    }
}

impl ClassifierProgram {
    /// Inputs and recurrent neurons of the network.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.specs[0].atoms, self.specs[2].atoms)
    }
}

impl Layer {
    fn begin(&mut self) {
        match self {
            Layer::Float(classifier) => classifier.begin_interval(),
            Layer::Fixed { state, .. } => state.begin(),
        }
    }

    /// A tick with these inputs, each counted once; the neurons that fire.
    fn tick(&mut self, inputs: impl Iterator<Item = u32>) -> &[u32] {
        match self {
            Layer::Float(classifier) => {
                for input in inputs {
                    // The board takes no atom that there is not.
                    let _ = classifier.push_spike(input);
                }
                // Without a target nothing can be wrong.
                let _ = classifier.tick(None);
                classifier.hidden_spikes()
            }
            Layer::Fixed {
                network,
                state,
                pending,
            } => {
                pending.clear();
                pending.extend(inputs);
                pending.sort_unstable();
                pending.dedup();
                state.step(network, pending);
                state.fired()
            }
        }
    }
}

impl Program for ClassifierProgram {
    fn populations(&self) -> Vec<Spec> {
        self.specs.to_vec()
    }

    fn tick(&mut self, arrived: &[Spike], fired: &mut Vec<Spike>) {
        for control in arrived.iter().filter(|s| s.population == 1) {
            self.active = control.atom == BEGIN;
            self.layer.begin();
        }
        let inputs = arrived.iter().filter(|s| s.population == 0).map(|s| s.atom);
        if self.active {
            let hidden = self.layer.tick(inputs);
            fired.extend(hidden.iter().map(|&atom| Spike {
                population: 2,
                atom,
            }));
        } else {
            self.idle += inputs.count() as u64;
        }
        fired.push(Spike {
            population: 3,
            atom: 0,
        });
    }

    fn ignored(&self) -> u64 {
        self.idle
    }
}
