//! NumPy `.npy`: structured arrays of one dimension with fields t, x, y and p
//! (and any others), of integers of 1 to 8 bytes in either byte order, or bool.
//! Times are µs. The head is `\x93NUMPY`, a version, its length and a Python
//! dictionary with `descr`, `fortran_order` and `shape`.

use std::path::Path;

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader};
use super::text::{P_NAMES, T_NAMES, X_NAMES, Y_NAMES};
use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::{Result, printable};
use crate::file;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes of a head at most.
const MAX_HEAD: usize = 1 << 16;
/// Bytes of a record at most.
const MAX_RECORD: usize = 1 << 16;

/// Reads a structured array of events.
pub(super) struct NpyReader {
    bytes: Bytes,
    record: Record,
    /// Records left.
    left: u64,
    counts: DecodeCounts,
}

/// Where the fields of an event are in a record.
#[derive(Debug, Clone, Copy)]
struct Record {
    size: usize,
    t: Field,
    x: Field,
    y: Field,
    p: Field,
}

/// An integer in a record.
#[derive(Debug, Clone, Copy)]
struct Field {
    at: usize,
    size: usize,
    signed: bool,
    big_endian: bool,
}

impl Field {
    /// The value; the record must be long enough.
    fn get(self, record: &[u8]) -> i128 {
        let bytes = &record[self.at..self.at + self.size];
        let mut value: u64 = 0;
        for i in 0..self.size {
            let place = if self.big_endian {
                i
            } else {
                self.size - 1 - i
            };
            value = value << 8 | u64::from(bytes[place]);
        }
        let unused = 64 - 8 * self.size as u32;
        if self.signed {
            i128::from((value << unused) as i64 >> unused)
        } else {
            i128::from(value)
        }
    }
}

impl NpyReader {
    /// Reads the head.
    pub fn open(mut bytes: Bytes) -> Result<Self> {
        bytes.take(MAGIC.len(), "the first bytes of NumPy")?;
        let [major, _] = bytes.array("the version of NumPy's format")?;
        let length = match major {
            1 => u16::from_le_bytes(bytes.array("the length of the head")?).into(),
            2 | 3 => u32::from_le_bytes(bytes.array("the length of the head")?) as usize,
            _ => {
                let found = major.to_string();
                return Err(bytes.corrupt(6, "version 1, 2 or 3 of NumPy's format", found));
            }
        };
        let at = bytes.offset();
        if length > MAX_HEAD {
            let expected = format!("a head of at most {MAX_HEAD} bytes");
            return Err(bytes.corrupt(at - 4, expected, length.to_string()));
        }
        let head = bytes.take(length, "the head of a NumPy array")?.to_vec();
        let head = String::from_utf8_lossy(&head).into_owned();
        let (record, left) = parse(&head).map_err(|expected| {
            bytes.corrupt(at, expected, printable(head.trim_end().as_bytes()))
        })?;
        Ok(Self {
            bytes,
            record,
            left,
            counts: DecodeCounts::default(),
        })
    }
}

type Parsed<T> = std::result::Result<T, &'static str>;

/// The record and the number of records that a head tells.
fn parse(head: &str) -> Parsed<(Record, u64)> {
    let head: String = head.replace('"', "'");
    let value = |key: &str| {
        let (_, after) = head.split_once(&format!("'{key}'"))?;
        Some(after.trim_start().strip_prefix(':')?.trim_start())
    };
    if !value("fortran_order").is_some_and(|v| v.starts_with("False")) {
        return Err("`fortran_order` False");
    }
    let shape = value("shape").and_then(|v| v.strip_prefix('(')?.split_once(')'));
    let shape = shape.map(|(inside, _)| inside.trim_end().trim_end_matches(','));
    let count = shape.and_then(|n| n.trim().parse().ok());
    let count = count.ok_or("a `shape` of one dimension")?;
    let structured = "a `descr` that lists the fields as ('name', 'type')";
    let mut list = value("descr")
        .and_then(|v| v.strip_prefix('['))
        .ok_or(structured)?;
    let mut record = Layout::default();
    loop {
        list = list.trim_start_matches([',', ' ']);
        if list.starts_with(']') {
            return Ok((record.finish()?, count));
        }
        let (inside, after) = (list.strip_prefix('('))
            .and_then(|l| l.split_once(')'))
            .ok_or(structured)?;
        let mut parts = inside.split(',').map(|p| p.trim().trim_matches('\''));
        let (Some(name), Some(kind), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("fields that are plain numbers, not arrays");
        };
        record.add(name, kind)?;
        list = after;
    }
}

