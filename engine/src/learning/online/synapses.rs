//! The synapses from one set of neurons to another, with their traces, row by row.

use super::OnlineConfig;
use super::past::{HORIZON, Past, Rule};
use super::span::Span;
use crate::learning::optimizer::{OptimizerConfig, keep_within};
use crate::real::Real;
use crate::simd::{drop_below, vectorised};

/// Where the synapses come from and lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// From inputs to recurrent neurons.
    Input,
    /// Between recurrent neurons, none to itself.
    Recurrent,
    /// From recurrent neurons to readouts.
    Readout,
}

/// A presynaptic neuron.
#[derive(Clone, Debug)]
pub(super) struct Row<R> {
    /// The next tick to learn from.
    next: u64,
    /// Whether it waits in a list of [`Due`].
    due: bool,
    /// Its filtered spikes.
    zbar: R,
    /// Bit `k`: a spike arrives in tick `next + k`.
    arriving: u8,
    /// Tick of its last spike or flush; none before the first spike.
    event: Option<u64>,
    /// Ticks until the cutoff.
    left: u64,
    /// Steps of the optimizer.
    steps: u64,
    /// How far every weight is from its bounds at least.
    room: f64,
}

/// A row that has ticks to catch up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// How many; the shortest come first.
    pub(super) ticks: u64,
    /// Index of its [`Synapses`].
    pub(super) part: usize,
    pub(super) row: u32,
    /// A spike (or NEST's flush) is the reason.
    pub(super) event: bool,
}

/// A matrix of plastic synapses, one row per presynaptic neuron.
#[derive(Clone, Debug)]
pub(super) struct Synapses<R> {
    kind: Kind,
    /// Postsynaptic neurons, and how many of them adapt.
    n: usize,
    n_alif: usize,
    rows: Vec<Row<R>>,
    /// Ticks without a spike after which NEST catches up.
    pub(super) flush_after: Option<u64>,
    /// Steps by which NEST's optimizer is ahead.
    pub(super) steps_ahead: u64,
    /// `ebar`, and `rbar` where it is needed, `[rows, n]`; `eps`, `[rows, n_alif]`.
    traces: [Vec<R>; 2],
    eps: Vec<R>,
    /// Moments (Adam): `[rows, n]` or empty.
    m: Vec<R>,
    v: Vec<R>,
    /// Synapses that there are not, as columns row after row, and where each row ends.
    absent: Vec<u32>,
    absent_ends: Vec<u32>,
    /// Eligibility and gradient of the row at work, `[n]`.
    e: Vec<R>,
    gradient: Vec<R>,
    /// Learning rates of the last steps, each with its step.
    rates: Vec<(u64, R)>,
}

impl<R: Real> Synapses<R> {
    /// `absent`: positions of the synapses that there are not.
    pub(super) fn new(
        kind: Kind,
        (rows, n, n_alif): (usize, usize, usize),
        absent: &[u32],
        rule: &Rule<R>,
        config: &OnlineConfig,
    ) -> Self {
        let row = Row {
            next: 0,
            due: false,
            zbar: R::ZERO,
            arriving: 0,
            event: None,
            left: 0,
            steps: 0,
            room: 0.0,
        };
        let matrix = |needed: bool| vec![R::ZERO; if needed { rows * n } else { 0 }];
        let recurrent = kind != Kind::Readout;
        let adam = matches!(config.optimizer, OptimizerConfig::Adam { .. });
        let width = n.max(1) as u32;
        let end = |i: usize| absent.partition_point(|&at| (at as usize) < (i + 1) * n) as u32;
        Self {
            kind,
            n,
            n_alif: if recurrent { n_alif } else { 0 },
            rows: vec![row; rows],
            flush_after: None,
            steps_ahead: 0,
            traces: [
                matrix(recurrent),
                matrix(recurrent && rule.decays.len() > 1),
            ],
            eps: vec![R::ZERO; if recurrent { rows * n_alif } else { 0 }],
            m: matrix(adam),
            v: matrix(adam),
            absent: absent.iter().map(|at| at % width).collect(),
            absent_ends: (0..rows).map(end).collect(),
            e: vec![R::ZERO; n],
            gradient: vec![R::ZERO; n],
            rates: vec![(0, R::ZERO); HORIZON as usize + 2],
        }
    }

