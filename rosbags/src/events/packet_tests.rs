//! Packets by hand, from the encodings' descriptions.

use proptest::prelude::*;

use super::*;

fn view<'a>(encoding: &'a str, seq: u64, events: &'a [u8]) -> PacketView<'a> {
    PacketView {
        height: 480,
        width: 640,
        seq,
        time_base_ns: 5_000_000,
        encoding,
        is_bigendian: false,
        events,
    }
}

fn event(t_us: u64, x: u16, y: u16, on: bool) -> Event {
    Event { t_us, x, y, on }
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn decode_one(view: PacketView<'_>) -> (Vec<Event>, PacketCounts) {
    let mut decoder = PacketDecoder::new();
    let mut out = EventBatch::default();
    decoder.decode(view, &mut out).expect("decodes");
    (out.events, decoder.counts())
}

#[test]
fn mono_fields() {
    let word = 1u64 << 63 | 3 << 48 | 639 << 32 | 2500;
    let outside = 480u64 << 48;
    let bytes = [word.to_le_bytes(), outside.to_le_bytes()].concat();
    let (events, counts) = decode_one(view("mono", 0, &bytes));
    assert_eq!(events, [event(5002, 639, 3, true)]);
    assert_eq!(counts.decode.outside, 1);
    let big: Vec<u8> = word.to_be_bytes().to_vec();
    let swapped = PacketView {
        is_bigendian: true,
        ..view("mono", 0, &big)
    };
    assert_eq!(decode_one(swapped).0, events);
    assert_eq!(
        decode_one(view("mono", 0, &bytes[..9])).1.decode.torn_bytes,
        1
    );
}

#[test]
fn libcaer_fields_and_roll_over() {
    let word = |x: u32, y: u32, on: u32| (x << 17 | y << 2 | on << 1 | 1).to_le_bytes();
    let bytes = [
        word(639, 7, 1),
        i32::MAX.to_le_bytes(),
        word(1, 2, 0),
        4i32.to_le_bytes(),
    ]
    .concat();
    let (events, _) = decode_one(view("libcaer", 0, &bytes));
    let round = 1u64 << 31;
    assert_eq!(
        events,
        [
            event(5000 + round - 1, 639, 7, true),
            event(5000 + round + 4, 1, 2, false)
        ]
    );
}

#[test]
fn libcaer_cmp_columns_with_vectors() {
    let bytes = words(&[
        0x3001, // before a column is known
        0x0001,
        0x1002, // 4096 + 2 us
        0x2000 | 639,
        0x3800 | 5, // an event that is on
        0x4000 | 100,
        0x3800 | 6,
        0x5000 | 0b1000_0001, // a vector that is off
        0x5001,               // 8 rows on
        0x2000 | 640,
        0x3000, // outside
        0x6000, // no such code
    ]);
    let (events, counts) = decode_one(view("libcaer_cmp", 0, &bytes));
    let t = 5000 + 4098;
    assert_eq!(
        events,
        [
            event(t, 639, 5, true),
            event(t, 639, 6, true),
            event(t, 639, 100, false),
            event(t, 639, 107, false),
            event(t, 639, 108, false)
        ]
    );
    let expected = DecodeCounts {
        unknown_words: 1,
        outside: 1,
        unsynced: 1,
        torn_bytes: 0,
    };
    assert_eq!(counts.decode, expected);
}

#[test]
fn evt3_state_lives_on_and_waits_after_a_loss() {
    let mut decoder = PacketDecoder::new();
    let mut out = EventBatch::default();
    let mut feed = |seq, w: &[u16], out: &mut EventBatch| {
        decoder
            .decode(view("evt3", seq, &words(w)), out)
            .expect("decodes");
        decoder.counts()
    };
    feed(10, &[0x8000, 0x6001, 0x0005], &mut out);
    feed(11, &[0x2003], &mut out);
    assert_eq!(out.events, [event(1, 3, 5, false)]);
    // 12 and 13 are missing.
    let counts = feed(14, &[0x2004, 0x8000, 0x6002, 0x0006, 0x2005], &mut out);
    assert_eq!(out.events[1..], [event(2, 5, 6, false)]);
    assert_eq!((counts.lost, counts.decode.unsynced), (2, 1));
    // The publisher starts anew; what was counted before stays.
    let counts = feed(0, &[0x2004], &mut out);
    assert_eq!(out.events.len(), 2);
    assert_eq!((counts.restarts, counts.lost), (1, 2));
    assert_eq!(counts.decode.unsynced, 2);
    assert_eq!((counts.seq_first, counts.seq_last), (Some(10), Some(0)));
    assert_eq!(counts.packets, 4);
}

#[test]
fn unknown_encodings_and_absurd_sizes_are_errors() {
    let mut decoder = PacketDecoder::new();
    let mut out = EventBatch::default();
    let mut fails = |v| {
        let error = decoder.decode(v, &mut out).expect_err("must fail");
        error.to_string()
    };
    assert!(fails(view("evt9", 3, &[])).contains("packet 3: encoding `evt9`"));
    let wide = PacketView {
        width: 1 << 20,
        ..view("mono", 4, &[])
    };
    assert!(fails(wide).contains("1048576 x 480"));
}

#[test]
fn mono_writes_only_what_it_can_say() {
    let mut out = Vec::new();
    let mut encode = |t_us, base_ns| encode_mono(&[event(t_us, 0, 0, true)], base_ns, &mut out);
    assert!(encode(4, 5000).is_err());
    assert!(encode(5, 5000).is_ok());
    assert!(encode(4_300_000, 0).is_err());
}

proptest! {
    #[test]
    fn mono_packets_give_their_events_back(
        base_us in 0u64..(1 << 50),
        events in prop::collection::vec(
            (0u64..4_294_967, 0u16..640, 0u16..480, any::<bool>()), 0..50),
    ) {
        let events: Vec<_> = (events.into_iter())
            .map(|(dt, x, y, on)| event(base_us + dt, x, y, on))
            .collect();
        let geometry = Geometry { width: 640, height: 480 };
        let packet = mono_packet(&events, base_us * 1000, geometry, 7, "camera").expect("fits");
        prop_assert_eq!(decode_one(PacketView::from(&packet)).0, events);
    }

    /// Any bytes decode without a panic in every encoding and byte order.
    #[test]
    fn any_bytes_decode(
        data in prop::collection::vec(any::<u8>(), 0..200),
        time_base_ns: u64,
        is_bigendian: bool,
    ) {
        for encoding in ["evt3", "evt2", "evt21", "mono", "libcaer", "libcaer_cmp"] {
            let view = PacketView { time_base_ns, is_bigendian, ..view(encoding, 0, &data) };
            let (events, _) = decode_one(view);
            prop_assert!(events.iter().all(|e| e.x < 640 && e.y < 480));
        }
    }
}
