//! Numbers of fixed point: state in s16.15, weights in 16 bits, factors in 32.

/// 1 in s16.15.
pub const ONE: i32 = 1 << 15;

/// The nearest number in s16.15; the ends of the range for what lies beyond.
pub fn from_f64(x: f64) -> i32 {
    (x * f64::from(ONE)).round() as i32
}

/// The value of a number in s16.15, which may be longer.
pub fn to_f64(x: i64) -> f64 {
    x as f64 / f64::from(ONE)
}

/// The nearest number in s16.15 to one with more digits before the point; counts where
/// the range ends.
pub fn saturate(x: i64, saturated: &mut u64) -> i32 {
    let kept = x.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    *saturated += u64::from(kept != x);
    kept as i32
}

/// `x 2^shift`, to the nearest, halves up. `shift` is -30 to 16, and `x` below 2^46.
pub fn scale(x: i64, shift: i32) -> i64 {
    if shift >= 0 {
        return x << shift;
    }
    (x + (1 << (-shift - 1))) >> -shift
}

/// A factor of at least 0: 32 bits times a power of two, right to 2^-31 of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    mantissa: i64,
    shift: i32,
}

impl Factor {
    /// The nearest factor to `x`, which lies in 0 to 2^30; below 2^-30 it has fewer digits.
    pub fn new(x: f64) -> Self {
        let exponent = if x > 0.0 { x.log2().floor() } else { 0.0 };
        let shift = (30.0 - exponent).clamp(0.0, 60.0) as i32;
        let mantissa = (x * f64::from(shift).exp2()).round() as i64;
        Self { mantissa, shift }
    }

    /// The product with a number in s16.15, to the nearest, halves up.
    pub fn times(self, x: i32) -> i64 {
        let product = self.mantissa * i64::from(x);
        if self.shift == 0 {
            return product;
        }
        (product + (1 << (self.shift - 1))) >> self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_hand() {
        assert_eq!((from_f64(0.6), from_f64(-1.0)), (19661, -32768));
        assert_eq!((from_f64(1e9), from_f64(-1e9)), (i32::MAX, i32::MIN));
        assert_eq!(to_f64(49152), 1.5);
        // Halves go up: 2.5 to 3, -2.5 to -2.
        assert_eq!((scale(5, -1), scale(-5, -1), scale(-3, 4)), (3, -2, -48));
        let mut saturated = 0;
        assert_eq!(saturate(1 << 31, &mut saturated), i32::MAX);
        assert_eq!(saturate(-(1 << 31), &mut saturated), i32::MIN);
        assert_eq!(saturated, 1);
    }

    #[test]
    fn factors_are_right_to_the_last_digit_that_counts() {
        for x in [
            0.0,
            1e-3,
            0.048_770_575,
            0.5,
            0.951_229_424_5,
            1.0,
            1.7,
            1e6,
        ] {
            let factor = Factor::new(x);
            for y in [0, 1, -1, 32768, -19661, 1 << 22, -(1 << 30)] {
                let exact = x * f64::from(y);
                let wrong = (factor.times(y) as f64 - exact).abs();
                assert!(
                    wrong <= 0.5 + exact.abs() * 2.0_f64.powi(-31),
                    "{x} {y} {wrong}"
                );
            }
        }
    }
}
