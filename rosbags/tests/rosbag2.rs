//! rosbag2 SQLite and directories: every form we write is read back message for
//! message, with topics, QoS and definitions.

use std::path::Path;

use saccade_msgs::saccade_msgs::{Label, SaccadePhase};
use saccade_rosbags::{
    BagReader, BagWriter, Compression, Connection, Metadata, RawMessage, SENSOR_DATA_QOS,
    SqliteReader, Storage, WriteOptions,
};

/// Messages of two topics, in an order of time that is not that of recording; a third
/// topic has none.
fn messages(n: i64) -> (Vec<Connection>, Vec<RawMessage>) {
    let label = Connection {
        md5: "RIHS01_01".into(),
        ..Connection::cdr::<Label>("/label")
    };
    let phase = Connection {
        qos: SENSOR_DATA_QOS.into(),
        ..Connection::cdr::<SaccadePhase>("/saccade")
    };
    let silent = Connection {
        topic: "/silent".into(),
        ..label.clone()
    };
    let connections = vec![label, phase, silent];
    let messages = (0..n).map(|i| {
        let connection = &connections[i as usize % 2];
        let data = match i % 2 {
            0 => saccade_msgs::to_cdr(&Label {
                class_id: i as i32,
                ..Label::default()
            }),
            _ => saccade_msgs::to_cdr(&SaccadePhase {
                id: i as u32,
                ..SaccadePhase::default()
            }),
        };
        RawMessage {
            connection: connection.clone().into(),
            stamp_ns: 1_000_000_000 + (i ^ 1) * 1_000_000,
            publish_ns: 1_000_000_000 + (i ^ 1) * 1_000_000,
            sequence: i as u32 / 2,
            data,
        }
    });
    let messages = messages.collect();
    (connections, messages)
}

fn write(path: &Path, options: &WriteOptions, n: i64) -> Vec<RawMessage> {
    let (connections, messages) = messages(n);
    let mut bag = BagWriter::create_with(path, options).unwrap_or_else(|e| panic!("{e}"));
    for connection in &connections {
        bag.add_connection(connection).expect("adds");
    }
    for message in &messages {
        bag.write_raw(message).expect("writes");
    }
    bag.finish().unwrap_or_else(|e| panic!("{e}"));
    messages
}

fn check(path: &Path, written: &[RawMessage]) {
    let mut bag = BagReader::open(path).unwrap_or_else(|e| panic!("{e}"));
    let connections = bag.connections().unwrap_or_else(|e| panic!("{e}"));
    let found: Vec<Connection> = connections.iter().map(|c| (**c).clone()).collect();
    assert_eq!(found, messages(0).0, "{}", path.display());
    let read: Vec<RawMessage> = bag.map(|m| m.unwrap_or_else(|e| panic!("{e}"))).collect();
    assert_eq!(read.len(), written.len(), "{}", path.display());
    assert_eq!(read, written, "{}", path.display());
    let sorted = BagReader::open_in_time_order(path).unwrap_or_else(|e| panic!("{e}"));
    let sorted: Vec<RawMessage> = sorted
        .map(|m| m.unwrap_or_else(|e| panic!("{e}")))
        .collect();
    let mut expected = written.to_vec();
    expected.sort_by_key(|m| m.stamp_ns);
    assert_eq!(sorted, expected, "{}", path.display());
}

#[test]
fn every_form_is_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let forms = [
        ("a.db3", None, Storage::Mcap, "none"),
        ("b.db3.zstd", None, Storage::Mcap, "file (zstd)"),
        ("a.mcap", None, Storage::Mcap, "zstd"),
        ("b.mcap", Some(Compression::Lz4), Storage::Mcap, "lz4"),
        ("c.mcap", Some(Compression::None), Storage::Mcap, "none"),
        ("d.mcap.zstd", None, Storage::Mcap, "file (zstd)"),
        ("sqlite", None, Storage::Sqlite, "none"),
        (
            "sqlite_file",
            Some(Compression::File),
            Storage::Sqlite,
            "file (zstd)",
        ),
        (
            "sqlite_message",
            Some(Compression::Message),
            Storage::Sqlite,
            "message (zstd)",
        ),
        ("mcap", None, Storage::Mcap, "zstd"),
        (
            "mcap_file",
            Some(Compression::File),
            Storage::Mcap,
            "file (zstd)",
        ),
    ];
    for (name, compression, storage, told) in forms {
        let path = dir.path().join(name);
        let options = WriteOptions {
            compression,
            storage,
            ros_distro: "jazzy".into(),
            ..WriteOptions::default()
        };
        let written = write(&path, &options, 600);
        check(&path, &written);
        let mut bag = BagReader::open(&path).expect("opens");
        assert_eq!(bag.by_ref().count(), 600);
        assert_eq!(bag.compression(), told, "{name}");
    }
    // What was packed or noted leaves nothing behind.
    let left = std::fs::read_dir(dir.path()).expect("lists");
    assert_eq!(left.count(), forms.len());
}

