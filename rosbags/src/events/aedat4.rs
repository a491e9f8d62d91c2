//! AEDAT 4 (iniVation DV): `#!AER-DAT4.0\r\n`, a FlatBuffer that tells the
//! compression, the place of the data table and, as XML, the streams; then
//! packets of `i32` stream, `i32` size and a FlatBuffer, which LZ4 or Zstandard
//! may have packed. Events have 16 bytes: i64 µs, i16 column, i16 row, u8
//! polarity, 3 unused. What follows the packets (the data table) is not read.

use std::io::{Read, Write};
use std::path::Path;

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader, push};
use super::flatbuffer::{Damage, Table};
use super::{DecodeCounts, EventBatch, EventError, Geometry};
use crate::error::{BagError, Result};
use crate::file;

/// First bytes of a file.
const MAGIC: &[u8] = b"#!AER-DAT4.0\r\n";
/// Bytes of a header at most.
const MAX_HEADER: u32 = 1 << 24;
/// Bytes of a packet at most, packed and unpacked.
const MAX_PACKET: u64 = 1 << 28;
/// Bytes of an event.
const EVENT: usize = 16;
/// Events that the writer puts into a packet.
const PER_PACKET: usize = 8192;

/// How the packets of an AEDAT 4 file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aedat4Compression {
    /// Not at all.
    None,
    /// LZ4 frames.
    #[default]
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Aedat4Compression {
    /// Name in the header's XML.
    fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Lz4 => "LZ4",
            Self::Zstd => "ZSTD",
        }
    }

    fn number(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 3,
        }
    }

    /// 2 and 4 are LZ4 and Zstandard packed harder.
    fn of_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 | 2 => Some(Self::Lz4),
            3 | 4 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Reads the events of one stream of an AEDAT 4 file.
pub(super) struct Aedat4Reader {
    bytes: Bytes,
    compression: Aedat4Compression,
    /// Place of the data table; `None` where the file was not closed.
    end: Option<u64>,
    stream: i32,
    geometry: Option<Geometry>,
    unpacked: Vec<u8>,
    counts: DecodeCounts,
}

impl Aedat4Reader {
    /// Reads the header. `stream` is the number of a stream of events; without it
    /// the file must have exactly one.
    pub fn open(mut bytes: Bytes, stream: Option<&str>) -> Result<Self> {
        bytes.take(MAGIC.len(), "the first line of AEDAT 4")?;
        let at = bytes.offset();
        let size = u32::from_le_bytes(bytes.array("the size of the header")?);
        if size > MAX_HEADER {
            let expected = format!("a header of at most {MAX_HEADER} bytes");
            return Err(bytes.corrupt(at, expected, format!("{size}")));
        }
        let mut header = size.to_le_bytes().to_vec();
        header.extend_from_slice(bytes.take(size as usize, "the header of AEDAT 4")?);
        let damaged =
            |d: Damage| bytes.corrupt(at + d.at as u64, d.expected, "an offset out of it");
        let table = Table::root(&header).map_err(damaged)?;
        let number = table.i32(0, 0).map_err(damaged)?;
        let end = table.i64(1, -1).map_err(damaged)?;
        let (info, info_at) = table.vector(2, 1).map_err(damaged)?;
        let compression = Aedat4Compression::of_number(number).ok_or_else(|| {
            let expected = "a compression of 0 (none), 1, 2 (LZ4), 3 or 4 (ZSTD)";
            bytes.corrupt(at, expected, format!("{number}"))
        })?;
        let (stream, geometry) = pick_stream(&bytes, at + info_at as u64, info, stream)?;
        Ok(Self {
            compression,
            end: u64::try_from(end).ok(),
            stream,
            geometry,
            unpacked: Vec::new(),
            counts: DecodeCounts::default(),
            bytes,
        })
    }

    /// Appends the events of a packet that starts at byte `at` of the file.
    fn events(&mut self, at: u64, packet: &[u8], batch: &mut EventBatch) -> Result<()> {
        let damaged = |d: Damage| {
            let expected = format!("{} (byte {} of the unpacked packet)", d.expected, d.at);
            self.bytes.corrupt(at, expected, "an offset out of it")
        };
        if packet.get(8..12) != Some(b"EVTS") {
            let found = crate::error::printable(packet.get(8..12).unwrap_or_default());
            let expected = "a packet of events (EVTS)";
            return Err(self.bytes.corrupt(at, expected, found));
        }
        let table = Table::root(packet).map_err(damaged)?;
        let (records, first) = table.vector(0, EVENT).map_err(damaged)?;
        let geometry = self.geometry.unwrap_or(Geometry::UNBOUNDED);
        let (records, _) = records.as_chunks::<EVENT>();
        batch.events.reserve(records.len());
        for (i, r) in records.iter().enumerate() {
            let word = u128::from_le_bytes(*r);
            let t = word as i64;
            let Ok(t_us) = u64::try_from(t) else {
                let place = first + i * EVENT;
                let expected = format!("a time from 0 on (byte {place} of the unpacked packet)");
                return Err(self.bytes.corrupt(at, expected, format!("{t} us")));
            };
            // Negative addresses become large ones, which are outside.
            let event = Event {
                t_us,
                x: (word >> 64) as u16,
                y: (word >> 80) as u16,
                on: (word >> 96) as u8 != 0,
            };
            push(event, geometry, batch, &mut self.counts);
        }
        Ok(())
    }
}

