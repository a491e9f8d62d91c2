//! What is measured of our own: reading, decoding, spikes, and the machine's memory.

use super::super::Recording;
use super::mev_s;
use crate::cli::CliError;
use saccade_engine::encoder::{Encoder, EncoderConfig};
use saccade_msgs::Event;
use saccade_rosbags::events::{EventBatch, EventInfo};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes that the memory is measured with: more than the caches of most machines.
const MEMORY: usize = 1 << 28;
/// Length of an encoder's tick, µs.
const TICK_US: u64 = 1000;
/// Ticks that an encoder is behind at most: a silence is skipped, as `dvs_ingest` does.
const CATCH_UP_TICKS: u64 = 2000;

/// The whole way from the file to spikes.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Spikes {
    pub seconds: f64,
    /// Million events per second.
    pub mev_s: f64,
    pub spikes: u64,
}

/// Best times of all runs, in seconds.
pub(super) struct Best<'a> {
    recording: &'a Recording,
    /// `None` where the sensor is none that it takes.
    encoder: Option<EncoderConfig>,
    events: u64,
    batch: EventBatch,
    piece: Vec<u8>,
    memory: (Vec<u8>, Vec<u8>),
    pub bytes: u64,
    pub read_s: f64,
    pub events_s: f64,
    pub memory_s: f64,
    /// Bytes that the events take.
    pub memory_bytes: u64,
    spikes_s: f64,
    spikes: u64,
}

impl<'a> Best<'a> {
    pub fn new(recording: &'a Recording, info: &EventInfo) -> Result<Self, CliError> {
        let config = EncoderConfig {
            sensor_width: info.width,
            sensor_height: info.height,
            ..EncoderConfig::default()
        };
        let memory_bytes = info.events * size_of::<Event>() as u64;
        let memory = vec![1; MEMORY.min(memory_bytes as usize)];
        Ok(Self {
            recording,
            encoder: config.validate().is_ok().then_some(config),
            events: info.events,
            batch: EventBatch::default(),
            piece: vec![0; 1 << 18],
            memory: (memory.clone(), memory),
            bytes: 0,
            read_s: f64::INFINITY,
            events_s: f64::INFINITY,
            memory_s: f64::INFINITY,
            memory_bytes,
            spikes_s: f64::INFINITY,
            spikes: 0,
        })
    }

    /// Measures everything once.
    pub fn run(&mut self) -> Result<(), CliError> {
        let file = &self.recording.file;
        let start = Instant::now();
        self.bytes = read_all(file, &mut self.piece).map_err(|e| {
            CliError::failed(format!(
                "{}: {e} (of a bag, name the file, not its folder)",
                file.display()
            ))
        })?;
        keep(&mut self.read_s, start.elapsed());
        let start = Instant::now();
        let mut source = self.recording.open()?;
        while source.next_batch(&mut self.batch)? {
            black_box(&self.batch.events);
        }
        keep(&mut self.events_s, start.elapsed());
        let start = Instant::now();
        self.copy();
        keep(&mut self.memory_s, start.elapsed());
        if let Some(config) = &self.encoder {
            let encoder = Encoder::new(config.clone())?;
            let start = Instant::now();
            self.spikes = self.encode(encoder)?;
            keep(&mut self.spikes_s, start.elapsed());
        }
        Ok(())
    }

    /// Copies as many bytes as the events take.
    fn copy(&mut self) {
        let mut left = self.memory_bytes as usize;
        while left > 0 {
            let n = left.min(self.memory.0.len());
            self.memory.1[..n].copy_from_slice(black_box(&self.memory.0[..n]));
            black_box(&mut self.memory.1);
            left -= n;
        }
    }

    /// Reads, decodes and encodes; returns the number of spikes.
    fn encode(&mut self, mut encoder: Encoder) -> Result<u64, CliError> {
        let mut source = self.recording.open()?;
        let (mut spikes, mut tick_end_us) = (0, None);
        while source.next_batch(&mut self.batch)? {
            for event in &self.batch.events {
                let end_us = tick_end_us.get_or_insert(event.t_us + TICK_US);
                if event.t_us >= *end_us {
                    let behind = (event.t_us - *end_us) / TICK_US;
                    *end_us += behind.saturating_sub(CATCH_UP_TICKS) * TICK_US;
                    while event.t_us >= *end_us {
                        spikes += black_box(encoder.tick()).len() as u64;
                        *end_us += TICK_US;
                    }
                }
                // What it refuses it counts.
                let _ = encoder.push(event.x, event.y, event.on);
            }
        }
        Ok(spikes + encoder.tick().len() as u64)
    }

    /// The way to spikes, where it was measured.
    pub fn spikes(&self) -> Option<Spikes> {
        self.encoder.as_ref().map(|_| Spikes {
            seconds: self.spikes_s,
            mev_s: mev_s(self.events, self.spikes_s),
            spikes: self.spikes,
        })
    }
}

fn keep(best_s: &mut f64, time: Duration) {
    *best_s = best_s.min(time.as_secs_f64());
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
