//! A trained network: weights, the scaling of its whiskers, and where it comes from.

use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::config::Config;
use super::network::{Activity, Network, TACTILE, VISUAL};
use super::readout::Readout;
use super::reliability::Reliability;
use super::weights_file;
use crate::error::{Error, Result};
use crate::models::place::{Samples, Senses};

/// How far beyond what was seen in training a whisker's value may go, in ranges.
const BEYOND: f32 = 1.0;

/// Least and greatest value of each tactile input in the training samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// In the sensors' own units.
    pub least: Vec<f32>,
    /// The same.
    pub greatest: Vec<f32>,
}

impl Scaling {
    /// Of these samples.
    pub fn of(samples: &Samples) -> Self {
        let size = samples.sizes().1;
        let (mut least, mut greatest) = (vec![0.0; size], vec![0.0; size]);
        for i in 0..samples.len() {
            for (j, &x) in samples.tactile(i).iter().enumerate() {
                let (low, high): (&mut f32, &mut f32) = (&mut least[j], &mut greatest[j]);
                if i == 0 {
                    (*low, *high) = (x, x);
                }
                (*low, *high) = (low.min(x), high.max(x));
            }
        }
        Scaling { least, greatest }
    }

    /// 0 to 1 within what was seen in training, and at most a range beyond it, so that a
    /// broken sensor does not drown the others; 0 where nothing varied.
    pub fn apply(&self, values: &[f32], scaled: &mut [f32]) {
        for (j, (s, &x)) in scaled.iter_mut().zip(values).enumerate() {
            let range = self.greatest[j] - self.least[j];
            *s = match range > 0.0 {
                true => ((x - self.least[j]) / range).clamp(-BEYOND, 1.0 + BEYOND),
                false => 0.0,
            };
        }
    }

    fn validate(&self, size: usize) -> Result<()> {
        for (name, values) in [("least", &self.least), ("greatest", &self.greatest)] {
            if values.len() != size {
                let n = values.len();
                let what = format!("scaling.{name} has {n} values, the network feels {size}");
                return Err(Error::Format(what));
            }
            if let Some(index) = values.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite {
                    name: format!("scaling.{name}"),
                    index,
                    value: f64::from(values[index]),
                });
            }
        }
        Ok(())
    }
}

/// Where weights come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Of the initial weights and of the order of the samples.
    pub seed: u64,
    /// Fingerprint of the samples.
    pub samples: String,
    /// The schedule as JSON.
    pub schedule: String,
    /// Epochs done.
    pub epochs: usize,
}

/// A trained network.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceNetwork {
    pub(super) network: Network<f32>,
    pub(super) scaling: Scaling,
    pub(super) provenance: Provenance,
    pub(super) reliability: Option<Reliability>,
    pub(super) readout: Option<Readout>,
}

impl PlaceNetwork {
    /// From its parts.
    ///
    /// # Errors
    /// [`Error::Format`] or [`Error::NotFinite`] where the scaling is not that of the
    /// network's whiskers.
    pub fn new(network: Network<f32>, scaling: Scaling, provenance: Provenance) -> Result<Self> {
        scaling.validate(network.config().tactile.input)?;
        Ok(PlaceNetwork {
            network,
            scaling,
            provenance,
            reliability: None,
            readout: None,
        })
    }

    /// The same with what was learnt of how far each sense can be trusted.
    pub fn with_reliability(self, reliability: Reliability) -> Self {
        PlaceNetwork {
            reliability: Some(reliability),
            ..self
        }
    }

    /// How far each sense can be trusted, where that was learnt.
    pub fn reliability(&self) -> Option<&Reliability> {
        self.reliability.as_ref()
    }

    /// The same with slow features as the code of a place.
    pub fn with_readout(self, readout: Readout) -> Self {
        PlaceNetwork {
            readout: Some(readout),
            ..self
        }
    }

    /// The same with the joint causes as the code of a place, as published.
    pub fn without_readout(self) -> Self {
        PlaceNetwork {
            readout: None,
            ..self
        }
    }

    /// How a code is read from the causes, where that was learnt.
    pub fn readout(&self) -> Option<&Readout> {
        self.readout.as_ref()
    }

    /// Length of the code of a place.
    pub fn code_len(&self) -> usize {
        let joint = self.config().joint;
        self.readout.as_ref().map_or(joint, Readout::code_len)
    }

