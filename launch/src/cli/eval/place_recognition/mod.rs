//! `saccade eval place-recognition`: the network and every baseline on the same samples.

mod compare;
mod judge;
mod models;
mod network;
mod pictures;
mod sets;
mod text;

use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use compare::{Comparison, Novelty, Row};
use indicatif::{ProgressBar, ProgressStyle};
use judge::{Cost, Judged};
use models::{Fitted, Model, Options};
use saccade_engine::models::place::retrieval::Tolerance;
use serde::Serialize;
use serde_json::Value;
use sets::Set;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `saccade eval place-recognition`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Recordings are bags of launch/place_recognition.launch.xml, one sample a whisk. All samples of
--train are stored, those of --test are asked for. Files in a list are of several seeds, in the
same order everywhere:

  saccade eval place-recognition --train a.mcap --test b.mcap --weights place.safetensors
  saccade eval place-recognition --train a1.mcap,a2.mcap --test b1.mcap,b2.mcap \\
      --validation v1.mcap,v2.mcap --dark d1.mcap,d2.mcap --novel n1.mcap,n2.mcap \\
      --weights w1.safetensors,w2.safetensors --report places

The parameters of a baseline are those that do best on the validation samples, by Spearman and
recall@1 averaged over both senses, vision and touch. Autoencoders learn as long as the network
does in CPU time, which depends on the machine; what they got to is printed.")]
pub struct PlaceRecognitionArgs {
    /// Recordings to fit to, whose samples are then stored.
    #[arg(long, required = true, value_delimiter = ',')]
    train: Vec<PathBuf>,
    /// Recordings of other ways through the same arena, asked for.
    #[arg(long, required = true, value_delimiter = ',')]
    test: Vec<PathBuf>,
    /// Recordings by which the baselines' parameters are chosen; without any they have the
    /// usual ones.
    #[arg(long, value_delimiter = ',')]
    validation: Vec<PathBuf>,
    /// Recordings in the dark.
    #[arg(long, value_delimiter = ',')]
    dark: Vec<PathBuf>,
    /// Recordings in another arena.
    #[arg(long, value_delimiter = ',')]
    novel: Vec<PathBuf>,
    /// Weights of the network, trained on the --train recording of the same place in the list;
    /// without any it is trained now.
    #[arg(long, value_delimiter = ',')]
    weights: Vec<PathBuf>,
    /// The same of the network with receptive fields (--model network-rf).
    #[arg(long, value_delimiter = ',')]
    weights_rf: Vec<PathBuf>,
    /// What is judged; where the network comes first, it is held against all others.
    #[arg(long = "model", value_enum, value_delimiter = ',', default_values_t = [
        Model::Network, Model::Raw, Model::Patch, Model::Pca, Model::Joined, Model::Apart])]
    models: Vec<Model>,
    /// Store places by the senses that the query has; otherwise by both.
    #[arg(long)]
    same_senses: bool,
    /// Samples of a sequence, for patch-normalised images: only worth something where the
    /// queries walk a stored way again.
    #[arg(long, value_delimiter = ',', default_values_t = [10])]
    frames: Vec<usize>,
    /// Length of the codes of principal components and autoencoders.
    #[arg(long, default_value_t = 100)]
    code: usize,
    /// Most epochs of the autoencoders.
    #[arg(long, default_value_t = 40)]
    epochs: usize,
    /// CPU time after which an autoencoder begins no further epoch, in s, looks at the
    /// validation samples included: by default what the network's training takes on 1200 samples.
    #[arg(long, default_value_t = 324.0)]
    autoencoder_cpu_s: f64,
    /// Epochs of the network where there are no --weights.
    #[arg(long, default_value_t = 50)]
    network_epochs: usize,
    /// How far a right answer may be off, in metres.
    #[arg(long, default_value_t = 0.3)]
    tolerance_m: f64,
    /// How far it may be turned, in degrees.
    #[arg(long, default_value_t = 20.0)]
    tolerance_deg: f64,
    /// Seed of the autoencoders' weights and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for place_recognition.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    seed: u64,
    tolerance_m: f64,
    tolerance_deg: f64,
    /// Whether places are stored by the senses that the query has.
    same_senses: bool,
    /// Stored and asked samples of each set.
    samples: Vec<(usize, usize)>,
    rows: Vec<Row>,
    novelty: Vec<Novelty>,
    fits: Vec<Fit>,
    /// The network against each baseline.
    comparisons: Vec<Comparison>,
    /// How long all of it took, in s.
    wall_s: f64,
}

