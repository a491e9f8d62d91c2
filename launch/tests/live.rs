//! The commands on ROS 2's network, against PyPI `cyclonedds` and against each
//! other; each test in a domain of its own, on loopback.
#![cfg(feature = "dds")]

use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::std_msgs::{Float64, Header};
use saccade_msgs::{Event, to_cdr};
use saccade_nodes::Qos;
use saccade_nodes::dds::{qos_from_yaml, qos_to_yaml};
use saccade_rosbags::events::{
    EventBatch, EventWriter, Geometry, PacketOptions, PacketSource, TimedPacket, WriteOptions,
    mono_packet,
};
use saccade_rosbags::{BagReader, BagWriter, Connection, RawMessage, Serialization};
use saccade_tests::{free_domain, peer, peer_command, recording, until};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::Arc;

fn saccade(domain: u16, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
    command
        .args(args)
        .args(["--domain", &domain.to_string(), "--json"]);
    for variable in [
        "ROS_DISTRO",
        "ROS_LOCALHOST_ONLY",
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
    ] {
        command.env_remove(variable);
    }
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// A process that is killed if the test fails.
struct Running(Option<Child>);

impl Running {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(Some(child.expect("it starts")))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it runs")
    }

    fn signal(&mut self, signal: &str) {
        let pid = self.child().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    fn output(mut self) -> Output {
        let child = self.0.take().expect("it runs");
        child.wait_with_output().expect("it ends")
    }

    /// What a peer printed, a JSON document on each line.
    fn lines(self) -> Vec<Value> {
        let output = self.output();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let lines = String::from_utf8(output.stdout).expect("text");
        let parse = |line| serde_json::from_str(line).expect("JSON");
        lines.lines().map(parse).collect()
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

/// `saccade bag record`, with what it says.
struct Recorder {
    process: Running,
    said: BufReader<ChildStderr>,
}

impl Recorder {
    fn start(domain: u16, out: &Path, args: &[&str]) -> Self {
        let args = [&["bag", "record", "-o", text(out)], args].concat();
        let mut process = Running::start(&mut saccade(domain, &args));
        let said = process.child().stderr.take().expect("piped");
        Self {
            process,
            said: BufReader::new(said),
        }
    }

    /// Ends it with Ctrl-C; what it reports.
    fn stop(mut self) -> Value {
        self.process.signal("-INT");
        let mut rest = String::new();
        while self.said.read_line(&mut rest).expect("text") > 0 {}
        let output = self.process.output();
        assert!(output.status.success(), "{output:?}, {rest}");
        json(&output)
    }
}

fn raw_recording(path: &Path) {
    let event = |i: u64| Event {
        t_us: 5_000_000 + i * 5 + i % 3,
        x: (i * 31 % 640) as u16,
        y: (i / 40 % 480) as u16,
        on: i.is_multiple_of(3),
    };
    let events: Vec<_> = (0..40_000).map(event).collect();
    let sensor = Geometry {
        width: 640,
        height: 480,
    };
    let batch = EventBatch {
        events,
        triggers: Vec::new(),
    };
    let mut writer = EventWriter::create(path, &WriteOptions::of_sensor(sensor)).expect("created");
    writer.write(&batch).expect("written");
    writer.finish().expect("closed");
}

fn packets(path: &Path) -> Vec<TimedPacket> {
    let options = PacketOptions {
        packet_us: 1000,
        frame_id: "dvs".into(),
    };
    let mut source = PacketSource::open(path, None, options).expect("opens");
    std::iter::from_fn(|| source.next_packet().expect("reads")).collect()
}

fn md5(bytes: &[u8]) -> String {
    format!("{:x}", md5::compute(bytes))
}

/// Plays a recording to cyclonedds and compares every packet it gets.
fn play_to_cyclonedds(path: &Path, rate: &str) {
    let domain = free_domain();
    let expected = packets(path);
    let count = expected.len().to_string();
    let mut receiver = peer_command("cyclonedds_live.py");
    receiver.args(["receive", &domain.to_string(), &count]);
    let receiver = Running::start(&mut receiver);
    // That it is known here does not say that it knows us: what is published
    // until then is kept for it.
    let args = [
        "events",
        "play",
        text(path),
        "--frame-id",
        "dvs",
        "--delay",
        "0",
        "--rate",
        rate,
    ];
    let keep = ["--wait-subscribers", "1", "--durability", "transient-local"];
    let output = saccade(domain, &[&args[..], &keep].concat()).output();
    let played = json(&output.expect("runs"));
    assert_eq!(played["messages"], expected.len());
    assert_eq!(played["unacknowledged"], serde_json::json!([]));
    let got = receiver.lines();
    assert_eq!(got.len(), expected.len());
    for (timed, got) in expected.into_iter().zip(got) {
        let mut packet = timed.packet;
        assert_eq!(got["seq"], packet.seq);
        assert_eq!(got["encoding"], packet.encoding.as_str());
        assert_eq!(got["length"], packet.events.len());
        assert_eq!(got["events"], md5(&packet.events));
        let stamp = |i: usize| got["stamp"][i].as_u64().expect("a number");
        packet.header.stamp = Time {
            sec: stamp(0) as i32,
            nanosec: stamp(1) as u32,
        };
        let body = &to_cdr(&packet)[4..];
        assert_eq!(got["body"], md5(body), "packet {}", packet.seq);
    }
}

#[test]
fn every_packet_reaches_cyclonedds() {
    let folder = tempfile::tempdir().expect("a folder");
    let raw = folder.path().join("events.raw");
    raw_recording(&raw);
    play_to_cyclonedds(&raw, "1");
}

#[test]
fn every_packet_of_real_recordings_reaches_cyclonedds() {
    for name in ["sample_evt3.raw", "sample_evt2.raw"] {
        let Some(path) = recording(name) else { return };
        play_to_cyclonedds(&path, "0.1");
    }
}

#[test]
fn ros_sees_the_player_as_a_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let raw = folder.path().join("events.raw");
    raw_recording(&raw);
    let domain = free_domain();
    let args = [
        "events",
        "play",
        text(&raw),
        "--loop",
        "--delay",
        "0",
        "--topic",
        "/dvs/events",
    ];
    let mut player = Running::start(&mut saccade(domain, &args));
    let mut peer = peer_command("cyclonedds_live.py");
    peer.args(["nodes", &domain.to_string(), "saccade_events_play"]);
    let seen = Running::start(&mut peer).lines();
    let topic = [
        "rt/dvs/events",
        "event_camera_msgs::msg::dds_::EventPacket_",
    ];
    let expected = serde_json::json!({"namespace": "/", "topics": [topic]});
    assert_eq!(seen, [expected]);
    player.signal("-INT");
    let played = json(&player.output());
    // It may have been seen, and stopped, before its first message.
    assert!(played["messages"].is_u64(), "{played}");
}

#[test]
fn what_cyclonedds_publishes_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let bag = folder.path().join("live.mcap");
    let domain = free_domain();
    let recorder = Recorder::start(domain, &bag, &["--all"]);
    let mut sender = peer_command("cyclonedds_live.py");
    sender.args(["send", &domain.to_string(), "200"]);
    let sent = Running::start(&mut sender).lines();
    let report = recorder.stop();
    for (topic, qos) in [("/chatter", Qos::DEFAULT), ("/events", Qos::SENSOR)] {
        let sent: Vec<_> = sent.iter().filter(|m| m["topic"] == topic).collect();
        assert_eq!(sent.len(), 200);
        let got = messages_of(&bag, topic);
        assert_eq!(got.len(), 200, "{report}");
        assert_eq!(
            qos_from_yaml(&got[0].connection.qos).expect("profiles"),
            [qos.depth(0)]
        );
        for (sent, got) in sent.iter().zip(&got) {
            assert_padded(&got.data, &unhex(sent["cdr"].as_str().expect("text")));
            assert!(got.publish_ns <= got.stamp_ns + 50_000_000, "{got:?}");
        }
    }
    let read = peer("rosbags_recordings.py", &[Path::new("read"), &bag]);
    let read: Value = serde_json::from_str(&read).expect("JSON");
    assert_eq!(read["/chatter"][0], "std_msgs/msg/String");
    assert_eq!(
        (&read["/chatter"][1], &read["/events"][1]),
        (&200.into(), &200.into())
    );
}

fn messages_of(bag: &Path, topic: &str) -> Vec<RawMessage> {
    let messages = BagReader::open(bag)
        .expect("opens")
        .map(|m| m.expect("reads"));
    messages.filter(|m| m.topic() == topic).collect()
}

/// After the header, which may tell of padding; DDS pads to four bytes.
fn assert_padded(got: &[u8], sent: &[u8]) {
    let padding = got[4..].strip_prefix(&sent[4..]).expect("the same bytes");
    assert!(
        padding.len() < 4 && padding.iter().all(|b| *b == 0),
        "{padding:?}"
    );
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16);
    digits.map(|pair| byte(pair).expect("hex")).collect()
}

