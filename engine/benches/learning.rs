//! Cost of a tick that learns online, and of the gradient of an interval.
//!
//! `cargo bench -p saccade-engine --bench learning`. Networks are of LIF neurons,
//! inputs/neurons/readouts; every input spikes with a probability of 2 % in a tick.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::circuit::Rule;
use saccade_engine::learning::eprop::{Adjoint, EpropConfig};
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::online::{Online, OnlineConfig};
use saccade_engine::learning::optimizer::OptimizerConfig;
use saccade_engine::network::{Interval, Network, Part, Topology, Weights};
use saccade_engine::neurons::NeuronParams;

const TICKS: usize = 1000;

/// A network that fires, with random feedback, and its input.
fn network(sizes: (usize, usize, usize)) -> (Network<f32>, Vec<Vec<u32>>) {
    let (n_in, n_lif, n_out) = sizes;
    let topology = Topology {
        n_in,
        n_lif,
        n_alif: 0,
        n_out,
    };
    let mut network = Network::new(topology, &NeuronParams::default());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let scale = 10.0 / (n_in as f32).sqrt();
    let mut draw = |scale: f32| rng.random_range(-scale..scale);
    network.weights.w_in.fill_with(|| draw(scale) + 0.2 * scale);
    network.weights.w_rec.fill_with(|| draw(scale));
    network.weights.w_out.fill_with(|| draw(0.1));
    for j in 0..n_lif {
        network.weights.w_rec[j * n_lif + j] = 0.0;
    }
    network.feedback = Some((0..n_out * n_lif).map(|_| draw(0.1)).collect());
    let inputs = (0..TICKS)
        .map(|_| {
            let all = 0..n_in as u32;
            all.filter(|_| rng.random_bool(0.02)).collect()
        })
        .collect();
    (network, inputs)
}

fn online(criterion: &mut Criterion, sizes: (usize, usize, usize)) {
    let (network, inputs) = network(sizes);
    let optimizers = [
        OptimizerConfig::Sgd { eta: 1e-6 },
        OptimizerConfig::adam(1e-6),
    ];
    for (optimizer, name) in optimizers.into_iter().zip(["gradient descent", "Adam"]) {
        let config = OnlineConfig {
            optimizer,
            c_reg: 1e-3,
            feedback: Feedback::Random,
            ..OnlineConfig::default()
        };
        let Ok(mut online) = Online::new(network.clone(), &config) else {
            return;
        };
        let mut tick = 0;
        criterion.bench_function(&format!("online tick {sizes:?}, {name}"), |b| {
            b.iter(|| {
                let _ = online.tick(&inputs[tick % TICKS]);
                online.learn(Some(black_box(&vec![0.1; sizes.2])));
                tick += 1;
            });
        });
    }
}

/// Scales the weights to the neurons so that they fire at this rate.
fn fire_at(network: &mut Network<f32>, inputs: &[Vec<u32>], rate_hz: f64) {
    let start = network.weights.clone();
    let (mut low, mut high) = (0.01_f32, 100.0_f32);
    for _ in 0..16 {
        let factor = (low * high).sqrt();
        let parts = network.weights.parts_mut().into_iter().zip(start.parts());
        for (part, start) in parts.take(2) {
            for (w, &start) in part.iter_mut().zip(start) {
                *w = factor * start;
            }
        }
        let mut interval = Interval::new(network, TICKS, TICKS * network.topology.n_in);
        inputs.iter().for_each(|now| interval.step(network, now));
        let rate = interval.spikes().all().len() as f64 / network.topology.n_rec() as f64;
        *(if rate < rate_hz { &mut low } else { &mut high }) = factor;
    }
}

/// The cost of a tick as fewer of the synapses are there.
fn sparse(criterion: &mut Criterion, sizes: (usize, usize, usize)) {
    for share in [1.0, 0.3, 0.1, 0.03] {
        let (mut network, inputs) = network(sizes);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for (part, n_pre) in [(Part::Input, sizes.0), (Part::Recurrent, sizes.1)] {
            let drawn =
                Rule::Random(share).pairs(n_pre, sizes.1, part == Part::Recurrent, &mut rng);
            let Ok(()) = drawn.and_then(|pairs| network.connect(part, &pairs)) else {
                return;
            };
        }
        fire_at(&mut network, &inputs, 20.0);
        let config = OnlineConfig {
            optimizer: OptimizerConfig::Sgd { eta: 1e-6 },
            feedback: Feedback::Random,
            ..OnlineConfig::default()
        };
        let Ok(mut online) = Online::new(network, &config) else {
            return;
        };
        let (mut tick, mut spikes) = (0, 0);
        criterion.bench_function(
            &format!("online tick {sizes:?}, {share} of the synapses"),
            |b| {
                b.iter(|| {
                    let _ = online.tick(&inputs[tick % TICKS]);
                    spikes += online.fired().len();
                    online.learn(Some(black_box(&vec![0.1; sizes.2])));
                    tick += 1;
                });
            },
        );
        eprintln!("{:.1} Hz", 1000.0 * spikes as f64 / (tick * sizes.1) as f64);
    }
}

fn offline(criterion: &mut Criterion, sizes: (usize, usize, usize)) {
    let (network, inputs) = network(sizes);
    let mut interval = Interval::new(&network, TICKS, TICKS * sizes.0);
    let mut run = || {
        interval.begin();
        for inputs in &inputs {
            interval.step(&network, inputs);
            if let Some(error) = interval.error_mut() {
                error.fill(0.1);
            }
        }
    };
    criterion.bench_function(&format!("forward {TICKS} ticks {sizes:?}"), |b| {
        b.iter(&mut run);
    });
    let spikes = interval.spikes().all().len();
    eprintln!("{:.1} Hz", spikes as f64 / sizes.1 as f64);
    let mut adjoint = Adjoint::new(&network);
    let mut gradients = Weights::zeros(&network.topology);
    criterion.bench_function(&format!("gradient {TICKS} ticks {sizes:?}"), |b| {
        b.iter(|| {
            let config = EpropConfig::default();
            adjoint.accumulate(&network, &interval, &config, &mut gradients);
        });
    });
}

fn bench(criterion: &mut Criterion) {
    for sizes in [(100, 100, 2), (500, 500, 10)] {
        online(criterion, sizes);
        offline(criterion, sizes);
    }
    sparse(criterion, (500, 500, 10));
}

criterion_group!(benches, bench);
criterion_main!(benches);
