//! One page on a journey out and home: where the robot went, what it knew of the way home,
//! and the neurons that knew it.

use super::theme::px;
use super::{Area, Draw, Heatmap, LineChart, PlotError};

/// The page.
#[derive(Debug, Clone)]
pub struct JourneyPage {
    /// The way, seen from above.
    pub track: LineChart,
    /// Distance from home over time, true and by the memory.
    pub distance: LineChart,
    /// The heading neurons over time.
    pub bump: Heatmap,
    /// The memory neurons over time.
    pub memory: Heatmap,
}

impl Draw for JourneyPage {
    fn size(&self) -> (u32, u32) {
        (1400, 1060)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let (ways, neurons) = area.split_vertically(px(600));
        let (left, right) = ways.split_horizontally(px(640));
        self.track.draw(&left)?;
        self.distance.draw(&right)?;
        let (above, below) = neurons.split_vertically(px(225));
        self.bump.draw(&above)?;
        self.memory.draw(&below)
    }
}

/// Columns of a strip.
const COLUMNS: usize = 680;
/// Rows of a strip, about: its share of the page.
const ROWS: usize = 64;

/// Activities of a population over time, neuron by neuron from above: one column for the
/// latest of each stretch of time. `activities` are times in s, in order, each with the
/// numbers of all neurons.
pub fn strip(title: &str, caption: &str, activities: &[(f64, Vec<f32>)]) -> Heatmap {
    let neurons = activities.iter().map(|a| a.1.len()).min().unwrap_or(0);
    let repeat = (ROWS / neurons.max(1)).max(1);
    let mut values = vec![f64::NAN; neurons * repeat * COLUMNS];
    let (begin_s, end_s) = match (activities.first(), activities.last()) {
        (Some(first), Some(last)) => (first.0, last.0),
        _ => (0.0, 0.0),
    };
    let mut next = 0;
    for column in 0..COLUMNS {
        let at_s = begin_s + (end_s - begin_s) * (column + 1) as f64 / COLUMNS as f64;
        while activities.get(next + 1).is_some_and(|a| a.0 <= at_s) {
            next += 1;
        }
        let Some((_, activity)) = activities.get(next) else {
            continue;
        };
        for row in 0..neurons * repeat {
            values[row * COLUMNS + column] = f64::from(activity[row / repeat]);
        }
    }
    Heatmap {
        title: title.to_owned(),
        caption: caption.to_owned(),
        values,
        columns: COLUMNS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_shows_the_latest_of_each_time() {
        let activities = vec![(10.0, vec![0.0, 1.0]), (11.0, vec![0.5, 0.25])];
        let strip = strip("t", "c", &activities);
        let rows = strip.values.len() / COLUMNS;
        assert_eq!((strip.columns, rows), (COLUMNS, ROWS));
        let at = |row: usize, column: usize| strip.values[row * COLUMNS + column];
        assert_eq!([at(0, 0), at(rows - 1, 0)], [0.0, 1.0]);
        let last = COLUMNS - 1;
        assert_eq!([at(0, last), at(rows - 1, last)], [0.5, 0.25]);
        assert!(super::strip("t", "c", &[]).values.is_empty());
    }
}
