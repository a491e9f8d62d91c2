//! A NIR graph as a classifier.

use super::export::{DOCUMENT, Document, FEEDBACK, FORMAT, li_parameters, lif_parameters};
use super::{Array, Graph, Node, Value, Values, wrong};
use crate::error::Result;
use crate::models::classifier::{Classifier, Provenance};
use crate::models::config::ClassifierConfig;
use crate::network::{Network, Weights};
use crate::neurons::{NeuronParams, Reset};

/// Types of nodes that the classifier can run.
const KINDS: [&str; 6] = ["Input", "Output", "Linear", "Affine", "LIF", "LI"];

/// What a graph gave.
#[derive(Debug)]
pub struct Imported {
    /// The classifier.
    pub classifier: Classifier,
    /// Whether the graph was one of ours, with all of our configuration.
    pub ours: bool,
}

/// The nodes by what they are in the classifier.
struct Roles<'g> {
    input: &'g str,
    w_in: &'g str,
    lif: &'g str,
    w_rec: Option<&'g str>,
    w_out: &'g str,
    li: &'g str,
}

/// A classifier that runs the graph: one of ours as it was; any other with NIR's LIF,
/// reset to `v_reset` and without refractory time, on ticks of `dt_ms`, or of the
/// graph's own `dt` where its metadata have one (in seconds).
///
/// One layer of LIF neurons, recurrent or not, and one of LI, of any names. All neurons
/// of a layer share `tau`; `r`, `v_threshold` and the `v_leak` of LIF may differ and go
/// into the weights, `v_reset` must be `v_leak`, and biases 0.
///
/// # Errors
/// [`crate::Error::Nir`] names the node that the classifier cannot run and why;
/// [`crate::Error::Parameter`] where a parameter is out of range.
pub fn import(graph: &Graph, dt_ms: f64) -> Result<Imported> {
    let roles = roles(graph)?;
    match graph.metadata.get(DOCUMENT) {
        Some(Value::Text(document)) => Ok(Imported {
            classifier: ours(graph, &roles, document)?,
            ours: true,
        }),
        _ => Ok(Imported {
            classifier: foreign(graph, &roles, dt_ms)?,
            ours: false,
        }),
    }
}

fn roles(graph: &Graph) -> Result<Roles<'_>> {
    for (name, node) in &graph.nodes {
        if !KINDS.contains(&node.kind.as_str()) {
            let what = format!(
                "is of type {}, which the classifier cannot run; it runs {}",
                node.kind,
                KINDS.join(", ")
            );
            return Err(wrong(format!("node {name:?}"), what));
        }
    }
    for (from, to) in &graph.edges {
        for name in [from, to] {
            if !graph.nodes.contains_key(name) {
                return Err(wrong(
                    format!("edge {from:?} -> {to:?}"),
                    format!("there is no node {name:?}"),
                ));
            }
        }
    }
    let (input, lif) = (only(graph, "Input")?, only(graph, "LIF")?);
    let (li, output) = (only(graph, "LI")?, only(graph, "Output")?);
    let mut found = [None; 3];
    let matrices = |node: &Node| ["Linear", "Affine"].contains(&node.kind.as_str());
    for (name, _) in graph.nodes.iter().filter(|(_, node)| matrices(node)) {
        let from: Vec<&str> = ends(graph, |(_, to)| to == name, |(from, _)| from);
        let to: Vec<&str> = ends(graph, |(from, _)| from == name, |(_, to)| to);
        let role = match (&from[..], &to[..]) {
            ([a], [b]) if (*a, *b) == (input, lif) => 0,
            ([a], [b]) if (*a, *b) == (lif, lif) => 1,
            ([a], [b]) if (*a, *b) == (lif, li) => 2,
            _ => {
                let what = format!(
                    "it leads from {from:?} to {to:?}; the classifier has input to LIF, LIF to itself and LIF to LI"
                );
                return Err(wrong(format!("node {name:?}"), what));
            }
        };
        if let Some(other) = found[role].replace(name.as_str()) {
            return Err(wrong(
                format!("node {name:?}"),
                format!("it leads where {other:?} leads; add them into one"),
            ));
        }
    }
    let missing = |what: &str| wrong("graph", format!("no Linear or Affine from {what}"));
    let roles = Roles {
        input,
        w_in: found[0].ok_or_else(|| missing("Input to LIF"))?,
        lif,
        w_rec: found[1],
        w_out: found[2].ok_or_else(|| missing("LIF to LI"))?,
        li,
    };
    // What is left are edges between nodes that are no matrices.
    let direct =
        |(a, b): &&(String, String)| !matrices(&graph.nodes[a]) && !matrices(&graph.nodes[b]);
    let direct: Vec<_> = graph.edges.iter().filter(direct).collect();
    match direct[..] {
        [(a, b)] if (a.as_str(), b.as_str()) == (li, output) => Ok(roles),
        _ => {
            let what = format!(
                "expected LI -> Output alone without a Linear or Affine between, found {direct:?}"
            );
            Err(wrong("edges", what))
        }
    }
}

