//! EVT2, EVT2.1 and DAT.

use std::arch::x86_64::*;

use saccade_msgs::Event;

use super::super::Geometry;
use super::super::evt2::{CD_ON, HighTime, TIME_HIGH};
use super::{FIRST4, Output, or3};

/// Decodes EVT2 words; see the [module](super). The time must be known, or told
/// by the first word.
///
/// `TIME_HIGH` comes at no time that a CPU could foresee, so it is taken
/// without a branch: each round writes eight events and keeps those before the
/// first word that is none.
///
/// # Safety
/// [`available`](super::available) must hold.
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub unsafe fn evt2(
    words: &[[u8; 4]],
    time: &mut HighTime,
    sensor: Geometry,
    events: &mut Vec<Event>,
) -> usize {
    let mut out = Output::new(events, words.len());
    let width = _mm256_set1_epi32(i32::from(sensor.width));
    let height = _mm256_set1_epi32(i32::from(sensor.height));
    let address = _mm256_set1_epi32(0x7FF);
    // Not behind the reference, where every write of events might change it.
    let mut clock = *time;
    let mut done = 0;
    while let Some(block) = words[done..].first_chunk::<8>() {
        // SAFETY: 32 bytes are there.
        let w = unsafe { _mm256_loadu_si256(block.as_ptr().cast()) };
        let x = _mm256_and_si256(_mm256_srli_epi32::<11>(w), address);
        let y = _mm256_and_si256(w, address);
        let inside = _mm256_and_si256(_mm256_cmpgt_epi32(width, x), _mm256_cmpgt_epi32(height, y));
        let event = _mm256_cmpeq_epi32(_mm256_srli_epi32::<29>(w), _mm256_setzero_si256());
        let other = !lanes(event) & 0xFF;
        let n = (other | 0x100).trailing_zeros() as usize;
        let outside = !lanes(inside) & ((1 << n) - 1);

        let base = _mm256_set1_epi64x(clock.base_us as i64);
        for half in [0, 4] {
            // SAFETY: 16 of the 32 bytes.
            let w = unsafe { _mm_loadu_si128(block.as_ptr().add(half).cast()) };
            let w = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_cvtepu32_epi64(w));
            let low = _mm256_and_si256(_mm256_srli_epi64::<22>(w), _mm256_set1_epi64x(0x3F));
            let address = _mm256_set1_epi64x(0x7FF);
            let rest = or3(
                _mm256_and_si256(_mm256_srli_epi64::<11>(w), address),
                _mm256_slli_epi64::<16>(_mm256_and_si256(w, address)),
                _mm256_and_si256(_mm256_slli_epi64::<4>(w), _mm256_set1_epi64x(1 << 32)),
            );
            // SAFETY: no more events than words are taken.
            unsafe { out.write4(half, _mm256_or_si256(low, base), rest) };
        }

        let word = u32::from_le_bytes(block[n.min(7)]);
        let high = word >> 28 == TIME_HIGH;
        let mut next = clock;
        next.set(word);
        let wraps = next.base_us >> 34 != clock.base_us >> 34;
        let unusual = (n < 8) & !high | high & wraps;
        if outside != 0 {
            break;
        }
        out.take(n);
        done += n;
        if unusual {
            break;
        }
        let chosen = u64::from(high).wrapping_neg();
        clock.base_us = clock.base_us & !chosen | next.base_us & chosen;
        clock.known |= high;
        done += usize::from(high);
    }
    *time = clock;
    // SAFETY: every event taken was written.
    unsafe { out.finish() };
    done
}

/// Which lanes are all ones.
#[target_feature(enable = "avx2")]
#[inline]
fn lanes(v: __m256i) -> u32 {
    _mm256_movemask_ps(_mm256_castsi256_ps(v)) as u32
}

/// Decodes EVT2.1 words, whose halves are swapped if `swapped`; see the
/// [module](super). The time must be known.
///
/// # Safety
/// [`available`](super::available) must hold.
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub unsafe fn evt21(
    words: &[[u8; 8]],
    swapped: bool,
    time: &mut HighTime,
    sensor: Geometry,
    events: &mut Vec<Event>,
) -> usize {
    let turn = if swapped { 32 } else { 0 };
    let mut done = 0;
    // Room for the worst case is made piece by piece.
    for piece in words.chunks(64) {
        let mut out = Output::new(events, 32 * piece.len());
        let before = done;
        for &bytes in piece {
            let word = u64::from_le_bytes(bytes).rotate_right(turn);
            let (upper, mask) = ((word >> 32) as u32, word as u32);
            let kind = upper >> 28;
            if kind > CD_ON {
                if kind != TIME_HIGH {
                    break;
                }
                time.set(upper);
                done += 1;
                continue;
            }
            let (x, y) = (upper >> 11 & 0x7FF, upper & 0x7FF);
            let right = x + (32 - mask.leading_zeros());
            if right > u32::from(sensor.width) || y >= u32::from(sensor.height) {
                break;
            }
            let t_us = time.base_us | u64::from(upper >> 22 & 0x3F);
            let rest = u64::from(x | y << 16) | u64::from(kind) << 32;
            // SAFETY: 32 events of each word have room.
            unsafe {
                put(&mut out, t_us, rest, mask & 0xFFF);
                put(&mut out, t_us, rest + 12, mask >> 12 & 0xFFF);
                put(&mut out, t_us, rest + 24, mask >> 24);
            }
            done += 1;
        }
        // SAFETY: every event taken was written.
        unsafe { out.finish() };
        if done - before < piece.len() {
            break;
        }
    }
    done
}

