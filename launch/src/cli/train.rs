//! `saccade train` and `saccade eval`.

use super::{CliError, CliResult};

/// Arguments of `saccade train`.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {}

/// Arguments of `saccade eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {}

/// Runs `saccade train`.
///
/// # Errors
/// Always, until it is written.
pub fn run_train(_args: TrainArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}

/// Runs `saccade eval`.
///
/// # Errors
/// Always, until it is written.
pub fn run_eval(_args: EvalArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
