//! Two food places: out to each, then straight from the second to the first, back, and home.
//!
//! Both ways out are random ones from the nest, where the integrator is set to home, as
//! insects do when they enter it. At each food place the agent keeps a [`VectorMemory`].
//! From the second place it then goes to the first, a way that it never flew, back to the
//! second, and home.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::body::{self, Body};
use super::extended::{Extended, ExtendedParameters};
use super::noise::{Gaussian, NoiseLevels, NoiseSource};
use super::rate::{Parameters, RateModel};
use super::route::{RandomWalk, outbound};
use super::spiking::Spiking;
use super::statistics::{HOME_RANGE, Model};
use super::{PathIntegrator, VectorMemory};
use crate::error::{Result, check_count};

/// Names of the legs, in order.
pub const LEGS: [&str; 3] = ["second to first", "first to second", "second to home"];

/// Trips to be flown.
#[derive(Clone, Debug, PartialEq)]
pub struct Foraging {
    /// What steers.
    pub model: Model,
    /// Noise of all populations.
    pub noise: NoiseLevels,
    /// Steps of each of the two ways out.
    pub out_steps: usize,
    /// Most steps of a leg.
    pub leg_steps: usize,
    /// Number of trips.
    pub trips: usize,
    /// Everything random follows from it; the ways out do not depend on model and noise.
    pub seed: u64,
}

/// A way from one place to another; lengths in steps of length.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    /// Distance of the place where the leg began.
    pub straight: f64,
    /// Closest distance to it.
    pub closest: f64,
    /// Positions; the last is the first within [`HOME_RANGE`] of the place, if any is.
    pub track: Vec<[f64; 2]>,
}

impl Leg {
    /// Whether it ended at the place.
    pub fn found(&self) -> bool {
        self.closest < HOME_RANGE
    }

    /// Length of the way.
    pub fn way(&self) -> f64 {
        let apart = |w: &[[f64; 2]]| distance(w[0], w[1]);
        self.track.windows(2).map(apart).sum()
    }
}

/// A trip.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    /// The ways out to the two places.
    pub out: [Vec<[f64; 2]>; 2],
    /// See [`LEGS`].
    pub legs: [Leg; 3],
}

impl Trip {
    /// How far it is from the second place to the first by way of home.
    pub fn by_home(&self) -> f64 {
        let far = |way: &Vec<[f64; 2]>| way.last().map_or(0.0, |p| distance(*p, [0.0; 2]));
        self.out.iter().map(far).sum()
    }
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

impl Foraging {
    /// Flies all trips, on all threads of the current `rayon` pool; the result does not
    /// depend on their number.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names what is out of range.
    pub fn fly(&self) -> Result<Vec<Trip>> {
        check_count("path.trips", self.trips, 1, 1_000_000)?;
        check_count("path.leg_steps", self.leg_steps, 1, 10_000_000)?;
        let trips = 0..self.trips as u64;
        trips.into_par_iter().map(|trip| self.trip(trip)).collect()
    }

    fn trip(&self, trip: u64) -> Result<Trip> {
        match self.model {
            Model::Published => self.with(trip, |_| RateModel::new(Parameters::default())),
            Model::Extended => self.with(trip, |_| Extended::new(&ExtendedParameters::default())),
            Model::Spiking | Model::SpikingHeading => {
                self.with(trip, |rng| Spiking::new(&self.model.spiking(), rng))
            }
            Model::RandomWalk => self.with(trip, |rng| Ok(RandomWalk::new(rng))),
        }
    }

