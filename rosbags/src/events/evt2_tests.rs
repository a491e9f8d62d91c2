//! Words by hand, from the format's description.

use proptest::prelude::*;

use super::*;

const SENSOR: Geometry = Geometry {
    width: 640,
    height: 480,
};

fn cd(kind: u32, t: u32, x: u32, y: u32) -> u32 {
    kind << 28 | t << 22 | x << 11 | y
}

fn decode(words: &[u32]) -> (EventBatch, DecodeCounts) {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut decoder = Evt2Decoder::new(SENSOR);
    let mut out = EventBatch::default();
    decoder.decode(&bytes, &mut out);
    decoder.finish();
    (out, decoder.counts())
}

fn event(t_us: u64, x: u16, y: u16, on: bool) -> Event {
    Event { t_us, x, y, on }
}

#[test]
fn events_triggers_and_what_is_left_out() {
    let (out, counts) = decode(&[
        cd(1, 9, 1, 1),                   // before the time is known
        0x8000_0003,                      // 3 << 6 = 192 us
        cd(1, 5, 639, 479),               // on
        cd(0, 63, 0, 0),                  // off
        cd(1, 0, 640, 0),                 // outside
        cd(1, 0, 0, 480),                 // outside
        0xA << 28 | 7 << 22 | 4 << 8 | 1, // trigger 4 rises
        0xE000_0000,
        0xF000_0000,
        0x3000_0000, // no such type
    ]);
    assert_eq!(
        out.events,
        [event(197, 639, 479, true), event(255, 0, 0, false)]
    );
    let trigger = Trigger {
        t_us: 199,
        id: 4,
        rising: true,
    };
    assert_eq!(out.triggers, [trigger]);
    let expected = DecodeCounts {
        unknown_words: 1,
        outside: 2,
        unsynced: 1,
        torn_bytes: 0,
    };
    assert_eq!(counts, expected);
}

#[test]
fn time_wraps_when_it_falls_by_half_its_range() {
    let (out, _) = decode(&[0x8FFF_FFFF, cd(1, 63, 0, 0), 0x8000_0000, cd(1, 0, 0, 0)]);
    assert_eq!(out.events[0].t_us, (1 << 34) - 1);
    assert_eq!(out.events[1].t_us, 1 << 34);
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events(
        events in prop::collection::vec(
            (0u64..(1 << 33), 0u16..640, 0u16..480, any::<bool>())
                .prop_map(|(t_us, x, y, on)| event(t_us, x, y, on)),
            0..50,
        ),
        piece in 1usize..9,
    ) {
        let mut encoded = Vec::new();
        Evt2Encoder::new().encode(&events, &mut encoded).expect("within limits");
        let mut decoder = Evt2Decoder::new(SENSOR);
        let mut out = EventBatch::default();
        encoded.chunks(piece).for_each(|c| decoder.decode(c, &mut out));
        prop_assert_eq!(out.events, events);
        prop_assert_eq!(decoder.counts(), DecodeCounts::default());
    }
}
