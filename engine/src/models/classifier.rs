//! The classifier: input spikes, a recurrent LIF/ALIF layer, one leaky readout per class.
//!
//! It decides while spikes arrive and learns from a label by e-prop at the end of
//! an interval (one saccade). The error of the readout is that of the cross entropy
//! of its softmax, in every tick with a target.
//!
//! # Decision
//! The evidence is the mean of the readout over the ticks since onset. Softmax of
//! a mean readout is the normalised geometric mean of the softmax of every tick,
//! the quantity the cross entropy trains: noise of single ticks averages out, and
//! evidence that is not there yet counts for nothing (a silent readout is 0). The
//! probabilities are the softmax of the evidence times `decision_sharpness`, one
//! number that training fits on held-out samples so that confidence means frequency.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::ClassifierConfig;
use super::presentation::Presentation;
use super::weights_file;
use crate::error::{Error, Result};
use crate::learning::eprop::Adjoint;
use crate::learning::feedback::Feedback;
use crate::learning::optimizer::Optimizer;
use crate::network::{Interval, Network, Weights};
use crate::neurons::Dynamics;

/// Where weights come from; travels in the weights file.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// Configuration of the encoder, JSON.
    pub encoder: String,
    /// Seed of initial weights and training.
    pub seed: u64,
    /// Fingerprint of the data set trained on.
    pub dataset_fingerprint: String,
    /// Summary of the training, JSON.
    pub training: String,
}

/// What [`Classifier::learn`] saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learned {
    /// Ticks of the interval that had a learning signal.
    pub ticks: usize,
    /// Mean cross entropy of these ticks in nats.
    pub loss: f64,
}

/// A decision with its confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Most probable class.
    pub class: usize,
    /// Its probability.
    pub confidence: f32,
}

/// Learning state, there once something is to be learnt.
#[derive(Clone, Debug)]
struct Learning {
    adjoint: Adjoint<f32>,
    gradients: Weights<f32>,
    /// Intervals summed in `gradients`.
    intervals: usize,
}

/// A classifier with its weights and the state of the running interval.
#[derive(Clone, Debug)]
pub struct Classifier {
    config: ClassifierConfig,
    provenance: Provenance,
    network: Network<f32>,
    presentation: Presentation,
    learning: Option<Box<Learning>>,
    /// Input spikes of the coming tick, each input at most once.
    pending: Vec<u32>,
    /// Tick of the interval (from 1) for which an input was last queued.
    queued: Vec<u32>,
    merged: u64,
    refused: u64,
}

impl Classifier {
    /// A classifier with random weights.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the configuration is out of range.
    pub fn new(config: ClassifierConfig, seed: u64) -> Result<Self> {
        config.validate()?;
        let mut network = Network::new(config.topology(), &config.neuron);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n_rec = network.topology.n_rec();
        let per_neuron = 1.0 / (n_rec as f64).sqrt();
        let weights = &mut network.weights;
        fill_normal(&mut weights.w_in, config.input_gain, &mut rng);
        fill_normal(
            &mut weights.w_rec,
            config.recurrent_gain * per_neuron,
            &mut rng,
        );
        fill_normal(
            &mut weights.w_out,
            config.readout_gain * per_neuron,
            &mut rng,
        );
        for self_connection in weights.w_rec.iter_mut().step_by(n_rec + 1) {
            *self_connection = 0.0;
        }
        if config.feedback != Feedback::Symmetric {
            let mut random = vec![0.0; config.n_out * n_rec];
            fill_normal(&mut random, config.readout_gain * per_neuron, &mut rng);
            network.feedback = Some(random);
        }
        let provenance = Provenance {
            seed,
            ..Provenance::default()
        };
        Ok(Self::from_network(config, network, provenance))
    }

    /// A classifier around a network that fits the configuration.
    pub(crate) fn from_network(
        config: ClassifierConfig,
        network: Network<f32>,
        provenance: Provenance,
    ) -> Self {
        Self {
            presentation: Presentation::new(&network, config.max_ticks),
            learning: None,
            pending: Vec::with_capacity(config.n_in),
            queued: vec![0; config.n_in],
            merged: 0,
            refused: 0,
            config,
            provenance,
            network,
        }
    }

