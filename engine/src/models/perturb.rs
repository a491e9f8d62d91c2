//! What hardware and the world do to a network and its input: coarse weights, dead
//! neurons, unequal thresholds; lost, false and late events. Every draw comes from a seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::classifier::Classifier;
use crate::error::{Result, check, check_count};

/// The lowest threshold that mismatch leaves, as a share of the nominal one: below 0 a
/// neuron would fire in every tick.
const LOWEST_THRESHOLD: f64 = 0.1;
/// Clipping points tried when weights are quantised.
const CLIPS: u32 = 64;

/// A fault of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Each matrix is rounded to `2^bits - 1` levels, evenly spaced and symmetric about
    /// 0, which is one of them. Weights beyond the outermost level are clipped to it,
    /// and it lies where the squared error of the matrix is least.
    Quantised {
        /// Bits of a weight, 2 to 16.
        bits: u32,
    },
    /// Recurrent neurons that never fire.
    Dead {
        /// Share of them; the number is rounded.
        share: f64,
    },
    /// Thresholds that differ: each is `1 + d` times the nominal one (with its
    /// adaptation and its reset), `d` normal, and no threshold under a tenth.
    ///
    /// A neuron with all this `1 + d` times as high is the nominal neuron with every
    /// weight into it divided by `1 + d`, its potential being measured in thresholds;
    /// that is how it is done.
    Mismatch {
        /// Standard deviation of `d`.
        deviation: f64,
    },
}

impl Fault {
    /// A copy of the classifier with this fault, drawn by `seed`.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where its strength is out of range.
    pub fn of(&self, classifier: &Classifier, seed: u64) -> Result<Classifier> {
        let mut faulty = classifier.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        match *self {
            Self::Quantised { bits } => {
                check_count("bits", bits as usize, 2, 16)?;
                for part in faulty.network_mut().weights.parts_mut() {
                    quantise(part, bits);
                }
            }
            Self::Dead { share } => {
                check("dead neurons", share, 0.0, 1.0)?;
                kill(&mut faulty, share, &mut rng);
            }
            Self::Mismatch { deviation } => {
                check("threshold mismatch", deviation, 0.0, 10.0)?;
                mismatch(&mut faulty, deviation, &mut rng);
            }
        }
        Ok(faulty)
    }

    /// Whether two draws differ.
    pub fn is_random(&self) -> bool {
        !matches!(self, Self::Quantised { .. })
    }
}

fn quantise(weights: &mut [f32], bits: u32) {
    let levels = ((1_u32 << (bits - 1)) - 1) as f32;
    let largest = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
    if largest == 0.0 {
        return;
    }
    let rounded = |w: f32, step: f32| (w / step).round().clamp(-levels, levels) * step;
    let error = |step: f32| -> f64 {
        let one = |w: &f32| f64::from(w - rounded(*w, step)).powi(2);
        weights.iter().map(one).sum()
    };
    let steps = (1..=CLIPS).map(|k| largest * k as f32 / CLIPS as f32 / levels);
    let best = steps.min_by(|a, b| error(*a).total_cmp(&error(*b)));
    let step = best.unwrap_or(largest / levels);
    for w in weights {
        *w = rounded(*w, step);
    }
}

/// A neuron that nothing reaches never fires: its potential stays 0.
fn kill(classifier: &mut Classifier, share: f64, rng: &mut ChaCha8Rng) {
    let network = classifier.network_mut();
    let n = network.topology.n_rec();
    let dead = (n as f64 * share).round() as usize;
    for j in rand::seq::index::sample(rng, n, dead) {
        scale_column(&mut network.weights.w_in, n, j, 0.0);
        scale_column(&mut network.weights.w_rec, n, j, 0.0);
    }
}

fn mismatch(classifier: &mut Classifier, deviation: f64, rng: &mut ChaCha8Rng) {
    let network = classifier.network_mut();
    let n = network.topology.n_rec();
    for j in 0..n {
        let threshold = (1.0 + deviation * normal(rng)).max(LOWEST_THRESHOLD);
        let factor = (1.0 / threshold) as f32;
        scale_column(&mut network.weights.w_in, n, j, factor);
        scale_column(&mut network.weights.w_rec, n, j, factor);
    }
}

