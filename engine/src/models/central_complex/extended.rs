//! A path integrator that holds where the published model breaks.
//!
//! The same cells in the same places, with changes that each answer a way in which the
//! published model fails:
//!
//! ```text
//! TN1    = clip(-flow + n, 0, 1)                flow backwards, which TN2 cannot show
//! F      = TN2 - TN1                            flow with its sign
//! B      = (mean(TB1) - TB1) / a                the bump, its first harmonic 1
//! m_i    = m_i + q g F_{i<8 ? 0 : 1} B_{i mod 8}
//! CPU4_i = s(5 m_i - 2.5), smoothed
//! T_j    = F_0 B_{j-1} + F_1 B_{j+1}            where it goes, not where it looks; F, B smoothed
//! CPU1   as published, with mean(TB1) - a_0 T / 0.57 in place of TB1
//! turn   as published, + c sin(2 pi t / period)
//! ```
//!
//! - The memory is driven by the *product* of flow and bump, so its sum over a ring stays
//!   where it is: it neither drifts up with the length of the way nor needs a loss. And a
//!   flow backwards shrinks what a flow forwards grew: motion in any direction, whatever
//!   the heading, adds up as vectors do.
//! - It steers by the direction of travel, which the fly holds in a ring of its own (Lyu
//!   et al., Nature 601, 92 (2022)): an agent that goes sideways or is blown aside comes
//!   home too. The ring is as high as the agent is fast over the ground: against the wind
//!   a turn of the body turns the way by more, in the ratio of the two speeds, and a ring of
//!   constant height would make it circle there.
//! - The gain `q` of the memory is halved, together with what the memory holds, when a
//!   cell comes near its bounds, and doubled when all are near the middle: a journey of
//!   any length fits, and near home the memory's signal stays above the noise.
//! - It weaves a little from side to side, as the lateral accessory lobes make insects do
//!   (Namiki & Kanzaki, Front. Psychol. 7 (2016)). An agent that has just crossed home
//!   has it straight behind, where left and right pull alike, and without weaving goes on
//!   for long before it turns.
//! - What goes into the steering passes synapses with a time constant, which takes off the
//!   noise that is new in every step. What goes into the memory does not: the memory is a
//!   sum already, and flow and bump must meet while they belong together. Smoothed before
//!   they are multiplied they remember a product of means, which in wind is not the mean of
//!   the product: the flow turns against the body as the body turns. Of the bump only its
//!   height `a` is smoothed, which no turn changes; that it is right from the first step, the
//!   agent has looked around before it leaves. The steering may smooth both: it does not add
//!   up what it errs, and needs the heading sooner than the flow.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::PathIntegrator;
use super::home_vector::HomeVector;
use super::noise::{NoiseSource, Population, Silent};
use super::rate::{Parameters, RateModel, add_noise, flow};
use super::vector_memory::VectorMemory;
use crate::error::{Result, check};

/// What the memory holds at home.
const HOME: f64 = 0.5;
/// Distance from `HOME` at which the gain is halved.
const FULL: f64 = 0.45;
/// Largest distance from `HOME` at which it is doubled.
const EMPTY: f64 = 0.15;
/// Amplitude of the bump below which it is not made larger.
const FAINTEST: f64 = 1e-3;
/// Time constant, in steps, in which the height of the bump is taken.
const TAU_HEIGHT_STEPS: f64 = 10.0;
/// Steps after which the bump has its height.
const SETTLED: usize = 50;
/// Speed, in steps of length per step, at which the ring of travel is as high as TB1's bump:
/// that of the way home in still air.
const SPEED: f64 = 0.57;

