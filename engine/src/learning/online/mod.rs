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
//! Neurons that have never spiked cost nothing.
//!
//! # What NEST does otherwise
//! A spike that arrives in tick `s` finds there the weight as of tick `s - 2`, and the
//! learning signal of that tick has not arrived either: it is lost. [`Online::as_nest`]
//! does the same, for comparisons only.

mod past;
mod span;
mod synapses;

use serde::{Deserialize, Serialize};

use super::feedback::Feedback;
use super::optimizer::{OptimizerConfig, keep_within};
use crate::error::{Error, Result, check};
use crate::network::{Network, Part, Topology};
use crate::neurons::Layer;
use crate::real::Real;
use crate::simd::{add_rows, add_scaled};
use past::{Past, Rule};
use span::Span;
use synapses::{Due, Kind, Synapses};

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

/// A network that learns while it runs.
#[derive(Clone, Debug)]
pub struct Online<R> {
    /// Its weights are those of the last spike of each neuron, or a little later.
    network: Network<R>,
    /// The network as [`Online::settle`] found it.
    settled: Option<Network<R>>,
    rule: Rule<R>,
    layer: Layer<R>,
    readout: Vec<R>,
    fired: Vec<u32>,
    /// Running rate `f`, `[n_rec]`.
    rate: Vec<R>,
    past: Past<R>,
    /// The readout weights before they change, where the feedback follows them.
    before: Vec<R>,
    synapses: [Synapses<R>; 3],
    /// Towards the recurrent layer, and towards the readout.
    spans: [Span<R>; 2],
    /// Rows that catch up in this tick.
    due: Vec<Due>,
    /// The tick under way, from 0.
    now: u64,
    /// Whether the tick under way has run and waits for its error.
    open: bool,
}

impl<R: Real> Online<R> {
    /// A network at rest. It takes its weights, moved into their bounds, and its
    /// feedback from `network`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a parameter is out of range, or where the feedback is
    /// not symmetric and the network has none.
    pub fn new(mut network: Network<R>, config: &OnlineConfig) -> Result<Self> {
        config.validate()?;
        if config.feedback != Feedback::Symmetric && network.feedback.is_none() {
            return Err(Error::Parameter {
                name: "online.feedback".to_owned(),
                value: format!("{:?}", config.feedback),
                range: "symmetric for a network without feedback weights".to_owned(),
            });
        }
        let t = network.topology;
        let n = t.n_rec();
        let layer = Layer::new(t.n_lif, t.n_alif, network.beta);
        let rule = Rule::new(&network.dynamics, network.beta, config);
        for part in network.weights.parts_mut() {
            keep_within(part, rule.bounds);
        }
        let span = |kind| Span::new(kind, &rule, t.n_out, &layer.beta);
        Ok(Self {
            spans: [span(Kind::Recurrent), span(Kind::Readout)],
            synapses: synapses(&network, &layer, &rule, config),
            rule,
            layer,
            readout: vec![R::ZERO; t.n_out],
            fired: Vec::with_capacity(n),
            rate: vec![R::ZERO; n],
            past: Past::new(n, t.n_out),
            before: Vec::with_capacity(n * t.n_out),
            due: Vec::with_capacity(t.n_in + n),
            now: 0,
            open: false,
            settled: None,
            network,
        })
    }

    /// The same with NEST's delays (see the module docs), `flush_after` ticks being
    /// its `flush_event_send_interval`. To be called before the first tick.
    #[must_use]
    pub fn as_nest(mut self, flush_after: u32) -> Self {
        self.rule.lag = 1;
        self.synapses[1].flush_after = Some(u64::from(flush_after));
        // NEST counts Adam's steps by its own clock, which is ahead of ours by this.
        for (synapses, ahead) in self.synapses.iter_mut().zip([2, 2, 3]) {
            synapses.steps_ahead = ahead;
        }
        self
    }

