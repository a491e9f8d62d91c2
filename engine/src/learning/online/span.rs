//! Ticks without a spike, crossed in one step.
//!
//! From the tick in which a spike of neuron `i` arrives until the next one, `zbar_i` is
//! `Z alpha^s`, and everything that the gradient needs is linear in what the synapse
//! starts with: `Z`, its `eps`, its traces `x` (`ebar`, `rbar`). With gradient descent the
//! weight's change over those ticks is therefore a sum of these with factors that do not
//! depend on `i`. As in [`crate::learning::eprop`]'s adjoint form they come from
//! going back through the ticks, here from the present, all starting at 0 except
//! `ee = kept = 1`:
//!
//! ```text
//! b = S_j + k b                                    S: what x is multiplied by; k: its decay
//! c = psi_j (b + d) + alpha c                      d, r: of the tick after
//! q = psi_j (kept + r) + alpha q
//! d = (rho - beta_j psi_j) d - beta_j psi_j b      r the same with kept for b
//! ez = psi_j ee + alpha ez;  ee = (rho - beta_j psi_j) ee;  kept = k kept
//!
//! w   = w - eta sum_x (k b x + d eps + c Z)
//! x   = kept x + r eps + q Z;   eps = ee eps + ez Z
//! ```
//!
//! (`d`, `r`, `ee`, `ez` for ALIF only.) So the rows that are due in a tick share one
//! way back, and each costs what one tick of it would: exact up to rounding.

use super::past::{Past, Rule};
use super::synapses::Kind;
use crate::real::Real;
use crate::simd::vectorised;

/// One trace of the synapses: the names of the module docs, `[n]` (`d`, `r`: `[n_alif]`).
#[derive(Clone, Debug)]
pub(super) struct Trace<R> {
    decay: R,
    kept: R,
    b: Vec<R>,
    c: Vec<R>,
    q: Vec<R>,
    d: Vec<R>,
    r: Vec<R>,
}

/// The ticks from some tick to the present.
#[derive(Clone, Debug)]
pub(super) struct Span<R> {
    end: u64,
    ticks: u64,
    traces: Vec<Trace<R>>,
    ee: Vec<R>,
    ez: Vec<R>,
    /// What `zbarO` is multiplied by, `[n_out]`, in a span of the readout.
    readout: Vec<R>,
    /// Decay of `zbar` from the first tick to the last.
    pub decayed: R,
    /// What a weight can move at most in these ticks, up and down together, over `eta`.
    pub path: f64,
}

impl<R: Real> Span<R> {
    /// Memory for the synapses of a kind to neurons with these `beta`, ALIF last.
    pub fn new(kind: Kind, rule: &Rule<R>, n_out: usize, beta: &[R]) -> Self {
        let n_alif = beta.iter().filter(|b| **b != R::ZERO).count();
        let zeros = |n: usize| vec![R::ZERO; n];
        let trace = |&decay: &R| Trace {
            decay,
            kept: R::ONE,
            b: zeros(beta.len()),
            c: zeros(beta.len()),
            q: zeros(beta.len()),
            d: zeros(n_alif),
            r: zeros(n_alif),
        };
        let to_readout = kind == Kind::Readout;
        Self {
            end: 0,
            ticks: 0,
            traces: match to_readout {
                true => Vec::new(),
                false => rule.decays.iter().map(trace).collect(),
            },
            ee: zeros(n_alif),
            ez: zeros(n_alif),
            readout: zeros(if to_readout { n_out } else { 0 }),
            decayed: R::ONE,
            path: 0.0,
        }
    }

    /// No tick yet, before `end`.
    pub fn begin(&mut self, end: u64) {
        (self.end, self.ticks) = (end, 0);
        (self.decayed, self.path) = (R::ONE, 0.0);
        for trace in &mut self.traces {
            trace.kept = R::ONE;
            for x in [
                &mut trace.b,
                &mut trace.c,
                &mut trace.q,
                &mut trace.d,
                &mut trace.r,
            ] {
                x.fill(R::ZERO);
            }
        }
        self.ee.fill(R::ONE);
        self.ez.fill(R::ZERO);
        self.readout.fill(R::ZERO);
    }

    /// Goes back until the span has so many ticks.
    pub fn back_to(&mut self, ticks: u64, past: &Past<R>, rule: &Rule<R>, beta: &[R]) {
        while self.ticks < ticks {
            self.ticks += 1;
            let tick = self.end - self.ticks;
            let peaks = past.peaks.row(tick);
            let readout = !self.readout.is_empty();
            if self.ticks > 1 {
                self.decayed *= if readout { rule.kappa_out } else { rule.alpha };
            }
            if readout {
                for (c, &e) in self.readout.iter_mut().zip(past.error.row(tick)) {
                    *c = e + rule.kappa_out * *c;
                }
                self.path += peaks[2] * rule.caps[2];
                continue;
            }
            let psi = past.psi.row(tick);
            for (k, trace) in self.traces.iter_mut().enumerate() {
                back(
                    trace,
                    past.signal_of(k, tick),
                    psi,
                    beta,
                    [rule.alpha, rule.rho],
                );
                trace.kept *= trace.decay;
                self.path += peaks[k] * rule.caps[k];
            }
            let psi = &psi[psi.len() - self.ee.len()..];
            let beta = &beta[beta.len() - self.ee.len()..];
            for j in 0..psi.len() {
                self.ez[j] = psi[j] * self.ee[j] + rule.alpha * self.ez[j];
                self.ee[j] *= rule.rho - beta[j] * psi[j];
            }
        }
    }

