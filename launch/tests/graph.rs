//! Every topic of the grasping loop, read by PyPI `cyclonedds`.
#![cfg(feature = "dds")]

use saccade_msgs::registry;
use saccade_nodes::graph::Graph;
use saccade_nodes::interface::Reliability;
use saccade_nodes::network::{HOST_TOPICS, PARAMETER_EVENTS};
use saccade_nodes::{NodeSpec, Qos, lifecycle};
use saccade_tests::{free_domain, peer_command, repository};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// What is said only where something changes: `tests/node.rs` has the peer change it.
const OF_CHANGES: [&str; 2] = [PARAMETER_EVENTS, lifecycle::EVENTS.name];

fn launch(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
    command.arg("launch");
    command.arg(repository("launch/grasp.launch.xml"));
    command.args(["trials:=50", "--json"]);
    command.args(words);
    for variable in [
        "ROS_DISTRO",
        "ROS_LOCALHOST_ONLY",
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Types and QoS by topic, as the nodes declare them.
fn declared() -> BTreeMap<String, (&'static str, Vec<Qos>)> {
    let printed = launch(&["--print"]).output().expect("it prints");
    let specs: Vec<NodeSpec> = serde_json::from_slice(&printed.stdout).expect("nodes");
    let (graph, instances) = Graph::build(&specs).expect("a graph");
    let mut topics: BTreeMap<_, (_, Vec<Qos>)> = BTreeMap::new();
    for (node, instance) in instances.iter().enumerate() {
        let of_host = HOST_TOPICS.iter().filter(|t| !OF_CHANGES.contains(&t.name));
        for endpoint in instance.interface.publishers.iter().chain(of_host) {
            let name = match graph.publishes(node, endpoint.name) {
                Some(topic) => graph.topics[topic].name.clone(),
                None => endpoint.name.to_owned(),
            };
            let (_, all) = topics
                .entry(name)
                .or_insert((endpoint.type_name, Vec::new()));
            all.push(endpoint.qos);
        }
    }
    topics
}

/// Has the peer read topics while a command runs.
fn read(topics: &[(&String, &(&'static str, Vec<Qos>))], domain: u16, mut speaker: Command) {
    let folder = tempfile::tempdir().expect("a folder");
    let described = topics.iter().map(|(name, (type_name, all))| {
        let qos = Qos::common(all, 1);
        json!({
            "name": name,
            "type": type_name,
            "definition": registry::definition_of(type_name),
            "reliable": qos.reliability == Reliability::Reliable,
            "latched": qos.transient_local,
        })
    });
    let file = folder.path().join("topics.json");
    std::fs::write(&file, json!(described.collect::<Vec<_>>()).to_string()).expect("written");
    let speaker = speaker.stdout(Stdio::null()).stderr(Stdio::null());
    let mut speaker = speaker.spawn().expect("it starts");
    let read = peer_command("cyclonedds_graph.py")
        .arg(domain.to_string())
        .arg(&file)
        .output();
    let _ = speaker.kill();
    let _ = speaker.wait();
    let read = read.expect("runs the peer");
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{said}");
    let read: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    assert_eq!(read["wrong"], json!({}), "{}", read["counts"]);
}

/// What comes only once an object was found, for which the robot must keep up with the wall
/// clock: a busy machine does not. A run in lockstep has it, and is played.
const OF_GRASPS: [&str; 3] = ["/grasp/markers", "/grasp/object_pose", "/grasp/planned"];
/// Of cameras with a clock of their own, and of those that give images: the world's is neither.
const NOT_SAID: [&str; 2] = ["/clock_relation", "/image_events"];

#[test]
fn a_foreign_peer_reads_every_topic_that_the_grasping_loop_publishes() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |name: &str| folder.path().join(name).display().to_string();
    let mut topics = declared();
    for topic in NOT_SAID {
        assert!(topics.remove(topic).is_some(), "{topic}");
    }
    assert!(topics.len() > 20, "{topics:?}");
    let of_grasps = |t: &(&String, _)| OF_GRASPS.contains(&t.0.as_str());
    let (grasps, others): (Vec<_>, Vec<_>) = topics.iter().partition(of_grasps);
    assert_eq!(grasps.len(), OF_GRASPS.len());

    let domain = free_domain();
    let words = [
        "--realtime",
        "--ros",
        "dds",
        "--domain",
        &domain.to_string(),
    ];
    let mut live = launch(&words);
    live.args(["record:=false", "--report", &text("live")]);
    read(&others, domain, live);

    let (domain, bag) = (free_domain(), text("grasp.mcap"));
    let mut lockstep = launch(&["--duration", "8", "--report", &text("lockstep")]);
    let run = lockstep.arg(format!("record:={bag}")).output();
    let run = run.expect("it runs");
    assert!(std::path::Path::new(&bag).exists(), "{run:?}");
    let mut play = Command::new(env!("CARGO_BIN_EXE_saccade"));
    play.args(["bag", "play", &bag, "--wait-subscribers", "1"]);
    play.args([
        "--delay",
        "1",
        "--rate",
        "8",
        "--domain",
        &domain.to_string(),
    ]);
    play.arg("--topics").args(OF_GRASPS);
    read(&grasps, domain, play);
}
