//! What a linear classifier makes of the inputs: the mark that a network has to pass.

use super::{Sequence, Target};

/// Passes over the training sequences.
const EPOCHS: usize = 200;
const RATE: f64 = 0.1;

/// Share of the held-out sequences that multinomial logistic regression gets right, from
/// the number of spikes of each input and their mean time, each brought to mean 0 and
/// variance 1. Fitted to `train` by Adam, all sequences at once. NaN without classes.
pub fn linear_accuracy(train: &[Sequence], held_out: &[Sequence], classes: usize) -> f64 {
    let n_in = inputs(train).max(inputs(held_out));
    let (mut x, y) = table(train, n_in);
    let (mut test, truth) = table(held_out, n_in);
    standardise(&mut x, &mut test);
    if classes == 0 || y.is_empty() || truth.is_empty() {
        return f64::NAN;
    }
    let width = 2 * n_in + 1;
    let weights = fit(&x, &y, classes, width);
    let right = test.iter().zip(&truth).filter(|(x, truth)| {
        let scores = scores(&weights, x, width);
        let best = (0..classes).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        best == Some(**truth)
    });
    right.count() as f64 / truth.len() as f64
}

fn inputs(sequences: &[Sequence]) -> usize {
    let ids = sequences.iter().flat_map(|s| s.inputs.iter().flatten());
    ids.max().map_or(0, |&id| id as usize + 1)
}

/// Features of each sequence, a 1 last, and its class.
fn table(sequences: &[Sequence], n_in: usize) -> (Vec<Vec<f64>>, Vec<usize>) {
    let classed = sequences
        .iter()
        .filter_map(|sequence| match sequence.target {
            Target::Class(class) => Some((features(sequence, n_in), class)),
            Target::Signal(_) => None,
        });
    classed.unzip()
}

fn features(sequence: &Sequence, n_in: usize) -> Vec<f64> {
    let mut row = vec![0.0; 2 * n_in + 1];
    for (s, ids) in sequence.inputs.iter().enumerate() {
        for &id in ids {
            row[2 * id as usize] += 1.0;
            row[2 * id as usize + 1] += s as f64;
        }
    }
    for pair in row.chunks_exact_mut(2) {
        pair[1] /= pair[0].max(1.0);
    }
    row[2 * n_in] = 1.0;
    row
}

/// Brings every feature but the last to mean 0 and variance 1 over `x`.
fn standardise(x: &mut [Vec<f64>], test: &mut [Vec<f64>]) {
    let width = x.first().map_or(1, Vec::len);
    let n = x.len().max(1) as f64;
    for f in 0..width - 1 {
        let mean = x.iter().map(|row| row[f]).sum::<f64>() / n;
        let square = x.iter().map(|row| (row[f] - mean) * (row[f] - mean));
        let deviation = (square.sum::<f64>() / n).sqrt().max(1e-9);
        for row in x.iter_mut().chain(test.iter_mut()) {
            row[f] = (row[f] - mean) / deviation;
        }
    }
}

fn scores(weights: &[f64], x: &[f64], width: usize) -> Vec<f64> {
    let rows = weights.chunks_exact(width);
    rows.map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum())
        .collect()
}

/// Weights `[classes, width]`.
fn fit(x: &[Vec<f64>], y: &[usize], classes: usize, width: usize) -> Vec<f64> {
    let mut w = vec![0.0; classes * width];
    let (mut m, mut v) = (w.clone(), w.clone());
    let mut g = w.clone();
    for epoch in 1..=EPOCHS {
        g.fill(0.0);
        for (x, &class) in x.iter().zip(y) {
            let mut p = vec![0.0; classes];
            crate::learning::loss::cross_entropy(&scores(&w, x, width), class, &mut p);
            for (row, &e) in g.chunks_exact_mut(width).zip(&p) {
                for (g, &x) in row.iter_mut().zip(x) {
                    *g += e * x / y.len() as f64;
                }
            }
        }
        let config = crate::learning::optimizer::OptimizerConfig::adam(RATE);
        config.step_row(config.rate(epoch as u64), &mut w, &g, &mut m, &mut v);
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(first: usize, second: usize, class: usize) -> Sequence {
        let mut inputs = vec![vec![]; 10];
        inputs[first].push(0);
        inputs[second].push(1);
        Sequence {
            inputs,
            target: Target::Class(class),
        }
    }

    /// Which of two spikes comes first is linear in their times, whether they are near
    /// one another is not.
    #[test]
    fn order_is_linear_and_distance_is_not() {
        let pairs = || (0..100).map(|k| (k / 10, k % 10)).filter(|(a, b)| a != b);
        let order = pairs().map(|(a, b)| sequence(a, b, usize::from(a < b)));
        let order: Vec<Sequence> = order.collect();
        assert!(linear_accuracy(&order, &order, 2) > 0.98);
        let far = pairs().map(|(a, b)| sequence(a, b, usize::from(a.abs_diff(b) > 3)));
        let far: Vec<Sequence> = far.collect();
        let most = far.iter().filter(|s| matches!(s.target, Target::Class(1)));
        let most = most.count() as f64 / far.len() as f64;
        let accuracy = linear_accuracy(&far, &far, 2);
        assert!(accuracy < most.max(1.0 - most) + 0.1, "{accuracy} {most}");
    }
}
