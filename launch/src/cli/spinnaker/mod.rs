//! `saccade spinnaker`: SpiNNaker boards.

mod board_args;
mod connection;
mod emulate;
mod eval;
mod teach;

use super::CliResult;
use clap::Subcommand;

/// Arguments of `saccade spinnaker`.
#[derive(Debug, clap::Args)]
pub struct SpinnakerArgs {
    #[command(subcommand)]
    command: SpinnakerCommand,
}

#[derive(Debug, Subcommand)]
enum SpinnakerCommand {
    /// Run a network as if on a board, for clients of a board's live spikes.
    Emulate(emulate::EmulateArgs),
    /// Put a data set to a board, and say how that compares with this process.
    Eval(eval::EvalArgs),
    /// Teach a network on a board by the spikes of labels, and ask it without them.
    Teach(teach::TeachArgs),
}

/// Runs `saccade spinnaker`.
pub fn run(args: SpinnakerArgs) -> CliResult {
    match args.command {
        SpinnakerCommand::Emulate(args) => emulate::run(&args),
        SpinnakerCommand::Eval(args) => eval::run(&args),
        SpinnakerCommand::Teach(args) => teach::run(&args),
    }
}
