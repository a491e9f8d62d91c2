//! `saccade bag`: recordings of messages, one file per command.

mod info;

use super::CliResult;

/// Arguments of `saccade bag`.
#[derive(Debug, clap::Args)]
pub struct BagArgs {
    #[command(subcommand)]
    command: BagCommand,
}

#[derive(Debug, clap::Subcommand)]
enum BagCommand {
    /// Topics, types, counts and duration of a ROS 1 bag, rosbag2 (.db3, .mcap)
    /// or rosbag2 directory.
    Info(info::InfoArgs),
}

/// Runs `saccade bag`.
///
/// # Errors
/// What the command could not do.
pub fn run(args: BagArgs) -> CliResult {
    match args.command {
        BagCommand::Info(args) => info::run(&args),
    }
}
