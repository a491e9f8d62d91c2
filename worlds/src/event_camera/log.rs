//! A logarithm and an exponential that vectorise.

/// Natural logarithm of a positive, finite, normal number, with an absolute error
/// below 1e-6 over the luminances a camera sees. Without branches or calls, so that
/// loops over pixels vectorise.
///
/// x = m 2^e with m in [√½, √2), ln m = 2 artanh((m-1)/(m+1)) by its series.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3F35_04F3;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let exponent = (shifted as i32) >> 23;
    let mantissa = f32::from_bits((shifted & 0x007F_FFFF) + SQRT_HALF_BITS);
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    let series = 2.0 + s2 * (2.0 / 3.0 + s2 * (2.0 / 5.0 + s2 * (2.0 / 7.0 + s2 * (2.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + s * series
}

/// exp(-x) for x of at least 0, with a relative error below 1e-6 (1 + x) (0 from 87 on).
/// Without branches or calls, as [`ln`].
///
/// 2^(i + f) with f in [-½, ½], 2^f by its Taylor series.
#[inline(always)]
pub(super) fn exp_minus(x: f32) -> f32 {
    /// Adding it leaves the nearest integer in a float's low bits.
    const ROUND: f32 = 12_582_912.0;
    let capped = if x < 87.0 { x } else { 87.0 };
    let power = -capped * std::f32::consts::LOG2_E;
    let shifted = power + ROUND;
    let whole = shifted - ROUND;
    let f = (power - whole) * std::f32::consts::LN_2;
    let series = 1.0
        + f * (1.0
            + f * (0.5
                + f * (1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f * (1.0 / 720.0))))));
    // The integer goes into the exponent's bits.
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let value = f32::from_bits(series.to_bits().wrapping_add(exponent << 23));
    if x < 87.0 { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_exponential_agrees_with_the_library() {
        assert_eq!(super::exp_minus(0.0), 1.0);
        assert_eq!(super::exp_minus(100.0), 0.0);
        let mut x = 1e-6f32;
        while x < 86.9 {
            let (got, expected) = (super::exp_minus(x), (-f64::from(x)).exp());
            // The rounding of x log2(e) grows with x.
            let tolerance = 1e-6 * (1.0 + f64::from(x));
            let error = (f64::from(got) / expected - 1.0).abs();
            assert!(error < tolerance, "exp(-{x}): {got} {expected}");
            x *= 1.000_37;
        }
    }

    #[test]
    fn agrees_with_the_library() {
        let mut x = 1e-6f32;
        while x < 1e6 {
            let (got, expected) = (super::ln(x), f64::from(x).ln());
            assert!(
                (f64::from(got) - expected).abs() < 2e-6,
                "ln {x}: {got} {expected}"
            );
            x *= 1.000_37;
        }
    }
}
