//! The `%` header of Prophesee files.

use std::io::Read;
use std::path::Path;

use super::{Geometry, HalfOrder};
use crate::error::{BagError, Result};
use crate::unpack;

/// One line may not be longer than this.
const MAX_LINE: usize = 4096;

/// What follows the header of a Prophesee file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawEncoding {
    /// RAW, EVT2.
    Evt2,
    /// RAW, EVT2.1.
    Evt21(HalfOrder),
    /// RAW, EVT3.
    Evt3,
    /// DAT with change events.
    Dat,
}

impl RawEncoding {
    /// Short name: `evt2`, `evt21`, `evt3`, `dat`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Evt2 => "evt2",
            Self::Evt21(_) => "evt21",
            Self::Evt3 => "evt3",
            Self::Dat => "dat",
        }
    }
}

/// The header of a Prophesee file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHeader {
    /// What follows it.
    pub encoding: RawEncoding,
    /// Size of the sensor, if the header tells it or names a sensor of known size.
    pub geometry: Option<Geometry>,
    /// The lines as keyword and rest.
    pub fields: Vec<(String, String)>,
    /// First byte of the events.
    pub data_offset: u64,
}

impl RawHeader {
    /// A header may not be longer than this.
    pub(super) const MAX: usize = 1 << 16;

    /// Reads the header of `path`. `% end` may be missing: then the header ends
    /// with the last line that starts with `% ` and is text.
    ///
    /// # Errors
    /// If the file cannot be read, or the header names no format that is known.
    pub fn read(path: &Path) -> Result<Self> {
        let mut head = Vec::new();
        (unpack::open(path)?.source)
            .take(Self::MAX as u64)
            .read_to_end(&mut head)
            .map_err(|e| BagError::io(path, "read", e))?;
        Self::parse(path, &head)
    }

    /// The header at the start of a file's bytes; `path` is for errors.
    pub(super) fn parse(path: &Path, head: &[u8]) -> Result<Self> {
        let head = &head[..head.len().min(Self::MAX)];
        let (fields, end) = split_lines(head);
        let mut encoding = find_encoding(path, &fields)?;
        let mut data_offset = end;
        if encoding == RawEncoding::Dat {
            data_offset += check_dat_kind(path, head, end)?;
        } else if let RawEncoding::Evt21(order) = &mut encoding
            && fields
                .iter()
                .any(|(k, v)| k == "endianness" && v == "legacy" || v.contains("endianness=legacy"))
        {
            *order = HalfOrder::Swapped;
        }
        Ok(Self {
            encoding,
            geometry: stated_geometry(&fields).or_else(|| sensor_geometry(&fields)),
            fields,
            data_offset: data_offset as u64,
        })
    }
}

/// The header's lines, and where they end.
fn split_lines(head: &[u8]) -> (Vec<(String, String)>, usize) {
    let mut fields = Vec::new();
    let mut pos = 0;
    while head[pos..].starts_with(b"%") {
        let window = &head[pos..head.len().min(pos + MAX_LINE)];
        let Some(length) = window.iter().position(|&b| b == b'\n') else {
            break;
        };
        // Events can start with the byte of `%`, but are not text up to a new line.
        let text = |b: &u8| b.is_ascii_graphic() || matches!(b, b' ' | b'\t' | b'\r') || *b >= 128;
        let line = match std::str::from_utf8(&window[1..length]) {
            Ok(line) if line.bytes().all(|b| text(&b)) => line.trim(),
            _ => break,
        };
        pos += length + 1;
        let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        if key == "end" {
            break;
        }
        fields.push((key.to_owned(), value.trim().to_owned()));
    }
    (fields, pos)
}

fn find_encoding(path: &Path, fields: &[(String, String)]) -> Result<RawEncoding> {
    let evt = |name: &str| match name {
        "EVT2" | "2.0" => Some(RawEncoding::Evt2),
        "EVT21" | "2.1" => Some(RawEncoding::Evt21(HalfOrder::LittleEndian)),
        "EVT3" | "3.0" => Some(RawEncoding::Evt3),
        _ => None,
    };
    for (key, value) in fields {
        let found = match key.as_str() {
            "format" => evt(value.split(';').next().unwrap_or("").trim()),
            "evt" => evt(value),
            "Data" => Some(RawEncoding::Dat),
            _ => None,
        };
        if let Some(encoding) = found {
            return Ok(encoding);
        }
    }
    // DAT files written by Metavision have `% Version 2` and neither of the above.
    if fields.iter().any(|(k, v)| k == "Version" && v == "2") {
        return Ok(RawEncoding::Dat);
    }
    let lines: Vec<_> = fields.iter().map(|(k, v)| format!("{k} {v}")).collect();
    Err(BagError::corrupt(
        path,
        0,
        "a header line `% format EVT2`, `EVT21` or `EVT3`, `% evt 2.0`, `2.1` or `3.0`, or the lines of DAT",
        format!("[{}]", lines.join("; ")),
    ))
}

