//! Predictive coding with local, gated Hebbian learning (Dora, Bohte and Pennartz 2020,
//! bioRxiv 2020.02.07.937292; two modalities: Struckmeier et al. 2019, arXiv:1909.07201).
//!
//! A layer of causes `c` predicts what lies below it through its weights; what it misses
//! moves the causes, and what is missed still changes the weights:
//!
//! ```text
//! z = c W        p = f(z)       e = x - p       x: the causes below, or the input
//! c += 2 a [ (e f'(z)) W^T - e_above ]          e_above: by how much c is mispredicted
//! W += 2 b c^T (e f'(z))
//! ```
//!
//! f is a leaky ReLU of slope 0.2. In a batch every sample has causes of its own; the
//! change of the weights is the sum over the batch. Both rules descend the squared errors,
//! each with what its neurons have at hand.
//!
//! Weights lie row after row, a row for each unit below, which makes prediction and what
//! comes back one pass over the memory: a row is multiplied with the causes, gives its
//! error, and adds itself to what moves them while it is in the nearest cache. Parts of
//! rows of fixed size go to the threads, and are summed in order: the result does not
//! depend on their number.

use rand::{Rng, RngExt};
use rayon::prelude::*;

use crate::products::{Multiply, View, multiply};
use crate::real::Real;
use crate::simd::{Gathered, add_scaled, gather_learn_gather, predict_and_gather};

/// Slope of f below 0.
pub const SLOPE: f64 = 0.2;

/// Weights of a part, about: what the second cache holds. Part of the
/// definition of the result (it sets the order of additions), so no parameter.
const PART: usize = 320 << 10;

/// The leaky ReLU f and its derivative.
#[inline(always)]
pub fn leaky_relu<R: Real>(z: R) -> (R, R) {
    if z > R::ZERO {
        (z, R::ONE)
    } else {
        (R::of(SLOPE) * z, R::of(SLOPE))
    }
}

/// The weights by which a layer predicts the one below.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection<R> {
    below: usize,
    here: usize,
    /// `[below, here]`.
    weights: Vec<R>,
}

/// What a batch of causes misses below, and what moves the causes by it.
#[derive(Clone, Debug)]
pub struct Errors<R> {
    batch: usize,
    here: usize,
    parts: Vec<Part<R>>,
    /// `(e f'(z)) W^T`, `[batch, here]`.
    gradient: Vec<R>,
}

/// The same for some of the units below.
#[derive(Clone, Debug)]
struct Part<R> {
    /// The first of them, and how many.
    first: usize,
    count: usize,
    /// `[batch, count]`.
    error: Vec<R>,
    /// `e f'(z)`, `[batch, count]`.
    gated: Vec<R>,
    /// `[batch, here]`.
    gradient: Vec<R>,
}

impl<R: Multiply> Connection<R> {
    /// Weights of 0.
    pub fn zeros(below: usize, here: usize) -> Self {
        let weights = vec![R::ZERO; below * here];
        Self::from_weights(below, here, weights)
    }

    /// Draws weights evenly within ±√(6 / (below + here)), as published.
    pub fn drawn(below: usize, here: usize, rng: &mut impl Rng) -> Self {
        let mut connection = Self::zeros(below, here);
        let limit = (6.0 / (below + here) as f64).sqrt();
        for w in &mut connection.weights {
            *w = R::of(rng.random_range(-limit..=limit));
        }
        connection
    }

    /// From weights `[below, here]`. Panics where there are more or fewer.
    pub fn from_weights(below: usize, here: usize, weights: Vec<R>) -> Self {
        assert_eq!(weights.len(), below * here, "weights of a connection");
        Connection {
            below,
            here,
            weights,
        }
    }

    /// Units below and here.
    pub fn sizes(&self) -> (usize, usize) {
        (self.below, self.here)
    }

    /// `[below, here]`.
    pub fn weights(&self) -> &[R] {
        &self.weights
    }

