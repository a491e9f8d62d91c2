//! Conductance-based dendrites: neurons that learn how reliable each of their cues is.
//!
//! Jordan, Sacramento, Wybo, Petrovici & Senn, *Conductance-based dendrites perform
//! Bayes-optimal cue integration*, arXiv:2104.13238. A dendrite `d` is a cue with an
//! opinion, the potential `E_d` that its synapses would hold it at, and a reliability, its
//! conductance `g_d`. The soma pools opinions by reliability into the mean `u0` and the
//! variance `lambda / g0` of a posterior:
//!
//! ```text
//! gX_d = sum_j r_j wX_j,   w = softplus(omega)                  X excitatory, inhibitory
//! g_d  = gL_d + gE_d + gI_d,   E_d = (gL_d E_L + gE_d E_E + gI_d E_I) / g_d
//! g0   = gL0 + sum_d g_d,      u0  = (gL0 E_L + sum_d g_d E_d) / g0
//! d omega^X_j = eta r_j sigmoid(omega^X_j)
//!               [ (u* - u0)(E_X - u0) / lambda - 1/2 ((u* - u0)^2 / lambda - 1/g0) ]
//! ```
//!
//! which ascends the logarithm of the probability of the target `u*`. The first term makes
//! opinions right; the second one makes those sure that are right, and those unsure that
//! are wrong. This is the limit of dendrites that are coupled to the soma without loss,
//! and of inputs that last until the potential has settled.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check, check_count};

/// Parameters of a neuron with such dendrites. Conductances are in units of the soma's leak.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConductanceParams {
    /// Reversal potential of excitation in mV.
    pub e_excitatory_mv: f64,
    /// Reversal potential of inhibition in mV.
    pub e_inhibitory_mv: f64,
    /// Reversal potential of the leaks in mV.
    pub e_leak_mv: f64,
    /// Leak of the soma.
    pub soma_leak: f64,
    /// Leak of each dendrite.
    pub dendrite_leak: f64,
    /// What turns a conductance into a precision, in mV².
    pub lambda: f64,
    /// Learning rate.
    pub eta: f64,
}

impl Default for ConductanceParams {
    fn default() -> Self {
        Self {
            e_excitatory_mv: 0.0,
            e_inhibitory_mv: -85.0,
            e_leak_mv: -70.0,
            soma_leak: 1.0,
            dendrite_leak: 0.2,
            lambda: 1.0,
            eta: 2.5e-5,
        }
    }
}

impl ConductanceParams {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        for (name, value, low, high) in [
            ("e_excitatory_mv", self.e_excitatory_mv, -200.0, 200.0),
            ("e_inhibitory_mv", self.e_inhibitory_mv, -200.0, 200.0),
            ("e_leak_mv", self.e_leak_mv, -200.0, 200.0),
            ("soma_leak", self.soma_leak, 1e-9, 1e9),
            ("dendrite_leak", self.dendrite_leak, 0.0, 1e9),
            ("lambda", self.lambda, 1e-9, 1e9),
            ("eta", self.eta, 0.0, 1e3),
        ] {
            check(&format!("conductance.{name}"), value, low, high)?;
        }
        Ok(())
    }
}

/// What a neuron, or one of its dendrites, makes of its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// Potential in mV: the mean.
    pub mean_mv: f64,
    /// Conductance, in proportion to the inverse of the variance: the reliability.
    pub conductance: f64,
}

/// Synapses of one kind.
#[derive(Clone, Debug, PartialEq)]
struct Synapses {
    reversal_mv: f64,
    /// One for each input.
    omega: Vec<f64>,
    /// `softplus(omega)`.
    weights: Vec<f64>,
    /// `sigmoid(omega)`.
    slopes: Vec<f64>,
    /// Sum of the changes since the last [`Neuron::apply`], without `eta` and slope.
    changes: Vec<f64>,
}

impl Synapses {
    fn new(reversal_mv: f64, omega: Vec<f64>) -> Self {
        let mut synapses = Synapses {
            reversal_mv,
            weights: vec![0.0; omega.len()],
            slopes: vec![0.0; omega.len()],
            changes: vec![0.0; omega.len()],
            omega,
        };
        synapses.refresh();
        synapses
    }

    fn refresh(&mut self) {
        for ((omega, weight), slope) in self
            .omega
            .iter()
            .zip(&mut self.weights)
            .zip(&mut self.slopes)
        {
            // Written so that nothing overflows where omega is large.
            *weight = omega.max(0.0) + (-omega.abs()).exp().ln_1p();
            *slope = 1.0 / (1.0 + (-omega).exp());
        }
    }

