//! `saccade events`, `bag`, `dataset` and `plot` as a user runs them.

use image::AnimationDecoder;
use saccade_msgs::Event;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::saccade_msgs::{Label, SaccadePhase, Spikes};
use saccade_msgs::std_msgs::Header;
use saccade_rosbags::BagWriter;
use saccade_rosbags::dataset::{EVENTS_TOPIC, LABEL_TOPIC, SACCADE_TOPIC};
use saccade_rosbags::events::{Geometry, mono_packet};
use std::path::Path;
use std::process::{Command, Output};

fn saccade(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(args)
        .output()
        .expect("the command starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// A recording with `packets` packets of 100 events; those in `missing` were lost.
fn recording(path: &Path, packets: u64, missing: &[u64]) {
    let mut bag = BagWriter::create(path).expect("a bag");
    for seq in (0..packets).filter(|s| !missing.contains(s)) {
        let base_us = 1_000_000 + seq * 10_000;
        let header = Header {
            stamp: Time::from_ns(base_us as i64 * 1000),
            ..Header::default()
        };
        let event = |i: u64| Event {
            t_us: base_us + i * 100,
            x: (i % 40) as u16,
            y: (seq % 30) as u16,
            on: i < 30,
        };
        let events: Vec<Event> = (0..100).map(event).collect();
        let sensor = Geometry {
            width: 40,
            height: 30,
        };
        let packet = mono_packet(&events, base_us * 1000, sensor, seq, "dvs").expect("fits");
        let stamp_ns = base_us as i64 * 1000;
        let label = Label {
            header: header.clone(),
            label: "pen".into(),
            class_id: 2,
            learn: true,
        };
        let phase = SaccadePhase {
            header: header.clone(),
            id: seq as u32,
            moving: seq == 0,
            ..SaccadePhase::default()
        };
        let spikes = Spikes {
            header,
            size: 9,
            seq,
            ids: vec![(seq % 9) as u32],
            offsets_us: vec![5],
            ..Spikes::default()
        };
        bag.write(LABEL_TOPIC, stamp_ns, &label).expect("written");
        bag.write(SACCADE_TOPIC, stamp_ns, &phase).expect("written");
        bag.write("/spikes", stamp_ns, &spikes).expect("written");
        bag.write(EVENTS_TOPIC, stamp_ns, &packet).expect("written");
    }
    bag.finish().expect("closed");
}

#[test]
fn a_recording_is_summed_up_the_same_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut checksums = Vec::new();
    for name in ["a.mcap", "a.bag"] {
        let path = folder.path().join(name);
        recording(&path, 20, &[]);
        let output = saccade(&["events", "info", "--json", text(&path)]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let info = json(&output);
        assert_eq!(info["events"], 2000);
        assert_eq!((&info["on"], &info["off"]), (&600.into(), &1400.into()));
        assert_eq!((&info["width"], &info["height"]), (&40.into(), &30.into()));
        assert_eq!(info["t_first_us"], 1_000_000);
        assert_eq!(info["t_last_us"], 1_199_900);
        checksums.push(info["checksum"].clone());
        let bag = json(&saccade(&["bag", "info", "--json", text(&path)]));
        assert_eq!(bag["messages"], 80);
        assert_eq!(bag["topics"].as_array().map(Vec::len), Some(4));
        let dataset = json(&saccade(&["dataset", "info", "--json", text(&path)]));
        assert_eq!(dataset["samples"], 1);
        assert_eq!(dataset["classes"][0]["events_max"], 2000);
    }
    assert_eq!(checksums[0], checksums[1]);
}

#[test]
fn the_bench_reads_what_info_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let bag = folder.path().join("a.mcap");
    recording(&bag, 10, &[]);
    let info = json(&saccade(&["events", "info", text(&bag), "--json"]));
    let output = saccade(&["events", "bench", text(&bag), "--runs", "2", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let speed = json(&output);
    for field in ["format", "events", "checksum"] {
        assert_eq!(speed[field], info[field], "{field}");
    }
    assert_eq!(speed["runs"], 2);
    assert!(
        speed["events_mev_s"]
            .as_f64()
            .is_some_and(|rate| rate > 0.0)
    );
}

#[test]
fn lost_packets_have_an_exit_status_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.mcap");
    recording(&path, 20, &[3, 4]);
    let output = saccade(&["events", "info", text(&path)]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(warning.contains("2 packets missing"), "{warning}");
}

#[test]
fn frames_cover_the_recording_and_respect_their_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.mcap");
    recording(&path, 20, &[]);
    let frames = folder.path().join("frames");
    let render = |more: &[&str]| {
        let mut args = vec!["events", "render", text(&path), "--out", text(&frames)];
        args.extend(more);
        saccade(&args)
    };
    assert_eq!(render(&["--fps", "20"]).status.code(), Some(0));
    // 199.9 ms in frames of 50 ms, and the picture of all.
    assert_eq!(std::fs::read_dir(&frames).expect("frames").count(), 5);
    std::fs::remove_dir_all(&frames).expect("removed");
    assert_eq!(
        render(&["--window-ms", "10", "--max-frames", "3"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(std::fs::read_dir(&frames).expect("frames").count(), 4);
    assert_eq!(render(&["--fps", "0"]).status.code(), Some(2));
    let film = folder.path().join("film.gif");
    let images = folder.path().join("images.mcap");
    for out in [&film, &images] {
        let args = [
            "events",
            "render",
            text(&path),
            "--fps",
            "20",
            "-o",
            text(out),
        ];
        assert_eq!(saccade(&args).status.code(), Some(0));
    }
    let film = std::fs::File::open(&film).expect("a film");
    let film = image::codecs::gif::GifDecoder::new(std::io::BufReader::new(film)).expect("a GIF");
    let delays: Vec<_> = (film.into_frames())
        .map(|frame| frame.expect("a frame").delay().numer_denom_ms())
        .collect();
    assert_eq!(delays, [(50, 1); 4]);
    let info = json(&saccade(&["bag", "info", text(&images), "--json"]));
    assert_eq!(info["messages"], 4, "{info}");
    let raster = folder.path().join("raster.png");
    let output = saccade(&["plot", "raster", text(&path), "--out", text(&raster)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    image::open(&raster).expect("a picture");
    let all = folder.path().join("all.png");
    let output = saccade(&["plot", "events", text(&path), "--out", text(&all)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    image::open(&all).expect("a picture");
    let output = saccade(&["plot", "confusion", text(&path), "--out", text(&all)]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "a bag has no confusion matrix"
    );
}

#[test]
fn a_truncated_recording_fails_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.mcap", "a.bag"] {
        let path = folder.path().join(name);
        recording(&path, 200, &[]);
        let bytes = std::fs::read(&path).expect("bytes");
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
        let out = folder.path().join("out");
        for args in [
            vec!["events", "info", text(&path)],
            vec!["events", "render", text(&path), "--out", text(&out)],
            vec!["bag", "info", text(&path)],
            vec!["dataset", "info", text(&path)],
            vec![
                "train",
                "classifier",
                text(&path),
                "--out",
                "out/w.safetensors",
            ],
        ] {
            let output = saccade(&args);
            assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(error.contains(name), "the file is named: {error}");
            assert!(output.stdout.is_empty(), "{args:?}");
        }
        assert!(!out.exists());
    }
}

#[test]
fn a_data_set_of_no_world_fails_by_name_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("a.mcap");
    let args = [
        "dataset",
        "make",
        "--world",
        "no/such.sdf",
        "--out",
        text(&out),
    ];
    let output = saccade(&args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such.sdf"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
    let output = saccade(&["dataset", "make", "--out", "a.txt"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// What public decoders find in public recordings.
const RECORDINGS: [(&str, &str); 7] = [
    (
        "test_events_1.bag",
        r#"{"events": 343474, "on": 125183, "sum_x": 116731888, "sum_y": 80879209, "triggers": 4157, "triggers_rising": 2079, "seq_first": 5590, "seq_last": 6106}"#,
    ),
    (
        "test_events_1.db3",
        r#"{"events": 343474, "on": 125183, "sum_x": 116731888, "sum_y": 80879209, "sum_t_us": 2851601611994, "triggers": 4157}"#,
    ),
    (
        "test_events_2_0.mcap",
        r#"{"events": 571266, "on": 211043, "sum_x": 118469679, "sum_y": 78763572, "seq_first": 101, "seq_last": 200}"#,
    ),
    (
        "test_data_evt3_trigger_0.db3",
        r#"{"events": 82469, "on": 41439, "sum_x": 42078718, "sum_y": 31656267, "triggers": 2}"#,
    ),
    (
        "sample_evt3.raw",
        r#"{"events": 219596, "t_last_us": 11727457, "width": 1280, "height": 720}"#,
    ),
    ("sample_evt2.raw", r#"{"events": 539481}"#),
    (
        "sample_ncars.dat",
        r#"{"events": 2009, "on": 1350, "t_last_us": 99952}"#,
    ),
];

#[test]
fn every_event_of_the_reference_recordings_is_counted() {
    let Some(data) = std::env::var_os("SACCADE_TEST_DATA") else {
        eprintln!(
            "NOT RUN: every_event_of_the_reference_recordings_is_counted needs SACCADE_TEST_DATA"
        );
        return;
    };
    for (name, expected) in RECORDINGS {
        let path = Path::new(&data).join("events").join(name);
        let output = saccade(&["events", "info", "--json", text(&path)]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        let info = json(&output);
        let expected: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(expected).expect("JSON");
        for (field, value) in expected {
            assert_eq!(info[&field], value, "{name}: {field}");
        }
    }
}

#[test]
fn a_recording_is_converted_whole_in_part_and_filtered() {
    let folder = tempfile::tempdir().expect("a folder");
    let bag = folder.path().join("a.mcap");
    recording(&bag, 20, &[]);
    let info = |path: &Path| json(&saccade(&["events", "info", "--json", text(path)]));
    let convert = |out: &Path, options: &[&str]| {
        let arguments = ["events", "convert", "--json", text(&bag), text(out)];
        saccade(&[&arguments, options].concat())
    };
    let whole = info(&bag)["checksum"].clone();
    for (name, options) in [
        ("a.aedat4", &["--compression", "zstd"][..]),
        ("a.raw", &["--encoding", "evt21"]),
        ("a.bag", &["--encoding", "evt3", "--out-topic", "/camera"]),
        ("a.npz", &[]),
    ] {
        let out = folder.path().join(name);
        let output = convert(&out, options);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = json(&output);
        assert_eq!((&said["events"], &said["checksum"]), (&2000.into(), &whole));
        assert_eq!(info(&out)["checksum"], whole, "{name}");
    }
    // From 10 ms after the first event on, 20 ms: two packets.
    let part = folder.path().join("part.csv");
    let options = [
        "--start-us",
        "10000",
        "--duration-us",
        "20000",
        "--from-zero",
    ];
    let said = json(&convert(&part, &options));
    assert_eq!(
        (&said["events"], &said["left_out"]),
        (&200.into(), &1800.into())
    );
    assert_eq!(info(&part)["t_last_us"], 19_900);
    let on = folder.path().join("on.es");
    let said = json(&convert(&on, &["--filter", "polarity=on"]));
    assert_eq!(said["events"], 600);
    assert_eq!(said["filters"][0]["events"], 1400);
    // Wrong usage, and a file that does not appear.
    let wrong = convert(&folder.path().join("b.es"), &["--filter", "nonsense"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    let failed = convert(&folder.path().join("b.es"), &["--encoding", "evt3"]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let left = std::fs::read_dir(folder.path()).expect("lists").count();
    assert_eq!(left, 7, "nothing is left of what failed");
}