    /// The same, for who takes some away.
    pub(crate) fn weights_mut(&mut self) -> &mut [R] {
        &mut self.weights
    }

    /// Units below in a part.
    fn part(&self) -> usize {
        (PART / self.here).clamp(1, self.below)
    }

    /// Working memory for a batch.
    pub fn working_memory(&self, batch: usize) -> Errors<R> {
        let part = |first| {
            let count = self.part().min(self.below - first);
            Part {
                first,
                count,
                error: vec![R::ZERO; batch * count],
                gated: vec![R::ZERO; batch * count],
                gradient: vec![R::ZERO; batch * self.here],
            }
        };
        Errors {
            batch,
            here: self.here,
            parts: (0..self.below).step_by(self.part()).map(part).collect(),
            gradient: vec![R::ZERO; batch * self.here],
        }
    }

    /// What `causes` `[batch, here]` miss of `target` `[batch, below]`.
    pub fn errors(&self, causes: &[R], target: &[R], errors: &mut Errors<R>) {
        let length = self.part() * self.here;
        let each = |(part, weights): (&mut Part<R>, &[R])| {
            part.errors(weights, causes, target, self.below);
        };
        let parts = &mut errors.parts;
        match parts.len() {
            1 => each((&mut parts[0], &self.weights)),
            _ => (parts.par_iter_mut())
                .zip(self.weights.par_chunks(length))
                .for_each(each),
        }
        errors.sum_gradients();
    }

    /// Changes the weights: `2 b` is `rate`.
    pub fn learn(&mut self, rate: R, causes: &[R], errors: &Errors<R>) {
        let (length, here, batch) = (self.part() * self.here, self.here, errors.batch);
        let each = |(part, weights): (&Part<R>, &mut [R])| {
            if batch == 1 {
                let rows = weights.chunks_mut(here).zip(&part.gated);
                return rows.for_each(|(row, &d)| add_scaled(row, rate * d, causes));
            }
            let causes = View::new(causes, batch, here);
            let gated = View::new(&part.gated, batch, part.count).transposed();
            multiply(rate, gated, causes, R::ONE, weights);
        };
        match errors.parts.len() {
            1 => each((&errors.parts[0], &mut self.weights)),
            _ => (errors.parts.par_iter())
                .zip(self.weights.par_chunks_mut(length))
                .for_each(each),
        }
    }

    /// [`errors`](Self::errors) and [`learn`](Self::learn) of one sample, then the errors of
    /// another with the changed weights: the same to the bit, in one pass over the memory.
    ///
    /// # Panics
    /// For batches of other than one.
    pub fn errors_around_learning(
        &mut self,
        rate: R,
        now: Presented<'_, R>,
        next: Presented<'_, R>,
    ) {
        assert!(
            now.errors.batch == 1 && next.errors.batch == 1,
            "batches of one"
        );
        let length = self.part() * self.here;
        let parts = now.errors.parts.par_iter_mut();
        parts
            .zip(&mut next.errors.parts)
            .zip(self.weights.par_chunks_mut(length))
            .for_each(|((part, other), weights)| {
                let part = part.gathered(now.causes, now.target);
                gather_learn_gather(
                    weights,
                    rate,
                    part,
                    other.gathered(next.causes, next.target),
                );
            });
        for errors in [now.errors, next.errors] {
            errors.sum_gradients();
        }
    }

    /// About the largest eigenvalue of `W W^T`: how steeply the error of causes bends at
    /// most. By a few power iterations, from causes that are all alike.
    pub fn largest_eigenvalue(&self) -> f64 {
        let weights = View::new(&self.weights, self.below, self.here);
        let mut causes = vec![R::ONE; self.here];
        let mut below = vec![R::ZERO; self.below];
        let mut length = 0.0;
        for _ in 0..8 {
            let view = View::new(&causes, self.here, 1);
            multiply(R::ONE, weights, view, R::ZERO, &mut below);
            let view = View::new(&below, self.below, 1);
            multiply(R::ONE, weights.transposed(), view, R::ZERO, &mut causes);
            let squares: f64 = causes.iter().map(|c| c.to_f64() * c.to_f64()).sum();
            length = squares.sqrt();
            causes
                .iter_mut()
                .for_each(|c| *c = R::of(c.to_f64() / length.max(1e-300)));
        }
        length
    }

