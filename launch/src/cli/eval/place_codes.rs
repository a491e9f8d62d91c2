//! Samples of recordings, and their codes by a trained network.

use crate::cli::{CliError, Context};
use saccade_engine::models::place::Samples;
use saccade_engine::models::predictive_coding::PlaceNetwork;
use saccade_nodes::place_samples::{self, Topics};
use std::path::{Path, PathBuf};

/// The samples of a recording, at least two.
pub fn samples(path: &Path, topics: &Topics) -> Result<Samples, CliError> {
    let (samples, _) =
        place_samples::read(path, topics).context(format!("reading {}", path.display()))?;
    match samples.len() {
        n @ (0 | 1) => Err(CliError::failed(format!(
            "{}: {n} samples, at least 2 are needed; record a longer way",
            path.display(),
        ))),
        _ => Ok(samples),
    }
}

/// A trained network.
pub fn network(path: &Path) -> Result<PlaceNetwork, CliError> {
    PlaceNetwork::load(path).context(format!("weights {}", path.display()))
}

/// What is stored and what is asked, which are recordings of different ways.
#[derive(Debug, clap::Args)]
pub struct Ways {
    /// Recording whose samples are stored.
    #[arg(long)]
    pub train: PathBuf,
    /// Recording of another way through the same arena, whose samples are asked for.
    #[arg(long)]
    pub test: PathBuf,
    /// The trained network.
    #[arg(long)]
    pub weights: PathBuf,
}

impl Ways {
    /// Stored and asked samples.
    pub fn read(&self) -> Result<[Samples; 2], CliError> {
        if self.train == self.test {
            return Err(CliError::usage(format!(
                "{} is both --train and --test; test on another way through the arena",
                self.train.display()
            )));
        }
        let topics = Topics::default();
        Ok([
            samples(&self.train, &topics)?,
            samples(&self.test, &topics)?,
        ])
    }
}

/// The value below which so large a share of these lies; NaN of none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n => sorted[(share * (n - 1) as f64).ceil() as usize],
    }
}

/// The mean; NaN of none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
