//! Recordings that were killed, cut off or damaged: everything readable is saved,
//! and what is lost is counted.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_rosbags::{
    BagReader, BagRecorder, BagWriter, Compression, Connection, RawMessage, RecorderOptions,
    RecoverReport, Ros1Writer, Storage, WriteOptions, recover,
};

fn packet(seq: u64) -> EventPacket {
    EventPacket {
        seq,
        events: (0..2000u64).map(|i| ((i * seq) >> 3) as u8).collect(),
        ..EventPacket::default()
    }
}

fn message(seq: u64, ros1: bool) -> RawMessage {
    let (connection, data) = match ros1 {
        true => (
            Connection::ros1::<EventPacket>("/events"),
            saccade_msgs::to_ros1(&packet(seq)),
        ),
        false => (
            Connection::cdr::<EventPacket>("/events"),
            saccade_msgs::to_cdr(&packet(seq)),
        ),
    };
    RawMessage {
        connection: connection.into(),
        stamp_ns: seq as i64,
        publish_ns: seq as i64,
        sequence: seq as u32,
        data,
    }
}

/// Saves `input` and checks that every message of the result is one that was
/// written, in order; returns how many there are.
fn save(input: &Path, output: &Path) -> (RecoverReport, Vec<u64>) {
    let report = recover(input, output, &WriteOptions::default(), &mut |_| ());
    let report = report.unwrap_or_else(|e| panic!("{e}"));
    let mut found = Vec::new();
    for message in BagReader::open(output).unwrap_or_else(|e| panic!("{e}")) {
        let message = message.unwrap_or_else(|e| panic!("{e}"));
        let decoded: EventPacket = message.decode(output).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(decoded, packet(decoded.seq));
        assert_eq!(message.stamp_ns, decoded.seq as i64);
        found.push(decoded.seq);
    }
    assert!(found.is_sorted());
    assert_eq!(found.len() as u64, report.written.messages);
    (report, found)
}

const PLACE: &str = "SACCADE_TEST_RECORDING";

/// Not a test of its own: the process that records until it is killed. It prints a
/// number when that many messages must be readable.
#[test]
fn recorder_to_be_killed() {
    let Some(path) = std::env::var_os(PLACE).map(PathBuf::from) else {
        return;
    };
    let flush_every = Duration::from_millis(50);
    let ros1 = path.extension().is_some_and(|e| e == "bag");
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let write = WriteOptions {
        storage: if name.contains("sqlite") {
            Storage::Sqlite
        } else {
            Storage::Mcap
        },
        compression: name.contains("file").then_some(Compression::File),
        split_bytes: (!name.contains('.')).then_some(400_000),
        ..WriteOptions::default()
    };
    let options = RecorderOptions {
        write,
        flush_every,
        ..RecorderOptions::default()
    };
    let mut recorder = BagRecorder::create(&path, &options).expect("creates");
    let start = Instant::now();
    let mut handed_over: Vec<(Instant, u64)> = Vec::new();
    for seq in 0.. {
        assert!(
            recorder.push(message(seq, ros1)).expect("writes"),
            "the queue is full"
        );
        handed_over.push((Instant::now(), seq + 1));
        std::thread::sleep(Duration::from_micros(500));
        // Twenty times the interval: the machine may be busy.
        let old = handed_over
            .iter()
            .rev()
            .find(|(at, _)| at.elapsed() > 20 * flush_every);
        if let Some((_, count)) = old {
            println!("readable: {count}");
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nobody killed this process"
        );
    }
}