/// 300 messages on each of three topics, 10 ms apart: packets, numbers (latched,
/// best effort), and a type that nobody knows.
fn three_topics(path: &Path) -> Vec<RawMessage> {
    let mut bag = BagWriter::create(path).expect("a bag");
    let strange = Connection {
        type_name: "strange_msgs/msg/Blob".into(),
        definition: String::new(),
        definition_encoding: String::new(),
        ..Connection::cdr::<Header>("/strange")
    };
    let number = Connection {
        qos: qos_to_yaml(&[Qos::LATCHED.depth(300)]),
        ..Connection::cdr::<Float64>("/number")
    };
    let events = Connection::cdr::<saccade_msgs::event_camera_msgs::EventPacket>("/dvs/events");
    let [strange, number, events] = [strange, number, events].map(Arc::new);
    let mut written = Vec::new();
    for i in 0..300u32 {
        let sensor = Geometry {
            width: 64,
            height: 48,
        };
        let events_of = |i: u32| -> Vec<Event> {
            let event = |k| Event {
                t_us: u64::from(i * 10_000 + k),
                x: (k % 64) as u16,
                ..Event::default()
            };
            (0..i * 20).map(event).collect()
        };
        let base_ns = u64::from(i) * 10_000_000;
        let packet = mono_packet(&events_of(i), base_ns, sensor, u64::from(i), "dvs");
        for (connection, data) in [
            (&events, to_cdr(&packet.expect("fits"))),
            (&number, to_cdr(&Float64 { data: f64::from(i) })),
            (
                &strange,
                [&[0, 1, 0, 0][..], &vec![i as u8; i as usize + 1]].concat(),
            ),
        ] {
            let message = RawMessage {
                connection: Arc::clone(connection),
                stamp_ns: i64::from(i) * 10_000_000,
                publish_ns: i64::from(i) * 10_000_000,
                sequence: i,
                data,
            };
            bag.write_raw(&message).expect("written");
            written.push(message);
        }
    }
    bag.finish().expect("complete");
    written
}

