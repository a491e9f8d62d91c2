use super::*;
use crate::models::classifier::Classifier;
use crate::models::config::ClassifierConfig;
use crate::network::Interval;
use crate::neurons::{NeuronParams, Reset};
use crate::nir::tests::{array, node};
use crate::nir::{Node, Values, export};

/// An Input or Output of one dimension.
fn end(kind: &str, count: usize) -> Node {
    node(kind, &[("shape", array(&[1], &[count as f64]))])
}

fn linear(to: usize, from: usize, weight: &[f64]) -> Node {
    node("Linear", &[("weight", array(&[to, from], weight))])
}

/// A neuron that fires in the tick in which it gets more than 0.5, and forgets.
fn gate(count: usize) -> Node {
    node(
        "IF",
        &[
            ("r", array(&[count], &vec![1000.0; count])),
            ("v_threshold", array(&[count], &vec![0.5; count])),
            ("v_reset", array(&[count], &vec![0.0; count])),
        ],
    )
}

fn graph(nodes: &[(&str, Node)], edges: &[(&str, &str)]) -> Graph {
    Graph {
        nodes: nodes
            .iter()
            .map(|(name, node)| ((*name).to_owned(), node.clone()))
            .collect(),
        edges: edges
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect(),
        metadata: Values::new(),
    }
}

fn runner(graph: &Graph) -> Runner {
    Runner::new(graph, Some(1e-3), Integration::Exact).unwrap()
}

fn refused(graph: &Graph) -> String {
    let error = Runner::new(graph, Some(1e-3), Integration::Exact);
    error.unwrap_err().to_string()
}

/// What the only output gives for what the only input gets, tick by tick.
fn run(graph: &Graph, inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let mut runner = runner(graph);
    let mut tick = |input: &&[f64]| {
        runner.set_input(0, input).unwrap();
        runner.tick();
        runner.output(0).unwrap().to_vec()
    };
    inputs.iter().map(&mut tick).collect()
}

/// Of two layers that drive each other the way forward takes no time and the way back a
/// tick, whatever the nodes are called.
#[test]
fn only_the_way_back_is_late() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let nodes = [
            ("in", end("Input", 1)),
            (first, gate(1)),
            ("up", linear(1, 1, &[1.0])),
            (second, gate(1)),
            ("back", linear(1, 1, &[1.0])),
            ("out", end("Output", 1)),
        ];
        let edges = [
            ("in", first),
            (first, "up"),
            ("up", second),
            (second, "back"),
            ("back", first),
            (second, "out"),
        ];
        // One pulse goes round for ever, a round a tick.
        let out = run(&graph(&nodes, &edges), &[&[1.0], &[0.0], &[0.0], &[0.0]]);
        assert_eq!(out, [[1.0]; 4]);
    }
}

