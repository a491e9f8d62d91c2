//! RAW, DAT and SQLite files made here, whole and damaged.

use std::path::Path;

use saccade_msgs::Event;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_rosbags::events::{
    Encoding, EventBatch, EventWriter, Geometry, RawHeader, WriteOptions, info, mono_packet,
};
use saccade_rosbags::{BagError, BagReader};

const GEOMETRY: Geometry = Geometry {
    width: 320,
    height: 240,
};

fn events() -> Vec<Event> {
    (0..5000u64)
        .map(|i| Event {
            t_us: 1000 + i * 7,
            x: (i * 31 % 320) as u16,
            y: (i / 40 % 240) as u16,
            on: i % 3 == 0,
        })
        .collect()
}

fn write_raw(path: &Path, encoding: Encoding, events: &[Event]) {
    let options = WriteOptions {
        encoding: Some(encoding),
        ..WriteOptions::of_sensor(GEOMETRY)
    };
    let mut writer = EventWriter::create(path, &options).expect("creates");
    let batch = EventBatch {
        events: events.to_vec(),
        triggers: Vec::new(),
    };
    writer.write(&batch).expect("writes");
    writer.finish().expect("finishes");
}

#[test]
fn raw_files_are_read_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut checksums = Vec::new();
    for encoding in [Encoding::Evt2, Encoding::Evt21, Encoding::Evt3] {
        let path = dir.path().join("a.raw");
        write_raw(&path, encoding, &events());
        let info = info(&path, None).expect("reads");
        assert_eq!(info.format, format!("raw/{}", encoding.name()));
        assert_eq!((info.width, info.height), (320, 240));
        assert_eq!((info.events, info.on), (5000, 1667));
        assert_eq!(
            (info.t_first_us, info.t_last_us),
            (Some(1000), Some(35_993))
        );
        assert_eq!(
            info.sum_x,
            events().iter().map(|e| u64::from(e.x)).sum::<u64>()
        );
        assert_eq!(info.backward_steps + info.outside + info.unsynced, 0);
        checksums.push(info.checksum);
        let json = serde_json::to_string(&info).expect("serialises");
        assert!(json.contains(&format!("\"checksum\":\"{:016x}\"", info.checksum)));
    }
    assert_eq!(checksums[0], checksums[1]);
    // The checksum as design.md defines it.
    let mut records = Vec::new();
    for e in events() {
        records.extend_from_slice(&e.t_us.to_le_bytes());
        records.extend_from_slice(&e.x.to_le_bytes());
        records.extend_from_slice(&e.y.to_le_bytes());
        records.push(u8::from(e.on));
    }
    assert_eq!(checksums[0], xxhash_rust::xxh3::xxh3_64(&records));
}

#[test]
fn headers_without_end_or_geometry() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.raw");
    write_raw(&path, Encoding::Evt3, &events());
    let offset = RawHeader::read(&path).expect("reads").data_offset as usize;
    let whole = std::fs::read(&path).expect("reads");
    let bare = [b"% evt 3.0\n", &whole[offset..]].concat();
    std::fs::write(&path, bare).expect("writes");
    let info = info(&path, None).expect("reads");
    assert!(!info.geometry_known);
    assert_eq!(info.events, 5000);
    assert_eq!((info.width, info.height), (320, 125));
}

#[test]
fn files_cut_anywhere_give_an_error_or_fewer_events() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.raw");
    write_raw(&path, Encoding::Evt3, &events()[..50]);
    let whole = std::fs::read(&path).expect("reads");
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).expect("writes");
        match info(&path, None) {
            Ok(info) => assert!(info.events < 50 && info.torn_bytes <= 1),
            Err(error) => assert!(error.to_string().contains("a.raw"), "{error}"),
        }
    }
}

#[test]
fn dat_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.dat");
    let mut bytes =
        b"% Data file containing CD events.\n% Version 2\n% Height 240\n% Width 320\n".to_vec();
    bytes.extend([0x0C, 8]);
    for e in events() {
        let address = u32::from(e.x) | u32::from(e.y) << 14 | u32::from(e.on) << 28;
        bytes.extend_from_slice(&(e.t_us as u32).to_le_bytes());
        bytes.extend_from_slice(&address.to_le_bytes());
    }
    std::fs::write(&path, &bytes).expect("writes");
    let found = info(&path, None).expect("reads");
    assert_eq!(
        (found.format.as_str(), found.events, found.on),
        ("dat", 5000, 1667)
    );
    assert_eq!(
        (found.width, found.height, found.geometry_known),
        (320, 240, true)
    );
    let kind = bytes.len() - 5000 * 8 - 2;
    bytes[kind] = 0x0E;
    std::fs::write(&path, &bytes).expect("writes");
    let error = info(&path, None).expect_err("triggers").to_string();
    assert!(
        error.contains(&format!("byte {kind}")) && error.contains("0x0E"),
        "{error}"
    );
}

