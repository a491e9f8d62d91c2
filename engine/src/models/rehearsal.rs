//! Teaching a readout new classes without forgetting the old ones.
//!
//! The evidence of a decision is linear in the readout weights: class `k` has
//! `sum_j W_jk F_j`, with `F_j` the mean over the interval of the spikes of neuron `j`
//! filtered as the readout filters them ([`Classifier::traces`]). So an interval need not
//! be replayed to be learnt from once more: its `F` is all there is to keep, one number
//! per neuron. A rehearsal keeps the last few of every class, and with each some
//! variations of it, shown to the network when it is kept: moved, mirrored, thinned out, as
//! training varies its samples.
//!
//! With every label, the columns of `W` of the classes that have been taught here are
//! fitted anew to all that is kept, each class weighing the same, from what they were
//! before and in a fixed number of steps, ever smaller ones: e-prop's rule for readout
//! weights, error times trace, with the error of the decision, and a pull back to where
//! they were, because the few samples can be fitted too well
//!
//! ```text
//! p = softmax(beta F W),   dW_jk = -eta (beta F_j (p_k - t_k) + stay (W_jk - W0_jk) / size^2)
//! ```
//!
//! `beta` being the sharpness of the decision, `size` a typical readout weight and `t` the
//! label, softened so that a few samples do not prove certainty. The other columns and all other weights stay as they
//! are: what lies between the old classes does not move at all, and an old class can
//! only lose what the new one takes.

use std::collections::VecDeque;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::classifier::Classifier;
use super::replay::Replay;
use crate::error::{Error, Result, check, check_count};
use crate::learning::loss;
use crate::simd::add_scaled;

/// What the true class does not get of a label.
const DOUBT: f32 = 0.02;

/// Parameters of a rehearsal.
#[derive(Clone, Debug, PartialEq)]
pub struct RehearsalConfig {
    /// Intervals kept of each class; the oldest goes first.
    pub kept: usize,
    /// Variations of each that are learnt from too, where inputs are the cells of an image.
    pub variations: usize,
    /// Seed of the variations.
    pub seed: u64,
    /// Steps of Adam per label.
    pub steps: usize,
    /// Adam's first step size, relative to the typical size of a readout weight; it falls
    /// to 0 on a line.
    pub rate: f64,
    /// What it costs that a weight has moved by that size: half of this in nats, where a
    /// class's samples together count as one.
    pub stay: f64,
}

impl Default for RehearsalConfig {
    fn default() -> Self {
        Self {
            kept: 64,
            variations: 0,
            seed: 1,
            steps: 150,
            rate: 0.1,
            stay: 1e-3,
        }
    }
}

/// What is kept of the intervals of each class, and which classes learn.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    config: RehearsalConfig,
    rng: ChaCha8Rng,
    replay: Option<Replay>,
    /// Of each interval the traces of it and its variations, `[1 + variations, n_rec]`.
    kept: Vec<VecDeque<Vec<f32>>>,
    /// Of classes that were taught: their readout weights before.
    start: Vec<Option<Vec<f32>>>,
}

impl Rehearsal {
    /// An empty one.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the configuration is out of range.
    pub fn new(config: RehearsalConfig) -> Result<Self> {
        check_count("rehearsal.kept", config.kept, 1, 100_000)?;
        check_count("rehearsal.steps", config.steps, 1, 100_000)?;
        check("rehearsal.rate", config.rate, 0.0, 10.0)?;
        check("rehearsal.stay", config.stay, 0.0, 1e3)?;
        check_count("rehearsal.variations", config.variations, 0, 1000)?;
        Ok(Self {
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            replay: None,
            config,
            kept: Vec::new(),
            start: Vec::new(),
        })
    }

    /// Keeps the interval that has just run as one of `class`.
    ///
    /// # Errors
    /// [`Error::ClassOutOfRange`].
    pub fn keep(&mut self, classifier: &Classifier, class: usize) -> Result<()> {
        let topology = classifier.network().topology;
        let n_out = topology.n_out;
        if class >= n_out {
            return Err(Error::ClassOutOfRange { class, n_out });
        }
        self.kept.resize_with(n_out, VecDeque::new);
        self.start.resize(n_out, None);
        let kept = &mut self.kept[class];
        // The oldest makes room, and gives its memory.
        let mut traces = match kept.len() >= self.config.kept {
            true => kept.pop_front().unwrap_or_default(),
            false => Vec::new(),
        };
        let n = topology.n_rec();
        traces.resize((1 + self.config.variations) * n, 0.0);
        let (own, varied) = traces.split_at_mut(n);
        classifier.traces(own);
        if self.config.variations > 0 {
            let replay = self.replay.get_or_insert_with(|| Replay::new(classifier));
            replay.take(classifier);
            for one in varied.chunks_exact_mut(n) {
                replay.traces(classifier, &mut self.rng, one);
            }
        }
        kept.push_back(traces);
        Ok(())
    }

