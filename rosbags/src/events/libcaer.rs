//! `libcaer`: 8 bytes per event as libcaer keeps polarity events in memory: a
//! word with polarity in bit 1, row in 16-2, column in 31-17 and a 31-bit µs
//! time that may roll over inside of a packet.

use saccade_msgs::Event;

use super::{DecodeCounts, EventBatch, EventError, Geometry};

/// One round of the 31-bit clock, in µs.
const ROUND_US: u64 = 1 << 31;

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
    let mut rounds_us = 0;
    let mut last = 0;
    for &bytes in words {
        let word = u64::from_le_bytes(bytes);
        let (address, t) = (word as u32, word >> 32 & (ROUND_US - 1));
        if last >= t + ROUND_US / 2 {
            rounds_us += ROUND_US;
        }
        last = t;
        let event = Event {
            t_us: time_base_ns.saturating_add((rounds_us + t) * 1000) / 1000,
            x: (address >> 17) as u16,
            y: (address >> 2 & 0x7FFF) as u16,
            on: address >> 1 & 1 != 0,
        };
        if event.x < geometry.width && event.y < geometry.height {
            out.events.push(event);
        } else {
            counts.outside += 1;
        }
    }
    counts
}

/// Appends `events` to `out` as the bytes of a packet whose time base is
/// `time_base_us`.
pub(super) fn encode(
    events: &[Event],
    time_base_us: u64,
    out: &mut Vec<u8>,
) -> Result<(), EventError> {
    for (i, e) in events.iter().enumerate() {
        let after_us = e.t_us.checked_sub(time_base_us).filter(|&t| t < ROUND_US);
        let (Some(after_us), 0..=0x7FFF, 0..=0x7FFF) = (after_us, e.x, e.y) else {
            let why = "addresses go up to 32767, times run from the packet's time base to 35 min after it";
            return Err(EventError::unencodable(i, *e, "libcaer", why));
        };
        // Bit 0 says that the event is valid.
        let address = u32::from(e.x) << 17 | u32::from(e.y) << 2 | u32::from(e.on) << 1 | 1;
        out.extend_from_slice(&(after_us << 32 | u64::from(address)).to_le_bytes());
    }
    Ok(())
}
