//! Bags we write are read back as they were; damaged ones fail with a place.

use std::os::unix::fs::FileExt;
use std::path::Path;

use saccade_msgs::saccade_msgs::{Label, SaccadePhase};
use saccade_msgs::std_msgs::Header;
use saccade_msgs::{Ros1Message, builtin_interfaces::Time, dvs_msgs};
use saccade_rosbags::events::{EventBatch, EventSource, Geometry, PacketDecoder, mono_packet};
use saccade_rosbags::{
    BagError, BagReader, BagWriter, Connection, McapReader, RawMessage, Ros1Compression,
    Ros1Writer, Serialization,
};

fn label(i: i64) -> Label {
    Label {
        header: Header {
            stamp: Time::from_ns(i * 1_000_000),
            frame_id: "table".to_owned(),
        },
        label: ["ball", "bottle", "pen"][i as usize % 3].to_owned(),
        class_id: (i % 3) as i32,
        learn: i % 2 == 0,
    }
}

fn phase(i: i64) -> SaccadePhase {
    SaccadePhase {
        id: i as u32,
        moving: i % 2 == 0,
        axis: "pan".to_owned(),
        ..SaccadePhase::default()
    }
}

/// Two topics, `n` messages each, interleaved.
fn write_bag(path: &Path, n: i64) {
    let mut bag = BagWriter::create(path).expect("creates");
    for i in 0..n {
        bag.write("/label", 1_000 + i, &label(i)).expect("writes");
        bag.write("/saccade", 1_000 + i, &phase(i)).expect("writes");
    }
    bag.finish().expect("finishes");
}

fn read_all(path: &Path) -> Result<Vec<RawMessage>, BagError> {
    BagReader::open(path)?.collect()
}

fn check_messages(messages: &[RawMessage], n: i64, path: &Path) {
    assert_eq!(messages.len() as i64, 2 * n);
    for (i, pair) in messages.chunks(2).enumerate() {
        let i = i as i64;
        assert_eq!(pair[0].topic(), "/label");
        assert_eq!(pair[0].stamp_ns, 1_000 + i);
        assert_eq!(pair[0].sequence as i64, i);
        assert_eq!(pair[0].decode::<Label>(path).expect("decodes"), label(i));
        assert_eq!(
            pair[1].decode::<SaccadePhase>(path).expect("decodes"),
            phase(i)
        );
    }
}

#[test]
fn what_was_written_is_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, serialization) in [
        ("a.mcap", Serialization::Cdr),
        ("a.bag", Serialization::Ros1),
    ] {
        let path = dir.path().join(name);
        // Enough for several chunks.
        write_bag(&path, 20_000);
        check_messages(&read_all(&path).expect("reads"), 20_000, &path);
        let connections = (BagReader::open(&path).expect("opens").connections()).expect("lists");
        assert_eq!(connections.len(), 2);
        assert_eq!(connections[0].serialization, serialization);
        assert_eq!(connections[0].type_name, "saccade_msgs/msg/Label");
        if serialization == Serialization::Ros1 {
            assert_eq!(connections[0].md5, Label::ros1_md5());
            assert_eq!(connections[0].definition, Label::ros1_definition());
        }
        assert!(!dir.path().join("a.bag.active").exists());
    }
}

#[test]
fn ros1_bags_in_every_compression() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = Connection::ros1::<Label>("/label");
    for compression in [
        Ros1Compression::None,
        Ros1Compression::Lz4,
        Ros1Compression::Bz2,
    ] {
        let path = dir.path().join("c.bag");
        let mut bag = Ros1Writer::create(&path, compression).expect("creates");
        for i in 0..3000 {
            let data = saccade_msgs::to_ros1(&label(i));
            bag.write_raw(&connection, i, &data).expect("writes");
        }
        bag.finish().expect("finishes");
        let messages = read_all(&path).expect("reads");
        assert_eq!(messages.len(), 3000);
        for (i, m) in messages.iter().enumerate() {
            assert_eq!(m.decode::<Label>(&path).expect("decodes"), label(i as i64));
        }
    }
}

#[test]
fn the_content_tells_the_format_not_the_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let mcap = dir.path().join("a.mcap");
    write_bag(&mcap, 3);
    let disguised = dir.path().join("a.bag");
    std::fs::rename(&mcap, &disguised).expect("renames");
    check_messages(&read_all(&disguised).expect("reads"), 3, &disguised);
    let text = dir.path().join("notes.bag");
    std::fs::write(&text, "no bag").expect("writes");
    let error = read_all(&text).expect_err("no bag").to_string();
    assert!(
        error.contains("notes.bag") && error.contains("\"no bag\""),
        "{error}"
    );
    std::fs::write(&text, "").expect("writes");
    assert!(
        read_all(&text)
            .expect_err("empty")
            .to_string()
            .contains("empty")
    );
}

