//! Decoders that use vector instructions against the same without: events,
//! triggers and counts are equal for every stream and every cut.

use proptest::prelude::*;

use super::synthetic::{Kind, Random, stream};
use super::*;

const SENSOR: Geometry = Geometry {
    width: 1280,
    height: 720,
};

/// Decodes in pieces of up to `longest` bytes.
fn all<D>(
    decode: impl Fn(&mut D, &[u8], &mut EventBatch),
    mut decoder: D,
    mut bytes: &[u8],
    random: &mut Random,
    longest: u64,
) -> (EventBatch, D) {
    let mut out = EventBatch::default();
    while !bytes.is_empty() {
        let n = bytes.len().min(1 + random.below(longest) as usize);
        decode(&mut decoder, &bytes[..n], &mut out);
        bytes = &bytes[n..];
    }
    (out, decoder)
}

macro_rules! same {
    ($decoder:ident, $new:expr, $bytes:expr, $random:expr) => {{
        let (bytes, random): (&[u8], &mut Random) = ($bytes, $random);
        let mut portable = $new;
        portable.vectors = false;
        let (expected, mut reference) = all(
            $decoder::decode,
            portable,
            bytes,
            random,
            u64::from(u32::MAX),
        );
        reference.finish();
        for longest in [1, 7, 100, 5000, u64::from(u32::MAX)] {
            let (out, mut decoder) = all($decoder::decode, $new, bytes, random, longest);
            decoder.finish();
            assert_eq!(decoder.counts(), reference.counts());
            assert_eq!(out, expected);
        }
    }};
}

/// Replaces `n` words of `size` bytes by random bits, and cuts the end off.
fn disturb(bytes: &mut Vec<u8>, size: usize, n: u64, random: &mut Random) {
    for _ in 0..n {
        let at = random.below((bytes.len() / size) as u64) as usize * size;
        for byte in &mut bytes[at..at + size] {
            *byte = random.below(256) as u8;
        }
    }
    bytes.truncate(bytes.len() - random.below(2 * size as u64) as usize);
}

fn sensors() -> impl Strategy<Value = Geometry> {
    prop_oneof![
        4 => Just(SENSOR),
        1 => Just(Geometry::UNBOUNDED),
        1 => (0u16..1300, 0u16..730).prop_map(|(width, height)| Geometry { width, height }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn evt3(seed: u64, dense: bool, odd in prop_oneof![Just(0u64), 0u64..5, 0u64..300], sensor in sensors()) {
        let random = &mut Random(seed);
        let kind = if dense { Kind::Evt3Dense } else { Kind::Evt3Sparse };
        let mut bytes = stream(kind, 2000, seed).0;
        disturb(&mut bytes, 2, odd, random);
        same!(Evt3Decoder, Evt3Decoder::new(sensor), &bytes, random);
    }

    /// Streams that go from one kind to the other.
    #[test]
    fn evt3_changing(seed: u64, lengths in prop::collection::vec(1usize..3000, 1..6)) {
        let random = &mut Random(seed);
        let mut bytes = Vec::new();
        for (i, &n) in lengths.iter().enumerate() {
            let kind = if i % 2 == 0 { Kind::Evt3Dense } else { Kind::Evt3Sparse };
            bytes.extend_from_slice(&stream(kind, n, seed.wrapping_add(i as u64)).0);
        }
        same!(Evt3Decoder, Evt3Decoder::new(SENSOR), &bytes, random);
    }

    /// Words of all types, none likelier than another but those of one type
    /// `favoured`.
    #[test]
    fn evt3_of_any_words(seed: u64, favoured in 0u64..16, sensor in sensors()) {
        let random = &mut Random(seed);
        let mut bytes: Vec<u8> = [0x8000u16, 0x6000, 0].map(u16::to_le_bytes).concat();
        for _ in 0..3000 {
            let kind = match random.below(3) {
                0 => random.below(16),
                _ => [favoured, 0, 2, 3, 4, 5, 6][random.below(7) as usize],
            };
            let payload = if kind == 8 { 0 } else { random.below(0x1000) };
            bytes.extend_from_slice(&((kind << 12 | payload) as u16).to_le_bytes());
        }
        same!(Evt3Decoder, Evt3Decoder::new(sensor), &bytes, random);
    }

    #[test]
    fn evt2(seed: u64, mean_us in 0u64..50, odd in prop_oneof![Just(0u64), 0u64..5, 0u64..300], sensor in sensors()) {
        let random = &mut Random(seed);
        let mut bytes = stream(Kind::Evt2 { mean_us }, 2000, seed).0;
        disturb(&mut bytes, 4, odd, random);
        same!(Evt2Decoder, Evt2Decoder::new(sensor), &bytes, random);
    }

    #[test]
    fn evt21(seed: u64, odd in prop_oneof![Just(0u64), 0u64..5, 0u64..300], sensor in sensors()) {
        let random = &mut Random(seed);
        let mut bytes = stream(Kind::Evt21, 2000, seed).0;
        disturb(&mut bytes, 8, odd, random);
        same!(Evt21Decoder, Evt21Decoder::new(sensor, HalfOrder::LittleEndian), &bytes, random);
        bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|w| w.rotate_left(4));
        same!(Evt21Decoder, Evt21Decoder::new(sensor, HalfOrder::Swapped), &bytes, random);
    }

    #[test]
    fn dat(seed: u64, odd in prop_oneof![Just(0u64), 0u64..5, 0u64..300], sensor in sensors()) {
        let random = &mut Random(seed);
        let mut bytes = stream(Kind::Dat, 2000, seed).0;
        disturb(&mut bytes, 8, odd, random);
        same!(DatDecoder, DatDecoder::new(sensor), &bytes, random);
    }
}

#[test]
fn vector_instructions_are_what_is_tested_here() {
    if !has_vectors() {
        eprintln!("NOT TESTED: this CPU lacks the vector instructions that the decoders can use");
    }
}
