//! Decoders of streams: however a stream is cut into pieces, the same events.

use saccade_rosbags::events::synthetic::Random;
use saccade_rosbags::events::{
    DatDecoder, DecodeCounts, EventBatch, Evt2Decoder, Evt3Decoder, Evt21Decoder, Geometry,
    HalfOrder, PacketDecoder, PacketView,
};

/// Sensors to decode for; the first byte of an input takes one.
const SENSORS: [Geometry; 4] = [
    Geometry::UNBOUNDED,
    sensor(1280, 720),
    sensor(37, 5),
    sensor(1, 1),
];

const fn sensor(width: u16, height: u16) -> Geometry {
    Geometry { width, height }
}

/// A decoder of one stream.
trait Decoder {
    fn decode(&mut self, bytes: &[u8], out: &mut EventBatch);
    fn finish(&mut self);
    fn counts(&self) -> DecodeCounts;
}

macro_rules! decoders {
    ($($name:ident)*) => {
        $(impl Decoder for $name {
            fn decode(&mut self, bytes: &[u8], out: &mut EventBatch) {
                $name::decode(self, bytes, out);
            }
            fn finish(&mut self) {
                $name::finish(self);
            }
            fn counts(&self) -> DecodeCounts {
                $name::counts(self)
            }
        })*
    };
}
decoders!(Evt2Decoder Evt21Decoder Evt3Decoder DatDecoder);

/// EVT2.
pub fn evt2(input: &[u8]) {
    same_however_cut(input, |sensor, _| Evt2Decoder::new(sensor));
}

/// EVT2.1, of both orders.
pub fn evt21(input: &[u8]) {
    same_however_cut(input, |sensor, choice| {
        let swapped = choice & 4 != 0;
        let order = [HalfOrder::LittleEndian, HalfOrder::Swapped][usize::from(swapped)];
        Evt21Decoder::new(sensor, order)
    });
}

/// EVT3.
pub fn evt3(input: &[u8]) {
    same_however_cut(input, |sensor, _| Evt3Decoder::new(sensor));
}

/// DAT.
pub fn dat(input: &[u8]) {
    same_however_cut(input, |sensor, _| DatDecoder::new(sensor));
}

/// An input is a byte that takes sensor and variant, a byte that seeds the cuts,
/// and the stream.
fn same_however_cut<D: Decoder>(input: &[u8], make: impl Fn(Geometry, u8) -> D) {
    let [choice, seed, stream @ ..] = input else {
        return;
    };
    let sensor = SENSORS[usize::from(choice & 3)];
    let decode = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = make(sensor, *choice);
        let mut out = EventBatch::default();
        for piece in pieces {
            decoder.decode(piece, &mut out);
        }
        decoder.finish();
        (out, decoder.counts())
    };
    let whole = decode(&mut std::iter::once(stream));
    assert_inside(&whole.0, sensor);
    let cut = decode(&mut pieces(stream, (*seed).into()));
    assert!(whole == cut, "other events in other pieces");
}

/// Cuts a stream: mostly small pieces, empty ones among them.
fn pieces(mut stream: &[u8], seed: u64) -> impl Iterator<Item = &[u8]> {
    let mut random = Random(seed);
    std::iter::from_fn(move || {
        let longest = [1, 3, 9, 300][random.below(4) as usize];
        let n = (random.below(longest + 1) as usize).min(stream.len());
        let (piece, rest) = stream.split_at(n);
        let done = stream.is_empty();
        stream = rest;
        (!done).then_some(piece)
    })
}

fn assert_inside(batch: &EventBatch, sensor: Geometry) {
    let outside = (batch.events.iter())
        .find(|e| sensor != Geometry::UNBOUNDED && (e.x >= sensor.width || e.y >= sensor.height));
    assert!(outside.is_none(), "{outside:?} is outside of {sensor:?}");
}

const ENCODINGS: [&str; 8] = [
    "evt3",
    "evt2",
    "evt21",
    "mono",
    "libcaer",
    "libcaer_cmp",
    "evt4",
    "",
];

/// Packets of a topic: each a byte of encoding, byte order and step of `seq`, a
/// byte of sensor and time base, a byte of length, and the events.
pub fn packets(input: &[u8]) {
    let mut decoder = PacketDecoder::new();
    let (mut packets, mut seq) = (0, u64::from(u32::MAX) - 2);
    let mut rest = input;
    while let [kind, place, length, after @ ..] = rest {
        let (events, after) = after.split_at(after.len().min((*length).into()));
        rest = after;
        seq = seq.wrapping_add([1, 1, 0, u64::MAX / 3][usize::from(kind >> 4 & 3)]);
        let sensor = SENSORS[usize::from(place & 3)];
        let encoding = ENCODINGS[usize::from(kind & 7)];
        let packet = PacketView {
            height: u32::from(sensor.height) + u32::from(kind & 0x40 != 0),
            width: sensor.width.into(),
            seq,
            time_base_ns: u64::from(place >> 2) * (u64::MAX / 63),
            encoding,
            is_bigendian: kind & 8 != 0,
            events,
        };
        let mut batch = EventBatch::default();
        match decoder.decode(packet, &mut batch) {
            Ok(()) => packets += 1,
            Err(_) => assert_eq!(batch, EventBatch::default()),
        }
        if packet.height == u32::from(sensor.height) {
            assert_inside(&batch, sensor);
        }
    }
    assert_eq!(decoder.counts().packets, packets);
}
