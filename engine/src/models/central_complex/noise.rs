//! Noise of the rate model's populations.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::error::{Result, check};

/// A population whose activity is noisy, in the order in which a step draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// Tangential neurons of the lower division, the compass.
    Tl,
    /// Columnar neurons behind them.
    Cl1,
    /// Tangential neurons of the protocerebral bridge, the heading.
    Tb1,
    /// Noduli neurons for flow backwards.
    Tn1,
    /// Noduli neurons for flow forwards.
    Tn2,
    /// Columnar neurons that remember.
    Cpu4,
    /// Pontine neurons.
    Pontine,
    /// Columnar neurons that steer.
    Cpu1,
}

impl Population {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Tl,
        Self::Cl1,
        Self::Tb1,
        Self::Tn1,
        Self::Tn2,
        Self::Cpu4,
        Self::Pontine,
        Self::Cpu1,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tl => "TL",
            Self::Cl1 => "CL1",
            Self::Tb1 => "TB1",
            Self::Tn1 => "TN1",
            Self::Tn2 => "TN2",
            Self::Cpu4 => "CPU4",
            Self::Pontine => "pontine",
            Self::Cpu1 => "CPU1",
        }
    }
}

/// Where the noise of a step comes from.
pub trait NoiseSource {
    /// Writes the noise to be added to the activities of a population. The pontine
    /// cells are asked for twice in a step, and `Cpu1` too: first for the cells 1 to 14,
    /// then for 15 and 0.
    fn draw(&mut self, population: Population, out: &mut [f64]);
}

/// No noise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl NoiseSource for Silent {
    fn draw(&mut self, _: Population, out: &mut [f64]) {
        out.fill(0.0);
    }
}

/// Standard deviations of the noise by population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseLevels {
    /// Of the compass neurons.
    pub tl: f64,
    /// Of the columnar neurons behind them.
    pub cl1: f64,
    /// Of the heading neurons.
    pub tb1: f64,
    /// Of the flow neurons, TN1 and TN2.
    pub tn: f64,
    /// Of the memory's output.
    pub cpu4: f64,
    /// Of the pontine neurons.
    pub pontine: f64,
    /// Of the steering neurons.
    pub cpu1: f64,
}

impl Default for NoiseLevels {
    /// The published level, 0.1 everywhere.
    fn default() -> Self {
        Self::uniform(0.1)
    }
}

impl NoiseLevels {
    /// The same everywhere.
    pub fn uniform(level: f64) -> Self {
        Self {
            tl: level,
            cl1: level,
            tb1: level,
            tn: level,
            cpu4: level,
            pontine: level,
            cpu1: level,
        }
    }

    /// Checks every level against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("noise.tl", self.tl, 0.0, 10.0)?;
        check("noise.cl1", self.cl1, 0.0, 10.0)?;
        check("noise.tb1", self.tb1, 0.0, 10.0)?;
        check("noise.tn", self.tn, 0.0, 10.0)?;
        check("noise.cpu4", self.cpu4, 0.0, 10.0)?;
        check("noise.pontine", self.pontine, 0.0, 10.0)?;
        check("noise.cpu1", self.cpu1, 0.0, 10.0)
    }

    fn of(&self, population: Population) -> f64 {
        match population {
            Population::Tl => self.tl,
            Population::Cl1 => self.cl1,
            Population::Tb1 => self.tb1,
            Population::Tn1 | Population::Tn2 => self.tn,
            Population::Cpu4 => self.cpu4,
            Population::Pontine => self.pontine,
            Population::Cpu1 => self.cpu1,
        }
    }
}

/// Independent normal noise.
#[derive(Clone, Debug)]
pub struct Gaussian {
    levels: NoiseLevels,
    rng: ChaCha8Rng,
}

impl Gaussian {
    /// Noise of these levels, drawn from `rng`.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where a level is out of range.
    pub fn new(levels: NoiseLevels, rng: ChaCha8Rng) -> Result<Self> {
        levels.validate()?;
        Ok(Self { levels, rng })
    }
}

impl NoiseSource for Gaussian {
    fn draw(&mut self, population: Population, out: &mut [f64]) {
        let level = self.levels.of(population);
        if level == 0.0 {
            out.fill(0.0);
            return;
        }
        for x in out {
            let draw: f64 = StandardNormal.sample(&mut self.rng);
            *x = level * draw;
        }
    }
}
