//! Several data sets to train on, as one.

use super::{Data, ExperimentError, load};
use saccade_engine::models::sample::Sample;
use saccade_msgs::CLASSES;
use std::path::PathBuf;

/// Reads data sets to train on, in the order given, and weighs their samples so that a class
/// with more of them counts for less than their number (see [`balance`]).
///
/// # Errors
/// No path is given; otherwise as [`load`].
pub fn load_training(paths: &[PathBuf], ticks: u16) -> Result<Data, ExperimentError> {
    let (first, others) = paths.split_first().ok_or_else(|| ExperimentError::Data {
        path: PathBuf::new(),
        reason: "no data set to train on; name at least one".into(),
    })?;
    let mut data = load(first, ticks, None)?;
    for path in others {
        let more = load(path, ticks, Some(data.encoder.clone()))?;
        data.join(more);
    }
    balance(&mut data.samples);
    Ok(data)
}

impl Data {
    /// Adds the samples of another data set that was encoded alike.
    fn join(&mut self, more: Data) {
        self.samples.extend(more.samples);
        self.counts.extend(more.counts);
        self.images.extend(more.images);
        let source = &mut self.source;
        source.file = format!("{}, {}", source.file, more.source.file);
        source.fingerprint = format!("{},{}", source.fingerprint, more.source.fingerprint);
        source.samples = self.samples.len();
    }
}

/// Gives each sample a weight that falls with the root of its class's number of samples, of
/// mean 1: with as many samples of each class it is 1 for all, exactly.
///
/// More samples of one class are there because it varies most, not because it is to be
/// expected most: an empty table is what it is by whatever else lies there. The root is
/// half-way: where all samples count alike objects are lost to that class, where all classes
/// do it is lost to objects.
pub fn balance(samples: &mut [Sample]) {
    let mut of_class = [0_usize; CLASSES.len()];
    for sample in samples.iter() {
        of_class[sample.label] += 1;
    }
    let roots = of_class.map(|n| (n as f64).sqrt());
    // The sum of n / root(n) over the classes.
    let mean = roots.iter().sum::<f64>() / samples.len().max(1) as f64;
    for sample in samples {
        sample.weight = (1.0 / (mean * roots[sample.label])) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_tests::bars;

    fn of(labels: &[usize]) -> Vec<Sample> {
        let sample = |&label: &usize| Sample {
            spikes: Vec::new(),
            ticks: 1,
            label,
            weight: 1.0,
        };
        labels.iter().map(sample).collect()
    }

    fn weights(samples: &[Sample]) -> Vec<f32> {
        samples.iter().map(|s| s.weight).collect()
    }

    #[test]
    fn a_class_counts_by_the_root_of_its_samples() {
        let mut samples = of(&[0, 3, 3, 3, 3]);
        balance(&mut samples);
        let expected = [5.0 / 3.0, 5.0 / 6.0, 5.0 / 6.0, 5.0 / 6.0, 5.0 / 6.0];
        for (weight, expected) in weights(&samples).into_iter().zip(expected) {
            assert!((weight - expected).abs() < 1e-6, "{weight} {expected}");
        }
        for per_class in [1, 10, 300, 900, 1013] {
            let mut samples = of(&[0, 1, 2, 3].repeat(per_class));
            balance(&mut samples);
            assert_eq!(weights(&samples), vec![1.0; 4 * per_class]);
        }
        balance(&mut []);
    }

    #[test]
    fn data_sets_are_joined_in_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = ["a.mcap", "b.mcap"].map(|name| folder.path().join(name));
        bars(&paths[0], 8, 0);
        bars(&paths[1], 4, 3);
        let both = load_training(&paths, 60).expect("loads");
        let one = |k: usize| load(&paths[k], 60, None).expect("loads");
        let (a, b) = (one(0), one(1));
        assert_eq!(both.source.samples, 12);
        assert_eq!(both.samples, [&a.samples[..], &b.samples].concat());
        assert_eq!(
            both.source.fingerprint,
            format!("{},{}", a.source.fingerprint, b.source.fingerprint)
        );
        assert_eq!(both.images.len(), 12);
        assert!(load_training(&[], 60).is_err());
    }
}
