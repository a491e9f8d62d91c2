//! Events as text: a line per event with time, column, row and polarity, parted
//! by commas, spaces or tabs. The first line may name the columns, in any order
//! and with others between them; else they are `t x y p`. Lines that are empty
//! or start with `#` are passed over.
//!
//! The first event decides what times are: with a decimal point (or an exponent)
//! seconds, else whole microseconds. A file of whole microseconds in which a
//! later time has a point is refused. Polarity is 1, `true` or `on` for ON; 0,
//! -1, `false` or `off` for OFF.

use saccade_msgs::Event;

use super::bytes::{Bytes, FileReader};
use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::{Result, printable};

/// A line may not be longer than this.
const MAX_LINE: usize = 4096;
/// Lines that are read at once.
const PER_BATCH: usize = 8192;

/// Reads a text file of events.
pub(super) struct TextReader {
    bytes: Bytes,
    columns: Columns,
    unit: Option<Unit>,
    counts: DecodeCounts,
}

/// Which column of a line holds what.
#[derive(Debug, Clone, Copy)]
struct Columns {
    t: usize,
    x: usize,
    y: usize,
    p: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Microseconds,
}

impl TextReader {
    /// Reads up to the first event.
    pub fn open(bytes: Bytes) -> Result<Self> {
        let mut reader = Self {
            bytes,
            columns: Columns {
                t: 0,
                x: 1,
                y: 2,
                p: 3,
            },
            unit: None,
            counts: DecodeCounts::default(),
        };
        while let Some(line) = reader.peek_line()? {
            let text = std::str::from_utf8(line).unwrap_or("");
            let length = line.len();
            let blank = text.trim().is_empty() && !text.is_empty() || text.starts_with('#');
            let names = text
                .trim_start()
                .starts_with(|c: char| c.is_alphabetic() || c == '"');
            if !blank && !names {
                break;
            }
            if names {
                let found = header(text).ok_or_else(|| printable(text.trim().as_bytes()));
                let at = reader.bytes.offset();
                reader.columns = found.map_err(|found| {
                    let expected = "names of the columns with t, x, y and p among them";
                    reader.bytes.corrupt(at, expected, found)
                })?;
            }
            reader.bytes.advance(length);
            if names {
                break;
            }
        }
        Ok(reader)
    }

    /// The next line with its end, not used up; `None` at the end of the file.
    fn peek_line(&mut self) -> Result<Option<&[u8]>> {
        let here = self.bytes.peek(MAX_LINE)?;
        let window = &here[..here.len().min(MAX_LINE)];
        let len = match window.iter().position(|&b| b == b'\n') {
            Some(end) => end + 1,
            None => window.len(),
        };
        if len == 0 {
            return Ok(None);
        }
        if len == MAX_LINE && window[len - 1] != b'\n' {
            let expected = format!("a line of at most {MAX_LINE} bytes");
            return Err(self
                .bytes
                .corrupt(self.bytes.offset(), expected, "a longer one"));
        }
        Ok(Some(&self.bytes.peek(len)?[..len]))
    }
}

/// The line's fields.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let parted = |c: char| c == ',' || c == ';' || c.is_ascii_whitespace();
    line.split(parted).filter(|f| !f.is_empty())
}

fn header(line: &str) -> Option<Columns> {
    // Some put the sensor's size behind a name: `x@640`.
    let name = |f: &str| {
        f.split('@')
            .next()
            .unwrap_or(f)
            .trim_matches('"')
            .to_ascii_lowercase()
    };
    let names: Vec<_> = fields(line).map(name).collect();
    let find = |known: &[&str]| names.iter().position(|n| known.contains(&n.as_str()));
    Some(Columns {
        t: find(T_NAMES)?,
        x: find(X_NAMES)?,
        y: find(Y_NAMES)?,
        p: find(P_NAMES)?,
    })
}

/// Names of the fields of an event, in text and in arrays.
pub(super) const T_NAMES: &[&str] = &["t", "ts", "time", "timestamp", "t_us", "timestamps"];
/// See [`T_NAMES`].
pub(super) const X_NAMES: &[&str] = &["x"];
/// See [`T_NAMES`].
pub(super) const Y_NAMES: &[&str] = &["y"];
/// See [`T_NAMES`].
pub(super) const P_NAMES: &[&str] = &["p", "pol", "polarity", "on"];

/// The event of a line; an error says what should be there.
fn event(
    line: &str,
    columns: Columns,
    unit: &mut Option<Unit>,
) -> std::result::Result<Event, &'static str> {
    let (mut t, mut x, mut y, mut p) = (None, None, None, None);
    for (i, field) in fields(line).enumerate() {
        let at = |column: usize, place: &mut Option<_>| {
            if column == i {
                *place = Some(field);
            }
        };
        at(columns.t, &mut t);
        at(columns.x, &mut x);
        at(columns.y, &mut y);
        at(columns.p, &mut p);
    }
    let (Some(t), Some(x), Some(y), Some(p)) = (t, x, y, p) else {
        return Err("a line with time, column, row and polarity");
    };
    let address = "columns and rows from 0 to 65535";
    let on = match p {
        "1" | "+1" => true,
        "0" | "-1" => false,
        _ if p.eq_ignore_ascii_case("true") || p.eq_ignore_ascii_case("on") => true,
        _ if p.eq_ignore_ascii_case("false") || p.eq_ignore_ascii_case("off") => false,
        _ => return Err("a polarity of 1, 0, -1, true, false, on or off"),
    };
    Ok(Event {
        t_us: time(t, unit)?,
        x: x.parse().map_err(|_| address)?,
        y: y.parse().map_err(|_| address)?,
        on,
    })
}

/// The time of an event in µs; the first one decides the unit.
fn time(field: &str, unit: &mut Option<Unit>) -> std::result::Result<u64, &'static str> {
    let said = if field.contains(['.', 'e', 'E']) {
        Unit::Seconds
    } else {
        Unit::Microseconds
    };
    match (*unit.get_or_insert(said), said) {
        (Unit::Microseconds, Unit::Microseconds) => {
            (field.parse()).map_err(|_| "a time in whole microseconds from 0 on")
        }
        (Unit::Microseconds, Unit::Seconds) => Err("whole microseconds, as in the first event"),
        (Unit::Seconds, _) => {
            let t_us = field.parse::<f64>().unwrap_or(-1.0) * 1e6;
            // Above 2^53 us (285 years) doubles do not tell microseconds apart.
            if (0.0..=9_007_199_254_740_992.0).contains(&t_us) {
                Ok(t_us.round() as u64)
            } else {
                Err("a time in seconds from 0 to 9e9")
            }
        }
    }
}

impl FileReader for TextReader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        let (columns, mut unit) = (self.columns, self.unit);
        for i in 0..PER_BATCH {
            let Some(line) = self.peek_line()? else {
                return Ok(i > 0);
            };
            let length = line.len();
            let text = std::str::from_utf8(line).unwrap_or("\u{FFFD}").trim();
            if !text.is_empty() && !text.starts_with('#') {
                match event(text, columns, &mut unit) {
                    Ok(event) => batch.events.push(event),
                    Err(expected) => {
                        let shown = &line[..length.min(80)];
                        let found = printable(shown.trim_ascii_end());
                        let at = self.bytes.offset();
                        return Err(self.bytes.corrupt(at, expected, found));
                    }
                }
            }
            self.unit = unit;
            self.bytes.advance(length);
        }
        Ok(true)
    }

    fn geometry(&self) -> Option<Geometry> {
        None
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}
