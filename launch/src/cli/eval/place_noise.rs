//! `saccade eval place-noise`: senses that get noisy, not absent, and what weighing them by
//! their reliability is worth.

use super::place_codes::{Ways, mean, network};
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use saccade_engine::models::place::bootstrap::{Drawn, Interval, intervals};
use saccade_engine::models::place::retrieval::{Match, Recognition, Tolerance, mean_spearman};
use saccade_engine::models::place::{Descriptor, Likeness, Samples, Senses};
use saccade_engine::models::predictive_coding::{
    Method, PlaceNetwork, Quick, Recogniser, Reliability, Scaling,
};
use serde::Serialize;
use std::path::PathBuf;

/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// What is done to the samples asked for: noise of the image (share of full scale), its
/// dimming, noise of the whiskers (share of their ranges).
const SPOILT: [(f64, f64, f64); 10] = [
    (0.0, 1.0, 0.0),
    (0.1, 1.0, 0.0),
    (0.3, 1.0, 0.0),
    (1.0, 1.0, 0.0),
    (0.015, 0.3, 0.0),
    (0.015, 0.06, 0.0),
    (0.0, 1.0, 0.1),
    (0.0, 1.0, 0.3),
    (0.0, 1.0, 1.0),
    (0.3, 1.0, 0.3),
];

/// Arguments of `saccade eval place-noise`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Places are stored by both senses as they are; the samples asked for are spoilt. The network answers
by both senses alike, by both weighed by what each leaves unexplained (--weights trained with
--reliability have learnt how; of others it is learnt now, from --train), and by each alone.

  saccade eval place-noise --train train.mcap --test test.mcap --weights place.safetensors")]
pub struct PlaceNoiseArgs {
    #[command(flatten)]
    ways: Ways,
    /// Seed of the noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for place_noise.json.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Document {
    seed: u64,
    stored: usize,
    asked: usize,
    reliability: Reliability,
    rows: Vec<Row>,
}

/// What became of samples that were spoilt in one way.
#[derive(Debug, Serialize)]
struct Row {
    spoilt: String,
    /// Recall@1 unweighted, weighted, by vision and by touch alone.
    recall_at_1: [f64; 4],
    /// Mean Spearman of the same.
    spearman: [f64; 4],
    /// Mean conductance of vision and touch in weighted answers.
    conductances: [f64; 2],
    /// Recall@1 weighted less unweighted, with what 95 % of a paired bootstrap say.
    gain: Interval,
}

/// Runs `saccade eval place-noise`.
///
/// # Errors
/// Recordings or weights cannot be read or do not fit, or writing fails.
pub fn run(args: &PlaceNoiseArgs) -> CliResult {
    let [train, test] = args.ways.read()?;
    let network = network(&args.ways.weights)?;
    let reliability = match network.reliability() {
        Some(known) => *known,
        None => Reliability::learn(&network, Quick::default(), &train, args.seed)?,
    };
    // Reliabilities count at the joint layer, so that its causes are the code here.
    let network = network.with_reliability(reliability).without_readout();
    let mut ways = [
        Asked::new(&network, &train, false)?,
        Asked::new(&network, &train, true)?,
    ];
    let rows = SPOILT.iter().map(|&how| {
        eprintln!("{}", name(how));
        let spoilt = spoil(&test, network.scaling(), how, args.seed)?;
        row(&mut ways, &train, &spoilt, name(how), args.seed)
    });
    let document = Document {
        seed: args.seed,
        stored: train.len(),
        asked: test.len(),
        reliability,
        rows: rows.collect::<Result<_, _>>()?,
    };
    if let Some(folder) = &args.report {
        write_json(&document, &folder.join("place_noise.json"))?;
    }
    match args.json {
        true => print_json(&document)?,
        false => print_line(document.text())?,
    }
    Ok(Exit::Success)
}

fn name((image, dimness, whiskers): (f64, f64, f64)) -> String {
    let mut parts = Vec::new();
    if dimness < 1.0 {
        parts.push(format!("light {dimness}"));
    }
    if image > 0.0 {
        parts.push(format!("image noise {image}"));
    }
    if whiskers > 0.0 {
        parts.push(format!("whisker noise {whiskers}"));
    }
    match parts.is_empty() {
        true => "as it is".to_owned(),
        false => parts.join(", "),
    }
}

fn spoil(
    samples: &Samples,
    ranges: &Scaling,
    (image, dimness, whiskers): (f64, f64, f64),
    seed: u64,
) -> Result<Samples, CliError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut noise = |deviation: f64| match deviation {
        0.0 => 0.0,
        _ => deviation * rng.sample::<f64, _>(StandardNormal),
    };
    let (visual, tactile) = samples.sizes();
    let mut spoilt = Samples::new(visual, tactile);
    for i in 0..samples.len() {
        let seen = samples.visual(i).iter();
        let seen: Vec<f32> = seen
            .map(|x| (f64::from(*x) * dimness + noise(image)).clamp(0.0, 1.0) as f32)
            .collect();
        let range = |k: usize| f64::from(ranges.greatest[k] - ranges.least[k]);
        let felt = samples.tactile(i).iter().enumerate();
        let felt: Vec<f32> = felt
            .map(|(k, x)| x + (noise(whiskers) * range(k)) as f32)
            .collect();
        spoilt.push(&seen, &felt, samples.poses()[i])?;
    }
    Ok(spoilt)
}

