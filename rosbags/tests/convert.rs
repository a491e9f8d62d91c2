//! Conversion in every direction: no message, time, number, QoS profile or
//! definition is lost, and what a format has no place for is counted.

use std::path::{Path, PathBuf};

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::Label;
use saccade_msgs::std_msgs::Header;
use saccade_msgs::visualization_msgs::Marker;
use saccade_rosbags::{
    BagReader, BagWriter, Compression, Connection, ConvertOptions, ConvertReport, NotHeld,
    QosProfile, RawMessage, SENSOR_DATA_QOS, Serialization, Storage, WriteOptions, convert,
};

fn label(i: i64) -> Label {
    Label {
        header: Header {
            frame_id: format!("table {i}"),
            ..Header::default()
        },
        class_id: i as i32,
        ..Label::default()
    }
}

/// An MCAP with two topics that both kinds of ROS know and one without messages;
/// publish times and sequence numbers are its own.
fn source(path: &Path) {
    let connections = [
        Connection {
            qos: SENSOR_DATA_QOS.into(),
            md5: "RIHS01_ab".into(),
            ..Connection::cdr::<Label>("/label")
        },
        Connection::cdr::<EventPacket>("/events"),
        Connection::cdr::<Header>("/silent"),
    ];
    let mut bag = BagWriter::create(path).expect("creates");
    for connection in &connections {
        bag.add_connection(connection).expect("adds");
    }
    for i in 0..200 {
        let data = match i % 2 {
            0 => saccade_msgs::to_cdr(&label(i)),
            _ => saccade_msgs::to_cdr(&EventPacket {
                seq: i as u64,
                events: vec![i as u8; i as usize],
                ..EventPacket::default()
            }),
        };
        let message = RawMessage {
            connection: connections[i as usize % 2].clone().into(),
            stamp_ns: 5_000_000_000 + i * 10_000_000,
            publish_ns: 5_000_000_000 + i * 10_000_000 - i % 2,
            sequence: 7 + i as u32 / 2,
            data,
        };
        bag.write_raw(&message).expect("writes");
    }
    bag.finish().expect("finishes");
}

fn read(path: &Path) -> (Vec<Connection>, Vec<RawMessage>) {
    let mut bag = BagReader::open(path).unwrap_or_else(|e| panic!("{e}"));
    let connections = bag.connections().expect("lists");
    let connections = connections.iter().map(|c| (**c).clone()).collect();
    let messages = bag.map(|m| m.unwrap_or_else(|e| panic!("{e}"))).collect();
    (connections, messages)
}

fn to(input: &Path, output: &Path, write: WriteOptions) -> ConvertReport {
    let options = ConvertOptions {
        write,
        ..ConvertOptions::default()
    };
    convert(input, output, &options, &mut |_| ()).unwrap_or_else(|e| panic!("{e}"))
}

/// Every form of the result: its name, and how it is written.
fn forms() -> Vec<(&'static str, WriteOptions)> {
    let options = WriteOptions::default;
    vec![
        ("a.mcap", options()),
        (
            "lz4.mcap",
            WriteOptions {
                compression: Some(Compression::Lz4),
                ..options()
            },
        ),
        ("a.db3", options()),
        ("a.db3.zstd", options()),
        (
            "dir_mcap",
            WriteOptions {
                split_bytes: Some(2000),
                ..options()
            },
        ),
        (
            "dir_sqlite",
            WriteOptions {
                storage: Storage::Sqlite,
                compression: Some(Compression::Message),
                split_ns: Some(500_000_000),
                ..options()
            },
        ),
        ("a.bag", options()),
        (
            "bz2.bag",
            WriteOptions {
                compression: Some(Compression::Bz2),
                ..options()
            },
        ),
        (
            "none.bag",
            WriteOptions {
                compression: Some(Compression::None),
                ..options()
            },
        ),
        (
            "ros1.mcap",
            WriteOptions {
                messages: Serialization::Ros1,
                ..options()
            },
        ),
    ]
}

#[test]
fn every_form_into_every_form() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = dir.path().join("source.mcap");
    source(&first);
    let made: Vec<PathBuf> = (forms().into_iter())
        .map(|(name, options)| {
            let path = dir.path().join(name);
            to(&first, &path, options);
            path
        })
        .collect();
    let (connections, messages) = read(&first);
    for from in &made {
        for (name, options) in forms() {
            let path = dir.path().join(format!("again_{name}"));
            let report = to(from, &path, options.clone());
            assert_eq!((report.messages, report.lost, report.topics), (200, 0, 3));
            check(&path, &connections, &messages);
            // Back to CDR it is the source, bytes and all.
            let back = dir.path().join("back.mcap");
            to(&path, &back, WriteOptions::default());
            check(&back, &connections, &messages);
            std::fs::remove_file(&back).expect("removes");
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.expect("removes");
        }
    }
}

