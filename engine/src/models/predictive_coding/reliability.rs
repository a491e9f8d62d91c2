//! How far each sense can be trusted, by what it leaves unexplained.
//!
//! At the joint layer each sense has an opinion (what its top layer holds) and, as the
//! dendrites of [`crate::learning::conductance`], a conductance g that says how much it
//! counts: the joint causes go where `Σ g_m e_m²` is least. A conductance is a precision: one
//! over the variance with which the sense's top causes err, against what it usually is. That
//! variance is not known in a query, but what the sense leaves unexplained of its input
//! is: noise raises both. How the one follows from the other is learnt from the training
//! samples themselves, by spoiling them and looking how far the top causes move:
//!
//! ```text
//! g_m = usual_m / (usual_m + slope_m max(0, r_m - r0_m))     r_m: mean squared residual of the input
//! ```
//!
//! usual_m is what the joint causes usually miss of the top layer, r0_m the residual of a
//! sample that is not spoilt.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::PlaceNetwork;
use super::network::{TACTILE, VISUAL};
use super::recogniser::{Method, Quick, Recogniser};
use crate::error::{Error, Result};
use crate::models::place::{Samples, Senses};

/// Samples that are spoilt, at most.
const SAMPLES: usize = 100;
/// Deviation of the noise that spoils them, of full scale of a pixel, or of the range of a
/// whisker.
const NOISE: [f64; 4] = [0.05, 0.1, 0.2, 0.4];
/// What dims an image that is spoilt.
const DIMNESS: [f64; 3] = [0.5, 0.2, 0.05];
/// Above this all senses count in full.
const TRUSTED: f64 = 0.95;

/// What is learnt of each sense, visual and tactile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Mean squared residual of inputs that are not spoilt.
    pub residual: [f64; 2],
    /// Mean squared error of what the joint causes predict of the top layer.
    pub usual: [f64; 2],
    /// Mean squared error of the top causes for each residual beyond that.
    pub slope: [f64; 2],
}

impl Reliability {
    /// Learns it from the samples of a training.
    ///
    /// # Errors
    /// [`Error::NoSamples`]; as [`Recogniser::recognise`].
    pub fn learn(place: &PlaceNetwork, quick: Quick, samples: &Samples, seed: u64) -> Result<Self> {
        if samples.is_empty() {
            let what = "there are no samples to learn reliabilities from".to_owned();
            return Err(Error::NoSamples(what));
        }
        let quick = Quick {
            weighted: false,
            ..quick
        };
        let mut recogniser = Recogniser::new(place.clone(), Method::Quick(quick))?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let every = samples.len().div_ceil(SAMPLES);
        let chosen: Vec<usize> = (0..samples.len()).step_by(every).collect();
        let mut learnt = Reliability {
            residual: [0.0; 2],
            usual: [0.0; 2],
            slope: [0.0; 2],
        };
        for &i in &chosen {
            let (seen, felt) = (samples.visual(i), samples.tactile(i));
            let answer = recogniser.recognise(seen, felt, Senses::Both)?;
            let residual = answer.residual.map(Option::unwrap_or_default);
            let missed = recogniser.missed_at_the_top();
            for m in [VISUAL, TACTILE] {
                learnt.residual[m] += residual[m] / chosen.len() as f64;
                learnt.usual[m] += missed[m] / chosen.len() as f64;
            }
        }
        for (m, senses) in [(VISUAL, Senses::Vision), (TACTILE, Senses::Touch)] {
            let (mut both, mut square) = (0.0, 0.0);
            for &i in &chosen {
                for (x, y) in moved(&mut recogniser, senses, samples, i, &mut rng)? {
                    both += x * y;
                    square += x * x;
                }
            }
            learnt.slope[m] = if square > 0.0 { both / square } else { 0.0 };
        }
        Ok(learnt)
    }

    /// Conductances by the residuals of an answer, 1 for a sense that is as usual or was not
    /// used; none where all can be trusted.
    pub(super) fn conductances(&self, residual: [Option<f64>; 2]) -> Option<[f32; 2]> {
        let of = |m: usize| {
            let beyond = (residual[m].unwrap_or(0.0) - self.residual[m]).max(0.0);
            let usual = self.usual[m].max(f64::MIN_POSITIVE);
            (usual / (usual + self.slope[m].max(0.0) * beyond)).clamp(1e-6, 1.0)
        };
        let both = [of(VISUAL), of(TACTILE)];
        let doubt = both.iter().any(|g| *g < TRUSTED);
        doubt.then(|| both.map(|g| g as f32))
    }
}

