//! The pixels under `plotters`: an RGB image with round strokes and text from
//! a font that is part of the program.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};
use image::RgbImage;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle,
};
use std::convert::Infallible;
use std::sync::LazyLock;

/// A font whose bytes cannot be read would be a broken build, which the unit
/// tests find; a program with one writes no text.
static FONT: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).ok());

/// The font's strokes are thin; this share of the text size is added to them
/// (and twice that to bold text), so that small print stays readable.
const EMBOLDEN: f32 = 0.022;

/// An RGB image as a `plotters` backend.
pub struct Canvas<'a> {
    image: &'a mut RgbImage,
}

impl<'a> Canvas<'a> {
    /// Draws on `image`.
    pub fn new(image: &'a mut RgbImage) -> Self {
        Canvas { image }
    }

    fn blend(&mut self, x: i32, y: i32, color: BackendColor, coverage: f32) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        let Some(pixel) = self.image.get_pixel_mut_checked(x, y) else {
            return;
        };
        let a = (color.alpha as f32 * coverage).clamp(0.0, 1.0);
        let (r, g, b) = color.rgb;
        for (old, new) in pixel.0.iter_mut().zip([r, g, b]) {
            *old = (f32::from(*old) * (1.0 - a) + f32::from(new) * a).round() as u8;
        }
    }

    /// A line with round ends: every pixel is covered by how far its centre
    /// lies inside the stroke.
    fn capsule(&mut self, from: BackendCoord, to: BackendCoord, radius: f32, color: BackendColor) {
        let (width, height) = self.image.dimensions();
        let reach = radius.ceil() as i32 + 1;
        let x_range =
            (from.0.min(to.0) - reach).max(0)..=(from.0.max(to.0) + reach).min(width as i32 - 1);
        let (ax, ay) = (from.0 as f32, from.1 as f32);
        let (dx, dy) = (to.0 as f32 - ax, to.1 as f32 - ay);
        let length2 = (dx * dx + dy * dy).max(1e-6);
        for x in x_range {
            let (top, bottom) = column_reach((ax, ay), (dx, dy), x as f32, reach as f32);
            let rows = (top.floor() as i32).max(0)..=(bottom.ceil() as i32).min(height as i32 - 1);
            for y in rows {
                let (px, py) = (x as f32 - ax, y as f32 - ay);
                let along = ((px * dx + py * dy) / length2).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                let coverage = (radius + 0.5 - distance).clamp(0.0, 1.0);
                if coverage > 0.0 {
                    self.blend(x, y, color, coverage);
                }
            }
        }
    }
}

/// The rows a stroke can touch in column `x`, so that a steep line across the
/// whole picture does not visit every pixel of its bounding box.
fn column_reach(a: (f32, f32), d: (f32, f32), x: f32, reach: f32) -> (f32, f32) {
    let (low, high) = if d.0.abs() < 1.0 {
        (0.0, 1.0)
    } else {
        let t = [(x - reach - a.0) / d.0, (x + reach - a.0) / d.0].map(|t| t.clamp(0.0, 1.0));
        (t[0].min(t[1]), t[0].max(t[1]))
    };
    let y = [a.1 + low * d.1, a.1 + high * d.1];
    (y[0].min(y[1]) - reach, y[0].max(y[1]) + reach)
}

/// Width in pixels of a line of text of `size` pixels.
pub fn text_width(line: &str, size: i32) -> i32 {
    let Some(font) = FONT.as_ref() else { return 0 };
    let font = font.as_scaled(size as f32);
    let advance: f32 = line.chars().map(|c| font.h_advance(font.glyph_id(c))).sum();
    advance.ceil() as i32
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.image.dimensions()
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.blend(x, y, color, 1.0);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.capsule(from, to, style.stroke_width() as f32 / 2.0, style.color());
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let mut before = None;
        for point in path {
            if let Some(before) = before {
                self.draw_line(before, point, style)?;
            }
            before = Some(point);
        }
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, line: &str, style: &T, at: BackendCoord) -> Drawn {
        let Some(font) = FONT.as_ref() else {
            return Ok(());
        };
        let size = style.size() as f32;
        let scaled = font.as_scaled(size);
        let width = text_width(line, style.size() as i32) as f32;
        let left = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        // Centred on the height of a capital, which is what the eye lines up.
        let capital = size * 0.6;
        let mut baseline = match style.anchor().v_pos {
            VPos::Top => scaled.ascent(),
            VPos::Center => capital / 2.0,
            VPos::Bottom => scaled.descent() - 0.12 * size,
        };
        baseline = baseline.round();
        let passes = if matches!(style.style(), FontStyle::Bold) {
            4
        } else {
            2
        };
        let (transform, color) = (style.transform(), style.color());
        let mut x = left;
        for c in line.chars() {
            for pass in 0..passes {
                let shift = pass as f32 * EMBOLDEN * size;
                let position = ab_glyph::point(x + shift, baseline);
                let id = font.glyph_id(c);
                let glyph = id.with_scale_and_position(PxScale::from(size), position);
                if let Some(outline) = font.outline_glyph(glyph) {
                    let bounds = outline.px_bounds();
                    outline.draw(|gx, gy, coverage| {
                        let dot = (
                            gx as i32 + bounds.min.x as i32,
                            gy as i32 + bounds.min.y as i32,
                        );
                        let (tx, ty) = transform.transform(dot.0, dot.1);
                        self.blend(at.0 + tx, at.1 + ty, color, coverage);
                    });
                }
            }
            x += scaled.h_advance(font.glyph_id(c));
        }
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        line: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size();
        Ok((
            text_width(line, size as i32).max(0) as u32,
            size.max(0.0) as u32,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{Canvas, HPos, VPos, text_width};
    use image::{Rgb, RgbImage};
    use plotters::prelude::{BLACK, Color, DrawingBackend, IntoFont};

    fn white(width: u32, height: u32) -> RgbImage {
        RgbImage::from_pixel(width, height, Rgb([255; 3]))
    }

    fn dark_pixels(image: &RgbImage) -> Vec<(u32, u32)> {
        image
            .enumerate_pixels()
            .filter(|(_, _, p)| p.0[0] < 128)
            .map(|(x, y, _)| (x, y))
            .collect()
    }

    #[test]
    fn text_appears_where_it_is_anchored() {
        let mut image = white(200, 100);
        let style = ("sans-serif", 40).into_font().color(&BLACK);
        let right = style.pos(plotters::style::text_anchor::Pos::new(
            HPos::Right,
            VPos::Center,
        ));
        Canvas::new(&mut image)
            .draw_text("Hm", &right, (150, 50))
            .expect("infallible");
        let dark = dark_pixels(&image);
        assert!(!dark.is_empty(), "the embedded font is readable");
        assert!(
            dark.iter().all(|&(x, y)| x <= 150 && (30..70).contains(&y)),
            "{dark:?}"
        );
        let width = text_width("Hm", 40);
        assert!(dark.iter().map(|&(x, _)| x).min() >= Some(150 - width as u32));
    }

    #[test]
    fn a_stroke_has_its_width_and_clips_at_the_edges() {
        let mut image = white(40, 40);
        let style = BLACK.stroke_width(6);
        Canvas::new(&mut image)
            .draw_line((-100, 20), (100, 20), &style)
            .expect("infallible");
        for x in 0..40 {
            let ink: f64 = (0..40)
                .map(|y| 1.0 - f64::from(image.get_pixel(x, y).0[0]) / 255.0)
                .sum();
            assert!(
                (ink - 6.0).abs() < 0.02,
                "column {x} has {ink} pixels of ink"
            );
        }
    }
}
