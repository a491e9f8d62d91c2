//! Curves over a common axis, with spreads, marked times and shaded spans:
//! learning curves, accuracy over time, class evidence, joint positions.

use super::theme::{self, CanvasError, px, stroke};
use super::{Area, Draw, PlotError};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// One curve.
#[derive(Debug, Clone)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Colour.
    pub color: RGBColor,
    /// Points in the axes' units; points that are not finite break the curve.
    pub points: Vec<(f64, f64)>,
    /// Spread around it as (x, low, high); may be empty.
    pub band: Vec<(f64, f64, f64)>,
}

impl Series {
    /// A curve without spread in the `i`-th series colour.
    pub fn new(i: usize, name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Series {
            name: name.into(),
            color: theme::series_color(i),
            points,
            band: Vec::new(),
        }
    }
}

/// A value worth a line across the chart, with a word beside it.
#[derive(Debug, Clone)]
pub struct Marker {
    /// Where, in the axis's unit.
    pub at: f64,
    /// What, in a few words.
    pub label: String,
}

/// A stretch of the x axis with a name: a state, a phase.
#[derive(Debug, Clone)]
pub struct Span {
    /// Start and end in the x axis's unit.
    pub range: (f64, f64),
    /// Name, written on top where there is room.
    pub label: String,
    /// Colour, drawn faintly.
    pub color: RGBColor,
}

/// A chart of curves.
#[derive(Debug, Clone, Default)]
pub struct LineChart {
    /// Title.
    pub title: String,
    /// What the x axis is, with unit.
    pub x_label: String,
    /// What the y axis is, with unit.
    pub y_label: String,
    /// Range of the x axis; from the data where absent.
    pub x_range: Option<(f64, f64)>,
    /// Range of the y axis; from the data where absent.
    pub y_range: Option<(f64, f64)>,
    /// Curves.
    pub series: Vec<Series>,
    /// Vertical lines (a decision, a saccade's end).
    pub times: Vec<Marker>,
    /// Horizontal lines (chance, a threshold).
    pub levels: Vec<Marker>,
    /// Shaded stretches.
    pub spans: Vec<Span>,
}

impl LineChart {
    /// Ranges of the x and the y axis.
    fn ranges(&self) -> Result<[(f64, f64); 2], PlotError> {
        let all = || self.series.iter().flat_map(|s| s.points.iter());
        let x = self.x_range.or_else(|| extent(all().map(|p| p.0)));
        let bands = || self.series.iter().flat_map(|s| s.band.iter());
        let y = self.y_range.or_else(|| {
            let values = all().map(|p| p.1).chain(bands().flat_map(|b| [b.1, b.2]));
            extent(values).map(|(low, high)| {
                let room = 0.06 * (high - low).max(1e-9);
                (low - room, high + room)
            })
        });
        match (x, y) {
            (Some(x), Some(y)) => Ok([widened(x), widened(y)]),
            _ => Err(PlotError::Empty {
                title: self.title.clone(),
                reason: "no series has a finite point".into(),
            }),
        }
    }

    fn legend(&self) -> Vec<(String, RGBColor)> {
        self.series
            .iter()
            .map(|s| (s.name.clone(), s.color))
            .collect()
    }
}

fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|v| v.is_finite())
        .fold(None, |range, v| match range {
            None => Some((v, v)),
            Some((low, high)) => Some((low.min(v), high.max(v))),
        })
}

/// An axis needs a length.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    if high > low {
        (low, high)
    } else {
        (low - 0.5, low + 0.5)
    }
}