fn check(path: &Path, connections: &[Connection], messages: &[RawMessage]) {
    let (found, read) = read(path);
    assert_eq!(read.len(), messages.len(), "{}", path.display());
    for (a, b) in read.iter().zip(messages) {
        assert_eq!(
            (a.topic(), a.type_name(), a.stamp_ns),
            (b.topic(), b.type_name(), b.stamp_ns)
        );
        match b.type_name() {
            "saccade_msgs/msg/Label" => assert_eq!(
                a.decode::<Label>(path).expect("decodes"),
                b.decode::<Label>(path).expect("decodes")
            ),
            _ => assert_eq!(
                a.decode::<EventPacket>(path).expect("decodes"),
                b.decode::<EventPacket>(path).expect("decodes")
            ),
        }
        if a.connection.serialization == Serialization::Cdr {
            assert_eq!(a.data, b.data, "{}", path.display());
        }
    }
    assert_eq!(found.len(), connections.len());
    for connection in connections {
        let same = found
            .iter()
            .find(|c| c.topic == connection.topic)
            .expect("the topic");
        assert_eq!(same.type_name, connection.type_name);
        assert!(!same.definition.is_empty(), "{}", path.display());
        if same.serialization == Serialization::Ros1 {
            assert_eq!(same.definition_encoding, "ros1msg");
            assert_eq!(same.md5.len(), 32, "{}", path.display());
        }
    }
}

#[test]
fn between_ros2_formats_nothing_changes_but_what_is_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = dir.path().join("source.mcap");
    source(&first);
    let (connections, messages) = read(&first);
    let mcap = dir.path().join("dir");
    let report = to(&first, &mcap, WriteOptions::default());
    assert_eq!(report.not_held, NotHeld::default());
    assert_eq!(read(&mcap), (connections.clone(), messages.clone()));
    let sqlite = dir.path().join("a.db3");
    let report = to(&first, &sqlite, WriteOptions::default());
    let expected = NotHeld {
        publish_times: 100,
        sequences: 200,
        ..NotHeld::default()
    };
    assert_eq!(report.not_held, expected);
    let (found, read) = read(&sqlite);
    assert_eq!(found, connections);
    for (a, b) in read.iter().zip(&messages) {
        assert_eq!(
            (&a.data, a.stamp_ns, &a.connection),
            (&b.data, b.stamp_ns, &b.connection)
        );
    }
    let report = to(&first, &dir.path().join("a.bag"), WriteOptions::default());
    let expected = NotHeld {
        publish_times: 100,
        sequences: 200,
        qos: 3,
        ..NotHeld::default()
    };
    assert_eq!((report.transcoded, report.not_held), (200, expected));
}

#[test]
fn seq_of_headers_and_latching() {
    let dir = tempfile::tempdir().expect("a directory");
    let bag = dir.path().join("a.bag");
    let connection = Connection {
        qos: SENSOR_DATA_QOS.replace("durability: 2", "durability: 1"),
        ..Connection::ros1::<Header>("/map_header")
    };
    let mut writer = BagWriter::create(&bag).expect("creates");
    for seq in 0..3u8 {
        let message = RawMessage {
            connection: connection.clone().into(),
            stamp_ns: i64::from(seq),
            publish_ns: i64::from(seq),
            sequence: u32::from(seq),
            data: [[seq, 0, 0, 0].as_slice(), &[0; 12]].concat(),
        };
        writer.write_raw(&message).expect("writes");
    }
    writer.finish().expect("finishes");
    let mcap = dir.path().join("a.mcap");
    let report = to(&bag, &mcap, WriteOptions::default());
    assert_eq!(report.not_held.header_seq, 2);
    let qos = QosProfile::parse_list(&read(&mcap).0[0].qos).expect("a profile");
    assert_eq!((qos[0].durability, qos[0].depth), (1, 1));
    let kept = dir.path().join("kept.mcap");
    let ros1 = WriteOptions {
        messages: Serialization::Ros1,
        ..WriteOptions::default()
    };
    let report = to(&bag, &kept, ros1);
    assert_eq!((report.not_held.header_seq, report.transcoded), (0, 0));
    assert_eq!(read(&kept).1[2].data[0], 2);
    let again = dir.path().join("again.bag");
    to(&kept, &again, WriteOptions::default());
    assert_eq!(read(&again), read(&bag));
}

#[test]
fn types_that_cannot_go_across_are_lost_and_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = dir.path().join("a.mcap");
    let unknown = Connection {
        type_name: "their_msgs/msg/Thing".into(),
        definition: String::new(),
        definition_encoding: String::new(),
        ..Connection::cdr::<Label>("/unknown")
    };
    let broken = Connection::cdr::<Marker>("/broken");
    let mut bag = BagWriter::create(&first).expect("creates");
    for i in 0..10 {
        for connection in [&unknown, &broken, &Connection::cdr::<Label>("/label")] {
            let data = match connection.topic.as_str() {
                "/label" => saccade_msgs::to_cdr(&label(i)),
                _ => vec![0, 1, 0, 0, 9],
            };
            let message = RawMessage {
                connection: connection.clone().into(),
                stamp_ns: i,
                publish_ns: i,
                sequence: i as u32,
                data,
            };
            bag.write_raw(&message).expect("writes");
        }
    }
    bag.finish().expect("finishes");
    let report = to(&first, &dir.path().join("a.bag"), WriteOptions::default());
    assert_eq!((report.messages, report.lost), (10, 20));
    let reasons: Vec<_> = report
        .lost_topics
        .iter()
        .map(|t| (t.topic.as_str(), t.messages, t.reason.as_str()))
        .collect();
    assert!(reasons.iter().all(|r| r.1 == 10));
    assert!(
        reasons[0]
            .2
            .contains("no definition of their_msgs/msg/Thing"),
        "{reasons:?}"
    );
    assert!(
        reasons[1].2.contains("builtin_interfaces/msg/Time.sec"),
        "{reasons:?}"
    );
    // Within ROS 2 nothing has to be understood.
    let report = to(&first, &dir.path().join("a.db3"), WriteOptions::default());
    assert_eq!((report.messages, report.lost), (30, 0));
}

