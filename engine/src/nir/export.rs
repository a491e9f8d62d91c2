//! A classifier as a NIR graph.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Array, Element, Graph, Node, Value, Values, wrong};
use crate::error::Result;
use crate::models::classifier::{Classifier, Provenance};
use crate::models::config::ClassifierConfig;
use crate::neurons::{NeuronParams, Reset};

/// Entry of the metadata with our configuration.
pub(super) const DOCUMENT: &str = "saccade";
/// Entry of the metadata with random feedback, `[n_out, n_rec]`.
pub(super) const FEEDBACK: &str = "feedback";
/// How the metadata of a LIF say that a spike takes the threshold off the potential.
pub(super) const SUBTRACT: &str = "subtract v_threshold";
/// The same, a tick after the spike.
pub(super) const SUBTRACT_LATE: &str = "subtract v_threshold, dt after the spike";
/// Version of both.
pub(super) const FORMAT: u32 = 1;

/// Everything about a classifier that is not in the nodes, JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) format: u32,
    pub(super) config: ClassifierConfig,
    pub(super) provenance: Provenance,
}

/// Something of a network that NIR's equations do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaid {
    /// What it is, and where it is kept.
    pub what: String,
    /// Whether it is part of the model, so that whoever ignores it runs another one.
    pub lossy: bool,
}

/// What the equations of the graph of such a classifier do not say. The metadata do.
pub fn unsaid(config: &ClassifierConfig) -> Vec<Unsaid> {
    let neuron = &config.neuron;
    let mut list = Vec::new();
    let mut say = |lossy, what| list.push(Unsaid { what, lossy });
    if config.n_alif > 0 && neuron.beta > 0.0 {
        say(
            true,
            format!(
                "the adaptive thresholds of {} of the {} neurons (ALIF, beta {}, tau_a {} ms)",
                config.n_alif,
                config.n_lif + config.n_alif,
                neuron.beta,
                neuron.tau_a_ms
            ),
        );
    }
    if neuron.t_ref_ms > 0.0 {
        let what = format!("the refractory time of {} ms", neuron.t_ref_ms);
        say(false, what);
    }
    if !neuron.reset.is_hard() {
        let what = "on a time grid, that a spike takes the threshold off the potential instead of setting it to 0";
        say(false, what.to_owned());
    }
    list
}

/// The graph of a classifier; it comes back to the bit by [`super::import`]. Adaptive
/// neurons are LIF in it, which `lossy` must allow.
///
/// # Errors
/// [`crate::Error::Nir`] names what would be lost.
pub fn export(classifier: &Classifier, lossy: bool) -> Result<Graph> {
    let config = classifier.config();
    if let Some(lost) = unsaid(config).into_iter().find(|u| u.lossy && !lossy) {
        return Err(wrong(
            "lif",
            format!(
                "NIR has no node for {}; other programs would run plain LIF neurons; allow it (lossy) or train without ALIF",
                lost.what
            ),
        ));
    }
    let network = classifier.network();
    let (t, w) = (&network.topology, &network.weights);
    let n = t.n_rec();
    let linear = |weights: &[f32], to: usize, from: usize| {
        let weight = Array::transposed(weights, to, from);
        node("Linear", values([("weight", weight.into())]))
    };
    let nodes = BTreeMap::from([
        ("input".to_owned(), end("Input", t.n_in)),
        ("w_in".to_owned(), linear(&w.w_in, n, t.n_in)),
        ("lif".to_owned(), lif(&config.neuron, n, config.n_alif)),
        ("w_rec".to_owned(), linear(&w.w_rec, n, n)),
        ("w_out".to_owned(), linear(&w.w_out, t.n_out, n)),
        (
            "li".to_owned(),
            node("LI", li_parameters(&config.neuron, t.n_out)),
        ),
        ("output".to_owned(), end("Output", t.n_out)),
    ]);
    let edges = [
        ("input", "w_in"),
        ("w_in", "lif"),
        ("lif", "w_rec"),
        ("w_rec", "lif"),
        ("lif", "w_out"),
        ("w_out", "li"),
        ("li", "output"),
    ];
    Ok(Graph {
        nodes,
        edges: edges.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        metadata: metadata(classifier)?,
    })
}

