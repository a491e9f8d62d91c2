//! A training that can be interrupted: its checkpoint in a file.

use crate::experiment::ExperimentError;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::sample::Sample;
use saccade_engine::models::training::{EpochReport, TrainConfig, Trainer};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where a training is kept so that it can go on after an interruption.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// File, replaced whole.
    pub path: PathBuf,
    /// Longest time between two; there is one after every epoch as well.
    pub every: Duration,
    /// Goes on from the file where it is there.
    pub resume: bool,
}

/// A training up to its last epoch, with a checkpoint where one is asked for; `heard`
/// hears of every epoch, also of those done before.
///
/// # Errors
/// Parameters out of range, the training diverges, or the checkpoint is damaged, that
/// of another training, or cannot be written.
pub fn run<'a>(
    samples: &'a [Sample],
    config: &ClassifierConfig,
    training: &TrainConfig,
    seed: u64,
    checkpoint: Option<&Checkpoint>,
    heard: &mut dyn FnMut(&EpochReport),
) -> Result<Trainer<'a>, ExperimentError> {
    let mut trainer = match checkpoint {
        Some(kept) if kept.resume && kept.path.exists() => {
            Trainer::load_checkpoint(samples, config, training, seed, &kept.path)
                .map_err(|source| kept.failed(source))?
        }
        _ => Trainer::new(samples, config, training, seed)?,
    };
    trainer.reports().iter().for_each(&mut *heard);
    let mut saved = Instant::now();
    while trainer.epoch() < training.epochs {
        let report = trainer.step()?;
        report.iter().for_each(&mut *heard);
        if let Some(kept) = checkpoint
            && (report.is_some() || saved.elapsed() >= kept.every)
        {
            trainer
                .save_checkpoint(&kept.path)
                .map_err(|source| kept.failed(source))?;
            saved = Instant::now();
        }
    }
    Ok(trainer)
}

impl Checkpoint {
    pub(crate) fn failed(&self, source: saccade_engine::Error) -> ExperimentError {
        ExperimentError::Checkpoint {
            path: self.path.clone(),
            source,
        }
    }
}
