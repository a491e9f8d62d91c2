//! EVT3, eight words at a time.
//!
//! Which of the eight words are of a type is a mask of eight bits. By that mask
//! two tables give shuffles: `LATEST` brings to every word the row (time, base)
//! that holds there, `PACK` brings the words that are events together. No
//! branch depends on the order of the words' types, which cannot be foreseen.

use std::arch::x86_64::*;

use saccade_msgs::Event;

use super::super::Geometry;
use super::super::evt3::{ADDRESS, POLARITY, State};
use super::evt2::put;
use super::{Output, PAIRED, or3};

/// Blocks of eight words from which runs are collected before they are expanded.
const BLOCKS: usize = 64;
/// Keeps the differences of base columns within a block positive.
const BIAS: u16 = 128;
/// Bases up to this fit beside bias and polarity.
const MAX_BASE: u16 = 0x3FFF;

type Shuffle = [u8; 16];

/// For every mask: from which word on each place takes what holds there; 0x80
/// where the mask has no bit at or before the place.
static LATEST: [Shuffle; 256] = latest();
/// For every mask: its words, in their order.
static PACK: [Shuffle; 256] = pack([0, 1, 2, 3]);
/// The same with each four words in the order of [`PAIRED`].
static PACK_PAIRED: [Shuffle; 256] = pack(PAIRED);

const fn latest() -> [Shuffle; 256] {
    let mut table = [[0x80; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut place, mut from) = (0, 0x80);
        while place < 8 {
            if mask >> place & 1 != 0 {
                from = 2 * place as u8;
            }
            table[mask][2 * place] = from;
            table[mask][2 * place + 1] = if from == 0x80 { from } else { from + 1 };
            place += 1;
        }
        mask += 1;
    }
    table
}

const fn pack(order: [usize; 4]) -> [Shuffle; 256] {
    let mut table = [[0x80; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut word, mut n) = (0, 0);
        while word < 8 {
            if mask >> word & 1 != 0 {
                let place = n / 4 * 4 + order[n % 4];
                table[mask][2 * place] = 2 * word as u8;
                table[mask][2 * place + 1] = 2 * word as u8 + 1;
                n += 1;
            }
            word += 1;
        }
        mask += 1;
    }
    table
}

/// Decodes EVT3 words; see the [module](super). Time and row must be known.
///
/// # Safety
/// [`available`](super::available) must hold.
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub unsafe fn evt3(
    words: &[[u8; 2]],
    state: &mut State,
    sensor: Geometry,
    events: &mut Vec<Event>,
) -> usize {
    if sensor.width == 0 || sensor.height == 0 {
        return 0;
    }
    let mut done = 0;
    loop {
        // SAFETY: by the caller's promise.
        let singles = unsafe { singles(&words[done..], state, sensor, events) };
        done += singles;
        // SAFETY: by the caller's promise.
        let vectors = unsafe { vectors(&words[done..], state, sensor, events) };
        done += vectors;
        if vectors == 0 {
            return done;
        }
    }
}

/// What holds at every word of a block: the value of the last word in `mask` at
/// or before it, else `carried`.
#[target_feature(enable = "avx2")]
#[inline]
fn holding(values: __m128i, mask: u8, carried: __m128i) -> __m128i {
    let from = load(&LATEST[usize::from(mask)]);
    let before = _mm_srai_epi16::<15>(from);
    _mm_or_si128(
        _mm_shuffle_epi8(values, from),
        _mm_and_si128(carried, before),
    )
}

