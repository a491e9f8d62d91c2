//! e-prop that learns while it runs: no interval, no reset, weights that change every tick.
//!
//! The form of NEST 3.10's `eprop_iaf`, `eprop_iaf_adapt` and `eprop_synapse`
//! (Korcsak-Gorzo et al. 2025). With the neurons of [`crate::neurons`] and, for
//! presynaptic `i` and postsynaptic `j`, the loss gradient of one tick:
//!
//! ```text
//! zbar_i  = alpha zbar_i + P z_i                     spikes that arrive in this tick
//! e_ji    = psi_j (zbar_i - beta_j eps_ji);  eps_ji = rho eps_ji + e_ji  (after use)
//! ebar_ji = kappa ebar_ji + e_ji
//! rbar_ji = kappa_reg rbar_ji + (1 - kappa_reg) e_ji
//! f_j     = kappa_reg f_j + (1 - kappa_reg) z_j/dt   running rate, in spikes per ms
//! g_ji    = L_j ebar_ji + c_reg (f_j - f_target) rbar_ji,   L_j = sum_k B_kj E_k
//! g_kj    = E_k zbarO_j,   zbarO_j = kappa_out zbarO_j + Po z_j
//! ```
//!
//! A weight matters only when its presynaptic neuron spikes. So a row of synapses is
//! brought up to date when that happens, out of a short history of `psi`, `L`, `f` and
//! `E`, and not before; some rows in every tick, in turns, so that none falls out of the
//! history. With gradient descent the ticks between are crossed in one step
//! ([`span`]), exact up to rounding, so that cost follows the spikes. Where that cannot
//! be (Adam; weights that could meet their bounds) they are worked off tick by tick:
//! the same numbers in the same order as updating every synapse in every tick.
//! Neurons that have never spiked cost nothing, and neither do synapses that there are not:
//! where few of them are, each row has the addresses of its own ([`columns`]).
//!
//! A synapse may have a delay. A spike of neuron `i` that arrives `d` ticks later is the
//! spike of another neuron, as far as its synapses can tell, so the synapses of `i` that
//! have one delay are a row with a `zbar` of its own.
//!
//! [`Online::new`] takes a [`Network`]; [`Builder::online`](crate::circuit::Builder::online)
//! builds several populations with sparse, delayed projections.
//!
//! # What NEST does otherwise
//! A spike that arrives in tick `s` finds there the weight as of tick `s - 2`, and its
//! steps of Adam are counted by another clock. [`Online::as_nest`] does the same, for
//! comparisons only.

mod columns;
mod model;
mod past;
mod projection;
mod span;
mod synapses;

pub use model::Cells;
pub use projection::Connection;

use serde::{Deserialize, Serialize};

use super::feedback::Feedback;
use super::optimizer::{OptimizerConfig, keep_within};
use crate::circuit;
use crate::error::{Error, Result, check};
use crate::network::{Network, Part};
use crate::neurons::{Dynamics, Layer};
use crate::real::Real;
use crate::simd::add_scaled;
use past::{Past, Rule};
use projection::{Pre, Projection, Sizes};
use span::Span;
use synapses::{Due, Kind};

/// Parameters of the rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnlineConfig {
    /// Decay of the eligibility in a tick (`ebar`).
    pub kappa: f64,
    /// Decay in a tick of what the firing rate is regularised with.
    pub kappa_reg: f64,
    /// Strength of the firing-rate regularisation.
    pub c_reg: f64,
    /// Firing rate it pulls to, in Hz.
    pub f_target_hz: f64,
    /// Ticks after a presynaptic spike in which its synapses learn; none is for ever.
    /// Cost follows the spikes then, and what is cut off has decayed.
    pub cutoff_ticks: Option<u32>,
    /// What changes the weights, every tick.
    pub optimizer: OptimizerConfig,
    /// Lowest and highest weight.
    pub bounds: (f64, f64),
    /// Where the learning signal comes from.
    pub feedback: Feedback,
}

impl Default for OnlineConfig {
    fn default() -> Self {
        Self {
            kappa: 0.97,
            kappa_reg: 0.97,
            c_reg: 0.0,
            f_target_hz: 10.0,
            cutoff_ticks: None,
            optimizer: OptimizerConfig::Sgd { eta: 1e-4 },
            bounds: (-1e9, 1e9),
            feedback: Feedback::Symmetric,
        }
    }
}

