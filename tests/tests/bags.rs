//! Recordings of every form held against PyPI `rosbags` and `mcap`: we read all they
//! write, and they read all we write, message for message, with QoS and definitions.

use std::path::{Path, PathBuf};

use saccade_rosbags::{
    BagReader, Compression, ConvertOptions, ConvertReport, QosProfile, RawMessage, Serialization,
    Storage, WriteOptions, convert,
};
use saccade_tests::peer;
use serde_json::{Value, json};

/// The lines a peer prints.
fn lines(told: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap();
    told.lines().map(parse).collect()
}

fn path_of(line: &Value) -> PathBuf {
    PathBuf::from(line["path"].as_str().unwrap())
}

fn hex(data: &[u8]) -> String {
    format!("{:x}", md5::compute(data))
}

/// Per topic what we find, as the peer prints it, but for the values.
fn topics(path: &Path) -> Value {
    let mut bag = BagReader::open(path).unwrap_or_else(|e| panic!("{e}"));
    let connections = bag.connections().unwrap();
    let messages: Vec<RawMessage> = bag.map(|m| m.unwrap_or_else(|e| panic!("{e}"))).collect();
    let topic = |c: &saccade_rosbags::Connection| {
        assert!(!c.definition.is_empty(), "{}", path.display());
        let profiles = QosProfile::parse_list(&c.qos).unwrap();
        let qos: Vec<_> = (profiles.iter())
            .map(|q| json!([q.history, q.depth, q.reliability, q.durability]))
            .collect();
        let own = messages.iter().filter(|m| m.connection.topic == c.topic);
        let bytes: Vec<u8> = own.clone().flat_map(|m| m.data.clone()).collect();
        let about = json!({
            "type": c.type_name, "messages": own.count(), "bytes": hex(&bytes), "qos": qos,
        });
        (c.topic.clone(), about)
    };
    let all = connections.iter().map(|c| topic(c));
    Value::Object(all.collect())
}

/// The peer's account without what it alone can tell.
fn without(line: &Value, keys: &[&str]) -> Value {
    let mut all = line["topics"].clone();
    for (_, topic) in all.as_object_mut().unwrap() {
        for key in keys {
            topic.as_object_mut().unwrap().remove(*key);
        }
    }
    all
}

#[test]
fn we_read_every_form_that_rosbags_writes() {
    let folder = tempfile::tempdir().unwrap();
    let told = peer("rosbags_convert.py", &[Path::new("write"), folder.path()]);
    let told = lines(&told);
    assert_eq!(told.len(), 15);
    for line in &told {
        let path = path_of(line);
        let mut expected = without(line, &["values"]);
        if path.extension().is_some() {
            // Of QoS, ROS 1 tells what latches only.
            for (topic, about) in expected.as_object_mut().unwrap() {
                let latched = topic == "/map_frame";
                about["qos"] = if latched {
                    json!([[1, 1, 1, 1]])
                } else {
                    json!([])
                };
            }
        }
        assert_eq!(topics(&path), expected, "{}", path.display());
    }
}

/// Every form that we write and the peer reads.
fn forms() -> Vec<(&'static str, WriteOptions)> {
    let of = |storage, compression| WriteOptions {
        storage,
        compression,
        ..WriteOptions::default()
    };
    let split = |options| WriteOptions {
        split_bytes: Some(9_000),
        ..options
    };
    let (mcap, sqlite) = (Storage::Mcap, Storage::Sqlite);
    vec![
        ("zstd.mcap", of(mcap, None)),
        ("lz4.mcap", of(mcap, Some(Compression::Lz4))),
        ("none.mcap", of(mcap, Some(Compression::None))),
        ("a.db3", of(sqlite, None)),
        ("mcap", of(mcap, None)),
        ("mcap_file", of(mcap, Some(Compression::File))),
        ("mcap_split", split(of(mcap, Some(Compression::Lz4)))),
        ("sqlite", of(sqlite, None)),
        ("sqlite_file", split(of(sqlite, Some(Compression::File)))),
        ("sqlite_message", of(sqlite, Some(Compression::Message))),
        ("sqlite_split", split(of(sqlite, None))),
        ("lz4.bag", of(mcap, None)),
        ("bz2.bag", of(mcap, Some(Compression::Bz2))),
        ("none.bag", of(mcap, Some(Compression::None))),
    ]
}

