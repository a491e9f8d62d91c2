//! NumPy `.npy`: structured arrays of one dimension with fields t, x, y and p
//! (and any others; a field may have a title), of integers of 1 to 8 bytes in
//! either byte order, or bool.
//! Times are µs. The head is `\x93NUMPY`, a version, its length and a Python
//! dictionary with `descr`, `fortran_order` and `shape`.

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader};
use super::text::{P_NAMES, T_NAMES, X_NAMES, Y_NAMES};
use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::{Result, printable};

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
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
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Field {
    /// Its first byte in the record.
    pub at: usize,
    /// Bytes: 1, 2, 4 or 8.
    pub size: usize,
    pub signed: bool,
    pub big_endian: bool,
}

const INTEGERS: &str = "integers (i, u of 1 to 8 bytes) or bool in t, x, y and p";
const RECORDS: &str = "records of at most 65536 bytes";

impl Field {
    /// The field of a type like `<i8` or `|u1` (`None` if it is no integer) at that
    /// place, and the bytes it takes.
    fn of_kind(kind: &str, at: usize) -> Parsed<(Option<Self>, usize)> {
        let (order, rest) = kind.split_at_checked(1).unwrap_or(("", ""));
        let (letter, size) = rest.split_at_checked(1).unwrap_or(("", ""));
        let size: usize = size.parse().map_err(|_| "types like '<i8' or '|u1'")?;
        // Characters of `U` have four bytes; the others count bytes.
        let width = if letter == "U" { 4 } else { 1 };
        let bytes = (size.checked_mul(width)).filter(|&n| n <= MAX_RECORD);
        let bytes = bytes.ok_or(RECORDS)?;
        let signed = letter == "i";
        let integer = (signed || letter == "u") && matches!(size, 1 | 2 | 4 | 8);
        let known = matches!(order, "<" | ">" | "|");
        let field = (known && (integer || letter == "b" && size == 1)).then_some(Self {
            at,
            size,
            signed,
            big_endian: order == ">",
        });
        Ok((field, bytes))
    }

    /// The value; the record must be long enough.
    pub fn get(self, record: &[u8]) -> i128 {
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
        let (record, left) = read_head(&mut bytes, record)?;
        Ok(Self {
            bytes,
            record,
            left,
            counts: DecodeCounts::default(),
        })
    }
}

/// An array of plain numbers.
pub(super) struct Array {
    /// The rest of the file.
    pub bytes: Bytes,
    field: Field,
    /// Numbers left.
    pub left: u64,
}

impl Array {
    /// Reads the head.
    pub fn plain(mut bytes: Bytes) -> Result<Self> {
        let (field, left) = read_head(&mut bytes, |descr| {
            let kind = descr.strip_prefix('\'').and_then(|d| d.split_once('\''));
            let (kind, _) = kind.ok_or("a `descr` that is one type, as '<i8'")?;
            let (field, _) = Field::of_kind(kind, 0)?;
            field.ok_or(INTEGERS)
        })?;
        Ok(Self { bytes, field, left })
    }

    /// Bytes of a number.
    pub fn size(&self) -> usize {
        self.field.size
    }

    /// Appends the next `n` numbers.
    pub fn next(&mut self, n: usize, values: &mut Vec<i128>) -> Result<()> {
        let numbers = self
            .bytes
            .take(n * self.field.size, "numbers of an array")?;
        values.extend(
            numbers
                .chunks_exact(self.field.size)
                .map(|r| self.field.get(r)),
        );
        self.left = self.left.saturating_sub(n as u64);
        Ok(())
    }
}

/// The event of four numbers; without one, the wrong time, or nothing if the
/// address is outside of every sensor.
pub(super) fn to_event(
    t: i128,
    x: i128,
    y: i128,
    p: i128,
) -> std::result::Result<Event, Option<String>> {
    let t_us = u64::try_from(t).map_err(|_| Some(format!("{t} us")))?;
    let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y)) else {
        return Err(None);
    };
    Ok(Event {
        t_us,
        x,
        y,
        on: p > 0,
    })
}

type Parsed<T> = std::result::Result<T, &'static str>;

/// What `descr` makes of the type that a file's head tells, and the number of
/// elements.
fn read_head<T>(bytes: &mut Bytes, descr: impl Fn(&str) -> Parsed<T>) -> Result<(T, u64)> {
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
    let head = String::from_utf8_lossy(&head).replace('"', "'");
    parse(&head, descr)
        .map_err(|expected| bytes.corrupt(at, expected, printable(head.trim_end().as_bytes())))
}

/// The type and the number of elements that a head tells.
fn parse<T>(head: &str, descr: impl Fn(&str) -> Parsed<T>) -> Parsed<(T, u64)> {
    let value = |key: &str| {
        let (_, after) = head.split_once(&format!("'{key}'"))?;
        Some(after.trim_start().strip_prefix(':')?.trim_start())
    };
    let shape = value("shape").and_then(|v| v.strip_prefix('(')?.split_once(')'));
    let shape = shape.map(|(inside, _)| inside.trim_end().trim_end_matches(','));
    let count = shape.and_then(|n| n.trim().parse().ok());
    let count = count.ok_or("a `shape` of one dimension")?;
    let kind = descr(value("descr").ok_or("a `descr`")?)?;
    // An array of one dimension is the same either way.
    Ok((kind, count))
}

/// The record of a structured type.
fn record(descr: &str) -> Parsed<Record> {
    let structured = "a `descr` that lists the fields as ('name', 'type')";
    let mut list = descr.strip_prefix('[').ok_or(structured)?;
    let mut record = Layout::default();
    loop {
        list = list.trim_start_matches([',', ' ']);
        if list.starts_with(']') {
            return record.finish();
        }
        list = list.strip_prefix('(').ok_or(structured)?;
        let mut title = None;
        if let Some((titled, after)) = list.strip_prefix('(').and_then(|l| l.split_once(')')) {
            // (('title', 'name'), 'type')
            title = titled.split_once(',').map(|(_, name)| name);
            list = after.trim_start_matches([',', ' ']);
        }
        let (inside, after) = list.split_once(')').ok_or(structured)?;
        let parts = title.into_iter().chain(inside.split(','));
        let mut parts = parts.map(|p| p.trim().trim_matches('\''));
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
        let (field, size) = Field::of_kind(kind, self.size)?;
        self.size += size;
        if self.size > MAX_RECORD {
            return Err(RECORDS);
        }
        let name = name.to_ascii_lowercase();
        let place = match name.as_str() {
            n if T_NAMES.contains(&n) => &mut self.t,
            n if X_NAMES.contains(&n) => &mut self.x,
            n if Y_NAMES.contains(&n) => &mut self.y,
            n if P_NAMES.contains(&n) => &mut self.p,
            _ => return Ok(()),
        };
        place.get_or_insert(field.ok_or(INTEGERS)?);
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
            self.bytes.peek(1)?; // what is packed is checked at its end
            return Ok(false);
        }
        let (record, first) = (self.record, self.bytes.offset());
        let records = self
            .bytes
            .records(record.size, Some(self.left), "an event")?;
        let n = records.len() / record.size;
        let mut wrong = None;
        for (i, r) in records.chunks_exact(record.size).enumerate() {
            let Record { t, x, y, p, .. } = record;
            match to_event(t.get(r), x.get(r), y.get(r), p.get(r)) {
                Ok(event) => batch.events.push(event),
                Err(None) => self.counts.outside += 1,
                Err(Some(found)) => {
                    wrong = Some((i, found));
                    break;
                }
            }
        }
        if let Some((i, found)) = wrong {
            let at = first + (i * record.size + record.t.at) as u64;
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
