//! `saccade bag`.

use super::{CliError, CliResult};

/// Arguments of `saccade bag`.
#[derive(Debug, clap::Args)]
pub struct BagArgs {}

/// Runs `saccade bag`.
///
/// # Errors
/// Always, until it is written.
pub fn run(_args: BagArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
