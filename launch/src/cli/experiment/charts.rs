//! Pictures of one run.

use super::learn::{Baselines, Document};
use crate::plots::{LineChart, Marker, Series};

/// Points over 1, 2, 3...
fn points(values: &[f64]) -> Vec<(f64, f64)> {
    (1..).map(f64::from).zip(values.iter().copied()).collect()
}

/// Mean over the ten iterations up to each.
fn smooth(values: &[f64]) -> Vec<f64> {
    (1..=values.len())
        .map(|end| super::learn::last_ten(&values[..end]))
        .collect()
}

/// Loss and rate, accuracy, the readout beside its target.
pub(super) fn charts(document: &Document) -> Vec<(&'static str, LineChart)> {
    let by = document.rule.text();
    let over_iterations = |name: &str, values: &[f64]| LineChart {
        title: format!("{} by {by}, seed {}", document.task, document.seed),
        x_label: "iteration".into(),
        y_label: name.into(),
        series: vec![Series::new(0, name, points(values))],
        ..LineChart::default()
    };
    let mut charts = vec![
        ("loss.png", over_iterations("loss", &document.loss)),
        (
            "rate.png",
            over_iterations("firing rate (Hz)", &document.rate_hz),
        ),
    ];
    if !document.accuracy.is_empty() {
        charts.push((
            "accuracy.png",
            accuracy(
                document,
                over_iterations("share of right answers", &document.accuracy),
            ),
        ));
    }
    charts.push(("readout.png", readout(document)));
    charts
}

/// Training and held-out accuracy, with what can be had without a network.
fn accuracy(document: &Document, mut chart: LineChart) -> LineChart {
    let Some(held_out) = &document.held_out else {
        return chart;
    };
    let looks = held_out.looks.iter();
    let looks = looks.map(|look| (f64::from(look.iteration), look.right));
    chart.series = vec![
        Series::new(
            1,
            "training, mean of ten iterations",
            points(&smooth(&document.accuracy)),
        ),
        Series::new(0, "held out", looks.collect()),
    ];
    chart.levels = document.baselines.iter().flat_map(levels).collect();
    chart.y_range = Some((0.0, 1.0));
    chart
}

/// Chance and the linear classifier.
pub(super) fn levels(baselines: &Baselines) -> [Marker; 2] {
    let level = |at, label: &str| Marker {
        at,
        label: label.into(),
    };
    [
        level(baselines.chance, "chance"),
        level(baselines.linear, "linear classifier"),
    ]
}

fn readout(document: &Document) -> LineChart {
    let mut series: Vec<Series> = (0..document.readout.first().map_or(0, Vec::len))
        .map(|k| {
            let values: Vec<f64> = document.readout.iter().map(|row| row[k]).collect();
            Series::new(k, format!("readout {k}"), points(&values))
        })
        .collect();
    if !document.target.is_empty() {
        series.push(Series::new(
            series.len(),
            "target",
            points(&document.target),
        ));
    }
    LineChart {
        title: format!("{}, last sequence", document.task),
        x_label: "step of the window (ms)".into(),
        y_label: "readout".into(),
        series,
        ..LineChart::default()
    }
}
