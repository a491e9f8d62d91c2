//! Colours, sizes and the frame that all pictures share.

use super::canvas::{self, Canvas};
use super::{Area, PlotError};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use saccade_nodes::event_canvas;

/// Pictures are drawn this many times larger and averaged down.
pub const SCALE: i32 = 2;

/// Background of pages.
pub const PAPER: RGBColor = RGBColor(255, 255, 255);
pub(super) const PAPER_PIXEL: image::Rgb<u8> = image::Rgb([255, 255, 255]);
/// Text and axes.
pub const INK: RGBColor = RGBColor(31, 41, 51);
/// Secondary text.
pub const FAINT: RGBColor = RGBColor(100, 112, 125);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(228, 232, 237);
/// Bars behind the matter at hand.
pub const HAZE: RGBColor = RGBColor(178, 185, 193);
/// Events that got brighter.
pub const ON: RGBColor = rgb(event_canvas::ON);
/// Events that got darker.
pub const OFF: RGBColor = rgb(event_canvas::OFF);

const fn rgb([r, g, b]: [u8; 3]) -> RGBColor {
    RGBColor(r, g, b)
}

/// Colours that stay apart for colour-blind readers (Okabe and Ito 2008),
/// for anything that comes in series.
pub const SERIES: [RGBColor; 8] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(120, 128, 138),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(31, 41, 51),
];

/// Colour of the `i`-th series; classes use their index.
pub fn series_color(i: usize) -> RGBColor {
    SERIES[i % SERIES.len()]
}

/// Pixels on the canvas for `n` pixels of the finished picture.
pub fn px(n: i32) -> i32 {
    n * SCALE
}

/// Stroke width on the canvas for `n` pixels of the finished picture.
pub fn stroke(n: f64) -> u32 {
    ((n * f64::from(SCALE)).round() as u32).max(1)
}

/// Text of `size` pixels, dark.
pub fn text(size: i32) -> TextStyle<'static> {
    colored(size, INK)
}

/// Text of `size` pixels in a colour.
pub fn colored(size: i32, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", px(size)).into_font().color(&color)
}

/// Bold text of `size` pixels.
pub fn bold(size: i32) -> TextStyle<'static> {
    ("sans-serif", px(size), FontStyle::Bold)
        .into_font()
        .color(&INK)
}

/// The same text, anchored otherwise than at its upper left.
pub fn anchored(style: TextStyle<'static>, h: HPos, v: VPos) -> TextStyle<'static> {
    style.pos(Pos::new(h, v))
}

/// Writes `line` at canvas position `at` of `area`.
pub(super) fn write(
    area: &Area<'_>,
    line: &str,
    style: &TextStyle<'_>,
    at: (i32, i32),
) -> Result<(), PlotError> {
    area.draw_text(line, style, at)
        .map_err(|e| PlotError::drawing(line, e))
}

/// Fills a rectangle given by two canvas positions of `area`.
pub(super) fn fill(
    area: &Area<'_>,
    from: (i32, i32),
    to: (i32, i32),
    style: impl Into<ShapeStyle>,
) -> Result<(), PlotError> {
    area.draw(&Rectangle::new([from, to], style))
        .map_err(|e| PlotError::drawing("rectangle", e))
}

/// Draws a title on the left and a legend on the right (below the title, on as many
/// lines as it takes, where both do not fit on one) and returns the area that is left.
pub(super) fn frame<'a>(
    area: &Area<'a>,
    title: &str,
    legend: &[(String, RGBColor)],
) -> Result<Area<'a>, PlotError> {
    let (width, _) = area.dim_in_pixel();
    let left = px(14);
    let swatch = px(14);
    let gap = px(6);
    let spacing = px(16);
    let widths: Vec<i32> = legend
        .iter()
        .map(|(name, _)| swatch + gap + canvas::text_width(name, px(13)) + spacing)
        .collect();
    let legend_width: i32 = widths.iter().sum();
    let title_width = canvas::text_width(title, px(17)) + left + px(20);
    let one_line = title_width + legend_width <= width as i32 || legend.is_empty();

    write(
        area,
        title,
        &anchored(bold(17), HPos::Left, VPos::Center),
        (left, px(20)),
    )?;
    let (mut x, y) = if one_line {
        (width as i32 - legend_width, px(20))
    } else {
        (left, px(43))
    };
    let mut y = y;
    for ((name, color), step) in legend.iter().zip(widths) {
        if x > left && x + step > width as i32 {
            (x, y) = (left, y + px(20));
        }
        fill(
            area,
            (x, y - px(2)),
            (x + swatch, y + px(2)),
            color.filled(),
        )?;
        let style = anchored(text(13), HPos::Left, VPos::Center);
        write(area, name, &style, (x + swatch + gap, y))?;
        x += step;
    }
    let (_, rest) = area.split_vertically(if one_line { px(36) } else { y + px(13) });
    Ok(rest)
}

/// The error type of everything drawn on a [`Canvas`].
pub(super) type CanvasError = DrawingAreaErrorKind<<Canvas<'static> as DrawingBackend>::ErrorType>;
