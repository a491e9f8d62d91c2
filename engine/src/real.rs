//! The scalar the engine computes with: `f32` on a robot, `f64` against reference implementations.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// A floating-point number, `f32` or `f64`.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// A trace below this is as good as 0, and better: its products would be subnormal
    /// numbers, which take a CPU a hundred times as long.
    const TINY: Self;
    /// Nearest representable number.
    fn of(value: f64) -> Self;
    /// The same number as `f64`.
    fn to_f64(self) -> f64;
    /// e to the power of this number.
    fn exp(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The number where it is positive, 0 elsewhere (NaN gives 0).
    #[inline(always)]
    fn positive(self) -> Self {
        if self > Self::ZERO { self } else { Self::ZERO }
    }
    /// 0 where the number is nearer to it than `least`.
    #[inline(always)]
    fn unless_below(self, least: Self) -> Self {
        if self.abs() < least { Self::ZERO } else { self }
    }
}

macro_rules! real {
    ($type:ty, $tiny:expr) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const TINY: Self = $tiny;
            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                <$type>::exp(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$type>::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$type>::abs(self)
            }
        }
    };
}

real!(f32, 1e-17);
real!(f64, 1e-140);
