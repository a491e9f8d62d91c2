//! Decoding with AVX2: the parts of a stream where nothing unusual happens.
//!
//! Every function here decodes from the start of `words` until something comes
//! that it leaves to the portable code (an address outside of the sensor, a
//! trigger, a wrap of the clock), and returns how many words it has decoded.
//! What it writes is exactly what the portable code writes.
//!
//! `unsafe` is needed for vector loads and stores: events are built in registers
//! and written four at a time over the spare capacity of a vector, the surplus
//! being overwritten by the events that follow.

mod evt2;
mod evt3;

use std::arch::x86_64::{
    __m256i, _mm256_or_si256, _mm256_storeu_si256, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64,
};
use std::mem::offset_of;

use saccade_msgs::Event;

pub(super) use evt2::{aedat4, dat, evt2, evt21};
pub(super) use evt3::evt3;

// `Output` writes events as two words of 64 bits.
const _: () = assert!(
    size_of::<Event>() == 16
        && offset_of!(Event, t_us) == 0
        && offset_of!(Event, x) == 8
        && offset_of!(Event, y) == 10
        && offset_of!(Event, on) == 12
);

/// Whether this CPU has what the functions of this module need.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("popcnt")
}

/// The order in which four events lie in a register beside another with their
/// times, so that interleaving the two puts them in order.
const PAIRED: [usize; 4] = [0, 2, 1, 3];

/// Appends to a vector of events.
struct Output<'a> {
    events: &'a mut Vec<Event>,
    len: usize,
}

impl<'a> Output<'a> {
    /// With room for `n` events more and the surplus of the last write.
    fn new(events: &'a mut Vec<Event>, n: usize) -> Self {
        events.reserve(n + 8);
        let len = events.len();
        Self { events, len }
    }

    /// Writes four events at `skip` after the end, without moving the end.
    /// `times` are those of the events in the order of [`PAIRED`]; `rest` holds
    /// column, row and polarity (0 or 1) from bits 0, 16 and 32 on.
    ///
    /// # Safety
    /// The `n` of `new` must count every event taken since, and `skip` be at most 4.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn write4(&mut self, skip: usize, times: __m256i, rest: __m256i) {
        debug_assert!(self.len + skip + 4 <= self.events.capacity());
        // SAFETY: within the capacity, by the caller's promise.
        unsafe {
            let to = self.events.as_mut_ptr().add(self.len + skip);
            _mm256_storeu_si256(to.cast(), _mm256_unpacklo_epi64(times, rest));
            _mm256_storeu_si256(to.add(2).cast(), _mm256_unpackhi_epi64(times, rest));
        }
    }

    /// Writes two events, as they lie in memory, without moving the end.
    ///
    /// # Safety
    /// As [`write4`](Self::write4); polarities must be 0 or 1.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn write2(&mut self, events: __m256i) {
        debug_assert!(self.len + 2 <= self.events.capacity());
        // SAFETY: within the capacity, by the caller's promise.
        unsafe {
            let to = self.events.as_mut_ptr().add(self.len);
            _mm256_storeu_si256(to.cast(), events);
        }
    }

    /// Moves the end over `n` events that were written.
    fn take(&mut self, n: usize) {
        self.len += n;
    }

    /// # Safety
    /// Every event taken must have been written.
    unsafe fn finish(self) {
        // SAFETY: written, by the caller's promise, and within the capacity.
        unsafe { self.events.set_len(self.len) }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn or3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_or_si256(a, b), c)
}

/// For every mask of 12 bits the numbers of its lowest four bits, in the order
/// of [`PAIRED`].
static FIRST4: [[u8; 4]; 1 << 12] = first4();

const fn first4() -> [[u8; 4]; 1 << 12] {
    let mut table = [[0; 4]; 1 << 12];
    let mut mask = 0;
    while mask < table.len() {
        let (mut left, mut i) = (mask, 0);
        while left != 0 && i < 4 {
            table[mask][PAIRED[i]] = left.trailing_zeros() as u8;
            left &= left - 1;
            i += 1;
        }
        mask += 1;
    }
    table
}
