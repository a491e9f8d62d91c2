//! `saccade bag record`: topics of the network into a file.

mod topics;

use super::write_args::WriteArgs;
use crate::cli::live::NetworkArgs;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, stop};
use saccade_rosbags::{BagRecorder, RecorderOptions};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use topics::Topics;

/// Arguments of `saccade bag record`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
    Ctrl-C ends the recording. If the process dies, everything is readable that came more than \
    --flush-ms before, if need be after `saccade bag recover`. Definitions are recorded of the types this program knows.\n\n\
    Examples:\n  \
    saccade bag record -o run.mcap --all\n  \
    saccade bag record -o run --all --split-size 1G --compression file\n  \
    saccade bag record -o run.mcap /event_camera/events /joint_states --duration 60")]
pub struct RecordArgs {
    /// Recording to write: .mcap, .db3, .bag (ROS 1), or without extension a
    /// rosbag2 directory.
    #[arg(long, short)]
    out: PathBuf,
    /// Topics to record; they may appear later.
    topics: Vec<String>,
    /// Record every topic that has a publisher, also those that appear later.
    #[arg(long, conflicts_with = "topics")]
    all: bool,
    /// Seconds after which the recording ends.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// What was received is readable in the file after this many milliseconds.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    flush_ms: u64,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// How often new topics are looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Runs `saccade bag record`.
pub fn run(args: &RecordArgs) -> CliResult {
    if args.topics.is_empty() && !args.all {
        return Err(CliError::usage(
            "no topic to record: name some, or say --all",
        ));
    }
    let end = match args.duration {
        Some(s) if (0.0..=1e9).contains(&s) => Some(Instant::now() + Duration::from_secs_f64(s)),
        Some(s) => {
            let text = format!("--duration {s}: expected seconds, 0 to 1e9");
            return Err(CliError::usage(text));
        }
        None => None,
    };
    let stop = stop::on_ctrl_c()?;
    let options = RecorderOptions {
        write: args.write.options(&args.out)?,
        flush_every: Duration::from_millis(args.flush_ms),
        ..RecorderOptions::default()
    };
    let serialization = options.write.serialization(&args.out)?;
    let mut recorder = BagRecorder::create(&args.out, &options)?;
    let mut participant = args.network.join("saccade_bag_record")?;
    let mut topics = Topics::new(&args.topics, serialization);
    let mut looked: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            topics.follow(&mut participant, &mut recorder)?;
            looked = Some(Instant::now());
        }
        topics.take(&mut recorder)?;
        participant.wait(LOOK);
    }
    // What was acknowledged shall be recorded.
    topics.take(&mut recorder)?;
    let dropped = recorder.finish()?.dropped;
    let recorded = Recorded {
        file: args.out.display().to_string(),
        dropped,
        topics: topics.report(),
    };
    recorded.report(args.json)
}

/// What was recorded.
#[derive(Debug, Serialize)]
struct Recorded {
    file: String,
    /// Messages that the disk was too slow for.
    dropped: u64,
    topics: Vec<RecordedTopic>,
}

/// What was recorded of a topic.
#[derive(Debug, Serialize)]
struct RecordedTopic {
    topic: String,
    r#type: String,
    messages: u64,
    /// Messages that did not come, by the publishers' numbers.
    lost: u64,
}

impl Recorded {
    fn report(&self, json: bool) -> CliResult {
        if json {
            print_json(self)?;
        } else {
            let messages: u64 = self.topics.iter().map(|t| t.messages).sum();
            print_line(format!("{}: {messages} messages", self.file))?;
            for t in &self.topics {
                let lost = match t.lost {
                    0 => String::new(),
                    n => format!(", {n} lost"),
                };
                print_line(format!("  {}  {}  {}{lost}", t.topic, t.r#type, t.messages))?;
            }
        }
        let lost: u64 = self.topics.iter().map(|t| t.lost).sum();
        if lost + self.dropped == 0 {
            return Ok(Exit::Success);
        }
        eprintln!(
            "warning: {lost} messages did not come, {} found the queue to the disk full",
            self.dropped
        );
        Ok(Exit::LostData)
    }
}