impl FileReader for Aedat4Reader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        loop {
            let at = self.bytes.offset();
            if self.end.is_some_and(|end| at >= end) {
                return Ok(false);
            }
            if self.end.is_none() && self.bytes.peek(1)?.is_empty() {
                return Ok(false);
            }
            let head: [u8; 8] = self.bytes.array("the head of a packet")?;
            let word = u64::from_le_bytes(head);
            let (stream, size) = (word as i32, (word >> 32) as i32);
            let room = self
                .end
                .map_or(MAX_PACKET, |end| end.saturating_sub(at + 8));
            let size = u64::try_from(size)
                .ok()
                .filter(|&s| s <= room.min(MAX_PACKET));
            let Some(size) = size else {
                let most = room.min(MAX_PACKET);
                let expected = format!("a packet of 0 to {most} bytes");
                let found = format!("{} bytes", (word >> 32) as i32);
                return Err(self.bytes.corrupt(at + 4, expected, found));
            };
            if stream != self.stream {
                self.bytes.skip(size, "a packet")?;
                continue;
            }
            let packed = self.bytes.take(size as usize, "a packet of events")?;
            let mut unpacked = std::mem::take(&mut self.unpacked);
            unpacked.clear();
            if let Err(why) = unpack(self.compression, packed, &mut unpacked) {
                let expected = format!("a packet packed as {}", self.compression.name());
                return Err(self.bytes.corrupt(at + 8, expected, why));
            }
            let result = self.events(at + 8, &unpacked, batch);
            self.unpacked = unpacked;
            return result.map(|()| true);
        }
    }

    fn geometry(&self) -> Option<Geometry> {
        self.geometry
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}

/// Unpacks at most [`MAX_PACKET`] bytes; an error says why not.
fn unpack(
    compression: Aedat4Compression,
    packed: &[u8],
    out: &mut Vec<u8>,
) -> std::result::Result<(), String> {
    let most = MAX_PACKET + 1;
    let read = match compression {
        Aedat4Compression::None => packed.take(most).read_to_end(out),
        Aedat4Compression::Lz4 => lz4_flex::frame::FrameDecoder::new(packed)
            .take(most)
            .read_to_end(out),
        Aedat4Compression::Zstd => zstd::stream::read::Decoder::with_buffer(packed)
            .and_then(|decoder| decoder.take(most).read_to_end(out)),
    };
    match read {
        Ok(n) if (n as u64) < most => Ok(()),
        Ok(_) => Err(format!("more than {MAX_PACKET} bytes")),
        Err(e) => Err(e.to_string()),
    }
}

/// The stream of events asked for, or the only one, and its sensor's size.
fn pick_stream(
    bytes: &Bytes,
    at: u64,
    info: &[u8],
    wanted: Option<&str>,
) -> Result<(i32, Option<Geometry>)> {
    let broken = |why: String| bytes.corrupt(at, "XML that lists the streams", why);
    let info = std::str::from_utf8(info).map_err(|e| broken(e.to_string()))?;
    let document = roxmltree::Document::parse(info).map_err(|e| broken(e.to_string()))?;
    let out_info = (document.descendants()).find(|n| n.attribute("name") == Some("outInfo"));
    let streams = (out_info.iter().flat_map(|n| n.children())).filter(|n| n.has_tag_name("node"));
    let mut found = Vec::new();
    let mut has = Vec::new();
    for stream in streams {
        let name = stream.attribute("name").unwrap_or("");
        let kind = attribute(stream, "typeIdentifier").unwrap_or("");
        has.push(format!("{name} ({kind})"));
        if let Ok(number) = name.parse::<i32>()
            && kind == "EVTS"
            && wanted.is_none_or(|wanted| wanted == name)
        {
            found.push((number, size_of_sensor(stream)));
        }
    }
    if let [one] = found.as_slice() {
        return Ok(*one);
    }
    Err(BagError::NoTopic {
        path: bytes.path().to_owned(),
        what: match (wanted, found.len()) {
            (Some(wanted), _) => format!("no stream `{wanted}` of events (EVTS)"),
            (None, 0) => "no stream of events (EVTS)".into(),
            (None, n) => format!("{n} streams of events: name one by its number"),
        },
        has: format!("streams [{}]", has.join(", ")),
    })
}

fn size_of_sensor(stream: roxmltree::Node) -> Option<Geometry> {
    let info = (stream.children()).find(|n| n.attribute("name") == Some("info"))?;
    let size = |key| {
        attribute(info, key)?
            .trim()
            .parse()
            .ok()
            .filter(|&n: &u16| n > 0)
    };
    Some(Geometry {
        width: size("sizeX")?,
        height: size("sizeY")?,
    })
}

