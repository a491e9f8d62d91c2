//! e-prop, interval-wise with reset, in two forms that give the same gradient.
//!
//! Bellec et al., Nat. Commun. 11, 3625 (2020), in the form of NEST 3.10's
//! `eprop_synapse_bsshslm_2020`. For presynaptic neuron `i` (input `x[s]` or
//! recurrent `z[s-1]`) and postsynaptic `j`, with the coefficients of
//! [`crate::neurons`] and `beta_j = 0` for LIF:
//!
//! ```text
//! E_k      error of readout k (see `loss`), 0 outside the learning window
//! L_j      = sum_k B_kj E_k                          learning signal
//! zbar_i   = alpha zbar_i + P pre_i
//! e_ji     = psi_j (zbar_i - beta_j eps_ji);  eps_ji = rho eps_ji + e_ji  (after use)
//! ebar_ji  = kappa ebar_ji + (1 - kappa) e_ji
//! g_ji     = sum_s L_j ebar_ji + reg_j sum_s e_ji
//! reg_j    = c_reg (n_j/T - f_target dt)/T           n_j spikes in T steps
//! g_kj     = sum_s E_k zbarO_j,   zbarO_j = kappa zbarO_j + Po z_j[s]
//! ```
//!
//! # Forward form
//! [`Forward`] carries `eps` and `ebar` for every synapse, as written above. It
//! costs (synapses x ticks) and needs no history: the form to learn with while
//! the interval still runs, and the reference for the other one.
//!
//! # Adjoint form
//! [`Adjoint`] goes backwards through the recorded interval. All the recursions
//! above are linear in the traces, so each filter can be moved, reversed in time,
//! to the other factor of its product. With `s` descending and all starting at 0:
//!
//! ```text
//! Eb_k  = kappa Eb_k + E_k[s]                        reversed kappa filter
//! M_j   = (1 - kappa) sum_k B_kj Eb_k + reg_j        so that g_ji = sum_s M_j e_ji
//! A_j   = psi_j (M_j + D_j)                          so that g_ji = sum_s A_j zbar_i
//! D_j   = -beta_j psi_j M_j + (rho - beta_j psi_j) D_j   for the next (earlier) step
//! C_j   = alpha C_j + P A_j                          so that g_ji = sum_{spikes of i} C_j
//! ```
//!
//! `D` is the adjoint of `eps`: `eps[s+1] = (rho - beta psi) eps[s] + psi zbar`
//! depends on `i` through `zbar` alone, so one `D` per *neuron* replaces one `eps`
//! per synapse. The gradient of an input that spikes at `s` grows by the row
//! `C[s]`, that of a recurrent neuron that spikes at `s - 1` likewise, and that of
//! the readout weights by `Po Eb` for every spike. Cost: (neurons x ticks) +
//! (spikes x neurons), exact up to rounding.

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};
use crate::network::{Interval, Network, Weights};
use crate::neurons::Dynamics;
use crate::real::Real;
use crate::simd::{add_scaled, add_to_rows, vectorised};

/// Parameters of e-prop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EpropConfig {
    /// Strength of the firing-rate regularisation.
    pub c_reg: f64,
    /// Firing rate it pulls to, in Hz.
    pub f_target_hz: f64,
    /// Whether gradients are divided by the number of ticks of the learning window.
    pub average_gradient: bool,
}

impl Default for EpropConfig {
    fn default() -> Self {
        Self {
            c_reg: 300.0,
            f_target_hz: 15.0,
            average_gradient: true,
        }
    }
}

impl EpropConfig {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check("eprop.c_reg", self.c_reg, 0.0, 1e9)?;
        check("eprop.f_target_hz", self.f_target_hz, 0.0, 1e4)
    }

    /// What the gradient of an interval is multiplied by.
    pub(super) fn scale<R: Real>(&self, interval: &Interval<R>) -> R {
        match self.average_gradient {
            true => R::of(1.0 / interval.error_ticks().max(1) as f64),
            false => R::ONE,
        }
    }
}

