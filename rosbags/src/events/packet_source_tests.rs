//! Whatever is cut into packets decodes to the same events as the whole.

use super::super::synthetic::{Kind, Random, stream};
use super::super::{PacketDecoder, PacketView, Trigger};
use super::*;

/// Events and triggers of the packets, decoded in sequence, and the packets.
fn through_packets(path: &Path, packet_us: u64) -> (EventBatch, Vec<TimedPacket>) {
    let options = PacketOptions {
        packet_us,
        frame_id: "camera".into(),
    };
    let mut source = PacketSource::open(path, None, options).unwrap();
    let mut decoder = PacketDecoder::new();
    let (mut all, mut packets) = (EventBatch::default(), Vec::new());
    while let Some(timed) = source.next_packet().unwrap() {
        let view = PacketView::from(&timed.packet);
        decoder.decode(view, &mut all).unwrap();
        packets.push(timed);
    }
    assert!(source.next_packet().unwrap().is_none(), "the end stays");
    assert_eq!(decoder.counts().lost, 0);
    (all, packets)
}

fn whole(path: &Path) -> EventBatch {
    let mut source = EventSource::open(path, None).unwrap();
    let (mut all, mut batch) = (EventBatch::default(), EventBatch::default());
    while source.next_batch(&mut batch).unwrap() {
        all.events.append(&mut batch.events);
        all.triggers.append(&mut batch.triggers);
    }
    all
}

fn assert_same(path: &Path, packet_us: u64) -> Vec<TimedPacket> {
    let expected = whole(path);
    let (found, packets) = through_packets(path, packet_us);
    assert_eq!(found.events.len(), expected.events.len(), "{packet_us} µs");
    assert!(found == expected, "{}: {packet_us} µs", path.display());
    assert!(packets.is_sorted_by_key(|p| p.due_us));
    packets
}

fn raw_file(folder: &Path, format: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(format!("{}.raw", format.replace([';', '='], "_")));
    let header = format!("% format {format};height=720;width=1280\n% end\n");
    std::fs::write(&path, [header.as_bytes(), bytes].concat()).unwrap();
    path
}

const DURATIONS_US: [u64; 6] = [0, 1, 100, 1000, 7000, u64::MAX];

#[test]
fn raw_streams_pass_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let swapped = stream(Kind::Evt21, 160_000, 3).0;
    let streams = [
        ("EVT3", stream(Kind::Evt3Sparse, 60_000, 1).0),
        ("EVT3;kind=dense", stream(Kind::Evt3Dense, 200_000, 2).0),
        ("EVT2", stream(Kind::Evt2 { mean_us: 3 }, 100_000, 4).0),
        ("EVT21", swapped.clone()),
    ];
    for (format, bytes) in streams {
        let path = raw_file(folder.path(), format, &bytes);
        let mut counts = Vec::new();
        for packet_us in DURATIONS_US {
            let packets = assert_same(&path, packet_us);
            let all: Vec<u8> = packets
                .iter()
                .flat_map(|p| p.packet.events.clone())
                .collect();
            assert!(all == bytes, "{format}: the bytes of the file");
            assert!(packets.iter().all(|p| p.packet.events.len() <= MAX_PACKET));
            let expected: Vec<u64> = (0..packets.len() as u64).collect();
            assert!(packets.iter().map(|p| p.packet.seq).eq(expected));
            counts.push(packets.len());
        }
        assert!(counts.is_sorted_by(|a, b| a >= b), "{format}: {counts:?}");
        assert!(counts[3] > 10, "{format}: {counts:?}");
    }
    // The legacy order of halves: the same packets as without.
    let path = raw_file(folder.path(), "EVT21", &swapped);
    let expected = through_packets(&path, 1000);
    let mut legacy = swapped;
    for word in legacy.as_chunks_mut::<8>().0 {
        word.rotate_left(4);
    }
    let path = raw_file(folder.path(), "EVT21;endianness=legacy", &legacy);
    assert!(through_packets(&path, 1000) == expected);
    assert_same(&path, 1000);
}

