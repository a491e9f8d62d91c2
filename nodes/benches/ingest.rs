//! Speed of the filters, and of the way from packets of EVT3 to spikes, on one core,
//! in events per second.
//!
//!     cargo bench -p saccade-nodes --bench ingest
//!
//! Batches of 4096 events as a packet holds them: edges that move over 1280x720
//! pixels, with noise and a few hot pixels, at 20 million events a second.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::Event;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_nodes::filters::Chain;
use saccade_nodes::{Context, Input, Node, Parameters, Payload, dvs_ingest};
use saccade_rosbags::events::{Evt3Encoder, Geometry};

const SENSOR: Geometry = Geometry {
    width: 1280,
    height: 720,
};
const BATCH: usize = 4096;
const BATCHES: usize = 256;

fn stream() -> Vec<Vec<Event>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut n = 0u64;
    let mut event = || {
        n += 1;
        let t_us = n / 20;
        let edge = (t_us / 100) as u16;
        let (x, y) = match rng.random_range(0..100) {
            0 => (17, 333),
            1..10 => (rng.random_range(0..1280), rng.random_range(0..720)),
            _ => {
                let bar = rng.random_range(0..8) * 160;
                (
                    (bar + edge + rng.random_range(0..3)) % 1280,
                    rng.random_range(0..720),
                )
            }
        };
        let on = rng.random();
        Event { t_us, x, y, on }
    };
    (0..BATCHES)
        .map(|_| (0..BATCH).map(|_| event()).collect())
        .collect()
}

fn filters(c: &mut Criterion) {
    let batches = stream();
    let mut group = c.benchmark_group("filters");
    group.throughput(Throughput::Elements((BATCH * BATCHES) as u64));
    group.sample_size(20);
    for text in [
        "",
        "hot",
        "background",
        "refractory",
        "roi=100:100:1000x500",
        "crop=100:100:1000x500",
        "mask=17:333",
        "decimate=2",
        "subsample=2",
        "flip_x",
        "flip_y",
        "transpose",
        "polarity=on",
        "arbiter",
        "rate=10M",
        "default",
    ] {
        let name = if text.is_empty() { "copy alone" } else { text };
        let mut chain = Chain::parse(text, SENSOR).expect("a chain");
        let mut work = Vec::with_capacity(BATCH);
        let mut round_us = 0;
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                let mut left = 0;
                for batch in &batches {
                    work.clear();
                    // The stream goes on and on in time.
                    let later = |e: &Event| Event {
                        t_us: e.t_us + round_us,
                        ..*e
                    };
                    work.extend(batch.iter().map(later));
                    chain.process(&mut work);
                    left += work.len();
                }
                round_us += (BATCH * BATCHES) as u64 / 20;
                left
            });
        });
    }
    group.finish();
}

/// The stream as packets of EVT3.
fn packets() -> Vec<Input> {
    let mut encoder = Evt3Encoder::new();
    let mut packet = |(seq, events): (usize, &Vec<Event>)| {
        let mut packet = EventPacket {
            width: SENSOR.width.into(),
            height: SENSOR.height.into(),
            seq: seq as u64,
            encoding: "evt3".to_owned(),
            ..EventPacket::default()
        };
        encoder.encode(events, &mut packet.events).expect("encodes");
        Input::Message {
            topic: "events",
            payload: Payload::new(packet),
        }
    };
    stream().iter().enumerate().map(&mut packet).collect()
}

fn node(texts: &[(&str, &str)]) -> Box<dyn Node> {
    let mut parameters = Parameters::defaults(&dvs_ingest::INTERFACE);
    for (name, text) in texts {
        parameters.set_text(name, text).expect("a parameter");
    }
    dvs_ingest::create(&parameters).expect("a node")
}

fn live_path(c: &mut Criterion) {
    let packets = packets();
    let mut group = c.benchmark_group("packets to spikes");
    group.throughput(Throughput::Elements((BATCH * BATCHES) as u64));
    group.sample_size(10);
    let cases: [(&str, &[(&str, &str)]); 5] = [
        ("attention, window 64", &[]),
        (
            "whole width, 32x32",
            &[("attention", "false"), ("window", "1280")],
        ),
        (
            "and filters=default",
            &[
                ("attention", "false"),
                ("window", "1280"),
                ("filters", "default"),
            ],
        ),
        (
            "code=count",
            &[
                ("attention", "false"),
                ("window", "1280"),
                ("code", "count"),
            ],
        ),
        (
            "code=time_surface",
            &[
                ("attention", "false"),
                ("window", "1280"),
                ("code", "time_surface"),
            ],
        ),
    ];
    for (name, texts) in cases {
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            let run = |mut node: Box<dyn Node>| {
                let (mut outputs, mut next_id) = (Vec::new(), 0);
                for (i, packet) in packets.iter().enumerate() {
                    let now_ns = i as i64 * 204_800;
                    outputs.clear();
                    let mut ctx = Context::new(now_ns, now_ns, &mut outputs, &mut next_id);
                    node.handle(packet.clone(), &mut ctx);
                }
                node
            };
            // The first packet makes the sensor.
            let ready = || run(node(texts));
            b.iter_batched(ready, run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, filters, live_path);
criterion_main!(benches);
