//! Losses of the readout and their errors.

use crate::real::Real;

/// Softmax of `y` times `inverse_temperature`, into `out` of the same length.
pub fn softmax<R: Real>(y: &[R], inverse_temperature: R, out: &mut [R]) {
    let mut largest = R::ZERO;
    for (k, &y) in y.iter().enumerate() {
        if k == 0 || y * inverse_temperature > largest {
            largest = y * inverse_temperature;
        }
    }
    let mut sum = R::ZERO;
    for (o, &y) in out.iter_mut().zip(y) {
        *o = (y * inverse_temperature - largest).exp();
        sum += *o;
    }
    for o in out {
        *o = *o / sum;
    }
}

/// Cross entropy of the softmax of `y` against class `target`: writes the error
/// `softmax(y) - onehot(target)` to `error` and returns the loss in nats.
pub fn cross_entropy<R: Real>(y: &[R], target: usize, error: &mut [R]) -> f64 {
    softmax(y, R::ONE, error);
    let Some(p) = error.get_mut(target) else {
        return f64::NAN;
    };
    let loss = -p.to_f64().max(f64::MIN_POSITIVE).ln();
    *p -= R::ONE;
    loss
}

/// Squared error of `y` against `target`: writes `y - target` to `error` and
/// returns `0.5 mean_k error_k^2`.
pub fn squared_error<R: Real>(y: &[R], target: &[R], error: &mut [R]) -> f64 {
    let mut sum = 0.0;
    for ((e, &y), &t) in error.iter_mut().zip(y).zip(target) {
        *e = y - t;
        sum += e.to_f64() * e.to_f64();
    }
    0.5 * sum / y.len() as f64
}

/// The first of the largest: the class that is decided for.
pub fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (k, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = k;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_of_large_and_small_numbers() {
        let mut p = [0.0_f64; 3];
        softmax(&[1000.0, 1000.0 - 2.0_f64.ln(), -1e9], 1.0, &mut p);
        assert!((p[0] - 2.0 / 3.0).abs() < 1e-12 && (p[1] - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(p[2], 0.0);
    }

    #[test]
    fn cross_entropy_error_sums_to_zero() {
        let mut e = [0.0_f64; 4];
        let loss = cross_entropy(&[0.0; 4], 2, &mut e);
        assert!((loss - 4.0_f64.ln()).abs() < 1e-15);
        assert_eq!(e, [0.25, 0.25, -0.75, 0.25]);
    }

    #[test]
    fn squared_error_by_hand() {
        let mut e = [0.0_f64; 2];
        assert_eq!(squared_error(&[1.0, 2.0], &[0.0, 4.0], &mut e), 1.25);
        assert_eq!(e, [1.0, -2.0]);
    }
}
