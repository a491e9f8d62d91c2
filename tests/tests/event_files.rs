//! Event files against PyPI's readers and writers of them: they read what we write,
//! we read what they write, event for event. Where a peer is wrong, [`WRONG`] says
//! what it does, so that this fails when it is mended. Fails where the peers cannot
//! be installed.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use saccade_msgs::Event;
use saccade_rosbags::BagError;
use saccade_rosbags::events::synthetic::Random;
use saccade_rosbags::events::{
    Compression, Encoding, EventBatch, EventSource, EventWriter, Geometry, WriteOptions,
};
use saccade_tests::peer;
use serde_json::json;

const SENSOR: Geometry = Geometry {
    width: 640,
    height: 480,
};

/// A format, its extension, who reads what we write, and who writes what we read.
struct Format {
    name: &'static str,
    extension: &'static str,
    readers: &'static [&'static str],
    writers: &'static [&'static str],
    /// What time does in what we write and read.
    streams: &'static [Time],
}

use Time::{Back, Forward, Silent, Wrapping};

/// How time goes on in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    /// Steps of up to 40 µs, or none, and some of 200 ms.
    Forward,
    /// Steps of up to a second, over several rounds of EVT3's clock of 16.8 s.
    Wrapping,
    /// Silences of up to 70 s, longer than a round of EVT3's clock.
    Silent,
    /// Back by up to 11 µs now and then, as sensors do.
    Back,
}

const AEDAT4: &[&str] = &["aedat", "dv-processing", "eventcv", "faery"];
const ALL: &[Time] = &[Forward, Wrapping, Silent, Back];
const RISING: &[Time] = &[Forward, Wrapping, Silent];

const FORMATS: &[Format] = &[
    Format {
        name: "evt2",
        extension: "raw",
        readers: &["eventcv", "expelliarmus", "faery"],
        writers: &["expelliarmus", "faery"],
        streams: ALL,
    },
    Format {
        name: "evt3",
        extension: "raw",
        readers: &["eventcv", "evt3", "expelliarmus", "faery"],
        writers: &["expelliarmus", "faery"],
        streams: ALL,
    },
    Format {
        name: "dat",
        extension: "dat",
        readers: &["eventcv", "expelliarmus", "faery"],
        writers: &["expelliarmus", "faery"],
        streams: ALL,
    },
    Format {
        name: "aedat4",
        extension: "aedat4",
        readers: AEDAT4,
        writers: &["dv-processing", "faery"],
        streams: RISING,
    },
    Format {
        name: "aedat4_lz4",
        extension: "aedat4",
        readers: AEDAT4,
        writers: &["dv-processing", "faery"],
        streams: RISING,
    },
    Format {
        name: "aedat4_zstd",
        extension: "aedat4",
        readers: AEDAT4,
        writers: &["dv-processing", "faery"],
        streams: RISING,
    },
    Format {
        name: "es",
        extension: "es",
        readers: &["event-stream", "faery"],
        writers: &["event-stream", "faery"],
        streams: RISING,
    },
    Format {
        name: "text",
        extension: "csv",
        readers: &["eventcv", "faery", "numpy"],
        writers: &["eventcv", "faery", "numpy"],
        streams: ALL,
    },
    Format {
        name: "npy",
        extension: "npy",
        readers: &["numpy"],
        writers: &["numpy"],
        streams: ALL,
    },
    Format {
        // eventcv takes four arrays, which we read; we write one of all fields.
        name: "npz",
        extension: "npz",
        readers: &["numpy"],
        writers: &["numpy"],
        streams: ALL,
    },
    Format {
        name: "hdf5_none",
        extension: "hdf5",
        readers: &["eventcv", "h5py"],
        writers: &["h5py"],
        streams: ALL,
    },
    Format {
        name: "hdf5_deflate",
        extension: "h5",
        readers: &["eventcv", "h5py"],
        writers: &["h5py"],
        streams: RISING,
    },
    Format {
        name: "evt21",
        extension: "raw",
        readers: &["faery"],
        writers: &[],
        streams: ALL,
    },
    Format {
        name: "bag",
        extension: "bag",
        readers: &["eventcv"],
        writers: &["eventcv"],
        streams: RISING,
    },
];

const UNKNOWN_EVT21: &str =
    "RuntimeError: unknown version \"EVT21\" (supports \"evt2\", \"evt2.1\", and \"evt3\")";

