//! Noise, drawn event by event so that its cost follows its rate.

use super::params::EventCameraParams;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A draw from N(0, 1) (Box and Muller 1958).
pub(crate) fn standard_normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

/// A shot noise event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shot {
    pub t_us: f64,
    pub pixel: usize,
    pub on: bool,
}

/// Shot noise of the whole array: one Poisson process at the highest rate any pixel
/// could have, thinned to each pixel's own (Lewis and Shedler 1979).
#[derive(Debug)]
pub(super) struct ShotNoise {
    /// C/threshold of every pixel, relative to the largest of them, ON and OFF.
    acceptance: [Vec<f32>; 2],
    /// Mean time between two candidates; infinite without shot noise.
    mean_us: f64,
    rng: ChaCha8Rng,
    next_us: f64,
}

impl ShotNoise {
    pub fn new(params: &EventCameraParams, on: &[f32], off: &[f32]) -> Self {
        let ratio = |nominal: f32, thresholds: &[f32]| -> Vec<f32> {
            thresholds.iter().map(|t| nominal / t).collect()
        };
        let mut acceptance = [
            ratio(params.contrast_on, on),
            ratio(params.contrast_off, off),
        ];
        let largest = acceptance.iter().flatten().fold(0f32, |a, &b| a.max(b));
        for value in acceptance.iter_mut().flatten() {
            *value /= largest;
        }
        let rate_hz = f64::from(params.shot_noise_rate_hz) * f64::from(largest) * on.len() as f64;
        Self {
            acceptance,
            mean_us: 1e6 / rate_hz,
            rng: ChaCha8Rng::seed_from_u64(0),
            next_us: f64::INFINITY,
        }
    }

    pub fn restart(&mut self, t_us: u64, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        self.rng.set_stream(1);
        self.next_us = t_us as f64;
        self.draw_next();
    }

    fn draw_next(&mut self) {
        self.next_us -= self.mean_us * (1.0 - self.rng.random::<f64>()).ln();
    }

    /// The next shot before `end_us`, given every pixel's (255 I + 20)/275.
    pub fn next_before(&mut self, end_us: f64, brightness: &[f32]) -> Option<Shot> {
        if self.mean_us.is_infinite() {
            return None;
        }
        while self.next_us < end_us {
            let t_us = self.next_us;
            self.draw_next();
            let pixel = self.rng.random_range(0..brightness.len());
            let on = self.rng.random::<bool>();
            let share = self.acceptance[usize::from(!on)][pixel];
            let dimmed = 1.0 - 0.75 * brightness[pixel].min(1.0);
            if self.rng.random::<f32>() < share * dimmed {
                return Some(Shot { t_us, pixel, on });
            }
        }
        None
    }
}

/// Which pixels in constant light will leak to an event soon.
///
/// All pixels are scanned for those due within a window of 0.5 % of the mean
/// interval, which makes the cost per leak event that of looking at 200 pixels.
/// Pixels that come to rest after their light has changed are pushed again.
#[derive(Debug)]
pub(super) struct LeakQueue {
    window_us: f64,
    /// (time in ns, pixel). A pixel may be in it more than once, or be due later
    /// than it says: whoever takes one out looks again.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    until_us: f64,
}

impl LeakQueue {
    pub fn new(leak_rate_hz: f32) -> Self {
        Self {
            window_us: 5e3 / f64::from(leak_rate_hz),
            due: BinaryHeap::new(),
            until_us: 0.0,
        }
    }

    pub fn invalidate(&mut self) {
        self.until_us = 0.0;
        self.due.clear();
    }

    /// The end of the window.
    pub fn until_us(&self) -> f64 {
        self.until_us
    }

    /// Whether all pixels are to be pushed anew, at the end `t1_us` of a step; begins
    /// the next window then.
    pub fn wants_scan(&mut self, t1_us: f64) -> bool {
        if t1_us <= self.until_us {
            return false;
        }
        self.due.clear();
        self.until_us = t1_us + self.window_us;
        true
    }

    /// Remembers a pixel if it is due within the window.
    pub fn push(&mut self, due_us: f64, pixel: usize) {
        if due_us <= self.until_us {
            // Rounded up: a pixel must not be looked at before it is due.
            self.due
                .push(Reverse(((due_us * 1e3).ceil() as u64, pixel)));
        }
    }

    /// The next pixel that may be due at `t1_us`.
    pub fn pop(&mut self, t1_us: f64) -> Option<usize> {
        let Reverse((due_ns, pixel)) = *self.due.peek()?;
        if due_ns as f64 * 1e-3 > t1_us {
            return None;
        }
        self.due.pop();
        Some(pixel)
    }
}
