//! `saccade node` on ROS 2's network: driven by PyPI `cyclonedds`, killed and found
//! again; each test in a domain of its own, on loopback.
#![cfg(feature = "dds")]

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::sensor_msgs::Image;
use saccade_msgs::{Message, from_cdr, to_cdr};
use saccade_nodes::dds::{Options, Participant, Reach, Subscriber};
use saccade_nodes::parameters::COMMON;
use saccade_nodes::{Qos, registry};
use saccade_rosbags::{BagWriter, Connection, RawMessage};
use saccade_tests::{free_domain, peer_command, repository, until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node in a process of its own; killed if the test fails.
struct Running(Option<Child>);

impl Running {
    /// With services as `rmw_cyclonedds_cpp` has them, as the peer does.
    fn start(domain: u16, words: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
        command
            .arg("node")
            .args(words.split_whitespace())
            .env("ROS_DOMAIN_ID", domain.to_string())
            .env("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp")
            .stderr(Stdio::piped());
        for variable in [
            "ROS_DISTRO",
            "ROS_LOCALHOST_ONLY",
            "ROS_AUTOMATIC_DISCOVERY_RANGE",
        ] {
            command.env_remove(variable);
        }
        Self(Some(command.spawn().expect("it starts")))
    }

    fn signal(&mut self, signal: &str) {
        let pid = self.0.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    fn output(mut self) -> Output {
        let child = self.0.take().expect("it runs");
        child.wait_with_output().expect("it ends")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The one JSON document that a peer prints.
fn peer_says(domain: u16, arguments: &[&str]) -> Value {
    let (first, rest) = arguments.split_first().expect("a command");
    let output = peer_command("cyclonedds_node.py")
        .arg(first)
        .arg(domain.to_string())
        .args(rest)
        .output()
        .expect("runs the peer");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn number(text: &Value) -> u64 {
    let text = text.as_str().expect("a counter");
    text.parse().expect("a number")
}

#[test]
fn a_foreign_peer_drives_a_node_and_is_told_what_was_refused() {
    let domain = free_domain();
    let words = "dvs_ingest --ros-args -r __node:=eye -r __ns:=/head -r events:=/camera/events \
                 -r spikes:=/eye_spikes -p attention:=false";
    let mut node = Running::start(domain, words);
    let said = peer_says(domain, &["drive", "eye"]);
    assert_eq!(said["namespace"], "/head");
    // 20 packets of 50 events in the window; the first was sent until it was heard.
    let spikes = said["spikes"].as_u64().expect("a number");
    assert!(spikes >= 1000 && spikes.is_multiple_of(50), "{said}");
    let sequences: Vec<_> = said["sequences"].as_array().expect("numbers").clone();
    let numbers: Vec<_> = sequences.iter().filter_map(Value::as_u64).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "{numbers:?}");
    let counters = &said["counters"];
    assert!(number(&counters["refused events"]) > 0, "{counters}");
    assert!(number(&counters["events"]) >= 1050, "{counters}");
    // Who came late to the log was given it.
    let line = &said["log"][0];
    assert_eq!((&line[0], &line[1]), (&30.into(), &"head.eye".into()));
    let text = line[2].as_str().expect("a text");
    for part in ["/camera/events", "is no event_camera_msgs", "offset 8"] {
        assert!(text.contains(part), "{text}");
    }
    node.signal("-TERM");
    // As `ros2 launch` does after a terminal: it is the same wish.
    node.signal("-INT");
    let output = node.output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_foreign_peer_calls_services_and_sets_parameters() {
    let domain = free_domain();
    let words = "dvs_ingest --ros-args -r __node:=eye -r __ns:=/head";
    let _node = Running::start(domain, words);
    let said = peer_says(domain, &["ask", "/head/eye"]);
    let interface = registry::find("dvs_ingest").expect("a node").interface;
    let declared = interface.parameters.iter().chain(&COMMON);
    let names: Vec<_> = declared.map(|p| p.name).collect();
    assert_eq!(said["names"], json!(names));
    assert_eq!(
        said["described"],
        json!([
            ["out", 2, true, [[1, 512]]],
            ["surface_tau", 3, true, [[0.1, 100_000.0]]],
            ["filters", 4, false, []],
        ])
    );
    assert_eq!(said["types"], json!([4, 0]));
    let set = said["set"].as_array().expect("three results");
    let taken: Vec<_> = set.iter().map(|r| r[0] == true).collect();
    assert_eq!(taken, [true, false, false], "{said}");
    let reason = |r: &Value| r[1].as_str().expect("a text").to_owned();
    assert!(reason(&set[1]).contains("nonsense"), "{said}");
    assert!(reason(&set[2]).contains("read-only"), "{said}");
    assert_eq!(said["event"], json!(["/head/eye", [["filters", "flip_x"]]]));
    assert_eq!(said["atomically"][0], false);
    assert_eq!(said["values"], json!(["flip_x", 32]));
    assert_eq!(said["own"], json!([true, ""]));
}

#[test]
fn a_foreign_peer_sends_goals_and_cancels_them() {
    let domain = free_domain();
    let world = repository("worlds/grasp_table.sdf");
    let words = format!(
        "embedded_world --ros-args -p camera_rate:=0.0 -p world:={}",
        world.display()
    );
    let _node = Running::start(domain, &words);
    let said = peer_says(domain, &["move", "/arm_controller"]);
    let id = |i: u8| json!(vec![i; 16]);
    assert_eq!(
        (&said["taken"], &said["refused"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(said["feedback"][0], id(1));
    assert_eq!(said["feedback"][1].as_array().map(Vec::len), Some(6));
    // STATUS_SUCCEEDED, SUCCESSFUL; STATUS_UNKNOWN.
    assert_eq!(
        (&said["done"], &said["unknown"]),
        (&json!([4, 0]), &json!(0))
    );
    // ERROR_NONE; STATUS_CANCELED; ERROR_GOAL_TERMINATED.
    assert_eq!(said["cancelled"], json!([0, [id(3)]]));
    assert_eq!((&said["ended"], &said["again"]), (&json!(5), &json!(3)));
    assert_eq!(said["states"], json!([[id(1), 4], [id(3), 5]]));
}

#[test]
fn a_foreign_peer_takes_a_managed_node_through_its_states() {
    let domain = free_domain();
    let words = "event_generator --ros-args -p autostart:=false -p rate:=0.1";
    let _node = Running::start(domain, words);
    let said = peer_says(domain, &["manage", "/event_generator"]);
    // Whether the transition was made, where the node is then, and whether it is heard.
    let seen = json!([
        [null, "unconfigured", false],
        [false, "unconfigured", false],
        [true, "inactive", false],
        [true, "active", true],
        [true, "inactive", false],
        [true, "active", true],
        [true, "finalized", false],
    ]);
    assert_eq!(said["seen"], seen, "{said}");
    assert_eq!(said["here"], json!(["cleanup", "activate", "shutdown"]));
    let length = |part: &str| said[part].as_array().map(Vec::len);
    assert_eq!((length("graph"), length("states")), (Some(25), Some(11)));
    assert_eq!(said["graph"][0], json!([1, 1, 10]));
    assert_eq!(said["states"][3], json!([3, "active"]));
    // The last ten: more the reader does not keep.
    assert_eq!(length("told"), Some(10));
    let last = json!(["shuttingdown", "transition_success", "finalized"]);
    assert_eq!(said["told"][9], last);
}

const BEGUN_NS: i64 = 1_000_000_000_000;
const TICK_NS: i64 = 10_000_000;

/// A second of event packets, one each tick.
fn recorded_second(path: &Path) {
    let mut bag = BagWriter::create(path).expect("created");
    let connection = Arc::new(Connection::cdr::<EventPacket>("/events"));
    let packet = EventPacket {
        width: 64,
        height: 48,
        encoding: "mono".into(),
        ..EventPacket::default()
    };
    for i in 0..100 {
        let stamp_ns = BEGUN_NS + i64::from(i) * TICK_NS;
        let message = RawMessage {
            connection: Arc::clone(&connection),
            stamp_ns,
            publish_ns: stamp_ns,
            sequence: i,
            data: to_cdr(&packet),
        };
        bag.write_raw(&message).expect("written");
    }
    bag.finish().expect("complete");
}

#[test]
fn a_played_recording_is_the_time_of_a_node_however_fast_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let bag = folder.path().join("second.mcap");
    recorded_second(&bag);
    for rate in ["0.5", "4"] {
        let domain = free_domain();
        let mut here = join(domain);
        let words = "event_image --ros-args -p use_sim_time:=true";
        let mut node = Running::start(domain, words);
        let deep = Qos::SENSOR.depth(100);
        let mut images = here
            .subscribe("/image", Image::TYPE_NAME, deep)
            .expect("subscribes");
        let mut player = Command::new(env!("CARGO_BIN_EXE_saccade"));
        player.args(["bag", "play", bag.to_str().expect("UTF-8")]);
        player.args(["--clock", "100", "--rate", rate, "--wait-subscribers", "1"]);
        player.args(["--delay", "1", "--domain", &domain.to_string()]);
        let played = player.output().expect("it plays");
        assert!(played.status.success(), "{played:?}");
        // By then the last picture has come; the node waits for time to go on.
        here.wait(Duration::from_millis(300));
        let stamps: Vec<_> = std::iter::from_fn(|| images.take())
            .map(|m| from_cdr::<Image>(&m.cdr).expect("an image"))
            .map(|image| image.header.stamp.to_ns() - BEGUN_NS)
            .collect();
        // Each 40 ms of the recording, at a time that the clock has told.
        assert!((20..=24).contains(&stamps.len()), "rate {rate}: {stamps:?}");
        assert!(stamps.is_sorted(), "rate {rate}: {stamps:?}");
        let told = |ns: &i64| (40_000_000..1_000_000_000).contains(ns) && ns % TICK_NS == 0;
        assert!(stamps.iter().all(told), "rate {rate}: {stamps:?}");
        node.signal("-INT");
        assert_eq!(node.output().status.code(), Some(0));
    }
}

fn subscribe(participant: &mut Participant) -> Subscriber {
    participant
        .subscribe("/events", "event_camera_msgs/msg/EventPacket", Qos::SENSOR)
        .expect("subscribes")
}

fn join(domain: u16) -> Participant {
    let mut options = Options::from_env("tester", Some(Reach::Localhost)).expect("valid");
    options.domain = domain;
    Participant::join(&options).expect("joins")
}

#[test]
fn a_node_that_is_killed_is_found_again_in_its_domain_alone() {
    let domain = free_domain();
    let (mut here, mut elsewhere) = (join(domain), join(free_domain()));
    let (mut heard, mut not_heard) = (subscribe(&mut here), subscribe(&mut elsewhere));
    let mut publishers = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let mut node = Running::start(domain, "event_generator --ros-args -p rate:=0.1");
        let publisher = until("a message", || {
            here.wait(Duration::from_millis(10));
            std::iter::from_fn(|| heard.take())
                .map(|m| m.publisher)
                .find(|p| !publishers.contains(p))
        });
        let took = begun.elapsed();
        eprintln!("found after {took:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
        publishers.push(publisher);
        node.signal("-KILL");
        node.output();
    }
    assert!(elsewhere.topics().is_empty(), "{:?}", elsewhere.topics());
    assert_eq!(not_heard.take(), None);
}

#[test]
fn what_cannot_be_run_says_why() {
    for (words, part) in [
        ("nobody", "no node 'nobody'"),
        ("dvs_ingest --ros-args -p", "-p needs name:=value"),
        ("dvs_ingest --ros-args -p gap:=soon", "gap"),
        ("dvs_ingest --ros-args -r nothing:=/x", "no such name"),
        ("dvs_ingest --ros-args --log-level loud", "use debug"),
        ("dvs_ingest --ros-args --params-file none.yaml", "none.yaml"),
        ("dvs_ingest --speed 3", "--speed"),
    ] {
        let output = Running::start(free_domain(), words).output();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{said}");
    }
}
