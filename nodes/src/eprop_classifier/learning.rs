//! What labels change while the node runs, and the names of its classes.

use crate::parameters::Parameters;
use saccade_engine::learning::optimizer::{Optimizer, OptimizerConfig};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::rehearsal::{Rehearsal, RehearsalConfig};
use saccade_engine::models::slow::Slow;
use saccade_msgs::CLASSES;
use saccade_msgs::saccade_msgs::Label;

/// Variations of an interval that are rehearsed with it.
const VARIATIONS: usize = 3;

/// What a label asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// Nothing: the learning signal is off.
    Nothing,
    /// To learn this class.
    Class(usize),
    /// To learn a class that the network has no room for.
    Unknown,
}

/// Which weights learn.
enum Plastic {
    /// All of them, by e-prop; the running average decides.
    All(Box<All>),
    /// Those of the readout to the classes taught, with rehearsal of the others.
    Readout(Box<Rehearsal>),
}

struct All {
    rate: OptimizerConfig,
    average: f64,
    optimizer: Optimizer<f32>,
    slow: Slow,
}

impl All {
    fn new(classifier: &Classifier, rate: OptimizerConfig, average: f64) -> Result<Self, String> {
        let optimizer = Optimizer::new(rate.clone(), &classifier.network().topology);
        Ok(Self {
            optimizer: optimizer.map_err(|e| e.to_string())?,
            slow: Slow::new(classifier, average),
            rate,
            average,
        })
    }
}

/// Learning while running.
pub(super) struct Learner {
    on: bool,
    plastic: Plastic,
    /// Names of the network's classes, in the order of its readout.
    names: Vec<String>,
    /// How many there may be.
    room: usize,
    remember_above: f64,
}

impl Learner {
    /// As the node's parameters say, for a network that is trained or not.
    ///
    /// # Errors
    /// In words.
    pub(super) fn new(
        parameters: &Parameters,
        classifier: &Classifier,
        trained: bool,
    ) -> Result<Self, String> {
        let readout = match parameters.text("plastic") {
            "" => trained,
            "all" => false,
            "readout" => true,
            other => {
                return Err(format!(
                    "parameter 'plastic' = '{other}' is none of: all, readout"
                ));
            }
        };
        let plastic = if readout {
            let config = RehearsalConfig {
                kept: parameters.integer("rehearsal") as usize,
                seed: parameters.integer("seed") as u64,
                // Inputs are known to be an image, whose variations are of the same class,
                // where a network was trained on such.
                variations: if trained { VARIATIONS } else { 0 },
                ..RehearsalConfig::default()
            };
            let rehearsal = Rehearsal::new(config).map_err(|e| e.to_string())?;
            Plastic::Readout(Box::new(rehearsal))
        } else {
            let rate = OptimizerConfig::adam(parameters.double("learning_rate"));
            let all = All::new(classifier, rate, parameters.double("average"))?;
            Plastic::All(Box::new(all))
        };
        Ok(Self {
            on: parameters.switch("learn"),
            plastic,
            names: CLASSES.map(str::to_owned).to_vec(),
            room: CLASSES.len() + parameters.integer("new_classes") as usize,
            remember_above: parameters.double("remember_above"),
        })
    }

    /// Whether labels change nothing but the readout.
    pub(super) fn readout_only(&self) -> bool {
        matches!(self.plastic, Plastic::Readout(_))
    }

    /// Names of the network's classes, in the order of its readout.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// What a label asks for. A class goes by its number, or else by its name; a name
    /// that is new takes a new class while there is room, which starts the interval anew.
    pub(super) fn asked(&mut self, label: &Label, classifier: &mut Classifier) -> Asked {
        if !(label.learn && self.on) {
            return Asked::Nothing;
        }
        let by_number = usize::try_from(label.class_id).ok();
        if let Some(class) = by_number.filter(|class| *class < self.names.len()) {
            return Asked::Class(class);
        }
        if label.label.is_empty() {
            return Asked::Unknown;
        }
        if let Some(class) = self.names.iter().position(|name| *name == label.label) {
            return Asked::Class(class);
        }
        if self.names.len() >= self.room {
            return Asked::Unknown;
        }
        classifier.add_class();
        if let Plastic::All(all) = &mut self.plastic {
            // Its rate was valid before; another number of classes does not change that.
            if let Ok(wider) = All::new(classifier, all.rate.clone(), all.average) {
                **all = wider;
            }
        }
        self.names.push(label.label.clone());
        Asked::Class(self.names.len() - 1)
    }

    /// An interval has ended, of this class if it was told. How many intervals were
    /// learnt from. Without a label no weight changes; a confident decision for a class that
    /// was not taught here is kept, to be rehearsed when a label comes. What a class is that
    /// labels teach, they alone say: its own first mistakes would be learnt.
    ///
    /// # Errors
    /// The engine's, where learning diverges; the weights stay.
    pub(super) fn ended(
        &mut self,
        classifier: &mut Classifier,
        target: Option<usize>,
    ) -> saccade_engine::Result<u64> {
        if !self.on || classifier.ticks() <= classifier.config().learn_from_tick {
            return Ok(0);
        }
        match (&mut self.plastic, target) {
            (Plastic::All(all), Some(_)) => {
                if classifier.learn().is_none() {
                    return Ok(0);
                }
                let learnt = all.slow.apply(classifier, &mut all.optimizer)?;
                Ok(learnt as u64)
            }
            (Plastic::All(_), None) => Ok(0),
            (Plastic::Readout(rehearsal), Some(class)) => {
                rehearsal.teach(classifier, class).map(u64::from)
            }
            (Plastic::Readout(rehearsal), None) => {
                let decision = classifier.decision();
                let confident = f64::from(decision.confidence) >= self.remember_above;
                if confident && !rehearsal.taught(decision.class) {
                    rehearsal.keep(classifier, decision.class)?;
                }
                Ok(0)
            }
        }
    }

    /// Intervals kept for rehearsal.
    pub(super) fn kept(&self) -> u64 {
        match &self.plastic {
            Plastic::All(_) => 0,
            Plastic::Readout(rehearsal) => rehearsal.counts().iter().sum::<usize>() as u64,
        }
    }
}
