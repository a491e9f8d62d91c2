//! `saccade eval place-speed`: how good answers are for the time they take.

use super::place_codes::{Ways, mean, network, quantile};
use crate::cli::bench::clock::timed;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::plots::{self, LineChart, Marker, Series};
use saccade_engine::models::place::retrieval::{Recognition, Tolerance, mean_spearman};
use saccade_engine::models::place::{Likeness, Samples, Senses};
use saccade_engine::models::predictive_coding::{
    Method, PlaceNetwork, Precision, Quick, Recogniser,
};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// Steps of the quick answer that are tried.
const STEPS: [usize; 7] = [1, 2, 3, 4, 6, 8, 10];
/// Steps where it begins at the last answer.
const WARM_STEPS: [usize; 4] = [1, 2, 3, 6];
/// How far a joint cause may still move where it stops early, of at most ten steps.
const TOLERANCES: [f64; 5] = [0.1, 0.03, 0.01, 0.003, 0.001];
/// Most steps of an answer that may stop early.
const EARLY_STEPS: usize = 10;
/// Published iterations that are looked at; the last are those that others are held against.
const ITERATIONS: [usize; 6] = [10, 20, 50, 100, 200, 500];
/// Published queries that are timed; they take seconds.
const TIMED: usize = 3;
/// A query of a robot takes less, ms.
const BUDGET_MS: f64 = 5.0;
/// Of the accuracy of the published answer, so much is to be kept.
const KEPT: f64 = 0.95;

/// Arguments of `saccade eval place-speed`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every way of answering codes the places of --train and then those of --test, in their order, by
both senses; --test by vision and touch alone besides. Queries are timed one by one on one thread:
by the wall clock, which counts what others do on the machine, and in CPU time. Codes are those of
the weights: slow features where they have learnt them, the joint causes otherwise or with
--published-code.

  saccade eval place-speed --train train.mcap --test test.mcap --weights place.safetensors \\
      --report speed

The published answers of 1600 samples take a quarter of an hour of a core.")]
pub struct PlaceSpeedArgs {
    #[command(flatten)]
    ways: Ways,
    /// Every so many samples only, of both recordings.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    every: u16,
    /// Code places by the joint causes, as published, and not by slow features.
    #[arg(long)]
    published_code: bool,
    /// Folder for place_speed.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Document {
    /// What places are known by.
    code: &'static str,
    stored: usize,
    asked: usize,
    rows: Vec<Row>,
}

/// A way of answering.
#[derive(Debug, Clone, Serialize)]
struct Row {
    kind: &'static str,
    name: String,
    /// Steps or iterations of a query, mean.
    steps: f64,
    /// Mean Spearman of the queries among themselves, by both senses, vision and touch.
    spearman: [f64; 3],
    /// The same of recall@1.
    recall_at_1: [f64; 3],
    wall_ms_p50: f64,
    wall_ms_p99: f64,
    cpu_ms_p99: f64,
}

const SENSES: [Senses; 3] = [Senses::Both, Senses::Vision, Senses::Touch];

/// Codes of what is stored, and of what is asked by each of [`SENSES`].
struct Codes {
    stored: Vec<Vec<f32>>,
    asked: Vec<Vec<Vec<f32>>>,
}

/// Runs `saccade eval place-speed`.
///
/// # Errors
/// Recordings or weights cannot be read or do not fit, or writing fails.
pub fn run(args: &PlaceSpeedArgs) -> CliResult {
    let every = usize::from(args.every);
    let [train, test] = args.ways.read()?.map(|s| thinned(&s, every));
    let (train, test) = (train?, test?);
    let mut network = network(&args.ways.weights)?;
    if args.published_code {
        network = network.without_readout();
    }
    let code = match network.readout() {
        Some(_) => "slow features",
        None => "joint causes",
    };
    let mut rows = Vec::new();
    for (kind, name, quick) in quick_ways() {
        eprintln!("{kind}: {name}");
        rows.push(quick_row(kind, name, quick, &network, &train, &test)?);
    }
    rows.extend(published(&network, &train, &test)?);
    let document = Document {
        code,
        stored: train.len(),
        asked: test.len(),
        rows,
    };
    if let Some(folder) = &args.report {
        write_json(&document, &folder.join("place_speed.json"))?;
        for (file, title, of) in [
            (
                "speed_recall.png",
                "First answer right",
                Row::recall as fn(&Row) -> f64,
            ),
            ("speed_spearman.png", "Mean Spearman", |r| r.spearman[0]),
        ] {
            plots::save(&document.chart(title, of), &folder.join(file))?;
        }
    }
    match args.json {
        true => print_json(&document)?,
        false => print_line(document.text())?,
    }
    Ok(Exit::Success)
}

