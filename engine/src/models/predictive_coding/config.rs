//! Sizes and rates of a predictive-coding network.

use serde::{Deserialize, Serialize};

use super::fields::Fields;
use crate::error::{Error, Result, check, check_count};

/// Most layers of a pathway.
pub const MAX_LAYERS: usize = 4;
/// Most units of a layer, and most weights of all.
const MAX_UNITS: usize = 1 << 20;
const MAX_WEIGHTS: usize = 1 << 28;

/// Mean squared errors at which the published inference stops: both layers and the joint
/// one, of the visual and the tactile pathway.
pub const STOP: [[f64; 3]; 2] = [[1e-3, 1e-3, 1e-3], [1e-4, 2e-3, 3e-3]];

/// A modality and its layers of causes, the lowest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathwayConfig {
    /// Values of an input.
    pub input: usize,
    /// Causes of each layer.
    pub layers: Vec<usize>,
    /// Rate a of the causes.
    pub cause_rate: f64,
    /// Rate b of the weights.
    pub weight_rate: f64,
    /// Mean squared error of each layer, and of what the joint causes predict, at which
    /// the inference may stop.
    pub stop: Vec<f64>,
    /// Receptive fields of the lowest layer, of the visual pathway only; without any each
    /// of its units sees all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
}

/// Sizes and rates; the default are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Eyes.
    pub visual: PathwayConfig,
    /// Whiskers.
    pub tactile: PathwayConfig,
    /// Joint causes.
    pub joint: usize,
    /// Rate a of the joint causes.
    pub joint_cause_rate: f64,
    /// Rate b of the weights by which they predict.
    pub joint_weight_rate: f64,
    /// What all causes start with.
    pub start: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config::for_inputs(10_800, 72)
    }
}

impl Config {
    /// The published network over inputs of other sizes.
    pub fn for_inputs(visual: usize, tactile: usize) -> Self {
        Config {
            visual: PathwayConfig {
                input: visual,
                layers: vec![1000, 300],
                cause_rate: 4e-4,
                weight_rate: 1e-4,
                stop: STOP[0].to_vec(),
                fields: None,
            },
            tactile: PathwayConfig {
                input: tactile,
                layers: vec![50, 20],
                cause_rate: 4e-3,
                weight_rate: 1e-3,
                stop: STOP[1].to_vec(),
                fields: None,
            },
            joint: 100,
            joint_cause_rate: 4e-4,
            joint_weight_rate: 1e-4,
            start: 0.1,
        }
    }

    /// Both pathways.
    pub fn pathways(&self) -> [&PathwayConfig; 2] {
        [&self.visual, &self.tactile]
    }

    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check_count("joint", self.joint, 1, MAX_UNITS)?;
        check("joint_cause_rate", self.joint_cause_rate, 0.0, 1.0)?;
        check("joint_weight_rate", self.joint_weight_rate, 0.0, 1.0)?;
        check("start", self.start, -10.0, 10.0)?;
        let mut weights = 0;
        for (name, pathway) in ["visual", "tactile"].into_iter().zip(self.pathways()) {
            let named = |what: &str| format!("{name}.{what}");
            let layers = pathway.layers.len();
            check_count(&named("input"), pathway.input, 1, MAX_UNITS)?;
            check_count(&named("layers"), layers, 1, MAX_LAYERS)?;
            check_count(&named("stop"), pathway.stop.len(), layers + 1, layers + 1)?;
            check(&named("cause_rate"), pathway.cause_rate, 0.0, 1.0)?;
            check(&named("weight_rate"), pathway.weight_rate, 0.0, 1.0)?;
            for stop in &pathway.stop {
                check(&named("stop"), *stop, 0.0, 1e6)?;
            }
            for (below, here) in self.connections(pathway) {
                check_count(&named("layers"), here, 1, MAX_UNITS)?;
                weights += below * here;
            }
        }
        if let Some(fields) = &self.visual.fields {
            let units = self.visual.layers.first().copied().unwrap_or(0);
            fields.validate(self.visual.input, units)?;
        }
        if self.tactile.fields.is_some() {
            return Err(Error::Parameter {
                name: "tactile.fields".to_owned(),
                value: "given".to_owned(),
                range: "none: whiskers are no image".to_owned(),
            });
        }
        if weights > MAX_WEIGHTS {
            return Err(Error::Parameter {
                name: "number of weights".to_owned(),
                value: weights.to_string(),
                range: format!("at most {MAX_WEIGHTS}"),
            });
        }
        Ok(())
    }

    /// Units below and here of each connection of a pathway, the joint one last.
    pub(super) fn connections(&self, pathway: &PathwayConfig) -> Vec<(usize, usize)> {
        let here = pathway.layers.iter().chain([&self.joint]);
        let below = [pathway.input];
        let below = below.iter().chain(&pathway.layers);
        below.copied().zip(here.copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_network_has_its_weights() {
        let config = Config::default();
        config.validate().unwrap();
        let all = config.pathways().map(|p| config.connections(p));
        assert_eq!(all[0], [(10_800, 1000), (1000, 300), (300, 100)]);
        let weights: usize = all.iter().flatten().map(|(b, h)| b * h).sum();
        assert_eq!(weights, 11_136_600);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        type Spoil = fn(&mut Config);
        let cases: [(&str, Spoil); 5] = [
            ("visual.cause_rate is NaN", |c| {
                c.visual.cause_rate = f64::NAN
            }),
            ("tactile.layers is 0", |c| c.tactile.layers.clear()),
            ("visual.stop is 2", |c| _ = c.visual.stop.pop()),
            ("joint is 0", |c| c.joint = 0),
            ("number of weights", |c| c.visual.layers[0] = 1 << 20),
        ];
        for (says, spoil) in cases {
            let mut config = Config::default();
            spoil(&mut config);
            let text = config.validate().unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
        }
    }
}
