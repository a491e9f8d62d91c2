//! How fast messages become bytes and back.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::dvs_msgs::{Event, EventArray};
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::sensor_msgs::JointState;
use saccade_msgs::{Message, from_cdr, from_ros1, to_cdr, to_ros1};

fn both_ways<M: Message>(c: &mut Criterion, name: &str, message: &M) {
    let bytes = to_cdr(message);
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("to_cdr", |b| b.iter(|| to_cdr(message)));
    group.bench_function("from_cdr", |b| b.iter(|| from_cdr::<M>(&bytes)));
}

fn codec(c: &mut Criterion) {
    let packet = EventPacket {
        events: vec![7; 1 << 20],
        encoding: "evt3".to_owned(),
        ..EventPacket::default()
    };
    both_ways(c, "EventPacket of 1 MiB", &packet);

    let event = Event {
        x: 1,
        y: 2,
        ts: Time::from_ns(3),
        polarity: true,
    };
    let array = EventArray {
        events: vec![event; 100_000],
        ..EventArray::default()
    };
    both_ways(c, "EventArray of 100 000 events", &array);
    let bytes = to_ros1(&array);
    c.bench_function("EventArray of 100 000 events/to_ros1", |b| {
        b.iter(|| to_ros1(&array))
    });
    c.bench_function("EventArray of 100 000 events/from_ros1", |b| {
        b.iter(|| from_ros1::<EventArray>(&bytes))
    });

    let names = (0..18).map(|i| format!("joint_{i}")).collect();
    let joints = JointState {
        name: names,
        position: vec![0.5; 18],
        velocity: vec![0.1; 18],
        ..JointState::default()
    };
    both_ways(c, "JointState of 18 joints", &joints);
}

criterion_group!(benches, codec);
criterion_main!(benches);
