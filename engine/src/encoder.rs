//! From events of a camera to input spikes of a network.
//!
//! A square window of the sensor is down-sampled to `out x out` cells with two
//! polarities; the input of an event is `polarity * out * out + row * out + column`
//! with polarity 1 for ON. An input spikes at most once per tick. How its events
//! become spikes is its [`Code`].
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
//! (its events + history), whatever the size of the sensor's image content, and with
//! [`Code::TimeSurface`] that of a pass over the inputs.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check, check_count};

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

/// How the events of an input become its spikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Code {
    /// Every event is a spike; further ones of the tick are merged with it.
    #[default]
    Address,
    /// An input spikes when it has had `events` events within a bin, and again after
    /// as many more. What is short of that at the bin's end is forgotten.
    Count {
        /// Events to a spike.
        events: u32,
        /// Ticks to a bin.
        bin_ticks: u32,
    },
    /// Exponentially decaying surface of the last events (Lagorce et al. 2017): S is 1
    /// at an event and then sinks by exp(-1 / `tau_ticks`) a tick. It is sampled every
    /// tick, as spikes, for that is what an input layer takes: S / `period_ticks` adds
    /// up, and at 1 the input spikes and 1 is taken off. So the rate is proportional to
    /// S, and an event alone gives about `tau_ticks` / `period_ticks` spikes.
    TimeSurface {
        /// Time constant, in ticks.
        tau_ticks: f32,
        /// Ticks between the spikes of an input whose surface is 1.
        period_ticks: f32,
    },
}

