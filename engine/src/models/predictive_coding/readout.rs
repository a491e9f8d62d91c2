//! A code of the place read from the top causes of both senses.
//!
//! The joint causes are a code of all that both senses say, in which much varies that is
//! not the place, and they have settled least of all when a query ends. The top causes of
//! each sense are read instead, by their slow features ([`SlowFeatures`]), learnt from the
//! training samples in the order in which they came. Each sense has a part of the code of
//! its own, of constant length and without a mean: one that is gone leaves zeros, and the
//! other one's part ranks places as it always does. With a mean it would not, for codes are
//! compared by Pearson's correlation: what is stored of the other sense would come in by it.

use serde::{Deserialize, Serialize};

use super::PlaceNetwork;
use super::network::{TACTILE, VISUAL};
use super::recogniser::{Method, Quick, Recogniser};
use crate::error::{Result, check};
use crate::models::place::{Samples, Senses, SlowConfig, SlowFeatures};

/// How the top causes are read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadoutConfig {
    /// The features of each sense.
    pub slow: SlowConfig,
    /// Touch's share in the squared length of a code.
    pub touch: f64,
}

impl Default for ReadoutConfig {
    fn default() -> Self {
        ReadoutConfig {
            slow: SlowConfig::default(),
            touch: 0.02,
        }
    }
}

impl ReadoutConfig {
    fn validate(&self) -> Result<()> {
        check("readout.touch", self.touch, 0.0, 1.0)
    }
}

/// Slow features of the top causes of both senses.
#[derive(Clone, Debug, PartialEq)]
pub struct Readout {
    /// Of the visual and the tactile pathway.
    pub(super) slow: [SlowFeatures; 2],
    pub(super) config: ReadoutConfig,
}

impl Readout {
    /// Learns it from the samples of a training, which are in the order of a way.
    ///
    /// # Errors
    /// A parameter out of range; as [`SlowFeatures::fit`] and [`Recogniser::recognise`].
    pub fn learn(place: &PlaceNetwork, samples: &Samples, config: ReadoutConfig) -> Result<Self> {
        config.validate()?;
        let method = Method::Quick(Quick::default());
        let mut recogniser = Recogniser::new(place.clone(), method)?;
        let mut causes = [Vec::new(), Vec::new()];
        for i in 0..samples.len() {
            recogniser.recognise(samples.visual(i), samples.tactile(i), Senses::Both)?;
            for m in [VISUAL, TACTILE] {
                causes[m].push(recogniser.top_causes(m).to_vec());
            }
        }
        let [seen, felt] = &causes;
        let slow = [
            SlowFeatures::fit(seen, config.slow)?,
            SlowFeatures::fit(felt, config.slow)?,
        ];
        Readout::new(slow, config)
    }

    pub(super) fn new(slow: [SlowFeatures; 2], config: ReadoutConfig) -> Result<Self> {
        config.validate()?;
        Ok(Readout { slow, config })
    }

    /// Sizes and shares.
    pub fn config(&self) -> &ReadoutConfig {
        &self.config
    }

    /// Length of a code.
    pub fn code_len(&self) -> usize {
        self.slow.iter().map(SlowFeatures::features).sum()
    }

    /// Writes the code of these top causes, zeros for a sense that was not used.
    pub(super) fn read(&self, tops: [&[f32]; 2], senses: Senses, code: &mut [f32]) {
        code.fill(0.0);
        let (seen, felt) = code.split_at_mut(self.slow[VISUAL].features());
        let touch = self.config.touch;
        if senses != Senses::Touch {
            let length = (1.0 - touch).sqrt() as f32;
            self.slow[VISUAL].apply(tops[VISUAL], length, seen);
            without_mean(seen, length);
        }
        if senses != Senses::Vision {
            let length = touch.sqrt() as f32;
            self.slow[TACTILE].apply(tops[TACTILE], length, felt);
            without_mean(felt, length);
        }
    }
}

