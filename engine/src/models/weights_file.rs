//! Weights files: `safetensors` with everything needed to run them.
//!
//! Tensors `w_in` `[n_in, n_rec]`, `w_rec` `[n_rec, n_rec]`, `w_out`
//! `[n_rec, n_out]` and, with random feedback, `feedback` `[n_out, n_rec]`, all
//! F32. The document in the metadata has the format version, the configuration and
//! the provenance.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::classifier::{Classifier, Provenance};
use super::config::ClassifierConfig;
use super::tensors::{self, read_finite_f32s};
use crate::error::{Error, Result};
use crate::learning::feedback::Feedback;
use crate::network::Network;

const FORMAT: u32 = 1;
const NETWORK: &str = "classifier";

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    network: String,
    config: ClassifierConfig,
    provenance: Provenance,
}

pub(super) fn to_bytes(classifier: &Classifier) -> Result<Vec<u8>> {
    let document = Document {
        format: FORMAT,
        network: NETWORK.to_owned(),
        config: classifier.config().clone(),
        provenance: classifier.provenance().clone(),
    };
    let document = serde_json::to_string(&document).map_err(|e| Error::Format(e.to_string()))?;
    let network = classifier.network();
    let (t, w) = (&network.topology, &network.weights);
    let n = t.n_rec();
    let mut all = vec![
        ("w_in", vec![t.n_in, n], &w.w_in),
        ("w_rec", vec![n, n], &w.w_rec),
        ("w_out", vec![n, t.n_out], &w.w_out),
    ];
    if let Some(feedback) = &network.feedback {
        all.push(("feedback", vec![t.n_out, n], feedback));
    }
    let mut list = Vec::new();
    for (name, shape, values) in all {
        tensors::check_finite(name, values)?;
        list.push(tensors::f32s(name, shape, values));
    }
    tensors::serialize(&list, document).map_err(Error::Format)
}

pub(super) fn save(classifier: &Classifier, path: &Path) -> Result<()> {
    tensors::write(path, &to_bytes(classifier)?)
}

pub(super) fn load(path: &Path) -> Result<Classifier> {
    from_bytes(&tensors::read(path)?)
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Classifier> {
    let (file, document) = tensors::open(bytes).map_err(Error::Format)?;
    let document: Document = tensors::weights_document(&document, NETWORK, FORMAT)?;
    document.config.validate()?;

    // The shapes are held against the configuration before anything is allocated for it.
    let topology = document.config.topology();
    let (n, n_out) = (topology.n_rec(), topology.n_out);
    let w_in = read_finite_f32s(&file, "w_in", &[topology.n_in, n])?;
    let w_rec = read_finite_f32s(&file, "w_rec", &[n, n])?;
    let w_out = read_finite_f32s(&file, "w_out", &[n, n_out])?;
    let feedback = match document.config.feedback {
        Feedback::Symmetric => None,
        _ => Some(read_finite_f32s(&file, "feedback", &[n_out, n])?),
    };
    let mut network = Network::new(topology, &document.config.neuron);
    network.weights.w_in = w_in;
    network.weights.w_rec = w_rec;
    network.weights.w_out = w_out;
    network.feedback = feedback;
    Ok(Classifier::from_network(
        document.config,
        network,
        document.provenance,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Classifier {
        let config = ClassifierConfig {
            n_in: 10,
            n_lif: 3,
            n_alif: 2,
            max_ticks: 20,
            feedback: Feedback::Random,
            ..ClassifierConfig::default()
        };
        let mut classifier = Classifier::new(config, 5).unwrap();
        classifier.set_provenance(Provenance {
            encoder: r#"{"window":64}"#.to_owned(),
            seed: 5,
            dataset_fingerprint: "abc".to_owned(),
            training: "{}".to_owned(),
        });
        classifier
    }

    #[test]
    fn a_file_comes_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let classifier = small();
        classifier.save(&path).unwrap();
        let back = Classifier::load(&path).unwrap();
        assert_eq!(back.config(), classifier.config());
        assert_eq!(back.provenance(), classifier.provenance());
        assert_eq!(back.network().weights, classifier.network().weights);
        assert_eq!(back.network().feedback, classifier.network().feedback);
        assert_eq!(back.to_bytes().unwrap(), std::fs::read(&path).unwrap());
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "no part file stays behind");
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = small().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(Classifier::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn weights_of_another_topology_are_named() {
        let mut spoilt = small().to_bytes().unwrap();
        let key = br#"\"n_in\":10"#;
        let at = spoilt.windows(key.len()).position(|w| w == key).unwrap();
        // Same length, other number: the header stays valid.
        let at = at + key.len() - 2;
        spoilt[at..at + 2].copy_from_slice(b"11");
        let error = Classifier::from_bytes(&spoilt).unwrap_err().to_string();
        assert!(
            error.contains("w_in") && error.contains("[10, 5]") && error.contains("[11, 5]"),
            "{error}"
        );
    }

    #[test]
    fn nan_weights_are_named() {
        let mut bytes = small().to_bytes().unwrap();
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = Classifier::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("is NaN, it must be finite"), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let path = Path::new("no/such/folder/w.safetensors");
        let error = small().save(path).unwrap_err().to_string();
        assert!(error.contains("no/such/folder"), "{error}");
    }
}
