//! Spike rasters.

use super::line_chart::tick;
use super::theme::{self, CanvasError, px, stroke};
use super::{Area, Draw, Marker, PlotError};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Neurons that belong together, drawn in one colour.
#[derive(Debug, Clone)]
pub struct Group {
    /// Name in the legend.
    pub name: String,
    /// First neuron.
    pub first: u32,
    /// Number of neurons.
    pub len: u32,
}

/// Every spike of a population as a tick over time, with the population's
/// rate above.
#[derive(Debug, Clone, Default)]
pub struct Raster {
    /// Title.
    pub title: String,
    /// What the time counts from, with unit.
    pub x_label: String,
    /// (time in ms, neuron).
    pub spikes: Vec<(f64, u32)>,
    /// Number of neurons.
    pub neurons: u32,
    /// Shown time in ms.
    pub range_ms: (f64, f64),
    /// Groups by colour; neurons outside all groups take the first colour.
    pub groups: Vec<Group>,
    /// Vertical lines.
    pub times: Vec<Marker>,
}

/// Width of the bins of the rate, in ms.
const RATE_BIN_MS: f64 = 5.0;

impl Raster {
    fn color(&self, neuron: u32) -> RGBColor {
        let group = self
            .groups
            .iter()
            .position(|g| neuron >= g.first && neuron - g.first < g.len)
            .unwrap_or(0);
        [
            theme::SERIES[1],
            theme::SERIES[0],
            theme::SERIES[2],
            theme::SERIES[4],
        ][group % 4]
    }

    fn shown(&self) -> impl Iterator<Item = (f64, u32)> + '_ {
        let (from, to) = self.range_ms;
        self.spikes
            .iter()
            .copied()
            .filter(move |s| s.0 >= from && s.0 < to && s.1 < self.neurons)
    }

    /// Mean rate over all neurons in Hz, per bin, as (bin start in ms, rate).
    fn rates(&self) -> Vec<(f64, f64)> {
        let (from, to) = self.range_ms;
        let bins = ((to - from) / RATE_BIN_MS).ceil().clamp(1.0, 1e5) as usize;
        let mut counts = vec![0u32; bins];
        for (t, _) in self.shown() {
            counts[(((t - from) / RATE_BIN_MS) as usize).min(bins - 1)] += 1;
        }
        let seconds = f64::from(self.neurons) * RATE_BIN_MS * 1e-3;
        let rate = |(i, n): (usize, &u32)| (from + i as f64 * RATE_BIN_MS, f64::from(*n) / seconds);
        counts.iter().enumerate().map(rate).collect()
    }

    fn chart(&self, area: &Area<'_>) -> Result<(), CanvasError> {
        let (_, height) = area.dim_in_pixel();
        let (above, below) = area.split_vertically((height as i32 / 4).clamp(px(60), px(120)));
        let x = self.range_ms.0..self.range_ms.1;
        let rates = self.rates();
        let top = rates.iter().map(|r| r.1).fold(1.0, f64::max) * 1.1;
        let mut chart = ChartBuilder::on(&above)
            .margin_left(px(10))
            .margin_right(px(22))
            .margin_top(px(20))
            .y_label_area_size(px(58))
            .build_cartesian_2d(x.clone(), 0.0..top)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .bold_line_style(theme::GRID.stroke_width(stroke(1.0)))
            .light_line_style(TRANSPARENT)
            .axis_style(theme::FAINT.stroke_width(stroke(1.0)))
            .label_style(theme::text(12))
            .axis_desc_style(theme::text(13))
            .y_labels(3)
            .y_desc("rate (Hz)")
            .y_label_formatter(&|v| match *v {
                // The raster's own axis ends just below.
                0.0 => String::new(),
                v => tick(v, top),
            })
            .draw()?;
        chart.draw_series(rates.iter().map(|&(t, rate)| {
            let end = (t + RATE_BIN_MS).min(self.range_ms.1);
            Rectangle::new([(t, 0.0), (end, rate)], theme::HAZE.filled())
        }))?;
        for time in self
            .times
            .iter()
            .filter(|t| (x.start..=x.end).contains(&t.at))
        {
            // Near the right edge the name ends at its line, or it would be cut off.
            let late = time.at > x.start + 0.9 * (x.end - x.start);
            let anchor = if late { HPos::Right } else { HPos::Center };
            let style = theme::anchored(theme::text(12), anchor, VPos::Bottom);
            chart.draw_series([Text::new(time.label.clone(), (time.at, top), style)])?;
        }
        self.ticks(&below)
    }

    fn ticks(&self, area: &Area<'_>) -> Result<(), CanvasError> {
        let x = self.range_ms.0..self.range_ms.1;
        let neurons = f64::from(self.neurons.max(1));
        let mut chart = ChartBuilder::on(area)
            .margin_left(px(10))
            .margin_right(px(22))
            .margin_top(px(6))
            .margin_bottom(px(8))
            .x_label_area_size(px(42))
            .y_label_area_size(px(58))
            .build_cartesian_2d(x.clone(), 0.0..neurons)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .bold_line_style(theme::GRID.stroke_width(stroke(1.0)))
            .light_line_style(TRANSPARENT)
            .axis_style(theme::FAINT.stroke_width(stroke(1.0)))
            .label_style(theme::text(13))
            .axis_desc_style(theme::text(14))
            .x_labels(9)
            .y_labels(5)
            .x_desc(&self.x_label)
            .y_desc("neuron")
            .x_label_formatter(&|v| tick(*v, self.range_ms.1 - self.range_ms.0))
            .y_label_formatter(&|v| tick(*v, neurons))
            .draw()?;
        let (_, rows) = chart.plotting_area().dim_in_pixel();
        let half = (f64::from(rows) / neurons * 0.45).clamp(f64::from(LEAST_HALF), f64::from(px(5)))
            as i32;
        let width = stroke(1.5);
        chart.draw_series(self.shown().map(|(t, neuron)| {
            let style = self.color(neuron).stroke_width(width);
            EmptyElement::at((t, f64::from(neuron) + 0.5))
                + PathElement::new(vec![(0, -half), (0, half)], style)
        }))?;
        for time in self
            .times
            .iter()
            .filter(|t| (x.start..=x.end).contains(&t.at))
        {
            let line = vec![(time.at, 0.0), (time.at, neurons)];
            chart.draw_series([PathElement::new(line, theme::INK.stroke_width(stroke(1.3)))])?;
        }
        Ok(())
    }
}

