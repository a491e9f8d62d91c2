//! A large matrix as it is kept for queries: in 32 or 8 bits.

use serde::{Deserialize, Serialize};

use crate::simd::{MOST_I8, multiply_vector, multiply_vector_i8};

/// In how many bits the largest matrix is kept. A query reads it once, which takes much of
/// its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// `f32`, as learnt.
    F32,
    /// 8 bits, and a scale for each row; the input in 13 bits and its sign.
    #[default]
    I8,
}

/// A matrix `[rows, columns]`.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    F32(Vec<f32>),
    I8 {
        weights: Vec<i8>,
        /// What each row is multiplied by.
        scales: Vec<f32>,
        /// The input, rounded.
        input: Vec<i16>,
    },
}

impl Stored {
    /// Rounds a matrix of rows with `columns` values.
    pub fn new(values: &[f32], columns: usize, precision: Precision) -> Self {
        if precision == Precision::F32 {
            return Stored::F32(values.to_vec());
        }
        let (mut weights, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
        for row in values.chunks(columns) {
            let scale = greatest(row) / f32::from(i8::MAX);
            // In a row of zeros, 0 / 0 becomes 0 in the conversion.
            weights.extend(row.iter().map(|w| (w / scale).round() as i8));
            scales.push(scale);
        }
        Stored::I8 {
            weights,
            scales,
            input: vec![0; columns],
        }
    }

    /// `out` = this matrix times `x`.
    pub fn times(&mut self, x: &[f32], out: &mut [f32]) {
        match self {
            Stored::F32(weights) => multiply_vector(weights, x, out),
            Stored::I8 {
                weights,
                scales,
                input,
            } => {
                let scale = greatest(x) / f32::from(MOST_I8);
                for (rounded, &x) in input.iter_mut().zip(x) {
                    *rounded = (x / scale).round() as i16;
                }
                multiply_vector_i8(weights, input, out);
                for (y, s) in out.iter_mut().zip(scales) {
                    *y *= *s * scale;
                }
            }
        }
    }

    /// Bytes that a product reads.
    pub fn bytes(&self) -> usize {
        match self {
            Stored::F32(weights) => 4 * weights.len(),
            Stored::I8 { weights, .. } => weights.len(),
        }
    }
}

fn greatest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |m: f32, w| m.max(w.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A width that no vector divides, and a row of zeros.
    #[test]
    fn products_are_as_exact_as_their_bits() {
        let (rows, columns) = (7, 5003);
        let wave = |k: usize| (k as f32 * 0.7).sin() * (1.0 + (k % 5) as f32);
        let mut matrix: Vec<f32> = (0..rows * columns).map(wave).collect();
        matrix[..columns].fill(0.0);
        let x: Vec<f32> = (0..columns).map(|k| (k as f32 * 0.3).cos()).collect();
        let length: f64 = x.iter().map(|&x| f64::from(x.abs())).sum();
        let exact = |row: &[f32]| -> f64 {
            let products = row
                .iter()
                .zip(&x)
                .map(|(&w, &x)| f64::from(w) * f64::from(x));
            products.sum()
        };
        // Rounding is off by half a step at most, of weights and of the input.
        let bits = [
            (Precision::F32, 1e-6),
            (Precision::I8, 0.5 / 127.0 + 0.5 / f64::from(MOST_I8)),
        ];
        for (precision, step) in bits {
            let mut out = vec![f32::NAN; rows];
            Stored::new(&matrix, columns, precision).times(&x, &mut out);
            assert_eq!(out[0], 0.0);
            for (&y, row) in out.iter().zip(matrix.chunks(columns)) {
                let off = (f64::from(y) - exact(row)).abs();
                assert!(off <= 5.0 * length * step, "{precision:?} {off}");
            }
        }
    }

    /// The largest numbers that are allowed, in a sum that 32 bits would not hold.
    #[test]
    fn whole_numbers_do_not_overflow() {
        let mut out = [0.0_f32];
        multiply_vector_i8(&[127; 5000], &[MOST_I8; 5000], &mut out);
        assert_eq!(
            f64::from(out[0]),
            f64::from((127.0 * 8191.0 * 5000.0) as f32)
        );
    }
}
