//! `saccade events bench`: how fast a recording comes in.

use super::Recording;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line};
use saccade_rosbags::events::{EventBatch, info_with};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// Arguments of `saccade events bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(flatten)]
    recording: Recording,
    /// How often it is read.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs `saccade events bench`.
pub fn run(args: &BenchArgs) -> CliResult {
    let speed = Speed::measure(&args.recording, args.runs)?;
    if args.json {
        print_json(&speed)?;
    } else {
        print_line(speed.text(&args.recording.file))?;
    }
    Ok(Exit::Success)
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
    fn measure(recording: &Recording, runs: u32) -> Result<Self, CliError> {
        let file = &recording.file;
        let info = info_with(file, recording.topic.as_deref(), recording.options())?;
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
            let mut source = recording.open()?;
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
