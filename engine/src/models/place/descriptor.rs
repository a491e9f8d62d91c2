//! What turns a sample into a code, and how alike codes are.

use super::{Samples, Senses};
use crate::error::{Error, Result};
use crate::products::{View, multiply};

/// Turns what was sensed at a place into a code by which the place is known again: how alike
/// two places are is how their codes correlate ([`pearson`]).
pub trait Descriptor {
    /// What tables call it.
    fn name(&self) -> &str;

    /// The code of sample `i`, from these senses alone; as long for all samples and senses.
    ///
    /// # Errors
    /// The samples have other sizes than those that the descriptor was fitted to.
    fn describe(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Vec<f32>>;

    /// What sample `i` looks like by its code from these senses alone, in the samples' own
    /// units; none where a code says nothing of it.
    ///
    /// # Errors
    /// As [`Descriptor::describe`].
    fn imagine(
        &mut self,
        _samples: &Samples,
        _i: usize,
        _senses: Senses,
    ) -> Result<Option<Vec<f32>>> {
        Ok(None)
    }

    /// The codes of all samples.
    ///
    /// # Errors
    /// As [`Descriptor::describe`].
    fn describe_all(&mut self, samples: &Samples, senses: Senses) -> Result<Vec<Vec<f32>>> {
        (0..samples.len())
            .map(|i| self.describe(samples, i, senses))
            .collect()
    }
}

/// Pearson's correlation of two codes, -1 to 1; 0 where one of them is constant (it then
/// says nothing), of no length, or of another length than the other.
pub fn pearson(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() || a.is_empty() {
        return 0.0;
    }
    let mean = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let r = ab / (aa * bb).sqrt();
    if r.is_finite() {
        r.clamp(-1.0, 1.0) as f32
    } else {
        0.0
    }
}

/// Writes `code` into `row` with its mean taken off and of length 1; all zeros, and false,
/// where it has no spread but that of rounding.
pub(super) fn normalise(code: &[f32], row: &mut [f32]) -> bool {
    let n = code.len().max(1) as f64;
    let mean = code.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let squares = code.iter().map(|&v| (f64::from(v) - mean).powi(2));
    let length = squares.sum::<f64>().sqrt();
    let spreads = length > 1e-6 * (mean.abs() + f64::from(f32::MIN_POSITIVE)) * n.sqrt();
    let factor = if spreads { 1.0 / length } else { 0.0 };
    for (row, &v) in row.iter_mut().zip(code) {
        *row = ((f64::from(v) - mean) * factor) as f32;
    }
    spreads
}

/// How alike queries (a row each) and stored places (a column each) are.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    values: Vec<f32>,
    columns: usize,
}

impl Likeness {
    /// Of these codes: [`pearson`] of every pair.
    ///
    /// # Errors
    /// [`Error::NoSamples`] where codes are not all of one length.
    pub fn of(queries: &[Vec<f32>], stored: &[Vec<f32>]) -> Result<Self> {
        let size = stored.first().map_or(0, Vec::len);
        if let Some(code) = queries.iter().chain(stored).find(|c| c.len() != size) {
            let n = code.len();
            let what = format!("codes of {n} and of {size} numbers cannot be compared");
            return Err(Error::NoSamples(what));
        }
        let unit = |codes: &[Vec<f32>]| {
            let mut rows = vec![0.0; codes.len() * size];
            for (code, row) in codes.iter().zip(rows.chunks_exact_mut(size.max(1))) {
                normalise(code, row);
            }
            rows
        };
        let (q, s) = (unit(queries), unit(stored));
        let mut values = vec![0.0; queries.len() * stored.len()];
        let (q, s) = (
            View::new(&q, queries.len(), size),
            View::new(&s, stored.len(), size),
        );
        multiply(1.0, q, s.transposed(), 0.0, &mut values);
        Ok(Likeness {
            values,
            columns: stored.len(),
        })
    }

