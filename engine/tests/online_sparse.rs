//! Networks that learn online with sparse, delayed projections between several populations:
//! against every synapse in every tick, from the equations; and that they learn.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::circuit::{self, Builder, Population, Rule, Value};
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::loss;
use saccade_engine::learning::online::{Cells, Connection, Online, OnlineConfig};
use saccade_engine::learning::optimizer::OptimizerConfig;
use saccade_engine::neurons::{Dynamics, Layer, NeuronParams, Reset};

fn params(tau_m_ms: f64) -> NeuronParams {
    NeuronParams {
        tau_m_ms,
        tau_a_ms: 60.0,
        beta: 0.2,
        reset: Reset::AtOnce,
        regular_spike_arrival: true,
        ..NeuronParams::default()
    }
}

/// Sizes of the populations, the readout last, and how many neurons adapt.
const SIZES: [(usize, usize); 3] = [(12, 5), (7, 0), (3, 0)];
const TAU_M_MS: [f64; 2] = [20.0, 10.0];
const TAU_OUT_MS: f64 = 15.0;
/// From (9 is the inputs), to, and whether it learns.
const PROJECTIONS: [(usize, usize, bool); 6] = [
    (9, 0, true),
    (0, 0, true),
    (0, 1, true),
    (1, 0, false),
    (0, 2, true),
    (1, 2, true),
];

fn broadcast(p: usize) -> Vec<f64> {
    let n = SIZES[p].0 * SIZES[2].0;
    (0..n).map(|i| 0.2 * (i as f64 * 1.7).sin()).collect()
}

/// All ways to be connected and to have delays; some stored as matrices, some not.
fn network(config: &OnlineConfig) -> (Online<f64>, [Population; 2]) {
    let mut model = Builder::new(1.0, 5);
    let inputs = model.inputs("inputs", 9);
    let cells = |p: usize| Cells::Spiking {
        params: params(TAU_M_MS[p]),
        adapting: SIZES[p].1,
        broadcast: Value::Each(broadcast(p)),
    };
    let first = model.population("first", SIZES[0].0, cells(0));
    let readout = Cells::Readout { tau_ms: TAU_OUT_MS };
    let readout = model.population("readout", SIZES[2].0, readout);
    let second = model.population("second", SIZES[1].0, cells(1));
    let rules = [
        (Rule::FixedIn(4), Value::Uniform(0.0, 5.0), 1.4),
        (Rule::Random(0.3), Value::Uniform(1.0, 6.0), 0.5),
        (Rule::AllToAll, Value::Fixed(2.0), 0.6),
        (Rule::FixedOut(2), Value::Fixed(3.0), 0.5),
        (Rule::Random(0.2), Value::Uniform(0.0, 3.0), 0.3),
        (Rule::AllToAll, Value::Fixed(0.0), 0.3),
    ];
    let places = [first, second, readout];
    for ((rule, delay, spread), (from, to, learns)) in rules.into_iter().zip(PROJECTIONS) {
        let projection = match from {
            9 => model.project(inputs, places[to], rule),
            from => model.project(places[from], places[to], rule),
        };
        projection
            .weight(Value::Normal(0.0, spread))
            .delay_ms(delay);
        if !learns {
            projection.fixed();
        }
    }
    (model.online(config).unwrap(), [first, second])
}

/// A synapse with all that it remembers.
struct Synapse {
    from: usize,
    to: usize,
    is: Connection<f64>,
    learns: bool,
    zbar: f64,
    eps: f64,
    ebar: f64,
    rbar: f64,
    m: f64,
    v: f64,
}

/// Every synapse in every tick.
struct Plain {
    config: OnlineConfig,
    layers: Vec<Layer<f64>>,
    dynamics: Vec<Dynamics<f64>>,
    y: Vec<f64>,
    f: Vec<Vec<f64>>,
    feedback: Vec<Vec<f64>>,
    synapses: Vec<Synapse>,
    /// Whether a neuron (inputs: index 9) fired, tick by tick.
    past: Vec<Vec<Vec<f64>>>,
}

