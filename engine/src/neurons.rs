//! Neuron models: leaky integrate-and-fire (LIF), the same with an adaptive
//! threshold (ALIF), and the leaky readout.
//!
//! One step of `dt`, in this order (Bellec et al., Nat. Commun. 11, 3625, 2020;
//! the `bsshslm_2020` neurons of NEST 3.10):
//!
//! ```text
//! alpha = exp(-dt/tau_m)   kappa = exp(-dt/tau_out)   rho = exp(-dt/tau_a)
//! 1  r   = max(r - 1, 0)
//! 2  v   = alpha v + P I - V_th z[s-1]            reset by subtraction, see `Reset`
//! 3  a   = rho a + z[s-1],  th = V_th + beta a    beta = 0 for LIF
//! 4  psi = 0 if r > 0 else h S(|v - th| / w)      S: see `Surrogate`
//! 5  z   = v >= th and r == 0;  on a spike r = t_ref/dt
//! 6  y   = kappa y + Po W_out z
//! ```
//!
//! with `I` the summed weights of the spikes that arrive in the step, and
//! `P = 1 - alpha`, `Po = 1 - kappa` unless `regular_spike_arrival` asks for 1.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};
use crate::real::Real;
use crate::simd::vectorised;

/// The shape `S(x)` of the surrogate gradient, 1 at `x = 0`, the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surrogate {
    /// `max(0, 1 - x)` (Bellec et al. 2020).
    #[default]
    PiecewiseLinear,
    /// `exp(-x)` (Shrestha & Orchard 2018).
    Exponential,
    /// `1 / (1 + x)^2`, the derivative of the fast sigmoid (Zenke & Ganguli 2018).
    FastSigmoid,
    /// `1 / (1 + x^2)`, the derivative of the arctangent (Fang et al. 2021).
    Arctan,
}

impl Surrogate {
    /// `S(x)`.
    pub fn at<R: Real>(self, x: R) -> R {
        let one_more = R::ONE + x;
        match self {
            Self::PiecewiseLinear => (R::ONE - x).positive(),
            Self::Exponential => (-x).exp(),
            Self::FastSigmoid => R::ONE / (one_more * one_more),
            Self::Arctan => R::ONE / (R::ONE + x * x),
        }
    }
}

/// How a spike resets the potential: by the threshold, unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// In the next step, undecayed: step 2 above (NEST's `bsshslm_2020` neurons).
    #[default]
    Late,
    /// In the step of the spike, after step 5 (NEST's `eprop_iaf`).
    AtOnce,
    /// The potential itself returns to 0 then, whatever it was (the LIF of NIR). The
    /// surrogate gradient is piecewise linear. Learning takes no notice of it: an
    /// eligibility decays with the membrane as if nothing had been reset.
    ToZero,
    /// The same to this potential, at most 0 (NEST's `eprop_iaf_psc_delta` with `E_L` at 0).
    /// Only for neurons without refractory time: theirs would hold the potential meanwhile.
    To(f64),
}

