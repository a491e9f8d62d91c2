//! The classifier's experiment: how well it recognises held-out samples, how
//! fast, and how hard the data is.

mod several;

pub use several::{balance, load_training};

use crate::checkpoint::{self, Checkpoint};
use crate::plots::{Confusion, LineChart, Marker, Series};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use saccade_engine::encoder::{Encoder, EncoderConfig, encode};
use saccade_engine::models::baselines::{self, Linear, NearestMean};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::evaluation::{Evaluation, evaluate};
use saccade_engine::models::perturb::Event;
use saccade_engine::models::sample::Sample;
use saccade_engine::models::training::{EpochReport, TrainConfig, TrainReport};
use saccade_msgs::CLASSES;
use saccade_msgs::saccade_msgs::SaccadePhase;
use saccade_rosbags::dataset::{Dataset, LabelledSample, SACCADE_TOPIC};
use saccade_rosbags::{BagError, BagReader};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Cells along a side of the event images of the baseline.
const IMAGE_CELLS: usize = 32;
/// Trainings with shuffled labels at most: a few say as well as many that it is chance.
pub const SHUFFLED: usize = 3;
/// Steps of gradient descent of the linear baseline.
const LINEAR_STEPS: usize = 300;

/// Why an experiment could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The data set cannot be read.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The engine refuses data or parameters.
    #[error(transparent)]
    Engine(#[from] saccade_engine::Error),
    /// A checkpoint that cannot be used or written.
    #[error("checkpoint {path}", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        source: saccade_engine::Error,
    },
    /// A data set that does not fit.
    #[error("{path}: {reason}", path = path.display())]
    Data {
        /// The data set.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Weights that do not say how their input was encoded.
    #[error("the weights' encoder configuration cannot be read: {0}; train them anew")]
    Encoder(serde_json::Error),
}

/// A data set as the network takes it.
pub struct Data {
    /// Where it came from.
    pub source: Source,
    /// Input spikes with labels.
    pub samples: Vec<Sample>,
    /// Encoder that made them.
    pub encoder: EncoderConfig,
    /// Events of each sample within the interval.
    counts: Vec<Vec<f32>>,
    /// Image of the whole sensor's events of each sample.
    images: Vec<Vec<f32>>,
}

/// Where a data set came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// File, or files with commas between.
    pub file: String,
    /// Number of samples.
    pub samples: usize,
    /// XXH3-64 over the samples, 16 hexadecimal digits; of several files each its own,
    /// with commas between.
    pub fingerprint: String,
    /// The saccade as the data set describes it.
    pub saccade: String,
}

/// Reads a data set and encodes the first `ticks` milliseconds after each
/// onset; without `encoder` the default one for its sensor.
///
/// # Errors
/// The data set cannot be read, has no samples, or does not fit the encoder.
pub fn load(
    path: &Path,
    ticks: u16,
    encoder: Option<EncoderConfig>,
) -> Result<Data, ExperimentError> {
    let wrong = |reason: String| ExperimentError::Data {
        path: path.to_owned(),
        reason,
    };
    let dataset = Dataset::open(path)?;
    let fingerprint = format!("{:016x}", dataset.fingerprint()?);
    let mut data: Option<(Data, Encoder)> = None;
    for sample in dataset {
        let sample = sample?;
        if data.is_none() {
            let config = encoder.clone().unwrap_or_else(|| EncoderConfig {
                sensor_width: sample.width,
                sensor_height: sample.height,
                ..EncoderConfig::default()
            });
            let source = Source {
                file: path.display().to_string(),
                samples: 0,
                fingerprint: fingerprint.clone(),
                saccade: saccade_of(path)?,
            };
            let empty = Data {
                source,
                samples: Vec::new(),
                encoder: config.clone(),
                counts: Vec::new(),
                images: Vec::new(),
            };
            data = Some((empty, Encoder::new(config)?));
        }
        if let Some((data, encoder)) = &mut data {
            data.add(&sample, ticks, encoder).map_err(wrong)?;
        }
    }
    let (data, _) = data.ok_or_else(|| {
        wrong("no labelled saccade in it; make one with `saccade dataset make`".into())
    })?;
    Ok(data)
}

fn saccade_of(path: &Path) -> Result<String, BagError> {
    let mut bag = BagReader::open(path)?;
    while let Some(message) = bag.next_message()? {
        if message.topic() == SACCADE_TOPIC {
            return Ok(message.decode::<SaccadePhase>(path)?.axis);
        }
    }
    Ok(String::new())
}

