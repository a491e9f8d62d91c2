//! `saccade eval classifier --robustness`: accuracy under faults of network and camera.

use super::weights_on;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::experiment::{Source, encoded, mean_and_std};
use crate::plots::{self, Bar, Bars};
use indicatif::ProgressBar;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::encoder::Encoder;
use saccade_engine::models::evaluation::evaluate;
use saccade_engine::models::perturb::{Disturbance, Event, Fault};
use saccade_engine::models::sample::Sample;
use saccade_rosbags::dataset::{Dataset, LabelledSample};
use serde::Serialize;
use std::path::Path;

/// What to measure.
pub struct Wanted<'a> {
    pub dataset: &'a Path,
    pub weights: &'a Path,
    pub interval_ms: u16,
    /// Draws of every random fault.
    pub draws: u64,
    pub seed: u64,
}

/// The table, as `robustness.json` holds it.
#[derive(Debug, Serialize)]
pub struct Table {
    test: Source,
    weights: String,
    interval_ms: u16,
    seed: u64,
    rows: Vec<Row>,
}

/// A fault of one strength.
#[derive(Debug, Serialize)]
struct Row {
    fault: &'static str,
    strength: String,
    /// Accuracy of each draw; one where nothing is drawn.
    accuracies: Vec<f64>,
    mean: f64,
    /// Standard deviation (n - 1); 0 for one draw.
    std: f64,
    lowest: f64,
}

enum Trouble {
    None,
    Network(Fault),
    Camera(Disturbance),
}

/// Name, strength in words, and the fault, in the order of the table.
fn troubles() -> Vec<(&'static str, String, Trouble)> {
    use Trouble::{Camera, Network};
    let percent = |x: f64| format!("{:.0} %", 100.0 * x);
    let mut all = vec![("intact", String::new(), Trouble::None)];
    for bits in [8, 4, 3, 2] {
        let fault = Network(Fault::Quantised { bits });
        all.push(("weights quantised", format!("{bits} bit"), fault));
    }
    for share in [0.05, 0.1, 0.2] {
        all.push((
            "dead neurons",
            percent(share),
            Network(Fault::Dead { share }),
        ));
    }
    for deviation in [0.1, 0.2, 0.4] {
        let fault = Network(Fault::Mismatch { deviation });
        all.push(("threshold mismatch", percent(deviation), fault));
    }
    for share in [0.2, 0.5, 0.8] {
        let fault = Camera(Disturbance::Dropped { share });
        all.push(("events dropped", percent(share), fault));
    }
    for rate_hz in [1.0, 5.0, 20.0] {
        let fault = Camera(Disturbance::Noise { rate_hz });
        all.push(("noise events", format!("{rate_hz} Hz per pixel"), fault));
    }
    for deviation_ms in [1.0, 5.0, 20.0] {
        let fault = Camera(Disturbance::Jitter { deviation_ms });
        all.push(("jitter of events", format!("{deviation_ms} ms"), fault));
    }
    all
}

