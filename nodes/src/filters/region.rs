//! Region of interest, and the same as a sensor of its own.

use super::spec::Values;
use super::{Filter, FilterError, retain};
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    x: u16,
    y: u16,
    width: u16,
    height: u16,
}

impl Region {
    pub fn parse(values: &mut Values<'_>) -> Result<Self, FilterError> {
        let side = u64::from(u16::MAX);
        let x = values.number("X", 0, side, None)? as u16;
        let y = values.number("Y", 0, side, None)? as u16;
        let Some(size) = values.next() else {
            return Err(values.error("no value for WIDTHxHEIGHT"));
        };
        let read = |text: &str| text.trim().parse::<u16>().ok().filter(|n| *n > 0);
        let size = size.split_once('x');
        match size.map(|(width, height)| (read(width), read(height))) {
            Some((Some(width), Some(height))) => Ok(Region {
                x,
                y,
                width,
                height,
            }),
            _ => {
                Err(values
                    .error("the size is not two whole numbers from 1 to 65535 with an x between"))
            }
        }
    }

    /// The region, if it lies on the sensor.
    pub fn checked(self, name: &str, sensor: Geometry) -> Result<Self, FilterError> {
        let right = u32::from(self.x) + u32::from(self.width);
        let bottom = u32::from(self.y) + u32::from(self.height);
        if right > u32::from(sensor.width) || bottom > u32::from(sensor.height) {
            let Region {
                x,
                y,
                width,
                height,
            } = self;
            return Err(FilterError::OutsideSensor {
                written: format!("{name}={x}:{y}:{width}x{height}"),
                column: right - 1,
                row: bottom - 1,
                sensor,
            });
        }
        Ok(self)
    }

    /// Address within the region of an event that is in it.
    #[inline(always)]
    fn within(self, event: &Event) -> Option<(u16, u16)> {
        // What is left or above wraps to far beyond.
        let (x, y) = (event.x.wrapping_sub(self.x), event.y.wrapping_sub(self.y));
        ((x < self.width) & (y < self.height)).then_some((x, y))
    }
}

/// Keeps what is in the region.
pub(super) struct Roi(Region);

impl Roi {
    pub fn new(region: Region) -> Self {
        Roi(region)
    }
}

impl Filter for Roi {
    fn process(&mut self, events: &mut Vec<Event>) {
        let region = self.0;
        retain(events, |event| region.within(event).is_some());
    }
}

/// Keeps what is in the region, and addresses it from its corner.
pub(super) struct Crop(Region);

impl Crop {
    pub fn new(region: Region) -> Self {
        Crop(region)
    }
}

impl Filter for Crop {
    fn process(&mut self, events: &mut Vec<Event>) {
        let region = self.0;
        retain(events, |event| {
            let within = region.within(event);
            (event.x, event.y) = within.unwrap_or_default();
            within.is_some()
        });
    }

    fn geometry(&self) -> Option<Geometry> {
        Some(Geometry {
            width: self.0.width,
            height: self.0.height,
        })
    }
}
