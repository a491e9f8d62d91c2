//! The model in metres, seconds and REP 103 angles.

use saccade_engine::models::central_complex::{
    Extended, ExtendedParameters, Gaussian, HomeVector, NoiseLevels, NoiseSource,
    Parameters as RateParameters, PathIntegrator, Population, RateModel, Spiking,
    SpikingParameters, VectorMemory,
};
use std::f64::consts::FRAC_PI_2;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a model sees, in steps of length per step of time, of a robot at its speed: that
/// of the published agent on its way home.
const MODEL_SPEED: f64 = 0.57;

/// Largest turn of the weaving, rad. The model's own, 0.1, makes the agent swing by 36
/// degrees to either side, to leave the place just beyond home where left and right pull
/// alike; near home the node steers by the home vector and needs less.
const WEAVE_RAD: f64 = 0.02;

/// Which model keeps the way home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The published rate model.
    Rate,
    /// The variant that holds on long ways, in noise and sideways.
    Extended,
    /// In spiking neurons, its memory in synapses.
    Spiking,
}

impl Kind {
    /// By the name that the parameter `model` has.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "rate" => Some(Kind::Rate),
            "extended" => Some(Kind::Extended),
            "spiking" => Some(Kind::Spiking),
            _ => None,
        }
    }
}

/// The models by kind. One more is a kind, and a line in each `match` here.
enum Model {
    Rate(Box<RateModel>),
    Extended(Box<Extended>),
    Spiking(Box<Spiking>),
}

impl Model {
    fn new(kind: Kind, seed: u64) -> saccade_engine::Result<Self> {
        let extended = ExtendedParameters {
            weave_rad: WEAVE_RAD,
            ..ExtendedParameters::default()
        };
        Ok(match kind {
            Kind::Rate => Model::Rate(Box::new(RateModel::new(RateParameters::default())?)),
            Kind::Extended => Model::Extended(Box::new(Extended::new(&extended)?)),
            Kind::Spiking => {
                let spikes = ChaCha8Rng::seed_from_u64(seed);
                let model = Spiking::new(&SpikingParameters::default(), spikes)?;
                Model::Spiking(Box::new(model))
            }
        })
    }

    fn step(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut impl NoiseSource) -> f64 {
        match self {
            Model::Rate(model) => model.step(heading_rad, velocity, noise),
            Model::Extended(model) => model.step(heading_rad, velocity, noise),
            Model::Spiking(model) => model.step(heading_rad, velocity, noise),
        }
    }

    fn remember(&self) -> VectorMemory {
        match self {
            Model::Rate(model) => model.remember(),
            Model::Extended(model) => model.remember(),
            Model::Spiking(model) => model.remember(),
        }
    }

    fn go_to(&mut self, place: VectorMemory) {
        match self {
            Model::Rate(model) => model.go_to(place),
            Model::Extended(model) => model.go_to(place),
            Model::Spiking(model) => model.go_to(place),
        }
    }

    fn home_vector(&self) -> HomeVector {
        match self {
            Model::Rate(model) => model.home_vector(),
            Model::Extended(model) => model.home_vector(),
            Model::Spiking(model) => model.home_vector(),
        }
    }

    fn activity(&self, population: Population) -> &[f64] {
        match self {
            Model::Rate(model) => model.activity(population),
            Model::Extended(model) => model.activity(population),
            Model::Spiking(model) => model.activity(population),
        }
    }

    /// What the memory holds; of the spiking model, whose synapses hold it, what its
    /// memory neurons say.
    fn memory(&self) -> &[f64] {
        match self {
            Model::Rate(model) => &model.memory,
            Model::Extended(model) => &model.cells.memory,
            Model::Spiking(model) => model.activity(Population::Cpu4),
        }
    }
}

/// Where a place lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// By the model's cells.
    pub memory: VectorMemory,
    /// From it to home, in the world's axes, m.
    pub home_m: [f64; 2],
}

/// A model that was told the robot's speed and the length of a step.
pub struct Brain {
    kind: Kind,
    model: Model,
    noise: Gaussian,
    /// Seeds of what a model draws by itself.
    seeds: ChaCha8Rng,
    /// Metres in one of the model's steps of length.
    unit_m: f64,
}

