//! Every format, written in batches and read back: the same events and triggers,
//! or what is lost is counted.

use std::path::Path;

use proptest::prelude::*;

use super::super::{EventSource, Trigger};
use super::*;

const SENSOR: Geometry = Geometry {
    width: 100,
    height: 80,
};

/// Extension, encoding, compression, and how many inputs of triggers it has.
type Kind = (&'static str, Option<Encoding>, Option<Compression>, u8);
const KINDS: &[Kind] = &[
    ("raw", Some(Encoding::Evt3), None, 16),
    ("raw", Some(Encoding::Evt2), None, 32),
    ("raw", Some(Encoding::Evt21), None, 32),
    ("raw", Some(Encoding::Evt21Legacy), None, 32),
    ("dat", None, None, 0),
    ("aedat4", None, Some(Compression::None), 2),
    ("aedat4", None, Some(Compression::Lz4), 2),
    ("aedat4", None, Some(Compression::Zstd), 2),
    ("aedat", None, None, 4),
    ("es", None, None, 0),
    ("bin", None, None, 0),
    ("csv", None, None, 0),
    ("npy", None, None, 0),
    ("npz", None, Some(Compression::None), 0),
    ("npz", None, Some(Compression::Deflate), 0),
    ("hdf5", None, Some(Compression::None), 255),
    ("h5", None, None, 255),
    ("mcap", Some(Encoding::Mono), None, 0),
    ("mcap", Some(Encoding::Evt3), None, 16),
    ("mcap", Some(Encoding::Evt2), None, 32),
    ("mcap", Some(Encoding::Evt21), None, 32),
    ("mcap", Some(Encoding::Libcaer), None, 0),
    ("mcap", Some(Encoding::LibcaerCmp), None, 0),
    ("mcap", Some(Encoding::DvsMsgs), None, 0),
    ("bag", Some(Encoding::Evt3), None, 16),
    ("bag", Some(Encoding::DvsMsgs), None, 0),
];

fn options(kind: Kind) -> WriteOptions {
    WriteOptions {
        encoding: kind.1,
        compression: kind.2,
        ..WriteOptions::of_sensor(SENSOR)
    }
}

fn write_all(path: &Path, options: &WriteOptions, batches: &[EventBatch]) -> Result<WriteCounts> {
    let mut writer = EventWriter::create(path, options)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()
}

/// All events and triggers of a file.
fn read_all(path: &Path) -> EventBatch {
    let mut source = EventSource::open(path, None).expect("opens");
    let (mut all, mut batch) = (EventBatch::default(), EventBatch::default());
    while source.next_batch(&mut batch).expect("reads") {
        all.events.append(&mut batch.events);
        all.triggers.append(&mut batch.triggers);
    }
    assert_eq!(source.counts().decode, Default::default());
    all
}

/// Names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("lists");
    let name = |e: std::io::Result<std::fs::DirEntry>| {
        let name = e.expect("lists").file_name();
        name.to_string_lossy().into_owned()
    };
    entries.map(name).collect()
}

/// Time after the last, column, row, polarity and length of a row of events; and
/// a trigger, if below 3.
type Seed = ((u64, u16, u16, bool, u16), u8);

