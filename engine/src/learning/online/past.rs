//! The coefficients of the rule, and the last ticks as the synapses need them.

use super::OnlineConfig;
use crate::learning::optimizer::OptimizerConfig;
use crate::neurons::Dynamics;
use crate::real::Real;
use crate::simd::vectorised;

/// Ticks that a row may lie behind. More of them make the rows' own work less, and the
/// way back through the ticks, which they share, longer.
pub(super) const HORIZON: u64 = 32;

/// Coefficients of the rule.
#[derive(Clone, Debug)]
pub(super) struct Rule<R> {
    pub alpha: R,
    pub p: R,
    pub rho: R,
    pub kappa_out: R,
    pub p_out: R,
    /// Decays of the traces of a synapse: `kappa`, and `kappa_reg` where the
    /// regularisation needs a trace of its own.
    pub decays: Vec<R>,
    pub kappa_reg: R,
    /// `(1 - kappa_reg) c_reg`: the traces are kept without the first factor.
    pub c_reg: R,
    /// In spikes per ms.
    pub f_target: R,
    /// 1/dt.
    pub per_ms: R,
    pub cutoff: u64,
    pub optimizer: OptimizerConfig,
    pub bounds: (R, R),
    /// Ticks by which learning is behind an arriving spike: 0, in NEST 1.
    pub lag: u64,
    /// What `|ebar|` (and `rbar`), and `zbarO`, can be at most.
    pub caps: [f64; 3],
}

impl<R: Real> Rule<R> {
    pub fn new(d: &Dynamics<R>, beta: f64, config: &OnlineConfig) -> Self {
        let mut decays = vec![R::of(config.kappa)];
        if config.c_reg != 0.0 && config.kappa_reg != config.kappa {
            decays.push(R::of(config.kappa_reg));
        }
        Self {
            alpha: d.alpha,
            p: d.p,
            rho: d.rho,
            kappa_out: d.kappa,
            p_out: d.p_out,
            decays,
            kappa_reg: R::of(config.kappa_reg),
            c_reg: R::of((1.0 - config.kappa_reg) * config.c_reg),
            f_target: R::of(config.f_target_hz / 1000.0),
            per_ms: R::of(1.0 / d.dt_ms),
            cutoff: config.cutoff_ticks.map_or(u64::MAX, u64::from),
            optimizer: config.optimizer.clone(),
            bounds: (R::of(config.bounds.0), R::of(config.bounds.1)),
            lag: 0,
            caps: caps(d, beta, config),
        }
    }
}

/// Limits of `|ebar|`, `|rbar|` and `zbarO`: sums of geometric series.
fn caps<R: Real>(d: &Dynamics<R>, beta: f64, config: &OnlineConfig) -> [f64; 3] {
    // Without bound where it does not decay: then no span is crossed within bounds.
    let series = |first: f64, decay: f64| match decay < 1.0 {
        true => first / (1.0 - decay),
        false => f64::INFINITY,
    };
    let height = d.psi_height.to_f64();
    let zbar = series(d.p.to_f64(), d.alpha.to_f64());
    // eps = (rho - beta psi) eps + psi zbar with psi between 0 and its height.
    let rho = d.rho.to_f64();
    let eps = series(height * zbar, rho.max((rho - beta * height).abs()));
    let e = height * (zbar + if beta > 0.0 { beta * eps } else { 0.0 });
    let zbar_out = series(d.p_out.to_f64(), d.kappa.to_f64());
    [
        series(e, config.kappa),
        series(e, config.kappa_reg),
        zbar_out,
    ]
}

/// The last `HORIZON` rows of something, and two for those under way.
#[derive(Clone, Debug)]
pub(super) struct Ring<R> {
    rows: Vec<R>,
    n: usize,
}

impl<R: Real> Ring<R> {
    const ROWS: u64 = HORIZON + 2;

    pub fn new(n: usize) -> Self {
        Self {
            rows: vec![R::ZERO; Self::ROWS as usize * n],
            n,
        }
    }

    pub fn row(&self, tick: u64) -> &[R] {
        &self.rows[(tick % Self::ROWS) as usize * self.n..][..self.n]
    }

    pub fn row_mut(&mut self, tick: u64) -> &mut [R] {
        &mut self.rows[(tick % Self::ROWS) as usize * self.n..][..self.n]
    }
}

/// What the synapses need of the last ticks.
#[derive(Clone, Debug)]
pub(super) struct Past<R> {
    /// `[n_rec]`.
    pub psi: Ring<R>,
    /// What the traces `ebar` are multiplied by, `[n_rec]`: `L`, and the regularisation
    /// too where both have one trace.
    pub signal: Ring<R>,
    /// `(1 - kappa_reg) c_reg (f - f_target)`, `[n_rec]`.
    pub reg: Ring<R>,
    /// `E`, `[n_out]`.
    pub error: Ring<R>,
    /// Largest `|signal|`, `|reg|` and `|E|`.
    pub peaks: Ring<f64>,
}

impl<R: Real> Past<R> {
    pub fn new(n: usize, n_out: usize) -> Self {
        Self {
            psi: Ring::new(n),
            signal: Ring::new(n),
            reg: Ring::new(n),
            error: Ring::new(n_out),
            peaks: Ring::new(3),
        }
    }

    /// What multiplies the `k`-th trace of every synapse.
    pub fn signal_of(&self, k: usize, tick: u64) -> &[R] {
        [&self.signal, &self.reg][k].row(tick)
    }

    /// To be called when the tick's rows are written.
    pub fn note_peaks(&mut self, tick: u64) {
        let rows = [&self.signal, &self.reg, &self.error];
        for (k, ring) in rows.into_iter().enumerate() {
            let mut lanes = [R::ZERO; LANES];
            largest(&mut lanes, ring.row(tick));
            let peak = lanes.iter().fold(0.0, |a: f64, b| a.max(b.to_f64()));
            self.peaks.row_mut(tick)[k] = peak;
        }
    }
}

const LANES: usize = 16;

vectorised! {
    /// The largest `|x|` of every `LANES`-th element.
    fn largest<R: Real>(lanes: &mut [R; LANES], x: &[R]) {
        let (blocks, rest) = x.as_chunks::<LANES>();
        for block in blocks {
            for (a, x) in lanes.iter_mut().zip(block) {
                let x = x.abs();
                *a = if x > *a { x } else { *a };
            }
        }
        for (a, x) in lanes.iter_mut().zip(rest) {
            let x = x.abs();
            *a = if x > *a { x } else { *a };
        }
    }
}
