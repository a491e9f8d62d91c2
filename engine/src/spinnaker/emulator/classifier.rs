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

/// A classifier as a [`Program`].
pub struct ClassifierProgram {
    classifier: Classifier,
    active: bool,
    idle: u64,
}

impl ClassifierProgram {
    /// With the weights of this one.
    pub fn new(mut classifier: Classifier) -> Self {
        classifier.begin_interval();
        Self {
            classifier,
            active: false,
            idle: 0,
        }
    }
}

impl Program for ClassifierProgram {
    fn populations(&self) -> Vec<Spec> {
        let topology = &self.classifier.network().topology;
        populations(topology.n_in, topology.n_rec()).to_vec()
    }

    fn tick(&mut self, arrived: &[Spike], fired: &mut Vec<Spike>) {
        for control in arrived.iter().filter(|s| s.population == 1) {
            self.active = control.atom == BEGIN;
            self.classifier.begin_interval();
        }
        let inputs = arrived.iter().filter(|s| s.population == 0);
        if self.active {
            for spike in inputs {
                // The board takes no atom that there is not.
                let _ = self.classifier.push_spike(spike.atom);
            }
            // Without a target nothing can be wrong.
            let _ = self.classifier.tick(None);
            let hidden = self.classifier.hidden_spikes().iter();
            fired.extend(hidden.map(|&atom| Spike {
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
