//! The online form: a few ticks by hand, and the lazy rows against a plain
//! implementation that updates every synapse in every tick.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::circuit::Rule;
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::online::{Online, OnlineConfig};
use saccade_engine::learning::optimizer::{Optimizer, OptimizerConfig};
use saccade_engine::network::{Network, Part, Topology, Weights};
use saccade_engine::neurons::{Layer, NeuronParams, Reset};

fn network(topology: Topology, params: &NeuronParams, seed: u64) -> Network<f64> {
    let mut network = Network::new(topology, params);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |scale: f64| rng.random_range(-scale..scale);
    network.weights.w_in.fill_with(|| draw(1.2));
    network.weights.w_rec.fill_with(|| draw(0.4));
    network.weights.w_out.fill_with(|| draw(0.2));
    let n = topology.n_rec();
    let diagonal = network.weights.w_rec.iter_mut().step_by(n + 1);
    diagonal.for_each(|w| *w = 0.0);
    network.feedback = Some((0..n * topology.n_out).map(|_| draw(0.2)).collect());
    network
}

fn params() -> NeuronParams {
    NeuronParams {
        tau_a_ms: 60.0,
        beta: 0.2,
        reset: Reset::AtOnce,
        regular_spike_arrival: true,
        regular_spike_arrival_out: true,
        ..NeuronParams::default()
    }
}

/// Every synapse in every tick, from the equations, with an optimizer over all weights.
struct Eager {
    network: Network<f64>,
    config: OnlineConfig,
    layer: Layer<f64>,
    y: Vec<f64>,
    z: Vec<f64>,
    f: Vec<f64>,
    zbar: Vec<f64>,
    zbar_out: Vec<f64>,
    /// `eps`, `ebar`, `rbar` of each synapse, presynaptic inputs first.
    traces: Vec<[f64; 3]>,
    optimizer: Optimizer<f64>,
}

impl Eager {
    fn new(network: Network<f64>, config: &OnlineConfig) -> Self {
        let t = network.topology;
        let (n, pre) = (t.n_rec(), t.n_in + t.n_rec());
        let optimizer = Optimizer::new(config.optimizer.clone(), &t).unwrap();
        Self {
            layer: Layer::new(t.n_lif, t.n_alif, network.beta),
            y: vec![0.0; t.n_out],
            z: vec![0.0; n],
            f: vec![0.0; n],
            zbar: vec![0.0; pre],
            zbar_out: vec![0.0; n],
            traces: vec![[0.0; 3]; pre * n],
            optimizer: optimizer.bounded(config.bounds.0, config.bounds.1).unwrap(),
            config: config.clone(),
            network,
        }
    }

