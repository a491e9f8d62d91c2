//! `saccade events`: event-camera files and event topics in bags.

mod bench;
mod convert;
mod frames;
mod generate;
mod info;
#[cfg(feature = "dds")]
mod play;
mod render;

pub use render::draw;

use super::CliResult;
use saccade_rosbags::events::{Aedat2Convention, EventSource, ReadOptions};
use std::path::PathBuf;

/// Arguments of `saccade events`.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    command: EventsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum EventsCommand {
    /// Counts, times, checksum and losses of a recording (Prophesee RAW and DAT,
    /// AEDAT 2 to 4, Event Stream, N-MNIST .bin, .csv, .npy, .npz, ROS 1 bag,
    /// rosbag2 .db3 and .mcap).
    Info(info::InfoArgs),
    /// Write a recording in another format, in whole or in part, and say what that
    /// format cannot.
    Convert(convert::ConvertArgs),
    /// How fast a recording can be read, decoded and turned into spikes, against other
    /// readers and the machine's memory: best time of several, one core.
    Bench(bench::BenchArgs),
    /// Write a large file of synthetic events, to measure with.
    Generate(generate::GenerateArgs),
    /// Pictures of a recording: one of all events, a film, a topic of images, or a
    /// folder of frames with the picture of all beside them.
    Render(render::RenderArgs),
    /// Publishes a recording on ROS 2's network at its own pace, as a camera would.
    #[cfg(feature = "dds")]
    Play(play::PlayArgs),
}

/// A recording of events, as every subcommand takes it.
#[derive(Debug, clap::Args)]
struct Recording {
    /// The recording.
    file: PathBuf,
    /// Topic of events, where a bag has several.
    #[arg(long)]
    topic: Option<String>,
    /// What the bits of AEDAT 2 mean: as iniVation's document says, or as jAER shows
    /// it (columns mirrored, polarity of the DVS128 inverted).
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    aedat2: Aedat2,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Aedat2 {
    #[default]
    Inivation,
    Jaer,
}

impl Recording {
    fn open(&self) -> saccade_rosbags::Result<EventSource> {
        EventSource::open_with(&self.file, self.topic.as_deref(), self.options())
    }

    fn options(&self) -> ReadOptions {
        ReadOptions {
            aedat2: match self.aedat2 {
                Aedat2::Inivation => Aedat2Convention::Inivation,
                Aedat2::Jaer => Aedat2Convention::Jaer,
            },
        }
    }
}

/// Runs `saccade events`.
///
/// # Errors
/// The recording cannot be read to its end, or what is made of it cannot be written.
pub fn run(args: EventsArgs) -> CliResult {
    match args.command {
        EventsCommand::Info(args) => info::run(&args),
        EventsCommand::Convert(args) => convert::run(&args),
        EventsCommand::Bench(args) => bench::run(&args),
        EventsCommand::Generate(args) => generate::run(&args),
        EventsCommand::Render(args) => render::run(&args),
        #[cfg(feature = "dds")]
        EventsCommand::Play(args) => play::run(&args),
    }
}
