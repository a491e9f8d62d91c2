//! Parameters of the [classifier](super::classifier).

use serde::{Deserialize, Serialize};

use crate::error::{Result, check, check_count};
use crate::learning::eprop::EpropConfig;
use crate::learning::feedback::Feedback;
use crate::network::Topology;
use crate::neurons::NeuronParams;

/// Parameters of a classifier. All fields have defaults; unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Inputs: cells of the encoder times two polarities.
    pub n_in: usize,
    /// LIF neurons of the recurrent layer.
    pub n_lif: usize,
    /// ALIF neurons of the recurrent layer.
    pub n_alif: usize,
    /// Classes.
    pub n_out: usize,
    /// Neuron parameters.
    pub neuron: NeuronParams,
    /// Parameters of the learning rule.
    pub eprop: EpropConfig,
    /// Kind of feedback.
    pub feedback: Feedback,
    /// Longest interval that is recorded for learning, in ticks.
    pub max_ticks: usize,
    /// First tick of an interval with a learning signal.
    pub learn_from_tick: usize,
    /// Standard deviation of the initial input weights.
    pub input_gain: f64,
    /// Standard deviation of the initial recurrent weights, times `sqrt(n_rec)`.
    pub recurrent_gain: f64,
    /// Standard deviation of the initial readout weights, times `sqrt(n_rec)`.
    pub readout_gain: f64,
    /// The mean readout is multiplied by this before the softmax that gives the
    /// decision's probabilities. Training fits it to held-out samples.
    pub decision_sharpness: f64,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self {
            n_in: 2048,
            n_lif: 100,
            n_alif: 100,
            n_out: 4,
            neuron: NeuronParams::default(),
            eprop: EpropConfig::default(),
            feedback: Feedback::Symmetric,
            max_ticks: 1000,
            learn_from_tick: 10,
            input_gain: 0.6,
            recurrent_gain: 1.0,
            readout_gain: 1.0,
            decision_sharpness: 1.0,
        }
    }
}

impl ClassifierConfig {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        check_count("n_in", self.n_in, 1, 1 << 20)?;
        check_count("n_lif", self.n_lif, 0, 1 << 13)?;
        check_count("n_alif", self.n_alif, 0, 1 << 13)?;
        check_count("n_lif + n_alif", self.n_lif + self.n_alif, 1, 1 << 13)?;
        check_count("n_out", self.n_out, 2, 1024)?;
        check_count("max_ticks", self.max_ticks, 1, u16::MAX as usize)?;
        check_count(
            "learn_from_tick",
            self.learn_from_tick,
            0,
            self.max_ticks - 1,
        )?;
        let n_rec = self.n_lif + self.n_alif;
        check_count("n_in * (n_lif + n_alif)", self.n_in * n_rec, 1, 1 << 28)?;
        check_count("max_ticks * n_in", self.max_ticks * self.n_in, 1, 1 << 28)?;
        check_count(
            "max_ticks * (n_lif + n_alif)",
            self.max_ticks * n_rec,
            1,
            1 << 28,
        )?;
        check("input_gain", self.input_gain, 0.0, 1e6)?;
        check("recurrent_gain", self.recurrent_gain, 0.0, 1e6)?;
        check("readout_gain", self.readout_gain, 0.0, 1e6)?;
        check("decision_sharpness", self.decision_sharpness, 1e-3, 1e3)?;
        self.neuron.validate()?;
        self.feedback.validate()?;
        self.eprop.validate()
    }

    /// Sizes of the network.
    pub fn topology(&self) -> Topology {
        Topology {
            n_in: self.n_in,
            n_lif: self.n_lif,
            n_alif: self.n_alif,
            n_out: self.n_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every numeric field set to NaN or an absurd number is refused by name.
    #[test]
    fn absurd_parameters_are_refused_by_name() {
        type Spoil = fn(&mut ClassifierConfig);
        let cases: [(&str, Spoil); 9] = [
            ("n_in", |c| c.n_in = 0),
            ("n_lif", |c| c.n_lif = usize::MAX),
            ("n_out", |c| c.n_out = 1),
            ("max_ticks", |c| c.max_ticks = 1 << 40),
            ("learn_from_tick", |c| c.learn_from_tick = 5000),
            ("input_gain", |c| c.input_gain = f64::NAN),
            ("neuron.v_th", |c| c.neuron.v_th = -1.0),
            ("eprop.c_reg", |c| c.eprop.c_reg = f64::INFINITY),
            ("decision_sharpness", |c| c.decision_sharpness = 0.0),
        ];
        for (name, spoil) in cases {
            let mut config = ClassifierConfig::default();
            spoil(&mut config);
            let text = config.validate().unwrap_err().to_string();
            assert!(text.starts_with(&format!("parameter {name} is ")), "{text}");
        }
        ClassifierConfig::default().validate().unwrap();
    }
}
