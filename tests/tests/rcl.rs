//! Nodes on a ROS 2 that is installed. Built and run where one is sourced, `saccade_msgs`
//! and `control_msgs` among it:
//!
//!     cargo test --release --package saccade-tests --features rcl --test rcl
#![cfg(feature = "rcl")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use saccade_nodes::{HostError, NodeSpec, RunOptions, rcl, realtime, replay};
use saccade_tests::{count, free_domain, repository};

/// Two runs, as two processes are: the head's controller is in the one, who moves it in
/// the other, so that publishers, subscriptions, a service's and an action's both sides
/// are used; the types' code is loaded, structures are made, written, read and freed.
#[test]
fn nodes_of_two_runs_serve_each_other() {
    let (domain, stop) = (free_domain(), Arc::new(AtomicBool::new(false)));
    let folder = tempfile::tempdir().expect("a folder");
    let start = |node: NodeSpec| {
        let record = folder.path().join(format!("{}.mcap", node.exec));
        let options = RunOptions {
            network: Some(rcl::connect(Some(domain))),
            stop: stop.clone(),
            record: Some(record.clone()),
            ..RunOptions::default()
        };
        std::thread::spawn(move || (realtime::run(&[node], options), record))
    };
    let (head, record) = {
        let head = start(NodeSpec::new("microsaccade").parameter("period", 0.5));
        let world = start(
            NodeSpec::new("embedded_world")
                .parameter("world", repository("worlds/grasp_table.sdf").display())
                .parameter("camera_rate", 0.0),
        );
        std::thread::sleep(Duration::from_secs(8));
        stop.store(true, Ordering::Relaxed);
        let (world, _) = world.join().expect("no panic");
        world.expect("the world runs");
        head.join().expect("no panic")
    };
    let report = head.expect("the head runs");
    let (_, health) = &report.health[0];
    assert_eq!(count(health, "failed"), 0, "{health:?}");
    assert!(count(health, "saccades") > 1, "{health:?}");
    let replay = replay::run(&record).expect("it replays");
    assert!(replay.identical(), "{replay:?}");
    // Of each saccade the beginning and the end, of which the second is the action's result.
    let phases = replay.equal.get("/saccade").copied().unwrap_or(0);
    assert!(phases > 2, "{replay:?}");
}

#[test]
fn what_is_not_installed_or_no_name_says_so() {
    let run = |node: NodeSpec| {
        let options = RunOptions {
            network: Some(rcl::connect(Some(free_domain()))),
            duration_ns: Some(1_000_000_000),
            ..RunOptions::default()
        };
        realtime::run(&[node], options).map(|_| ())
    };
    let mut wrong = NodeSpec::new("event_generator");
    wrong.name = "a/b c".to_owned();
    let refused = run(wrong).expect_err("no name of a node");
    assert!(
        matches!(refused, HostError::Network(_) | HostError::Graph(_)),
        "{refused}"
    );
    run(NodeSpec::new("event_generator")).expect("it runs");
}