/// Multiplies the weights into neuron `j` of a matrix with `n` columns.
fn scale_column(weights: &mut [f32], n: usize, j: usize, factor: f32) {
    for w in weights[j..].iter_mut().step_by(n) {
        *w *= factor;
    }
}

/// A draw from the standard normal distribution (Box-Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    // 1 - u lies in (0, 1]: its logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// An event as the [encoder](crate::encoder::encode) takes it: column, row, whether it
/// got brighter, time in µs.
pub type Event = (u16, u16, bool, u64);

/// A fault of the event camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disturbance {
    /// Events get lost, each with this probability.
    Dropped {
        /// Share of them.
        share: f64,
    },
    /// False events, evenly spread over pixels, polarities and time.
    Noise {
        /// Rate of a pixel in Hz.
        rate_hz: f64,
    },
    /// Times that are wrong by a normally distributed amount.
    Jitter {
        /// Its standard deviation in ms.
        deviation_ms: f64,
    },
}

impl Disturbance {
    /// The events, in order of time, that a camera of `width` x `height` pixels gives
    /// instead of `events`; false ones fall into `from_us..until_us`.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] where its strength is out of range.
    pub fn of(
        &self,
        events: &[Event],
        (width, height): (u16, u16),
        (from_us, until_us): (u64, u64),
        seed: u64,
    ) -> Result<Vec<Event>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut out = events.to_vec();
        match *self {
            Self::Dropped { share } => {
                check("dropped events", share, 0.0, 1.0)?;
                out.retain(|_| rng.random::<f64>() >= share);
            }
            Self::Noise { rate_hz } => {
                check("noise rate", rate_hz, 0.0, 1000.0)?;
                let per_us = rate_hz * f64::from(width) * f64::from(height) / 1e6;
                let length_us = until_us.saturating_sub(from_us) as f64;
                let mut at_us = 0.0;
                loop {
                    // Intervals of a Poisson process; without a rate the first is endless.
                    at_us -= (1.0 - rng.random::<f64>()).ln() / per_us;
                    if at_us.is_nan() || at_us >= length_us {
                        break;
                    }
                    let (x, y) = (rng.random_range(0..width), rng.random_range(0..height));
                    out.push((x, y, rng.random(), from_us + at_us as u64));
                }
            }
            Self::Jitter { deviation_ms } => {
                check("jitter", deviation_ms, 0.0, 1e6)?;
                for event in &mut out {
                    let moved_us = (1000.0 * deviation_ms * normal(&mut rng)).round() as i64;
                    event.3 = event.3.saturating_add_signed(moved_us);
                }
            }
        }
        out.sort_by_key(|event| event.3);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::config::ClassifierConfig;
    use crate::network::{Interval, Network};

    fn classifier() -> Classifier {
        let config = ClassifierConfig {
            n_in: 30,
            n_lif: 20,
            n_alif: 20,
            max_ticks: 100,
            input_gain: 2.0,
            ..ClassifierConfig::default()
        };
        Classifier::new(config, 5).unwrap()
    }

    /// Spikes of every neuron in 100 ticks in which each input fires every third.
    fn spikes(network: &Network<f32>) -> Vec<Vec<u32>> {
        let mut interval = Interval::new(network, 100, 3000);
        (0..100_u32)
            .map(|s| {
                let inputs: Vec<u32> = (0..30).filter(|i| (s + i) % 3 == 0).collect();
                interval.step(network, &inputs);
                interval.fired().to_vec()
            })
            .collect()
    }

    #[test]
    fn quantised_weights_have_so_many_levels_and_lie_near() {
        let intact = classifier();
        let mut last = 0.0;
        for bits in [8, 4, 3, 2] {
            let coarse = Fault::Quantised { bits }.of(&intact, 1).unwrap();
            let mut error = 0.0;
            let parts = intact.network().weights.parts();
            for (part, original) in coarse.network().weights.parts().iter().zip(parts) {
                let mut levels: Vec<u32> = part.iter().map(|w| (w + 0.0).to_bits()).collect();
                levels.sort_unstable();
                levels.dedup();
                assert!(levels.len() < 1 << bits, "{} at {bits} bit", levels.len());
                let squares = part.iter().zip(original.iter());
                error += squares.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            }
            assert!(error > last, "{bits} bit: {error} after {last}");
            last = error;
        }
        // By hand: three levels. At 1 the error is 0.2^2, at any other clip more.
        let mut weights = [1.0, -1.0, 0.2, 0.0];
        quantise(&mut weights, 2);
        assert_eq!(weights, [1.0, -1.0, 0.0, 0.0]);
    }

