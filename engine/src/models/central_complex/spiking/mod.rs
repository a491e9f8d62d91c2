//! The path integrator in spiking neurons.
//!
//! Every cell of the published model is a column of eight leaky integrate-and-fire
//! neurons; a column's activity 1 stands for 60 spikes a second of each. Brain and body
//! exchange every 100 ms of biological time, 100 ticks of the neurons, as in the
//! BrainScaleS-2 experiment (Schreiber et al.; Billaudelle et al., ISCAS 2020). With `x`
//! the trace of a column's spikes (a low-pass filter, in units of activity) and `n` the
//! noise of a cell, drawn anew in every exchange:
//!
//! ```text
//! TL_i      Poisson spikes at 0.5 + 0.4 cos(theta - phi_i) + n
//! TN2, TN1  Poisson spikes at flow + n and -flow + n
//! CL1_i     0.65 - 0.6 TL_i + n
//! TB1_j     0.5 + 1.25 [0.667 (CL1_j + CL1_{j+8}) - 0.333 sum_k W_jk TB1_k] + n
//! drive     1: one column that fires all the time
//! CPU4_i    (w_i - v_i) drive + n                       v: the place to go to, 0 for home
//! PFN_i     0.5 + 1.1 y (mean(TB1) - TB1_i) + n         y: slow trace of TN2 - TN1
//! T_j       0.4 - 1.7 (PFN_{j-1} + PFN_{8+j+1} - 1.2) + n
//! P_i       0.5 + 1.25 (CPU4_i - 0.5) + n
//! CPU1_i    0.75 + 3.5 (0.5 CPU4 - 0.5 P - T) + n       of the cells that the rate model takes
//! turn      motor gain times (spikes of CPU1_0..7 - spikes of CPU1_8..15)
//! ```
//!
//! is what drives the neurons of each column ([`columns`]), and the way is remembered in
//! the weights `w` of the synapses from the drive to the CPU4 neurons, which spikes change
//! ([`memory`]). `T` is a ring that holds the direction of travel ([`travel`]): it steers
//! in place of TB1, so that an agent that looks elsewhere than where it goes, or is blown
//! aside, comes home too. Without `by_travel` TB1 steers, as in the published model.
//!
//! The noise is that of the rate model's cells (a standard deviation of 0.1 is a tenth of
//! what takes a column from rest to 60 Hz), on top of that of the Poisson spikes. It acts
//! before the threshold: a column that is well below it stays silent.

mod axons;
mod columns;
mod memory;
mod travel;

use std::f64::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::PathIntegrator;
use super::home_vector::HomeVector;
use super::noise::{NoiseSource, Population};
use super::rate::{flow, inhibition};
use super::vector_memory::VectorMemory;
use crate::error::{Result, check};
use axons::Axons;
use columns::{Columns, TimeConstants, at};
use memory::MemorySynapses;
use travel::TravelSynapses;

pub use columns::{FULL_RATE_HZ, NEURONS};

/// Biological time of an exchange with the body, in ms; a tick of the neurons takes 1 ms.
pub const EXCHANGE_MS: u32 = 100;

/// By how much the compass's axons fire more, in units of activity, where the agent looks,
/// and less behind it. With the rate model's narrow response the bump of so few columns
/// sticks to them: 8 degrees off between two of them, against less than one.
const COMPASS_SWING: f64 = 0.4;
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
/// First harmonic of the memory for one step of length, as a multiple of the memory's
/// gain: eight neurons of a ring, 6 spikes in an exchange at full flow, times the amplitude of
/// TB1's bump, halved (0.63 without noise, 5 % less at noise 0.1).
const UNIT_PER_LENGTH: f64 = 15.2;