    /// Takes a row over the span: its weights, traces and `eps`, with `zbar` in the
    /// span's first tick, and the learning rate. It leads to `targets`, or to all.
    pub fn cross(
        &self,
        targets: Option<&[u32]>,
        w: &mut [R],
        traces: [&mut [R]; 2],
        eps: &mut [R],
        [zbar, eta]: [R; 2],
    ) {
        if !self.readout.is_empty() {
            self.cross_to_readout(targets, w, eta * zbar);
            return;
        }
        for (trace, x) in self.traces.iter().zip(traces) {
            match targets {
                None => cross(trace, w, x, eps, [zbar, eta]),
                Some(targets) => cross_some(trace, targets, w, x, eps, [zbar, eta]),
            }
        }
        let first = self.traces.first().map_or(0, |trace| trace.b.len()) - self.ee.len();
        let lif = w.len() - eps.len();
        for (k, eps) in eps.iter_mut().enumerate() {
            let j = targets.map_or(k, |targets| targets[lif + k] as usize - first);
            *eps = (self.ee[j] * *eps + self.ez[j] * zbar).unless_below(R::TINY);
        }
    }

    fn cross_to_readout(&self, targets: Option<&[u32]>, w: &mut [R], step: R) {
        match targets {
            None => {
                for (w, &c) in w.iter_mut().zip(&self.readout) {
                    *w -= step * c;
                }
            }
            Some(targets) => {
                for (w, &k) in w.iter_mut().zip(targets) {
                    *w -= step * self.readout[k as usize];
                }
            }
        }
    }
}

vectorised! {
    /// A tick more at the span's beginning.
    fn back<R: Real>(trace: &mut Trace<R>, s: &[R], psi: &[R], beta: &[R], c: [R; 2]) {
        let [alpha, rho] = c;
        let (decay, kept) = (trace.decay, trace.kept);
        let (n, n_alif) = (psi.len(), trace.d.len());
        let lif = n - n_alif;
        let (b, c, q) = (&mut trace.b[..n], &mut trace.c[..n], &mut trace.q[..n]);
        let (s, psi, beta) = (&s[..n], &psi[..n], &beta[..n]);
        for j in 0..lif {
            b[j] = s[j] + decay * b[j];
            c[j] = psi[j] * b[j] + alpha * c[j];
            q[j] = psi[j] * kept + alpha * q[j];
        }
        let (b, c, q) = (&mut b[lif..], &mut c[lif..], &mut q[lif..]);
        let (s, psi, beta) = (&s[lif..], &psi[lif..], &beta[lif..]);
        let (d, r) = (&mut trace.d[..b.len()], &mut trace.r[..b.len()]);
        for j in 0..b.len() {
            let pull = beta[j] * psi[j];
            b[j] = s[j] + decay * b[j];
            c[j] = psi[j] * (b[j] + d[j]) + alpha * c[j];
            q[j] = psi[j] * (kept + r[j]) + alpha * q[j];
            d[j] = (rho - pull) * d[j] - pull * b[j];
            r[j] = (rho - pull) * r[j] - pull * kept;
        }
    }
}

vectorised! {
    /// Weights and one trace of a row over the span.
    fn cross<R: Real>(trace: &Trace<R>, w: &mut [R], x: &mut [R], eps: &[R], c: [R; 2]) {
        let [zbar, eta] = c;
        let (kept, of_x, of_z) = (trace.kept, eta * trace.decay, eta * zbar);
        let n = w.len();
        let lif = n - eps.len();
        let (x, b, c, q) = (&mut x[..n], &trace.b[..n], &trace.c[..n], &trace.q[..n]);
        for j in 0..lif {
            w[j] -= b[j] * (of_x * x[j]) + c[j] * of_z;
            x[j] = (kept * x[j] + q[j] * zbar).unless_below(R::TINY);
        }
        let (w, x) = (&mut w[lif..], &mut x[lif..]);
        let (b, c, q) = (&b[lif..], &c[lif..], &q[lif..]);
        let m = eps.len();
        let (d, r) = (&trace.d[..m], &trace.r[..m]);
        for j in 0..m {
            w[j] -= b[j] * (of_x * x[j]) + c[j] * of_z + eta * (d[j] * eps[j]);
            x[j] = (kept * x[j] + (q[j] * zbar + r[j] * eps[j])).unless_below(R::TINY);
        }
    }
}

vectorised! {
    /// The same for a row that leads to `targets`, ascending.
    fn cross_some<R: Real>(
        trace: &Trace<R>,
        targets: &[u32],
        w: &mut [R],
        x: &mut [R],
        eps: &[R],
        c: [R; 2],
    ) {
        let [zbar, eta] = c;
        let (kept, of_x, of_z) = (trace.kept, eta * trace.decay, eta * zbar);
        let n = trace.b.len();
        let (b, c, q) = (&trace.b[..n], &trace.c[..n], &trace.q[..n]);
        let lif = w.len() - eps.len();
        for ((w, x), &j) in w[..lif].iter_mut().zip(&mut x[..lif]).zip(targets) {
            let j = j as usize;
            *w -= b[j] * (of_x * *x) + c[j] * of_z;
            *x = (kept * *x + q[j] * zbar).unless_below(R::TINY);
        }
        let first = n - trace.d.len();
        let synapses = w[lif..].iter_mut().zip(&mut x[lif..]).zip(eps);
        for (((w, x), &eps), &j) in synapses.zip(&targets[lif..]) {
            let (j, a) = (j as usize, j as usize - first);
            *w -= b[j] * (of_x * *x) + c[j] * of_z + eta * (trace.d[a] * eps);
            *x = (kept * *x + (q[j] * zbar + trace.r[a] * eps)).unless_below(R::TINY);
        }
    }
}
