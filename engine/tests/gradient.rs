//! What gradient e-prop computes, and backpropagation through time, against finite differences.
//!
//! The network is run once as it is, with hard spikes. Around that run, spikes are
//! given the derivative that the surrogate gradient stands for: a spike that was `z` is
//! `z + S(x) - S(x0)`, with `x` the distance to the threshold, `x0` that of the run, and
//! `S` the integral of the surrogate. At the weights of the run this *is* the run, and
//! its derivative is what automatic differentiation gives. Where the spikes go on to
//! the readout and the adaptation they carry that derivative; where they go to the
//! recurrent synapses and the reset they are detached, the paths that e-prop leaves
//! out, or not: the paths of backpropagation through time.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::learning::bptt::{Bptt, Paths};
use saccade_engine::learning::eprop::{Adjoint, EpropConfig};
use saccade_engine::learning::loss;
use saccade_engine::network::{Interval, Network, Topology, Weights};
use saccade_engine::neurons::{NeuronParams, Reset};

const DETACHED: Paths = Paths {
    recurrent: false,
    reset: false,
};
const TICKS: usize = 150;
const TOPOLOGY: Topology = Topology {
    n_in: 6,
    n_lif: 5,
    n_alif: 4,
    n_out: 2,
};

/// A run with hard spikes, and what it was made of.
struct Run {
    params: NeuronParams,
    network: Network<f64>,
    inputs: Vec<Vec<u32>>,
    spikes: Vec<Vec<f64>>,
    /// Distance to the threshold, and whether the neuron was refractory.
    distance: Vec<Vec<f64>>,
    refractory: Vec<Vec<bool>>,
    interval: Interval<f64>,
    gradient: Weights<f64>,
}

/// The squared error alone.
const NO_RATE: EpropConfig = EpropConfig {
    c_reg: 0.0,
    f_target_hz: 0.0,
    average_gradient: false,
};

fn target(s: usize) -> [f64; 2] {
    [(s as f64 / 20.0).sin(), (s as f64 / 13.0).cos()]
}

impl Run {
    fn new(params: NeuronParams, recurrent: f64) -> Self {
        let mut network = Network::<f64>::new(TOPOLOGY, &params);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut draw = |scale: f64| rng.random_range(-scale..scale);
        network.weights.w_in.fill_with(|| draw(9.0) + 2.5);
        network.weights.w_rec.fill_with(|| draw(recurrent));
        network.weights.w_out.fill_with(|| draw(2.0));
        let n = TOPOLOGY.n_rec();
        let diagonal = network.weights.w_rec.iter_mut().step_by(n + 1);
        diagonal.for_each(|w| *w = 0.0);
        let mut interval = Interval::new(&network, TICKS, TICKS * TOPOLOGY.n_in);
        let (mut inputs, mut spikes) = (vec![], vec![]);
        let (mut distance, mut refractory) = (vec![], vec![]);
        interval.begin();
        for s in 0..TICKS {
            let ids = 0..TOPOLOGY.n_in as u32;
            let arriving: Vec<u32> = ids.filter(|_| rng.random_bool(0.25)).collect();
            interval.step(&network, &arriving);
            inputs.push(arriving);
            let layer = interval.layer();
            spikes.push(layer.z.clone());
            let th = layer
                .a
                .iter()
                .zip(&layer.beta)
                .map(|(a, b)| params.v_th + a * b);
            // The potential at the threshold, before a reset at once.
            let v = layer.v.iter().zip(&layer.z);
            let v = v.map(|(v, z)| v + network.dynamics.reset_at_once * z);
            distance.push(v.zip(th).map(|(v, th)| v - th).collect());
            let left = layer.r.iter().zip(&layer.z);
            refractory.push(left.map(|(&r, &z)| r > 0.0 && z == 0.0).collect());
            let y = interval.readout().to_vec();
            loss::squared_error(&y, &target(s), interval.error_mut().unwrap());
        }
        let mut gradient = Weights::zeros(&TOPOLOGY);
        Adjoint::new(&network).accumulate(&network, &interval, &NO_RATE, &mut gradient);
        Self {
            params,
            network,
            inputs,
            spikes,
            distance,
            refractory,
            interval,
            gradient,
        }
    }

    fn through_time(&self, paths: Paths, config: &EpropConfig) -> Weights<f64> {
        let mut gradient = Weights::zeros(&TOPOLOGY);
        let mut bptt = Bptt::new(&self.network, paths);
        bptt.accumulate(&self.network, &self.interval, config, &mut gradient);
        gradient
    }

    /// The integral of the surrogate gradient.
    fn integral(&self, x: f64) -> f64 {
        let (h, w) = (self.params.psi_height, self.params.psi_width);
        h * match x {
            x if x <= -w => 0.0,
            x if x <= 0.0 => (x + w) * (x + w) / (2.0 * w),
            x if x <= w => w - (w - x) * (w - x) / (2.0 * w),
            _ => w,
        }
    }