    /// Keeps the interval that has just run as one of `class`, which was told, and fits
    /// the readout to all that is kept. Whether anything was learnt: not while nothing
    /// of any other class is kept, because everything would become this one.
    ///
    /// # Errors
    /// [`Error::ClassOutOfRange`].
    pub fn teach(&mut self, classifier: &mut Classifier, class: usize) -> Result<bool> {
        self.keep(classifier, class)?;
        let n_out = classifier.config().n_out;
        let w_out = &classifier.network().weights.w_out;
        let column = || w_out.iter().skip(class).step_by(n_out).copied().collect();
        self.start[class].get_or_insert_with(column);
        let others = self.kept.iter().enumerate();
        if others
            .filter(|(k, _)| *k != class)
            .all(|(_, kept)| kept.is_empty())
        {
            return Ok(false);
        }
        self.fit(classifier);
        Ok(true)
    }

    /// Whether `class` has been taught here.
    pub fn taught(&self, class: usize) -> bool {
        self.start.get(class).is_some_and(Option::is_some)
    }

    /// Intervals kept, by class.
    pub fn counts(&self) -> Vec<usize> {
        self.kept.iter().map(VecDeque::len).collect()
    }

    fn fit(&self, classifier: &mut Classifier) {
        let beta = classifier.config().decision_sharpness as f32;
        let (n, n_out) = (
            classifier.network().topology.n_rec(),
            classifier.config().n_out,
        );
        let weights = &mut classifier.network_mut().weights.w_out;
        let size = typical_size(weights, n_out, &self.start);
        let eta = (self.config.rate * size) as f32;
        let stay = (self.config.stay / size.powi(2).max(1e-12)) as f32;
        let taught = self.start.iter().enumerate();
        let mut columns: Vec<Column> = taught
            .filter_map(|(k, start)| Some(Column::of(k, start.clone()?)))
            .collect();
        // What the classes that stay say of each interval does not change.
        let mut rehearsed: Vec<(usize, &[f32], Vec<f32>)> = Vec::new();
        for (class, kept) in self.kept.iter().enumerate() {
            for traces in kept.iter().flat_map(|all| all.chunks_exact(n)) {
                let mut evidence = vec![0.0; n_out];
                for (row, &f) in weights.chunks_exact(n_out).zip(traces) {
                    add_scaled(&mut evidence, f, row);
                }
                rehearsed.push((class, traces, evidence));
            }
        }
        let mut p = vec![0.0; n_out];
        for step in 1..=self.config.steps {
            for (class, traces, evidence) in &mut rehearsed {
                for column in &columns {
                    evidence[column.class] = column.evidence(traces);
                }
                loss::softmax(evidence, beta, &mut p);
                let samples = self.kept[*class].len() * (1 + self.config.variations);
                let each = beta / samples as f32;
                for column in &mut columns {
                    let target = match column.class == *class {
                        true => 1.0 - DOUBT,
                        false => DOUBT / (n_out as f32 - 1.0),
                    };
                    let error = each * (p[column.class] - target);
                    add_scaled(&mut column.gradient, error, traces);
                }
            }
            let left = 1.0 - (step - 1) as f32 / self.config.steps as f32;
            for column in &mut columns {
                column.step(step as i32, eta * left, stay);
            }
        }
        for column in &columns {
            for (row, &w) in weights.chunks_exact_mut(n_out).zip(&column.weights) {
                row[column.class] = w;
            }
        }
    }
}

