//! `saccade dataset`.

use super::{CliError, CliResult};

/// Arguments of `saccade dataset`.
#[derive(Debug, clap::Args)]
pub struct DatasetArgs {}

/// Runs `saccade dataset`.
///
/// # Errors
/// Always, until it is written.
pub fn run(_args: DatasetArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