/// A delay in a cycle takes its own time and nothing besides.
#[test]
fn a_delay_cuts_a_cycle() {
    let nodes = [
        ("in", end("Input", 1)),
        ("cell", gate(1)),
        ("wait", node("Delay", &[("delay", array(&[1], &[0.003]))])),
        ("out", end("Output", 1)),
    ];
    let edges = [
        ("in", "cell"),
        ("cell", "wait"),
        ("wait", "cell"),
        ("cell", "out"),
    ];
    let inputs: Vec<&[f64]> = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        .map(|x| if x > 0.0 { &[1.0][..] } else { &[0.0] })
        .to_vec();
    let out: Vec<f64> = run(&graph(&nodes, &edges), &inputs).concat();
    assert_eq!(out, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
}

/// Elements of a Delay wait each as long as it says, 0 included.
#[test]
fn delays_differ_between_elements() {
    let nodes = [
        ("in", end("Input", 3)),
        (
            "wait",
            node("Delay", &[("delay", array(&[3], &[0.0, 0.001, 0.002]))]),
        ),
        ("out", end("Output", 3)),
    ];
    let edges = [("in", "wait"), ("wait", "out")];
    let out = run(&graph(&nodes, &edges), &[&[1.0; 3], &[2.0; 3], &[3.0; 3]]);
    assert_eq!(out, [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [3.0, 2.0, 1.0]]);
}

/// A graph in a graph is what it would be laid out flat, also where it only passes on.
#[test]
fn graphs_in_graphs_are_laid_out() {
    let inner = |nodes: &[(&str, Node)], edges: &[(&str, &str)]| Node {
        inner: Some(graph(nodes, edges)),
        ..node("NIRGraph", &[])
    };
    let doors = [("input", end("Input", 2)), ("output", end("Output", 2))];
    let nothing = inner(&doors, &[("input", "output")]);
    let mut with_weights = doors.to_vec();
    with_weights.push(("w", linear(2, 2, &[1.0, 2.0, 3.0, 4.0])));
    with_weights.push(("nothing", nothing));
    let edges = [("input", "w"), ("w", "nothing"), ("nothing", "output")];
    let nodes = [
        ("in", end("Input", 2)),
        ("block", inner(&with_weights, &edges)),
        ("out", end("Output", 2)),
    ];
    let nested = graph(&nodes, &[("in", "block"), ("block", "out")]);
    let flat = nested.flattened().unwrap();
    let names: Vec<&String> = flat.nodes.keys().collect();
    assert_eq!(names, ["block/w", "in", "out"]);
    assert_eq!(run(&nested, &[&[1.0, 10.0]]), [[21.0, 43.0]]);

    let mut two = nested.clone();
    let block = two.nodes.get_mut("block").unwrap().inner.as_mut().unwrap();
    block.nodes.insert("other".to_owned(), end("Input", 2));
    assert!(refused(&two).contains("\"block\" has more than one Input"));
}

/// Our classifier's graph runs to the classifier's spikes and readout, for every reset.
#[test]
fn our_graphs_run_as_the_classifier() {
    let resets = [Reset::Late, Reset::AtOnce, Reset::ToZero];
    for (reset, t_ref_ms) in resets.into_iter().zip([5.0, 2.0, 0.0]) {
        let config = ClassifierConfig {
            n_in: 20,
            n_lif: 30,
            n_alif: 0,
            max_ticks: 200,
            input_gain: 6.0,
            neuron: NeuronParams {
                reset,
                t_ref_ms,
                ..NeuronParams::default()
            },
            ..ClassifierConfig::default()
        };
        let classifier = Classifier::new(config, 3).unwrap();
        let mut runner = Runner::new(
            &export(&classifier, false).unwrap(),
            None,
            Integration::Exact,
        )
        .unwrap();
        let lif = runner.node("lif").unwrap();
        let network = classifier.network();
        let mut interval = Interval::new(network, 200, 200 * 20);
        let mut spikes = 0;
        for tick in 0..200_u32 {
            let now: Vec<u32> = (0..20).filter(|j| (tick * 7 + j * 13) % 11 == 0).collect();
            let mut input = [0.0; 20];
            now.iter().for_each(|&j| input[j as usize] = 1.0);
            runner.set_input(0, &input).unwrap();
            runner.tick();
            interval.step(network, &now);
            let ours = runner.value(lif).unwrap().iter().enumerate();
            let ours: Vec<u32> = ours
                .filter(|(_, z)| **z > 0.0)
                .map(|(k, _)| k as u32)
                .collect();
            assert_eq!(interval.fired(), ours, "{reset:?} tick {tick}");
            spikes += ours.len();
            let readout = interval.readout().iter().zip(runner.output(0).unwrap());
            for (a, b) in readout {
                assert!((f64::from(*a) - b).abs() < 1e-4, "{a} {b}");
            }
        }
        assert!(spikes > 100, "{spikes} spikes are no test");
    }
}

/// The exact solution of both equations of CubaLI is what very many Euler steps come to,
/// with equal, nearly equal and very different time constants.
#[test]
fn a_synaptic_current_is_integrated_exactly() {
    for tau_syn in [0.002, 0.0099999, 0.01, 0.5, 1e-5] {
        let cell = node(
            "CubaLI",
            &[
                ("tau_syn", array(&[1], &[tau_syn])),
                ("tau_mem", array(&[1], &[0.01])),
                ("r", array(&[1], &[2.0])),
                ("v_leak", array(&[1], &[-0.3])),
                ("w_in", array(&[1], &[3.0])),
            ],
        );
        let nodes = [
            ("in", end("Input", 1)),
            ("cell", cell),
            ("out", end("Output", 1)),
        ];
        let graph = graph(&nodes, &[("in", "cell"), ("cell", "out")]);
        let inputs: Vec<&[f64]> = vec![&[1.0], &[0.0], &[0.0], &[1.0], &[0.0]];
        let found = run(&graph, &inputs).concat();
        let fine = 1e-7;
        let (mut v, mut i) = (-0.3, 0.0);
        for (input, found) in inputs.iter().zip(found) {
            for _ in 0..10_000 {
                // Midpoint steps.
                let d =
                    |v: f64, i: f64| ((-0.3 - v + 2.0 * i) / 0.01, (3.0 * input[0] - i) / tau_syn);
                let (dv, di) = d(v, i);
                let (dv, di) = d(v + fine / 2.0 * dv, i + fine / 2.0 * di);
                (v, i) = (v + fine * dv, i + fine * di);
            }
            assert!((v - found).abs() < 1e-7, "{tau_syn}: {found} not {v}");
        }
    }
}

/// What cannot run is refused by the name of the place.
#[test]
fn what_cannot_run_is_named() {
    let plain = [
        ("in", end("Input", 2)),
        ("w", linear(3, 2, &[1.0; 6])),
        ("out", end("Output", 3)),
    ];
    let edges = [("in", "w"), ("w", "out")];
    let with = |name: &'static str, node: Node| {
        let mut nodes = plain.to_vec();
        nodes.retain(|(n, _)| *n != name);
        nodes.push((name, node));
        refused(&graph(&nodes, &edges))
    };
    assert!(
        with("w", linear(3, 5, &[1.0; 15]))
            .contains("edge \"in\" -> \"w\": [2] numbers come in, 5 are taken")
    );
    assert!(with("w", linear(3, 2, &[f64::NAN; 6])).contains("w.weight: holds NaN"));
    assert!(with("w", node("Linear", &[])).contains("w.weight: is missing"));
    assert!(with("w", node("Sigmoid", &[])).contains("\"w\" (Sigmoid): is of no type that runs"));
    let huge = end("Input", 1 << 24);
    let mut scale = node("Scale", &[("scale", array(&[1], &[1.0]))]);
    assert!(with("in", huge).contains("edge \"in\" -> \"w\""));
    scale.parameters.insert("scale".to_owned(), "x".into());
    assert!(with("w", scale).contains("w.scale: is \"x\", expected numbers"));
    let delay = |s: f64| node("Delay", &[("delay", array(&[1], &[s]))]);
    assert!(with("w", delay(0.0015)).contains("1.500000 ticks of 0.001 s"));
    assert!(with("w", delay(-1.0)).contains("holds -1 s"));
    assert!(with("w", delay(1e5)).contains("2^24"));
    // Shapes with more numbers than can be counted.
    let vast = array(&[3], &[f64::from(1 << 24); 3]);
    assert!(with("out", node("Output", &[("shape", vast)])).contains("but [3] comes in"));
    let convolution = node(
        "Conv2d",
        &[
            ("weight", array(&[1 << 17, 1, 1, 1], &[1.0; 1 << 17])),
            ("groups", array(&[], &[f64::from(1 << 17)])),
            ("input_shape", array(&[2], &[f64::from(1 << 24); 2])),
        ],
    );
    assert!(with("w", convolution).contains("but [2] comes in"));
    let long = [("in", end("Input", 8)), ("w", delay(1.6e4))];
    let error = refused(&graph(&long, &[("in", "w")]));
    assert!(error.contains("has more than 67108864 numbers"), "{error}");

    let cycle = [("in", "w"), ("w", "out"), ("x", "w"), ("w", "x")];
    let mut nodes = plain.to_vec();
    nodes.push(("x", linear(2, 3, &[1.0; 6])));
    let error = refused(&graph(&nodes, &cycle));
    assert!(error.contains("cycle without a neuron"), "{error}");
    let error = refused(&graph(&plain, &[("in", "w"), ("w", "nowhere")]));
    assert!(error.contains("there is no node \"nowhere\""), "{error}");
    let error = refused(&graph(&plain, &[("in", "w")]));
    assert!(error.contains("\"out\": nothing leads to it"), "{error}");

    let good = graph(&plain, &edges);
    let mut runner = runner(&good);
    assert!(runner.set_input(0, &[1.0]).is_err());
    assert!(runner.set_input(0, &[1.0, f64::INFINITY]).is_err());
    assert!(runner.set_input(1, &[]).is_err());
    for dt in [0.0, -1.0, f64::NAN, 2.0] {
        assert!(Runner::new(&good, Some(dt), Integration::Exact).is_err());
    }
}
