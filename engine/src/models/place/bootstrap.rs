//! How sure a difference between two descriptors is: the paired bootstrap.
//!
//! Sets (seeds) are drawn with replacement, then samples within each of them; both
//! descriptors are judged on the very samples drawn, so that what makes a sample hard or
//! easy cancels.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::{Result, check_count};

/// A figure with the interval that holds 95 % of its bootstrap values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The figure on all samples.
    pub value: f64,
    /// 2.5 % of the bootstrap values lie below; NaN where the figure never was a number.
    pub low: f64,
    /// 2.5 % lie above.
    pub high: f64,
}

/// One sample: its set and its place in it.
pub type Drawn = (usize, usize);

/// The intervals of figures over sets of so many samples. `figures` is told which samples
/// to take, some of them more than once; draws in which a figure is not a number are left
/// out.
///
/// # Errors
/// [`crate::Error::Parameter`]: no set, an empty set, or no draws.
pub fn intervals<const N: usize>(
    sets: &[usize],
    draws: usize,
    seed: u64,
    figures: impl Fn(&[Drawn]) -> [f64; N],
) -> Result<[Interval; N]> {
    check_count("bootstrap.draws", draws, 1, 10_000_000)?;
    check_count("bootstrap.sets", sets.len(), 1, 1_000_000)?;
    for &n in sets {
        check_count("bootstrap.samples", n, 1, 1_000_000_000)?;
    }
    let all: Vec<Drawn> = (0..sets.len())
        .flat_map(|set| (0..sets[set]).map(move |i| (set, i)))
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = Vec::with_capacity(all.len());
    let mut values: [Vec<f64>; N] = [const { Vec::new() }; N];
    for _ in 0..draws {
        drawn.clear();
        for _ in sets {
            let set = rng.random_range(0..sets.len());
            drawn.extend((0..sets[set]).map(|_| (set, rng.random_range(0..sets[set]))));
        }
        for (values, value) in values.iter_mut().zip(figures(&drawn)) {
            if value.is_finite() {
                values.push(value);
            }
        }
    }
    let mut found = figures(&all).map(|value| Interval {
        value,
        low: f64::NAN,
        high: f64::NAN,
    });
    for (found, values) in found.iter_mut().zip(&mut values) {
        values.sort_unstable_by(f64::total_cmp);
        if let Some(last) = values.len().checked_sub(1) {
            let at = |share: f64| values[(share * last as f64).round() as usize];
            (found.low, found.high) = (at(0.025), at(0.975));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of 400 numbers of variance 1/12: 95 % of the bootstrap means lie within
    /// 1.96 standard errors. 4000 draws know a quantile to 0.05 standard errors or so.
    #[test]
    fn the_interval_of_a_mean_is_that_of_its_standard_error() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let values: Vec<f64> = (0..400).map(|_| rng.random::<f64>()).collect();
        let mean =
            |drawn: &[Drawn]| [drawn.iter().map(|d| values[d.1]).sum::<f64>() / drawn.len() as f64];
        let [found] = intervals(&[400], 4000, 1, mean).unwrap();
        let variance = values
            .iter()
            .map(|v| (v - found.value).powi(2))
            .sum::<f64>()
            / 400.0;
        let error = (variance / 400.0).sqrt();
        let (low, high) = (found.value - found.low, found.high - found.value);
        assert!((low / error - 1.96).abs() < 0.25, "{low} {error}");
        assert!((high / error - 1.96).abs() < 0.25, "{high} {error}");
    }

    /// Where sets differ and samples within them do not, all doubt is about the sets.
    #[test]
    fn sets_are_drawn_too() {
        let of_set =
            |drawn: &[Drawn]| [drawn.iter().map(|d| d.0 as f64).sum::<f64>() / drawn.len() as f64];
        let [found] = intervals(&[50, 50], 2000, 1, of_set).unwrap();
        assert_eq!((found.value, found.low, found.high), (0.5, 0.0, 1.0));
        assert!(intervals(&[], 10, 1, of_set).is_err());
        assert!(intervals(&[3, 0], 10, 1, of_set).is_err());
        let [never] = intervals(&[3], 10, 1, |_| [f64::NAN]).unwrap();
        assert!(never.low.is_nan());
    }
}