impl Plain {
    fn new(online: &Online<f64>, config: &OnlineConfig) -> Self {
        let synapses = PROJECTIONS.iter().enumerate();
        let synapses = synapses.flat_map(|(k, &(from, to, learns))| {
            let all = online.connections(k).into_iter();
            all.map(move |is| Synapse {
                from,
                to,
                is,
                learns,
                zbar: 0.0,
                eps: 0.0,
                ebar: 0.0,
                rbar: 0.0,
                m: 0.0,
                v: 0.0,
            })
        });
        let layer = |p: usize| Layer::new(SIZES[p].0 - SIZES[p].1, SIZES[p].1, 0.2);
        Self {
            config: config.clone(),
            layers: vec![layer(0), layer(1)],
            dynamics: TAU_M_MS.map(|tau| Dynamics::new(&params(tau))).into(),
            y: vec![0.0; SIZES[2].0],
            f: vec![vec![0.0; SIZES[0].0], vec![0.0; SIZES[1].0]],
            feedback: vec![broadcast(0), broadcast(1)],
            synapses: synapses.collect(),
            past: vec![Vec::new(); 10],
        }
    }

    /// Whether a spike arrives at this synapse in tick `now`.
    fn arrives(&self, s: &Synapse, now: usize) -> f64 {
        let left = now.checked_sub(s.is.delay_ticks as usize);
        let then = left.and_then(|tick| self.past[s.from].get(tick));
        then.map_or(0.0, |fired| fired[s.is.from as usize])
    }

    fn tick(&mut self, now: usize, inputs: &[u32], target: &[f64]) {
        let mut row = vec![0.0; 9];
        inputs.iter().for_each(|&i| row[i as usize] = 1.0);
        self.past[9].push(row);
        let mut psi = [vec![0.0; SIZES[0].0], vec![0.0; SIZES[1].0]];
        for (p, psi) in psi.iter_mut().enumerate() {
            for at in (0..self.synapses.len()).filter(|&at| self.synapses[at].to == p) {
                let s = &self.synapses[at];
                self.layers[p].current[s.is.to as usize] += self.arrives(s, now) * s.is.weight;
            }
            self.layers[p].step(&self.dynamics[p], psi);
        }
        for p in 0..2 {
            self.past[p].push(self.layers[p].z.clone());
        }
        let kappa_out = (-1.0 / TAU_OUT_MS).exp();
        self.y.iter_mut().for_each(|y| *y *= kappa_out);
        for at in (0..self.synapses.len()).filter(|&at| self.synapses[at].to == 2) {
            let s = &self.synapses[at];
            self.y[s.is.to as usize] += self.arrives(s, now) * s.is.weight;
        }
        let error: Vec<f64> = self.y.iter().zip(target).map(|(y, t)| y - t).collect();
        self.learn(now, &error, &psi, kappa_out);
    }

    /// The learning signal of neuron `j` of population `p`.
    fn signal(&self, p: usize, j: usize, error: &[f64]) -> f64 {
        let n = SIZES[p].0;
        if self.config.feedback == Feedback::Symmetric {
            let mine = |s: &&Synapse| (s.from, s.to, s.is.from as usize) == (p, 2, j);
            let all = self.synapses.iter().filter(mine);
            return all.map(|s| s.is.weight * error[s.is.to as usize]).sum();
        }
        let all = error.iter().enumerate();
        all.map(|(k, e)| self.feedback[p][k * n + j] * e).sum()
    }

    fn learn(&mut self, now: usize, error: &[f64], psi: &[Vec<f64>], kappa_out: f64) {
        let c = self.config.clone();
        for p in 0..2 {
            for (f, z) in self.f[p].iter_mut().zip(&self.layers[p].z) {
                *f = c.kappa_reg * *f + (1.0 - c.kappa_reg) * z;
            }
        }
        let signals: Vec<Vec<f64>> = (0..2)
            .map(|p| (0..SIZES[p].0).map(|j| self.signal(p, j, error)).collect())
            .collect();
        let arrived: Vec<f64> = self.synapses.iter().map(|s| self.arrives(s, now)).collect();
        for (s, arrived) in self.synapses.iter_mut().zip(arrived) {
            let j = s.is.to as usize;
            let gradient = if s.to == 2 {
                s.zbar = kappa_out * s.zbar + arrived;
                error[j] * s.zbar
            } else {
                let d = &self.dynamics[s.to];
                s.zbar = d.alpha * s.zbar + arrived;
                let e = psi[s.to][j] * (s.zbar - self.layers[s.to].beta[j] * s.eps);
                s.eps = d.rho * s.eps + e;
                s.ebar = c.kappa * s.ebar + e;
                s.rbar = c.kappa_reg * s.rbar + (1.0 - c.kappa_reg) * e;
                let reg = c.c_reg * (self.f[s.to][j] - c.f_target_hz / 1000.0);
                signals[s.to][j] * s.ebar + reg * s.rbar
            };
            if !s.learns {
                continue;
            }
            let before = s.is.weight;
            match c.optimizer {
                OptimizerConfig::Adam {
                    eta,
                    beta_1,
                    beta_2,
                    epsilon,
                } => {
                    s.m = beta_1 * s.m + (1.0 - beta_1) * gradient;
                    s.v = beta_2 * s.v + (1.0 - beta_2) * gradient * gradient;
                    let t = (now + 1) as f64;
                    let rate = eta * (1.0 - beta_2.powf(t)).sqrt() / (1.0 - beta_1.powf(t));
                    s.is.weight -= rate * s.m / (s.v.sqrt() + epsilon);
                }
                OptimizerConfig::Sgd { eta } => s.is.weight -= eta * gradient,
            }
            s.is.weight = s.is.weight.clamp(c.bounds.0, c.bounds.1);
            if let (Feedback::Adaptive { decay }, 2) = (c.feedback, s.to) {
                let b = &mut self.feedback[s.from][j * SIZES[s.from].0 + s.is.from as usize];
                *b += s.is.weight - before;
                s.is.weight *= 1.0 - decay;
            }
        }
        if let Feedback::Adaptive { decay } = c.feedback {
            let all = self.feedback.iter_mut().flatten();
            all.for_each(|b| *b *= 1.0 - decay);
        }
    }
}

