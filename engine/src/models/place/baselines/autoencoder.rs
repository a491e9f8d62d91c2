//! Autoencoders of both senses, by backpropagation.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mlp::Mlp;
use super::standard::{Spread, Standard};
use crate::error::{Error, Result, check, check_count};
use crate::learning::optimizer::OptimizerConfig;
use crate::models::place::{Descriptor, Samples, Senses};

/// Layers and learning of an autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// Whether each sense has a pathway of its own; otherwise the visual one takes both.
    pub apart: bool,
    /// Layers of the visual pathway, from the input up.
    pub visual: Vec<usize>,
    /// Layers of the tactile pathway.
    pub tactile: Vec<usize>,
    /// Length of a code.
    pub code: usize,
    /// Touch's share in the loss.
    pub touch: f64,
    /// Samples between two steps of Adam.
    pub batch: usize,
    /// Adam's learning rate.
    pub eta: f64,
    /// All that is random follows from it.
    pub seed: u64,
}

impl Default for AutoencoderConfig {
    /// The layers of the predictive-coding network.
    fn default() -> Self {
        AutoencoderConfig {
            apart: true,
            visual: vec![1000, 300],
            tactile: vec![50, 20],
            code: 100,
            touch: 0.5,
            batch: 32,
            eta: 1e-3,
            seed: 1,
        }
    }
}

impl AutoencoderConfig {
    fn validate(&self) -> Result<()> {
        check("autoencoder.touch", self.touch, 0.0, 1.0)?;
        check("autoencoder.eta", self.eta, 0.0, 1.0)?;
        check_count("autoencoder.batch", self.batch, 1, 10_000)?;
        let layers = self.visual.iter().chain(&self.tactile);
        for size in layers.chain([&self.code]) {
            check_count("autoencoder.layer", *size, 1, 100_000)?;
        }
        check_count("autoencoder.visual layers", self.visual.len(), 1, 10)?;
        check_count("autoencoder.tactile layers", self.tactile.len(), 1, 10)
    }
}

/// A pathway: the values that it takes, up, and down again.
#[derive(Clone, Debug)]
struct Pathway {
    values: Range<usize>,
    /// Weight of a value in the loss.
    weights: Vec<f32>,
    up: Mlp<f32>,
    /// Neurons at its top.
    top: usize,
    down: Mlp<f32>,
}

/// A deep autoencoder: pathways, and a linear code above them.
#[derive(Clone, Debug)]
pub struct Autoencoder {
    config: AutoencoderConfig,
    name: &'static str,
    standard: Standard,
    pathways: Vec<Pathway>,
    joint: Mlp<f32>,
    rng: ChaCha8Rng,
    steps: u64,
}

impl Autoencoder {
    /// Before it has learnt; the samples give sizes, means and spreads.
    ///
    /// # Errors
    /// A parameter out of range, or fewer than two samples.
    pub fn new(samples: &Samples, config: AutoencoderConfig) -> Result<Self> {
        config.validate()?;
        let standard = Standard::fit(samples, Spread::OfSense)?;
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let (visual, tactile) = samples.sizes();
        let all = visual + tactile;
        let ranges = match config.apart {
            true => vec![(0..visual, &config.visual), (visual..all, &config.tactile)],
            false => vec![(0..all, &config.visual)],
        };
        let weight = |k: usize| match k < visual {
            true => ((1.0 - config.touch) / visual as f64) as f32,
            false => (config.touch / tactile as f64) as f32,
        };
        let mut pathways = Vec::new();
        for (values, layers) in ranges {
            let up: Vec<usize> = [&[values.len()], &layers[..]].concat();
            let mut down: Vec<usize> = up.iter().rev().copied().collect();
            down.insert(0, config.code);
            pathways.push(Pathway {
                weights: values.clone().map(weight).collect(),
                up: Mlp::new(&up, true, &mut rng),
                top: up[up.len() - 1],
                down: Mlp::new(&down, false, &mut rng),
                values,
            });
        }
        let tops = pathways.iter().map(|p| p.top).sum();
        Ok(Autoencoder {
            name: if config.apart {
                "autoencoder apart"
            } else {
                "autoencoder joined"
            },
            joint: Mlp::new(&[tops, config.code], false, &mut rng),
            config,
            standard,
            pathways,
            rng,
            steps: 0,
        })
    }

