//! Events from given images, by the same pixels.

use super::params::{EventCameraParams, ParamError};
use super::{pixels::PixelArray, sort};
use crate::render::{MAX_SIDE, Rect};
use saccade_msgs::Event;

/// What can be wrong with an image.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// A parameter is out of range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The image size is impossible.
    #[error("image of {width}x{height}: sides must be 1 to {MAX_SIDE}")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Not one value per pixel.
    #[error("image of {got} values, expected {expected}")]
    Length {
        /// Values given.
        got: usize,
        /// Values expected.
        expected: usize,
    },
    /// Time does not increase.
    #[error("image at {t_us} us is not later than the one before, at {previous_us} us")]
    Time {
        /// Time of the image in microseconds.
        t_us: u64,
        /// Time of the image before in microseconds.
        previous_us: u64,
    },
}

/// Turns a sequence of images into events, brightness going linearly from one to
/// the next. Images must be frequent enough that nothing moves much more than a
/// pixel between two of them.
#[derive(Debug)]
pub struct FrameToEvents {
    pixels: PixelArray,
    luminance: Vec<f32>,
    full: Rect,
    seed: u64,
    started: bool,
}

impl FrameToEvents {
    /// For images of `width` × `height`; fixed pattern and noise from `seed`.
    ///
    /// # Errors
    /// A parameter out of range, or an impossible size.
    pub fn new(
        params: &EventCameraParams,
        width: u32,
        height: u32,
        seed: u64,
    ) -> Result<Self, FrameError> {
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(FrameError::Size { width, height });
        }
        Ok(Self {
            pixels: PixelArray::new(params, width, height, seed)?,
            luminance: vec![0.0; width as usize * height as usize],
            full: Rect {
                x0: 0,
                y0: 0,
                x1: width,
                y1: height,
            },
            seed,
            started: false,
        })
    }

    /// The image at `t_us` as linear luminance, 1.0 being white. Events since the
    /// image before are appended to `out`, sorted. The first image gives none.
    ///
    /// # Errors
    /// An image of another size, or a time that does not increase.
    pub fn push_luminance(
        &mut self,
        t_us: u64,
        image: &[f32],
        out: &mut Vec<Event>,
    ) -> Result<(), FrameError> {
        self.push(t_us, image.len(), image.iter().copied(), out)
    }

    /// The image at `t_us` as 8-bit grey values, taken as linear with 255 as white
    /// (as v2e does).
    ///
    /// # Errors
    /// An image of another size, or a time that does not increase.
    pub fn push_grey(
        &mut self,
        t_us: u64,
        image: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), FrameError> {
        let luminance = image.iter().map(|&v| f32::from(v) * (1.0 / 255.0));
        self.push(t_us, image.len(), luminance, out)
    }

    fn push(
        &mut self,
        t_us: u64,
        got: usize,
        image: impl Iterator<Item = f32>,
        out: &mut Vec<Event>,
    ) -> Result<(), FrameError> {
        let expected = self.luminance.len();
        if got != expected {
            return Err(FrameError::Length { got, expected });
        }
        let previous_us = self.pixels.now_us();
        if self.started && t_us <= previous_us {
            return Err(FrameError::Time { t_us, previous_us });
        }
        for (to, from) in self.luminance.iter_mut().zip(image) {
            *to = from;
        }
        if !self.started {
            self.pixels.reset(t_us, self.seed, &self.luminance);
            self.started = true;
            return Ok(());
        }
        let first = out.len();
        self.pixels.begin_step(t_us, out);
        self.pixels
            .ramp(t_us as f64, &self.luminance, self.full, out);
        self.pixels.end_step(t_us, out);
        sort(previous_us, &mut out[first..]);
        Ok(())
    }
}