impl OnlineConfig {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("online.kappa", self.kappa, 0.0, 1.0)?;
        check("online.kappa_reg", self.kappa_reg, 0.0, 1.0)?;
        check("online.c_reg", self.c_reg, 0.0, 1e9)?;
        check("online.f_target_hz", self.f_target_hz, 0.0, 1e4)?;
        let cutoff = f64::from(self.cutoff_ticks.unwrap_or(2));
        check("online.cutoff_ticks", cutoff, 2.0, 1e9)?;
        check("online.bounds.0", self.bounds.0, -1e9, 0.0)?;
        check("online.bounds.1", self.bounds.1, 0.0, 1e9)?;
        self.feedback.validate()?;
        self.optimizer.validate()
    }
}

/// What synapses need of the neurons that they lead to.
#[derive(Clone, Debug)]
struct Side<R> {
    rule: Rule<R>,
    past: Past<R>,
    span: Span<R>,
    /// Rise of the threshold by a spike of each neuron, ALIF last.
    beta: Vec<R>,
}

impl<R: Real> Side<R> {
    /// Of `n` neurons or readouts; `beta` of neurons.
    fn new(kind: Kind, rule: Rule<R>, n: usize, beta: Vec<R>) -> Self {
        let (cells, n_out) = match kind {
            Kind::Spiking => (n, 0),
            Kind::Readout => (0, n),
        };
        Self {
            past: Past::new(cells, n_out),
            span: Span::new(kind, &rule, n_out, &beta),
            rule,
            beta,
        }
    }

    /// Notes what the rates of the tick's neurons ask for.
    fn regulate(&mut self, now: u64, population: &mut Population<R>) {
        let (rule, reg) = (&self.rule, self.past.reg.row_mut(now));
        let rates = population.rate.iter_mut().zip(&population.layer.z);
        for ((f, &z), reg) in rates.zip(reg) {
            *f = rule.kappa_reg * *f + (R::ONE - rule.kappa_reg) * z * rule.per_ms;
            *reg = rule.c_reg * (*f - rule.f_target);
        }
    }

    /// The tick's learning signal has been written.
    fn signalled(&mut self, now: u64) {
        if self.rule.decays.len() == 1 {
            // One trace serves both.
            let (signal, reg) = (self.past.signal.row_mut(now), self.past.reg.row(now));
            add_scaled(signal, R::ONE, reg);
        }
        self.past.note_peaks(now);
    }
}

/// A population of neurons that fire.
#[derive(Clone, Debug)]
struct Population<R> {
    layer: Layer<R>,
    dynamics: Dynamics<R>,
    fired: Vec<u32>,
    /// Running rate `f`, `[n]`.
    rate: Vec<R>,
    /// `[n_out, n]`, or none where it is symmetric.
    feedback: Option<Vec<R>>,
}

impl<R: Real> Population<R> {
    fn new(layer: Layer<R>, dynamics: Dynamics<R>, feedback: Option<Vec<R>>) -> Self {
        let n = layer.v.len();
        Self {
            layer,
            dynamics,
            fired: Vec::with_capacity(n),
            rate: vec![R::ZERO; n],
            feedback,
        }
    }
}

/// A network that learns while it runs.
#[derive(Clone, Debug)]
pub struct Online<R> {
    /// The first input of each group, and their number.
    inputs: Vec<u32>,
    populations: Vec<Population<R>>,
    /// Index here (the readout comes last) of each population of the builder.
    numbers: Vec<usize>,
    readout: Vec<R>,
    /// Of the populations in their order, and of the readout, last.
    sides: Vec<Side<R>>,
    /// Their weights are those of the last spike of each neuron, or a little later.
    projections: Vec<Projection<R>>,
    feedback: Feedback,
    /// The weights to the readout before they change, of each projection, where the
    /// feedback follows them.
    before: Vec<Vec<R>>,
    /// Rows that catch up in this tick.
    due: Vec<Due>,
    /// The tick under way, from 0.
    now: u64,
    /// Whether the tick under way has run and waits for its error.
    open: bool,
    /// The network that it was made from, as [`Online::settle`] found it.
    network: Option<Network<R>>,
    /// The synapses of each projection, as [`Online::settle`] found them.
    settled: Vec<Vec<R>>,
}

