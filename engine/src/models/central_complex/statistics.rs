//! Many random routes, and how close to home the way back comes.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::PathIntegrator;
use super::extended::{Extended, ExtendedParameters};
use super::noise::{Gaussian, NoiseLevels, Population};
use super::rate::{Parameters, RateModel};
use super::route::{Flight, Journey, RandomWalk, fly, outbound};
use super::spiking::{Spiking, SpikingParameters};
#[cfg(feature = "spinnaker")]
use crate::backends::spinnaker_path::OnBoard;
use crate::error::{Result, check, check_count};
#[cfg(feature = "spinnaker")]
use crate::spinnaker::emulator::{BoardSettings, Limits};

/// Distance, in steps of length, that counts as home.
pub const HOME_RANGE: f64 = 20.0;

/// What steers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// The published rate model.
    Published,
    /// The variant that holds where it breaks.
    Extended,
    /// The spiking model.
    Spiking,
    /// The same, steering by where it looks.
    SpikingHeading,
    /// Nothing: a random walk.
    RandomWalk,
}

impl Model {
    /// Parameters of the spiking model of this name.
    pub(super) fn spiking(self) -> SpikingParameters {
        SpikingParameters {
            by_travel: self != Self::SpikingHeading,
            ..SpikingParameters::default()
        }
    }
}

/// Where spiking models run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// In this process.
    #[default]
    Cpu,
    /// On an emulated SpiNNaker board with the limits of a real one, in this process too; the
    /// body and the board exchange datagrams. Other models do not ask where they run.
    #[cfg(feature = "spinnaker")]
    Spinnaker,
}

/// Routes to be flown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Experiment {
    /// What steers.
    pub model: Model,
    /// Where a spiking model runs.
    pub backend: Backend,
    /// Noise of all populations.
    pub noise: NoiseLevels,
    /// Steps of a way out.
    pub out_steps: usize,
    /// Steps of a way home.
    pub home_steps: usize,
    /// By how much the agent looks to the right of where it goes, in rad.
    pub sideways_rad: f64,
    /// How fast the wind blows, in steps of length per step; from where is drawn for each
    /// route.
    pub wind: f64,
    /// Number of routes.
    pub routes: usize,
    /// Everything random follows from it; the routes do not depend on model and noise.
    pub seed: u64,
}

impl Experiment {
    /// Flies all routes, on all threads of the current `rayon` pool; the result does not
    /// depend on their number.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names what is out of range.
    pub fn trials(&self) -> Result<Vec<Trial>> {
        check_count("path.routes", self.routes, 1, 1_000_000)?;
        let routes = 0..self.routes as u64;
        routes
            .into_par_iter()
            .map(|route| self.trial(route))
            .collect()
    }

    fn trial(&self, route: u64) -> Result<Trial> {
        let mut activity = [0.0; Population::ALL.len()];
        let (mut all, mut steps) = (0.0, 0.0);
        let journey = self.journey(route, &mut |model| {
            steps += 1.0;
            let (mut total, mut cells) = (0.0, 0.0);
            for (mean, population) in activity.iter_mut().zip(Population::ALL) {
                let activities = model.activity(population);
                let (sum, n) = (activities.iter().sum::<f64>(), activities.len() as f64);
                *mean += sum / n;
                total += sum;
                cells += n;
            }
            all += total / cells;
        })?;
        Ok(Trial {
            closest: journey.closest(),
            left: journey.left(),
            activity: activity.map(|sum| sum / steps),
            mean_activity: all / steps,
        })
    }

    fn wind_on(&self, route: u64) -> [f64; 2] {
        let towards_rad = TAU * rng(self.seed, route, 4).random::<f64>();
        [towards_rad.sin(), towards_rad.cos()].map(|w| self.wind * w)
    }

