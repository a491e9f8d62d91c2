//! One task learnt by all rules: the same weights, data, order, optimizer and seeds.

use super::learn::{self, Baselines, Document, HeldOut, last_ten};
use super::{CliError, CliResult, Context, RuleName, RunArgs, Task, charts, finish, write};
use crate::plots::{self, LineChart, Series};
use clap::ValueEnum;
use serde::Serialize;

/// What a comparison gives.
#[derive(Debug, Serialize)]
struct Comparison {
    task: &'static str,
    seeds: Vec<u32>,
    iterations: u32,
    held_out_sequences: usize,
    /// Means over the seeds.
    baselines: Baselines,
    rules: Vec<Row>,
}

/// A rule: means over the seeds unless it says otherwise.
#[derive(Debug, Serialize)]
struct Row {
    rule: RuleName,
    /// Share of held-out sequences answered rightly after learning, for each seed.
    right: Vec<f64>,
    /// Loss of the held-out sequences after learning.
    loss: f64,
    rate_hz: f64,
    /// Before and after learning.
    cosine_to_bptt: [f64; 2],
    /// Time of the iterations, in s.
    wall_s: f64,
    /// Over the iterations: (iteration, mean, lowest, highest share of right answers).
    curve: Vec<(u32, f64, f64, f64)>,
}

/// Runs all rules and reports.
pub(super) fn run(task: Task, args: &RunArgs, seeds: u16) -> CliResult {
    let seeds: Vec<u32> = (0..u32::from(seeds))
        .map(|k| args.seed.wrapping_add(k))
        .collect();
    let mut baselines = Vec::new();
    for &seed in &seeds {
        baselines.extend(learn::baselines(task, seed)?);
    }
    let mut rows = Vec::new();
    let mut last = None;
    for &rule in RuleName::value_variants() {
        let learnt: Result<Vec<Document>, CliError> = seeds
            .iter()
            .map(|&seed| {
                let value = rule.to_possible_value();
                let name = value.as_ref().map_or("rule", |v| v.get_name());
                let kept = args.keep.kept_of(&format!("{name}-{seed}"))?;
                Ok(learn::learn(task, seed, rule, args, kept.as_ref())?.0)
            })
            .collect();
        let learnt = learnt.context(format!("learning {} by {}", task.name(), rule.text()))?;
        rows.push(row(rule, &learnt));
        last = Some(learnt);
    }
    let last = last.unwrap_or_default();
    let held_out: Vec<&HeldOut> = last.iter().filter_map(|d| d.held_out.as_ref()).collect();
    let comparison = Comparison {
        task: task.name(),
        iterations: last.first().map_or(0, |document| document.iterations),
        held_out_sequences: held_out.first().map_or(0, |h| h.sequences),
        baselines: Baselines {
            chance: mean(baselines.iter().map(|b| b.chance)),
            linear: mean(baselines.iter().map(|b| b.linear)),
        },
        seeds,
        rules: rows,
    };
    if let Some(folder) = &args.out {
        write(&comparison, folder)?;
        plots::save(&comparison.chart(), &folder.join("compare.png"))?;
    }
    finish(&comparison, &comparison.lines(), args)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    sum / count
}

/// Lowest and highest.
fn range(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

fn row(rule: RuleName, learnt: &[Document]) -> Row {
    let held_out: Vec<&HeldOut> = learnt.iter().filter_map(|d| d.held_out.as_ref()).collect();
    let looks = held_out.first().map_or(0, |h| h.looks.len());
    let curve = (0..looks).map(|at| {
        let right: Vec<f64> = held_out.iter().map(|h| h.looks[at].right).collect();
        let (low, high) = range(&right);
        let iteration = held_out[0].looks[at].iteration;
        (iteration, mean(right.iter().copied()), low, high)
    });
    let losses = held_out.iter().filter_map(|h| h.looks.last());
    Row {
        rule,
        right: held_out.iter().map(|h| h.right()).collect(),
        loss: mean(losses.map(|look| look.loss)),
        rate_hz: mean(learnt.iter().map(|d| last_ten(&d.rate_hz))),
        cosine_to_bptt: [0, 1].map(|k| mean(held_out.iter().map(|h| h.cosine_to_bptt[k]))),
        wall_s: mean(learnt.iter().map(|d| d.wall_s)),
        curve: curve.collect(),
    }
}

impl Comparison {
    fn seeds_text(&self) -> String {
        match self.seeds.as_slice() {
            [seed] => format!("seed {seed}"),
            seeds => format!("{} seeds from {}", seeds.len(), seeds[0]),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{}, {}, {} iterations; {} sequences held out",
                self.task,
                self.seeds_text(),
                self.iterations,
                self.held_out_sequences
            ),
            format!(
                "{:22}{:>9}  {:>14}  {:>7}  {:>8}  {:>17}  {:>7}",
                "rule", "right", "lowest-highest", "loss", "rate", "cosine to BPTT", "time"
            ),
        ];
        for row in &self.rules {
            let (low, high) = range(&row.right);
            lines.push(format!(
                "{:22}{:>7.1} %  {:>14}  {:>7.3}  {:>5.1} Hz  {:>17}  {:>5.1} s",
                row.rule.text(),
                100.0 * mean(row.right.iter().copied()),
                format!("{:.1}-{:.1}", 100.0 * low, 100.0 * high),
                row.loss,
                row.rate_hz,
                format!(
                    "{:.3}, then {:.3}",
                    row.cosine_to_bptt[0], row.cosine_to_bptt[1]
                ),
                row.wall_s
            ));
        }
        for (name, share) in [
            ("linear classifier", self.baselines.linear),
            ("chance", self.baselines.chance),
        ] {
            lines.push(format!("{name:22}{:>7.1} %", 100.0 * share));
        }
        lines
    }

    fn chart(&self) -> LineChart {
        let series = self.rules.iter().enumerate().map(|(k, row)| {
            let points = row
                .curve
                .iter()
                .map(|&(at, mean, ..)| (f64::from(at), mean));
            let mut series = Series::new(k, row.rule.text(), points.collect());
            if self.seeds.len() > 1 {
                let band = row.curve.iter();
                series.band = band
                    .map(|&(at, _, low, high)| (f64::from(at), low, high))
                    .collect();
            }
            series
        });
        LineChart {
            title: format!("{}, rules compared, {}", self.task, self.seeds_text()),
            x_label: "iteration".into(),
            y_label: "share of held-out sequences right".into(),
            y_range: Some((0.0, 1.0)),
            series: series.collect(),
            levels: charts::levels(&self.baselines).into(),
            ..LineChart::default()
        }
    }
}
