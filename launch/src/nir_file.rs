//! NIR graphs in files, HDF5 as PyPI's `nir` lays it out: a text `version`, and the
//! group `node`, which is the graph. A node is a group with a text `type`, a data set for
//! each parameter and, where there are some, a group `metadata`; a graph has `edges`, a
//! text array `[n, 2]`, and `nodes`, a group of nodes, and may be a node itself. The crate `hdf5-pure` reads and
//! writes HDF5; arrays are written unpacked and read packed with gzip as well.

use hdf5_pure::{DType, Dataset, File, FileBuilder, Group, GroupBuilder, VlenStringReadOptions};
use saccade_engine::nir::{Array, Element, Graph, MAX_DEPTH, Node, Value, Values};
use saccade_rosbags::write_atomic;
use std::path::{Path, PathBuf};

/// Version of NIR that files say they are of.
const VERSION: &str = "1.0.8";
/// Bytes of a file, numbers in all its arrays, bytes of all its texts and nodes at most.
const MAX_FILE: u64 = 1 << 28;
const MAX_NUMBERS: u64 = 1 << 24;
const MAX_TEXT: usize = 1 << 24;
const MAX_NODES: usize = 10_000;
const MAX_CHUNK: u64 = 1 << 28;
/// Type of a graph.
const GRAPH: &str = "NIRGraph";

