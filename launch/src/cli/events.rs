//! `saccade events`.

use super::{CliError, CliResult};

/// Arguments of `saccade events`.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {}

/// Runs `saccade events`.
///
/// # Errors
/// Always, until it is written.
pub fn run(_args: EventsArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