impl Data {
    fn add(
        &mut self,
        sample: &LabelledSample,
        ticks: u16,
        encoder: &mut Encoder,
    ) -> Result<(), String> {
        let end_us = sample.onset_us + u64::from(ticks) * 1000;
        let events = || {
            sample
                .events
                .iter()
                .filter(|e| (sample.onset_us..end_us).contains(&e.t_us))
        };
        let seen = events().map(|e| (e.x, e.y, e.on, e.t_us));
        self.samples.push(encoded(sample, seen, ticks, encoder)?);
        let mut image = vec![0.0; 2 * IMAGE_CELLS * IMAGE_CELLS];
        let cell = |v: u16, side: u16| usize::from(v) * IMAGE_CELLS / usize::from(side.max(1));
        for e in events() {
            let (x, y) = (cell(e.x, sample.width), cell(e.y, sample.height));
            if let Some(count) =
                image.get_mut((usize::from(e.on) * IMAGE_CELLS + y) * IMAGE_CELLS + x)
            {
                *count += 1.0;
            }
        }
        self.counts.push(vec![(events().count() as f32).ln_1p()]);
        self.images.push(image);
        self.source.samples = self.samples.len();
        Ok(())
    }

    fn labels(&self) -> Vec<usize> {
        self.samples.iter().map(|s| s.label).collect()
    }
}

/// What the network sees of a recorded sample: `events` (its own, or what became of
/// them), the first `ticks` milliseconds after its onset.
///
/// # Errors
/// In words: it is of another sensor than the encoder's, or of a class that there is not.
pub fn encoded(
    sample: &LabelledSample,
    events: impl IntoIterator<Item = Event>,
    ticks: u16,
    encoder: &mut Encoder,
) -> Result<Sample, String> {
    let config = encoder.config();
    if (sample.width, sample.height) != (config.sensor_width, config.sensor_height) {
        return Err(format!(
            "saccade {} is of a {} x {} sensor, expected {} x {}",
            sample.id, sample.width, sample.height, config.sensor_width, config.sensor_height
        ));
    }
    let label = usize::try_from(sample.class_id)
        .ok()
        .filter(|c| *c < CLASSES.len())
        .ok_or_else(|| {
            format!(
                "saccade {}: class {} is none of 0 to {}",
                sample.id,
                sample.class_id,
                CLASSES.len() - 1
            )
        })?;
    Ok(Sample {
        spikes: encode(encoder, events, sample.onset_us, ticks),
        ticks: usize::from(ticks),
        label,
        weight: 1.0,
    })
}

/// Network and training of an experiment.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Network.
    pub classifier: ClassifierConfig,
    /// Training.
    pub training: TrainConfig,
}

/// Trains on `data` and notes in the weights where they come from.
///
/// # Errors
/// As [`checkpoint::run`].
pub fn train_on(
    data: &Data,
    setup: &Setup,
    seed: u64,
    kept: Option<&Checkpoint>,
    heard: &mut dyn FnMut(&EpochReport),
) -> Result<(Classifier, TrainReport), ExperimentError> {
    let config = ClassifierConfig {
        n_in: data.encoder.n_inputs(),
        ..setup.classifier.clone()
    };
    let (samples, training) = (&data.samples, &setup.training);
    let trainer = checkpoint::run(samples, &config, training, seed, kept, heard)?;
    let (mut classifier, report) = trainer.finish();
    let mut provenance = classifier.provenance().clone();
    provenance.encoder = serde_json::to_string(&data.encoder).map_err(ExperimentError::Encoder)?;
    provenance
        .dataset_fingerprint
        .clone_from(&data.source.fingerprint);
    classifier.set_provenance(provenance);
    Ok((classifier, report))
}

/// The encoder that weights were trained with.
///
/// # Errors
/// The weights do not say.
pub fn encoder_of(classifier: &Classifier) -> Result<EncoderConfig, ExperimentError> {
    serde_json::from_str(&classifier.provenance().encoder).map_err(ExperimentError::Encoder)
}

