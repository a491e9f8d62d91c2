//! Background activity: events that no neighbour shares.
//!
//! After Delbruck 2008: an event is kept if one of the eight neighbours fired
//! within the time. Events that are removed support others all the same.

use super::{Filter, retain};
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;

/// Of a pixel that never fired; far from every time.
const NEVER: u64 = u64::MAX;

/// The filter.
pub(super) struct Background {
    us: u64,
    /// Columns of `last_us`, which has a border of one pixel.
    stride: usize,
    last_us: Vec<u64>,
}

impl Background {
    pub fn new(us: u64, geometry: Geometry) -> Self {
        let stride = usize::from(geometry.width) + 2;
        Background {
            us,
            stride,
            last_us: vec![NEVER; stride * (usize::from(geometry.height) + 2)],
        }
    }
}

impl Filter for Background {
    fn process(&mut self, events: &mut Vec<Event>) {
        let (us, stride) = (self.us, self.stride);
        let last_us = &mut self.last_us;
        retain(events, |event| {
            let t_us = event.t_us;
            let first = usize::from(event.y) * stride + usize::from(event.x);
            // Of a time that lies ahead (the clock was set back) as of one behind.
            let near = |t: u64| t.abs_diff(t_us) <= us;
            let three = |at: usize| match last_us[at..at + 3] {
                [a, b, c] => near(a) | near(b) | near(c),
                _ => false,
            };
            let at = first + stride + 1;
            let supported = three(first)
                | near(last_us[at - 1])
                | near(last_us[at + 1])
                | three(first + 2 * stride);
            last_us[at] = t_us;
            supported
        });
    }
}
