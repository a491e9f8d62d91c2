//! Shares as bars, in named groups.

use super::theme::{self, px};
use super::{Area, Draw, PlotError};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Height of a bar with the room around it, in pixels.
const ROW: i32 = 24;

/// A share with its spread.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it belongs to; written once for neighbours of the same group.
    pub group: String,
    /// Its name within the group.
    pub label: String,
    /// Length, 0 to 1.
    pub value: f64,
    /// Lowest and highest value behind it.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// Bars from 0 to 1, one below the other.
#[derive(Debug, Clone)]
pub struct Bars {
    /// Title.
    pub title: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

impl Draw for Bars {
    fn size(&self) -> (u32, u32) {
        (760, 60 + ROW as u32 * self.bars.len() as u32)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let finite = |b: &Bar| [b.value, b.low, b.high].iter().all(|v| v.is_finite());
        if self.bars.is_empty() || !self.bars.iter().all(finite) {
            return Err(PlotError::Empty {
                title: self.title.clone(),
                reason: "there is no bar, or one has no finite length".into(),
            });
        }
        let area = theme::frame(area, &self.title, &[])?;
        let (width, _) = area.dim_in_pixel();
        let (left, right) = (px(280), width as i32 - px(70));
        let at = |v: f64| left + (f64::from(right - left) * v.clamp(0.0, 1.0)).round() as i32;
        let style = |h| theme::anchored(theme::text(13), h, VPos::Center);
        let (mut group, mut color) = ("", 0);
        for (i, bar) in self.bars.iter().enumerate() {
            let y = px(4 + ROW * i as i32);
            let middle = y + px(ROW / 2);
            if group != bar.group {
                group = &bar.group;
                color += 1;
                theme::write(&area, group, &style(HPos::Left), (px(14), middle))?;
            }
            theme::write(
                &area,
                &bar.label,
                &style(HPos::Right),
                (left - px(10), middle),
            )?;
            let fill = theme::series_color(color).mix(0.75).filled();
            let bottom = y + px(ROW - 5);
            theme::fill(&area, (left, y + px(3)), (at(bar.value), bottom), fill)?;
            let (low, high) = (at(bar.low), at(bar.high));
            let line = theme::INK.filled();
            theme::fill(&area, (low, middle - px(1)), (high, middle), line)?;
            let percent = format!("{:.1} %", 100.0 * bar.value);
            let beside = (at(bar.value.max(bar.high)) + px(6), middle);
            theme::write(&area, &percent, &style(HPos::Left), beside)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    #[test]
    fn a_longer_bar_has_more_ink_and_none_is_an_error() {
        let bars = |value: f64| Bars {
            title: "b".into(),
            bars: vec![Bar {
                group: "g".into(),
                label: "l".into(),
                value,
                low: value,
                high: value,
            }],
        };
        let ink = |value: f64| {
            let image = render(&bars(value)).expect("draws");
            image.pixels().filter(|p| p.0 != [255, 255, 255]).count()
        };
        assert!(ink(0.9) > ink(0.2) + 1000);
        assert!(matches!(
            render(&bars(f64::NAN)),
            Err(PlotError::Empty { .. })
        ));
    }
}
