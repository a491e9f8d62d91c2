//! Learning from single samples without following the last ones.
//!
//! One step per label, as large as the first, makes weights that are those of the last
//! few samples. So the steps are made by weights of their own, the *leader*, and the
//! weights that decide, and that the gradient is taken at, are the leader's running
//! average (primal averaging: Nesterov & Shikhman 2015; Defazio et al. 2024). Without a
//! label there is no step, and neither of the two changes.

use super::classifier::Classifier;
use super::training::follow;
use crate::error::Result;
use crate::learning::optimizer::Optimizer;
use crate::network::Weights;

/// The leader of a classifier's weights.
#[derive(Clone, Debug)]
pub struct Slow {
    leader: Weights<f32>,
    decay: f64,
}

impl Slow {
    /// A leader that starts at the classifier's weights; `decay` per step, under 1, is how
    /// long the average remembers. The first steps it remembers less.
    pub fn new(classifier: &Classifier, decay: f64) -> Self {
        Self {
            leader: classifier.network().weights.clone(),
            decay,
        }
    }

    /// [`Classifier::apply`] to the leader; the classifier's weights follow.
    ///
    /// # Errors
    /// As [`Classifier::apply`].
    pub fn apply(
        &mut self,
        classifier: &mut Classifier,
        optimizer: &mut Optimizer<f32>,
    ) -> Result<usize> {
        std::mem::swap(&mut classifier.network_mut().weights, &mut self.leader);
        let applied = classifier.apply(optimizer, 1.0);
        std::mem::swap(&mut classifier.network_mut().weights, &mut self.leader);
        if applied.as_ref().is_ok_and(|&intervals| intervals > 0) {
            let average = &mut classifier.network_mut().weights;
            follow(average, &self.leader, optimizer.steps(), self.decay);
        }
        applied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::optimizer::OptimizerConfig;
    use crate::models::config::ClassifierConfig;

    #[test]
    fn the_classifier_follows_its_leader_and_nothing_moves_without_a_label() {
        let config = ClassifierConfig {
            n_in: 4,
            n_lif: 6,
            n_alif: 0,
            input_gain: 8.0,
            ..ClassifierConfig::default()
        };
        let mut classifier = Classifier::new(config, 1).unwrap();
        let first = classifier.network().weights.clone();
        let mut sgd = Optimizer::new(
            OptimizerConfig::Sgd { eta: 0.1 },
            &classifier.network().topology,
        )
        .unwrap();
        let mut slow = Slow::new(&classifier, 0.99);
        let mut show = |classifier: &mut Classifier, label| {
            classifier.begin_interval();
            for tick in 0..50_u32 {
                classifier.push_spike(tick % 4).unwrap();
                classifier.tick(label).unwrap();
            }
            classifier.learn();
            slow.apply(classifier, &mut sgd).unwrap();
            slow.leader.clone()
        };
        let leader = show(&mut classifier, Some(1));
        let now = classifier.network().weights.clone();
        assert_ne!(leader, first);
        for ((w, f), l) in now.w_out.iter().zip(&first.w_out).zip(&leader.w_out) {
            // The first step counts 10/11: `follow` remembers 1/11 of the start.
            let expected = f / 11.0 + l * 10.0 / 11.0;
            assert!((w - expected).abs() < 1e-6, "{w} {expected}");
        }
        assert_eq!(show(&mut classifier, None), leader);
        assert_eq!(classifier.network().weights, now);
    }
}
