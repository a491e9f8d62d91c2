//! Circuits as a modeller writes them down: populations, and projections between them.
//!
//! A [`Builder`] collects inputs, populations and projections, each projection with a
//! rule of who is connected ([`Rule`]), weights, delays and a kind of synapse
//! ([`Synapse`]); [`Builder::build`] draws the connections from its seed and checks it
//! all. The [`Circuit`] then runs tick by tick, in `f32` or `f64`. Neurons and synapses
//! are described at [`Lif`].
//!
//! ```
//! use saccade_engine::circuit::{Builder, Lif, Rule, Synapse, Value};
//!
//! // A tenth of a millisecond a tick; seed 7.
//! let mut model = Builder::new(0.1, 7);
//! let noise = model.inputs("noise", 100);
//! let cells = model.population("cells", 80, Lif { t_ref_ms: 2.0, ..Lif::default() });
//! let brakes = model.population("brakes", 20, Lif::default());
//!
//! let excitation = Synapse::Conductance { tau_ms: 5.0, reversal_mv: 0.0 };
//! let inhibition = Synapse::Conductance { tau_ms: 10.0, reversal_mv: -80.0 };
//! model.project(noise, cells, Rule::FixedIn(20)).synapse(excitation).weight(0.1);
//! model.project(cells, brakes, Rule::Random(0.2)).synapse(excitation).weight(0.1);
//! model
//!     .project(brakes, cells, Rule::FixedOut(30))
//!     .synapse(inhibition)
//!     .weight(Value::Uniform(0.1, 0.3))
//!     .delay_ms(Value::Uniform(0.5, 3.0));
//!
//! let mut circuit = model.build::<f32>()?;
//! let mut spikes = 0;
//! for tick in 0..10_000_u32 {
//!     circuit.spike(noise, &[tick * 7 % 100])?;
//!     circuit.tick();
//!     spikes += circuit.fired(cells).len();
//! }
//! assert!(spikes > 0);
//! # Ok::<(), saccade_engine::Error>(())
//! ```
//!
//! # What it cannot do
//! Its synapses do not learn. Networks that do are [`crate::network`] (e-prop by
//! interval) and [`crate::learning::online`], whose synapses have no delays.

mod connect;
mod neuron;
mod ring;
mod run;

pub use connect::{MAX_SYNAPSES, Rule};
pub use neuron::{Lif, Synapse};
pub use run::Circuit;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result, check, check_count};
use crate::real::Real;
use neuron::{Neurons, Receptor};
use run::{Projection, Target};

/// Neurons that a population or a group of inputs may have.
pub const MAX_NEURONS: usize = 1 << 24;
/// Spikes' weights on their way that a kind of synapse of a population may hold.
const MAX_UNDER_WAY: usize = 1 << 26;

/// A group of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs(usize);

/// A population of neurons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population(usize);

/// Where a projection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A group of inputs.
    Inputs(Inputs),
    /// A population.
    Population(Population),
}

impl From<Inputs> for Source {
    fn from(inputs: Inputs) -> Self {
        Self::Inputs(inputs)
    }
}

impl From<Population> for Source {
    fn from(population: Population) -> Self {
        Self::Population(population)
    }
}

/// A number for each synapse of a projection.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The same for all.
    Fixed(f64),
    /// Drawn evenly from `low..=high`.
    Uniform(f64, f64),
    /// One for each, in the order of [`Rule::pairs`].
    Each(Vec<f64>),
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Fixed(value)
    }
}

impl Value {
    /// The numbers of `n` synapses, each within `low..=high`.
    fn draw(
        &self,
        what: &str,
        n: usize,
        (low, high): (f64, f64),
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f64>> {
        let values: Vec<f64> = match self {
            Self::Fixed(value) => vec![*value; n],
            Self::Uniform(from, to) => {
                check(what, *from, low, high)?;
                check(what, *to, *from, high)?;
                (0..n)
                    .map(|_| from + (to - from) * rng.random::<f64>())
                    .collect()
            }
            Self::Each(values) => {
                check_count(&format!("{what}s given"), values.len(), n, n)?;
                values.clone()
            }
        };
        values
            .iter()
            .try_for_each(|value| check(what, *value, low, high))?;
        Ok(values)
    }
}

/// A projection as it is described.
#[derive(Clone, Debug)]
pub struct Projecting {
    from: Source,
    to: Population,
    rule: Rule,
    synapse: Synapse,
    weight: Value,
    delay_ms: Option<Value>,
}

impl Projecting {
    /// What arriving spikes do; [`Synapse::Delta`] where nothing is said.
    pub fn synapse(&mut self, synapse: Synapse) -> &mut Self {
        self.synapse = synapse;
        self
    }

    /// Weights, in the unit of the synapse; 1 where nothing is said.
    pub fn weight(&mut self, weight: impl Into<Value>) -> &mut Self {
        self.weight = weight.into();
        self
    }

    /// Delays in ms, rounded to ticks; where nothing is said, a tick from a population
    /// (which is the least there) and none from inputs.
    pub fn delay_ms(&mut self, delay_ms: impl Into<Value>) -> &mut Self {
        self.delay_ms = Some(delay_ms.into());
        self
    }
}

/// A circuit as it is described.
#[derive(Clone, Debug)]
pub struct Builder {
    dt_ms: f64,
    seed: u64,
    inputs: Vec<(String, usize)>,
    populations: Vec<(String, usize, Lif)>,
    projections: Vec<Projecting>,
}

impl Builder {
    /// An empty circuit with ticks of `dt_ms`; connections are drawn from `seed`.
    pub fn new(dt_ms: f64, seed: u64) -> Self {
        Self {
            dt_ms,
            seed,
            inputs: Vec::new(),
            populations: Vec::new(),
            projections: Vec::new(),
        }
    }