    /// `f(c W)`, `[below]`, of the causes of one sample.
    pub fn predict(&self, causes: &[R], prediction: &mut [R]) {
        for (p, row) in prediction.iter_mut().zip(self.weights.chunks(self.here)) {
            let mut z = R::ZERO;
            for (&c, &w) in causes.iter().zip(row) {
                z += c * w;
            }
            *p = leaky_relu(z).0;
        }
    }
}

/// Causes of one sample, what they are to predict, and what they miss of it.
pub struct Presented<'a, R> {
    /// `[here]`.
    pub causes: &'a [R],
    /// `[below]`.
    pub target: &'a [R],
    /// Of a batch of one.
    pub errors: &'a mut Errors<R>,
}

impl<R: Multiply> Part<R> {
    /// Room for a batch of one.
    fn gathered<'a>(&'a mut self, causes: &'a [R], target: &'a [R]) -> Gathered<'a, R> {
        self.gradient.fill(R::ZERO);
        Gathered {
            causes,
            target: &target[self.first..self.first + self.count],
            error: &mut self.error,
            gated: &mut self.gated,
            gradient: &mut self.gradient,
        }
    }

    fn errors(&mut self, weights: &[R], causes: &[R], target: &[R], below: usize) {
        let (batch, count) = (self.error.len() / self.count, self.count);
        let here = causes.len() / batch;
        let range = self.first..self.first + count;
        if batch == 1 {
            let (error, gated) = (&mut self.error, &mut self.gated);
            self.gradient.fill(R::ZERO);
            predict_and_gather(
                weights,
                causes,
                &target[range],
                error,
                gated,
                &mut self.gradient,
            );
            return;
        }
        let weights = View::new(weights, count, here);
        let causes = View::new(causes, batch, here);
        multiply(
            R::ONE,
            causes,
            weights.transposed(),
            R::ZERO,
            &mut self.error,
        );
        let rows = self
            .error
            .chunks_mut(count)
            .zip(self.gated.chunks_mut(count));
        for ((error, gated), target) in rows.zip(target.chunks(below)) {
            for ((e, d), &x) in error.iter_mut().zip(gated).zip(&target[range.clone()]) {
                let (p, slope) = leaky_relu(*e);
                *e = x - p;
                *d = *e * slope;
            }
        }
        let gated = View::new(&self.gated, batch, count);
        multiply(R::ONE, gated, weights, R::ZERO, &mut self.gradient);
    }
}

impl<R: Multiply> Errors<R> {
    fn sum_gradients(&mut self) {
        self.gradient.fill(R::ZERO);
        for part in &self.parts {
            add_scaled(&mut self.gradient, R::ONE, &part.gradient);
        }
    }

    /// What moves the causes, `[batch, here]`.
    pub fn gradient(&self) -> &[R] {
        &self.gradient
    }

    /// The same, for who knows it without reading all weights.
    pub(crate) fn gradient_mut(&mut self) -> &mut [R] {
        &mut self.gradient
    }

    /// `e f'(z)` of a batch of one, unit after unit.
    pub(crate) fn gated(&self) -> impl Iterator<Item = R> {
        self.parts
            .iter()
            .flat_map(|part| part.gated.iter().copied())
    }

    /// `z` of a batch of one, from what it missed of `target`.
    pub(crate) fn copy_potentials(&self, target: &[R], z: &mut [R]) {
        let missed = self.parts.iter().flat_map(|part| &part.error);
        for ((z, &x), &e) in z.iter_mut().zip(target).zip(missed) {
            let p = x - e;
            *z = if p > R::ZERO { p } else { p / R::of(SLOPE) };
        }
    }

