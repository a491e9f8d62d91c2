//! A classifier that learns on the board, from spikes of labels.
//!
//! | population | atoms | |
//! |---|---|---|
//! | `input` | the network's inputs | what the host sends |
//! | `control` | 2 | 0: an interval begins, all state is zero; 1: it ends, and weights change by what its error spikes said. Echoed |
//! | `label` | classes | what the host sends while it teaches: the shown class at 50 Hz |
//! | `hidden` | recurrent neurons | their spikes |
//! | `error` | 2 x classes x neurons of a population | their spikes: of each class the positive ones, then the negative |
//! | `output` | classes | their spikes: the answer |
//! | `heartbeat` | 1 | fires in every tick |
//!
//! Without labels nothing changes ([`crate::models::spike_taught`]). Weights stay on the board:
//! no packet asks for them.

use super::classifier::BEGIN;
use super::program::{Program, Role, Spec, Spike};
use crate::models::spike_taught::SpikeTaught;

const INPUT: u16 = 0;
const CONTROL: u16 = 1;
const LABEL: u16 = 2;
const HIDDEN: u16 = 3;
const ERROR: u16 = 4;
const OUTPUT: u16 = 5;
const HEARTBEAT: u16 = 6;

/// A classifier that is taught by spikes, as a [`Program`].
pub struct LearningProgram {
    model: SpikeTaught,
    specs: [Spec; 7],
    active: bool,
    /// Inputs and labels of the tick, each once.
    inputs: Vec<u32>,
    labels: Vec<u32>,
    idle: u64,
}

impl LearningProgram {
    /// With the weights and parameters of this one.
    pub fn new(mut model: SpikeTaught) -> Self {
        model.begin();
        let config = model.config();
        let (n_in, n_out) = (config.n_in, config.n_out);
        let spec = |label, atoms, role| Spec { label, atoms, role };
        Self {
            specs: [
                spec("input", n_in, Role::Input),
                spec("control", 2, Role::Echo),
                spec("label", n_out, Role::Input),
                spec("hidden", config.n_lif + config.n_alif, Role::Output),
                spec("error", model.error_neurons(), Role::Output),
                spec("output", n_out, Role::Output),
                spec("heartbeat", 1, Role::Output),
            ],
            model,
            active: false,
            inputs: Vec::with_capacity(n_in),
            labels: Vec::with_capacity(n_out),
            idle: 0,
        }
    }

    /// Inputs and recurrent neurons of the network.
    pub(crate) fn size(&self) -> (usize, usize) {
        let atoms = |population: u16| self.specs[usize::from(population)].atoms;
        (atoms(INPUT), atoms(HIDDEN))
    }

    fn control(&mut self, atom: u32) {
        if atom == BEGIN {
            self.model.begin();
        } else {
            self.model.end();
        }
        self.active = atom == BEGIN;
    }
}

/// The atoms of a population among what has arrived, ascending and each once.
fn take(population: u16, arrived: &[Spike], atoms: &mut Vec<u32>) {
    atoms.clear();
    let own = arrived.iter().filter(|s| s.population == population);
    atoms.extend(own.map(|s| s.atom));
    atoms.sort_unstable();
    atoms.dedup();
}

impl Program for LearningProgram {
    fn populations(&self) -> Vec<Spec> {
        self.specs.to_vec()
    }

    fn tick(&mut self, arrived: &[Spike], fired: &mut Vec<Spike>) {
        for control in arrived.iter().filter(|s| s.population == CONTROL) {
            self.control(control.atom);
        }
        take(INPUT, arrived, &mut self.inputs);
        take(LABEL, arrived, &mut self.labels);
        // The board takes no atom that there is not.
        if self.active && self.model.tick(&self.inputs, &self.labels).is_ok() {
            let populations = [
                (HIDDEN, self.model.hidden()),
                (ERROR, self.model.errors()),
                (OUTPUT, self.model.output()),
            ];
            for (population, atoms) in populations {
                fired.extend(atoms.iter().map(|&atom| Spike { population, atom }));
            }
        } else {
            self.idle += (self.inputs.len() + self.labels.len()) as u64;
        }
        fired.push(Spike {
            population: HEARTBEAT,
            atom: 0,
        });
    }

    fn ignored(&self) -> u64 {
        self.idle
    }
}