/// The name of the only node of a type.
fn only<'g>(graph: &'g Graph, kind: &str) -> Result<&'g str> {
    let mut names = graph.nodes.iter().filter(|(_, node)| node.kind == kind);
    match (names.next(), names.next()) {
        (Some((name, _)), None) => Ok(name),
        (None, _) => Err(wrong(
            "graph",
            format!("has no node of type {kind}, the classifier has one"),
        )),
        (Some((a, _)), Some((b, _))) => {
            let what = format!("two nodes of type {kind}, {a:?} and {b:?}; the classifier has one");
            Err(wrong("graph", what))
        }
    }
}

/// One end of the edges that are `chosen`.
fn ends<'g>(
    graph: &'g Graph,
    chosen: impl Fn(&(String, String)) -> bool,
    end: impl Fn(&'g (String, String)) -> &'g String,
) -> Vec<&'g str> {
    let edges = graph.edges.iter().filter(|edge| chosen(edge));
    edges.map(|edge| end(edge).as_str()).collect()
}

/// An array with exactly this shape.
fn array<'g>(values: &'g Values, place: &str, name: &str, shape: &[usize]) -> Result<&'g Array> {
    let place = format!("{place}.{name}");
    match values.get(name) {
        Some(Value::Array(a)) if a.shape == shape && a.values.iter().all(|v| v.is_finite()) => {
            Ok(a)
        }
        Some(Value::Array(a)) if a.shape == shape => {
            Err(wrong(place, "has values that are not finite"))
        }
        Some(Value::Array(a)) => Err(wrong(
            place,
            format!("has shape {:?}, expected {shape:?}", a.shape),
        )),
        Some(Value::Text(t)) => Err(wrong(place, format!("is {t:?}, expected numbers"))),
        None => Err(wrong(place, "is missing")),
    }
}

/// Sizes of input, LIF and LI, checked to be sizes of a classifier.
fn sizes(graph: &Graph, roles: &Roles<'_>) -> Result<[usize; 3]> {
    let length = |name: &str, parameter: &str| match graph.nodes[name].parameters.get(parameter) {
        Some(Value::Array(a)) if a.shape.len() == 1 => Ok(a.shape[0]),
        _ => Err(wrong(
            format!("{name}.{parameter}"),
            "expected a list of numbers, one for each neuron",
        )),
    };
    let n_in = match graph.nodes[roles.input].parameters.get("shape") {
        Some(Value::Array(a)) if a.values.len() == 1 && a.values[0] >= 0.0 => a.values[0] as usize,
        _ => {
            return Err(wrong(
                format!("{}.shape", roles.input),
                "expected one dimension",
            ));
        }
    };
    Ok([n_in, length(roles.lif, "tau")?, length(roles.li, "tau")?])
}

/// The weights of a Linear or Affine, `[from, to]`, in `f64`.
fn matrix(graph: &Graph, name: &str, to: usize, from: usize) -> Result<Vec<f64>> {
    let node = &graph.nodes[name];
    let weight = array(&node.parameters, name, "weight", &[to, from])?;
    if node.kind == "Affine" {
        let bias = array(&node.parameters, name, "bias", &[to])?;
        if let Some(j) = bias.values.iter().position(|&b| b != 0.0) {
            let what = format!(
                "[{j}] is {}, the classifier has no bias: it must be 0",
                bias.values[j]
            );
            return Err(wrong(format!("{name}.bias"), what));
        }
    }
    let at = |k: usize| weight.values[k % to * from + k / to];
    Ok((0..from * to).map(at).collect())
}

/// The weights as they stand in the graph.
fn weights(
    graph: &Graph,
    roles: &Roles<'_>,
    [n_in, n, n_out]: [usize; 3],
) -> Result<[Vec<f64>; 3]> {
    Ok([
        matrix(graph, roles.w_in, n, n_in)?,
        match roles.w_rec {
            Some(name) => matrix(graph, name, n, n)?,
            None => vec![0.0; n * n],
        },
        matrix(graph, roles.w_out, n_out, n)?,
    ])
}

fn assemble(
    config: ClassifierConfig,
    weights: [Vec<f64>; 3],
    feedback: Option<Vec<f32>>,
    provenance: Provenance,
) -> Result<Classifier> {
    let mut numbers = weights.iter().flatten();
    if let Some(w) = numbers.find(|w| !(**w as f32).is_finite()) {
        return Err(wrong("weights", format!("{w} is too large for 32 bits")));
    }
    let mut network = Network::new(config.topology(), &config.neuron);
    let [w_in, w_rec, w_out] = weights.map(|w| w.into_iter().map(|w| w as f32).collect());
    network.weights = Weights { w_in, w_rec, w_out };
    network.feedback = feedback;
    Ok(Classifier::from_network(config, network, provenance))
}

