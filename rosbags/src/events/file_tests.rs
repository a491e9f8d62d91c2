//! Every file format: what is written is read back in pieces of any size; damage
//! is an error that tells its place, or fewer events.

use std::io::Read;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use saccade_msgs::Event;

use super::bytes::Bytes;
use super::source::file_reader;
use super::*;
use crate::error::{BagError, Result};
use crate::format::{Format, detect};

const SENSOR: Geometry = Geometry {
    width: 34,
    height: 34,
};

/// Hands out at most `piece` bytes at a time.
struct Dribble {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.piece.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Events, what was counted, and the error that ended them.
type Outcome = (Vec<Event>, DecodeCounts, Option<BagError>);

/// The events of a file's bytes, and the error that ended them.
fn read(format: Format, file: &[u8], piece: usize) -> Outcome {
    read_with(format, file, piece, ReadOptions::default())
}

fn read_with(format: Format, file: &[u8], piece: usize, options: ReadOptions) -> Outcome {
    let bytes = || {
        let dribble = Dribble {
            bytes: file.to_vec(),
            at: 0,
            piece,
        };
        Ok(Bytes::new(Path::new("a.file"), Box::new(dribble)))
    };
    let mut reader = match file_reader(format, bytes, None, options) {
        Ok((_, reader)) => reader,
        Err(error) => return (Vec::new(), DecodeCounts::default(), Some(error)),
    };
    let mut events = Vec::new();
    let mut batch = EventBatch::default();
    let error = loop {
        let more = reader.next_batch(&mut batch);
        events.append(&mut batch.events);
        match more {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
    };
    (events, reader.counts(), error)
}

/// A way to write a file, and the format it must be taken for.
type Writer = fn(&Path, &[Event]) -> Result<()>;
const WRITERS: &[(&str, Format, Writer)] = &[
    ("evt3.raw", Format::Prophesee, |p, e| {
        raw(p, e, Encoding::Evt3)
    }),
    ("evt2.raw", Format::Prophesee, |p, e| {
        raw(p, e, Encoding::Evt2)
    }),
    ("evt21.raw", Format::Prophesee, |p, e| {
        raw(p, e, Encoding::Evt21)
    }),
    ("legacy.raw", Format::Prophesee, |p, e| {
        raw(p, e, Encoding::Evt21Legacy)
    }),
    ("a.dat", Format::Prophesee, plainly),
    ("none.aedat4", Format::Aedat4, |p, e| {
        aedat4(p, e, Compression::None)
    }),
    ("lz4.aedat4", Format::Aedat4, plainly),
    ("zstd.aedat4", Format::Aedat4, |p, e| {
        aedat4(p, e, Compression::Zstd)
    }),
    ("a.bin", Format::Nmnist, plainly),
    ("a.es", Format::EventStream, plainly),
    ("one.es", Format::EventStream, write_event_stream_1),
    ("dvs.aedat", Format::Aedat2, |p, e| {
        write_aedat2(p, "DVS128", e)
    }),
    ("davis.aedat", Format::Aedat2, |p, e| {
        write_aedat2(p, "DAVIS240C", e)
    }),
    ("3.aedat", Format::Aedat3, plainly),
    ("a.csv", Format::Text, plainly),
    ("a.txt", Format::Text, write_seconds),
    ("a.npy", Format::Npy, plainly),
    ("big.npy", Format::Npy, write_big_endian_npy),
];

fn plainly(path: &Path, events: &[Event]) -> Result<()> {
    write(path, events, WriteOptions::of_sensor(SENSOR)).map(drop)
}

fn raw(path: &Path, events: &[Event], encoding: Encoding) -> Result<()> {
    let options = WriteOptions {
        encoding: Some(encoding),
        ..WriteOptions::of_sensor(SENSOR)
    };
    write(path, events, options).map(drop)
}

fn aedat4(path: &Path, events: &[Event], compression: Compression) -> Result<()> {
    let options = WriteOptions {
        compression: Some(compression),
        ..WriteOptions::of_sensor(SENSOR)
    };
    write(path, events, options).map(drop)
}

/// Writes events in batches of uneven sizes.
fn write(path: &Path, events: &[Event], options: WriteOptions) -> Result<WriteCounts> {
    let mut writer = EventWriter::create(path, &options)?;
    let mut rest = events;
    for size in (1..).map(|i| i * 7 % 1000 + 1) {
        let (events, later) = rest.split_at(rest.len().min(size));
        writer.write(&EventBatch {
            events: events.to_vec(),
            triggers: Vec::new(),
        })?;
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    writer.finish()
}

/// Event Stream of version 1, DVS.
fn write_event_stream_1(path: &Path, events: &[Event]) -> Result<()> {
    let mut out = b"Event Stream\x01\x00\x00".to_vec();
    let mut last_us = 0;
    for e in events {
        let mut after_us = e.t_us - last_us;
        last_us = e.t_us;
        while after_us >= 15 {
            let times = (after_us / 15).min(15);
            out.push((times << 4 | 15) as u8);
            after_us -= 15 * times;
        }
        let (x, y, on) = (u32::from(e.x), u32::from(e.y), u32::from(e.on));
        let word = after_us as u32 | x << 4 | y << 14 | on << 23;
        out.extend(&word.to_le_bytes()[..3]);
    }
    std::fs::write(path, out).map_err(|e| BagError::io(path, "write", e))
}

/// AEDAT 2 as iniVation describes it.
fn write_aedat2(path: &Path, camera: &str, events: &[Event]) -> Result<()> {
    let mut out = format!("#!AER-DAT2.0\r\n# AEChip: chips.{camera}\r\n#End Of ASCII Header\r\n")
        .into_bytes();
    for e in events {
        let (x, y, on) = (u32::from(e.x), u32::from(e.y), u32::from(e.on));
        let address = match camera {
            "DVS128" => (127 - y) << 8 | x << 1 | on,
            _ => (179 - y) << 22 | x << 12 | on << 11,
        };
        out.extend(address.to_be_bytes());
        out.extend((e.t_us as u32).to_be_bytes());
    }
    std::fs::write(path, out).map_err(|e| BagError::io(path, "write", e))
}

/// Text without names of columns, with spaces and seconds.
fn write_seconds(path: &Path, events: &[Event]) -> Result<()> {
    let mut out = String::from("# events\n");
    for e in events {
        let (seconds, polarity) = (e.t_us as f64 / 1e6, if e.on { 1 } else { -1 });
        out += &format!("{seconds:.6} {}\t{}  {polarity}\r\n", e.x, e.y);
    }
    std::fs::write(path, out).map_err(|e| BagError::io(path, "write", e))
}

/// An array with fields of all kinds, in another order.
fn write_big_endian_npy(path: &Path, events: &[Event]) -> Result<()> {
    let head = format!(
        "{{'descr': [('x', '>i2'), ('', '|V3'), (('rising', 'polarity'), '|i1'), ('w', '<f4'), \
         ('y', '|u1'), ('ts', '>i4')], 'fortran_order': False, 'shape': ({},)}}",
        events.len()
    );
    let mut out = b"\x93NUMPY\x02\x00".to_vec();
    out.extend((head.len() as u32).to_le_bytes());
    out.extend(head.as_bytes());
    for e in events {
        out.extend(e.x.to_be_bytes());
        out.extend([9, 9, 9, if e.on { 1 } else { 0xFF }, 9, 9, 9, 9, e.y as u8]);
        out.extend((e.t_us as u32).to_be_bytes());
    }
    std::fs::write(path, out).map_err(|e| BagError::io(path, "write", e))
}

fn written(name: &str, writer: Writer, events: &[Event]) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    writer(&path, events).expect("writes");
    let bytes = std::fs::read(&path).expect("reads");
    (dir, path, bytes)
}

fn events(most: usize) -> impl Strategy<Value = Vec<Event>> {
    let event = (0u64..2000, 0u16..34, 0u16..34, any::<bool>());
    prop::collection::vec(event, 1..most).prop_map(|events| {
        let mut t_us = 0;
        let later = |(dt, x, y, on)| {
            t_us += dt;
            Event { t_us, x, y, on }
        };
        events.into_iter().map(later).collect()
    })
}

/// An error that a person can find the place of.
fn assert_placed(error: &BagError) {
    let text = error.to_string();
    let placed = text.contains("byte ") || matches!(error, BagError::NoTopic { .. });
    assert!(placed && text.contains("a.file"), "{text}");
}

#[test]
fn sources_read_what_is_written() {
    let events: Vec<_> = (0..30_000u64)
        .map(|i| Event {
            t_us: i * 7,
            x: (i * 31 % 34) as u16,
            y: (i / 40 % 34) as u16,
            on: i % 3 == 0,
        })
        .collect();
    let mut checksums = Vec::new();
    for &(name, format, writer) in WRITERS {
        let (_dir, path, _) = written(name, writer, &events);
        assert_eq!(detect(&path).expect("is known").0, format, "{name}");
        let info = info(&path, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((info.events, info.on), (30_000, 10_000), "{name}");
        let sensor = match name {
            "dvs.aedat" => (128, 128),
            "davis.aedat" => (240, 180),
            _ => (34, 34),
        };
        assert_eq!((info.width, info.height), sensor, "{name}");
        checksums.push(info.checksum);
        assert!(info_of_topic(&path, "7").contains('7'));
        for packed in packed(&path) {
            let found = super::info(&packed, None).unwrap_or_else(|e| panic!("{name}: {e}"));
            checksums.push(found.checksum);
        }
    }
    assert!(checksums.iter().all(|c| *c == checksums[0]));
}

/// The file packed as a whole, with gzip and with Zstandard.
fn packed(path: &Path) -> [PathBuf; 2] {
    use std::io::Write;
    let bytes = std::fs::read(path).expect("reads");
    let name = |extension| {
        let mut name = path.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let (gz, zst) = (name(".gz"), name(".zst"));
    let file = std::fs::File::create(&gz).expect("creates");
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(&bytes).expect("packs");
    encoder.finish().expect("packs");
    let bytes = zstd::encode_all(bytes.as_slice(), 1).expect("packs");
    std::fs::write(&zst, bytes).expect("writes");
    [gz, zst]
}

fn info_of_topic(path: &Path, topic: &str) -> String {
    let error = info(path, Some(topic)).expect_err("there is no topic");
    error.to_string()
}

#[test]
fn files_cut_anywhere_are_an_error_or_fewer_events() {
    let events: Vec<_> = (0..20u16)
        .map(|i| Event {
            t_us: 1000 + 300 * u64::from(i),
            x: i,
            y: 2 * (i % 15),
            on: i % 2 == 0,
        })
        .collect();
    for &(name, format, writer) in WRITERS {
        let (_dir, _, file) = written(name, writer, &events);
        for length in 0..file.len() {
            let (mut found, _, error) = read(format, &file[..length], 7);
            if format == Format::Text {
                // A line may be cut and still be an event, another or the same.
                found.pop();
            }
            assert!(events.starts_with(&found), "{name} cut at {length}");
            let noticed = found.len() < events.len() || error.is_some();
            assert!(noticed, "{name} cut at {length}");
            error.iter().for_each(assert_placed);
        }
    }
}

proptest! {
    #[test]
    fn any_piece_gives_the_same_events(events in events(200), piece in 1usize..64) {
        for &(name, format, writer) in WRITERS {
            let (_dir, _, file) = written(name, writer, &events);
            for piece in [1, piece, usize::MAX] {
                let (found, counts, error) = read(format, &file, piece);
                prop_assert!(error.is_none(), "{name}: {error:?}");
                prop_assert_eq!(&found, &events, "{}", name);
                prop_assert_eq!(counts, DecodeCounts::default());
            }
        }
    }

    /// Damage never panics; an error tells its place.
    #[test]
    fn changed_files(
        events in events(50),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut: prop::sample::Index,
        piece in 1usize..64,
    ) {
        for &(name, format, writer) in WRITERS {
            let (_dir, _, mut file) = written(name, writer, &events);
            for (at, value) in &changes {
                let at = at.index(file.len());
                file[at] = *value;
            }
            if cut.index(2) == 0 {
                file.truncate(cut.index(file.len()));
            }
            let (_, _, error) = read(format, &file, piece);
            error.iter().for_each(assert_placed);
        }
    }
}

#[test]
fn n_mnist_fields_and_overflow() {
    let file = [3, 4, 0x80, 0x01, 0x02, 0, 240, 0, 0, 0, 33, 5, 0, 0, 7];
    let (found, _, error) = read(Format::Nmnist, &file, 2);
    let event = |t_us, x, y, on| Event { t_us, x, y, on };
    assert_eq!(found, [event(258, 3, 4, true), event(8199, 33, 5, false)]);
    assert!(error.is_none());
    let (_, _, error) = read(Format::Nmnist, &file[..12], 2);
    assert!(error.expect("is cut").to_string().contains("byte 10"));
}

#[test]
fn event_stream_bytes() {
    let mut file = b"Event Stream\x02\x00\x00\x01\x08\x00\x04\x00".to_vec();
    file.extend([0xFF, 0xFE, 5 << 1 | 1, 7, 0, 0, 0, 0, 8, 0, 0, 0]);
    let (found, counts, _) = read(Format::EventStream, &file, 1);
    let expected = Event {
        t_us: 132,
        x: 7,
        y: 3,
        on: true,
    };
    assert_eq!(
        (found.as_slice(), counts.outside),
        ([expected].as_slice(), 1)
    );
    file[12] = 3;
    let (_, _, error) = read(Format::EventStream, &file, 1);
    assert!(error.expect("version 3").to_string().contains("3.0"));
    // Version 1, ATIS: an overflow, a reset, an event of exposure and a change.
    let mut file = b"Event Stream\x01\x00\x01".to_vec();
    file.extend([2 << 5 | 31, 31]);
    for (exposure, on) in [(1u32, 0u32), (0, 1)] {
        let word = 4 | 300 << 5 | 200 << 14 | exposure << 22 | on << 23;
        file.extend(&word.to_le_bytes()[..3]);
    }
    let (found, ..) = read(Format::EventStream, &file, 1);
    let event = |t_us, x, y, on| Event { t_us, x, y, on };
    assert_eq!(found, [event(70, 300, 200, true)]);
}

#[test]
fn aedat4_stops_at_the_data_table() {
    let event = Event {
        t_us: 5,
        x: 1,
        y: 2,
        on: true,
    };
    let writer: Writer = |p, e| aedat4(p, e, Compression::None);
    let (_dir, _, mut file) = written("a.aedat4", writer, &[event]);
    // First line, size, and the field's place in the header.
    let field = 14 + 4 + 28;
    let end = i64::from_le_bytes(file[field..field + 8].try_into().expect("8 bytes"));
    assert_eq!(file[end as usize + 8..][..4], *b"FTAB");
    // Cut between the packets and the table.
    let (found, _, error) = read(Format::Aedat4, &file[..end as usize], 3);
    assert_eq!(found, [event]);
    assert!(error.expect("is cut").to_string().contains("data table"));
    // A table inside of the last packet.
    file[field..field + 8].copy_from_slice(&(end - 1).to_le_bytes());
    let (_, _, error) = read(Format::Aedat4, &file, 3);
    assert_placed(&error.expect("the packet is too long"));
}

#[test]
fn aedat2_conventions_and_other_data() {
    let jaer = ReadOptions {
        aedat2: Aedat2Convention::Jaer,
    };
    let event = |t_us, x, y, on| Event { t_us, x, y, on };
    let file = |camera: &str, words: &[u32]| {
        let mut file = format!("#!AER-DAT2.0\r\n# AEChip: {camera}\r\n").into_bytes();
        file.extend(words.iter().flat_map(|w| w.to_be_bytes()));
        file
    };
    // An event, and one that is a synchronisation; then a wrap of the clock.
    let dvs = file("DVS128", &[2 << 8 | 3 << 1 | 1, u32::MAX, 1 << 15, 1, 0, 2]);
    let (t, wrapped) = (u64::from(u32::MAX), (1 << 32) + 2);
    let (found, ..) = read(Format::Aedat2, &dvs, 5);
    let expected = [event(t, 3, 125, true), event(wrapped, 0, 127, false)];
    assert_eq!(found, expected);
    let (found, ..) = read_with(Format::Aedat2, &dvs, 5, jaer);
    let expected = [event(t, 124, 125, false), event(wrapped, 127, 127, true)];
    assert_eq!(found, expected);
    // An event, a frame's pixel, an external input, and an event outside.
    let address = 2 << 22 | 3 << 12 | 1 << 11;
    let words = [address, 7, 1 << 31, 8, 1 << 10, 9, 260 << 22, 10];
    let davis = file("Davis346red", &words);
    let (found, counts, _) = read(Format::Aedat2, &davis, 5);
    assert_eq!(
        (found.as_slice(), counts.outside),
        ([event(7, 3, 257, true)].as_slice(), 1)
    );
    let (found, ..) = read_with(Format::Aedat2, &davis, 5, jaer);
    assert_eq!(found, [event(7, 342, 257, true)]);
    let (_, _, error) = read(Format::Aedat2, &file("Retina", &[]), 5);
    assert!(error.expect("no camera").to_string().contains("DAVIS346"));
}

#[test]
fn aedat3_packets() {
    let packet = |kind: i16, size: i32, overflows: i32, events: &[[u32; 2]]| {
        let n = events.len() as i32;
        let mut bytes = [kind.to_le_bytes(), [0, 0]].concat();
        for field in [size, 4, overflows, n, n, n] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(events.iter().flatten().flat_map(|w| w.to_le_bytes()));
        bytes
    };
    let head = b"#!AER-DAT3.1\r\n#Source 1: DAVIS346\r\n#!END-HEADER\r\n";
    let events = [[3 << 17 | 5 << 2 | 3, 9], [4 << 17 | 5 << 2, 9]];
    let file = [
        head.to_vec(),
        packet(0, 8, 0, &[[1, 2]]),
        packet(1, 8, 2, &events),
    ]
    .concat();
    let (found, _, error) = read(Format::Aedat3, &file, 11);
    let event = Event {
        t_us: (2 << 31) + 9,
        x: 3,
        y: 5,
        on: true,
    };
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found, [event]);
    let fails = |packet: Vec<u8>| {
        let (_, _, error) = read(Format::Aedat3, &[head.to_vec(), packet].concat(), 11);
        error.expect("must fail").to_string()
    };
    assert!(fails(packet(1, 16, 0, &events)).contains("byte 53"));
    assert!(fails(packet(1, 8, -1, &events)).contains("overflows"));
    assert!(fails(packet(i16::MIN | 1, 8, 0, &events)).contains("byte 49"));
    assert!(fails(packet(2, i32::MAX, 0, &events)).contains("truncated"));
}

#[test]
fn text_columns_and_units() {
    let event = |t_us, x, y, on| Event { t_us, x, y, on };
    let file = b"x,polarity,timestamp,y\n1,True,1.5e-3,2\n\n3,false,2,4";
    let (found, _, error) = read(Format::Text, file, 1);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        found,
        [event(1500, 1, 2, true), event(2_000_000, 3, 4, false)]
    );
    let fails = |text: &str| {
        let (_, _, error) = read(Format::Text, text.as_bytes(), 3);
        error.expect("must fail").to_string()
    };
    assert!(fails("5 1 2 1\n5.5 1 2 1\n").contains("byte 8: expected whole microseconds"));
    assert!(fails("5 1 2\n").contains("byte 0"));
    assert!(fails("5 1 2 7\n").contains("polarity"));
    assert!(fails("5 1 -2 1\n").contains("65535"));
    assert!(fails("-5 1 2 1\n").contains("from 0 on"));
    assert!(fails("t,x,y\n").contains("names of the columns"));
    assert!(fails(&"1 ".repeat(3000)).contains("longer"));
}

#[test]
fn npy_heads_that_cannot_be_read() {
    let fails = |head: &str, rest: &[u8]| {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((head.len() as u16).to_le_bytes());
        file.extend([head.as_bytes(), rest].concat());
        let (_, _, error) = read(Format::Npy, &file, 3);
        error.expect("must fail").to_string()
    };
    let head = |descr: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
    };
    let fields = "[('t', '<i8'), ('x', '|u1'), ('y', '|u1'), ('p', '|b1')]";
    assert!(fails(&head("'<i8'", "(3, 4)"), &[]).contains("one dimension"));
    assert!(fails(&head("'<i8'", "(3,)"), &[]).contains("descr"));
    assert!(fails(&head("[('t', '<f8')]", "(3,)"), &[]).contains("integers"));
    assert!(fails(&head("[('t', '<i8')]", "(3,)"), &[]).contains("fields t, x, y"));
    let huge = head(fields, "(18446744073709551615,)");
    assert!(fails(&huge, &[]).contains("truncated"));
    assert!(fails(&huge, &[0xFF; 11]).contains("a time from 0 on"));
}