#[test]
fn what_is_played_is_recorded_without_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (
        folder.path().join("from.mcap"),
        folder.path().join("to.mcap"),
    );
    let sent = three_topics(&from);
    let domain = free_domain();
    let recorder = Recorder::start(domain, &to, &["--all"]);
    let args = [
        "bag",
        "play",
        text(&from),
        "--wait-subscribers",
        "1",
        "--delay",
        "0",
    ];
    let how = ["--rate", "10", "--clock", "--remap", "/dvs/events:=/events"];
    let output = saccade(domain, &[&args[..], &how].concat()).output();
    let played = json(&output.expect("runs"));
    // 40 times a second of the recording's 2.99 s.
    assert_eq!(played["messages"], 900 + 120);
    let recorded = recorder.stop();
    assert_eq!(recorded["dropped"], 0);
    for (topic, was) in [
        ("/events", "/dvs/events"),
        ("/number", "/number"),
        ("/strange", "/strange"),
    ] {
        let got = messages_of(&to, topic);
        let sent: Vec<_> = sent.iter().filter(|m| m.topic() == was).collect();
        assert_eq!(got.len(), sent.len(), "{recorded}");
        for (sent, got) in sent.iter().zip(&got) {
            assert_padded(&got.data, &sent.data);
            assert_eq!(got.connection.type_name, sent.connection.type_name);
            assert_eq!(got.connection.definition, sent.connection.definition);
        }
        let span_ns = got[299].publish_ns - got[0].publish_ns;
        assert!(
            span_ns >= 290_000_000,
            "its own pace, ten times faster: {span_ns}"
        );
    }
    let qos = |topic| qos_from_yaml(&messages_of(&to, topic)[0].connection.qos).expect("profiles");
    assert_eq!(qos("/number"), [Qos::LATCHED.depth(0)]);
    assert_eq!(messages_of(&to, "/clock").len(), 120);
}

#[test]
fn ros_1_messages_are_played_as_ros_2_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (
        folder.path().join("from.bag"),
        folder.path().join("to.mcap"),
    );
    let mut bag = BagWriter::create(&from).expect("a bag");
    for i in 0..20 {
        let number = Float64 { data: f64::from(i) };
        bag.write("/number", i64::from(i) * 1_000_000, &number)
            .expect("written");
    }
    bag.finish().expect("complete");
    let domain = free_domain();
    let recorder = Recorder::start(domain, &to, &["/number"]);
    let args = [
        "bag",
        "play",
        text(&from),
        "--wait-subscribers",
        "1",
        "--delay",
        "0",
    ];
    json(&saccade(domain, &args).output().expect("runs"));
    recorder.stop();
    let got = messages_of(&to, "/number");
    let values: Vec<f64> = (got.iter())
        .map(|m| m.decode::<Float64>(&to).expect("a number").data)
        .collect();
    assert_eq!(values, (0..20).map(f64::from).collect::<Vec<_>>());
    assert_eq!(got[0].connection.serialization, Serialization::Cdr);
}

