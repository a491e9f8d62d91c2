//! What weights files and checkpoints share: tensors with a JSON document in `safetensors`.
//!
//! The metadata has one entry, `saccade`, the document: one entry, because the order
//! of several is not defined and the same content shall give the same bytes.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

const KEY: &str = "saccade";

/// Name, element type, shape and little-endian bytes of a tensor.
pub(super) type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u8>);

/// An F32 tensor.
pub(super) fn f32s(name: &'static str, shape: Vec<usize>, values: &[f32]) -> Tensor {
    let data = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    (name, Dtype::F32, shape, data)
}

/// The bytes of a file with these tensors and this document; the text of the error
/// says what does not fit.
pub(super) fn serialize(
    tensors: &[Tensor],
    document: String,
) -> std::result::Result<Vec<u8>, String> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| {
            Ok((*name, TensorView::new(*dtype, shape.clone(), data)?))
        })
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
    let metadata = HashMap::from([(KEY.to_owned(), document)]);
    views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|e| e.to_string())
}

/// The tensors and the document in the bytes of a file; the text of the error says
/// what does not fit.
pub(super) fn open(bytes: &[u8]) -> std::result::Result<(SafeTensors<'_>, String), String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let document = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let document = document
        .ok_or_else(|| format!("the metadata has no entry {KEY:?}: not written by saccade"))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    Ok((tensors, document.clone()))
}

/// The bytes of a tensor of this type and shape.
pub(super) fn bytes<'a>(
    file: &SafeTensors<'a>,
    name: &'static str,
    dtype: Dtype,
    expected: &[usize],
) -> Result<&'a [u8]> {
    let view = file.tensor(name).map_err(|_| {
        let mut names = file.names();
        names.sort_unstable();
        Error::TensorMissing {
            name,
            found: names.join(", "),
        }
    })?;
    if view.dtype() != dtype {
        return Err(Error::TensorType {
            name,
            expected: format!("{dtype:?}"),
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
    Ok(view.data())
}

/// The values of an F32 tensor of this shape.
pub(super) fn read_f32s(
    file: &SafeTensors<'_>,
    name: &'static str,
    expected: &[usize],
) -> Result<Vec<f32>> {
    let (words, _) = bytes(file, name, Dtype::F32, expected)?.as_chunks::<4>();
    Ok(words.iter().map(|&b| f32::from_le_bytes(b)).collect())
}

/// The same, all of them finite.
pub(super) fn read_finite_f32s(
    file: &SafeTensors<'_>,
    name: &'static str,
    expected: &[usize],
) -> Result<Vec<f32>> {
    let values = read_f32s(file, name, expected)?;
    check_finite(name, &values)?;
    Ok(values)
}

/// Fails where a value is not finite.
pub(super) fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|w| !w.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            name: name.to_owned(),
            index,
            value: f64::from(values[index]),
        }),
    }
}

/// The document of a weights file of such a network in this format; other networks,
/// checkpoints and formats are named.
pub(super) fn weights_document<D: DeserializeOwned>(
    document: &str,
    network: &str,
    format: u32,
) -> Result<D> {
    #[derive(Deserialize)]
    struct Kind {
        format: u32,
        network: Option<serde_json::Value>,
        checkpoint: Option<String>,
    }
    let bad = |e: serde_json::Error| Error::Format(format!("metadata: {e}"));
    let kind: Kind = serde_json::from_str(document).map_err(bad)?;
    if let Some(of) = kind.checkpoint {
        return Err(Error::Format(format!(
            "this is the checkpoint of a training of a {of}, no weights; finish the training"
        )));
    }
    let found = kind.network.as_ref().and_then(|n| n.as_str());
    if found != Some(network) {
        let found = found.unwrap_or("something else");
        return Err(Error::Format(format!(
            "these are the weights of a network {found:?}, expected {network:?}"
        )));
    }
    if kind.format != format {
        return Err(Error::Format(format!(
            "format version {}, this program reads version {format}",
            kind.format
        )));
    }
    serde_json::from_str(document).map_err(bad)
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

/// Replaces a file, whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    // Written beside the target and renamed: a reader sees the old file or the new one.
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let written = std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // Nothing more can be done about a leftover than to try.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(failed)
}
