//! A path integrator that holds where the published model breaks.
//!
//! The same cells in the same places, with changes that each answer a way in which the
//! published model fails:
//!
//! ```text
//! TN1    = clip(-flow + n, 0, 1)                flow backwards, which TN2 cannot show
//! F      = TN2 - TN1                            flow with its sign, smoothed
//! B      = (mean(TB1) - TB1) / a                the bump, its first harmonic 1, smoothed
//! m_i    = m_i + q g F_{i<8 ? 0 : 1} B_{i mod 8}
//! CPU4_i = s(5 m_i - 2.5), smoothed
//! T_j    = F_0 B_{j-1} + F_1 B_{j+1}            where it goes, not where it looks
//! CPU1   as published, with mean(TB1) - a_0 T / |T| in place of TB1
//! turn   as published, + c sin(2 pi t / period)
//! ```
//!
//! - The memory is driven by the *product* of flow and bump, so its sum over a ring stays
//!   where it is: it neither drifts up with the length of the way nor needs a loss. And a
//!   flow backwards shrinks what a flow forwards grew: motion in any direction, whatever
//!   the heading, adds up as vectors do.
//! - It steers by the direction of travel, which the fly holds in a ring of its own (Lyu
//!   et al., Nature 601, 92 (2022)): an agent that goes sideways or is blown aside comes
//!   home too.
//! - The gain `q` of the memory is halved, together with what the memory holds, when a
//!   cell comes near its bounds, and doubled when all are near the middle: a journey of
//!   any length fits, and near home the memory's signal stays above the noise.
//! - It weaves a little from side to side, as the lateral accessory lobes make insects do
//!   (Namiki & Kanzaki, Front. Psychol. 7 (2016)). An agent that has just crossed home
//!   has it straight behind, where left and right pull alike, and without weaving goes on
//!   for long before it turns.
//! - What goes into memory and steering passes synapses with a time constant, which
//!   takes off the noise that is new in every step.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::PathIntegrator;
use super::home_vector::HomeVector;
use super::noise::{NoiseSource, Population, Silent};
use super::rate::{Parameters, RateModel, add_noise, flow};
use crate::error::{Result, check};

/// What the memory holds at home.
const HOME: f64 = 0.5;
/// Distance from `HOME` at which the gain is halved.
const FULL: f64 = 0.45;
/// Largest distance from `HOME` at which it is doubled.
const EMPTY: f64 = 0.15;
/// Amplitude of the bump below which it is not made larger.
const FAINTEST: f64 = 1e-3;
/// Speed below which the direction of travel counts for less.
const SLOWEST: f64 = 0.05;

/// Parameters of [`Extended`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtendedParameters {
    /// Highest growth `g` of the memory in a step at full flow.
    pub memory_gain: f64,
    /// Time constant, in steps, of the synapses into the memory.
    pub tau_memory_steps: f64,
    /// Of those from the memory to the steering neurons.
    pub tau_recall_steps: f64,
    /// Of those from the heading to the ring of the direction of travel.
    pub tau_heading_steps: f64,
    /// Turn by the difference of one between the two sides of CPU1, in rad.
    pub motor_gain_rad: f64,
    /// Largest turn of the weaving, in rad.
    pub weave_rad: f64,
    /// Its period in steps.
    pub weave_steps: f64,
}

impl Default for ExtendedParameters {
    fn default() -> Self {
        Self {
            memory_gain: 0.004,
            tau_memory_steps: 10.0,
            tau_recall_steps: 15.0,
            tau_heading_steps: 3.0,
            motor_gain_rad: 0.25,
            weave_rad: 0.1,
            weave_steps: 40.0,
        }
    }
}

impl ExtendedParameters {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("path.memory_gain", self.memory_gain, 1e-6, 1.0)?;
        check("path.tau_memory_steps", self.tau_memory_steps, 0.01, 1e4)?;
        check("path.tau_recall_steps", self.tau_recall_steps, 0.01, 1e4)?;
        check("path.tau_heading_steps", self.tau_heading_steps, 0.01, 1e4)?;
        check("path.motor_gain_rad", self.motor_gain_rad, 0.0, 10.0)?;
        check("path.weave_rad", self.weave_rad, 0.0, 3.0)?;
        check("path.weave_steps", self.weave_steps, 2.0, 1e6)
    }
}

/// A low-pass filter over activities, at rest before the first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Synapses<const N: usize> {
    keep: f64,
    seen: bool,
    value: [f64; N],
}

impl<const N: usize> Synapses<N> {
    fn new(tau_steps: f64) -> Self {
        Self {
            keep: (-1.0 / tau_steps).exp(),
            seen: false,
            value: [0.0; N],
        }
    }

    /// Starts at the first input: the filter must not need time to find the heading.
    fn pass(&mut self, input: &[f64; N]) -> [f64; N] {
        let keep = if self.seen { self.keep } else { 0.0 };
        self.seen = true;
        for (y, x) in self.value.iter_mut().zip(input) {
            *y = keep * *y + (1.0 - keep) * x;
        }
        self.value
    }
}