impl Brain {
    /// At home. At `speed_mps` the model sees the speed it is tuned to.
    ///
    /// # Errors
    /// The engine refuses a level of noise.
    pub fn new(
        kind: Kind,
        speed_mps: f64,
        step_s: f64,
        noise: f64,
        seed: u64,
    ) -> saccade_engine::Result<Self> {
        let mut seeds = ChaCha8Rng::seed_from_u64(seed);
        Ok(Brain {
            kind,
            model: Model::new(kind, seeds.next_u64())?,
            seeds,
            noise: Gaussian::new(NoiseLevels::uniform(noise), ChaCha8Rng::seed_from_u64(seed))?,
            unit_m: speed_mps * step_s / MODEL_SPEED,
        })
    }

    /// Home is here.
    ///
    /// # Errors
    /// None that [`Brain::new`] did not have.
    pub fn settle(&mut self) -> saccade_engine::Result<()> {
        self.model = Model::new(self.kind, self.seeds.next_u64())?;
        Ok(())
    }

    /// A step: the yaw and the way gone in it, in the world's axes (m). Returns the turn
    /// that steers home, to the left positive, in rad.
    ///
    /// The model's heading is 0 towards +y and grows clockwise; its axes are the world's.
    pub fn step(&mut self, yaw_rad: f64, way_m: [f64; 2]) -> f64 {
        let velocity = way_m.map(|w| w / self.unit_m);
        -self
            .model
            .step(FRAC_PI_2 - yaw_rad, velocity, &mut self.noise)
    }

    /// From the robot to home, in the world's axes, in m.
    pub fn home_m(&self) -> [f64; 2] {
        let home = self.model.home_vector();
        let length_m = home.distance * self.unit_m;
        [
            length_m * home.heading_rad.sin(),
            length_m * home.heading_rad.cos(),
        ]
    }

    /// The place where the robot is.
    pub fn place(&self) -> Place {
        Place {
            memory: self.model.remember(),
            home_m: self.home_m(),
        }
    }

    /// Steers to a place from now on, without one home.
    pub fn head_for(&mut self, place: Option<&Place>) {
        let memory = place.map_or(VectorMemory::HOME, |place| place.memory);
        self.model.go_to(memory);
    }

    /// The heading neurons, TB1. They are low where the robot looks.
    pub fn bump(&self) -> Vec<f32> {
        let bump = self.model.activity(Population::Tb1);
        bump.iter().map(|&x| x as f32).collect()
    }

    /// The memory neurons, CPU4.
    pub fn memory(&self) -> Vec<f32> {
        self.model.memory().iter().map(|&x| x as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ways along the axes: the home vector points back, whatever the model. What is read
    /// from the published one is a seventh too long at this speed.
    #[test]
    fn the_home_vector_is_in_metres_and_in_the_worlds_axes() {
        for (kind, tolerance_m) in [
            (Kind::Rate, 1.5),
            (Kind::Extended, 0.1),
            (Kind::Spiking, 1.0),
        ] {
            for (yaw_rad, axis) in [(0.0, [1.0, 0.0]), (FRAC_PI_2, [0.0, 1.0])] {
                let mut brain = Brain::new(kind, 0.4, 0.1, 0.0, 1).expect("a model");
                for _ in 0..200 {
                    brain.step(yaw_rad, axis.map(|a| 0.04 * a));
                }
                let home_m = brain.home_m();
                let off = (0..2).map(|k| (home_m[k] + 8.0 * axis[k]).powi(2));
                assert!(
                    off.sum::<f64>().sqrt() < tolerance_m,
                    "{kind:?}: {home_m:?} after 8 m along {axis:?}"
                );
                assert_eq!((brain.bump().len(), brain.memory().len()), (8, 16));
            }
        }
    }

    #[test]
    fn home_to_the_left_turns_to_the_left() {
        for kind in [Kind::Rate, Kind::Extended, Kind::Spiking] {
            let mut brain = Brain::new(kind, 0.4, 0.1, 0.0, 1).expect("a model");
            for _ in 0..100 {
                brain.step(0.0, [0.04, 0.0]);
            }
            // Along -y, home lies behind to the right; along +y behind to the left.
            for (yaw_rad, sign) in [(FRAC_PI_2, 1.0), (-FRAC_PI_2, -1.0)] {
                let mut turned_rad = 0.0;
                let mut walk = Brain::new(kind, 0.4, 0.1, 0.0, 1).expect("a model");
                std::mem::swap(&mut walk.model, &mut brain.model);
                for _ in 0..20 {
                    turned_rad += walk.step(yaw_rad, [0.0, 0.04 * sign]);
                }
                for _ in 0..20 {
                    walk.step(yaw_rad, [0.0, -0.04 * sign]);
                }
                std::mem::swap(&mut walk.model, &mut brain.model);
                assert!(turned_rad * sign > 0.5, "{kind:?}: {turned_rad}");
            }
        }
    }
}
