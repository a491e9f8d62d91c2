//! Weights files: `safetensors` with everything needed to run them.
//!
//! Tensors `w_in` `[n_in, n_rec]`, `w_rec` `[n_rec, n_rec]`, `w_out`
//! `[n_rec, n_out]` and, with random feedback, `feedback` `[n_out, n_rec]`, all
//! F32. The metadata has one entry, `saccade`, a JSON document with the format
//! version, the configuration and the provenance: one entry, because the order of
//! several is not defined and the same weights shall give the same bytes.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::classifier::{Classifier, Provenance};
use super::config::ClassifierConfig;
use crate::error::{Error, Result};
use crate::learning::feedback::Feedback;
use crate::network::Network;

const KEY: &str = "saccade";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    network: String,
    config: ClassifierConfig,
    provenance: Provenance,
}

/// Name, shape and values of every tensor of a network.
type Tensor<'a> = (&'static str, Vec<usize>, &'a [f32]);

fn tensors(network: &Network<f32>) -> Vec<Tensor<'_>> {
    let t = &network.topology;
    let (n, w) = (t.n_rec(), &network.weights);
    let mut all: Vec<Tensor<'_>> = vec![
        ("w_in", vec![t.n_in, n], &w.w_in),
        ("w_rec", vec![n, n], &w.w_rec),
        ("w_out", vec![n, t.n_out], &w.w_out),
    ];
    if let Some(feedback) = &network.feedback {
        all.push(("feedback", vec![t.n_out, n], feedback));
    }
    all
}

pub(super) fn to_bytes(classifier: &Classifier) -> Result<Vec<u8>> {
    let document = Document {
        format: FORMAT,
        network: "classifier".to_owned(),
        config: classifier.config().clone(),
        provenance: classifier.provenance().clone(),
    };
    let document = serde_json::to_string(&document).map_err(|e| Error::Format(e.to_string()))?;
    let mut bytes = Vec::new();
    for (name, shape, values) in tensors(classifier.network()) {
        check_finite(name, values)?;
        let data: Vec<u8> = values.iter().flat_map(|w| w.to_le_bytes()).collect();
        bytes.push((name, shape, data));
    }
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
    let metadata = HashMap::from([(KEY.to_owned(), document)]);
    views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|e| Error::Format(e.to_string()))
}

pub(super) fn save(classifier: &Classifier, path: &Path) -> Result<()> {
    let bytes = to_bytes(classifier)?;
    let failed = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    // Written beside the target and renamed: a reader sees the old file or the new one.
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let written = std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // Nothing more can be done about a leftover than to try.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(failed)
}

pub(super) fn load(path: &Path) -> Result<Classifier> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    from_bytes(&bytes)
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Classifier> {
    let format = |e: safetensors::SafeTensorError| Error::Format(e.to_string());
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(format)?;
    let document = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let document = document.ok_or_else(|| {
        Error::Format(format!(
            "the metadata has no entry {KEY:?}: not written by saccade"
        ))
    })?;
    let document = parse(document)?;
    let file = SafeTensors::deserialize(bytes).map_err(format)?;

    // The shapes are held against the configuration before anything is allocated for it.
    let topology = document.config.topology();
    let (n, n_out) = (topology.n_rec(), topology.n_out);
    let w_in = tensor(&file, "w_in", &[topology.n_in, n])?;
    let w_rec = tensor(&file, "w_rec", &[n, n])?;
    let w_out = tensor(&file, "w_out", &[n, n_out])?;
    let feedback = match document.config.feedback {
        Feedback::Symmetric => None,
        _ => Some(tensor(&file, "feedback", &[n_out, n])?),
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

fn parse(document: &str) -> Result<Document> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let bad = |e: serde_json::Error| Error::Format(format!("metadata entry {KEY:?}: {e}"));
    let Version { format } = serde_json::from_str(document).map_err(bad)?;
    if format != FORMAT {
        return Err(Error::Format(format!(
            "format version {format}, this program reads version {FORMAT}"
        )));
    }
    let document: Document = serde_json::from_str(document).map_err(bad)?;
    document.config.validate()?;
    Ok(document)
}

fn tensor(file: &SafeTensors<'_>, name: &'static str, expected: &[usize]) -> Result<Vec<f32>> {
    let view = file.tensor(name).map_err(|_| {
        let mut names = file.names();
        names.sort_unstable();
        Error::TensorMissing {
            name,
            found: names.join(", "),
        }
    })?;
    if view.dtype() != Dtype::F32 {
        return Err(Error::TensorType {
            name,
            found: format!("{:?}", view.dtype()),
        });
    }
    if view.shape() != expected {
        return Err(Error::TensorShape {
            name,
            expected: expected.to_vec(),
            found: view.shape().to_vec(),
        });
    }
    let (words, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|&b| f32::from_le_bytes(b)).collect();
    check_finite(name, &values)?;
    Ok(values)
}

fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|w| !w.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            name: name.to_owned(),
            index,
            value: f64::from(values[index]),
        }),
    }
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