#[test]
fn directories_are_split_and_described() {
    let dir = tempfile::tempdir().expect("a directory");
    for storage in [Storage::Sqlite, Storage::Mcap] {
        for compression in [None, Some(Compression::File)] {
            let by_size = WriteOptions {
                storage,
                compression,
                split_bytes: Some(5_000),
                custom_data: vec![("who".into(), "a: \"test\"".into())],
                ..WriteOptions::default()
            };
            let path = dir.path().join(format!("size_{storage:?}_{compression:?}"));
            let written = write(&path, &by_size, 1000);
            check_split(&path, &written, |figures| figures > 8);
            let by_time = WriteOptions {
                split_bytes: None,
                split_ns: Some(99_000_000),
                ..by_size
            };
            let path = dir.path().join(format!("time_{storage:?}_{compression:?}"));
            let written = write(&path, &by_time, 1000);
            check_split(&path, &written, |files| files == 10);
        }
    }
}

fn check_split(path: &Path, written: &[RawMessage], files: impl Fn(usize) -> bool) {
    check(path, written);
    let bag = BagReader::open(path).expect("opens");
    let metadata = bag.metadata().expect("metadata.yaml");
    assert!(files(metadata.files.len()), "{metadata:?}");
    assert_eq!(metadata.messages, 1000);
    assert_eq!(metadata.start_ns, 1_000_000_000);
    assert_eq!(metadata.duration_ns, 999_000_000);
    assert_eq!(metadata.files.iter().map(|f| f.messages).sum::<u64>(), 1000);
    let counts: Vec<u64> = metadata.topics.iter().map(|(_, n)| *n).collect();
    assert_eq!(counts, [500, 500, 0]);
    assert_eq!(metadata.custom_data, [("who".into(), "a: \"test\"".into())]);
    // Without metadata the files are found by themselves, 10 after 9.
    std::fs::remove_file(path.join("metadata.yaml")).expect("removes");
    check(path, written);
}

#[test]
fn sqlite_has_the_tables_and_the_metadata_of_rosbag2() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.db3");
    write(&path, &WriteOptions::default(), 10);
    let metadata: Metadata =
        (SqliteReader::open(&path).expect("opens").metadata()).expect("it is there");
    assert_eq!(
        (metadata.messages, metadata.storage.as_str()),
        (10, "sqlite3")
    );
    assert_eq!(metadata.paths, ["a.db3"]);
    let database = rusqlite::Connection::open(&path).expect("opens");
    let tables =
        "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master ORDER BY name)";
    let tables: String = database
        .query_row(tables, [], |row| row.get(0))
        .expect("lists");
    assert_eq!(
        tables,
        "message_definitions messages metadata schema timestamp_idx topics"
    );
    let version = "SELECT schema_version FROM schema";
    assert_eq!(database.query_row(version, [], |row| row.get(0)), Ok(4));
    // One definition for two topics of a type.
    let definitions = "SELECT count(*) FROM message_definitions";
    assert_eq!(database.query_row(definitions, [], |row| row.get(0)), Ok(2));
}

