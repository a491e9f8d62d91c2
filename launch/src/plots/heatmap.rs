//! Matrices as pictures: a cell for each number, dark for little.

use super::event_image::place;
use super::theme;
use super::{Area, Draw, PlotError};
use image::{Rgb, RgbImage};

/// A matrix of numbers.
#[derive(Debug, Clone)]
pub struct Heatmap {
    /// Title.
    pub title: String,
    /// Line below: what rows, columns and numbers are.
    pub caption: String,
    /// Row after row.
    pub values: Vec<f64>,
    /// Numbers in a row.
    pub columns: usize,
}

/// Dark blue, teal, sand: readable for colour-blind readers and in grey.
const COLOURS: [[f64; 3]; 4] = [
    [16.0, 32.0, 72.0],
    [0.0, 114.0, 140.0],
    [120.0, 190.0, 150.0],
    [250.0, 240.0, 200.0],
];

fn colour(share: f64) -> Rgb<u8> {
    let at = share.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let low = (at as usize).min(COLOURS.len() - 2);
    let part = at - low as f64;
    let mix = |k: usize| COLOURS[low][k] * (1.0 - part) + COLOURS[low + 1][k] * part;
    Rgb([0, 1, 2].map(|k| mix(k).round() as u8))
}

impl Heatmap {
    fn image(&self) -> Result<RgbImage, PlotError> {
        let empty = |reason: &str| PlotError::Empty {
            title: self.title.clone(),
            reason: reason.to_owned(),
        };
        if self.columns == 0 || !self.values.len().is_multiple_of(self.columns) {
            return Err(empty("the numbers are no whole rows"));
        }
        let finite = || self.values.iter().copied().filter(|v| v.is_finite());
        let (low, high) = (
            finite().fold(f64::INFINITY, f64::min),
            finite().fold(f64::NEG_INFINITY, f64::max),
        );
        if low > high {
            return Err(empty("no number is finite"));
        }
        let rows = self.values.len() / self.columns;
        let (Ok(width), Ok(height)) = (u32::try_from(self.columns), u32::try_from(rows)) else {
            return Err(empty("there are too many numbers"));
        };
        let range = (high - low).max(f64::MIN_POSITIVE);
        Ok(RgbImage::from_fn(width, height, |x, y| {
            let value = self.values[y as usize * self.columns + x as usize];
            match value.is_finite() {
                true => colour((value - low) / range),
                false => theme::PAPER_PIXEL,
            }
        }))
    }
}

impl Draw for Heatmap {
    fn size(&self) -> (u32, u32) {
        (560, 620)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let image = self.image()?;
        let rest = theme::frame(area, &self.title, &[])?;
        place(&rest, &image, &self.caption, true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    #[test]
    fn little_is_dark_and_much_is_bright() {
        let map = Heatmap {
            title: "t".into(),
            caption: "c".into(),
            values: vec![0.0, 1.0, f64::NAN, 2.0],
            columns: 2,
        };
        let image = map.image().expect("drawn");
        assert_eq!(*image.get_pixel(0, 0), Rgb([16, 32, 72]));
        assert_eq!(*image.get_pixel(1, 1), Rgb([250, 240, 200]));
        assert_eq!(*image.get_pixel(0, 1), theme::PAPER_PIXEL);
        assert!(render(&map).is_ok());
        for (values, columns) in [(vec![1.0; 3], 2), (vec![], 2), (vec![f64::NAN], 1)] {
            let map = Heatmap {
                values,
                columns,
                ..map.clone()
            };
            assert!(render(&map).is_err());
        }
    }
}
