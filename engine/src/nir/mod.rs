//! NIR, the Neuromorphic Intermediate Representation (Pedersen et al., Nat. Commun. 15,
//! 8122, 2024): networks as graphs of nodes with equations in continuous time, between
//! programs. Here are graphs as plain values, the classifier as one ([`export`],
//! [`import`]), networks that learn as one ([`export_online`]), and what runs any of them ([`Runner`]); their files, HDF5, are read and
//! written elsewhere.
//!
//! ```text
//! input -> w_in -> lif -> w_out -> li -> output,   lif -> w_rec -> lif
//! Linear   y = W x                                 W [to, from]
//! LIF      tau v' = (v_leak - v) + r I,   spike where v > v_threshold, v = v_reset then
//! LI       tau v' = (v_leak - v) + r I
//! ```
//!
//! Times are in seconds. Spikes are pulses of height 1 that last one tick `dt`; then our
//! step is the exact solution: `v <- alpha v + (1 - alpha) r I`. `r` is 1, or
//! `1/(1 - alpha)` where a spike adds its full weight (`regular_spike_arrival`).
//!
//! What NIR's equations do not have travels in the metadata: `dt`, the kind of reset and
//! the refractory time for whoever can use them, and all of our configuration in
//! `saccade`, so that a graph of ours comes back to the bit. [`unsaid`] lists what a
//! program that knows the equations alone leaves out.

mod export;
mod export_online;
mod flat;
mod import;
mod run;

use std::collections::BTreeMap;

pub use export::{Unsaid, export, unsaid};
pub use export_online::export_online;
pub use flat::MAX_DEPTH;
pub use import::{Imported, import};
pub use run::{Integration, Runner};

use crate::error::Error;

/// Element type of an array in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// 64-bit integers.
    I64,
}

/// An array of numbers; with an empty shape a single one.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Element type it has, or is to have, in a file.
    pub element: Element,
    /// Lengths of the dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Values in that order.
    pub values: Vec<f64>,
}

/// What a node or the metadata hold under a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Numbers.
    Array(Array),
}

/// Values by name.
pub type Values = BTreeMap<String, Value>;

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its type, as `LIF` or `Linear`.
    pub kind: String,
    /// Its parameters.
    pub parameters: Values,
    /// Its metadata.
    pub metadata: Values,
    /// The graph that it is, of type `NIRGraph`.
    pub inner: Option<Graph>,
}

/// A graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// Edges, (from, to).
    pub edges: Vec<(String, String)>,
    /// Metadata of the graph.
    pub metadata: Values,
}

impl Array {
    /// As many equal numbers.
    pub fn uniform(count: usize, value: f64) -> Self {
        Self {
            element: Element::F64,
            shape: vec![count],
            values: vec![value; count],
        }
    }

    /// A single number.
    pub fn scalar(value: f64) -> Self {
        Self {
            element: Element::F64,
            shape: vec![],
            values: vec![value],
        }
    }

    /// A matrix of 32-bit floats, `[rows, columns]`, out of its transpose.
    pub fn transposed(of: &[f32], rows: usize, columns: usize) -> Self {
        let at = |k: usize| f64::from(of[k % columns * rows + k / columns]);
        Self {
            element: Element::F32,
            shape: vec![rows, columns],
            values: (0..rows * columns).map(at).collect(),
        }
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(array)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// An error at a place of a graph.
fn wrong(place: impl Into<String>, what: impl Into<String>) -> Error {
    Error::Nir {
        place: place.into(),
        what: what.into(),
    }
}

#[cfg(test)]
mod tests;
