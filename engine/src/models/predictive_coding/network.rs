//! The published equations over the whole network.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::{Config, PathwayConfig};
use crate::error::{Error, Result};
use crate::learning::predictive_coding::{Connection, Errors};
use crate::models::place::Senses;
use crate::products::Multiply;

/// Place of the eyes in arrays over pathways.
pub const VISUAL: usize = 0;
/// Place of the whiskers.
pub const TACTILE: usize = 1;

/// Place of the joint causes in arrays of rates.
const JOINT: usize = 2;

/// The pathways that a query uses.
pub(super) fn used(senses: Senses) -> &'static [usize] {
    match senses {
        Senses::Both => &[VISUAL, TACTILE],
        Senses::Vision => &[VISUAL],
        Senses::Touch => &[TACTILE],
    }
}

/// The weights, and what they are for.
#[derive(Clone, Debug, PartialEq)]
pub struct Network<R> {
    config: Config,
    /// Of each pathway, the lowest first and the joint one last.
    connections: [Vec<Connection<R>>; 2],
}

/// Inputs, causes and errors of a batch of samples.
#[derive(Clone, Debug)]
pub struct Activity<R> {
    batch: usize,
    /// Of each pathway, `[batch, input]`.
    pub inputs: [Vec<R>; 2],
    /// Of each layer of each pathway, `[batch, layer]`.
    pub causes: [Vec<Vec<R>>; 2],
    /// `[batch, joint]`.
    pub joint: Vec<R>,
    pub(super) errors: [Vec<Errors<R>>; 2],
}

