//! AEDAT 4: stream 0 has the events, stream 1 the triggers; a data table at the
//! end tells where each packet is. The FlatBuffers are laid out by hand: their
//! fields are aligned as from the size prefix on.

use std::io::Write;

use saccade_msgs::Event;

use super::super::aedat4::{EVENT, INPUTS, MAGIC};
use super::super::{EventBatch, EventError, Geometry, Trigger};
use super::{Compression, Encode, Encoded};

/// Events in a packet at most.
const PER_PACKET: usize = 8192;
/// Place of the data table's position in the file: after the first line, the
/// size of the header, and 28 bytes of it.
const TABLE_AT: u64 = 14 + 4 + 28;

/// Writes AEDAT 4.
pub(super) struct Aedat4Writer {
    compression: Compression,
    events: Vec<Event>,
    triggers: Vec<Trigger>,
    /// Bytes of the file so far.
    len: u64,
    table: Vec<Entry>,
}

/// What the data table says of a packet.
struct Entry {
    stream: i32,
    size: i32,
    at: u64,
    number: u64,
    /// First and last time, µs.
    times: (u64, u64),
}

impl Aedat4Writer {
    /// Puts the header into `out`.
    pub fn new(compression: Compression, sensor: Geometry, out: &mut Vec<u8>) -> Self {
        let before = out.len();
        out.extend(MAGIC);
        out.extend(header(compression, sensor));
        Self {
            compression,
            events: Vec::new(),
            triggers: Vec::new(),
            len: (out.len() - before) as u64,
            table: Vec::new(),
        }
    }