    /// The weights.
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }

    /// Sizes and rates.
    pub fn config(&self) -> &Config {
        self.network.config()
    }

    /// How whiskers are scaled.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// Where it comes from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// What the network gets of a query: the image as it is, the whiskers scaled, 0 of
    /// what is not used (and not looked at).
    ///
    /// # Errors
    /// [`Error::Input`] where a value is not finite, an image is not within 0 to 1, or a
    /// size is another than the network's.
    pub fn prepare(
        &self,
        visual: &[f32],
        tactile: &[f32],
        senses: Senses,
        inputs: &mut [Vec<f32>; 2],
    ) -> Result<()> {
        let [seen, felt] = inputs;
        if senses == Senses::Touch {
            seen.fill(0.0);
        } else {
            check_size("visual", visual, self.config().visual.input)?;
            if let Some(i) = visual.iter().position(|x| !(0.0..=1.0).contains(x)) {
                let value = visual[i];
                return Err(Error::Input(format!(
                    "visual value {i} is {value}, expected 0 (black) to 1"
                )));
            }
            seen.copy_from_slice(visual);
        }
        if senses == Senses::Vision {
            felt.fill(0.0);
        } else {
            check_size("tactile", tactile, self.config().tactile.input)?;
            if let Some(i) = tactile.iter().position(|x| !x.is_finite()) {
                let value = tactile[i];
                return Err(Error::Input(format!(
                    "tactile value {i} is {value}, expected a finite number"
                )));
            }
            self.scaling.apply(tactile, felt);
        }
        Ok(())
    }

    /// The published inference of many samples: their codes (what the readout makes of the
    /// causes, or else the joint causes), one row each.
    ///
    /// # Errors
    /// As [`PlaceNetwork::prepare`].
    pub fn infer(
        &self,
        samples: &Samples,
        senses: Senses,
        iterations: usize,
    ) -> Result<Vec<Vec<f32>>> {
        let all = self.infer_through(samples, senses, &[iterations])?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The same after each of these numbers of iterations, which rise; where a sample has
    /// stopped before, it stays.
    ///
    /// # Errors
    /// As [`PlaceNetwork::prepare`].
    pub fn infer_through(
        &self,
        samples: &Samples,
        senses: Senses,
        iterations: &[usize],
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        const BATCH: usize = 64;
        let mut codes = vec![Vec::with_capacity(samples.len()); iterations.len()];
        let mut one = [
            vec![0.0; self.config().visual.input],
            vec![0.0; self.config().tactile.input],
        ];
        for first in (0..samples.len()).step_by(BATCH) {
            let batch = BATCH.min(samples.len() - first);
            let mut activity = self.network.activity(batch);
            for s in 0..batch {
                let i = first + s;
                self.prepare(samples.visual(i), samples.tactile(i), senses, &mut one)?;
                for m in [VISUAL, TACTILE] {
                    super::network::row(&mut activity.inputs[m], s, batch).copy_from_slice(&one[m]);
                }
            }
            let most = iterations.last().copied().unwrap_or(0);
            self.network
                .infer_watched(senses, most, &mut activity, |done, activity| {
                    for (codes, _) in codes.iter_mut().zip(iterations).filter(|c| *c.1 == done) {
                        codes.extend(self.codes_of(activity, senses));
                    }
                });
            // Those that all samples had stopped before.
            for codes in codes.iter_mut().filter(|c| c.len() == first) {
                codes.extend(self.codes_of(&activity, senses));
            }
        }
        Ok(codes)
    }

    /// The code of each sample of a batch, as [`Recogniser`](super::Recogniser) has it.
    fn codes_of(&self, activity: &Activity<f32>, senses: Senses) -> Vec<Vec<f32>> {
        let joint = activity.joint.chunks(self.config().joint);
        let Some(readout) = &self.readout else {
            return joint.map(<[f32]>::to_vec).collect();
        };
        let top = |m: usize, s: usize| {
            let causes = activity.causes[m].last().map_or(&[][..], Vec::as_slice);
            let n = causes.len() / activity.batch();
            &causes[s * n..(s + 1) * n]
        };
        let code = |s| {
            let mut code = vec![0.0; readout.code_len()];
            readout.read([top(VISUAL, s), top(TACTILE, s)], senses, &mut code);
            code
        };
        (0..joint.len()).map(code).collect()
    }

    /// XXH3-64 of its weights file and of how codes are read, as 16 hexadecimal digits: the
    /// same for networks that code places the same.
    ///
    /// # Errors
    /// As [`PlaceNetwork::to_bytes`].
    pub fn fingerprint(&self) -> Result<String> {
        let mut bytes = self.to_bytes()?;
        if self.readout.is_some() {
            // Since parts of a code have no mean; maps of before are others'.
            bytes.extend(b"parts without a mean");
        }
        Ok(format!("{:016x}", xxh3_64(&bytes)))
    }

    /// The bytes of a weights file.
    ///
    /// # Errors
    /// [`Error::NotFinite`] names a weight that is not.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        weights_file::to_bytes(self)
    }

    /// From the bytes of a weights file.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::TensorShape`] and others name what does not fit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        weights_file::from_bytes(bytes)
    }

    /// Writes a weights file, whole or not at all.
    ///
    /// # Errors
    /// As [`PlaceNetwork::to_bytes`]; [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        weights_file::save(self, path)
    }

    /// Reads a weights file.
    ///
    /// # Errors
    /// As [`PlaceNetwork::from_bytes`]; [`Error::Io`].
    pub fn load(path: &Path) -> Result<Self> {
        weights_file::load(path)
    }
}

fn check_size(what: &str, values: &[f32], expected: usize) -> Result<()> {
    if values.len() == expected {
        return Ok(());
    }
    let n = values.len();
    Err(Error::Input(format!(
        "{n} {what} values, the network was trained on {expected}: scale the image to its size, or train on yours"
    )))
}
