//! Weights files of place networks: `safetensors`, F32 `[below, here]` for each
//! connection (`visual.0`, `visual.1`, `visual.joint`, `tactile.0`, …), and a document
//! with sizes, rates, scaling and provenance. A readout has `readout.visual`,
//! `[top, features]`, `readout.visual.mean` and the same of the tactile pathway.

use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::config::{Config, MAX_LAYERS};
use super::network::Network;
use super::place_network::{PlaceNetwork, Provenance, Scaling};
use super::readout::{Readout, ReadoutConfig};
use super::reliability::Reliability;
use crate::error::{Error, Result};
use crate::learning::predictive_coding::Connection;
use crate::models::place::SlowFeatures;
use crate::models::tensors::{self, Tensor};

const FORMAT: u32 = 1;
const NETWORK: &str = "predictive-coding";
/// Layers of each pathway, and the joint connection after them.
const NAMES: [[&str; MAX_LAYERS + 1]; 2] = [
    [
        "visual.0",
        "visual.1",
        "visual.2",
        "visual.3",
        "visual.joint",
    ],
    [
        "tactile.0",
        "tactile.1",
        "tactile.2",
        "tactile.3",
        "tactile.joint",
    ],
];

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    network: String,
    config: Config,
    scaling: Scaling,
    provenance: Provenance,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reliability: Option<Reliability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    readout: Option<ReadoutConfig>,
}

/// Names of a readout's weights and of what it subtracts, of each pathway.
const READOUT: [[&str; 2]; 2] = [
    ["readout.visual", "readout.visual.mean"],
    ["readout.tactile", "readout.tactile.mean"],
];

/// Names of the connections of pathway `m`, of which the last is the joint one.
fn names(m: usize, connections: usize) -> impl Iterator<Item = &'static str> {
    let layers = NAMES[m][..connections - 1].iter();
    layers.chain(&NAMES[m][MAX_LAYERS..]).copied()
}

/// All connections as tensors.
pub(super) fn weights(network: &Network<f32>) -> Result<Vec<Tensor>> {
    let mut list = Vec::new();
    for (m, connections) in network.connections().iter().enumerate() {
        for (name, connection) in names(m, connections.len()).zip(connections) {
            let (below, here) = connection.sizes();
            tensors::check_finite(name, connection.weights())?;
            list.push(tensors::f32s(name, vec![below, here], connection.weights()));
        }
    }
    Ok(list)
}

/// The network in a file's tensors. Shapes are held against the configuration before
/// anything is allocated for it.
pub(super) fn network(file: &SafeTensors<'_>, config: &Config) -> Result<Network<f32>> {
    let mut both = [Vec::new(), Vec::new()];
    for (m, pathway) in config.pathways().into_iter().enumerate() {
        let sizes = config.connections(pathway);
        for (name, (below, here)) in names(m, sizes.len()).zip(sizes) {
            let weights = tensors::read_finite_f32s(file, name, &[below, here])?;
            both[m].push(Connection::from_weights(below, here, weights));
        }
    }
    Network::from_connections(config.clone(), both)
}

/// The readout in a file's tensors: as many features of a sense as were asked for, or as it
/// has top causes.
fn readout(file: &SafeTensors<'_>, config: &Config, how: ReadoutConfig) -> Result<Readout> {
    let slow = |m: usize| -> Result<SlowFeatures> {
        let top = config.pathways()[m].layers.last().copied().unwrap_or(0);
        let features = how.slow.features.min(top);
        let weights = tensors::read_finite_f32s(file, READOUT[m][0], &[top, features])?;
        let mean = tensors::read_finite_f32s(file, READOUT[m][1], &[top])?;
        SlowFeatures::from_parts(mean, weights)
    };
    Readout::new([slow(0)?, slow(1)?], how)
}

pub(super) fn to_bytes(place: &PlaceNetwork) -> Result<Vec<u8>> {
    let document = Document {
        format: FORMAT,
        network: NETWORK.to_owned(),
        config: place.config().clone(),
        scaling: place.scaling.clone(),
        provenance: place.provenance.clone(),
        reliability: place.reliability,
        readout: place.readout.as_ref().map(|r| r.config),
    };
    let document = serde_json::to_string(&document).map_err(|e| Error::Format(e.to_string()))?;
    let mut list = weights(&place.network)?;
    for (names, slow) in READOUT
        .iter()
        .zip(place.readout.iter().flat_map(|r| &r.slow))
    {
        let shape = vec![slow.input_len(), slow.features()];
        list.push(tensors::f32s(names[0], shape, slow.weights()));
        list.push(tensors::f32s(names[1], vec![slow.input_len()], slow.mean()));
    }
    tensors::serialize(&list, document).map_err(Error::Format)
}

pub(super) fn save(place: &PlaceNetwork, path: &Path) -> Result<()> {
    tensors::write(path, &to_bytes(place)?)
}

pub(super) fn load(path: &Path) -> Result<PlaceNetwork> {
    from_bytes(&tensors::read(path)?)
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<PlaceNetwork> {
    let (file, document) = tensors::open(bytes).map_err(Error::Format)?;
    let document: Document = tensors::weights_document(&document, NETWORK, FORMAT)?;
    document.config.validate()?;
    let network = network(&file, &document.config)?;
    let place = PlaceNetwork::new(network, document.scaling, document.provenance)?;
    let place = match document.readout {
        Some(config) => {
            let readout = readout(&file, place.config(), config)?;
            place.with_readout(readout)
        }
        None => place,
    };
    Ok(match document.reliability {
        Some(reliability) => place.with_reliability(reliability),
        None => place,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::classifier::Classifier;
    use crate::models::config::ClassifierConfig;

    fn small() -> PlaceNetwork {
        let mut config = Config::for_inputs(6, 3);
        config.visual.layers = vec![5, 4];
        config.tactile.layers = vec![3];
        config.tactile.stop.pop();
        config.joint = 2;
        let scaling = Scaling {
            least: vec![0.0, -1.0, 2.0],
            greatest: vec![1.0, 0.5, 2.0],
        };
        let provenance = Provenance {
            seed: 7,
            ..Provenance::default()
        };
        PlaceNetwork::new(Network::new(config, 7).unwrap(), scaling, provenance).unwrap()
    }

    #[test]
    fn a_file_comes_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("place.safetensors");
        small().save(&path).unwrap();
        assert_eq!(PlaceNetwork::load(&path).unwrap(), small());
    }

    #[test]
    fn damage_and_other_networks_are_told() {
        let bytes = small().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(PlaceNetwork::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
        let mut spoilt = bytes.clone();
        let end = spoilt.len();
        spoilt[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        let text = PlaceNetwork::from_bytes(&spoilt).unwrap_err().to_string();
        assert!(text.contains("it must be finite"), "{text}");

        let key = br#"\"input\":6"#;
        let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
        let mut spoilt = bytes.clone();
        spoilt[at + key.len() - 1] = b'7';
        let text = PlaceNetwork::from_bytes(&spoilt).unwrap_err().to_string();
        assert!(text.contains("visual.0 has shape [6, 5]"), "{text}");

        let classifier = Classifier::new(ClassifierConfig::default(), 1).unwrap();
        let text = PlaceNetwork::from_bytes(&classifier.to_bytes().unwrap());
        let text = text.unwrap_err().to_string();
        assert!(text.contains(r#"a network "classifier""#), "{text}");
        let text = Classifier::from_bytes(&bytes).unwrap_err().to_string();
        assert!(text.contains(r#"a network "predictive-coding""#), "{text}");
    }
}
