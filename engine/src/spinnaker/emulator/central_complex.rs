//! The spiking path integrator on the board.
//!
//! | population | atoms | |
//! |---|---|---|
//! | `compass` | 16 x 8 | what the host sends: an axon for each neuron of the TL cells |
//! | `flow` | 4 x 8 | what the host sends: TN2 to the right and left, then TN1 |
//! | `TL`, `CL1`, `TB1`, `TN1`, `TN2`, `CPU4`, `pontine`, `CPU1` | 8 a cell | their spikes |
//! | `heartbeat` | 1 | fires in every tick |
//!
//! An exchange with the body begins with the board's first tick and every 100 ticks after it.
//! `CPU1` is what steers; the other populations leave the board so that it can be seen what
//! they do. The weights of the memory stay there: `CPU4` fires as they say.

use super::program::{Program, Role, Spec, Spike};
use crate::models::central_complex::{
    AxonSpikes, Circuit, EXCHANGE_MS, NEURONS, NoiseSource, Population, Spiking, cells, skip_senses,
};

/// Position of the compass among the populations.
pub(crate) const COMPASS: u16 = 0;
/// Position of the flow among the populations.
pub(crate) const FLOW: u16 = 1;
/// Position of the first of [`Population::ALL`].
pub(crate) const FIRST: u16 = 2;
const HEARTBEAT: u16 = FIRST + Population::ALL.len() as u16;

/// The neurons of a [`Spiking`] model, without its senses, as a [`Program`].
pub struct CentralComplexProgram<N> {
    circuit: Circuit,
    /// Of the neurons; drawn on the board.
    noise: N,
    /// Ticks of the exchange that are done.
    done: u32,
}

impl<N: NoiseSource + Send> CentralComplexProgram<N> {
    /// The neurons of this model. Of `noise` they take what they would take in
    /// [`Spiking`]: a copy of the same source gives them the same noise there and here.
    pub fn new(model: Spiking, noise: N) -> Self {
        Self {
            circuit: model.into_circuit(),
            noise,
            done: 0,
        }
    }
}

impl<N: NoiseSource + Send> Program for CentralComplexProgram<N> {
    fn populations(&self) -> Vec<Spec> {
        let spec = |label, atoms, role| Spec { label, atoms, role };
        let senses = AxonSpikes::default();
        let mut all = vec![
            spec("compass", NEURONS * senses.compass.len(), Role::Input),
            spec("flow", NEURONS * senses.flow.len(), Role::Input),
        ];
        let outputs = Population::ALL.into_iter();
        all.extend(outputs.map(|p| spec(p.name(), NEURONS * cells(p), Role::Output)));
        all.push(spec("heartbeat", 1, Role::Output));
        all
    }

    fn tick(&mut self, arrived: &[Spike], fired: &mut Vec<Spike>) {
        if self.done == 0 {
            skip_senses(&mut self.noise);
            self.circuit.begin(&mut self.noise);
        }
        self.done = (self.done + 1) % EXCHANGE_MS;
        let mut spikes = AxonSpikes::default();
        for spike in arrived {
            let bundle = spike.atom as usize / NEURONS;
            // The board takes no atom that there is not.
            match spike.population {
                COMPASS => spikes.compass[bundle] += 1.0,
                _ => spikes.flow[bundle] += 1.0,
            }
        }
        self.circuit.tick(&spikes);
        for (population, own) in (FIRST..).zip(Population::ALL) {
            let atoms = self.circuit.fired(own);
            fired.extend(atoms.map(|atom| Spike { population, atom }));
        }
        fired.push(Spike {
            population: HEARTBEAT,
            atom: 0,
        });
    }
}
