use super::*;
use crate::learning::feedback::Feedback;
use crate::models::classifier::{Classifier, Provenance};
use crate::models::config::ClassifierConfig;
use crate::network::Interval;
use crate::neurons::{NeuronParams, Reset};

fn config() -> ClassifierConfig {
    ClassifierConfig {
        n_in: 10,
        n_lif: 5,
        n_alif: 0,
        n_out: 3,
        max_ticks: 20,
        // A number that is no short decimal, as training gives.
        decision_sharpness: 1.0 / 0.7,
        ..ClassifierConfig::default()
    }
}

fn classifier(config: ClassifierConfig) -> Classifier {
    let mut classifier = Classifier::new(config, 5).unwrap();
    classifier.set_provenance(Provenance {
        encoder: r#"{"window":64}"#.to_owned(),
        seed: 5,
        dataset_fingerprint: "abc".to_owned(),
        training: "{}".to_owned(),
    });
    classifier
}

/// Through a graph and back, for all that a classifier can have.
#[test]
fn a_classifier_comes_back_to_the_byte() {
    let mut adaptive = config();
    adaptive.n_alif = 2;
    adaptive.feedback = Feedback::Random;
    let mut full = config();
    full.neuron.regular_spike_arrival = true;
    full.neuron.regular_spike_arrival_out = true;
    full.neuron.reset = Reset::AtOnce;
    full.neuron.dt_ms = 0.3;
    for config in [config(), adaptive, full] {
        let classifier = classifier(config);
        let graph = export(&classifier, true).unwrap();
        let back = import(&graph, 99.0).unwrap();
        assert!(back.ours);
        assert_eq!(
            back.classifier.to_bytes().unwrap(),
            classifier.to_bytes().unwrap()
        );
    }
}

#[test]
fn what_is_lost_is_named() {
    let mut c = config();
    c.neuron.t_ref_ms = 0.0;
    c.neuron.reset = Reset::ToZero;
    assert_eq!(unsaid(&c), []);
    assert!(export(&classifier(c.clone()), false).is_ok());
    c.neuron.t_ref_ms = 2.0;
    c.n_alif = 4;
    let said = unsaid(&c);
    assert_eq!((said[0].lossy, said[1].lossy, said.len()), (true, false, 2));
    assert!(said[1].what.contains("2 ms"));
    let error = export(&classifier(c), false).unwrap_err().to_string();
    assert!(
        error.contains("4 of the 9 neurons") && error.contains("beta 0.07"),
        "{error}"
    );
}

/// Numbers of a node.
pub(super) fn array(shape: &[usize], values: &[f64]) -> Value {
    Value::Array(Array {
        element: Element::F64,
        shape: shape.to_vec(),
        values: values.to_vec(),
    })
}

/// A node without metadata.
pub(super) fn node(kind: &str, parameters: &[(&str, Value)]) -> Node {
    let own = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    Node {
        inner: None,
        kind: kind.to_owned(),
        parameters: parameters.iter().map(own).collect(),
        metadata: Values::new(),
    }
}

/// Two inputs, two LIF neurons of different kinds, two readouts, names of nobody's.
fn foreign() -> Graph {
    let list = |a: f64, b: f64| array(&[2], &[a, b]);
    let nodes = [
        ("a", node("Input", &[("shape", array(&[1], &[2.0]))])),
        (
            "fc",
            node(
                "Affine",
                &[
                    ("weight", array(&[2, 2], &[1.5, 0.25, -0.5, 4.0])),
                    ("bias", list(0.0, 0.0)),
                ],
            ),
        ),
        (
            "cells",
            node(
                "LIF",
                &[
                    ("tau", list(0.01, 0.01)),
                    ("r", list(2.0, 3.0)),
                    ("v_leak", list(0.0, -0.2)),
                    ("v_threshold", list(0.25, 0.3)),
                    ("v_reset", list(0.0, -0.2)),
                ],
            ),
        ),
        (
            "back",
            node(
                "Linear",
                &[("weight", array(&[2, 2], &[0.5, -0.4, 1.0, 0.25]))],
            ),
        ),
        (
            "fc2",
            node(
                "Linear",
                &[("weight", array(&[2, 2], &[1.0, -1.0, 0.5, 2.0]))],
            ),
        ),
        (
            "read",
            node(
                "LI",
                &[
                    ("tau", list(0.02, 0.02)),
                    ("r", list(1.0, 0.5)),
                    ("v_leak", list(0.0, 0.0)),
                ],
            ),
        ),
        ("z", node("Output", &[("shape", array(&[1], &[2.0]))])),
    ];
    let edges = [
        ("read", "z"),
        ("a", "fc"),
        ("fc", "cells"),
        ("cells", "back"),
        ("back", "cells"),
        ("cells", "fc2"),
        ("fc2", "read"),
    ];
    Graph {
        nodes: nodes.map(|(name, node)| (name.to_owned(), node)).into(),
        edges: edges.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        metadata: Values::new(),
    }
}

