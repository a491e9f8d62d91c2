//! The neurons behind the senses' axons, and their synapses: all that runs on a board.

use super::axons::Synapses;
use super::columns::{self, Columns, FULL_RATE_HZ, NEURONS, TimeConstants, at};
use super::memory::MemorySynapses;
use super::senses::{AxonSpikes, COMPASS_BUNDLES, FLOW_BUNDLES};
use super::travel::TravelSynapses;
use super::{EXCHANGE_MS, SpikingParameters};
use crate::models::central_complex::noise::{NoiseSource, Population};
use crate::models::central_complex::rate::inhibition;

/// Weights of the compass on the heading neurons, and of their inhibition of each other.
const COMPASS: f32 = 1.25 * 0.667;
const INHIBITION: f32 = 1.25 * 0.333;
/// Weight of what says where it goes on the ring of the direction of travel, and how much
/// of it there is where nothing moves.
const TRAVEL: f32 = 1.7;
const TRAVEL_AT_REST: f32 = 1.2;
/// Gain of the pontine neurons.
const PONTINE: f32 = 1.25;
/// Gain of the steering neurons, and what they get where nothing inhibits them.
const STEERING: f32 = 3.5;
const STEERING_AT_REST: f32 = 0.75;
/// Cells whose noise is drawn here, in the order in which an exchange draws it.
const NOISY: [(Population, usize, usize); 7] = [
    (Population::Cl1, at::CL1, 16),
    (Population::Tb1, at::TB1, 8),
    (Population::Cpu4, at::CPU4, 16),
    (Population::Cpu4, at::PFN, 16),
    (Population::Tb1, at::TRAVEL, 8),
    (Population::Pontine, at::PONTINE, 16),
    (Population::Cpu1, at::CPU1, 16),
];

/// The columns and what lies between them.
#[derive(Clone, Debug)]
pub(crate) struct Circuit {
    by_travel: bool,
    /// `W`, times its weight.
    inhibition: [[f32; 8]; 8],
    compass: Synapses<COMPASS_BUNDLES>,
    flow: Synapses<FLOW_BUNDLES>,
    columns: Columns,
    memory: MemorySynapses,
    travel: TravelSynapses,
    /// What inhibits the memory neurons where it goes to a place.
    pub(super) goal: [f32; 16],
    /// Noise of each column in this exchange.
    noise: [f32; columns::COLUMNS],
}

impl Circuit {
    /// With valid parameters; `draw` gives the potentials that it starts from, 0 to 1.
    pub(super) fn new(parameters: &SpikingParameters, draw: impl FnMut() -> f32) -> Self {
        let synapse_ms = parameters.tau_synapse_ms as f32;
        let time = TimeConstants {
            membrane_ms: parameters.tau_membrane_ms as f32,
            synapse_ms,
            recall_ms: parameters.tau_recall_ms as f32,
        };
        Self {
            by_travel: parameters.by_travel,
            inhibition: inhibition().map(|row| row.map(|w| INHIBITION * w as f32)),
            compass: Synapses::new(synapse_ms),
            flow: Synapses::new(synapse_ms),
            columns: Columns::new(&time, draw),
            memory: MemorySynapses::new(parameters.memory_gain as f32),
            travel: TravelSynapses::new(),
            goal: [0.0; 16],
            noise: [0.0; columns::COLUMNS],
        }
    }

    /// The weights of the memory: mean over the neurons of each CPU4 column, 0 to 1.
    pub(super) fn memory(&self) -> [f64; 16] {
        self.memory.mean()
    }

    /// An exchange begins: noise is drawn, spikes are counted from 0.
    pub(crate) fn begin<N: NoiseSource>(&mut self, noise: &mut N) {
        let mut draws = [0.0; 16];
        for (population, first, cells) in NOISY {
            noise.draw(population, &mut draws[..cells]);
            let to = &mut self.noise[first..first + cells];
            for (to, draw) in to.iter_mut().zip(draws) {
                *to = draw as f32;
            }
        }
        self.columns.count = [0.0; columns::COLUMNS];
    }

    /// A millisecond, in which these spikes come.
    pub(crate) fn tick(&mut self, spikes: &AxonSpikes) {
        self.compass.tick(&spikes.compass);
        self.flow.tick(&spikes.flow);
        let drive = self.columns.trace[at::DRIVE];
        let mut input = self.noise;
        self.drive_heading(&mut input);
        let heading: [f32; 8] = std::array::from_fn(|j| self.columns.trace[at::TB1 + j]);
        self.drive_travel(&mut input, &heading);
        self.drive_steering(&mut input);
        input[at::DRIVE] += 1.0;
        for (i, inhibited) in self.goal.iter().enumerate() {
            input[at::CPU4 + i] -= drive * inhibited;
        }
        self.columns.tick(&input, self.memory.weights(), drive);
        let mut all = [0.0; 2];
        for (neuron, fired) in self.columns.fired.iter().enumerate() {
            let flow = [0, 1].map(|side| fired[at::TN2 + side] - fired[at::TN1 + side]);
            all = [all[0] + flow[0], all[1] + flow[1]];
            self.memory.learn(neuron, flow, &heading);
        }
        self.travel.tick(all);
    }

