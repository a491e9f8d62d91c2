//! `saccade plot`.

use super::{CliError, CliResult};

/// Arguments of `saccade plot`.
#[derive(Debug, clap::Args)]
pub struct PlotArgs {}

/// Runs `saccade plot`.
///
/// # Errors
/// Always, until it is written.
pub fn run(_args: PlotArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
