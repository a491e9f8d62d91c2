//! From gradients to weights: stochastic gradient descent and Adam.
//!
//! Adam in the form of TensorFlow 1, with epsilon outside the bias correction
//! (Kingma & Ba 2015, end of section 2; NEST's `eprop_synapse_bsshslm_2020`):
//!
//! ```text
//! m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
//! w -= eta sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)
//! ```
//!
//! Gradients are summed over a batch and divided by its size; a batch with zero
//! gradient advances Adam as well.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};
use crate::learning::feedback::Feedback;
use crate::network::{Network, Topology, Weights};
use crate::real::Real;
use crate::simd::{add_scaled, vectorised};

/// Which optimizer, with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// `w -= eta g`.
    Sgd {
        /// Learning rate.
        eta: f64,
    },
    /// Adam, see the module docs.
    Adam {
        /// Learning rate.
        eta: f64,
        /// Decay of the mean of the gradient.
        beta_1: f64,
        /// Decay of the mean of its square.
        beta_2: f64,
        /// Guard against division by zero.
        epsilon: f64,
    },
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::adam(0.01)
    }
}

impl OptimizerConfig {
    /// Adam with the usual decays 0.9 and 0.999 and epsilon 1e-8.
    pub fn adam(eta: f64) -> Self {
        Self::Adam {
            eta,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        }
    }

    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::Sgd { eta } => check("optimizer.eta", eta, 0.0, 1e3),
            Self::Adam {
                eta,
                beta_1,
                beta_2,
                epsilon,
            } => {
                check("optimizer.eta", eta, 0.0, 1e3)?;
                check("optimizer.beta_1", beta_1, 0.0, 0.999_999)?;
                check("optimizer.beta_2", beta_2, 0.0, 0.999_999_9)?;
                check("optimizer.epsilon", epsilon, 1e-20, 1.0)
            }
        }
    }
}

impl OptimizerConfig {
    /// What step `t` (from 1) is multiplied by.
    pub(crate) fn rate(&self, t: u64) -> f64 {
        match *self {
            Self::Sgd { eta } => eta,
            Self::Adam {
                eta,
                beta_1,
                beta_2,
                ..
            } => adam_rate(eta, t, beta_1, beta_2),
        }
    }

    /// A step with this [`OptimizerConfig::rate`] along gradient `g`, for the synapses of
    /// one row; `m` and `v` are used by Adam only.
    pub(crate) fn step_row<R: Real>(
        &self,
        rate: R,
        w: &mut [R],
        g: &[R],
        m: &mut [R],
        v: &mut [R],
    ) {
        match *self {
            Self::Sgd { .. } => add_scaled(w, -rate, g),
            Self::Adam {
                beta_1,
                beta_2,
                epsilon,
                ..
            } => {
                let [beta_1, beta_2, epsilon] = [beta_1, beta_2, epsilon].map(R::of);
                adam(w, g, m, v, [rate, beta_1, beta_2, epsilon, R::ONE, R::TINY]);
            }
        }
    }
}

/// `eta sqrt(1 - b2^t) / (1 - b1^t)`.
fn adam_rate(eta: f64, t: u64, beta_1: f64, beta_2: f64) -> f64 {
    let t = t as f64;
    eta * (1.0 - beta_2.powf(t)).sqrt() / (1.0 - beta_1.powf(t))
}

vectorised! {
    /// Keeps every weight within the bounds.
    pub(crate) fn keep_within<R: Real>(weights: &mut [R], bounds: (R, R)) {
        let (low, high) = bounds;
        for w in weights {
            let above = if *w < low { low } else { *w };
            *w = if above > high { high } else { above };
        }
    }
}

/// An optimizer and its state.
#[derive(Clone, Debug)]
pub struct Optimizer<R> {
    config: OptimizerConfig,
    /// Mean and mean square of the gradient (Adam).
    moments: Option<[Weights<R>; 2]>,
    /// Lowest and highest weight.
    bounds: Option<(R, R)>,
    steps: u64,
}