    /// Spikes of each column since the exchange began.
    pub(super) fn counts(&self) -> &[f32; columns::COLUMNS] {
        &self.columns.count
    }

    /// The neurons of a population that fired in the last tick, ascending: neuron `k` of
    /// cell `i` is number `NEURONS i + k`.
    #[cfg(feature = "spinnaker")]
    pub(crate) fn fired(&self, population: Population) -> impl Iterator<Item = u32> + '_ {
        let (first, cells) = place(population);
        (0..cells * NEURONS)
            .filter(move |n| self.columns.fired[n % NEURONS][first + n / NEURONS] > 0.0)
            .map(|n| n as u32)
    }

    fn drive_heading(&self, input: &mut [f32; columns::COLUMNS]) {
        let trace = &self.columns.trace;
        for i in 0..16 {
            input[at::TL + i] += self.compass.trace()[i];
            input[at::CL1 + i] += 0.65 - 0.6 * trace[at::TL + i];
        }
        for i in 0..4 {
            input[at::TN2 + i] += self.flow.trace()[i];
        }
        let mut inhibited = [0.0; 8];
        for (k, row) in self.inhibition.iter().enumerate() {
            for (sum, w) in inhibited.iter_mut().zip(row) {
                *sum += w * trace[at::TB1 + k];
            }
        }
        for j in 0..8 {
            let seen = trace[at::CL1 + j] + trace[at::CL1 + 8 + j];
            input[at::TB1 + j] += 0.5 + COMPASS * seen - inhibited[j];
        }
    }

    fn drive_travel(&self, input: &mut [f32; columns::COLUMNS], heading: &[f32; 8]) {
        let pfn = &self.columns.trace[at::PFN..at::TRAVEL];
        for (i, u) in self.travel.drive(heading).iter().enumerate() {
            input[at::PFN + i] += u;
        }
        for j in 0..8 {
            let goes = pfn[(j + 7) % 8] + pfn[8 + (j + 1) % 8];
            input[at::TRAVEL + j] += 0.4 - TRAVEL * (goes - TRAVEL_AT_REST);
        }
    }

    fn drive_steering(&self, input: &mut [f32; columns::COLUMNS]) {
        let trace = &self.columns.trace;
        let ring = if self.by_travel { at::TRAVEL } else { at::TB1 };
        let (memory, pontine) = (&trace[at::CPU4..], &trace[at::PONTINE..]);
        for i in 0..16 {
            input[at::PONTINE + i] += 0.5 + PONTINE * (memory[i] - 0.5);
        }
        for i in 0..8 {
            let left = memory[8 + (i + 7) % 8] - pontine[8 + (i + 3) % 8];
            let right = memory[(i + 1) % 8] - pontine[(i + 5) % 8];
            let rest = STEERING_AT_REST - STEERING * trace[ring + i];
            input[at::CPU1 + i] += rest + 0.5 * STEERING * left;
            input[at::CPU1 + 8 + i] += rest + 0.5 * STEERING * right;
        }
    }
}

/// What is drawn for a circuit that runs elsewhere: leaves `noise` as [`Circuit::begin`] does.
#[cfg(feature = "spinnaker")]
pub(crate) fn skip<N: NoiseSource>(noise: &mut N) {
    let mut draws = [0.0; 16];
    for (population, _, cells) in NOISY {
        noise.draw(population, &mut draws[..cells]);
    }
}

/// The first column of a population, and its cells.
pub(crate) fn place(population: Population) -> (usize, usize) {
    match population {
        Population::Tl => (at::TL, 16),
        Population::Cl1 => (at::CL1, 16),
        Population::Tb1 => (at::TB1, 8),
        Population::Tn1 => (at::TN1, 2),
        Population::Tn2 => (at::TN2, 2),
        Population::Cpu4 => (at::CPU4, 16),
        Population::Pontine => (at::PONTINE, 16),
        Population::Cpu1 => (at::CPU1, 16),
    }
}

/// Activity of a column that fired `spikes` times in an exchange.
pub(crate) fn activity(spikes: f32) -> f64 {
    f64::from(spikes) / (FULL_RATE_HZ * f64::from(EXCHANGE_MS) * 1e-3 * NEURONS as f64)
}