/// Writes an event for every bit of `mask` (12 bits) that is set; `rest` holds
/// column, row and polarity as in `Output::write4`, the column that of bit 0.
///
/// # Safety
/// As `Output::write4`.
#[target_feature(enable = "avx2,bmi1,popcnt")]
#[inline]
pub unsafe fn put(out: &mut Output<'_>, t_us: u64, rest: u64, mut mask: u32) {
    let times = _mm256_set1_epi64x(t_us as i64);
    let rest = _mm256_set1_epi64x(rest as i64);
    loop {
        let columns = i32::from_le_bytes(FIRST4[mask as usize & 0xFFF]);
        let columns = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(columns));
        // SAFETY: by the caller's promise.
        unsafe { out.write4(0, times, _mm256_add_epi64(rest, columns)) };
        let n = mask.count_ones() as usize;
        if n <= 4 {
            out.take(n);
            return;
        }
        out.take(4);
        for _ in 0..4 {
            mask &= mask - 1;
        }
    }
}

/// Decodes DAT events, whose clock has told `last` before and made `rounds_us`;
/// see the [module](super).
///
/// # Safety
/// [`available`](super::available) must hold.
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub unsafe fn dat(
    words: &[[u8; 8]],
    rounds_us: u64,
    last: &mut u32,
    sensor: Geometry,
    events: &mut Vec<Event>,
) -> usize {
    let mut out = Output::new(events, words.len());
    let rounds = _mm256_set1_epi64x(rounds_us as i64);
    let width = _mm256_set1_epi32(i32::from(sensor.width));
    let height = _mm256_set1_epi32(i32::from(sensor.height));
    let lower = _mm256_set1_epi64x(0xFFFF_FFFF);
    let address = _mm256_set1_epi64x(0x3FFF);
    let mut done = 0;
    for block in words.as_chunks::<4>().0 {
        // SAFETY: 32 bytes are there.
        let w = unsafe { _mm256_loadu_si256(block.as_ptr().cast()) };
        let w = _mm256_permute4x64_epi64::<0b11_01_10_00>(w);
        let x = _mm256_and_si256(_mm256_srli_epi64::<32>(w), address);
        let y = _mm256_and_si256(_mm256_srli_epi64::<46>(w), address);
        // The upper half of each lane is zero, and so inside or a sensor of no size.
        let beside = _mm256_cmpgt_epi32(width, x);
        let inside = _mm256_and_si256(beside, _mm256_cmpgt_epi32(height, y));
        // The clock can only wrap where the times' uppermost bits differ.
        let upper = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64::<32>(w)));
        let steady = if *last >> 31 == 0 { 0 } else { 0b1111 };
        if lanes(inside) != 0xFF || upper != steady {
            break;
        }
        let rest = or3(
            x,
            _mm256_slli_epi64::<16>(y),
            _mm256_and_si256(_mm256_srli_epi64::<28>(w), _mm256_set1_epi64x(1 << 32)),
        );
        let times = _mm256_or_si256(_mm256_and_si256(w, lower), rounds);
        // SAFETY: no more events than words are taken.
        unsafe { out.write4(0, times, rest) };
        out.take(4);
        *last = u64::from_le_bytes(block[3]) as u32;
        done += 4;
    }
    // SAFETY: every event taken was written.
    unsafe { out.finish() };
    done
}

/// Copies events of AEDAT 4, which lie in the file as in memory; see the
/// [module](super). Those with a negative time or a polarity that is neither 0
/// nor 1 are unusual.
///
/// # Safety
/// [`available`](super::available) must hold.
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub unsafe fn aedat4(records: &[[u8; 16]], sensor: Geometry, events: &mut Vec<Event>) -> usize {
    let mut out = Output::new(events, records.len());
    // In lanes of 32 bits an event is: time, time, row << 16 | column, polarity
    // and three bytes that mean nothing.
    let kept = _mm256_setr_epi32(-1, -1, -1, 0xFF, -1, -1, -1, 0xFF);
    let (width, height) = (i32::from(sensor.width) - 1, i32::from(sensor.height) - 1);
    let most = height << 16 | width & 0xFFFF;
    let most = _mm256_setr_epi32(0, i32::MAX, most, 1, 0, i32::MAX, most, 1);
    // The lower half of a time may be anything.
    let any = _mm256_setr_epi32(-1, 0, 0, 0, -1, 0, 0, 0);
    let most = _mm256_or_si256(most, any);
    let mut done = 0;
    if sensor.width == 0 || sensor.height == 0 {
        return done;
    }
    for pair in records.as_chunks::<2>().0 {
        // SAFETY: 32 bytes are there.
        let w = unsafe { _mm256_loadu_si256(pair.as_ptr().cast()) };
        let w = _mm256_and_si256(w, kept);
        // Every half lane must be at most what is allowed.
        let fits = _mm256_cmpeq_epi16(_mm256_max_epu16(w, most), most);
        if _mm256_movemask_epi8(fits) != -1 {
            break;
        }
        // SAFETY: no more events than records are taken.
        unsafe { out.write2(w) };
        out.take(2);
        done += 2;
    }
    // SAFETY: every event taken was written, with a polarity of 0 or 1.
    unsafe { out.finish() };
    done
}
