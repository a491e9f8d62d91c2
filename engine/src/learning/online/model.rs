//! Networks that learn, as a modeller writes them down.

use super::projection::{Connection, Pre, Projection, Sizes};
use super::synapses::Kind;
use super::{Online, OnlineConfig, Population, Rule, Side};
use crate::circuit::{Builder, MAX_NEURONS, Source, Synapse, Value};
use crate::error::{Error, Result, check_count};
use crate::learning::feedback::Feedback;
use crate::learning::optimizer::keep_within;
use crate::neurons::{Dynamics, Layer, NeuronParams};
use crate::real::Real;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A population of a network that learns.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Neurons that fire ([`crate::neurons`]).
    Spiking {
        /// Their parameters, but for those of the readout and the length of a tick.
        params: NeuronParams,
        /// How many of them, the last, have a threshold that adapts.
        adapting: usize,
        /// How the error comes to them where it is broadcast: a number for each readout and
        /// neuron, `[n_out, n]`.
        broadcast: Value,
    },
    /// Leaky readouts, of which a network has one population.
    Readout {
        /// Their time constant in ms.
        tau_ms: f64,
    },
}

impl Cells {
    /// Neurons of which none adapts, errors being broadcast by random numbers.
    pub fn spiking(params: NeuronParams) -> Self {
        Self::Spiking {
            params,
            adapting: 0,
            broadcast: Value::Normal(0.0, 1.0),
        }
    }
}

/// Random streams of the broadcasts lie beyond those of the projections.
const BROADCASTS: u64 = 1 << 32;

impl Builder<Cells> {
    /// The network, at rest, to learn as `config` says. A spike moves the potential of a
    /// neuron by the weight (times `1 - alpha` unless its parameters say otherwise), at
    /// least a tick after it left another neuron; a readout gets it at once where no delay
    /// is given.
    ///
    /// # Errors
    /// [`Error::In`] names the population or projection, and what is wrong with it;
    /// [`Error::Parameter`] where there is not one readout, or `config` is out of range.
    pub fn online<R: Real>(&self, config: &OnlineConfig) -> Result<Online<R>> {
        config.validate()?;
        self.check()?;
        let readouts = self.populations.iter();
        let readouts = readouts.filter(|(_, _, cells)| matches!(cells, Cells::Readout { .. }));
        check_count("populations of readouts", readouts.count(), 1, 1)?;
        let mut parts = Parts::<R> {
            populations: Vec::new(),
            sides: Vec::new(),
            numbers: Vec::new(),
        };
        let n_out = self.populations.iter().map(|(_, n, cells)| match cells {
            Cells::Readout { .. } => *n,
            Cells::Spiking { .. } => 0,
        });
        let n_out = n_out.sum();
        let mut readout = None;
        for (at, (name, n, cells)) in self.populations.iter().enumerate() {
            let made = match cells {
                Cells::Readout { tau_ms } => {
                    parts.numbers.push(usize::MAX);
                    side_of_readout(self.dt_ms, *tau_ms, *n, config).map(|side| {
                        readout = Some(side);
                    })
                }
                Cells::Spiking { .. } => self.spiking((at, n_out), *n, cells, config, &mut parts),
            };
            made.map_err(|e| e.within(format!("population {name}")))?;
        }
        let last = parts.populations.len();
        for number in &mut parts.numbers {
            *number = (*number).min(last);
        }
        parts.sides.extend(readout);
        let mut inputs = vec![0_u32];
        for (_, n) in &self.inputs {
            inputs.push(inputs[inputs.len() - 1] + *n as u32);
        }
        let numbers = parts.numbers;
        let mut online = Online::of(inputs, parts.populations, parts.sides, config);
        online.numbers = numbers;
        let projections = (0..self.projections.len()).map(|at| {
            let made = self.projection(at, &online, config);
            made.map_err(|e| e.within(self.name(&self.projections[at])))
        });
        let projections = projections.collect::<Result<Vec<_>>>()?;
        online.connect(projections);
        self.check_signal(&online)?;
        Ok(online)
    }

