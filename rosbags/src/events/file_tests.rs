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

/// The events of a file's bytes, and the error that ended them.
fn read(format: Format, file: &[u8], piece: usize) -> (Vec<Event>, DecodeCounts, Option<BagError>) {
    let bytes = || {
        let dribble = Dribble {
            bytes: file.to_vec(),
            at: 0,
            piece,
        };
        Ok(Bytes::new(Path::new("a.file"), Box::new(dribble)))
    };
    let mut reader = match file_reader(format, bytes, None) {
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
    ("none.aedat4", Format::Aedat4, |p, e| {
        write_aedat4(p, Aedat4Compression::None, SENSOR, e)
    }),
    ("lz4.aedat4", Format::Aedat4, |p, e| {
        write_aedat4(p, Aedat4Compression::Lz4, SENSOR, e)
    }),
    ("zstd.aedat4", Format::Aedat4, |p, e| {
        write_aedat4(p, Aedat4Compression::Zstd, SENSOR, e)
    }),
    ("a.bin", Format::Nmnist, write_nmnist),
    ("a.es", Format::EventStream, |p, e| {
        write_event_stream(p, SENSOR, e)
    }),
];

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
        assert_eq!((info.width, info.height), (34, 34), "{name}");
        checksums.push(info.checksum);
        assert!(info_of_topic(&path, "7").contains('7'));
    }
    assert!(checksums.iter().all(|c| *c == checksums[0]));
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
            let (found, _, error) = read(format, &file[..length], 7);
            assert!(events.starts_with(&found), "{name} cut at {length}");
            assert!(found.len() < events.len(), "{name} cut at {length}");
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
    file[12] = 1;
    let (_, _, error) = read(Format::EventStream, &file, 1);
    assert!(error.expect("version 1").to_string().contains("1.0.0"));
}

#[test]
fn aedat4_stops_at_the_data_table() {
    let event = Event {
        t_us: 5,
        x: 1,
        y: 2,
        on: true,
    };
    let writer: Writer = |p, e| write_aedat4(p, Aedat4Compression::None, SENSOR, e);
    let (_dir, _, mut file) = written("a.aedat4", writer, &[event]);
    let end = file.len() as i64;
    // First line, size, and the field's place in the header.
    let field = 14 + 4 + 28;
    assert_eq!(file[field..field + 8], (-1i64).to_le_bytes());
    file[field..field + 8].copy_from_slice(&end.to_le_bytes());
    file.extend(b"no packet");
    let (found, _, error) = read(Format::Aedat4, &file, 3);
    assert_eq!(found, [event]);
    assert!(error.is_none());
    // A table inside of the last packet.
    file[field..field + 8].copy_from_slice(&(end - 1).to_le_bytes());
    let (_, _, error) = read(Format::Aedat4, &file, 3);
    assert_placed(&error.expect("the packet is too long"));
}
