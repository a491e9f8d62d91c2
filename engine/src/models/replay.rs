//! The interval that has just run, once more and a little different.

use rand_chacha::ChaCha8Rng;

use super::augment::Augment;
use super::classifier::{Classifier, traces};
use crate::network::Interval;
use crate::spikes::SpikeLog;

/// Shows a classifier's network variations of its last interval, beside what it does.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    augment: Augment,
    interval: Interval<f32>,
    spikes: Vec<(u16, u32)>,
    varied: Vec<(u16, u32)>,
    log: SpikeLog,
    scratch: Vec<u32>,
}

impl Replay {
    /// For intervals of this classifier. Inputs that are no grid of cells are not moved.
    pub(super) fn new(classifier: &Classifier) -> Self {
        let config = classifier.config();
        let augment = Augment::default();
        let augment = match augment.validate(config.n_in) {
            Ok(()) => augment,
            Err(_) => Augment {
                shift: 0,
                flip_horizontal: false,
                ..augment
            },
        };
        let network = classifier.network();
        Self {
            augment,
            interval: Interval::new(network, config.max_ticks, config.max_ticks * config.n_in),
            spikes: Vec::new(),
            varied: Vec::new(),
            log: SpikeLog::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes the classifier's interval as what is to be varied.
    pub(super) fn take(&mut self, classifier: &Classifier) {
        let shown = classifier.interval();
        if self.interval.readout().len() != shown.readout().len() {
            // A class has come since.
            *self = Self::new(classifier);
        }
        self.spikes.clear();
        for s in 0..shown.recorded() {
            let spikes = shown.inputs().tick(s).iter();
            self.spikes.extend(spikes.map(|&id| (s as u16, id)));
        }
    }

    /// Traces ([`Classifier::traces`]) of a variation of it, into `out` (`n_rec` long).
    pub(super) fn traces(
        &mut self,
        classifier: &Classifier,
        rng: &mut ChaCha8Rng,
        out: &mut [f32],
    ) {
        let ticks = classifier.interval().recorded();
        let network = classifier.network();
        self.augment
            .apply(&self.spikes, ticks, rng, &mut self.varied);
        self.log.fill(ticks, &self.varied, &mut self.scratch);
        self.interval.begin();
        for s in 0..ticks {
            self.interval.step(network, self.log.tick(s));
        }
        traces(&self.interval, &network.dynamics, out);
    }
}