    /// Flies one route. `watch` is shown after every step, out and home, what steers.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names what is out of range.
    pub fn journey(
        &self,
        route: u64,
        watch: &mut dyn FnMut(&dyn PathIntegrator),
    ) -> Result<Journey> {
        check_count("path.home_steps", self.home_steps, 1, 10_000_000)?;
        check("path.sideways_rad", self.sideways_rad, -10.0, 10.0)?;
        check("path.wind", self.wind, 0.0, 10.0)?;
        let way = outbound(self.out_steps, &mut rng(self.seed, route, 0))?;
        let flight = Flight {
            inbound: self.home_steps,
            sideways_rad: self.sideways_rad,
            wind: self.wind_on(route),
        };
        let mut noise = Gaussian::new(self.noise.clone(), rng(self.seed, route, 1))?;
        Ok(match self.model {
            Model::Published => {
                let mut model = RateModel::new(Parameters::default())?;
                fly(&mut model, &way, flight, &mut noise, &mut |m, _| watch(m))
            }
            Model::Extended => {
                let mut model = Extended::new(&ExtendedParameters::default())?;
                fly(&mut model, &way, flight, &mut noise, &mut |m, _| watch(m))
            }
            Model::Spiking | Model::SpikingHeading => {
                let mut model = Spiking::new(&self.model.spiking(), rng(self.seed, route, 3))?;
                match self.backend {
                    Backend::Cpu => fly(&mut model, &way, flight, &mut noise, &mut |m, _| watch(m)),
                    #[cfg(feature = "spinnaker")]
                    Backend::Spinnaker => {
                        let mut model = on_board(model, &noise)?;
                        fly(&mut model, &way, flight, &mut noise, &mut |m, _| watch(m))
                    }
                }
            }
            Model::RandomWalk => {
                let mut walk = RandomWalk::new(rng(self.seed, route, 2));
                fly(&mut walk, &way, flight, &mut noise, &mut |m, _| watch(m))
            }
        })
    }
}

/// The model on a board that draws the same noise.
#[cfg(feature = "spinnaker")]
fn on_board(model: Spiking, noise: &Gaussian) -> Result<OnBoard> {
    let settings = BoardSettings {
        limits: Some(Limits::REAL),
        ..BoardSettings::default()
    };
    let board = OnBoard::new(model, noise.clone(), settings);
    board.map_err(|error| crate::Error::Input(error.to_string()))
}

/// A generator for one purpose.
fn rng(seed: u64, route: u64, purpose: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&route.to_le_bytes());
    key[16..24].copy_from_slice(&purpose.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// How one route ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Closest distance to home on the way back, in steps of length.
    pub closest: f64,
    /// See [`Journey::left`].
    pub left: f64,
    /// Mean activity of the cells of each population ([`Population::ALL`]) out and home;
    /// NaN where there is no such population.
    pub activity: [f64; Population::ALL.len()],
    /// Mean activity of all these cells.
    pub mean_activity: f64,
}

/// Figures of many routes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Mean of the closest distances.
    pub mean: f64,
    /// Their median.
    pub median: f64,
    /// The distance that 95 % of them come under.
    pub percentile_95: f64,
    /// Share that comes within [`HOME_RANGE`].
    pub within_home_range: f64,
    /// `1 / (1 - mean left)`: 1 for a straight way home. See [`Journey::left`].
    pub tau: f64,
}

impl Summary {
    /// The figures of these trials; all NaN where there is none.
    pub fn of(trials: &[Trial]) -> Self {
        let n = trials.len() as f64;
        let mut closest: Vec<f64> = trials.iter().map(|t| t.closest).collect();
        closest.sort_by(f64::total_cmp);
        let left = trials.iter().map(|t| t.left).sum::<f64>() / n;
        let within = closest.iter().filter(|c| **c < HOME_RANGE).count();
        Self {
            mean: closest.iter().sum::<f64>() / n,
            median: quantile(&closest, 0.5),
            percentile_95: quantile(&closest, 0.95),
            within_home_range: within as f64 / n,
            tau: 1.0 / (1.0 - left),
        }
    }

    /// Their standard errors, by 200 bootstrap samples.
    pub fn standard_errors(trials: &[Trial], seed: u64) -> Self {
        let mut rng = rng(seed, u64::MAX, 0);
        let again = (0..200).map(|_| {
            let draw = |_| trials[rng.random_range(0..trials.len())];
            Self::of(&(0..trials.len()).map(draw).collect::<Vec<_>>()).figures()
        });
        let again: Vec<[f64; 5]> = again.collect();
        let deviation = |k: usize| {
            let n = again.len() as f64;
            let mean = again.iter().map(|f| f[k]).sum::<f64>() / n;
            let squares = again.iter().map(|f| (f[k] - mean).powi(2)).sum::<f64>();
            (squares / (n - 1.0)).sqrt()
        };
        Self {
            mean: deviation(0),
            median: deviation(1),
            percentile_95: deviation(2),
            within_home_range: deviation(3),
            tau: deviation(4),
        }
    }

    /// All figures, in the order of the fields.
    pub fn figures(&self) -> [f64; 5] {
        [
            self.mean,
            self.median,
            self.percentile_95,
            self.within_home_range,
            self.tau,
        ]
    }
}

/// The quantile of sorted values, interpolated linearly.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}