    fn with<M: PathIntegrator>(
        &self,
        trip: u64,
        make: impl Fn(ChaCha8Rng) -> Result<M>,
    ) -> Result<Trip> {
        let rng = |purpose: u64| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&self.seed.to_le_bytes());
            key[8..16].copy_from_slice(&trip.to_le_bytes());
            key[16..24].copy_from_slice(&purpose.to_le_bytes());
            // Other ways than those of `statistics`.
            key[24] = 1;
            ChaCha8Rng::from_seed(key)
        };
        let mut noise = Gaussian::new(self.noise.clone(), rng(0))?;
        // From the nest, where the integrator is new, and in a direction of its own.
        let mut outing = |k: u64| {
            let mut agent = Agent::at_home(make(rng(1 + k))?);
            let mut draws = rng(3 + k);
            let aside_rad = TAU * draws.random::<f64>();
            let way = outbound(self.out_steps, &mut draws)?;
            let out: Vec<[f64; 2]> = way
                .iter()
                .map(|body| agent.led(turned(body, aside_rad), &mut noise))
                .collect();
            Ok((agent, out))
        };
        let (there, first) = outing(0)?;
        let (mut agent, second) = outing(1)?;
        let places = [there.model.remember(), agent.model.remember()];
        let ends = [there.position, agent.position];
        let legs = [
            (places[0], ends[0]),
            (places[1], ends[1]),
            (VectorMemory::HOME, [0.0; 2]),
        ]
        .map(|(memory, place)| agent.goes(memory, place, self.leg_steps, &mut noise));
        Ok(Trip {
            out: [first, second],
            legs,
        })
    }
}

/// A step of a way out, the whole way turned clockwise.
fn turned(body: &Body, by_rad: f64) -> Body {
    let (s, c) = by_rad.sin_cos();
    let [x, y] = body.velocity;
    Body {
        heading_rad: body.heading_rad + by_rad,
        velocity: [c * x + s * y, c * y - s * x],
    }
}

struct Agent<M> {
    model: M,
    body: Body,
    position: [f64; 2],
}

impl<M: PathIntegrator> Agent<M> {
    fn at_home(model: M) -> Self {
        Self {
            model,
            body: Body::default(),
            position: [0.0; 2],
        }
    }

    fn advance(&mut self) -> [f64; 2] {
        self.position = [0, 1].map(|k| self.position[k] + self.body.velocity[k]);
        self.position
    }

    /// A step of a way out.
    fn led(&mut self, body: Body, noise: &mut impl NoiseSource) -> [f64; 2] {
        self.body = body;
        self.model.step(body.heading_rad, body.velocity, noise);
        self.advance()
    }

    /// Goes to a place until it is there, or `steps` are over.
    fn goes(
        &mut self,
        memory: VectorMemory,
        place: [f64; 2],
        steps: usize,
        noise: &mut impl NoiseSource,
    ) -> Leg {
        self.model.go_to(memory);
        let mut leg = Leg {
            straight: distance(self.position, place),
            closest: f64::INFINITY,
            track: vec![self.position],
        };
        for _ in 0..steps {
            let seen = self.body;
            let turn_rad = self.model.step(seen.heading_rad, seen.velocity, noise);
            self.body = seen.moved(turn_rad, body::ACCELERATION);
            leg.track.push(self.advance());
            leg.closest = leg.closest.min(distance(self.position, place));
            if leg.found() {
                break;
            }
        }
        leg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(model: Model, trips: usize) -> [f64; 3] {
        let foraging = Foraging {
            model,
            noise: NoiseLevels::uniform(0.1),
            out_steps: 500,
            leg_steps: 1500,
            trips,
            seed: 12,
        };
        let flown = foraging.fly().unwrap();
        [0, 1, 2].map(|k: usize| {
            let there = flown.iter().filter(|trip| trip.legs[k].found()).count();
            there as f64 / trips as f64
        })
    }

    /// Whatever the model; a random walk seldom does.
    #[test]
    fn places_are_found_again_by_ways_never_flown() {
        for model in [Model::Published, Model::Extended, Model::Spiking] {
            let found = found(model, 12);
            assert!(
                found.iter().all(|share| *share > 0.9),
                "{model:?}: {found:?}"
            );
        }
        let chance = found(Model::RandomWalk, 40);
        assert!(chance[0] < 0.5, "{chance:?}");
    }

    #[test]
    fn a_turned_way_is_as_long() {
        let body = Body {
            heading_rad: 0.2,
            velocity: [0.3, 0.4],
        };
        let now = turned(&body, std::f64::consts::FRAC_PI_2);
        let off = distance(now.velocity, [0.4, -0.3]);
        assert!(
            off < 1e-12 && (now.heading_rad - 1.770_796).abs() < 1e-6,
            "{now:?}"
        );
    }
}
