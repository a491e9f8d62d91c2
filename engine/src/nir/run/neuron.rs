//! Neurons of NIR, with or without a synaptic current, a leak and a threshold.

use super::Integration;
use super::parameters::Reading;
use crate::error::Result;
use crate::nir::export::{SUBTRACT, SUBTRACT_LATE};
use crate::nir::{Value, wrong};

/// A population.
#[derive(Debug)]
pub(super) struct Neurons {
    integration: Integration,
    dt_s: f64,
    membranes: Vec<Membrane>,
    /// Empty without synaptic currents.
    synapses: Vec<Synapse>,
    threshold: Option<Threshold>,
}

/// `tau v' = (v_leak - v) + r I`, or `v' = r I`.
#[derive(Debug)]
struct Membrane {
    v: f64,
    r: f64,
    v_leak: f64,
    /// Infinite without a leak.
    tau_s: f64,
    /// What is left of a difference after a tick.
    alpha: f64,
}

/// `tau_syn i' = -i + w_in x`.
#[derive(Debug)]
struct Synapse {
    i: f64,
    w_in: f64,
    tau_s: f64,
    alpha: f64,
    /// How much of a current that decays from 1 is in the potential after a tick, for
    /// `r = 1`.
    into_v: f64,
}

#[derive(Debug)]
struct Threshold {
    at: Vec<f64>,
    reset_to: Vec<f64>,
    reset: Reset,
    /// Ticks in which a neuron cannot fire again.
    t_ref: u32,
    left: Vec<u32>,
    fired: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reset {
    ToValue,
    Subtract,
    /// A tick after the spike.
    SubtractLate,
}

impl Neurons {
    pub(super) fn read(
        reading: &Reading<'_>,
        count: usize,
        dt_s: f64,
        integration: Integration,
    ) -> Result<Self> {
        let kind = reading.node.kind.as_str();
        let (cuba, leaky) = (kind.starts_with("Cuba"), !["I", "IF"].contains(&kind));
        let (r, tau) = (
            reading.spread("r", count)?,
            match leaky {
                true => reading.positive(if cuba { "tau_mem" } else { "tau" }, count)?,
                false => vec![f64::INFINITY; count],
            },
        );
        let v_leak = match leaky {
            true => reading.spread("v_leak", count)?,
            false => vec![0.0; count],
        };
        let membrane = |k: usize| Membrane {
            v: v_leak[k],
            r: r[k],
            v_leak: v_leak[k],
            tau_s: tau[k],
            alpha: (-dt_s / tau[k]).exp(),
        };
        let membranes: Vec<Membrane> = (0..count).map(membrane).collect();
        let synapses = match cuba {
            true => Synapse::read(reading, &membranes, dt_s)?,
            false => Vec::new(),
        };
        let fastest = membranes.iter().map(|m| m.tau_s);
        let fastest = fastest.chain(synapses.iter().map(|s| s.tau_s));
        let fastest = fastest.fold(f64::INFINITY, f64::min);
        if integration == Integration::Euler && fastest < dt_s {
            let what = format!(
                "has a time constant of {fastest} s, shorter than the tick of {dt_s} s: Euler steps overshoot; take shorter ticks or the exact solution"
            );
            return Err(reading.wrong(what));
        }
        Ok(Self {
            integration,
            dt_s,
            membranes,
            synapses,
            threshold: match kind.ends_with('F') {
                true => Some(Threshold::read(reading, count, dt_s)?),
                false => None,
            },
        })
    }

    /// What they gave before the first tick: no spikes, or their potentials.
    pub(super) fn at_rest(&self) -> Vec<f64> {
        let spiking = self.threshold.is_some();
        let v = |m: &Membrane| if spiking { 0.0 } else { m.v };
        self.membranes.iter().map(v).collect()
    }