    /// Mean squared error of a sample.
    pub fn mean_squared(&self, sample: usize) -> f64 {
        let (mut sum, mut units) = (0.0, 0);
        for part in &self.parts {
            units += part.count;
            let error = &part.error[sample * part.count..][..part.count];
            sum += error.iter().map(|e| e.to_f64() * e.to_f64()).sum::<f64>();
        }
        sum / units as f64
    }

    /// Moves the causes of a sample by what it misses below.
    pub fn move_here(&self, sample: usize, rate: R, causes: &mut [R]) {
        let n = self.here;
        add_scaled(causes, rate, &self.gradient[sample * n..(sample + 1) * n]);
    }

    /// Moves the causes of a sample that are predicted here towards the prediction.
    pub fn move_below(&self, sample: usize, rate: R, causes: &mut [R]) {
        for part in &self.parts {
            let n = part.count;
            let error = &part.error[sample * n..(sample + 1) * n];
            add_scaled(&mut causes[part.first..part.first + n], -rate, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Two causes over three units, one of which is predicted below 0.
    #[test]
    fn the_equations_by_hand() {
        let weights = vec![1.0, 2.0, 0.5, -1.0, 0.0, 1.0];
        let mut connection = Connection::<f64>::from_weights(3, 2, weights);
        let mut errors = connection.working_memory(1);
        let causes = [0.5, 0.75];
        // z = 2, -0.5, 0.75; p = 2, -0.1, 0.75.
        connection.errors(&causes, &[3.0, 0.4, 0.25], &mut errors);
        let near = |a: &[f64], b: &[f64]| {
            let far = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-12;
            assert!(
                a.len() == b.len() && !a.iter().zip(b).any(far),
                "{a:?} {b:?}"
            );
        };
        near(&errors.parts[0].error, &[1.0, 0.5, -0.5]);
        near(&errors.parts[0].gated, &[1.0, 0.1, -0.5]);
        near(errors.gradient(), &[1.05, 1.4]);
        near(&[errors.mean_squared(0)], &[0.5]);
        let mut moved = causes;
        errors.move_here(0, 0.1, &mut moved);
        near(&moved, &[0.605, 0.89]);
        let mut below = [3.0, 0.4, 0.25];
        errors.move_below(0, 0.1, &mut below);
        near(&below, &[2.9, 0.35, 0.3]);
        connection.learn(0.1, &causes, &errors);
        near(
            connection.weights(),
            &[1.05, 2.075, 0.505, -0.9925, -0.025, 0.9625],
        );
        let mut prediction = [0.0; 3];
        connection.predict(&[-1.0, 0.0], &mut prediction);
        near(&prediction, &[-0.21, -0.101, 0.025]);
        let diagonal = Connection::<f64>::from_weights(2, 2, vec![3.0, 0.0, 0.0, 1.0]);
        assert!((diagonal.largest_eigenvalue() - 9.0).abs() < 1e-6);
    }

    /// A batch is its samples side by side, in parts and on however many threads.
    #[test]
    fn batches_parts_and_threads_agree() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (below, here, batch) = (2000, 600, 3);
        let connection = Connection::<f64>::drawn(below, here, &mut rng);
        assert!(connection.working_memory(1).parts.len() > 2);
        let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
        let (causes, target): (Vec<f64>, Vec<f64>) = (draw(batch * here), draw(batch * below));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let (mut learnt, mut errors) =
                    (connection.clone(), connection.working_memory(batch));
                learnt.errors(&causes, &target, &mut errors);
                learnt.learn(0.01, &causes, &errors);
                (errors.gradient, learnt.weights)
            })
        };
        let both = run(1);
        assert_eq!(both, run(3));
        for s in 0..batch {
            let mut alone = connection.working_memory(1);
            let causes = &causes[s * here..(s + 1) * here];
            connection.errors(causes, &target[s * below..(s + 1) * below], &mut alone);
            let pairs = alone.gradient.iter().zip(&both.0[s * here..]);
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-11, "{worst}");
        }
    }
}
