//! Topics over DDS between participants of ours, each test in a domain of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::SaccadePhase;
use saccade_msgs::tf2_msgs::TFMessage;
use saccade_msgs::{Message, from_cdr, to_cdr};
use saccade_nodes::dds::{
    self, Distribution, Mapping, Options, Participant, Publisher, Reach, Subscriber,
};
use saccade_nodes::{NodeSpec, Qos, RunOptions, realtime, replay};
use saccade_tests::{count, free_domain, repository, until};

const STRING: &str = "std_msgs/msg/String";

fn join(domain: u16) -> Participant {
    let options = Options {
        node: "tester".into(),
        domain,
        reach: Reach::Localhost,
        distribution: Some(Distribution::Jazzy),
        mapping: Mapping::Fast,
        patience_ms: 10_000,
    };
    Participant::join(&options).expect("joins")
}

/// A message of a given length that tells its number.
fn message(number: u32, length: usize) -> Vec<u8> {
    let body = (0..length).map(|i| (number as usize + i) as u8);
    [&[0, 1, 0, 0][..], &number.to_le_bytes()]
        .concat()
        .into_iter()
        .chain(body)
        .collect()
}

fn number(cdr: &[u8]) -> u32 {
    u32::from_le_bytes(cdr[4..8].try_into().expect("four bytes"))
}

fn matched(publisher: &mut Publisher, n: usize) {
    until("subscribers", || (publisher.matched() >= n).then_some(()));
}

/// The next message; waits for it.
fn next(participant: &Participant, subscriber: &mut Subscriber) -> Vec<u8> {
    until("a message", || {
        let taken = subscriber.take();
        if taken.is_none() {
            participant.wait(Duration::from_millis(50));
        }
        taken.map(|t| t.cdr)
    })
}

#[test]
fn reliable_topics_lose_nothing_of_any_size() {
    let domain = free_domain();
    let (mut here, mut there) = (join(domain), join(domain));
    let mut publisher = here
        .publish("/a/b", STRING, Qos::DEFAULT)
        .expect("publishes");
    let deep = Qos::DEFAULT.depth(1000);
    let mut subscriber = there.subscribe("/a/b", STRING, deep).expect("subscribes");
    matched(&mut publisher, 1);
    // Up to several UDP datagrams; all lengths modulo four.
    let length = |n: u32| (n as usize % 10).pow(5) * 2 + n as usize % 7;
    for n in 0..300 {
        publisher.publish(message(n, length(n))).expect("goes out");
    }
    for n in 0..300 {
        let (got, sent) = (next(&there, &mut subscriber), message(n, length(n)));
        let padding = got.strip_prefix(sent.as_slice()).expect("the same bytes");
        assert!(padding.len() < 4 && padding.iter().all(|b| *b == 0));
    }
    assert!(publisher.wait_acknowledged(Duration::from_secs(30)));
    let counts = subscriber.counts();
    assert_eq!(
        (counts.received, counts.lost, counts.unreadable),
        (300, 0, 0)
    );
    assert_eq!(subscriber.take(), None);
}

#[test]
fn who_comes_late_gets_what_is_kept_for_it() {
    let domain = free_domain();
    let (mut here, mut there) = (join(domain), join(domain));
    let kept = Qos::LATCHED.depth(5);
    let latched = here.publish("/map", STRING, kept).expect("publishes");
    let volatile = here
        .publish("/log", STRING, Qos::DEFAULT)
        .expect("publishes");
    for n in 0..5 {
        latched.publish(message(n, 10)).expect("goes out");
        volatile.publish(message(n, 10)).expect("goes out");
    }
    let mut map = there.subscribe("/map", STRING, kept).expect("subscribes");
    let mut log = there
        .subscribe("/log", STRING, Qos::DEFAULT)
        .expect("subscribes");
    for n in 0..5 {
        assert_eq!(number(&next(&there, &mut map)), n);
    }
    // The first that it sees of the others is published after it came.
    let first = until("a message", || {
        volatile.publish(message(99, 10)).expect("goes out");
        log.take()
    });
    assert_eq!(number(&first.cdr), 99);
}

