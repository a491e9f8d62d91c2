//! A recording of events in figures.

use std::path::Path;

use saccade_msgs::Event;
use serde::{Serialize, Serializer};
use xxhash_rust::xxh3::Xxh3;

use super::{EventBatch, EventSource, ReadOptions};
use crate::error::Result;

/// What a recording of events holds, and every oddity in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventInfo {
    /// Container and encoding, `mcap/evt3`.
    pub format: String,
    /// The topic, if the recording is a bag.
    pub topic: Option<String>,
    /// Columns: as the recording tells, else of the rightmost event and 1.
    pub width: u16,
    /// Rows: as the recording tells, else of the lowest event and 1.
    pub height: u16,
    /// Whether the recording tells (or its camera's name implies) the size.
    pub geometry_known: bool,
    /// Change events.
    pub events: u64,
    /// Those of rising brightness.
    pub on: u64,
    /// Those of falling brightness.
    pub off: u64,
    /// Time of the first event, µs.
    pub t_first_us: Option<u64>,
    /// Time of the last event, µs.
    pub t_last_us: Option<u64>,
    /// Trigger events.
    pub triggers: u64,
    /// Trigger events with a rising edge.
    pub triggers_rising: u64,
    /// XXH3-64 over the events as little-endian records (t_us u64, x u16, y
    /// u16, p u8) in file order; in JSON as 16 hexadecimal digits.
    #[serde(serialize_with = "hexadecimal")]
    pub checksum: u64,
    /// Sum of the columns.
    pub sum_x: u64,
    /// Sum of the rows.
    pub sum_y: u64,
    /// Sum of the times, µs.
    pub sum_t_us: u128,
    /// Events that are earlier than the one before them.
    pub backward_steps: u64,
    /// The largest such step, µs.
    pub backward_max_us: u64,
    /// Packets, if the recording has packets.
    pub packets: u64,
    /// Sequence number of the first packet.
    pub seq_first: Option<u64>,
    /// Sequence number of the last packet.
    pub seq_last: Option<u64>,
    /// Packets missing by the gaps in the sequence numbers.
    pub lost_packets: u64,
    /// Times that the sequence numbers did not rise.
    pub seq_restarts: u64,
    /// Words of a type that the encoding does not have.
    pub unknown_words: u64,
    /// Events with an address outside of the sensor, left out.
    pub outside: u64,
    /// Events before time and row were told, left out.
    pub unsynced: u64,
    /// Bytes at the end that are no whole word.
    pub torn_bytes: u64,
}

/// Reads a whole recording and sums it up. `topic` is as in [`EventSource::open`].
///
/// # Errors
/// As [`EventSource::open`] and [`EventSource::next_batch`].
pub fn info(path: &Path, topic: Option<&str>) -> Result<EventInfo> {
    info_with(path, topic, ReadOptions::default())
}

/// As [`info`], with what the recording does not tell.
///
/// # Errors
/// As [`info`].
pub fn info_with(path: &Path, topic: Option<&str>, options: ReadOptions) -> Result<EventInfo> {
    let mut source = EventSource::open_with(path, topic, options)?;
    let mut sums = Sums::default();
    let mut batch = EventBatch::default();
    let mut triggers = (0, 0);
    while source.next_batch(&mut batch)? {
        sums.add(&batch.events);
        triggers.0 += batch.triggers.len() as u64;
        triggers.1 += batch.triggers.iter().filter(|t| t.rising).count() as u64;
    }
    let counts = source.counts();
    let geometry = source.geometry();
    Ok(EventInfo {
        format: source.format().to_owned(),
        topic: source.topic().map(str::to_owned),
        width: geometry.map_or(sums.right, |g| g.width),
        height: geometry.map_or(sums.bottom, |g| g.height),
        geometry_known: geometry.is_some(),
        events: sums.events,
        on: sums.on,
        off: sums.events - sums.on,
        t_first_us: sums.first_us,
        t_last_us: sums.last_us,
        triggers: triggers.0,
        triggers_rising: triggers.1,
        checksum: sums.hash.digest(),
        sum_x: sums.x,
        sum_y: sums.y,
        sum_t_us: sums.t_us,
        backward_steps: sums.backward_steps,
        backward_max_us: sums.backward_max_us,
        packets: counts.packets.packets,
        seq_first: counts.packets.seq_first,
        seq_last: counts.packets.seq_last,
        lost_packets: counts.packets.lost,
        seq_restarts: counts.packets.restarts,
        unknown_words: counts.decode.unknown_words,
        outside: counts.decode.outside,
        unsynced: counts.decode.unsynced,
        torn_bytes: counts.decode.torn_bytes,
    })
}

fn hexadecimal<S: Serializer>(value: &u64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:016x}"))
}

/// Adds the events to a checksum, as records of 13 bytes.
pub(crate) fn hash_events(events: &[Event], hash: &mut Xxh3) {
    let mut records = [0u8; 13 * 256];
    for block in events.chunks(256) {
        for (record, e) in records.chunks_exact_mut(13).zip(block) {
            record[..8].copy_from_slice(&e.t_us.to_le_bytes());
            record[8..10].copy_from_slice(&e.x.to_le_bytes());
            record[10..12].copy_from_slice(&e.y.to_le_bytes());
            record[12] = u8::from(e.on);
        }
        hash.update(&records[..13 * block.len()]);
    }
}

#[derive(Default)]
struct Sums {
    events: u64,
    on: u64,
    x: u64,
    y: u64,
    t_us: u128,
    right: u16,
    bottom: u16,
    first_us: Option<u64>,
    last_us: Option<u64>,
    backward_steps: u64,
    backward_max_us: u64,
    hash: Xxh3,
}

impl Sums {
    fn add(&mut self, events: &[Event]) {
        self.events += events.len() as u64;
        for e in events {
            self.on += u64::from(e.on);
            self.x += u64::from(e.x);
            self.y += u64::from(e.y);
            self.t_us += u128::from(e.t_us);
            self.right = self.right.max(e.x.saturating_add(1));
            self.bottom = self.bottom.max(e.y.saturating_add(1));
            self.first_us.get_or_insert(e.t_us);
            let last = self.last_us.replace(e.t_us).unwrap_or(0);
            if e.t_us < last {
                self.backward_steps += 1;
                self.backward_max_us = self.backward_max_us.max(last - e.t_us);
            }
        }
        hash_events(events, &mut self.hash);
    }
}
