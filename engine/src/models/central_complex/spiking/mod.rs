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
mod circuit;
mod columns;
mod memory;
mod senses;
mod travel;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::PathIntegrator;
use super::home_vector::HomeVector;
use super::noise::{NoiseSource, Population};
use super::vector_memory::VectorMemory;
use crate::error::{Result, check};
use columns::COLUMNS;

#[cfg(feature = "spinnaker")]
pub(crate) use circuit::skip as skip_circuit;
pub(crate) use circuit::{Circuit, activity, place};
pub(crate) use senses::Senses;
#[cfg(feature = "spinnaker")]
pub(crate) use senses::{AxonSpikes, COMPASS_BUNDLES, FLOW_BUNDLES, skip as skip_senses};

pub use columns::{FULL_RATE_HZ, NEURONS};

/// Biological time of an exchange with the body, in ms; a tick of the neurons takes 1 ms.
pub const EXCHANGE_MS: u32 = 100;

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

/// What activities mean to the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readout {
    motor_gain_rad: f64,
    memory_gain: f64,
}

impl Readout {
    /// The turn in rad that the activities of the 16 cells of CPU1 stand for.
    pub(crate) fn turn(&self, cpu1: &[f64]) -> f64 {
        let (first, second) = cpu1.split_at(cpu1.len() / 2);
        self.motor_gain_rad * (first.iter().sum::<f64>() - second.iter().sum::<f64>())
    }

    /// Home as the weights of the memory hold it.
    pub(crate) fn home_vector(&self, memory: &[f64; 16]) -> HomeVector {
        HomeVector::read(memory, 1.0 / (UNIT_PER_LENGTH * self.memory_gain))
    }
}

/// The model, see the module docs of `spiking`.
#[derive(Clone, Debug)]
pub struct Spiking {
    readout: Readout,
    senses: Senses,
    circuit: Circuit,
    /// Activity of each column in the last exchange.
    activity: [f64; COLUMNS],
}

impl Spiking {
    /// A model at home. Its Poisson spikes and the potentials it starts from are drawn
    /// from `rng`.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where a parameter is out of range.
    pub fn new(parameters: &SpikingParameters, mut rng: ChaCha8Rng) -> Result<Self> {
        parameters.validate()?;
        let circuit = Circuit::new(parameters, || rng.random());
        let compass = split(&mut rng);
        Ok(Self {
            readout: Readout {
                motor_gain_rad: parameters.motor_gain_rad,
                memory_gain: parameters.memory_gain,
            },
            senses: Senses::new(compass, split(&mut rng)),
            circuit,
            activity: [0.0; COLUMNS],
        })
    }

    /// The weights of the memory: mean over the neurons of each CPU4 column, 0 to 1.
    pub fn memory(&self) -> [f64; 16] {
        self.circuit.memory()
    }

    /// What the body has of it where the neurons are elsewhere.
    #[cfg(feature = "spinnaker")]
    pub(crate) fn into_body(self) -> (Senses, Readout) {
        (self.senses, self.readout)
    }

    /// The neurons, where the body is elsewhere.
    #[cfg(feature = "spinnaker")]
    pub(crate) fn into_circuit(self) -> Circuit {
        self.circuit
    }

    /// [`PathIntegrator::step`]; `watch` is shown the circuit after every tick.
    pub(crate) fn step_watched<N: NoiseSource>(
        &mut self,
        heading_rad: f64,
        velocity: [f64; 2],
        noise: &mut N,
        mut watch: impl FnMut(&Circuit),
    ) -> f64 {
        self.senses.see(heading_rad, velocity, noise);
        self.circuit.begin(noise);
        for _ in 0..EXCHANGE_MS {
            let spikes = self.senses.tick();
            self.circuit.tick(&spikes);
            watch(&self.circuit);
        }
        self.activity = self.circuit.counts().map(activity);
        self.readout.turn(self.activity(Population::Cpu1))
    }
}

impl PathIntegrator for Spiking {
    /// An exchange with the body. What is not a number in heading or velocity is silence
    /// of the neurons that see it.
    fn step<N: NoiseSource>(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut N) -> f64 {
        self.step_watched(heading_rad, velocity, noise, |_| {})
    }

    fn home_vector(&self) -> HomeVector {
        self.readout.home_vector(&self.memory())
    }

    fn remember(&self) -> VectorMemory {
        VectorMemory(self.memory().map(|w| w - 0.5))
    }

    fn go_to(&mut self, place: VectorMemory) {
        self.circuit.goal = place.0.map(|v| v as f32);
    }

    fn activity(&self, population: Population) -> &[f64] {
        let (first, cells) = place(population);
        &self.activity[first..first + cells]
    }
}

/// Cells of a population.
#[cfg(feature = "spinnaker")]
pub(crate) fn cells(population: Population) -> usize {
    place(population).1
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
    use std::f64::consts::TAU;

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
