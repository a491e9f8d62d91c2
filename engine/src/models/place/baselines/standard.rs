//! Both senses in one vector, with a mean of 0 and a spread that is agreed on.

use crate::error::{Error, Result, check};
use crate::models::place::{Samples, Senses};

/// What shares a spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Every value has its own, taken to be at least a hundredth of its sense's: z-scores.
    OfValue,
    /// All values of a sense have one.
    OfSense,
}

/// Means and factors of both senses, from the samples fitted to.
#[derive(Clone, Debug)]
pub(super) struct Standard {
    mean: Vec<f32>,
    factor: Vec<f32>,
    visual: usize,
}

impl Standard {
    /// Of these samples, with a variance of 1 (of each value, or on average over a sense).
    pub fn fit(samples: &Samples, spread: Spread) -> Result<Self> {
        if samples.len() < 2 {
            let n = samples.len();
            let what = format!("{n} samples to fit a baseline to, at least 2 are needed");
            return Err(Error::NoSamples(what));
        }
        let (visual, tactile) = samples.sizes();
        let mut mean = moments(samples, |_, x| x);
        let square = moments(samples, |k, x| (x - mean[k]).powi(2));
        let mut factor = vec![0.0; visual + tactile];
        for sense in [0..visual, visual..visual + tactile] {
            let variance = &square[sense.clone()];
            let middle = variance.iter().sum::<f64>() / variance.len().max(1) as f64;
            for (factor, &variance) in factor[sense].iter_mut().zip(variance) {
                let variance = match spread {
                    Spread::OfValue => variance.max(1e-4 * middle),
                    Spread::OfSense => middle,
                };
                if variance > 0.0 {
                    *factor = variance.sqrt().recip() as f32;
                }
            }
        }
        Ok(Standard {
            mean: mean.drain(..).map(|m| m as f32).collect(),
            factor,
            visual,
        })
    }

    /// The same with a sum of variances of `touch` over touch and `1 - touch` over vision.
    pub fn weighed(mut self, touch: f64) -> Result<Self> {
        check("baseline.touch", touch, 0.0, 1.0)?;
        let (vision, felt) = self.factor.split_at_mut(self.visual);
        for (sense, share) in [(vision, 1.0 - touch), (felt, touch)] {
            let weight = (share / sense.len().max(1) as f64).sqrt() as f32;
            sense.iter_mut().for_each(|factor| *factor *= weight);
        }
        Ok(self)
    }

    /// Length of a row.
    pub fn len(&self) -> usize {
        self.mean.len()
    }

    /// Values of vision, which come first.
    pub fn visual(&self) -> usize {
        self.visual
    }

    /// Sample `i` in `row`; a sense that is missing is at its mean, which is 0.
    pub fn row(&self, samples: &Samples, i: usize, senses: Senses, row: &mut [f32]) -> Result<()> {
        check_sizes(samples, i, (self.visual, self.len() - self.visual))?;
        let sensed = samples.visual(i).iter().chain(samples.tactile(i));
        let each = self.mean.iter().zip(&self.factor).zip(sensed);
        for (out, ((mean, factor), x)) in row.iter_mut().zip(each) {
            *out = (x - mean) * factor;
        }
        match senses {
            Senses::Both => {}
            Senses::Vision => row[self.visual..].fill(0.0),
            Senses::Touch => row[..self.visual].fill(0.0),
        }
        Ok(())
    }

    /// All samples, a row each.
    pub fn rows(&self, samples: &Samples) -> Result<Vec<f32>> {
        let mut rows = vec![0.0; samples.len() * self.len()];
        for (i, row) in rows.chunks_exact_mut(self.len().max(1)).enumerate() {
            self.row(samples, i, Senses::Both, row)?;
        }
        Ok(rows)
    }

