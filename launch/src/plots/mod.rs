//! Pictures of recordings, networks and runs.
//!
//! Each picture is a plain value with the data in it ([`LineChart`],
//! [`Bars`], [`Confusion`], [`Raster`], [`EventImage`], [`Overview`]) that implements
//! [`Draw`]; [`render`] turns it into pixels and [`save_png`] writes them.
//! Charts are laid out by `plotters`; the [`canvas`] under it draws text from
//! an embedded font, so that no font needs to be installed.

mod bars;
pub mod canvas;
mod confusion;
mod event_image;
mod heatmap;
mod journey_page;
mod line_chart;
mod overview;
mod raster;
pub mod theme;

pub use bars::{Bar, Bars};
pub use confusion::Confusion;
pub use event_image::EventImage;
pub use heatmap::Heatmap;
pub use journey_page::{JourneyPage, strip};
pub use line_chart::{LineChart, Marker, Series, Span};
pub use overview::{Overview, Photo};
pub use raster::{Group, Raster};

use canvas::Canvas;
use image::RgbImage;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use std::path::{Path, PathBuf};

/// A rectangle to draw in.
pub type Area<'a> = DrawingArea<Canvas<'a>, Shift>;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The chart layout failed.
    #[error("drawing '{title}': {reason}")]
    Drawing {
        /// Title of the picture.
        title: String,
        /// What the drawing library says.
        reason: String,
    },
    /// A picture has no data to draw.
    #[error("nothing to draw for '{title}': {reason}")]
    Empty {
        /// Title of the picture.
        title: String,
        /// What is missing.
        reason: String,
    },
    /// The file could not be written.
    #[error("writing {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The pixels could not be encoded.
    #[error("encoding {path}: {source}", path = path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: image::ImageError,
    },
}

impl PlotError {
    /// A failure of the drawing library, for the picture called `title`.
    fn drawing(title: &str, error: impl std::fmt::Display) -> Self {
        PlotError::Drawing {
            title: title.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// Something that can be drawn into a rectangle.
pub trait Draw {
    /// Width and height in pixels that suit it as a picture of its own.
    fn size(&self) -> (u32, u32);

    /// Draws it into the whole of `area`.
    ///
    /// # Errors
    /// No data, or a failure of the drawing library.
    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError>;
}

/// Draws a picture at its own size.
///
/// # Errors
/// As [`Draw::draw`].
pub fn render(picture: &impl Draw) -> Result<RgbImage, PlotError> {
    let (width, height) = picture.size();
    // Drawn at twice the size and averaged: smooth edges for every shape.
    let scale = theme::SCALE as u32;
    let mut large = RgbImage::from_pixel(width * scale, height * scale, theme::PAPER_PIXEL);
    {
        let area = Canvas::new(&mut large).into_drawing_area();
        picture.draw(&area)?;
    }
    Ok(image::imageops::thumbnail(&large, width, height))
}

/// Draws a picture into a PNG file; the file appears whole or not at all.
///
/// # Errors
/// As [`Draw::draw`], or the file cannot be written.
pub fn save(picture: &impl Draw, path: &Path) -> Result<(), PlotError> {
    save_png(&render(picture)?, path)
}

/// Writes pixels as a PNG file; the file appears whole or not at all.
///
/// # Errors
/// The pixels cannot be encoded or the file cannot be written.
pub fn save_png(image: &RgbImage, path: &Path) -> Result<(), PlotError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|source| PlotError::Encode {
            path: path.to_owned(),
            source,
        })?;
    saccade_rosbags::write_atomic(path, bytes.get_ref()).map_err(|source| PlotError::Write {
        path: path.to_owned(),
        source,
    })
}