fn metadata(classifier: &Classifier) -> Result<Values> {
    let document = Document {
        format: FORMAT,
        config: classifier.config().clone(),
        provenance: classifier.provenance().clone(),
    };
    let document =
        serde_json::to_string(&document).map_err(|e| wrong("metadata", e.to_string()))?;
    let dt = classifier.config().neuron.dt_ms / 1000.0;
    let mut metadata = values([
        ("dt", Array::scalar(dt).into()),
        ("integration", "exact; a spike is a pulse of height 1 and length dt; a recurrent spike arrives dt later".into()),
        (DOCUMENT, Value::Text(document)),
    ]);
    if let Some(feedback) = &classifier.network().feedback {
        let array = Array {
            element: Element::F32,
            shape: vec![
                classifier.config().n_out,
                feedback.len() / classifier.config().n_out,
            ],
            values: feedback.iter().map(|&b| f64::from(b)).collect(),
        };
        metadata.insert(FEEDBACK.to_owned(), array.into());
    }
    Ok(metadata)
}

/// A LIF; of the last `n_alif` neurons the threshold adapts.
pub(super) fn lif(neuron: &NeuronParams, n: usize, n_alif: usize) -> Node {
    let reset = match neuron.reset {
        Reset::Late => SUBTRACT_LATE,
        Reset::AtOnce => SUBTRACT,
        Reset::ToZero | Reset::To(_) => "to v_reset",
    };
    let mut metadata = values([
        ("reset", reset.into()),
        ("t_ref", Array::scalar(neuron.t_ref_ms / 1000.0).into()),
    ]);
    if n_alif > 0 && neuron.beta > 0.0 {
        metadata.extend(values([
            ("n_adaptive", Array::scalar(n_alif as f64).into()),
            ("beta", Array::scalar(neuron.beta).into()),
            ("tau_a", Array::scalar(neuron.tau_a_ms / 1000.0).into()),
        ]));
    }
    Node {
        metadata,
        ..node("LIF", lif_parameters(neuron, n))
    }
}

/// Parameters of the node `lif`.
pub(super) fn lif_parameters(neuron: &NeuronParams, n: usize) -> Values {
    let r = resistance(neuron, neuron.tau_m_ms, neuron.regular_spike_arrival);
    let v_reset = match neuron.reset {
        Reset::To(v) => v,
        _ => 0.0,
    };
    values([
        ("tau", Array::uniform(n, neuron.tau_m_ms / 1000.0).into()),
        ("r", Array::uniform(n, r).into()),
        ("v_leak", Array::uniform(n, 0.0).into()),
        ("v_threshold", Array::uniform(n, neuron.v_th).into()),
        ("v_reset", Array::uniform(n, v_reset).into()),
    ])
}

/// Parameters of the node `li`.
pub(super) fn li_parameters(neuron: &NeuronParams, n: usize) -> Values {
    let r = resistance(neuron, neuron.tau_out_ms, neuron.regular_spike_arrival_out);
    values([
        ("tau", Array::uniform(n, neuron.tau_out_ms / 1000.0).into()),
        ("r", Array::uniform(n, r).into()),
        ("v_leak", Array::uniform(n, 0.0).into()),
    ])
}

/// See the module docs of [`super`].
fn resistance(neuron: &NeuronParams, tau_ms: f64, full_weight: bool) -> f64 {
    if full_weight {
        return 1.0 / (1.0 - (-neuron.dt_ms / tau_ms).exp());
    }
    1.0
}

pub(super) fn end(kind: &str, count: usize) -> Node {
    let shape = Array {
        element: Element::I64,
        shape: vec![1],
        values: vec![count as f64],
    };
    node(kind, values([("shape", shape.into())]))
}

pub(super) fn node(kind: &str, parameters: Values) -> Node {
    Node {
        kind: kind.to_owned(),
        parameters,
        metadata: Values::new(),
        inner: None,
    }
}

pub(super) fn values<const N: usize>(list: [(&str, Value); N]) -> Values {
    list.map(|(name, value)| (name.to_owned(), value)).into()
}