#[test]
fn rows_are_every_synapse_in_every_tick() {
    let feedbacks = [
        Feedback::Symmetric,
        Feedback::Random,
        Feedback::Adaptive { decay: 1e-3 },
    ];
    let sgd = || OptimizerConfig::Sgd { eta: 1e-3 };
    for feedback in feedbacks {
        for (optimizer, bounds, kappa_reg) in [
            (sgd(), (-1.0, 1.1), 0.97),
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
            let (mut online, populations) = network(&config);
            let mut plain = Plain::new(&online, &config);
            let (mut rng, mut worst) = (ChaCha8Rng::seed_from_u64(8), 0.0_f64);
            let (mut fired, start) = ([0; 2], online.connections(0));
            for tick in 0..900 {
                let rates = [0.2, 0.2, 0.3, 0.2, 0.1, 0.2, 0.003, 0.003, 0.0];
                let spikes = (0..9).filter(|&i| rng.random_bool(rates[i as usize]));
                let inputs: Vec<u32> = spikes.collect();
                let target = [(tick as f64 / 30.0).sin(), 0.3, -0.2];
                online.tick(&inputs).unwrap();
                let y = online.readout();
                let error: Vec<f64> = y.iter().zip(target).map(|(y, t)| y - t).collect();
                online.learn(Some(&error));
                plain.tick(tick, &inputs, &target);
                for (a, b) in online.readout().iter().zip(&plain.y) {
                    worst = worst.max((a - b).abs());
                }
                for (fired, &p) in fired.iter_mut().zip(&populations) {
                    *fired += online.fired_of(p).len();
                }
            }
            online.settle();
            let ours = (0..PROJECTIONS.len()).flat_map(|k| online.connections(k));
            for (a, b) in ours.zip(&plain.synapses) {
                assert_eq!(
                    (a.from, a.to, a.delay_ticks),
                    (b.is.from, b.is.to, b.is.delay_ticks)
                );
                worst = worst.max((a.weight - b.is.weight).abs());
            }
            println!(
                "{feedback:?}, {:?}: {worst:e}, {fired:?} spikes",
                config.optimizer
            );
            assert!(
                fired.iter().all(|&n| n > 200),
                "silence tests nothing: {fired:?}"
            );
            let moved = start.iter().zip(online.connections(0));
            assert!(
                moved
                    .clone()
                    .any(|(a, b)| (a.weight - b.weight).abs() > 1e-3)
            );
            assert!(start.iter().any(|c| c.delay_ticks == 5));
            assert!(
                worst < 1e-10,
                "{feedback:?}, {:?}: {worst:e}",
                config.optimizer
            );
        }
    }
}

/// 30 inputs that each spike once in 60 ms, at a time that depends on the class; a fifth of
/// the spikes is lost, the others come up to 2 ms early or late.
fn sample(class: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
    let mut times = ChaCha8Rng::seed_from_u64(100 + class as u64);
    let mut ticks = vec![Vec::new(); 80];
    for input in 0..30 {
        let at: usize = times.random_range(2..60);
        let late: usize = rng.random_range(0..5);
        if rng.random_bool(0.8) {
            ticks[at + late - 2].push(input);
        }
    }
    ticks
}