    fn tick(&mut self, inputs: &[u32], target: &[f64]) {
        let t = self.network.topology;
        let (n, d) = (t.n_rec(), self.network.dynamics.clone());
        let mut arriving = vec![0.0; t.n_in];
        inputs.iter().for_each(|&i| arriving[i as usize] = 1.0);
        arriving.extend(&self.z);
        let weights = self.network.weights.clone();
        let rows = weights.w_in.chunks(n).chain(weights.w_rec.chunks(n));
        for (row, &z) in rows.zip(&arriving) {
            for (current, &w) in self.layer.current.iter_mut().zip(row) {
                *current += z * w;
            }
        }
        let mut psi = vec![0.0; n];
        self.layer.step(&d, &mut psi);
        self.z.clone_from(&self.layer.z);
        let mut error = vec![0.0; t.n_out];
        for (k, (y, error)) in self.y.iter_mut().zip(&mut error).enumerate() {
            *y *= d.kappa;
            for j in 0..n {
                *y += d.p_out * self.z[j] * weights.w_out[j * t.n_out + k];
            }
            *error = *y - target[k];
        }
        let signal: Vec<f64> = (0..n).map(|j| self.signal(j, &error)).collect();
        let c = self.config.clone();
        let mut g = Weights::zeros(&t);
        for j in 0..n {
            self.f[j] = c.kappa_reg * self.f[j] + (1.0 - c.kappa_reg) * self.z[j] / d.dt_ms;
            self.zbar_out[j] = d.kappa * self.zbar_out[j] + d.p_out * self.z[j];
            let row = &mut g.w_out[j * t.n_out..][..t.n_out];
            for (g, error) in row.iter_mut().zip(&error) {
                *g = error * self.zbar_out[j];
            }
        }
        let all = g.w_in.iter_mut().chain(&mut g.w_rec);
        for (at, g) in all.enumerate() {
            let (i, j) = (at / n, at % n);
            if j == 0 {
                self.zbar[i] = d.alpha * self.zbar[i] + d.p * arriving[i];
            }
            let [eps, ebar, rbar] = &mut self.traces[at];
            let e = psi[j] * (self.zbar[i] - self.layer.beta[j] * *eps);
            *eps = d.rho * *eps + e;
            *ebar = c.kappa * *ebar + e;
            *rbar = c.kappa_reg * *rbar + (1.0 - c.kappa_reg) * e;
            let reg = c.c_reg * (self.f[j] - c.f_target_hz / 1000.0);
            *g = signal[j] * *ebar + reg * *rbar;
            if i == t.n_in + j {
                *g = 0.0;
            }
        }
        let before = self.network.weights.w_out.clone();
        let weights = &mut self.network.weights;
        self.optimizer.step(weights, &g, 1, 1.0).unwrap();
        c.feedback.follow(&mut self.network, &before);
    }

    fn signal(&self, j: usize, error: &[f64]) -> f64 {
        let (n, n_out) = (self.z.len(), error.len());
        let b = |k: usize| match (self.config.feedback, &self.network.feedback) {
            (Feedback::Symmetric, _) | (_, None) => self.network.weights.w_out[j * n_out + k],
            (_, Some(feedback)) => feedback[k * n + j],
        };
        error.iter().enumerate().map(|(k, e)| b(k) * e).sum()
    }
}

/// Long enough that rows fall out of the history, with an input that never spikes and
/// two that do so rarely.
#[test]
fn lazy_rows_are_every_synapse_in_every_tick() {
    let topology = Topology {
        n_in: 9,
        n_lif: 7,
        n_alif: 6,
        n_out: 3,
    };
    let feedbacks = [
        Feedback::Symmetric,
        Feedback::Random,
        Feedback::Adaptive { decay: 1e-3 },
    ];
    let sgd = || OptimizerConfig::Sgd { eta: 1e-3 };
    for feedback in feedbacks {
        // Weights that meet their bounds, weights that never do, and a trace more.
        for (optimizer, bounds, kappa_reg) in [
            (sgd(), (-1.0, 1.1), 0.97),
            (sgd(), (-50.0, 50.0), 0.97),
            (sgd(), (-50.0, 50.0), 0.9),
            (OptimizerConfig::adam(1e-3), (-1.0, 1.1), 0.9),
        ] {
            let config = OnlineConfig {
                kappa_reg,
                c_reg: 2.0,
                f_target_hz: 20.0,
                optimizer,
                bounds,
                feedback,
                ..OnlineConfig::default()
            };
            let network = network(topology, &params(), 3);
            let mut online = Online::new(network.clone(), &config).unwrap();
            let mut eager = Eager::new(network, &config);
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let (mut fired, mut worst) = (0, 0.0_f64);
            for tick in 0..900 {
                let rates = [0.2, 0.2, 0.3, 0.2, 0.1, 0.2, 0.003, 0.003, 0.0];
                let spikes = (0..9).filter(|&i| rng.random_bool(rates[i as usize]));
                let inputs: Vec<u32> = spikes.collect();
                let target = [(f64::from(tick) / 30.0).sin(), 0.3, -0.2];
                online.tick(&inputs).unwrap();
                let y = online.readout();
                let error: Vec<f64> = y.iter().zip(target).map(|(y, t)| y - t).collect();
                online.learn(Some(&error));
                eager.tick(&inputs, &target);
                for (a, b) in online.readout().iter().zip(&eager.y) {
                    worst = worst.max((a - b).abs());
                }
                fired += online.fired().len();
            }
            online.settle();
            let parts = online.network().unwrap().weights.parts().into_iter();
            for (ours, theirs) in parts.zip(eager.network.weights.parts()) {
                for (a, b) in ours.iter().zip(theirs) {
                    worst = worst.max((a - b).abs());
                }
            }
            println!("{feedback:?}, {:?}: {worst:e}", config.optimizer);
            assert!(fired > 450, "a silent network tests nothing: {fired}");
            assert!(
                worst < 1e-10,
                "{feedback:?}, {:?}: {worst:e}",
                config.optimizer
            );
        }
    }
}

