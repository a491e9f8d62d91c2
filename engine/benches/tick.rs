//! Cost of a tick, of learning and of encoding at 2048-200-4.
//!
//! `cargo bench -p saccade-engine`. A tick has 17 input spikes (17 000 per second)
//! or 100 (100 000 per second); an interval has 300 ticks.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::encoder::{Encoder, EncoderConfig};
use saccade_engine::learning::optimizer::{Optimizer, OptimizerConfig};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;

const TICKS: usize = 300;

/// Distinct random inputs for every tick.
fn inputs(per_tick: usize) -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    (0..TICKS)
        .map(|_| {
            let ids = rand::seq::index::sample(&mut rng, 2048, per_tick);
            ids.into_iter().map(|id| id as u32).collect()
        })
        .collect()
}

fn interval(classifier: &mut Classifier, inputs: &[Vec<u32>]) {
    classifier.begin_interval();
    for tick in inputs {
        for &id in tick {
            let _ = classifier.push_spike(id);
        }
        let _ = black_box(classifier.tick(Some(1)));
    }
}

fn bench(criterion: &mut Criterion) {
    let Ok(mut classifier) = Classifier::new(ClassifierConfig::default(), 1) else {
        return;
    };
    for per_tick in [17, 100] {
        let inputs = inputs(per_tick);
        criterion.bench_function(&format!("{TICKS} ticks, {per_tick} spikes each"), |b| {
            b.iter(|| interval(&mut classifier, &inputs));
        });
        criterion.bench_function(
            &format!("learn {TICKS} ticks, {per_tick} spikes each"),
            |b| {
                b.iter(|| black_box(classifier.learn()));
            },
        );
    }
    let topology = classifier.network().topology;
    if let Ok(mut adam) = Optimizer::new(OptimizerConfig::default(), &topology) {
        criterion.bench_function("apply", |b| {
            b.iter(|| {
                classifier.learn();
                classifier.apply(&mut adam, 0.0)
            });
        });
    }
    encode(criterion);
}

fn encode(criterion: &mut Criterion) {
    let Ok(mut encoder) = Encoder::new(EncoderConfig::default()) else {
        return;
    };
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let events: Vec<(u16, u16, bool)> = (0..100)
        .map(|_| {
            (
                rng.random_range(0..128),
                rng.random_range(0..128),
                rng.random(),
            )
        })
        .collect();
    criterion.bench_function("encode a tick of 100 events", |b| {
        b.iter(|| {
            for &(x, y, on) in &events {
                let _ = encoder.push(x, y, on);
            }
            black_box(encoder.tick().len())
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