/// Codes of samples, and of both senses the conductances with which they came about.
type Answers = (Vec<Vec<f32>>, [Vec<f64>; 2]);

/// A network that answers, and the codes of what is stored by it.
struct Asked {
    recogniser: Recogniser,
    stored: Vec<Vec<f32>>,
}

impl Asked {
    fn new(network: &PlaceNetwork, train: &Samples, weighted: bool) -> Result<Self, CliError> {
        let quick = Quick {
            weighted,
            ..Quick::default()
        };
        let mut recogniser = Recogniser::new(network.clone(), Method::Quick(quick))?;
        let stored = recogniser.describe_all(train, Senses::Both)?;
        Ok(Asked { recogniser, stored })
    }

    /// Asks for all samples.
    fn ask(&mut self, samples: &Samples, senses: Senses) -> Result<Answers, CliError> {
        let (mut codes, mut conductances) = (Vec::new(), [Vec::new(), Vec::new()]);
        for i in 0..samples.len() {
            codes.push(self.recogniser.describe(samples, i, senses)?);
            let each = conductances.iter_mut().zip(self.recogniser.conductances());
            each.for_each(|(all, g)| all.push(f64::from(g)));
        }
        Ok((codes, conductances))
    }
}

/// Asks in all four ways; `ways` are both senses alike and weighed.
fn row(
    ways: &mut [Asked; 2],
    train: &Samples,
    spoilt: &Samples,
    name: String,
    seed: u64,
) -> Result<Row, CliError> {
    let mut matches: Vec<Vec<Match>> = Vec::new();
    let mut spearman = [0.0; 4];
    let mut means = [1.0; 2];
    let (poses, places) = (spoilt.poses(), train.poses());
    let four = [
        (0, Senses::Both),
        (1, Senses::Both),
        (0, Senses::Vision),
        (0, Senses::Touch),
    ];
    for (k, (way, senses)) in four.into_iter().enumerate() {
        let (codes, conductances) = ways[way].ask(spoilt, senses)?;
        if way == 1 {
            means = conductances.map(|g| mean(&g));
        }
        let found = Likeness::of(&codes, &ways[way].stored)?;
        let tolerance = Tolerance::default();
        matches.push(Recognition::matches(&found, poses, places, tolerance)?);
        let among = Likeness::of(&codes, &codes)?;
        spearman[k] = mean_spearman(&among, poses)?.unwrap_or(f64::NAN);
    }
    let recall = |matches: &[Match]| Recognition::of(matches).recall_at_1;
    let [gain] = intervals(&[spoilt.len()], DRAWS, seed, |drawn: &[Drawn]| {
        let of = |k: usize| {
            let some: Vec<Match> = drawn.iter().map(|d| matches[k][d.1]).collect();
            recall(&some)
        };
        [of(1) - of(0)]
    })?;
    Ok(Row {
        spoilt: name,
        recall_at_1: [0, 1, 2, 3].map(|k| recall(&matches[k])),
        spearman,
        conductances: means,
        gain,
    })
}

impl Document {
    fn text(&self) -> String {
        let r = &self.reliability;
        let mut lines = vec![
            format!(
                "{} places stored, {} samples asked for, seed {}; a residual of {:.4} more halves the conductance of vision, {:.4} that of touch",
                self.stored,
                self.asked,
                self.seed,
                r.usual[0] / r.slope[0],
                r.usual[1] / r.slope[1],
            ),
            format!(
                "\n{:<38}{:^32}{:^32}{:^16}{:^24}",
                "", "recall@1", "Spearman", "conductances", "recall@1, weighted less"
            ),
            format!(
                "{:<38}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}   {}",
                "",
                "alike",
                "weighed",
                "vision",
                "touch",
                "alike",
                "weighed",
                "vision",
                "touch",
                "vision",
                "touch",
                "unweighted (95 %)"
            ),
        ];
        for row in &self.rows {
            let four = |v: &[f64; 4]| v.iter().map(|v| format!("{v:>8.3}")).collect::<String>();
            lines.push(format!(
                "{:<38}{}{}{:>8.2}{:>8.2}   {:+.3} [{:+.3}, {:+.3}]",
                row.spoilt,
                four(&row.recall_at_1),
                four(&row.spearman),
                row.conductances[0],
                row.conductances[1],
                row.gain.value,
                row.gain.low,
                row.gain.high
            ));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_engine::models::place::Pose;

    #[test]
    fn only_what_is_named_is_spoilt() {
        let mut samples = Samples::new(3, 2);
        samples
            .push(&[0.0, 0.5, 1.0], &[1.0, 2.0], Pose::default())
            .expect("a sample");
        let ranges = Scaling {
            least: vec![0.0, 2.0],
            greatest: vec![2.0, 2.0],
        };
        let as_it_is = spoil(&samples, &ranges, SPOILT[0], 1).expect("spoilt");
        assert_eq!(as_it_is, samples);
        let dim = spoil(&samples, &ranges, (0.0, 0.5, 0.0), 1).expect("spoilt");
        assert_eq!(dim.visual(0), [0.0, 0.25, 0.5]);
        let noisy = spoil(&samples, &ranges, (0.0, 1.0, 0.5), 1).expect("spoilt");
        assert_eq!(noisy.visual(0), samples.visual(0));
        // The second whisker has no range.
        assert!(noisy.tactile(0)[0] != 1.0 && noisy.tactile(0)[1] == 2.0);
        assert_eq!(name((0.3, 1.0, 0.3)), "image noise 0.3, whisker noise 0.3");
    }
}