/// A graph of ours: the configuration out of the metadata, which must agree with the
/// nodes, and the weights out of the nodes.
fn ours(graph: &Graph, roles: &Roles<'_>, document: &str) -> Result<Classifier> {
    let bad = |e: serde_json::Error| wrong(format!("metadata {DOCUMENT}"), e.to_string());
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let Version { format } = serde_json::from_str(document).map_err(bad)?;
    if format != FORMAT {
        let what = format!("is of version {format}, this program reads version {FORMAT}");
        return Err(wrong(format!("metadata {DOCUMENT}"), what));
    }
    let document: Document = serde_json::from_str(document).map_err(bad)?;
    let config = document.config;
    config.validate()?;
    let t = config.topology();
    let sizes = [t.n_in, t.n_rec(), t.n_out];
    for (name, expected) in [
        (roles.lif, lif_parameters(&config.neuron, t.n_rec())),
        (roles.li, li_parameters(&config.neuron, t.n_out)),
    ] {
        for (parameter, value) in expected {
            if graph.nodes[name].parameters.get(&parameter) != Some(&value) {
                let what = format!(
                    "is not what the metadata {DOCUMENT} say; remove them to import the nodes alone"
                );
                return Err(wrong(format!("{name}.{parameter}"), what));
            }
        }
    }
    let weights = weights(graph, roles, sizes)?;
    let feedback = match config.feedback {
        crate::learning::feedback::Feedback::Symmetric => None,
        _ => {
            let shape = [t.n_out, t.n_rec()];
            let found = array(&graph.metadata, "metadata", FEEDBACK, &shape)?;
            let numbers: Vec<f32> = found.values.iter().map(|&b| b as f32).collect();
            if !numbers.iter().all(|b| b.is_finite()) {
                let what = "holds a number that is too large for 32 bits".to_owned();
                return Err(wrong(format!("metadata {FEEDBACK}"), what));
            }
            Some(numbers)
        }
    };
    assemble(config, weights, feedback, document.provenance)
}

/// Any other graph, by NIR's equations.
fn foreign(graph: &Graph, roles: &Roles<'_>, dt_ms: f64) -> Result<Classifier> {
    let [n_in, n, n_out] = sizes(graph, roles)?;
    let dt_ms = match graph.metadata.get("dt") {
        Some(Value::Array(dt)) if dt.values.len() == 1 => dt.values[0] * 1000.0,
        _ => dt_ms,
    };
    let lif = |name: &str| array(&graph.nodes[roles.lif].parameters, roles.lif, name, &[n]);
    let li = |name: &str| array(&graph.nodes[roles.li].parameters, roles.li, name, &[n_out]);
    let (leak, r, reset) = (lif("v_leak")?, lif("r")?, lif("v_reset")?);
    all_equal(roles.lif, "v_reset", reset, |j| leak.values[j], "v_leak")?;
    all_equal(roles.li, "v_leak", li("v_leak")?, |_| 0.0, "0")?;
    // Potentials count from v_leak, and in units in which all thresholds are the first's.
    let threshold = lif("v_threshold")?.values.iter().zip(&leak.values);
    let threshold: Vec<f64> = threshold.map(|(th, leak)| th - leak).collect();
    if let Some(j) = threshold.iter().position(|&th| th <= 0.0) {
        let what = format!("[{j}] is not above v_leak: the neuron would fire without input");
        return Err(wrong(format!("{}.v_threshold", roles.lif), what));
    }
    let v_th = threshold.first().copied().unwrap_or(1.0);
    let config = ClassifierConfig {
        n_in,
        n_lif: n,
        n_alif: 0,
        n_out,
        neuron: NeuronParams {
            dt_ms,
            tau_m_ms: shared_tau(roles.lif, lif("tau")?)? * 1000.0,
            tau_out_ms: shared_tau(roles.li, li("tau")?)? * 1000.0,
            v_th,
            psi_width: v_th,
            t_ref_ms: 0.0,
            reset: Reset::ToZero,
            ..NeuronParams::default()
        },
        ..ClassifierConfig::default()
    };
    config.validate()?;
    let mut weights = weights(graph, roles, [n_in, n, n_out])?;
    let into_lif: Vec<f64> = (0..n)
        .map(|j| r.values[j] * (v_th / threshold[j]))
        .collect();
    let factors = [&into_lif, &into_lif, &li("r")?.values];
    for (part, factor) in weights.iter_mut().zip(factors) {
        for row in part.chunks_mut(factor.len().max(1)) {
            row.iter_mut().zip(factor).for_each(|(w, f)| *w *= f);
        }
    }
    assemble(config, weights, None, Provenance::default())
}

fn all_equal(
    node: &str,
    name: &str,
    found: &Array,
    expected: impl Fn(usize) -> f64,
    what: &str,
) -> Result<()> {
    match found
        .values
        .iter()
        .enumerate()
        .find(|&(j, &v)| v != expected(j))
    {
        None => Ok(()),
        Some((j, v)) => Err(wrong(
            format!("{node}.{name}"),
            format!("[{j}] is {v}, the classifier can only run {what}"),
        )),
    }
}

/// The time constant, in seconds, that all neurons of a layer have.
fn shared_tau(node: &str, tau: &Array) -> Result<f64> {
    let first = tau.values.first().copied().unwrap_or_default();
    all_equal(node, "tau", tau, |_| first, "one tau for all neurons")?;
    Ok(first)
}
