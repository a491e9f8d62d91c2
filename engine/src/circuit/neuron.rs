//! Leaky integrate-and-fire neurons with an adaptive threshold, and their synapses.
//!
//! Potentials in mV, times in ms, conductances in units of the leak conductance,
//! currents as the potential they would hold the membrane above rest at (input
//! resistance 1). Between spikes
//!
//! ```text
//! tau_m dv/dt = -(v - E_L) + sum_c I_c + sum_g g (E_g - v)
//! tau_c dI_c/dt = -I_c        tau_g dg/dt = -g
//! ```
//!
//! In a step of `h`: `v` goes on with what `I` and `g` were at its start, then `I` and
//! `g` decay and what arrives is added, so that a spike moves `v` from the next step on;
//! a `Delta` spike moves `v` itself, at once. Without conductances the step is exact
//! (Rotter & Diesmann 1999, as NEST's `iaf_psc_exp`). With them, conductances and
//! currents are held at their mean over the step, `g tau_g/h (1 - exp(-h/tau_g))`, and
//! `v` relaxes exactly towards where that draws it: second order in `h`.
//!
//! A neuron with `v >= V_th + beta a` fires, is held at `V_reset` for `t_ref`, and its
//! `a`, which decays with `tau_a`, grows by 1 from the next step on.

use serde::{Deserialize, Serialize};

use super::ring::Arrivals;
use crate::error::{Result, check};
use crate::real::Real;

/// Parameters of a neuron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lif {
    /// Membrane time constant in ms.
    pub tau_m_ms: f64,
    /// Resting potential in mV.
    pub e_l_mv: f64,
    /// Firing threshold in mV.
    pub v_th_mv: f64,
    /// Potential after a spike in mV.
    pub v_reset_mv: f64,
    /// Refractory time in ms.
    pub t_ref_ms: f64,
    /// Rise of the threshold by a spike in mV; 0 does not adapt.
    pub beta_mv: f64,
    /// Time constant of the adaptation in ms.
    pub tau_a_ms: f64,
    /// Constant current, in mV.
    pub i_e_mv: f64,
}

impl Default for Lif {
    fn default() -> Self {
        Self {
            tau_m_ms: 10.0,
            e_l_mv: -70.0,
            v_th_mv: -55.0,
            v_reset_mv: -70.0,
            t_ref_ms: 2.0,
            beta_mv: 0.0,
            tau_a_ms: 100.0,
            i_e_mv: 0.0,
        }
    }
}

impl Lif {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("tau_m_ms", self.tau_m_ms, 1e-3, 1e6)?;
        check("e_l_mv", self.e_l_mv, -1e6, 1e6)?;
        check("v_th_mv", self.v_th_mv, -1e6, 1e6)?;
        // At or above threshold a neuron would never stop firing.
        check("v_reset_mv", self.v_reset_mv, -1e6, self.v_th_mv - 1e-9)?;
        check("t_ref_ms", self.t_ref_ms, 0.0, 1e6)?;
        check("beta_mv", self.beta_mv, 0.0, 1e6)?;
        check("tau_a_ms", self.tau_a_ms, 1e-3, 1e9)?;
        check("i_e_mv", self.i_e_mv, -1e6, 1e6)
    }
}

/// What an arriving spike does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Synapse {
    /// Moves the potential by the weight, in mV, at once.
    Delta,
    /// Adds its weight, in mV, to a current that decays.
    Current {
        /// Time constant in ms.
        tau_ms: f64,
    },
    /// Adds its weight, in leak conductances, to a conductance that decays.
    Conductance {
        /// Time constant in ms.
        tau_ms: f64,
        /// Reversal potential in mV.
        reversal_mv: f64,
    },
}

impl Synapse {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::Delta => Ok(()),
            Self::Current { tau_ms } => check("synapse.tau_ms", tau_ms, 1e-3, 1e6),
            Self::Conductance {
                tau_ms,
                reversal_mv,
            } => {
                check("synapse.tau_ms", tau_ms, 1e-3, 1e6)?;
                check("synapse.reversal_mv", reversal_mv, -1e6, 1e6)
            }
        }
    }
}

/// Where spikes of one kind of synapse arrive, for all neurons of a population.
#[derive(Clone, Debug)]
pub(super) struct Receptor<R> {
    pub(super) synapse: Synapse,
    pub(super) arrivals: Arrivals<R>,
    /// Current or conductance, `[n]`.
    state: Vec<R>,
    /// Its decay in a step, and its mean over one as part of its start.
    decay: R,
    mean: R,
    /// What a current at the start of a step adds to `v` at its end.
    exact: R,
}