/// Weights keep within their bounds also where the readout's shrink by themselves, and
/// where a trace of an adapting neuron can grow.
#[test]
fn weights_stay_within_their_bounds() {
    let topology = Topology {
        n_in: 9,
        n_lif: 0,
        n_alif: 6,
        n_out: 1,
    };
    let unsteady = NeuronParams {
        beta: 5.0,
        psi_height: 0.5,
        ..params()
    };
    for (neurons, feedback, bounds, eta) in [
        (
            params(),
            Feedback::Adaptive { decay: 1e-2 },
            (0.0, 1.0),
            1e-3,
        ),
        (unsteady, Feedback::Random, (-0.5, 1.0), 0.05),
    ] {
        let config = OnlineConfig {
            optimizer: OptimizerConfig::Sgd { eta },
            bounds,
            feedback,
            ..OnlineConfig::default()
        };
        let mut network = network(topology, &neurons, 3);
        network.weights.w_in.iter_mut().for_each(|w| *w = w.abs());
        network.weights.w_out.iter_mut().for_each(|w| *w = w.abs());
        let mut online = Online::new(network, &config).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut fired = 0;
        for tick in 0..3000 {
            let inputs: Vec<u32> = (0..9).filter(|_| rng.random_bool(0.1)).collect();
            online.tick(&inputs).unwrap();
            fired += online.fired().len();
            online.learn(Some(&[1.0]));
            if tick % 50 == 0 {
                online.settle();
                for w in online
                    .network()
                    .unwrap()
                    .weights
                    .parts()
                    .into_iter()
                    .flatten()
                {
                    assert!((bounds.0..=bounds.1).contains(w), "tick {tick}: {w}");
                }
            }
        }
        assert!(fired > 50, "a silent network tests nothing: {fired}");
    }
}

/// Looking at the weights on the way changes no bit of what comes after.
#[test]
fn settling_changes_nothing() {
    let topology = Topology {
        n_in: 40,
        n_lif: 20,
        n_alif: 17,
        n_out: 3,
    };
    for feedback in [Feedback::Symmetric, Feedback::Random] {
        let config = OnlineConfig {
            c_reg: 2.0,
            cutoff_ticks: Some(70),
            feedback,
            ..OnlineConfig::default()
        };
        let network = network(topology, &params(), 4);
        let mut plain = Online::new(network, &config).unwrap();
        let mut watched = plain.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut moved = 0.0;
        for tick in 0..500 {
            let inputs: Vec<u32> = (0..40).filter(|_| rng.random_bool(0.02)).collect();
            for online in [&mut plain, &mut watched] {
                online.tick(&inputs).unwrap();
                let error = [online.readout()[0] - 0.5, 0.1, -0.2];
                online.learn(Some(&error));
            }
            if tick % 7 == 0 {
                let before = watched.network().unwrap().weights.w_rec.clone();
                watched.settle();
                let after = &watched.network().unwrap().weights.w_rec;
                let change = before.iter().zip(after).map(|(a, b)| (a - b).abs());
                moved += change.sum::<f64>();
            }
            assert_eq!(plain.readout(), watched.readout());
        }
        plain.settle();
        watched.settle();
        assert!(moved > 0.0);
        assert_eq!(
            plain.network().unwrap().weights,
            watched.network().unwrap().weights
        );
    }
}

