//! Our messages against PyPI `rosbags`: it must read what we write, field by
//! field, and we what it writes. Fails where the peer cannot be installed.

#[path = "../../msgs/tests/random/mod.rs"]
mod random;

use random::random_cdr;
use saccade_msgs::registry::{ENTRIES, Entry, find};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Random messages of each type that go to the peer.
const MESSAGES: u64 = 8;

/// The Python of the peers' environment, which is made where it is missing.
fn peer_python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let peers = root.join("../target/peers");
    let status = Command::new(root.join("peers/install.sh"))
        .arg(&peers)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "tests/peers/install.sh failed; it needs python3 with venv, and PyPI"
    );
    peers.join("bin/python")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// What the peer is told of one message, a line: see `rosbags_messages.py`.
fn document(entry: &Entry, seed: u64) -> String {
    let schema = (entry.schema)();
    // Read into the Rust type and written again: the bytes are the crate's own.
    let cdr = (entry.cdr_to_cdr)(&random_cdr(&schema, seed, true)).unwrap();
    let fields = (entry.cdr_to_json)(&cdr).unwrap();
    let mut doc = json!({
        "type": entry.type_name,
        "definition": schema.definition(),
        "cdr": hex(&cdr),
    });
    if let Some(ros1) = entry.ros1 {
        doc["ros1_definition"] = schema.ros1_definition().into();
        doc["ros1_md5"] = schema.ros1_md5().into();
        doc["ros1"] = hex(&(ros1.from_cdr)(&cdr).unwrap()).into();
    }
    // The field values as text: numbers would lose a bit in `Value`.
    format!("{{\"json\":{fields},{}\n", &doc.to_string()[1..])
}

/// Whether two JSON values agree. A `float32` halfway between two of its shortest
/// decimals is written as either by the two languages; both read as the same number,
/// and the bytes are compared besides.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (Value::Number(x), Value::Number(y)) if a.is_f64() || b.is_f64() => {
            let as_f32 = |n: &serde_json::Number| n.as_f64().map(|v| v as f32);
            x == y || (as_f32(x) == as_f32(y) && as_f32(x).is_some_and(f32::is_finite))
        }
        _ => a == b,
    }
}

fn check_theirs(doc: &Value) {
    let type_name = doc["type"].as_str().unwrap();
    let entry = find(type_name).unwrap();
    let little = unhex(&doc["little"]);
    let ours: Value = serde_json::from_str(&(entry.cdr_to_json)(&little).unwrap()).unwrap();
    assert!(
        same(&ours, &doc["json"]),
        "{type_name}: the fields\n  left: {ours}\n right: {}",
        doc["json"]
    );
    assert_eq!(
        (entry.cdr_to_cdr)(&little).unwrap(),
        little,
        "{type_name}: the bytes"
    );
    assert_eq!(
        (entry.cdr_to_cdr)(&unhex(&doc["big"])).unwrap(),
        little,
        "{type_name}: big endian"
    );
    if let Some(ros1) = entry.ros1 {
        let packed = unhex(&doc["ros1"]);
        assert_eq!(
            (ros1.to_cdr)(&packed).unwrap(),
            little,
            "{type_name}: ROS 1"
        );
        assert_eq!(
            (ros1.from_cdr)(&little).unwrap(),
            packed,
            "{type_name}: to ROS 1"
        );
    }
}

#[test]
fn rosbags_reads_what_we_write_and_we_what_it_writes() {
    let python = peer_python();
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        folder.path().join("ours.jsonl"),
        folder.path().join("theirs.jsonl"),
    );
    let lines: String = ENTRIES
        .iter()
        .flat_map(|entry| (0..MESSAGES).map(move |seed| document(entry, seed)))
        .collect();
    std::fs::write(&ours, lines).unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/rosbags_messages.py");
    let output = Command::new(python)
        .arg(script)
        .args([&ours, &theirs])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    eprintln!("rosbags: {report}");
    assert_eq!(report["types"], ENTRIES.len());
    assert_eq!(
        report["ros1_types"],
        ENTRIES.iter().filter(|entry| entry.ros1.is_some()).count()
    );

    let theirs = std::fs::read_to_string(&theirs).unwrap();
    let mut read = 0;
    for line in theirs.lines() {
        check_theirs(&serde_json::from_str(line).unwrap());
        read += 1;
    }
    assert!(
        read >= 8 * ENTRIES.len(),
        "the peer wrote only {read} messages"
    );
}