#[test]
fn what_is_not_taken_in_time_is_counted() {
    let domain = free_domain();
    let (mut here, mut there) = (join(domain), join(domain));
    let qos = Qos::SENSOR.depth(8);
    let mut publisher = here.publish("/fast", STRING, qos).expect("publishes");
    let mut subscriber = there.subscribe("/fast", STRING, qos).expect("subscribes");
    matched(&mut publisher, 1);
    let first = until("a first message", || {
        publisher.publish(message(0, 10)).expect("goes out");
        subscriber.take()
    });
    let (mut sent, mut last) = (first.sequence, first.sequence);
    for n in 0..2000 {
        publisher.publish(message(n, 2000)).expect("goes out");
    }
    // Some come after those that were pushed out.
    until("a last message", || {
        publisher.publish(message(7777, 10)).expect("goes out");
        let taken = subscriber.take()?;
        last = taken.sequence;
        (number(&taken.cdr) == 7777).then_some(())
    });
    sent = last - sent + 1;
    let counts = subscriber.counts();
    assert!(counts.lost > 0, "{counts:?}");
    assert_eq!(counts.received + counts.lost, sent as u64, "{counts:?}");
}

#[test]
fn topics_are_seen_with_type_and_qos_in_their_domain_only() {
    let domain = free_domain();
    let (mut here, there, elsewhere) = (join(domain), join(domain), join(free_domain()));
    let publisher = here.publish("/a", STRING, Qos::LATCHED).expect("publishes");
    let _other = here.publish("/a", STRING, Qos::SENSOR).expect("publishes");
    let _heard = here
        .subscribe("/b", "std_msgs/msg/Bool", Qos::DEFAULT)
        .expect("subscribes");
    let topics = until("all endpoints", || {
        let topics = there.topics();
        let endpoints = topics.iter().map(|t| t.publishers.len() + t.subscribers);
        (endpoints.sum::<usize>() == 3).then_some(topics)
    });
    let names: Vec<_> = (topics.iter())
        .map(|t| (t.name.as_str(), t.type_name.as_str(), t.subscribers))
        .collect();
    assert_eq!(names, [("/a", STRING, 0), ("/b", "std_msgs/msg/Bool", 1)]);
    assert_eq!(topics[0].publishers.len(), 2);
    for qos in [Qos::LATCHED.depth(0), Qos::SENSOR.depth(0)] {
        assert!(topics[0].publishers.contains(&qos), "{topics:?}");
    }
    assert_eq!(elsewhere.topics(), []);
    assert_eq!(here.topics(), [], "others' topics only");
    drop(publisher);
    until("that one has left", || {
        (there.topics()[0].publishers == [Qos::SENSOR.depth(0)]).then_some(())
    });
}

#[test]
fn nodes_of_one_process_hear_each_other_once_and_others_hear_them() {
    let domain = free_domain();
    let world = repository("worlds/grasp_table.sdf");
    let nodes = [
        NodeSpec::new("embedded_world")
            .parameter("world", world.display())
            .parameter("camera_rate", 0.0),
        NodeSpec::new("event_image"),
    ];
    let stop = Arc::new(AtomicBool::new(false));
    let mut options = Options::from_env("", Some(Reach::Localhost)).expect("valid");
    options.domain = domain;
    let options = RunOptions {
        network: Some(dds::connect(options)),
        stop: stop.clone(),
        ..RunOptions::default()
    };
    let run = std::thread::spawn(move || realtime::run(&nodes, options));
    let mut there = join(domain);
    let mut states = there
        .subscribe("/joint_states", "sensor_msgs/msg/JointState", Qos::SENSOR)
        .expect("subscribes");
    next(&there, &mut states);
    // Sent once, long ago.
    let mut frames = there
        .subscribe("/tf_static", "tf2_msgs/msg/TFMessage", Qos::LATCHED)
        .expect("subscribes");
    let frames: TFMessage = from_cdr(&next(&there, &mut frames)).expect("frames");
    assert!(!frames.transforms.is_empty());
    // What others publish on a topic of theirs comes in too.
    let publisher = there
        .publish("/events", EventPacket::TYPE_NAME, Qos::SENSOR)
        .expect("publishes");
    let packet = to_cdr(&EventPacket::default());
    for _ in 0..50 {
        publisher.publish(packet.clone()).expect("goes out");
        std::thread::sleep(Duration::from_millis(2));
    }
    stop.store(true, Ordering::Relaxed);
    let report = run.join().expect("no panic").expect("it runs");
    let of = |counts: &BTreeMap<String, u64>| counts.get("/event_image events").copied();
    let handled = report.latencies["/event_image events handled"].count;
    let (dropped, waiting) = (of(&report.dropped), of(&report.unhandled));
    let all = handled + dropped.unwrap_or(0) + waiting.unwrap_or(0);
    assert_eq!(report.topics["/events"], all, "{report:?}");
    let (_, health) = &report.health[0];
    eprintln!("{all} packets, {:?}", count(health, "events"));
    assert!(all > 20, "{report:?}");
}