    /// `n` inputs, whose spikes come from outside.
    pub fn inputs(&mut self, name: &str, n: usize) -> Inputs {
        self.inputs.push((name.to_owned(), n));
        Inputs(self.inputs.len() - 1)
    }

    /// `n` neurons.
    pub fn population(&mut self, name: &str, n: usize, lif: Lif) -> Population {
        self.populations.push((name.to_owned(), n, lif));
        Population(self.populations.len() - 1)
    }

    /// Synapses from inputs or a population to a population, after a rule. Each
    /// projection draws from a stream of its own: what comes after leaves it as it is.
    pub fn project(
        &mut self,
        from: impl Into<Source>,
        to: Population,
        rule: Rule,
    ) -> &mut Projecting {
        let at = self.projections.len();
        self.projections.push(Projecting {
            from: from.into(),
            to,
            rule,
            synapse: Synapse::Delta,
            weight: Value::Fixed(1.0),
            delay_ms: None,
        });
        &mut self.projections[at]
    }

    /// The circuit, at rest.
    ///
    /// # Errors
    /// [`Error::In`] names the population or projection, and what is wrong with it.
    ///
    /// # Panics
    /// Where a projection names inputs or a population of another builder that this
    /// one does not have.
    pub fn build<R: Real>(&self) -> Result<Circuit<R>> {
        check("dt_ms", self.dt_ms, 1e-3, 100.0)?;
        for (name, n) in &self.inputs {
            let sized = check_count("neurons", *n, 1, MAX_NEURONS);
            sized.map_err(|e| e.within(format!("inputs {name}")))?;
        }
        let populations = self.populations.iter().map(|(name, n, lif)| {
            let checked = check_count("neurons", *n, 1, MAX_NEURONS).and_then(|()| lif.validate());
            checked.map_err(|e| e.within(format!("population {name}")))?;
            Ok(Neurons::new(*n, lif, self.dt_ms))
        });
        let mut circuit = Circuit {
            populations: populations.collect::<Result<Vec<_>>>()?,
            inputs: self.inputs.iter().map(|(_, n)| *n).collect(),
            projections: Vec::new(),
            ticks: 0,
        };
        for (at, described) in self.projections.iter().enumerate() {
            let made = self.connect(at, described, &mut circuit.populations[described.to.0]);
            let made = made.map_err(|e| e.within(self.name(described)))?;
            circuit.projections.push(made);
        }
        Ok(circuit)
    }

    fn name(&self, described: &Projecting) -> String {
        let from = match described.from {
            Source::Inputs(inputs) => &self.inputs[inputs.0].0,
            Source::Population(population) => &self.populations[population.0].0,
        };
        format!(
            "projection {from} -> {}",
            self.populations[described.to.0].0
        )
    }

    /// Draws the synapses of a projection and gives the population their receptor.
    fn connect<R: Real>(
        &self,
        at: usize,
        described: &Projecting,
        neurons: &mut Neurons<R>,
    ) -> Result<Projection<R>> {
        described.synapse.validate()?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(at as u64);
        let (n_pre, least) = match described.from {
            Source::Inputs(inputs) => (self.inputs[inputs.0].1, 0.0),
            Source::Population(population) => (self.populations[population.0].1, self.dt_ms),
        };
        let (_, n_post, lif) = &self.populations[described.to.0];
        let recurrent = described.from == Source::Population(described.to);
        let pairs = described.rule.pairs(n_pre, *n_post, recurrent, &mut rng)?;
        let weights = described
            .weight
            .draw("weight", pairs.len(), (-1e9, 1e9), &mut rng)?;
        let delays = match &described.delay_ms {
            Some(delay) => delay.draw("delay_ms", pairs.len(), (least, 1e6), &mut rng)?,
            None => vec![least; pairs.len()],
        };
        let mut synapses: Vec<(u32, Target<R>)> = pairs
            .iter()
            .zip(weights.iter().zip(delays))
            .map(|(&(i, neuron), (&weight, delay_ms))| {
                let delay = (delay_ms / self.dt_ms).round() as u32;
                let weight = R::of(weight);
                (
                    i,
                    Target {
                        neuron,
                        delay,
                        weight,
                    },
                )
            })
            .collect();
        synapses.sort_by_key(|&(i, _)| i);
        let longest = synapses.iter().map(|(_, t)| t.delay).max().unwrap_or(0) as usize;
        check_count(
            "delay in ticks * neurons",
            longest * n_post,
            0,
            MAX_UNDER_WAY,
        )?;
        // Every projection has a receptor of its own: sums of linear synapses are the
        // same, and the longest delay of one does not cost the others memory.
        let receptor = Receptor::new(described.synapse, *n_post, longest, lif, self.dt_ms);
        neurons.receptors.push(receptor);
        let mut starts = vec![0_u32; n_pre + 1];
        for &(i, _) in &synapses {
            starts[i as usize + 1] += 1;
        }
        for i in 0..n_pre {
            starts[i + 1] += starts[i];
        }
        Ok(Projection {
            from: described.from,
            to: described.to,
            receptor: neurons.receptors.len() - 1,
            starts,
            targets: synapses.into_iter().map(|(_, target)| target).collect(),
        })
    }
}

impl Error {
    fn within(self, place: String) -> Self {
        Self::In {
            place,
            source: Box::new(self),
        }
    }
}
