//! Million events per second of the decoders on one core, best of several runs:
//! every event's t, x, y and polarity is written to memory.
//!
//!     cargo bench -p saccade-rosbags

use std::time::{Duration, Instant};

use saccade_msgs::Event;
use saccade_rosbags::events::{
    EventBatch, Evt2Decoder, Evt2Encoder, Evt3Decoder, Evt3Encoder, Geometry, PacketDecoder,
    PacketView, mono_packet,
};

const SENSOR: Geometry = Geometry {
    width: 1280,
    height: 720,
};
const EVENTS: usize = 4_000_000;
const PIECE: usize = 1 << 16;

/// Neighbours in rows, `run` at a time, `step_us` apart.
fn events(run: u64, step_us: u64) -> Vec<Event> {
    (0..EVENTS as u64)
        .map(|i| {
            let group = i / run;
            // A stride that visits rows and columns in no simple order.
            let place = group.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            Event {
                t_us: group * step_us,
                x: (place >> 40) as u16 % 1240 + (i % run) as u16,
                y: (place >> 20) as u16 % 720,
                on: place >> 63 != 0,
            }
        })
        .collect()
}

/// Decodes all of `encoded` in pieces; best time of several.
fn measure(
    name: &str,
    encoded: &[u8],
    expected: usize,
    mut run: impl FnMut(&[u8], &mut EventBatch) -> usize,
) {
    let mut best = Duration::MAX;
    let mut batch = EventBatch::default();
    for _ in 0..7 {
        let start = Instant::now();
        let mut n = 0;
        for piece in encoded.chunks(PIECE) {
            batch.clear();
            n += run(piece, &mut batch);
        }
        best = best.min(start.elapsed());
        assert_eq!(n, expected, "{name}");
    }
    let rate = expected as f64 / best.as_secs_f64() / 1e6;
    let size = encoded.len() as f64 / expected as f64;
    println!("{name:12} {rate:7.0} Mev/s   {size:.1} B/event");
}

fn main() {
    for (name, run, step_us) in [("sparse", 1, 1), ("dense", 4, 3)] {
        let events = events(run, step_us);
        let mut evt3 = Vec::new();
        Evt3Encoder::new()
            .encode(&events, &mut evt3)
            .expect("within limits");
        measure(&format!("evt3 {name}"), &evt3, EVENTS, {
            let mut decoder = Evt3Decoder::new(SENSOR);
            move |piece, batch| {
                decoder.decode(piece, batch);
                batch.events.len()
            }
        });
    }
    let sparse = events(1, 1);
    let mut evt2 = Vec::new();
    Evt2Encoder::new()
        .encode(&sparse, &mut evt2)
        .expect("within limits");
    measure("evt2", &evt2, EVENTS, {
        let mut decoder = Evt2Decoder::new(SENSOR);
        move |piece, batch| {
            decoder.decode(piece, batch);
            batch.events.len()
        }
    });
    let packet = mono_packet(&sparse, 0, SENSOR, 0, "").expect("fits");
    let mut decoder = PacketDecoder::new();
    measure("mono", &packet.events, EVENTS, |piece, batch| {
        let view = PacketView {
            events: piece,
            ..(&packet).into()
        };
        decoder.decode(view, batch).expect("decodes");
        batch.events.len()
    });
}
