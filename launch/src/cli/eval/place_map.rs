//! `saccade eval place-map`: what a map costs and finds as it grows, and what a threshold
//! of novelty stores.

use super::place_codes::{Ways, mean, network, quantile};
use crate::cli::bench::clock::timed;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::plots::{self, LineChart, Marker, Series};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::models::place::retrieval::Tolerance;
use saccade_engine::models::place::{Descriptor, PlaceMap, Pose, Samples, Senses};
use saccade_engine::models::predictive_coding::{Method, Recogniser};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// Places in a map that is timed.
const SIZES: [usize; 13] = [
    10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
];
/// Queries of a map that is timed.
const QUERIES: usize = 400;
/// Thresholds of novelty that are tried.
const THRESHOLDS: [f64; 14] = [
    0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3,
];
/// How far from the arena made-up places are said to be, m: no query is right there.
const ELSEWHERE_M: f64 = 1e4;

/// Arguments of `saccade eval place-map`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Maps larger than the recording are filled up with codes drawn as the real ones are distributed
(mean and covariance of each number by itself and with every other, from --seed), with poses
elsewhere: what they cost is real, how often they are mistaken for a place is a guess.

  saccade eval place-map --train train.mcap --test test.mcap --weights place.safetensors \\
      --report map")]
pub struct PlaceMapArgs {
    #[command(flatten)]
    ways: Ways,
    /// Seed of which places are stored first, and of made-up codes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for place_map.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Document {
    seed: u64,
    places: usize,
    asked: usize,
    sizes: Vec<Size>,
    thresholds: Vec<Threshold>,
}

/// A map of so many places.
#[derive(Debug, Serialize)]
struct Size {
    places: usize,
    /// Codes of the network; the others are made up.
    real: usize,
    /// By the wall clock, which counts what others do on the machine.
    wall_ms_p50: f64,
    wall_ms_p99: f64,
    /// In CPU time.
    cpu_ms_p50: f64,
    cpu_ms_p99: f64,
    bytes: usize,
    /// Of the queries that a place of the whole recording lies near, how many are answered
    /// right first, and within the best five.
    recall_at_1: f64,
    recall_at_5: f64,
}

/// A map learnt on the way, in its order, by a threshold of novelty.
#[derive(Debug, Serialize)]
struct Threshold {
    novelty: f64,
    stored: usize,
    recall_at_1: f64,
    recall_at_5: f64,
}

/// What the network made of the recordings.
struct Coded {
    stored: Vec<(Vec<f32>, Pose)>,
    asked: Vec<(Vec<f32>, Pose)>,
}

/// Runs `saccade eval place-map`.
///
/// # Errors
/// Recordings or weights cannot be read or do not fit, or writing fails.
pub fn run(args: &PlaceMapArgs) -> CliResult {
    let [train, test] = args.ways.read()?;
    let mut recogniser = Recogniser::new(network(&args.ways.weights)?, Method::default())?;
    let mut code = |samples: &Samples| -> Result<Vec<(Vec<f32>, Pose)>, CliError> {
        let codes = recogniser.describe_all(samples, Senses::Both)?;
        Ok(codes
            .into_iter()
            .zip(samples.poses().iter().copied())
            .collect())
    };
    let coded = Coded {
        stored: code(&train)?,
        asked: code(&test)?,
    };
    let document = Document {
        seed: args.seed,
        places: train.len(),
        asked: test.len(),
        sizes: coded.sizes(args.seed)?,
        thresholds: coded.thresholds()?,
    };
    if let Some(folder) = &args.report {
        write_json(&document, &folder.join("place_map.json"))?;
        for (name, chart) in document.charts() {
            plots::save(&chart, &folder.join(name))?;
        }
    }
    match args.json {
        true => print_json(&document)?,
        false => print_line(document.text())?,
    }
    Ok(Exit::Success)
}