/// Cut at every byte: an error that names the file and a byte, never a panic,
/// and never messages other than those written.
fn truncate_everywhere(name: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    write_bag(&path, 4);
    let whole = std::fs::read(&path).expect("reads");
    let cut = dir.path().join("cut");
    std::fs::write(&cut, &whole).expect("writes");
    let file = std::fs::OpenOptions::new().write(true).open(&cut);
    let file = file.expect("opens");
    for length in (0..whole.len()).rev() {
        file.set_len(length as u64).expect("cuts");
        let mut seen = Vec::new();
        let error = match BagReader::open(&cut) {
            Err(error) => error,
            Ok(mut bag) => {
                assert!(bag.connections().is_ok());
                let mut last = None;
                for message in bag {
                    match message {
                        Ok(message) => seen.push(message),
                        Err(error) => last = Some(error),
                    }
                }
                last.unwrap_or_else(|| panic!("{name} cut to {length} bytes gives no error"))
            }
        };
        let text = error.to_string();
        assert!(text.contains("cut"), "{length}: {text}");
        let placed = text.contains("byte");
        let unknown = matches!(error, BagError::UnknownFormat { .. }) && length < 13;
        assert!(placed || unknown, "{length}: {text}");
        for (i, message) in seen.iter().enumerate() {
            assert_eq!(message.stamp_ns, 1_000 + i as i64 / 2);
        }
    }
}

#[test]
fn truncated_ros1_bags() {
    truncate_everywhere("t.bag");
}

#[test]
fn truncated_mcap() {
    truncate_everywhere("t.mcap");
}

#[test]
fn a_bag_without_index_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.bag");
    let mut writer = Ros1Writer::create(&path, Ros1Compression::None).expect("creates");
    let connection = Connection::ros1::<Label>("/label");
    let data = saccade_msgs::to_ros1(&label(0));
    writer.write_raw(&connection, 0, &data).expect("writes");
    drop(writer);
    assert!(!path.exists());
    let error = read_all(&dir.path().join("a.bag.active")).expect_err("unfinished");
    assert!(
        matches!(error, BagError::NotClosed { offset: 13, .. }),
        "{error}"
    );
}

/// Any byte changed: an error or messages, never a panic.
#[test]
fn damaged_bags_do_not_panic() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["t.bag", "t.mcap"] {
        let path = dir.path().join(name);
        write_bag(&path, 2);
        let whole = std::fs::read(&path).expect("reads");
        let file = std::fs::OpenOptions::new().write(true).open(&path);
        let file = file.expect("opens");
        for (i, &byte) in whole.iter().enumerate() {
            // The padding of a bag header is nobody's business.
            if name == "t.bag" && (100..4000).contains(&i) {
                continue;
            }
            for value in [0x00, 0xFF, byte ^ 1, byte] {
                file.write_all_at(&[value], i as u64).expect("writes");
                let _ = read_all(&path);
            }
        }
    }
}

#[test]
fn mcap_without_a_summary() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("plain.mcap");
    let file = std::fs::File::create(&path).expect("creates");
    let mut writer = mcap::WriteOptions::new()
        .emit_summary_records(false)
        .emit_summary_offsets(false)
        .compression(Some(mcap::Compression::Lz4))
        .create(std::io::BufWriter::new(file))
        .expect("creates");
    let schema = writer
        .add_schema("saccade_msgs/msg/Label", "ros2msg", b"")
        .expect("adds");
    let channel = (writer.add_channel(schema, "/label", "cdr", &Default::default())).expect("adds");
    let header = mcap::records::MessageHeader {
        channel_id: channel,
        sequence: 5,
        log_time: 7,
        publish_time: 6,
    };
    let data = saccade_msgs::to_cdr(&label(1));
    writer
        .write_to_known_channel(&header, &data)
        .expect("writes");
    writer.finish().expect("finishes");
    let mut reader = McapReader::open(&path).expect("opens");
    let connections = reader.connections().expect("lists");
    assert_eq!(connections[0].topic, "/label");
    let message = reader.next_message().expect("reads").expect("one");
    assert_eq!(
        (message.sequence, message.stamp_ns, message.publish_ns),
        (5, 7, 6)
    );
    assert_eq!(message.decode::<Label>(&path).expect("decodes"), label(1));
    assert!(reader.next_message().expect("ends").is_none());
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bag = BagWriter::create(&dir.path().join("a.bag")).expect("creates");
    assert!(bag.write("/label", -1, &label(0)).is_err());
    bag.write("/label", 0, &label(0)).expect("writes");
    let error = bag.write("/label", 0, &phase(0)).expect_err("another type");
    assert!(
        error.to_string().contains("carries saccade_msgs/msg/Label"),
        "{error}"
    );
    let cdr = RawMessage {
        connection: Connection::cdr::<Label>("/cdr").into(),
        stamp_ns: 0,
        publish_ns: 0,
        sequence: 0,
        data: vec![],
    };
    let error = bag.write_raw(&cdr).expect_err("cdr in ROS 1");
    assert!(error.to_string().contains("/cdr"), "{error}");
    assert!(BagWriter::create(&dir.path().join("a.txt")).is_err());
}