impl<R: Real> Optimizer<R> {
    /// An optimizer for the weights of a network of this topology.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the configuration is out of range.
    pub fn new(config: OptimizerConfig, topology: &Topology) -> Result<Self> {
        config.validate()?;
        let moments = match config {
            OptimizerConfig::Sgd { .. } => None,
            OptimizerConfig::Adam { .. } => {
                Some([Weights::zeros(topology), Weights::zeros(topology)])
            }
        };
        Ok(Self {
            config,
            moments,
            bounds: None,
            steps: 0,
        })
    }

    /// The same, with every weight kept within `low..=high` (no self-connection is
    /// a weight of 0, which the bounds must allow).
    ///
    /// # Errors
    /// [`Error::Parameter`] where the bounds do not enclose 0.
    pub fn bounded(mut self, low: f64, high: f64) -> Result<Self> {
        check("optimizer.w_min", low, -1e9, 0.0)?;
        check("optimizer.w_max", high, 0.0, 1e9)?;
        self.bounds = Some((R::of(low), R::of(high)));
        Ok(self)
    }

    /// Steps done so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Mean and mean square of the gradient, where it is Adam.
    pub(crate) fn moments(&self) -> Option<&[Weights<R>; 2]> {
        self.moments.as_ref()
    }

    /// Puts the optimizer where another of the same configuration was.
    pub(crate) fn restore(&mut self, steps: u64, moments: Option<[Weights<R>; 2]>) {
        self.steps = steps;
        self.moments = moments;
    }

    /// One [`Optimizer::step`] of a network: its feedback follows where it is adaptive,
    /// and synapses that there are not stay away.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn update(
        &mut self,
        network: &mut Network<R>,
        feedback: Feedback,
        gradients: &Weights<R>,
        batch: usize,
        rate_factor: f64,
    ) -> Result<()> {
        let mut before = Vec::new();
        feedback.remember(network, &mut before);
        self.step(&mut network.weights, gradients, batch, rate_factor)?;
        network.drop_absent();
        feedback.follow(network, &before);
        Ok(())
    }

    /// One step along `gradients / batch`, with the learning rate times `rate_factor`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a gradient is NaN or infinite; nothing is changed then.
    pub fn step(
        &mut self,
        weights: &mut Weights<R>,
        gradients: &Weights<R>,
        batch: usize,
        rate_factor: f64,
    ) -> Result<()> {
        check_finite(gradients)?;
        self.steps += 1;
        let scale = 1.0 / batch.max(1) as f64;
        match self.config {
            OptimizerConfig::Sgd { eta } => {
                let factor = R::of(-eta * rate_factor * scale);
                for (w, g) in weights.parts_mut().into_iter().zip(gradients.parts()) {
                    add_scaled(w, factor, g);
                }
            }
            OptimizerConfig::Adam {
                eta,
                beta_1,
                beta_2,
                epsilon,
            } => {
                let rate = adam_rate(eta * rate_factor, self.steps, beta_1, beta_2);
                let c = [rate, beta_1, beta_2, epsilon, scale, 0.0].map(R::of);
                let Some([m, v]) = &mut self.moments else {
                    return Ok(());
                };
                let state = m.parts_mut().into_iter().zip(v.parts_mut());
                let parts = weights.parts_mut().into_iter().zip(gradients.parts());
                for ((w, g), (m, v)) in parts.zip(state) {
                    adam(w, g, m, v, c);
                }
            }
        }
        self.keep_in_bounds(weights);
        Ok(())
    }

    fn keep_in_bounds(&self, weights: &mut Weights<R>) {
        if let Some(bounds) = self.bounds {
            for part in weights.parts_mut() {
                keep_within(part, bounds);
            }
        }
    }
}

vectorised! {
    fn adam<R: Real>(w: &mut [R], g: &[R], m: &mut [R], v: &mut [R], c: [R; 6]) {
        let [rate, beta_1, beta_2, epsilon, scale, least] = c;
        let n = w.len();
        let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
        for k in 0..n {
            let g = (g[k] * scale).unless_below(least);
            m[k] = beta_1 * m[k] + (R::ONE - beta_1) * g;
            v[k] = beta_2 * v[k] + (R::ONE - beta_2) * g * g;
            w[k] -= rate * m[k] / (v[k].sqrt() + epsilon);
        }
    }
}