    fn put_events(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let events = std::mem::take(&mut self.events);
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            let times = (first.t_us, last.t_us);
            self.put(0, event_packet(&events), events.len(), times, out)?;
        }
        self.events = events;
        self.events.clear();
        Ok(())
    }

    fn put_triggers(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let triggers = std::mem::take(&mut self.triggers);
        if let (Some(first), Some(last)) = (triggers.first(), triggers.last()) {
            let times = (first.t_us, last.t_us);
            self.put(1, trigger_packet(&triggers), triggers.len(), times, out)?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        stream: i32,
        packet: Vec<u8>,
        number: usize,
        times: (u64, u64),
        out: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        let packed = pack(self.compression, packet)?;
        let size = packed.len() as i32;
        out.extend(stream.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(&packed);
        self.table.push(Entry {
            stream,
            size,
            at: self.len + 8,
            number: number as u64,
            times,
        });
        self.len += 8 + packed.len() as u64;
        Ok(())
    }
}

impl Encode for Aedat4Writer {
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64> {
        const MOST: u16 = i16::MAX as u16;
        for (i, e) in batch.events.iter().enumerate() {
            if e.x > MOST || e.y > MOST || e.t_us >> 63 != 0 {
                let why = "addresses go up to 32767, times to 2^63 us";
                return Err(EventError::unencodable(i, *e, "aedat4", why).into());
            }
            self.events.push(*e);
            if self.events.len() == PER_PACKET {
                self.put_events(out)?;
            }
        }
        let mut lost = 0;
        for t in &batch.triggers {
            if kind(t).is_none() || t.t_us >> 63 != 0 {
                lost += 1;
                continue;
            }
            self.triggers.push(*t);
            if self.triggers.len() == PER_PACKET {
                self.put_triggers(out)?;
            }
        }
        Ok(lost)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Encoded<Option<(u64, Vec<u8>)>> {
        self.put_events(out)?;
        self.put_triggers(out)?;
        out.extend(pack(self.compression, table(&self.table))?);
        Ok(Some((TABLE_AT, self.len.to_le_bytes().to_vec())))
    }
}

/// The kind that says the trigger; there are two inputs.
fn kind(trigger: &Trigger) -> Option<u8> {
    let (rising, falling) = *INPUTS.get(usize::from(trigger.id))?;
    Some(if trigger.rising { rising } else { falling })
}

fn pack(compression: Compression, packet: Vec<u8>) -> std::io::Result<Vec<u8>> {
    match compression {
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(&packet)?;
            encoder.finish().map_err(std::io::Error::other)
        }
        // Readers of iniVation want the size in the frame, as `bulk` puts it.
        Compression::Zstd => zstd::bulk::compress(&packet, 3),
        Compression::None | Compression::Deflate => Ok(packet),
    }
}

/// The FlatBuffer `IOHeader`; the place of the data table is told at the end.
fn header(compression: Compression, sensor: Geometry) -> Vec<u8> {
    let (number, name) = match compression {
        Compression::Lz4 => (1i32, "LZ4"),
        Compression::Zstd => (3, "ZSTD"),
        Compression::None | Compression::Deflate => (0, "NONE"),
    };
    let xml = streams_xml(name, sensor);
    let mut b = Vec::new();
    b.extend(20u32.to_le_bytes()); // the root, from here
    b.extend(b"IOHE");
    for word in [10u16, 20, 4, 8, 16, 0] {
        b.extend(word.to_le_bytes()); // vtable: sizes, places of the fields; padding
    }
    b.extend(12i32.to_le_bytes()); // back to the vtable
    b.extend(number.to_le_bytes());
    b.extend((-1i64).to_le_bytes()); // no data table yet
    b.extend(4u32.to_le_bytes()); // the string, from here
    b.extend((xml.len() as u32).to_le_bytes());
    b.extend(xml.as_bytes());
    b.push(0);
    b.resize(b.len().next_multiple_of(8) + 4, 0);
    sized(&b)
}

fn streams_xml(compression: &str, sensor: Geometry) -> String {
    let attr = |key: &str, kind: &str, value: &str| {
        format!("<attr key=\"{key}\" type=\"{kind}\">{value}</attr>")
    };
    let stream = |number: u32, name: &str, description: &str, kind: &str, size: String| {
        let attributes = [
            attr("compression", "string", compression),
            attr("originalModuleName", "string", "saccade"),
            attr("originalOutputName", "string", name),
            attr("typeDescription", "string", description),
            attr("typeIdentifier", "string", kind),
        ];
        let info = [
            size,
            attr("source", "string", "saccade"),
            attr("tsOffset", "long", "0"),
        ];
        format!(
            "<node name=\"{number}\" path=\"/outInfo/{number}/\">{}\
             <node name=\"info\" path=\"/outInfo/{number}/info/\">{}</node></node>",
            attributes.concat(),
            info.concat()
        )
    };
    let size = attr("sizeX", "int", &sensor.width.to_string())
        + &attr("sizeY", "int", &sensor.height.to_string());
    let events = "Array of events (polarity ON/OFF).";
    let events = stream(0, "events", events, "EVTS", size);
    let triggers = stream(1, "triggers", "External triggers.", "TRIG", String::new());
    format!(
        "<dv version=\"2.0\"><node name=\"outInfo\" path=\"/outInfo/\">{events}{triggers}</node></dv>"
    )
}

/// A buffer with its size in front.
fn sized(buffer: &[u8]) -> Vec<u8> {
    [&(buffer.len() as u32).to_le_bytes(), buffer].concat()
}

/// The start of a buffer whose root has one field, a vector of `n` elements.
fn vector(identifier: &[u8; 4], n: usize) -> Vec<u8> {
    let mut b = Vec::new();
    b.extend(16u32.to_le_bytes()); // the root, from here
    b.extend(identifier);
    for word in [6u16, 8, 4, 0] {
        b.extend(word.to_le_bytes()); // vtable: sizes, place of the field; padding
    }
    b.extend(8i32.to_le_bytes()); // back to the vtable
    b.extend(4u32.to_le_bytes()); // the vector, from here
    b.extend((n as u32).to_le_bytes());
    b
}

/// The FlatBuffer `EventPacket`.
fn event_packet(events: &[Event]) -> Vec<u8> {
    let mut b = vector(b"EVTS", events.len());
    b.reserve(EVENT * events.len());
    for e in events {
        let rest = u64::from(e.on) << 32 | u64::from(e.y) << 16 | u64::from(e.x);
        b.extend_from_slice(&e.t_us.to_le_bytes());
        b.extend_from_slice(&rest.to_le_bytes());
    }
    sized(&b)
}

/// A vector of tables of `size` bytes (without the offset to their one vtable),
/// which `fields` appends.
fn tables<T>(
    identifier: &[u8; 4],
    vtable: &[u16],
    items: &[T],
    fields: impl Fn(&T, &mut Vec<u8>),
) -> Vec<u8> {
    let mut b = vector(identifier, items.len());
    let size = usize::from(vtable[1]);
    // Offsets, the vtable, padding so that fields of 8 bytes are aligned (4 bytes
    // of size come in front of the buffer), and the tables.
    let vtable_at = b.len() + 4 * items.len();
    let first = (vtable_at + 2 * vtable.len() + 4).next_multiple_of(8) - 4;
    for i in 0..items.len() {
        let from = b.len();
        b.extend(((first + i * size - from) as u32).to_le_bytes());
    }
    for word in vtable {
        b.extend(word.to_le_bytes());
    }
    b.resize(first, 0);
    for item in items {
        b.extend(((b.len() - vtable_at) as i32).to_le_bytes());
        fields(item, &mut b);
    }
    sized(&b)
}

/// The FlatBuffer `TriggerPacket`: tables of a time (at 8) and a kind (at 7).
fn trigger_packet(triggers: &[Trigger]) -> Vec<u8> {
    tables(b"TRIG", &[8, 16, 8, 7], triggers, |t, b| {
        b.extend([0, 0, 0, kind(t).unwrap_or(0)]);
        b.extend(t.t_us.to_le_bytes());
    })
}

/// The FlatBuffer `FileDataTable`: tables of stream and size (at 4), place (at
/// 16), number (at 24), first (at 32) and last time (at 40).
fn table(entries: &[Entry]) -> Vec<u8> {
    tables(b"FTAB", &[14, 48, 16, 4, 24, 32, 40], entries, |e, b| {
        b.extend(e.stream.to_le_bytes());
        b.extend(e.size.to_le_bytes());
        b.extend(0u32.to_le_bytes());
        for field in [e.at, e.number, e.times.0, e.times.1] {
            b.extend(field.to_le_bytes());
        }
    })
}