impl<R: Real> Online<R> {
    /// A network at rest. It takes its weights, moved into their bounds, and its
    /// feedback from `network`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a parameter is out of range, or where the feedback is
    /// not symmetric and the network has none.
    pub fn new(mut network: Network<R>, config: &OnlineConfig) -> Result<Self> {
        if config.feedback != Feedback::Symmetric && network.feedback.is_none() {
            return Err(Error::Parameter {
                name: "online.feedback".to_owned(),
                value: format!("{:?}", config.feedback),
                range: "symmetric for a network without feedback weights".to_owned(),
            });
        }
        config.validate()?;
        let t = network.topology;
        let n = t.n_rec();
        let layer = Layer::new(t.n_lif, t.n_alif, network.beta);
        let rule = Rule::new(&network.dynamics, network.beta, config);
        for part in network.weights.parts_mut() {
            keep_within(part, rule.bounds);
        }
        let n_alif = layer.beta.iter().filter(|b| **b != R::ZERO).count();
        let inputs = Pre::Inputs {
            first: 0,
            n: t.n_in as u32,
        };
        let projections = [
            (
                Part::Input,
                (inputs, 0, Kind::Spiking),
                (t.n_in, n, n_alif),
                0,
            ),
            (
                Part::Recurrent,
                (Pre::Cells(0), 0, Kind::Spiking),
                (n, n, n_alif),
                1,
            ),
            (
                Part::Readout,
                (Pre::Cells(0), 1, Kind::Readout),
                (n, t.n_out, 0),
                0,
            ),
        ]
        .map(|(part, ends, (pre, post, n_alif), delay)| {
            let connections = of_network(&network, part, post, delay);
            let sizes = Sizes { pre, post, n_alif };
            Projection::new(ends, sizes, &connections, &rule, config)
        });
        let sides = vec![
            Side::new(Kind::Spiking, rule.clone(), n, layer.beta.clone()),
            Side::new(Kind::Readout, rule, t.n_out, Vec::new()),
        ];
        let population = Population::new(layer, network.dynamics.clone(), network.feedback.clone());
        let mut online = Self::of(vec![0, t.n_in as u32], vec![population], sides, config);
        online.connect(projections.into());
        online.network = Some(network);
        Ok(online)
    }

    /// Populations and a readout, at rest, without synapses. `inputs`: the first input of
    /// each group, and how many there are in all.
    fn of(
        inputs: Vec<u32>,
        populations: Vec<Population<R>>,
        sides: Vec<Side<R>>,
        config: &OnlineConfig,
    ) -> Self {
        let n_out = sides.last().map_or(0, |side| side.past.error.row(0).len());
        Self {
            inputs,
            numbers: (0..=populations.len()).collect(),
            populations,
            readout: vec![R::ZERO; n_out],
            sides,
            projections: Vec::new(),
            feedback: config.feedback,
            before: Vec::new(),
            due: Vec::new(),
            now: 0,
            open: false,
            network: None,
            settled: Vec::new(),
        }
    }

    /// Gives it its synapses.
    fn connect(&mut self, projections: Vec<Projection<R>>) {
        self.due = Vec::with_capacity(projections.iter().map(Projection::rows).sum());
        self.settled = projections.iter().map(|p| p.weights.clone()).collect();
        self.before.clone_from(&self.settled);
        self.projections = projections;
    }

    /// The same with NEST's delays (see the module docs). To be called before the first tick.
    #[must_use]
    pub fn as_nest(mut self) -> Self {
        for side in &mut self.sides {
            side.rule.lag = 1;
        }
        for projection in &mut self.projections {
            // NEST counts Adam's steps by its own clock, which is ahead of ours by this.
            let to_readout = projection.to == self.populations.len();
            projection.synapses.steps_ahead = if to_readout { 3 } else { 2 };
        }
        self
    }