/// Results of an evaluation, as `eval.json` holds them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What was trained on, where training was part of it.
    pub train: Option<Source>,
    /// What was tested on.
    pub test: Source,
    /// Class names.
    pub classes: Vec<String>,
    /// Length of the interval after onset, ms.
    pub interval_ms: u16,
    /// One run per seed.
    pub runs: Vec<Run>,
    /// Mean accuracy over the seeds.
    pub accuracy_mean: f64,
    /// Standard deviation (n - 1) over the seeds; 0 for one.
    pub accuracy_std: f64,
    /// Decisions of all seeds: row = truth, column = decision.
    pub confusion: Vec<Vec<u64>>,
    /// Accuracy against the time since onset.
    pub curve: Vec<CurvePoint>,
    /// The first time from which on the mean accuracy stays within 1 % of the
    /// last one, ms.
    pub settled_ms: Option<f64>,
    /// Accuracy after training with shuffled labels, for the first seeds.
    pub shuffled: Vec<f64>,
    /// Trivial classifiers on the same samples.
    pub baselines: Vec<Baseline>,
}

/// One seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Seed of initial weights and training.
    pub seed: u64,
    /// Held-out accuracy at the end of the interval, learning signal off.
    pub accuracy: f64,
    /// Mean negative log probability of the truth, nats.
    pub cross_entropy: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// Mean rate of the recurrent layer, Hz.
    pub mean_rate_hz: f64,
}

/// A point of the accuracy over time, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Time since onset, ms.
    pub ms: f64,
    /// Mean accuracy.
    pub mean: f64,
    /// The worst seed.
    pub low: f64,
    /// The best seed.
    pub high: f64,
}

/// A trivial classifier's accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// What it looks at.
    pub name: String,
    /// Held-out accuracy.
    pub accuracy: f64,
}

impl Results {
    /// Results of evaluations on `test`, one per seed.
    pub fn new(test: &Data, evaluations: &[(u64, Evaluation)]) -> Self {
        let runs: Vec<Run> = evaluations
            .iter()
            .map(|(seed, e)| Run::new(*seed, e))
            .collect();
        let accuracies: Vec<f64> = runs.iter().map(|r| r.accuracy).collect();
        let (accuracy_mean, accuracy_std) = mean_and_std(&accuracies);
        let curve = curve(evaluations);
        Results {
            train: None,
            test: test.source.clone(),
            classes: CLASSES.iter().map(|c| (*c).to_owned()).collect(),
            interval_ms: test.samples.first().map_or(0, |s| s.ticks as u16),
            runs,
            accuracy_mean,
            accuracy_std,
            confusion: sum(evaluations.iter().map(|(_, e)| &e.confusion)),
            settled_ms: settled(&curve),
            curve,
            shuffled: Vec::new(),
            baselines: Vec::new(),
        }
    }

    /// The accuracy over time as a picture.
    pub fn curve_chart(&self) -> LineChart {
        let spread = if self.runs.len() > 1 {
            format!(", {} seeds", self.runs.len())
        } else {
            String::new()
        };
        let mut series = Series::new(
            1,
            "e-prop classifier",
            self.curve.iter().map(|p| (p.ms, p.mean)).collect(),
        );
        series.band = self.curve.iter().map(|p| (p.ms, p.low, p.high)).collect();
        let mut levels = vec![Marker {
            at: 1.0 / self.classes.len().max(1) as f64,
            label: "chance".into(),
        }];
        levels.extend(self.baselines.iter().map(|b| Marker {
            at: b.accuracy,
            label: b.name.clone(),
        }));
        LineChart {
            title: format!("Held-out accuracy over time{spread}"),
            x_label: "time since saccade onset (ms)".into(),
            y_label: "accuracy".into(),
            x_range: Some((0.0, f64::from(self.interval_ms.max(1)))),
            y_range: Some((0.0, 1.0)),
            series: vec![series],
            levels,
            ..LineChart::default()
        }
    }

    /// The confusion matrix as a picture.
    pub fn confusion_picture(&self) -> Confusion {
        let seeds = if self.runs.len() > 1 {
            format!(", sum of {} seeds", self.runs.len())
        } else {
            String::new()
        };
        Confusion {
            title: format!("Held-out decisions{seeds}"),
            classes: self.classes.clone(),
            counts: self.confusion.clone(),
        }
    }
}

impl Run {
    fn new(seed: u64, e: &Evaluation) -> Self {
        Run {
            seed,
            accuracy: e.accuracy,
            cross_entropy: e.cross_entropy,
            calibration_error: e.calibration_error,
            mean_rate_hz: e.mean_rate_hz,
        }
    }
}

