//! What depends on the sensor's size: its filters and its encoder, tick by tick.

use super::settings::Settings;
use crate::filters::Chain;
use saccade_engine::encoder::{Encoder, EncoderCounts};
use saccade_msgs::Event;
use saccade_msgs::saccade_msgs::Spikes;
use saccade_rosbags::events::Geometry;

/// An encoder that fell behind by more ticks than this skips them: the stream
/// has a gap, not activity.
const CATCH_UP_TICKS: i64 = 2_000;

/// The way of a sensor's events to spikes.
pub struct Sensor {
    pub chain: Chain,
    pub encoder: Encoder,
    /// Event time of tick 0.
    base_us: Option<u64>,
    /// Ticks encoded since `base_us`.
    ticks: i64,
    /// Spikes of the last message, for the memory of the next.
    usual: usize,
}

/// What became of some events.
pub struct Encoded {
    /// Their spikes, without stamp and number.
    pub message: Spikes,
    /// Event time of the first tick, from which the spikes' offsets count.
    pub begin_us: u64,
    /// Events that were late by a tick or more.
    pub late: u64,
    /// Whether the camera's clock was set back.
    pub clock_step: bool,
}

impl Sensor {
    /// Filters and encoder for a sensor of this size.
    pub fn new(settings: &Settings, geometry: Geometry) -> Result<Self, String> {
        let chain = Chain::new(&settings.filters, geometry).map_err(|e| e.to_string())?;
        Ok(Sensor {
            encoder: settings.encoder(chain.geometry())?,
            chain,
            base_us: None,
            ticks: 0,
            usual: 0,
        })
    }

    /// Takes other filters, and an encoder of their size where it changes; returns what
    /// the encoder has counted that is no more. On an error all is as it was.
    pub fn change(&mut self, settings: &Settings) -> Result<EncoderCounts, String> {
        let fresh = Sensor::new(settings, self.chain.input())?;
        let resized = fresh.chain.geometry() != self.chain.geometry();
        let changed = self.chain.change(&settings.filters);
        changed.map_err(|e| e.to_string())?;
        if !resized {
            return Ok(EncoderCounts::default());
        }
        let past = self.encoder.counts();
        self.encoder = fresh.encoder;
        (self.base_us, self.ticks) = (None, 0);
        Ok(past)
    }

    /// Begins an interval (a saccade) at this event time.
    pub fn begin(&mut self, onset_us: u64) {
        self.base_us = Some(onset_us);
        self.ticks = 0;
        self.encoder.begin_interval();
    }

    /// Encodes events, at least one, up to the end of the last one's tick.
    pub fn encode(&mut self, events: &[Event]) -> Encoded {
        let first_us = events.first().map_or(0, |e| e.t_us);
        let mut base_us = *self.base_us.get_or_insert(first_us);
        let tick_us = base_us.saturating_add(self.ticks as u64 * 1000);
        let clock_step = tick_us.saturating_sub(first_us) > CATCH_UP_TICKS as u64 * 1000;
        if clock_step {
            // Its events would be late for ever.
            self.base_us = Some(first_us);
            base_us = first_us;
            self.ticks = 0;
        }
        let due_of = |t_us: u64| (t_us.saturating_sub(base_us) / 1000) as i64;
        let first_tick = self.ticks.max(due_of(first_us));
        let mut message = Spikes {
            population: "input".into(),
            size: self.encoder.config().n_inputs() as u32,
            ids: Vec::with_capacity(self.usual),
            offsets_us: Vec::with_capacity(self.usual),
            ..Spikes::default()
        };
        let mut late = 0;
        let mut rest = events;
        while let Some(next) = rest.first() {
            let due = due_of(next.t_us);
            while self.ticks < due {
                if due - self.ticks > CATCH_UP_TICKS {
                    self.ticks = due;
                    break;
                }
                self.emit(first_tick, &mut message);
            }
            // Those of this tick, and late ones, which join it.
            let end_us = base_us.saturating_add((self.ticks as u64 + 1) * 1000);
            let late_us = (self.ticks - 1).max(0) as u64 * 1000;
            let n = rest.iter().position(|e| e.t_us >= end_us);
            let (now, later) = rest.split_at(n.unwrap_or(rest.len()).max(1));
            for event in now {
                late += u64::from(event.t_us.saturating_sub(base_us) < late_us);
                // Refused events are counted by the encoder.
                let _ = self.encoder.push(event.x, event.y, event.on);
            }
            rest = later;
        }
        self.emit(first_tick, &mut message);
        self.usual = message.ids.len();
        Encoded {
            message,
            begin_us: base_us.saturating_add(first_tick.max(0) as u64 * 1000),
            late,
            clock_step,
        }
    }

    /// Ends a tick of the encoder and adds its spikes to the message.
    fn emit(&mut self, first_tick: i64, message: &mut Spikes) {
        let offset_us = (self.ticks - first_tick).max(0).saturating_mul(1000);
        let offset_us = u32::try_from(offset_us).unwrap_or(u32::MAX);
        let spikes = self.encoder.tick();
        message.ids.extend_from_slice(spikes);
        let offsets = std::iter::repeat_n(offset_us, spikes.len());
        message.offsets_us.extend(offsets);
        self.ticks += 1;
    }
}
