//! `saccade events bench`: how fast a recording comes in.

mod ours;
mod peers;

use super::Recording;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line};
use ours::{Best, Spikes};
use peers::{Peer, PeerSpeed};
use saccade_rosbags::events::{EventInfo, info_with};
use std::path::PathBuf;

/// Arguments of `saccade events bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  saccade events generate evt3-dense big.raw --events 100000000
  tests/peers/install.sh
  saccade events bench big.raw --peers target/peers/bin/python

The peers are asked in turns with ours, on one core each, from the file in the
system's cache. Of each the best time of all runs counts, for reading and decoding
with every event's t, x, y, p in memory. `pip install` what is to be compared:
evt3, expelliarmus, eventcv, faery, dv-processing, aedat, event_stream; and xxhash,
without which only numbers and sums of the events are compared, not their order.")]
pub struct BenchArgs {
    #[command(flatten)]
    recording: Recording,
    /// How often it is read.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure the readers too that this Python has.
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs `saccade events bench`.
pub fn run(args: &BenchArgs) -> CliResult {
    let speed = Speed::measure(args)?;
    if args.json {
        print_json(&speed)?;
    } else {
        print_line(speed.text(args))?;
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
    /// Copying as many bytes as the events take, in seconds.
    memory_s: f64,
    /// Gigabytes per second of that.
    memory_gb_s: f64,
    /// Reading, decoding, and encoding to spikes as `dvs_ingest` does by default;
    /// missing where the sensor is larger than the encoder takes.
    spikes: Option<Spikes>,
    /// Other readers of the same file, in the same turns.
    peers: Vec<PeerSpeed>,
}

impl Speed {
    fn measure(args: &BenchArgs) -> Result<Self, CliError> {
        let recording = &args.recording;
        let info = info_with(
            &recording.file,
            recording.topic.as_deref(),
            recording.options(),
        )?;
        let mut peers = match &args.peers {
            Some(python) => Peer::start(python, &recording.file, &info)?,
            None => Vec::new(),
        };
        let mut best = Best::new(recording, &info)?;
        for _ in 0..args.runs {
            best.run()?;
            for peer in &mut peers {
                peer.run()?;
            }
        }
        let peers = peers.into_iter().map(|p| p.speed(&info, best.events_s));
        Ok(Self::of(
            args.runs,
            &info,
            &best,
            peers.collect::<Result<_, _>>()?,
        ))
    }

    fn of(runs: u32, info: &EventInfo, best: &Best, peers: Vec<PeerSpeed>) -> Self {
        Self {
            format: info.format.clone(),
            bytes: best.bytes,
            events: info.events,
            checksum: format!("{:016x}", info.checksum),
            runs,
            read_s: best.read_s,
            events_s: best.events_s,
            events_mev_s: mev_s(info.events, best.events_s),
            decode_mev_s: mev_s(info.events, best.events_s - best.read_s),
            memory_s: best.memory_s,
            memory_gb_s: best.memory_bytes as f64 / best.memory_s.max(1e-9) * 1e-9,
            spikes: best.spikes(),
            peers,
        }
    }

    fn text(&self, args: &BenchArgs) -> String {
        let mut lines = vec![
            args.recording.file.display().to_string(),
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
            format!(
                "memory    {:.6} s ({:.1} GB/s) to copy as many bytes: reading and decoding take {:.1} times that",
                self.memory_s,
                self.memory_gb_s,
                self.events_s / self.memory_s.max(1e-9)
            ),
        ];
        if let Some(spikes) = &self.spikes {
            lines.push(format!(
                "spikes    {:.6} s ({:.1} Mev/s from the file to {} spikes, as dvs_ingest encodes by default)",
                spikes.seconds, spikes.mev_s, spikes.spikes
            ));
        }
        lines.extend(self.peers.iter().map(PeerSpeed::line));
        if args.peers.is_some() && self.peers.is_empty() {
            lines.push(format!(
                "no peer that is installed there reads {}",
                self.format
            ));
        }
        lines.push(format!("best of {} runs, one core", self.runs));
        lines.join("\n")
    }
}

/// Million events per second.
fn mev_s(events: u64, seconds: f64) -> f64 {
    events as f64 / seconds.max(1e-9) * 1e-6
}