    /// A spike of neuron `i` arrives in tick `now`, its row having caught up.
    pub(super) fn spike(&mut self, i: usize, now: u64, rule: &Rule<R>) {
        let row = &mut self.rows[i];
        row.arriving |= 1 << (now - row.next);
        row.event = Some(now);
        row.left = rule.cutoff;
    }

    /// Whether NEST catches up in this tick though no spike arrives; it then counts as done.
    fn flush_is_due(&mut self, i: usize, now: u64) -> bool {
        let (Some(after), Some(event)) = (self.flush_after, self.rows[i].event) else {
            return false;
        };
        // A spike that leaves in tick u arrives in u + 1, and so does the flush.
        let due = now - event >= after;
        if due {
            self.rows[i].event = Some(now);
        }
        due
    }

    /// Rows of this part whose ticks must not wait longer: a share of all rows, in turns,
    /// so that no tick has much more to do than another. And those NEST flushes.
    pub(super) fn late_rows(&mut self, part: usize, now: u64, end: u64, due: &mut Vec<Due>) {
        if self.flush_after.is_some() {
            for i in 0..self.rows.len() {
                if self.flush_is_due(i, now) {
                    self.due(part, i as u32, end, true, due);
                }
            }
        }
        let first = (HORIZON - now % HORIZON) % HORIZON;
        for i in (first as usize..self.rows.len()).step_by(HORIZON as usize) {
            if self.rows[i].left > 0 {
                self.due(part, i as u32, end, false, due);
            }
        }
    }

    /// Adds row `i` to `due` if it has learnt from less than all ticks before `end`.
    pub(super) fn due(&mut self, part: usize, i: u32, end: u64, event: bool, due: &mut Vec<Due>) {
        let row = &mut self.rows[i as usize];
        if row.event.is_none() {
            // It has never spiked: all its traces are 0.
            row.next = row.next.max(end);
            row.steps = row.next + self.steps_ahead;
        }
        if row.next < end && !row.due {
            row.due = true;
            due.push(Due {
                ticks: end - row.next,
                part,
                row: i,
                event,
            });
        }
    }

    /// All rows that have learnt from less than all ticks before `end`.
    pub(super) fn all_due(&mut self, part: usize, end: u64, due: &mut Vec<Due>) {
        for i in 0..self.rows.len() {
            self.due(part, i as u32, end, false, due);
        }
    }

    /// The weights have changed from outside: what room they have is measured anew.
    pub(super) fn remeasure(&mut self) {
        self.rows.iter_mut().for_each(|row| row.room = 0.0);
    }

    /// Row `i` is no longer due; whether it learns from all of the ticks it is behind.
    pub(super) fn take_up(&mut self, i: usize, ticks: u64) -> bool {
        self.rows[i].due = false;
        self.rows[i].left >= ticks
    }

    /// Takes row `i` over a span that begins with its next tick; whether that can be:
    /// not where a weight could meet its bounds.
    pub(super) fn cross(
        &mut self,
        i: usize,
        ticks: u64,
        weights: &mut [R],
        span: &Span<R>,
        rule: &Rule<R>,
    ) -> bool {
        let OptimizerConfig::Sgd { eta } = rule.optimizer else {
            return false;
        };
        let at = i * self.n..(i + 1) * self.n;
        let w = &mut weights[at.clone()];
        let row = &mut self.rows[i];
        // A little more for what is rounded.
        let path = eta * span.path * 1.001;
        // A path that is NaN fits nowhere.
        let fits = |room: f64| path <= room;
        if !fits(row.room) {
            row.room = room(w, rule.bounds);
        }
        if !fits(row.room) {
            return false;
        }
        row.room -= path;
        row.left -= ticks;
        row.next += ticks;
        row.steps = row.next + self.steps_ahead;
        let (decay, arrival) = self.kind.filter(rule);
        let arrives = row.arriving & 1 == 1;
        row.arriving = 0;
        let zbar = decay * row.zbar + if arrives { arrival } else { R::ZERO };
        row.zbar = (span.decayed * zbar).unless_below(R::TINY);
        let traces = self
            .traces
            .each_mut()
            .map(|x| x.get_mut(at.clone()).unwrap_or_default());
        let eps = &mut self.eps[i * self.n_alif..(i + 1) * self.n_alif];
        span.cross(w, traces, eps, zbar, R::of(eta));
        for &j in self.absent_of(i) {
            w[j as usize] = R::ZERO;
        }
        true
    }

