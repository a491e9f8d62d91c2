//! The synapses from one set of neurons to another, with their traces, row by row.

use super::OnlineConfig;
use super::columns::Columns;
use super::past::{HORIZON, Past, Rule};
use super::span::Span;
use crate::learning::optimizer::{OptimizerConfig, keep_within};
use crate::real::Real;
use crate::simd::{drop_below, vectorised};

/// What the synapses lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Neurons that fire.
    Spiking,
    /// Readouts.
    Readout,
}

/// The synapses of one presynaptic neuron that have one delay.
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
    /// Whether a spike has ever arrived.
    spiked: bool,
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
    /// Index of its projection.
    pub(super) part: usize,
    pub(super) row: u32,
}

/// Plastic synapses, row by row.
#[derive(Clone, Debug)]
pub(super) struct Synapses<R> {
    kind: Kind,
    columns: Columns,
    rows: Vec<Row<R>>,
    /// Steps by which NEST's optimizer is ahead.
    pub(super) steps_ahead: u64,
    /// `ebar`, and `rbar` where it is needed, of each synapse; `eps` of those that lead to
    /// neurons that adapt.
    traces: [Vec<R>; 2],
    eps: Vec<R>,
    /// Moments (Adam) of each synapse, or empty.
    m: Vec<R>,
    v: Vec<R>,
    /// Synapses that there are not where columns are all, row after row, and where each
    /// row ends.
    absent: Vec<u32>,
    absent_ends: Vec<u32>,
    /// Eligibility and gradient of the row at work, as long as the longest.
    e: Vec<R>,
    gradient: Vec<R>,
    /// What it needs of the neurons that it leads to, where these are not all: `psi` and
    /// `beta`, and one thing more at a time.
    near: [Vec<R>; 3],
    /// Learning rates of the last steps, each with its step.
    rates: Vec<(u64, R)>,
}

impl<R: Real> Synapses<R> {
    /// Of so many rows. `absent`: positions of the synapses that there are not, where
    /// columns are all.
    pub(super) fn new(
        kind: Kind,
        rows: usize,
        columns: Columns,
        absent: &[u32],
        rule: &Rule<R>,
        config: &OnlineConfig,
    ) -> Self {
        let row = Row {
            next: 0,
            due: false,
            zbar: R::ZERO,
            arriving: 0,
            spiked: false,
            left: 0,
            steps: 0,
            room: 0.0,
        };
        let (n, n_alif, longest) = columns.sizes(rows);
        let zeros = |needed: bool, n: usize| vec![R::ZERO; if needed { n } else { 0 }];
        let spiking = kind == Kind::Spiking;
        let adam = matches!(config.optimizer, OptimizerConfig::Adam { .. });
        let gathers = matches!(columns, Columns::Some { .. });
        let width = longest.max(1);
        let end = |i: usize| absent.partition_point(|&at| (at as usize) < (i + 1) * width) as u32;
        Self {
            kind,
            columns,
            rows: vec![row; rows],
            steps_ahead: 0,
            traces: [
                zeros(spiking, n),
                zeros(spiking && rule.decays.len() > 1, n),
            ],
            eps: zeros(spiking, n_alif),
            m: zeros(adam, n),
            v: zeros(adam, n),
            absent: absent.iter().map(|at| at % width as u32).collect(),
            absent_ends: match gathers {
                true => Vec::new(),
                false => (0..rows).map(end).collect(),
            },
            e: zeros(true, longest),
            gradient: zeros(true, longest),
            near: [(); 3].map(|()| zeros(gathers, longest)),
            rates: vec![(0, R::ZERO); HORIZON as usize + 2],
        }
    }

    /// Which neurons the rows lead to.
    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// A spike arrives at row `i` in tick `now`, the row having caught up.
    pub(super) fn spike(&mut self, i: usize, now: u64, rule: &Rule<R>) {
        let row = &mut self.rows[i];
        row.arriving |= 1 << (now - row.next);
        row.spiked = true;
        row.left = rule.cutoff;
    }

    /// Rows of this part whose ticks must not wait longer: a share of all rows, in turns,
    /// so that no tick has much more to do than another.
    pub(super) fn late_rows(&mut self, part: usize, now: u64, end: u64, due: &mut Vec<Due>) {
        let first = (HORIZON - now % HORIZON) % HORIZON;
        for i in (first as usize..self.rows.len()).step_by(HORIZON as usize) {
            if self.rows[i].left > 0 {
                self.due(part, i as u32, end, due);
            }
        }
    }