/// `reg_j` of the module docs for every neuron, into `out`.
pub(super) fn regularisation<R: Real>(
    interval: &Interval<R>,
    dynamics: &Dynamics<R>,
    config: &EpropConfig,
    out: &mut [R],
) {
    let ticks = R::of(interval.recorded().max(1) as f64);
    let target = R::of(config.f_target_hz * dynamics.dt_ms / 1000.0);
    let strength = R::of(config.c_reg);
    out.fill(R::ZERO);
    for &j in interval.spikes().all() {
        out[j as usize] += R::ONE;
    }
    for reg in out {
        *reg = strength * (*reg / ticks - target) / ticks;
    }
}

/// The feedback weights of a network, `[n_out, n_rec]`, into `out`.
pub(super) fn feedback<R: Real>(network: &Network<R>, out: &mut [R]) {
    match &network.feedback {
        Some(random) => out.copy_from_slice(random),
        None => transpose_readout(network, out),
    }
}

/// The transposed readout weights, `[n_out, n_rec]`, into `out`.
fn transpose_readout<R: Real>(network: &Network<R>, out: &mut [R]) {
    let (n, n_out) = (network.topology.n_rec(), network.topology.n_out);
    for (j, row) in network.weights.w_out.chunks_exact(n_out.max(1)).enumerate() {
        for (k, &w) in row.iter().enumerate() {
            out[k * n + j] = w;
        }
    }
}

/// Working memory of the adjoint form.
#[derive(Clone, Debug)]
pub struct Adjoint<R> {
    /// `B`, `[n_out, n_rec]`.
    feedback: Vec<R>,
    /// `Eb`, `[n_out]`.
    error: Vec<R>,
    /// Gradient of one readout spike, `[n_out]`.
    readout: Vec<R>,
    /// `reg`, `[n_rec]`.
    reg: Vec<R>,
    /// `M`, `[n_rec]`.
    m: Vec<R>,
    /// `D`, `[n_rec]`.
    d: Vec<R>,
    /// `C`, `[n_rec]`.
    c: Vec<R>,
}

impl<R: Real> Adjoint<R> {
    /// Working memory for a network.
    pub fn new(network: &Network<R>) -> Self {
        let (n, k) = (network.topology.n_rec(), network.topology.n_out);
        Self {
            feedback: vec![R::ZERO; k * n],
            error: vec![R::ZERO; k],
            readout: vec![R::ZERO; k],
            reg: vec![R::ZERO; n],
            m: vec![R::ZERO; n],
            d: vec![R::ZERO; n],
            c: vec![R::ZERO; n],
        }
    }

    /// Adds the gradient of a recorded interval to `gradients`.
    pub fn accumulate(
        &mut self,
        network: &Network<R>,
        interval: &Interval<R>,
        config: &EpropConfig,
        gradients: &mut Weights<R>,
    ) {
        feedback(network, &mut self.feedback);
        let gain = R::ONE - network.dynamics.kappa;
        self.pass(network, interval, config, gain, |_, _| {}, gradients);
    }

    /// The same by backpropagation through time: the feedback is the readout itself,
    /// `paths` adds to `M` what comes back from the next step's `C`.
    pub(super) fn accumulate_through_time(
        &mut self,
        network: &Network<R>,
        interval: &Interval<R>,
        config: &EpropConfig,
        paths: impl Fn(&mut [R], &[R]),
        gradients: &mut Weights<R>,
    ) {
        transpose_readout(network, &mut self.feedback);
        let gain = network.dynamics.p_out;
        self.pass(network, interval, config, gain, paths, gradients);
    }

