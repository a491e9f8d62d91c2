//! Processes that find each other on ROS 2's network, and those that must not: nodes and
//! recorders in processes of their own, in domains of their own, and on two hosts.
#![cfg(all(feature = "dds", target_os = "linux"))]

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::{from_cdr, std_msgs, to_cdr};
use saccade_nodes::Qos;
use saccade_nodes::dds::{Options, Participant, Reach};
use saccade_rosbags::{BagReader, Connection, McapWriter, RawMessage};
use saccade_tests::{free_domain, until};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PACKET: &str = "event_camera_msgs/msg/EventPacket";

/// A process that is interrupted when the test is done with it.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("it starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        signal(self.0.id(), "-INT");
        let _ = self.0.wait();
    }
}

fn signal(process: u32, signal: &str) {
    // Who has ended by now needs none.
    let _ = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
}

fn saccade(domain: u16, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
    command
        .args(words.split_whitespace())
        .env("ROS_DOMAIN_ID", domain.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for variable in [
        "ROS_DISTRO",
        "ROS_LOCALHOST_ONLY",
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
    ] {
        command.env_remove(variable);
    }
    command
}

fn join(domain: u16) -> Participant {
    let mut options = Options::from_env("tester", Some(Reach::Localhost)).expect("valid");
    options.domain = domain;
    Participant::join(&options).expect("joins")
}

/// Topics and widths of what was recorded.
fn recorded(path: &Path) -> Vec<(String, u32)> {
    let bag = BagReader::open(path).expect("a recording");
    bag.map(|message| {
        let message = message.expect("whole");
        let width = match message.connection.type_name.as_str() {
            PACKET => {
                from_cdr::<EventPacket>(&message.data)
                    .expect("a packet")
                    .width
            }
            _ => 0,
        };
        (message.topic().to_owned(), width)
    })
    .collect()
}

#[test]
fn a_node_that_is_killed_and_started_again_by_the_launcher_is_found_again() {
    let domain = free_domain();
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("a.launch.xml");
    let text = "<launch><node pkg=\"saccade_nodes\" exec=\"event_generator\" respawn=\"true\">\
                <param name=\"rate\" value=\"0.1\"/></node></launch>";
    std::fs::write(&file, text).expect("written");
    let mut command = saccade(domain, "launch a.launch.xml --processes");
    command.current_dir(folder.path()).stderr(Stdio::piped());
    let mut launcher = Running::start(command);
    let said = launcher.0.stderr.take().expect("a pipe");
    let mut pids = BufReader::new(said)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| {
            let pid = line.split_once("process started with pid [")?.1;
            pid.trim_end_matches(']').parse::<u32>().ok()
        });

    let mut here = join(domain);
    let mut heard = here
        .subscribe("/events", PACKET, Qos::SENSOR)
        .expect("subscribes");
    let mut publishers = Vec::new();
    for round in 0..3 {
        let killed = Instant::now();
        let publisher = until("a message", || {
            here.wait(Duration::from_millis(10));
            std::iter::from_fn(|| heard.take())
                .map(|m| m.publisher)
                .find(|p| !publishers.contains(p))
        });
        eprintln!("found after {:?}", killed.elapsed());
        assert!(round == 0 || killed.elapsed() < Duration::from_secs(3));
        publishers.push(publisher);
        signal(pids.next().expect("a start"), "-KILL");
    }
}

#[test]
fn a_process_that_comes_late_is_given_what_was_said_before() {
    let domain = free_domain();
    let folder = tempfile::tempdir().expect("temporary folder");
    // Said once, and again only when the test is over.
    let (said, late) = (
        folder.path().join("said.mcap"),
        folder.path().join("late.mcap"),
    );
    let connection = Arc::new(Connection::cdr::<std_msgs::String>("/latched"));
    let mut writer = McapWriter::create(&said).expect("created");
    for stamp_ns in [0, 60_000_000_000] {
        let data = "once".to_owned();
        let message = RawMessage {
            connection: Arc::clone(&connection),
            stamp_ns,
            publish_ns: stamp_ns,
            sequence: 1,
            data: to_cdr(&std_msgs::String { data }),
        };
        writer.write_raw(&message).expect("written");
    }
    writer.finish().expect("finished");
    let words = format!("bag play {} --durability transient-local", said.display());
    let _player = Running::start(saccade(domain, &words));
    let mut here = join(domain);
    let latched = here.subscribe("/latched", "std_msgs/msg/String", Qos::LATCHED);
    let mut latched = latched.expect("subscribes");
    until("the message", || {
        here.wait(Duration::from_millis(10));
        latched.take()
    });
    let words = format!("bag record --duration 4 -o {} /latched", late.display());
    let status = saccade(domain, &words).status().expect("it runs");
    assert_eq!(status.code(), Some(0));
    assert_eq!(recorded(&late), [("/latched".to_owned(), 0)]);
    assert_eq!(
        latched.take(),
        None,
        "it was said again: the test shows nothing"
    );
}

