//! AEDAT 4 (iniVation DV): `#!AER-DAT4.0\r\n`, a FlatBuffer that tells the
//! compression, the place of the data table and, as XML, the streams; then
//! packets of `i32` stream, `i32` size and a FlatBuffer, which LZ4 or Zstandard
//! may have packed. Events have 16 bytes: i64 µs, i16 column, i16 row, u8
//! polarity, 3 unused. Triggers are tables of a time and a kind. What follows the
//! packets (the data table) is only checked to be whole.

use std::io::Read;

use saccade_msgs::Event;
use zstd::stream::raw::{InBuffer, Operation, OutBuffer};

use super::bytes::{Bytes, FileReader, push};
use super::flatbuffer::{Damage, Table};
use super::{DecodeCounts, EventBatch, Geometry, Trigger, has_vectors};
use crate::error::{BagError, Result, printable};

/// First bytes of a file.
pub(super) const MAGIC: &[u8] = b"#!AER-DAT4.0\r\n";
/// Bytes of a header at most.
const MAX_HEADER: u32 = 1 << 24;
/// Bytes of a packet at most, packed and unpacked.
const MAX_PACKET: u64 = 1 << 28;
/// Bytes that Zstandard may unpack before it must have shown more.
const ZSTD_STEP: usize = 1 << 18;
/// Bytes of an event.
pub(super) const EVENT: usize = 16;

/// Kinds of trigger that are a rising and a falling edge: of the external input,
/// and of the generator. (A pulse of the input is told as a rising edge.)
pub(super) const INPUTS: [(u8, u8); 2] = [(1, 2), (4, 5)];
const PULSE: u8 = 3;

/// How the packets of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Lz4,
    Zstd,
}

impl Packing {
    /// 2 and 4 are LZ4 and Zstandard packed harder.
    fn of_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 | 2 => Some(Self::Lz4),
            3 | 4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Name in the header's XML.
    fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Lz4 => "LZ4",
            Self::Zstd => "ZSTD",
        }
    }
}

