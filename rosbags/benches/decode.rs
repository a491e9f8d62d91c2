//! Speed of the decoders on one core, in events per second, every event's t, x,
//! y and polarity written to memory.
//!
//!     cargo bench -p saccade-rosbags --bench decode
//!
//! First the crate `evt3` and the decoders take turns on the same streams, so
//! that a noisy machine is noisy for both; best of each, and their ratio, after
//! comparing every event. Then criterion measures the decoders one by one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use saccade_msgs::Event;
use saccade_rosbags::events::synthetic::{Kind, stream};
use saccade_rosbags::events::{
    DatDecoder, EventBatch, Evt2Decoder, Evt3Decoder, Evt21Decoder, Geometry, HalfOrder,
    PacketDecoder, PacketView, mono_packet,
};

const SENSOR: Geometry = Geometry {
    width: 1280,
    height: 720,
};
const EVENTS: usize = 4_000_000;
/// Bytes that are decoded at once, as `EventSource` does.
const PIECE: usize = 1 << 18;
const SEED: u64 = 1;

/// Decodes `bytes` piece by piece over the same memory; tells `seen` of every batch.
fn ours(
    bytes: &[u8],
    batch: &mut EventBatch,
    mut decode: impl FnMut(&[u8], &mut EventBatch),
    mut seen: impl FnMut(&[Event]),
) {
    for piece in bytes.chunks(PIECE) {
        batch.clear();
        decode(piece, batch);
        seen(black_box(&batch.events));
    }
}

fn theirs(bytes: &[u8], events: &mut Vec<evt3::CdEvent>, mut seen: impl FnMut(&[evt3::CdEvent])) {
    let mut decoder = evt3::Evt3Decoder::new();
    let mut triggers = Vec::new();
    for piece in bytes.chunks(PIECE) {
        events.clear();
        decoder
            .decode_bytes(piece, events, &mut triggers)
            .expect("decodes");
        seen(black_box(events));
    }
}

/// Speeds of both on one EVT3 stream, in turns.
fn against_evt3(name: &str, bytes: &[u8], n: usize) {
    let evt3 = || {
        let mut decoder = Evt3Decoder::new(SENSOR);
        move |piece: &[u8], batch: &mut EventBatch| decoder.decode(piece, batch)
    };
    let mut batch = EventBatch::default();
    let mut events = Vec::new();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let same = |t_us, x, y, on| Event { t_us, x, y, on };
    ours(bytes, &mut batch, evt3(), |e| a.extend_from_slice(e));
    theirs(bytes, &mut events, |e| {
        b.extend(
            e.iter()
                .map(|e| same(e.timestamp, e.x, e.y, e.polarity != 0)),
        );
    });
    assert_eq!(a.len(), n);
    assert!(a == b, "the decoders disagree on `{name}`");
    let (mut our_best, mut their_best) = (Duration::MAX, Duration::MAX);
    for _ in 0..15 {
        let start = Instant::now();
        theirs(bytes, &mut events, |_| {});
        their_best = their_best.min(start.elapsed());
        let start = Instant::now();
        ours(bytes, &mut batch, evt3(), |_| {});
        our_best = our_best.min(start.elapsed());
    }
    let rate = |d: Duration| n as f64 / d.as_secs_f64() / 1e6;
    println!(
        "evt3 {name:6} {:.1} B/event: saccade {:4.0} Mev/s, crate evt3 {:4.0} Mev/s, ratio {:.2}",
        bytes.len() as f64 / n as f64,
        rate(our_best),
        rate(their_best),
        rate(our_best) / rate(their_best),
    );
}

fn one(
    criterion: &mut Criterion,
    name: &str,
    bytes: &[u8],
    n: usize,
    mut decode: impl FnMut(&[u8], &mut EventBatch),
) {
    let mut batch = EventBatch::default();
    let mut group = criterion.benchmark_group("decode");
    group
        .throughput(Throughput::Elements(n as u64))
        .sample_size(20);
    group.bench_function(BenchmarkId::from_parameter(name), |b| {
        b.iter(|| ours(bytes, &mut batch, &mut decode, |_| {}));
    });
    group.finish();
}

fn bench(criterion: &mut Criterion) {
    for (name, (bytes, n)) in [
        ("evt3 sparse", stream(Kind::Evt3Sparse, EVENTS, SEED)),
        ("evt3 dense", stream(Kind::Evt3Dense, EVENTS, SEED)),
    ] {
        let mut d = Evt3Decoder::new(SENSOR);
        one(criterion, name, &bytes, n, |b, out| d.decode(b, out));
    }
    for (name, mean_us) in [("evt2, 0.2 Mev/s", 5), ("evt2, 1 Mev/s", 1)] {
        let (bytes, _) = stream(Kind::Evt2 { mean_us }, EVENTS, SEED);
        let mut d = Evt2Decoder::new(SENSOR);
        one(criterion, name, &bytes, EVENTS, |b, out| d.decode(b, out));
    }
    let (bytes, n) = stream(Kind::Evt21, EVENTS, SEED);
    let mut d = Evt21Decoder::new(SENSOR, HalfOrder::LittleEndian);
    one(criterion, "evt21", &bytes, n, |b, out| d.decode(b, out));
    let (bytes, _) = stream(Kind::Dat, EVENTS, SEED);
    let mut d = DatDecoder::new(SENSOR);
    one(criterion, "dat", &bytes, EVENTS, |b, out| d.decode(b, out));

    let mut batch = EventBatch::default();
    DatDecoder::new(SENSOR).decode(&bytes, &mut batch);
    let events = &batch.events[..EVENTS / 4];
    let packet = mono_packet(events, 0, SENSOR, 0, "").expect("fits");
    let mut d = PacketDecoder::new();
    one(criterion, "mono", &packet.events, events.len(), |b, out| {
        let view = PacketView {
            events: b,
            ..(&packet).into()
        };
        d.decode(view, out).expect("decodes");
    });
}

criterion_group!(benches, bench);

fn main() {
    let (sparse, n) = stream(Kind::Evt3Sparse, EVENTS, SEED);
    against_evt3("sparse", &sparse, n);
    let (dense, n) = stream(Kind::Evt3Dense, EVENTS, SEED);
    against_evt3("dense", &dense, n);
    benches();
    Criterion::default().configure_from_args().final_summary();
}
