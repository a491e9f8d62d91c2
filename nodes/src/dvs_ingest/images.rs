//! Images as luminance, and events of them by the pixels of the embedded world.

use saccade_msgs::Event;
use saccade_msgs::sensor_msgs::Image;
use saccade_rosbags::events::Geometry;
use saccade_worlds::event_camera::{EventCameraParams, FrameError, FrameToEvents};

/// Longest side of an image.
const MAX_SIDE: u32 = 8192;
/// Most pixels of an image: 3840x2160 is just below. A pixel takes 60 bytes of state.
const MAX_PIXELS: u32 = 1 << 23;
/// Shares of red, green and blue in luminance (ITU-R BT.709).
const SHARES: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// Why an image could not be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImageError {
    /// A pixel format that is not known.
    #[error(
        "image encoding '{0}' is not known; known are mono8, mono16, rgb8, bgr8, rgba8, bgra8, 32FC1"
    )]
    Encoding(String),
    /// An image without pixels, or too large.
    #[error(
        "image of {width}x{height}: sides must be 1 to {MAX_SIDE}, pixels at most {MAX_PIXELS}"
    )]
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Rows that are shorter than their pixels.
    #[error(
        "image of {width} columns of {encoding}: rows of {step} bytes, at least {least} are needed"
    )]
    Step {
        /// Columns.
        width: u32,
        /// Pixel format.
        encoding: String,
        /// Bytes from row to row.
        step: u32,
        /// Bytes of a row's pixels.
        least: u64,
    },
    /// Fewer bytes than rows.
    #[error(
        "image of {height} rows of {step} bytes each: {found} bytes of data, {expected} are needed"
    )]
    Data {
        /// Rows.
        height: u32,
        /// Bytes from row to row.
        step: u32,
        /// Bytes there are.
        found: usize,
        /// Bytes that the image asks for.
        expected: u64,
    },
    /// The pixels refused it.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Where in a pixel its numbers are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Grey8,
    Grey16,
    Float,
    /// Bytes of a pixel, and which of them are red, green and blue.
    Colour(usize, [usize; 3]),
}

impl Format {
    fn of(encoding: &str) -> Option<Self> {
        Some(match encoding {
            "mono8" | "8UC1" => Format::Grey8,
            "mono16" | "16UC1" => Format::Grey16,
            "32FC1" => Format::Float,
            "rgb8" => Format::Colour(3, [0, 1, 2]),
            "bgr8" => Format::Colour(3, [2, 1, 0]),
            "rgba8" => Format::Colour(4, [0, 1, 2]),
            "bgra8" => Format::Colour(4, [2, 1, 0]),
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Format::Grey8 => 1,
            Format::Grey16 => 2,
            Format::Float => 4,
            Format::Colour(bytes, _) => bytes,
        }
    }

    /// Appends the luminances of a row of pixels; white is 1.
    fn row(self, row: &[u8], big_endian: bool, out: &mut Vec<f32>) {
        let unit = |v: u8| f32::from(v) * (1.0 / 255.0);
        match self {
            Format::Grey8 => out.extend(row.iter().map(|v| unit(*v))),
            Format::Grey16 => out.extend(row.as_chunks::<2>().0.iter().map(|b| {
                let value = if big_endian {
                    u16::from_be_bytes(*b)
                } else {
                    u16::from_le_bytes(*b)
                };
                f32::from(value) * (1.0 / 65535.0)
            })),
            Format::Float => out.extend(row.as_chunks::<4>().0.iter().map(|b| {
                if big_endian {
                    f32::from_be_bytes(*b)
                } else {
                    f32::from_le_bytes(*b)
                }
            })),
            Format::Colour(bytes, at) => out.extend(row.chunks_exact(bytes).map(|pixel| {
                let [r, g, b] = at.map(|i| unit(pixel[i]));
                SHARES[0] * r + SHARES[1] * g + SHARES[2] * b
            })),
        }
    }
}

/// Luminances of an image, row by row; white is 1. Values are taken as linear.
///
/// # Errors
/// An encoding that is not known, or data that is not the image it says.
pub fn luminance(image: &Image, out: &mut Vec<f32>) -> Result<(), ImageError> {
    let (width, height, step) = (image.width, image.height, image.step);
    let format = Format::of(&image.encoding);
    let format = format.ok_or_else(|| ImageError::Encoding(image.encoding.clone()))?;
    let side = |n: u32| (1..=MAX_SIDE).contains(&n);
    if !side(width) || !side(height) || width * height > MAX_PIXELS {
        return Err(ImageError::Size { width, height });
    }
    let least = width as usize * format.bytes();
    if (step as usize) < least {
        return Err(ImageError::Step {
            width,
            encoding: image.encoding.clone(),
            step,
            least: least as u64,
        });
    }
    // The last row may end with its pixels.
    let expected = step as usize * (height as usize - 1) + least;
    if image.data.len() < expected {
        return Err(ImageError::Data {
            height,
            step,
            found: image.data.len(),
            expected: expected as u64,
        });
    }
    out.clear();
    for row in image.data.chunks(step as usize).take(height as usize) {
        format.row(&row[..least], image.is_bigendian != 0, out);
    }
    Ok(())
}

/// Turns the images of one camera into events.
#[derive(Debug)]
pub struct Images {
    params: EventCameraParams,
    seed: u64,
    pixels: Option<(Geometry, FrameToEvents)>,
    luminance: Vec<f32>,
    /// Images taken.
    pub taken: u64,
    /// Times that it was begun anew.
    pub restarts: u64,
}

impl Images {
    /// For pixels of this kind.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(params: EventCameraParams, seed: u64) -> Result<Self, FrameError> {
        params.validate()?;
        Ok(Images {
            params,
            seed,
            pixels: None,
            luminance: Vec::new(),
            taken: 0,
            restarts: 0,
        })
    }

    /// Appends the events between the image before and this one. After a change of
    /// size or a step back in time it begins anew.
    ///
    /// # Errors
    /// An image that is none.
    pub fn push(&mut self, image: &Image, out: &mut Vec<Event>) -> Result<Geometry, ImageError> {
        luminance(image, &mut self.luminance)?;
        let geometry = Geometry {
            width: image.width as u16,
            height: image.height as u16,
        };
        let t_us = (image.header.stamp.to_ns().max(0) / 1000) as u64;
        if let Some((size, pixels)) = &mut self.pixels
            && *size == geometry
        {
            match pixels.push_luminance(t_us, &self.luminance, out) {
                Err(FrameError::Time { previous_us, .. }) if t_us < previous_us => {}
                taken => {
                    taken?;
                    self.taken += 1;
                    return Ok(geometry);
                }
            }
        }
        self.restarts += u64::from(self.pixels.is_some());
        let mut pixels = FrameToEvents::new(&self.params, image.width, image.height, self.seed)?;
        pixels.push_luminance(t_us, &self.luminance, out)?;
        self.pixels = Some((geometry, pixels));
        self.taken += 1;
        Ok(geometry)
    }
}