/// Shows one; which class the readouts were for while it lasted, and with a label learns.
fn show(
    online: &mut Online<f32>,
    class: usize,
    told: Option<usize>,
    rng: &mut ChaCha8Rng,
) -> usize {
    let (mut evidence, mut error) = ([0.0; 3], [0.0; 3]);
    for (tick, inputs) in sample(class, rng).iter().enumerate() {
        online.tick(inputs).unwrap();
        evidence
            .iter_mut()
            .zip(online.readout())
            .for_each(|(sum, y)| *sum += y);
        match told.filter(|_| tick >= 20) {
            Some(told) => {
                loss::cross_entropy(online.readout(), told, &mut error);
                online.learn(Some(&error));
            }
            None => online.learn(None),
        }
    }
    // Silence, in which everything decays.
    for _ in 0..60 {
        online.tick(&[]).unwrap();
        online.learn(None);
    }
    loss::first_largest(&evidence)
}

/// Share of right answers on samples it has not seen, after 300 with the class that `label`
/// makes of the true one.
fn learnt(label: impl Fn(usize, &mut ChaCha8Rng) -> usize) -> f64 {
    let config = OnlineConfig {
        optimizer: OptimizerConfig::adam(2e-3),
        cutoff_ticks: Some(100),
        ..OnlineConfig::default()
    };
    let mut model = Builder::new(1.0, 9);
    let inputs = model.inputs("inputs", 30);
    let cells = model.population("cells", 60, Cells::spiking(params(15.0)));
    let readout = model.population("readout", 3, Cells::Readout { tau_ms: 20.0 });
    model
        .project(inputs, cells, Rule::FixedIn(8))
        .weight(Value::Normal(0.1, 0.3))
        .delay_ms(Value::Uniform(0.0, 15.0));
    model
        .project(cells, cells, Rule::Random(0.1))
        .weight(Value::Normal(0.0, 0.1))
        .delay_ms(Value::Uniform(1.0, 15.0));
    model
        .project(cells, readout, Rule::AllToAll)
        .weight(Value::Normal(0.0, 0.1));
    let mut online = model.online::<f32>(&config).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    for k in 0..300 {
        let told = label(k % 3, &mut rng);
        show(&mut online, k % 3, Some(told), &mut rng);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(32);
    let right = (0..150).filter(|k| show(&mut online, k % 3, None, &mut rng) == k % 3);
    right.count() as f64 / 150.0
}

#[test]
fn it_learns_when_spikes_come() {
    let right = learnt(|class, _| class);
    let shuffled = learnt(|_, rng| rng.random_range(0..3));
    println!("{right} right, {shuffled} after shuffled labels");
    assert!(right > 0.95, "{right}");
    assert!(shuffled < 0.6, "{shuffled}");
}

#[test]
fn what_cannot_be_is_refused() {
    let build = |describe: &dyn Fn(&mut Builder<Cells>)| {
        let mut model = Builder::new(1.0, 1);
        describe(&mut model);
        let config = OnlineConfig::default();
        model.online::<f32>(&config).unwrap_err().to_string()
    };
    let cells = || Cells::spiking(params(15.0));
    let readout = || Cells::Readout { tau_ms: 20.0 };
    let none = build(&|m| {
        m.population("cells", 3, cells());
    });
    assert!(none.contains("populations of readouts is 0"), "{none}");
    let deaf = build(&|m| {
        m.population("cells", 3, cells());
        m.population("readout", 1, readout());
    });
    assert!(
        deaf.contains("population cells") && deaf.contains("random"),
        "{deaf}"
    );
    let early = build(&|m| {
        let cells = m.population("cells", 3, cells());
        m.population("readout", 1, readout());
        m.project(cells, cells, Rule::AllToAll).delay_ms(0.5);
    });
    assert!(
        early.contains("projection cells -> cells") && early.contains("delay_ms"),
        "{early}"
    );
    let backwards = build(&|m| {
        let cells = m.population("cells", 3, cells());
        let readout = m.population("readout", 1, readout());
        m.project(readout, cells, Rule::AllToAll);
    });
    assert!(backwards.contains("a readout"), "{backwards}");
    let slow = build(&|m| {
        let cells = m.population("cells", 3, cells());
        let readout = m.population("readout", 1, readout());
        m.project(cells, readout, Rule::AllToAll)
            .synapse(circuit::Synapse::Current { tau_ms: 2.0 });
    });
    assert!(slow.contains("Delta"), "{slow}");
}
