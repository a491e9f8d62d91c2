//! Iterations, steps of learning and queries of the place network at its full size:
//! `cargo bench -p saccade-engine --bench predictive_coding`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use saccade_engine::models::place::Senses;
use saccade_engine::models::predictive_coding::{
    Config, Method, Network, PlaceNetwork, Precision, Provenance, Quick, Recogniser, Scaling,
};

fn iterations(criterion: &mut Criterion) {
    let Ok(mut network) = Network::<f32>::new(Config::default(), 1) else {
        return;
    };
    for batch in [1, 64] {
        let mut activity = network.activity(batch);
        activity.inputs.iter_mut().for_each(|x| x.fill(0.5));
        criterion.bench_function(&format!("place network, iteration of {batch}"), |b| {
            b.iter(|| {
                network.errors(Senses::Both, &mut activity);
                network.move_causes(Senses::Both, &mut activity, [0.01; 3], |_| true);
            });
        });
        criterion.bench_function(&format!("place network, learning of {batch}"), |b| {
            b.iter(|| network.learn(&activity, 1e-6, false));
        });
    }
}

fn queries(criterion: &mut Criterion) {
    let Ok(network) = Network::new(Config::default(), 1) else {
        return;
    };
    let scaling = Scaling {
        least: vec![0.0; 72],
        greatest: vec![1.0; 72],
    };
    let Ok(place) = PlaceNetwork::new(network, scaling, Provenance::default()) else {
        return;
    };
    let (visual, tactile) = (vec![0.5; 10_800], vec![0.3; 72]);
    for precision in [Precision::F32, Precision::I8] {
        let quick = Quick {
            precision,
            ..Quick::default()
        };
        let Ok(mut recogniser) = Recogniser::new(place.clone(), Method::Quick(quick)) else {
            return;
        };
        criterion.bench_function(&format!("place network, query {precision:?}"), |b| {
            b.iter(|| {
                let answer = recogniser.recognise(&visual, &tactile, Senses::Both);
                black_box(answer.is_ok())
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = iterations, queries
}
criterion_main!(benches);