/// Reads the events of one stream of an AEDAT 4 file.
pub(super) struct Aedat4Reader {
    bytes: Bytes,
    packing: Packing,
    /// Place of the data table; `None` where the file was not closed.
    end: Option<u64>,
    stream: i32,
    /// Streams of triggers.
    triggers: Vec<i32>,
    geometry: Option<Geometry>,
    unpacker: Unpacker,
    unpacked: Vec<u8>,
    counts: DecodeCounts,
    vectors: bool,
    /// Whether the data table was looked at.
    checked: bool,
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
        let packing = Packing::of_number(number).ok_or_else(|| {
            let expected = "a compression of 0 (none), 1, 2 (LZ4), 3 or 4 (ZSTD)";
            bytes.corrupt(at, expected, format!("{number}"))
        })?;
        let (stream, geometry, triggers) = pick_stream(&bytes, at + info_at as u64, info, stream)?;
        Ok(Self {
            packing,
            unpacker: Unpacker::default(),
            end: u64::try_from(end).ok(),
            stream,
            triggers,
            geometry,
            unpacked: Vec::new(),
            counts: DecodeCounts::default(),
            vectors: has_vectors(),
            checked: false,
            bytes,
        })
    }

    /// Appends the events of a packet that starts at byte `at` of the file.
    fn events(&mut self, at: u64, packet: &[u8], batch: &mut EventBatch) -> Result<()> {
        let table = self.root(at, packet, b"EVTS")?;
        let (records, first) = table.vector(0, EVENT).map_err(|d| self.damaged(at, d))?;
        let geometry = self.geometry.unwrap_or(Geometry::UNBOUNDED);
        let (mut records, _) = records.as_chunks::<EVENT>();
        let (all, mut done) = (records.len(), 0);
        batch.events.reserve(all);
        while done < all {
            #[cfg(target_arch = "x86_64")]
            if self.vectors {
                // SAFETY: `vectors` says that the CPU has the instructions.
                done += unsafe { super::avx2::aedat4(records, geometry, &mut batch.events) };
                records = &records[done - (all - records.len())..];
            }
            let n = if self.vectors {
                records.len().min(2)
            } else {
                records.len()
            };
            let (unusual, later) = records.split_at(n);
            for (i, r) in unusual.iter().enumerate() {
                let word = u128::from_le_bytes(*r);
                let t = word as i64;
                let Ok(t_us) = u64::try_from(t) else {
                    let place = first + (done + i) * EVENT;
                    let expected =
                        format!("a time from 0 on (byte {place} of the unpacked packet)");
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
            done += n;
            records = later;
        }
        Ok(())
    }

    /// Appends the triggers of a packet that starts at byte `at` of the file.
    fn trigger_packet(&self, at: u64, packet: &[u8], batch: &mut EventBatch) -> Result<()> {
        let table = self.root(at, packet, b"TRIG")?;
        let elements = table.tables(0).map_err(|d| self.damaged(at, d))?;
        for element in elements {
            let element = element.map_err(|d| self.damaged(at, d))?;
            let t = element.i64(0, 0).map_err(|d| self.damaged(at, d))?;
            let kind = element.u8(1, 0).map_err(|d| self.damaged(at, d))?;
            let t_us = u64::try_from(t).map_err(|_| {
                let expected = "triggers with times from 0 on";
                self.bytes.corrupt(at, expected, format!("{t} us"))
            })?;
            batch.triggers.extend(trigger(kind, t_us));
        }
        Ok(())
    }

    /// The table of an unpacked packet.
    fn root<'a>(&self, at: u64, packet: &'a [u8], identifier: &[u8; 4]) -> Result<Table<'a>> {
        if packet.get(8..12) != Some(identifier) {
            let found = printable(packet.get(8..12).unwrap_or_default());
            let expected = format!("a packet of {}", identifier.escape_ascii());
            return Err(self.bytes.corrupt(at, expected, found));
        }
        Table::root(packet).map_err(|d| self.damaged(at, d))
    }

    fn damaged(&self, at: u64, d: Damage) -> BagError {
        let expected = format!("{} (byte {} of the unpacked packet)", d.expected, d.at);
        self.bytes.corrupt(at, expected, "an offset out of it")
    }

    /// Whether the packets have come to their end, at the next byte.
    fn ended(&mut self) -> Result<bool> {
        let rest = self.bytes.peek(1)?.len();
        match self.end {
            None => Ok(rest == 0),
            Some(end) if self.bytes.offset() < end => Ok(false),
            Some(_) if rest == 0 => Err(self.bytes.truncated("the data table", 1, 0)),
            Some(end) => self.check_table(end).map(|()| true),
        }
    }

    /// Reads the data table, so that a file cut inside of it is noticed. (One of
    /// over [`MAX_PACKET`] bytes, 40 for a packet, is not read.)
    fn check_table(&mut self, at: u64) -> Result<()> {
        let rest = self.bytes.peek(MAX_PACKET as usize + 1)?;
        if self.checked || rest.len() as u64 > MAX_PACKET {
            return Ok(());
        }
        self.checked = true;
        let mut unpacked = Vec::new();
        let why = match self.unpacker.unpack(self.packing, rest, &mut unpacked) {
            Ok(()) if unpacked.get(8..12) == Some(b"FTAB") => match Table::root(&unpacked) {
                Ok(_) => return Ok(()),
                Err(_) => "less than its size".to_owned(),
            },
            Ok(()) => printable(&unpacked[..unpacked.len().min(12)]),
            Err(why) => why,
        };
        Err(self.bytes.corrupt(at, "the whole data table (FTAB)", why))
    }
}