impl Reset {
    /// Whether a spike sets the potential to what it was not made from.
    pub fn is_hard(self) -> bool {
        matches!(self, Self::ToZero | Self::To(_))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Parameters of the recurrent neurons and the readout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NeuronParams {
    /// Length of a tick in ms.
    pub dt_ms: f64,
    /// Membrane time constant of the recurrent neurons in ms.
    pub tau_m_ms: f64,
    /// Time constant of the readout in ms.
    pub tau_out_ms: f64,
    /// Time constant of the adaptation of ALIF neurons in ms.
    pub tau_a_ms: f64,
    /// Firing threshold (no unit; weights are relative to it).
    pub v_th: f64,
    /// Rise of the threshold by one spike of an ALIF neuron.
    pub beta: f64,
    /// Refractory time in ms.
    pub t_ref_ms: f64,
    /// Height `h` of the surrogate gradient.
    pub psi_height: f64,
    /// Half width `w` of the surrogate gradient.
    pub psi_width: f64,
    /// Shape of the surrogate gradient. (It and `reset` are left out of files where
    /// they are the default, so that older weights keep their bytes.)
    #[serde(skip_serializing_if = "is_default")]
    pub surrogate: Surrogate,
    /// When a spike takes the threshold off the potential.
    #[serde(skip_serializing_if = "is_default")]
    pub reset: Reset,
    /// Whether an input spike adds its full weight to `v` (`P = 1`) instead of `1 - alpha` of it.
    pub regular_spike_arrival: bool,
    /// The same for the readout (`Po = 1` instead of `1 - kappa`).
    pub regular_spike_arrival_out: bool,
}

impl Default for NeuronParams {
    fn default() -> Self {
        Self {
            dt_ms: 1.0,
            tau_m_ms: 20.0,
            tau_out_ms: 20.0,
            tau_a_ms: 200.0,
            v_th: 0.6,
            beta: 0.07,
            t_ref_ms: 3.0,
            psi_height: 0.5,
            psi_width: 0.6,
            surrogate: Surrogate::PiecewiseLinear,
            reset: Reset::Late,
            regular_spike_arrival: false,
            regular_spike_arrival_out: false,
        }
    }
}

impl NeuronParams {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("neuron.dt_ms", self.dt_ms, 0.01, 100.0)?;
        check("neuron.tau_m_ms", self.tau_m_ms, 0.1, 1e5)?;
        check("neuron.tau_out_ms", self.tau_out_ms, 0.1, 1e5)?;
        check("neuron.tau_a_ms", self.tau_a_ms, 0.1, 1e6)?;
        check("neuron.v_th", self.v_th, 1e-6, 1e6)?;
        check("neuron.beta", self.beta, 0.0, 1e6)?;
        check("neuron.t_ref_ms", self.t_ref_ms, 0.0, 1000.0)?;
        check("neuron.psi_height", self.psi_height, 0.0, 1e6)?;
        check("neuron.psi_width", self.psi_width, 1e-6, 1e6)?;
        // Other surrogates are worked out after the reset, from what it left.
        if self.reset.is_hard() && self.surrogate != Surrogate::PiecewiseLinear {
            return Err(Error::Parameter {
                name: "neuron.surrogate".to_owned(),
                value: format!("{:?}", self.surrogate),
                range: format!("PiecewiseLinear with the reset {:?}", self.reset),
            });
        }
        if let Reset::To(v) = self.reset {
            check("neuron.reset.to", v, -1e6, 0.0)?;
            check("neuron.t_ref_ms with reset.to", self.t_ref_ms, 0.0, 0.0)?;
        }
        Ok(())
    }
}

/// The coefficients of one step, derived from [`NeuronParams`].
#[derive(Clone, Debug, PartialEq)]
pub struct Dynamics<R> {
    /// Decay of the membrane in a step.
    pub alpha: R,
    /// Decay of the readout in a step.
    pub kappa: R,
    /// Decay of the adaptation in a step.
    pub rho: R,
    /// Factor `P` of the current of the recurrent neurons.
    pub p: R,
    /// Factor `Po` of the current of the readout.
    pub p_out: R,
    /// Base threshold.
    pub v_th: R,
    /// Height of the surrogate gradient.
    pub psi_height: R,
    /// 1 over the half width of the surrogate gradient.
    pub psi_inv_width: R,
    /// Its shape.
    pub surrogate: Surrogate,
    /// What a spike takes off the potential in the next step.
    pub reset_late: R,
    /// What it takes off at once.
    pub reset_at_once: R,
    /// What it leaves of the potential before that, 1 or 0.
    pub reset_keep: R,
    /// Refractory time in steps.
    pub t_ref: R,
    /// Length of a step in ms.
    pub dt_ms: f64,
}

impl<R: Real> Dynamics<R> {
    /// Derives the coefficients; the parameters are taken as valid.
    pub fn new(params: &NeuronParams) -> Self {
        let decay = |tau_ms: f64| (-params.dt_ms / tau_ms).exp();
        let (alpha, kappa) = (decay(params.tau_m_ms), decay(params.tau_out_ms));
        let arrival = |regular: bool, decay: f64| if regular { 1.0 } else { 1.0 - decay };
        let (late, at_once, keep) = match params.reset {
            Reset::Late => (params.v_th, 0.0, 1.0),
            Reset::AtOnce => (0.0, params.v_th, 1.0),
            Reset::ToZero => (0.0, 0.0, 0.0),
            Reset::To(v) => (0.0, -v, 0.0),
        };
        Self {
            alpha: R::of(alpha),
            kappa: R::of(kappa),
            rho: R::of(decay(params.tau_a_ms)),
            p: R::of(arrival(params.regular_spike_arrival, alpha)),
            p_out: R::of(arrival(params.regular_spike_arrival_out, kappa)),
            v_th: R::of(params.v_th),
            psi_height: R::of(params.psi_height),
            psi_inv_width: R::of(1.0 / params.psi_width),
            surrogate: params.surrogate,
            reset_late: R::of(late),
            reset_at_once: R::of(at_once),
            reset_keep: R::of(keep),
            t_ref: R::of((params.t_ref_ms / params.dt_ms).round()),
            dt_ms: params.dt_ms,
        }
    }
}

/// State of a layer of LIF and ALIF neurons, one array per variable, each `[n]`.
#[derive(Clone, Debug)]
pub struct Layer<R> {
    /// Membrane potential.
    pub v: Vec<R>,
    /// Adaptation variable.
    pub a: Vec<R>,
    /// Steps left of the refractory time.
    pub r: Vec<R>,
    /// 1 where the neuron fired in the last step, else 0.
    pub z: Vec<R>,
    /// Rise of the threshold per spike; 0 makes the neuron a LIF.
    pub beta: Vec<R>,
    /// Summed weights of the spikes arriving in the coming step.
    pub current: Vec<R>,
}

impl<R: Real> Layer<R> {
    /// A layer of `n_lif` LIF neurons followed by `n_alif` ALIF neurons, at rest.
    pub fn new(n_lif: usize, n_alif: usize, beta: f64) -> Self {
        let n = n_lif + n_alif;
        let mut betas = vec![R::ZERO; n];
        betas[n_lif..].fill(R::of(beta));
        let zeros = || vec![R::ZERO; n];
        Self {
            v: zeros(),
            a: zeros(),
            r: zeros(),
            z: zeros(),
            beta: betas,
            current: zeros(),
        }
    }

