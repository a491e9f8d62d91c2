//! Confusion matrices.

use super::theme::{self, px};
use super::{Area, Draw, PlotError};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// How often each true class was decided to be each class.
#[derive(Debug, Clone)]
pub struct Confusion {
    /// Title.
    pub title: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Counts, row = truth, column = decision; as many rows as classes, and
    /// columns as classes or one more for "no decision".
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    fn check(&self) -> Result<usize, PlotError> {
        let n = self.classes.len();
        let columns = self.counts.first().map_or(0, Vec::len);
        let even = self.counts.iter().all(|row| row.len() == columns);
        if n == 0 || self.counts.len() != n || !even || (columns != n && columns != n + 1) {
            return Err(PlotError::Empty {
                title: self.title.clone(),
                reason: format!(
                    "{} rows of {columns} counts for {n} classes",
                    self.counts.len()
                ),
            });
        }
        Ok(columns)
    }
}

/// From paper to a deep blue.
fn shade(share: f64) -> RGBColor {
    let mix = |a: f64, b: f64| (a + (b - a) * share.powf(0.7)).round() as u8;
    RGBColor(mix(244.0, 0.0), mix(247.0, 84.0), mix(250.0, 140.0))
}

impl Draw for Confusion {
    fn size(&self) -> (u32, u32) {
        (620, 560)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let columns = self.check()?;
        let area = theme::frame(area, &self.title, &[])?;
        let (width, height) = area.dim_in_pixel();
        let (left, top) = (px(118), px(58));
        let cell_w = (width as i32 - left - px(24)) / columns as i32;
        let cell_h = (height as i32 - top - px(20)) / self.classes.len() as i32;
        let centred = |style| theme::anchored(style, HPos::Center, VPos::Center);
        let middle = left + cell_w * columns as i32 / 2;
        theme::write(
            &area,
            "decided",
            &centred(theme::colored(14, theme::FAINT)),
            (middle, px(16)),
        )?;
        let vertical =
            centred(theme::colored(14, theme::FAINT)).transform(FontTransform::Rotate270);
        let centre = top + cell_h * self.classes.len() as i32 / 2;
        theme::write(&area, "true class", &vertical, (px(20), centre))?;
        let nothing = "none".to_owned();
        for (i, name) in self
            .classes
            .iter()
            .chain([&nothing])
            .take(columns)
            .enumerate()
        {
            let x = left + cell_w * i as i32 + cell_w / 2;
            theme::write(&area, name, &centred(theme::text(15)), (x, top - px(16)))?;
        }
        let right = |style| theme::anchored(style, HPos::Right, VPos::Center);
        for (row, (name, counts)) in self.classes.iter().zip(&self.counts).enumerate() {
            let y = top + cell_h * row as i32;
            theme::write(
                &area,
                name,
                &right(theme::text(15)),
                (left - px(12), y + cell_h / 2),
            )?;
            let total: u64 = counts.iter().sum();
            for (column, &count) in counts.iter().enumerate() {
                let share = if total == 0 {
                    0.0
                } else {
                    count as f64 / total as f64
                };
                let x = left + cell_w * column as i32;
                theme::fill(
                    &area,
                    (x, y),
                    (x + cell_w - px(3), y + cell_h - px(3)),
                    shade(share).filled(),
                )?;
                let ink = if share > 0.45 {
                    theme::PAPER
                } else {
                    theme::INK
                };
                let centre = (x + cell_w / 2, y + cell_h / 2);
                let style = centred(theme::colored(20, ink));
                theme::write(
                    &area,
                    &count.to_string(),
                    &style,
                    (centre.0, centre.1 - px(9)),
                )?;
                let percent = format!("{:.1} %", 100.0 * share);
                let style = centred(theme::colored(13, ink));
                theme::write(&area, &percent, &style, (centre.0, centre.1 + px(14)))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    #[test]
    fn counts_must_fit_the_classes() {
        let matrix = |counts| Confusion {
            title: "c".into(),
            classes: vec!["a".into(), "b".into()],
            counts,
        };
        assert!(render(&matrix(vec![vec![3, 0], vec![1, 2]])).is_ok());
        assert!(render(&matrix(vec![vec![3, 0, 1], vec![1, 2, 0]])).is_ok());
        assert!(render(&matrix(vec![vec![0, 0], vec![0, 0]])).is_ok());
        assert!(matches!(
            render(&matrix(vec![vec![3, 0]])),
            Err(PlotError::Empty { .. })
        ));
        assert!(matches!(
            render(&matrix(vec![vec![3, 0], vec![1]])),
            Err(PlotError::Empty { .. })
        ));
    }
}
