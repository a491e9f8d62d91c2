//! A refractory time for every pixel, counted from its last event that passed.

use super::{Filter, retain};
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;

/// Of a pixel that never fired; far from every time.
const NEVER: u64 = u64::MAX;

/// The filter.
pub(super) struct Refractory {
    us: u64,
    width: usize,
    last_us: Vec<u64>,
}

impl Refractory {
    pub fn new(us: u64, geometry: Geometry) -> Self {
        let width = usize::from(geometry.width);
        Refractory {
            us,
            width,
            last_us: vec![NEVER; width * usize::from(geometry.height)],
        }
    }
}

impl Filter for Refractory {
    fn process(&mut self, events: &mut Vec<Event>) {
        let (us, width) = (self.us, self.width);
        let all = &mut self.last_us;
        retain(events, |event| {
            let last_us = &mut all[usize::from(event.y) * width + usize::from(event.x)];
            // A time that lies far ahead is of before the clock was set back.
            let passes = last_us.abs_diff(event.t_us) >= us;
            *last_us = if passes { event.t_us } else { *last_us };
            passes
        });
    }
}
