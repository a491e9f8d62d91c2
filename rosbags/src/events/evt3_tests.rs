//! Words by hand, from the format's description.

use proptest::prelude::*;

use super::*;

const SENSOR: Geometry = Geometry {
    width: 1280,
    height: 720,
};

fn bytes(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn decode(words: &[u16]) -> (EventBatch, DecodeCounts) {
    let mut decoder = Evt3Decoder::new(SENSOR);
    let mut out = EventBatch::default();
    decoder.decode(&bytes(words), &mut out);
    decoder.finish();
    (out, decoder.counts())
}

fn event(t_us: u64, x: u16, y: u16, on: bool) -> Event {
    Event { t_us, x, y, on }
}

/// Time 0x003_010 µs, row 5.
const START: [u16; 3] = [0x8003, 0x6010, 0x0005];
const T: u64 = 0x3010;

fn after_start(words: &[u16]) -> (EventBatch, DecodeCounts) {
    decode(&[&START, words].concat())
}

#[test]
fn single_events_take_time_and_row_from_before() {
    let (out, counts) = after_start(&[0x2000 | 7, 0x2800 | 8, 0x6011, 0x0006, 0x2007]);
    assert_eq!(
        out.events,
        [
            event(T, 7, 5, false),
            event(T, 8, 5, true),
            event(T + 1, 7, 6, false)
        ]
    );
    assert_eq!(counts, DecodeCounts::default());
}

#[test]
fn vectors_move_the_base_and_addr_x_does_not() {
    let (out, _) = after_start(&[
        0x3800 | 100,
        0x4000 | 0b1000_0000_0001,
        0x2000 | 3,
        0x4000 | 1,
        0x5000 | 0b1000_0010,
        0x5F00 | 1,
    ]);
    let xs: Vec<_> = out.events.iter().map(|e| (e.x, e.on)).collect();
    // The upper bits of VECT_8 (here F) are unused.
    assert_eq!(
        xs,
        [
            (100, true),
            (111, true),
            (3, false),
            (112, true),
            (125, true),
            (131, true),
            (132, true)
        ]
    );
}

#[test]
fn a_low_step_back_is_no_wrap() {
    let (out, _) = after_start(&[0x6FFF, 0x2001, 0x6FF4, 0x2002, 0x8004, 0x6000, 0x2003]);
    let times: Vec<_> = out.events.iter().map(|e| e.t_us).collect();
    assert_eq!(times, [0x3FFF, 0x3FF4, 0x4000]);
}

#[test]
fn time_high_wraps_when_it_falls_by_half_its_range() {
    let (out, _) = decode(&[
        0x8FFF, 0x6FFF, 0x0000, 0x2001, 0x8000, 0x6001, 0x2002, // a wrap
        0x8800, 0x6000, 0x2003, 0x8001, 0x6000, 0x2004, // falls by 0x7FF: a step back
    ]);
    let times: Vec<_> = out.events.iter().map(|e| e.t_us).collect();
    let round = 1 << 24;
    assert_eq!(
        times,
        [0xFF_FFFF, round + 1, round + 0x80_0000, round + 0x1000]
    );
}

#[test]
fn time_high_may_step_back_over_the_wrap() {
    let (out, _) = decode(&[
        0x8FFF, 0x6000, 0x0000, 0x2001, 0x8000, 0x6000, 0x2002, 0x8FFF, 0x6FFF, 0x2003, 0x8000,
        0x6002, 0x2004,
    ]);
    let times: Vec<_> = out.events.iter().map(|e| e.t_us).collect();
    assert_eq!(times, [0xFF_F000, 1 << 24, 0xFF_FFFF, (1 << 24) + 2]);
}

#[test]
fn a_new_high_part_does_not_meet_the_old_low_part() {
    let (out, _) = after_start(&[0x6FFF, 0x8004, 0x2001, 0x8004, 0x6005, 0x8004, 0x2002]);
    let times: Vec<_> = out.events.iter().map(|e| e.t_us).collect();
    assert_eq!(times, [0x4000, 0x4005]);
}

#[test]
fn triggers_are_kept() {
    let (out, _) = after_start(&[0xA600 | 1, 0xA600]);
    let trigger = |rising| Trigger {
        t_us: T,
        id: 6,
        rising,
    };
    assert_eq!(out.triggers, [trigger(true), trigger(false)]);
}

#[test]
fn what_cannot_be_used_is_counted() {
    // Before time and row are known: one single, a vector of 3, a trigger.
    let (out, counts) = decode(&[
        0x2001, 0x3000, 0x4007, 0xA001, 0x6123, 0x8003, 0x0001, 0x2001,
    ]);
    assert_eq!(out, EventBatch::default());
    assert_eq!(counts.unsynced, 6);
    // Types 1, 9, B and C are not defined; 7, D, E and F are and carry no events.
    let (_, counts) = after_start(&[
        0x1000, 0x9000, 0xB000, 0xC000, 0x7000, 0xD000, 0xE000, 0xF000,
    ]);
    assert_eq!(counts.unknown_words, 4);
    // Column 1280, a vector over the right edge, and row 720.
    let (out, counts) = after_start(&[
        0x2000 | 1280,
        0x3000 | 1276,
        0x4FFF,
        0x4FFF,
        720,
        0x2001,
        0x3000,
        0x5003,
        719,
        0x2001,
    ]);
    assert_eq!(out.events.len(), 5);
    assert_eq!(counts.outside, 1 + 8 + 12 + 1 + 2);
    // A vector whose base was never told.
    assert_eq!(after_start(&[0x5003]).1.outside, 2);
}

#[test]
fn half_a_word_at_the_end_is_counted() {
    let mut decoder = Evt3Decoder::new(SENSOR);
    decoder.decode(&[0x00], &mut EventBatch::default());
    decoder.finish();
    assert_eq!(decoder.counts().torn_bytes, 1);
}

#[test]
fn after_a_loss_events_wait_for_time_and_row() {
    let mut decoder = Evt3Decoder::new(SENSOR);
    let mut out = EventBatch::default();
    decoder.decode(&bytes(&START), &mut out);
    decoder.resync();
    decoder.decode(&bytes(&[0x2001, 0x8003, 0x6020, 0x2001]), &mut out);
    assert!(out.events.is_empty());
    decoder.decode(&bytes(&[0x0002, 0x2001]), &mut out);
    assert_eq!(out.events, [event(0x3020, 1, 2, false)]);
    assert_eq!(decoder.counts().unsynced, 2);
}

#[test]
fn the_encoder_says_what_it_cannot_write() {
    let mut out = Vec::new();
    let mut encode = |events: &[Event]| Evt3Encoder::new().encode(events, &mut out);
    assert!(encode(&[event(0, 2048, 0, true)]).is_err());
    assert!(encode(&[event(0, 0, 2048, true)]).is_err());
    assert!(encode(&[event(1 << 39, 0, 0, true)]).is_err());
    let far = encode(&[event(1 << 25, 0, 0, true), event(1 << 20, 0, 0, true)]);
    let text = far.map_err(|e| e.to_string()).unwrap_err();
    assert!(text.contains("event 1 (t = 1048576 us"), "{text}");
}

/// Events as a sensor sends them: times that ascend but for small steps back,
/// and runs of neighbours in a row.
fn sensor_events() -> impl Strategy<Value = Vec<Event>> {
    let step = prop_oneof![8 => 0i64..4000, 2 => -11i64..0, 1 => 0i64..40_000_000];
    let run = (step, 0u16..1300, 0u16..730, any::<bool>(), any::<u32>());
    (0u64..(1 << 30), prop::collection::vec(run, 0..40)).prop_map(|(start, runs)| {
        let mut t_us = start + 100;
        let mut events = Vec::new();
        for (dt, x, y, on, mask) in runs {
            t_us = t_us.saturating_add_signed(dt);
            let columns = (0..32).filter(|bit| mask >> bit & 1 != 0);
            events.extend(columns.map(|bit| event(t_us, x + bit, y, on)));
        }
        events
    })
}

proptest! {
    /// Encoding and decoding, cut anywhere, is the identity on events inside
    /// of the sensor; those outside are counted.
    #[test]
    fn any_chunking_gives_the_same_events(
        events in sensor_events(),
        cuts in prop::collection::vec(1usize..7, 1..20),
    ) {
        let mut encoded = Vec::new();
        Evt3Encoder::new().encode(&events, &mut encoded).expect("within limits");
        let mut decoder = Evt3Decoder::new(SENSOR);
        let mut out = EventBatch::default();
        let mut rest = encoded.as_slice();
        for n in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*n).min(rest.len()));
            decoder.decode(now, &mut out);
            rest = later;
        }
        decoder.finish();
        let inside = |e: &&Event| e.x < SENSOR.width && e.y < SENSOR.height;
        let expected: Vec<_> = events.iter().filter(inside).copied().collect();
        let outside = (events.len() - expected.len()) as u64;
        prop_assert_eq!(out.events, expected);
        prop_assert_eq!(decoder.counts(), DecodeCounts { outside, ..DecodeCounts::default() });
    }

    /// Any bytes at all, in any pieces, decode without a panic and alike.
    #[test]
    fn any_bytes_decode_alike_in_any_pieces(
        data in prop::collection::vec(any::<u8>(), 0..400),
        piece in 1usize..9,
    ) {
        let mut whole = (Evt3Decoder::new(SENSOR), EventBatch::default());
        whole.0.decode(&data, &mut whole.1);
        let mut parts = (Evt3Decoder::new(SENSOR), EventBatch::default());
        data.chunks(piece).for_each(|c| parts.0.decode(c, &mut parts.1));
        prop_assert_eq!(whole.0.counts(), parts.0.counts());
        prop_assert_eq!(whole.1, parts.1);
    }
}

#[test]
fn silences_of_many_rounds_are_told() {
    let minute_us = 60_000_000;
    // The second and third lie just after a wrap and after a step back over one.
    let times = [
        5,
        1 << 24,
        (1 << 24) - 9,
        3 << 24,
        minute_us,
        10 * minute_us,
        3600 * minute_us,
    ];
    let events: Vec<_> = times
        .map(|t_us| Event {
            t_us,
            x: 1,
            y: 2,
            on: true,
        })
        .into();
    let mut bytes = Vec::new();
    Evt3Encoder::new()
        .encode(&events, &mut bytes)
        .expect("encodes");
    let mut batch = EventBatch::default();
    Evt3Decoder::new(Geometry::UNBOUNDED).decode(&bytes, &mut batch);
    assert_eq!(batch.events, events);
}
