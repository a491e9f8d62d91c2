//! The part of the image around a bottle.

use super::super::contour::EdgePoint;
use glam::DVec2;

/// The window reaches so far beyond the bottle, in its height in the image.
const BEYOND: f64 = 0.5;
/// Most points along an edge of the window: larger images are looked at in
/// larger steps.
const MOST: f64 = 80.0;

/// Points of a window of the image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Grid {
    /// The first point, pixels.
    from: (usize, usize),
    /// Pixels from point to point.
    pub step: usize,
    /// Points in a row.
    pub across: usize,
    /// Rows.
    pub down: usize,
}

impl Grid {
    /// Around an outline, inside of an image of `width` times `height` pixels.
    pub fn around(
        outline: &[EdgePoint],
        (width, height): (usize, usize),
        spacing: usize,
    ) -> Option<Self> {
        let first = outline.first()?.p;
        let ends = outline
            .iter()
            .fold((first, first), |(a, b), e| (a.min(e.p), b.max(e.p)));
        let beyond = DVec2::splat(BEYOND * (ends.1 - ends.0).max_element());
        let last = DVec2::new(width as f64, height as f64) - 2.0;
        let from = (ends.0 - beyond).max(DVec2::ONE).round();
        let extent = (ends.1 + beyond).min(last) - from;
        if extent.is_nan() || extent.min_element() < spacing as f64 {
            return None;
        }
        let step = spacing.max((extent.max_element() / MOST).ceil() as usize);
        let count = |length: f64| length as usize / step + 1;
        Some(Grid {
            from: (from.x as usize, from.y as usize),
            step,
            across: count(extent.x),
            down: count(extent.y),
        })
    }

    /// Width and height of the window, which reaches one pixel beyond the points.
    pub fn window(&self) -> (usize, usize) {
        let length = |points: usize| (points - 1) * self.step + 3;
        (length(self.across), length(self.down))
    }

    /// Position in the image of a place in the window.
    pub fn pixel(&self, x: usize, y: usize) -> DVec2 {
        DVec2::new((self.from.0 + x) as f64, (self.from.1 + y) as f64) - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(x: f64, y: f64) -> EdgePoint {
        EdgePoint {
            p: DVec2::new(x, y),
            n: DVec2::X,
        }
    }

    #[test]
    fn a_window_stays_in_the_image_with_a_pixel_to_spare() {
        let outline = [edge(20.0, 10.0), edge(60.0, 90.0)];
        let grid = Grid::around(&outline, (128, 100), 2).unwrap();
        let (across, down) = grid.window();
        assert_eq!(grid.pixel(0, 0), DVec2::ZERO);
        let last = grid.pixel(across - 1, down - 1);
        assert!(
            last.x <= 101.0 && last.x >= 98.0 && last.y <= 99.0,
            "{last}"
        );
    }

    #[test]
    fn a_large_image_has_no_more_points() {
        let outline = [edge(100.0, 100.0), edge(500.0, 600.0)];
        let grid = Grid::around(&outline, (1280, 720), 2).unwrap();
        assert!(grid.across <= 81 && grid.down <= 81, "{grid:?}");
    }

    #[test]
    fn outside_of_the_image_is_no_window() {
        let outline = [edge(300.0, 10.0), edge(320.0, 30.0)];
        assert_eq!(Grid::around(&outline, (128, 128), 2), None);
        assert_eq!(Grid::around(&[], (128, 128), 2), None);
    }
}