#[test]
fn old_tables_without_qos_and_definitions() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("old.db3");
    let database = rusqlite::Connection::open(&path).expect("creates");
    database
        .execute_batch(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, \
             serialization_format TEXT NOT NULL); \
             CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, \
             timestamp INTEGER NOT NULL, data BLOB NOT NULL); \
             INSERT INTO topics VALUES (1, '/a', 'std_msgs/msg/Empty', 'cdr'); \
             INSERT INTO messages VALUES (1, 1, 7, x'0001000000');",
        )
        .expect("writes");
    drop(database);
    let mut bag = BagReader::open(&path).unwrap_or_else(|e| panic!("{e}"));
    let message = bag.next_message().expect("reads").expect("one");
    assert_eq!((message.stamp_ns, message.connection.qos.as_str()), (7, ""));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let split = WriteOptions {
        split_bytes: Some(1),
        ..WriteOptions::default()
    };
    let of = |compression| WriteOptions {
        compression: Some(compression),
        ..WriteOptions::default()
    };
    for (name, options, part) in [
        ("a.mcap", split, "one file"),
        ("a.db3", of(Compression::Zstd), "compression Zstd"),
        ("a.db3", of(Compression::Message), "compression Message"),
        ("a", of(Compression::Message), "compression Message"),
        ("a.bag", of(Compression::Zstd), "compression Zstd"),
        ("a.mcap", of(Compression::Bz2), "compression Bz2"),
        ("a.mcap", of(Compression::File), "compression File"),
        ("a.txt", WriteOptions::default(), "a bag of this name"),
    ] {
        let made = BagWriter::create_with(&dir.path().join(name), &options);
        let error = made
            .err()
            .unwrap_or_else(|| panic!("{name}: {part}"))
            .to_string();
        assert!(error.contains(part), "{error}");
    }
    let full = dir.path().join("full");
    std::fs::create_dir(&full).expect("creates");
    std::fs::write(full.join("x"), "x").expect("writes");
    let error = BagWriter::create(&full)
        .err()
        .expect("not empty")
        .to_string();
    assert!(error.contains("exists already"), "{error}");
}

#[test]
fn damaged_directories_say_where() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bag");
    let options = WriteOptions {
        storage: Storage::Sqlite,
        split_bytes: Some(2_000),
        ..WriteOptions::default()
    };
    write(&path, &options, 100);
    let metadata = path.join("metadata.yaml");
    let text = std::fs::read_to_string(&metadata).expect("reads");
    let fails = |part: &str| {
        let error = match BagReader::open(&path) {
            Err(error) => error,
            Ok(bag) => {
                (bag.filter_map(Result::err).next()).unwrap_or_else(|| panic!("no error: {part}"))
            }
        };
        assert!(error.to_string().contains(part), "{error}");
    };
    std::fs::write(
        &metadata,
        text.replace("message_count: 100", "message_count: 101"),
    )
    .expect("writes");
    fails("it says 101 messages, the files hold 100");
    std::fs::write(&metadata, "nonsense: [").expect("writes");
    fails("metadata.yaml");
    std::fs::write(&metadata, &text).expect("writes");
    std::fs::remove_file(path.join("bag_1.db3")).expect("removes");
    fails("bag_1.db3");
    // Any byte of the metadata changed: an error or messages, never a panic.
    for at in (0..text.len()).step_by(7) {
        for value in [b'\n', b':', b'-', b'9', 0xFF] {
            let mut changed = text.clone().into_bytes();
            changed[at] = value;
            std::fs::write(&metadata, changed).expect("writes");
            let _ = BagReader::open(&path).map(|bag| bag.take(3).count());
        }
    }
}

#[test]
fn damaged_sqlite_and_packed_files_do_not_panic() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["a.db3", "a.db3.zstd", "a.mcap.zstd"] {
        let path = dir.path().join(name);
        write(&path, &WriteOptions::default(), 20);
        let whole = std::fs::read(&path).expect("reads");
        let step = (whole.len() / 400).max(1);
        for at in (0..whole.len()).step_by(step) {
            let mut changed = whole.clone();
            changed[at] ^= 0xFF;
            std::fs::write(&path, &changed).expect("writes");
            let _ = BagReader::open(&path).map(Iterator::count);
            std::fs::write(&path, &whole[..at]).expect("writes");
            let cut = BagReader::open(&path).and_then(|bag| bag.collect::<Result<Vec<_>, _>>());
            assert!(
                cut.is_err(),
                "{name} cut to {at} of {} bytes gives no error",
                whole.len()
            );
        }
    }
}
