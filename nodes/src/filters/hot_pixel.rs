//! Hot pixels: those that fire on their own, again and again.
//!
//! A pixel is hot from the event on with which it has fired, within the present
//! window, at the rate (`rate * window` events) and more than `ratio` times what
//! its eight neighbours have on average: before a moving edge they fire alike. A
//! hot pixel's events are removed, and counted on; it is free again in the window
//! after one in which it kept below the rate. Nothing is scanned when a window
//! ends: a pixel looks at the window's number when it fires.

use super::spec::Values;
use super::{Filter, FilterError, retain};
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;

/// Most events of a pixel that are counted in a window.
const MAX_COUNT: u32 = (1 << 15) - 1;

/// Parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Config {
    window_us: u64,
    /// Events within a window that make a pixel suspect.
    limit: u32,
    ratio: u32,
}

impl Config {
    pub fn parse(values: &mut Values<'_>) -> Result<Self, FilterError> {
        let window_us = values.microseconds(1_000_000)?;
        let rate_hz = values.hertz(100.0)?;
        let ratio = values.number("ratio", 1, 1000, Some(5))? as u32;
        let limit = (rate_hz * window_us as f64 * 1e-6).ceil();
        if !(2.0..=f64::from(MAX_COUNT)).contains(&limit) {
            return Err(values.error(format!(
                "the rate over the window is {limit} events, it must be 2 to {MAX_COUNT}"
            )));
        }
        Ok(Config {
            window_us,
            limit: limit as u32,
            ratio,
        })
    }
}

/// What is known of a pixel: the lower half of the number of the window in which
/// it last fired (16 bits), its events there (15 bits), whether it is hot (1 bit).
#[derive(Debug, Clone, Copy, Default)]
struct Pixel(u32);

impl Pixel {
    fn new(window: u32, count: u32, hot: bool) -> Self {
        Pixel(window << 16 | count << 1 | u32::from(hot))
    }
    fn window(self) -> u32 {
        self.0 >> 16
    }
    fn count(self) -> u32 {
        self.0 >> 1 & MAX_COUNT
    }
    fn hot(self) -> bool {
        self.0 & 1 != 0
    }
}

/// The filter.
pub(super) struct HotPixel {
    config: Config,
    /// Columns of `pixels`, which has a border of one pixel.
    stride: usize,
    pixels: Vec<Pixel>,
    /// Number of the present window, modulo 2^16, and when it began.
    window: u32,
    start_us: Option<u64>,
}

impl HotPixel {
    pub fn new(config: Config, geometry: Geometry) -> Self {
        let stride = usize::from(geometry.width) + 2;
        HotPixel {
            config,
            stride,
            pixels: vec![Pixel::default(); stride * (usize::from(geometry.height) + 2)],
            // Not 0, which is what pixels say that never fired.
            window: 1,
            start_us: None,
        }
    }

    /// Goes on to the window of an event at `t_us`. Times a little before the
    /// present window belong to it; far before it a new one begins.
    fn turn(&mut self, t_us: u64) {
        let window_us = self.config.window_us;
        let start_us = *self.start_us.get_or_insert(t_us);
        if t_us >= start_us {
            let windows = (t_us - start_us) / window_us;
            self.start_us = Some(start_us + windows * window_us);
            self.window = (self.window + windows.min(2) as u32) & 0xFFFF;
        } else if start_us - t_us > window_us {
            self.start_us = Some(t_us);
            self.window = (self.window + 1) & 0xFFFF;
        }
    }

    /// Whether pixel `at` fired `ratio` times as often as its neighbours on average.
    #[cold]
    fn stands_out(&self, at: usize, count: u32) -> bool {
        let row = |first: usize| self.pixels[first..first + 3].iter();
        let around = row(at - self.stride - 1)
            .chain(row(at - 1))
            .chain(row(at + self.stride - 1));
        let here = self.pixels[at];
        let fired = |p: &Pixel| {
            if p.window() == self.window {
                p.count()
            } else {
                0
            }
        };
        let neighbours = around.map(fired).sum::<u32>() - fired(&here);
        count * 8 > neighbours * self.config.ratio
    }

    #[inline(always)]
    fn passes(&mut self, event: &Event) -> bool {
        let since = self.start_us.map(|s| event.t_us.wrapping_sub(s));
        // Times before the window's start wrap, and are looked at in `turn`, too.
        if since.is_none_or(|s| s >= self.config.window_us) {
            self.turn(event.t_us);
        }
        let at = (usize::from(event.y) + 1) * self.stride + usize::from(event.x) + 1;
        let pixel = self.pixels[at];
        let (mut count, mut hot) = (pixel.count(), pixel.hot());
        if pixel.window() != self.window {
            let just_before = (self.window.wrapping_sub(pixel.window()) & 0xFFFF) == 1;
            hot &= just_before && count >= self.config.limit;
            count = 0;
        }
        count = (count + 1).min(MAX_COUNT);
        if count >= self.config.limit && !hot {
            hot = self.stands_out(at, count);
        }
        self.pixels[at] = Pixel::new(self.window, count, hot);
        !hot
    }
}

impl Filter for HotPixel {
    fn process(&mut self, events: &mut Vec<Event>) {
        retain(events, |event| self.passes(event));
    }

    /// Those that fired in this window or the last.
    fn silenced(&self) -> Vec<(u16, u16)> {
        let late = |p: Pixel| (self.window.wrapping_sub(p.window()) & 0xFFFF) <= 1;
        let hot = self.pixels.iter().enumerate().filter(|(_, p)| p.hot());
        hot.filter(|(_, p)| late(**p))
            .map(|(at, _)| {
                let (row, column) = (at / self.stride, at % self.stride);
                (column as u16 - 1, row as u16 - 1)
            })
            .collect()
    }
}