#[test]
fn a_killed_recorder_leaves_what_it_has_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (
        folder.path().join("from.mcap"),
        folder.path().join("to.mcap"),
    );
    let sent = three_topics(&from);
    let domain = free_domain();
    let mut recorder = Recorder::start(domain, &to, &["--all", "--flush-ms", "20"]);
    let args = ["bag", "play", text(&from), "--loop", "--delay", "0"];
    let mut player = Running::start(&mut saccade(domain, &args));
    let readable = || -> Vec<RawMessage> {
        let bag = BagReader::open(&to).into_iter().flatten();
        bag.map_while(Result::ok).collect()
    };
    let before: Vec<RawMessage> = until("a part of the recording", || {
        let messages = readable();
        (messages.len() > 200).then_some(messages)
    });
    recorder.process.signal("-KILL");
    let output = recorder.process.output();
    assert!(!output.status.success());
    player.signal("-INT");
    player.output();
    let after = readable();
    assert!(
        after.starts_with(&before),
        "{} of {}",
        after.len(),
        before.len()
    );
    let saved = folder.path().join("saved.mcap");
    let recover = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(["bag", "recover", text(&to), text(&saved)])
        .output();
    let code = recover.expect("runs").status.code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    assert!(messages_of(&saved, "/number").len() * 3 >= before.len() - 3);
    for message in &after {
        let same = |m: &&RawMessage| message.data[4..].starts_with(&m.data[4..]);
        let known = sent
            .iter()
            .filter(|m| m.topic() == message.topic())
            .any(|m| same(&m));
        assert!(known, "{message:?}");
    }
}

/// Recordings of every form hold what was played.
#[test]
fn recordings_of_every_form_are_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from.mcap");
    let sent = three_topics(&from);
    let known = ["/number", "/dvs/events"];
    for (name, how, topics) in [
        ("to.db3", &["--all"][..], 3),
        (
            "parts",
            &["--all", "--split-size", "100K", "--compression", "file"],
            3,
        ),
        // ROS 1 needs definitions.
        ("to.bag", &known, 2),
    ] {
        let (to, domain) = (folder.path().join(name), free_domain());
        let recorder = Recorder::start(domain, &to, how);
        let mut args = vec!["bag", "play", text(&from), "--wait-subscribers", "1"];
        args.extend(["--delay", "0", "--rate", "30"]);
        if topics == 2 {
            args.push("--topics");
            args.extend(known);
        }
        json(&saccade(domain, &args).output().expect("runs"));
        let report = recorder.stop();
        assert_eq!(
            report["topics"].as_array().map(Vec::len),
            Some(topics),
            "{report}"
        );
        for topic in known {
            let got = messages_of(&to, topic);
            assert_eq!(got.len(), 300, "{name}: {report}");
            let sent: Vec<_> = sent.iter().filter(|m| m.topic() == topic).collect();
            for (sent, got) in sent.iter().zip(&got) {
                if got.connection.serialization == Serialization::Cdr {
                    assert_padded(&got.data, &sent.data);
                } else if topic == "/number" {
                    assert_eq!(got.data, sent.data[4..]);
                }
            }
        }
    }
    let parts = std::fs::read_dir(folder.path().join("parts")).expect("a folder");
    assert!(parts.count() > 3, "several files and their metadata");
}

#[test]
fn what_cannot_be_played_is_said_before_anything_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let bag = folder.path().join("a.mcap");
    three_topics(&bag);
    let raw = folder.path().join("events.raw");
    raw_recording(&raw);
    let absent = folder.path().join("absent.mcap");
    for (args, status, part) in [
        (&["bag", "play", text(&absent)][..], 1, "absent.mcap"),
        (
            &["bag", "play", text(&bag), "--topics", "/no"],
            1,
            "/no; it has /dvs/events",
        ),
        (
            &["bag", "play", text(&bag), "--remap", "/a=/b"],
            2,
            "/from:=/to",
        ),
        (
            &["bag", "play", text(&bag), "--remap", "/number:=b c"],
            1,
            "`b c`",
        ),
        (&["bag", "play", text(&bag), "--rate", "0"], 2, "--rate 0"),
        (&["bag", "play", text(&bag), "--clock", "0"], 2, "--clock 0"),
        (
            &["events", "play", text(&raw), "--packet-ms", "0"],
            2,
            "--packet-ms 0",
        ),
        (
            &["events", "play", text(&raw), "--topic", "events"],
            1,
            "`events`",
        ),
        (
            &["bag", "record", "--all", "-o", "/no/such/x.mcap"],
            1,
            "/no/such/x.mcap",
        ),
        (&["bag", "record", "-o", "x.mcap"], 2, "--all"),
    ] {
        let output = saccade(free_domain(), args).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}
