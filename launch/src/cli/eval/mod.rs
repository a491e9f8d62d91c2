//! `saccade eval`: how good networks are, what they stand, and what they keep.

mod classifier;
mod cue_integration;
mod fixed;
mod food_places;
mod grasp;
mod live_class;
mod path_integration;
mod place_codes;
mod place_fusion;
mod place_map;
mod place_noise;
mod place_recognition;
mod place_speed;
mod robustness;
mod stability;

use super::{CliError, CliResult, Context};
use crate::experiment::{Data, encoder_of, load};
use saccade_engine::models::classifier::Classifier;
use std::path::Path;

/// Arguments of `saccade eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The classifier: weights on a data set (with --robustness under faults), or with
    /// --train and --test several trainings with controls and baselines.
    Classifier(Box<classifier::ClassifierArgs>),
    /// What becomes of a network when its teacher leaves: several ways of being taught,
    /// that differ in one thing each, and their accuracy with the label, without it, and
    /// over further epochs alone.
    Stability(stability::StabilityArgs),
    /// Teach a running classifier a class it does not know, by label messages, and see what
    /// that costs the others: through the nodes, in lockstep or in real time.
    LiveClass(live_class::LiveClassArgs),
    /// The grasping trials of one launch file in lockstep, in real time, and with a process
    /// for each node: which came out differently, and why.
    Grasp(grasp::GraspArgs),
    /// The central complex: random ways out, and how close to home the way back comes.
    PathIntegration(path_integration::PathIntegrationArgs),
    /// Two food places that the central complex remembers, and the ways between them.
    FoodPlaces(food_places::FoodPlacesArgs),
    /// Two noisy cues, and neurons that learn how far each can be trusted.
    CueIntegration(cue_integration::CueIntegrationArgs),
    /// Recordings of a robot with eyes and whiskers: how well places are known again by the
    /// network and by every baseline, with either sense gone, in the dark and elsewhere.
    PlaceRecognition(Box<place_recognition::PlaceRecognitionArgs>),
    /// Places and odometry together: a long exploration under drifting odometry, and how far
    /// off odometry, places and both are.
    PlaceFusion(Box<place_fusion::PlaceFusionArgs>),
    /// Maps of 10 to 100 000 places: time, memory and recall, and how many places each
    /// threshold of novelty would store.
    PlaceMap(place_map::PlaceMapArgs),
    /// Senses that get noisy, not absent: the network's answers by both alike, weighed by
    /// their reliability, and by each alone.
    PlaceNoise(place_noise::PlaceNoiseArgs),
    /// How good the place network's answers are for the time they take.
    PlaceSpeed(place_speed::PlaceSpeedArgs),
}

/// Runs `saccade eval`.
///
/// # Errors
/// Data or weights cannot be read or do not fit, or writing fails.
pub fn run(args: EvalArgs) -> CliResult {
    match args.what {
        What::Classifier(args) => classifier::run(&args),
        What::Stability(args) => stability::run(&args),
        What::LiveClass(args) => live_class::run(&args),
        What::Grasp(args) => grasp::run(&args),
        What::PathIntegration(args) => path_integration::run(&args),
        What::FoodPlaces(args) => food_places::run(&args),
        What::CueIntegration(args) => cue_integration::run(&args),
        What::PlaceRecognition(args) => place_recognition::run(&args),
        What::PlaceFusion(args) => place_fusion::run(&args),
        What::PlaceMap(args) => place_map::run(&args),
        What::PlaceNoise(args) => place_noise::run(&args),
        What::PlaceSpeed(args) => place_speed::run(&args),
    }
}

/// Trained weights, and a data set as their encoder sees it. Warns where the weights were
/// trained on this very data set.
pub(super) fn weights_on(
    weights: &Path,
    dataset: &Path,
    interval_ms: u16,
) -> Result<(Classifier, Data), CliError> {
    let place = || format!("weights {}", weights.display());
    let classifier = Classifier::load(weights).context(place())?;
    let encoder = encoder_of(&classifier).context(place())?;
    let data = load(dataset, interval_ms, Some(encoder))?;
    let taught = &classifier.provenance().dataset_fingerprint;
    if taught.split(',').any(|one| one == data.source.fingerprint) {
        eprintln!(
            "warning: these weights were trained on this very data set; the accuracy is not held out"
        );
    }
    Ok((classifier, data))
}

/// Refuses a test on what was taught, by the fingerprints of both data sets; `taught` may be
/// several with commas between.
pub(super) fn not_the_same(option: &str, taught: &str, test: &str) -> Result<(), CliError> {
    if taught.split(',').all(|one| one != test) {
        return Ok(());
    }
    Err(CliError::failed(format!(
        "{option} and --test hold the same samples; make the test set with another seed and --split test"
    )))
}