/// Half the least height of a tick, in canvas pixels.
const LEAST_HALF: i32 = 2 * theme::SCALE;

impl Draw for Raster {
    fn size(&self) -> (u32, u32) {
        (960, 600)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let (from, to) = self.range_ms;
        if self.neurons == 0 || !(from < to && (to - from).is_finite()) {
            return Err(PlotError::Empty {
                title: self.title.clone(),
                reason: format!("{} neurons over {from} to {to} ms", self.neurons),
            });
        }
        let color = |g: &Group| (format!("{} ({})", g.name, g.len), self.color(g.first));
        let legend: Vec<_> = self.groups.iter().map(color).collect();
        let rest = theme::frame(area, &self.title, &legend)?;
        self.chart(&rest)
            .map_err(|e| PlotError::drawing(&self.title, e))
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    #[test]
    fn rates_are_means_over_the_population() {
        let raster = Raster {
            spikes: vec![(0.0, 0), (4.9, 1), (5.0, 1), (99.0, 0), (1.0, 7)],
            neurons: 2,
            range_ms: (0.0, 10.0),
            ..Default::default()
        };
        // 2 spikes of 2 neurons in 5 ms are 200 Hz; neuron 7 does not exist and
        // 99 ms is not shown.
        assert_eq!(raster.rates(), [(0.0, 200.0), (5.0, 100.0)]);
    }

    #[test]
    fn silence_is_drawn_and_no_population_is_refused() {
        let quiet = Raster {
            neurons: 10,
            range_ms: (0.0, 700.0),
            ..Default::default()
        };
        assert!(render(&quiet).is_ok());
        let none = Raster {
            neurons: 0,
            ..quiet.clone()
        };
        assert!(matches!(render(&none), Err(PlotError::Empty { .. })));
        let endless = Raster {
            range_ms: (0.0, f64::INFINITY),
            ..quiet
        };
        assert!(matches!(render(&endless), Err(PlotError::Empty { .. })));
    }
}