    /// Backwards through the interval, with `gain` in the place of `1 - kappa` in `M`.
    fn pass(
        &mut self,
        network: &Network<R>,
        interval: &Interval<R>,
        config: &EpropConfig,
        gain: R,
        paths: impl Fn(&mut [R], &[R]),
        gradients: &mut Weights<R>,
    ) {
        let dynamics = &network.dynamics;
        let scale = config.scale(interval);
        regularisation(interval, dynamics, config, &mut self.reg);
        // Scaling the sources scales the gradient: everything after is linear.
        for reg in &mut self.reg {
            *reg *= scale;
        }
        self.error.fill(R::ZERO);
        self.d.fill(R::ZERO);
        self.c.fill(R::ZERO);
        for s in (0..interval.recorded()).rev() {
            let filtered = self.error.iter_mut().zip(&mut self.readout);
            for ((eb, readout), &e) in filtered.zip(interval.error(s)) {
                *eb = dynamics.kappa * *eb + e * scale;
                *readout = dynamics.p_out * *eb;
            }
            self.m.copy_from_slice(&self.reg);
            paths(&mut self.m, &self.c);
            backward(
                self,
                dynamics,
                &interval.layer().beta,
                interval.psi(s),
                gain,
            );
            let arrived = s
                .checked_sub(1)
                .map_or(&[][..], |p| interval.spikes().tick(p));
            add_to_rows(
                &mut gradients.w_out,
                interval.spikes().tick(s),
                &self.readout,
            );
            add_to_rows(&mut gradients.w_rec, arrived, &self.c);
            add_to_rows(&mut gradients.w_in, interval.inputs().tick(s), &self.c);
        }
        clear_diagonal(&mut gradients.w_rec, network.topology.n_rec());
    }
}

/// No neuron projects to itself.
pub(super) fn clear_diagonal<R: Real>(w_rec: &mut [R], n: usize) {
    for g in w_rec.iter_mut().step_by(n + 1) {
        *g = R::ZERO;
    }
}

vectorised! {
    /// One step of `M`, `A`, `D`, `C` of the module docs.
    fn backward<R: Real>(adjoint: &mut Adjoint<R>, d: &Dynamics<R>, beta: &[R], psi: &[R], gain: R) {
        let n = psi.len();
        let Adjoint { feedback, error, m, d: dd, c, .. } = adjoint;
        let (m, dd, c, beta) = (&mut m[..n], &mut dd[..n], &mut c[..n], &beta[..n]);
        for (&e, b) in error.iter().zip(feedback.chunks_exact(n.max(1))) {
            let factor = gain * e;
            for (m, &b) in m.iter_mut().zip(b) {
                *m += factor * b;
            }
        }
        for j in 0..n {
            let pull = beta[j] * psi[j];
            c[j] = d.alpha * c[j] + d.p * (psi[j] * (m[j] + dd[j]));
            dd[j] = (d.rho - pull) * dd[j] - pull * m[j];
        }
    }
}

/// The forward form: traces of every synapse, advanced tick by tick.
#[derive(Clone, Debug)]
pub struct Forward<R> {
    /// Filtered presynaptic spikes `zbar`, inputs first: `[n_in + n_rec]`.
    presynaptic: Vec<R>,
    /// `zbarO`, `[n_rec]`.
    readout: Vec<R>,
    /// `eps`, `ebar` and the sums of `e` and `L ebar`, each `[n_in + n_rec, n_rec]`.
    eps: Vec<R>,
    ebar: Vec<R>,
    sum_e: Vec<R>,
    sum_l_ebar: Vec<R>,
    /// Gradient of the readout weights `[n_rec, n_out]`.
    sum_out: Vec<R>,
    feedback: Vec<R>,
    signal: Vec<R>,
    ticks: usize,
}

impl<R: Real> Forward<R> {
    /// Traces at zero.
    pub fn new(network: &Network<R>) -> Self {
        let t = &network.topology;
        let (n, pre) = (t.n_rec(), t.n_in + t.n_rec());
        let synapses = || vec![R::ZERO; pre * n];
        Self {
            presynaptic: vec![R::ZERO; pre],
            readout: vec![R::ZERO; n],
            eps: synapses(),
            ebar: synapses(),
            sum_e: synapses(),
            sum_l_ebar: synapses(),
            sum_out: vec![R::ZERO; n * t.n_out],
            feedback: vec![R::ZERO; t.n_out * n],
            signal: vec![R::ZERO; n],
            ticks: 0,
        }
    }