fn to(input: &Path, output: &Path, write: WriteOptions) -> ConvertReport {
    let options = ConvertOptions {
        write,
        ..ConvertOptions::default()
    };
    convert(input, output, &options, &mut |_| ()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn rosbags_reads_every_form_that_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let told = peer("rosbags_convert.py", &[Path::new("write"), folder.path()]);
    let told = lines(&told);
    let mut ours = Vec::new();
    for source in ["lz4.bag", "sqlite3_9_message", "mcap_8_none"] {
        let line = told
            .iter()
            .find(|line| path_of(line).ends_with(source))
            .unwrap();
        for (name, options) in forms() {
            let output = folder.path().join(format!("ours_{source}")).join(name);
            std::fs::create_dir_all(output.parent().unwrap()).unwrap();
            let report = to(&path_of(line), &output, options);
            assert_eq!((report.messages, report.lost), (120, 0), "{source} {name}");
            assert_eq!(report.not_held.header_seq, 0, "{source} {name}");
            ours.push((output, line));
        }
    }
    let read = Path::new("read");
    let paths: Vec<&Path> = [read]
        .into_iter()
        .chain(ours.iter().map(|(p, _)| p.as_path()))
        .collect();
    let found = lines(&peer("rosbags_convert.py", &paths));
    assert_eq!(found.len(), ours.len());
    for (line, (output, source)) in found.iter().zip(&ours) {
        let ros1 = |path: &Path| path.extension().is_some_and(|e| e == "bag");
        let same_kind = ros1(output) == ros1(&path_of(source));
        let through_ros1 = ros1(output) || ros1(&path_of(source));
        let mut skip = Vec::new();
        if !same_kind {
            skip.push("bytes");
        }
        if through_ros1 {
            skip.push("qos");
            assert_eq!(line["topics"]["/map_frame"]["qos"], json!([[1, 1, 1, 1]]));
        }
        assert_eq!(
            without(line, &skip),
            without(source, &skip),
            "{}",
            output.display()
        );
    }
}

/// What we find in an MCAP file, as the peer prints it.
fn mcap_line(path: &Path) -> Value {
    let mut bag = BagReader::open(path).unwrap_or_else(|e| panic!("{e}"));
    let connections = bag.connections().unwrap();
    let topics: serde_json::Map<String, Value> = (connections.iter())
        .map(|c| {
            let definition = hex(c.definition.as_bytes());
            let about = json!([c.type_name, c.definition_encoding, definition, c.qos]);
            (c.topic.clone(), about)
        })
        .collect();
    let message = |m: RawMessage| {
        json!([
            m.topic(),
            m.sequence,
            m.stamp_ns,
            m.publish_ns,
            hex(&m.data)
        ])
    };
    let messages: Vec<Value> = bag
        .map(|m| message(m.unwrap_or_else(|e| panic!("{e}"))))
        .collect();
    json!({"path": path, "messages": messages, "topics": topics})
}

#[test]
fn mcap_keeps_sequence_numbers_and_publish_times_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let told = lines(&peer("mcap_files.py", &[Path::new("write"), folder.path()]));
    assert_eq!(told.len(), 4);
    let mut ours = Vec::new();
    for line in &told {
        let path = path_of(line);
        assert_eq!(mcap_line(&path), *line);
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
            let name = path.file_stem().unwrap().to_string_lossy();
            let output = folder.path().join(format!("{name}_{compression:?}.mcap"));
            let options = WriteOptions {
                compression: Some(compression),
                ..WriteOptions::default()
            };
            let report = to(&path, &output, options);
            assert_eq!((report.messages, report.left_out), (300, 0));
            // An attachment and a metadata record, which are no messages.
            assert_eq!(report.not_held.attachments, 2);
            ours.push((output, line));
        }
    }
    let read = Path::new("read");
    let paths: Vec<&Path> = [read]
        .into_iter()
        .chain(ours.iter().map(|(p, _)| p.as_path()))
        .collect();
    let found = lines(&peer("mcap_files.py", &paths));
    assert_eq!(found.len(), ours.len());
    for (line, (_, source)) in found.iter().zip(&ours) {
        assert_eq!(line["messages"], source["messages"]);
        assert_eq!(line["topics"], source["topics"]);
    }
}

#[test]
fn ros1_messages_stay_what_they_are_where_that_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let told = lines(&peer(
        "rosbags_convert.py",
        &[Path::new("write"), folder.path()],
    ));
    let source = told
        .iter()
        .find(|line| path_of(line).ends_with("none.bag"))
        .unwrap();
    let kept = folder.path().join("kept.mcap");
    let ros1 = WriteOptions {
        messages: Serialization::Ros1,
        ..WriteOptions::default()
    };
    assert_eq!(to(&path_of(source), &kept, ros1).transcoded, 0);
    assert_eq!(
        without(&json!({"topics": topics(&kept)}), &["qos"]),
        without(source, &["values", "qos"])
    );
}
