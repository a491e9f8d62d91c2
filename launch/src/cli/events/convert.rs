//! `saccade events convert`: a recording in another format.

use super::Recording;
use super::info::{losses, warn};
use crate::cli::{CliError, CliResult, Context, print_json, print_line};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_nodes::filters::{Chain, FilterError};
use saccade_rosbags::events::{
    Compression, Encoding, EventBatch, EventSource, EventWriter, FileFormat, Geometry,
    SourceCounts, WriteCounts, WriteOptions,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `saccade events convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  saccade events convert camera.raw camera.aedat4 --compression zstd
  saccade events convert drive.aedat4 drive.mcap --encoding evt3 --from-zero
  saccade events convert run.bag part.csv --start-us 500000 --duration-us 1000000

What a format cannot say is an error (a time or an address too large for it, time \
that steps back) or counted and printed (triggers, the size of the sensor). The \
checksum is that of `saccade events info` of the new file.")]
pub struct ConvertArgs {
    #[command(flatten)]
    recording: Recording,
    /// The file to write; its extension tells the format (.raw, .dat, .aedat4,
    /// .aedat for AEDAT 3.1, .es, .bin for N-MNIST, .csv, .npy, .npz, .mcap, .bag).
    out: PathBuf,
    /// The format, whatever the extension.
    #[arg(long, value_parser = one_of(&FileFormat::NAMES))]
    format: Option<FileFormat>,
    /// How events are encoded: evt3 in .raw and mono in bags unless told.
    #[arg(long, value_parser = one_of(&Encoding::NAMES))]
    encoding: Option<Encoding>,
    /// How the content is packed: lz4 in AEDAT 4 and none in .npz unless told.
    #[arg(long, value_parser = one_of(&Compression::NAMES))]
    compression: Option<Compression>,
    /// Topic in the bag that is written: that of the recording, or /events.
    #[arg(long)]
    out_topic: Option<String>,
    /// Size of the sensor, where the recording does not tell it: 640x480.
    #[arg(long, value_parser = sensor)]
    sensor: Option<Geometry>,
    /// Leave out what comes earlier after the first event, in µs.
    #[arg(long, default_value_t = 0)]
    start_us: u64,
    /// Leave out what comes so long after the start or later, in µs.
    #[arg(long)]
    duration_us: Option<u64>,
    /// Count times from the first event that is written.
    #[arg(long)]
    from_zero: bool,
    /// Filters that the events pass on the way, as the node dvs_ingest takes them:
    /// `background=5ms,refractory=1ms` (see nodes/doc/dvs_ingest.md).
    #[arg(long, value_name = "SPEC")]
    filter: Option<String>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Parses one of some names.
fn one_of<T: Copy + Send + Sync + 'static>(
    names: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names.iter().map(|(name, _)| *name)).try_map(|said| {
        let found = names.iter().find(|(name, _)| *name == said);
        found.map(|(_, value)| *value).ok_or("not a name")
    })
}

/// Parses `640x480`.
fn sensor(text: &str) -> Result<Geometry, String> {
    let (width, height) = text.split_once('x').ok_or("columns x rows, as 640x480")?;
    let side = |text: &str| match text.trim().parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is not a number from 1 to 65535")),
        Ok(n) => Ok(n),
    };
    Ok(Geometry {
        width: side(width)?,
        height: side(height)?,
    })
}

/// Runs `saccade events convert`.
pub fn run(args: &ConvertArgs) -> CliResult {
    let file = &args.recording.file;
    let doing = || format!("converting {} to {}", file.display(), args.out.display());
    let summary = convert(args).context(doing())?;
    if args.json {
        print_json(&summary)?;
    } else {
        print_line(summary.text())?;
    }
    if summary.geometry_lost {
        eprintln!(
            "note: {} has no place for the size of the sensor",
            summary.format
        );
    }
    let mut lost = losses(summary.lost_packets, &summary.read.decode);
    if summary.triggers_lost > 0 {
        let n = summary.triggers_lost;
        lost.push(format!("{n} triggers that {} cannot say", summary.format));
    }
    Ok(warn(&lost))
}

fn convert(args: &ConvertArgs) -> Result<Summary, CliError> {
    let mut source = args.recording.open()?;
    let stop = stop_flag();
    let progress = progress(&args.recording.file);
    let mut window = Window {
        start_us: args.start_us,
        duration_us: args.duration_us,
        ..Window::default()
    };
    let mut batch = EventBatch::default();
    // Of a topic the size of the sensor is known with the first message.
    let mut more = source.next_batch(&mut batch)?;
    let mut options = options(args, &source);
    let mut chain = filters(args, options.geometry)?;
    if let Some(chain) = &chain {
        options.geometry = Some(chain.geometry());
    }
    let mut writer = EventWriter::create(&args.out, &options)?;
    while more {
        window.cut(&mut batch);
        if let Some(chain) = &mut chain {
            chain.process(&mut batch.events);
        }
        writer.write(&batch)?;
        progress.set_position(source.bytes_read());
        if stop.load(Ordering::Relaxed) {
            return Err(CliError::failed("stopped; nothing was written"));
        }
        more = source.next_batch(&mut batch)?;
    }
    if let Some(chain) = &mut chain {
        batch.clear();
        chain.finish(&mut batch.events);
        writer.write(&batch)?;
    }
    let written = writer.finish()?;
    progress.finish_and_clear();
    let format = options
        .format
        .map_or_else(|| FileFormat::of_path(&args.out), Ok)?;
    let mut summary = Summary::new(args, &source, format, window.left_out, written);
    summary.filters = chain.map_or_else(Vec::new, |chain| removed(&chain));
    Ok(summary)
}

/// The filters asked for; they must know the size of the sensor.
fn filters(args: &ConvertArgs, sensor: Option<Geometry>) -> Result<Option<Chain>, CliError> {
    let Some(text) = &args.filter else {
        return Ok(None);
    };
    let sensor = sensor.ok_or_else(|| {
        let told = "filters need the size of the sensor, which the recording does not tell";
        CliError::usage(format!("{told}: name it (--sensor 640x480)"))
    })?;
    let wrong = |e: FilterError| CliError::usage(format!("--filter: {e}"));
    Chain::parse(text, sensor).map(Some).map_err(wrong)
}

fn removed(chain: &Chain) -> Vec<Removed> {
    let counts = chain.counts().into_iter().map(|c| (c.name, c.removed));
    let outside = (chain.outside() > 0).then(|| ("outside".to_owned(), chain.outside()));
    (counts.chain(outside))
        .map(|(filter, events)| Removed { filter, events })
        .collect()
}

fn options(args: &ConvertArgs, source: &EventSource) -> WriteOptions {
    let bag = |format| matches!(format, FileFormat::Mcap | FileFormat::Ros1Bag);
    let format = args.format.or_else(|| FileFormat::of_path(&args.out).ok());
    let of_source = source.topic().filter(|_| format.is_some_and(bag));
    WriteOptions {
        geometry: args.sensor.or(source.geometry()),
        format: args.format,
        encoding: args.encoding,
        compression: args.compression,
        topic: (args.out_topic.clone()).or_else(|| of_source.map(str::to_owned)),
        from_zero: args.from_zero,
    }
}

/// Set by an interrupt, so that no part of a file is left.
fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without a handler an interrupt ends the program as ever.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    stop
}

fn progress(file: &Path) -> ProgressBar {
    let size = std::fs::metadata(file).map_or(0, |m| m.len());
    let style =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The part of a recording that is taken, counted from its first event or trigger.
#[derive(Default)]
struct Window {
    start_us: u64,
    duration_us: Option<u64>,
    first_us: Option<u64>,
    /// Events left out.
    left_out: u64,
}

impl Window {
    fn cut(&mut self, batch: &mut EventBatch) {
        if self.start_us == 0 && self.duration_us.is_none() {
            return;
        }
        let event = batch.events.first().map(|e| e.t_us);
        let trigger = batch.triggers.first().map(|t| t.t_us);
        let Some(here) = event.into_iter().chain(trigger).min() else {
            return;
        };
        let first = *self.first_us.get_or_insert(here);
        let start = first.saturating_add(self.start_us);
        let end = self.duration_us.map(|d| start.saturating_add(d));
        let inside = |t_us: u64| t_us >= start && end.is_none_or(|end| t_us < end);
        let before = batch.events.len();
        batch.events.retain(|e| inside(e.t_us));
        batch.triggers.retain(|t| inside(t.t_us));
        self.left_out += (before - batch.events.len()) as u64;
    }
}

/// Events that a filter removed.
#[derive(Debug, serde::Serialize)]
struct Removed {
    filter: String,
    events: u64,
}

/// What was converted, and what was lost on the way.
#[derive(Debug, serde::Serialize)]
struct Summary {
    input: String,
    input_format: String,
    output: String,
    format: &'static str,
    bytes: u64,
    events: u64,
    triggers: u64,
    /// Of the events written, as `events info --json` of the output has it.
    checksum: String,
    /// Events outside of the part asked for.
    left_out: u64,
    filters: Vec<Removed>,
    triggers_lost: u64,
    geometry_lost: bool,
    lost_packets: u64,
    outside: u64,
    unsynced: u64,
    unknown_words: u64,
    torn_bytes: u64,
    #[serde(skip)]
    read: SourceCounts,
}

impl Summary {
    fn new(
        args: &ConvertArgs,
        source: &EventSource,
        format: FileFormat,
        left_out: u64,
        written: WriteCounts,
    ) -> Self {
        let read = source.counts();
        Self {
            input: args.recording.file.display().to_string(),
            input_format: source.format().to_owned(),
            output: args.out.display().to_string(),
            format: format.name(),
            bytes: std::fs::metadata(&args.out).map_or(0, |m| m.len()),
            events: written.events,
            triggers: written.triggers,
            checksum: format!("{:016x}", written.checksum),
            left_out,
            filters: Vec::new(),
            triggers_lost: written.triggers_lost,
            geometry_lost: written.geometry_lost,
            lost_packets: read.packets.lost,
            outside: read.decode.outside,
            unsynced: read.decode.unsynced,
            unknown_words: read.decode.unknown_words,
            torn_bytes: read.decode.torn_bytes,
            read,
        }
    }

    fn text(&self) -> String {
        let per_event = self.bytes as f64 / self.events.max(1) as f64;
        let mut lines = vec![
            format!("{} ({})", self.input, self.input_format),
            format!("to        {} ({})", self.output, self.format),
            format!("events    {}", self.events),
            format!("triggers  {}", self.triggers),
            format!("checksum  {}", self.checksum),
            format!("size      {} bytes ({per_event:.2} per event)", self.bytes),
        ];
        if self.left_out > 0 {
            let n = self.left_out;
            lines.push(format!(
                "left out  {n} events outside of the part asked for"
            ));
        }
        for Removed { filter, events } in &self.filters {
            lines.push(format!("filter    {filter} removed {events} events"));
        }
        lines.join("\n")
    }
}