    /// One tick with these input spikes, each input at most once; the error of the tick
    /// before is zero if it was never given.
    ///
    /// # Errors
    /// [`Error::InputOutOfRange`]; nothing has happened then.
    pub fn tick(&mut self, inputs: &[u32]) -> Result<()> {
        let n_in = self.network.topology.n_in;
        if let Some(&id) = inputs.iter().find(|id| **id as usize >= n_in) {
            return Err(Error::InputOutOfRange { id, n_in });
        }
        if self.open {
            self.learn(None);
        }
        let end = self.now.saturating_sub(self.rule.lag);
        let fired = std::mem::take(&mut self.fired);
        for (part, spikes) in [inputs, &fired].into_iter().enumerate() {
            self.arrive(part, spikes, end);
        }
        self.catch_up(end);
        for (part, spikes) in [inputs, &fired].into_iter().enumerate() {
            for &i in spikes {
                self.synapses[part].spike(i as usize, self.now, &self.rule);
            }
        }
        add_rows(&mut self.layer.current, &self.network.weights.w_in, inputs);
        add_rows(&mut self.layer.current, &self.network.weights.w_rec, &fired);
        self.fired = fired;
        let psi = self.past.psi.row_mut(self.now);
        self.layer.step(&self.network.dynamics, psi);
        self.fired.clear();
        self.layer.fired(&mut self.fired);
        self.read_out(end);
        self.open = true;
        Ok(())
    }

    fn read_out(&mut self, end: u64) {
        let fired = std::mem::take(&mut self.fired);
        self.arrive(2, &fired, end);
        self.catch_up(end);
        let d = &self.network.dynamics;
        for y in &mut self.readout {
            *y *= d.kappa;
        }
        let k = self.readout.len();
        for &j in &fired {
            self.synapses[2].spike(j as usize, self.now, &self.rule);
            let row = &self.network.weights.w_out[j as usize * k..][..k];
            add_scaled(&mut self.readout, d.p_out, row);
        }
        self.fired = fired;
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
        let (rule, now) = (&self.rule, self.now);
        let row = self.past.error.row_mut(now);
        match error {
            Some(error) => row.copy_from_slice(error),
            None => row.fill(R::ZERO),
        }
        let reg = self.past.reg.row_mut(now);
        for ((f, reg), &z) in self.rate.iter_mut().zip(reg).zip(&self.layer.z) {
            *f = rule.kappa_reg * *f + (R::ONE - rule.kappa_reg) * z * rule.per_ms;
            *reg = rule.c_reg * (*f - rule.f_target);
        }
        self.learning_signal();
        if self.rule.decays.len() == 1 {
            // One trace serves both.
            let (signal, reg) = (self.past.signal.row_mut(now), self.past.reg.row(now));
            add_scaled(signal, R::ONE, reg);
        }
        self.past.note_peaks(now);
        self.now += 1;
        if self.rule.feedback != Feedback::Random {
            // The learning signal of the next tick needs the readout weights of this one.
            let feedback = self.rule.feedback;
            feedback.remember(&self.network, &mut self.before);
            let end = self.now.saturating_sub(self.rule.lag);
            self.synapses[2].all_due(2, end, &mut self.due);
            self.catch_up(end);
            feedback.follow(&mut self.network, &self.before);
            if matches!(feedback, Feedback::Adaptive { .. }) {
                self.synapses[2].remeasure();
            }
        }
    }

    fn learning_signal(&mut self) {
        let signal = self.past.signal.row_mut(self.now);
        let error = self.past.error.row(self.now);
        signal.fill(R::ZERO);
        let n = signal.len();
        match &self.network.feedback {
            Some(feedback) if self.rule.feedback != Feedback::Symmetric => {
                for (b, &e) in feedback.chunks_exact(n.max(1)).zip(error) {
                    add_scaled(signal, e, b);
                }
            }
            _ => {
                let rows = self.network.weights.w_out.chunks_exact(error.len().max(1));
                for (l, row) in signal.iter_mut().zip(rows) {
                    for (&w, &e) in row.iter().zip(error) {
                        *l += w * e;
                    }
                }
            }
        }
    }

