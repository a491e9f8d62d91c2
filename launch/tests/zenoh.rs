//! Nodes over Zenoh, against `zenoh-ros2-sdk` from PyPI, which speaks as `rmw_zenoh_cpp` does;
//! each test with a router of its own, on loopback.
#![cfg(feature = "zenoh")]

use saccade_nodes::graph::Graph;
use saccade_nodes::interface::Endpoint;
use saccade_nodes::network::{HOST_TOPICS, PARAMETER_EVENTS};
use saccade_nodes::{NodeSpec, lifecycle, replay};
use saccade_tests::{peer_command, repository};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A process that is killed when the test is done with it.
struct Running(Option<Child>);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().expect("it starts")))
    }

    fn signal(&mut self, signal: &str) {
        let pid = self.0.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    /// Ends it as `ros2 launch` does.
    fn interrupt(mut self) -> Output {
        self.signal("-INT");
        let child = self.0.take().expect("it runs");
        child.wait_with_output().expect("it ends")
    }

    fn kill(mut self) {
        self.signal("-KILL");
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

/// A router, and the port at which it listens. It is of another language's package.
struct Router {
    port: u16,
    _process: Running,
}

impl Router {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let mut command = peer_command("zenoh_ros.py");
        command.args(["router", &port.to_string()]);
        let mut process = Running::start(command.stdout(Stdio::piped()));
        let said = process.0.as_mut().and_then(|p| p.stdout.take());
        let mut lines = BufReader::new(said.expect("piped")).lines();
        let first = lines.next().expect("it says so").expect("text");
        assert!(first.contains("router"), "{first}");
        Router {
            port,
            _process: process,
        }
    }

    fn saccade(&self, domain: u16, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
        let connect = format!("connect/endpoints=[\"tcp/127.0.0.1:{}\"]", self.port);
        command
            .args(words.split_whitespace())
            .env("ROS_DOMAIN_ID", domain.to_string())
            .env("RMW_IMPLEMENTATION", "rmw_zenoh_cpp")
            .env("ZENOH_CONFIG_OVERRIDE", connect)
            .env("ZENOH_ROUTER_CHECK_ATTEMPTS", "10")
            .env_remove("ROS_DISTRO")
            .env_remove("ZENOH_SESSION_CONFIG_URI")
            .stderr(Stdio::piped());
        command
    }

    fn node(&self, domain: u16, words: &str) -> Running {
        Running::start(&mut self.saccade(domain, &format!("node {words}")))
    }

    fn peer(&self, domain: u16, arguments: &[&str]) -> Command {
        let (first, rest) = arguments.split_first().expect("a command");
        let mut command = peer_command("zenoh_ros.py");
        command.args([first, &*self.port.to_string(), &domain.to_string()]);
        command.args(rest);
        command
    }

    /// The one JSON document that a peer prints.
    fn peer_says(&self, domain: u16, arguments: &[&str]) -> Value {
        let output = self.peer(domain, arguments).output();
        let output = output.expect("runs the peer");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    }
}

/// What comes and goes in a domain, a line each.
struct Watch {
    lines: BufReader<ChildStdout>,
    _process: Running,
}

impl Watch {
    fn start(router: &Router, domain: u16, topic: &str) -> Self {
        let mut command = router.peer(domain, &["watch", topic]);
        let mut process = Running::start(command.stdout(Stdio::piped()));
        let said = process.0.as_mut().and_then(|p| p.stdout.take());
        let mut watch = Watch {
            lines: BufReader::new(said.expect("piped")),
            _process: process,
        };
        watch.next("ready", topic);
        watch
    }

    /// Waits for something, by a part of its key expression; what came before it.
    fn next(&mut self, what: &str, part: &str) -> Vec<[String; 2]> {
        let mut before = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended before {what} {part}: {before:?}");
            let said: [String; 2] = serde_json::from_str(&line).expect("JSON");
            if said[0] == what && said[1].contains(part) {
                return before;
            }
            before.push(said);
        }
    }
}

fn number(text: &Value) -> u64 {
    let text = text.as_str().expect("a counter");
    text.parse().expect("a number")
}