/// Parameters of [`Spiking`]. The defaults were chosen on routes of other seeds than those
/// of the statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpikingParameters {
    /// Change of a memory synapse, whose weight lies between 0 and 1, by one spike of
    /// flow where the heading's trace is 1 off its mean.
    pub memory_gain: f64,
    /// Turn in rad where one cell of one side of CPU1 fires at 60 Hz and all else is silent.
    pub motor_gain_rad: f64,
    /// Time constant of the membranes in ms.
    pub tau_membrane_ms: f64,
    /// Time constant of the synapses in ms.
    pub tau_synapse_ms: f64,
    /// Time constant of the synapses from the memory neurons in ms.
    pub tau_recall_ms: f64,
    /// Steer by the direction of travel, not by the heading: an agent that looks elsewhere
    /// than where it goes comes home too.
    pub by_travel: bool,
}

impl Default for SpikingParameters {
    fn default() -> Self {
        Self {
            memory_gain: 0.0005,
            motor_gain_rad: 0.4,
            tau_membrane_ms: 20.0,
            tau_synapse_ms: 20.0,
            tau_recall_ms: 500.0,
            by_travel: true,
        }
    }
}

impl SpikingParameters {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("path.memory_gain", self.memory_gain, 1e-9, 1.0)?;
        check("path.motor_gain_rad", self.motor_gain_rad, 0.0, 10.0)?;
        check("path.tau_membrane_ms", self.tau_membrane_ms, 1.0, 1e4)?;
        check("path.tau_synapse_ms", self.tau_synapse_ms, 1.0, 1e4)?;
        check("path.tau_recall_ms", self.tau_recall_ms, 1.0, 1e6)
    }
}

/// The model, see the module docs of `spiking`.
#[derive(Clone, Debug)]
pub struct Spiking {
    motor_gain_rad: f64,
    memory_gain: f64,
    by_travel: bool,
    /// `W`, times its weight.
    inhibition: [[f32; 8]; 8],
    compass: Axons<16>,
    flow: Axons<4>,
    columns: Columns,
    memory: MemorySynapses,
    travel: TravelSynapses,
    /// What inhibits the memory neurons where it goes to a place.
    goal: [f32; 16],
    /// Noise of each column in this exchange.
    noise: [f32; columns::COLUMNS],
    /// Activity of each column in the last exchange.
    activity: [f64; columns::COLUMNS],
}

impl Spiking {
    /// A model at home. Its Poisson spikes and the potentials it starts from are drawn
    /// from `rng`.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where a parameter is out of range.
    pub fn new(parameters: &SpikingParameters, mut rng: ChaCha8Rng) -> Result<Self> {
        parameters.validate()?;
        let synapse_ms = parameters.tau_synapse_ms as f32;
        let time = TimeConstants {
            membrane_ms: parameters.tau_membrane_ms as f32,
            synapse_ms,
            recall_ms: parameters.tau_recall_ms as f32,
        };
        let columns = Columns::new(&time, || rng.random());
        Ok(Self {
            motor_gain_rad: parameters.motor_gain_rad,
            memory_gain: parameters.memory_gain,
            by_travel: parameters.by_travel,
            inhibition: inhibition().map(|row| row.map(|w| INHIBITION * w as f32)),
            compass: Axons::new(synapse_ms, split(&mut rng)),
            flow: Axons::new(synapse_ms, split(&mut rng)),
            columns,
            memory: MemorySynapses::new(parameters.memory_gain as f32),
            travel: TravelSynapses::new(),
            goal: [0.0; 16],
            noise: [0.0; columns::COLUMNS],
            activity: [0.0; columns::COLUMNS],
        })
    }

    /// The weights of the memory: mean over the neurons of each CPU4 column, 0 to 1.
    pub fn memory(&self) -> [f64; 16] {
        self.memory.mean()
    }

    fn sense<N: NoiseSource>(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut N) {
        let mut draws = [0.0; 16];
        noise.draw(Population::Tl, &mut draws);
        let seen = |i: usize| {
            let aside_rad = heading_rad - TAU * (i % 8) as f64 / 8.0;
            0.5 + COMPASS_SWING * aside_rad.cos()
        };
        self.compass
            .set(std::array::from_fn(|i| seen(i) + draws[i]));
        noise.draw(Population::Tn1, &mut draws[2..4]);
        noise.draw(Population::Tn2, &mut draws[..2]);
        let [right, left] = flow(heading_rad, velocity);
        let flow = [right, left, -right, -left];
        self.flow.set(std::array::from_fn(|i| flow[i] + draws[i]));
    }

