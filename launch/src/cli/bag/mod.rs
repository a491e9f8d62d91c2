//! `saccade bag`: recordings of messages, one file per command.

mod info;
#[cfg(feature = "dds")]
mod play;
#[cfg(feature = "dds")]
mod record;

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
    /// Publishes a recording on ROS 2's network at its own pace.
    #[cfg(feature = "dds")]
    Play(play::PlayArgs),
    /// Records topics of ROS 2's network.
    #[cfg(feature = "dds")]
    Record(record::RecordArgs),
}

/// Runs `saccade bag`.
///
/// # Errors
/// What the command could not do.
pub fn run(args: BagArgs) -> CliResult {
    match args.command {
        BagCommand::Info(args) => info::run(&args),
        #[cfg(feature = "dds")]
        BagCommand::Play(args) => play::run(&args),
        #[cfg(feature = "dds")]
        BagCommand::Record(args) => record::run(&args),
    }
}
