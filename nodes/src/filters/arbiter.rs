//! Artefacts of the row arbiter: a row that fires as a whole, at one time stamp,
//! while its neighbours do not.
//!
//! All events of one time stamp are looked at together, so those of the last one
//! are held back until the next is seen. A row's events are removed if they are at
//! least `min` and more than `ratio` times what either neighbouring row has had at
//! one time stamp, at this one or lately: the rows of a real edge fire one after
//! the other.

use super::spec::Values;
use super::{Filter, FilterError};
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;

/// Events of one time stamp that are looked at together; a stream whose time stands
/// still must not be held back for ever.
const MAX_GROUP: usize = 1 << 16;

/// Parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Config {
    /// 0 is a quarter of the row.
    min: u32,
    ratio: u32,
    lately_us: u64,
}

impl Config {
    pub fn parse(values: &mut Values<'_>) -> Result<Self, FilterError> {
        Ok(Config {
            min: values.number("MIN", 2, 65535, Some(0))? as u32,
            ratio: values.number("RATIO", 1, 1000, Some(4))? as u32,
            lately_us: values.microseconds(10_000)?,
        })
    }
}

/// What a row did.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    /// Events at the present time stamp, and whether they are an artefact.
    now: u32,
    artefact: bool,
    /// Events at the last time stamp at which it had some that were kept.
    last: u32,
    last_us: u64,
}

/// The filter.
pub(super) struct Arbiter {
    config: Config,
    /// With a row above and below the sensor.
    rows: Vec<Row>,
    /// Events of the last time stamp; while a batch is processed, all of them.
    held: Vec<Event>,
}

impl Arbiter {
    pub fn new(config: Config, geometry: Geometry) -> Self {
        let quarter = u32::from(geometry.width / 4).max(2);
        Arbiter {
            config: Config {
                min: if config.min == 0 { quarter } else { config.min },
                ..config
            },
            rows: vec![Row::default(); usize::from(geometry.height) + 2],
            held: Vec::new(),
        }
    }

    /// Appends what is kept of the events `group`, all of one time stamp.
    fn decide(&mut self, group: std::ops::Range<usize>, out: &mut Vec<Event>) {
        let Config { min, ratio, .. } = self.config;
        let group = &self.held[group];
        // So few events neither are an artefact nor excuse one.
        if group.len() < (min / ratio) as usize {
            out.extend_from_slice(group);
            return;
        }
        for event in group {
            self.rows[usize::from(event.y) + 1].now += 1;
        }
        for event in group {
            let at = usize::from(event.y) + 1;
            let t_us = event.t_us;
            let lately = |row: Row| {
                let near = row.last_us.abs_diff(t_us) <= self.config.lately_us;
                row.now.max(if near { row.last } else { 0 })
            };
            let around = lately(self.rows[at - 1]).max(lately(self.rows[at + 1]));
            let row = &mut self.rows[at];
            row.artefact = row.now >= min && row.now > ratio * around;
            if !row.artefact {
                out.push(*event);
            }
        }
        for event in group {
            let row = &mut self.rows[usize::from(event.y) + 1];
            let now = std::mem::take(&mut row.now);
            if now > 0 && !row.artefact {
                (row.last, row.last_us) = (now, event.t_us);
            }
        }
    }

    /// Decides on all groups that are whole, or on all.
    fn run(&mut self, out: &mut Vec<Event>, all: bool) {
        let mut start = 0;
        while start < self.held.len() {
            let t_us = self.held[start].t_us;
            let limit = self.held.len().min(start + MAX_GROUP);
            let others = self.held[start..limit].iter().position(|e| e.t_us != t_us);
            let end = others.map_or(limit, |n| start + n);
            if end == self.held.len() && end < start + MAX_GROUP && !all {
                break;
            }
            self.decide(start..end, out);
            start = end;
        }
        self.held.drain(..start);
    }
}

impl Filter for Arbiter {
    fn process(&mut self, events: &mut Vec<Event>) {
        self.held.append(events);
        self.run(events, false);
    }

    fn flush(&mut self, events: &mut Vec<Event>) {
        self.run(events, true);
    }

    fn held(&self) -> usize {
        self.held.len()
    }
}
