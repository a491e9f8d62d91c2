//! NIR against PyPI `nir`, both ways: it reads what we write, we read what it writes, and
//! NumPy, with the equations of NIR and the metadata of the graph, runs our graphs to the
//! same spikes. Fails where the peer cannot be installed.

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::network::{Interval, Network, Weights};
use saccade_engine::neurons::{NeuronParams, Reset};
use saccade_engine::nir::{Graph, Value, export, import};
use saccade_launch::nir_file;
use saccade_tests::peer;
use serde_json::{Value as Json, json};

const TICKS: usize = 400;
const N_IN: usize = 30;

fn classifier(neuron: NeuronParams) -> Classifier {
    let config = ClassifierConfig {
        n_in: N_IN,
        n_lif: 40,
        n_alif: 0,
        max_ticks: TICKS,
        input_gain: if neuron.regular_spike_arrival {
            0.4
        } else {
            6.0
        },
        neuron,
        ..ClassifierConfig::default()
    };
    Classifier::new(config, 11).unwrap()
}

fn inputs() -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut tick = || {
        (0..N_IN as u32)
            .filter(|_| rng.random::<f64>() < 0.06)
            .collect()
    };
    (0..TICKS).map(|_| tick()).collect()
}

fn read_json(path: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Everything that we wrote stands in what nir read, to the last digit.
fn hold_values(graph: &Graph, read: &Json) {
    let hold = |place: &str, value: &Value, found: &Json| match value {
        Value::Text(text) => assert_eq!(found, text, "{place}"),
        Value::Array(array) if array.shape.is_empty() => {
            assert_eq!(found.as_f64(), Some(array.values[0]), "{place}");
        }
        Value::Array(array) => {
            assert_eq!(found["shape"], json!(array.shape), "{place}");
            let values = found["values"].as_array().unwrap().iter();
            let values: Vec<f64> = values.map(|v| v.as_f64().unwrap()).collect();
            assert_eq!(values, array.values, "{place}");
        }
    };
    assert_eq!(read["nodes"].as_object().unwrap().len(), graph.nodes.len());
    for (name, node) in &graph.nodes {
        let found = &read["nodes"][name];
        assert_eq!(found["type"], json!(node.kind));
        for (parameter, value) in &node.parameters {
            hold(&format!("{name}.{parameter}"), value, &found[parameter]);
        }
        for (key, value) in &node.metadata {
            hold(&format!("{name} {key}"), value, &found["metadata"][key]);
        }
    }
    for (key, value) in &graph.metadata {
        hold(key, value, &read["metadata"][key]);
    }
    assert_eq!(read["edges"], json!(graph.edges));
}

/// The network's spikes, which must be those of NumPy, and its readout, which must be
/// NumPy's to `close`; in `f64`, because spikes on the edge fall to either side in `f32`.
fn hold_run(classifier: &Classifier, inputs: &[Vec<u32>], run: &Json, close: f64) {
    let config = classifier.config();
    let mut network = Network::<f64>::new(config.topology(), &config.neuron);
    let wide = |w: &Vec<f32>| w.iter().map(|&w| f64::from(w)).collect();
    let w = &classifier.network().weights;
    network.weights = Weights {
        w_in: wide(&w.w_in),
        w_rec: wide(&w.w_rec),
        w_out: wide(&w.w_out),
    };
    let mut interval = Interval::new(&network, TICKS, TICKS * N_IN);
    let mut single = Interval::new(classifier.network(), TICKS, TICKS * N_IN);
    let (mut spikes, mut equal) = (0, 0);
    for (s, now) in inputs.iter().enumerate() {
        interval.step(&network, now);
        single.step(classifier.network(), now);
        assert_eq!(json!(interval.fired()), run["spikes"][s], "tick {s}");
        spikes += interval.fired().len();
        equal += usize::from(single.fired() == interval.fired());
        for (k, &y) in interval.readout().iter().enumerate() {
            let theirs = run["readout"][s][k].as_f64().unwrap();
            assert!((y - theirs).abs() <= close, "tick {s}: {y} {theirs}");
        }
    }
    eprintln!("{spikes} spikes as NumPy has them; f32 in {equal} of {TICKS} ticks");
    assert!(spikes > 500, "{spikes} spikes are no test");
}

/// Hands a classifier to the peer and compares everything that comes back.
fn hold(neuron: NeuronParams) {
    let (classifier, inputs) = (classifier(neuron), inputs());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let graph = export(&classifier, false).unwrap();
    nir_file::write(&file("ours.nir"), &graph).unwrap();
    std::fs::write(file("inputs.json"), json!(inputs).to_string()).unwrap();
    peer("nir_graphs.py", &[folder.path()]);

    hold_values(&graph, &read_json(&file("read.json")));
    hold_run(&classifier, &inputs, &read_json(&file("run.json")), 1e-12);

    let again = nir_file::read(&file("again.nir")).unwrap();
    let again = import(&again, 99.0).unwrap();
    assert!(again.ours);
    let bytes = |c: &Classifier| c.to_bytes().unwrap();
    assert_eq!(bytes(&again.classifier), bytes(&classifier));

    let hand = import(&nir_file::read(&file("hand.nir")).unwrap(), 1.0).unwrap();
    assert!(!hand.ours);
    // Weights with gains and thresholds folded in are rounded to 32 bits.
    hold_run(
        &hand.classifier,
        &inputs,
        &read_json(&file("hand.json")),
        1e-5,
    );

    let every = nir_file::read(&file("every.nir")).unwrap();
    let kinds: Vec<&str> = every.nodes.values().map(|n| n.kind.as_str()).collect();
    assert_eq!(kinds.len(), 17, "{kinds:?}");
    for (name, node) in &every.nodes {
        assert_eq!(*name, node.kind.to_lowercase());
    }
    let error = import(&every, 1.0).unwrap_err().to_string();
    assert!(
        error.contains("node \"avgpool2d\": is of type AvgPool2d"),
        "{error}"
    );
}

/// As our networks are by default but for the adaptation: reset late, refractory.
#[test]
fn our_neurons_by_their_metadata() {
    hold(NeuronParams::default());
}

/// What NIR says without metadata: reset to zero, no refractory time.
#[test]
fn neurons_as_nir_has_them() {
    hold(NeuronParams {
        reset: Reset::ToZero,
        t_ref_ms: 0.0,
        ..NeuronParams::default()
    });
}

/// Spikes that add their full weight, a reset at once, another tick.
#[test]
fn full_weights_on_another_grid() {
    hold(NeuronParams {
        reset: Reset::AtOnce,
        dt_ms: 0.5,
        regular_spike_arrival: true,
        regular_spike_arrival_out: true,
        ..NeuronParams::default()
    });
}
