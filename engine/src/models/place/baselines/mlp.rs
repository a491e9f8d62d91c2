//! Layers of neurons that learn by backpropagation, for the autoencoders.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::learning::optimizer::OptimizerConfig;
use crate::products::{Multiply, View, multiply};

/// Slope of a neuron below 0: that of the network.
const LEAK: f64 = 0.2;

/// A layer: `f(x W + b)`.
#[derive(Clone, Debug)]
struct Layer<R> {
    n_in: usize,
    n_out: usize,
    /// Leaky ReLU, or linear.
    leaky: bool,
    /// Weights `[n_in, n_out]` and biases `[n_out]`, with gradients and Adam's moments.
    parameters: [Parameters<R>; 2],
}

#[derive(Clone, Debug)]
struct Parameters<R> {
    values: Vec<R>,
    gradient: Vec<R>,
    mean: Vec<R>,
    square: Vec<R>,
}

impl<R: Multiply> Parameters<R> {
    fn new(values: Vec<R>) -> Self {
        let zeros = || vec![R::ZERO; values.len()];
        Parameters {
            gradient: zeros(),
            mean: zeros(),
            square: zeros(),
            values,
        }
    }
}

/// Layers one after the other; all but the last, or all, are leaky.
#[derive(Clone, Debug)]
pub(super) struct Mlp<R> {
    layers: Vec<Layer<R>>,
    /// Input of each layer and output of the last, `[batch, neurons]`.
    activity: Vec<Vec<R>>,
    batch: usize,
}

impl<R: Multiply> Mlp<R> {
    /// Layers of these sizes, the input first, with weights after He et al. 2015.
    pub fn new(sizes: &[usize], leaky_to_the_end: bool, rng: &mut ChaCha8Rng) -> Self {
        let layers = sizes.windows(2).enumerate().map(|(l, size)| {
            let (n_in, n_out) = (size[0], size[1]);
            let spread = (2.0 / n_in as f64).sqrt();
            let mut weight = || R::of(spread * rng.sample::<f64, _>(StandardNormal));
            Layer {
                n_in,
                n_out,
                leaky: leaky_to_the_end || l + 2 < sizes.len(),
                parameters: [
                    Parameters::new((0..n_in * n_out).map(|_| weight()).collect()),
                    Parameters::new(vec![R::ZERO; n_out]),
                ],
            }
        });
        Mlp {
            layers: layers.collect(),
            activity: vec![Vec::new(); sizes.len()],
            batch: 0,
        }
    }

    /// Output `[batch, n_out]` for an input `[batch, n_in]`.
    pub fn forward(&mut self, x: &[R], batch: usize) -> &[R] {
        self.batch = batch;
        self.activity[0].clear();
        self.activity[0].extend_from_slice(x);
        for (l, layer) in self.layers.iter().enumerate() {
            let (before, after) = self.activity.split_at_mut(l + 1);
            let out = &mut after[0];
            out.clear();
            for _ in 0..batch {
                out.extend_from_slice(&layer.parameters[1].values);
            }
            let x = View::new(&before[l], batch, layer.n_in);
            let w = View::new(&layer.parameters[0].values, layer.n_in, layer.n_out);
            multiply(R::ONE, x, w, R::ONE, out);
            if layer.leaky {
                for y in out {
                    *y = if *y > R::ZERO { *y } else { R::of(LEAK) * *y };
                }
            }
        }
        &self.activity[self.layers.len()]
    }

    /// Slope of the loss by the input, from that by the output of the last
    /// [`Mlp::forward`]; empty where it is not `wanted`. Remembers the gradients.
    pub fn backward(&mut self, mut slope: Vec<R>, wanted: bool) -> Vec<R> {
        for (l, layer) in self.layers.iter_mut().enumerate().rev() {
            if layer.leaky {
                for (slope, &y) in slope.iter_mut().zip(&self.activity[l + 1]) {
                    *slope = if y > R::ZERO {
                        *slope
                    } else {
                        R::of(LEAK) * *slope
                    };
                }
            }
            let x = View::new(&self.activity[l], self.batch, layer.n_in);
            let d = View::new(&slope, self.batch, layer.n_out);
            let [weights, biases] = &mut layer.parameters;
            multiply(R::ONE, x.transposed(), d, R::ZERO, &mut weights.gradient);
            biases.gradient.fill(R::ZERO);
            for row in slope.chunks_exact(layer.n_out) {
                for (sum, &s) in biases.gradient.iter_mut().zip(row) {
                    *sum += s;
                }
            }
            if l == 0 && !wanted {
                return Vec::new();
            }
            let mut below = vec![R::ZERO; self.batch * layer.n_in];
            let w = View::new(&weights.values, layer.n_in, layer.n_out);
            multiply(R::ONE, d, w.transposed(), R::ZERO, &mut below);
            slope = below;
        }
        slope
    }

    /// Step `t` (from 1) along the gradients.
    pub fn step(&mut self, optimizer: &OptimizerConfig, t: u64) {
        let rate = R::of(optimizer.rate(t));
        for p in self.layers.iter_mut().flat_map(|l| &mut l.parameters) {
            optimizer.step_row(rate, &mut p.values, &p.gradient, &mut p.mean, &mut p.square);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Half the sum of squares of the output.
    fn loss(mlp: &mut Mlp<f64>, x: &[f64]) -> f64 {
        mlp.forward(x, 2).iter().map(|y| 0.5 * y * y).sum()
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for leaky in [false, true] {
            let mut mlp = Mlp::<f64>::new(&[3, 4, 2], leaky, &mut rng);
            let x = [0.3, -0.7, 1.1, -0.2, 0.5, 0.9];
            let out = mlp.forward(&x, 2).to_vec();
            let by_input = mlp.backward(out, true);
            let step = 1e-6;
            for k in 0..x.len() {
                let (mut more, mut less) = (x, x);
                more[k] += step;
                less[k] -= step;
                let slope = (loss(&mut mlp, &more) - loss(&mut mlp, &less)) / (2.0 * step);
                assert!((slope - by_input[k]).abs() < 1e-7, "input {k}");
            }
            for l in 0..2 {
                for part in 0..2 {
                    for k in 0..mlp.layers[l].parameters[part].values.len() {
                        let gradient = mlp.layers[l].parameters[part].gradient[k];
                        let at = |by: f64| {
                            let mut moved = mlp.clone();
                            moved.layers[l].parameters[part].values[k] += by;
                            loss(&mut moved, &x)
                        };
                        let slope = (at(step) - at(-step)) / (2.0 * step);
                        assert!((slope - gradient).abs() < 1e-7, "{l} {part} {k}");
                    }
                }
            }
        }
    }
}
