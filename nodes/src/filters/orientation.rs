//! Mirrored and transposed sensors. No event is removed.

use super::Filter;
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Config {
    FlipX,
    FlipY,
    Transpose,
}

impl Config {
    pub fn named(name: &str) -> Self {
        match name {
            "flip_x" => Config::FlipX,
            "flip_y" => Config::FlipY,
            _ => Config::Transpose,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Config::FlipX => "flip_x",
            Config::FlipY => "flip_y",
            Config::Transpose => "transpose",
        }
    }
}

/// The filter.
pub(super) struct Orientation {
    config: Config,
    sensor: Geometry,
}

impl Orientation {
    pub fn new(config: Config, sensor: Geometry) -> Self {
        Orientation { config, sensor }
    }
}

impl Filter for Orientation {
    fn process(&mut self, events: &mut Vec<Event>) {
        let Geometry { width, height } = self.sensor;
        match self.config {
            Config::FlipX => events.iter_mut().for_each(|e| e.x = width - 1 - e.x),
            Config::FlipY => events.iter_mut().for_each(|e| e.y = height - 1 - e.y),
            Config::Transpose => events.iter_mut().for_each(|e| (e.x, e.y) = (e.y, e.x)),
        }
    }

    fn geometry(&self) -> Option<Geometry> {
        let Geometry { width, height } = self.sensor;
        (self.config == Config::Transpose).then_some(Geometry {
            width: height,
            height: width,
        })
    }
}