fn thinned(samples: &Samples, every: usize) -> Result<Samples, CliError> {
    let (visual, tactile) = samples.sizes();
    let mut kept = Samples::new(visual, tactile);
    for i in (0..samples.len()).step_by(every) {
        kept.push(samples.visual(i), samples.tactile(i), samples.poses()[i])?;
    }
    Ok(kept)
}

fn quick_ways() -> Vec<(&'static str, String, Quick)> {
    let mut ways = Vec::new();
    for (precision, bits) in [(Precision::I8, 8), (Precision::F32, 32)] {
        for steps in STEPS.into_iter().filter(|s| bits == 8 || *s == 6) {
            let quick = Quick {
                precision,
                steps,
                ..Quick::default()
            };
            ways.push(("quick", format!("{steps} steps, {bits} bits"), quick));
        }
    }
    for steps in WARM_STEPS {
        let quick = Quick {
            steps,
            warm: true,
            ..Quick::default()
        };
        ways.push(("warm", format!("{steps} steps"), quick));
    }
    for tolerance in TOLERANCES {
        let quick = Quick {
            steps: EARLY_STEPS,
            tolerance,
            ..Quick::default()
        };
        ways.push(("early stop", format!("below {tolerance}"), quick));
    }
    ways
}

fn quick_row(
    kind: &'static str,
    name: String,
    quick: Quick,
    network: &PlaceNetwork,
    train: &Samples,
    test: &Samples,
) -> Result<Row, CliError> {
    let mut recogniser = Recogniser::new(network.clone(), Method::Quick(quick))?;
    let stored = ask(&mut recogniser, train, Senses::Both, usize::MAX)?.codes;
    let mut asked = Vec::new();
    let mut timed = None;
    for senses in SENSES {
        let mut answers = ask(&mut recogniser, test, senses, usize::MAX)?;
        asked.push(std::mem::take(&mut answers.codes));
        timed.get_or_insert(answers);
    }
    let codes = Codes { stored, asked };
    let timed = timed.unwrap_or_default();
    codes.row(kind, name, &timed, train, test)
}

/// The published answer after fewer and more iterations, in batches; timed one by one.
fn published(
    network: &PlaceNetwork,
    train: &Samples,
    test: &Samples,
) -> Result<Vec<Row>, CliError> {
    let through = |samples: &Samples, senses: Senses| {
        eprintln!("published: {} samples by {senses:?}", samples.len());
        network.infer_through(samples, senses, &ITERATIONS)
    };
    let stored = through(train, Senses::Both)?;
    let asked = SENSES.map(|senses| through(test, senses));
    let [both, vision, touch] = asked;
    let asked = [both?, vision?, touch?];
    let mut rows = Vec::new();
    for (k, iterations) in ITERATIONS.into_iter().enumerate() {
        let mut recogniser = Recogniser::new(network.clone(), Method::Published(iterations))?;
        let timed = ask(&mut recogniser, test, Senses::Both, TIMED)?;
        let codes = Codes {
            stored: stored[k].clone(),
            asked: asked.iter().map(|a| a[k].clone()).collect(),
        };
        let name = format!("{iterations} iterations");
        rows.push(codes.row("published", name, &timed, train, test)?);
    }
    Ok(rows)
}

/// What queries one by one gave and took.
#[derive(Default)]
struct Answers {
    codes: Vec<Vec<f32>>,
    wall_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
    steps: Vec<f64>,
}

/// Asks for so many of these on one thread.
fn ask(
    recogniser: &mut Recogniser,
    samples: &Samples,
    senses: Senses,
    most: usize,
) -> Result<Answers, CliError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| CliError::failed(e.to_string()))?;
    pool.install(|| {
        let mut answers = Answers::default();
        for i in 0..samples.len().min(most) {
            let begun = Instant::now();
            let mut result = Ok((Vec::new(), 0));
            let cpu_s = timed(|| {
                let answer = recogniser.recognise(samples.visual(i), samples.tactile(i), senses);
                result = answer.map(|a| (a.code.to_vec(), a.steps));
            });
            let (code, steps) = result?;
            answers.wall_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            answers.cpu_ms.push(cpu_s * 1e3);
            answers.codes.push(code);
            answers.steps.push(steps as f64);
        }
        Ok(answers)
    })
}

impl Codes {
    fn row(
        &self,
        kind: &'static str,
        name: String,
        timed: &Answers,
        train: &Samples,
        test: &Samples,
    ) -> Result<Row, CliError> {
        let (mut spearman, mut recall_at_1) = ([0.0; 3], [0.0; 3]);
        for (k, asked) in self.asked.iter().enumerate() {
            let found = Likeness::of(asked, &self.stored)?;
            let (poses, places) = (test.poses(), train.poses());
            let matches = Recognition::matches(&found, poses, places, Tolerance::default())?;
            recall_at_1[k] = Recognition::of(&matches).recall_at_1;
            let among = Likeness::of(asked, asked)?;
            spearman[k] = mean_spearman(&among, poses)?.unwrap_or(f64::NAN);
        }
        Ok(Row {
            kind,
            name,
            steps: mean(&timed.steps),
            spearman,
            recall_at_1,
            wall_ms_p50: quantile(&timed.wall_ms, 0.5),
            wall_ms_p99: quantile(&timed.wall_ms, 0.99),
            cpu_ms_p99: quantile(&timed.cpu_ms, 0.99),
        })
    }
}