/// Checks the two bytes before the events of a DAT file; returns their number.
fn check_dat_kind(path: &Path, head: &[u8], at: usize) -> Result<usize> {
    match head.get(at..at + 2) {
        Some([0x00 | 0x0C, 8]) => Ok(2),
        Some([kind, size]) => Err(BagError::corrupt(
            path,
            at as u64,
            "event type 0x0C or 0x00 and event size 8 (change events)",
            format!("type {kind:#04X}, size {size}"),
        )),
        _ => Err(BagError::Truncated {
            path: path.to_owned(),
            what: "the event type and size of a DAT file",
            offset: at as u64,
            needed: 2,
            left: (head.len() - at) as u64,
        }),
    }
}

fn stated_geometry(fields: &[(String, String)]) -> Option<Geometry> {
    let mut width = None;
    let mut height = None;
    for (key, value) in fields {
        match key.to_ascii_lowercase().as_str() {
            "geometry" => {
                let (w, h) = value.split_once('x')?;
                (width, height) = (w.trim().parse().ok(), h.trim().parse().ok());
            }
            "width" => width = value.parse().ok(),
            "height" => height = value.parse().ok(),
            "format" => {
                for option in value.split(';') {
                    match option.trim().split_once('=') {
                        Some(("width", w)) => width = w.trim().parse().ok(),
                        Some(("height", h)) => height = h.trim().parse().ok(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let (width, height) = (width?, height?);
    (width > 0 && height > 0).then_some(Geometry { width, height })
}

/// Old files tell no size but name the camera's plugin, and so the sensor.
fn sensor_geometry(fields: &[(String, String)]) -> Option<Geometry> {
    let (_, plugin) = fields.iter().find(|(k, _)| k == "plugin_name")?;
    let sizes = [
        ("gen41", 1280, 720),
        ("gen4", 1280, 720),
        ("imx636", 1280, 720),
        ("gen31", 640, 480),
        ("gen3", 640, 480),
        ("genx320", 320, 320),
    ];
    let (_, width, height) = sizes.into_iter().find(|(name, ..)| plugin.contains(name))?;
    Some(Geometry { width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields_of(header: &[u8]) -> (Vec<(String, String)>, usize) {
        split_lines(header)
    }

    #[test]
    fn header_ends_with_end_or_with_the_last_line_of_text() {
        let (fields, end) = fields_of(b"% evt 3.0\n% geometry 64x48\n% end\n% \x01\n");
        assert_eq!(end, 33);
        assert_eq!(fields.len(), 2);
        let geometry = Geometry {
            width: 64,
            height: 48,
        };
        assert_eq!(stated_geometry(&fields), Some(geometry));
        // 0x25 0x20 is `% ` and also the EVT3 word ADDR_X 37.
        let (fields, end) = fields_of(b"% evt 3.0\n\x25\x20\x00\x80\n\x00");
        assert_eq!((fields.len(), end), (1, 10));
        assert_eq!(fields_of(b"").1, 0);
    }

    #[test]
    fn geometry_from_format_lines_of_dat_and_sensor_names() {
        let geometry = |w, h| {
            Some(Geometry {
                width: w,
                height: h,
            })
        };
        let format = fields_of(b"% format EVT3;height=720;width=1280\n").0;
        assert_eq!(stated_geometry(&format), geometry(1280, 720));
        let dat = fields_of(b"% Height 240\n% Version 2\n% Width 304\n").0;
        assert_eq!(stated_geometry(&dat), geometry(304, 240));
        let plugin = fields_of(b"% plugin_name hal_plugin_gen31_fx3\n").0;
        assert_eq!(stated_geometry(&plugin), None);
        assert_eq!(sensor_geometry(&plugin), geometry(640, 480));
    }
}