    /// Reads weights from a file.
    ///
    /// # Errors
    /// [`Error::Io`]; otherwise as [`Classifier::from_bytes`].
    pub fn load(path: &Path) -> Result<Self> {
        weights_file::load(path)
    }

    /// Reads weights from the bytes of a `safetensors` file.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::TensorMissing`], [`Error::TensorShape`],
    /// [`Error::TensorType`], [`Error::NotFinite`], [`Error::Parameter`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        weights_file::from_bytes(bytes)
    }

    /// Writes the weights to a file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] names the file; [`Error::NotFinite`] where a weight is not a number.
    pub fn save(&self, path: &Path) -> Result<()> {
        weights_file::save(self, path)
    }

    /// The weights as the bytes of a `safetensors` file.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where a weight is not a number.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        weights_file::to_bytes(self)
    }

    /// Starts an interval (a saccade): all state returns to zero, queued spikes are forgotten.
    pub fn begin_interval(&mut self) {
        self.presentation.begin();
        self.pending.clear();
        self.queued.fill(0);
    }

    /// Queues an input spike for the coming tick. A second spike of the same input
    /// in a tick is merged with the first, and counted.
    ///
    /// # Errors
    /// [`Error::InputOutOfRange`]; the spike is counted as refused and nothing else happens.
    pub fn push_spike(&mut self, input: u32) -> Result<()> {
        let coming = self.presentation.interval.ticks() as u32 + 1;
        let Some(queued) = self.queued.get_mut(input as usize) else {
            self.refused += 1;
            return Err(Error::InputOutOfRange {
                id: input,
                n_in: self.config.n_in,
            });
        };
        if *queued == coming {
            self.merged += 1;
            return Ok(());
        }
        *queued = coming;
        self.pending.push(input);
        Ok(())
    }

    /// Advances by one tick with the queued spikes; allocates nothing. With a
    /// target, from tick `learn_from_tick` on, the tick gets a learning signal.
    ///
    /// # Errors
    /// [`Error::ClassOutOfRange`], before anything is changed.
    pub fn tick(&mut self, target: Option<usize>) -> Result<()> {
        if let Some(class) = target.filter(|&class| class >= self.config.n_out) {
            let n_out = self.config.n_out;
            return Err(Error::ClassOutOfRange { class, n_out });
        }
        self.presentation.step(&self.network, &self.pending);
        self.pending.clear();
        if let Some(class) = target.filter(|_| self.ticks() > self.config.learn_from_tick) {
            self.presentation.teach(class, 1.0);
        }
        Ok(())
    }

    /// Advances by one tick of a recurrent layer that runs elsewhere (a
    /// [backend](crate::backends)) with the queued spikes: `hidden` are its spikes in the
    /// tick, ascending. The decision is as if it had run here; only the readout can learn
    /// from the interval.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there is no such neuron, before anything is changed.
    pub fn observe(&mut self, hidden: &[u32]) -> Result<()> {
        let n = self.network.topology.n_rec();
        if let Some(neuron) = hidden.iter().find(|&&j| j as usize >= n) {
            return Err(Error::Parameter {
                name: "hidden neuron".into(),
                value: neuron.to_string(),
                range: format!("within 0..{n}, the network's recurrent neurons"),
            });
        }
        self.presentation
            .observe(&self.network, &self.pending, hidden);
        self.pending.clear();
        Ok(())
    }

    /// Ticks since the start of the interval.
    pub fn ticks(&self) -> usize {
        self.presentation.interval.ticks()
    }

    /// Readout after the last tick, one number per class.
    pub fn readout(&self) -> &[f32] {
        self.presentation.interval.readout()
    }

    /// Recurrent neurons that fired in the last tick, ascending; LIF come before ALIF.
    pub fn hidden_spikes(&self) -> &[u32] {
        self.presentation.interval.fired()
    }

    /// Mean over the recorded ticks since onset of each recurrent neuron's spikes, filtered
    /// as the readout filters them, into `out` (`n_rec` long): times the readout weights
    /// it is the evidence.
    pub fn traces(&self, out: &mut [f32]) {
        traces(&self.presentation.interval, &self.network.dynamics, out);
    }

    /// The interval under way, or the last one.
    pub(super) fn interval(&self) -> &Interval<f32> {
        &self.presentation.interval
    }

    /// Makes room for one more class, the last: its readout weights are the least of each
    /// neuron's, so that its evidence is never the largest before it has learnt; its
    /// feedback is 0 where that is not symmetric. The interval starts anew, and pending
    /// gradients are dropped.
    pub fn add_class(&mut self) {
        let old = self.config.n_out;
        self.config.n_out = old + 1;
        self.network.topology = self.config.topology();
        let rows = self.network.weights.w_out.chunks_exact(old);
        // The least of each row: spikes never inhibit, so it decides nothing untaught.
        let least = |row: &[f32]| row.iter().copied().fold(f32::INFINITY, f32::min);
        let wider = rows.flat_map(|row| row.iter().copied().chain([least(row)]));
        self.network.weights.w_out = wider.collect();
        if let Some(feedback) = &mut self.network.feedback {
            feedback.resize((old + 1) * self.network.topology.n_rec(), 0.0);
        }
        self.presentation = Presentation::new(&self.network, self.config.max_ticks);
        self.learning = None;
        self.begin_interval();
    }

    /// Probability of every class by the evidence so far, into `out` (`n_out` long).
    pub fn probabilities(&self, out: &mut [f32]) {
        self.presentation
            .probabilities(self.config.decision_sharpness, out);
    }

    /// The decision by the evidence so far.
    pub fn decision(&self) -> Decision {
        self.presentation.decision(self.config.decision_sharpness)
    }

    /// Adds the gradient of the interval so far to the pending ones, to be called at
    /// its end. `None` where no tick had a learning signal: there is nothing to learn.
    pub fn learn(&mut self) -> Option<Learned> {
        let ticks = self.presentation.interval.error_ticks();
        if ticks == 0 {
            return None;
        }
        let learning = self.learning.get_or_insert_with(|| {
            Box::new(Learning {
                adjoint: Adjoint::new(&self.network),
                gradients: Weights::zeros(&self.network.topology),
                intervals: 0,
            })
        });
        learning.adjoint.accumulate(
            &self.network,
            &self.presentation.interval,
            &self.config.eprop,
            &mut learning.gradients,
        );
        learning.intervals += 1;
        Some(Learned {
            ticks,
            loss: self.presentation.mean_loss(),
        })
    }

    /// Changes the weights along the pending gradients, averaged over their intervals,
    /// with the optimizer's learning rate times `rate_factor`. Returns how many
    /// intervals went in; without any, nothing happens.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; the gradients are dropped and the weights stay.
    pub fn apply(&mut self, optimizer: &mut Optimizer<f32>, rate_factor: f64) -> Result<usize> {
        let Some(learning) = &mut self.learning else {
            return Ok(0);
        };
        let intervals = std::mem::take(&mut learning.intervals);
        if intervals == 0 {
            return Ok(0);
        }
        let feedback = self.config.feedback;
        let (network, gradients) = (&mut self.network, &learning.gradients);
        let done = optimizer.update(network, feedback, gradients, intervals, rate_factor);
        learning.gradients.clear();
        done.map(|()| intervals)
    }

    /// Spikes merged with another of the same input and tick, since creation.
    pub fn merged_spikes(&self) -> u64 {
        self.merged
    }

    /// Spikes refused because they named no input, since creation.
    pub fn refused_spikes(&self) -> u64 {
        self.refused
    }

    /// The configuration.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// Sets the sharpness of the decision's softmax.
    pub(super) fn set_sharpness(&mut self, sharpness: f64) {
        self.config.decision_sharpness = sharpness;
    }

    /// Where the weights come from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Says where the weights come from, for the weights file.
    pub fn set_provenance(&mut self, provenance: Provenance) {
        self.provenance = provenance;
    }

    /// The network with its weights.
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }

    /// The network with its weights, to be changed.
    pub(super) fn network_mut(&mut self) -> &mut Network<f32> {
        &mut self.network
    }
}