/// Spikes and readout of NIR's equations, solved exactly between ticks of 1 ms, for
/// [`foreign`], as they stand: nothing is folded into weights here.
fn by_the_equations(inputs: &[Vec<u32>]) -> (Vec<Vec<u32>>, Vec<[f64; 2]>) {
    let (alpha, kappa) = ((-0.1_f64).exp(), (-0.05_f64).exp());
    let (w_in, w_rec) = ([[1.5, 0.25], [-0.5, 4.0]], [[0.5, -0.4], [1.0, 0.25]]);
    let (w_out, r_out) = ([[1.0, -1.0], [0.5, 2.0]], [1.0, 0.5]);
    let (r, leak, threshold) = ([2.0, 3.0], [0.0, -0.2], [0.25, 0.3]);
    let (mut v, mut y, mut fired) = (leak, [0.0; 2], vec![]);
    let (mut spikes, mut readout) = (vec![], vec![]);
    for now in inputs {
        let mut current = [0.0; 2];
        for j in 0..2 {
            current[j] += now.iter().map(|&i| w_in[j][i as usize]).sum::<f64>();
            current[j] += fired
                .iter()
                .map(|&i: &u32| w_rec[j][i as usize])
                .sum::<f64>();
        }
        fired.clear();
        for j in 0..2 {
            let infinite = leak[j] + r[j] * current[j];
            v[j] = infinite + (v[j] - infinite) * alpha;
            if v[j] > threshold[j] {
                v[j] = leak[j];
                fired.push(j as u32);
            }
        }
        for k in 0..2 {
            let current: f64 = fired.iter().map(|&j| w_out[k][j as usize]).sum();
            let infinite = r_out[k] * current;
            y[k] = infinite + (y[k] - infinite) * kappa;
        }
        spikes.push(fired.clone());
        readout.push(y);
    }
    (spikes, readout)
}

/// Gains, thresholds, leaks and the reset of another's graph are those of its equations.
#[test]
fn another_graph_runs_by_its_equations() {
    let imported = import(&foreign(), 1.0).unwrap();
    assert!(!imported.ours);
    let network = imported.classifier.network();
    let inputs: Vec<Vec<u32>> = (0..200_u32)
        .map(|s| (0..2).filter(|i| (s * 7 + i * 3) % 5 < 2 + i).collect())
        .collect();
    let (spikes, readout) = by_the_equations(&inputs);
    let mut interval = Interval::new(network, 200, 400);
    for (s, now) in inputs.iter().enumerate() {
        interval.step(network, now);
        assert_eq!(interval.fired(), spikes[s], "tick {s}");
        for (y, expected) in interval.readout().iter().zip(readout[s]) {
            assert!(
                (f64::from(*y) - expected).abs() < 1e-5,
                "tick {s}: {y} {expected}"
            );
        }
    }
    let of = |j: u32| spikes.iter().filter(|s| s.contains(&j)).count();
    assert!(of(0) > 20 && of(1) > 20, "{} {}", of(0), of(1));
}

/// What the classifier cannot run is refused, with the node and the reason.
#[test]
fn what_cannot_run_is_refused_by_name() {
    type Spoil = fn(&mut Graph);
    fn set(graph: &mut Graph, node: &str, name: &str, value: Value) {
        let node = graph.nodes.get_mut(node).unwrap();
        node.parameters.insert(name.to_owned(), value);
    }
    let cases: [(&str, Spoil); 12] = [
        ("\"cells\": is of type CubaLIF", |g| {
            g.nodes.get_mut("cells").unwrap().kind = "CubaLIF".to_owned();
        }),
        ("fc.bias: [1] is 0.5", |g| {
            set(g, "fc", "bias", array(&[2], &[0.0, 0.5]))
        }),
        ("cells.tau: [1] is 0.02", |g| {
            set(g, "cells", "tau", array(&[2], &[0.01, 0.02]))
        }),
        ("cells.v_reset: [0] is 0.1", |g| {
            set(g, "cells", "v_reset", array(&[2], &[0.1, -0.2]))
        }),
        ("cells.v_threshold: [1] is not above", |g| {
            set(g, "cells", "v_threshold", array(&[2], &[1.0, -0.2]));
        }),
        ("fc.weight: has shape [2, 3], expected [2, 2]", |g| {
            set(g, "fc", "weight", array(&[2, 3], &[0.0; 6]));
        }),
        ("read.v_leak: [0] is 1", |g| {
            set(g, "read", "v_leak", array(&[2], &[1.0, 1.0]))
        }),
        ("cells.r: has values that are not finite", |g| {
            set(g, "cells", "r", array(&[2], &[f64::NAN, 1.0]));
        }),
        ("two nodes of type LIF", |g| {
            let copy = g.nodes["cells"].clone();
            g.nodes.insert("more".to_owned(), copy);
        }),
        ("there is no node \"nobody\"", |g| {
            g.edges.push(("a".to_owned(), "nobody".to_owned()));
        }),
        ("edges: expected LI -> Output", |g| {
            g.edges.push(("cells".to_owned(), "read".to_owned()));
        }),
        ("\"fc2\": it leads from", |g| g.edges[6].1 = "z".to_owned()),
    ];
    for (what, spoil) in cases {
        let mut graph = foreign();
        spoil(&mut graph);
        let error = import(&graph, 1.0).unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    }
    // Metadata of ours that a program has left behind while it changed the nodes.
    let mut graph = export(&classifier(config()), false).unwrap();
    set(&mut graph, "lif", "v_threshold", array(&[5], &[2.0; 5]));
    let error = import(&graph, 1.0).unwrap_err().to_string();
    assert!(
        error.contains("lif.v_threshold: is not what the metadata"),
        "{error}"
    );
}

/// A graph without a recurrent matrix has none, and its own `dt` goes before the caller's.
#[test]
fn recurrence_is_optional_and_dt_is_read() {
    let mut graph = foreign();
    graph.nodes.remove("back");
    graph.edges.retain(|(a, b)| a != "back" && b != "back");
    let dt = Value::Array(Array::scalar(0.0005));
    graph.metadata.insert("dt".to_owned(), dt);
    let imported = import(&graph, 1.0).unwrap();
    let network = imported.classifier.network();
    assert_eq!(network.weights.w_rec, [0.0; 4]);
    let NeuronParams { dt_ms, reset, .. } = imported.classifier.config().neuron;
    assert_eq!((dt_ms, reset), (0.5, Reset::ToZero));
}
