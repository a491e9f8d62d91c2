//! From events of a camera to input spikes of a network.
//!
//! A square window of the sensor is down-sampled to `out x out` cells with two
//! polarities; the input of an event is `polarity * out * out + row * out + column`
//! with polarity 1 for ON. An input spikes at most once per tick, further events of
//! the tick are merged and counted.
//!
//! The window either stays on the middle of the sensor or follows where the events
//! are ([`Placement::Attention`]): the median of the last `history` events, then,
//! `iterations` times, the median of those of them that lie within the window
//! around it. Restricting the median to the window lets it settle on one dense
//! group of events instead of between two, so that texture elsewhere in the image
//! does not pull it away. Over the ticks of an interval the centre is averaged:
//! the mean of all ticks at first, a running mean over `smoothing_ticks` later.
//!
//! Events are collected over a tick and placed at its end, so that the first spikes
//! already see a centre. Memory is taken at the start; the cost of a tick is
//! (its events + history), whatever the size of the sensor's image content.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_count};

/// Where the window lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Placement {
    /// On the middle of the sensor.
    Centre,
    /// Where the events are.
    Attention {
        /// Last events that say where the window goes.
        history: usize,
        /// Events an interval must have had before the window is placed; those of
        /// earlier ticks become no spikes and are counted as unplaced.
        min_events: usize,
        /// Medians within the window after the first one.
        iterations: usize,
        /// Ticks over which the centre is averaged.
        smoothing_ticks: usize,
    },
}

/// Parameters of an encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderConfig {
    /// Width of the sensor in pixels.
    pub sensor_width: u16,
    /// Height of the sensor in pixels.
    pub sensor_height: u16,
    /// Side of the window in pixels; it may reach beyond the sensor.
    pub window: u16,
    /// Cells along a side of the window.
    pub out: u16,
    /// Where the window lies.
    pub placement: Placement,
    /// Ticks for which an input stays silent after a spike.
    pub refractory_ticks: u32,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            sensor_width: 128,
            sensor_height: 128,
            window: 64,
            out: 32,
            placement: Placement::Attention {
                history: 1000,
                min_events: 100,
                iterations: 3,
                smoothing_ticks: 20,
            },
            refractory_ticks: 0,
        }
    }
}

impl EncoderConfig {
    /// The whole sensor, or its largest central square, seen by `out x out` cells.
    pub fn address(sensor_width: u16, sensor_height: u16, window: u16, out: u16) -> Self {
        Self {
            sensor_width,
            sensor_height,
            window,
            out,
            placement: Placement::Centre,
            refractory_ticks: 0,
        }
    }

    /// Inputs of the network: cells times polarities.
    pub fn n_inputs(&self) -> usize {
        2 * usize::from(self.out) * usize::from(self.out)
    }

    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        let side = |name, value: u16| check_count(name, value.into(), 1, 8192);
        side("encoder.sensor_width", self.sensor_width)?;
        side("encoder.sensor_height", self.sensor_height)?;
        side("encoder.window", self.window)?;
        check_count("encoder.out", self.out.into(), 1, 512)?;
        if !self.window.is_multiple_of(self.out) {
            return Err(Error::Parameter {
                name: "encoder.window".to_owned(),
                value: self.window.to_string(),
                range: format!("a multiple of encoder.out = {}", self.out),
            });
        }
        if let Placement::Attention {
            history,
            min_events,
            iterations,
            smoothing_ticks,
        } = self.placement
        {
            check_count("encoder.placement.history", history, 1, 100_000)?;
            check_count("encoder.placement.min_events", min_events, 1, history)?;
            check_count("encoder.placement.iterations", iterations, 0, 20)?;
            check_count(
                "encoder.placement.smoothing_ticks",
                smoothing_ticks,
                1,
                65536,
            )?;
        }
        Ok(())
    }
}

/// What became of the events, since creation. All but `refused` sum to `events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EncoderCounts {
    /// Events taken in.
    pub events: u64,
    /// Events that became spikes.
    pub spikes: u64,
    /// Events merged with another of the same input and tick, or within its refractory time.
    pub merged: u64,
    /// Events outside the window.
    pub outside: u64,
    /// Events before the window had a place.
    pub unplaced: u64,
    /// Events refused: outside the sensor, or more than a tick holds.
    pub refused: u64,
}

/// Events one tick can hold: at ticks of 1 ms, 65 million events per second.
const TICK_CAPACITY: usize = 1 << 16;