    fn draw_noise<N: NoiseSource>(&mut self, noise: &mut N) {
        let mut draws = [0.0; 16];
        for (population, first, cells) in [
            (Population::Cl1, at::CL1, 16),
            (Population::Tb1, at::TB1, 8),
            (Population::Cpu4, at::CPU4, 16),
            (Population::Cpu4, at::PFN, 16),
            (Population::Tb1, at::TRAVEL, 8),
            (Population::Pontine, at::PONTINE, 16),
            (Population::Cpu1, at::CPU1, 16),
        ] {
            noise.draw(population, &mut draws[..cells]);
            let to = &mut self.noise[first..first + cells];
            for (to, draw) in to.iter_mut().zip(draws) {
                *to = draw as f32;
            }
        }
    }

    /// A millisecond.
    fn tick(&mut self) {
        self.compass.tick();
        self.flow.tick();
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

    fn drive_heading(&self, input: &mut [f32; columns::COLUMNS]) {
        let trace = &self.columns.trace;
        for i in 0..16 {
            input[at::TL + i] += self.compass.trace[i];
            input[at::CL1 + i] += 0.65 - 0.6 * trace[at::TL + i];
        }
        for i in 0..4 {
            input[at::TN2 + i] += self.flow.trace[i];
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

impl PathIntegrator for Spiking {
    /// An exchange with the body. What is not a number in heading or velocity is silence
    /// of the neurons that see it.
    fn step<N: NoiseSource>(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut N) -> f64 {
        self.sense(heading_rad, velocity, noise);
        self.draw_noise(noise);
        self.columns.count = [0.0; columns::COLUMNS];
        for _ in 0..EXCHANGE_MS {
            self.tick();
        }
        let full = FULL_RATE_HZ * f64::from(EXCHANGE_MS) * 1e-3 * NEURONS as f64;
        self.activity = self.columns.count.map(|n| f64::from(n) / full);
        let side = |first: usize| self.activity[first..first + 8].iter().sum::<f64>();
        self.motor_gain_rad * (side(at::CPU1) - side(at::CPU1 + 8))
    }

    fn home_vector(&self) -> HomeVector {
        HomeVector::read(&self.memory(), 1.0 / (UNIT_PER_LENGTH * self.memory_gain))
    }

    fn remember(&self) -> VectorMemory {
        VectorMemory(self.memory().map(|w| w - 0.5))
    }

    fn go_to(&mut self, place: VectorMemory) {
        self.goal = place.0.map(|v| v as f32);
    }

    fn activity(&self, population: Population) -> &[f64] {
        let (first, cells) = match population {
            Population::Tl => (at::TL, 16),
            Population::Cl1 => (at::CL1, 16),
            Population::Tb1 => (at::TB1, 8),
            Population::Tn1 => (at::TN1, 2),
            Population::Tn2 => (at::TN2, 2),
            Population::Cpu4 => (at::CPU4, 16),
            Population::Pontine => (at::PONTINE, 16),
            Population::Cpu1 => (at::CPU1, 16),
        };
        &self.activity[first..first + cells]
    }
}

/// A generator of its own for each kind of axon, so that neither's spikes depend on how
/// many the other had.
fn split(rng: &mut ChaCha8Rng) -> ChaCha8Rng {
    rand::SeedableRng::from_seed(rng.random())
}

#[cfg(test)]
mod tests {
    use super::super::noise::Silent;
    use super::*;
    use rand::SeedableRng;

    fn model(seed: u64) -> Spiking {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Spiking::new(&SpikingParameters::default(), rng).unwrap()
    }

    /// Turns of some exchanges on a bent way.
    fn turns(model: &mut Spiking, exchanges: u32) -> Vec<u64> {
        let turn = |t| {
            let heading = 0.02 * f64::from(t);
            let velocity = [0.5 * heading.sin(), 0.5 * heading.cos()];
            model.step(heading, velocity, &mut Silent).to_bits()
        };
        (0..exchanges).map(turn).collect()
    }

    #[test]
    fn a_seed_gives_the_same_bits_and_another_seed_others() {
        let first = turns(&mut model(1), 100);
        assert_eq!(first, turns(&mut model(1), 100));
        assert_ne!(first, turns(&mut model(2), 100));
    }

    #[test]
    fn the_heading_neurons_are_silent_where_it_looks() {
        for looks in 0..8 {
            let mut model = model(3);
            let heading = TAU * f64::from(looks) / 8.0;
            for _ in 0..20 {
                model.step(heading, [0.0; 2], &mut Silent);
            }
            let tb1 = model.activity(Population::Tb1);
            let (ahead, behind) = (tb1[looks as usize], tb1[(looks as usize + 4) % 8]);
            assert!(ahead < 0.05 && behind > 0.7, "looking {looks}: {tb1:?}");
        }
    }

    /// Heading that the bump of TB1 holds, and its amplitude, over some seconds.
    fn held(heading_rad: f64) -> (f64, f64, f64) {
        let mut model = model(5);
        let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
        for exchange in 0..70 {
            model.step(heading_rad, [0.0; 2], &mut Silent);
            if exchange < 20 {
                continue;
            }
            for (j, x) in model.activity(Population::Tb1).iter().enumerate() {
                let (sin, cos) = (TAU * j as f64 / 8.0).sin_cos();
                re -= x * cos / 200.0;
                im -= x * sin / 200.0;
                sum += x / 400.0;
            }
        }
        (im.atan2(re), re.hypot(im), sum)
    }

    #[test]
    fn a_heading_between_two_columns_is_held() {
        let mut worst = 0.0_f64;
        for k in 0..16 {
            let heading_rad = TAU * f64::from(k) / 64.0;
            let (at, amplitude, mean) = held(heading_rad);
            let off = (at - heading_rad).sin().asin().to_degrees();
            println!(
                "{:.1} deg: off {off:.2} deg, amplitude {amplitude:.3}, mean {mean:.3}",
                heading_rad.to_degrees()
            );
            worst = worst.max(off.abs());
        }
        assert!(worst < 3.0, "{worst} deg");
    }

    #[test]
    fn what_is_not_a_number_is_silence_and_passes() {
        let mut model = model(4);
        turns(&mut model, 20);
        let before = model.memory();
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let turn = model.step(wrong, [wrong; 2], &mut Silent);
            assert!(turn.is_finite(), "{wrong}: {turn}");
        }
        let after = model.memory();
        for (a, b) in before.iter().zip(after) {
            assert!((a - b).abs() < 0.02, "{before:?} {after:?}");
        }
        turns(&mut model, 20);
        let tb1 = model.activity(Population::Tb1);
        assert!(tb1.iter().any(|x| *x > 0.5) && tb1[1] < 0.1, "{tb1:?}");
    }

    #[test]
    fn parameters_that_are_no_numbers_are_refused() {
        let wrong = |set: fn(&mut SpikingParameters)| {
            let mut parameters = SpikingParameters::default();
            set(&mut parameters);
            let error = Spiking::new(&parameters, ChaCha8Rng::seed_from_u64(0)).unwrap_err();
            error.to_string()
        };
        for (name, set) in [
            (
                "path.memory_gain",
                (|p| p.memory_gain = f64::NAN) as fn(&mut SpikingParameters),
            ),
            ("path.motor_gain_rad", |p| p.motor_gain_rad = f64::NAN),
            ("path.tau_membrane_ms", |p| p.tau_membrane_ms = f64::NAN),
            ("path.tau_synapse_ms", |p| p.tau_synapse_ms = 0.0),
            ("path.tau_recall_ms", |p| p.tau_recall_ms = f64::INFINITY),
        ] {
            let text = wrong(set);
            assert!(text.contains(name), "{text}");
        }
    }
}
