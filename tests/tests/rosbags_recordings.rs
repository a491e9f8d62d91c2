//! Recordings of our hosts read by PyPI `rosbags`, and bags of events that it
//! wrote read by us. Fails where the peer cannot be installed.

use std::collections::BTreeMap;
use std::path::Path;

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{Decision, SaccadePhase};
use saccade_msgs::sensor_msgs::{Image, JointState};
use saccade_msgs::{Ros1Message, to_ros1};
use saccade_nodes::{RunOptions, lockstep};
use saccade_rosbags::events::info;
use saccade_rosbags::{BagReader, Connection, RawMessage, Ros1Compression, Ros1Writer};
use saccade_tests::{Driven, FATES, count, peer, seeing_graph, sum};
use serde_json::{Value, json};

/// Topic -> type, messages, MD5 of all their bytes, as the peer prints it.
fn digest(path: &Path) -> Value {
    let mut topics: BTreeMap<String, (String, u64, md5::Context)> = BTreeMap::new();
    for message in BagReader::open(path).unwrap_or_else(|e| panic!("{e}")) {
        let message = message.unwrap_or_else(|e| panic!("{e}"));
        let (_, count, md5) = topics
            .entry(message.topic().to_owned())
            .or_insert_with(|| (message.type_name().to_owned(), 0, md5::Context::new()));
        *count += 1;
        md5.consume(&message.data);
    }
    let entry = |(topic, (kind, count, md5)): (String, (String, u64, md5::Context))| {
        let md5 = format!("{:x}", md5.finalize());
        (topic, json!([kind, count, md5]))
    };
    topics
        .into_iter()
        .map(entry)
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Turns the messages of type `M` of a recording into a topic of a ROS 1 bag.
fn copy<M: Ros1Message>(recorded: &[RawMessage], path: &Path, bag: &mut Ros1Writer) {
    for message in recorded.iter().filter(|m| m.type_name() == M::TYPE_NAME) {
        let connection = Connection::ros1::<M>(message.topic());
        let typed: M = message.decode(path).unwrap_or_else(|e| panic!("{e}"));
        let written = bag.write_raw(&connection, message.stamp_ns, &to_ros1(&typed));
        written.unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn the_peer_reads_a_lockstep_recording_and_its_ros1_copies() {
    let folder = tempfile::tempdir().unwrap();
    let mcap = folder.path().join("run.mcap");
    let options = RunOptions {
        record: Some(mcap.clone()),
        duration_ns: Some(1_400_000_000),
        ..RunOptions::default()
    };
    let report = lockstep::run(&seeing_graph(1), options).unwrap_or_else(|e| panic!("{e}"));
    let recorded: Vec<RawMessage> = BagReader::open(&mcap)
        .and_then(Iterator::collect)
        .unwrap_or_else(|e| panic!("{e}"));
    let mut bags = vec![mcap.clone()];
    for compression in [
        Ros1Compression::None,
        Ros1Compression::Lz4,
        Ros1Compression::Bz2,
    ] {
        let path = folder.path().join(format!("{compression:?}.bag"));
        let mut bag = Ros1Writer::create(&path, compression).unwrap();
        copy::<EventPacket>(&recorded, &mcap, &mut bag);
        copy::<JointState>(&recorded, &mcap, &mut bag);
        copy::<Image>(&recorded, &mcap, &mut bag);
        copy::<SaccadePhase>(&recorded, &mcap, &mut bag);
        copy::<Decision>(&recorded, &mcap, &mut bag);
        bag.finish().unwrap();
        bags.push(path);
    }
    let arguments: Vec<&Path> = [Path::new("read")]
        .into_iter()
        .chain(bags.iter().map(|p| p.as_path()))
        .collect();
    let told = peer("rosbags_recordings.py", &arguments);
    assert_eq!(told.lines().count(), bags.len());
    for (bag, line) in bags.iter().zip(told.lines()) {
        let theirs: Value = serde_json::from_str(line).unwrap();
        assert_eq!(theirs, digest(bag), "{}", bag.display());
        for topic in [
            "/events",
            "/joint_states",
            "/image_raw",
            "/saccade",
            "/decision",
        ] {
            assert!(report.topics[topic] > 0, "{topic}");
            assert_eq!(theirs[topic][1], report.topics[topic], "{topic}");
        }
    }
}

#[test]
fn events_in_bags_of_the_peer() {
    let folder = tempfile::tempdir().unwrap();
    let told = peer(
        "rosbags_recordings.py",
        &[Path::new("write"), folder.path()],
    );
    let expected: Value = serde_json::from_str(&told).unwrap();
    for name in ["none.bag", "bz2.bag", "lz4.bag", "sqlite", "mcap"] {
        let path = folder.path().join(name);
        for topic in ["/mono", "/evt3"] {
            let found = info(&path, Some(topic)).unwrap_or_else(|e| panic!("{e}"));
            let found = json!({
                "packets": found.packets, "events": found.events, "on": found.on,
                "sum_x": found.sum_x, "sum_y": found.sum_y, "sum_t_us": found.sum_t_us,
            });
            assert_eq!(found, expected, "{name} {topic}");
            through_the_node(&path, topic, &expected);
        }
    }
}

fn through_the_node(path: &Path, topic: &str, expected: &Value) {
    let mut node = Driven::new("dvs_ingest", &[("window", "0")]).unwrap();
    for message in BagReader::open(path).unwrap_or_else(|e| panic!("{e}")) {
        let message = message.unwrap_or_else(|e| panic!("{e}"));
        if message.topic() == topic {
            let packet: EventPacket = message.decode(path).unwrap_or_else(|e| panic!("{e}"));
            node.message(message.stamp_ns, "events", packet);
        }
    }
    let health = node.health();
    assert_eq!(count(&health, "events"), expected["events"], "{health:?}");
    assert_eq!(sum(&health, &FATES), expected["events"], "{health:?}");
}