/// Fills `out` with draws from a normal distribution (Box-Muller).
fn fill_normal(out: &mut [f32], deviation: f64, rng: &mut ChaCha8Rng) {
    for pair in out.chunks_mut(2) {
        // 1 - u lies in (0, 1]: its logarithm is finite.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * deviation;
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        for (x, factor) in pair.iter_mut().zip([cos, sin]) {
            *x = (radius * factor) as f32;
        }
    }
}

/// See [`Classifier::traces`].
pub(super) fn traces(interval: &Interval<f32>, d: &Dynamics<f32>, out: &mut [f32]) {
    let ticks = interval.recorded();
    out.fill(0.0);
    // What a spike adds to the sum of its trace over the ticks from its own to the last.
    let mut sum = 0.0;
    for s in (0..ticks).rev() {
        sum = d.p_out + d.kappa * sum;
        for &j in interval.spikes().tick(s) {
            out[j as usize] += sum / ticks as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::optimizer::OptimizerConfig;

    fn small() -> Classifier {
        let config = ClassifierConfig {
            n_in: 40,
            n_lif: 20,
            n_alif: 20,
            max_ticks: 60,
            input_gain: 2.0,
            ..ClassifierConfig::default()
        };
        Classifier::new(config, 3).unwrap()
    }

    /// Inputs `10 class..10 class + 10` spike in turn.
    fn show(classifier: &mut Classifier, class: usize, taught: bool) -> Decision {
        classifier.begin_interval();
        for tick in 0..60 {
            for k in 0..3 {
                let input = 10 * class + (3 * tick + 7 * k) % 10;
                classifier.push_spike(input as u32).unwrap();
            }
            classifier.tick(taught.then_some(class)).unwrap();
        }
        classifier.decision()
    }

    /// One label per interval, one step per interval: as a node learns while it runs.
    #[test]
    fn it_learns_online_and_keeps_it_without_labels() {
        let mut classifier = small();
        let topology = classifier.network().topology;
        let mut adam = Optimizer::new(OptimizerConfig::adam(0.02), &topology).unwrap();
        let mut losses = Vec::new();
        for presentation in 0..160 {
            show(&mut classifier, presentation % 4, true);
            losses.push(classifier.learn().unwrap().loss);
            assert_eq!(classifier.apply(&mut adam, 1.0).unwrap(), 1);
        }
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..8]), mean(&losses[152..]));
        assert!(last < 0.5 * first, "{first} {last}");
        for class in 0..4 {
            let decision = show(&mut classifier, class, false);
            assert_eq!(decision.class, class);
            assert!(decision.confidence > 0.5, "{decision:?}");
            assert_eq!(classifier.learn(), None, "no label, nothing to learn");
        }
        assert_eq!(classifier.apply(&mut adam, 1.0).unwrap(), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut classifier = small();
        let error = classifier.push_spike(40).unwrap_err().to_string();
        assert!(error.contains("input spike 40"), "{error}");
        classifier.push_spike(5).unwrap();
        classifier.push_spike(5).unwrap();
        assert_eq!(
            (classifier.refused_spikes(), classifier.merged_spikes()),
            (1, 1)
        );
        let error = classifier.tick(Some(4)).unwrap_err().to_string();
        assert!(
            error.contains("class 4") && classifier.ticks() == 0,
            "{error}"
        );
        // Queued spikes wait for the next tick; its own ones are new again.
        classifier.tick(None).unwrap();
        classifier.push_spike(5).unwrap();
        assert_eq!(classifier.merged_spikes(), 1);
    }

    #[test]
    fn probabilities_belong_to_the_decision() {
        let mut classifier = small();
        let mut p = [0.0; 4];
        classifier.probabilities(&mut p);
        assert_eq!(p, [0.25; 4], "no evidence, no preference");
        let decision = show(&mut classifier, 1, false);
        classifier.probabilities(&mut p);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((p[decision.class] - decision.confidence).abs() < 1e-6);
        assert!(p.iter().all(|&p| p <= decision.confidence + 1e-6));
    }

    /// Ticks beyond `max_ticks` run on; learning covers what was recorded.
    #[test]
    fn an_interval_may_outlast_its_record() {
        let mut classifier = small();
        classifier.begin_interval();
        for tick in 0..100 {
            classifier.push_spike(tick % 40).unwrap();
            classifier.tick(Some(0)).unwrap();
        }
        assert_eq!(classifier.ticks(), 100);
        let learnt_from = classifier.config().learn_from_tick;
        assert_eq!(classifier.learn().unwrap().ticks, 60 - learnt_from);
    }
}
