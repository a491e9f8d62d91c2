//! From what WhiskEye sees and feels to samples of places, one per whisk.
//!
//! [`Sampler`] keeps the latest image and the latest whisker readings, and makes a sample of
//! them when a whisk ends its protraction. [`read`] does so with a recording, with poses from
//! its ground truth.
//!
//! What is not as it should be is stated, not guessed:
//!
//! | | |
//! |---|---|
//! | no image for [`MAX_AGE_NS`] | the sample sees nothing |
//! | an image that shows nothing but noise ([`shows_nothing`]): darkness, a covered lens | the same; recordings keep it, as what darkness looks like |
//! | no whisker readings for as long | it feels nothing |
//! | more than half of the whiskers stuck | it feels nothing; `stuck` says how many |
//! | a value that is not a number, another number of values | the message is refused, the one before stays until it is too old |
//! | an image of another size | averaged over areas to 80 x 45 |
//! | rgb8, bgr8, rgba8, bgra8, mono8 | taken; any other encoding is refused |
//!
//! A whisker is stuck when it has not turned by [`STUCK_RAD`] since the last sample though it
//! touches nothing.

mod image;
mod recording;

pub use image::{reduce, shows_nothing};
pub use recording::{Counts, MOST_SAMPLES, Topics, planar, pose_of, read};

use crate::whisk::contact;
use saccade_engine::models::place::Senses;
use saccade_msgs::sensor_msgs::Image;
use saccade_worlds::whiskeye::WHISKERS;
use std::sync::Arc;

/// Rows, columns and colours of what a sample sees.
pub const VISUAL: [usize; 3] = [45, 80, 3];
/// Values of what a sample sees: row by row, red, green, blue, each 0 to 1.
pub const VISUAL_SIZE: usize = VISUAL[0] * VISUAL[1] * VISUAL[2];
/// Values of what a sample feels: 24 angles in rad, then 24 deflections of two.
pub const TACTILE_SIZE: usize = 3 * WHISKERS;
/// What is older than this is gone, ns.
pub const MAX_AGE_NS: i64 = 1_000_000_000;
/// A whisker that turns by less in a whisk does not whisk, rad.
pub const STUCK_RAD: f32 = 0.05;
/// Readings in a whisk from which on it is told.
const READINGS: u32 = 4;

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// An image that cannot be read.
    #[error("image of {width} x {height}, {encoding}, step {step}, {bytes} bytes: {problem}")]
    Image {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Its encoding.
        encoding: String,
        /// Bytes per row.
        step: u32,
        /// Bytes that came.
        bytes: usize,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Not as many values as there are whiskers.
    #[error("{what}: {got} values, expected {expected} for {WHISKERS} whiskers")]
    Length {
        /// Angles or deflections.
        what: &'static str,
        /// How many came.
        got: usize,
        /// How many must.
        expected: usize,
    },
    /// A value that is none.
    #[error("{what}: value {at} is {value}, expected a finite number")]
    NotFinite {
        /// Angles or deflections.
        what: &'static str,
        /// Which one.
        at: usize,
        /// The value.
        value: f32,
    },
}

/// What a whisk gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it was taken, ns.
    pub stamp_ns: i64,
    /// [`VISUAL_SIZE`] values, where there was an image.
    pub visual: Option<Vec<f32>>,
    /// Whether the image shows nothing.
    pub blank: bool,
    /// [`TACTILE_SIZE`] values, where the whiskers were felt.
    pub tactile: Option<Vec<f32>>,
    /// Whiskers that did not move though they touched nothing.
    pub stuck: usize,
}

impl Sample {
    /// What it was taken with; `None` is nothing.
    pub fn senses(&self) -> Option<Senses> {
        let sees = self.visual.is_some() && !self.blank;
        match (sees, self.tactile.is_some()) {
            (true, true) => Some(Senses::Both),
            (true, false) => Some(Senses::Vision),
            (false, true) => Some(Senses::Touch),
            (false, false) => None,
        }
    }
}