#[test]
fn what_was_flushed_survives_kill_9() {
    use std::io::BufRead;
    let dir = tempfile::tempdir().expect("a directory");
    for name in [
        "a.mcap",
        "a.db3",
        "a.bag",
        "dir_mcap",
        "dir_sqlite",
        "dir_sqlite_file",
    ] {
        let path = dir.path().join(name);
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "recorder_to_be_killed", "--nocapture"])
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = std::io::BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut promised = 0;
        for line in lines {
            let line = line.expect("text");
            if let Some((_, count)) = line.split_once("readable: ") {
                promised = count.parse().expect("a number");
                if promised > 600 {
                    break;
                }
            }
        }
        // SIGKILL.
        child.kill().expect("kills");
        child.wait().expect("ends");
        assert!(promised > 600, "{name}");
        let left = match name {
            "a.bag" => dir.path().join("a.bag.active"),
            _ => path.clone(),
        };
        let (report, found) = save(&left, &dir.path().join(format!("saved_{name}.mcap")));
        let expected: Vec<u64> = (0..found.len() as u64).collect();
        assert_eq!(found, expected, "{name}");
        assert!(
            found.len() as u64 >= promised,
            "{name}: {} of {promised}",
            found.len()
        );
        assert_eq!(report.damage.messages, 0, "{name}: {report:?}");
        if name != "a.db3" {
            assert!(report.damage.unfinished, "{name}");
        }
        println!("{name}: {promised} promised, {} found", found.len());
    }
}

/// Killed while it packs a file, a recorder leaves the file and a part of the packed one.
#[test]
fn a_file_that_was_being_packed_counts_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bag");
    let options = WriteOptions {
        storage: Storage::Sqlite,
        compression: Some(Compression::File),
        ..WriteOptions::default()
    };
    let mut writer = BagWriter::create_with(&path, &options).expect("creates");
    for seq in 0..50 {
        writer.write_raw(&message(seq, false)).expect("writes");
    }
    writer.finish().expect("finishes");
    std::fs::remove_file(path.join("metadata.yaml")).expect("it was there");
    let packed = path.join("bag_0.db3.zstd");
    let bytes = std::fs::read(&packed).expect("reads");
    let plain = zstd::decode_all(bytes.as_slice()).expect("unpacks");
    std::fs::write(path.join("bag_0.db3"), plain).expect("writes");
    std::fs::write(&packed, &bytes[..bytes.len() / 2]).expect("writes");
    let (report, found) = save(&path, &dir.path().join("saved.mcap"));
    assert_eq!(found, (0..50).collect::<Vec<u64>>(), "{report:?}");
    assert_eq!(report.damage.messages, 0);
}

#[test]
fn a_full_queue_drops_and_counts() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.mcap");
    let options = RecorderOptions {
        queue_messages: 4,
        ..RecorderOptions::default()
    };
    let mut recorder = BagRecorder::create(&path, &options).expect("creates");
    let mut taken = 0;
    for seq in 0..5000 {
        taken += u64::from(recorder.push(message(seq, false)).expect("writes"));
    }
    let dropped = recorder.dropped();
    let report = recorder.finish().expect("finishes");
    assert_eq!((report.written, report.dropped), (taken, dropped));
    assert_eq!(taken + dropped, 5000);
    assert_eq!(BagReader::open(&path).expect("opens").count() as u64, taken);
    let limit = RecorderOptions {
        queue_bytes: 1,
        ..RecorderOptions::default()
    };
    let path = dir.path().join("b.mcap");
    let mut recorder = BagRecorder::create(&path, &limit).expect("creates");
    assert!(
        recorder.push(message(0, false)).expect("writes"),
        "an empty queue takes anything"
    );
    drop(recorder);
    assert_eq!(BagReader::open(&path).expect("was completed").count(), 1);
}

#[test]
fn a_recorder_that_cannot_write_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = RecorderOptions::default();
    assert!(BagRecorder::create(&dir.path().join("none/a.mcap"), &options).is_err());
    let mut recorder = BagRecorder::create(&dir.path().join("a.bag"), &options).expect("creates");
    // CDR in a ROS 1 bag.
    let mut error = recorder.push(message(0, false)).err();
    while error.is_none() {
        std::thread::sleep(Duration::from_millis(1));
        error = recorder.push(message(0, false)).err();
    }
    assert!(
        error
            .expect("an error")
            .to_string()
            .contains("serialised as cdr")
    );
}

