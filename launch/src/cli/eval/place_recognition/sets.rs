//! The samples of an evaluation: what is learnt, and what is asked.

use super::PlaceRecognitionArgs;
use crate::cli::CliError;
use crate::cli::eval::place_codes;
use saccade_engine::models::place::Samples;
use saccade_engine::models::place::baselines::PatchConfig;
use saccade_nodes::place_samples::{Topics, VISUAL};
use std::path::PathBuf;

/// Samples of one seed.
pub struct Set {
    /// Fitted to, and stored.
    pub train: Samples,
    /// Asked.
    pub test: Samples,
    /// What parameters are chosen by.
    pub validation: Option<Samples>,
    /// Asked in the dark.
    pub dark: Option<Samples>,
    /// Of another place.
    pub novel: Option<Samples>,
    /// Weights of the network.
    pub weights: Option<PathBuf>,
    /// The same of the network with receptive fields.
    pub weights_rf: Option<PathBuf>,
}

impl Set {
    /// How an image of these samples lies in its row.
    pub fn image(&self) -> PatchConfig {
        let [height, width, colours] = VISUAL;
        PatchConfig {
            width,
            height,
            colours,
            ..PatchConfig::default()
        }
    }
}

/// Reads all sets: the first recording of each option is one, the second another.
pub fn read(args: &PlaceRecognitionArgs) -> Result<Vec<Set>, CliError> {
    let sets = args.train.len();
    for (option, files) in [
        ("--test", &args.test),
        ("--validation", &args.validation),
        ("--dark", &args.dark),
        ("--novel", &args.novel),
        ("--weights", &args.weights),
        ("--weights-rf", &args.weights_rf),
    ] {
        let optional = option != "--test";
        if files.len() != sets && !(optional && files.is_empty()) {
            let n = files.len();
            return Err(CliError::usage(format!(
                "{option} names {n} files and --train {sets}; name one for each set, in the same order"
            )));
        }
    }
    let samples = |path: &PathBuf| place_codes::samples(path, &Topics::default());
    let at = |files: &[PathBuf], k: usize| files.get(k).map(samples).transpose();
    let set = |k: usize| {
        let (train, test) = (&args.train[k], &args.test[k]);
        if train == test {
            return Err(CliError::usage(format!(
                "{} is both --train and --test; test on another way through the arena",
                train.display()
            )));
        }
        Ok(Set {
            train: samples(train)?,
            test: samples(test)?,
            validation: at(&args.validation, k)?,
            dark: at(&args.dark, k)?,
            novel: at(&args.novel, k)?,
            weights: args.weights.get(k).cloned(),
            weights_rf: args.weights_rf.get(k).cloned(),
        })
    };
    (0..sets).map(set).collect()
}