    /// One tick with these input spikes (an input that is named twice spikes once); the error
    /// of the tick before is zero if it was never given.
    ///
    /// # Errors
    /// [`Error::InputOutOfRange`]; nothing has happened then.
    pub fn tick(&mut self, inputs: &[u32]) -> Result<()> {
        let n_in = self.inputs.last().map_or(0, |&n| n as usize);
        if let Some(&id) = inputs.iter().find(|id| **id as usize >= n_in) {
            return Err(Error::InputOutOfRange { id, n_in });
        }
        if self.open {
            self.learn(None);
        }
        let now = self.now;
        for projection in &mut self.projections {
            if let Pre::Inputs { first, n } = projection.from {
                for &id in inputs {
                    if let Some(i) = id.checked_sub(first).filter(|i| *i < n) {
                        projection.send(i, now);
                    }
                }
            }
        }
        for p in 0..self.populations.len() {
            self.catch_up(p);
            let current = &mut self.populations[p].layer.current;
            for projection in self.projections.iter_mut().filter(|to| to.to == p) {
                projection.arrive(now, R::ONE, current, &self.sides[p].rule);
            }
            let population = &mut self.populations[p];
            let psi = self.sides[p].past.psi.row_mut(now);
            population.layer.step(&population.dynamics, psi);
            population.fired.clear();
            population.layer.fired(&mut population.fired);
        }
        for projection in &mut self.projections {
            if let Pre::Cells(p) = projection.from {
                for &i in &self.populations[p].fired {
                    projection.send(i, now);
                }
            }
        }
        self.read_out();
        self.open = true;
        Ok(())
    }

    fn read_out(&mut self) {
        let to = self.populations.len();
        self.catch_up(to);
        let rule = &self.sides[to].rule;
        for y in &mut self.readout {
            *y *= rule.kappa_out;
        }
        for projection in self.projections.iter_mut().filter(|p| p.to == to) {
            projection.arrive(self.now, rule.p_out, &mut self.readout, rule);
        }
    }

    /// Ends the tick with the error of its readout (`y - target`, or what
    /// [`super::loss`] writes); `None` where there is no teacher: only the firing
    /// rates are regulated then. Without a tick under way it does nothing.
    ///
    /// # Panics
    /// Where the error has another length than the readout.
    pub fn learn(&mut self, error: Option<&[R]>) {
        if !self.open {
            return;
        }
        self.open = false;
        let now = self.now;
        let Some((to_readout, sides)) = self.sides.split_last_mut() else {
            return;
        };
        let last = sides.len();
        let row = to_readout.past.error.row_mut(now);
        match error {
            Some(error) => row.copy_from_slice(error),
            None => row.fill(R::ZERO),
        }
        to_readout.past.note_peaks(now);
        let error = to_readout.past.error.row(now);
        for (p, (side, population)) in sides.iter_mut().zip(&mut self.populations).enumerate() {
            side.regulate(now, population);
            let signal = side.past.signal.row_mut(now);
            signal.fill(R::ZERO);
            match &population.feedback {
                Some(feedback) if self.feedback != Feedback::Symmetric => {
                    for (b, &e) in feedback.chunks_exact(signal.len().max(1)).zip(error) {
                        add_scaled(signal, e, b);
                    }
                }
                _ => {
                    let (from, to) = (Pre::Cells(p), last);
                    let here = |q: &&Projection<R>| q.from == from && q.to == to;
                    for projection in self.projections.iter().filter(here) {
                        projection.send_back(error, signal);
                    }
                }
            }
            side.signalled(now);
        }
        self.now += 1;
        if self.feedback != Feedback::Random {
            self.follow();
        }
    }

    /// The learning signal of the next tick needs the readout weights of this one.
    fn follow(&mut self) {
        let to = self.populations.len();
        let end = self.now.saturating_sub(self.sides[to].rule.lag);
        let adaptive = matches!(self.feedback, Feedback::Adaptive { .. });
        for (part, projection) in self.projections.iter_mut().enumerate() {
            if projection.to == to && projection.plastic {
                projection.synapses.all_due(part, end, &mut self.due);
                if adaptive {
                    self.before[part].clone_from(&projection.weights);
                }
            }
        }
        self.work_off(to, end);
        let Feedback::Adaptive { decay } = self.feedback else {
            return;
        };
        let keep = R::of(1.0 - decay);
        for (projection, before) in self.projections.iter_mut().zip(&self.before) {
            let Pre::Cells(p) = projection.from else {
                continue;
            };
            if let Some(feedback) = &mut self.populations[p].feedback
                && projection.to == to
                && projection.plastic
            {
                projection.lead(before, keep, feedback);
            }
        }
        let feedbacks = self.populations.iter_mut().flat_map(|p| &mut p.feedback);
        feedbacks.flatten().for_each(|b| *b *= keep);
    }

    /// Rows that lead to `to` and at which spikes arrive in this tick, or whose turn it is,
    /// learn from the ticks before.
    fn catch_up(&mut self, to: usize) {
        let end = self.now.saturating_sub(self.sides[to].rule.lag);
        for (part, projection) in self.projections.iter_mut().enumerate() {
            if projection.to == to && projection.plastic {
                projection.due(part, self.now, end, &mut self.due);
            }
        }
        self.work_off(to, end);
    }

