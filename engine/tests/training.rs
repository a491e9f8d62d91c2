//! Training on synthetic shapes: it must learn what a linear readout of spike counts
//! cannot, be the same on any number of threads, and stay at chance where there is
//! nothing to learn.

mod shapes;

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use saccade_engine::fixed::compare;
use saccade_engine::models::augment::Augment;
use saccade_engine::models::baselines::{self, Linear, NearestMean};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::evaluation::evaluate;
use saccade_engine::models::sample::Sample;
use saccade_engine::models::training::{TrainConfig, train};

const SCENE: shapes::Scene = shapes::Scene {
    grid: 16,
    ticks: 120,
    spikes: 900,
};

fn network() -> ClassifierConfig {
    ClassifierConfig {
        n_in: 2 * SCENE.grid * SCENE.grid,
        n_lif: 50,
        n_alif: 50,
        max_ticks: SCENE.ticks,
        ..ClassifierConfig::default()
    }
}

fn training(epochs: usize) -> TrainConfig {
    TrainConfig {
        epochs,
        augment: Augment {
            width: SCENE.grid,
            height: SCENE.grid,
            shift: 2,
            ..Augment::default()
        },
        ..TrainConfig::default()
    }
}

fn trained(samples: &[Sample], epochs: usize) -> Classifier {
    let goes_on = &mut |_: &_| ControlFlow::Continue(());
    let (classifier, _) = train(samples, &network(), &training(epochs), 7, goes_on).unwrap();
    classifier
}

#[test]
fn it_learns_what_counts_do_not_tell() {
    let (learning, held_out) = (
        shapes::samples(&SCENE, 60, 1),
        shapes::samples(&SCENE, 100, 2),
    );
    let n_in = network().n_in;
    let images = |samples: &[Sample]| -> Vec<Vec<f32>> {
        let image = |s| baselines::image_feature(s, n_in);
        samples.iter().map(image).collect()
    };
    let counts = |samples: &[Sample]| -> Vec<Vec<f32>> {
        samples.iter().map(baselines::count_feature).collect()
    };
    let labels = |samples: &[Sample]| -> Vec<usize> { samples.iter().map(|s| s.label).collect() };

    let linear = Linear::fit(&images(&learning), &labels(&learning), 4, 300).unwrap();
    let linear = baselines::accuracy(
        |x| linear.predict(x),
        &images(&held_out),
        &labels(&held_out),
    );
    let count = NearestMean::fit(&counts(&learning), &labels(&learning), 4).unwrap();
    let count = baselines::accuracy(|x| count.predict(x), &counts(&held_out), &labels(&held_out));
    let classifier = trained(&learning, 25);
    let result = evaluate(&classifier, &held_out).unwrap();
    eprintln!(
        "held out: e-prop {:.3}, linear {linear:.3}, count {count:.3}; calibration error {:.3}, {:.1} Hz",
        result.accuracy, result.calibration_error, result.mean_rate_hz
    );
    assert!(count < 0.5, "the shapes must not differ in spike count");
    assert!(
        result.accuracy > linear + 0.05,
        "{} {linear}",
        result.accuracy
    );
    assert!(result.accuracy > 0.93, "{}", result.accuracy);
    assert!(
        result.calibration_error < 0.1,
        "{}",
        result.calibration_error
    );
    let (ticks, end) = result.accuracy_vs_time[result.accuracy_vs_time.len() - 1];
    assert_eq!((ticks, end), (SCENE.ticks, result.accuracy));

    let fixed = compare(&classifier, &held_out).unwrap();
    eprintln!("{fixed:?}");
    assert_eq!(fixed.accuracy_f32, result.accuracy);
    assert!((fixed.accuracy_fixed - fixed.accuracy_f32).abs() <= 0.02);
    assert!(fixed.equal_decisions >= 0.97);
    assert_eq!(fixed.saturated, 0);
}

#[test]
fn shuffled_labels_stay_at_chance() {
    let mut learning = shapes::samples(&SCENE, 30, 3);
    let mut labels: Vec<usize> = learning.iter().map(|s| s.label).collect();
    labels.shuffle(&mut ChaCha8Rng::seed_from_u64(4));
    for (sample, label) in learning.iter_mut().zip(labels) {
        sample.label = label;
    }
    let result = evaluate(&trained(&learning, 8), &shapes::samples(&SCENE, 100, 5)).unwrap();
    // Chance is 1/4; the decisions of one network on similar samples are not
    // independent, hence a wide band.
    assert!((0.1..0.4).contains(&result.accuracy), "{}", result.accuracy);
}

#[test]
fn threads_change_no_bit() {
    let learning = shapes::samples(&SCENE, 12, 6);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| trained(&learning, 2).to_bytes().unwrap())
    };
    assert_eq!(on(1), on(3));
}

/// Pushing spikes tick by tick gives the decision that `evaluate` gives.
#[test]
fn streaming_equals_evaluation() {
    let samples = shapes::samples(&SCENE, 6, 8);
    let mut classifier = trained(&samples, 2);
    let whole = evaluate(&classifier, &samples).unwrap();
    let mut confusion = vec![vec![0; 4]; 4];
    for sample in &samples {
        classifier.begin_interval();
        let mut spikes = sample.spikes.iter().peekable();
        for tick in 0..sample.ticks {
            while let Some((_, id)) = spikes.next_if(|(t, _)| usize::from(*t) == tick) {
                classifier.push_spike(*id).unwrap();
            }
            classifier.tick(None).unwrap();
        }
        confusion[sample.label][classifier.decision().class] += 1;
    }
    assert_eq!(confusion, whole.confusion);
    assert_eq!(classifier.merged_spikes(), 0);
}
