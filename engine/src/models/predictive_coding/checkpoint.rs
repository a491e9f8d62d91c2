//! Checkpoints of a training between two epochs: weights, the causes of all samples, the
//! reports, and a digest of it all; the document has everything on which the position
//! depends.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::training::{EpochReport, Schedule, Trainer};
use super::weights_file;
use crate::error::Result;
use crate::models::checkpoint::{Identity, f64s, opened, read_f64s, sealed};
use crate::models::place::Samples;
use crate::models::tensors;

const FORMAT: u32 = 1;
const KIND: &str = "predictive-coding network";
/// As many as two pathways can have layers, and the joint causes.
const CAUSES: [&str; 9] = [
    "causes.0", "causes.1", "causes.2", "causes.3", "causes.4", "causes.5", "causes.6", "causes.7",
    "causes.8",
];

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    checkpoint: String,
    #[serde(flatten)]
    identity: Identity,
    epochs: usize,
}

impl<'a> Trainer<'a> {
    /// The training as it is now, as the bytes of a checkpoint.
    ///
    /// # Errors
    /// [`Error::NotFinite`] names a weight that is not.
    pub fn checkpoint(&self) -> Result<Vec<u8>> {
        let document = Document {
            format: FORMAT,
            checkpoint: KIND.to_owned(),
            identity: self.identity()?,
            epochs: self.epoch(),
        };
        let mut list = weights_file::weights(&self.network)?;
        for (name, causes) in CAUSES.into_iter().zip(&self.causes) {
            tensors::check_finite(name, causes)?;
            list.push(tensors::f32s(name, vec![causes.len()], causes));
        }
        let of = |r: &EpochReport| [r.visual, r.tactile, r.joint[0], r.joint[1]];
        let told: Vec<f64> = self.reports.iter().flat_map(of).collect();
        list.push(f64s("reports", vec![self.epoch(), 4], &told));
        sealed(list, &document)
    }

    /// Writes the checkpoint to a file, whole or not at all.
    ///
    /// # Errors
    /// As [`Trainer::checkpoint`]; [`Error::Io`].
    pub fn save_checkpoint(&self, path: &Path) -> Result<()> {
        tensors::write(path, &self.checkpoint()?)
    }

    /// Takes up a training where its checkpoint was made. What follows is the same, to
    /// the bit, as in a training that was not interrupted.
    ///
    /// # Errors
    /// [`Error::OtherTraining`] names the first parameter in which the checkpoint is
    /// that of another training; [`Error::Checkpoint`] where it is damaged; as
    /// [`Trainer::new`].
    pub fn resume(
        samples: &'a Samples,
        config: &Config,
        schedule: &Schedule,
        seed: u64,
        bytes: &[u8],
    ) -> Result<Self> {
        let (file, found): (_, Document) = opened(bytes, KIND, FORMAT)?;
        let mut trainer = Trainer::new(samples, config, schedule, seed)?;
        trainer.identity()?.hold_against(&found.identity)?;
        trainer.network = weights_file::network(&file, config)?;
        for (name, causes) in CAUSES.into_iter().zip(&mut trainer.causes) {
            *causes = tensors::read_f32s(&file, name, &[causes.len()])?;
        }
        let told = read_f64s(&file, "reports", &[found.epochs, 4])?;
        let each = told.as_chunks::<4>().0.iter().enumerate();
        trainer.reports = each
            .map(|(k, &[visual, tactile, a, b])| EpochReport {
                epoch: k + 1,
                epochs: schedule.epochs,
                visual,
                tactile,
                joint: [a, b],
            })
            .collect();
        Ok(trainer)
    }

    /// Takes up a training from the file of its checkpoint.
    ///
    /// # Errors
    /// As [`Trainer::resume`]; [`Error::Io`].
    pub fn load_checkpoint(
        samples: &'a Samples,
        config: &Config,
        schedule: &Schedule,
        seed: u64,
        path: &Path,
    ) -> Result<Self> {
        Self::resume(samples, config, schedule, seed, &tensors::read(path)?)
    }

    fn identity(&self) -> Result<Identity> {
        let config = self.network.config();
        Identity::new(self.seed, config, &self.schedule, self.fingerprint.clone())
    }
}
