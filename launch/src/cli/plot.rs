//! `saccade plot`: pictures of results and recordings.

use super::{CliError, CliResult, Context, Exit, print_line};
use crate::experiment::Results;
use crate::plots::{self, Confusion, Raster};
use crate::report;
use saccade_msgs::Message;
use saccade_msgs::saccade_msgs::Spikes;
use saccade_rosbags::BagReader;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Arguments of `saccade plot`.
#[derive(Debug, clap::Args)]
pub struct PlotArgs {
    #[command(subcommand)]
    picture: Picture,
}

#[derive(Debug, clap::Subcommand)]
enum Picture {
    /// Accuracy against time since saccade onset, from `saccade eval`'s eval.json.
    Curve(InOut),
    /// Confusion matrix, from `saccade eval`'s eval.json or a run's report.json.
    Confusion(InOut),
    /// All events of a recording in one image.
    Events(EventsArgs),
    /// Spikes of a population, from a recording.
    Raster(RasterArgs),
    /// A journey out and home, from a recording: the way, the home vector, bump and memory.
    Journey(super::plot_journey::JourneyArgs),
}

#[derive(Debug, clap::Args)]
struct InOut {
    /// What to draw.
    input: PathBuf,
    /// The picture (.png).
    #[arg(long, short)]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct EventsArgs {
    #[command(flatten)]
    files: InOut,
    /// Topic of events, where a bag has several.
    #[arg(long)]
    topic: Option<String>,
}

#[derive(Debug, clap::Args)]
struct RasterArgs {
    #[command(flatten)]
    files: InOut,
    /// Topic of saccade_msgs/msg/Spikes, where the recording has several.
    #[arg(long)]
    topic: Option<String>,
    /// From which second of the recording on.
    #[arg(long, default_value_t = 0.0)]
    start: f64,
    /// For how many seconds.
    #[arg(long, default_value_t = 1.0)]
    duration: f64,
}

/// Runs `saccade plot`.
///
/// # Errors
/// The input cannot be read or the picture cannot be written.
pub fn run(args: PlotArgs) -> CliResult {
    let out = match args.picture {
        Picture::Curve(files) => {
            plots::save(&results(&files.input)?.curve_chart(), &files.out)?;
            files.out
        }
        Picture::Confusion(files) => {
            plots::save(&confusion(&files.input)?, &files.out)?;
            files.out
        }
        Picture::Events(args) => {
            return super::events::draw(&args.files.input, args.topic.as_deref(), &args.files.out);
        }
        Picture::Journey(args) => return super::plot_journey::run(&args),
        Picture::Raster(args) => {
            plots::save(&raster(&args)?, &args.files.out)?;
            args.files.out
        }
    };
    print_line(out.display())?;
    Ok(Exit::Success)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, what: &str) -> Result<T, CliError> {
    let bytes = std::fs::read(path).context(format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).context(format!("{} is not {what}", path.display()))
}

fn results(path: &Path) -> Result<Results, CliError> {
    read_json(path, "an eval.json of `saccade eval --report`")
}

/// What a confusion matrix can be drawn from.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Counted {
    Eval(Box<Results>),
    Report { summary: Counts },
}

/// The part of a report.json that a confusion matrix needs.
#[derive(serde::Deserialize)]
struct Counts {
    classes: Vec<String>,
    confusion: Vec<Vec<u64>>,
}

fn confusion(path: &Path) -> Result<Confusion, CliError> {
    Ok(match read_json(path, "an eval.json or report.json")? {
        Counted::Eval(results) => results.confusion_picture(),
        Counted::Report { summary } => report::confusion(summary.classes, summary.confusion),
    })
}

fn raster(args: &RasterArgs) -> Result<Raster, CliError> {
    if !(args.duration > 0.0 && args.duration.is_finite() && args.start.is_finite()) {
        return Err(CliError::usage(format!(
            "--start {} --duration {}: the duration must be above 0 s",
            args.start, args.duration
        )));
    }
    let path = &args.files.input;
    let mut bag = BagReader::open(path)?;
    let topic = pick_topic(&mut bag, args.topic.as_deref(), path)?;
    let mut raster = Raster {
        title: topic.clone(),
        x_label: "time since the first message (ms)".into(),
        range_ms: (args.start * 1e3, (args.start + args.duration) * 1e3),
        ..Raster::default()
    };
    let mut first_ns = None;
    while let Some(message) = bag.next_message()? {
        let begin_ns = *first_ns.get_or_insert(message.stamp_ns);
        if message.topic() != topic {
            continue;
        }
        let spikes: Spikes = message.decode(path)?;
        raster.neurons = spikes.size;
        let stamp_ms = (spikes.header.stamp.to_ns() - begin_ns) as f64 * 1e-6;
        let times = spikes.ids.iter().zip(&spikes.offsets_us);
        let times = times.map(|(&id, &us)| (stamp_ms + f64::from(us) * 1e-3, id));
        raster
            .spikes
            .extend(times.filter(|(t, _)| (raster.range_ms.0..raster.range_ms.1).contains(t)));
    }
    Ok(raster)
}

fn pick_topic(bag: &mut BagReader, asked: Option<&str>, path: &Path) -> Result<String, CliError> {
    let connections = bag.connections()?;
    let of_type = connections
        .iter()
        .filter(|c| c.type_name == Spikes::TYPE_NAME);
    let topics: BTreeSet<&str> = of_type.map(|c| c.topic.as_str()).collect();
    let known = || topics.iter().copied().collect::<Vec<_>>().join(", ");
    match (asked, topics.len()) {
        (Some(topic), _) if topics.contains(topic) => Ok(topic.to_owned()),
        (Some(topic), _) => Err(CliError::failed(format!(
            "{}: no spikes on {topic}; spikes are on: {}",
            path.display(),
            known()
        ))),
        (None, 1) => Ok(known()),
        (None, 0) => Err(CliError::failed(format!(
            "{}: no topic of type {}",
            path.display(),
            Spikes::TYPE_NAME
        ))),
        (None, _) => Err(CliError::usage(format!(
            "{}: spikes are on {}; pick one with --topic",
            path.display(),
            known()
        ))),
    }
}