    /// Rows that are due, all of them leading to `to`, learn from the ticks before `end`.
    fn work_off(&mut self, to: usize, end: u64) {
        if self.due.is_empty() {
            return;
        }
        self.due.sort_unstable();
        let Side {
            rule,
            past,
            span,
            beta,
        } = &mut self.sides[to];
        let crossing = rule.lag == 0 && matches!(rule.optimizer, OptimizerConfig::Sgd { .. });
        span.begin(end);
        for due in self.due.drain(..) {
            let i = due.row as usize;
            let Projection {
                synapses, weights, ..
            } = &mut self.projections[due.part];
            if synapses.take_up(i, due.ticks) && crossing {
                span.back_to(due.ticks, past, rule, beta);
                if synapses.cross(i, due.ticks, weights, span, rule) {
                    continue;
                }
            }
            synapses.catch_up(i, end, weights, past, rule, beta);
        }
    }

    /// Brings the weights that can be looked at ([`Online::network`],
    /// [`Online::connections`]) up to the last tick that was learnt from. Changes nothing
    /// of what comes after, not by a bit; it copies the network, and is no part of a tick.
    pub fn settle(&mut self) {
        let mut ahead = self.clone();
        for to in 0..ahead.sides.len() {
            let end = ahead.now.saturating_sub(ahead.sides[to].rule.lag);
            for (part, projection) in ahead.projections.iter_mut().enumerate() {
                if projection.to == to && projection.plastic {
                    projection.synapses.all_due(part, end, &mut ahead.due);
                }
            }
            ahead.work_off(to, end);
        }
        if let Some(network) = &mut self.network {
            let parts = network.weights.parts_mut().into_iter();
            for (part, projection) in parts.zip(&ahead.projections) {
                projection.write(part);
            }
            network.feedback.clone_from(&ahead.populations[0].feedback);
        }
        self.settled = ahead.projections.into_iter().map(|p| p.weights).collect();
    }

    /// The network that [`Online::new`] was given, its weights as of the last
    /// [`Online::settle`]; none where it was built otherwise.
    pub fn network(&self) -> Option<&Network<R>> {
        self.network.as_ref()
    }

    /// Synapses of a projection, in the order in which they were described, as of the last
    /// [`Online::settle`]; ascending by presynaptic neuron, delay and postsynaptic neuron.
    ///
    /// # Panics
    /// Where there is no such projection.
    pub fn connections(&self, projection: usize) -> Vec<Connection<R>> {
        self.projections[projection].connections(&self.settled[projection])
    }

    /// The number by which [`Online::tick`] knows the first input of a group.
    ///
    /// # Panics
    /// Where the inputs are those of another network.
    pub fn first_input(&self, group: circuit::Inputs) -> u32 {
        self.inputs[group.0]
    }

    /// State of the neurons of the first population.
    pub fn layer(&self) -> &Layer<R> {
        &self.populations[0].layer
    }

    /// Readout after the last tick, `[n_out]`.
    pub fn readout(&self) -> &[R] {
        &self.readout
    }

    /// Neurons of the first population that fired in the last tick, ascending.
    pub fn fired(&self) -> &[u32] {
        &self.populations[0].fired
    }

    /// Neurons of a population that fired in the last tick, ascending; a readout has none.
    ///
    /// # Panics
    /// Where the population is of another network.
    pub fn fired_of(&self, population: circuit::Population) -> &[u32] {
        let cells = self.populations.get(self.numbers[population.0]);
        cells.map_or(&[], |cells| &cells.fired)
    }
}

/// The synapses of a part of a network, with one delay.
fn of_network<R: Real>(
    network: &Network<R>,
    part: Part,
    n_post: usize,
    delay_ticks: u32,
) -> Vec<Connection<R>> {
    let absent = network.absent(part);
    let (mut next, mut all) = (0, Vec::new());
    for (at, &weight) in network.weights.parts()[part as usize].iter().enumerate() {
        let (from, to) = ((at / n_post) as u32, (at % n_post) as u32);
        if absent.get(next) == Some(&(at as u32)) {
            next += 1;
        } else if part != Part::Recurrent || from != to {
            all.push(Connection {
                from,
                to,
                delay_ticks,
                weight,
            });
        }
    }
    all
}
