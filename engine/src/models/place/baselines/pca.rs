//! Principal components of both senses.

use nalgebra::{DMatrix, SymmetricEigen};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::standard::{Spread, Standard};
use crate::error::{Error, Result, check, check_count};
use crate::models::place::{Descriptor, Samples, Senses};
use crate::products::{View, multiply};

/// Directions that are followed beside those wanted, so that the last ones come out right.
const SPARE: usize = 20;

/// Rounds of subspace iteration.
const ROUNDS: usize = 12;

/// Which components, and how they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PcaConfig {
    /// Components: length of a code.
    pub components: usize,
    /// Touch's share in the variance that is analysed.
    pub touch: f64,
    /// A component is divided by its standard deviation to this power: 0 leaves it as it
    /// is, 1 makes all count alike.
    pub whitening: f64,
}

impl Default for PcaConfig {
    fn default() -> Self {
        PcaConfig {
            components: 100,
            touch: 0.5,
            whitening: 0.5,
        }
    }
}

/// Probabilistic principal components (Tipping & Bishop 1999): `x = W z + noise`, and the
/// code is the most probable `z` given the senses that are there,
///
/// ```text
/// z = (W_m^T W_m + s² P^-1)^-1 W_m^T x_m,   P = diag(variance - s²),   s² the rest's variance
/// ```
///
/// Components are found by subspace iteration on the samples' products (Halko, Martinsson
/// & Tropp 2011), for there are fewer samples than values.
#[derive(Clone, Debug)]
pub struct Pca {
    standard: Standard,
    /// `[components, values]` for both, vision, touch.
    projections: [Vec<f32>; 3],
    components: usize,
    /// Unit vectors, `[components, values]`, for pictures.
    directions: Vec<f32>,
    /// What a component was divided by.
    whitened: Vec<f32>,
}

/// Eigenvectors (columns) and eigenvalues of a symmetric matrix, the largest first.
fn leading(matrix: &DMatrix<f64>, wanted: usize) -> (DMatrix<f64>, Vec<f64>) {
    let n = matrix.nrows();
    let columns = (wanted + SPARE).min(n);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut basis = DMatrix::from_fn(n, columns, |_, _| rng.sample(StandardNormal));
    for _ in 0..ROUNDS {
        basis = (matrix * basis).qr().q();
    }
    let inside = SymmetricEigen::new(basis.transpose() * matrix * &basis);
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by(|&a, &b| inside.eigenvalues[b].total_cmp(&inside.eigenvalues[a]));
    order.truncate(wanted);
    let vectors = basis * inside.eigenvectors.select_columns(&order);
    let values = order.iter().map(|&k| inside.eigenvalues[k].max(0.0));
    (vectors, values.collect())
}

impl Pca {
    /// Fits components.
    ///
    /// # Errors
    /// A parameter out of range, or not more samples than components.
    pub fn fit(samples: &Samples, config: PcaConfig) -> Result<Self> {
        check("baseline.whitening", config.whitening, 0.0, 1.0)?;
        check_count("baseline.components", config.components, 1, 10_000)?;
        let standard = Standard::fit(samples, Spread::OfSense)?.weighed(config.touch)?;
        let (n, d, k) = (samples.len(), standard.len(), config.components);
        if n <= k || d <= k {
            return Err(Error::NoSamples(format!(
                "{n} samples of {d} values are too few for {k} principal components, more than {k} of both are needed"
            )));
        }
        let rows = standard.rows(samples)?;
        let mut products = vec![0.0; n * n];
        let x = View::new(&rows, n, d);
        multiply(1.0 / n as f32, x, x.transposed(), 0.0, &mut products);
        let products = DMatrix::from_iterator(n, n, products.into_iter().map(f64::from));
        let (vectors, variances) = leading(&products, k);

        // W^T = (U / sqrt(n lambda))^T X; a direction without variance is none.
        let least = 1e-9 * variances[0].max(f64::MIN_POSITIVE);
        let scaled = DMatrix::from_fn(k, n, |c, i| match variances[c] > least {
            true => (vectors[(i, c)] / (n as f64 * variances[c]).sqrt()) as f32,
            false => 0.0,
        });
        let mut directions = vec![0.0; k * d];
        let scaled: Vec<f32> = scaled.transpose().as_slice().to_vec();
        multiply(1.0, View::new(&scaled, k, n), x, 0.0, &mut directions);

        let rest = (products.trace() - variances.iter().sum::<f64>()) / (d - k) as f64;
        let noise = rest.max(least);
        let prior: Vec<f64> = variances.iter().map(|v| (v - noise).max(least)).collect();
        let power = 0.5 * config.whitening;
        let whitened = prior.iter().map(|p| p.powf(power) as f32).collect();
        let mut pca = Pca {
            projections: [const { Vec::new() }; 3],
            components: k,
            directions,
            whitened,
            standard,
        };
        for (at, senses) in [Senses::Both, Senses::Vision, Senses::Touch]
            .into_iter()
            .enumerate()
        {
            pca.projections[at] = pca.projection(senses, noise, &prior)?;
        }
        Ok(pca)
    }