impl Code {
    fn is_address(&self) -> bool {
        *self == Code::Address
    }
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
    /// How events become spikes.
    #[serde(skip_serializing_if = "Code::is_address")]
    pub code: Code,
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
            code: Code::Address,
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
            code: Code::Address,
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
        match self.code {
            Code::Address => {}
            Code::Count { events, bin_ticks } => {
                check_count("encoder.code.events", events as usize, 1, 65535)?;
                check_count("encoder.code.bin_ticks", bin_ticks as usize, 1, 65536)?;
            }
            Code::TimeSurface {
                tau_ticks,
                period_ticks,
            } => {
                check("encoder.code.tau_ticks", tau_ticks.into(), 0.1, 1e5)?;
                check("encoder.code.period_ticks", period_ticks.into(), 1.0, 1e4)?;
            }
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
    /// Events that a count or a time surface took in and that are no spike themselves.
    pub absorbed: u64,
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
    /// Cell of each column and row of the window.
    cell: Vec<u32>,
    /// Inputs of the tick's events within the window.
    inputs: Vec<u32>,
    /// Of each input, what its code remembers: events in the bin, or (surface, sum).
    counted: Vec<u32>,
    surface: Vec<(f32, f32)>,
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
        let n_inputs = config.n_inputs();
        let (counting, decaying) = match config.code {
            Code::Address => (0, 0),
            Code::Count { .. } => (n_inputs, 0),
            Code::TimeSurface { .. } => (0, n_inputs),
        };
        let pixels_of_cell = config.window / config.out;
        Ok(Self {
            attention,
            cell: (0..config.window)
                .map(|pixel| u32::from(pixel / pixels_of_cell))
                .collect(),
            inputs: Vec::with_capacity(TICK_CAPACITY),
            counted: vec![0; counting],
            surface: vec![(0.0, 0.0); decaying],
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
        self.counted.fill(0);
        self.surface.fill((0.0, 0.0));
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
    #[inline]
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
        self.inputs.clear();
        match self.origin() {
            None => self.counts.unplaced += self.pending.len() as u64,
            Some(origin) => self.place(origin),
        }
        self.pending.clear();
        match self.config.code {
            Code::Address => self.spike_for_each(),
            Code::Count { events, bin_ticks } => self.spike_for_many(events, bin_ticks),
            Code::TimeSurface {
                tau_ticks,
                period_ticks,
            } => self.sample_surface((-1.0 / tau_ticks).exp(), 1.0 / period_ticks),
        }
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

    /// Finds the inputs of the events within the window.
    fn place(&mut self, (left, top): (i32, i32)) {
        let out = u32::from(self.config.out);
        for &(x, y, on) in &self.pending {
            // What is left or above wraps to far beyond.
            let column = (i32::from(x) - left) as u32 as usize;
            let row = (i32::from(y) - top) as u32 as usize;
            if let (Some(column), Some(row)) = (self.cell.get(column), self.cell.get(row)) {
                self.inputs.push((u32::from(on) * out + row) * out + column);
            }
        }
        self.counts.outside += (self.pending.len() - self.inputs.len()) as u64;
    }

    /// [`Code::Address`].
    fn spike_for_each(&mut self) {
        let silent = u64::from(self.config.refractory_ticks);
        for &input in &self.inputs {
            let free_from = &mut self.free_from[input as usize];
            if *free_from > self.ticks {
                self.counts.merged += 1;
                continue;
            }
            *free_from = self.ticks + 1 + silent;
            self.counts.spikes += 1;
            self.spikes.push(input);
        }
    }

    /// [`Code::Count`].
    fn spike_for_many(&mut self, events: u32, bin_ticks: u32) {
        let silent = u64::from(self.config.refractory_ticks);
        if (self.ticks - 1).is_multiple_of(bin_ticks.into()) {
            self.counted.fill(0);
        }
        for &input in &self.inputs {
            let counted = &mut self.counted[input as usize];
            let free_from = &mut self.free_from[input as usize];
            *counted = counted.saturating_add(1);
            if *counted < events || *free_from > self.ticks {
                self.counts.absorbed += 1;
                continue;
            }
            *counted -= events;
            *free_from = self.ticks + 1 + silent;
            self.counts.spikes += 1;
            self.spikes.push(input);
        }
    }

    /// [`Code::TimeSurface`]: the surface sinks by `decay` a tick, and fills the sum of
    /// an input by `rate` of itself.
    fn sample_surface(&mut self, decay: f32, rate: f32) {
        let silent = u64::from(self.config.refractory_ticks);
        for (s, _) in &mut self.surface {
            *s *= decay;
        }
        for &input in &self.inputs {
            self.surface[input as usize].0 = 1.0;
        }
        self.counts.absorbed += self.inputs.len() as u64;
        for (input, (s, sum)) in self.surface.iter_mut().enumerate() {
            *sum += rate * *s;
            if *sum >= 1.0 && self.free_from[input] <= self.ticks {
                *sum = (*sum - 1.0).min(1.0);
                self.free_from[input] = self.ticks + 1 + silent;
                self.spikes.push(input as u32);
            }
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
        counts.spikes + counts.absorbed + counts.merged + counts.outside + counts.unplaced
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

    fn with_code(code: Code) -> Encoder {
        let mut config = EncoderConfig::address(64, 64, 64, 32);
        config.code = code;
        Encoder::new(config).unwrap()
    }

    /// Three events to a spike, in bins of four ticks.
    #[test]
    fn counts_spike_at_every_third_event_of_a_bin() {
        let mut encoder = with_code(Code::Count {
            events: 3,
            bin_ticks: 4,
        });
        let fired = |encoder: &mut Encoder, events: usize| {
            for _ in 0..events {
                encoder.push(2, 0, false).unwrap();
            }
            encoder.tick().to_vec()
        };
        assert!(fired(&mut encoder, 2).is_empty());
        assert_eq!(fired(&mut encoder, 1), [1]);
        // Seven at once: one spike a tick, the rest counts on.
        assert_eq!(fired(&mut encoder, 7), [1]);
        assert_eq!(fired(&mut encoder, 1), [1]);
        // The next bin begins: two are left over, and forgotten.
        assert!(fired(&mut encoder, 1).is_empty());
        assert_eq!(fired(&mut encoder, 2), [1]);
        let counts = encoder.counts();
        assert_eq!((counts.spikes, counts.absorbed), (4, 10));
        assert_eq!(sum(counts), counts.events);
    }

    /// By hand: S = 1, 1/2, 1/4, ... and a sum that it fills by half of itself.
    #[test]
    fn a_time_surface_spikes_at_the_rate_of_its_value() {
        let tau_ticks = 1.0 / std::f32::consts::LN_2;
        let mut encoder = with_code(Code::TimeSurface {
            tau_ticks,
            period_ticks: 2.0,
        });
        let mut fired = String::new();
        for tick in 0..8 {
            // The sum: 0.5, 1 (a spike), 0.25, 0.375, ..., then 0.5 more and 0.5 more.
            if [0, 1, 5, 6].contains(&tick) {
                encoder.push(2, 0, false).unwrap();
            }
            fired.push(if encoder.tick().is_empty() { '.' } else { '|' });
        }
        assert_eq!(fired, ".|....|.");
        let counts = encoder.counts();
        assert_eq!((counts.events, counts.absorbed, counts.spikes), (4, 4, 0));
        // A long time constant: about tau / period spikes of one event.
        let mut encoder = with_code(Code::TimeSurface {
            tau_ticks: 100.0,
            period_ticks: 4.0,
        });
        encoder.push(0, 0, true).unwrap();
        let spikes: usize = (0..2000).map(|_| encoder.tick().len()).sum();
        assert!((24..=26).contains(&spikes), "{spikes}");
        encoder.begin_interval();
        assert!((0..100).all(|_| encoder.tick().is_empty()));
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
        let cases: [(&str, Spoil); 6] = [
            ("encoder.window", |c| c.window = 65),
            ("encoder.out", |c| c.out = 0),
            ("encoder.code.tau_ticks", |c| {
                c.code = Code::TimeSurface {
                    tau_ticks: f32::NAN,
                    period_ticks: 1.0,
                };
            }),
            ("encoder.code.events", |c| {
                c.code = Code::Count {
                    events: 0,
                    bin_ticks: 1,
                };
            }),
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