/// Two runs, as two processes are: the head's controller is in the one, who moves it in
/// the other; parameters are asked over the network too.
#[test]
fn nodes_of_two_runs_serve_each_other_in_either_mapping() {
    let domains = [Mapping::Fast, Mapping::Cyclone].map(|mapping| (mapping, free_domain()));
    let stop = Arc::new(AtomicBool::new(false));
    let folder = tempfile::tempdir().expect("a folder");
    let start = |(mapping, domain): (Mapping, u16), node: NodeSpec| {
        let record = folder.path().join(format!("{}{domain}.mcap", node.exec));
        let mut options = Options::from_env("", Some(Reach::Localhost)).expect("valid");
        (options.mapping, options.domain) = (mapping, domain);
        let options = RunOptions {
            network: Some(dds::connect(options)),
            stop: stop.clone(),
            record: Some(record.clone()),
            ..RunOptions::default()
        };
        std::thread::spawn(move || (realtime::run(&[node], options), record))
    };
    let world = repository("worlds/grasp_table.sdf");
    let (mut runs, mut listeners) = (Vec::new(), Vec::new());
    for network in domains {
        let head = NodeSpec::new("microsaccade").parameter("period", 0.5);
        let world = NodeSpec::new("embedded_world")
            .parameter("world", world.display())
            .parameter("camera_rate", 0.0);
        // The client is there before its server.
        runs.push(start(network, head));
        runs.push(start(network, world));
        let mut there = join(network.1);
        let phases = there
            .subscribe("/saccade", SaccadePhase::TYPE_NAME, Qos::DEFAULT)
            .expect("subscribes");
        listeners.push((there, phases));
    }
    for (there, phases) in &mut listeners {
        let mut seen = Vec::new();
        until("a saccade's two phases", || {
            there.wait(Duration::from_millis(20));
            while let Some(message) = phases.take() {
                let phase: SaccadePhase = from_cdr(&message.cdr).expect("a phase");
                seen.push(phase.moving);
            }
            seen.windows(2).any(|w| w == [true, false]).then_some(())
        });
    }
    stop.store(true, Ordering::Relaxed);
    for run in runs {
        let (report, record) = run.join().expect("no panic");
        let report = report.expect("it runs");
        let (name, health) = &report.health[0];
        if name == "/microsaccade" {
            assert_eq!(count(health, "failed"), 0, "{health:?}");
            assert!(count(health, "saccades") > 0, "{health:?}");
            // What came from the other run is part of the recording.
            let replay = replay::run(&record).expect("it replays");
            assert!(replay.identical(), "{replay:?}");
            assert_eq!(replay.equal.get("/saccade"), report.topics.get("/saccade"));
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut here = join(free_domain());
    for (topic, type_name, part) in [
        ("relative", STRING, "`relative`"),
        ("/a b", STRING, "`/a b`"),
        ("/a", "std_msgs/String", "`std_msgs/String`"),
    ] {
        let refused = here.publish(topic, type_name, Qos::DEFAULT).err();
        let text = refused.expect("refused").to_string();
        assert!(text.contains(part), "{text}");
        assert!(here.subscribe(topic, type_name, Qos::DEFAULT).is_err());
    }
    let publisher = here.publish("/a", STRING, Qos::DEFAULT).expect("publishes");
    for bytes in [&[][..], &[0, 1, 0], &[0, 0, 0, 0, 1]] {
        let text = publisher
            .publish(bytes.to_vec())
            .expect_err("no CDR")
            .to_string();
        assert!(text.contains("/a") && text.contains("00 01"), "{text}");
    }
}
