//! Every descriptor, fitted to a set and tuned on its validation samples.

use super::sets::Set;
use crate::cli::bench::clock::process_cpu_s;
use crate::cli::{CliError, Context};
use saccade_engine::models::place::baselines::{
    Autoencoder, AutoencoderConfig, PatchConfig, PatchNormalised, Pca, PcaConfig, Raw,
};
use saccade_engine::models::place::retrieval::{Recognition, Tolerance, mean_spearman};
use saccade_engine::models::place::{
    Descriptor, Likeness, Samples, Senses, SlowConfig, SlowFeatures,
};
use serde_json::{Value, json};

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Model {
    /// The predictive-coding network.
    Network,
    /// The same coding places by its joint causes, as published.
    NetworkPublished,
    /// The same with receptive fields in its lowest visual layer.
    NetworkRf,
    /// What was sensed, standardised.
    Raw,
    /// Patch-normalised images beside touch, also over sequences (SeqSLAM).
    Patch,
    /// Principal components of both senses.
    Pca,
    /// Slow features of principal components.
    PcaSlow,
    /// A deep autoencoder of both senses.
    Joined,
    /// An autoencoder with a pathway for each sense.
    Apart,
}

/// Touch's share, and how whitened components are, that are tried where there are
/// validation samples.
const TOUCH: [f64; 5] = [0.02, 0.1, 0.25, 0.5, 0.75];
/// Components of which slow features are tried.
const SLOW_OF: [usize; 2] = [100, 200];
const WHITENING: [f64; 3] = [0.0, 0.5, 1.0];
const PATCHES: [usize; 3] = [4, 8, 16];

/// How often an autoencoder is looked at while it learns.
const LOOKS: usize = 5;

/// What fitting is told.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Length of a code.
    pub code: usize,
    /// Most epochs of the autoencoders.
    pub epochs: usize,
    /// CPU time after which an autoencoder begins no further epoch, in s.
    pub autoencoder_cpu_s: f64,
    /// Epochs of the network, where it has no weights.
    pub network_epochs: usize,
    /// Seed of their weights.
    pub seed: u64,
    /// Within which a match is right.
    pub tolerance: Tolerance,
}

/// A descriptor ready for use.
pub struct Fitted {
    /// Itself.
    pub descriptor: Box<dyn Descriptor>,
    /// Parameters that the validation samples chose.
    pub chosen: Value,
    /// CPU time of fitting, of all threads, with all that was tried, in s.
    pub cpu_s: f64,
}

/// Fits a model; `told` hears what is being done.
pub fn fit(
    model: Model,
    set: &Set,
    options: &Options,
    told: &dyn Fn(String),
) -> Result<Fitted, CliError> {
    let begun_s = process_cpu_s();
    let fitted = match model {
        Model::Network => super::network::fit(set, options, [false, false], told),
        Model::NetworkPublished => super::network::fit(set, options, [false, true], told),
        Model::NetworkRf => super::network::fit(set, options, [true, false], told),
        Model::Raw => raw(set, options),
        Model::Patch => patch(set, options),
        Model::Pca => pca(set, options),
        Model::PcaSlow => pca_slow(set, options),
        Model::Joined => autoencoder(set, options, false, told),
        Model::Apart => autoencoder(set, options, true, told),
    };
    let cpu_s = process_cpu_s() - begun_s;
    let (descriptor, chosen) = fitted.context(format!("fitting {model:?}"))?;
    Ok(Fitted {
        descriptor,
        chosen,
        cpu_s,
    })
}

/// What fitting gives: a descriptor, and what was chosen for it.
pub type Chosen = Result<(Box<dyn Descriptor>, Value), CliError>;

/// How good a descriptor is on validation samples: Spearman and recall@1, averaged over
/// both senses, vision and touch.
fn score(
    descriptor: &mut dyn Descriptor,
    train: &Samples,
    validation: &Samples,
    tolerance: Tolerance,
) -> Result<f64, CliError> {
    let stored = descriptor.describe_all(train, Senses::Both)?;
    let mut sum = 0.0;
    for senses in [Senses::Both, Senses::Vision, Senses::Touch] {
        let queries = descriptor.describe_all(validation, senses)?;
        let likeness = Likeness::of(&queries, &stored)?;
        let (poses, places) = (validation.poses(), train.poses());
        let matches = Recognition::matches(&likeness, poses, places, tolerance)?;
        let recall = Recognition::of(&matches).recall_at_1;
        let spearman = mean_spearman(&Likeness::of(&queries, &queries)?, poses)?;
        sum += spearman.unwrap_or(0.0) + if recall.is_finite() { recall } else { 0.0 };
    }
    Ok(sum / 6.0)
}

/// The best of these on the validation samples; without any, the one that is usual.
fn best<P: Copy, D: Descriptor + 'static>(
    set: &Set,
    options: &Options,
    tried: impl Iterator<Item = P>,
    usual: P,
    fit: impl Fn(P) -> saccade_engine::Result<D>,
    name: impl Fn(P) -> Value,
) -> Chosen {
    let Some(validation) = &set.validation else {
        return Ok((Box::new(fit(usual)?), name(usual)));
    };
    let mut best: Option<(f64, P, D)> = None;
    for p in tried {
        let mut descriptor = fit(p)?;
        let score = score(&mut descriptor, &set.train, validation, options.tolerance)?;
        if best.as_ref().is_none_or(|b| score > b.0) {
            best = Some((score, p, descriptor));
        }
    }
    match best {
        Some((_, p, descriptor)) => Ok((Box::new(descriptor), name(p))),
        None => Ok((Box::new(fit(usual)?), name(usual))),
    }
}