/// Fails on the first gradient that is not finite.
fn check_finite<R: Real>(gradients: &Weights<R>) -> Result<()> {
    let names = ["gradient of w_in", "gradient of w_rec", "gradient of w_out"];
    for (name, part) in names.into_iter().zip(gradients.parts()) {
        // x * 0 is 0 for finite x and NaN otherwise, and sums cheaply.
        let mut sum = R::ZERO;
        for &g in part {
            sum += g * R::ZERO;
        }
        if sum == R::ZERO {
            continue;
        }
        let index = part.iter().position(|g| !g.to_f64().is_finite());
        let index = index.unwrap_or_default();
        return Err(Error::NotFinite {
            name: name.to_owned(),
            index,
            value: part[index].to_f64(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: Topology = Topology {
        n_in: 1,
        n_lif: 1,
        n_alif: 0,
        n_out: 1,
    };

    fn all(value: f64) -> Weights<f64> {
        let mut w = Weights::zeros(&TINY);
        for part in w.parts_mut() {
            part.fill(value);
        }
        w
    }

    #[test]
    fn sgd_by_hand() {
        let mut w = all(1.0);
        let mut sgd = Optimizer::new(OptimizerConfig::Sgd { eta: 0.5 }, &TINY).unwrap();
        sgd.step(&mut w, &all(4.0), 2, 1.0).unwrap();
        assert_eq!(w, all(0.0));
    }

    /// Two steps of Adam, written out.
    #[test]
    fn adam_by_hand() {
        let mut w = all(1.0);
        let mut adam = Optimizer::new(OptimizerConfig::adam(0.1), &TINY).unwrap();
        adam.step(&mut w, &all(2.0), 1, 1.0).unwrap();
        // m = 0.2, v = 0.004, rate = 0.1 sqrt(0.001)/0.1.
        let first = 1.0 - 0.001_f64.sqrt() * 0.2 / (0.004_f64.sqrt() + 1e-8);
        assert!((w.w_in[0] - first).abs() < 1e-12);
        adam.step(&mut w, &all(0.0), 1, 1.0).unwrap();
        // m = 0.18, v = 0.003996, rate = 0.1 sqrt(1 - 0.999^2)/(1 - 0.81).
        let rate = 0.1 * (1.0 - 0.999_f64 * 0.999).sqrt() / 0.19;
        let second = first - rate * 0.18 / (0.003_996_f64.sqrt() + 1e-8);
        assert!((w.w_in[0] - second).abs() < 1e-12);
    }

    #[test]
    fn weights_stay_in_their_bounds() {
        let sgd = Optimizer::new(OptimizerConfig::Sgd { eta: 1.0 }, &TINY).unwrap();
        let mut sgd = sgd.bounded(-0.25, 2.0).unwrap();
        let mut w = all(1.0);
        sgd.step(&mut w, &all(4.0), 1, 1.0).unwrap();
        assert_eq!(w, all(-0.25));
        sgd.step(&mut w, &all(-1.0), 1, 1.0).unwrap();
        assert_eq!(w, all(0.75));
        sgd.step(&mut w, &all(-9.0), 1, 1.0).unwrap();
        assert_eq!(w, all(2.0));
        let text = sgd.bounded(0.5, 2.0).unwrap_err().to_string();
        assert!(text.contains("optimizer.w_min is 0.5"), "{text}");
    }

    #[test]
    fn a_gradient_that_is_nan_changes_nothing() {
        let mut w = all(1.0);
        let mut adam = Optimizer::new(OptimizerConfig::default(), &TINY).unwrap();
        let error = adam.step(&mut w, &all(f64::NAN), 1, 1.0).unwrap_err();
        assert!(error.to_string().contains("gradient of w_in[0] is NaN"));
        assert_eq!((w, adam.steps()), (all(1.0), 0));
    }
}