    #[test]
    fn dead_neurons_never_fire_and_there_are_as_many_as_asked_for() {
        let dead = Fault::Dead { share: 0.25 }.of(&classifier(), 3).unwrap();
        let w_in = &dead.network().weights.w_in;
        let unreached = |j: &u32| w_in[*j as usize..].iter().step_by(40).all(|w| *w == 0.0);
        assert_eq!((0..40).filter(unreached).count(), 10);
        let fired = spikes(dead.network()).concat();
        assert!(fired.len() > 100 && !fired.iter().any(unreached));
    }

    /// What the doc says, held against neurons that really have other thresholds.
    #[test]
    fn scaled_weights_are_scaled_thresholds() {
        let intact = classifier();
        let mut scaled = intact.clone();
        let mut real = intact.network().clone();
        for j in 0..40 {
            scale_column(&mut scaled.network_mut().weights.w_in, 40, j, 0.5);
            scale_column(&mut scaled.network_mut().weights.w_rec, 40, j, 0.5);
        }
        real.dynamics.v_th *= 2.0;
        real.dynamics.reset_late *= 2.0;
        real.beta *= 2.0;
        let expected = spikes(&real);
        assert!(expected.concat().len() > 100);
        // A factor of 2 is exact in binary: so are the spikes.
        assert_eq!(spikes(scaled.network()), expected);
        assert_ne!(spikes(intact.network()), expected);
    }

    #[test]
    fn mismatch_is_drawn_from_the_seed_and_has_the_deviation_asked_for() {
        let intact = classifier();
        let fault = Fault::Mismatch { deviation: 0.2 };
        let (a, b) = (fault.of(&intact, 7).unwrap(), fault.of(&intact, 7).unwrap());
        assert_eq!(a.network().weights, b.network().weights);
        let c = fault.of(&intact, 8).unwrap();
        assert_ne!(a.network().weights, c.network().weights);
        let row = |c: &Classifier| c.network().weights.w_in[..40].to_vec();
        let ratios = row(&intact).into_iter().zip(row(&a));
        let d: Vec<f64> = ratios.map(|(w, s)| f64::from(w / s) - 1.0).collect();
        let variance = d.iter().map(|d| d * d).sum::<f64>() / 40.0;
        // Of 40 draws the deviation lies within 35 % of the true one (3 sigma).
        assert!((0.13..0.27).contains(&variance.sqrt()), "{variance}");
    }

    #[test]
    fn events_are_lost_added_and_late_as_asked_for() {
        let events: Vec<Event> = (0..10_000).map(|t| (3, 4, true, 1_000_000 + t)).collect();
        let make = |d: Disturbance| {
            let span = (1_000_000, 1_100_000);
            d.of(&events, (128, 128), span, 9).unwrap()
        };
        let kept = make(Disturbance::Dropped { share: 0.5 }).len();
        assert!((4800..5200).contains(&kept), "{kept}");
        assert_eq!(make(Disturbance::Dropped { share: 1.0 }).len(), 0);
        let noisy = make(Disturbance::Noise { rate_hz: 5.0 });
        let added = noisy.len() - 10_000;
        // 128 * 128 * 5 Hz * 0.1 s = 8192, give or take four standard deviations.
        assert!((7830..8555).contains(&added), "{added}");
        assert_eq!(make(Disturbance::Noise { rate_hz: 0.0 }), events);
        let late = make(Disturbance::Jitter { deviation_ms: 2.0 });
        assert_eq!(late.len(), 10_000);
        assert!(late.is_sorted_by_key(|e| e.3) && late[0].3 < 1_000_000);
        let error = Disturbance::Dropped { share: f64::NAN }
            .of(&events, (128, 128), (0, 1), 1)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("parameter dropped events"), "{error}");
    }
}
