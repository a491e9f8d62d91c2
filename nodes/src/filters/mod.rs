//! Filters of events, as a chain that is written as a text.
//!
//! ```
//! use saccade_nodes::filters::Chain;
//! use saccade_rosbags::events::Geometry;
//!
//! let sensor = Geometry { width: 640, height: 480 };
//! let mut chain = Chain::parse("refractory=500us,crop=10:20:100x80,flip_x", sensor)?;
//! assert_eq!(chain.geometry(), Geometry { width: 100, height: 80 });
//! let mut events = Vec::new();
//! chain.process(&mut events); // one batch after the other; `finish` for the last
//! # Ok::<(), saccade_nodes::filters::FilterError>(())
//! ```
//!
//! Filters work in the order in which they are written, each on what the one
//! before has left and in its coordinates. A filter is one pass over a batch, in
//! place; the work for an event is bounded, nothing is allocated once the
//! vectors have grown to the size of the batches, and how a stream is cut into
//! batches changes nothing. Events keep their order.

mod arbiter;
mod background;
mod decimate;
mod error;
mod hot_pixel;
mod mask;
mod orientation;
mod polarity;
mod rate;
mod refractory;
mod region;
mod spec;

pub use error::FilterError;
pub use spec::{ChainSpec, DEFAULT, FILTERS, FilterDoc};

use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;
use spec::Spec;

/// One filter at work. Events it is given lie within the geometry that it was
/// made for.
trait Filter: Send {
    /// Removes and changes events, in place and in order.
    fn process(&mut self, events: &mut Vec<Event>);

    /// Appends the events that are held back until more is known.
    fn flush(&mut self, _events: &mut Vec<Event>) {}

    /// Events held back.
    fn held(&self) -> usize {
        0
    }

    /// Columns and rows of what leaves, if they are not those of what came.
    fn geometry(&self) -> Option<Geometry> {
        None
    }

    /// Pixels that it has learnt to silence, row by row.
    fn silenced(&self) -> Vec<(u16, u16)> {
        Vec::new()
    }
}

/// A filter with its place in a chain.
struct Stage {
    spec: Spec,
    /// What its events are addressed in.
    input: Geometry,
    filter: Box<dyn Filter>,
    removed: u64,
}

impl Stage {
    fn new(spec: &Spec, input: Geometry) -> Result<Self, FilterError> {
        Ok(Stage {
            spec: spec.clone(),
            input,
            filter: spec.build(input)?,
            removed: 0,
        })
    }

    fn geometry(&self) -> Geometry {
        self.filter.geometry().unwrap_or(self.input)
    }

    /// Processes a batch, and books what did not come out.
    fn process(&mut self, events: &mut Vec<Event>, last: bool) {
        let before = events.len() + self.filter.held();
        self.filter.process(events);
        if last {
            self.filter.flush(events);
        }
        self.removed += (before - events.len() - self.filter.held()) as u64;
    }
}

/// What a filter of a chain has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterCount {
    /// The filter as it is written, its file name left out.
    pub name: String,
    /// Events it removed.
    pub removed: u64,
}

/// Filters one after the other.
pub struct Chain {
    stages: Vec<Stage>,
    input: Geometry,
    taken: u64,
    outside: u64,
    /// Removed by filters that are no more.
    past: u64,
}

impl Chain {
    /// A chain for a sensor, from its text; see [`FILTERS`] for what can stand there.
    ///
    /// # Errors
    /// A text that is no chain, a file that cannot be read, or a filter that does
    /// not fit the sensor.
    pub fn parse(text: &str, geometry: Geometry) -> Result<Self, FilterError> {
        Self::new(&ChainSpec::parse(text)?, geometry)
    }

    /// A chain for a sensor.
    ///
    /// # Errors
    /// A filter that does not fit the sensor, or what the filters before leave of it.
    pub fn new(spec: &ChainSpec, geometry: Geometry) -> Result<Self, FilterError> {
        let mut chain = Chain {
            stages: Vec::new(),
            input: geometry,
            taken: 0,
            outside: 0,
            past: 0,
        };
        chain.change(spec)?;
        Ok(chain)
    }