fn attribute<'a>(node: roxmltree::Node<'a, '_>, key: &str) -> Option<&'a str> {
    (node.children())
        .find(|n| n.has_tag_name("attr") && n.attribute("key") == Some(key))?
        .text()
}

/// Writes events as AEDAT 4: one stream, no data table.
///
/// # Errors
/// If a column or row is above 32767 or a time above 2^63 µs, or writing fails.
pub fn write_aedat4(
    path: &Path,
    compression: Aedat4Compression,
    geometry: Geometry,
    events: &[Event],
) -> Result<()> {
    let mut out = MAGIC.to_vec();
    out.extend(header(compression, geometry));
    for (i, events) in events.chunks(PER_PACKET).enumerate() {
        let packet = packet(i * PER_PACKET, events).map_err(|source| BagError::Events {
            path: path.to_owned(),
            source,
        })?;
        let packed = pack(compression, packet).map_err(|e| BagError::io(path, "pack", e))?;
        out.extend(0i32.to_le_bytes());
        out.extend((packed.len() as i32).to_le_bytes());
        out.extend(packed);
    }
    file::write(path, &out)
}

fn pack(compression: Aedat4Compression, packet: Vec<u8>) -> std::io::Result<Vec<u8>> {
    match compression {
        Aedat4Compression::None => Ok(packet),
        Aedat4Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(&packet)?;
            encoder.finish().map_err(std::io::Error::other)
        }
        Aedat4Compression::Zstd => zstd::stream::encode_all(packet.as_slice(), 3),
    }
}

/// The FlatBuffer `IOHeader`. Fields are aligned as from the size prefix on.
fn header(compression: Aedat4Compression, geometry: Geometry) -> Vec<u8> {
    let xml = streams_xml(compression, geometry);
    let mut b = Vec::new();
    b.extend(20u32.to_le_bytes()); // the root, from here
    b.extend(b"IOHE");
    for word in [10u16, 20, 4, 8, 16, 0] {
        b.extend(word.to_le_bytes()); // vtable: sizes, places of the fields; padding
    }
    b.extend(12i32.to_le_bytes()); // back to the vtable
    b.extend(compression.number().to_le_bytes());
    b.extend((-1i64).to_le_bytes()); // no data table
    b.extend(4u32.to_le_bytes()); // the string, from here
    b.extend((xml.len() as u32).to_le_bytes());
    b.extend(xml.as_bytes());
    b.push(0);
    b.resize(b.len().next_multiple_of(8) + 4, 0);
    [&(b.len() as u32).to_le_bytes(), b.as_slice()].concat()
}

fn streams_xml(compression: Aedat4Compression, geometry: Geometry) -> String {
    let attr = |key: &str, kind: &str, value: &str| {
        format!("<attr key=\"{key}\" type=\"{kind}\">{value}</attr>")
    };
    let stream = [
        attr("compression", "string", compression.name()),
        attr("originalModuleName", "string", "saccade"),
        attr("originalOutputName", "string", "events"),
        attr(
            "typeDescription",
            "string",
            "Array of events (polarity ON/OFF).",
        ),
        attr("typeIdentifier", "string", "EVTS"),
    ];
    let info = [
        attr("sizeX", "int", &geometry.width.to_string()),
        attr("sizeY", "int", &geometry.height.to_string()),
        attr("source", "string", "saccade"),
        attr("tsOffset", "long", "0"),
    ];
    format!(
        "<dv version=\"2.0\"><node name=\"outInfo\" path=\"/outInfo/\">\
         <node name=\"0\" path=\"/outInfo/0/\">{}\
         <node name=\"info\" path=\"/outInfo/0/info/\">{}</node></node></node></dv>",
        stream.concat(),
        info.concat()
    )
}

/// The FlatBuffer `EventPacket`; `first` is the index of its first event.
fn packet(first: usize, events: &[Event]) -> std::result::Result<Vec<u8>, EventError> {
    let mut b = Vec::new();
    b.extend((28 + (EVENT * events.len()) as u32).to_le_bytes());
    b.extend(16u32.to_le_bytes()); // the root, from here
    b.extend(b"EVTS");
    for word in [6u16, 8, 4, 0] {
        b.extend(word.to_le_bytes()); // vtable: sizes, place of the field; padding
    }
    b.extend(8i32.to_le_bytes()); // back to the vtable
    b.extend(4u32.to_le_bytes()); // the vector, from here
    b.extend((events.len() as u32).to_le_bytes());
    for (i, e) in events.iter().enumerate() {
        let (Ok(t), Ok(x), Ok(y)) = (
            i64::try_from(e.t_us),
            i16::try_from(e.x),
            i16::try_from(e.y),
        ) else {
            let why = "addresses go up to 32767, times to 2^63 us";
            return Err(EventError::unencodable(first + i, *e, "aedat4", why));
        };
        b.extend(t.to_le_bytes());
        b.extend(x.to_le_bytes());
        b.extend(y.to_le_bytes());
        b.extend([u8::from(e.on), 0, 0, 0]);
    }
    Ok(b)
}