impl Row {
    fn recall(&self) -> f64 {
        self.recall_at_1[0]
    }
}

impl Document {
    /// The answer that others are held against: the published one of most iterations.
    fn standard(&self) -> Option<&Row> {
        self.rows.iter().rfind(|r| r.kind == "published")
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "{} places stored, {} asked for, by {}",
                self.stored, self.asked, self.code
            ),
            format!(
                "\n{:<32}{:>6}{:>26}{:>25}{:>19}{:>9}",
                "",
                "steps",
                "Spearman both/see/touch",
                "recall@1 both/see/touch",
                "wall ms p50    p99",
                "CPU p99"
            ),
        ];
        let three = |v: &[f64; 3]| format!("{:>9.3}{:>8.3}{:>8.3}", v[0], v[1], v[2]);
        for r in &self.rows {
            lines.push(format!(
                "{:<32}{:>6.1}{:>26}{:>25}{:>12.2}{:>7.2}{:>9.2}",
                format!("{}, {}", r.kind, r.name),
                r.steps,
                three(&r.spearman),
                three(&r.recall_at_1),
                r.wall_ms_p50,
                r.wall_ms_p99,
                r.cpu_ms_p99
            ));
        }
        lines.extend(self.verdict());
        lines.join("\n")
    }

    /// The quickest answer that keeps enough of the published one's accuracy.
    fn verdict(&self) -> Option<String> {
        let standard = self.standard()?;
        let keeps = |r: &&Row| {
            r.kind != "published"
                && r.recall_at_1[0] >= KEPT * standard.recall_at_1[0]
                && r.spearman[0] >= KEPT * standard.spearman[0]
        };
        let quickest =
            (self.rows.iter().filter(keeps)).min_by(|a, b| a.cpu_ms_p99.total_cmp(&b.cpu_ms_p99));
        Some(match quickest {
            Some(r) => format!(
                "\nthe quickest that keeps 95 % of the {}' Spearman and recall@1 by both senses: {}, {} ({:.2} ms of CPU time p99, {} the {BUDGET_MS} ms that are asked for)",
                standard.name,
                r.kind,
                r.name,
                r.cpu_ms_p99,
                if r.cpu_ms_p99 < BUDGET_MS {
                    "within"
                } else {
                    "over"
                }
            ),
            None => format!(
                "\nnone keeps 95 % of the {}' Spearman and recall@1 by both senses",
                standard.name
            ),
        })
    }

    fn chart(&self, title: &str, of: fn(&Row) -> f64) -> LineChart {
        let mut series: Vec<Series> = Vec::new();
        for row in &self.rows {
            let point = (row.wall_ms_p50.log10(), of(row));
            match series.iter_mut().find(|s| s.name == row.kind) {
                Some(s) => s.points.push(point),
                None => series.push(Series::new(series.len(), row.kind, vec![point])),
            }
        }
        let kept = self.standard().map(|r| Marker {
            at: KEPT * of(r),
            label: "95 % of the published".into(),
        });
        LineChart {
            title: format!("{title}, against time"),
            x_label: "ms of a query (median), powers of ten".into(),
            y_label: title.to_lowercase(),
            series,
            levels: kept.into_iter().collect(),
            times: vec![Marker {
                at: BUDGET_MS.log10(),
                label: format!("{BUDGET_MS} ms"),
            }],
            ..LineChart::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_of_those_that_keep_enough_is_named() {
        let row = |kind, name: &str, recall: f64, ms: f64| Row {
            kind,
            name: name.to_owned(),
            steps: 1.0,
            spearman: [0.1; 3],
            recall_at_1: [recall, 0.0, 0.0],
            wall_ms_p50: ms,
            wall_ms_p99: ms,
            cpu_ms_p99: ms,
        };
        let mut document = Document {
            code: "slow features",
            stored: 2,
            asked: 2,
            rows: vec![
                row("quick", "1 step", 0.3, 1.0),
                row("quick", "2 steps", 0.48, 2.0),
                row("quick", "6 steps", 0.5, 6.0),
                row("published", "10 iterations", 0.9, 50.0),
                row("published", "500 iterations", 0.5, 2500.0),
            ],
        };
        let text = document.text();
        assert!(text.contains("quick, 2 steps (2.00 ms"), "{text}");
        assert_eq!(document.chart("Recall", Row::recall).series.len(), 2);
        document.rows.drain(1..3);
        assert!(document.text().contains("none keeps"));
    }
}