#[test]
fn a_header_of_no_known_encoding_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.raw");
    std::fs::write(&path, "% evt 9.0\n% end\n").expect("writes");
    let error = info(&path, None).expect_err("evt 9").to_string();
    assert!(error.contains("evt 9.0"), "{error}");
}

/// A database as rosbag2 lays it out.
fn write_db3(path: &Path, packets: &[EventPacket]) {
    let db = rusqlite::Connection::open(path).expect("creates");
    db.execute_batch(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
           serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
         CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
           timestamp INTEGER NOT NULL, data BLOB NOT NULL);
         INSERT INTO topics VALUES(4, '/events', 'event_camera_msgs/msg/EventPacket', 'cdr', 'q');",
    )
    .expect("creates tables");
    for (i, packet) in packets.iter().enumerate() {
        let row = (4, i as i64 * 10, saccade_msgs::to_cdr(packet));
        db.execute(
            "INSERT INTO messages(topic_id, timestamp, data) VALUES(?1, ?2, ?3)",
            row,
        )
        .expect("inserts");
    }
}

#[test]
fn sqlite_bags_whole_and_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.db3");
    let packets: Vec<_> = (events().chunks(1000).zip(0..))
        .map(|(e, seq)| mono_packet(e, 0, GEOMETRY, seq, "camera").expect("fits"))
        .collect();
    write_db3(&path, &packets);
    let mut bag = BagReader::open(dir.path()).expect("opens the directory");
    let connections = bag.connections().expect("lists");
    assert_eq!(
        (connections[0].topic.as_str(), connections[0].qos.as_str()),
        ("/events", "q")
    );
    for (i, message) in bag.enumerate() {
        let message = message.expect("reads");
        assert_eq!(
            (message.stamp_ns, message.sequence),
            (i as i64 * 10, i as u32)
        );
        assert_eq!(
            message.decode::<EventPacket>(&path).expect("decodes"),
            packets[i]
        );
    }
    assert_eq!(info(&path, Some("/events")).expect("reads").events, 5000);

    let whole = std::fs::read(&path).expect("reads");
    for length in [0, 1, 50, 100, 4096, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).expect("writes");
        let error = BagReader::open(&path).err().expect("cut");
        let text = error.to_string();
        assert!(text.contains("a.db3"), "{text}");
        let placed = matches!(error, BagError::Truncated { .. }) || length < 16;
        assert!(placed, "{length}: {text}");
    }
}

/// HDF5 as Prophesee lays it out.
fn hdf5(events: &[Event], gzip: bool) -> Vec<u8> {
    use hdf5_pure::{AttrValue, CompoundTypeBuilder, FileBuilder};
    let mut file = FileBuilder::new();
    file.set_attr("geometry", AttrValue::String("320x240".into()));
    let kind = CompoundTypeBuilder::new()
        .u16_field("x")
        .u16_field("y")
        .i16_field("p")
        .i64_field("t");
    let records = events.iter().flat_map(|e| {
        let words = [e.x, e.y, u16::from(e.on)];
        let words = words.into_iter().flat_map(u16::to_le_bytes);
        words.chain(e.t_us.to_le_bytes())
    });
    let mut group = file.create_group("CD");
    let dataset = group.create_dataset("events");
    let kind = kind.build().expect("a type");
    dataset.with_compound_data(kind, records.collect(), events.len() as u64);
    if gzip {
        dataset.with_chunks(&[1000]).with_deflate(4);
    }
    file.add_group(group.finish());
    let kind = CompoundTypeBuilder::new()
        .i16_field("p")
        .i64_field("t")
        .i16_field("id");
    let trigger = [1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 6, 0];
    let mut group = file.create_group("EXT_TRIGGER");
    let kind = kind.build().expect("a type");
    (group.create_dataset("events")).with_compound_data(kind, trigger.to_vec(), 1);
    file.add_group(group.finish());
    file.finish().expect("a file")
}

#[test]
fn hdf5_files_whole_cut_and_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.hdf5");
    let raw = dir.path().join("a.raw");
    write_raw(&raw, Encoding::Evt3, &events());
    for gzip in [false, true] {
        let bytes = hdf5(&events(), gzip);
        std::fs::write(&path, &bytes).expect("writes");
        let found = info(&path, None).expect("reads");
        assert_eq!(found.checksum, info(&raw, None).expect("reads").checksum);
        assert_eq!((found.width, found.height), (320, 240));
        assert_eq!((found.triggers, found.triggers_rising), (1, 1));
        // Damage is an error that names the file, or other events.
        let few = hdf5(&events()[..40], gzip);
        for at in 0..few.len() {
            let mut changed = few.clone();
            changed[at] ^= 0x55;
            std::fs::write(&path, &changed).expect("writes");
            if let Err(error) = info(&path, None) {
                assert!(error.to_string().contains("a.hdf5"), "{error}");
            }
            if at % 7 == 0 {
                std::fs::write(&path, &few[..at]).expect("writes");
                let cut = info(&path, None);
                assert!(
                    cut.is_err() || cut.is_ok_and(|i| i.events <= 40),
                    "cut at {at}"
                );
            }
        }
    }
}