/// What a peer does wrong: way, peer, format, stream, and the verdict on it. Files
/// that other peers read as we do, or write so that others read what we wrote.
const WRONG: &[(&str, &str, &str, Time, &str)] = &[
    // It takes a TIME_HIGH that steps back for a wrap of EVT2's clock of 4.8 hours.
    (
        "read",
        "faery",
        "evt2",
        Back,
        "18776 times 1 to 360777252875 us late, 0 other places",
    ),
    // It writes no TIME_HIGH that steps back, so the events after it are 64 us late.
    (
        "write",
        "faery",
        "evt2",
        Back,
        "26 times 64 to 64 us late, 0 other places",
    ),
    // It takes every TIME_LOW that steps back, and a TIME_HIGH, for a new round.
    (
        "read",
        "expelliarmus",
        "evt3",
        Forward,
        "19375 times 4096 to 118784 us late, 0 other places",
    ),
    (
        "read",
        "expelliarmus",
        "evt3",
        Wrapping,
        "19976 times 4096 to 1110016 us late, 0 other places",
    ),
    (
        "read",
        "expelliarmus",
        "evt3",
        Silent,
        "19402 times 4096 to 131072 us late, 0 other places",
    ),
    (
        "read",
        "expelliarmus",
        "evt3",
        Back,
        "19934 times 4096 to 1150976 us late, 0 other places",
    ),
    // It writes no TIME_HIGH but the first.
    (
        "write",
        "expelliarmus",
        "evt3",
        Forward,
        "19375 times -1495040 to -4096 us late, 0 other places",
    ),
    (
        "write",
        "expelliarmus",
        "evt3",
        Wrapping,
        "20001 times -252293120 to -344064 us late, 0 other places",
    ),
    (
        "write",
        "expelliarmus",
        "evt3",
        Silent,
        "19402 times -292929536 to -4096 us late, 0 other places",
    ),
    (
        "write",
        "expelliarmus",
        "evt3",
        Back,
        "19277 times -1290240 to -4096 us late, 0 other places",
    ),
    // Times that step back become the time before them; DAT it does not write then.
    (
        "read",
        "faery",
        "evt3",
        Back,
        "525 times 1 to 11 us late, 0 other places",
    ),
    (
        "write",
        "faery",
        "dat",
        Back,
        "RuntimeError: the event's timestamp (1349) is smaller than the previous event's timestamp (1360)",
    ),
    (
        "read",
        "faery",
        "text",
        Back,
        "525 times 1 to 11 us late, 0 other places",
    ),
    // It does not know the name that Prophesee's own files have for it.
    ("read", "faery", "evt21", Forward, UNKNOWN_EVT21),
    ("read", "faery", "evt21", Wrapping, UNKNOWN_EVT21),
    ("read", "faery", "evt21", Silent, UNKNOWN_EVT21),
    ("read", "faery", "evt21", Back, UNKNOWN_EVT21),
    // It takes every step back for a wrap of DAT's clock of 2^32 us.
    (
        "read",
        "expelliarmus",
        "dat",
        Back,
        "19934 times 4294967296 to 1090921693184 us late, 0 other places",
    ),
    // It lets no time step back.
    (
        "read",
        "faery",
        "dat",
        Back,
        "525 times 1 to 11 us late, 0 other places",
    ),
];

/// A seeded stream: single events, dense rows, first and last columns and rows.
fn stream(time: Time) -> Vec<Event> {
    let (mut random, mut events) = (Random(time as u64), Vec::new());
    let (mut t_us, mut high_us) = (1000, 1000);
    while events.len() < 20_000 {
        let step = match (time, random.below(1000)) {
            (Silent, 0) => 70_000_000 / (1 + random.below(5)),
            (Wrapping, 0..50) => random.below(1_000_000),
            (_, 0) => 200_000,
            _ => random.below(2) * random.below(41),
        };
        t_us = high_us.max(t_us) + step;
        high_us = t_us;
        if time == Back && random.below(20) == 0 {
            t_us -= random.below(12);
        }
        let on = random.below(2) == 1;
        let (x, y) = match random.below(20) {
            0 => (0, 0),
            1 => (SENSOR.width - 1, SENSOR.height - 1),
            _ => (random.below(640) as u16, random.below(480) as u16),
        };
        let row = match random.below(10) {
            0 => x..SENSOR.width.min(x + 1 + random.below(40) as u16),
            _ => x..x + 1,
        };
        let gap = 1 + random.below(3) as usize;
        events.extend(row.step_by(gap).map(|x| Event { t_us, x, y, on }));
    }
    events
}

/// Packed little-endian records, as the peers' script has them.
fn records(events: &[Event]) -> Vec<u8> {
    let record = |e: &Event| {
        let (t, [x0, x1], [y0, y1]) = (e.t_us.to_le_bytes(), e.x.to_le_bytes(), e.y.to_le_bytes());
        let mut record = t.to_vec();
        record.extend([x0, x1, y0, y1, u8::from(e.on)]);
        record
    };
    events.iter().flat_map(record).collect()
}

fn of_records(bytes: &[u8]) -> Vec<Event> {
    let event = |r: &[u8; 13]| Event {
        t_us: u64::from_le_bytes([r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]]),
        x: u16::from_le_bytes([r[8], r[9]]),
        y: u16::from_le_bytes([r[10], r[11]]),
        on: r[12] == 1,
    };
    bytes.as_chunks::<13>().0.iter().map(event).collect()
}

