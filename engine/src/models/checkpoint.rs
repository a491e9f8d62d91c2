//! Checkpoints: a training put into a file between two batches, and taken up from it.
//!
//! The file is `safetensors`: weights, their running average and the optimizer's
//! moments (F32), the reports of the epochs done and the sums of the running one (F64,
//! because both end up in what a training hands out), and `digest` (U64, one number),
//! XXH3-64 of the document and of every other tensor, so that a flipped bit is found.
//! The document in the metadata has the position and everything that the position's
//! meaning depends on: configuration, seed and fingerprint of the samples. It has no
//! generator, because every draw comes from seed, epoch and sample.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use super::config::ClassifierConfig;
use super::sample::{Sample, fingerprint};
use super::tensors::{self, Tensor};
use super::training::{EpochReport, Progress, Tally, TrainConfig, Trainer};
use crate::error::{Error, Result};
use crate::network::{Topology, Weights};

const FORMAT: u32 = 1;
const KIND: &str = "classifier";
const DIGEST: &str = "digest";
/// Names of the parts of a [`Weights`].
type Names = [&'static str; 3];
const WEIGHTS: Names = ["w_in", "w_rec", "w_out"];
const AVERAGE: Names = ["average.w_in", "average.w_rec", "average.w_out"];
const MEAN: Names = ["mean.w_in", "mean.w_rec", "mean.w_out"];
const SQUARE: Names = ["square.w_in", "square.w_rec", "square.w_out"];

/// The training that a checkpoint belongs to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Identity {
    seed: u64,
    network: Value,
    training: Value,
    /// Fingerprint of the samples.
    samples: String,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    /// What is trained.
    checkpoint: String,
    #[serde(flatten)]
    identity: Identity,
    /// Epochs done, and batches of the next one.
    epochs: usize,
    batches: usize,
    /// Steps of the optimizer.
    steps: u64,
}

impl Identity {
    /// Of this network, training, and fingerprint of the samples.
    pub(crate) fn new(
        seed: u64,
        network: &impl Serialize,
        training: &impl Serialize,
        samples: String,
    ) -> Result<Self> {
        let value = |v: serde_json::Result<Value>| v.map_err(|e| Error::Checkpoint(e.to_string()));
        Ok(Self {
            seed,
            network: value(serde_json::to_value(network))?,
            training: value(serde_json::to_value(training))?,
            samples,
        })
    }