fn raw(set: &Set, options: &Options) -> Chosen {
    let fit = |touch| Raw::fit(&set.train, touch);
    best(
        set,
        options,
        TOUCH.into_iter(),
        0.5,
        fit,
        |touch| json!({ "touch": touch }),
    )
}

fn patch(set: &Set, options: &Options) -> Chosen {
    let tried = PATCHES
        .iter()
        .flat_map(|&patch| TOUCH.map(|touch| (patch, touch)));
    let fit = |(patch, touch)| {
        let config = PatchConfig {
            patch,
            touch,
            ..set.image()
        };
        PatchNormalised::fit(&set.train, config)
    };
    let name = |(patch, touch)| json!({ "patch": patch, "touch": touch });
    best(set, options, tried, (8, 0.5), fit, name)
}

fn pca(set: &Set, options: &Options) -> Chosen {
    let tried = WHITENING
        .iter()
        .flat_map(|&w| TOUCH.map(|touch| (w, touch)));
    let fit = |(whitening, touch)| {
        let config = PcaConfig {
            components: options.code,
            whitening,
            touch,
        };
        Pca::fit(&set.train, config)
    };
    let name = |(whitening, touch)| json!({ "whitening": whitening, "touch": touch });
    best(set, options, tried, (0.5, 0.5), fit, name)
}

/// What the network's readout is worth by itself: the same features, of principal components.
fn pca_slow(set: &Set, options: &Options) -> Chosen {
    let tried = SLOW_OF
        .iter()
        .flat_map(|&n| TOUCH.map(|touch| (n, touch)))
        .filter(|(_, touch)| *touch < 0.5);
    let fit = |(components, touch)| {
        let config = PcaConfig {
            components,
            whitening: 0.0,
            touch,
        };
        Slow::fit(Pca::fit(&set.train, config)?, &set.train)
    };
    let name = |(n, touch)| json!({ "components": n, "touch": touch });
    best(set, options, tried, (100, 0.1), fit, name)
}

/// Slow features of another descriptor's codes, learnt in the order of the samples.
struct Slow<D> {
    of: D,
    features: SlowFeatures,
}

impl<D: Descriptor> Slow<D> {
    fn fit(mut of: D, samples: &Samples) -> saccade_engine::Result<Self> {
        let codes = of.describe_all(samples, Senses::Both)?;
        let features = SlowFeatures::fit(&codes, SlowConfig::default())?;
        Ok(Slow { of, features })
    }

    fn of_code(&self, code: &[f32]) -> Vec<f32> {
        let mut features = vec![0.0; self.features.features()];
        self.features.apply(code, 1.0, &mut features);
        features
    }
}

impl<D: Descriptor> Descriptor for Slow<D> {
    fn name(&self) -> &str {
        "PCA, slow features"
    }

    fn describe(
        &mut self,
        samples: &Samples,
        i: usize,
        senses: Senses,
    ) -> saccade_engine::Result<Vec<f32>> {
        let code = self.of.describe(samples, i, senses)?;
        Ok(self.of_code(&code))
    }

    fn describe_all(
        &mut self,
        samples: &Samples,
        senses: Senses,
    ) -> saccade_engine::Result<Vec<Vec<f32>>> {
        let codes = self.of.describe_all(samples, senses)?;
        Ok(codes.iter().map(|code| self.of_code(code)).collect())
    }
}

/// Learns for all epochs, or until its time is up, and keeps what was best of some looks on
/// the way; says how far it came.
fn autoencoder(set: &Set, options: &Options, apart: bool, told: &dyn Fn(String)) -> Chosen {
    let config = AutoencoderConfig {
        apart,
        code: options.code,
        seed: options.seed,
        ..AutoencoderConfig::default()
    };
    let mut net = Autoencoder::new(&set.train, config)?;
    let name = net.name().to_owned();
    let mut best: Option<(f64, usize, Autoencoder)> = None;
    let look = options.epochs.div_ceil(LOOKS).max(1);
    let begun_s = process_cpu_s();
    let mut learnt = 0;
    let mut time_is_up = false;
    while learnt < options.epochs && !time_is_up {
        let loss = net.epoch(&set.train)?;
        learnt += 1;
        time_is_up = process_cpu_s() - begun_s >= options.autoencoder_cpu_s;
        told(format!(
            "{name}, epoch {learnt} of {}, loss {loss:.4}",
            options.epochs
        ));
        let Some(validation) = &set.validation else {
            continue;
        };
        if learnt % look == 0 || learnt == options.epochs || time_is_up {
            let score = score(&mut net, &set.train, validation, options.tolerance)?;
            if best.as_ref().is_none_or(|b| score > b.0) {
                best = Some((score, learnt, net.clone()));
            }
        }
    }
    let (epochs, net) = match best {
        Some((_, epoch, net)) => (epoch, net),
        None => (learnt, net),
    };
    let chosen = json!({ "epochs": epochs, "learnt": learnt, "of": options.epochs,
        "most_cpu_s": options.autoencoder_cpu_s });
    Ok((Box::new(net), chosen))
}