#[test]
fn a_message_of_another_type_or_cut_short_is_an_error() {
    let message = RawMessage {
        connection: Connection::cdr::<Label>("/label").into(),
        stamp_ns: 12,
        publish_ns: 12,
        sequence: 3,
        data: saccade_msgs::to_cdr(&label(0))[..9].to_vec(),
    };
    let path = Path::new("some.mcap");
    let error = message.decode::<Label>(path).expect_err("cut").to_string();
    assert!(
        error.contains("some.mcap: message 3 of `/label`"),
        "{error}"
    );
    let error = message
        .decode::<SaccadePhase>(path)
        .expect_err("type")
        .to_string();
    assert!(
        error.contains("its type is saccade_msgs/msg/Label"),
        "{error}"
    );
}

#[test]
fn events_of_a_topic_are_picked_or_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("e.mcap");
    let geometry = Geometry {
        width: 128,
        height: 128,
    };
    let events: Vec<_> = (0..100u16)
        .map(|i| saccade_msgs::Event {
            t_us: 1_000_000 + u64::from(i),
            x: i,
            y: 127 - i,
            on: i % 3 == 0,
        })
        .collect();
    let packet = mono_packet(&events, 1_000_000_000, geometry, 0, "camera").expect("fits");
    let mut bag = BagWriter::create(&path).expect("creates");
    bag.write("/events", 5, &packet).expect("writes");
    bag.write("/label", 6, &label(0)).expect("writes");
    bag.finish().expect("finishes");

    let mut source = EventSource::open(&path, None).expect("opens");
    let mut batch = EventBatch::default();
    assert!(source.next_batch(&mut batch).expect("reads"));
    assert_eq!(batch.events, events);
    assert_eq!(source.format(), "mcap/mono");
    assert_eq!(source.geometry(), Some(geometry));
    assert_eq!(
        (source.topic(), source.stamp_ns()),
        (Some("/events"), Some(5))
    );
    assert!(!source.next_batch(&mut batch).expect("ends"));
    assert!(EventSource::open(&path, Some("/events")).is_ok());
    let error = EventSource::open(&path, Some("/label"))
        .err()
        .expect("no events");
    assert!(
        error
            .to_string()
            .contains("/events (event_camera_msgs/msg/EventPacket)")
    );

    let mut bag = BagWriter::create(&path).expect("creates");
    bag.write("/left", 5, &packet).expect("writes");
    bag.write("/right", 5, &packet).expect("writes");
    bag.finish().expect("finishes");
    let error = EventSource::open(&path, None).err().expect("two topics");
    assert!(error.to_string().contains("2 topics of events"), "{error}");

    let mut out = EventBatch::default();
    let mut decoder = PacketDecoder::new();
    decoder.decode((&packet).into(), &mut out).expect("decodes");
    assert_eq!(out.events, events);
}

#[test]
fn dvs_msgs_arrays_from_both_kinds_of_bag() {
    let dir = tempfile::tempdir().expect("a directory");
    let event = |x, ns| dvs_msgs::Event {
        x,
        y: 2,
        ts: Time::from_ns(ns),
        polarity: true,
    };
    let array = dvs_msgs::EventArray {
        width: 240,
        height: 180,
        events: vec![event(1, 3_000_001_999), event(240, 5)],
        ..dvs_msgs::EventArray::default()
    };
    for name in ["a.bag", "a.mcap"] {
        let path = dir.path().join(name);
        let mut bag = BagWriter::create(&path).expect("creates");
        bag.write("/dvs/events", 1, &array).expect("writes");
        bag.finish().expect("finishes");
        let mut source = EventSource::open(&path, None).expect("opens");
        let mut batch = EventBatch::default();
        assert!(source.next_batch(&mut batch).expect("reads"));
        let expected = saccade_msgs::Event {
            t_us: 3_000_001,
            x: 1,
            y: 2,
            on: true,
        };
        assert_eq!(batch.events, [expected]);
        assert_eq!(source.counts().decode.outside, 1);
        assert!(source.format().ends_with("/dvs_msgs"));
    }
}
