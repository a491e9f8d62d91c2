//! `saccade launch`.

use super::{CliError, CliResult};

/// Arguments of `saccade launch`.
#[derive(Debug, clap::Args)]
pub struct LaunchArgs {}

/// Runs `saccade launch`.
///
/// # Errors
/// Always, until it is written.
pub fn run(_args: LaunchArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
