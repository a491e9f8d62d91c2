//! A logarithm that vectorises.

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

#[cfg(test)]
mod tests {
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
