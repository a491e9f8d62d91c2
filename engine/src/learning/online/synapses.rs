//! The synapses from one set of neurons to another, with their traces, row by row.

use super::{OnlineConfig, Past, Rule};
use crate::learning::optimizer::{OptimizerConfig, keep_within};
use crate::real::Real;
use crate::simd::vectorised;

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
    pub(super) next: u64,
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
}

/// A matrix of plastic synapses, one row per presynaptic neuron.
#[derive(Clone, Debug)]
pub(super) struct Synapses<R> {
    kind: Kind,
    /// Postsynaptic neurons.
    n: usize,
    pub(super) rows: Vec<Row<R>>,
    /// Ticks without a spike after which NEST catches up.
    pub(super) flush_after: Option<u64>,
    /// Steps by which NEST's optimizer is ahead.
    pub(super) steps_ahead: u64,
    /// `eps`, `ebar`, `rbar` (towards recurrent neurons), moments (Adam): `[rows, n]` or empty.
    eps: Vec<R>,
    ebar: Vec<R>,
    rbar: Vec<R>,
    m: Vec<R>,
    v: Vec<R>,
    /// Synapses that there are not, ascending, as positions in the matrix.
    absent: Vec<u32>,
    /// Gradient of the row at work, `[n]`.
    gradient: Vec<R>,
}

impl<R: Real> Synapses<R> {
    pub(super) fn new(
        kind: Kind,
        (rows, n): (usize, usize),
        absent: &[u32],
        config: &OnlineConfig,
    ) -> Self {
        let row = Row {
            next: 0,
            zbar: R::ZERO,
            arriving: 0,
            event: None,
            left: 0,
            steps: 0,
        };
        let matrix = |needed: bool| vec![R::ZERO; if needed { rows * n } else { 0 }];
        let recurrent = kind != Kind::Readout;
        let adam = matches!(config.optimizer, OptimizerConfig::Adam { .. });
        Self {
            kind,
            n,
            rows: vec![row; rows],
            flush_after: None,
            steps_ahead: 0,
            eps: matrix(recurrent),
            ebar: matrix(recurrent),
            rbar: matrix(recurrent),
            m: matrix(adam),
            v: matrix(adam),
            absent: absent.to_vec(),
            gradient: vec![R::ZERO; n],
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
    pub(super) fn flush_is_due(&mut self, i: usize, now: u64) -> bool {
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

    /// Learns from the ticks before `end` that row `i` has not seen yet. `event`:
    /// a spike (or NEST's flush) is the reason, of which NEST is late to know.
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
        let row = &mut self.rows[i];
        if row.event.is_none() {
            // It has never spiked: all its traces are 0.
            row.next = row.next.max(end);
            row.steps = row.next + self.steps_ahead;
            return;
        }
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
    }

    /// The gradient of one tick, and the traces after it.
    fn gradient(&mut self, i: usize, tick: u64, past: &Past<R>, rule: &Rule<R>, beta: &[R]) {
        let (decay, arrival) = match self.kind {
            Kind::Input | Kind::Recurrent => (rule.alpha, rule.p),
            Kind::Readout => (rule.kappa_out, rule.p_out),
        };
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
        let at = i * self.n..(i + 1) * self.n;
        let traces = [
            &mut self.eps[at.clone()],
            &mut self.ebar[at.clone()],
            &mut self.rbar[at],
            &mut self.gradient,
        ];
        let seen = [
            past.psi.row(tick),
            past.signal.row(tick),
            past.reg.row(tick),
            beta,
        ];
        eligibility(traces, seen, [zbar, rule.rho, rule.kappa, rule.kappa_reg]);
    }

    /// The gradient without the learning signal.
    fn forget_signal(&mut self, i: usize, reg: &[R]) {
        if self.kind != Kind::Readout {
            let rbar = &self.rbar[i * self.n..(i + 1) * self.n];
            for ((g, &rbar), &reg) in self.gradient.iter_mut().zip(rbar).zip(reg) {
                *g = reg * rbar;
            }
        }
    }

    /// One step along the gradient; more of them, along nothing, where ticks were cut off.
    fn optimise(&mut self, i: usize, weights: &mut [R], rule: &Rule<R>) {
        if self.kind == Kind::Recurrent {
            self.gradient[i] = R::ZERO;
        }
        let first = self
            .absent
            .partition_point(|&at| (at as usize) < i * self.n);
        let of_row = self.absent[first..]
            .iter()
            .map(|&at| at as usize - i * self.n);
        for j in of_row.take_while(|&j| j < self.n) {
            self.gradient[j] = R::ZERO;
        }
        let Self {
            rows,
            gradient,
            m,
            v,
            n,
            ..
        } = self;
        let row = &mut rows[i];
        let at = i * *n..(i + 1) * *n;
        let w = &mut weights[at.clone()];
        let adam = if m.is_empty() { 0..0 } else { at };
        let (m, v) = (&mut m[adam.clone()], &mut v[adam]);
        while row.steps < row.next + self.steps_ahead {
            row.steps += 1;
            rule.optimizer.step_row(row.steps, w, gradient, m, v);
            gradient.fill(R::ZERO);
        }
        keep_within(w, rule.bounds);
    }

    /// Beyond the cutoff traces decay, and nothing is learnt.
    fn decay(&mut self, i: usize, end: u64, rule: &Rule<R>) {
        let ticks = (end - self.rows[i].next) as f64;
        let power = |decay: R| R::of(decay.to_f64().powf(ticks));
        let recurrent = self.kind != Kind::Readout;
        let row = &mut self.rows[i];
        row.next = end;
        row.zbar *= power(if recurrent {
            rule.alpha
        } else {
            rule.kappa_out
        });
        if recurrent {
            let decays = [rule.rho, rule.kappa, rule.kappa_reg].map(power);
            let traces = [&mut self.eps, &mut self.ebar, &mut self.rbar];
            for (trace, decay) in traces.into_iter().zip(decays) {
                for x in &mut trace[i * self.n..(i + 1) * self.n] {
                    *x *= decay;
                }
            }
        }
    }
}

vectorised! {
    /// `e`, `eps`, `ebar`, `rbar` and the gradient of the module docs for a row.
    fn eligibility<R: Real>(traces: [&mut [R]; 4], seen: [&[R]; 4], c: [R; 4]) {
        let [eps, ebar, rbar, g] = traces;
        let [psi, signal, reg, beta] = seen;
        let [zbar, rho, kappa, kappa_reg] = c;
        let n = g.len();
        let (eps, ebar, rbar) = (&mut eps[..n], &mut ebar[..n], &mut rbar[..n]);
        let (psi, signal, reg, beta) = (&psi[..n], &signal[..n], &reg[..n], &beta[..n]);
        for j in 0..n {
            let e = psi[j] * (zbar - beta[j] * eps[j]);
            eps[j] = rho * eps[j] + e;
            ebar[j] = kappa * ebar[j] + e;
            rbar[j] = kappa_reg * rbar[j] + (R::ONE - kappa_reg) * e;
            g[j] = signal[j] * ebar[j] + reg[j] * rbar[j];
        }
    }
}
