//! `saccade events`: event-camera files and event topics in bags.

use super::{CliError, CliResult, Exit, print_json, print_line};
use crate::plots::{self, EventImage};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_rosbags::events::{EventBatch, EventInfo, EventSource, info};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Arguments of `saccade events`.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    command: EventsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum EventsCommand {
    /// Counts, times, checksum and losses of a recording (Prophesee RAW and DAT,
    /// AEDAT 2 to 4, Event Stream, N-MNIST .bin, .csv, .npy, ROS 1 bag, rosbag2
    /// .db3 and .mcap).
    Info {
        /// The recording.
        file: PathBuf,
        /// Topic of events, where a bag has several.
        #[arg(long)]
        topic: Option<String>,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
    /// How fast a recording can be read and decoded: best time of several, one core.
    Bench {
        /// The recording.
        file: PathBuf,
        /// Topic of events, where a bag has several.
        #[arg(long)]
        topic: Option<String>,
        /// How often it is read.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        runs: u32,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Pictures of a recording: one of all events (a .png), or a folder of
    /// frames with the picture of all beside them.
    Render(RenderArgs),
}

#[derive(Debug, clap::Args)]
struct RenderArgs {
    /// The recording.
    file: PathBuf,
    /// A .png for one picture, anything else is a folder for frames.
    #[arg(long, short)]
    out: PathBuf,
    /// Topic of events, where a bag has several.
    #[arg(long)]
    topic: Option<String>,
    /// Time that one frame shows, in milliseconds.
    #[arg(long, default_value_t = 33.0, conflicts_with = "fps")]
    window_ms: f64,
    /// Frames per second of recording; another way to say --window-ms.
    #[arg(long)]
    fps: Option<f64>,
    /// Frames to write at most, from the start of the recording.
    #[arg(long, default_value_t = 300)]
    max_frames: u64,
}

/// Runs `saccade events`.
///
/// # Errors
/// The recording cannot be read to its end, or pictures cannot be written.
pub fn run(args: EventsArgs) -> CliResult {
    match args.command {
        EventsCommand::Info { file, topic, json } => {
            let info = info(&file, topic.as_deref())?;
            if json {
                print_json(&info)?;
            } else {
                print_line(text(&file, &info))?;
            }
            Ok(verdict(&info))
        }
        EventsCommand::Bench {
            file,
            topic,
            runs,
            json,
        } => {
            let speed = Speed::measure(&file, topic.as_deref(), runs)?;
            if json {
                print_json(&speed)?;
            } else {
                print_line(speed.text(&file))?;
            }
            Ok(Exit::Success)
        }
        EventsCommand::Render(args) => render(&args),
    }
}

/// How fast a recording came in, best of several runs.
#[derive(Debug, serde::Serialize)]
struct Speed {
    format: String,
    bytes: u64,
    events: u64,
    /// As `events info --json` has it.
    checksum: String,
    runs: u32,
    /// Reading the file's bytes, in seconds.
    read_s: f64,
    /// Reading, and decoding into events in memory, in seconds.
    events_s: f64,
    /// Million events per second, reading and decoding.
    events_mev_s: f64,
    /// Million events per second in what decoding adds to reading.
    decode_mev_s: f64,
}

impl Speed {
    fn measure(file: &Path, topic: Option<&str>, runs: u32) -> Result<Self, CliError> {
        let info = info(file, topic)?;
        let (mut read, mut events) = (Duration::MAX, Duration::MAX);
        let mut bytes = 0;
        let mut batch = EventBatch::default();
        let mut piece = vec![0; 1 << 18];
        for _ in 0..runs {
            let start = Instant::now();
            bytes = read_all(file, &mut piece).map_err(|e| {
                CliError::failed(format!(
                    "{}: {e} (of a bag, name the file, not its folder)",
                    file.display()
                ))
            })?;
            read = read.min(start.elapsed());
            let start = Instant::now();
            let mut source = EventSource::open(file, topic)?;
            while source.next_batch(&mut batch)? {
                black_box(&batch.events);
            }
            events = events.min(start.elapsed());
        }
        let rate = |time: Duration| info.events as f64 / time.as_secs_f64().max(1e-9) * 1e-6;
        Ok(Self {
            format: info.format,
            bytes,
            events: info.events,
            checksum: format!("{:016x}", info.checksum),
            runs,
            read_s: read.as_secs_f64(),
            events_s: events.as_secs_f64(),
            events_mev_s: rate(events),
            decode_mev_s: rate(events.saturating_sub(read)),
        })
    }

    fn text(&self, file: &Path) -> String {
        [
            file.display().to_string(),
            format!("format    {}", self.format),
            format!("checksum  {} ({} events)", self.checksum, self.events),
            format!(
                "reading   {:.6} s ({:.0} MB/s)",
                self.read_s,
                self.bytes as f64 / self.read_s.max(1e-9) * 1e-6
            ),
            format!(
                "events    {:.6} s ({:.1} Mev/s, reading and decoding)",
                self.events_s, self.events_mev_s
            ),
            format!(
                "decoding  {:.1} Mev/s (in what it adds to reading)",
                self.decode_mev_s
            ),
            format!("best of {} runs, one core", self.runs),
        ]
        .join("\n")
    }
}

/// Reads a file from start to end; returns how many bytes it has.
fn read_all(file: &Path, piece: &mut [u8]) -> std::io::Result<u64> {
    let mut file = File::open(file)?;
    let mut bytes = 0;
    loop {
        let n = file.read(piece)?;
        if n == 0 {
            return Ok(bytes);
        }
        bytes += n as u64;
        black_box(&piece[..n]);
    }
}

/// What was lost, in words; empty when nothing was.
fn losses(info: &EventInfo) -> Vec<String> {
    let all = [
        (info.lost_packets, "packets missing in the sequence numbers"),
        (info.outside, "events outside of the sensor"),
        (info.unsynced, "events before the stream told time and row"),
        (info.unknown_words, "words of unknown type"),
        (info.torn_bytes, "bytes at the end that are no whole word"),
    ];
    all.iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect()
}

fn verdict(info: &EventInfo) -> Exit {
    let losses = losses(info);
    if losses.is_empty() {
        return Exit::Success;
    }
    eprintln!("warning: lost {}", losses.join(", "));
    Exit::LostData
}

fn duration_s(info: &EventInfo) -> f64 {
    match (info.t_first_us, info.t_last_us) {
        (Some(first), Some(last)) => last.saturating_sub(first) as f64 * 1e-6,
        _ => 0.0,
    }
}

fn text(file: &Path, info: &EventInfo) -> String {
    let time = |t: Option<u64>| t.map_or("none".into(), |t| format!("{t} µs"));
    let seconds = duration_s(info);
    let rate = if seconds > 0.0 {
        format!("{:.1} k events/s", info.events as f64 / seconds * 1e-3)
    } else {
        "unknown".into()
    };
    let mut lines = vec![
        file.display().to_string(),
        format!("format    {}", info.format),
    ];
    lines.extend(info.topic.iter().map(|t| format!("topic     {t}")));
    let told = if info.geometry_known {
        ""
    } else {
        " (from the events; the recording does not tell)"
    };
    lines.extend([
        format!("sensor    {} x {}{told}", info.width, info.height),
        format!(
            "events    {} ({} ON, {} OFF)",
            info.events, info.on, info.off
        ),
        format!(
            "time      {} to {} ({seconds:.6} s)",
            time(info.t_first_us),
            time(info.t_last_us)
        ),
        format!("rate      {rate}"),
        format!(
            "sums      x {}, y {}, t {} µs",
            info.sum_x, info.sum_y, info.sum_t_us
        ),
        format!("checksum  {:016x}", info.checksum),
        format!(
            "triggers  {} ({} rising)",
            info.triggers, info.triggers_rising
        ),
    ]);
    if let (Some(first), Some(last)) = (info.seq_first, info.seq_last) {
        lines.push(format!(
            "packets   {}, seq {first} to {last}, {} lost",
            info.packets, info.lost_packets
        ));
    }
    if info.backward_steps > 0 {
        lines.push(format!(
            "time runs back {} times, by up to {} µs",
            info.backward_steps, info.backward_max_us
        ));
    }
    lines.join("\n")
}

fn render(args: &RenderArgs) -> CliResult {
    let picture = args.out.extension();
    if picture.is_some_and(|e| e.eq_ignore_ascii_case("png")) {
        return draw(&args.file, args.topic.as_deref(), &args.out);
    }
    let window_ms = args.fps.map_or(args.window_ms, |fps| 1e3 / fps);
    if !(window_ms.is_finite() && (0.001..=1e9).contains(&window_ms)) {
        return Err(CliError::usage(format!(
            "a frame of {window_ms} ms; --window-ms must be between 0.001 and 1e9, --fps above 0"
        )));
    }
    let window_us = ((window_ms * 1e3).round() as u64).max(1);
    let survey = Survey::of(&args.file, args.topic.as_deref())?;
    let windows = (survey.last_us.saturating_sub(survey.first_us)) / window_us + 1;
    let mut frames = Frames {
        folder: &args.out,
        image: survey.image.clone(),
        first_us: survey.first_us,
        window_us,
        left: args.max_frames,
        number: 0,
        progress: progress(windows.min(args.max_frames)),
    };
    let all = survey.picture(&args.file, args.topic.as_deref(), |batch| frames.add(batch))?;
    frames.write()?;
    frames.progress.finish_and_clear();
    let overview = args.out.join("overview.png");
    plots::save(&all, &overview)?;
    let of = if windows > frames.number {
        format!(" of {windows}")
    } else {
        String::new()
    };
    print_line(format!(
        "{}{of} frames, {}",
        frames.number,
        overview.display()
    ))?;
    Ok(verdict(&survey.info))
}

/// Draws all events of a recording into one picture.
///
/// # Errors
/// The recording cannot be read, holds no events, or writing fails.
pub fn draw(file: &Path, topic: Option<&str>, out: &Path) -> CliResult {
    let survey = Survey::of(file, topic)?;
    let image = survey.picture(file, topic, |_| Ok(()))?;
    plots::save(&image, out)?;
    print_line(out.display())?;
    Ok(verdict(&survey.info))
}

/// A first pass over a recording, which finds the sensor's size and any damage
/// before a file is written.
struct Survey {
    info: EventInfo,
    first_us: u64,
    last_us: u64,
    /// An empty image of the sensor.
    image: EventImage,
}

impl Survey {
    fn of(file: &Path, topic: Option<&str>) -> Result<Self, CliError> {
        let info = info(file, topic)?;
        let (Some(first_us), Some(last_us)) = (info.t_first_us, info.t_last_us) else {
            return Err(CliError::failed(format!(
                "{}: no events in it, so there is nothing to render",
                file.display()
            )));
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let title = format!("{name}, {:.3} s", duration_s(&info));
        let image = EventImage::new(title, u32::from(info.width), u32::from(info.height))?;
        Ok(Survey {
            info,
            first_us,
            last_us,
            image,
        })
    }

    /// The second pass: all events in one image; `also` gets every batch.
    fn picture(
        &self,
        file: &Path,
        topic: Option<&str>,
        mut also: impl FnMut(&EventBatch) -> Result<(), plots::PlotError>,
    ) -> Result<EventImage, CliError> {
        let mut image = self.image.clone();
        let mut source = EventSource::open(file, topic)?;
        let mut batch = EventBatch::default();
        while source.next_batch(&mut batch)? {
            image.add(batch.events.iter().copied());
            also(&batch)?;
        }
        Ok(image)
    }
}

fn progress(frames: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} frames {eta}");
    ProgressBar::new(frames).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Frames of one window each, numbered without gaps from the first event on.
struct Frames<'a> {
    folder: &'a Path,
    image: EventImage,
    first_us: u64,
    window_us: u64,
    /// Frames that may still be written.
    left: u64,
    number: u64,
    progress: ProgressBar,
}

impl Frames<'_> {
    /// Events that step back in time stay in the frame that is open.
    fn add(&mut self, batch: &EventBatch) -> Result<(), plots::PlotError> {
        for &event in &batch.events {
            if self.left == 0 {
                return Ok(());
            }
            let window = event.t_us.saturating_sub(self.first_us) / self.window_us;
            while window > self.number && self.left > 0 {
                self.write()?;
            }
            self.image.add([event]);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), plots::PlotError> {
        if self.left == 0 {
            return Ok(());
        }
        let path = self.folder.join(format!("frame_{:06}.png", self.number));
        plots::save_png(&self.image.enlarged(), &path)?;
        self.image.clear();
        self.left -= 1;
        self.number += 1;
        self.progress.inc(1);
        Ok(())
    }
}