impl<R: Multiply> Network<R> {
    /// Draws the weights from a seed.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(config: Config, seed: u64) -> Result<Self> {
        config.validate()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |pathway: &PathwayConfig| -> Vec<Connection<R>> {
            let sizes = config.connections(pathway).into_iter();
            sizes
                .map(|(below, here)| Connection::drawn(below, here, &mut rng))
                .collect()
        };
        let connections = [draw(&config.visual), draw(&config.tactile)];
        let mut network = Network {
            config,
            connections,
        };
        network.keep_to_fields();
        Ok(network)
    }

    /// From connections of each pathway, the lowest first and the joint one last.
    ///
    /// # Errors
    /// [`Error::Parameter`], also where their sizes are not those of `config`.
    pub fn from_connections(config: Config, connections: [Vec<Connection<R>>; 2]) -> Result<Self> {
        config.validate()?;
        for (pathway, found) in config.pathways().into_iter().zip(&connections) {
            let found: Vec<_> = found.iter().map(Connection::sizes).collect();
            let expected = config.connections(pathway);
            if found != expected {
                return Err(Error::Parameter {
                    name: "sizes of the connections".to_owned(),
                    value: format!("{found:?}"),
                    range: format!("{expected:?}"),
                });
            }
        }
        let mut network = Network {
            config,
            connections,
        };
        network.keep_to_fields();
        Ok(network)
    }

    /// Where units have receptive fields, they have no weights beyond.
    fn keep_to_fields(&mut self) {
        if let Some(fields) = &self.config.visual.fields {
            let lowest = &mut self.connections[VISUAL][0];
            let units = lowest.sizes().1;
            fields.mask(units, lowest.weights_mut());
        }
    }

    /// Sizes and rates.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Of each pathway, the lowest first and the joint one last.
    pub fn connections(&self) -> &[Vec<Connection<R>>; 2] {
        &self.connections
    }

    /// Room for a batch; all causes start anew.
    pub fn activity(&self, batch: usize) -> Activity<R> {
        let config = &self.config;
        let start = R::of(config.start);
        let causes = |pathway: &PathwayConfig| {
            let layers = pathway.layers.iter();
            layers.map(|n| vec![start; batch * n]).collect()
        };
        let errors = |connections: &Vec<Connection<R>>| {
            let connections = connections.iter();
            connections.map(|c| c.working_memory(batch)).collect()
        };
        let [visual, tactile] = config.pathways();
        Activity {
            batch,
            inputs: [visual, tactile].map(|p| vec![R::ZERO; batch * p.input]),
            causes: [causes(visual), causes(tactile)],
            joint: vec![start; batch * config.joint],
            errors: self.connections.each_ref().map(errors),
        }
    }

    /// What the causes miss now, in the pathways that are used.
    pub fn errors(&self, senses: Senses, activity: &mut Activity<R>) {
        self.errors_from([0, 0], senses, activity);
    }

    /// The same without the connections below these of each pathway.
    pub(super) fn errors_from(
        &self,
        lowest: [usize; 2],
        senses: Senses,
        activity: &mut Activity<R>,
    ) {
        for &m in used(senses) {
            let below = std::iter::once(&activity.inputs[m]).chain(&activity.causes[m]);
            let causes = activity.causes[m].iter().chain([&activity.joint]);
            let connections = self.connections[m].iter().zip(&mut activity.errors[m]);
            let each = connections.zip(below.zip(causes)).skip(lowest[m]);
            for ((connection, errors), (below, causes)) in each {
                connection.errors(causes, below, errors);
            }
        }
    }

    /// Moves all causes at once by what [`Network::errors`] has left, `gain` times as far
    /// as the rates say (visual, tactile, joint), those of the samples for which `moves`
    /// says so.
    pub fn move_causes(
        &self,
        senses: Senses,
        activity: &mut Activity<R>,
        gain: [f64; 3],
        moves: impl Fn(usize) -> bool,
    ) {
        let rates = self.cause_rates();
        let rate = |k: usize| R::of(2.0 * gain[k] * rates[k]);
        for sample in (0..activity.batch).filter(|&s| moves(s)) {
            for &m in used(senses) {
                let errors = &activity.errors[m];
                for (layer, causes) in activity.causes[m].iter_mut().enumerate() {
                    let causes = row(causes, sample, activity.batch);
                    errors[layer].move_here(sample, rate(m), causes);
                    errors[layer + 1].move_below(sample, rate(m), causes);
                }
                let joint = row(&mut activity.joint, sample, activity.batch);
                errors[errors.len() - 1].move_here(sample, rate(JOINT), joint);
            }
        }
    }

    /// Changes all weights by what [`Network::errors`] has left of both pathways, `gain`
    /// times as far as the rates say. Where it is `bounded`, no connection goes further
    /// than to where its causes would see the error fall the most, whatever the batch.
    pub fn learn(&mut self, activity: &Activity<R>, gain: f64, bounded: bool) {
        self.learn_from([0, 0], activity, gain, bounded);
    }

    /// The same without the connections below these of each pathway.
    pub(super) fn learn_from(
        &mut self,
        lowest: [usize; 2],
        activity: &Activity<R>,
        gain: f64,
        bounded: bool,
    ) {
        let rates = [&self.config.visual, &self.config.tactile].map(|p| p.weight_rate);
        let joint_rate = self.config.joint_weight_rate;
        for m in [VISUAL, TACTILE] {
            let layers = activity.causes[m].len();
            let causes = activity.causes[m].iter().chain([&activity.joint]);
            for (layer, (connection, causes)) in
                (self.connections[m].iter_mut().zip(causes).enumerate()).skip(lowest[m])
            {
                let rate = if layer < layers { rates[m] } else { joint_rate };
                let mut rate = 2.0 * gain * rate;
                if bounded {
                    let squares: f64 = causes.iter().map(|c| c.to_f64() * c.to_f64()).sum();
                    rate = rate.min(1.0 / squares.max(1e-300));
                }
                connection.learn(R::of(rate), causes, &activity.errors[m][layer]);
            }
        }
        self.keep_to_fields();
    }

    /// The lowest visual connection, for who changes its weights itself.
    pub(super) fn lowest_visual(&mut self) -> &mut Connection<R> {
        &mut self.connections[VISUAL][0]
    }

    /// Rates a of the causes: visual, tactile, joint.
    pub(super) fn cause_rates(&self) -> [f64; 3] {
        let [visual, tactile] = self.config.pathways().map(|p| p.cause_rate);
        [visual, tactile, self.config.joint_cause_rate]
    }

    /// How many times as far as the rates say causes can move without overshooting:
    /// visual, tactile, joint.
    pub(super) fn stable_gains(&self) -> [f64; 3] {
        let mut steepest = [0.0_f64; 3];
        for (m, connections) in self.connections.iter().enumerate() {
            for (layer, connection) in connections.iter().enumerate() {
                let bend = connection.largest_eigenvalue();
                match layer + 1 < connections.len() {
                    true => steepest[m] = steepest[m].max(bend + 1.0),
                    false => steepest[JOINT] += bend,
                }
            }
        }
        let rates = self.cause_rates();
        [0, 1, 2].map(|k| 1.0 / (2.0 * rates[k] * steepest[k]).max(1e-300))
    }

    /// The published inference: all causes start anew and move until every error that is
    /// used is below its threshold, at most `iterations` times. A modality that is not
    /// used has no part in it, and its causes stay where they started. The number of
    /// iterations of each sample.
    pub fn infer(
        &self,
        senses: Senses,
        iterations: usize,
        activity: &mut Activity<R>,
    ) -> Vec<usize> {
        self.infer_watched(senses, iterations, activity, |_, _| {})
    }

    /// The same; `watch` is shown the activity after so many iterations, from 1 to where
    /// all samples have stopped.
    pub fn infer_watched(
        &self,
        senses: Senses,
        iterations: usize,
        activity: &mut Activity<R>,
        mut watch: impl FnMut(usize, &Activity<R>),
    ) -> Vec<usize> {
        activity.restart(R::of(self.config.start));
        let mut taken = vec![iterations; activity.batch];
        for iteration in 0..iterations {
            self.errors(senses, activity);
            for (sample, taken) in taken.iter_mut().enumerate() {
                if *taken > iteration && self.is_settled(senses, activity, sample) {
                    *taken = iteration;
                }
            }
            if taken.iter().all(|&t| t <= iteration) {
                break;
            }
            self.move_causes(senses, activity, [1.0; 3], |s| taken[s] > iteration);
            watch(iteration + 1, activity);
        }
        taken
    }

    /// Whether every error of a sample is below its threshold.
    fn is_settled(&self, senses: Senses, activity: &Activity<R>, sample: usize) -> bool {
        let pathways = self.config.pathways();
        used(senses).iter().all(|&m| {
            let mut errors = activity.errors[m].iter().zip(&pathways[m].stop);
            errors.all(|(e, &stop)| e.mean_squared(sample) < stop)
        })
    }

    /// What joint causes predict of both inputs, from layer to layer.
    pub fn imagine(&self, joint: &[R]) -> [Vec<R>; 2] {
        self.connections.each_ref().map(|connections| {
            let mut causes = joint.to_vec();
            for connection in connections.iter().rev() {
                let mut below = vec![R::ZERO; connection.sizes().0];
                connection.predict(&causes, &mut below);
                causes = below;
            }
            causes
        })
    }
}

impl<R: Multiply> Activity<R> {
    /// Samples.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// All causes start anew.
    pub fn restart(&mut self, start: R) {
        for causes in self.causes.iter_mut().flatten() {
            causes.fill(start);
        }
        self.joint.fill(start);
    }

    /// Mean squared error of a sample at a connection of a pathway, 0 the lowest.
    pub fn mean_squared(&self, pathway: usize, connection: usize, sample: usize) -> f64 {
        self.errors[pathway][connection].mean_squared(sample)
    }
}

/// The part of an array over a batch that is a sample's.
pub(super) fn row<R>(values: &mut [R], sample: usize, batch: usize) -> &mut [R] {
    let n = values.len() / batch;
    &mut values[sample * n..(sample + 1) * n]
}
