//! Run-time choice of vector width.
//!
//! The hot loops are plain Rust over slices, compiled twice: once for the
//! baseline of the target and once for AVX2. Fused multiply-add is left out on
//! purpose: every operation then rounds the same in both versions, so that a
//! result does not depend on which one the machine chose.

use crate::learning::predictive_coding::leaky_relu;
use crate::real::Real;
use std::ops::Range;

/// Defines a function over [`Real`] slices that runs its AVX2 version where the CPU has it.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<R: Real>($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name<R: Real>($($arg: $ty),*) {
            #[inline(always)]
            fn portable<R: Real>($($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2<R: Real>($($arg: $ty),*) {
                    portable($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: `avx2` is safe code whose only requirement is the
                    // CPU feature that the line above has just detected.
                    return unsafe { avx2($($arg),*) };
                }
            }
            portable($($arg),*)
        }
    };
}
pub(crate) use vectorised;

/// The row `row` of a row-major matrix with `n` columns.
#[inline(always)]
fn row_of<R>(matrix: &[R], row: u32, n: usize) -> &[R] {
    let start = row as usize * n;
    &matrix[start..start + n]
}

vectorised! {
    /// Adds the rows named by `rows` of a row-major matrix `[?, acc.len()]` to `acc`.
    ///
    /// Four rows at a time: the accumulator is read and written once for them.
    /// Panics on a row that the matrix does not have.
    pub(crate) fn add_rows<R: Real>(acc: &mut [R], matrix: &[R], rows: &[u32]) {
        let n = acc.len();
        let (fours, rest) = rows.as_chunks::<4>();
        for four in fours {
            let r = four.map(|i| row_of(matrix, i, n));
            for j in 0..n {
                acc[j] += (r[0][j] + r[1][j]) + (r[2][j] + r[3][j]);
            }
        }
        for &i in rest {
            for (a, &w) in acc.iter_mut().zip(row_of(matrix, i, n)) {
                *a += w;
            }
        }
    }
}

vectorised! {
    /// Adds `addend` to the rows named by `rows` of a row-major matrix `[?, addend.len()]`.
    pub(crate) fn add_to_rows<R: Real>(matrix: &mut [R], rows: &[u32], addend: &[R]) {
        let n = addend.len();
        for &i in rows {
            let start = i as usize * n;
            for (g, &c) in matrix[start..start + n].iter_mut().zip(addend) {
                *g += c;
            }
        }
    }
}

vectorised! {
    /// `acc += factor * x`, element by element.
    pub(crate) fn add_scaled<R: Real>(acc: &mut [R], factor: R, x: &[R]) {
        for (a, &x) in acc.iter_mut().zip(x) {
            *a += factor * x;
        }
    }
}

vectorised! {
    /// `acc = keep * acc + (1 - keep) * x`, element by element.
    pub(crate) fn blend<R: Real>(acc: &mut [R], keep: R, x: &[R]) {
        let take = R::ONE - keep;
        for (a, &x) in acc.iter_mut().zip(x) {
            *a = keep * *a + take * x;
        }
    }
}

vectorised! {
    /// Sets what is nearer to 0 than `least` to 0.
    pub(crate) fn drop_below<R: Real>(x: &mut [R], least: R) {
        for x in x {
            *x = x.unless_below(least);
        }
    }
}

/// Lanes of a sum of products: four vectors of the widest numbers.
const LANES: usize = 32;

/// Sums lanes by halves. Not inlined: the compiler else lays out the loop that fills them
/// for this one, which is short, and fills them three times as slowly.
#[inline(never)]
fn sum_of_lanes<R: Real>(lanes: &[R; LANES]) -> R {
    let mut sums = *lanes;
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            let other = sums[l + half];
            sums[l] += other;
        }
        half /= 2;
    }
    sums[0]
}

/// The sum of products of two rows of the same length.
#[inline(always)]
fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [R::ZERO; LANES];
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            lanes[l] += a[l] * b[l];
        }
    }
    let mut sum = sum_of_lanes(&lanes);
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        sum += a * b;
    }
    sum
}

vectorised! {
    /// `out = weights x`, `weights` `[out.len(), x.len()]`.
    pub(crate) fn multiply_vector<R: Real>(weights: &[R], x: &[R], out: &mut [R]) {
        for (out, row) in out.iter_mut().zip(weights.chunks_exact(x.len())) {
            *out = dot(row, x);
        }
    }
}

/// Largest magnitude of what [`multiply_vector_i8`] takes: as many products of it with 127
/// as are summed in 32 bits stay within them.
pub(crate) const MOST_I8: i16 = 8191;

vectorised! {
    /// The same in whole numbers, `x` within ±[`MOST_I8`]: exact, for sums of less than
    /// 2^53.
    pub(crate) fn multiply_vector_i8<R: Real>(weights: &[i8], x: &[i16], out: &mut [R]) {
        const SUMMED: usize = 2048;
        for (out, row) in out.iter_mut().zip(weights.chunks_exact(x.len())) {
            let mut sum = 0_i64;
            for (row, x) in row.chunks(SUMMED).zip(x.chunks(SUMMED)) {
                let mut part = 0_i32;
                for (&w, &x) in row.iter().zip(x) {
                    part = part.wrapping_add(i32::from(w) * i32::from(x));
                }
                sum += i64::from(part);
            }
            *out = R::of(sum as f64);
        }
    }
}

