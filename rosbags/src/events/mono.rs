//! `mono`: 64 bits per event: polarity 63, row 62-48, column 47-32, and 31-0
//! the time after the packet's time base in ns.

use saccade_msgs::Event;

use super::{DecodeCounts, EventBatch, EventError, Geometry};

/// Decodes the events of a packet; `time_base_ns` is the packet's time base.
pub(super) fn decode(
    bytes: &[u8],
    time_base_ns: u64,
    geometry: Geometry,
    out: &mut EventBatch,
) -> DecodeCounts {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut counts = DecodeCounts {
        torn_bytes: rest.len() as u64,
        ..DecodeCounts::default()
    };
    out.events.reserve(words.len());
    for &bytes in words {
        let word = u64::from_le_bytes(bytes);
        let event = Event {
            t_us: time_base_ns.saturating_add(word & 0xFFFF_FFFF) / 1000,
            x: (word >> 32) as u16,
            y: (word >> 48 & 0x7FFF) as u16,
            on: word >> 63 != 0,
        };
        if event.x < geometry.width && event.y < geometry.height {
            out.events.push(event);
        } else {
            counts.outside += 1;
        }
    }
    counts
}

/// Appends `events` to `out` as the bytes of a packet with that time base.
pub(super) fn encode(
    events: &[Event],
    time_base_ns: u64,
    out: &mut Vec<u8>,
) -> Result<(), EventError> {
    out.reserve(8 * events.len());
    for (i, e) in events.iter().enumerate() {
        let after_ns = (e.t_us.checked_mul(1000))
            .and_then(|t| t.checked_sub(time_base_ns))
            .and_then(|t| u32::try_from(t).ok());
        let Some(after_ns) = after_ns else {
            let why = "times run from the packet's time base to 4.29 s after it";
            return Err(EventError::unencodable(i, *e, "mono", why));
        };
        if e.y > 0x7FFF {
            let why = "rows go up to 32767";
            return Err(EventError::unencodable(i, *e, "mono", why));
        }
        let address = u64::from(e.on) << 63 | u64::from(e.y) << 48 | u64::from(e.x) << 32;
        out.extend_from_slice(&(address | u64::from(after_ns)).to_le_bytes());
    }
    Ok(())
}