    /// Learns from all samples once, in random order, and gives the mean loss: the squared
    /// error of a value, of variance 1, weighed between the senses. With pathways apart, a
    /// third of the samples has both senses, a third only sees and a third only feels, and
    /// all have to say what both would be.
    ///
    /// # Errors
    /// The samples have other sizes, or learning has diverged.
    pub fn epoch(&mut self, samples: &Samples) -> Result<f64> {
        let mut order: Vec<usize> = (0..samples.len()).collect();
        for k in (1..order.len()).rev() {
            order.swap(k, self.rng.random_range(0..=k));
        }
        let mut sum = 0.0;
        for batch in order.chunks(self.config.batch) {
            sum += self.learn(samples, batch)? * batch.len() as f64;
        }
        let loss = sum / order.len().max(1) as f64;
        if !loss.is_finite() {
            return Err(Error::Parameter {
                name: "autoencoder.eta".to_owned(),
                value: self.config.eta.to_string(),
                range: "smaller, for learning has diverged".to_owned(),
            });
        }
        Ok(loss)
    }

    /// A step of Adam on these samples; their mean loss before it.
    fn learn(&mut self, samples: &Samples, batch: &[usize]) -> Result<f64> {
        let (d, n) = (self.standard.len(), batch.len());
        let (mut given, mut wanted) = (vec![0.0; n * d], vec![0.0; n * d]);
        let rows = given.chunks_exact_mut(d).zip(wanted.chunks_exact_mut(d));
        for (&i, (given, wanted)) in batch.iter().zip(rows) {
            let senses = match self.config.apart {
                true => [Senses::Both, Senses::Vision, Senses::Touch][self.rng.random_range(0..3)],
                false => Senses::Both,
            };
            self.standard.row(samples, i, senses, given)?;
            self.standard.row(samples, i, Senses::Both, wanted)?;
        }
        let code = self.encode(&given, n);
        let mut loss = 0.0;
        let mut by_code = vec![0.0_f32; n * self.config.code];
        for p in &mut self.pathways {
            let mut slope = p.down.forward(&code, n).to_vec();
            let width = p.values.len();
            for (row, wanted) in slope.chunks_exact_mut(width).zip(wanted.chunks_exact(d)) {
                let wanted = &wanted[p.values.clone()];
                for ((y, x), w) in row.iter_mut().zip(wanted).zip(&p.weights) {
                    let miss = *y - x;
                    loss += f64::from(w * miss * miss) / n as f64;
                    *y = 2.0 * w * miss / n as f32;
                }
            }
            for (sum, s) in by_code.iter_mut().zip(p.down.backward(slope, true)) {
                *sum += s;
            }
        }
        let by_tops = self.joint.backward(by_code, true);
        let tops: usize = self.pathways.iter().map(|p| p.top).sum();
        let mut first = 0;
        for p in &mut self.pathways {
            let rows = by_tops.chunks_exact(tops);
            let slope = rows.flat_map(|row| &row[first..first + p.top]).copied();
            p.up.backward(slope.collect(), false);
            first += p.top;
        }
        self.steps += 1;
        let adam = OptimizerConfig::adam(self.config.eta);
        for p in &mut self.pathways {
            p.up.step(&adam, self.steps);
            p.down.step(&adam, self.steps);
        }
        self.joint.step(&adam, self.steps);
        Ok(loss)
    }

    /// Codes `[n, code]` of standardised rows `[n, values]`.
    fn encode(&mut self, rows: &[f32], n: usize) -> Vec<f32> {
        let d = self.standard.len();
        let tops: usize = self.pathways.iter().map(|p| p.top).sum();
        let mut joined = vec![0.0; n * tops];
        let mut first = 0;
        for p in &mut self.pathways {
            let part = rows.chunks_exact(d).flat_map(|row| &row[p.values.clone()]);
            let part: Vec<f32> = part.copied().collect();
            let top = p.up.forward(&part, n).chunks_exact(p.top);
            for (joined, top) in joined.chunks_exact_mut(tops).zip(top) {
                joined[first..first + p.top].copy_from_slice(top);
            }
            first += p.top;
        }
        self.joint.forward(&joined, n).to_vec()
    }

