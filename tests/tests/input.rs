//! Input the nodes did not ask for: every encoding gives the same spikes, and
//! nonsense is counted, never a panic.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::Event;
use saccade_msgs::builtin_interfaces::{Duration, Time};
use saccade_msgs::control_msgs::follow_joint_trajectory as fjt;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{Label, SaccadePhase, Spikes, randomise};
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};
use saccade_nodes::{Input, Output, Payload};
use saccade_rosbags::events::{Evt2Encoder, Evt3Encoder, Geometry, mono_packet};
use saccade_tests::{Driven, FATES, SPIKE_FATES, count, published, repository, sum};

const GEOMETRY: Geometry = Geometry {
    width: 128,
    height: 128,
};
const PACKET_US: u64 = 5_000;

/// A bar that moves over the sensor, with noise: packets of 5 ms.
fn packets_of_events(from_us: u64) -> Vec<Vec<Event>> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let packet = |i: u64| {
        let mut times: Vec<u64> = (0..300).map(|_| rng.random_range(0..PACKET_US)).collect();
        times.sort_unstable();
        let event = |after_us| {
            let t_us = from_us + i * PACKET_US + after_us;
            let bar = (20 + i * 3) as u16;
            if rng.random_bool(0.1) {
                let (x, y) = (rng.random_range(0..128), rng.random_range(0..128));
                Event {
                    t_us,
                    x,
                    y,
                    on: rng.random_bool(0.5),
                }
            } else {
                let (x, y) = (bar + rng.random_range(0..3), rng.random_range(40..80));
                Event {
                    t_us,
                    x,
                    y,
                    on: x > bar,
                }
            }
        };
        times.into_iter().map(event).collect()
    };
    (0..20).map(packet).collect()
}

fn packet(encoding: &str, seq: u64, events: Vec<u8>) -> EventPacket {
    EventPacket {
        width: 128,
        height: 128,
        seq,
        encoding: encoding.to_owned(),
        events,
        ..EventPacket::default()
    }
}