/// Why a NIR file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum NirFileError {
    /// The file.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// HDF5 that is damaged, or of a kind that is not read.
    #[error("{place}: {source}")]
    Hdf5 {
        /// Object of the file.
        place: String,
        /// What the crate said.
        source: hdf5_pure::Error,
    },
    /// HDF5, but not as NIR has it.
    #[error("{place}: {what}")]
    Layout {
        /// Object of the file.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

type Result<T> = std::result::Result<T, NirFileError>;

fn wrong<T>(place: &str, what: impl Into<String>) -> Result<T> {
    let (place, what) = (place.to_owned(), what.into());
    Err(NirFileError::Layout { place, what })
}

fn hdf5(place: &str) -> impl Fn(hdf5_pure::Error) -> NirFileError {
    let place = place.to_owned();
    move |source| NirFileError::Hdf5 {
        place: place.clone(),
        source,
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> NirFileError + '_ {
    |source| NirFileError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Whether a file is HDF5, by its first bytes.
pub fn is_hdf5(bytes: &[u8]) -> bool {
    hdf5_pure::is_hdf5_bytes(bytes)
}

/// Writes a graph to a file, whole or not at all.
///
/// # Errors
/// [`NirFileError`].
pub fn write(path: &Path, graph: &Graph) -> Result<()> {
    write_atomic(path, &to_bytes(graph)?).map_err(io(path))
}

/// A graph as the bytes of a file.
///
/// # Errors
/// [`NirFileError::Hdf5`] for names that HDF5 cannot have.
pub fn to_bytes(graph: &Graph) -> Result<Vec<u8>> {
    let mut file = FileBuilder::new();
    file.create_dataset("version")
        .with_vlen_strings(&[VERSION])
        .with_shape(&[]);
    let mut top = file.create_group("node");
    put_graph(&mut top, graph);
    file.add_group(top.finish());
    file.finish().map_err(hdf5("the file"))
}

fn put_graph(top: &mut GroupBuilder, graph: &Graph) {
    put(top, "type", &Value::from(GRAPH));
    let edges: Vec<&str> = graph
        .edges
        .iter()
        .flat_map(|(a, b)| [&a[..], &b[..]])
        .collect();
    top.create_dataset("edges")
        .with_vlen_strings(&edges)
        .with_shape(&[graph.edges.len() as u64, 2]);
    put_metadata(top, &graph.metadata);
    let mut nodes = top.create_group("nodes");
    for (name, node) in &graph.nodes {
        let mut group = nodes.create_group(name);
        match &node.inner {
            Some(inner) => put_graph(&mut group, inner),
            None => put_node(&mut group, node),
        }
        nodes.add_group(group.finish());
    }
    top.add_group(nodes.finish());
}

fn put_node(group: &mut GroupBuilder, node: &Node) {
    put(group, "type", &Value::from(node.kind.as_str()));
    for (name, value) in &node.parameters {
        put(group, name, value);
    }
    put_metadata(group, &node.metadata);
}

fn put_metadata(group: &mut GroupBuilder, metadata: &Values) {
    if metadata.is_empty() {
        return;
    }
    let mut list = group.create_group("metadata");
    for (name, value) in metadata {
        put(&mut list, name, value);
    }
    group.add_group(list.finish());
}

fn put(group: &mut GroupBuilder, name: &str, value: &Value) {
    let dataset = group.create_dataset(name);
    match value {
        Value::Text(text) => dataset.with_vlen_strings(&[text]).with_shape(&[]),
        Value::Array(array) => {
            let values = array.values.iter();
            match array.element {
                Element::F32 => {
                    dataset.with_f32_data(&values.map(|&v| v as f32).collect::<Vec<_>>())
                }
                Element::F64 => dataset.with_f64_data(&array.values),
                Element::I64 => {
                    dataset.with_i64_data(&values.map(|&v| v as i64).collect::<Vec<_>>())
                }
            };
            let shape: Vec<u64> = array.shape.iter().map(|&n| n as u64).collect();
            dataset.with_shape(&shape)
        }
    };
}

/// Reads a graph from a file.
///
/// # Errors
/// [`NirFileError`].
pub fn read(path: &Path) -> Result<Graph> {
    let length = std::fs::metadata(path).map_err(io(path))?.len();
    if length > MAX_FILE {
        return wrong(
            "the file",
            format!("has {length} bytes, at most {MAX_FILE} are read"),
        );
    }
    from_bytes(std::fs::read(path).map_err(io(path))?)
}

/// Reads a graph from the bytes of a file.
///
/// # Errors
/// [`NirFileError`].
pub fn from_bytes(bytes: Vec<u8>) -> Result<Graph> {
    let file = File::from_bytes(bytes).map_err(hdf5("the file"))?;
    let root = file.root();
    if !root
        .groups()
        .map_err(hdf5("/"))?
        .iter()
        .any(|g| g == "node")
    {
        return wrong("/", "no group `node`: HDF5, but not NIR");
    }
    let mut reader = Reader {
        numbers: MAX_NUMBERS,
        text: MAX_TEXT,
        nodes: MAX_NODES,
    };
    let top = root.group("node").map_err(hdf5("/node"))?;
    let kind = reader.kind(&top, "/node")?;
    if kind != GRAPH {
        return wrong("/node/type", format!("is {kind:?}, expected {GRAPH}"));
    }
    reader.graph(&top, "/node", 0)
}

/// What may still be read of a file.
struct Reader {
    numbers: u64,
    text: usize,
    nodes: usize,
}

impl Reader {
    fn graph(&mut self, top: &Group, place: &str, depth: usize) -> Result<Graph> {
        if depth > MAX_DEPTH {
            let what = format!("lies {depth} graphs deep, at most {MAX_DEPTH} are read");
            return wrong(place, what);
        }
        let mut graph = Graph {
            metadata: self.metadata(top, place)?,
            ..Graph::default()
        };
        let at = format!("{place}/edges");
        let edges = top.dataset("edges").map_err(hdf5(&at))?;
        graph.edges = self.edges(&edges, &at)?;
        let place = format!("{place}/nodes");
        let nodes = top.group("nodes").map_err(hdf5(&place))?;
        let names = nodes.groups().map_err(hdf5(&place))?;
        let Some(left) = self.nodes.checked_sub(names.len()) else {
            let what = format!("there are more than {MAX_NODES} nodes in the file");
            return wrong(&place, what);
        };
        self.nodes = left;
        for name in names {
            let place = format!("{place}/{name}");
            let group = nodes.group(&name).map_err(hdf5(&place))?;
            graph.nodes.insert(name, self.node(&group, &place, depth)?);
        }
        Ok(graph)
    }

    fn node(&mut self, group: &Group, place: &str, depth: usize) -> Result<Node> {
        let kind = self.kind(group, place)?;
        let (inner, mut parameters) = match kind == GRAPH {
            true => (Some(self.graph(group, place, depth + 1)?), Values::new()),
            false => (None, self.values(group, place)?),
        };
        parameters.remove("type");
        // The metadata of a graph are the graph's.
        let metadata = match inner {
            Some(_) => Values::new(),
            None => self.metadata(group, place)?,
        };
        Ok(Node {
            kind,
            parameters,
            metadata,
            inner,
        })
    }

    fn edges(&mut self, dataset: &Dataset, place: &str) -> Result<Vec<(String, String)>> {
        let shape = dataset.shape().map_err(hdf5(place))?;
        if shape.first() == Some(&0) {
            return Ok(Vec::new());
        }
        if shape.len() != 2 || shape[1] != 2 {
            return wrong(place, format!("has shape {shape:?}, expected [n, 2]"));
        }
        let names = self.texts(dataset, place)?;
        let pairs = names.as_chunks::<2>().0.iter();
        Ok(pairs.map(|[a, b]| (a.clone(), b.clone())).collect())
    }

    fn kind(&mut self, group: &Group, place: &str) -> Result<String> {
        let place = format!("{place}/type");
        let dataset = group.dataset("type").map_err(hdf5(&place))?;
        match self.texts(&dataset, &place)?.pop() {
            Some(kind) => Ok(kind),
            None => wrong(&place, "is empty"),
        }
    }

    fn metadata(&mut self, group: &Group, place: &str) -> Result<Values> {
        if !group
            .groups()
            .map_err(hdf5(place))?
            .iter()
            .any(|g| g == "metadata")
        {
            return Ok(Values::new());
        }
        let place = format!("{place}/metadata");
        let metadata = group.group("metadata").map_err(hdf5(&place))?;
        self.values(&metadata, &place)
    }

    /// All texts and numbers of a group. Others are left out: metadata may hold any.
    fn values(&mut self, group: &Group, place: &str) -> Result<Values> {
        let mut all = Values::new();
        for name in group.datasets().map_err(hdf5(place))? {
            let place = format!("{place}/{name}");
            let dataset = group.dataset(&name).map_err(hdf5(&place))?;
            if let Some(value) = self.value(&dataset, &place)? {
                all.insert(name, value);
            }
        }
        Ok(all)
    }

    fn value(&mut self, dataset: &Dataset, place: &str) -> Result<Option<Value>> {
        let element = match dataset.dtype().map_err(hdf5(place))? {
            DType::F32 => Element::F32,
            DType::F64 => Element::F64,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => Element::I64,
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => Element::I64,
            DType::String | DType::VariableLengthString => {
                return Ok(self.texts(dataset, place)?.pop().map(Value::Text));
            }
            _ => return Ok(None),
        };
        let shape = dataset.shape().map_err(hdf5(place))?;
        self.charge(dataset, &shape, place)?;
        let values = dataset.read_f64().map_err(hdf5(place))?;
        let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
        if shape.iter().product::<usize>() != values.len() {
            return wrong(
                place,
                format!("has {} numbers and shape {shape:?}", values.len()),
            );
        }
        Ok(Some(Value::Array(Array {
            element,
            shape,
            values,
        })))
    }

    /// Takes the numbers of a data set off what may be read.
    fn charge(&mut self, dataset: &Dataset, shape: &[u64], place: &str) -> Result<()> {
        let product =
            |size: u64, shape: &[u64]| shape.iter().try_fold(size, |all, &n| all.checked_mul(n));
        let numbers = product(1, shape).filter(|&n| n <= self.numbers);
        let chunk = dataset
            .chunk_shape()
            .map_err(hdf5(place))?
            .unwrap_or_default();
        let width = dataset.element_size().map_err(hdf5(place))?;
        let chunk = product(width, &chunk).filter(|&bytes| bytes <= MAX_CHUNK);
        let Some(numbers) = numbers else {
            return wrong(
                place,
                format!(
                    "with shape {shape:?} there are more than {MAX_NUMBERS} numbers in the file"
                ),
            );
        };
        if chunk.is_none() {
            return wrong(
                place,
                format!("has chunks of more than {MAX_CHUNK} bytes; write it in smaller ones"),
            );
        }
        self.numbers -= numbers;
        Ok(())
    }

    fn texts(&mut self, dataset: &Dataset, place: &str) -> Result<Vec<String>> {
        let shape = dataset.shape().map_err(hdf5(place))?;
        self.charge(dataset, &shape, place)?;
        let texts = match dataset.dtype().map_err(hdf5(place))? {
            DType::VariableLengthString => {
                let limits = VlenStringReadOptions::new()
                    .with_max_elements(2 * MAX_NODES)
                    .with_max_payload_bytes(self.text);
                dataset.read_vlen_strings(limits).map_err(hdf5(place))?
            }
            DType::String => {
                let width = dataset.element_size().map_err(hdf5(place))?;
                let count: u64 = shape.iter().product();
                if width.saturating_mul(count) > self.text as u64 {
                    return wrong(
                        place,
                        format!("{count} texts of {width} bytes are too long"),
                    );
                }
                dataset.read_string().map_err(hdf5(place))?
            }
            other => return wrong(place, format!("is of type {other}, expected text")),
        };
        let length: usize = texts.iter().map(String::len).sum();
        self.text = self.text.saturating_sub(length);
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_engine::models::classifier::Classifier;
    use saccade_engine::models::config::ClassifierConfig;
    use saccade_engine::nir::export;

    fn graph() -> Graph {
        let config = ClassifierConfig {
            n_in: 7,
            n_lif: 3,
            n_alif: 2,
            max_ticks: 20,
            ..ClassifierConfig::default()
        };
        export(&Classifier::new(config, 1).expect("valid"), true).expect("exports")
    }

    #[test]
    fn a_graph_comes_back_the_same() {
        let graph = graph();
        let bytes = to_bytes(&graph).expect("bytes");
        assert!(is_hdf5(&bytes));
        assert_eq!(from_bytes(bytes).expect("reads"), graph);
    }

    #[test]
    fn damage_is_an_error_or_changes_values_and_never_panics() {
        let bytes = to_bytes(&graph()).expect("bytes");
        for end in (0..bytes.len()).step_by(101) {
            assert!(from_bytes(bytes[..end].to_vec()).is_err(), "cut at {end}");
        }
        for at in (0..bytes.len()).step_by(37) {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 0xff;
            let _ = from_bytes(spoilt);
        }
    }

    #[test]
    fn other_hdf5_is_refused() {
        let mut file = FileBuilder::new();
        file.create_dataset("x").with_f64_data(&[1.0]);
        let error = from_bytes(file.finish().expect("bytes")).expect_err("refused");
        assert!(error.to_string().contains("HDF5, but not NIR"), "{error}");
    }
}