    /// Columns of row `i` without a synapse.
    fn absent_of(&self, i: usize) -> &[u32] {
        let start = i
            .checked_sub(1)
            .map_or(0, |before| self.absent_ends[before]);
        &self.absent[start as usize..self.absent_ends[i] as usize]
    }

    /// Learns tick by tick from the ticks before `end` that row `i` has not seen yet.
    /// `event`: a spike (or NEST's flush) is the reason, of which NEST is late to know.
    #[expect(clippy::too_many_arguments, reason = "the parts of one `Online`")]
    pub(super) fn catch_up(
        &mut self,
        i: usize,
        end: u64,
        weights: &mut [R],
        past: &Past<R>,
        rule: &Rule<R>,
        beta: &[R],
        event: bool,
    ) {
        while self.rows[i].next < end {
            let row = &mut self.rows[i];
            if row.left == 0 {
                self.decay(i, end, rule);
                break;
            }
            row.left -= 1;
            let tick = row.next;
            row.next += 1;
            self.gradient(i, tick, past, rule, beta);
            if event && rule.lag == 1 && tick + 1 == end {
                self.forget_signal(i, past.reg.row(tick));
            }
            self.optimise(i, weights, rule);
        }
        self.drop_tiny(i);
    }

    fn drop_tiny(&mut self, i: usize) {
        let at = i * self.n..(i + 1) * self.n;
        let [ebar, rbar] = &mut self.traces;
        for x in [ebar, rbar, &mut self.m] {
            drop_below(x.get_mut(at.clone()).unwrap_or_default(), R::TINY);
        }
        let v = self.v.get_mut(at).unwrap_or_default();
        drop_below(v, R::TINY * R::TINY);
        let eps = i * self.n_alif..(i + 1) * self.n_alif;
        drop_below(&mut self.eps[eps], R::TINY);
    }

    /// The gradient of one tick, and the traces after it.
    fn gradient(&mut self, i: usize, tick: u64, past: &Past<R>, rule: &Rule<R>, beta: &[R]) {
        let (decay, arrival) = self.kind.filter(rule);
        let row = &mut self.rows[i];
        row.zbar *= decay;
        if row.arriving & 1 == 1 {
            row.zbar += arrival;
        }
        row.arriving >>= 1;
        let zbar = row.zbar;
        if self.kind == Kind::Readout {
            for (g, &e) in self.gradient.iter_mut().zip(past.error.row(tick)) {
                *g = e * zbar;
            }
            return;
        }
        let eps = &mut self.eps[i * self.n_alif..(i + 1) * self.n_alif];
        eligibility(&mut self.e, eps, past.psi.row(tick), beta, [zbar, rule.rho]);
        self.gradient.fill(R::ZERO);
        let traces = rule.decays.iter().zip(&mut self.traces);
        for (k, (&decay, trace)) in traces.enumerate() {
            let trace = &mut trace[i * self.n..(i + 1) * self.n];
            filter(
                trace,
                &mut self.gradient,
                &self.e,
                past.signal_of(k, tick),
                decay,
            );
        }
    }

    /// The gradient without the learning signal.
    fn forget_signal(&mut self, i: usize, reg: &[R]) {
        if self.kind == Kind::Readout {
            return;
        }
        let [ebar, rbar] = &self.traces;
        let trace = if rbar.is_empty() { ebar } else { rbar };
        let trace = &trace[i * self.n..(i + 1) * self.n];
        for ((g, &x), &reg) in self.gradient.iter_mut().zip(trace).zip(reg) {
            *g = reg * x;
        }
    }

