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
//! # Networks that learn
//! The synapses of a [`Circuit`] do not. A builder whose populations are
//! [`Cells`](crate::learning::online::Cells), neurons of [`crate::neurons`] and a readout,
//! makes a network that learns while it runs instead, by e-prop ([`Builder::online`]):
//!
//! ```
//! use saccade_engine::circuit::{Builder, Rule, Value};
//! use saccade_engine::learning::online::{Cells, OnlineConfig};
//! use saccade_engine::neurons::NeuronParams;
//!
//! let mut model = Builder::new(1.0, 7);
//! let cue = model.inputs("cue", 40);
//! let cells = model.population("cells", 100, Cells::spiking(NeuronParams::default()));
//! let choice = model.population("choice", 2, Cells::Readout { tau_ms: 20.0 });
//! model
//!     .project(cue, cells, Rule::FixedIn(10))
//!     .weight(Value::Normal(0.0, 2.0))
//!     .delay_ms(Value::Uniform(0.0, 8.0));
//! model
//!     .project(cells, cells, Rule::Random(0.1))
//!     .weight(Value::Normal(0.0, 0.5))
//!     .delay_ms(Value::Uniform(1.0, 20.0));
//! model
//!     .project(cells, choice, Rule::AllToAll)
//!     .weight(Value::Normal(0.0, 0.1));
//!
//! let mut network = model.online::<f32>(&OnlineConfig::default())?;
//! for tick in 0..500_u32 {
//!     network.tick(&[tick % 40, tick * 7 % 40])?;
//!     let error: Vec<f32> = network.readout().iter().map(|y| y - 0.5).collect();
//!     network.learn(Some(&error));
//! }
//! # Ok::<(), saccade_engine::Error>(())
//! ```

mod connect;
mod neuron;
mod ring;
mod run;

pub use connect::{MAX_SYNAPSES, Rule};
pub use neuron::{Lif, Synapse};
pub use run::Circuit;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::error::{Error, Result, check, check_count};
use crate::learning::online::Connection;
use crate::real::Real;
use neuron::{Neurons, Receptor};
use run::{Projection, Target};

/// Neurons that a population or a group of inputs may have.
pub const MAX_NEURONS: usize = 1 << 24;
/// Spikes' weights on their way that a kind of synapse of a population may hold.
const MAX_UNDER_WAY: usize = 1 << 26;

/// A group of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs(pub(crate) usize);