/// What is said only where something changes, only once an object was found, or by cameras
/// that the embedded world has none of.
const NOT_SAID: [&str; 7] = [
    PARAMETER_EVENTS,
    lifecycle::EVENTS.name,
    "/grasp/markers",
    "/grasp/object_pose",
    "/grasp/planned",
    "/clock_relation",
    "/image_events",
];

#[test]
fn every_topic_of_the_grasping_loop_is_read_with_its_hash_and_attachment() {
    let file = repository("launch/grasp.launch.xml");
    let launch = format!("launch {} trials:=50 --json", file.display());
    let router = Router::start();
    let printed = router.saccade(3, &format!("{launch} --print")).output();
    let specs: Vec<NodeSpec> =
        serde_json::from_slice(&printed.expect("it prints").stdout).expect("nodes");
    let (graph, instances) = Graph::build(&specs).expect("a graph");
    let mut topics = BTreeSet::new();
    for (node, instance) in instances.iter().enumerate() {
        let name = |endpoint: &Endpoint| match graph.publishes(node, endpoint.name) {
            Some(topic) => graph.topics[topic].name.clone(),
            None => endpoint.name.to_owned(),
        };
        topics.extend(instance.interface.publishers.iter().map(name));
        topics.extend(HOST_TOPICS.iter().map(name));
    }
    topics.retain(|topic| !NOT_SAID.contains(&topic.as_str()));
    assert!(topics.len() >= 18, "{topics:?}");
    let mut speaker = router.saccade(3, &format!("{launch} --realtime --ros zenoh"));
    let _speaker = Running::start(speaker.stdout(Stdio::null()).stderr(Stdio::null()));
    let names = topics.into_iter().collect::<Vec<_>>().join(",");
    let read = router.peer_says(3, &["graph", &names]);
    for nothing in ["silent", "attachments", "strangers"] {
        assert_eq!(read[nothing], json!([]), "{read}");
    }
    assert_eq!(read["hashes"], json!({}), "{read}");
    assert!(read["checked"].as_u64() > Some(500), "{read}");
    let nodes = read["nodes"].as_array().expect("names");
    assert!(specs.iter().all(|spec| nodes.contains(&json!(spec.name))));
}