/// As few decimals as the length of the axis allows.
pub(super) fn tick(value: f64, length: f64) -> String {
    let decimals = (2.0 - length.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    if text == "-0" {
        "0".into()
    } else {
        text.replace('-', "−")
    }
}

impl Draw for LineChart {
    fn size(&self) -> (u32, u32) {
        (960, 540)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let rest = theme::frame(area, &self.title, &self.legend())?;
        self.chart(&rest).map_err(|e| match e {
            ChartError::Plot(e) => e,
            ChartError::Canvas(e) => PlotError::drawing(&self.title, e),
        })
    }
}

enum ChartError {
    Plot(PlotError),
    Canvas(CanvasError),
}

impl From<CanvasError> for ChartError {
    fn from(error: CanvasError) -> Self {
        ChartError::Canvas(error)
    }
}

impl LineChart {
    fn chart(&self, area: &Area<'_>) -> Result<(), ChartError> {
        let [x, y] = self.ranges().map_err(ChartError::Plot)?;
        let top = if self.spans.is_empty() && self.times.is_empty() {
            px(8)
        } else {
            px(24)
        };
        let mut chart = ChartBuilder::on(area)
            .margin_left(px(10))
            .margin_right(px(22))
            .margin_top(top)
            .margin_bottom(px(8))
            .x_label_area_size(px(42))
            .y_label_area_size(px(58))
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        for span in &self.spans {
            let (from, to) = (span.range.0.max(x.0), span.range.1.min(x.1));
            if from < to {
                let shape = Rectangle::new([(from, y.0), (to, y.1)], span.color.mix(0.13).filled());
                chart.draw_series([shape])?;
            }
        }
        let (_, height) = area.dim_in_pixel();
        chart
            .configure_mesh()
            .bold_line_style(theme::GRID.stroke_width(stroke(1.0)))
            .light_line_style(TRANSPARENT)
            .axis_style(theme::FAINT.stroke_width(stroke(1.0)))
            .label_style(theme::text(13))
            .axis_desc_style(theme::text(14))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_labels(9)
            .y_labels((height as i32 / px(45)).clamp(3, 9) as usize)
            .x_label_formatter(&|v| tick(*v, x.1 - x.0))
            .y_label_formatter(&|v| tick(*v, y.1 - y.0))
            .draw()?;
        let clip = |(px, py): (f64, f64)| (px.clamp(x.0, x.1), py.clamp(y.0, y.1));
        for level in self.levels.iter().filter(|l| (y.0..=y.1).contains(&l.at)) {
            let style = theme::FAINT.stroke_width(stroke(1.3));
            chart.draw_series(
                dashes((x.0, level.at), (x.1, level.at)).map(|d| PathElement::new(d, style)),
            )?;
        }
        for s in &self.series {
            let outline = s.band.iter().map(|b| (b.0, b.2));
            let outline = outline
                .chain(s.band.iter().rev().map(|b| (b.0, b.1)))
                .map(clip);
            chart.draw_series([Polygon::new(
                outline.collect::<Vec<_>>(),
                s.color.mix(0.18).filled(),
            )])?;
            for run in s.points.split(|p| !(p.0.is_finite() && p.1.is_finite())) {
                let points: Vec<_> = run
                    .iter()
                    .filter(|p| (x.0..=x.1).contains(&p.0))
                    .map(|&p| clip(p))
                    .collect();
                let style = s.color.stroke_width(stroke(2.0));
                chart.draw_series([PathElement::new(points, style)])?;
            }
        }
        for time in self.times.iter().filter(|t| (x.0..=x.1).contains(&t.at)) {
            let style = theme::INK.stroke_width(stroke(1.3));
            chart.draw_series(
                dashes((time.at, y.0), (time.at, y.1)).map(|d| PathElement::new(d, style)),
            )?;
        }
        let in_range = |l: &&Marker| (y.0..=y.1).contains(&l.at);
        let levels = self.levels.iter().filter(in_range);
        let levels = levels.map(|l| (l.label.as_str(), chart.backend_coord(&(x.1, l.at))));
        level_names(area, levels).map_err(ChartError::Plot)?;
        self.captions(area, &|v| chart.backend_coord(&(v, y.1)), x)
    }

    /// Names of spans and times above the plot, left out where they would run
    /// into one another.
    fn captions(
        &self,
        area: &Area<'_>,
        place: &dyn Fn(f64) -> (i32, i32),
        x: (f64, f64),
    ) -> Result<(), ChartError> {
        let (left, top) = area.get_base_pixel();
        let mut taken: Vec<(i32, i32)> = Vec::new();
        let full = area.dim_in_pixel().0 as i32;
        let mut write = |label: &str, centre: i32, y: i32, room: i32, color: RGBColor| {
            let width = super::canvas::text_width(label, px(12)) + px(8);
            // A name at the edge moves inwards rather than being cut off.
            let centre = centre.min(full - width / 2).max(width / 2);
            let range = (centre - width / 2, centre + width / 2);
            if width > room || taken.iter().any(|t| range.0 < t.1 && t.0 < range.1) {
                return Ok(());
            }
            taken.push(range);
            let style = theme::anchored(theme::colored(12, color), HPos::Center, VPos::Center);
            theme::write(area, label, &style, (centre, y)).map_err(ChartError::Plot)
        };
        for time in self.times.iter().filter(|t| (x.0..=x.1).contains(&t.at)) {
            let (at, y) = place(time.at);
            write(
                &time.label,
                at - left,
                y - top - px(11),
                i32::MAX,
                theme::INK,
            )?;
        }
        for span in &self.spans {
            let (from, y) = place(span.range.0.max(x.0));
            let (to, _) = place(span.range.1.min(x.1));
            let color = darker(span.color);
            write(
                &span.label,
                (from + to) / 2 - left,
                y - top - px(11),
                to - from,
                color,
            )?;
        }
        Ok(())
    }
}

/// Names of levels above their lines at the right end, further to the left
/// where another is in the way.
fn level_names<'n>(
    area: &Area<'_>,
    levels: impl Iterator<Item = (&'n str, (i32, i32))>,
) -> Result<(), PlotError> {
    let (left, top) = area.get_base_pixel();
    let style = theme::anchored(theme::colored(12, theme::FAINT), HPos::Right, VPos::Bottom);
    let mut taken: Vec<(i32, i32, i32)> = Vec::new();
    for (name, (x, y)) in levels {
        let width = super::canvas::text_width(name, px(12)) + px(10);
        let mut right = x - left;
        let overlaps = |right: i32| {
            let meets = |t: &&(i32, i32, i32)| {
                right - width < t.1 && t.0 < right && (t.2 - y).abs() < px(14)
            };
            taken.iter().find(meets).copied()
        };
        while let Some(other) = overlaps(right) {
            right = other.0;
        }
        taken.push((right - width, right, y));
        theme::write(area, name, &style, (right, y - top))?;
    }
    Ok(())
}

fn darker(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let half = |v: u8| (u16::from(v) * 3 / 4) as u8;
    RGBColor(half(r), half(g), half(b))
}

/// A dashed line as its dashes.
fn dashes(from: (f64, f64), to: (f64, f64)) -> impl Iterator<Item = Vec<(f64, f64)>> {
    const COUNT: i32 = 60;
    let at = move |i: f64| {
        let t = i / f64::from(COUNT);
        (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
    };
    (0..COUNT).map(move |i| vec![at(f64::from(i)), at(f64::from(i) + 0.55)])
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> LineChart {
        LineChart {
            title: "t".into(),
            series: vec![Series::new(1, "s", points)],
            ..Default::default()
        }
    }

    #[test]
    fn a_curve_is_drawn_in_its_colour() {
        let image = render(&chart(vec![(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)])).expect("draws");
        let RGBColor(r, g, b) = theme::series_color(1);
        let count = image.pixels().filter(|p| p.0 == [r, g, b]).count();
        assert!(count > 400, "{count} pixels of the curve's colour");
    }

    #[test]
    fn nothing_finite_is_an_error_and_gaps_are_not() {
        assert!(matches!(
            render(&chart(vec![])),
            Err(PlotError::Empty { .. })
        ));
        assert!(matches!(
            render(&chart(vec![(0.0, f64::NAN)])),
            Err(PlotError::Empty { .. })
        ));
        assert!(render(&chart(vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0)])).is_ok());
    }

    #[test]
    fn ticks_have_no_needless_digits() {
        assert_eq!(tick(0.5, 1.0), "0.5");
        assert_eq!(tick(200.0, 700.0), "200");
        assert_eq!(tick(-1.25, 3.0), "−1.25");
        assert_eq!(tick(-0.0, 3.0), "0");
    }
}
