//! AEDAT 2 (jAER): lines that start with `#`, then 8 bytes per event, big
//! endian: u32 address, u32 µs. DVS128: row 14-8, column 7-1, polarity 0, bit 15
//! something else than an event. DAVIS: row 30-22, column 21-12, polarity 11,
//! bit 10 an external input, bit 31 a frame or inertial sample. Rows count from
//! the bottom; they are turned to count from the top. What columns and polarity
//! mean is not agreed: see [`Aedat2Convention`].

use saccade_msgs::Event;

use super::aedat3::{MAX_LINE, MAX_LINES, named_sensor};
use super::bytes::{Bytes, FileReader, push};
use super::{DecodeCounts, EventBatch, Geometry};
use crate::error::{BagError, Result};

/// What the bits of AEDAT 2 mean. The file does not tell who is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aedat2Convention {
    /// iniVation's description of the format: polarity 1 is ON, columns as they
    /// are.
    #[default]
    Inivation,
    /// As jAER shows it: columns run from the right, and of the DVS128 polarity 0
    /// is ON.
    Jaer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Dvs128,
    Davis,
}

impl Layout {
    /// Column, row and polarity as the file counts them; `None` where the address
    /// is no change event.
    fn address(self, convention: Aedat2Convention, address: u32) -> Option<(u16, u16, bool)> {
        let jaer = convention == Aedat2Convention::Jaer;
        let (x, y, on) = match self {
            Self::Dvs128 if address >> 15 & 1 != 0 => return None,
            Self::Dvs128 => (
                address >> 1 & 0x7F,
                address >> 8 & 0x7F,
                (address & 1 != 0) != jaer,
            ),
            Self::Davis if address >> 31 != 0 || address >> 10 & 1 != 0 => return None,
            Self::Davis => (
                address >> 12 & 0x3FF,
                address >> 22 & 0x1FF,
                address >> 11 & 1 != 0,
            ),
        };
        Some((x as u16, y as u16, on))
    }
}

/// Reads the change events of an AEDAT 2 file; others are passed over.
pub(super) struct Aedat2Reader {
    bytes: Bytes,
    layout: Layout,
    geometry: Geometry,
    convention: Aedat2Convention,
    rounds_us: u64,
    last: u32,
    counts: DecodeCounts,
}

impl Aedat2Reader {
    /// Reads the header, which must name a camera.
    pub fn open(mut bytes: Bytes, convention: Aedat2Convention) -> Result<Self> {
        let mut geometry = None;
        for _ in 0..MAX_LINES {
            let Some(line) = header_line(&mut bytes)? else {
                break;
            };
            // Cameras are also named by the paths of files and of classes.
            if line.contains("AEChip") || line.contains("HardwareInterface") {
                geometry = geometry.or_else(|| named_sensor(&line));
            }
            if line.starts_with("#End Of ASCII Header") {
                break;
            }
        }
        let Some(geometry) = geometry else {
            return Err(BagError::Unsupported {
                path: bytes.path().to_owned(),
                what: format!(
                    "AEDAT 2 whose header (up to byte {}) names no known camera",
                    bytes.offset()
                ),
                remedy: "add a line `# AEChip: DVS128`, DAVIS240 or DAVIS346 to its header".into(),
            });
        };
        let layout = match geometry.width {
            128 => Layout::Dvs128,
            _ => Layout::Davis,
        };
        Ok(Self {
            bytes,
            layout,
            geometry,
            convention,
            rounds_us: 0,
            last: 0,
            counts: DecodeCounts::default(),
        })
    }
}

/// The next line of the header, used up; `None` where events start. Events can
/// start with the byte of `#`, but are not text up to a line feed.
fn header_line(bytes: &mut Bytes) -> Result<Option<String>> {
    let here = bytes.peek(MAX_LINE)?;
    let ended = here.len() < MAX_LINE;
    let here = &here[..here.len().min(MAX_LINE)];
    // A file may be cut in its header.
    let end = match here.iter().position(|&b| b == b'\n') {
        Some(end) => end,
        None if ended => here.len(),
        None => return Ok(None),
    };
    let text = |b: &u8| matches!(b, b' '..=b'~' | b'\t' | b'\r' | 128..);
    if !here.starts_with(b"#") || !here[..end].iter().all(text) {
        return Ok(None);
    }
    let used = here.len().min(end + 1);
    let line = String::from_utf8_lossy(&here[..end]).into_owned();
    bytes.advance(used);
    Ok(Some(line))
}

impl FileReader for Aedat2Reader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        let records = self.bytes.records(8, None, "an event")?;
        for r in records.as_chunks::<8>().0 {
            let word = u64::from_be_bytes(*r);
            let (address, t) = ((word >> 32) as u32, word as u32);
            // The clock wraps after 71 minutes.
            if self.last.saturating_sub(t) >= 1 << 31 {
                self.rounds_us += 1 << 32;
            }
            self.last = t;
            let Some((x, y, on)) = self.layout.address(self.convention, address) else {
                continue;
            };
            let Geometry { width, height } = self.geometry;
            let x = match self.convention {
                Aedat2Convention::Inivation => x,
                // What is outside stays outside.
                Aedat2Convention::Jaer => (width - 1).wrapping_sub(x),
            };
            let event = Event {
                t_us: self.rounds_us | u64::from(t),
                x,
                y: (height - 1).wrapping_sub(y),
                on,
            };
            push(event, self.geometry, batch, &mut self.counts);
        }
        Ok(!records.is_empty())
    }

    fn geometry(&self) -> Option<Geometry> {
        Some(self.geometry)
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}
