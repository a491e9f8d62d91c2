//! `saccade bag convert` and `saccade bag recover`: recordings into recordings.

use super::write_args::{WriteArgs, seconds_ns};
use crate::cli::{CliResult, Exit, print_json, print_line};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_rosbags::{ConvertOptions, ConvertReport, Losses, Serialization};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `saccade bag convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The format of OUT follows its name: .bag (ROS 1), .mcap, .db3, either of the latter two with \
.zstd behind it, or no extension for a rosbag2 directory with metadata.yaml. OUT must not exist; \
it appears when it is complete.

Between ROS 1 and ROS 2 messages are transcoded by the definitions in the recording, whatever \
their type. What OUT's format has no place for (header.seq in ROS 2; QoS but latching in ROS 1; \
publish times and sequence numbers anywhere but in MCAP) is counted and said. Messages that \
cannot be transcoded are lost, counted, and make the exit status 3.

  saccade bag convert run.bag run.mcap
  saccade bag convert run.mcap run --storage sqlite --compression message
  saccade bag convert long.mcap parts --split-size 1G --topics '/dvs/*' --start 10 --duration 60")]
pub struct ConvertArgs {
    /// The recording.
    input: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
    /// Topics to take, others not; * stands for any characters. Repeat it or separate by commas.
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    topics: Vec<String>,
    /// Topics to leave out.
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Leave out what was logged earlier than this after the first message, seconds.
    #[arg(long, value_name = "S", default_value = "0", value_parser = seconds_ns)]
    start: i64,
    /// Leave out what was logged later than this after the start, seconds.
    #[arg(long, value_name = "S", value_parser = seconds_ns)]
    duration: Option<i64>,
    /// Put messages in the order of their log times.
    #[arg(long)]
    sort: bool,
    /// MCAP: keep ROS 1 messages as they are, in place of transcoding them to ROS 2's.
    #[arg(long)]
    ros1: bool,
}

/// Arguments of `saccade bag recover`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads everything that can be read of a recording that was killed (.bag.active, MCAP without index, \
.db3 with its -wal, a directory without metadata.yaml), cut off or damaged, and writes it whole. The \
format of OUT follows its name, as with `saccade bag convert`; of the same kind it costs nothing else.

Exit status: 0 if nothing was missing but the index, 3 if messages are lost or something is damaged.")]
pub struct RecoverArgs {
    /// What is left of the recording: a file or a directory.
    input: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where to, and how.
#[derive(Debug, clap::Args)]
struct OutputArgs {
    /// The recording to write.
    output: PathBuf,
    #[command(flatten)]
    write: WriteArgs,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs `saccade bag convert`.
///
/// # Errors
/// The recording is damaged, or the other cannot be written.
pub fn run(args: &ConvertArgs) -> CliResult {
    let mut write = args.output.write.options(&args.output.output)?;
    if args.ros1 {
        write.messages = Serialization::Ros1;
    }
    let options = ConvertOptions {
        write,
        topics: args.topics.clone(),
        exclude: args.exclude.clone(),
        start_ns: args.start,
        duration_ns: args.duration,
        in_time_order: args.sort,
    };
    let bar = bar(&args.input);
    let output = &args.output.output;
    let report =
        saccade_rosbags::convert(&args.input, output, &options, &mut |n| bar.set_position(n));
    bar.finish_and_clear();
    let report = report?;
    match args.output.json {
        true => print_json(&Document::of(&args.input, output, &report))?,
        false => print_line(text(output, &report))?,
    }
    Ok(match report.lost {
        0 => Exit::Success,
        _ => Exit::LostData,
    })
}

/// Runs `saccade bag recover`.
///
/// # Errors
/// Nothing can be read, or the result cannot be written.
pub fn run_recover(args: &RecoverArgs) -> CliResult {
    let write = args.output.write.options(&args.output.output)?;
    let bar = bar(&args.input);
    let output = &args.output.output;
    let report =
        saccade_rosbags::recover(&args.input, output, &write, &mut |n| bar.set_position(n));
    bar.finish_and_clear();
    let report = report?;
    match args.output.json {
        true => print_json(&Document::of(&args.input, output, &report))?,
        false => print_line(format!(
            "{}\n{}",
            text(output, &report.written),
            damage_text(&report.damage)
        ))?,
    }
    let damage = &report.damage;
    let damaged =
        damage.messages + damage.suspect + report.written.lost > 0 || !damage.places.is_empty();
    Ok(match damaged {
        false => Exit::Success,
        true => Exit::LostData,
    })
}

#[derive(Serialize)]
struct Document<'a, R> {
    input: String,
    output: String,
    #[serde(flatten)]
    report: &'a R,
}

impl<'a, R> Document<'a, R> {
    fn of(input: &Path, output: &Path, report: &'a R) -> Self {
        Self {
            input: input.display().to_string(),
            output: output.display().to_string(),
            report,
        }
    }
}

/// Counts messages on stderr, where somebody looks at it.
fn bar(input: &Path) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style =
        ProgressStyle::with_template("{spinner} {msg}: {human_pos} messages, {per_sec}, {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(input.display().to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn text(output: &Path, report: &ConvertReport) -> String {
    let mut text = format!(
        "{}: {} messages of {} topics, {} bytes",
        output.display(),
        report.messages,
        report.topics,
        report.bytes
    );
    let held = &report.not_held;
    let counts = [
        (
            report.transcoded,
            "messages transcoded between ROS 1 and ROS 2",
        ),
        (report.left_out, "messages left out by the options"),
        (
            held.header_seq,
            "messages with header.seq, which ROS 2 has no place for",
        ),
        (
            held.publish_times,
            "messages with a publish time, which only MCAP has a place for",
        ),
        (
            held.sequences,
            "messages with a sequence number, which only MCAP has a place for",
        ),
        (
            held.qos,
            "topics with QoS, of which ROS 1 has a place for latching only",
        ),
        (
            held.definitions,
            "topics whose definition differs from another of their type: SQLite has one for each type",
        ),
        (
            held.attachments,
            "attachments and metadata records of MCAP, which are not carried over",
        ),
        (report.lost, "MESSAGES LOST: they could not be transcoded"),
    ];
    for (count, what) in counts {
        if count > 0 {
            text += &format!("\n  {count} {what}");
        }
    }
    for lost in &report.lost_topics {
        text += &format!(
            "\n    {} ({}): {} messages: {}",
            lost.topic, lost.r#type, lost.messages, lost.reason
        );
    }
    text
}

fn damage_text(damage: &Losses) -> String {
    let mut text = match damage.messages {
        0 if damage.places.is_empty() => "  no message is lost".to_owned(),
        0 => "  how many messages are lost, if any, is not known".to_owned(),
        n => format!("  {n} MESSAGES LOST at least"),
    };
    if damage.unfinished {
        text += "\n  the recording was not finished: its index is written now";
    }
    if damage.suspect > 0 {
        text += &format!(
            "\n  {} messages out of damaged chunks, which may be damaged themselves",
            damage.suspect
        );
    }
    for place in &damage.places {
        text += &format!("\n    {place}");
    }
    if damage.more_places > 0 {
        text += &format!("\n    and {} more places", damage.more_places);
    }
    text
}