    fn conductance(&self, rates: &[f64], first: usize) -> f64 {
        let weights = &self.weights[first..first + rates.len()];
        weights.iter().zip(rates).map(|(w, r)| w * r).sum()
    }
}

/// A neuron whose dendrites have conductances.
#[derive(Clone, Debug, PartialEq)]
pub struct Neuron {
    params: ConductanceParams,
    /// Inputs of each dendrite.
    sizes: Vec<usize>,
    excitatory: Synapses,
    inhibitory: Synapses,
}

impl Neuron {
    /// A neuron with so many inputs at each of its dendrites; both kinds of synapses start
    /// from the `omega` that `start` gives, first the excitatory ones.
    ///
    /// # Errors
    /// [`Error::Parameter`] names what lies outside its range.
    pub fn new(
        params: ConductanceParams,
        sizes: &[usize],
        mut start: impl FnMut() -> f64,
    ) -> Result<Self> {
        params.validate()?;
        let n = sizes.iter().fold(0_usize, |n, s| n.saturating_add(*s));
        check_count("conductance.inputs", n, 1, 10_000_000)?;
        let mut synapses =
            |reversal_mv| Synapses::new(reversal_mv, (0..n).map(|_| start()).collect());
        Ok(Neuron {
            params,
            sizes: sizes.to_vec(),
            excitatory: synapses(params.e_excitatory_mv),
            inhibitory: synapses(params.e_inhibitory_mv),
        })
    }

    /// What each dendrite makes of the rates at its inputs (of all dendrites, in their order).
    ///
    /// # Errors
    /// [`Error::Sample`] where there are more or fewer rates than inputs.
    pub fn dendrites(&self, rates: &[f64]) -> Result<Vec<Opinion>> {
        self.check(rates)?;
        let mut first = 0;
        let opinion = |&size: &usize| {
            let opinion = self.pool(
                &rates[first..first + size],
                first,
                self.params.dendrite_leak,
            );
            first += size;
            opinion
        };
        Ok(self.sizes.iter().map(opinion).collect())
    }

    /// What the neuron makes of the rates at its inputs: mean and reliability of its posterior.
    ///
    /// # Errors
    /// [`Error::Sample`] where there are more or fewer rates than inputs.
    pub fn soma(&self, rates: &[f64]) -> Result<Opinion> {
        self.check(rates)?;
        let p = &self.params;
        let leak = p.soma_leak + p.dendrite_leak * self.sizes.len() as f64;
        Ok(self.pool(rates, 0, leak))
    }

    /// Adds the change that makes the potential `target_mv` more probable, to be made by
    /// [`Neuron::apply`].
    ///
    /// # Errors
    /// [`Error::Sample`] where there are more or fewer rates than inputs.
    pub fn learn(&mut self, rates: &[f64], target_mv: f64) -> Result<()> {
        let soma = self.soma(rates)?;
        let (u0, lambda) = (soma.mean_mv, self.params.lambda);
        let error = target_mv - u0;
        let sureness = 0.5 * (error * error / lambda - 1.0 / soma.conductance);
        for synapses in [&mut self.excitatory, &mut self.inhibitory] {
            let factor = error * (synapses.reversal_mv - u0) / lambda - sureness;
            for (change, r) in synapses.changes.iter_mut().zip(rates) {
                *change += r * factor;
            }
        }
        Ok(())
    }

    /// Makes the changes that have been learnt since the last time.
    pub fn apply(&mut self) {
        for synapses in [&mut self.excitatory, &mut self.inhibitory] {
            let changes = synapses.changes.iter_mut().zip(&synapses.slopes);
            for (omega, (change, slope)) in synapses.omega.iter_mut().zip(changes) {
                *omega += self.params.eta * slope * *change;
                *change = 0.0;
            }
            synapses.refresh();
        }
    }

    /// Weights of all inputs, excitatory and inhibitory.
    pub fn weights(&self) -> (&[f64], &[f64]) {
        (&self.excitatory.weights, &self.inhibitory.weights)
    }

    /// The opinions of these inputs, from input `first` on, and of a leak, pooled.
    fn pool(&self, rates: &[f64], first: usize, leak: f64) -> Opinion {
        let mut conductance = leak;
        let mut current = leak * self.params.e_leak_mv;
        for synapses in [&self.excitatory, &self.inhibitory] {
            let g = synapses.conductance(rates, first);
            conductance += g;
            current += g * synapses.reversal_mv;
        }
        let mean_mv = match conductance {
            0.0 => self.params.e_leak_mv,
            g => current / g,
        };
        Opinion {
            mean_mv,
            conductance,
        }
    }