/// Keeps the latest of each sense.
#[derive(Debug, Default)]
pub struct Sampler {
    image: Option<(i64, Arc<Image>)>,
    theta: Option<(i64, [f32; WHISKERS])>,
    xy: Option<(i64, [f32; 2 * WHISKERS])>,
    /// Least and largest angle of each whisker since the last sample, and its strongest contact.
    swept: [(f32, f32, f32); WHISKERS],
    readings: u32,
    refused: u64,
}

/// Nothing swept yet.
const STILL: (f32, f32, f32) = (f32::INFINITY, f32::NEG_INFINITY, 0.0);

impl Sampler {
    /// Takes an image that came at a time.
    ///
    /// # Errors
    /// One that cannot be read; it is counted, and the one before stays.
    pub fn image(&mut self, now_ns: i64, image: Arc<Image>) -> Result<(), SampleError> {
        if let Err(error) = image::check(&image) {
            self.refused += 1;
            return Err(error);
        }
        self.image = Some((now_ns, image));
        Ok(())
    }

    /// Takes the whiskers' angles, rad.
    ///
    /// # Errors
    /// Another number of values, or one that is not finite; it is counted.
    pub fn theta(&mut self, now_ns: i64, theta: &[f32]) -> Result<(), SampleError> {
        let theta: [f32; WHISKERS] = self.numbers("angles", theta)?;
        for ((least, most, _), angle) in self.swept.iter_mut().zip(theta) {
            if self.readings == 0 {
                (*least, *most) = (STILL.0, STILL.1);
            }
            *least = least.min(angle);
            *most = most.max(angle);
        }
        self.readings += 1;
        self.theta = Some((now_ns, theta));
        Ok(())
    }

    /// Takes the whiskers' deflections, two each.
    ///
    /// # Errors
    /// As [`Sampler::theta`].
    pub fn xy(&mut self, now_ns: i64, xy: &[f32]) -> Result<(), SampleError> {
        let xy: [f32; 2 * WHISKERS] = self.numbers("deflections", xy)?;
        for ((_, _, strongest), xy) in self.swept.iter_mut().zip(xy.chunks_exact(2)) {
            *strongest = strongest.max(contact(xy[0], xy[1]));
        }
        self.xy = Some((now_ns, xy));
        Ok(())
    }

    fn numbers<const N: usize>(
        &mut self,
        what: &'static str,
        values: &[f32],
    ) -> Result<[f32; N], SampleError> {
        let checked = match <[f32; N]>::try_from(values) {
            Err(_) => Err(SampleError::Length {
                what,
                got: values.len(),
                expected: N,
            }),
            Ok(numbers) => match numbers.iter().position(|v| !v.is_finite()) {
                Some(at) => Err(SampleError::NotFinite {
                    what,
                    at,
                    value: numbers[at],
                }),
                None => Ok(numbers),
            },
        };
        self.refused += u64::from(checked.is_err());
        checked
    }

    /// The sample of a whisk that ends its protraction now.
    pub fn take(&mut self, now_ns: i64) -> Sample {
        let fresh = |since_ns: i64| now_ns - since_ns <= MAX_AGE_NS;
        let stuck = if self.readings >= READINGS {
            let still = |(least, most, contact): &&(f32, f32, f32)| {
                most - least < STUCK_RAD && *contact <= 0.0
            };
            self.swept.iter().filter(still).count()
        } else {
            0
        };
        self.swept = [STILL; WHISKERS];
        self.readings = 0;
        let image = self.image.as_ref().filter(|(since_ns, _)| fresh(*since_ns));
        let theta = self.theta.filter(|t| fresh(t.0));
        let xy = self.xy.filter(|t| fresh(t.0));
        let felt = theta.zip(xy).filter(|_| 2 * stuck <= WHISKERS);
        let visual = image.map(|(_, image)| reduce(image));
        Sample {
            stamp_ns: now_ns,
            blank: visual.as_deref().is_some_and(shows_nothing),
            visual,
            tactile: felt.map(|((_, theta), (_, xy))| theta.into_iter().chain(xy).collect()),
            stuck,
        }
    }

    /// Forgets what was sensed so far.
    pub fn forget(&mut self) {
        *self = Sampler {
            refused: self.refused,
            ..Sampler::default()
        };
    }

    /// Messages that were not taken.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests;
