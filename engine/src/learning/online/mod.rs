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
//! brought up to date when that happens, tick by tick out of a short history of `psi`,
//! `L`, `f` and `E`, and not before: the same numbers in the same order as updating
//! every synapse in every tick, but each row is in the cache while its ticks are worked
//! off, and neurons that have never spiked cost nothing.
//!
//! # What NEST does otherwise
//! A spike that arrives in tick `s` finds there the weight as of tick `s - 2`, and the
//! learning signal of that tick has not arrived either: it is lost. [`Online::as_nest`]
//! does the same, for comparisons only.

mod synapses;

use serde::{Deserialize, Serialize};

use super::feedback::Feedback;
use super::optimizer::{OptimizerConfig, keep_within};
use crate::error::{Error, Result, check};
use crate::network::{Network, Part};
use crate::neurons::{Dynamics, Layer};
use crate::real::Real;
use crate::simd::{add_rows, add_scaled};
use synapses::{Kind, Synapses};

/// Ticks that a row may lie behind.
const HORIZON: u64 = 128;

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
    network: Network<R>,
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
        let synapses = [
            Synapses::new(
                Kind::Input,
                (t.n_in, n),
                network.absent(Part::Input),
                config,
            ),
            Synapses::new(
                Kind::Recurrent,
                (n, n),
                network.absent(Part::Recurrent),
                config,
            ),
            Synapses::new(
                Kind::Readout,
                (n, t.n_out),
                network.absent(Part::Readout),
                config,
            ),
        ];
        let rule = Rule::new(&network.dynamics, config);
        for part in network.weights.parts_mut() {
            keep_within(part, rule.bounds);
        }
        Ok(Self {
            rule,
            layer: Layer::new(t.n_lif, t.n_alif, network.beta),
            readout: vec![R::ZERO; t.n_out],
            fired: Vec::with_capacity(n),
            rate: vec![R::ZERO; n],
            past: Past::new(n, t.n_out),
            before: Vec::with_capacity(n * t.n_out),
            synapses,
            now: 0,
            open: false,
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

    /// One tick with these input spikes; the error of the tick before is zero if it
    /// was never given.
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
        for synapses in 0..3 {
            self.catch_up_late_rows(synapses);
        }
        self.arrive(0, inputs);
        add_rows(&mut self.layer.current, &self.network.weights.w_in, inputs);
        let fired = std::mem::take(&mut self.fired);
        self.arrive(1, &fired);
        add_rows(&mut self.layer.current, &self.network.weights.w_rec, &fired);
        self.fired = fired;
        let psi = self.past.psi.row_mut(self.now);
        self.layer.step(&self.network.dynamics, psi);
        self.fired.clear();
        self.layer.fired(&mut self.fired);
        self.read_out();
        self.open = true;
        Ok(())
    }

    fn read_out(&mut self) {
        let fired = std::mem::take(&mut self.fired);
        self.arrive(2, &fired);
        let d = &self.network.dynamics;
        for y in &mut self.readout {
            *y *= d.kappa;
        }
        let k = self.readout.len();
        for &j in &fired {
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
        self.now += 1;
        if self.rule.feedback != Feedback::Random {
            // The learning signal of the next tick needs the readout weights of this one.
            let feedback = self.rule.feedback;
            feedback.remember(&self.network, &mut self.before);
            self.settle_part(2);
            feedback.follow(&mut self.network, &self.before);
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

    /// Spikes of these neurons arrive at the synapses of a part in this tick.
    fn arrive(&mut self, part: usize, neurons: &[u32]) {
        let end = self.now.saturating_sub(self.rule.lag);
        let beta = &self.layer.beta;
        let weights = &mut self.network.weights.parts_mut()[part][..];
        let synapses = &mut self.synapses[part];
        for &i in neurons {
            synapses.catch_up(i as usize, end, weights, &self.past, &self.rule, beta, true);
            synapses.spike(i as usize, self.now, &self.rule);
        }
    }

    /// Rows whose ticks would fall out of the history, and those NEST flushes.
    fn catch_up_late_rows(&mut self, part: usize) {
        let (now, lag) = (self.now, self.rule.lag);
        let weights = &mut self.network.weights.parts_mut()[part][..];
        let synapses = &mut self.synapses[part];
        for i in 0..synapses.rows.len() {
            let flush = synapses.flush_is_due(i, now);
            if flush || now - synapses.rows[i].next >= HORIZON {
                let (past, beta) = (&self.past, &self.layer.beta);
                synapses.catch_up(i, now - lag, weights, past, &self.rule, beta, flush);
            }
        }
    }

    fn settle_part(&mut self, part: usize) {
        let end = self.now.saturating_sub(self.rule.lag);
        let weights = &mut self.network.weights.parts_mut()[part][..];
        let synapses = &mut self.synapses[part];
        for i in 0..synapses.rows.len() {
            let beta = &self.layer.beta;
            synapses.catch_up(i, end, weights, &self.past, &self.rule, beta, false);
        }
    }

    /// Brings every weight up to the last tick that was learnt from. Needed before
    /// weights are read; changes nothing of what comes after.
    pub fn settle(&mut self) {
        for part in 0..3 {
            self.settle_part(part);
        }
    }

    /// The network, its weights as of the last [`Online::settle`].
    pub fn network(&self) -> &Network<R> {
        &self.network
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

/// Coefficients of the rule.
#[derive(Clone, Debug)]
struct Rule<R> {
    alpha: R,
    p: R,
    rho: R,
    kappa_out: R,
    p_out: R,
    kappa: R,
    kappa_reg: R,
    c_reg: R,
    /// In spikes per ms.
    f_target: R,
    /// 1/dt.
    per_ms: R,
    cutoff: u64,
    optimizer: OptimizerConfig,
    bounds: (R, R),
    feedback: Feedback,
    /// Ticks by which learning is behind an arriving spike: 0, in NEST 1.
    lag: u64,
}

impl<R: Real> Rule<R> {
    fn new(d: &Dynamics<R>, config: &OnlineConfig) -> Self {
        Self {
            alpha: d.alpha,
            p: d.p,
            rho: d.rho,
            kappa_out: d.kappa,
            p_out: d.p_out,
            kappa: R::of(config.kappa),
            kappa_reg: R::of(config.kappa_reg),
            c_reg: R::of(config.c_reg),
            f_target: R::of(config.f_target_hz / 1000.0),
            per_ms: R::of(1.0 / d.dt_ms),
            cutoff: config.cutoff_ticks.map_or(u64::MAX, u64::from),
            optimizer: config.optimizer.clone(),
            bounds: (R::of(config.bounds.0), R::of(config.bounds.1)),
            feedback: config.feedback,
            lag: 0,
        }
    }
}

/// The last `HORIZON` rows of something, and two for those under way.
#[derive(Clone, Debug)]
struct Ring<R> {
    rows: Vec<R>,
    n: usize,
}

impl<R: Real> Ring<R> {
    const ROWS: u64 = HORIZON + 2;

    fn new(n: usize) -> Self {
        Self {
            rows: vec![R::ZERO; Self::ROWS as usize * n],
            n,
        }
    }

    fn row(&self, tick: u64) -> &[R] {
        &self.rows[(tick % Self::ROWS) as usize * self.n..][..self.n]
    }

    fn row_mut(&mut self, tick: u64) -> &mut [R] {
        &mut self.rows[(tick % Self::ROWS) as usize * self.n..][..self.n]
    }
}

/// What the synapses need of the last ticks.
#[derive(Clone, Debug)]
struct Past<R> {
    /// `psi`, `L` and `c_reg (f - f_target)`, `[n_rec]` each.
    psi: Ring<R>,
    signal: Ring<R>,
    reg: Ring<R>,
    /// `E`, `[n_out]`.
    error: Ring<R>,
}

impl<R: Real> Past<R> {
    fn new(n: usize, n_out: usize) -> Self {
        Self {
            psi: Ring::new(n),
            signal: Ring::new(n),
            reg: Ring::new(n),
            error: Ring::new(n_out),
        }
    }
}