impl Coded {
    fn sizes(&self, seed: u64) -> Result<Vec<Size>, CliError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut places = self.stored.clone();
        places.shuffle(&mut rng);
        let made_up = MadeUp::like(&self.stored);
        let mut all = Vec::new();
        for size in SIZES {
            while places.len() < size {
                let pose = Pose {
                    x_m: ELSEWHERE_M,
                    ..Pose::default()
                };
                places.push((made_up.code(&mut rng), pose));
            }
            eprintln!("{size} places");
            all.push(self.size(&places[..size])?);
            let whole = self.stored.len();
            if size < whole
                && SIZES
                    .iter()
                    .find(|s| **s > size)
                    .is_some_and(|s| *s > whole)
            {
                all.push(self.size(&places[..whole])?);
            }
        }
        Ok(all)
    }

    fn size(&self, places: &[(Vec<f32>, Pose)]) -> Result<Size, CliError> {
        let map = map_of(places)?;
        let mut search = map.search(5);
        let (mut wall_ms, mut cpu_ms) = (Vec::new(), Vec::new());
        for k in 0..QUERIES {
            let (code, _) = &self.asked[k % self.asked.len()];
            let begun = Instant::now();
            let mut found = Ok(());
            let cpu_s = timed(|| found = map.find(code, &mut search).map(|_| ()));
            found?;
            wall_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            cpu_ms.push(cpu_s * 1e3);
        }
        let [recall_at_1, recall_at_5] = self.recall(&map)?;
        Ok(Size {
            places: places.len(),
            real: places.len().min(self.stored.len()),
            wall_ms_p50: quantile(&wall_ms, 0.5),
            wall_ms_p99: quantile(&wall_ms, 0.99),
            cpu_ms_p50: quantile(&cpu_ms, 0.5),
            cpu_ms_p99: quantile(&cpu_ms, 0.99),
            bytes: map.bytes(),
            recall_at_1,
            recall_at_5,
        })
    }

    /// Of the queries near any place of the recording, the shares that are right.
    fn recall(&self, map: &PlaceMap) -> Result<[f64; 2], CliError> {
        let tolerance = Tolerance::default();
        let near = |a: &Pose, b: &Pose| {
            a.metres(b) <= tolerance.metres && a.radians(b) <= tolerance.radians
        };
        let mut search = map.search(5);
        let (mut possible, mut right) = (0, [0, 0]);
        for (code, pose) in &self.asked {
            if !self.stored.iter().any(|(_, p)| near(pose, p)) {
                continue;
            }
            possible += 1;
            let found = map.find(code, &mut search)?;
            right[0] += usize::from(found.iter().take(1).any(|f| near(pose, &f.pose)));
            right[1] += usize::from(found.iter().any(|f| near(pose, &f.pose)));
        }
        Ok(right.map(|n| n as f64 / f64::from(possible)))
    }

    fn thresholds(&self) -> Result<Vec<Threshold>, CliError> {
        let size = self.stored[0].0.len();
        let each = THRESHOLDS.iter().map(|&novelty| {
            let mut map = PlaceMap::new("", size, self.stored.len())?;
            let mut search = map.search(1);
            for (code, pose) in &self.stored {
                let best = map
                    .find(code, &mut search)?
                    .first()
                    .map_or(0.0, |f| f.score);
                if 1.0 - f64::from(best) > novelty {
                    map.store(code, *pose)?;
                }
            }
            let [recall_at_1, recall_at_5] = self.recall(&map)?;
            Ok(Threshold {
                novelty,
                stored: map.len(),
                recall_at_1,
                recall_at_5,
            })
        });
        each.collect()
    }
}

fn map_of(places: &[(Vec<f32>, Pose)]) -> Result<PlaceMap, CliError> {
    let size = places.first().map_or(2, |p| p.0.len());
    let mut map = PlaceMap::new("", size, places.len().max(1))?;
    for (code, pose) in places {
        map.store(code, *pose)?;
    }
    Ok(map)
}

/// Draws codes that are distributed as these: their mean, and sums of them with random
/// signs, whose covariance is theirs.
struct MadeUp {
    mean: Vec<f32>,
    /// Each less the mean.
    around: Vec<Vec<f32>>,
}

/// Codes that a made-up one is a sum of.
const SUMMED: usize = 32;

impl MadeUp {
    fn like(places: &[(Vec<f32>, Pose)]) -> Self {
        let size = places.first().map_or(0, |p| p.0.len());
        let mean: Vec<f32> = (0..size)
            .map(|k| mean(&places.iter().map(|p| f64::from(p.0[k])).collect::<Vec<_>>()) as f32)
            .collect();
        let less = |code: &Vec<f32>| code.iter().zip(&mean).map(|(c, m)| c - m).collect();
        let around = places.iter().map(|(code, _)| less(code)).collect();
        MadeUp { mean, around }
    }

    fn code(&self, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let mut code = self.mean.clone();
        for _ in 0..SUMMED {
            let one = &self.around[rng.random_range(0..self.around.len())];
            let sign = if rng.random() { 1.0 } else { -1.0 } / (SUMMED as f32).sqrt();
            code.iter_mut().zip(one).for_each(|(c, o)| *c += sign * o);
        }
        code
    }
}