/// An encoder with its state.
#[derive(Clone, Debug)]
pub struct Encoder {
    config: EncoderConfig,
    attention: Option<Attention>,
    /// Events of the coming tick.
    pending: Vec<(u16, u16, bool)>,
    /// Spikes of the last tick.
    spikes: Vec<u32>,
    /// Tick (from 1) from which on an input may spike again.
    free_from: Vec<u64>,
    ticks: u64,
    counts: EncoderCounts,
}

impl Encoder {
    /// An encoder that has seen no events.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the configuration is out of range.
    pub fn new(config: EncoderConfig) -> Result<Self> {
        config.validate()?;
        let attention = match config.placement {
            Placement::Centre => None,
            Placement::Attention { .. } => Some(Attention::new(&config)),
        };
        Ok(Self {
            attention,
            pending: Vec::with_capacity(TICK_CAPACITY),
            spikes: Vec::with_capacity(config.n_inputs()),
            free_from: vec![0; config.n_inputs()],
            ticks: 0,
            counts: EncoderCounts::default(),
            config,
        })
    }

    /// Starts an interval (a saccade): the window is placed anew, pending events are
    /// forgotten (and counted as unplaced).
    pub fn begin_interval(&mut self) {
        self.counts.unplaced += self.pending.len() as u64;
        self.pending.clear();
        self.spikes.clear();
        self.free_from.fill(0);
        self.ticks = 0;
        if let Some(attention) = &mut self.attention {
            attention.begin();
        }
    }

    /// Takes in an event of the coming tick.
    ///
    /// # Errors
    /// [`Error::EventOutOfSensor`] and [`Error::TickFull`]; the event is counted as
    /// refused and nothing else happens.
    pub fn push(&mut self, x: u16, y: u16, on: bool) -> Result<()> {
        let (width, height) = (self.config.sensor_width, self.config.sensor_height);
        if x >= width || y >= height {
            self.counts.refused += 1;
            return Err(Error::EventOutOfSensor {
                x,
                y,
                width,
                height,
            });
        }
        if self.pending.len() == TICK_CAPACITY {
            self.counts.refused += 1;
            return Err(Error::TickFull {
                capacity: TICK_CAPACITY,
            });
        }
        self.counts.events += 1;
        self.pending.push((x, y, on));
        Ok(())
    }

    /// Ends the tick: places the window and returns the spikes of the tick's events,
    /// in their order.
    pub fn tick(&mut self) -> &[u32] {
        self.ticks += 1;
        self.spikes.clear();
        if let Some(attention) = &mut self.attention {
            attention.follow(&self.pending);
        }
        match self.origin() {
            None => self.counts.unplaced += self.pending.len() as u64,
            Some(origin) => self.place(origin),
        }
        self.pending.clear();
        &self.spikes
    }

    /// Upper left pixel of the window, `None` before it has a place.
    pub fn origin(&self) -> Option<(i32, i32)> {
        let (x, y) = match &self.attention {
            None => (
                f32::from(self.config.sensor_width) * 0.5,
                f32::from(self.config.sensor_height) * 0.5,
            ),
            // The centre of pixel k lies at k + 1/2.
            Some(attention) => attention.centre().map(|(x, y)| (x + 0.5, y + 0.5))?,
        };
        let half = f32::from(self.config.window) * 0.5;
        Some(((x - half).round() as i32, (y - half).round() as i32))
    }

    fn place(&mut self, (left, top): (i32, i32)) {
        let window = i32::from(self.config.window);
        let out = i32::from(self.config.out);
        let cell = window / out;
        let silent = u64::from(self.config.refractory_ticks);
        for &(x, y, on) in &self.pending {
            let (x, y) = (i32::from(x) - left, i32::from(y) - top);
            if !((0..window).contains(&x) && (0..window).contains(&y)) {
                self.counts.outside += 1;
                continue;
            }
            let input = (i32::from(on) * out + y / cell) * out + x / cell;
            let free_from = &mut self.free_from[input as usize];
            if *free_from > self.ticks {
                self.counts.merged += 1;
                continue;
            }
            *free_from = self.ticks + 1 + silent;
            self.counts.spikes += 1;
            self.spikes.push(input as u32);
        }
    }

    /// What became of the events so far.
    pub fn counts(&self) -> EncoderCounts {
        self.counts
    }

    /// The configuration.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }
}