    /// Returns every neuron to rest.
    pub fn reset(&mut self) {
        for x in [
            &mut self.v,
            &mut self.a,
            &mut self.r,
            &mut self.z,
            &mut self.current,
        ] {
            x.fill(R::ZERO);
        }
    }

    /// Steps 1 to 5 of the module docs; writes the surrogate gradient to `psi` (`[n]`)
    /// and clears the current.
    pub fn step(&mut self, dynamics: &Dynamics<R>, psi: &mut [R]) {
        integrate(self, dynamics, psi);
        if dynamics.surrogate != Surrogate::PiecewiseLinear {
            self.other_surrogate(dynamics, psi);
        }
    }

    /// Writes the surrogate gradients of the last step anew, in their own shape: the
    /// vectorised loop knows the default only.
    fn other_surrogate(&self, d: &Dynamics<R>, psi: &mut [R]) {
        for (j, psi) in psi.iter_mut().enumerate() {
            let spiked = self.z[j] > R::ZERO;
            if !spiked && self.r[j] > R::ZERO {
                continue; // refractory: 0 already
            }
            let v = self.v[j] + d.reset_at_once * self.z[j];
            let x = (v - (d.v_th + self.beta[j] * self.a[j])).abs() * d.psi_inv_width;
            *psi = d.psi_height * d.surrogate.at(x);
        }
    }