/// Takes the mean off a part of a code and brings what is left to this length. Of fewer than
/// three numbers it would leave a sign at most; they stay as they are.
fn without_mean(part: &mut [f32], length: f32) {
    if part.len() < 3 {
        return;
    }
    let mean = part.iter().sum::<f32>() / part.len() as f32;
    part.iter_mut().for_each(|x| *x -= mean);
    let norm = part.iter().map(|x| x * x).sum::<f32>().sqrt();
    let factor = match norm > f32::MIN_POSITIVE {
        true => length / norm,
        false => 0.0,
    };
    part.iter_mut().for_each(|x| *x *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::place::{Pose, pearson};
    use crate::models::predictive_coding::{Config, Schedule};
    use std::ops::ControlFlow;

    /// A way of sixty samples: a room that passes slowly, in light that flickers.
    fn way() -> Samples {
        let mut samples = Samples::new(40, 6);
        for i in 0..60 {
            let (at, flicker) = (i as f32 * 0.1, (i as f32 * 2.3).sin());
            let pixel = |k: usize| 0.5 + 0.2 * (at + k as f32 * 0.4).sin() + 0.2 * flicker;
            let whisker = |k: usize| (at * 2.0 + k as f32).cos() + 0.3 * flicker;
            let (seen, felt) = ((0..40).map(pixel), (0..6).map(whisker));
            let (seen, felt): (Vec<f32>, Vec<f32>) = (seen.collect(), felt.collect());
            samples.push(&seen, &felt, Pose::default()).unwrap();
        }
        samples
    }

    fn learnt(samples: &Samples) -> PlaceNetwork {
        let mut config = Config::for_inputs(40, 6);
        config.visual.layers = vec![12, 8];
        config.tactile.layers = vec![6, 5];
        config.joint = 4;
        let schedule = Schedule {
            epochs: 30,
            minibatch: 10,
            ..Schedule::default()
        };
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        PlaceNetwork::train(samples, &config, &schedule, 3, go_on).unwrap()
    }

    #[test]
    fn codes_are_parts_of_both_senses_and_files_keep_how_they_are_read() {
        let samples = way();
        let place = learnt(&samples);
        let config = ReadoutConfig {
            slow: SlowConfig {
                features: 6,
                ..SlowConfig::default()
            },
            touch: 0.25,
        };
        let readout = Readout::learn(&place, &samples, config).unwrap();
        assert_eq!(readout.code_len(), 6 + 5, "of 5 causes are 5 features");
        let place = place.with_readout(readout);
        let back = PlaceNetwork::from_bytes(&place.to_bytes().unwrap()).unwrap();
        assert_eq!(back, place);
        assert_eq!(place.code_len(), 11);
        let published = place.clone().without_readout();
        assert_eq!(published.code_len(), 4);
        let named = [&place, &published].map(|p| p.fingerprint().unwrap());
        assert_ne!(named[0], named[1], "maps of one are not maps of the other");

        let mut recogniser = Recogniser::new(place, Method::default()).unwrap();
        let mut code = |senses| {
            let (seen, felt) = (samples.visual(7), samples.tactile(7));
            let answer = recogniser.recognise(seen, felt, senses).unwrap();
            answer.code.to_vec()
        };
        let (both, seen) = (code(Senses::Both), code(Senses::Vision));
        let felt = code(Senses::Touch);
        let squares = |c: &[f32]| c.iter().map(|x| x * x).sum::<f32>();
        assert!((squares(&both[..6]) - 0.75).abs() < 1e-5);
        assert!((squares(&both[6..]) - 0.25).abs() < 1e-5);
        assert!(seen[6..].iter().all(|x| *x == 0.0) && squares(&seen) > 0.7);
        assert!(felt[..6].iter().all(|x| *x == 0.0) && squares(&felt) > 0.2);
        let mut plain = Recogniser::new(published, Method::default()).unwrap();
        let answer = plain.recognise(samples.visual(7), samples.tactile(7), Senses::Both);
        let answer = answer.unwrap();
        assert_eq!(answer.code, answer.joint);
    }

    /// Whatever is stored of what was seen there.
    #[test]
    fn by_one_sense_places_rank_as_its_parts_are_alike() {
        let samples = way();
        let place = learnt(&samples);
        let config = ReadoutConfig {
            touch: 0.02,
            ..ReadoutConfig::default()
        };
        let readout = Readout::learn(&place, &samples, config).unwrap();
        let seen = readout.slow[VISUAL].features();
        let mut recogniser = Recogniser::new(place.with_readout(readout), Method::default());
        let recogniser = recogniser.as_mut().unwrap();
        let mut code = |i: usize, senses| {
            let answer = recogniser.recognise(samples.visual(i), samples.tactile(i), senses);
            answer.unwrap().code.to_vec()
        };
        for (senses, which, share) in [(Senses::Touch, 1, 0.02_f32), (Senses::Vision, 0, 0.98)] {
            let asked = code(7, senses);
            for i in 0..samples.len() {
                let stored = code(i, Senses::Both);
                let part = |c: &[f32]| <[&[f32]; 2]>::from(c.split_at(seen))[which].to_vec();
                let wanted = share.sqrt() * pearson(&part(&asked), &part(&stored));
                let found = pearson(&asked, &stored);
                assert!((found - wanted).abs() < 1e-4, "{i}: {found}, not {wanted}");
            }
        }
    }

    #[test]
    fn published_codes_are_the_same_in_batches_and_one_by_one() {
        let samples = way();
        let place = learnt(&samples);
        let readout = Readout::learn(&place, &samples, ReadoutConfig::default()).unwrap();
        let place = place.with_readout(readout);
        let mut one = Recogniser::new(place.clone(), Method::Published(30)).unwrap();
        for senses in [Senses::Both, Senses::Vision, Senses::Touch] {
            let all = place.infer(&samples, senses, 30).unwrap();
            assert_eq!(all.len(), samples.len());
            for i in [0, 31, 59] {
                let answer = one.recognise(samples.visual(i), samples.tactile(i), senses);
                let code = answer.unwrap().code.to_vec();
                assert_eq!(all[i].len(), code.len());
                for (a, b) in all[i].iter().zip(&code) {
                    assert!(
                        (a - b).abs() < 1e-4,
                        "sample {i}: {a} in a batch, {b} alone"
                    );
                }
            }
        }
    }

    #[test]
    fn a_readout_of_another_network_is_refused_as_a_file() {
        let samples = way();
        let place = learnt(&samples);
        let readout = Readout::learn(&place, &samples, ReadoutConfig::default()).unwrap();
        let bytes = place.with_readout(readout).to_bytes().unwrap();
        let key = br#"\"touch\":0.02"#;
        let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
        let mut spoilt = bytes.clone();
        spoilt[at + key.len() - 4] = b'7';
        let text = PlaceNetwork::from_bytes(&spoilt).unwrap_err().to_string();
        assert!(text.contains("readout.touch is 7.02"), "{text}");
    }
}