/// Follows where the events are.
#[derive(Clone, Debug)]
struct Attention {
    min_events: usize,
    iterations: usize,
    smoothing_ticks: usize,
    half: f32,
    /// The last events, the oldest at `next` once the ring is full.
    ring: Vec<(u16, u16)>,
    history: usize,
    next: usize,
    /// Events per column and per row, working memory.
    columns: Vec<u32>,
    rows: Vec<u32>,
    centre: Option<(f32, f32)>,
    /// Ticks the centre is the average of.
    averaged: usize,
}

impl Attention {
    /// Follows the events of an encoder whose placement is [`Placement::Attention`].
    fn new(config: &EncoderConfig) -> Self {
        let (history, min_events, iterations, smoothing_ticks) = match config.placement {
            Placement::Centre => (1, 1, 0, 1),
            Placement::Attention {
                history,
                min_events,
                iterations,
                smoothing_ticks,
            } => (history, min_events, iterations, smoothing_ticks),
        };
        Self {
            min_events,
            iterations,
            smoothing_ticks,
            half: f32::from(config.window) * 0.5,
            ring: Vec::with_capacity(history),
            history,
            next: 0,
            columns: vec![0; config.sensor_width.into()],
            rows: vec![0; config.sensor_height.into()],
            centre: None,
            averaged: 0,
        }
    }

    fn begin(&mut self) {
        self.ring.clear();
        self.next = 0;
        self.centre = None;
        self.averaged = 0;
    }

    fn centre(&self) -> Option<(f32, f32)> {
        self.centre
    }

    /// Takes in the events of a tick and moves the centre.
    fn follow(&mut self, events: &[(u16, u16, bool)]) {
        let fresh = events.len().saturating_sub(self.history);
        for &(x, y, _) in &events[fresh..] {
            if self.ring.len() < self.history {
                self.ring.push((x, y));
            } else {
                self.ring[self.next] = (x, y);
                self.next = (self.next + 1) % self.history;
            }
        }
        if events.is_empty() || self.ring.len() < self.min_events {
            return;
        }
        let Some(mut at) = self.median(None) else {
            return;
        };
        for _ in 0..self.iterations {
            let Some(closer) = self.median(Some(at)) else {
                break;
            };
            if closer == at {
                break;
            }
            at = closer;
        }
        self.averaged = (self.averaged + 1).min(self.smoothing_ticks);
        let take = 1.0 / self.averaged as f32;
        let (x, y) = self.centre.unwrap_or(at);
        self.centre = Some((x + take * (at.0 - x), y + take * (at.1 - y)));
    }

    /// Median column and row of the events in the ring, of those within the window
    /// around `near` where it is given.
    fn median(&mut self, near: Option<(f32, f32)>) -> Option<(f32, f32)> {
        self.columns.fill(0);
        self.rows.fill(0);
        let mut count = 0;
        for &(x, y) in &self.ring {
            let within = near.is_none_or(|(cx, cy)| {
                (f32::from(x) - cx).abs() <= self.half && (f32::from(y) - cy).abs() <= self.half
            });
            if within {
                self.columns[usize::from(x)] += 1;
                self.rows[usize::from(y)] += 1;
                count += 1;
            }
        }
        Some((middle(&self.columns, count)?, middle(&self.rows, count)?))
    }
}

/// The value below which half of `count` entries of a histogram lie.
fn middle(histogram: &[u32], count: u32) -> Option<f32> {
    let mut below = 0;
    for (value, &n) in histogram.iter().enumerate() {
        below += n;
        if 2 * below >= count && below > 0 {
            return Some(value as f32);
        }
    }
    None
}