    /// Takes in the last tick of `interval`: to be called once after every tick, when
    /// its error is written. A tick that is not recorded changes nothing.
    pub fn step(&mut self, network: &Network<R>, interval: &Interval<R>) {
        let s = self.ticks;
        if interval.recorded() != s + 1 {
            return;
        }
        self.ticks += 1;
        let d = &network.dynamics;
        self.learning_signal(network, interval.error(s));
        self.filter_presynaptic(network, interval, s);
        let n = network.topology.n_rec();
        let (psi, beta) = (interval.psi(s), &interval.layer().beta);
        for (i, &zbar) in self.presynaptic.iter().enumerate() {
            for j in 0..n {
                let at = i * n + j;
                let e = psi[j] * (zbar - beta[j] * self.eps[at]);
                self.eps[at] = d.rho * self.eps[at] + e;
                self.ebar[at] = d.kappa * self.ebar[at] + (R::ONE - d.kappa) * e;
                self.sum_e[at] += e;
                self.sum_l_ebar[at] += self.signal[j] * self.ebar[at];
            }
        }
        let rows = self.sum_out.chunks_exact_mut(network.topology.n_out.max(1));
        for (row, &zbar) in rows.zip(&self.readout) {
            add_scaled(row, zbar, interval.error(s));
        }
    }

    /// Takes the last tick's learning signal off the gradient of these inputs'
    /// synapses: what NEST does not know yet where a synapse's next spike comes too
    /// early (see [`crate::experiments::Experiment::iterate_as_nest`]).
    pub fn leave_out_last_signal(&mut self, inputs: &[u32]) {
        let n = self.signal.len();
        for &i in inputs {
            let row = i as usize * n..(i as usize + 1) * n;
            let ebar = &self.ebar[row.clone()];
            let sums = self.sum_l_ebar[row].iter_mut();
            for ((sum, &ebar), &signal) in sums.zip(ebar).zip(&self.signal) {
                *sum -= signal * ebar;
            }
        }
    }

    fn learning_signal(&mut self, network: &Network<R>, error: &[R]) {
        feedback(network, &mut self.feedback);
        self.signal.fill(R::ZERO);
        let rows = self.feedback.chunks_exact(self.signal.len().max(1));
        for (b, &e) in rows.zip(error) {
            add_scaled(&mut self.signal, e, b);
        }
    }

    fn filter_presynaptic(&mut self, network: &Network<R>, interval: &Interval<R>, s: usize) {
        let d = &network.dynamics;
        let n_in = network.topology.n_in;
        for zbar in &mut self.presynaptic {
            *zbar *= d.alpha;
        }
        for &i in interval.inputs().tick(s) {
            self.presynaptic[i as usize] += d.p;
        }
        if let Some(before) = s.checked_sub(1) {
            for &i in interval.spikes().tick(before) {
                self.presynaptic[n_in + i as usize] += d.p;
            }
        }
        for zbar in &mut self.readout {
            *zbar *= d.kappa;
        }
        for &j in interval.spikes().tick(s) {
            self.readout[j as usize] += d.p_out;
        }
    }

    /// Adds the gradient of the interval so far to `gradients` and returns the traces to zero.
    pub fn accumulate(
        &mut self,
        network: &Network<R>,
        interval: &Interval<R>,
        config: &EpropConfig,
        gradients: &mut Weights<R>,
    ) {
        let n = network.topology.n_rec();
        let scale = config.scale(interval);
        let mut reg = vec![R::ZERO; n];
        regularisation(interval, &network.dynamics, config, &mut reg);
        let all = gradients.w_in.iter_mut().chain(&mut gradients.w_rec);
        for (at, g) in all.enumerate() {
            *g += scale * (self.sum_l_ebar[at] + reg[at % n] * self.sum_e[at]);
        }
        add_scaled(&mut gradients.w_out, scale, &self.sum_out);
        clear_diagonal(&mut gradients.w_rec, n);
        self.reset();
    }

