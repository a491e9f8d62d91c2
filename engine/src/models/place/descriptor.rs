//! What turns a sample into a code, and how alike codes are.

use super::{Samples, Senses};
use crate::error::{Error, Result};

/// Turns what was sensed at a place into a code by which the place is known again.
pub trait Descriptor {
    /// What tables call it.
    fn name(&self) -> &str;

    /// The code of sample `i`, from these senses alone; as long for all samples and senses.
    ///
    /// # Errors
    /// The samples have other sizes than those that the descriptor was fitted to.
    fn describe(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Vec<f32>>;

    /// How alike two of its codes are, more for more alike. [`pearson`] unless a
    /// descriptor has a measure of its own.
    fn likeness(&self, a: &[f32], b: &[f32]) -> f32 {
        pearson(a, b)
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

/// How alike queries (a row each) and stored places (a column each) are.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    values: Vec<f32>,
    columns: usize,
}

impl Likeness {
    /// Of these codes, by the descriptor's own measure.
    pub fn of(descriptor: &dyn Descriptor, queries: &[Vec<f32>], stored: &[Vec<f32>]) -> Self {
        let values = queries
            .iter()
            .flat_map(|a| stored.iter().map(|b| descriptor.likeness(a, b)))
            .collect();
        Likeness {
            values,
            columns: stored.len(),
        }
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
    fn likenesses_of_half_a_row_are_refused() {
        assert!(Likeness::from_rows(vec![0.0; 5], 2).is_err());
        assert!(Likeness::from_rows(vec![f32::NAN; 4], 2).is_err());
        let both = Likeness::from_rows(vec![0.0, 1.0, 2.0, 3.0], 2).unwrap();
        assert_eq!((both.rows(), both.columns()), (2, 2));
        assert_eq!(both.row(1), [2.0, 3.0]);
    }
}