#[test]
fn parts_of_a_recording() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = dir.path().join("source.mcap");
    source(&first);
    let part = |name: &str, options: ConvertOptions| {
        let path = dir.path().join(name);
        let report = convert(&first, &path, &options, &mut |_| ());
        report.map(|report| (report, read(&path)))
    };
    let options = ConvertOptions::default;
    let (report, (connections, messages)) = part(
        "a.mcap",
        ConvertOptions {
            topics: vec!["/ev*".into()],
            ..options()
        },
    )
    .expect("converts");
    assert_eq!(
        (report.messages, report.left_out, connections.len()),
        (100, 100, 1)
    );
    assert!(messages.iter().all(|m| m.topic() == "/events"));
    let (report, _) = part(
        "b.mcap",
        ConvertOptions {
            exclude: vec!["/events".into()],
            ..options()
        },
    )
    .expect("converts");
    assert_eq!((report.messages, report.topics), (100, 2));
    let (_, (_, messages)) = part(
        "c.mcap",
        ConvertOptions {
            start_ns: 1_000_000_000,
            duration_ns: Some(500_000_000),
            ..options()
        },
    )
    .expect("converts");
    let stamps: Vec<i64> = messages.iter().map(|m| m.stamp_ns).collect();
    assert_eq!(
        (stamps.len(), stamps[0], stamps[50]),
        (51, 6_000_000_000, 6_500_000_000)
    );
    let error = part(
        "d.mcap",
        ConvertOptions {
            topics: vec!["/none".into()],
            ..options()
        },
    );
    let error = error.expect_err("no topic").to_string();
    assert!(error.contains("/label (saccade_msgs/msg/Label)"), "{error}");
    let error = part("a.mcap", options())
        .expect_err("it is there")
        .to_string();
    assert!(error.contains("exists already"), "{error}");
}

#[test]
fn a_failure_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = dir.path().join("source.mcap");
    source(&first);
    let whole = std::fs::read(&first).expect("reads");
    std::fs::write(&first, &whole[..whole.len() / 2]).expect("cuts");
    for (name, write) in forms() {
        let path = dir.path().join(name);
        let options = ConvertOptions {
            write,
            ..ConvertOptions::default()
        };
        assert!(
            convert(&first, &path, &options, &mut |_| ()).is_err(),
            "{name}"
        );
        let left: Vec<_> = std::fs::read_dir(dir.path())
            .expect("lists")
            .flatten()
            .map(|e| e.path())
            .collect();
        assert_eq!(left, std::slice::from_ref(&first), "{name}");
    }
}

#[test]
fn bags_with_chunks_that_overlap_come_in_the_order_of_time() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["a.bag", "a.mcap", "a.db3"] {
        let path = dir.path().join(name);
        let mut bag = BagWriter::create(&path).expect("creates");
        // Two writers in turns, one far behind; chunks of about a megabyte.
        for i in 0..4000i64 {
            let stamp = if i % 2 == 0 { i + 6_001 } else { 10_000 - i } * 1_000;
            let packet = EventPacket {
                seq: i as u64,
                events: vec![0; 3000],
                ..EventPacket::default()
            };
            bag.write("/events", stamp, &packet).expect("writes");
        }
        bag.finish().expect("finishes");
        let stamps = |bag: BagReader| -> Vec<i64> {
            bag.map(|m| m.unwrap_or_else(|e| panic!("{e}")).stamp_ns)
                .collect()
        };
        let mut expected = stamps(BagReader::open(&path).expect("opens"));
        assert!(!expected.is_sorted());
        expected.sort_unstable();
        let sorted = stamps(BagReader::open_in_time_order(&path).unwrap_or_else(|e| panic!("{e}")));
        assert_eq!(sorted, expected, "{name}");
        for in_time_order in [false, true] {
            let output = dir.path().join(format!("{in_time_order}_{name}.db3"));
            let options = ConvertOptions {
                in_time_order,
                ..ConvertOptions::default()
            };
            let report = convert(&path, &output, &options, &mut |_| ());
            let report = report.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((report.messages, report.left_out), (4000, 0), "{name}");
            let mut found = stamps(BagReader::open(&output).expect("opens"));
            assert_eq!(found.is_sorted(), in_time_order, "{name}");
            found.sort_unstable();
            assert_eq!(found, expected, "{name}");
        }
    }
}