/// One input, one LIF neuron, one readout, three ticks of gradient descent by hand.
#[test]
fn three_ticks_by_hand() {
    let topology = Topology {
        n_in: 1,
        n_lif: 1,
        n_alif: 0,
        n_out: 1,
    };
    let p = NeuronParams {
        tau_m_ms: 10.0,
        tau_out_ms: 5.0,
        v_th: 1.0,
        t_ref_ms: 0.0,
        psi_height: 0.5,
        psi_width: 2.0,
        ..params()
    };
    let mut network = Network::<f64>::new(topology, &p);
    network.weights.w_in[0] = 1.5;
    network.weights.w_out[0] = 2.0;
    network.feedback = Some(vec![0.5]);
    let config = OnlineConfig {
        kappa: 0.9,
        kappa_reg: 0.8,
        c_reg: 10.0,
        f_target_hz: 50.0,
        optimizer: OptimizerConfig::Sgd { eta: 0.1 },
        feedback: Feedback::Random,
        ..OnlineConfig::default()
    };
    let (al, ka) = ((-0.1_f64).exp(), (-0.2_f64).exp());

    // Tick 0: the input spikes, v = 1.5 fires and leaves 0.5; psi = 0.5 (1 - 0.25).
    let y0 = 2.0;
    let e0 = 0.375;
    let f0 = 0.2;
    let g0 = 0.5 * (y0 - 1.0) * e0 + 10.0 * (f0 - 0.05) * 0.2 * e0;
    let w0 = 1.5 - 0.1 * g0;
    let out0 = 2.0 - 0.1 * (y0 - 1.0);
    // Tick 1: nothing comes; v = 0.5 alpha.
    let v1 = al * 0.5;
    let e1 = 0.5 * (1.0 - (1.0 - v1) / 2.0) * al;
    let y1 = ka * y0;
    let f1 = 0.8 * f0;
    let (ebar1, rbar1) = (0.9 * e0 + e1, 0.8 * 0.2 * e0 + 0.2 * e1);
    let w1 = w0 - 0.1 * (0.5 * (y1 - 1.0) * ebar1 + 10.0 * (f1 - 0.05) * rbar1);
    let out1 = out0 - 0.1 * (y1 - 1.0) * ka;
    // Tick 2: the input spikes again and finds the new weight.
    let v2 = al * v1 + w1;
    let fires = f64::from(u8::from(v2 >= 1.0));
    let y2 = ka * y1 + fires * out1;

    let mut online = Online::new(network, &config).unwrap();
    for (inputs, y) in [(&[0_u32][..], y0), (&[], y1), (&[0], y2)] {
        online.tick(inputs).unwrap();
        assert!((online.readout()[0] - y).abs() < 1e-14);
        online.learn(Some(&[y - 1.0]));
    }
    assert!((online.layer().v[0] - (v2 - fires)).abs() < 1e-14);
    online.settle();
    assert_eq!(
        online.network().unwrap().weights.w_rec,
        [0.0],
        "no self-connection"
    );
}