/// The fields found so far.
#[derive(Default)]
struct Layout {
    size: usize,
    t: Option<Field>,
    x: Option<Field>,
    y: Option<Field>,
    p: Option<Field>,
}

impl Layout {
    /// Adds a field of a type like `<i8`, `|u1` or `|V4`.
    fn add(&mut self, name: &str, kind: &str) -> Parsed<()> {
        let (order, rest) = kind.split_at_checked(1).unwrap_or(("", ""));
        let (letter, size) = rest.split_at_checked(1).unwrap_or(("", ""));
        let size: usize = size.parse().map_err(|_| "types like '<i8' or '|u1'")?;
        let at = self.size;
        // Characters of `U` have four bytes; the others count bytes.
        let width = if letter == "U" { 4 } else { 1 };
        self.size = (size.checked_mul(width))
            .and_then(|size| size.checked_add(at))
            .filter(|&size| size <= MAX_RECORD)
            .ok_or("records of at most 65536 bytes")?;
        let name = name.to_ascii_lowercase();
        let place = match name.as_str() {
            n if T_NAMES.contains(&n) => &mut self.t,
            n if X_NAMES.contains(&n) => &mut self.x,
            n if Y_NAMES.contains(&n) => &mut self.y,
            n if P_NAMES.contains(&n) => &mut self.p,
            _ => return Ok(()),
        };
        let signed = letter == "i";
        let integer = (signed || letter == "u") && matches!(size, 1 | 2 | 4 | 8);
        let known = matches!(order, "<" | ">" | "|");
        if !known || !(integer || letter == "b" && size == 1) {
            return Err("integers (i, u of 1 to 8 bytes) or bool in t, x, y and p");
        }
        let field = Field {
            at,
            size,
            signed,
            big_endian: order == ">",
        };
        place.get_or_insert(field);
        Ok(())
    }

    fn finish(self) -> Parsed<Record> {
        match (self.t, self.x, self.y, self.p) {
            (Some(t), Some(x), Some(y), Some(p)) => Ok(Record {
                size: self.size,
                t,
                x,
                y,
                p,
            }),
            _ => Err("fields t, x, y and p (or polarity, on)"),
        }
    }
}

impl FileReader for NpyReader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        let (record, first) = (self.record, self.bytes.offset());
        let records = self
            .bytes
            .records(record.size, Some(self.left), "an event")?;
        let n = records.len() / record.size;
        let mut wrong = None;
        for (i, r) in records.chunks_exact(record.size).enumerate() {
            let (t, x, y) = (record.t.get(r), record.x.get(r), record.y.get(r));
            let Ok(t_us) = u64::try_from(t) else {
                wrong = Some((i, t));
                break;
            };
            let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y)) else {
                self.counts.outside += 1;
                continue;
            };
            let on = record.p.get(r) > 0;
            batch.events.push(Event { t_us, x, y, on });
        }
        if let Some((i, t)) = wrong {
            let at = first + (i * record.size + record.t.at) as u64;
            let found = format!("{t} us");
            return Err(self.bytes.corrupt(at, "a time from 0 on", found));
        }
        self.left -= n as u64;
        Ok(true)
    }

    fn geometry(&self) -> Option<Geometry> {
        None
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}

/// Writes events as a structured array of t (u64), x, y (u16) and p (bool).
///
/// # Errors
/// If writing fails.
pub fn write_npy(path: &Path, events: &[Event]) -> Result<()> {
    let mut head = format!(
        "{{'descr': [('t', '<u8'), ('x', '<u2'), ('y', '<u2'), ('p', '|b1')], \
         'fortran_order': False, 'shape': ({},), }}",
        events.len()
    );
    // The events start at a multiple of 64 bytes.
    let padded = (MAGIC.len() + 4 + head.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    head.extend(std::iter::repeat_n(' ', padded - head.len() - 1));
    head.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((head.len() as u16).to_le_bytes());
    out.extend(head.as_bytes());
    for e in events {
        out.extend(e.t_us.to_le_bytes());
        out.extend(e.x.to_le_bytes());
        out.extend(e.y.to_le_bytes());
        out.push(u8::from(e.on));
    }
    file::write(path, &out)
}
