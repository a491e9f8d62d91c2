//! Event-rate control: a bucket that fills with the stream's time.
//!
//! Within any time T no more than `rate * T` events pass, and what the bucket
//! holds. Which ones depends on the stream alone.

use super::spec::Values;
use super::{Filter, FilterError, retain};
use saccade_msgs::Event;

/// Credit for one event; the unit is what one event per second earns in 1 us.
const EVENT: u64 = 1_000_000;
/// Times that step back by more are of a clock that was set back.
const STEP_BACK_US: u64 = 1_000_000;

/// Parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Config {
    per_second: u64,
    bucket_us: u64,
}

impl Config {
    pub fn parse(values: &mut Values<'_>) -> Result<Self, FilterError> {
        Ok(Config {
            per_second: values.number("EVENTS_PER_SECOND", 1, 10_000_000_000, None)?,
            bucket_us: values.microseconds(1000)?,
        })
    }
}

/// The filter.
pub(super) struct Rate {
    per_second: u64,
    credit: u64,
    full: u64,
    last_us: Option<u64>,
}

impl Rate {
    pub fn new(config: Config) -> Self {
        let full = config
            .per_second
            .saturating_mul(config.bucket_us)
            .max(EVENT);
        Rate {
            per_second: config.per_second,
            credit: full,
            full,
            last_us: None,
        }
    }
}

impl Filter for Rate {
    fn process(&mut self, events: &mut Vec<Event>) {
        retain(events, |event| {
            let last_us = *self.last_us.get_or_insert(event.t_us);
            let since_us = event.t_us.saturating_sub(last_us);
            if since_us > 0 || last_us - event.t_us > STEP_BACK_US {
                self.last_us = Some(event.t_us);
                let earned = self.per_second.saturating_mul(since_us);
                self.credit = self.credit.saturating_add(earned).min(self.full);
            }
            let passes = self.credit >= EVENT;
            self.credit -= if passes { EVENT } else { 0 };
            passes
        });
    }
}
