//! A step of the path integrator, with noise: `cargo bench -p saccade-engine --bench central_complex`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use saccade_engine::models::central_complex::{
    Extended, ExtendedParameters, Gaussian, NoiseLevels, Parameters, PathIntegrator, RateModel,
    Spiking, SpikingParameters,
};

fn step<M: PathIntegrator>(criterion: &mut Criterion, name: &str, mut model: M) {
    let rng = ChaCha8Rng::seed_from_u64(1);
    let Ok(mut noise) = Gaussian::new(NoiseLevels::default(), rng) else {
        return;
    };
    let mut heading_rad = 0.0_f64;
    criterion.bench_function(name, |b| {
        b.iter(|| {
            heading_rad += 0.01;
            let (sin, cos) = heading_rad.sin_cos();
            black_box(model.step(heading_rad, [0.5 * sin, 0.5 * cos], &mut noise))
        });
    });
}

fn bench(criterion: &mut Criterion) {
    if let Ok(model) = RateModel::new(Parameters::default()) {
        step(criterion, "central complex, published", model);
    }
    if let Ok(model) = Extended::new(&ExtendedParameters::default()) {
        step(criterion, "central complex, extended", model);
    }
    // A step of this one is 100 ticks.
    let rng = ChaCha8Rng::seed_from_u64(2);
    if let Ok(model) = Spiking::new(&SpikingParameters::default(), rng) {
        step(criterion, "central complex, spiking", model);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
