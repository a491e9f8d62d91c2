//! AEDAT 3.1 (iniVation cAER, libcaer): lines that start with `#` up to
//! `#!END-HEADER`, then packets: a head of 28 bytes, little endian (i16 type,
//! i16 source, i32 size of an event, i32 place of its time, i32 overflows, i32
//! capacity, i32 number, i32 valid) and the events. A polarity event is a word
//! (valid 0, polarity 1, row 16-2, column 31-17) and 31 bits of µs, above which
//! the overflows stand. Rows count from the top.

use std::path::Path;

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader, push};
use super::{DecodeCounts, EventBatch, EventError, Geometry};
use crate::error::{BagError, Result, printable};
use crate::file;

/// One header line may not be longer than this.
pub(super) const MAX_LINE: usize = 4096;
/// Header lines at most.
pub(super) const MAX_LINES: usize = 1000;
const END: &str = "#!END-HEADER";
const POLARITY: i16 = 1;
/// A type with this bit has packed events.
const PACKED: i16 = i16::MIN;
const EVENT: usize = 8;
const TIME: u32 = (1 << 31) - 1;
/// Events that the writer puts into a packet.
const PER_PACKET: usize = 8192;

/// Cameras and the sizes of their sensors.
pub(super) const SENSORS: [(&str, u16, u16); 7] = [
    ("DVS128", 128, 128),
    ("DAVIS128", 128, 128),
    ("DAVIS208", 208, 192),
    ("DAVIS240", 240, 180),
    ("DAVIS346", 346, 260),
    ("DAVIS640", 640, 480),
    ("DVXPLORER", 640, 480),
];

/// Reads the polarity events of an AEDAT 3.1 file; other events are passed over.
pub(super) struct Aedat3Reader {
    bytes: Bytes,
    geometry: Option<Geometry>,
    /// Polarity events left in the packet.
    left: u64,
    /// Overflows of the packet, as the upper bits of the time.
    base_us: u64,
    counts: DecodeCounts,
}

impl Aedat3Reader {
    /// Reads the header.
    pub fn open(mut bytes: Bytes) -> Result<Self> {
        let mut geometry = None;
        for number in 0..=MAX_LINES {
            let at = bytes.offset();
            let line = bytes.line(MAX_LINE)?.map(<[u8]>::to_vec);
            let Some(line) = line.filter(|l| l.starts_with(b"#") && number < MAX_LINES) else {
                let expected = format!("a header line, or `{END}` after at most {MAX_LINES}");
                let found = bytes.peek(32)?;
                let found = printable(&found[..found.len().min(32)]);
                return Err(bytes.corrupt(at, expected, found));
            };
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if line == END {
                break;
            }
            if line.starts_with("#Source") {
                geometry = geometry.or_else(|| named_sensor(line));
            }
        }
        Ok(Self {
            bytes,
            geometry,
            left: 0,
            base_us: 0,
            counts: DecodeCounts::default(),
        })
    }

    /// Reads the head of the next packet and passes over what has no polarity
    /// events. False at the end.
    fn packet(&mut self) -> Result<bool> {
        if self.bytes.peek(1)?.is_empty() {
            return Ok(false);
        }
        let at = self.bytes.offset();
        let head: [u8; 28] = self.bytes.array("the head of a packet")?;
        let kind = i16::from_le_bytes([head[0], head[1]]);
        let field = |i: usize| i32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
        let (size, overflows, number) = (field(4), field(12), field(20));
        let positive = |value: i32, place, what: &str| {
            u64::try_from(value).map_err(|_| {
                let expected = format!("{what} from 0 on");
                self.bytes.corrupt(at + place, expected, value.to_string())
            })
        };
        let base = positive(overflows, 12, "a number of overflows")?;
        let (size, number) = (
            positive(size, 4, "the size of an event")?,
            positive(number, 20, "a number of events")?,
        );
        if kind & PACKED != 0 {
            return Err(BagError::Unsupported {
                path: self.bytes.path().to_owned(),
                what: format!("a packet of packed events (type {kind:#06X} at byte {at})"),
                remedy: "record it with the format RAW".into(),
            });
        }
        if kind != POLARITY {
            self.bytes.skip(size * number, "a packet")?;
        } else if size != EVENT as u64 {
            let found = size.to_string();
            return Err(self
                .bytes
                .corrupt(at + 4, "polarity events of 8 bytes", found));
        } else {
            (self.left, self.base_us) = (number, base << 31);
        }
        Ok(true)
    }
}