/// Of a sparse network only the synapses learn that there are; by interval as well.
#[test]
fn sparse_networks_stay_sparse() {
    let topology = Topology {
        n_in: 8,
        n_lif: 6,
        n_alif: 4,
        n_out: 2,
    };
    let mut network = network(topology, &params(), 2);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let pairs = Rule::FixedIn(6).pairs(8, 10, false, &mut rng).unwrap();
    network.connect(Part::Input, &pairs).unwrap();
    let pairs = Rule::FixedIn(4).pairs(10, 10, true, &mut rng).unwrap();
    network.connect(Part::Recurrent, &pairs).unwrap();
    let pairs = Rule::Random(0.5).pairs(10, 2, false, &mut rng).unwrap();
    network.connect(Part::Readout, &pairs).unwrap();
    assert_eq!(network.absent(Part::Input).len(), 80 - 60);
    let text = network
        .connect(Part::Input, &[(8, 0)])
        .unwrap_err()
        .to_string();
    assert!(text.contains("presynaptic neuron is 8"), "{text}");

    let before = network.weights.clone();
    let config = OnlineConfig {
        optimizer: OptimizerConfig::adam(1e-3),
        ..OnlineConfig::default()
    };
    let mut online = Online::new(network.clone(), &config).unwrap();
    let mut spikes = [0; 10];
    for tick in 0..300_u32 {
        let inputs: Vec<u32> = (0..8).filter(|_| rng.random_bool(0.3)).collect();
        online.tick(&inputs).unwrap();
        let turn = if tick / 50 % 2 == 0 { 0.1 } else { -0.1 };
        online.learn(Some(&[turn, -turn]));
        online.fired().iter().for_each(|&j| spikes[j as usize] += 1);
    }
    println!("spikes of the neurons: {spikes:?}");
    online.settle();
    let mut by_interval = network;
    let mut adam = Optimizer::new(OptimizerConfig::adam(1e-3), &topology).unwrap();
    let mut gradient = Weights::zeros(&topology);
    gradient
        .parts_mut()
        .into_iter()
        .flatten()
        .for_each(|g| *g = 1.0);
    adam.update(&mut by_interval, Feedback::Random, &gradient, 1, 1.0)
        .unwrap();
    for after in [&online.network().unwrap().weights, &by_interval.weights] {
        for (before, after) in before.parts().into_iter().zip(after.parts()) {
            let (mut changed, mut absent) = (0, 0);
            for (&before, &after) in before.iter().zip(after) {
                absent += usize::from(before == 0.0 && after == 0.0);
                changed += usize::from(before != 0.0 && after != before);
                assert!(before != 0.0 || after == 0.0);
            }
            assert!(
                changed > 2 && absent > 2,
                "{changed} changed, {absent} absent"
            );
        }
    }
}

/// Without a teacher only the firing rate pulls, and without that nothing does.
#[test]
fn without_a_teacher_weights_stay() {
    let topology = Topology {
        n_in: 5,
        n_lif: 4,
        n_alif: 2,
        n_out: 2,
    };
    let network = network(topology, &params(), 1);
    let before = network.weights.clone();
    let mut online = Online::new(network, &OnlineConfig::default()).unwrap();
    for tick in 0..300 {
        online.tick(&[tick % 5, (tick + 1) % 5]).unwrap();
        online.learn(None);
    }
    online.settle();
    assert_eq!(online.network().unwrap().weights, before);
}

#[test]
fn what_cannot_be_is_refused() {
    let topology = Topology {
        n_in: 2,
        n_lif: 1,
        n_alif: 0,
        n_out: 1,
    };
    let network = Network::<f32>::new(topology, &params());
    let random = OnlineConfig {
        feedback: Feedback::Random,
        ..OnlineConfig::default()
    };
    let text = Online::new(network.clone(), &random)
        .unwrap_err()
        .to_string();
    assert!(text.contains("online.feedback is Random"), "{text}");
    let nan = OnlineConfig {
        kappa: f64::NAN,
        ..OnlineConfig::default()
    };
    let text = Online::new(network.clone(), &nan).unwrap_err().to_string();
    assert!(text.contains("online.kappa is NaN"), "{text}");
    let mut online = Online::new(network, &OnlineConfig::default()).unwrap();
    let text = online.tick(&[7]).unwrap_err().to_string();
    assert!(text.contains("input spike 7 is out of range"), "{text}");
}
