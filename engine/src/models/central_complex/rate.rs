//! The rate model, see the [module docs](super).

use std::f64::consts::{FRAC_PI_4, TAU};

use serde::{Deserialize, Serialize};

use super::PathIntegrator;
use super::home_vector::HomeVector;
use super::noise::{NoiseSource, Population};
use super::vector_memory::VectorMemory;
use crate::error::{Result, check};

/// Gain and offset of a population's response.
pub(super) type Response = (f64, f64);

pub(super) const TL: Response = (6.8, -3.0);
const CL1: Response = (-3.0, 0.5);
const TB1: Response = (5.0, 0.0);
const CPU4: Response = (5.0, -2.5);
const PONTINE: Response = (5.0, -2.5);
const CPU1: Response = (7.5, 1.0);
/// Weight of the compass on the heading neurons; what they inhibit each other with is the rest.
const COMPASS: f64 = 0.667;
const INHIBITION: f64 = 0.333;
/// Loss of the memory in a step, as a share of its gain.
const MEMORY_LOSS: f64 = 0.125;
/// Steps of length for one unit of the memory's first harmonic, at the published gain.
const LENGTH_PER_UNIT: f64 = 1.0 / 0.005;

/// Parameters of the model that may be set; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Growth `g` of the memory in a step at full flow.
    pub memory_gain: f64,
    /// What the memory holds at home.
    pub memory_at_home: f64,
    /// Turn by the difference of one between the two sides of CPU1, in rad.
    pub motor_gain_rad: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            memory_gain: 0.0025,
            memory_at_home: 0.5,
            motor_gain_rad: 0.25,
        }
    }
}

impl Parameters {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("path.memory_gain", self.memory_gain, 0.0, 1.0)?;
        check("path.memory_at_home", self.memory_at_home, 0.0, 1.0)?;
        check("path.motor_gain_rad", self.motor_gain_rad, 0.0, 10.0)
    }
}

/// The model: the activities of all populations after the last step.
#[derive(Clone, Debug, PartialEq)]
pub struct RateModel {
    parameters: Parameters,
    /// `W`, `[8, 8]`.
    inhibition: [[f64; 8]; 8],
    /// Compass neurons.
    pub tl: [f64; 16],
    /// Columnar neurons behind them.
    pub cl1: [f64; 16],
    /// Heading neurons.
    pub tb1: [f64; 8],
    /// Flow backwards, seen to the right and to the left.
    pub tn1: [f64; 2],
    /// Flow forwards, seen to the right and to the left.
    pub tn2: [f64; 2],
    /// What is remembered.
    pub memory: [f64; 16],
    /// What inhibits the memory neurons where it goes to a place, see [`VectorMemory`].
    pub(super) goal: [f64; 16],
    /// Output of the memory neurons.
    pub cpu4: [f64; 16],
    /// Pontine neurons, as CPU1a sees them.
    pub pontine: [f64; 16],
    /// Steering neurons.
    pub cpu1: [f64; 16],
}

impl RateModel {
    /// A model at home.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where a parameter is out of range.
    pub fn new(parameters: Parameters) -> Result<Self> {
        parameters.validate()?;
        Ok(Self {
            inhibition: inhibition(),
            tl: [0.0; 16],
            cl1: [0.0; 16],
            tb1: [0.0; 8],
            tn1: [0.0; 2],
            tn2: [0.0; 2],
            memory: [parameters.memory_at_home; 16],
            goal: [0.0; 16],
            cpu4: [0.0; 16],
            pontine: [0.0; 16],
            cpu1: [0.0; 16],
            parameters,
        })
    }

    /// `TL`, `CL1` and `TB1`.
    pub(super) fn see_heading(&mut self, heading_rad: f64, noise: &mut impl NoiseSource) {
        self.see_compass(heading_rad, noise);
        self.hold_heading(noise);
    }

    fn see_compass(&mut self, heading_rad: f64, noise: &mut impl NoiseSource) {
        let half = &mut self.tl[..8];
        for (i, x) in half.iter_mut().enumerate() {
            *x = (heading_rad - TAU * i as f64 / 8.0).cos();
        }
        // The other half sees the same, each with noise of its own.
        sigmoid(half, TL);
        self.tl.copy_within(..8, 8);
        add_noise(&mut self.tl, Population::Tl, noise);
        self.cl1 = self.tl;
        respond(&mut self.cl1, CL1, Population::Cl1, noise);
    }

    fn hold_heading(&mut self, noise: &mut impl NoiseSource) {
        let before = self.tb1;
        for (j, row) in self.inhibition.iter().enumerate() {
            let inhibited: f64 = row.iter().zip(&before).map(|(w, x)| w * x).sum();
            self.tb1[j] = COMPASS * (self.cl1[j] + self.cl1[j + 8]) - INHIBITION * inhibited;
        }
        respond(&mut self.tb1, TB1, Population::Tb1, noise);
    }

    fn see_flow(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut impl NoiseSource) {
        let flow = flow(heading_rad, velocity);
        self.tn1 = flow.map(|flow| (1.0 - flow) / 2.0);
        add_noise(&mut self.tn1, Population::Tn1, noise);
        self.tn2 = flow;
        add_noise(&mut self.tn2, Population::Tn2, noise);
    }