/// The variant, see the module docs of `extended`.
#[derive(Clone, Debug, PartialEq)]
pub struct Extended {
    /// The populations.
    pub cells: RateModel,
    gain: f64,
    /// Largest turn of the weaving in rad, and what a step adds to its phase.
    weave: (f64, f64),
    phase: f64,
    /// `q`.
    range: f64,
    /// `a_0`: amplitude of the settled bump without noise.
    swing: f64,
    bump: Synapses<8>,
    flow: Synapses<2>,
    recall: Synapses<16>,
    heading: Synapses<8>,
}

impl Extended {
    /// A model at home.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where a parameter is out of range.
    pub fn new(parameters: &ExtendedParameters) -> Result<Self> {
        parameters.validate()?;
        let mut cells = RateModel::new(Parameters {
            memory_at_home: HOME,
            motor_gain_rad: parameters.motor_gain_rad,
            ..Parameters::default()
        })?;
        for _ in 0..50 {
            cells.see_heading(0.0, &mut Silent);
        }
        let swing = amplitude(&cells.tb1);
        cells.tb1 = [0.0; 8];
        Ok(Self {
            cells,
            gain: parameters.memory_gain,
            weave: (parameters.weave_rad, TAU / parameters.weave_steps),
            phase: 0.0,
            range: 1.0,
            swing,
            bump: Synapses::new(parameters.tau_memory_steps),
            flow: Synapses::new(parameters.tau_memory_steps),
            recall: Synapses::new(parameters.tau_recall_steps),
            heading: Synapses::new(parameters.tau_heading_steps),
        })
    }

    fn see_flow(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut impl NoiseSource) {
        self.cells.tn2 = flow(heading_rad, velocity);
        self.cells.tn1 = self.cells.tn2.map(|flow| -flow);
        add_noise(&mut self.cells.tn1, Population::Tn1, noise);
        add_noise(&mut self.cells.tn2, Population::Tn2, noise);
    }

    fn remember(&mut self) {
        let bump = unit_bump(&self.bump.pass(&self.cells.tb1));
        let signed = [0, 1].map(|k| self.cells.tn2[k] - self.cells.tn1[k]);
        let flow = self.flow.pass(&signed);
        let growth = self.range * self.gain;
        for (i, m) in self.cells.memory.iter_mut().enumerate() {
            *m += growth * flow[i / 8] * bump[i % 8];
        }
        self.set_range();
    }

    /// What takes the place of TB1 before the steering neurons: low where it goes.
    fn travel(&mut self) -> [f64; 8] {
        let heading = self.heading.pass(&self.cells.tb1);
        let bump = unit_bump(&heading);
        let [right, left] = self.flow.value;
        let travel: [f64; 8] =
            std::array::from_fn(|j| right * bump[(j + 7) % 8] + left * bump[(j + 1) % 8]);
        let mean = heading.iter().sum::<f64>() / 8.0;
        let factor = self.swing / amplitude(&travel).max(SLOWEST);
        travel.map(|t| mean - factor * t)
    }

    fn set_range(&mut self) {
        let memory = &mut self.cells.memory;
        let far = memory.iter().fold(0.0, |f: f64, m| f.max((m - HOME).abs()));
        let factor = match far {
            far if far > FULL => 0.5,
            far if far < EMPTY && self.range < 1.0 => 2.0,
            _ => return,
        };
        self.range *= factor;
        for m in memory {
            *m = (HOME + factor * (*m - HOME)).clamp(0.0, 1.0);
        }
    }
}

impl PathIntegrator for Extended {
    fn step<N: NoiseSource>(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut N) -> f64 {
        self.cells.see_heading(heading_rad, noise);
        self.see_flow(heading_rad, velocity, noise);
        self.remember();
        self.cells.recall(noise);
        self.cells.cpu4 = self.recall.pass(&self.cells.cpu4);
        let travel = self.travel();
        // The ring of the heading goes on from what it was.
        let heading = std::mem::replace(&mut self.cells.tb1, travel);
        let turn = self.cells.steer(noise);
        self.cells.tb1 = heading;
        self.phase = (self.phase + self.weave.1) % TAU;
        turn + self.weave.0 * self.phase.sin()
    }

    fn home_vector(&self) -> HomeVector {
        // Two rings, four times the growth each, that see cos(45 deg) of the way and point
        // 45 deg aside.
        HomeVector::read(&self.cells.memory, 1.0 / (4.0 * self.gain * self.range))
    }

    fn activity(&self, population: Population) -> &[f64] {
        self.cells.activity(population)
    }
}

/// The bump in the activities of TB1, which are low where it is: without its mean, and
/// with a first harmonic of amplitude 1.
fn unit_bump(tb1: &[f64; 8]) -> [f64; 8] {
    let mean = tb1.iter().sum::<f64>() / 8.0;
    let factor = 1.0 / amplitude(tb1).max(FAINTEST);
    tb1.map(|x| factor * (mean - x))
}

/// Amplitude of the first harmonic.
fn amplitude(ring: &[f64; 8]) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (k, x) in ring.iter().enumerate() {
        let (sin, cos) = (TAU * k as f64 / 8.0).sin_cos();
        re += x * cos;
        im += x * sin;
    }
    re.hypot(im) / 4.0
}
