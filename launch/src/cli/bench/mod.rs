//! `saccade bench`: how fast the parts are on this machine.

pub(super) mod clock;
mod engine;
mod inference;
mod nest;
mod ours;
mod place_peer;
mod place_recognition;
mod problem;
#[cfg(feature = "dds")]
mod ros;
mod scaling;
mod spinnaker;

use super::CliResult;
use clap::Subcommand;

/// Arguments of `saccade bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// The spiking engine: learning, against NEST if wanted, and deciding.
    Engine(engine::EngineArgs),
    /// Messages and events over DDS, beside PyPI cyclonedds if wanted.
    #[cfg(feature = "dds")]
    Ros(ros::RosArgs),
    /// The place network at its full size: learning, against NumPy if wanted, and queries.
    PlaceRecognition(place_recognition::PlaceRecognitionArgs),
    /// The emulated SpiNNaker board over loopback: events per second, and round trips.
    Spinnaker(spinnaker::SpinnakerArgs),
}

/// Runs `saccade bench`.
pub fn run(args: BenchArgs) -> CliResult {
    match args.command {
        BenchCommand::Engine(args) => engine::run(&args),
        #[cfg(feature = "dds")]
        BenchCommand::Ros(args) => ros::run(&args),
        BenchCommand::PlaceRecognition(args) => place_recognition::run(&args),
        BenchCommand::Spinnaker(args) => spinnaker::run(&args),
    }
}
