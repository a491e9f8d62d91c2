//! NIR graphs of several layers that PyPI's `nir` wrote, run by us and by NumPy, each
//! graph by code for it alone: every spike the same, every other number to 1e-9. Fails
//! where the peer cannot be installed.

use std::collections::BTreeMap;

use saccade_engine::circuit::{Builder, Rule, Value};
use saccade_engine::learning::online::{Cells, OnlineConfig};
use saccade_engine::neurons::NeuronParams;
use saccade_engine::nir::{Graph, Integration, Runner, export_online};
use saccade_launch::nir_file;
use saccade_tests::peer;
use serde::Deserialize;

/// Numbers of a node, tick by tick.
type Course = BTreeMap<String, Vec<Vec<f64>>>;

#[derive(Deserialize)]
struct Told {
    inputs: Course,
    exact: Course,
    euler: Course,
}

/// Holds a run to what NumPy got; gives the sum over all ticks of each node.
fn hold(runner: &mut Runner, inputs: &Course, expected: &Course) -> BTreeMap<String, f64> {
    let names: Vec<String> = runner.inputs().map(|(name, _)| name.to_owned()).collect();
    let mut sums = BTreeMap::new();
    for tick in 0..inputs[&names[0]].len() {
        for (at, name) in names.iter().enumerate() {
            runner.set_input(at, &inputs[name][tick]).unwrap();
        }
        runner.tick();
        for (node, values) in expected {
            let at = runner.node(node).expect("the node runs");
            let (found, expected) = (runner.value(at).unwrap(), &values[tick]);
            assert_eq!(found.len(), expected.len(), "{node}");
            for (k, (a, b)) in found.iter().zip(expected).enumerate() {
                let close = (a - b).abs() <= 1e-9 * b.abs().max(1.0);
                assert!(close, "{node}[{k}] in tick {tick}: {a}, NumPy has {b}");
            }
            *sums.entry(node.clone()).or_default() += found.iter().sum::<f64>();
        }
    }
    sums
}

/// Two populations that learn, as a graph.
fn learning() -> Graph {
    let mut model = Builder::new(1.0, 3);
    let inputs = model.inputs("inputs", 6);
    let cells = model.population("cells", 10, Cells::spiking(NeuronParams::default()));
    let others = model.population("others", 4, Cells::spiking(NeuronParams::default()));
    let readout = model.population("readout", 2, Cells::Readout { tau_ms: 20.0 });
    for (to, delay) in [(cells, Value::Uniform(0.0, 3.0)), (others, 0.0.into())] {
        model.project(inputs, to, Rule::AllToAll).delay_ms(delay);
    }
    model.project(cells, others, Rule::Random(0.5));
    model.project(others, cells, Rule::AllToAll);
    for from in [cells, others] {
        model.project(from, readout, Rule::AllToAll);
    }
    let network = model.online::<f32>(&OnlineConfig::default()).unwrap();
    export_online(&model, &network, false).unwrap()
}

#[test]
fn layers_images_and_loops_run_as_in_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let ours = learning();
    nir_file::write(&folder.path().join("ours.nir"), &ours).unwrap();
    peer("nir_runs.py", &[folder.path()]);
    let read = std::fs::read(folder.path().join("ours.json")).unwrap();
    let read: BTreeMap<String, String> = serde_json::from_slice(&read).unwrap();
    let kinds = ours.nodes.iter().map(|(k, n)| (k.clone(), n.kind.clone()));
    assert_eq!(read, kinds.collect());
    for (name, spiking) in [
        ("deep", vec!["cuba", "lif", "if"]),
        ("images", vec!["cells"]),
        ("loops", vec!["first", "block/second"]),
    ] {
        let graph = nir_file::read(&folder.path().join(format!("{name}.nir"))).unwrap();
        let told = std::fs::read(folder.path().join(format!("{name}.json"))).unwrap();
        let told: Told = serde_json::from_slice(&told).unwrap();
        for (integration, expected) in [
            (Integration::Exact, &told.exact),
            (Integration::Euler, &told.euler),
        ] {
            let mut runner = Runner::new(&graph, None, integration).unwrap();
            let sums = hold(&mut runner, &told.inputs, expected);
            for node in &spiking {
                let spikes = sums[*node];
                assert!(
                    spikes > 40.0,
                    "{name}: {spikes} spikes of {node} are no test"
                );
            }
        }
        assert_ne!(told.exact, told.euler, "{name}: both integrations agree");

        // What we write, inner graphs and all, is read again as it was.
        let bytes = nir_file::to_bytes(&graph).unwrap();
        assert_eq!(nir_file::from_bytes(bytes).unwrap(), graph);
    }
}