    fn spiking<R: Real>(
        &self,
        (at, n_out): (usize, usize),
        n: usize,
        cells: &Cells,
        config: &OnlineConfig,
        parts: &mut Parts<R>,
    ) -> Result<()> {
        let Cells::Spiking {
            params,
            adapting,
            broadcast,
        } = cells
        else {
            return Ok(());
        };
        check_count("adapting", *adapting, 0, n)?;
        let params = NeuronParams {
            dt_ms: self.dt_ms,
            ..params.clone()
        };
        params.validate()?;
        let dynamics = Dynamics::new(&params);
        let layer = Layer::new(n - adapting, *adapting, params.beta);
        let rule = Rule::new(&dynamics, params.beta, config);
        let feedback = match config.feedback {
            Feedback::Symmetric => None,
            _ => {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(BROADCASTS + at as u64);
                let drawn = broadcast.draw("broadcast", n * n_out, (-1e9, 1e9), &mut rng)?;
                Some(drawn.into_iter().map(R::of).collect())
            }
        };
        parts.numbers.push(parts.populations.len());
        let beta = layer.beta.clone();
        parts.sides.push(Side::new(Kind::Spiking, rule, n, beta));
        parts
            .populations
            .push(Population::new(layer, dynamics, feedback));
        Ok(())
    }

    fn projection<R: Real>(
        &self,
        at: usize,
        online: &Online<R>,
        config: &OnlineConfig,
    ) -> Result<Projection<R>> {
        let described = &self.projections[at];
        if described.synapse != Synapse::Delta {
            return Err(Error::Parameter {
                name: "synapse".to_owned(),
                value: format!("{:?}", described.synapse),
                range: "Delta in a network that learns".to_owned(),
            });
        }
        let to = online.numbers[described.to.0];
        let to_readout = to == online.populations.len();
        let from_inputs = matches!(described.from, Source::Inputs(_));
        let least_ms = if to_readout || from_inputs {
            0.0
        } else {
            self.dt_ms
        };
        let mut connections: Vec<Connection<R>> = self.draw(at, least_ms)?;
        connections.sort_by_key(|c| (c.from, c.delay_ticks, c.to));
        let side = &online.sides[to];
        let bounds = side.rule.bounds;
        if described.learns {
            for c in &mut connections {
                keep_within(std::slice::from_mut(&mut c.weight), bounds);
            }
        }
        let (from, pre) = match described.from {
            Source::Inputs(group) => {
                let first = online.inputs[group.0];
                let n = online.inputs[group.0 + 1] - first;
                (Pre::Inputs { first, n }, n as usize)
            }
            Source::Population(population) => {
                let p = online.numbers[population.0];
                let Some(cells) = online.populations.get(p) else {
                    return Err(Error::Parameter {
                        name: "presynaptic population".to_owned(),
                        value: "a readout".to_owned(),
                        range: "inputs or neurons that fire".to_owned(),
                    });
                };
                (Pre::Cells(p), cells.rate.len())
            }
        };
        let (kind, post) = match to_readout {
            true => (Kind::Readout, online.readout.len()),
            false => (Kind::Spiking, online.populations[to].rate.len()),
        };
        let adapts = side.beta.iter().filter(|b| **b != R::ZERO);
        let sizes = Sizes {
            pre,
            post,
            n_alif: adapts.count(),
        };
        let mut made = Projection::new((from, to, kind), sizes, &connections, &side.rule, config);
        made.plastic = described.learns;
        Ok(made)
    }

    /// Every population must hear of errors.
    fn check_signal<R: Real>(&self, online: &Online<R>) -> Result<()> {
        let last = online.populations.len();
        for (number, (name, _, _)) in online.numbers.iter().zip(&self.populations) {
            let heard = |p: &&Projection<R>| p.from == Pre::Cells(*number) && p.to == last;
            let symmetric = online.feedback == Feedback::Symmetric && *number != last;
            if symmetric && online.projections.iter().find(heard).is_none() {
                return Err(Error::Parameter {
                    name: "online.feedback".to_owned(),
                    value: "Symmetric".to_owned(),
                    range: "random or adaptive where a population does not project to the readout"
                        .to_owned(),
                }
                .within(format!("population {name}")));
            }
        }
        Ok(())
    }
}

/// What is made of the populations.
struct Parts<R> {
    populations: Vec<Population<R>>,
    sides: Vec<Side<R>>,
    numbers: Vec<usize>,
}

fn side_of_readout<R: Real>(
    dt_ms: f64,
    tau_ms: f64,
    n: usize,
    config: &OnlineConfig,
) -> Result<Side<R>> {
    check_count("neurons", n, 1, MAX_NEURONS)?;
    let params = NeuronParams {
        dt_ms,
        tau_out_ms: tau_ms,
        regular_spike_arrival_out: true,
        ..NeuronParams::default()
    };
    params.validate()?;
    let rule = Rule::new(&Dynamics::new(&params), 0.0, config);
    Ok(Side::new(Kind::Readout, rule, n, Vec::new()))
}