/// The same events as packets of several encodings.
fn encoded(packets: &[Vec<Event>]) -> [(&'static str, Vec<EventPacket>); 4] {
    let (mut evt2, mut evt3) = (Evt2Encoder::new(), Evt3Encoder::new());
    let mut all = [
        ("mono", Vec::new()),
        ("mono, big endian", Vec::new()),
        ("evt2", Vec::new()),
        ("evt3", Vec::new()),
    ];
    for (seq, events) in packets.iter().enumerate() {
        let seq = seq as u64;
        let base_ns = events[0].t_us * 1000;
        let mono = mono_packet(events, base_ns, GEOMETRY, seq, "camera").unwrap();
        let mut big = mono.clone();
        big.is_bigendian = true;
        big.events.chunks_mut(8).for_each(<[u8]>::reverse);
        let (mut two, mut three) = (Vec::new(), Vec::new());
        evt2.encode(events, &mut two).unwrap();
        evt3.encode(events, &mut three).unwrap();
        all[0].1.push(mono);
        all[1].1.push(big);
        all[2].1.push(packet("evt2", seq, two));
        all[3].1.push(packet("evt3", seq, three));
    }
    all
}

#[test]
fn every_encoding_gives_the_same_spikes() {
    let from_us = 3_000_000;
    let packets = packets_of_events(from_us);
    let total: usize = packets.iter().map(Vec::len).sum();
    let mut reference: Option<Vec<Spikes>> = None;
    for (name, packets) in encoded(&packets) {
        let mut node = Driven::new("dvs_ingest", &[]).unwrap();
        let onset = SaccadePhase {
            moving: true,
            ..SaccadePhase::default()
        };
        let mut onset = onset;
        onset.header.stamp = Time::from_ns(from_us as i64 * 1000);
        node.message(0, "saccade", onset);
        let mut spikes = Vec::new();
        for (i, packet) in packets.into_iter().enumerate() {
            let outputs = node.message(i as i64 * 5_000_000, "events", packet);
            for message in published::<Spikes>(&outputs, "spikes") {
                let mut message = (*message).clone();
                // EVT has a clock of its own: its spikes are stamped by the relation
                // that the node finds, the others when they came.
                let stamp = std::mem::take(&mut message.header.stamp);
                assert!(name.starts_with("evt") || stamp == Time::from_ns(i as i64 * 5_000_000));
                spikes.push(message);
            }
        }
        let health = node.health();
        assert_eq!(count(&health, "events"), total as u64, "{name}");
        assert_eq!(sum(&health, &FATES), total as u64, "{name}: {health:?}");
        assert!(spikes.iter().map(|s| s.ids.len()).sum::<usize>() > 1000);
        assert!(spikes.iter().all(|s| s.ids.iter().all(|id| *id < s.size)));
        match &reference {
            None => reference = Some(spikes),
            Some(reference) => assert!(*reference == spikes, "{name} differs from mono"),
        }
    }
}

#[test]
fn the_filters_account_for_every_event() {
    let packets = packets_of_events(0);
    let total: usize = packets.iter().map(Vec::len).sum();
    let filters = "refractory=3ms,background=1ms";
    let mut node = Driven::new("dvs_ingest", &[("filters", filters)]).unwrap();
    for (i, events) in packets.iter().enumerate() {
        let packet = mono_packet(events, events[0].t_us * 1000, GEOMETRY, i as u64, "").unwrap();
        node.message(0, "events", packet);
    }
    let health = node.health();
    assert_eq!(sum(&health, &FATES), total as u64, "{health:?}");
    assert!(count(&health, "removed: refractory") > 0);
    assert!(count(&health, "removed: background") > 0);
    assert!(count(&health, "spikes") > 0);
}

#[test]
fn packets_that_are_none_are_counted() {
    let mut node = Driven::new("dvs_ingest", &[]).unwrap();
    let good = |seq| {
        let events = &packets_of_events(0)[0];
        mono_packet(events, 0, GEOMETRY, seq, "").unwrap()
    };
    let refused = [
        EventPacket {
            encoding: "evt4".into(),
            ..good(0)
        },
        EventPacket {
            width: 70_000,
            ..good(0)
        },
        EventPacket {
            width: u32::MAX,
            height: u32::MAX,
            ..good(0)
        },
        EventPacket {
            width: 0,
            height: 0,
            ..good(0)
        },
        EventPacket {
            width: 65_535,
            height: 65_535,
            ..good(0)
        },
        EventPacket::default(),
    ];
    for (i, packet) in refused.into_iter().enumerate() {
        let outputs = node.message(0, "events", packet);
        assert!(published::<Spikes>(&outputs, "spikes").is_empty());
        assert!(outputs.iter().any(|o| matches!(o, Output::Log(_))), "{i}");
        assert_eq!(count(&node.health(), "packets refused"), i as u64 + 1);
    }
    // Another type, and bytes that are no message.
    node.message(0, "events", Label::default());
    let torn = Payload::from_cdr("event_camera_msgs/msg/EventPacket", vec![0, 1, 0, 0, 9]);
    node.hand(
        0,
        Input::Message {
            topic: "events",
            payload: torn,
        },
    );
    assert_eq!(count(&node.health(), "packets refused"), 8);
    assert!(node.health().warning.is_some());
    // A torn packet gives the events that are whole.
    let mut torn = good(1);
    torn.events.truncate(8 * 10 + 3);
    node.message(0, "events", torn);
    assert_eq!(count(&node.health(), "torn bytes"), 3);
    assert_eq!(count(&node.health(), "events"), 10);
    let outputs = node.message(0, "events", good(2));
    assert_eq!(count(&node.health(), "events"), 310);
    assert!(!published::<Spikes>(&outputs, "spikes").is_empty());
}

#[test]
fn random_bytes_in_every_encoding() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut ingest = Driven::new("dvs_ingest", &[]).unwrap();
    let mut classifier = Driven::new("eprop_classifier", &[("interval", "0.1")]).unwrap();
    let mut spikes = 0;
    let encodings = ["mono", "evt2", "evt21", "evt3", "libcaer", "libcaer_cmp"];
    for i in 0..600 {
        let mut bytes = vec![0; rng.random_range(0..2000)];
        rng.fill(&mut bytes[..]);
        let sides = [1, 128, 640, 2048, 5000];
        let message = EventPacket {
            width: sides[rng.random_range(0..sides.len())],
            height: sides[rng.random_range(0..sides.len())],
            seq: rng.random_range(0..3) + i,
            time_base: rng.random_range(0..u64::MAX),
            is_bigendian: rng.random_bool(0.5),
            encoding: encodings[i as usize % encodings.len()].to_owned(),
            events: bytes,
            ..EventPacket::default()
        };
        let now_ns = i as i64 * 1_000_000;
        let outputs = ingest.message(now_ns, "events", message);
        for message in published::<Spikes>(&outputs, "spikes") {
            spikes += message.ids.len() as u64;
            classifier.message(now_ns, "spikes", (*message).clone());
        }
        classifier.hand(now_ns, Input::Timer { name: "tick" });
    }
    let health = ingest.health();
    assert_eq!(count(&health, "packets"), 600);
    assert!(count(&health, "events") > 10_000, "{health:?}");
    assert_eq!(sum(&health, &FATES), count(&health, "events"), "{health:?}");
    assert_eq!(count(&health, "spikes"), spikes);
    assert_eq!(classifier_total(&classifier), spikes);
}