    /// Rows of a part that must catch up in this tick: spikes of these neurons arrive
    /// there, or it is their turn.
    fn arrive(&mut self, part: usize, neurons: &[u32], end: u64) {
        for &i in neurons {
            self.synapses[part].due(part, i, end, true, &mut self.due);
        }
        self.synapses[part].late_rows(part, self.now, end, &mut self.due);
    }

    /// Rows that are due learn from the ticks before `end`. They are all of the readout,
    /// or none.
    fn catch_up(&mut self, end: u64) {
        if self.due.is_empty() {
            return;
        }
        self.due.sort_unstable();
        let (past, rule, beta) = (&self.past, &self.rule, &self.layer.beta);
        let to_readout = self.due.first().is_some_and(|due| due.part == 2);
        let span = &mut self.spans[usize::from(to_readout)];
        let crossing = rule.lag == 0 && matches!(rule.optimizer, OptimizerConfig::Sgd { .. });
        span.begin(end);
        for due in self.due.drain(..) {
            let (i, synapses) = (due.row as usize, &mut self.synapses[due.part]);
            let weights = &mut self.network.weights.parts_mut()[due.part][..];
            if synapses.take_up(i, due.ticks) && crossing {
                span.back_to(due.ticks, past, rule, beta);
                if synapses.cross(i, due.ticks, weights, span, rule) {
                    continue;
                }
            }
            synapses.catch_up(i, end, weights, past, rule, beta, due.event);
        }
    }

    /// Brings the weights of [`Online::network`] up to the last tick that was learnt from.
    /// Changes nothing of what comes after, not by a bit; it copies the network, and is
    /// no part of a tick.
    pub fn settle(&mut self) {
        self.settled = None;
        let mut ahead = self.clone();
        let end = ahead.now.saturating_sub(ahead.rule.lag);
        for part in 0..2 {
            ahead.synapses[part].all_due(part, end, &mut ahead.due);
        }
        ahead.catch_up(end);
        ahead.synapses[2].all_due(2, end, &mut ahead.due);
        ahead.catch_up(end);
        self.settled = Some(ahead.network);
    }

    /// The network, its weights as of the last [`Online::settle`].
    pub fn network(&self) -> &Network<R> {
        self.settled.as_ref().unwrap_or(&self.network)
    }

    /// State of the recurrent layer.
    pub fn layer(&self) -> &Layer<R> {
        &self.layer
    }

    /// Readout after the last tick, `[n_out]`.
    pub fn readout(&self) -> &[R] {
        &self.readout
    }

    /// Neurons that fired in the last tick, ascending.
    pub fn fired(&self) -> &[u32] {
        &self.fired
    }
}

/// The synapses of a network, in the order of [`Part`].
fn synapses<R: Real>(
    network: &Network<R>,
    layer: &Layer<R>,
    rule: &Rule<R>,
    config: &OnlineConfig,
) -> [Synapses<R>; 3] {
    let Topology { n_in, n_out, .. } = network.topology;
    let n = network.topology.n_rec();
    let n_alif = layer.beta.iter().filter(|b| **b != R::ZERO).count();
    let mut recurrent = network.absent(Part::Recurrent).to_vec();
    recurrent.extend((0..n).map(|j| (j * n + j) as u32));
    recurrent.sort_unstable();
    recurrent.dedup();
    [
        (Kind::Input, n_in, n, network.absent(Part::Input)),
        (Kind::Recurrent, n, n, &recurrent),
        (Kind::Readout, n, n_out, network.absent(Part::Readout)),
    ]
    .map(|(kind, rows, n, absent)| Synapses::new(kind, (rows, n, n_alif), absent, rule, config))
}