vectorised! {
    /// What the rows of `weights` `[target.len(), causes.len()]` miss of `target`, and
    /// the sum of the rows, each times its gated error, which is added to `gradient`:
    /// a batch of one of [`crate::learning::predictive_coding`]. Each row is read from
    /// memory once.
    pub(crate) fn predict_and_gather<R: Real>(
        weights: &[R],
        causes: &[R],
        target: &[R],
        error: &mut [R],
        gated: &mut [R],
        gradient: &mut [R],
    ) {
        let (n, units) = (causes.len(), target.len());
        let gradient = &mut gradient[..n];
        for first in (0..units).step_by(4) {
            // Where fewer than four are left, the last is taken again, for nothing.
            let unit = [0, 1, 2, 3].map(|k| (first + k).min(units - 1));
            let rows = unit.map(|i| &weights[i * n..(i + 1) * n]);
            let mut d = [R::ZERO; 4];
            for k in 0..4.min(units - first) {
                let (p, slope) = leaky_relu(dot(rows[k], causes));
                error[first + k] = target[first + k] - p;
                d[k] = error[first + k] * slope;
                gated[first + k] = d[k];
            }
            let [r, s, t, u] = rows;
            for j in 0..n {
                gradient[j] += (d[0] * r[j] + d[1] * s[j]) + (d[2] * t[j] + d[3] * u[j]);
            }
        }
    }
}

/// One sample of [`predict_and_gather`] and where what it gives goes.
pub(crate) struct Gathered<'a, R> {
    pub causes: &'a [R],
    pub target: &'a [R],
    pub error: &'a mut [R],
    pub gated: &'a mut [R],
    pub gradient: &'a mut [R],
}

/// Rows of weights that stay in the nearest cache from one use to the next, with causes
/// and gradients of two samples.
const ROWS_AT_ONCE: usize = 4;

/// [`predict_and_gather`] of one sample, then `weights += rate gated causes`, then the
/// same of the next sample with the changed weights: to the bit what the three give one
/// after the other, but each row is read from memory, and written, once.
pub(crate) fn gather_learn_gather<R: Real>(
    weights: &mut [R],
    rate: R,
    mut now: Gathered<'_, R>,
    mut next: Gathered<'_, R>,
) {
    let n = now.causes.len();
    for (i, rows) in weights.chunks_mut(ROWS_AT_ONCE * n).enumerate() {
        let units = i * ROWS_AT_ONCE..i * ROWS_AT_ONCE + rows.len() / n;
        now.gather(rows, units.clone());
        for (row, &d) in rows.chunks_mut(n).zip(&now.gated[units.clone()]) {
            add_scaled(row, rate * d, now.causes);
        }
        next.gather(rows, units);
    }
}

impl<R: Real> Gathered<'_, R> {
    /// Takes in the rows of some units.
    fn gather(&mut self, rows: &[R], units: Range<usize>) {
        predict_and_gather(
            rows,
            self.causes,
            &self.target[units.clone()],
            &mut self.error[units.clone()],
            &mut self.gated[units],
            self.gradient,
        );
    }
}

vectorised! {
    /// Adds to `gradient` the rows of `weights` named by `units`, each times how much more
    /// its gated error has changed than by what `z` has: the causes have `moved` since the
    /// rows' products with them were `z`.
    pub(crate) fn gather_unsettled<R: Real>(
        weights: &[R],
        units: &[u32],
        moved: &[R],
        z: &[R],
        target: &[R],
        gradient: &mut [R],
    ) {
        let n = moved.len();
        let gradient = &mut gradient[..n];
        for &unit in units {
            let row = row_of(weights, unit, n);
            let (x, before) = (target[unit as usize], z[unit as usize]);
            let by = dot(row, moved);
            let ((p, slope), (q, now)) = (leaky_relu(before), leaky_relu(before + by));
            let change = by + ((x - q) * now - (x - p) * slope);
            for (g, &w) in gradient.iter_mut().zip(row) {
                *g += change * w;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against plain scalar loops, for a width that no vector divides.
    #[test]
    fn both_versions_equal_the_scalar_loops() {
        let n = 37;
        let matrix: Vec<f32> = (0..9 * n)
            .map(|k| ((k * 7919) % 101) as f32 * 0.125)
            .collect();
        let rows = [0_u32, 8, 3, 3, 5, 1];
        let mut acc = vec![0.5_f32; n];
        add_rows(&mut acc, &matrix, &rows);
        for (j, a) in acc.iter().enumerate() {
            // Multiples of 1/8 below 2^20 add without rounding in any order.
            let want: f32 = rows.iter().map(|&i| matrix[i as usize * n + j]).sum();
            assert_eq!(*a, want + 0.5);
        }

        let mut grown = matrix.clone();
        add_to_rows(&mut grown, &rows, &acc);
        for i in 0..9_u32 {
            let times = rows.iter().filter(|&&r| r == i).count() as f32;
            for (j, a) in acc.iter().enumerate() {
                let k = i as usize * n + j;
                assert_eq!(grown[k], matrix[k] + times * a);
            }
        }

        let mut scaled = acc.clone();
        add_scaled(&mut scaled, 0.3, &matrix);
        let mut mixed = acc.clone();
        blend(&mut mixed, 0.9, &matrix);
        for j in 0..n {
            assert_eq!(scaled[j], acc[j] + 0.3 * matrix[j]);
            assert_eq!(mixed[j], 0.9 * acc[j] + (1.0 - 0.9) * matrix[j]);
        }
    }
}