    /// Fails on the first thing in which the training in the checkpoint is another.
    pub(crate) fn hold_against(&self, found: &Self) -> Result<()> {
        let fingerprint = |s: &str| Value::String(s.to_owned());
        let parts = [
            ("seed", self.seed.into(), found.seed.into()),
            ("network", self.network.clone(), found.network.clone()),
            ("training", self.training.clone(), found.training.clone()),
            (
                "fingerprint of the samples",
                fingerprint(&self.samples),
                fingerprint(&found.samples),
            ),
        ];
        for (name, expected, found) in parts {
            if let Some((name, expected, found)) = difference(name, &expected, &found) {
                return Err(Error::OtherTraining {
                    name,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

/// The first leaf in which two documents differ: its dotted name and both values.
fn difference(name: &str, a: &Value, b: &Value) -> Option<(String, String, String)> {
    if let (Value::Object(a), Value::Object(b)) = (a, b) {
        let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
        keys.sort();
        keys.dedup();
        return keys.into_iter().find_map(|key| {
            let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
            let (a, b) = (of(a).unwrap_or_default(), of(b).unwrap_or_default());
            difference(&format!("{name}.{key}"), &a, &b)
        });
    }
    (a != b).then(|| (name.to_owned(), a.to_string(), b.to_string()))
}

impl<'a> Trainer<'a> {
    /// The training as it is now, as the bytes of a checkpoint.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it cannot be said in `safetensors`.
    pub fn checkpoint(&self) -> Result<Vec<u8>> {
        let config = self.classifier.config();
        let document = Document {
            format: FORMAT,
            checkpoint: KIND.to_owned(),
            identity: Identity::new(self.seed, config, &self.config, fingerprint(self.samples))?,
            epochs: self.epoch(),
            batches: self.progress.batches,
            steps: self.optimizer.steps(),
        };
        sealed(self.tensors(), &document)
    }

    /// Writes the checkpoint to a file, whole or not at all.
    ///
    /// # Errors
    /// As [`Trainer::checkpoint`]; [`Error::Io`].
    pub fn save_checkpoint(&self, path: &Path) -> Result<()> {
        tensors::write(path, &self.checkpoint()?)
    }

    fn tensors(&self) -> Vec<Tensor> {
        let network = self.classifier.network();
        let mut sets = vec![(WEIGHTS, &network.weights), (AVERAGE, &self.average)];
        if let Some([mean, square]) = self.optimizer.moments() {
            sets.extend([(MEAN, mean), (SQUARE, square)]);
        }
        let mut list = Vec::new();
        for (names, weights) in sets {
            for (name, part) in names.into_iter().zip(weights.parts()) {
                list.push(tensors::f32s(name, vec![part.len()], part));
            }
        }
        if let Some(feedback) = &network.feedback {
            list.push(tensors::f32s("feedback", vec![feedback.len()], feedback));
        }
        let Progress { reports, tally, .. } = &self.progress;
        let of = |r: &EpochReport| [r.loss, r.accuracy, r.mean_rate_hz];
        let told: Vec<f64> = reports.iter().flat_map(of).collect();
        list.push(f64s("reports", vec![reports.len(), 3], &told));
        let counts = [tally.right, tally.spikes, tally.ticks].map(|n| n as f64);
        let running = [tally.loss, counts[0], counts[1], counts[2]];
        list.push(f64s("running", vec![4], &running));
        list
    }

    /// Takes up a training where its checkpoint was made. What follows is the same, to
    /// the bit, as in a training that was not interrupted.
    ///
    /// # Errors
    /// [`Error::OtherTraining`] names the first parameter in which the checkpoint is
    /// that of another training; [`Error::Checkpoint`] where it is damaged; as
    /// [`Trainer::new`].
    pub fn resume(
        samples: &'a [Sample],
        config: &ClassifierConfig,
        training: &TrainConfig,
        seed: u64,
        bytes: &[u8],
    ) -> Result<Self> {
        let (file, found): (_, Document) = opened(bytes, KIND, FORMAT)?;
        // The order of this: parameters are told apart before they are used.
        config.validate()?;
        Identity::new(seed, config, training, fingerprint(samples))?
            .hold_against(&found.identity)?;

        let mut trainer = Self::drawn(samples, config, training, seed)?;
        let t = trainer.classifier.network().topology;
        trainer.average = weights(&file, AVERAGE, &t)?;
        if trainer.optimizer.moments().is_some() {
            let moments = [weights(&file, MEAN, &t)?, weights(&file, SQUARE, &t)?];
            trainer.optimizer.restore(found.steps, Some(moments));
        } else {
            trainer.optimizer.restore(found.steps, None);
        }
        let network = trainer.classifier.network_mut();
        network.weights = weights(&file, WEIGHTS, &t)?;
        if let Some(feedback) = &mut network.feedback {
            *feedback = tensors::read_f32s(&file, "feedback", &[feedback.len()])?;
        }
        trainer.progress = progress(&file, &found, training.epochs)?;
        let batches = trainer.batches();
        let steps = found.epochs.checked_mul(batches);
        let steps = steps.and_then(|n| n.checked_add(found.batches));
        if found.batches >= batches || steps.map(|n| n as u64) != Some(found.steps) {
            return Err(Error::Checkpoint(format!(
                "{} steps after {} epochs and {} batches of {batches}",
                found.steps, found.epochs, found.batches
            )));
        }
        Ok(trainer)
    }

    /// Takes up a training from the file of its checkpoint.
    ///
    /// # Errors
    /// As [`Trainer::resume`]; [`Error::Io`].
    pub fn load_checkpoint(
        samples: &'a [Sample],
        config: &ClassifierConfig,
        training: &TrainConfig,
        seed: u64,
        path: &Path,
    ) -> Result<Self> {
        Self::resume(samples, config, training, seed, &tensors::read(path)?)
    }
}

/// The tensors and the document of a checkpoint of such a network's training, in this
/// format and as it was written.
pub(crate) fn opened<'a, D: DeserializeOwned>(
    bytes: &'a [u8],
    kind: &str,
    format: u32,
) -> Result<(SafeTensors<'a>, D)> {
    let (file, document) = tensors::open(bytes).map_err(Error::Checkpoint)?;
    check_kind(&document, kind, format)?;
    check_digest(&file, &document)?;
    let found = serde_json::from_str(&document);
    let found = found.map_err(|e| Error::Checkpoint(format!("metadata: {e}")))?;
    Ok((file, found))
}

/// Fails where a checkpoint is not one of a training of such a network, in this format.
fn check_kind(document: &str, kind: &str, format: u32) -> Result<()> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
        checkpoint: Option<String>,
    }
    let bad = |e: serde_json::Error| Error::Checkpoint(format!("metadata: {e}"));
    let version: Version = serde_json::from_str(document).map_err(bad)?;
    if version.checkpoint.as_deref() != Some(kind) {
        return Err(Error::Checkpoint(format!(
            "this is no checkpoint of a {kind}'s training"
        )));
    }
    if version.format != format {
        return Err(Error::Checkpoint(format!(
            "format version {}, this program reads version {format}",
            version.format
        )));
    }
    Ok(())
}

fn digest<'d>(document: &str, tensors: impl Iterator<Item = (&'d str, &'d [u8])>) -> u64 {
    let mut parts: Vec<_> = tensors.filter(|(name, _)| *name != DIGEST).collect();
    parts.sort_unstable();
    let mut hash = Xxh3::new();
    hash.update(document.as_bytes());
    for (name, data) in parts {
        hash.update(name.as_bytes());
        hash.update(data);
    }
    hash.digest()
}

/// The bytes of a file with these tensors, this document, and the digest of both.
pub(crate) fn sealed(mut list: Vec<Tensor>, document: &impl Serialize) -> Result<Vec<u8>> {
    let document = serde_json::to_string(document);
    let document = document.map_err(|e| Error::Checkpoint(e.to_string()))?;
    let parts = list.iter().map(|(name, _, _, data)| (*name, &data[..]));
    let digest = digest(&document, parts);
    list.push((DIGEST, Dtype::U64, vec![1], digest.to_le_bytes().to_vec()));
    tensors::serialize(&list, document).map_err(Error::Checkpoint)
}

/// Fails where a file is not as it was written.
fn check_digest(file: &SafeTensors<'_>, document: &str) -> Result<()> {
    let said = tensors::bytes(file, DIGEST, Dtype::U64, &[1])?;
    let views = file.iter();
    let is = digest(document, views.map(|(name, view)| (name, view.data())));
    if said != is.to_le_bytes() {
        return Err(Error::Checkpoint(
            "its digest is not that of its content: the file is damaged".to_owned(),
        ));
    }
    Ok(())
}

fn weights(file: &SafeTensors<'_>, names: Names, topology: &Topology) -> Result<Weights<f32>> {
    let mut all = Weights::zeros(topology);
    for (name, part) in names.into_iter().zip(all.parts_mut()) {
        part.copy_from_slice(&tensors::read_f32s(file, name, &[part.len()])?);
    }
    Ok(all)
}

fn progress(file: &SafeTensors<'_>, found: &Document, epochs: usize) -> Result<Progress> {
    let told = read_f64s(file, "reports", &[found.epochs, 3])?;
    let reports = told.as_chunks::<3>().0.iter().enumerate();
    let running = read_f64s(file, "running", &[4])?;
    Ok(Progress {
        reports: reports
            .map(|(k, &[loss, accuracy, mean_rate_hz])| EpochReport {
                epoch: k + 1,
                epochs,
                loss,
                accuracy,
                mean_rate_hz,
            })
            .collect(),
        batches: found.batches,
        tally: Tally {
            loss: running[0],
            right: running[1] as usize,
            spikes: running[2] as usize,
            ticks: running[3] as usize,
        },
    })
}

pub(crate) fn f64s(name: &'static str, shape: Vec<usize>, values: &[f64]) -> Tensor {
    let data = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    (name, Dtype::F64, shape, data)
}

pub(crate) fn read_f64s(
    file: &SafeTensors<'_>,
    name: &'static str,
    shape: &[usize],
) -> Result<Vec<f64>> {
    let (words, _) = tensors::bytes(file, name, Dtype::F64, shape)?.as_chunks::<8>();
    Ok(words.iter().map(|&b| f64::from_le_bytes(b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::feedback::Feedback;
    use crate::learning::optimizer::OptimizerConfig;
    use crate::models::augment::Augment;

    fn network() -> ClassifierConfig {
        ClassifierConfig {
            n_in: 32,
            n_lif: 6,
            n_alif: 5,
            max_ticks: 30,
            input_gain: 2.0,
            ..ClassifierConfig::default()
        }
    }

    fn training() -> TrainConfig {
        TrainConfig {
            epochs: 3,
            batch: 8,
            augment: Augment {
                width: 4,
                height: 4,
                shift: 1,
                ..Augment::default()
            },
            ..TrainConfig::default()
        }
    }

    fn samples() -> Vec<Sample> {
        let spike = |i: usize, k: usize| ((k % 30) as u16, ((8 * (i % 4) + k * 5 % 8) % 32) as u32);
        let one = |i: usize| Sample {
            spikes: (0..40).map(|k| spike(i, k + i / 4)).collect(),
            ticks: 30,
            label: i % 4,
            weight: 1.0,
        };
        (0..24).map(one).collect()
    }

    /// What a training hands out, and all its reports.
    fn finished(mut trainer: Trainer<'_>, epochs: usize) -> (Vec<u8>, Vec<EpochReport>) {
        while trainer.epoch() < epochs {
            trainer.step().unwrap();
        }
        let (classifier, report) = trainer.finish();
        (classifier.to_bytes().unwrap(), report.epochs)
    }

    /// Through a checkpoint after every single batch: nothing differs, for every kind
    /// of state that there is.
    #[test]
    fn a_training_resumed_after_every_batch_is_the_same_to_the_bit() {
        let samples = samples();
        let adam = (network(), training());
        let mut sgd = adam.clone();
        sgd.1.optimizer = OptimizerConfig::Sgd { eta: 0.1 };
        sgd.0.feedback = Feedback::Random;
        let mut raw = adam.clone();
        raw.1.initial_rate_hz = None;
        raw.1.held_out = 0.0;
        let mut adaptive = adam.clone();
        adaptive.0.feedback = Feedback::Adaptive { decay: 0.01 };
        for (config, training) in [adam, sgd, raw, adaptive] {
            let begin = || Trainer::new(&samples, &config, &training, 9).unwrap();
            let straight = finished(begin(), training.epochs);
            let mut trainer = begin();
            while trainer.epoch() < training.epochs {
                trainer.step().unwrap();
                let bytes = trainer.checkpoint().unwrap();
                trainer = Trainer::resume(&samples, &config, &training, 9, &bytes).unwrap();
                assert_eq!(trainer.checkpoint().unwrap(), bytes);
            }
            assert_eq!(finished(trainer, training.epochs), straight);
        }
    }

    fn half_way(samples: &[Sample]) -> Vec<u8> {
        let mut trainer = Trainer::new(samples, &network(), &training(), 9).unwrap();
        for _ in 0..4 {
            trainer.step().unwrap();
        }
        trainer.checkpoint().unwrap()
    }

    #[test]
    fn a_checkpoint_of_another_training_is_refused_by_name() {
        let samples = samples();
        let bytes = half_way(&samples);
        let text =
            |samples: &[Sample], network: &ClassifierConfig, training: &TrainConfig, seed| {
                let refused = Trainer::resume(samples, network, training, seed, &bytes).err();
                refused.expect("refused").to_string()
            };
        let (n, t) = (network(), training());
        assert!(text(&samples, &n, &t, 8).contains("seed is 9 there and 8 here"));
        let mut other = t.clone();
        other.optimizer = OptimizerConfig::adam(0.01);
        let said = text(&samples, &n, &other, 9);
        assert!(
            said.contains("training.optimizer.eta is 0.03 there and 0.01 here"),
            "{said}"
        );
        let mut other = n.clone();
        other.neuron.tau_m_ms = 21.0;
        let said = text(&samples, &other, &t, 9);
        assert!(said.contains("network.neuron.tau_m_ms is 20.0"), "{said}");
        let mut changed = samples.clone();
        changed[3].spikes[0].1 ^= 1;
        let said = text(&changed, &n, &t, 9);
        assert!(said.contains("fingerprint of the samples is"), "{said}");
    }

    #[test]
    fn damage_is_an_error() {
        let samples = samples();
        let bytes = half_way(&samples);
        let resume = |bytes: &[u8]| Trainer::resume(&samples, &network(), &training(), 9, bytes);
        assert!(resume(&bytes).is_ok());
        for end in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
            assert!(resume(&bytes[..end]).is_err(), "cut at {end}");
        }
        // Every byte of the header and every 53rd of the tensors.
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for at in (0..header).chain((header..bytes.len()).step_by(53)) {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1;
            assert!(resume(&spoilt).is_err(), "bit flipped at {at}");
        }
    }

    #[test]
    fn weights_and_checkpoints_are_told_apart() {
        use crate::models::classifier::Classifier;
        let samples = samples();
        let bytes = half_way(&samples);
        let error = Classifier::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("the checkpoint of a training"), "{error}");
        let weights = Classifier::new(network(), 1).unwrap().to_bytes().unwrap();
        let refused = Trainer::resume(&samples, &network(), &training(), 9, &weights).err();
        let error = refused.expect("refused").to_string();
        assert!(error.contains("no checkpoint"), "{error}");
    }
}