impl<R: Real> Receptor<R> {
    pub(super) fn new(synapse: Synapse, n: usize, delays: usize, lif: &Lif, h: f64) -> Self {
        let tau = match synapse {
            Synapse::Delta => 1.0,
            Synapse::Current { tau_ms } | Synapse::Conductance { tau_ms, .. } => tau_ms,
        };
        let (decay, alpha) = ((-h / tau).exp(), (-h / lif.tau_m_ms).exp());
        // tau_s/(tau_s - tau_m) (decay - alpha), in a form that stays exact as the two
        // time constants become equal: alpha h/tau_m (exp(x) - 1)/x.
        let x = h / lif.tau_m_ms - h / tau;
        let slope = if x == 0.0 { 1.0 } else { x.exp_m1() / x };
        Self {
            synapse,
            arrivals: Arrivals::new(n, delays),
            state: vec![R::ZERO; n],
            decay: R::of(decay),
            mean: R::of(tau / h * (1.0 - decay)),
            exact: R::of(alpha * h / lif.tau_m_ms * slope),
        }
    }
}

/// A population of neurons of one kind, one array per variable, each `[n]`.
#[derive(Clone, Debug)]
pub(super) struct Neurons<R> {
    lif: Lif,
    h: f64,
    pub(super) v: Vec<R>,
    a: Vec<R>,
    /// Steps left of the refractory time.
    r: Vec<u32>,
    pub(super) receptors: Vec<Receptor<R>>,
    pub(super) fired: Vec<u32>,
}

impl<R: Real> Neurons<R> {
    pub(super) fn new(n: usize, lif: &Lif, h: f64) -> Self {
        Self {
            lif: lif.clone(),
            h,
            v: vec![R::of(lif.e_l_mv); n],
            a: vec![R::ZERO; n],
            r: vec![0; n],
            receptors: Vec::new(),
            fired: Vec::with_capacity(n),
        }
    }

    /// One step of the module docs.
    pub(super) fn step(&mut self) {
        let conductances = |r: &Receptor<R>| matches!(r.synapse, Synapse::Conductance { .. });
        if self.receptors.iter().any(conductances) {
            self.relax();
        } else {
            self.propagate();
        }
        for receptor in &mut self.receptors {
            let (decay, arrived) = (receptor.decay, receptor.arrivals.now());
            let into = match receptor.synapse {
                Synapse::Delta => &mut self.v,
                _ => &mut receptor.state,
            };
            let keep = if receptor.synapse == Synapse::Delta {
                R::ONE
            } else {
                decay
            };
            for (x, &w) in into.iter_mut().zip(arrived) {
                *x = keep * *x + w;
            }
            receptor.arrivals.advance();
        }
        self.fire();
    }

    /// The exact step of currents.
    fn propagate(&mut self) {
        let lif = &self.lif;
        let alpha = (-self.h / lif.tau_m_ms).exp();
        let rest = R::of(lif.e_l_mv + lif.i_e_mv);
        let alpha = R::of(alpha);
        for v in &mut self.v {
            *v = rest + alpha * (*v - rest);
        }
        for receptor in &self.receptors {
            for (v, &i) in self.v.iter_mut().zip(&receptor.state) {
                *v += receptor.exact * i;
            }
        }
    }

    /// The step towards where conductances draw the potential.
    fn relax(&mut self) {
        let lif = &self.lif;
        let (leak, rate) = (
            R::of(lif.e_l_mv + lif.i_e_mv),
            R::of(-self.h / lif.tau_m_ms),
        );
        for (j, v) in self.v.iter_mut().enumerate() {
            let (mut conductance, mut drive) = (R::ONE, leak);
            for receptor in &self.receptors {
                let mean = receptor.mean * receptor.state[j];
                match receptor.synapse {
                    Synapse::Delta => {}
                    Synapse::Current { .. } => drive += mean,
                    Synapse::Conductance { reversal_mv, .. } => {
                        conductance += mean;
                        drive += mean * R::of(reversal_mv);
                    }
                }
            }
            let goal = drive / conductance;
            *v = goal + (rate * conductance).exp() * (*v - goal);
        }
    }

    fn fire(&mut self) {
        let lif = &self.lif;
        let (v_th, beta) = (R::of(lif.v_th_mv), R::of(lif.beta_mv));
        let (reset, rho) = (R::of(lif.v_reset_mv), R::of((-self.h / lif.tau_a_ms).exp()));
        let refractory = (lif.t_ref_ms / self.h).round() as u32;
        self.fired.clear();
        for (j, v) in self.v.iter_mut().enumerate() {
            let a = &mut self.a[j];
            let threshold = v_th + beta * *a;
            *a *= rho;
            if self.r[j] > 0 {
                self.r[j] -= 1;
                *v = reset;
            } else if *v >= threshold {
                *v = reset;
                *a += R::ONE;
                self.r[j] = refractory;
                self.fired.push(j as u32);
            }
        }
    }
}