/// How a descriptor came about, and what it costs.
#[derive(Serialize)]
struct Fit {
    model: String,
    set: usize,
    /// Parameters chosen on the validation samples.
    chosen: Value,
    /// CPU time of fitting, of all threads, with all that was tried, in s.
    fit_cpu_s: f64,
    #[serde(flatten)]
    cost: Cost,
}

/// Runs `saccade eval place-recognition`.
///
/// # Errors
/// A recording or weights cannot be read or do not fit, or the report cannot be written.
pub fn run(args: &PlaceRecognitionArgs) -> CliResult {
    let start = Instant::now();
    if args.frames.contains(&0) {
        return Err(CliError::usage("--frames counts samples, 1 or more"));
    }
    if args.autoencoder_cpu_s.is_nan() || args.autoencoder_cpu_s <= 0.0 {
        return Err(CliError::usage(format!(
            "--autoencoder-cpu-s is {}, needed is a time above 0",
            args.autoencoder_cpu_s
        )));
    }
    let sets = sets::read(args)?;
    let (judged, fits) = judge_all(args, &sets)?;
    let document = document(args, &sets, &judged, fits, start)?;
    if let Some(folder) = &args.report {
        write_json(&document, &folder.join("place_recognition.json"))?;
        pictures::write(&sets, &judged, folder)?;
    }
    if args.json {
        print_json(&document)?;
    } else {
        print_line(text::text(&document))?;
    }
    Ok(Exit::Success)
}

/// All models on all sets: for each model (or sequence of it) its judgements by set.
fn judge_all(
    args: &PlaceRecognitionArgs,
    sets: &[Set],
) -> Result<(Vec<Vec<Judged>>, Vec<Fit>), CliError> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} fits  {msg}");
    let bar = ProgressBar::new((args.models.len() * sets.len()) as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let (mut judged, mut fits) = (Vec::new(), Vec::new());
    for &model in &args.models {
        let mut by_name: Vec<Vec<Judged>> = Vec::new();
        for (k, set) in sets.iter().enumerate() {
            bar.set_message(format!("set {}, {model:?}", k + 1));
            bar.tick();
            let mut fitted = models::fit(model, set, &options(args, k), &|what| {
                bar.set_message(what);
            })?;
            let frames: &[usize] = match model {
                Model::Patch => &args.frames,
                _ => &[],
            };
            let of_set = judge::judge(&mut fitted, set, tolerance(args), args.same_senses, frames)?;
            by_name.resize_with(of_set.len(), Vec::new);
            by_name
                .iter_mut()
                .zip(of_set)
                .for_each(|(all, one)| all.push(one));
            fits.push(fit(k, &mut fitted, set)?);
            if let (0, Some(folder)) = (k, &args.report) {
                pictures::reconstructions(&mut fitted, set, folder)?;
            }
            bar.inc(1);
        }
        judged.extend(by_name);
    }
    bar.finish_and_clear();
    Ok((judged, fits))
}

fn fit(set: usize, fitted: &mut Fitted, samples: &Set) -> Result<Fit, CliError> {
    Ok(Fit {
        model: fitted.descriptor.name().to_owned(),
        set,
        cost: judge::cost(fitted, samples)?,
        chosen: fitted.chosen.clone(),
        fit_cpu_s: fitted.cpu_s,
    })
}

fn tolerance(args: &PlaceRecognitionArgs) -> Tolerance {
    Tolerance {
        metres: args.tolerance_m,
        radians: args.tolerance_deg.to_radians(),
    }
}

fn options(args: &PlaceRecognitionArgs, set: usize) -> Options {
    Options {
        code: args.code,
        epochs: args.epochs,
        autoencoder_cpu_s: args.autoencoder_cpu_s,
        network_epochs: args.network_epochs,
        seed: args.seed.wrapping_add(set as u64),
        tolerance: tolerance(args),
    }
}