    /// Takes other filters. Those that stay as they are, at the same geometry, keep
    /// what they know and have counted; events that others held back are removed.
    ///
    /// # Errors
    /// As [`Chain::new`]; the chain is as it was then.
    pub fn change(&mut self, spec: &ChainSpec) -> Result<(), FilterError> {
        let mut input = self.input;
        let mut fresh = Vec::with_capacity(spec.0.len());
        let mut kept = vec![false; self.stages.len()];
        for spec in &spec.0 {
            let same = |(i, s): (usize, &Stage)| !kept[i] && s.input == input && s.spec == *spec;
            let old = self.stages.iter().enumerate().position(same);
            let stage = match old {
                Some(i) => {
                    kept[i] = true;
                    input = self.stages[i].geometry();
                    Err(i)
                }
                None => {
                    let stage = Stage::new(spec, input)?;
                    input = stage.geometry();
                    Ok(stage)
                }
            };
            fresh.push(stage);
        }
        let mut old: Vec<_> = self.stages.drain(..).map(Some).collect();
        for stage in fresh {
            let stage = match stage {
                Ok(stage) => Some(stage),
                Err(i) => old[i].take(),
            };
            self.stages.extend(stage);
        }
        for gone in old.into_iter().flatten() {
            self.past += gone.removed + gone.filter.held() as u64;
        }
        Ok(())
    }

    /// Filters a batch in place.
    pub fn process(&mut self, events: &mut Vec<Event>) {
        self.run(events, false);
    }

    /// Filters the last batch (it may be empty): nothing is held back.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        self.run(events, true);
    }

    fn run(&mut self, events: &mut Vec<Event>, last: bool) {
        self.taken += events.len() as u64;
        if self.stages.is_empty() {
            return;
        }
        self.drop_outside(events);
        for stage in &mut self.stages {
            stage.process(events, last);
        }
    }

    /// Filters look events up by their address, so all must be on the sensor.
    fn drop_outside(&mut self, events: &mut Vec<Event>) {
        let Geometry { width, height } = self.input;
        let inside = |e: &Event| e.x < width && e.y < height;
        let outside = events.iter().map(|e| u64::from(!inside(e))).sum::<u64>();
        if outside > 0 {
            self.outside += outside;
            events.retain(inside);
        }
    }

    /// Whether there is no filter in it.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Columns and rows of what comes in.
    pub fn input(&self) -> Geometry {
        self.input
    }

    /// Columns and rows of what leaves.
    pub fn geometry(&self) -> Geometry {
        self.stages.last().map_or(self.input, Stage::geometry)
    }

    /// Events taken in so far: those that left, were removed or are held back.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Events removed so far: by every filter that was ever in the chain, and
    /// because they were outside of the sensor.
    pub fn removed(&self) -> u64 {
        let by_stages: u64 = self.stages.iter().map(|s| s.removed).sum();
        self.past + self.outside + by_stages
    }

    /// Events held back until more is known.
    pub fn held(&self) -> u64 {
        self.stages.iter().map(|s| s.filter.held() as u64).sum()
    }

    /// Events removed because they were outside of the sensor.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// What each filter removed, in order; a second filter of a kind gets a number.
    pub fn counts(&self) -> Vec<FilterCount> {
        let mut counts: Vec<FilterCount> = Vec::with_capacity(self.stages.len());
        for (i, stage) in self.stages.iter().enumerate() {
            let name = stage.spec.name();
            let same = |s: &&Stage| s.spec.name() == name;
            let earlier = self.stages[..i].iter().filter(same).count();
            let name = match earlier {
                0 => name.to_owned(),
                n => format!("{name} {}", n + 1),
            };
            counts.push(FilterCount {
                name,
                removed: stage.removed,
            });
        }
        counts
    }

    /// Pixels that the filters have learnt to silence, in the coordinates of the
    /// filter that did; each is column and row.
    pub fn silenced(&self) -> Vec<(u16, u16)> {
        let of = |s: &Stage| s.filter.silenced();
        self.stages.iter().flat_map(of).collect()
    }
}

/// Keeps those events, in order, of which `passes` says so; it may change them.
/// Without a branch, for whether noise passes cannot be predicted.
#[inline(always)]
fn retain(events: &mut Vec<Event>, mut passes: impl FnMut(&mut Event) -> bool) {
    let mut kept = 0;
    for i in 0..events.len() {
        let mut event = events[i];
        let passes = passes(&mut event);
        events[kept] = event;
        kept += usize::from(passes);
    }
    events.truncate(kept);
}

#[cfg(test)]
mod tests;