    /// Each likeness averaged with those of the `frames - 1` samples before, of the query and
    /// of the stored place alike: a sequence is held against a sequence (SeqSLAM). Where one
    /// has just begun, over what there is.
    #[must_use]
    pub fn over_sequence(&self, frames: usize) -> Self {
        let mut mean = self.clone();
        for i in 0..self.rows() {
            for j in 0..self.columns {
                let n = frames.max(1).min(i + 1).min(j + 1);
                let sum: f32 = (0..n).map(|k| self.row(i - k)[j - k]).sum();
                mean.values[i * self.columns + j] = sum / n as f32;
            }
        }
        mean
    }

    /// Row after row, `columns` each.
    ///
    /// # Errors
    /// [`Error::NoSamples`] where the values are no whole number of rows, or not numbers.
    pub fn from_rows(values: Vec<f32>, columns: usize) -> Result<Self> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            let n = values.len();
            let what = format!("{n} likenesses are no whole number of rows of {columns}");
            return Err(Error::NoSamples(what));
        }
        if let Some(i) = values.iter().position(|v| v.is_nan()) {
            let what = format!("likeness {i} is not a number");
            return Err(Error::NoSamples(what));
        }
        Ok(Likeness { values, columns })
    }

    /// Of query `i` to every stored place.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// Number of queries.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Number of stored places.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pearson_by_hand_and_against_scipy() {
        // Deviations (-1, 0, 1) and (-1, 1, 0): 1 / sqrt(2 * 2).
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[4.0, 6.0, 5.0]), 0.5);
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[-1.0, -3.0, -5.0]), -1.0);
        // scipy 1.17.1, scipy.stats.pearsonr(a, b).statistic
        let a = [0.3, 1.2, 0.3, -2.0, 5.5, 0.7, 0.3, 2.2];
        let b = [1.0, 0.5, 0.9, 0.0, 0.5, 3.0, -1.0, 2.0];
        assert!((pearson(&a, &b) - 0.152_557).abs() < 1e-6);
        assert_eq!(pearson(&[1.0, 1.0], &[2.0, 3.0]), 0.0, "constant");
        assert_eq!(pearson(&[], &[]), 0.0);
        assert_eq!(pearson(&[1.0, 2.0], &[2.0, 3.0, 4.0]), 0.0);
    }

    #[test]
    fn likenesses_are_those_of_pearson() {
        let code = |k: u32| -> Vec<f32> { (0..9_u32).map(|i| ((k * i * i) % 11) as f32).collect() };
        let (queries, stored) = ([code(3), vec![2.0; 9]], [code(2), code(5), code(3)]);
        let likeness = Likeness::of(&queries, &stored).unwrap();
        for (i, q) in queries.iter().enumerate() {
            for (j, s) in stored.iter().enumerate() {
                assert!((likeness.row(i)[j] - pearson(q, s)).abs() < 1e-6);
            }
        }
        assert!(Likeness::of(&queries, &[vec![1.0]]).is_err());
    }

    #[test]
    fn sequences_by_hand() {
        let likeness = Likeness::from_rows(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3).unwrap();
        let pairs = likeness.over_sequence(2);
        assert_eq!(pairs.row(0), [1.0, 2.0, 3.0]);
        assert_eq!(pairs.row(1), [4.0, 3.0, 4.0]);
        assert_eq!(likeness.over_sequence(1), likeness);
    }

    #[test]
    fn likenesses_of_half_a_row_are_refused() {
        assert!(Likeness::from_rows(vec![0.0; 5], 2).is_err());
        assert!(Likeness::from_rows(vec![f32::NAN; 4], 2).is_err());
        let both = Likeness::from_rows(vec![0.0, 1.0, 2.0, 3.0], 2).unwrap();
        assert_eq!((both.rows(), both.columns()), (2, 2));
        assert_eq!(both.row(1), [2.0, 3.0]);
    }
}