    /// What turns a row of these senses into a code.
    fn projection(&self, senses: Senses, noise: f64, prior: &[f64]) -> Result<Vec<f32>> {
        let (k, d, visual) = (self.components, self.standard.len(), self.standard.visual());
        let there = match senses {
            Senses::Both => 0..d,
            Senses::Vision => 0..visual,
            Senses::Touch => visual..d,
        };
        let mut known = vec![0.0; k * d];
        for (known, all) in known
            .chunks_exact_mut(d)
            .zip(self.directions.chunks_exact(d))
        {
            known[there.clone()].copy_from_slice(&all[there.clone()]);
        }
        let mut overlap = vec![0.0; k * k];
        let w = View::new(&known, k, d);
        multiply(1.0, w, w.transposed(), 0.0, &mut overlap);
        let mut posterior = DMatrix::from_iterator(k, k, overlap.into_iter().map(f64::from));
        for (c, prior) in prior.iter().enumerate() {
            posterior[(c, c)] += noise / prior;
        }
        let Some(solved) = posterior.cholesky() else {
            let what = "the principal components of these samples are not independent";
            return Err(Error::NoSamples(what.to_owned()));
        };
        let inverse = solved.inverse();
        // Symmetric, so that the order of storage does not matter.
        let whitened = |r: usize| f64::from(self.whitened[r].max(f32::MIN_POSITIVE));
        let inverse: Vec<f32> = (0..k * k)
            .map(|at| (inverse[(at / k, at % k)] / whitened(at / k)) as f32)
            .collect();
        let mut projection = vec![0.0; k * d];
        multiply(1.0, View::new(&inverse, k, k), w, 0.0, &mut projection);
        Ok(projection)
    }

    /// What the code says was seen, in the samples' own units.
    fn reconstruct_visual(&self, code: &[f32]) -> Vec<f32> {
        let z: Vec<f32> = code
            .iter()
            .zip(&self.whitened)
            .map(|(z, w)| z * w)
            .collect();
        let mut row = vec![0.0; self.standard.len()];
        let directions = View::new(&self.directions, self.components, row.len());
        multiply(
            1.0,
            View::new(&z, 1, self.components),
            directions,
            0.0,
            &mut row,
        );
        self.standard.undo_visual(&row)
    }
}

impl Descriptor for Pca {
    fn name(&self) -> &str {
        "PCA"
    }

    fn describe(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Vec<f32>> {
        let (k, d) = (self.components, self.standard.len());
        let mut row = vec![0.0; d];
        self.standard.row(samples, i, senses, &mut row)?;
        let projection = &self.projections[match senses {
            Senses::Both => 0,
            Senses::Vision => 1,
            Senses::Touch => 2,
        }];
        let mut code = vec![0.0; k];
        multiply(
            1.0,
            View::new(projection, k, d),
            View::new(&row, d, 1),
            0.0,
            &mut code,
        );
        Ok(code)
    }

    fn imagine(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Option<Vec<f32>>> {
        let code = self.describe(samples, i, senses)?;
        Ok(Some(self.reconstruct_visual(&code)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::place::{Pose, pearson};

    #[test]
    fn leading_eigenvectors_of_a_matrix_by_hand() {
        // Eigenvalues 3 (1, 1) and 1 (1, -1).
        let matrix = DMatrix::from_row_slice(2, 2, &[2.0, 1.0, 1.0, 2.0]);
        let (vectors, values) = leading(&matrix, 2);
        assert!((values[0] - 3.0).abs() < 1e-12 && (values[1] - 1.0).abs() < 1e-12);
        assert!((vectors[(0, 0)] - vectors[(1, 0)]).abs() < 1e-12);
    }

    /// Samples of two hidden causes, which vision and touch share.
    fn samples(n: usize) -> Samples {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut samples = Samples::new(6, 4);
        for _ in 0..n {
            let [a, b]: [f32; 2] = [rng.sample(StandardNormal), rng.sample(StandardNormal)];
            let mut noise = || 0.01 * rng.sample::<f32, _>(StandardNormal);
            let visual = [a, b, a + b, a - b, 2.0 * a, 0.5 * b].map(|v| 0.5 + 0.1 * v + noise());
            let tactile = [a, b, a - 2.0 * b, b - a].map(|v| 7.0 + v + noise());
            samples.push(&visual, &tactile, Pose::default()).unwrap();
        }
        samples
    }

    #[test]
    fn one_sense_tells_what_both_do() {
        let samples = samples(60);
        let config = PcaConfig {
            components: 2,
            whitening: 0.0,
            ..PcaConfig::default()
        };
        let mut pca = Pca::fit(&samples, config).unwrap();
        for i in 0..samples.len() {
            let both = pca.describe(&samples, i, Senses::Both).unwrap();
            for senses in [Senses::Vision, Senses::Touch] {
                let one = pca.describe(&samples, i, senses).unwrap();
                for (one, both) in one.iter().zip(&both) {
                    assert!((one - both).abs() < 0.15, "{one} {both}");
                }
            }
            // Nearly all variance lies in two components.
            let seen = pca.reconstruct_visual(&both);
            for (seen, truth) in seen.iter().zip(samples.visual(i)) {
                assert!((seen - truth).abs() < 0.05, "{seen} {truth}");
            }
        }
    }

    #[test]
    fn components_do_not_correlate_and_have_their_variances() {
        let samples = samples(200);
        let config = PcaConfig {
            components: 2,
            whitening: 1.0,
            ..PcaConfig::default()
        };
        let mut pca = Pca::fit(&samples, config).unwrap();
        let codes = pca.describe_all(&samples, Senses::Both).unwrap();
        let of = |k: usize| codes.iter().map(|c| c[k]).collect::<Vec<f32>>();
        let (a, b) = (of(0), of(1));
        assert!(pearson(&a, &b).abs() < 1e-3);
        for component in [a, b] {
            let square = component.iter().map(|x| x * x).sum::<f32>() / 200.0;
            assert!((square - 1.0).abs() < 0.02, "{square}");
        }
        let few = PcaConfig {
            components: 300,
            ..config
        };
        assert!(Pca::fit(&samples, few).is_err());
    }
}
