//! `saccade doctor`.

use super::{CliError, CliResult};

/// Arguments of `saccade doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {}

/// Runs `saccade doctor`.
///
/// # Errors
/// Always, until it is written.
pub fn run(_args: DoctorArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