/// What became of the spikes that the classifier was sent.
fn classifier_total(node: &Driven) -> u64 {
    sum(&node.health(), &SPIKE_FATES)
}

/// A camera that was started anew counts its time from 0.
#[test]
fn a_camera_clock_that_is_set_back() {
    let mut node = Driven::new("dvs_ingest", &[]).unwrap();
    let mut seq = 0;
    let mut offsets = Vec::new();
    for from_us in [60_000_000, 0] {
        for events in packets_of_events(from_us) {
            let packet = mono_packet(&events, events[0].t_us * 1000, GEOMETRY, seq, "").unwrap();
            seq += 1;
            let outputs = node.message(0, "events", packet);
            offsets = published::<Spikes>(&outputs, "spikes")[0]
                .offsets_us
                .clone();
        }
        let distinct: std::collections::BTreeSet<u32> = offsets.iter().copied().collect();
        assert_eq!(distinct.len(), 5, "a packet is 5 ms: {distinct:?}");
    }
    let health = node.health();
    assert_eq!(count(&health, "steps back of the camera's clock"), 1);
    assert_eq!(sum(&health, &FATES), count(&health, "events"));
}

#[test]
fn spikes_that_do_not_fit_the_network() {
    let mut node = Driven::new("eprop_classifier", &[]).unwrap();
    let onset = SaccadePhase {
        moving: true,
        ..SaccadePhase::default()
    };
    let good = Spikes {
        size: 2048,
        ids: vec![1, 2, 3],
        offsets_us: vec![0, 0, 1000],
        ..Spikes::default()
    };
    node.message(0, "spikes", good.clone());
    assert_eq!(count(&node.health(), "input spikes between saccades"), 3);
    node.message(0, "saccade", onset.clone());

    let outputs = node.message(
        0,
        "spikes",
        Spikes {
            size: 512,
            ..good.clone()
        },
    );
    assert!(outputs.iter().any(|o| matches!(o, Output::Log(line)
        if line.text.contains("512") && line.text.contains("2048"))));
    assert_eq!(count(&node.health(), "messages of another population"), 1);

    let out_of_range = Spikes {
        ids: vec![2047, 2048, u32::MAX],
        ..good.clone()
    };
    node.message(0, "spikes", out_of_range);
    let untimed = Spikes {
        offsets_us: vec![0],
        ..good.clone()
    };
    node.message(0, "spikes", untimed);
    let absurd = Spikes {
        offsets_us: vec![0, u32::MAX, 0],
        ..good.clone()
    };
    node.message(0, "spikes", absurd);
    assert_eq!(count(&node.health(), "input spikes refused"), 2 + 2 + 1);
    node.hand(1_000_000, Input::Timer { name: "tick" });
    assert_eq!(count(&node.health(), "input spikes delivered"), 1 + 1 + 2);
    assert!(node.health().warning.is_some());

    // What still waits when the next saccade begins is not lost in silence.
    let late = Spikes {
        offsets_us: vec![0, 900_000, 900_000],
        ..good
    };
    node.message(1_000_000, "spikes", late);
    node.hand(2_000_000, Input::Timer { name: "tick" });
    node.message(2_000_000, "saccade", onset);
    assert_eq!(
        count(&node.health(), "input spikes left at a saccade's end"),
        2
    );
    assert_eq!(classifier_total(&node), 3 + 3 + 3 + 3 + 3);
}

