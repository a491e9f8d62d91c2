//! Products of matrices, by the crate `matrixmultiply`, behind a call that checks shapes.
//!
//! One thread: whoever wants more deals out parts of fixed size, so that a result does
//! not depend on the number of threads.

use crate::real::Real;

/// A matrix in a slice: rows, columns, and how far apart two of each are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a, R> {
    values: &'a [R],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, R> View<'a, R> {
    /// A matrix `[rows, columns]`, row after row.
    pub fn new(values: &'a [R], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "shape of a matrix");
        View {
            values,
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
        }
    }

    /// The same, mirrored at its diagonal.
    pub fn transposed(self) -> Self {
        View {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// A number of which matrices can be multiplied.
pub trait Multiply: Real {
    /// `matrixmultiply` of this type.
    #[doc(hidden)]
    const GEMM: Gemm<Self>;
}

/// The function that both types have.
#[doc(hidden)]
pub type Gemm<R> = unsafe fn(
    usize,
    usize,
    usize,
    R,
    *const R,
    isize,
    isize,
    *const R,
    isize,
    isize,
    R,
    *mut R,
    isize,
    isize,
);

impl Multiply for f32 {
    const GEMM: Gemm<f32> = matrixmultiply::sgemm;
}

impl Multiply for f64 {
    const GEMM: Gemm<f64> = matrixmultiply::dgemm;
}

/// `out = keep * out + factor * a b`; `out` is `[a.rows, b.columns]`, row after row. With
/// `keep` 0 it is not read.
///
/// Panics where the shapes do not fit.
pub(crate) fn multiply<R: Multiply>(
    factor: R,
    a: View<'_, R>,
    b: View<'_, R>,
    keep: R,
    out: &mut [R],
) {
    assert_eq!(a.columns, b.rows, "shapes of a product");
    assert_eq!(out.len(), a.rows * b.columns, "shape of a product");
    let stride = |n: usize| n as isize;
    // SAFETY: a view holds exactly rows x columns values with these strides (its only
    // constructor checks it, mirroring swaps both), and `out`, which nobody else can
    // see, has just been held against the shape of the product.
    unsafe {
        R::GEMM(
            a.rows,
            a.columns,
            b.columns,
            factor,
            a.values.as_ptr(),
            stride(a.row_stride),
            stride(a.column_stride),
            b.values.as_ptr(),
            stride(b.row_stride),
            stride(b.column_stride),
            keep,
            out.as_mut_ptr(),
            stride(b.columns),
            1,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_by_hand() {
        let (a, b) = (
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            [1.0, 0.0, -1.0, 2.0, 0.5, 1.0],
        );
        let (two, three) = (View::new(&a, 2, 3), View::new(&b, 3, 2));
        let mut out = [f64::NAN; 4];
        multiply(1.0, two, three, 0.0, &mut out);
        assert_eq!(out, [0.5, 7.0, 2.0, 16.0]);
        multiply(2.0, two, three, 1.0, &mut out);
        assert_eq!(out, [1.5, 21.0, 6.0, 48.0]);
        let mut out = [0.0; 9];
        multiply(1.0, two.transposed(), three.transposed(), 0.0, &mut out);
        assert_eq!(out, [1.0, 7.0, 4.5, 2.0, 8.0, 6.0, 3.0, 9.0, 7.5]);
    }

    #[test]
    #[should_panic(expected = "shapes of a product")]
    fn shapes_that_do_not_fit_are_a_mistake_of_ours() {
        let a = [0.0_f32; 6];
        multiply(
            1.0,
            View::new(&a, 2, 3),
            View::new(&a, 2, 3),
            0.0,
            &mut [0.0; 6],
        );
    }
}