/// A sample spoilt in one sense, more and more: by how much the residual rises, and how far
/// the top causes move (mean squared).
fn moved(
    recogniser: &mut Recogniser,
    senses: Senses,
    samples: &Samples,
    i: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<(f64, f64)>> {
    let m = usize::from(senses == Senses::Touch);
    let mut ask = |seen: &[f32], felt: &[f32]| -> Result<(f64, Vec<f32>)> {
        let residual = recogniser.recognise(seen, felt, senses)?.residual[m];
        Ok((
            residual.unwrap_or_default(),
            recogniser.top_causes(m).to_vec(),
        ))
    };
    let (seen, felt) = (samples.visual(i), samples.tactile(i));
    let (before, clean) = ask(seen, felt)?;
    let ranges = ranges(samples);
    let mut pairs = Vec::new();
    let dims = if m == VISUAL { &DIMNESS[..] } else { &[] };
    let spoils = NOISE
        .map(|n| (n, 1.0))
        .into_iter()
        .chain(dims.iter().map(|&d| (0.015, d)));
    for (noise, dimness) in spoils {
        let mut draw = || rng.sample::<f64, _>(StandardNormal) * noise;
        let (after, causes) = match m {
            VISUAL => {
                let spoil = |x: &f32| (f64::from(*x) * dimness + draw()).clamp(0.0, 1.0) as f32;
                ask(&seen.iter().map(spoil).collect::<Vec<_>>(), &[])?
            }
            _ => {
                let each = felt.iter().zip(&ranges);
                let spoil = |(x, range): (&f32, &f32)| x + draw() as f32 * range;
                ask(&[], &each.map(spoil).collect::<Vec<_>>())?
            }
        };
        let off = clean
            .iter()
            .zip(&causes)
            .map(|(a, b)| f64::from(a - b).powi(2));
        let off = off.sum::<f64>() / clean.len().max(1) as f64;
        pairs.push(((after - before).max(0.0), off));
    }
    Ok(pairs)
}

/// The range of each whisker's value over the samples.
fn ranges(samples: &Samples) -> Vec<f32> {
    let scaling = super::Scaling::of(samples);
    let ranges = scaling.least.iter().zip(&scaling.greatest);
    ranges.map(|(low, high)| high - low).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::place::Pose;
    use crate::models::predictive_coding::{Config, Fields, Schedule};
    use std::ops::ControlFlow;

    #[test]
    fn what_is_left_unexplained_counts_less() {
        let known = Reliability {
            residual: [0.01, 0.02],
            usual: [0.1, 0.1],
            slope: [10.0, 0.0],
        };
        assert_eq!(known.conductances([Some(0.01), Some(0.5)]), None);
        assert_eq!(known.conductances([None, Some(0.0)]), None);
        // 0.1 / (0.1 + 10 * 0.03).
        let [seen, felt] = known.conductances([Some(0.04), Some(0.9)]).expect("doubt");
        assert!((seen - 0.25).abs() < 1e-6 && felt == 1.0);
        let [seen, _] = known.conductances([Some(f64::MAX), None]).expect("doubt");
        assert_eq!(seen, 1e-6);
    }

    /// Forty samples of three numbers behind 48 pixels and 9 whiskers.
    fn samples() -> Samples {
        let mut samples = Samples::new(48, 9);
        for i in 0..40 {
            let of = |k: usize, j: usize| ((i * (k + 1)) as f32 * 0.7 + (j * (k + 2)) as f32).sin();
            let value = |j: usize| 0.5 + 0.15 * (of(0, j) + of(1, j / 2) + of(2, j / 3));
            let (seen, felt) = ((0..48).map(value), (0..9).map(value));
            let (seen, felt): (Vec<f32>, Vec<f32>) = (seen.collect(), felt.collect());
            samples.push(&seen, &felt, Pose::default()).unwrap();
        }
        samples
    }

    /// With receptive fields, which a training leaves as they are.
    fn learnt(samples: &Samples) -> PlaceNetwork {
        let mut config = Config::for_inputs(48, 9);
        config.visual.layers = vec![12, 8];
        config.visual.fields = Some(Fields {
            image: [4, 6, 2],
            grid: [2, 3],
            patch: [3, 3],
        });
        config.tactile.layers = vec![8, 6];
        config.joint = 6;
        let schedule = Schedule {
            epochs: 40,
            minibatch: 10,
            ..Schedule::default()
        };
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        PlaceNetwork::train(samples, &config, &schedule, 3, go_on).unwrap()
    }

    #[test]
    fn noise_is_told_by_what_it_leaves_and_counts_less() {
        let samples = samples();
        let place = learnt(&samples);
        let weights = place.network().connections()[VISUAL][0].weights().to_vec();
        let mut masked = weights.clone();
        let fields = place.config().visual.fields.unwrap();
        fields.mask(12, &mut masked);
        assert_eq!(weights, masked, "no weights beyond the fields");
        assert!(weights.iter().filter(|w| **w != 0.0).count() > 200);

        let weighted = Quick {
            weighted: true,
            ..Quick::default()
        };
        let refused = Recogniser::new(place.clone(), Method::Quick(weighted)).unwrap_err();
        assert!(
            refused.to_string().contains("no reliabilities"),
            "{refused}"
        );
        let known = Reliability::learn(&place, Quick::default(), &samples, 5).unwrap();
        assert!(
            known.slope[VISUAL] > 0.0 && known.slope[TACTILE] > 0.0,
            "{known:?}"
        );
        let place = place.with_reliability(known);
        let back = PlaceNetwork::from_bytes(&place.to_bytes().unwrap()).unwrap();
        assert_eq!(back, place);

        // Eyes that err a lot where the image is not as it was learnt.
        let [seeing, feeling] = known.slope;
        let slope = [1e3 * seeing, feeling];
        let place = place.with_reliability(Reliability { slope, ..known });
        let mut alike = Recogniser::new(place.clone(), Method::default()).unwrap();
        let mut weighed = Recogniser::new(place, Method::Quick(weighted)).unwrap();
        let felt = samples.tactile(3);
        let noisy: Vec<f32> = (0..48).map(|k| ((k * 37) % 48) as f32 / 48.0).collect();
        let code = |r: &mut Recogniser, seen: &[f32]| {
            r.recognise(seen, felt, Senses::Both)
                .unwrap()
                .joint
                .to_vec()
        };
        let (a, b) = (code(&mut alike, &noisy), code(&mut weighed, &noisy));
        let [seeing, feeling] = weighed.conductances();
        assert!(seeing < 0.5 * feeling, "{seeing} {feeling}");
        assert_ne!(a, b);
        assert_eq!(
            weighed
                .recognise(&noisy, felt, Senses::Touch)
                .unwrap()
                .joint
                .len(),
            6
        );
        assert_eq!(weighed.conductances(), [1.0; 2], "one sense is not weighed");
    }
}
