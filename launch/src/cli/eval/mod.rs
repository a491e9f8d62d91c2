//! `saccade eval`: how good networks are, what they stand, and what they keep.

mod classifier;
mod fixed;
mod live_class;
mod path_integration;
mod robustness;
mod stability;

use super::CliResult;

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
    /// The central complex: random ways out, and how close to home the way back comes.
    PathIntegration(path_integration::PathIntegrationArgs),
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
        What::PathIntegration(args) => path_integration::run(&args),
    }
}