impl Document {
    fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "{} places, {} samples of another way asked for, both senses; recall within 0.3 m and 20° of what any of the {} places would allow",
                self.places, self.asked, self.places
            ),
            format!(
                "\n{:>8}{:>9}{:>14}{:>9}{:>11}{:>9}{:>11}{:>11}{:>11}",
                "places",
                "real",
                "search ms p50",
                "p99",
                "CPU ms p50",
                "p99",
                "MB",
                "recall@1",
                "recall@5"
            ),
        ];
        for s in &self.sizes {
            lines.push(format!(
                "{:>8}{:>9}{:>14.3}{:>9.3}{:>11.3}{:>9.3}{:>11.3}{:>11.3}{:>11.3}",
                s.places,
                s.real,
                s.wall_ms_p50,
                s.wall_ms_p99,
                s.cpu_ms_p50,
                s.cpu_ms_p99,
                s.bytes as f64 * 1e-6,
                s.recall_at_1,
                s.recall_at_5
            ));
        }
        lines.push(format!(
            "\n{:>18}{:>9}{:>11}{:>11}",
            "novelty_threshold", "stored", "recall@1", "recall@5"
        ));
        for t in &self.thresholds {
            lines.push(format!(
                "{:>18}{:>9}{:>11.3}{:>11.3}",
                t.novelty, t.stored, t.recall_at_1, t.recall_at_5
            ));
        }
        lines.join("\n")
    }

    fn charts(&self) -> [(&'static str, LineChart); 3] {
        let of = |what: fn(&Size) -> f64| -> Vec<(f64, f64)> {
            let points = self.sizes.iter();
            points
                .map(|s| ((s.places as f64).log10(), what(s)))
                .collect()
        };
        let real = Marker {
            at: (self.places as f64).log10(),
            label: "made up beyond".into(),
        };
        let over_places = |title: &str, y_label: &str, series| LineChart {
            title: title.into(),
            x_label: "places stored, powers of ten".into(),
            y_label: y_label.into(),
            series,
            times: vec![real.clone()],
            ..LineChart::default()
        };
        let recall = over_places(
            "Places known again",
            "recall",
            vec![
                Series::new(0, "first answer", of(|s| s.recall_at_1)),
                Series::new(1, "best five", of(|s| s.recall_at_5)),
            ],
        );
        let time = over_places(
            "A search",
            "ms of CPU time, powers of ten",
            vec![
                Series::new(0, "median", of(|s| s.cpu_ms_p50.log10())),
                Series::new(1, "p99", of(|s| s.cpu_ms_p99.log10())),
            ],
        );
        let share = |t: &Threshold| t.stored as f64 / self.places as f64;
        let by = |what: &dyn Fn(&Threshold) -> f64| {
            let points = self.thresholds.iter();
            points.map(|t| (t.novelty, what(t))).collect()
        };
        let thresholds = LineChart {
            title: "What a threshold of novelty stores".into(),
            x_label: "novelty_threshold".into(),
            y_label: "share".into(),
            series: vec![
                Series::new(2, "places stored", by(&share)),
                Series::new(0, "first answer right", by(&|t| t.recall_at_1)),
                Series::new(1, "one of five right", by(&|t| t.recall_at_5)),
            ],
            ..LineChart::default()
        };
        [
            ("map_recall.png", recall),
            ("map_time.png", time),
            ("map_novelty.png", thresholds),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places on a line, each with a code of its own; asked 0.1 m beside.
    fn line(n: usize, off_m: f64) -> Vec<(Vec<f32>, Pose)> {
        let place = |k: usize| {
            let at =
                |j: usize| ((k * 7 + j) as f32 * 0.9).sin() + (k as f32 * 0.37 * j as f32).cos();
            let x_m = k as f64 + off_m;
            (
                (0..12).map(at).collect(),
                Pose {
                    x_m,
                    ..Pose::default()
                },
            )
        };
        (0..n).map(place).collect()
    }

    #[test]
    fn what_is_stored_is_found_and_thresholds_store_less() {
        let coded = Coded {
            stored: line(20, 0.0),
            asked: line(20, 0.1),
        };
        let sizes = coded.sizes(3).expect("measured");
        let ten = &sizes[0];
        assert_eq!((ten.places, ten.real, ten.recall_at_1), (10, 10, 0.5));
        let whole = sizes.iter().find(|s| s.places == 20).expect("all of them");
        assert_eq!((whole.recall_at_1, whole.recall_at_5), (1.0, 1.0));
        assert!(sizes.iter().all(|s| s.real == s.places.min(20)));
        assert_eq!(sizes.last().map(|s| s.places), Some(100_000));
        let thresholds = coded.thresholds().expect("measured");
        assert_eq!((thresholds[0].stored, thresholds[0].recall_at_1), (20, 1.0));
        assert!(thresholds.windows(2).all(|w| w[1].stored <= w[0].stored));
        assert!(thresholds[13].stored < 20);
    }
}
