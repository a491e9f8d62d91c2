//! Our bags read by PyPI `rosbags`, and its bags by us. Fails where the peer
//! cannot be installed (see `tests/peers/install.sh`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::std_msgs::Header;
use saccade_rosbags::{BagReader, BagWriter, Connection, Ros1Compression, Ros1Writer};
use serde_json::{Value, json};

/// As many as `peer.py` writes.
const PACKETS: u64 = 500;
const TOPIC: &str = "/events";

/// The Python of the peers' environment, which is made where it is missing.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let peers = root.join("../target/peers");
    let status = Command::new(root.join("../tests/peers/install.sh"))
        .arg(&peers)
        .status()
        .expect("runs the installer");
    assert!(
        status.success(),
        "tests/peers/install.sh failed; it needs python3 with venv, and PyPI"
    );
    peers.join("bin/python")
});

/// Runs `peer.py` and returns what it prints.
fn peer(command: &str, arguments: &[&Path]) -> String {
    let output = Command::new(&*PYTHON)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.py"))
        .arg(command)
        .args(arguments)
        .output()
        .expect("runs the peer");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the peer failed:\n{said}");
    String::from_utf8(output.stdout).expect("is text")
}

/// The packet that `peer.py` writes as number `seq`.
fn packet(seq: u64) -> EventPacket {
    EventPacket {
        header: Header {
            stamp: Time {
                sec: seq as i32,
                nanosec: 5,
            },
            frame_id: "cam".to_owned(),
        },
        height: 3,
        width: 4,
        seq,
        time_base: 1000 * seq,
        encoding: "mono".to_owned(),
        is_bigendian: false,
        events: (0..(seq % 7 * 8) as u8).collect(),
    }
}

fn stamp_ns(seq: u64) -> i64 {
    seq as i64 * 1_000_000
}

#[test]
fn the_peer_reads_what_we_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let mcap = dir.path().join("ours.mcap");
    let mut bag = BagWriter::create(&mcap).expect("creates");
    for seq in 0..PACKETS {
        bag.write(TOPIC, stamp_ns(seq), &packet(seq))
            .expect("writes");
    }
    bag.finish().expect("finishes");
    let mut bags = vec![mcap];
    for compression in [
        Ros1Compression::None,
        Ros1Compression::Lz4,
        Ros1Compression::Bz2,
    ] {
        let path = dir.path().join(format!("ours_{compression:?}.bag"));
        let mut bag = Ros1Writer::create(&path, compression).expect("creates");
        let connection = Connection::ros1::<EventPacket>(TOPIC);
        for seq in 0..PACKETS {
            let data = saccade_msgs::to_ros1(&packet(seq));
            bag.write_raw(&connection, stamp_ns(seq), &data)
                .expect("writes");
        }
        bag.finish().expect("finishes");
        bags.push(path);
    }
    let arguments: Vec<&Path> = bags.iter().map(PathBuf::as_path).collect();
    let told = peer("read", &arguments);
    let mut lines = told.lines();
    for bag in &bags {
        for seq in 0..PACKETS {
            let p = packet(seq);
            let hex: String = p.events.iter().map(|b| format!("{b:02x}")).collect();
            let expected = json!({
                "bag": bag, "topic": TOPIC, "type": "event_camera_msgs/msg/EventPacket",
                "stamp_ns": stamp_ns(seq), "frame_id": "cam", "seq": seq,
                "encoding": "mono", "events": hex,
            });
            let line: Value = serde_json::from_str(lines.next().expect("a line")).expect("JSON");
            assert_eq!(line, expected);
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn we_read_what_the_peer_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    peer("write", &[dir.path()]);
    for name in [
        "theirs_none.bag",
        "theirs_bz2.bag",
        "theirs_lz4.bag",
        "theirs_sqlite",
        "theirs_mcap",
    ] {
        let path = dir.path().join(name);
        let mut bag = BagReader::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let connections = bag.connections().expect("lists");
        assert_eq!(connections.len(), 1, "{name}");
        assert_eq!(connections[0].topic, TOPIC);
        assert!(
            connections[0].definition.contains("uint64 time_base"),
            "{name}"
        );
        let mut seq = 0;
        for message in bag {
            let message = message.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(message.stamp_ns, stamp_ns(seq), "{name}");
            let decoded = message.decode::<EventPacket>(&path);
            assert_eq!(decoded.unwrap_or_else(|e| panic!("{e}")), packet(seq));
            seq += 1;
        }
        assert_eq!(seq, PACKETS, "{name}");
    }
}
