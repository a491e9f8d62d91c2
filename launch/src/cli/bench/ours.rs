//! What is measured of our own: the online form and the exact offline form.

use super::clock::timed;
use super::problem::{F_TARGET_HZ, KAPPA, Problem, TARGET};
use crate::cli::CliError;
use saccade_engine::learning::eprop::{Adjoint, EpropConfig};
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::online::{Online, OnlineConfig};
use saccade_engine::learning::optimizer::Optimizer;
use saccade_engine::network::{Interval, Network, Weights};
use saccade_engine::neurons::{NeuronParams, Reset};
use saccade_engine::real::Real;
use std::ops::Range;

/// What one turn took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub cpu_s: f64,
    /// Of the recurrent layer.
    pub spikes: u64,
}

/// Somebody who learns the problem, some ticks in each turn.
pub(super) trait Contestant {
    /// What the table calls it.
    fn name(&self) -> String;
    /// The next ticks of the problem's input.
    fn run(&mut self, ticks: Range<usize>) -> Result<Turn, CliError>;
}

/// Strength of the firing-rate regularisation of a form.
pub(super) fn c_reg(online: bool) -> f64 {
    if online { 1.0 } else { 300.0 }
}

/// The problem's network in single or double precision.
pub(super) fn network<R: Real>(problem: &Problem, neurons: &NeuronParams) -> Network<R> {
    let from = &problem.network;
    let cast = |values: &[f64]| values.iter().map(|&w| R::of(w)).collect();
    let mut network = Network::new(from.topology, neurons);
    network.weights = Weights {
        w_in: cast(&from.weights.w_in),
        w_rec: cast(&from.weights.w_rec),
        w_out: cast(&from.weights.w_out),
    };
    network.feedback = from.feedback.as_deref().map(cast);
    network
}

fn precision<R>() -> &'static str {
    if size_of::<R>() == 4 { "f32" } else { "f64" }
}

/// Learning in every tick.
pub(super) struct OurOnline<'a, R> {
    problem: &'a Problem,
    online: Online<R>,
    error: Vec<R>,
}

impl<'a, R: Real> OurOnline<'a, R> {
    pub fn new(problem: &'a Problem) -> Result<Self, CliError> {
        let config = OnlineConfig {
            kappa: KAPPA,
            kappa_reg: KAPPA,
            c_reg: c_reg(true),
            f_target_hz: F_TARGET_HZ,
            optimizer: problem.optimizer.clone(),
            bounds: (-100.0, 100.0),
            feedback: Feedback::Random,
            ..OnlineConfig::default()
        };
        Ok(Self {
            problem,
            online: Online::new(network(problem, &problem.neurons), &config)?,
            error: vec![R::ZERO; problem.sizes.n_out],
        })
    }

    fn ticks(&mut self, ticks: Range<usize>) -> Result<u64, CliError> {
        let mut spikes = 0;
        for inputs in &self.problem.inputs[ticks] {
            self.online.tick(inputs)?;
            for (error, &y) in self.error.iter_mut().zip(self.online.readout()) {
                *error = y - R::of(TARGET);
            }
            self.online.learn(Some(&self.error));
            spikes += self.online.fired().len() as u64;
        }
        Ok(spikes)
    }
}

impl<R: Real> Contestant for OurOnline<'_, R> {
    fn name(&self) -> String {
        format!("online {}", precision::<R>())
    }

    fn run(&mut self, ticks: Range<usize>) -> Result<Turn, CliError> {
        let mut spikes = Ok(0);
        let cpu_s = timed(|| spikes = self.ticks(ticks));
        Ok(Turn {
            cpu_s,
            spikes: spikes?,
        })
    }
}

/// Learning at the end of every interval, from its record, a turn being an interval.
pub(super) struct OurOffline<'a, R> {
    problem: &'a Problem,
    network: Network<R>,
    interval: Interval<R>,
    readout: Vec<R>,
    adjoint: Adjoint<R>,
    gradients: Weights<R>,
    optimizer: Optimizer<R>,
}

impl<'a, R: Real> OurOffline<'a, R> {
    pub fn new(problem: &'a Problem, ticks: usize) -> Result<Self, CliError> {
        // As NEST's neurons of this form.
        let neurons = NeuronParams {
            reset: Reset::Late,
            ..problem.neurons.clone()
        };
        let network = network(problem, &neurons);
        let optimizer = Optimizer::new(problem.optimizer.clone(), &network.topology)?;
        Ok(Self {
            interval: Interval::new(&network, ticks, ticks * problem.sizes.n_in),
            readout: vec![R::ZERO; problem.sizes.n_out],
            adjoint: Adjoint::new(&network),
            gradients: Weights::zeros(&network.topology),
            optimizer: optimizer.bounded(-100.0, 100.0)?,
            network,
            problem,
        })
    }

    fn learn(&mut self, ticks: Range<usize>) -> Result<u64, CliError> {
        self.interval.begin();
        let target = R::of(TARGET);
        for inputs in &self.problem.inputs[ticks] {
            self.interval.step(&self.network, inputs);
            self.readout.copy_from_slice(self.interval.readout());
            if let Some(error) = self.interval.error_mut() {
                for (error, &y) in error.iter_mut().zip(&self.readout) {
                    *error = y - target;
                }
            }
        }
        let config = EpropConfig {
            c_reg: c_reg(false),
            f_target_hz: F_TARGET_HZ,
            average_gradient: false,
        };
        self.gradients.clear();
        let (network, interval) = (&self.network, &self.interval);
        self.adjoint
            .accumulate(network, interval, &config, &mut self.gradients);
        let weights = &mut self.network.weights;
        self.optimizer.step(weights, &self.gradients, 1, 1.0)?;
        Ok(self.interval.spikes().all().len() as u64)
    }
}

impl<R: Real> Contestant for OurOffline<'_, R> {
    fn name(&self) -> String {
        format!("offline, exact, {}", precision::<R>())
    }

    fn run(&mut self, ticks: Range<usize>) -> Result<Turn, CliError> {
        let mut spikes = Ok(0);
        let cpu_s = timed(|| spikes = self.learn(ticks));
        Ok(Turn {
            cpu_s,
            spikes: spikes?,
        })
    }
}