impl FileReader for Aedat3Reader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        while self.left == 0 {
            if !self.packet()? {
                return Ok(false);
            }
        }
        let records = self.bytes.records(EVENT, Some(self.left), "an event")?;
        let (records, _) = records.as_chunks::<EVENT>();
        self.left -= records.len() as u64;
        let geometry = self.geometry.unwrap_or(Geometry::UNBOUNDED);
        for r in records {
            let word = u64::from_le_bytes(*r);
            let (address, t) = (word as u32, (word >> 32) as u32 & TIME);
            if address & 1 == 0 {
                continue; // a filter has taken it out
            }
            let event = Event {
                t_us: self.base_us | u64::from(t),
                x: (address >> 17) as u16,
                y: (address >> 2 & 0x7FFF) as u16,
                on: address >> 1 & 1 != 0,
            };
            push(event, geometry, batch, &mut self.counts);
        }
        Ok(true)
    }

    fn geometry(&self) -> Option<Geometry> {
        self.geometry
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}

/// The size of the sensor that a header line names.
pub(super) fn named_sensor(line: &str) -> Option<Geometry> {
    let line = line.to_ascii_uppercase();
    let (_, width, height) = SENSORS.into_iter().find(|(name, ..)| line.contains(name))?;
    Some(Geometry { width, height })
}

/// Writes events as AEDAT 3.1, format RAW. The format tells sensors by name:
/// that of a camera of this size, or none.
///
/// # Errors
/// If a column or row is above 32767 or a time above 2^62 µs, or writing fails.
pub fn write_aedat3(path: &Path, geometry: Geometry, events: &[Event]) -> Result<()> {
    let size = (geometry.width, geometry.height);
    let camera = SENSORS.iter().find(|(_, w, h)| (*w, *h) == size);
    let camera = camera.map_or("unknown", |(name, ..)| name);
    let header = format!("#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 0: {camera}\r\n{END}\r\n");
    let mut out = header.into_bytes();
    // A packet has one number of overflows.
    let rounds = events.chunk_by(|a, b| a.t_us >> 31 == b.t_us >> 31);
    let mut index = 0;
    for events in rounds.flat_map(|events| events.chunks(PER_PACKET)) {
        packet(index, events, &mut out).map_err(|source| BagError::Events {
            path: path.to_owned(),
            source,
        })?;
        index += events.len();
    }
    file::write(path, &out)
}

/// Appends a packet; `first` is the index of its first event.
fn packet(
    first: usize,
    events: &[Event],
    out: &mut Vec<u8>,
) -> std::result::Result<(), EventError> {
    let overflows = events.first().map_or(0, |e| e.t_us >> 31);
    let n = events.len() as i32;
    out.extend(POLARITY.to_le_bytes());
    out.extend(0i16.to_le_bytes());
    for field in [EVENT as i32, 4, overflows as i32, n, n, n] {
        out.extend(field.to_le_bytes());
    }
    for (i, e) in events.iter().enumerate() {
        if e.x > 0x7FFF || e.y > 0x7FFF || e.t_us >> 62 != 0 {
            let why = "addresses go up to 32767, times to 2^62 us";
            return Err(EventError::unencodable(first + i, *e, "aedat3", why));
        }
        let polarity = u32::from(e.on) << 1;
        let address = u32::from(e.x) << 17 | u32::from(e.y) << 2 | polarity | 1;
        out.extend(address.to_le_bytes());
        out.extend((e.t_us as u32 & TIME).to_le_bytes());
    }
    Ok(())
}