fn trajectory(joints: &[&str], points: &[(&[f64], i64)]) -> fjt::Goal {
    let point = |(positions, time_ns): &(&[f64], i64)| JointTrajectoryPoint {
        positions: positions.to_vec(),
        time_from_start: Duration::from_ns(*time_ns),
        ..JointTrajectoryPoint::default()
    };
    fjt::Goal {
        trajectory: JointTrajectory {
            joint_names: joints.iter().map(|j| (*j).to_owned()).collect(),
            points: points.iter().map(point).collect(),
            ..JointTrajectory::default()
        },
        ..fjt::Goal::default()
    }
}

#[test]
fn goals_and_scenes_that_cannot_be_are_refused() {
    let path = repository("worlds/grasp_table.sdf").display().to_string();
    let mut world = Driven::new("embedded_world", &[("world", &path)]).unwrap();
    let head = ["head_pan_joint", "head_tilt_joint", "head_roll_joint"];
    let second = 1_000_000_000;
    let goals = [
        trajectory(&head, &[(&[f64::NAN, 0.0, 0.0], second)]),
        trajectory(&head, &[(&[f64::INFINITY, 0.0, 0.0], second)]),
        trajectory(&head, &[(&[0.1, 0.0], second)]),
        trajectory(
            &head,
            &[(&[0.1, 0.0, 0.0], second), (&[0.0, 0.0, 0.0], second / 2)],
        ),
        trajectory(
            &["head_pan_joint", "tail_joint", "head_roll_joint"],
            &[(&[0.0; 3], second)],
        ),
        trajectory(&head, &[(&[100.0, 0.0, 0.0], second)]),
    ];
    let send = |world: &mut Driven, id: u64, payload: Payload| {
        let outputs = world.hand(
            0,
            Input::Goal {
                action: "head_controller",
                id,
                payload,
            },
        );
        outputs
            .iter()
            .find_map(|output| match output {
                Output::AnswerGoal { accepted, .. } => Some(*accepted),
                _ => None,
            })
            .expect("every goal is answered")
    };
    for (i, goal) in goals.into_iter().enumerate() {
        let accepted = send(&mut world, i as u64, Payload::new(goal));
        assert!(!accepted, "goal {i} was accepted");
    }
    assert!(!send(&mut world, 50, Payload::new(Label::default())));
    let good = trajectory(&head, &[(&[0.01, 0.0, 0.0], second)]);
    assert!(send(&mut world, 51, Payload::new(good)));

    for (split, label) in [("all", ""), ("test", "banana")] {
        let request = randomise::Request {
            seed: 1,
            split: split.into(),
            label: label.into(),
        };
        let payload = Payload::new(request);
        let input = Input::Request {
            service: "randomise",
            id: 1,
            payload,
        };
        let outputs = world.hand(0, input);
        let answer = outputs.iter().find_map(|output| match output {
            Output::Respond { payload, .. } => payload.get::<randomise::Response>().ok(),
            _ => None,
        });
        let answer = answer.expect("every request is answered");
        assert!(!answer.success, "{split} {label}");
        let named = if label.is_empty() { split } else { label };
        assert!(answer.message.contains(named), "{}", answer.message);
        // The robot goes on, and so does its goal, which can be cancelled.
        let ended = |o: &Output| matches!(o, Output::FinishGoal { .. });
        assert!(!outputs.iter().any(ended), "a refused request ended a goal");
    }
}