    fn remember(&mut self, noise: &mut impl NoiseSource) {
        let gain = self.parameters.memory_gain;
        for (i, m) in self.memory.iter_mut().enumerate() {
            let seen = (self.tn2[i / 8] - self.tb1[i % 8]).clamp(0.0, 1.0);
            *m = (*m + gain * seen - MEMORY_LOSS * gain).clamp(0.0, 1.0);
        }
        self.recall(noise);
    }

    /// `CPU4`.
    pub(super) fn recall(&mut self, noise: &mut impl NoiseSource) {
        self.cpu4 = std::array::from_fn(|i| self.memory[i] - self.goal[i]);
        respond(&mut self.cpu4, CPU4, Population::Cpu4, noise);
    }

    /// `P` and `CPU1`: compares what `CPU4` recalls with the heading; the turn in rad.
    pub(super) fn steer(&mut self, noise: &mut impl NoiseSource) -> f64 {
        let mut pontine = self.cpu4;
        sigmoid(&mut pontine, PONTINE);
        self.pontine = pontine;
        add_noise(&mut self.pontine, Population::Pontine, noise);
        let mut a: [f64; 14] = std::array::from_fn(|k| self.towards(k + 1, &self.pontine));
        respond(&mut a, CPU1, Population::Cpu1, noise);
        add_noise(&mut pontine, Population::Pontine, noise);
        let mut b = [self.towards(15, &pontine), self.towards(0, &pontine)];
        respond(&mut b, CPU1, Population::Cpu1, noise);
        self.cpu1[1..15].copy_from_slice(&a);
        (self.cpu1[15], self.cpu1[0]) = (b[0], b[1]);
        let sum = |side: &[f64]| side.iter().sum::<f64>();
        self.parameters.motor_gain_rad * (sum(&self.cpu1[..8]) - sum(&self.cpu1[8..]))
    }

    /// Input of CPU1 neuron `at`.
    fn towards(&self, at: usize, pontine: &[f64; 16]) -> f64 {
        let i = at % 8;
        let (memory, opposite) = match at < 8 {
            true => (8 + (i + 7) % 8, 8 + (i + 3) % 8),
            false => ((i + 1) % 8, (i + 5) % 8),
        };
        0.5 * self.cpu4[memory] - 0.5 * pontine[opposite] - self.tb1[i]
    }
}

impl PathIntegrator for RateModel {
    fn step<N: NoiseSource>(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut N) -> f64 {
        self.see_heading(heading_rad, noise);
        self.see_flow(heading_rad, velocity, noise);
        self.remember(noise);
        self.steer(noise)
    }

    fn home_vector(&self) -> HomeVector {
        HomeVector::read(&self.memory, LENGTH_PER_UNIT)
    }

    fn remember(&self) -> VectorMemory {
        VectorMemory(self.memory.map(|m| m - self.parameters.memory_at_home))
    }

    fn go_to(&mut self, place: VectorMemory) {
        self.goal = place.0;
    }

    fn activity(&self, population: Population) -> &[f64] {
        match population {
            Population::Tl => &self.tl,
            Population::Cl1 => &self.cl1,
            Population::Tb1 => &self.tb1,
            Population::Tn1 => &self.tn1,
            Population::Tn2 => &self.tn2,
            Population::Cpu4 => &self.cpu4,
            Population::Pontine => &self.pontine,
            Population::Cpu1 => &self.cpu1,
        }
    }
}

/// `W`, by which the heading neurons inhibit each other, `[8, 8]`.
pub(super) fn inhibition() -> [[f64; 8]; 8] {
    let weight = |j: usize, k: usize| 0.5 * (1.0 - (TAU * (k as f64 - j as f64) / 8.0).cos());
    std::array::from_fn(|j| std::array::from_fn(|k| weight(j, k)))
}

/// Flow seen to the right and to the left.
pub(super) fn flow(heading_rad: f64, velocity: [f64; 2]) -> [f64; 2] {
    let along = |angle: f64| velocity[0] * angle.sin() + velocity[1] * angle.cos();
    [FRAC_PI_4, -FRAC_PI_4].map(|side| along(heading_rad + side))
}

/// `s` of the module docs, with gain and offset, in place.
fn respond(
    x: &mut [f64],
    response: Response,
    population: Population,
    noise: &mut impl NoiseSource,
) {
    sigmoid(x, response);
    add_noise(x, population, noise);
}

pub(super) fn sigmoid(x: &mut [f64], (gain, offset): Response) {
    for x in x {
        *x = 1.0 / (1.0 + (-(gain * *x + offset)).exp());
    }
}

/// Adds the noise of a population and keeps the activities within 0 and 1.
pub(super) fn add_noise(x: &mut [f64], population: Population, noise: &mut impl NoiseSource) {
    let mut draws = [0.0; 16];
    let draws = &mut draws[..x.len()];
    noise.draw(population, draws);
    for (x, n) in x.iter_mut().zip(draws) {
        *x = (*x + *n).clamp(0.0, 1.0);
    }
}
