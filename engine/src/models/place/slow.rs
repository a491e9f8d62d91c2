//! Slow features: what of a code changes least from one sample to the next.

use nalgebra::{DMatrix, SymmetricEigen};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check, check_count};

/// Which features, and how they count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlowConfig {
    /// How many at most.
    pub features: usize,
    /// A feature counts by its slowness to this power: 0 makes all count alike.
    pub emphasis: f64,
    /// So much of the mean variance of the steps is added to that of each direction, so
    /// that directions in which hardly anything varies are not taken for slow.
    pub ridge: f64,
}

impl Default for SlowConfig {
    fn default() -> Self {
        SlowConfig {
            features: 32,
            emphasis: 0.5,
            ridge: 0.03,
        }
    }
}

/// Linear slow features (Wiskott & Sejnowski 2002) of codes of samples that follow each
/// other on a way. With `T` the covariance of the codes and `S` that of the steps between
/// consecutive ones, halved, they are the `w` with the largest
///
/// ```text
/// v = w^T T w / w^T (S + ridge trace(S)/n) w
/// ```
///
/// each scaled to a denominator of 1 and then by `v^emphasis`. Light and turns of the head
/// change in a step, the room does not: no label is needed, only the order of the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowFeatures {
    mean: Vec<f32>,
    /// `[code, features]`.
    weights: Vec<f32>,
}

impl SlowFeatures {
    /// Fits them to codes in the order of a way.
    ///
    /// # Errors
    /// A parameter out of range; [`Error::NoSamples`] for fewer than three codes, codes of
    /// several lengths, values that are not finite, and codes that never change.
    pub fn fit(codes: &[Vec<f32>], config: SlowConfig) -> Result<Self> {
        check_count("slow.features", config.features, 1, 10_000)?;
        check("slow.emphasis", config.emphasis, 0.0, 4.0)?;
        check("slow.ridge", config.ridge, 1e-9, 1e3)?;
        let (mean, centred) = centred(codes)?;
        let (n, d) = (codes.len(), mean.len());
        let steps = DMatrix::from_fn(n - 1, d, |i, j| centred[(i + 1, j)] - centred[(i, j)]);
        let total = centred.tr_mul(&centred) / n as f64;
        let mut step = steps.tr_mul(&steps) / (2 * (n - 1)) as f64;
        let least = config.ridge * step.trace() / d as f64;
        for i in 0..d {
            step[(i, i)] += least;
        }
        let constant = || Error::NoSamples("slow features: the codes never change".to_owned());
        let lower = step.cholesky().ok_or_else(constant)?.l();
        let half = lower.solve_lower_triangular(&total).ok_or_else(constant)?;
        let ratio = lower.solve_lower_triangular(&half.transpose());
        let found = SymmetricEigen::new(ratio.ok_or_else(constant)?);
        let mut order: Vec<usize> = (0..d).collect();
        order.sort_by(|&a, &b| found.eigenvalues[b].total_cmp(&found.eigenvalues[a]));
        order.truncate(config.features);
        let directions = lower
            .tr_solve_lower_triangular(&found.eigenvectors.select_columns(&order))
            .ok_or_else(constant)?;
        let mut weights = Vec::with_capacity(d * order.len());
        for row in directions.row_iter() {
            let slow = order.iter().map(|&k| found.eigenvalues[k].max(0.0));
            let scaled = row.iter().zip(slow);
            weights.extend(scaled.map(|(w, v)| (w * v.powf(config.emphasis)) as f32));
        }
        let mean = mean.into_iter().map(|m| m as f32).collect();
        Self::from_parts(mean, weights)
    }

    /// From what was subtracted and `[code, features]` weights.
    ///
    /// # Errors
    /// [`Error::NoSamples`] where the sizes do not fit or a value is not finite.
    pub fn from_parts(mean: Vec<f32>, weights: Vec<f32>) -> Result<Self> {
        if mean.is_empty() || weights.is_empty() || !weights.len().is_multiple_of(mean.len()) {
            let (n, d) = (weights.len(), mean.len());
            let what = format!("slow features: {n} weights are no whole number for each of {d}");
            return Err(Error::NoSamples(what));
        }
        if !mean.iter().chain(&weights).all(|x| x.is_finite()) {
            let what = "slow features: a weight is not finite; learn them anew".to_owned();
            return Err(Error::NoSamples(what));
        }
        Ok(SlowFeatures { mean, weights })
    }

    /// How many numbers they are made of.
    pub fn input_len(&self) -> usize {
        self.mean.len()
    }

    /// How many there are.
    pub fn features(&self) -> usize {
        self.weights.len() / self.mean.len()
    }