/// The last of eight words, in all places.
#[target_feature(enable = "avx2")]
#[inline]
fn last(values: __m128i) -> __m128i {
    _mm_shuffle_epi8(values, _mm_set1_epi16(0x0F0E))
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are there.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn words16(value: u16) -> __m128i {
    _mm_set1_epi16(value as i16)
}

/// Bits for the words of `a` (lower byte) and `b` (upper byte) that are all ones.
#[target_feature(enable = "avx2")]
#[inline]
fn masks(a: __m128i, b: __m128i) -> (u8, u8) {
    let both = _mm_movemask_epi8(_mm_packs_epi16(a, b));
    (both as u8, (both >> 8) as u8)
}

/// Whether `a` is at most `b` in every word, unsigned.
#[target_feature(enable = "avx2")]
#[inline]
fn at_most(a: __m128i, b: __m128i) -> __m128i {
    _mm_cmpeq_epi16(_mm_min_epu16(a, b), a)
}

#[target_feature(enable = "avx2")]
#[inline]
fn is_zero(v: __m128i) -> bool {
    _mm_testz_si128(v, v) != 0
}

/// Rows and times of a block, and what the next block starts with.
#[derive(Clone, Copy)]
struct Held {
    row: __m128i,
    low: __m128i,
}

impl Held {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new(state: &State) -> Self {
        Self {
            row: words16(state.y),
            low: words16((state.t_us - state.base_us) as u16),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn at(self, words: __m128i, is_row: __m128i, is_low: __m128i) -> Self {
        let (rows, lows) = masks(is_row, is_low);
        Self {
            row: holding(_mm_and_si128(words, words16(ADDRESS)), rows, self.row),
            low: holding(_mm_and_si128(words, words16(0xFFF)), lows, self.low),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn last(self) -> Self {
        Self {
            row: last(self.row),
            low: last(self.low),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn store(self, state: &mut State, sensor: Geometry) {
        state.set_row(_mm_extract_epi16::<0>(self.row) as u16, sensor);
        state.t_us = state.base_us + _mm_extract_epi16::<0>(self.low) as u64;
    }
}

/// A `TIME_HIGH` that tells what is known; such words are skipped.
fn same_high(state: &State) -> u16 {
    0x8000 | (state.base_us >> 12 & 0xFFF) as u16
}

/// Blocks of `ADDR_Y`, `ADDR_X` and times.
#[target_feature(enable = "avx2,bmi1,popcnt")]
unsafe fn singles(
    words: &[[u8; 2]],
    state: &mut State,
    sensor: Geometry,
    events: &mut Vec<Event>,
) -> usize {
    let mut out = Output::new(events, words.len());
    let mut held = Held::new(state);
    let same_high = words16(same_high(state));
    let base = _mm256_set1_epi64x(state.base_us as i64);
    let (right, bottom) = (words16(sensor.width - 1), words16(sensor.height - 1));
    let mut done = 0;
    for block in words.as_chunks::<8>().0 {
        let w = load(block.as_flattened().first_chunk().unwrap_or(&[0; 16]));
        let kind = _mm_and_si128(w, words16(0xF000));
        let is_row = _mm_cmpeq_epi16(kind, words16(0));
        let is_event = _mm_cmpeq_epi16(kind, words16(0x2000));
        let is_low = _mm_cmpeq_epi16(kind, words16(0x6000));
        let known = _mm_or_si128(
            _mm_or_si128(is_row, is_event),
            _mm_or_si128(is_low, _mm_cmpeq_epi16(w, same_high)),
        );
        let now = held.at(w, is_row, is_low);
        let x = _mm_and_si128(w, words16(ADDRESS));
        let inside = _mm_and_si128(at_most(x, right), at_most(now.row, bottom));
        let usable = _mm_and_si128(known, _mm_or_si128(inside, _mm_xor_si128(is_event, ones())));
        if _mm_movemask_epi8(usable) != 0xFFFF {
            break;
        }
        held = now.last();
        let (mask, _) = masks(is_event, _mm_setzero_si128());
        let order = load(&PACK_PAIRED[usize::from(mask)]);
        let x = _mm_shuffle_epi8(w, order);
        let row = _mm_shuffle_epi8(now.row, order);
        let low = _mm_shuffle_epi8(now.low, order);
        let n = mask.count_ones() as usize;
        // SAFETY: no more events than words are taken.
        unsafe { write_singles(&mut out, 0, x, row, low, base) };
        if n > 4 {
            let upper = |v| _mm_unpackhi_epi64(v, v);
            // SAFETY: as above.
            unsafe { write_singles(&mut out, 4, upper(x), upper(row), upper(low), base) };
        }
        out.take(n);
        done += 8;
    }
    held.store(state, sensor);
    // SAFETY: every event taken was written.
    unsafe { out.finish() };
    done
}

#[target_feature(enable = "avx2")]
#[inline]
fn ones() -> __m128i {
    _mm_set1_epi8(-1)
}

/// Writes the four lower events of `ADDR_X` words, rows and times.
///
/// # Safety
/// As `Output::write4`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn write_singles(
    out: &mut Output<'_>,
    skip: usize,
    words: __m128i,
    rows: __m128i,
    lows: __m128i,
    base: __m256i,
) {
    let w = _mm256_cvtepu16_epi64(words);
    let rest = or3(
        _mm256_and_si256(w, _mm256_set1_epi64x(i64::from(ADDRESS))),
        _mm256_slli_epi64::<16>(_mm256_cvtepu16_epi64(rows)),
        _mm256_slli_epi64::<21>(_mm256_and_si256(w, _mm256_set1_epi64x(i64::from(POLARITY)))),
    );
    let times = _mm256_or_si256(base, _mm256_cvtepu16_epi64(lows));
    // SAFETY: by the caller's promise.
    unsafe { out.write4(skip, times, rest) };
}

/// Events that share time, row and polarity: 16 bits each of column with the
/// polarity in bit 15, row, lower time, and which of the columns from there on.
type Run = u64;

/// Blocks with vectors. Ends where the stream has none for long.
#[target_feature(enable = "avx2,bmi1,popcnt")]
unsafe fn vectors(
    words: &[[u8; 2]],
    state: &mut State,
    sensor: Geometry,
    events: &mut Vec<Event>,
) -> usize {
    let mut runs = [0; 8 * BLOCKS + 8];
    let mut done = 0;
    for piece in words.chunks(8 * BLOCKS) {
        if state.base_x > MAX_BASE {
            break;
        }
        let mut collected = Collected::default();
        collect(piece, state, sensor, &mut runs, &mut collected);
        let mut out = Output::new(events, 12 * collected.runs);
        for &run in &runs[..collected.runs] {
            let t_us = state.base_us | (run >> 32 & 0xFFF);
            let rest = run & 0xFFFF_7FFF | (run & 0x8000) << 17;
            // SAFETY: twelve events of each run have room.
            unsafe { put(&mut out, t_us, rest, (run >> 48) as u32) };
        }
        // SAFETY: every event taken was written.
        unsafe { out.finish() };
        done += collected.words;
        if collected.words < 8 * BLOCKS || !collected.vectors {
            break;
        }
    }
    done
}

/// What `collect` found.
#[derive(Default)]
struct Collected {
    words: usize,
    runs: usize,
    vectors: bool,
}

/// Turns words into runs; follows `state`.
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn collect(
    words: &[[u8; 2]],
    state: &mut State,
    sensor: Geometry,
    runs: &mut [Run; 8 * BLOCKS + 8],
    found: &mut Collected,
) {
    let mut held = Held::new(state);
    let same_high = words16(same_high(state));
    let mut base = words16((state.base_x + BIAS) | u16::from(state.vector_on) << 15);
    let mut any_vector = _mm_setzero_si128();
    let (width, bottom) = (words16(sensor.width), words16(sensor.height - 1));
    for block in words.as_chunks::<8>().0 {
        let w = load(block.as_flattened().first_chunk().unwrap_or(&[0; 16]));
        let is = |kind: u16| {
            let kinds = _mm_and_si128(w, words16(0xF000));
            _mm_cmpeq_epi16(kinds, words16(kind << 12))
        };
        let (is_row, is_single, is_base, is_low) = (is(0), is(2), is(3), is(6));
        let (is_12, is_8) = (is(4), is(5));
        let is_vector = _mm_or_si128(is_12, is_8);
        let is_event = _mm_or_si128(is_vector, is_single);
        let known = _mm_or_si128(
            _mm_or_si128(_mm_or_si128(is_row, is_low), is_event),
            _mm_or_si128(is_base, _mm_cmpeq_epi16(w, same_high)),
        );
        let now = held.at(w, is_row, is_low);

        // Columns that vectors have passed before and up to each word.
        let columns = _mm_or_si128(
            _mm_and_si128(is_12, words16(12)),
            _mm_and_si128(is_8, words16(8)),
        );
        let passed = sums(columns);
        let before = _mm_sub_epi16(passed, columns);
        let address = _mm_or_si128(
            _mm_and_si128(w, words16(ADDRESS)),
            _mm_slli_epi16::<4>(_mm_and_si128(w, words16(POLARITY))),
        );
        // A base less what was passed before it, so that adding what was passed
        // gives the base of any later word.
        let origin = _mm_sub_epi16(_mm_add_epi16(address, words16(BIAS)), before);
        let (bases, _) = masks(is_base, is_base);
        let origin = holding(origin, bases, base);
        let vector_x = _mm_sub_epi16(_mm_add_epi16(origin, before), words16(BIAS));
        let x = _mm_blendv_epi8(address, vector_x, is_vector);

        // The first column behind the word's events.
        let end = _mm_add_epi16(
            _mm_and_si128(x, words16(0x7FFF)),
            _mm_or_si128(columns, _mm_and_si128(is_single, words16(1))),
        );
        let inside = _mm_and_si128(at_most(end, width), at_most(now.row, bottom));
        let usable = _mm_and_si128(known, _mm_or_si128(inside, _mm_xor_si128(is_event, ones())));
        if _mm_movemask_epi8(usable) != 0xFFFF {
            break;
        }
        held = now.last();
        base = last(_mm_add_epi16(origin, passed));
        any_vector = _mm_or_si128(any_vector, is_vector);

        let mask = _mm_or_si128(
            _mm_and_si128(is_single, words16(1)),
            _mm_or_si128(
                _mm_and_si128(w, _mm_and_si128(is_12, words16(0xFFF))),
                _mm_and_si128(w, _mm_and_si128(is_8, words16(0xFF))),
            ),
        );
        let (empty, _) = masks(_mm_cmpeq_epi16(mask, _mm_setzero_si128()), mask);
        let order = load(&PACK[usize::from(!empty)]);
        let to = &mut runs[found.runs..found.runs + 8];
        store_runs(to, [x, now.row, now.low, mask], order);
        found.runs += (!empty).count_ones() as usize;
        found.words += 8;
    }
    held.store(state, sensor);
    let base = _mm_extract_epi16::<0>(base) as u16;
    state.base_x = (base & 0x7FFF) - BIAS;
    state.vector_on = base >> 15 != 0;
    found.vectors = !is_zero(any_vector);
}

/// Sums of all words up to each.
#[target_feature(enable = "avx2")]
#[inline]
fn sums(v: __m128i) -> __m128i {
    let v = _mm_add_epi16(v, _mm_slli_si128::<2>(v));
    let v = _mm_add_epi16(v, _mm_slli_si128::<4>(v));
    _mm_add_epi16(v, _mm_slli_si128::<8>(v))
}

/// Packs the words of the four fields by `order` and writes them as eight runs.
#[target_feature(enable = "avx2")]
#[inline]
fn store_runs(to: &mut [Run], fields: [__m128i; 4], order: __m128i) {
    let [x, row, low, mask] = fields.map(|v| _mm_shuffle_epi8(v, order));
    let place = [_mm_unpacklo_epi16(x, row), _mm_unpackhi_epi16(x, row)];
    let rest = [_mm_unpacklo_epi16(low, mask), _mm_unpackhi_epi16(low, mask)];
    for ((to, place), rest) in to.as_chunks_mut::<4>().0.iter_mut().zip(place).zip(rest) {
        let to: *mut __m128i = to.as_mut_ptr().cast();
        // SAFETY: `to` has room for two times 16 bytes.
        unsafe {
            _mm_storeu_si128(to, _mm_unpacklo_epi32(place, rest));
            _mm_storeu_si128(to.add(1), _mm_unpackhi_epi32(place, rest));
        }
    }
}