/// Mean and standard deviation (n - 1; 0 for one value).
pub fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (f64::NAN, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (
        mean,
        if values.len() > 1 {
            (squares / (n - 1.0)).sqrt()
        } else {
            0.0
        },
    )
}

fn sum<'a>(matrices: impl Iterator<Item = &'a Vec<Vec<u64>>>) -> Vec<Vec<u64>> {
    let mut total = vec![vec![0; CLASSES.len()]; CLASSES.len()];
    for matrix in matrices {
        for (row, counts) in total.iter_mut().zip(matrix) {
            for (sum, count) in row.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }
    total
}

fn curve(evaluations: &[(u64, Evaluation)]) -> Vec<CurvePoint> {
    let Some((_, first)) = evaluations.first() else {
        return Vec::new();
    };
    let point = |(i, (tick, _)): (usize, &(usize, f64))| {
        let at: Vec<f64> = evaluations
            .iter()
            .filter_map(|(_, e)| e.accuracy_vs_time.get(i).map(|p| p.1))
            .collect();
        let (mean, _) = mean_and_std(&at);
        CurvePoint {
            ms: *tick as f64,
            mean,
            low: at.iter().copied().fold(f64::INFINITY, f64::min),
            high: at.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    };
    first
        .accuracy_vs_time
        .iter()
        .enumerate()
        .map(point)
        .collect()
}

fn settled(curve: &[CurvePoint]) -> Option<f64> {
    let last = curve.last()?.mean;
    let unsettled = curve.iter().rposition(|p| (p.mean - last).abs() > 0.01);
    curve.get(unsettled.map_or(0, |i| i + 1)).map(|p| p.ms)
}

/// What an experiment is doing, for a progress bar.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Seed of this training.
    pub seed: u64,
    /// Whether the labels are shuffled.
    pub shuffled: bool,
    /// Its last epoch.
    pub epoch: &'a EpochReport,
}

/// Trains one network per seed on `train`, for the first [`SHUFFLED`] of them one with
/// shuffled labels too, and tests all of these and the trivial classifiers on `test`.
///
/// # Errors
/// Parameters out of range, or a training diverges.
pub fn compare(
    train: &Data,
    test: &Data,
    setup: &Setup,
    seeds: &[u64],
    heard: &mut dyn FnMut(Progress<'_>),
) -> Result<Results, ExperimentError> {
    let mut evaluations = Vec::new();
    let mut shuffled = Vec::new();
    for (k, &seed) in seeds.iter().enumerate() {
        let mut run = |data: &Data, shuffled: bool| {
            let mut epoch = |epoch: &EpochReport| {
                heard(Progress {
                    seed,
                    shuffled,
                    epoch,
                })
            };
            let (classifier, _) = train_on(data, setup, seed, None, &mut epoch)?;
            Ok::<_, ExperimentError>(evaluate(&classifier, &test.samples)?)
        };
        evaluations.push((seed, run(train, false)?));
        if k < SHUFFLED {
            shuffled.push(run(&with_shuffled_labels(train, seed), true)?.accuracy);
        }
    }
    let mut results = Results::new(test, &evaluations);
    results.train = Some(train.source.clone());
    results.shuffled = shuffled;
    results.baselines = baselines_of(train, test)?;
    Ok(results)
}

fn with_shuffled_labels(data: &Data, seed: u64) -> Data {
    let mut labels = data.labels();
    labels.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let relabelled = |(sample, label): (&Sample, usize)| Sample {
        label,
        ..sample.clone()
    };
    let mut samples: Vec<Sample> = data.samples.iter().zip(labels).map(relabelled).collect();
    balance(&mut samples);
    Data {
        source: data.source.clone(),
        samples,
        encoder: data.encoder.clone(),
        counts: Vec::new(),
        images: Vec::new(),
    }
}

fn baselines_of(train: &Data, test: &Data) -> Result<Vec<Baseline>, ExperimentError> {
    let (classes, from, to) = (CLASSES.len(), train.labels(), test.labels());
    let nearest = |name: &str, fit: &[Vec<f32>], on: &[Vec<f32>]| {
        let model = NearestMean::fit(fit, &from, classes)?;
        Ok::<_, ExperimentError>(Baseline {
            name: name.into(),
            accuracy: baselines::accuracy(|x| model.predict(x), on, &to),
        })
    };
    let n_in = train.encoder.n_inputs();
    let window = |data: &Data| -> Vec<Vec<f32>> {
        data.samples
            .iter()
            .map(|s| baselines::image_feature(s, n_in))
            .collect()
    };
    let (fit, on) = (window(train), window(test));
    let linear = Linear::fit(&fit, &from, classes, LINEAR_STEPS)?;
    Ok(vec![
        nearest("event count alone", &train.counts, &test.counts)?,
        nearest("nearest mean image", &train.images, &test.images)?,
        nearest("nearest mean image, attention window", &fit, &on)?,
        Baseline {
            name: "linear readout, attention window".into(),
            accuracy: baselines::accuracy(|x| linear.predict(x), &on, &to),
        },
    ])
}

/// Loss and accuracy of a training over its epochs as a picture.
pub fn training_chart(report: &TrainReport) -> LineChart {
    let points = |f: fn(&EpochReport) -> f64| {
        report
            .epochs
            .iter()
            .map(|e| (e.epoch as f64, f(e)))
            .collect()
    };
    let last = report.epochs.len().max(2) as f64;
    LineChart {
        title: "Training".into(),
        x_label: "epoch".into(),
        y_label: "accuracy · cross entropy (nats)".into(),
        x_range: Some((1.0, last)),
        series: vec![
            Series::new(
                1,
                "accuracy on varied training samples",
                points(|e| e.accuracy),
            ),
            Series::new(0, "cross entropy per tick", points(|e| e.loss)),
        ],
        ..LineChart::default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use saccade_tests::bars;

    pub(crate) fn encoder() -> EncoderConfig {
        EncoderConfig::address(32, 32, 32, 16)
    }

    #[test]
    fn bars_are_learnt_shuffled_labels_are_not_and_counts_tell_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (a, b) = (
            folder.path().join("train.mcap"),
            folder.path().join("test.bag"),
        );
        bars(&a, 40, 0);
        bars(&b, 20, 4);
        let train = load(&a, 60, Some(encoder())).expect("loads");
        let test = load(&b, 60, Some(encoder())).expect("loads");
        assert_eq!(
            (train.source.samples, train.source.saccade.as_str()),
            (40, "pan")
        );
        let mut setup = Setup {
            classifier: ClassifierConfig::default(),
            training: TrainConfig::default(),
        };
        setup.classifier.n_lif = 20;
        setup.classifier.n_alif = 10;
        setup.training.epochs = 15;
        setup.training.augment = saccade_engine::models::augment::Augment {
            width: 16,
            height: 16,
            shift: 0,
            ..Default::default()
        };
        let mut epochs = 0;
        let results =
            compare(&train, &test, &setup, &[1, 2], &mut |_| epochs += 1).expect("trains");
        assert_eq!(epochs, 4 * 15);
        assert!(results.accuracy_mean > 0.9, "{results:?}");
        assert_eq!(results.confusion.iter().flatten().sum::<u64>(), 40);
        assert!(
            results.baselines[0].accuracy <= 0.3,
            "every sample has as many events: {results:?}"
        );
        assert!(
            results.baselines[1].accuracy > 0.9,
            "bars are easy: {results:?}"
        );
        let (mean, _) = mean_and_std(&results.shuffled);
        assert!(mean < 0.6, "{:?}", results.shuffled);
        // What is written is what is read.
        let json = serde_json::to_string(&results).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Results>(&json).expect("results"),
            results
        );
        crate::plots::render(&results.curve_chart()).expect("draws");
        crate::plots::render(&results.confusion_picture()).expect("draws");
    }

    #[test]
    fn another_sensor_than_the_encoders_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("train.mcap");
        bars(&path, 4, 0);
        let error = load(&path, 60, Some(EncoderConfig::default()))
            .err()
            .expect("refused")
            .to_string();
        assert!(
            error.contains("32 x 32") && error.contains("128 x 128"),
            "{error}"
        );
    }

    #[test]
    fn the_curve_settles_where_it_stays() {
        let point = |ms: f64, mean: f64| CurvePoint {
            ms,
            mean,
            low: mean,
            high: mean,
        };
        let curve = [
            point(0.0, 0.25),
            point(10.0, 0.9),
            point(20.0, 0.7),
            point(30.0, 0.9),
            point(40.0, 0.905),
        ];
        assert_eq!(settled(&curve), Some(30.0));
        assert_eq!(mean_and_std(&[1.0, 3.0]), (2.0, std::f64::consts::SQRT_2));
    }
}