/// Measures every row of the table.
///
/// # Errors
/// Data or weights cannot be read or do not fit.
pub fn measure(wanted: &Wanted<'_>) -> Result<Table, CliError> {
    let (classifier, data) = weights_on(wanted.weights, wanted.dataset, wanted.interval_ms)?;
    let recorded = Dataset::open(wanted.dataset)?.collect::<Result<Vec<_>, _>>()?;
    let mut encoder = Encoder::new(data.encoder.clone())?;
    let mut seeds = ChaCha8Rng::seed_from_u64(wanted.seed);
    let troubles = troubles();
    let bar = ProgressBar::new(troubles.len() as u64);
    let mut rows = Vec::new();
    for (fault, strength, trouble) in troubles {
        let draws = match &trouble {
            Trouble::None => 1,
            Trouble::Network(fault) if !fault.is_random() => 1,
            _ => wanted.draws,
        };
        let mut accuracies = Vec::new();
        for _ in 0..draws {
            let seed = seeds.next_u64();
            let evaluation = match &trouble {
                Trouble::None => evaluate(&classifier, &data.samples),
                Trouble::Network(fault) => evaluate(&fault.of(&classifier, seed)?, &data.samples),
                Trouble::Camera(disturbance) => {
                    let ticks = wanted.interval_ms;
                    let seen = disturbed(&recorded, disturbance, seed, ticks, &mut encoder)?;
                    evaluate(&classifier, &seen)
                }
            };
            accuracies.push(evaluation?.accuracy);
        }
        let (mean, std) = mean_and_std(&accuracies);
        rows.push(Row {
            fault,
            strength,
            lowest: accuracies.iter().copied().fold(f64::INFINITY, f64::min),
            accuracies,
            mean,
            std,
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Table {
        test: data.source,
        weights: wanted.weights.display().to_string(),
        interval_ms: wanted.interval_ms,
        seed: wanted.seed,
        rows,
    })
}

/// What the network sees of the data set through a disturbed camera.
fn disturbed(
    recorded: &[LabelledSample],
    disturbance: &Disturbance,
    seed: u64,
    ticks: u16,
    encoder: &mut Encoder,
) -> Result<Vec<Sample>, CliError> {
    let one = |(i, sample): (usize, &LabelledSample)| {
        let events: Vec<Event> = sample
            .events
            .iter()
            .map(|e| (e.x, e.y, e.on, e.t_us))
            .collect();
        let sensor = (sample.width, sample.height);
        let span = (sample.onset_us, sample.onset_us + u64::from(ticks) * 1000);
        let seed = seed.wrapping_add(i as u64);
        let events = disturbance.of(&events, sensor, span, seed)?;
        encoded(sample, events, ticks, encoder).map_err(CliError::failed)
    };
    recorded.iter().enumerate().map(one).collect()
}

/// Prints the table, and writes `robustness.json` and `robustness.png` into `report`.
///
/// # Errors
/// Writing fails.
pub fn show(table: &Table, report: Option<&Path>, json: bool) -> CliResult {
    if let Some(folder) = report {
        plots::save(&picture(table), &folder.join("robustness.png"))?;
        write_json(table, &folder.join("robustness.json"))?;
    }
    match json {
        true => print_json(table)?,
        false => print_line(text(table))?,
    }
    Ok(Exit::Success)
}

fn text(table: &Table) -> String {
    let mut lines = vec![
        format!("weights    {}", table.weights),
        format!(
            "tested on  {} ({} samples, {}), {} ms",
            table.test.file, table.test.samples, table.test.fingerprint, table.interval_ms
        ),
        String::new(),
        format!(
            "  {:<20} {:<16} {:>10} {:>11} {:>9}   draws",
            "fault", "strength", "accuracy", "std. dev.", "lowest"
        ),
    ];
    for row in &table.rows {
        let percent = |x: f64| format!("{:.1} %", 100.0 * x);
        let many = row.accuracies.len() > 1;
        let spread = |x: f64| if many { percent(x) } else { "-".to_owned() };
        lines.push(format!(
            "  {:<20} {:<16} {:>10} {:>11} {:>9}   {}",
            row.fault,
            row.strength,
            percent(row.mean),
            spread(row.std),
            spread(row.lowest),
            row.accuracies.len()
        ));
    }
    lines.join("\n")
}

fn picture(table: &Table) -> Bars {
    let bar = |row: &Row| Bar {
        group: row.fault.to_owned(),
        label: row.strength.clone(),
        value: row.mean,
        low: row.lowest,
        high: row.accuracies.iter().copied().fold(0.0, f64::max),
    };
    Bars {
        title: "Held-out accuracy under faults (bar: mean, line: lowest to highest draw)".into(),
        bars: table.rows.iter().map(bar).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::tests::encoder;
    use crate::experiment::{Setup, load, train_on};
    use saccade_engine::models::augment::Augment;
    use saccade_engine::models::config::ClassifierConfig;
    use saccade_engine::models::training::TrainConfig;
    use saccade_tests::bars;

    #[test]
    fn the_table_has_every_fault_and_is_the_same_for_the_same_seed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (train, test, weights) = (
            folder.path().join("train.mcap"),
            folder.path().join("test.mcap"),
            folder.path().join("w.safetensors"),
        );
        bars(&train, 40, 0);
        bars(&test, 20, 4);
        let setup = Setup {
            classifier: ClassifierConfig {
                n_lif: 20,
                n_alif: 10,
                ..ClassifierConfig::default()
            },
            training: TrainConfig {
                epochs: 10,
                augment: Augment::none(),
                ..TrainConfig::default()
            },
        };
        let data = load(&train, 60, Some(encoder())).expect("loads");
        let (classifier, _) = train_on(&data, &setup, 1, None, &mut |_| {}).expect("trains");
        classifier.save(&weights).expect("saved");
        let wanted = Wanted {
            dataset: &test,
            weights: &weights,
            interval_ms: 60,
            draws: 2,
            seed: 3,
        };
        let table = measure(&wanted).expect("measured");
        let row = |fault: &str, strength: &str| {
            let found = table
                .rows
                .iter()
                .find(|r| r.fault == fault && r.strength == strength);
            found.unwrap_or_else(|| panic!("{fault} {strength}: {}", text(&table)))
        };
        assert!(row("intact", "").mean > 0.9, "{}", text(&table));
        assert_eq!(row("weights quantised", "4 bit").accuracies.len(), 1);
        assert_eq!(row("dead neurons", "10 %").accuracies.len(), 2);
        assert_eq!(row("events dropped", "50 %").accuracies.len(), 2);
        let json = |t: &Table| serde_json::to_string(t).expect("JSON");
        assert_eq!(json(&measure(&wanted).expect("measured")), json(&table));
        plots::render(&picture(&table)).expect("draws");
    }
}