    /// Half the squared error with other weights.
    fn loss(&self, weights: &Weights<f64>, paths: Paths) -> f64 {
        let (n, n_out, d) = (TOPOLOGY.n_rec(), TOPOLOGY.n_out, &self.network.dynamics);
        let (mut v, mut a, mut y) = (vec![0.0; n], vec![0.0; n], vec![0.0; n_out]);
        let (mut z, mut sum) = (vec![0.0; n], 0.0);
        for s in 0..TICKS {
            let before = |attached: bool| match s.checked_sub(1) {
                Some(p) if !attached => self.spikes[p].clone(),
                _ => z.clone(),
            };
            let (sent, reset) = (before(paths.recurrent), before(paths.reset));
            let mut soft = vec![0.0; n];
            for j in 0..n {
                let input = self.inputs[s]
                    .iter()
                    .map(|&i| weights.w_in[i as usize * n + j]);
                let recurrent = (0..n).map(|i| sent[i] * weights.w_rec[i * n + j]);
                let current: f64 = input.sum::<f64>() + recurrent.sum::<f64>();
                let kept = d.alpha * (v[j] - d.reset_at_once * reset[j]);
                v[j] = kept + d.p * current - d.reset_late * reset[j];
                a[j] = d.rho * a[j] + z[j];
                let beta = if j < TOPOLOGY.n_lif {
                    0.0
                } else {
                    self.params.beta
                };
                let x = v[j] - (d.v_th + beta * a[j]);
                let change = self.integral(x) - self.integral(self.distance[s][j]);
                let held = self.refractory[s][j];
                soft[j] = self.spikes[s][j] + if held { 0.0 } else { change };
            }
            z = soft;
            for (k, (y, t)) in y.iter_mut().zip(target(s)).enumerate() {
                let drive = (0..n).map(|j| z[j] * weights.w_out[j * n_out + k]);
                *y = d.kappa * *y + d.p_out * drive.sum::<f64>();
                sum += 0.5 * (*y - t) * (*y - t);
            }
        }
        sum
    }

    /// Central differences for every weight.
    fn differences(&self, paths: Paths) -> Weights<f64> {
        const STEP: f64 = 1e-5;
        let mut differences = Weights::zeros(&TOPOLOGY);
        for part in 0..3 {
            for at in 0..differences.parts()[part].len() {
                let moved = |by: f64| {
                    let mut weights = self.network.weights.clone();
                    weights.parts_mut()[part][at] += by;
                    self.loss(&weights, paths)
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                differences.parts_mut()[part][at] = slope;
            }
        }
        let diagonal = differences.w_rec.iter_mut().step_by(TOPOLOGY.n_rec() + 1);
        diagonal.for_each(|g| *g = 0.0);
        differences
    }

    fn fired(&self) -> f64 {
        self.spikes.iter().flatten().sum()
    }
}

/// Largest deviation of `gradient`, as part of the largest entry, over the parts.
fn deviation(gradient: &Weights<f64>, differences: &Weights<f64>, parts: &[usize]) -> f64 {
    let largest = |x: &mut dyn Iterator<Item = f64>| x.map(f64::abs).fold(0.0, f64::max);
    let of_part = |&part: &usize| {
        let (a, b) = (gradient.parts()[part], differences.parts()[part]);
        let scale = largest(&mut a.iter().copied());
        assert!(scale > 1e-3, "the gradient must not vanish");
        largest(&mut a.iter().zip(b).map(|(a, b)| a - b)) / scale
    };
    parts.iter().map(of_part).fold(0.0, f64::max)
}

/// Runs without and with adaptation, refractory time and a reset at once.
fn runs() -> [Run; 4] {
    [
        (0.0, 0.0, 3.0, Reset::Late),
        (3.0, 0.07, 3.0, Reset::Late),
        (3.0, 0.3, 6.0, Reset::Late),
        (2.0, 0.1, 4.0, Reset::AtOnce),
    ]
    .map(|(t_ref_ms, beta, recurrent, reset)| {
        let params = NeuronParams {
            t_ref_ms,
            beta,
            reset,
            tau_a_ms: 50.0,
            ..NeuronParams::default()
        };
        let run = Run::new(params, recurrent);
        assert!(run.fired() > 50.0, "{} spikes", run.fired());
        run
    })
}

/// With recurrence, reset, adaptation and refractory time: the gradient with spikes
/// detached on the recurrent and the reset path. And how near that is to the whole one.
#[test]
fn with_spikes_it_is_the_gradient_with_two_paths_detached() {
    for run in runs() {
        let worst = deviation(&run.gradient, &run.differences(DETACHED), &[0, 1, 2]);
        let whole = run.through_time(Paths::default(), &NO_RATE);
        let cosine = run.gradient.cosine(&whole);
        println!(
            "{} spikes: {worst:e}; cosine to the whole gradient {cosine:.3}",
            run.fired()
        );
        assert!(worst < 1e-6, "{worst:e}");
        assert!(
            deviation(&run.gradient, &whole, &[0]) > 1e-2,
            "the paths left out must matter"
        );
        assert!(cosine > 0.9, "{cosine}");
    }
}

/// Each path alone and both: the gradient of the smoothed network.
#[test]
fn through_time_it_is_the_gradient_of_the_smoothed_network() {
    for run in runs() {
        for (recurrent, reset) in [(true, true), (true, false), (false, true)] {
            let paths = Paths { recurrent, reset };
            let gradient = run.through_time(paths, &NO_RATE);
            let worst = deviation(&gradient, &run.differences(paths), &[0, 1, 2]);
            println!("{paths:?}: {worst:e}");
            assert!(worst < 1e-6, "{paths:?}: {worst:e}");
        }
    }
}

/// With both paths detached it is e-prop, regularisation of the rate included.
#[test]
fn through_time_without_its_paths_it_is_eprop() {
    for run in runs() {
        for config in [NO_RATE, EpropConfig::default()] {
            let mut eprop = Weights::zeros(&TOPOLOGY);
            let mut adjoint = Adjoint::new(&run.network);
            adjoint.accumulate(&run.network, &run.interval, &config, &mut eprop);
            let bptt = run.through_time(DETACHED, &config);
            assert!(deviation(&eprop, &bptt, &[0, 1, 2]) < 1e-13);
        }
    }
}
