//! Fewer events, or fewer pixels.

use super::{Filter, retain};
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;

/// Keeps each n-th event, beginning with the first.
pub(super) struct Decimate {
    n: u32,
    /// Events to be removed before the next that passes.
    wait: u32,
}

impl Decimate {
    pub fn new(n: u32) -> Self {
        Decimate { n, wait: 0 }
    }
}

impl Filter for Decimate {
    fn process(&mut self, events: &mut Vec<Event>) {
        retain(events, |_| {
            let passes = self.wait == 0;
            self.wait = if passes { self.n - 1 } else { self.wait - 1 };
            passes
        });
    }
}

/// Keeps each n-th pixel of each n-th row.
pub(super) struct Subsample {
    n: u16,
    geometry: Geometry,
}

impl Subsample {
    pub fn new(n: u16, sensor: Geometry) -> Self {
        Subsample {
            n,
            geometry: Geometry {
                width: sensor.width.div_ceil(n),
                height: sensor.height.div_ceil(n),
            },
        }
    }
}

impl Filter for Subsample {
    fn process(&mut self, events: &mut Vec<Event>) {
        let n = self.n;
        retain(events, |event| {
            let (x, y) = (event.x / n, event.y / n);
            let passes = (x * n == event.x) & (y * n == event.y);
            (event.x, event.y) = (x, y);
            passes
        });
    }

    fn geometry(&self) -> Option<Geometry> {
        Some(self.geometry)
    }
}