/// A recording of `n` messages in several chunks.
fn write(path: &Path, options: &WriteOptions, n: u64) {
    let mut bag = BagWriter::create_with(path, options).expect("creates");
    let ros1 = path.extension().is_some_and(|e| e == "bag");
    for seq in 0..n {
        bag.write_raw(&message(seq, ros1)).expect("writes");
        if seq % 50 == 49 && (ros1 || path.is_file()) {
            bag.flush().expect("flushes");
        }
    }
    bag.finish().expect("finishes");
}

fn forms() -> Vec<(&'static str, WriteOptions)> {
    let of = |compression| WriteOptions {
        compression: Some(compression),
        ..WriteOptions::default()
    };
    vec![
        ("none.bag", of(Compression::None)),
        ("lz4.bag", of(Compression::Lz4)),
        ("bz2.bag", of(Compression::Bz2)),
        ("none.mcap", of(Compression::None)),
        ("lz4.mcap", of(Compression::Lz4)),
        ("zstd.mcap", of(Compression::Zstd)),
        ("a.db3", of(Compression::None)),
        ("a.mcap.zstd", WriteOptions::default()),
    ]
}

#[test]
fn whole_recordings_lose_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, options) in forms() {
        let path = dir.path().join(name);
        write(&path, &options, 300);
        let (report, found) = save(&path, &dir.path().join(format!("{name}.mcap")));
        assert_eq!(found.len(), 300, "{name}");
        assert_eq!(report.damage, Default::default(), "{name}");
    }
}

#[test]
fn cut_anywhere_the_chunks_before_are_saved() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, options) in forms() {
        let path = dir.path().join(name);
        write(&path, &options, 300);
        let whole = std::fs::read(&path).expect("reads");
        let mut most = 0;
        for percent in [97, 90, 71, 50, 33, 10, 3] {
            std::fs::write(&path, &whole[..whole.len() * percent / 100]).expect("cuts");
            let output = dir.path().join("saved.mcap");
            match recover(&path, &output, &WriteOptions::default(), &mut |_| ()) {
                // Of a database the first pages must be there, of a packed file a block.
                Err(error) => assert!(percent <= 10, "{name} {percent} %: {error}"),
                Ok(_) => {
                    std::fs::remove_file(&output).expect("removes");
                    let (report, found) = save(&path, &output);
                    assert!(!report.damage.places.is_empty() || report.damage.unfinished);
                    let expected: Vec<u64> = (0..found.len() as u64).collect();
                    assert_eq!(found, expected, "{name} {percent} %");
                    // Chunks are of 50; a packed file is lost from the last block on.
                    let least = (300 * percent / 100).saturating_sub(75);
                    let fair = name.ends_with(".zstd") || found.len() >= least;
                    assert!(fair, "{name} {percent} %: {} found", found.len());
                    most = most.max(found.len());
                    std::fs::remove_file(&output).expect("removes");
                }
            }
        }
        assert!(most > 150, "{name}: {most}");
    }
}

#[test]
fn damage_in_the_middle_costs_a_chunk_or_less() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, options) in forms()
        .into_iter()
        .filter(|(name, _)| !name.ends_with(".zstd"))
    {
        let path = dir.path().join(name);
        write(&path, &options, 300);
        let size = std::fs::metadata(&path).expect("is there").len();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("opens");
        file.write_all_at(&[0x55; 64], size / 2).expect("writes");
        let output = dir.path().join("saved.mcap");
        let report = recover(&path, &output, &WriteOptions::default(), &mut |_| ());
        let report = report.unwrap_or_else(|e| panic!("{name}: {e}"));
        let saved = report.written.messages;
        assert!(
            (240..=300).contains(&saved),
            "{name}: {saved} of 300: {report:?}"
        );
        // Without a checksum nothing tells of damage within a message.
        if name != "a.db3" && name != "none.bag" {
            assert_eq!(saved + report.damage.messages, 300, "{name}: {report:?}");
            let silent = report.damage.places.is_empty();
            assert!(!silent || saved == 300, "{name}: {report:?}");
        }
        std::fs::remove_file(&output).expect("removes");
    }
}