    /// What the code says was seen, in the samples' own units.
    fn reconstruct_visual(&mut self, code: &[f32]) -> Vec<f32> {
        let row = self.pathways[0].down.forward(code, 1);
        self.standard.undo_visual(row)
    }
}

impl Descriptor for Autoencoder {
    fn name(&self) -> &str {
        self.name
    }

    fn describe(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Vec<f32>> {
        let mut row = vec![0.0; self.standard.len()];
        self.standard.row(samples, i, senses, &mut row)?;
        Ok(self.encode(&row, 1))
    }

    /// In batches, for which the weights are read once each.
    fn describe_all(&mut self, samples: &Samples, senses: Senses) -> Result<Vec<Vec<f32>>> {
        const BATCH: usize = 64;
        let d = self.standard.len();
        let mut codes = Vec::with_capacity(samples.len());
        for first in (0..samples.len()).step_by(BATCH) {
            let n = BATCH.min(samples.len() - first);
            let mut rows = vec![0.0; n * d];
            for (s, row) in rows.chunks_exact_mut(d).enumerate() {
                self.standard.row(samples, first + s, senses, row)?;
            }
            let batch = self.encode(&rows, n);
            codes.extend(batch.chunks_exact(self.config.code).map(<[f32]>::to_vec));
        }
        Ok(codes)
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

    /// A ring of places: what is seen and felt there turns with the angle.
    fn ring(n: usize) -> Samples {
        let mut samples = Samples::new(12, 8);
        for i in 0..n {
            let angle = std::f32::consts::TAU * i as f32 / n as f32;
            let wave = |k: usize, m: usize| {
                0.5 + 0.4 * (angle - k as f32 * std::f32::consts::TAU / m as f32).cos()
            };
            let visual: Vec<f32> = (0..12).map(|k| wave(k, 12)).collect();
            let tactile: Vec<f32> = (0..8).map(|k| 20.0 * wave(k, 8)).collect();
            samples.push(&visual, &tactile, Pose::default()).unwrap();
        }
        samples
    }

    fn small(apart: bool) -> AutoencoderConfig {
        AutoencoderConfig {
            apart,
            visual: vec![24, 12],
            tactile: vec![16, 8],
            code: 6,
            batch: 8,
            eta: 3e-3,
            ..AutoencoderConfig::default()
        }
    }

    #[test]
    fn both_kinds_learn_what_was_seen_and_the_seed_decides_how() {
        let samples = ring(48);
        for apart in [false, true] {
            let learn = || {
                let mut net = Autoencoder::new(&samples, small(apart)).unwrap();
                let first = net.epoch(&samples).unwrap();
                let last = (0..150)
                    .map(|_| net.epoch(&samples).unwrap())
                    .last()
                    .unwrap();
                (net, first, last)
            };
            let (mut net, first, last) = learn();
            assert!(last < 0.05 * first, "{first} {last}");
            let code = net.describe(&samples, 5, Senses::Both).unwrap();
            let seen = net.reconstruct_visual(&code);
            assert!(pearson(&seen, samples.visual(5)) > 0.95);
            let mut again = learn().0;
            assert_eq!(again.describe(&samples, 5, Senses::Both).unwrap(), code);
            let all = net.describe_all(&samples, Senses::Both).unwrap();
            assert_eq!(all.len(), 48);
            for (a, b) in all[5].iter().zip(&code) {
                assert!((a - b).abs() < 1e-4, "{a} in a batch, {b} alone");
            }
        }
    }

    /// With pathways apart, the code of one sense is that of both.
    #[test]
    fn what_is_missing_is_completed() {
        let samples = ring(48);
        let mut net = Autoencoder::new(&samples, small(true)).unwrap();
        for _ in 0..300 {
            net.epoch(&samples).unwrap();
        }
        for i in [3, 17, 40] {
            let code = net.describe(&samples, i, Senses::Touch).unwrap();
            let seen = net.reconstruct_visual(&code);
            assert!(pearson(&seen, samples.visual(i)) > 0.9, "{i}");
        }
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let none = AutoencoderConfig {
            code: 0,
            ..small(true)
        };
        let error = Autoencoder::new(&ring(8), none).unwrap_err().to_string();
        assert!(error.contains("autoencoder.layer is 0"), "{error}");
    }
}
