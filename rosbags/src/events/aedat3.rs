//! AEDAT 3.1 (iniVation cAER, libcaer): lines that start with `#` up to
//! `#!END-HEADER`, then packets: a head of 28 bytes, little endian (i16 type,
//! i16 source, i32 size of an event, i32 place of its time, i32 overflows, i32
//! capacity, i32 number, i32 valid) and the events. A polarity event is a word
//! (valid 0, polarity 1, row 16-2, column 31-17) and 31 bits of µs, above which
//! the overflows stand. Rows count from the top.

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader, push};
use super::{DecodeCounts, EventBatch, Geometry, Trigger};
use crate::error::{BagError, Result, printable};

/// One header line may not be longer than this.
pub(super) const MAX_LINE: usize = 4096;
/// Header lines at most.
pub(super) const MAX_LINES: usize = 1000;
/// The last line of the header.
pub(super) const END: &str = "#!END-HEADER";
/// Type of packets of special events.
pub(super) const SPECIAL: i16 = 0;
/// Type of packets of polarity events.
pub(super) const POLARITY: i16 = 1;
/// Special events that are a rising and a falling edge of an input: three external
/// ones, and the generator's. (Pulses are told as rising edges.)
pub(super) const INPUTS: [(u8, u8); 4] = [(2, 3), (6, 7), (9, 10), (12, 13)];
const PULSES: [u8; 3] = [4, 8, 11];
/// A type with this bit has packed events.
const PACKED: i16 = i16::MIN;
/// Bytes of an event.
pub(super) const EVENT: usize = 8;
/// Bits of the time.
pub(super) const TIME: u32 = (1 << 31) - 1;

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

/// Reads the polarity events and triggers of an AEDAT 3.1 file; other events are
/// passed over.
pub(super) struct Aedat3Reader {
    bytes: Bytes,
    geometry: Option<Geometry>,
    /// Type of the packet's events.
    kind: i16,
    /// Events left in the packet.
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
            // Our own writer's, for sensors without a name.
            if let Some((width, height)) = line
                .strip_prefix("#Size: ")
                .and_then(|size| size.split_once('x'))
                && let (Ok(width), Ok(height)) = (width.parse(), height.parse())
            {
                geometry = Some(Geometry { width, height });
            }
        }
        Ok(Self {
            bytes,
            geometry,
            kind: POLARITY,
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
        if kind != POLARITY && kind != SPECIAL {
            self.bytes.skip(size * number, "a packet")?;
        } else if size != EVENT as u64 {
            let found = size.to_string();
            return Err(self.bytes.corrupt(
                at + 4,
                "polarity and special events of 8 bytes",
                found,
            ));
        } else {
            (self.kind, self.left, self.base_us) = (kind, number, base << 31);
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
            if self.kind == SPECIAL {
                let kind = (address >> 1 & 0x7F) as u8;
                batch
                    .triggers
                    .extend(trigger(kind, self.base_us | u64::from(t)));
                continue;
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

/// The trigger that a special event of that type is, if it is one.
fn trigger(kind: u8, t_us: u64) -> Option<Trigger> {
    let pulse = PULSES.iter().position(|&p| p == kind);
    let input = INPUTS
        .iter()
        .position(|&(rising, falling)| kind == rising || kind == falling);
    let id = pulse.or(input)?;
    Some(Trigger {
        t_us,
        id: id as u8,
        rising: INPUTS[id].1 != kind,
    })
}

/// The size of the sensor that a header line names.
pub(super) fn named_sensor(line: &str) -> Option<Geometry> {
    let line = line.to_ascii_uppercase();
    let (_, width, height) = SENSORS.into_iter().find(|(name, ..)| line.contains(name))?;
    Some(Geometry { width, height })
}