    fn reset(&mut self) {
        for trace in [
            &mut self.presynaptic,
            &mut self.readout,
            &mut self.eps,
            &mut self.ebar,
            &mut self.sum_e,
            &mut self.sum_l_ebar,
            &mut self.sum_out,
        ] {
            trace.fill(R::ZERO);
        }
        self.ticks = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::learning::loss;
    use crate::network::Topology;
    use crate::neurons::NeuronParams;

    /// A network whose weights make it fire at some tens of Hz.
    fn random_network<R: Real>(topology: Topology, random_feedback: bool) -> Network<R> {
        let params = NeuronParams {
            tau_a_ms: 60.0,
            beta: 0.2,
            ..NeuronParams::default()
        };
        let mut network = Network::new(topology, &params);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut draw = |scale: f64| R::of(rng.random_range(-scale..scale));
        network.weights.w_in.fill_with(|| draw(12.0));
        network.weights.w_rec.fill_with(|| draw(4.0));
        network.weights.w_out.fill_with(|| draw(1.0));
        clear_diagonal(&mut network.weights.w_rec, topology.n_rec());
        if random_feedback {
            network.feedback = Some(
                (0..topology.n_out * topology.n_rec())
                    .map(|_| draw(1.0))
                    .collect(),
            );
        }
        network
    }

    /// Gradients of both forms on random input, with the learning window in the second half.
    fn both_forms<R: Real>(network: &Network<R>, ticks: usize) -> [Weights<R>; 2] {
        let config = EpropConfig {
            c_reg: 300.0,
            f_target_hz: 20.0,
            average_gradient: true,
        };
        let topology = network.topology;
        let mut interval = Interval::new(network, ticks, ticks * topology.n_in);
        let mut forward = Forward::new(network);
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        interval.begin();
        for s in 0..ticks {
            let inputs: Vec<u32> = (0..topology.n_in as u32)
                .filter(|_| rng.random_bool(0.4))
                .collect();
            interval.step(network, &inputs);
            let y = interval.readout().to_vec();
            if s >= ticks / 2 {
                let error = interval.error_mut().unwrap();
                loss::cross_entropy(&y, (s / 20) % topology.n_out, error);
            }
            forward.step(network, &interval);
        }
        let fired = interval.spikes().all().len();
        assert!(
            fired > ticks / 2,
            "a silent network tests nothing: {fired} spikes"
        );
        let mut gradients = [Weights::zeros(&topology), Weights::zeros(&topology)];
        forward.accumulate(network, &interval, &config, &mut gradients[0]);
        let mut adjoint = Adjoint::new(network);
        adjoint.accumulate(network, &interval, &config, &mut gradients[1]);
        gradients
    }

    fn largest<R: Real>(x: &[R]) -> f64 {
        x.iter().map(|x| x.to_f64().abs()).fold(0.0, f64::max)
    }

    fn assert_agree<R: Real>([a, b]: &[Weights<R>; 2], tolerance: f64) {
        for (a, b) in a.parts().into_iter().zip(b.parts()) {
            let difference: Vec<f64> = a
                .iter()
                .zip(b)
                .map(|(a, b)| a.to_f64() - b.to_f64())
                .collect();
            let (worst, scale) = (largest(&difference), largest(a));
            assert!(scale > 1e-6, "the gradient must not vanish");
            assert!(worst <= tolerance * scale, "{worst:e} of {scale:e}");
        }
    }

    const MIXED: Topology = Topology {
        n_in: 9,
        n_lif: 7,
        n_alif: 6,
        n_out: 3,
    };

    #[test]
    fn adjoint_and_forward_form_agree_to_rounding() {
        for random_feedback in [false, true] {
            let network = random_network::<f64>(MIXED, random_feedback);
            assert_agree(&both_forms(&network, 400), 1e-13);
            let network = random_network::<f32>(MIXED, random_feedback);
            assert_agree(&both_forms(&network, 400), 2e-5);
        }
    }

    /// One input, one ALIF neuron, one readout, three ticks, from the equations by hand.
    #[test]
    fn three_ticks_by_hand() {
        let params = NeuronParams {
            tau_m_ms: 10.0,
            tau_out_ms: 5.0,
            tau_a_ms: 20.0,
            v_th: 1.0,
            beta: 0.5,
            t_ref_ms: 0.0,
            psi_height: 0.4,
            psi_width: 2.0,
            regular_spike_arrival: true,
            regular_spike_arrival_out: true,
            ..NeuronParams::default()
        };
        let topology = Topology {
            n_in: 1,
            n_lif: 0,
            n_alif: 1,
            n_out: 1,
        };
        let mut network = Network::<f64>::new(topology, &params);
        network.weights.w_in[0] = 1.5;
        network.weights.w_out[0] = 2.0;
        let (al, ka, rho) = ((-0.1_f64).exp(), (-0.2_f64).exp(), (-0.05_f64).exp());

        // Input at ticks 0 and 2; the neuron fires at tick 0 only.
        let v = [1.5, al * 1.5 - 1.0, al * (al * 1.5 - 1.0) + 1.5];
        let th = [1.0, 1.5, 1.0 + 0.5 * rho];
        let psi: Vec<f64> = v
            .iter()
            .zip(th)
            .map(|(v, th)| 0.4 * (1.0 - (v - th).abs() / 2.0))
            .collect();
        let fires2 = f64::from(v[2] >= th[2]);
        let y = [2.0, 2.0 * ka, 2.0 * ka * ka + 2.0 * fires2];
        let target = [0.0, 1.0, -1.0];
        let error: Vec<f64> = y.iter().zip(target).map(|(y, t)| y - t).collect();
        let zbar = [1.0, al, al * al + 1.0];
        let e0 = psi[0] * zbar[0];
        let e1 = psi[1] * (zbar[1] - 0.5 * e0);
        let e2 = psi[2] * (zbar[2] - 0.5 * (rho * e0 + e1));
        let b0 = (1.0 - ka) * e0;
        let b1 = ka * b0 + (1.0 - ka) * e1;
        let b2 = ka * b1 + (1.0 - ka) * e2;
        let reg = 3.0 * ((1.0 + fires2) / 3.0 - 0.01) / 3.0;
        let g_in = 2.0 * (error[0] * b0 + error[1] * b1 + error[2] * b2) + reg * (e0 + e1 + e2);
        let g_out = error[0] + error[1] * ka + error[2] * (ka * ka + fires2);

        let config = EpropConfig {
            c_reg: 3.0,
            f_target_hz: 10.0,
            average_gradient: false,
        };
        let mut interval = Interval::new(&network, 3, 3);
        let mut forward = Forward::new(&network);
        interval.begin();
        for (s, inputs) in [&[0_u32][..], &[], &[0]].into_iter().enumerate() {
            interval.step(&network, inputs);
            let y = interval.readout().to_vec();
            loss::squared_error(&y, &target[s..=s], interval.error_mut().unwrap());
            forward.step(&network, &interval);
        }
        let mut gradients = [Weights::zeros(&topology), Weights::zeros(&topology)];
        forward.accumulate(&network, &interval, &config, &mut gradients[0]);
        Adjoint::new(&network).accumulate(&network, &interval, &config, &mut gradients[1]);
        for g in gradients {
            assert!((g.w_in[0] - g_in).abs() < 1e-14, "{} {g_in}", g.w_in[0]);
            assert!((g.w_out[0] - g_out).abs() < 1e-14, "{} {g_out}", g.w_out[0]);
            assert_eq!(g.w_rec[0], 0.0, "no self-connection");
        }
    }
}
