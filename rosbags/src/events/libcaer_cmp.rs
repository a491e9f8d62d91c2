//! `libcaer_cmp`: words of 16 bits in the manner of EVT3, but with vectors along
//! a column. `ADDR_X` holds until told anew; `ADDR_Y` (polarity in bit 11) is an
//! event; `VECT_8` is up to 8 events from the base row on. Times count from the
//! packet's time base, in µs; all state starts anew with each packet.

use saccade_msgs::Event;

use super::{DecodeCounts, EventBatch, Geometry};

const TIME_HIGH: u16 = 0;
const TIME_LOW: u16 = 1;
const ADDR_X: u16 = 2;
const ADDR_Y: u16 = 3;
const VECT_BASE_Y: u16 = 4;
const VECT_8: u16 = 5;

const ADDRESS: u16 = 0x7FF;
const POLARITY: u16 = 1 << 11;

/// Decodes the events of a packet; `time_base_ns` is the packet's time base.
pub(super) fn decode(
    bytes: &[u8],
    time_base_ns: u64,
    geometry: Geometry,
    out: &mut EventBatch,
) -> DecodeCounts {
    let (words, rest) = bytes.as_chunks::<2>();
    let mut counts = DecodeCounts {
        torn_bytes: rest.len() as u64,
        ..DecodeCounts::default()
    };
    out.events.reserve(words.len());
    let time_base_us = time_base_ns / 1000;
    let (mut high_us, mut low_us) = (0, 0);
    let mut event = Event {
        t_us: time_base_us,
        ..Event::default()
    };
    // Rows below this are inside: the height, or 0 while the column is outside.
    let mut height = None;
    let mut base_y = u16::MAX;
    let mut vector_on = false;
    for &bytes in words {
        let word = u16::from_le_bytes(bytes);
        match word >> 12 {
            ADDR_Y if height.is_none() => counts.unsynced += 1,
            VECT_8 if height.is_none() => counts.unsynced += u64::from((word & 0xFF).count_ones()),
            ADDR_Y => {
                event.y = word & ADDRESS;
                event.on = word & POLARITY != 0;
                if event.y < height.unwrap_or(0) {
                    out.events.push(event);
                } else {
                    counts.outside += 1;
                }
            }
            ADDR_X => {
                event.x = word & ADDRESS;
                height = Some(if event.x < geometry.width {
                    geometry.height
                } else {
                    0
                });
            }
            TIME_LOW => {
                low_us = u64::from(word & 0xFFF);
                event.t_us = time_base_us.saturating_add(high_us | low_us);
            }
            TIME_HIGH => {
                high_us = u64::from(word & 0xFFF) << 12;
                event.t_us = time_base_us.saturating_add(high_us | low_us);
            }
            VECT_BASE_Y => {
                base_y = word & ADDRESS;
                vector_on = word & POLARITY != 0;
            }
            VECT_8 => {
                event.on = vector_on;
                for bit in 0..8 {
                    if word >> bit & 1 == 0 {
                        continue;
                    }
                    event.y = base_y.saturating_add(bit);
                    if event.y < height.unwrap_or(0) {
                        out.events.push(event);
                    } else {
                        counts.outside += 1;
                    }
                }
                base_y = base_y.saturating_add(8);
            }
            _ => counts.unknown_words += 1,
        }
    }
    counts
}