fn document(
    args: &PlaceRecognitionArgs,
    sets: &[Set],
    judged: &[Vec<Judged>],
    fits: Vec<Fit>,
    start: Instant,
) -> Result<Document, CliError> {
    let mut comparisons = Vec::new();
    let network_first = args.models.first() == Some(&Model::Network);
    if let (true, Some((network, baselines))) = (network_first, judged.split_first()) {
        for baseline in baselines {
            comparisons.extend(compare::compare(network, baseline, args.seed)?);
        }
    }
    Ok(Document {
        seed: args.seed,
        tolerance_m: args.tolerance_m,
        tolerance_deg: args.tolerance_deg,
        same_senses: args.same_senses,
        samples: sets.iter().map(|s| (s.train.len(), s.test.len())).collect(),
        rows: judged.iter().flat_map(|j| compare::rows(j)).collect(),
        novelty: judged.iter().filter_map(|j| compare::novelty(j)).collect(),
        fits,
        comparisons,
        wall_s: start.elapsed().as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_engine::models::place::{Pose, Samples};

    /// Samples along a ring of 1 m radius, seen as stripes that turn and felt as bumps.
    fn ring(n: usize, offset: f64, brightness: f32) -> Samples {
        let mut samples = Samples::new(45 * 80 * 3, 72);
        for i in 0..n {
            let angle = std::f64::consts::TAU * (i as f64 + offset) / n as f64;
            let pixel = |k: usize| {
                let column = (k / 3 % 80) as f64 / 80.0 * std::f64::consts::TAU;
                let row = (k / 240) as f64 / 45.0;
                let stripes = 0.5 + 0.3 * (column + angle).sin() + 0.2 * row * (2.0 * angle).cos();
                brightness * (stripes as f32).clamp(0.0, 1.0)
            };
            let whisker = |k: usize| (angle - k as f64 / 11.5).cos() as f32;
            let visual: Vec<f32> = (0..45 * 80 * 3).map(pixel).collect();
            let tactile: Vec<f32> = (0..72).map(whisker).collect();
            let pose = Pose {
                x_m: angle.cos(),
                y_m: angle.sin(),
                theta_rad: angle,
            };
            samples.push(&visual, &tactile, pose).expect("fits");
        }
        samples
    }

    /// All of it but the reading, on samples that every baseline knows again.
    #[test]
    fn a_ring_is_known_again_by_every_baseline_and_all_is_drawn_and_said() {
        let set = Set {
            train: ring(60, 0.0, 1.0),
            test: ring(30, 0.25, 1.0),
            validation: Some(ring(20, 0.4, 1.0)),
            dark: Some(ring(15, 0.2, 0.3)),
            novel: Some(ring(12, 0.0, 0.0)),
            weights: None,
            weights_rf: None,
        };
        let options = Options {
            code: 10,
            epochs: 1,
            autoencoder_cpu_s: f64::INFINITY,
            network_epochs: 1,
            seed: 1,
            tolerance: Tolerance::default(),
        };
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut judged, mut fits) = (Vec::new(), Vec::new());
        for model in [Model::Pca, Model::Raw, Model::Patch] {
            let mut fitted = models::fit(model, &set, &options, &|_| {}).expect("fits");
            let frames: &[usize] = if model == Model::Patch { &[3] } else { &[] };
            let of_set = judge::judge(&mut fitted, &set, options.tolerance, false, frames);
            judged.extend(of_set.expect("judged").into_iter().map(|j| vec![j]));
            fits.push(fit(0, &mut fitted, &set).expect("timed"));
            pictures::reconstructions(&mut fitted, &set, folder.path()).expect("drawn");
        }
        assert_eq!(judged.len(), 4, "patches also over sequences");
        for of_model in &judged {
            let rows = compare::rows(of_model);
            assert_eq!(rows.len(), 5);
            // Dim stripes are still seen.
            assert_eq!(rows[3].spearman, rows[4].spearman, "{}", rows[3].model);
            for row in &rows[..3] {
                assert_eq!(
                    row.recognition.recall_at_1, 1.0,
                    "{} {:?}",
                    row.model, row.condition
                );
                assert!(row.spearman > 0.8, "{} {:?}", row.model, row.condition);
            }
        }
        // A descriptor is not ahead of itself.
        let none = compare::compare(&judged[0], &judged[0], 1).expect("compared");
        assert_eq!(none.len(), 5 * (5 + 2));
        assert!(
            none.iter()
                .all(|c| c.difference.value == 0.0 && c.difference.high == 0.0)
        );

        let sets = [set];
        pictures::write(&sets, &judged, folder.path()).expect("drawn");
        for file in [
            "dissimilarity_poses.png",
            "dissimilarity_pca.png",
            "imagined_pca.png",
            "map_raw_touch_only.png",
            "precision_recall_both.png",
        ] {
            assert!(folder.path().join(file).exists(), "{file}");
        }
        let document = Document {
            seed: 1,
            tolerance_m: 0.3,
            tolerance_deg: 20.0,
            same_senses: false,
            samples: vec![(60, 30)],
            rows: judged.iter().flat_map(|j| compare::rows(j)).collect(),
            novelty: judged.iter().filter_map(|j| compare::novelty(j)).collect(),
            fits,
            comparisons: compare::compare(&judged[0], &judged[1], 1).expect("compared"),
            wall_s: 1.0,
        };
        let text = text::text(&document);
        for part in [
            "30 of 30 queries",
            "patch-normalised, 3 frames",
            "another arena",
            "recall_at_1",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(serde_json::to_string(&document).is_ok());
    }
}