    /// One step along the gradient; more of them, along nothing, where ticks were cut off.
    fn optimise(&mut self, i: usize, weights: &mut [R], rule: &Rule<R>) {
        let mut gradient = std::mem::take(&mut self.gradient);
        for &j in self.absent_of(i) {
            gradient[j as usize] = R::ZERO;
        }
        let at = i * self.n..(i + 1) * self.n;
        let w = &mut weights[at.clone()];
        while self.rows[i].steps < self.rows[i].next + self.steps_ahead {
            self.rows[i].steps += 1;
            let rate = self.rate(self.rows[i].steps, rule);
            let adam = if self.m.is_empty() { 0..0 } else { at.clone() };
            let (m, v) = (&mut self.m[adam.clone()], &mut self.v[adam]);
            rule.optimizer.step_row(rate, w, &gradient, m, v);
            if self.rows[i].steps < self.rows[i].next + self.steps_ahead {
                gradient.fill(R::ZERO);
            }
        }
        keep_within(w, rule.bounds);
        self.rows[i].room = 0.0;
        self.gradient = gradient;
    }

    /// Learning rate of a step: all rows need the same few, and powers are costly.
    fn rate(&mut self, step: u64, rule: &Rule<R>) -> R {
        let slots = self.rates.len() as u64;
        let slot = &mut self.rates[(step % slots) as usize];
        if slot.0 != step {
            *slot = (step, R::of(rule.optimizer.rate(step)));
        }
        slot.1
    }

    /// Beyond the cutoff traces decay, and nothing is learnt.
    fn decay(&mut self, i: usize, end: u64, rule: &Rule<R>) {
        let row = &mut self.rows[i];
        let ticks = (end - row.next) as f64;
        let power = |decay: R| R::of(decay.to_f64().powf(ticks));
        row.next = end;
        row.zbar *= power(self.kind.filter(rule).0);
        for (trace, &decay) in self.traces.iter_mut().zip(&rule.decays) {
            if let Some(x) = trace.get_mut(i * self.n..(i + 1) * self.n) {
                let decay = power(decay);
                x.iter_mut().for_each(|x| *x *= decay);
            }
        }
        let rho = power(rule.rho);
        let eps = &mut self.eps[i * self.n_alif..(i + 1) * self.n_alif];
        eps.iter_mut().for_each(|x| *x *= rho);
    }
}

impl Kind {
    /// Decay of `zbar` in a tick, and what a spike adds to it.
    fn filter<R: Real>(self, rule: &Rule<R>) -> (R, R) {
        match self {
            Self::Input | Self::Recurrent => (rule.alpha, rule.p),
            Self::Readout => (rule.kappa_out, rule.p_out),
        }
    }
}

/// How far the weights are from their bounds at least.
fn room<R: Real>(weights: &[R], (low, high): (R, R)) -> f64 {
    let nearest = |room: f64, w: &R| {
        let w = w.to_f64();
        room.min(w - low.to_f64()).min(high.to_f64() - w)
    };
    weights.iter().fold(f64::INFINITY, nearest)
}

vectorised! {
    /// `e` and `eps` of the module docs for a row; the last `eps.len()` neurons are ALIF.
    fn eligibility<R: Real>(e: &mut [R], eps: &mut [R], psi: &[R], beta: &[R], c: [R; 2]) {
        let [zbar, rho] = c;
        let n = e.len();
        let lif = n - eps.len();
        let (psi, beta) = (&psi[..n], &beta[..n]);
        for j in 0..lif {
            e[j] = psi[j] * zbar;
        }
        let (e, psi, beta) = (&mut e[lif..], &psi[lif..], &beta[lif..]);
        let eps = &mut eps[..e.len()];
        for j in 0..e.len() {
            e[j] = psi[j] * (zbar - beta[j] * eps[j]);
            eps[j] = rho * eps[j] + e[j];
        }
    }
}

vectorised! {
    /// `x = decay x + e`, and what it adds to the gradient.
    fn filter<R: Real>(x: &mut [R], g: &mut [R], e: &[R], signal: &[R], decay: R) {
        let n = x.len();
        let (g, e, signal) = (&mut g[..n], &e[..n], &signal[..n]);
        for j in 0..n {
            x[j] = decay * x[j] + e[j];
            g[j] += signal[j] * x[j];
        }
    }
}
