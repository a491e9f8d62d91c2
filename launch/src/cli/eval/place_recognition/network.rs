//! The predictive-coding network among the models.

use super::models::{Chosen, Options};
use super::sets::Set;
use crate::cli::Context;
use saccade_engine::models::predictive_coding::{
    Config, Method, PlaceNetwork, Recogniser, Schedule,
};
use serde_json::json;
use std::ops::ControlFlow;

/// The network of a set's weights, or else one trained on it, as it runs on a robot.
pub fn fit(set: &Set, options: &Options, told: &dyn Fn(String)) -> Chosen {
    let network = match &set.weights {
        Some(path) => PlaceNetwork::load(path).context(format!("weights {}", path.display()))?,
        None => train(set, options, told)?,
    };
    let epochs = network.provenance().epochs;
    let network = Recogniser::new(network, Method::default())?;
    Ok((Box::new(network), json!({ "epochs": epochs })))
}

fn train(
    set: &Set,
    options: &Options,
    told: &dyn Fn(String),
) -> saccade_engine::Result<PlaceNetwork> {
    let (visual, tactile) = set.train.sizes();
    let config = Config::for_inputs(visual, tactile);
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