#[test]
fn a_foreign_peer_drives_a_node_and_is_told_what_was_refused() {
    let router = Router::start();
    let words = "dvs_ingest --ros-args -r __node:=eye -r __ns:=/head -r events:=/camera/events \
                 -r spikes:=/eye_spikes -p attention:=false";
    let node = router.node(4, words);
    let said = router.peer_says(4, &["drive", "eye"]);
    let token = said["token"].as_str().expect("a token");
    assert!(token.starts_with("@ros2_lv/4/"), "{token}");
    assert!(token.ends_with("/NN/%/%head/eye"), "{token}");
    for kind in ["MP", "MS", "SS"] {
        assert!(said["kinds"][kind].as_u64() > Some(1), "{said}");
    }
    // 20 packets of 50 events in the window; the first was sent until it was heard.
    let spikes = said["spikes"].as_u64().expect("a number");
    assert!(spikes >= 1000 && spikes.is_multiple_of(50), "{said}");
    let sequences = said["sequences"].as_array().expect("numbers");
    let numbers: Vec<_> = sequences.iter().filter_map(Value::as_u64).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "{numbers:?}");
    let refused = number(&said["counters"]["refused events"]);
    assert_eq!(Some(refused), said["sent"].as_u64(), "{said}");
    let line = &said["log"][0];
    assert_eq!((&line[0], &line[1]), (&30.into(), &"head.eye".into()));
    let text = line[2].as_str().expect("a text");
    for part in [
        "/camera/events",
        "is no event_camera_msgs",
        "attachment of 33 bytes",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let ended = node.interrupt();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn a_foreign_peer_gets_and_sets_parameters() {
    let router = Router::start();
    let _node = router.node(5, "dvs_ingest --ros-args -r __node:=eye -r __ns:=/head");
    let said = router.peer_says(5, &["ask", "/head/eye"]);
    assert_eq!(said["before"], json!([[4, "", 0], [2, "", 32]]), "{said}");
    assert_eq!(said["set"][0], json!([true, ""]), "{said}");
    for (i, part) in [(1, "nonsense"), (2, "read")] {
        assert_eq!(said["set"][i][0], false, "{said}");
        let why = said["set"][i][1].as_str().expect("a reason");
        assert!(why.contains(part), "{said}");
    }
    assert_eq!(said["after"], json!(["flip_x"]), "{said}");
    assert_eq!(said["answers"], 50, "{said}");
}

/// The head's controller in one process, the robot that it moves in the other: an action's
/// and a service's both sides.
#[test]
fn two_processes_find_each_other_by_the_router_and_serve_each_other() {
    let router = Router::start();
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("head.mcap");
    let words = "embedded_world --ros-args -p camera_rate:=0.0 -p world:=";
    let world = repository("worlds/grasp_table.sdf");
    let world = router.node(6, &format!("{words}{}", world.display()));
    let words = format!(
        "microsaccade --duration 8 --record {} --ros-args -p period:=0.5",
        record.display()
    );
    let mut head = router.saccade(6, &format!("node {words}"));
    let ended = head.output().expect("it runs");
    assert!(ended.status.success(), "{ended:?}");
    drop(world);
    let replay = replay::run(&record).expect("it replays");
    assert!(replay.identical(), "{replay:?}");
    // Of each saccade the beginning and the end, of which the second is the action's result.
    let phases = replay.equal.get("/saccade").copied().unwrap_or(0);
    assert!(phases > 2, "{replay:?}");
}

#[test]
fn who_is_killed_and_comes_again_is_found_and_nothing_crosses_domains() {
    let router = Router::start();
    let start = |domain| router.node(domain, "event_generator --ros-args -p rate:=0.01");
    let mut watch = Watch::start(&router, 7, "/events");
    let _elsewhere = start(8);
    let first = start(7);
    watch.next(
        "heard",
        "7/events/event_camera_msgs::msg::dds_::EventPacket_/RIHS01_",
    );
    first.kill();
    watch.next("gone", "/NN/");
    let begun = Instant::now();
    let _second = start(7);
    let before = watch.next("here", "/NN/");
    watch.next("heard", "7/events/");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    let of_seven =
        |said: &[String; 2]| said[1].starts_with("@ros2_lv/7/") || said[1].starts_with("7/");
    assert!(before.iter().all(of_seven), "{before:?}");
    // It is there, and heard by who asks for its domain.
    Watch::start(&router, 8, "/events").next("heard", "8/events/");
}

#[test]
fn what_cannot_be_is_said() {
    let says = |change: &dyn Fn(&mut Command)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
        command.args(["node", "event_generator", "--duration", "1"]);
        command.env("RMW_IMPLEMENTATION", "rmw_zenoh_cpp");
        change(&mut command);
        let output = command.output().expect("it runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    // Nobody listens at port 9.
    let alone = "connect/endpoints=[\"tcp/127.0.0.1:9\"]";
    for (variable, value, part) in [
        (
            "ZENOH_ROUTER_CHECK_ATTEMPTS",
            "2",
            "no Zenoh router answered in 2 attempts",
        ),
        (
            "ZENOH_ROUTER_CHECK_ATTEMPTS",
            "two",
            "expected a whole number",
        ),
        ("ZENOH_SESSION_CONFIG_URI", "nowhere.json5", "nowhere.json5"),
        ("ZENOH_CONFIG_OVERRIDE", "mode=\"king\"", "mode=\"king\""),
        ("ROS_DOMAIN_ID", "233", "0 to 232"),
    ] {
        let (code, text) = says(&|command| {
            command
                .env("ZENOH_CONFIG_OVERRIDE", alone)
                .env(variable, value);
        });
        assert_eq!(code, Some(1), "{variable}={value}: {text}");
        assert!(text.contains(variable) || text.contains(part), "{text}");
        assert!(text.contains(part), "{text}");
    }
    let (code, text) = says(&|command| {
        command.arg("--network");
    });
    assert_eq!(code, Some(2), "{text}");
    // Without a router it runs all the same, and ends.
    let (code, text) = says(&|command| {
        command.env("ZENOH_CONFIG_OVERRIDE", alone);
    });
    assert_eq!(code, Some(0), "{text}");
}
