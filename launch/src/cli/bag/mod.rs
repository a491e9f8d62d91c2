//! `saccade bag`: recordings of messages, one file per command.

mod convert;
mod info;
mod place_map;
#[cfg(feature = "dds")]
mod play;
#[cfg(feature = "dds")]
mod record;
mod write_args;

use super::CliResult;

/// Arguments of `saccade bag`.
#[derive(Debug, clap::Args)]
pub struct BagArgs {
    #[command(subcommand)]
    command: BagCommand,
}

#[derive(Debug, clap::Subcommand)]
enum BagCommand {
    /// Topics, types, counts, QoS and duration of a ROS 1 bag, rosbag2 (.db3, .mcap)
    /// or rosbag2 directory.
    Info(info::InfoArgs),
    /// Turn a recording into one of another format, or a part of it.
    Convert(convert::ConvertArgs),
    /// Save what can be read of a recording that was killed, cut off or damaged.
    Recover(convert::RecoverArgs),
    /// Write the places that place_recognition has published into a map file.
    PlaceMap(place_map::PlaceMapArgs),
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
        BagCommand::Convert(args) => convert::run(&args),
        BagCommand::Recover(args) => convert::run_recover(&args),
        BagCommand::PlaceMap(args) => place_map::run(&args),
        #[cfg(feature = "dds")]
        BagCommand::Play(args) => play::run(&args),
        #[cfg(feature = "dds")]
        BagCommand::Record(args) => record::run(&args),
    }
}