    /// Adds row `i` to `due` if it has learnt from less than all ticks before `end`.
    pub(super) fn due(&mut self, part: usize, i: u32, end: u64, due: &mut Vec<Due>) {
        let row = &mut self.rows[i as usize];
        if !row.spiked {
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
            });
        }
    }

    /// All rows that have learnt from less than all ticks before `end`.
    pub(super) fn all_due(&mut self, part: usize, end: u64, due: &mut Vec<Due>) {
        for i in 0..self.rows.len() {
            self.due(part, i as u32, end, due);
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
        let at = self.columns.of(i);
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
        let eps = self.eps.get_mut(self.columns.adapting_of(i));
        let eps = eps.unwrap_or_default();
        let targets = self.columns.targets_of(i);
        span.cross(targets, w, traces, eps, [zbar, R::of(eta)]);
        for &j in self.absent_of(i) {
            w[j as usize] = R::ZERO;
        }
        true
    }

    /// Columns of row `i` without a synapse.
    pub(super) fn absent_of(&self, i: usize) -> &[u32] {
        let Some(&end) = self.absent_ends.get(i) else {
            return &[];
        };
        let start = i
            .checked_sub(1)
            .map_or(0, |before| self.absent_ends[before]);
        &self.absent[start as usize..end as usize]
    }

    /// Learns tick by tick from the ticks before `end` that row `i` has not seen yet.
    pub(super) fn catch_up(
        &mut self,
        i: usize,
        end: u64,
        weights: &mut [R],
        past: &Past<R>,
        rule: &Rule<R>,
        beta: &[R],
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
            self.optimise(i, weights, rule);
        }
        self.drop_tiny(i);
    }

    fn drop_tiny(&mut self, i: usize) {
        let at = self.columns.of(i);
        let [ebar, rbar] = &mut self.traces;
        for x in [ebar, rbar, &mut self.m] {
            drop_below(x.get_mut(at.clone()).unwrap_or_default(), R::TINY);
        }
        let v = self.v.get_mut(at).unwrap_or_default();
        drop_below(v, R::TINY * R::TINY);
        let eps = self.eps.get_mut(self.columns.adapting_of(i));
        drop_below(eps.unwrap_or_default(), R::TINY);
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
        let (at, targets) = (self.columns.of(i), self.columns.targets_of(i));
        let gradient = &mut self.gradient[..at.len()];
        let [near_psi, near_beta, near] = &mut self.near;
        if self.kind == Kind::Readout {
            let error = gathered(past.error.row(tick), targets, near);
            for (g, &e) in gradient.iter_mut().zip(error) {
                *g = e * zbar;
            }
            return;
        }
        let e = &mut self.e[..at.len()];
        let eps = &mut self.eps[self.columns.adapting_of(i)];
        let psi = gathered(past.psi.row(tick), targets, near_psi);
        let beta = gathered(beta, targets, near_beta);
        eligibility(e, eps, psi, beta, [zbar, rule.rho]);
        gradient.fill(R::ZERO);
        let traces = rule.decays.iter().zip(&mut self.traces);
        for (k, (&decay, trace)) in traces.enumerate() {
            let signal = gathered(past.signal_of(k, tick), targets, near);
            filter(&mut trace[at.clone()], gradient, e, signal, decay);
        }
    }

    /// One step along the gradient; more of them, along nothing, where ticks were cut off.
    fn optimise(&mut self, i: usize, weights: &mut [R], rule: &Rule<R>) {
        let mut gradient = std::mem::take(&mut self.gradient);
        for &j in self.absent_of(i) {
            gradient[j as usize] = R::ZERO;
        }
        let at = self.columns.of(i);
        let w = &mut weights[at.clone()];
        while self.rows[i].steps < self.rows[i].next + self.steps_ahead {
            self.rows[i].steps += 1;
            let rate = self.rate(self.rows[i].steps, rule);
            let adam = if self.m.is_empty() { 0..0 } else { at.clone() };
            let (m, v) = (&mut self.m[adam.clone()], &mut self.v[adam]);
            rule.optimizer
                .step_row(rate, w, &gradient[..at.len()], m, v);
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
            if let Some(x) = trace.get_mut(self.columns.of(i)) {
                let decay = power(decay);
                x.iter_mut().for_each(|x| *x *= decay);
            }
        }
        let rho = power(rule.rho);
        let eps = self.eps.get_mut(self.columns.adapting_of(i));
        for x in eps.unwrap_or_default() {
            *x *= rho;
        }
    }
}

impl Kind {
    /// Decay of `zbar` in a tick, and what a spike adds to it.
    fn filter<R: Real>(self, rule: &Rule<R>) -> (R, R) {
        match self {
            Self::Spiking => (rule.alpha, rule.p),
            Self::Readout => (rule.kappa_out, rule.p_out),
        }
    }
}

/// What there is of each neuron that a row leads to: of all, or written to `near`.
fn gathered<'a, R: Real>(all: &'a [R], targets: Option<&[u32]>, near: &'a mut [R]) -> &'a [R] {
    let Some(targets) = targets else {
        return all;
    };
    for (x, &j) in near.iter_mut().zip(targets) {
        *x = all[j as usize];
    }
    &near[..targets.len()]
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