    fn check(&self, rates: &[f64]) -> Result<()> {
        let expected = self.excitatory.omega.len();
        if rates.len() == expected {
            return Ok(());
        }
        let what = format!(
            "has {} rates, the neuron has {expected} inputs",
            rates.len()
        );
        Err(Error::Sample { index: 0, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `softplus(omega)` is 1 and 2.
    const ONE: f64 = 0.541_324_854_612_918_1;
    const TWO: f64 = 1.854_586_542_131_141_1;

    /// Two dendrites with one input each: excitation 1 and 2, inhibition 2 and 1.
    fn neuron() -> Neuron {
        let mut omega = [ONE, TWO, TWO, ONE].into_iter();
        let params = ConductanceParams {
            soma_leak: 1.0,
            dendrite_leak: 0.5,
            lambda: 2.0,
            eta: 0.01,
            ..ConductanceParams::default()
        };
        Neuron::new(params, &[1, 1], || omega.next().unwrap()).unwrap()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} and {b}");
    }

    #[test]
    fn opinions_by_hand() {
        // Rates 0.5 and 2: gE 0.5 and 4, gI 1 and 2.
        let neuron = neuron();
        let dendrites = neuron.dendrites(&[0.5, 2.0]).unwrap();
        close(dendrites[0].conductance, 0.5 + 0.5 + 1.0);
        close(dendrites[0].mean_mv, (0.5 * -70.0 - 85.0) / 2.0);
        close(dendrites[1].conductance, 0.5 + 4.0 + 2.0);
        close(dendrites[1].mean_mv, (0.5 * -70.0 - 2.0 * 85.0) / 6.5);
        let soma = neuron.soma(&[0.5, 2.0]).unwrap();
        close(soma.conductance, 1.0 + 2.0 + 6.5);
        close(soma.mean_mv, (-70.0 - 120.0 - 205.0) / 9.5);
        assert!(neuron.soma(&[0.5]).is_err());
    }

    #[test]
    fn a_change_by_hand() {
        let mut neuron = neuron();
        let (u0, g0) = (-395.0 / 9.5, 9.5);
        neuron.learn(&[0.5, 2.0], -40.0).unwrap();
        neuron.apply();
        let error = -40.0 - u0;
        let sure = 0.5 * (error * error / 2.0 - 1.0 / g0);
        let excite = error * (0.0 - u0) / 2.0 - sure;
        let inhibit = error * (-85.0 - u0) / 2.0 - sure;
        // sigmoid = 1 - exp(-softplus).
        let (slope_1, slope_2) = (1.0 - (-1.0_f64).exp(), 1.0 - (-2.0_f64).exp());
        close(
            neuron.excitatory.omega[0],
            ONE + 0.01 * 0.5 * slope_1 * excite,
        );
        close(
            neuron.excitatory.omega[1],
            TWO + 0.01 * 2.0 * slope_2 * excite,
        );
        close(
            neuron.inhibitory.omega[0],
            TWO + 0.01 * 0.5 * slope_2 * inhibit,
        );
        close(
            neuron.inhibitory.omega[1],
            ONE + 0.01 * 2.0 * slope_1 * inhibit,
        );
    }

    /// The rule is the slope of ln p = ln(g0)/2 - g0 (u* - u0)² / (2 lambda).
    #[test]
    fn learning_ascends_the_probability_of_the_target() {
        let (rates, target, step) = ([0.7, 1.3], -52.0, 1e-5);
        let log_p = |neuron: &Neuron| {
            let soma = neuron.soma(&rates).unwrap();
            let error = target - soma.mean_mv;
            0.5 * soma.conductance.ln() - soma.conductance * error * error / (2.0 * 2.0)
        };
        let mut learnt = neuron();
        learnt.learn(&rates, target).unwrap();
        learnt.apply();
        for k in 0..2 {
            let (mut more, mut less) = (neuron(), neuron());
            more.excitatory.omega[k] += step;
            less.excitatory.omega[k] -= step;
            more.excitatory.refresh();
            less.excitatory.refresh();
            let slope = (log_p(&more) - log_p(&less)) / (2.0 * step);
            let change = learnt.excitatory.omega[k] - neuron().excitatory.omega[k];
            assert!(
                (change / 0.01 - slope).abs() < 1e-6 * slope.abs(),
                "{slope}"
            );
        }
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let params = ConductanceParams {
            lambda: f64::NAN,
            ..ConductanceParams::default()
        };
        let error = Neuron::new(params, &[1], || 0.0).unwrap_err().to_string();
        assert!(error.contains("conductance.lambda"), "{error}");
        assert!(Neuron::new(ConductanceParams::default(), &[], || 0.0).is_err());
    }
}
