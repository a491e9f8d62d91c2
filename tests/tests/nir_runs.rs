//! NIR graphs of several layers that PyPI's `nir` wrote, run by us and by NumPy, each
//! graph by code for it alone: every spike the same, every other number to 1e-9. Fails
//! where the peer cannot be installed.

use std::collections::BTreeMap;

use saccade_engine::nir::{Integration, Runner};
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

#[test]
fn layers_images_and_loops_run_as_in_numpy() {
    let folder = tempfile::tempdir().unwrap();
    peer("nir_runs.py", &[folder.path()]);
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
