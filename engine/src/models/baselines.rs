//! Trivial classifiers, to see how hard a data set is.

use super::sample::Sample;
use crate::error::{Error, Result};
use crate::learning::loss;

/// The number of spikes alone, as the feature `ln(1 + n)`.
pub fn count_feature(sample: &Sample) -> Vec<f32> {
    vec![(sample.spikes.len() as f32).ln_1p()]
}

/// The image of a sample: spikes per input.
pub fn image_feature(sample: &Sample, n_in: usize) -> Vec<f32> {
    let mut image = vec![0.0; n_in];
    for &(_, id) in &sample.spikes {
        if let Some(cell) = image.get_mut(id as usize) {
            *cell += 1.0;
        }
    }
    image
}

/// Share of right predictions over features and labels; 0 without any.
pub fn accuracy(predict: impl Fn(&[f32]) -> usize, features: &[Vec<f32>], labels: &[usize]) -> f64 {
    let right = features
        .iter()
        .zip(labels)
        .filter(|(x, y)| predict(x) == **y);
    right.count() as f64 / features.len().max(1) as f64
}

/// Checks that features are there, of one length, finite, and that labels are under `classes`.
fn check(features: &[Vec<f32>], labels: &[usize], classes: usize) -> Result<usize> {
    let Some(first) = features.first() else {
        return Err(Error::NoSamples("there are no features to fit".to_owned()));
    };
    if labels.len() != features.len() {
        let what = format!("{} features but {} labels", features.len(), labels.len());
        return Err(Error::NoSamples(what));
    }
    for (index, (x, &label)) in features.iter().zip(labels).enumerate() {
        let bad = |what| Err(Error::Sample { index, what });
        if x.len() != first.len() {
            return bad(format!(
                "has {} features, the first one {}",
                x.len(),
                first.len()
            ));
        }
        if x.iter().any(|x| !x.is_finite()) {
            return bad("has a feature that is not finite".to_owned());
        }
        if label >= classes {
            return bad(format!("has label {label}, there are {classes} classes"));
        }
    }
    Ok(first.len())
}

/// Decides for the class whose mean feature vector is nearest.
#[derive(Clone, Debug)]
pub struct NearestMean {
    means: Vec<Option<Vec<f32>>>,
}

impl NearestMean {
    /// Fits the mean of every class that has samples.
    ///
    /// # Errors
    /// [`Error::NoSamples`] or [`Error::Sample`] where features and labels do not fit.
    pub fn fit(features: &[Vec<f32>], labels: &[usize], classes: usize) -> Result<Self> {
        let length = check(features, labels, classes)?;
        let mut sums = vec![(0_u32, vec![0.0_f64; length]); classes];
        for (x, &label) in features.iter().zip(labels) {
            let (count, sum) = &mut sums[label];
            *count += 1;
            for (s, &x) in sum.iter_mut().zip(x) {
                *s += f64::from(x);
            }
        }
        let mean = |(count, sum): (u32, Vec<f64>)| {
            let mean = sum.into_iter().map(|s| (s / f64::from(count)) as f32);
            (count > 0).then(|| mean.collect())
        };
        Ok(Self {
            means: sums.into_iter().map(mean).collect(),
        })
    }

    /// The class of a feature vector; of equally near ones the first.
    pub fn predict(&self, x: &[f32]) -> usize {
        let mut best = (f64::INFINITY, 0);
        for (class, mean) in self.means.iter().enumerate() {
            let Some(mean) = mean else { continue };
            let distance = x.iter().zip(mean).map(|(a, b)| f64::from(a - b).powi(2));
            let distance = distance.sum();
            if distance < best.0 {
                best = (distance, class);
            }
        }
        best.1
    }
}

/// Multinomial logistic regression: what a single layer makes of spike counts.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[classes][features + 1]`, the last one the bias.
    weights: Vec<Vec<f32>>,
    /// Features are divided by this.
    scale: f32,
}

impl Linear {
    /// Fits by `steps` steps of gradient descent on all samples, from zero.
    ///
    /// # Errors
    /// [`Error::NoSamples`] or [`Error::Sample`] where features and labels do not fit.
    pub fn fit(
        features: &[Vec<f32>],
        labels: &[usize],
        classes: usize,
        steps: usize,
    ) -> Result<Self> {
        let length = check(features, labels, classes)?;
        // Mean squared length 1: a step of 1 is then below the stability limit of the descent.
        let squares: f64 = features.iter().flatten().map(|&x| f64::from(x * x)).sum();
        let scale = (squares / features.len() as f64).sqrt().max(1e-12) as f32;
        let mut fit = Self {
            weights: vec![vec![0.0; length + 1]; classes],
            scale,
        };
        let rate = 1.0 / features.len() as f32;
        let mut error = vec![0.0; classes];
        let mut gradient = fit.weights.clone();
        for _ in 0..steps {
            gradient.iter_mut().for_each(|g| g.fill(0.0));
            for (x, &label) in features.iter().zip(labels) {
                loss::cross_entropy(&fit.scores(x), label, &mut error);
                for (g, &e) in gradient.iter_mut().zip(&error) {
                    g[length] += e;
                    for (g, &x) in g.iter_mut().zip(x) {
                        *g += e * x / scale;
                    }
                }
            }
            for (w, g) in fit.weights.iter_mut().zip(&gradient) {
                for (w, g) in w.iter_mut().zip(g) {
                    *w -= rate * g;
                }
            }
        }
        Ok(fit)
    }

    fn scores(&self, x: &[f32]) -> Vec<f32> {
        let score = |w: &Vec<f32>| {
            let sum: f32 = w.iter().zip(x).map(|(w, x)| w * x).sum();
            sum / self.scale + w.last().copied().unwrap_or_default()
        };
        self.weights.iter().map(score).collect()
    }

    /// The class of a feature vector.
    pub fn predict(&self, x: &[f32]) -> usize {
        let scores = self.scores(x);
        (1..scores.len()).fold(0, |best, k| if scores[k] > scores[best] { k } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_mean_by_hand() {
        let features = [vec![0.0, 0.0], vec![2.0, 0.0], vec![10.0, 1.0]];
        let fit = NearestMean::fit(&features, &[0, 0, 2], 3).unwrap();
        assert_eq!(fit.predict(&[5.0, 0.0]), 0);
        assert_eq!(fit.predict(&[6.5, 0.0]), 2);
        let right = accuracy(|x| fit.predict(x), &features, &[0, 1, 2]);
        assert!((right - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn linear_separates_what_is_separable() {
        let features: Vec<Vec<f32>> = (0..20).map(|k| vec![k as f32, 1.0]).collect();
        let labels: Vec<usize> = (0..20).map(|k| usize::from(k >= 8)).collect();
        let fit = Linear::fit(&features, &labels, 2, 5000).unwrap();
        assert_eq!(accuracy(|x| fit.predict(x), &features, &labels), 1.0);
    }

    #[test]
    fn bad_features_are_named() {
        let error = NearestMean::fit(&[vec![0.0], vec![f32::NAN]], &[0, 0], 1).unwrap_err();
        assert!(error.to_string().starts_with("sample 1"), "{error}");
        assert!(NearestMean::fit(&[], &[], 2).is_err());
    }
}