    /// The values of vision in `row` as they were before.
    pub fn undo_visual(&self, row: &[f32]) -> Vec<f32> {
        let each = self.mean.iter().zip(&self.factor).zip(row);
        each.take(self.visual)
            .map(|((mean, factor), x)| {
                if *factor > 0.0 {
                    mean + x / factor
                } else {
                    *mean
                }
            })
            .collect()
    }
}

/// Refuses a sample that is not there, or of other sizes than those fitted to.
pub(super) fn check_sizes(samples: &Samples, i: usize, fitted: (usize, usize)) -> Result<()> {
    let bad = |what| Err(Error::Sample { index: i, what });
    if samples.sizes() != fitted {
        let (found, expected) = (samples.sizes(), fitted);
        return bad(format!(
            "has {} visual and {} tactile values, the descriptor was fitted to {} and {}",
            found.0, found.1, expected.0, expected.1
        ));
    }
    match i < samples.len() {
        true => Ok(()),
        false => bad(format!("there are {} samples", samples.len())),
    }
}

/// Mean over the samples of `of` (position, value), for each value of both senses.
fn moments(samples: &Samples, of: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let (visual, tactile) = samples.sizes();
    let mut sums = vec![0.0; visual + tactile];
    for i in 0..samples.len() {
        let sensed = samples.visual(i).iter().chain(samples.tactile(i));
        for (k, (sum, &x)) in sums.iter_mut().zip(sensed).enumerate() {
            *sum += of(k, f64::from(x));
        }
    }
    let n = samples.len() as f64;
    sums.iter_mut().for_each(|sum| *sum /= n);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::place::Pose;

    /// Two visual values, one of them constant, and one tactile.
    fn samples() -> Samples {
        let mut samples = Samples::new(2, 1);
        for (v, t) in [(0.0, 10.0), (0.5, 10.0), (1.0, 40.0)] {
            samples.push(&[v, 0.25], &[t], Pose::default()).unwrap();
        }
        samples
    }

    #[test]
    fn rows_by_hand() {
        // Vision: variance 1/6 and 0. Touch: mean 20, variance 200.
        let samples = samples();
        let mut row = [9.0; 3];
        let standard = Standard::fit(&samples, Spread::OfValue).unwrap();
        standard.row(&samples, 2, Senses::Both, &mut row).unwrap();
        let close = |a: f32, b: f64| assert!((f64::from(a) - b).abs() < 1e-6, "{a} {b}");
        close(row[0], 0.5 * 6_f64.sqrt());
        close(row[1], 0.0);
        close(row[2], 20.0 / 200_f64.sqrt());
        let back = standard.undo_visual(&row);
        close(back[0], 1.0);
        close(back[1], 0.25);

        // One spread for both visual values, of variance 1/12; touch has 3/4 of all.
        let standard = Standard::fit(&samples, Spread::OfSense).unwrap();
        let standard = standard.weighed(0.75).unwrap();
        standard.row(&samples, 2, Senses::Both, &mut row).unwrap();
        close(row[0], 0.5 * 12_f64.sqrt() * (0.25_f64 / 2.0).sqrt());
        close(row[2], 20.0 / 200_f64.sqrt() * 0.75_f64.sqrt());
        standard.row(&samples, 2, Senses::Touch, &mut row).unwrap();
        assert_eq!(row[..2], [0.0, 0.0]);
        assert_ne!(row[2], 0.0);
    }

    #[test]
    fn samples_that_do_not_fit_are_refused() {
        let standard = Standard::fit(&samples(), Spread::OfValue).unwrap();
        let mut other = Samples::new(1, 1);
        other.push(&[0.0], &[0.0], Pose::default()).unwrap();
        let error = standard
            .row(&other, 0, Senses::Both, &mut [0.0; 3])
            .unwrap_err();
        assert!(error.to_string().contains("fitted to 2 and 1"), "{error}");
        assert!(
            standard
                .row(&samples(), 3, Senses::Both, &mut [0.0; 3])
                .is_err()
        );
        assert!(Standard::fit(&other, Spread::OfValue).is_err());
        assert!(standard.weighed(1.5).is_err());
    }
}
