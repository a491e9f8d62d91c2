//! `saccade node`.

use super::{CliError, CliResult};

/// Arguments of `saccade node`.
#[derive(Debug, clap::Args)]
pub struct NodeArgs {}

/// Runs `saccade node`.
///
/// # Errors
/// Always, until it is written.
pub fn run(_args: NodeArgs) -> CliResult {
    Err(CliError::failed("not written yet"))
}
