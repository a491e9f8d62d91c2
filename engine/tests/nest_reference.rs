//! The two reference tasks of NEST 3.10's `test_eprop_bsshslm_2020_plasticity.py`,
//! loss by loss, with the tolerances that NEST's test has.

use saccade_engine::experiments::{EvidenceAccumulation, Experiment, Problem, SineRegression};
use saccade_engine::real::Real;

const REGRESSION_NEST: [f64; 5] = [
    101.964_356_999_041,
    103.466_731_126_205,
    103.340_607_074_771,
    103.680_244_037_686,
    104.412_775_748_752,
];
const REGRESSION_TENSORFLOW: [f64; 5] = [
    101.964_363_098_144,
    103.466_735_839_843,
    103.340_606_689_453,
    103.680_244_445_8,
    104.412_780_761_718,
];
const CLASSIFICATION_NEST: [f64; 5] = [
    0.741_152_550_006,
    0.740_388_187_7,
    0.665_785_233_177,
    0.663_644_193_322,
    0.729_428_962_844,
];
const CLASSIFICATION_TENSORFLOW: [f64; 5] = [
    0.741_152_524_948,
    0.740_388_214_588,
    0.665_785_133_838,
    0.663_644_134_998,
    0.729_429_066_181,
];
const CLASSIFICATION_NEST_BATCH_2: [f64; 5] = [
    0.702_163_370_672,
    0.735_555_303_152,
    0.740_354_864_111,
    0.683_882_815_282,
    0.707_841_122_268,
];

fn losses<R: Real>(problem: &mut impl Problem, iterations: usize) -> Vec<f64> {
    let mut experiment = Experiment::<R>::new(problem.task()).unwrap();
    (0..iterations)
        .map(|_| experiment.iterate(&problem.batch()).unwrap().loss)
        .collect()
}

/// Largest relative deviation, printed.
fn deviation(what: &str, ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let pairs = ours.iter().zip(theirs);
    let worst = pairs.map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
    println!("{what}: {ours:?}, largest relative deviation {worst:e}");
    worst
}

#[test]
fn sine_regression_in_f64() {
    let ours = losses::<f64>(&mut SineRegression::new(1), 5);
    assert!(deviation("NEST", &ours, &REGRESSION_NEST) < 1e-12);
    assert!(deviation("TensorFlow", &ours, &REGRESSION_TENSORFLOW) < 1e-7);
}

#[test]
fn evidence_accumulation_in_f64() {
    let ours = losses::<f64>(&mut EvidenceAccumulation::new(1, 1), 5);
    assert!(deviation("NEST", &ours, &CLASSIFICATION_NEST) < 1e-11);
    assert!(deviation("TensorFlow", &ours, &CLASSIFICATION_TENSORFLOW) < 1e-6);
    let ours = losses::<f64>(&mut EvidenceAccumulation::new(1, 2), 5);
    assert!(deviation("NEST, batch 2", &ours, &CLASSIFICATION_NEST_BATCH_2) < 1e-11);
}

/// The stated bound of single precision: 1e-6 over five iterations. Later on a spike
/// will fall on the other side of its threshold, and the runs part.
#[test]
fn both_in_f32() {
    let ours = losses::<f32>(&mut SineRegression::new(1), 5);
    assert!(deviation("f32, NEST", &ours, &REGRESSION_NEST) < 1e-6);
    let ours = losses::<f32>(&mut EvidenceAccumulation::new(1, 1), 5);
    assert!(deviation("f32, NEST", &ours, &CLASSIFICATION_NEST) < 1e-6);
}
