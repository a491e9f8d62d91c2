//! Events of one polarity, or exchanged polarities.

use super::spec::Values;
use super::{Filter, FilterError, retain};
use saccade_msgs::Event;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Config {
    On,
    Off,
    Invert,
}

impl Config {
    pub fn parse(values: &mut Values<'_>) -> Result<Self, FilterError> {
        match values.next() {
            Some("on") => Ok(Config::On),
            Some("off") => Ok(Config::Off),
            Some("invert") => Ok(Config::Invert),
            Some(other) => Err(values.error(format!("'{other}' is no choice"))),
            None => Err(values.error("no value")),
        }
    }
}

impl Filter for Config {
    fn process(&mut self, events: &mut Vec<Event>) {
        match self {
            Config::On => retain(events, |e| e.on),
            Config::Off => retain(events, |e| !e.on),
            Config::Invert => events.iter_mut().for_each(|e| e.on = !e.on),
        }
    }
}
