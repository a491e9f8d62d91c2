//! `libcaer_cmp`: words of 16 bits in the manner of EVT3, but with vectors along
//! a column. `ADDR_X` holds until told anew; `ADDR_Y` (polarity in bit 11) is an
//! event; `VECT_8` is up to 8 events from the base row on. Times count from the
//! packet's time base, in µs; all state starts anew with each packet.

use saccade_msgs::Event;

use super::{DecodeCounts, EventBatch, EventError, Geometry};

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

/// Appends `events` to `out` as the bytes of a packet whose time base is
/// `time_base_us`.
pub(super) fn encode(
    events: &[Event],
    time_base_us: u64,
    out: &mut Vec<u8>,
) -> Result<(), EventError> {
    let mut say = |code: u16, value: u16| out.extend((code << 12 | value).to_le_bytes());
    // Until they are told, times count from the time base and there is no column.
    let (mut high, mut low, mut x) = (0, 0, u16::MAX);
    let mut i = 0;
    while let Some(event) = events.get(i) {
        let after_us = (event.t_us.checked_sub(time_base_us)).filter(|&t| t >> 24 == 0);
        let (Some(after_us), 0..=ADDRESS, 0..=ADDRESS) = (after_us, event.x, event.y) else {
            let why =
                "addresses go up to 2047, times run from the packet's time base to 16.7 s after it";
            return Err(EventError::unencodable(i, *event, "libcaer_cmp", why));
        };
        let (new_high, new_low) = ((after_us >> 12) as u16, (after_us & 0xFFF) as u16);
        if new_high != high {
            say(TIME_HIGH, new_high);
        }
        if new_low != low {
            say(TIME_LOW, new_low);
        }
        (high, low) = (new_high, new_low);
        if event.x != x {
            x = event.x;
            say(ADDR_X, x);
        }
        let polarity = if event.on { POLARITY } else { 0 };
        let (length, vectors) = column(&events[i..]);
        if length > 1 + vectors {
            say(VECT_BASE_Y, event.y | polarity);
            let mut at = i;
            for vector in 0..vectors as u16 {
                let base = event.y + 8 * vector;
                let mut mask = 0;
                while let Some(next) = events[at..i + length].first().filter(|e| e.y < base + 8) {
                    mask |= 1 << (next.y - base);
                    at += 1;
                }
                say(VECT_8, mask);
            }
            i += length;
        } else {
            say(ADDR_Y, event.y | polarity);
            i += 1;
        }
    }
    Ok(())
}

/// How many of the first events go up one column at one time with one polarity, and how
/// many vectors of 8 rows say them, none of them empty.
fn column(events: &[Event]) -> (usize, usize) {
    let first = events[0];
    let mut last = first.y;
    let mut base = first.y;
    let (mut length, mut vectors) = (1, 1);
    for event in &events[1..] {
        let alike = (event.t_us, event.x, event.on) == (first.t_us, first.x, first.on);
        let steps = event.y.saturating_sub(base) / 8;
        if !alike || event.y <= last || event.y > ADDRESS || steps > 1 {
            break;
        }
        base += 8 * steps;
        vectors += usize::from(steps);
        last = event.y;
        length += 1;
    }
    (length, vectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENSOR: Geometry = Geometry {
        width: 60,
        height: 200,
    };

    fn round(events: &[Event]) -> (usize, EventBatch) {
        let mut bytes = Vec::new();
        encode(events, 40, &mut bytes).expect("fits");
        let mut found = EventBatch::default();
        let counts = decode(&bytes, 40_000, SENSOR, &mut found);
        assert_eq!(counts, DecodeCounts::default());
        (bytes.len(), found)
    }

    proptest! {
        /// Runs of rows with gaps, up one column, with times that go forth and back.
        #[test]
        fn what_is_written_is_read(
            runs in prop::collection::vec((0u64..9000, 0u16..60, 0u16..200, any::<bool>(),
                prop::collection::vec(1u16..14, 0..20)), 0..30)
        ) {
            let mut events = Vec::new();
            for (after_us, x, y, on, gaps) in runs {
                let t_us = 40 + after_us;
                let mut y = y;
                events.push(Event { t_us, x, y, on });
                for gap in gaps {
                    y += gap;
                    if y < SENSOR.height {
                        events.push(Event { t_us, x, y, on });
                    }
                }
            }
            prop_assert_eq!(round(&events).1.events, events);
        }
    }

    /// A column of 64 pixels is a base and 8 vectors after time and column.
    #[test]
    fn columns_are_said_by_vectors() {
        let column = |n: u16| -> Vec<Event> {
            let event = |y| Event {
                t_us: 41,
                x: 3,
                y,
                on: true,
            };
            (7..7 + n).map(event).collect()
        };
        for (n, words) in [(1, 1), (2, 2), (3, 2), (8, 2), (9, 3), (64, 9)] {
            assert_eq!(round(&column(n)).0, 2 * (2 + words), "{n}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_named() {
        let event = Event {
            t_us: 40,
            x: 0,
            y: 2048,
            on: true,
        };
        let late = Event {
            t_us: 40 + (1 << 24),
            x: 0,
            y: 0,
            on: true,
        };
        let early = Event { t_us: 39, ..late };
        for wrong in [event, late, early] {
            let error = encode(&[wrong], 40, &mut Vec::new()).expect_err("must fail");
            assert!(error.to_string().contains("2047"), "{error}");
        }
    }
}