/// Input spikes of one interval as (tick, input), for events `(x, y, on, t_us)` in order
/// of time with onset at `onset_us` and ticks of 1 ms. Events before onset or at and
/// after the end are skipped; those the encoder refuses are counted there.
pub fn encode(
    encoder: &mut Encoder,
    events: impl IntoIterator<Item = (u16, u16, bool, u64)>,
    onset_us: u64,
    ticks: u16,
) -> Vec<(u16, u32)> {
    encoder.begin_interval();
    let mut spikes = Vec::new();
    let mut tick = 0;
    let mut end_tick = |encoder: &mut Encoder, tick: u16| {
        spikes.extend(encoder.tick().iter().map(|&id| (tick, id)));
    };
    for (x, y, on, t_us) in events {
        let Some(since) = t_us.checked_sub(onset_us) else {
            continue;
        };
        let due = since / 1000;
        if due >= u64::from(ticks) {
            break;
        }
        while u64::from(tick) < due {
            end_tick(encoder, tick);
            tick += 1;
        }
        // A refused event is counted by the encoder.
        let _ = encoder.push(x, y, on);
    }
    while tick < ticks {
        end_tick(encoder, tick);
        tick += 1;
    }
    spikes
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn sum(counts: EncoderCounts) -> u64 {
        counts.spikes + counts.merged + counts.outside + counts.unplaced
    }

    /// The four corners of a centred window, both polarities, and what lies outside.
    #[test]
    fn addresses_by_hand() {
        let mut encoder = Encoder::new(EncoderConfig::address(128, 128, 64, 32)).unwrap();
        for (x, y, on) in [
            (32, 32, false),
            (95, 32, false),
            (32, 95, true),
            (95, 95, true),
        ] {
            encoder.push(x, y, on).unwrap();
        }
        encoder.push(33, 33, false).unwrap();
        encoder.push(31, 50, true).unwrap();
        encoder.push(50, 96, true).unwrap();
        assert_eq!(encoder.tick(), [0, 31, 1024 + 31 * 32, 2047]);
        let counts = encoder.counts();
        assert_eq!((counts.spikes, counts.merged, counts.outside), (4, 1, 2));
        assert_eq!(sum(counts), counts.events);
        // The next tick starts afresh.
        encoder.push(33, 33, false).unwrap();
        assert_eq!(encoder.tick(), [0]);
    }

    #[test]
    fn events_outside_the_sensor_are_refused_and_counted() {
        let mut encoder = Encoder::new(EncoderConfig::default()).unwrap();
        let error = encoder.push(128, 0, true).unwrap_err().to_string();
        assert!(
            error.contains("(128, 0)") && error.contains("128x128"),
            "{error}"
        );
        assert_eq!(encoder.counts().refused, 1);
        assert_eq!(encoder.counts().events, 0);
    }

    #[test]
    fn refractory_inputs_stay_silent() {
        let mut config = EncoderConfig::address(64, 64, 64, 32);
        config.refractory_ticks = 2;
        let mut encoder = Encoder::new(config).unwrap();
        let fired: Vec<usize> = (0..7)
            .map(|_| {
                encoder.push(0, 0, true).unwrap();
                encoder.tick().len()
            })
            .collect();
        assert_eq!(fired, [1, 0, 0, 1, 0, 0, 1]);
    }

    /// A dense object off centre with sparse texture everywhere: the window settles
    /// on the object, and stays within a pixel or two.
    #[test]
    fn attention_finds_the_object_in_texture() {
        let mut encoder = Encoder::new(EncoderConfig::default()).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut worst = 0;
        for tick in 0..300 {
            for k in 0..30 {
                let (x, y) = if k % 3 == 0 {
                    (rng.random_range(0..128), rng.random_range(0..128))
                } else {
                    (rng.random_range(76..96), rng.random_range(30..46))
                };
                encoder.push(x, y, rng.random()).unwrap();
            }
            encoder.tick();
            if tick > 30 {
                let (left, top) = encoder.origin().unwrap();
                worst = worst.max((left + 32 - 86).abs()).max((top + 32 - 38).abs());
            }
        }
        assert!(worst <= 3, "off by {worst} pixels");
        let counts = encoder.counts();
        assert_eq!(sum(counts), counts.events);
        assert!(counts.unplaced < 100 + 30);
    }

    #[test]
    fn encode_counts_ticks_from_onset() {
        let mut encoder = Encoder::new(EncoderConfig::address(64, 64, 64, 32)).unwrap();
        let events = [
            (0, 0, false, 999),
            (0, 0, false, 1000),
            (2, 0, false, 1999),
            (4, 0, false, 4000),
            (6, 0, false, 11_000),
        ];
        let spikes = encode(&mut encoder, events, 1000, 10);
        assert_eq!(spikes, [(0, 0), (0, 1), (3, 2)]);
    }

    #[test]
    fn absurd_parameters_are_refused() {
        type Spoil = fn(&mut EncoderConfig);
        let cases: [(&str, Spoil); 4] = [
            ("encoder.window", |c| c.window = 65),
            ("encoder.out", |c| c.out = 0),
            ("encoder.sensor_width", |c| c.sensor_width = 0),
            ("encoder.placement.history", |c| {
                c.placement = Placement::Attention {
                    history: usize::MAX,
                    min_events: 1,
                    iterations: 1,
                    smoothing_ticks: 1,
                };
            }),
        ];
        for (name, spoil) in cases {
            let mut config = EncoderConfig::default();
            spoil(&mut config);
            let text = Encoder::new(config).unwrap_err().to_string();
            assert!(text.contains(name), "{text}");
        }
    }
}