/// Parameters of [`Extended`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtendedParameters {
    /// Highest growth `g` of the memory in a step at full flow.
    pub memory_gain: f64,
    /// Time constant, in steps, of the synapses from the memory to the steering neurons.
    pub tau_recall_steps: f64,
    /// Of those from the heading to the ring of the direction of travel.
    pub tau_heading_steps: f64,
    /// Of those from the flow to it.
    pub tau_flow_steps: f64,
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
            tau_recall_steps: 10.0,
            tau_heading_steps: 2.0,
            tau_flow_steps: 20.0,
            motor_gain_rad: 0.25,
            weave_rad: 0.12,
            weave_steps: 30.0,
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
        check("path.tau_recall_steps", self.tau_recall_steps, 0.01, 1e4)?;
        check("path.tau_heading_steps", self.tau_heading_steps, 0.01, 1e4)?;
        check("path.tau_flow_steps", self.tau_flow_steps, 0.01, 1e4)?;
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
    /// Where it goes.
    place: VectorMemory,
    /// `a_0`: amplitude of the settled bump without noise.
    swing: f64,
    /// Height of the bump.
    height: Synapses<1>,
    recall: Synapses<16>,
    heading: Synapses<8>,
    flow: Synapses<2>,
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
        for _ in 0..SETTLED {
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
            place: VectorMemory::HOME,
            swing,
            height: Synapses::new(TAU_HEIGHT_STEPS),
            recall: Synapses::new(parameters.tau_recall_steps),
            heading: Synapses::new(parameters.tau_heading_steps),
            flow: Synapses::new(parameters.tau_flow_steps),
        })
    }

    fn see_flow(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut impl NoiseSource) {
        self.cells.tn2 = flow(heading_rad, velocity);
        self.cells.tn1 = self.cells.tn2.map(|flow| -flow);
        add_noise(&mut self.cells.tn1, Population::Tn1, noise);
        add_noise(&mut self.cells.tn2, Population::Tn2, noise);
    }

    fn signed_flow(&self) -> [f64; 2] {
        [0, 1].map(|k| self.cells.tn2[k] - self.cells.tn1[k])
    }

    fn remember_step(&mut self) {
        let [height] = self.height.pass(&[amplitude(&self.cells.tb1)]);
        let bump = bump(&self.cells.tb1, height);
        let flow = self.signed_flow();
        let growth = self.range * self.gain;
        for (i, m) in self.cells.memory.iter_mut().enumerate() {
            *m += growth * flow[i / 8] * bump[i % 8];
        }
        self.set_range();
    }

    /// What takes the place of TB1 before the steering neurons: low where it goes.
    fn travel(&mut self) -> [f64; 8] {
        let heading = self.heading.pass(&self.cells.tb1);
        let bump = bump(&heading, amplitude(&heading));
        let [right, left] = self.flow.pass(&self.signed_flow());
        let travel: [f64; 8] =
            std::array::from_fn(|j| right * bump[(j + 7) % 8] + left * bump[(j + 1) % 8]);
        let mean = average(&heading);
        travel.map(|t| mean - self.swing / SPEED * t)
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
        if !self.height.seen {
            for _ in 0..SETTLED {
                self.cells.see_heading(heading_rad, &mut Silent);
            }
        }
        self.cells.see_heading(heading_rad, noise);
        self.see_flow(heading_rad, velocity, noise);
        self.remember_step();
        self.cells.goal = self.place.0.map(|v| self.range * v);
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

    /// At the highest gain, so that it stays what it is when the gain is halved.
    fn remember(&self) -> VectorMemory {
        VectorMemory(self.cells.memory.map(|m| (m - HOME) / self.range))
    }

    fn go_to(&mut self, place: VectorMemory) {
        self.place = place;
    }

    fn activity(&self, population: Population) -> &[f64] {
        self.cells.activity(population)
    }
}

/// The bump in the activities of TB1, which are low where it is: without its mean, and
/// with a first harmonic of amplitude 1 where its height is this.
fn bump(tb1: &[f64; 8], height: f64) -> [f64; 8] {
    let factor = 1.0 / height.max(FAINTEST);
    let mean = average(tb1);
    tb1.map(|x| factor * (mean - x))
}

fn average(ring: &[f64; 8]) -> f64 {
    ring.iter().sum::<f64>() / 8.0
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