fn write_ours(format: &str, path: &Path, events: &[Event]) -> Result<(), BagError> {
    let (format, variant) = format.split_once('_').unwrap_or((format, "none"));
    let options = WriteOptions {
        encoding: match format {
            "bag" => Some(Encoding::DvsMsgs),
            _ => Encoding::of_name(format),
        },
        compression: match format {
            "aedat4" | "hdf5" => Compression::of_name(variant),
            _ => None,
        },
        ..WriteOptions::of_sensor(SENSOR)
    };
    let mut writer = EventWriter::create(path, &options)?;
    let batch = EventBatch {
        events: events.to_vec(),
        triggers: Vec::new(),
    };
    writer.write(&batch)?;
    writer.finish().map(|_| ())
}

fn read_ours(path: &Path) -> Result<Vec<Event>, BagError> {
    let mut source = EventSource::open(path, None)?;
    let (mut batch, mut all) = (EventBatch::default(), Vec::new());
    while source.next_batch(&mut batch)? {
        all.append(&mut batch.events);
    }
    Ok(all)
}

/// How what was read differs from what was written.
fn verdict(found: &[Event], truth: &[Event]) -> String {
    if found == truth {
        return "the same".into();
    }
    if found.len() != truth.len() {
        return format!("{} events of {}", found.len(), truth.len());
    }
    let pairs = || found.iter().zip(truth);
    let place = |e: &Event| (e.x, e.y, e.on);
    let places = pairs().filter(|(f, t)| place(f) != place(t)).count();
    let late_us = |(f, t): (&Event, &Event)| f.t_us as i64 - t.t_us as i64;
    let times: Vec<_> = pairs().map(late_us).filter(|&us| us != 0).collect();
    let (least, most) = (
        times.iter().min().unwrap_or(&0),
        times.iter().max().unwrap_or(&0),
    );
    format!(
        "{} times {least} to {most} us late, {places} other places",
        times.len()
    )
}

/// One thing that a peer is to do.
struct Job {
    way: &'static str,
    peer: &'static str,
    format: &'static str,
    time: Time,
    file: PathBuf,
    /// What the peer found, or what it is to write.
    events: PathBuf,
}

impl Job {
    fn line(&self) -> String {
        let (way, peer, format) = (self.way, self.peer, self.format);
        let (width, height) = (SENSOR.width, SENSOR.height);
        json!({
            "way": way, "peer": peer, "format": format, "file": self.file,
            "events": self.events, "width": width, "height": height,
        })
        .to_string()
    }

    /// What became of it, given what the peer said.
    fn verdict(&self, said: &str) -> String {
        let truth = stream(self.time);
        if said != "done" {
            return said.into();
        }
        if self.way == "read" {
            let found = std::fs::read(&self.events).expect("the peer wrote it");
            return verdict(&of_records(&found), &truth);
        }
        let found = match read_ours(&self.file) {
            Ok(found) => found,
            Err(error) => {
                return error
                    .to_string()
                    .replace(self.file.to_str().unwrap(), "FILE");
            }
        };
        verdict(&found, &truth)
    }
}

/// Everything that both sides know; what we write for it and give to write is in `folder`.
fn jobs(folder: &Path) -> Vec<Job> {
    let mut jobs = Vec::new();
    for format in FORMATS {
        for &time in format.streams {
            let name = format.name;
            let path = |who: &str, extension: &str| {
                folder.join(format!("{time:?}.{name}.{who}.{extension}"))
            };
            let (events, truth) = (stream(time), path("truth", "events"));
            std::fs::write(&truth, records(&events)).unwrap();
            let ours = path("ours", format.extension);
            if !format.readers.is_empty() {
                write_ours(name, &ours, &events).unwrap_or_else(|e| panic!("{e}"));
            }
            let job = |way, peer, file, events| Job {
                way,
                peer,
                format: name,
                time,
                file,
                events,
            };
            for peer in format.readers {
                jobs.push(job("read", peer, ours.clone(), path(peer, "events")));
            }
            for peer in format.writers {
                // eventcv knows text by `.txt` alone.
                let extension = match (*peer, name) {
                    ("eventcv", "text") => "txt",
                    _ => format.extension,
                };
                jobs.push(job("write", peer, path(peer, extension), truth.clone()));
            }
        }
    }
    jobs
}

#[test]
fn event_files_of_ours_and_of_the_peers() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path());
    let list = folder.path().join("jobs");
    let lines: Vec<_> = jobs.iter().map(Job::line).collect();
    std::fs::write(&list, lines.join("\n")).unwrap();
    let told = peer("event_files.py", &[&list]);
    let told: Vec<_> = told.lines().collect();
    assert_eq!(told.len(), jobs.len(), "{told:?}");
    let mut unexpected = String::new();
    for (job, said) in jobs.iter().zip(told) {
        let (way, peer, format, time) = (job.way, job.peer, job.format, job.time);
        let known = (WRONG.iter()).find(|w| (w.0, w.1, w.2, w.3) == (way, peer, format, time));
        let (expected, found) = (known.map_or("the same", |w| w.4), job.verdict(said));
        if found != expected {
            let _ = writeln!(unexpected, "{way} {peer} {format} {time:?}: {found}");
        }
    }
    assert!(
        unexpected.is_empty(),
        "{} jobs; not as expected:\n{unexpected}",
        jobs.len()
    );
}
