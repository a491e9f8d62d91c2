//! More events than anyone can take: what is not taken is counted.

use saccade_nodes::{Health, NodeSpec, RunOptions, RunReport, lockstep, realtime};
use saccade_tests::{FATES, count, sum};
use std::collections::BTreeMap;

/// A camera that sends `rate` million events per second, and the ingest.
fn camera_and_ingest(rate: u32) -> [NodeSpec; 2] {
    [
        NodeSpec::new("event_generator").parameter("rate", rate),
        NodeSpec::new("dvs_ingest")
            .parameter("attention", false)
            .parameter("window", 1280),
    ]
}

fn for_s(seconds: f64) -> RunOptions {
    RunOptions {
        duration_ns: Some((seconds * 1e9) as i64),
        ..RunOptions::default()
    }
}

fn health<'a>(report: &'a RunReport, node: &str) -> &'a Health {
    let found = report.health.iter().find(|(name, _)| name == node);
    &found.expect("the node ran").1
}

#[test]
fn in_lockstep_every_event_arrives() {
    let report = lockstep::run(&camera_and_ingest(20), for_s(0.2)).expect("runs");
    let sent = count(health(&report, "/event_generator"), "events");
    let ingest = health(&report, "/dvs_ingest");
    assert!(sent > 3_000_000, "{report:?}");
    assert_eq!(count(ingest, "events"), sent);
    assert_eq!(sum(ingest, &FATES), sent, "{ingest:?}");
}

#[test]
fn at_overload_the_counts_add_up() {
    let report = realtime::run(&camera_and_ingest(400), for_s(1.0)).expect("runs");
    let camera = health(&report, "/event_generator");
    let ingest = health(&report, "/dvs_ingest");
    let of = |table: &BTreeMap<String, u64>| table.get("/dvs_ingest events").copied();
    let dropped = of(&report.dropped).expect("too much was sent");
    let waiting = of(&report.unhandled).unwrap_or(0);
    assert!(report.lost_data());
    let heard = count(ingest, "packets");
    assert_eq!(count(camera, "packets"), heard + dropped + waiting);
    // The stream tells time and row at the start of each packet: a loss costs
    // no event but its own.
    assert_eq!(count(ingest, "events before the stream was in step"), 0);
    let events = heard * count(camera, "events of a packet");
    assert_eq!(count(ingest, "events"), events);
    assert_eq!(sum(ingest, &FATES), events, "{ingest:?}");
}
