//! Real recordings through `dvs_ingest` and `eprop_classifier`: every event that
//! `data/README.md` counts is taken in, and none is lost.

use std::path::Path;
use std::time::Instant;

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{Decision, Spikes};
use saccade_nodes::{Health, Input};
use saccade_rosbags::BagReader;
use saccade_tests::{Driven, FATES, count, published, recording, sum};

const TICK_NS: i64 = 1_000_000;

/// What the nodes made of a recording.
struct Seen {
    ingest: Health,
    classifier: Health,
    decisions: usize,
    /// Seconds of the recording for each second of wall time.
    ratio: f64,
}

fn feed(path: &Path) -> Seen {
    let mut ingest = Driven::new("dvs_ingest", &[("window", "0")]).unwrap();
    let mut classifier = Driven::new("eprop_classifier", &[("interval", "0.2")]).unwrap();
    let begun = Instant::now();
    let (mut first_ns, mut now_ns) = (None, 0);
    let mut decisions = 0;
    for message in BagReader::open(path).unwrap_or_else(|e| panic!("{e}")) {
        let message = message.unwrap_or_else(|e| panic!("{e}"));
        if message.type_name() != "event_camera_msgs/msg/EventPacket" {
            continue;
        }
        if first_ns.is_none() {
            now_ns = message.stamp_ns;
        }
        let begun_ns = *first_ns.get_or_insert(message.stamp_ns);
        while now_ns <= message.stamp_ns {
            let outputs = classifier.hand(now_ns, Input::Timer { name: "tick" });
            decisions += published::<Decision>(&outputs, "decision").len();
            now_ns += TICK_NS;
        }
        assert!(
            message.stamp_ns >= begun_ns,
            "messages come in order of time"
        );
        let packet: EventPacket = message.decode(path).unwrap_or_else(|e| panic!("{e}"));
        let outputs = ingest.message(now_ns, "events", packet);
        for spikes in published::<Spikes>(&outputs, "spikes") {
            classifier.message(now_ns, "spikes", (*spikes).clone());
        }
    }
    let seconds = (now_ns - first_ns.expect("packets")) as f64 / 1e9;
    Seen {
        ingest: ingest.health(),
        classifier: classifier.health(),
        decisions,
        ratio: seconds / begun.elapsed().as_secs_f64(),
    }
}

fn check(name: &str, packets: u64, events: u64) {
    let Some(path) = recording(name) else { return };
    let seen = feed(&path);
    eprintln!("{name}: {events} events, {:.1} times real time", seen.ratio);
    let ingest = &seen.ingest;
    assert_eq!(count(ingest, "packets"), packets, "{name}");
    assert_eq!(count(ingest, "events"), events, "{name}");
    for none in [
        "packets lost",
        "packets refused",
        "events outside the sensor",
        "events before the stream was in step",
        "unknown words",
        "torn bytes",
        "refused by the encoder",
        "steps back of the camera's clock",
    ] {
        assert_eq!(count(ingest, none), 0, "{name}: {none}");
    }
    assert_eq!(sum(ingest, &FATES), events, "{name}: {ingest:?}");
    let classifier = &seen.classifier;
    let ends = [
        "input spikes delivered",
        "input spikes left at a saccade's end",
        "waiting spikes",
    ];
    assert!(count(ingest, "spikes") > 0, "{name}");
    // Nothing between intervals, refused or dropped.
    assert_eq!(
        sum(classifier, &ends),
        count(ingest, "spikes"),
        "{name}: {classifier:?}"
    );
    assert!(seen.decisions > 0, "{name}: it decides while events arrive");
}

#[test]
fn evt3_from_a_ros1_bag() {
    check("test_events_1.bag", 517, 343_474);
}

#[test]
fn evt3_from_sqlite() {
    check("test_events_1.db3", 517, 343_474);
}

#[test]
fn libcaer_cmp_from_mcap() {
    check("test_events_2_0.mcap", 100, 571_266);
}

#[test]
fn evt3_of_a_large_sensor_from_sqlite() {
    check("test_data_evt3_trigger_0.db3", 105, 82_469);
}