    /// Appends the neurons that fired in the last step to `out`, in ascending order.
    pub fn fired(&self, out: &mut Vec<u32>) {
        for (block, z) in self.z.chunks(8).enumerate() {
            // Most blocks are silent: one test for eight neurons.
            let mut any = R::ZERO;
            for &z in z {
                any += z;
            }
            if any > R::ZERO {
                let fired = z.iter().enumerate().filter(|(_, z)| **z > R::ZERO);
                out.extend(fired.map(|(j, _)| (block * 8 + j) as u32));
            }
        }
    }
}

vectorised! {
    fn integrate<R: Real>(layer: &mut Layer<R>, d: &Dynamics<R>, psi: &mut [R]) {
        let n = psi.len();
        // Equal lengths known to the compiler: no bounds check in the loop.
        let (v, a, r) = (&mut layer.v[..n], &mut layer.a[..n], &mut layer.r[..n]);
        let (z, current, beta) = (&mut layer.z[..n], &mut layer.current[..n], &layer.beta[..n]);
        for j in 0..n {
            let left = (r[j] - R::ONE).positive();
            let v_new = d.alpha * v[j] + d.p * current[j] - d.reset_late * z[j];
            let a_new = d.rho * a[j] + z[j];
            let distance = v_new - (d.v_th + beta[j] * a_new);
            let bump = (R::ONE - distance.abs() * d.psi_inv_width).positive() * d.psi_height;
            let free = left <= R::ZERO;
            let spike = free & (distance >= R::ZERO);
            psi[j] = if free { bump } else { R::ZERO };
            z[j] = if spike { R::ONE } else { R::ZERO };
            r[j] = if spike { d.t_ref } else { left };
            let after = d.reset_keep * v_new - d.reset_at_once;
            v[j] = if spike { after } else { v_new };
            a[j] = a_new;
            current[j] = R::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> NeuronParams {
        NeuronParams {
            tau_m_ms: 10.0,
            tau_a_ms: 50.0,
            v_th: 1.0,
            beta: 0.5,
            t_ref_ms: 2.0,
            psi_height: 0.3,
            psi_width: 1.0,
            regular_spike_arrival: true,
            ..NeuronParams::default()
        }
    }

    /// A LIF and an ALIF neuron, three steps, by hand.
    #[test]
    fn three_steps_by_hand() {
        let p = params();
        let d = Dynamics::<f64>::new(&p);
        let mut layer = Layer::new(1, 1, p.beta);
        let mut psi = [0.0; 2];

        layer.current.fill(1.25);
        layer.step(&d, &mut psi);
        // v = 1.25 >= 1: both fire, psi = 0.3 (1 - 0.25).
        assert_eq!(layer.z, [1.0, 1.0]);
        assert!((psi[0] - 0.225).abs() < 1e-15 && (psi[1] - 0.225).abs() < 1e-15);

        layer.current.fill(2.0);
        layer.step(&d, &mut psi);
        // Refractory: psi = 0 and no spike although v is over the threshold.
        let v = (-0.1_f64).exp() * 1.25 + 2.0 - 1.0;
        assert!((layer.v[0] - v).abs() < 1e-15);
        assert_eq!((layer.z[0], psi[0]), (0.0, 0.0));
        assert_eq!(layer.a[1], 1.0);

        layer.current.fill(0.0);
        layer.step(&d, &mut psi);
        // Free again; threshold of the ALIF is 1 + 0.5 exp(-1/50) = 1.49.
        let v = (-0.1_f64).exp() * v;
        let threshold = 1.0 + 0.5 * (-0.02_f64).exp();
        assert!(v > threshold, "both are over their thresholds");
        assert_eq!(layer.z, [1.0, 1.0]);
        assert!((psi[0] - 0.3 * (1.0 - (v - 1.0))).abs() < 1e-15);
        assert!((psi[1] - 0.3 * (1.0 - (v - threshold))).abs() < 1e-15);
        let mut fired = vec![];
        layer.fired(&mut fired);
        assert_eq!(fired, [0, 1]);
    }

    /// The values at x = 0.5 and 2, by hand.
    #[test]
    fn surrogates_by_hand() {
        for (surrogate, half, two) in [
            (Surrogate::PiecewiseLinear, 0.5, 0.0),
            (Surrogate::Exponential, (-0.5_f64).exp(), (-2.0_f64).exp()),
            (Surrogate::FastSigmoid, 1.0 / 2.25, 1.0 / 9.0),
            (Surrogate::Arctan, 0.8, 0.2),
        ] {
            assert_eq!(surrogate.at(0.0), 1.0);
            assert_eq!((surrogate.at(0.5), surrogate.at(2.0)), (half, two));
            let d = Dynamics::<f64>::new(&NeuronParams {
                surrogate,
                psi_width: 0.5,
                ..params()
            });
            // v = 0.75 and 1.25: a quarter below and above threshold, x = 0.5.
            let mut layer = Layer::new(2, 0, 0.0);
            let mut psi = [0.0; 2];
            layer.current.copy_from_slice(&[0.75, 1.25]);
            layer.step(&d, &mut psi);
            assert_eq!(psi, [0.3 * half; 2]);
            layer.step(&d, &mut psi);
            assert_eq!(psi[1], 0.0, "refractory");
        }
    }

    /// One spike, then the decay: late, the threshold goes off undecayed.
    #[test]
    fn resets_by_hand() {
        let decay = (-0.1_f64).exp();
        for (reset, after, next) in [
            (Reset::Late, 1.25, decay * 1.25 - 1.0),
            (Reset::AtOnce, 0.25, decay * 0.25),
            (Reset::ToZero, 0.0, 0.0),
            (Reset::To(-0.5), -0.5, -0.5 * decay),
        ] {
            let d = Dynamics::<f64>::new(&NeuronParams { reset, ..params() });
            let mut layer = Layer::new(1, 0, 0.0);
            layer.current[0] = 1.25;
            layer.step(&d, &mut [0.0]);
            assert_eq!((layer.z[0], layer.v[0]), (1.0, after));
            layer.step(&d, &mut [0.0]);
            assert!((layer.v[0] - next).abs() < 1e-15);
        }
    }

    #[test]
    fn validation_names_the_parameter() {
        let bad = NeuronParams {
            tau_m_ms: f64::NAN,
            ..NeuronParams::default()
        };
        let text = bad.validate().unwrap_err().to_string();
        assert!(
            text.contains("neuron.tau_m_ms") && text.contains("NaN"),
            "{text}"
        );
        for (t_ref_ms, to, says) in [(2.0, -0.5, "t_ref_ms"), (0.0, 0.5, "reset.to is 0.5")] {
            let bad = NeuronParams {
                reset: Reset::To(to),
                t_ref_ms,
                ..NeuronParams::default()
            };
            let text = bad.validate().unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
        }
    }
}