#[test]
fn processes_of_two_domains_hear_nothing_of_each_other() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let sides: Vec<_> = [64, 128]
        .map(|width| {
            let domain = free_domain();
            let words = format!(
                "node event_generator --ros-args -p rate:=0.02 -p width:={width} -p height:=64"
            );
            let node = Running::start(saccade(domain, &words));
            let file = folder.path().join(format!("{width}.mcap"));
            let words = format!("bag record --all --duration 4 -o {}", file.display());
            let recorder = saccade(domain, &words).spawn().expect("it starts");
            (width, node, recorder, file)
        })
        .into();
    for (width, _node, mut recorder, file) in sides {
        // A stalled machine may lose packets that are sent best effort, which the recorder says
        // with 3; what is asked here is whose packets come.
        let code = recorder.wait().expect("it ends").code();
        assert!(matches!(code, Some(0 | 3)), "{code:?}");
        let packets: Vec<_> = recorded(&file)
            .into_iter()
            .filter(|(t, _)| t == "/events")
            .collect();
        assert!(packets.len() > 10, "{} packets", packets.len());
        let foreign = packets.iter().find(|(_, w)| *w != width);
        assert_eq!(foreign, None, "in the domain of {width}");
    }
}

/// Two network namespaces, which are two hosts to whoever is in them, and a cable between.
const TWO_HOSTS: &str = r#"
set -e
ip link set lo up
unshare -n sh -c '
    ip link set lo up
    until ip link show far >/dev/null 2>&1; do sleep 0.05; done
    ip addr add 10.77.0.2/24 dev far; ip link set far up; ip route add default dev far
    exec "$0" node event_generator --network --ros-args -p rate:=0.02' "$1" &
peer=$!
ip link add near type veth peer name far
until ip link set far netns $peer 2>/dev/null; do sleep 0.05; done
ip addr add 10.77.0.1/24 dev near; ip link set near up; ip route add default dev near
"$1" bag record --duration 4 -o "$2/alone.mcap" /events || true
"$1" bag record --network --duration 6 -o "$2/network.mcap" /events || test $? -eq 3
kill -INT $peer
wait $peer
"#;

#[test]
fn two_hosts_find_each_other_where_the_network_is_meant() {
    let possible = Command::new("unshare")
        .args([
            "-Urn",
            "sh",
            "-c",
            "ip link add near type veth peer name far",
        ])
        .output();
    if !possible.is_ok_and(|o| o.status.success()) {
        eprintln!(
            "NOT TESTED: two hosts in network namespaces: this kernel, or the lack of `unshare` \
             and `ip`, does not permit them"
        );
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut command = Command::new("unshare");
    command
        .args(["-Urn", "sh", "-c", TWO_HOSTS, "two-hosts"])
        .arg(env!("CARGO_BIN_EXE_saccade"))
        .arg(folder.path())
        .env("ROS_DOMAIN_ID", free_domain().to_string());
    for variable in ["ROS_LOCALHOST_ONLY", "ROS_AUTOMATIC_DISCOVERY_RANGE"] {
        command.env_remove(variable);
    }
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let packets = recorded(&folder.path().join("network.mcap"));
    assert!(packets.len() > 10, "{} packets: {said}", packets.len());
    // Who reaches its own machine alone hears nothing of the other, as long as nobody beside it
    // reaches further: Linux gives multicasts to all who listen at the port, whoever joined.
    let alone = folder.path().join("alone.mcap");
    assert!(!alone.exists() || recorded(&alone).is_empty(), "{said}");
}