impl FileReader for Aedat4Reader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        loop {
            if self.ended()? {
                return Ok(false);
            }
            let at = self.bytes.offset();
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
            let triggers = self.triggers.contains(&stream);
            if stream != self.stream && !triggers {
                self.bytes.skip(size, "a packet")?;
                continue;
            }
            let packed = self
                .bytes
                .take(size as usize, "a packet of events or triggers")?;
            let mut unpacked = std::mem::take(&mut self.unpacked);
            unpacked.clear();
            if let Err(why) = self.unpacker.unpack(self.packing, packed, &mut unpacked) {
                let expected = format!("a packet packed as {}", self.packing.name());
                return Err(self.bytes.corrupt(at + 8, expected, why));
            }
            let result = if triggers {
                self.trigger_packet(at + 8, &unpacked, batch)
            } else {
                self.events(at + 8, &unpacked, batch)
            };
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

/// Unpacks packets. Zstandard's tables are kept from one to the next, and it writes
/// where the bytes are wanted: a tenth of the time.
#[derive(Default)]
struct Unpacker {
    zstd: Option<zstd::stream::raw::Decoder<'static>>,
}

impl Unpacker {
    /// Unpacks at most [`MAX_PACKET`] bytes into `out`, which is empty; an error says
    /// why not.
    fn unpack(
        &mut self,
        packing: Packing,
        packed: &[u8],
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), String> {
        let most = MAX_PACKET + 1;
        let read = match packing {
            Packing::None => packed.take(most).read_to_end(out),
            Packing::Lz4 => unpack_lz4(packed, most, out),
            Packing::Zstd => self.unpack_zstd(packed, most, out),
        };
        match read {
            Ok(n) if (n as u64) < most => Ok(()),
            Ok(_) => Err(format!("more than {MAX_PACKET} bytes")),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Unpacks a frame of Zstandard.
    fn unpack_zstd(
        &mut self,
        packed: &[u8],
        most: u64,
        out: &mut Vec<u8>,
    ) -> std::io::Result<usize> {
        let decoder = match &mut self.zstd {
            Some(decoder) => decoder,
            none => none.insert(zstd::stream::raw::Decoder::new()?),
        };
        decoder.reinit()?;
        let mut packed = InBuffer::around(packed);
        while (out.len() as u64) < most {
            // Room grows with what has arrived, never with a size that is stated.
            out.reserve(out.len().max(ZSTD_STEP).min(most as usize - out.len()));
            let at = out.len();
            let before = (at, packed.pos());
            let left = decoder.run(&mut packed, &mut OutBuffer::around_pos(out, at))?;
            if left == 0 {
                break;
            }
            if (out.len(), packed.pos()) == before {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(out.len())
    }
}

/// Unpacks a frame of LZ4. (The crate `lz4` does it a fifth faster here than
/// `lz4_flex`, and tells when a frame is cut at its end.)
fn unpack_lz4(packed: &[u8], most: u64, out: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut decoder = lz4::Decoder::new(packed)?.take(most);
    let n = decoder.read_to_end(out)?;
    if n as u64 == most {
        return Ok(n);
    }
    decoder.into_inner().finish().1.map(|()| n)
}

/// The trigger of that kind, if it is one of an input.
fn trigger(kind: u8, t_us: u64) -> Option<Trigger> {
    let of_input = |&(rising, falling): &(u8, u8)| kind == rising || kind == falling;
    let id = match kind {
        PULSE => 0,
        _ => INPUTS.iter().position(of_input)?,
    };
    Some(Trigger {
        t_us,
        id: id as u8,
        rising: INPUTS[id].1 != kind,
    })
}

/// The stream of events asked for, or the only one, its sensor's size, and the
/// streams of triggers.
fn pick_stream(
    bytes: &Bytes,
    at: u64,
    info: &[u8],
    wanted: Option<&str>,
) -> Result<(i32, Option<Geometry>, Vec<i32>)> {
    let broken = |why: String| bytes.corrupt(at, "XML that lists the streams", why);
    let info = std::str::from_utf8(info).map_err(|e| broken(e.to_string()))?;
    let document = roxmltree::Document::parse(info).map_err(|e| broken(e.to_string()))?;
    let out_info = (document.descendants()).find(|n| n.attribute("name") == Some("outInfo"));
    let streams = (out_info.iter().flat_map(|n| n.children())).filter(|n| n.has_tag_name("node"));
    let (mut found, mut triggers) = (Vec::new(), Vec::new());
    let mut has = Vec::new();
    for stream in streams {
        let name = stream.attribute("name").unwrap_or("");
        let kind = attribute(stream, "typeIdentifier").unwrap_or("");
        has.push(format!("{name} ({kind})"));
        let Ok(number) = name.parse::<i32>() else {
            continue;
        };
        if kind == "TRIG" {
            triggers.push(number);
        } else if kind == "EVTS" && wanted.is_none_or(|wanted| wanted == name) {
            found.push((number, size_of_sensor(stream)));
        }
    }
    if let [(number, geometry)] = found.as_slice() {
        return Ok((*number, *geometry, triggers));
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