/// A population of neurons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population(pub(crate) usize);

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
    /// Drawn from a normal distribution with this mean and standard deviation.
    Normal(f64, f64),
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
    pub(crate) fn draw(
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
            Self::Normal(mean, spread) => {
                check(what, *mean, low, high)?;
                check(&format!("{what}'s spread"), *spread, 0.0, high)?;
                let normal = || rng.sample::<f64, _>(StandardNormal);
                std::iter::repeat_with(normal)
                    .take(n)
                    .map(|x| mean + spread * x)
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
    pub(crate) from: Source,
    pub(crate) to: Population,
    rule: Rule,
    pub(crate) synapse: Synapse,
    weight: Value,
    delay_ms: Option<Value>,
    pub(crate) learns: bool,
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

    /// Its weights stay as they are also in a network that learns.
    pub fn fixed(&mut self) -> &mut Self {
        self.learns = false;
        self
    }

    /// Delays in ms, rounded to ticks; where nothing is said, a tick from a population
    /// (which is the least there) and none from inputs, or to a readout.
    pub fn delay_ms(&mut self, delay_ms: impl Into<Value>) -> &mut Self {
        self.delay_ms = Some(delay_ms.into());
        self
    }
}

/// A circuit as it is described, of populations of kind `N`: [`Lif`] for one that runs,
/// [`Cells`](crate::learning::online::Cells) for one that learns.
#[derive(Clone, Debug)]
pub struct Builder<N = Lif> {
    pub(crate) dt_ms: f64,
    pub(crate) seed: u64,
    pub(crate) inputs: Vec<(String, usize)>,
    pub(crate) populations: Vec<(String, usize, N)>,
    pub(crate) projections: Vec<Projecting>,
}

impl<N> Builder<N> {
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
    pub fn population(&mut self, name: &str, n: usize, kind: N) -> Population {
        self.populations.push((name.to_owned(), n, kind));
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
            learns: true,
        });
        &mut self.projections[at]
    }

    pub(crate) fn name(&self, described: &Projecting) -> String {
        let from = match described.from {
            Source::Inputs(inputs) => &self.inputs[inputs.0].0,
            Source::Population(population) => &self.populations[population.0].0,
        };
        format!(
            "projection {from} -> {}",
            self.populations[described.to.0].0
        )
    }

    /// Checks the length of a tick, and that nothing is empty or absurd.
    pub(crate) fn check(&self) -> Result<()> {
        check("dt_ms", self.dt_ms, 1e-3, 100.0)?;
        for (name, n) in &self.inputs {
            let sized = check_count("neurons", *n, 1, MAX_NEURONS);
            sized.map_err(|e| e.within(format!("inputs {name}")))?;
        }
        for (name, n, _) in &self.populations {
            let sized = check_count("neurons", *n, 1, MAX_NEURONS);
            sized.map_err(|e| e.within(format!("population {name}")))?;
        }
        Ok(())
    }

    /// Draws the synapses of a projection, whose spikes are on their way for `least_ms` at
    /// least, by presynaptic neuron and in the order of the rule.
    pub(crate) fn draw<R: Real>(&self, at: usize, least_ms: f64) -> Result<Vec<Connection<R>>> {
        let described = &self.projections[at];
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(at as u64);
        let n_pre = match described.from {
            Source::Inputs(inputs) => self.inputs[inputs.0].1,
            Source::Population(population) => self.populations[population.0].1,
        };
        let n_post = self.populations[described.to.0].1;
        let recurrent = described.from == Source::Population(described.to);
        let pairs = described.rule.pairs(n_pre, n_post, recurrent, &mut rng)?;
        let weights = described
            .weight
            .draw("weight", pairs.len(), (-1e9, 1e9), &mut rng)?;
        let delays = match &described.delay_ms {
            Some(delay) => delay.draw("delay_ms", pairs.len(), (least_ms, 1e6), &mut rng)?,
            None => vec![least_ms; pairs.len()],
        };
        let synapses = pairs.iter().zip(weights.iter().zip(delays));
        let mut synapses: Vec<Connection<R>> = synapses
            .map(|(&(from, to), (&weight, delay_ms))| Connection {
                from,
                to,
                delay_ticks: (delay_ms / self.dt_ms).round() as u32,
                weight: R::of(weight),
            })
            .collect();
        synapses.sort_by_key(|c| c.from);
        let longest = synapses.iter().map(|c| c.delay_ticks).max().unwrap_or(0) as usize;
        check_count(
            "delay in ticks * neurons",
            longest * n_post.max(n_pre),
            0,
            MAX_UNDER_WAY,
        )?;
        Ok(synapses)
    }
}

impl Builder {
    /// The circuit, at rest.
    ///
    /// # Errors
    /// [`Error::In`] names the population or projection, and what is wrong with it.
    ///
    /// # Panics
    /// Where a projection names inputs or a population of another builder that this
    /// one does not have.
    pub fn build<R: Real>(&self) -> Result<Circuit<R>> {
        self.check()?;
        let populations = self.populations.iter().map(|(name, n, lif)| {
            lif.validate()
                .map_err(|e| e.within(format!("population {name}")))?;
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

    /// Draws the synapses of a projection and gives the population their receptor.
    fn connect<R: Real>(
        &self,
        at: usize,
        described: &Projecting,
        neurons: &mut Neurons<R>,
    ) -> Result<Projection<R>> {
        described.synapse.validate()?;
        let (n_pre, least_ms) = match described.from {
            Source::Inputs(inputs) => (self.inputs[inputs.0].1, 0.0),
            Source::Population(population) => (self.populations[population.0].1, self.dt_ms),
        };
        let (_, n_post, lif) = &self.populations[described.to.0];
        let synapses = self.draw::<R>(at, least_ms)?;
        let longest = synapses.iter().map(|c| c.delay_ticks).max().unwrap_or(0) as usize;
        // Every projection has a receptor of its own: sums of linear synapses are the
        // same, and the longest delay of one does not cost the others memory.
        let receptor = Receptor::new(described.synapse, *n_post, longest, lif, self.dt_ms);
        neurons.receptors.push(receptor);
        let mut starts = vec![0_u32; n_pre + 1];
        for c in &synapses {
            starts[c.from as usize + 1] += 1;
        }
        for i in 0..n_pre {
            starts[i + 1] += starts[i];
        }
        let target = |c: &Connection<R>| Target {
            neuron: c.to,
            delay: c.delay_ticks,
            weight: c.weight,
        };
        Ok(Projection {
            from: described.from,
            to: described.to,
            receptor: neurons.receptors.len() - 1,
            starts,
            targets: synapses.iter().map(target).collect(),
        })
    }
}

impl Error {
    pub(crate) fn within(self, place: String) -> Self {
        Self::In {
            place,
            source: Box::new(self),
        }
    }
}