/// Batches of events in order of time, some in rows and some with triggers.
fn batches() -> impl Strategy<Value = Vec<EventBatch>> {
    let event = (0u64..400, 0u16..100, 0u16..80, any::<bool>(), 0u16..40);
    let batch = prop::collection::vec((event, 0u8..8), 0..60);
    prop::collection::vec(batch, 0..6).prop_map(|batches| {
        let mut t_us = 3;
        let batch = |events: Vec<Seed>| {
            let mut batch = EventBatch::default();
            for ((after_us, x, y, on, row), id) in events {
                t_us += after_us;
                if id < 3 {
                    let rising = on;
                    batch.triggers.push(Trigger { t_us, id, rising });
                }
                for x in x..(x + row).min(100) {
                    batch.events.push(Event { t_us, x, y, on });
                }
            }
            batch
        };
        batches.into_iter().map(batch).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(batches in batches()) {
        let dir = tempfile::tempdir().expect("a directory");
        let all = EventBatch {
            events: batches.iter().flat_map(|b| b.events.clone()).collect(),
            triggers: batches.iter().flat_map(|b| b.triggers.clone()).collect(),
        };
        for &kind in KINDS {
            let (extension, _, _, inputs) = kind;
            let path = dir.path().join(format!("a.{extension}"));
            let counts = write_all(&path, &options(kind), &batches).expect("writes");
            let bag = matches!(extension, "mcap" | "bag");
            let found = match bag && all == EventBatch::default() {
                true => EventBatch::default(), // no message, no topic
                false => read_all(&path),
            };
            let said = |t: &&Trigger| t.id < inputs;
            let triggers: Vec<_> = all.triggers.iter().filter(said).copied().collect();
            prop_assert_eq!(&found.events, &all.events, "{:?}", kind);
            prop_assert_eq!(&found.triggers, &triggers, "{:?}", kind);
            prop_assert_eq!(counts.events, all.events.len() as u64);
            prop_assert_eq!(counts.triggers, triggers.len() as u64);
            prop_assert_eq!(counts.triggers_lost, (all.triggers.len() - triggers.len()) as u64);
            prop_assert_eq!(names(dir.path()).len(), 1, "{:?}", names(dir.path()));
            std::fs::remove_file(&path).expect("removes");
        }
    }
}

#[test]
fn times_can_count_from_zero() {
    let dir = tempfile::tempdir().expect("a directory");
    let epoch = 1_700_000_000_000_000;
    let event = |t_us| Event {
        t_us,
        x: 1,
        y: 2,
        on: true,
    };
    let batch = |events: &[u64]| EventBatch {
        events: events.iter().map(|&t| event(t)).collect(),
        triggers: Vec::new(),
    };
    let path = dir.path().join("a.dat");
    let mut options = WriteOptions::of_sensor(SENSOR);
    let error = write_all(&path, &options, &[batch(&[epoch])]).expect_err("too late");
    assert!(error.to_string().contains("2^32"), "{error}");
    assert!(names(dir.path()).is_empty(), "nothing is left");
    options.from_zero = true;
    let batches = [batch(&[]), batch(&[epoch, epoch + 7])];
    let counts = write_all(&path, &options, &batches).expect("writes");
    assert_eq!(read_all(&path).events, [event(0), event(7)]);
    assert_eq!(
        counts.checksum,
        super::super::info(&path, None).expect("reads").checksum
    );
    let batches = [batch(&[epoch]), batch(&[epoch + 3, epoch - 1])];
    let error = write_all(&path, &options, &batches).expect_err("before the first");
    assert!(error.to_string().contains("event 2 "), "{error}");
}

#[test]
fn what_cannot_be_said_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let event = |t_us, x, y| Event {
        t_us,
        x,
        y,
        on: true,
    };
    let refused = |name: &str, sensor: (u16, u16), events: &[Event]| {
        let (width, height) = sensor;
        let options = WriteOptions::of_sensor(Geometry { width, height });
        let batch = EventBatch {
            events: events.to_vec(),
            triggers: Vec::new(),
        };
        let path = dir.path().join(name);
        let error = write_all(&path, &options, &[batch]).expect_err(name);
        assert!(
            names(dir.path()).is_empty(),
            "{name}: {:?}",
            names(dir.path())
        );
        error.to_string()
    };
    let hour_us = 3_600_000_001;
    assert!(refused("a.raw", (9, 9), &[event(0, 9, 0)]).contains("outside of the sensor"));
    assert!(refused("a.raw", (5000, 9), &[event(0, 2048, 0)]).contains("2047"));
    assert!(refused("a.raw", (9, 9), &[event(1 << 39, 0, 0)]).contains("2^38"));
    assert!(refused("a.dat", (20_000, 9), &[event(0, 16_384, 0)]).contains("16383"));
    assert!(refused("a.es", (9, 9), &[event(5, 0, 0), event(4, 0, 0)]).contains("event 1 "));
    assert!(refused("a.es", (9, 9), &[event(hour_us, 0, 0)]).contains("hour"));
    assert!(refused("a.bin", (300, 300), &[event(0, 0, 240)]).contains("240"));
    assert!(refused("a.bin", (300, 300), &[event(0, 256, 0)]).contains("255"));
    assert!(refused("a.aedat4", (40_000, 9), &[event(0, 32_768, 0)]).contains("32767"));
    assert!(refused("a.mcap", (9, 9), &[event(1 << 51, 0, 0)]).contains("ROS"));
    assert!(refused("a.bag", (9, 9), &[event(1 << 51, 0, 0)]).contains("ROS"));
}

#[test]
fn options_that_a_format_has_no_place_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let fails = |name: &str, options: WriteOptions| {
        let path = dir.path().join(name);
        let error = EventWriter::create(&path, &options)
            .err()
            .expect("must fail");
        error.to_string()
    };
    let default = WriteOptions::default;
    assert!(fails("a.xyz", default()).contains(".aedat4"));
    assert!(fails("a.es", default()).contains("640x480"));
    let mono = WriteOptions {
        encoding: Some(Encoding::Mono),
        ..default()
    };
    assert!(fails("a.raw", mono).contains("mono in raw"));
    let zstd = WriteOptions {
        compression: Some(Compression::Zstd),
        ..default()
    };
    assert!(fails("a.npz", zstd).contains("deflate"));
    let topic = WriteOptions {
        topic: Some("/a".into()),
        ..default()
    };
    assert!(fails("a.csv", topic).contains("topic"));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn evt3_is_as_compact_as_the_sensor_makes_it() {
    // A row of 64 pixels at once: two bases and six vectors, time and row.
    let events: Vec<_> = (0..64)
        .map(|x| Event {
            t_us: 9,
            x,
            y: 3,
            on: true,
        })
        .collect();
    let mut out = Vec::new();
    super::super::Evt3Encoder::new()
        .encode(&events, &mut out)
        .expect("fits");
    assert_eq!(out.len(), 2 * (3 + 8));
    // Two neighbours cost the same either way, three less as a vector.
    for (n, words) in [(1, 1), (2, 2), (3, 2), (12, 2), (13, 3)] {
        let mut out = Vec::new();
        let events = &events[..n];
        super::super::Evt3Encoder::new()
            .encode(events, &mut out)
            .expect("fits");
        assert_eq!(out.len(), 2 * (3 + words), "{n}");
    }
}

#[test]
fn separate_arrays_of_an_archive() {
    use std::io::Write;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.npz");
    let npy = |descr: &str, n: usize, bytes: &[u8]| {
        let head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({n},)}}\n");
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend((head.len() as u16).to_le_bytes());
        out.extend(head.as_bytes());
        out.extend(bytes);
        out
    };
    let write = |t: Vec<u8>| {
        let mut zip = ::zip::ZipWriter::new(std::fs::File::create(&path).expect("creates"));
        let stored = ::zip::write::SimpleFileOptions::default();
        for (name, array) in [
            ("p.npy", npy("|b1", 2, &[1, 0])),
            ("x.npy", npy(">u2", 2, &[0, 7, 1, 0])),
            ("t.npy", t),
            ("y.npy", npy("|u1", 2, &[9, 8])),
        ] {
            zip.start_file(name, stored).expect("starts");
            zip.write_all(&array).expect("writes");
        }
        zip.finish().expect("finishes");
    };
    write(npy("<i4", 2, &[5, 0, 0, 0, 6, 0, 0, 0]));
    let event = |t_us, x, y, on| Event { t_us, x, y, on };
    assert_eq!(
        read_all(&path).events,
        [event(5, 7, 9, true), event(6, 256, 8, false)]
    );
    let fails = || {
        super::super::info(&path, None)
            .expect_err("fails")
            .to_string()
    };
    write(npy("<i4", 1, &[5, 0, 0, 0]));
    assert!(fails().contains("same length"));
    write(npy("<i4", 2, &[5, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]));
    assert!(fails().contains("-1 us"));
    write(npy("<i4", 2, &[5, 0, 0, 0, 6]));
    assert!(fails().contains("truncated"));
    let mut bytes = std::fs::read(&path).expect("reads");
    let at = bytes
        .windows(5)
        .position(|w| w == [5, 0, 0, 0, 6])
        .expect("is there");
    write(npy("<i4", 2, &[5, 0, 0, 0, 6, 0, 0, 0]));
    bytes = std::fs::read(&path).expect("reads");
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    assert!(fails().contains("CRC"));
}