/// Random words, bytes torn off at the end.
#[test]
fn nonsense_passes_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(11);
    for (format, size) in [("EVT3", 2), ("EVT2", 4), ("EVT21", 8)] {
        let bytes: Vec<u8> = (0..100_001).map(|_| random.below(256) as u8).collect();
        let path = raw_file(folder.path(), format, &bytes);
        for packet_us in DURATIONS_US {
            let packets = assert_same(&path, packet_us);
            let length: usize = packets.iter().map(|p| p.packet.events.len()).sum();
            assert_eq!(length, bytes.len() / size * size);
        }
        let options = PacketOptions {
            packet_us: 1000,
            frame_id: String::new(),
        };
        let mut source = PacketSource::open(&path, None, options).unwrap();
        while source.next_packet().unwrap().is_some() {}
        assert_eq!(source.torn_bytes(), (bytes.len() % size) as u64);
    }
}

#[test]
fn a_stream_that_tells_no_time_is_cut_by_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = vec![0; 3 * MAX_PACKET + 10];
    let path = raw_file(folder.path(), "EVT2", &bytes);
    let (_, packets) = through_packets(&path, 1000);
    let lengths: Vec<_> = packets.iter().map(|p| p.packet.events.len()).collect();
    assert_eq!(lengths, [MAX_PACKET, MAX_PACKET, MAX_PACKET, 8]);
    let empty = raw_file(folder.path(), "EVT3", &[]);
    assert_eq!(through_packets(&empty, 1000).1, []);
}

/// By hand: packets end where the time after them begins.
#[test]
fn packets_begin_with_their_time_high() {
    let folder = tempfile::tempdir().unwrap();
    let words: [u16; 12] = [
        0x8000, 0x6010, 0x0005, 0x2001, // 16 µs
        0x6400, 0x2002, // 1024 µs
        0x8001, 0x8001, 0x6001, 0x2003, // 4097 µs
        0xA101, 0x2004,
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let path = raw_file(folder.path(), "EVT3", &bytes);
    let packets = assert_same(&path, 1000);
    let found: Vec<_> = (packets.iter())
        .map(|p| (p.due_us, p.packet.events.len() / 2))
        .collect();
    assert_eq!(found, [(0, 4), (1008, 2), (4081, 6)]);
    assert_eq!(&packets[2].packet.events[..6], &bytes[12..18]);
    assert_eq!(packets[1].packet.header.stamp.nanosec, 1_008_000);
    assert_eq!(packets[0].packet.header.frame_id, "camera");
    assert_eq!(
        (packets[0].packet.width, packets[0].packet.height),
        (1280, 720)
    );
    let trigger = Trigger {
        t_us: 4097,
        id: 1,
        rising: true,
    };
    assert_eq!(whole(&path).triggers, [trigger]);
}

#[test]
fn other_files_become_mono() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    let mut random = Random(5);
    let mut text = String::from("t,x,y,p\n");
    let mut t_us = 1_000_000;
    for i in 0..5000 {
        t_us += random.below(40);
        // A jump ahead that no packet can span, and small steps back.
        t_us += if i == 4000 { 10_000_000 } else { 0 };
        let t_us = t_us - random.below(5);
        text += &format!(
            "{t_us},{},{},{}\n",
            random.below(64),
            random.below(48),
            i % 2
        );
    }
    std::fs::write(&path, text).unwrap();
    for packet_us in DURATIONS_US {
        let packets = assert_same(&path, packet_us);
        assert!(packets.iter().all(|p| p.packet.encoding == "mono"));
        let size = (packets[0].packet.width, packets[0].packet.height);
        assert_eq!(size, (64, 48));
        if packet_us == 1000 {
            let near_ms = (90..130).contains(&packets.len());
            assert!(near_ms, "{} packets", packets.len());
        }
    }
}

#[test]
fn real_recordings() {
    let Some(folder) = std::env::var_os("SACCADE_TEST_DATA") else {
        eprintln!("NOT TESTED: packets of real recordings: SACCADE_TEST_DATA is not set");
        return;
    };
    let folder = PathBuf::from(folder).join("events");
    for (name, encoding) in [
        ("sample_evt3.raw", "evt3"),
        ("sample_evt2.raw", "evt2"),
        ("sample_ncars.dat", "mono"),
        ("sample.aedat4", "mono"),
        ("sample_nmnist.bin", "mono"),
        ("test_events_1.bag", "evt3"),
        ("test_events_1.db3", "evt3"),
        ("test_events_2_0.mcap", "libcaer_cmp"),
    ] {
        for packet_us in [1, 1000, 33_333] {
            let packets = assert_same(&folder.join(name), packet_us);
            assert!(packets.iter().all(|p| p.packet.encoding == encoding));
        }
    }
}