#[test]
fn an_open_chunk_of_rosbag_record_is_read() {
    // `rosbag record` writes a chunk's lengths when it is complete: 0 until then.
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.bag");
    let mut bag =
        Ros1Writer::create(&path, saccade_rosbags::Ros1Compression::None).expect("creates");
    let first = message(0, true);
    bag.write_raw(&first.connection, 0, &first.data)
        .expect("writes");
    bag.flush().expect("flushes");
    for seq in 1..5 {
        let message = message(seq, true);
        bag.write_raw(&message.connection, seq as i64, &message.data)
            .expect("writes");
    }
    bag.flush().expect("flushes");
    drop(bag);
    let active = dir.path().join("a.bag.active");
    let mut bytes = std::fs::read(&active).expect("reads");
    let mark = b"size=";
    let at = (0..bytes.len())
        .rfind(|at| bytes[*at..].starts_with(mark))
        .expect("a chunk");
    bytes[at + 5..at + 13].fill(0);
    std::fs::write(&active, &bytes[..bytes.len() - 1000]).expect("writes");
    let (report, found) = save(&active, &dir.path().join("saved.bag"));
    assert!(report.damage.unfinished);
    // The last one was cut in half.
    assert_eq!(found, [0, 1, 2, 3]);
    assert!(!report.damage.places.is_empty());
}

#[test]
fn a_directory_without_metadata_or_with_a_missing_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bag");
    let options = WriteOptions {
        split_bytes: Some(100_000),
        ..WriteOptions::default()
    };
    write(&path, &options, 300);
    std::fs::remove_file(path.join("bag_2.mcap")).expect("removes");
    let (report, found) = save(&path, &dir.path().join("saved.mcap"));
    assert_eq!(found.len() as u64 + report.damage.messages, 300);
    assert!(report.damage.places[0].contains("bag_2.mcap"), "{report:?}");
    std::fs::remove_file(path.join("metadata.yaml")).expect("removes");
    let (report, again) = save(&path, &dir.path().join("again.mcap"));
    assert_eq!(again, found);
    assert!(report.damage.unfinished && report.damage.messages == 0);
}

#[test]
fn nothing_to_save_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.bag");
    let output = dir.path().join("b.mcap");
    for content in [
        "",
        "#ROSBAG V1.2\n",
        "SQLite format 3\0 and no more",
        "hello",
    ] {
        std::fs::write(&path, content).expect("writes");
        let error = recover(&path, &output, &WriteOptions::default(), &mut |_| ());
        assert!(error.is_err(), "{content}");
        assert!(!output.exists());
    }
}

/// Any byte changed: messages or an error, never a panic.
#[test]
fn no_damage_makes_it_panic() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, options) in forms() {
        let path = dir.path().join(name);
        let mut bag = BagWriter::create_with(&path, &options).expect("creates");
        let ros1 = name.ends_with(".bag");
        for seq in 0..3 {
            bag.write_raw(&message(seq, ros1)).expect("writes");
        }
        bag.finish().expect("finishes");
        let whole = std::fs::read(&path).expect("reads");
        let output = dir.path().join("saved.mcap");
        let step = (whole.len() / 60).max(1);
        for at in (0..whole.len()).step_by(step) {
            for value in [0x00, 0xFF, whole[at] ^ 1] {
                let mut changed = whole.clone();
                changed[at] = value;
                std::fs::write(&path, changed).expect("writes");
                let _ = recover(&path, &output, &WriteOptions::default(), &mut |_| ());
                let _ = std::fs::remove_file(&output);
            }
        }
    }
}