/// The readout weights to a class that learns, with the state of Adam.
struct Column {
    class: usize,
    weights: Vec<f32>,
    start: Vec<f32>,
    gradient: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Column {
    fn of(class: usize, weights: Vec<f32>) -> Self {
        let zero = vec![0.0; weights.len()];
        Self {
            class,
            start: weights.clone(),
            weights,
            gradient: zero.clone(),
            mean: zero.clone(),
            square: zero,
        }
    }

    fn evidence(&self, traces: &[f32]) -> f32 {
        self.weights.iter().zip(traces).map(|(w, f)| w * f).sum()
    }

    /// Step `t` (from 1) of Adam, with a pull to the start; the gradient is used up.
    fn step(&mut self, t: i32, eta: f32, stay: f32) {
        let (b1, b2) = (0.9_f32, 0.99_f32);
        let (unbias_1, unbias_2) = (1.0 / (1.0 - b1.powi(t)), 1.0 / (1.0 - b2.powi(t)));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        let weights = self.weights.iter_mut().zip(&mut self.gradient);
        let weights = weights.zip(&self.start);
        for (((w, g), start), (m, v)) in weights.zip(moments) {
            *g += stay * (*w - start);
            *m = b1 * *m + (1.0 - b1) * *g;
            *v = b2 * *v + (1.0 - b2) * *g * *g;
            *w -= eta * *m * unbias_1 / ((*v * unbias_2).sqrt() + 1e-12);
            *g = 0.0;
        }
    }
}

/// Root mean square of the weights to classes that were not taught (to all where all were).
fn typical_size(weights: &[f32], n_out: usize, taught: &[Option<Vec<f32>>]) -> f64 {
    let all = taught.iter().all(Option::is_some);
    let (mut sum, mut count) = (0.0, 0.0);
    for (i, w) in weights.iter().enumerate() {
        if all || taught[i % n_out].is_none() {
            sum += f64::from(*w).powi(2);
            count += 1.0;
        }
    }
    (sum / f64::max(count, 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::config::ClassifierConfig;

    fn classifier() -> Classifier {
        let config = ClassifierConfig {
            n_in: 50,
            n_lif: 30,
            n_alif: 30,
            max_ticks: 80,
            input_gain: 3.0,
            readout_gain: 0.1,
            n_out: 4,
            ..ClassifierConfig::default()
        };
        Classifier::new(config, 2).unwrap()
    }

    /// Inputs `10 class..10 class + 10` spike in turn; which one first is the sample's own.
    fn show(classifier: &mut Classifier, class: usize, sample: usize) -> usize {
        classifier.begin_interval();
        for tick in 0..80 {
            for k in 0..3 {
                let input = 10 * class + (3 * tick + 7 * k + sample) % 10;
                classifier.push_spike(input as u32).unwrap();
            }
            classifier.tick(None).unwrap();
        }
        classifier.decision().class
    }

    #[test]
    fn traces_times_readout_weights_are_the_evidence() {
        let mut classifier = classifier();
        show(&mut classifier, 2, 0);
        let mut traces = vec![0.0; 60];
        classifier.traces(&mut traces);
        let weights = &classifier.network().weights.w_out;
        let evidence = |k: usize| -> f32 {
            let terms = traces.iter().zip(weights.chunks_exact(4));
            terms.map(|(f, row)| f * row[k]).sum()
        };
        let mut p = [0.0; 4];
        loss::softmax(&[0, 1, 2, 3].map(evidence), 1.0, &mut p);
        let mut expected = [0.0; 4];
        classifier.probabilities(&mut expected);
        for (a, b) in p.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{p:?} {expected:?}");
        }
        assert!(traces.iter().sum::<f32>() > 0.1);
    }

    #[test]
    fn a_fifth_class_is_learnt_and_the_others_keep_their_weights() {
        let mut classifier = classifier();
        let mut rehearsal = Rehearsal::new(RehearsalConfig::default()).unwrap();
        for sample in 0..8 {
            for class in 0..4 {
                show(&mut classifier, class, sample);
                assert_eq!(
                    rehearsal.teach(&mut classifier, class).unwrap(),
                    sample + class > 0
                );
            }
        }
        let decided =
            |classifier: &mut Classifier| [0, 1, 2, 3, 4].map(|class| show(classifier, class, 9));
        let first = decided(&mut classifier);
        assert_eq!(first[..4], [0, 1, 2, 3]);

        // A new life: the four are known and only remembered, the fifth is taught.
        let mut rehearsal = Rehearsal::new(RehearsalConfig::default()).unwrap();
        let before = classifier.network().weights.clone();
        classifier.add_class();
        let same = decided(&mut classifier);
        assert_eq!(same, first, "untaught, it changes no decision");
        for sample in 0..8 {
            for class in 0..4 {
                show(&mut classifier, class, sample);
                rehearsal.keep(&classifier, class).unwrap();
            }
            show(&mut classifier, 4, sample);
            rehearsal.teach(&mut classifier, 4).unwrap();
        }
        assert_eq!(decided(&mut classifier), [0, 1, 2, 3, 4]);
        assert_eq!(rehearsal.counts(), [8; 5]);
        let after = &classifier.network().weights;
        assert_eq!((&after.w_in, &after.w_rec), (&before.w_in, &before.w_rec));
        for (new, old) in after.w_out.chunks(5).zip(before.w_out.chunks(4)) {
            assert_eq!(&new[..4], old);
        }
        assert!(rehearsal.keep(&classifier, 5).is_err());
    }
}