    /// What is subtracted from a code.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// `[code, features]`.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Writes the features of `code` into `features`, which are then `length` long (as a
    /// vector); all zeros where the code is the mean. Both have the sizes above.
    pub fn apply(&self, code: &[f32], length: f32, features: &mut [f32]) {
        features.fill(0.0);
        let rows = self.weights.chunks_exact(features.len().max(1));
        for ((&x, &mean), row) in code.iter().zip(&self.mean).zip(rows) {
            let x = x - mean;
            features.iter_mut().zip(row).for_each(|(f, w)| *f += x * w);
        }
        let norm = features.iter().map(|f| f * f).sum::<f32>().sqrt();
        let factor = if norm > f32::MIN_POSITIVE {
            length / norm
        } else {
            0.0
        };
        features.iter_mut().for_each(|f| *f *= factor);
    }
}

/// The mean of codes, and the codes less it.
fn centred(codes: &[Vec<f32>]) -> Result<(Vec<f64>, DMatrix<f64>)> {
    let (n, d) = (codes.len(), codes.first().map_or(0, Vec::len));
    if n < 3 || d == 0 {
        let what = format!("slow features: {n} codes of {d} numbers, at least 3 are needed");
        return Err(Error::NoSamples(what));
    }
    if let Some(i) = (0..n).find(|&i| codes[i].len() != d) {
        let what = format!(
            "slow features: code {i} has {} numbers, not {d}",
            codes[i].len()
        );
        return Err(Error::NoSamples(what));
    }
    if let Some(i) = (0..n).find(|&i| !codes[i].iter().all(|x| x.is_finite())) {
        let what = format!("slow features: code {i} has a number that is not finite");
        return Err(Error::NoSamples(what));
    }
    let mut rows = DMatrix::from_fn(n, d, |i, j| f64::from(codes[i][j]));
    let mean: Vec<f64> = rows.column_iter().map(|c| c.mean()).collect();
    for (mut column, mean) in rows.column_iter_mut().zip(&mean) {
        column.add_scalar_mut(-mean);
    }
    Ok((mean, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slow wave and a quick one, mixed into three numbers.
    fn mixed() -> Vec<Vec<f32>> {
        let mix = |i: usize| {
            let (slow, quick) = ((i as f32 * 0.05).sin(), (i as f32 * 2.1).sin());
            vec![slow + 3.0 * quick, 2.0 * quick - slow, 5.0 + quick]
        };
        (0..400).map(mix).collect()
    }

    #[test]
    fn the_slow_wave_comes_out_of_the_mixture() {
        let config = SlowConfig {
            features: 1,
            ridge: 1e-6,
            ..SlowConfig::default()
        };
        let slow = SlowFeatures::fit(&mixed(), config).unwrap();
        assert_eq!((slow.input_len(), slow.features()), (3, 1));
        // Before it is brought to a length: the wave, but for sign and scale.
        let raw = |code: &[f32]| {
            let each = code.iter().zip(slow.mean()).zip(slow.weights());
            each.map(|((x, m), w)| (x - m) * w).sum::<f32>()
        };
        let found: Vec<f32> = mixed().iter().map(|c| raw(c)).collect();
        let wave: Vec<f32> = (0..400).map(|i| (i as f32 * 0.05).sin()).collect();
        let r = crate::models::place::pearson(&found, &wave).abs();
        assert!(r > 0.999, "{r}");
    }

    #[test]
    fn emphasis_scales_features_by_their_slowness() {
        let fit = |emphasis| {
            let config = SlowConfig {
                features: 2,
                emphasis,
                ridge: 1e-3,
            };
            SlowFeatures::fit(&mixed(), config).unwrap()
        };
        let (alike, scaled) = (fit(0.0), fit(1.0));
        let ratio = |k: usize| scaled.weights()[k] / alike.weights()[k];
        assert!(ratio(0) > 10.0 * ratio(1), "{} {}", ratio(0), ratio(1));
        for k in 0..2 {
            assert!((ratio(k + 2) / ratio(k) - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn features_have_the_length_asked_for() {
        let slow = SlowFeatures::fit(&mixed(), SlowConfig::default()).unwrap();
        let mut features = vec![1.0; slow.features()];
        slow.apply(&mixed()[7], 0.25, &mut features);
        let norm = features.iter().map(|f| f * f).sum::<f32>().sqrt();
        assert!((norm - 0.25).abs() < 1e-6, "{norm}");
        let mean = slow.mean().to_vec();
        slow.apply(&mean, 0.25, &mut features);
        assert!(features.iter().all(|f| *f == 0.0));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let fit = |codes: &[Vec<f32>]| {
            let refused = SlowFeatures::fit(codes, SlowConfig::default()).unwrap_err();
            refused.to_string()
        };
        assert!(fit(&[vec![1.0], vec![2.0]]).contains("at least 3"));
        assert!(fit(&[vec![1.0], vec![2.0], vec![]]).contains("code 2 has 0"));
        assert!(fit(&[vec![1.0], vec![f32::NAN], vec![1.0]]).contains("not finite"));
        assert!(fit(&vec![vec![1.0, 2.0]; 5]).contains("never change"));
        assert!(SlowFeatures::from_parts(vec![0.0; 2], vec![0.0; 3]).is_err());
    }
}
