//! The predictive-coding network among the models.

use super::models::{Chosen, Options};
use super::sets::Set;
use crate::cli::{CliError, Context};
use saccade_engine::models::place::{Descriptor, Samples, Senses};
use saccade_engine::models::predictive_coding::{
    Config, Fields, Method, PlaceNetwork, Readout, ReadoutConfig, Recogniser, Schedule,
};
use saccade_nodes::place_samples::VISUAL;
use serde_json::json;
use std::ops::ControlFlow;

/// The network of a set's weights, or else one trained on it, as it runs on a robot.
///
/// Weights without a readout learn one from the stored samples; with `published` places are
/// coded by the joint causes.
pub fn fit(
    set: &Set,
    options: &Options,
    [fields, published]: [bool; 2],
    told: &dyn Fn(String),
) -> Chosen {
    let weights = if fields {
        &set.weights_rf
    } else {
        &set.weights
    };
    let network = match weights {
        Some(path) => PlaceNetwork::load(path).context(format!("weights {}", path.display()))?,
        None => train(set, options, fields, told)?,
    };
    let epochs = network.provenance().epochs;
    let has_fields = network.config().visual.fields.is_some();
    if has_fields != fields {
        let (is, not) = if fields {
            ("without", "with")
        } else {
            ("with", "without")
        };
        return Err(CliError::usage(format!(
            "the weights are of a network {is} receptive fields, needed is one {not}: --weights \
             are for the model network, --weights-rf for network-rf"
        )));
    }
    let network = match (published, network.readout()) {
        (true, _) => network.without_readout(),
        (false, Some(_)) => network,
        (false, None) => {
            let readout = Readout::learn(&network, &set.train, ReadoutConfig::default())?;
            network.with_readout(readout)
        }
    };
    let network = Recogniser::new(network, Method::default())?;
    let chosen = json!({ "epochs": epochs });
    let name = match (fields, published) {
        (true, _) => "predictive coding, fields",
        (_, true) => "predictive coding, published",
        _ => return Ok((Box::new(network), chosen)),
    };
    Ok((Box::new(Named(name, network)), chosen))
}

/// A variant of the network, under a name of its own.
struct Named(&'static str, Recogniser);

impl Descriptor for Named {
    fn name(&self) -> &str {
        self.0
    }

    fn describe(
        &mut self,
        samples: &Samples,
        i: usize,
        senses: Senses,
    ) -> saccade_engine::Result<Vec<f32>> {
        self.1.describe(samples, i, senses)
    }

    fn imagine(
        &mut self,
        samples: &Samples,
        i: usize,
        senses: Senses,
    ) -> saccade_engine::Result<Option<Vec<f32>>> {
        Descriptor::imagine(&mut self.1, samples, i, senses)
    }
}

fn train(
    set: &Set,
    options: &Options,
    fields: bool,
    told: &dyn Fn(String),
) -> saccade_engine::Result<PlaceNetwork> {
    let (visual, tactile) = set.train.sizes();
    let mut config = Config::for_inputs(visual, tactile);
    config.visual.fields = fields.then(|| Fields::over(VISUAL));
    let schedule = Schedule {
        epochs: options.network_epochs,
        ..Schedule::default()
    };
    PlaceNetwork::train(&set.train, &config, &schedule, options.seed, &mut |epoch| {
        told(format!(
            "network, epoch {} of {}, squared errors {:.4} seen, {:.4} felt",
            epoch.epoch, epoch.epochs, epoch.visual, epoch.tactile
        ));
        ControlFlow::Continue(())
    })
}