    pub(super) fn step(&mut self, into: &[f64], out: &mut [f64]) {
        match (self.integration, self.synapses.is_empty()) {
            (Integration::Exact, true) => {
                for (m, x) in self.membranes.iter_mut().zip(into) {
                    m.relax(*x, self.dt_s);
                }
            }
            (Integration::Euler, true) => {
                for (m, x) in self.membranes.iter_mut().zip(into) {
                    m.euler(*x, self.dt_s);
                }
            }
            (Integration::Exact, false) => {
                let all = self.membranes.iter_mut().zip(&mut self.synapses);
                for ((m, s), x) in all.zip(into) {
                    // The current is w_in x and what decays to it.
                    let steady = s.w_in * x;
                    m.relax(steady, self.dt_s);
                    m.v += m.r * (s.i - steady) * s.into_v;
                    s.i = steady + (s.i - steady) * s.alpha;
                }
            }
            (Integration::Euler, false) => {
                let all = self.membranes.iter_mut().zip(&mut self.synapses);
                for ((m, s), x) in all.zip(into) {
                    m.euler(s.i, self.dt_s);
                    s.i += self.dt_s / s.tau_s * (s.w_in * x - s.i);
                }
            }
        }
        match &mut self.threshold {
            Some(threshold) => threshold.apply(&mut self.membranes, out),
            None => {
                let v = self.membranes.iter().map(|m| m.v);
                out.iter_mut().zip(v).for_each(|(y, v)| *y = v);
            }
        }
    }
}

impl Membrane {
    /// The exact solution for a current that is constant for a tick.
    fn relax(&mut self, current: f64, dt_s: f64) {
        if self.tau_s.is_infinite() {
            self.v += self.r * current * dt_s;
        } else {
            let rest = self.v_leak + self.r * current;
            self.v = rest + (self.v - rest) * self.alpha;
        }
    }

    fn euler(&mut self, current: f64, dt_s: f64) {
        if self.tau_s.is_infinite() {
            self.v += self.r * current * dt_s;
        } else {
            self.v += dt_s / self.tau_s * (self.v_leak - self.v + self.r * current);
        }
    }
}

impl Synapse {
    fn read(reading: &Reading<'_>, membranes: &[Membrane], dt_s: f64) -> Result<Vec<Self>> {
        let count = membranes.len();
        let tau = reading.positive("tau_syn", count)?;
        let w_in = match reading.optional("w_in")? {
            Some(_) => reading.spread("w_in", count)?,
            None => vec![1.0; count],
        };
        let synapse = |k: usize| {
            let (tau_m, alpha_m) = (membranes[k].tau_s, membranes[k].alpha);
            let alpha = (-dt_s / tau[k]).exp();
            // tau_syn / (tau_syn - tau_m) (alpha - alpha_m), where both are equal as well.
            let x = dt_s / tau_m - dt_s / tau[k];
            let into_v = if x.abs() > 1.0 {
                (alpha - alpha_m) * tau[k] / (tau[k] - tau_m)
            } else {
                let slope = if x == 0.0 { 1.0 } else { x.exp_m1() / x };
                alpha_m * slope * dt_s / tau_m
            };
            Self {
                i: 0.0,
                w_in: w_in[k],
                tau_s: tau[k],
                alpha,
                into_v,
            }
        };
        Ok((0..count).map(synapse).collect())
    }
}

impl Threshold {
    fn read(reading: &Reading<'_>, count: usize, dt_s: f64) -> Result<Self> {
        let metadata = &reading.node.metadata;
        if metadata.contains_key("n_adaptive") {
            let what = "has adaptive neurons in its metadata, which NIR's equations have not; `saccade weights import` takes such a graph whole";
            return Err(reading.wrong(what));
        }
        let reset = match metadata.get("reset") {
            Some(Value::Text(text)) if text == SUBTRACT_LATE => Reset::SubtractLate,
            Some(Value::Text(text)) if text == SUBTRACT => Reset::Subtract,
            _ => Reset::ToValue,
        };
        let t_ref = match metadata.get("t_ref") {
            Some(Value::Array(t)) if t.values.len() == 1 => (t.values[0] / dt_s).round(),
            _ => 0.0,
        };
        if !(0.0..=f64::from(1 << 24)).contains(&t_ref) {
            let what = format!("is {t_ref} ticks, expected 0 to 2^24");
            return Err(wrong(reading.place("metadata.t_ref"), what));
        }
        Ok(Self {
            at: reading.spread("v_threshold", count)?,
            // Older files have none; it is 0 then, as PyPI's nir has it.
            reset_to: match reading.optional("v_reset")? {
                Some(_) => reading.spread("v_reset", count)?,
                None => vec![0.0; count],
            },
            reset,
            t_ref: t_ref as u32,
            left: vec![0; count],
            fired: vec![false; count],
        })
    }

    fn apply(&mut self, membranes: &mut [Membrane], out: &mut [f64]) {
        for (k, (m, z)) in membranes.iter_mut().zip(out).enumerate() {
            if self.reset == Reset::SubtractLate && self.fired[k] {
                m.v -= self.at[k];
            }
            self.left[k] = self.left[k].saturating_sub(1);
            let fires = m.v > self.at[k] && self.left[k] == 0;
            if fires {
                self.left[k] = self.t_ref;
                match self.reset {
                    Reset::ToValue => m.v = self.reset_to[k],
                    Reset::Subtract => m.v -= self.at[k],
                    Reset::SubtractLate => {}
                }
            }
            self.fired[k] = fires;
            *z = f64::from(u8::from(fires));
        }
    }
}
