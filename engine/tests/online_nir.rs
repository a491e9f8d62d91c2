//! What has learnt online, as a NIR graph: it runs to the same spikes.

use saccade_engine::circuit::{Builder, Population, Rule, Value};
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::online::{Cells, Online, OnlineConfig};
use saccade_engine::neurons::{NeuronParams, Reset};
use saccade_engine::nir::{Integration, Runner, export_online};

const INPUTS: u32 = 9;

/// Two populations that drive each other, with delays, sparse and dense.
fn model(adapting: usize) -> (Builder<Cells>, [Population; 2]) {
    let mut model = Builder::new(0.5, 5);
    let inputs = model.inputs("inputs", INPUTS as usize);
    let cells = |reset, t_ref_ms, adapting| Cells::Spiking {
        params: NeuronParams {
            reset,
            t_ref_ms,
            beta: 0.2,
            regular_spike_arrival: true,
            ..NeuronParams::default()
        },
        adapting,
        broadcast: Value::Normal(0.0, 1.0),
    };
    let first = model.population("first", 20, cells(Reset::AtOnce, 1.0, adapting));
    let second = model.population("second", 12, cells(Reset::Late, 2.0, 0));
    let readout = model.population("readout", 3, Cells::Readout { tau_ms: 15.0 });
    model
        .project(inputs, first, Rule::FixedIn(4))
        .weight(Value::Normal(0.3, 1.0))
        .delay_ms(Value::Uniform(0.0, 3.0));
    for (from, to, rule, spread) in [
        (first, first, Rule::Random(0.3), 0.15),
        (first, second, Rule::AllToAll, 0.3),
        (second, first, Rule::FixedOut(2), 0.2),
        (first, readout, Rule::Random(0.5), 0.3),
        (second, readout, Rule::AllToAll, 0.3),
    ] {
        model
            .project(from, to, rule)
            .weight(Value::Normal(0.0, spread))
            .delay_ms(Value::Uniform(if to == readout { 0.0 } else { 0.5 }, 2.5));
    }
    (model, [first, second])
}

fn inputs(tick: u32) -> Vec<u32> {
    (0..INPUTS)
        .filter(|i| (tick * 7 + i * i * 13 + tick * tick / 5).is_multiple_of(9))
        .collect()
}

/// After learning, and so long a silence that nothing is left of it but the weights.
fn learnt(model: &Builder<Cells>) -> Online<f64> {
    let config = OnlineConfig {
        feedback: Feedback::Random,
        // Rates are kept without a teacher too.
        c_reg: 0.0,
        ..OnlineConfig::default()
    };
    let mut network = model.online::<f64>(&config).expect("in range");
    for tick in 0..500 {
        network.tick(&inputs(tick)).expect("known inputs");
        let error: Vec<f64> = network.readout().iter().map(|y| y - 0.4).collect();
        network.learn(Some(&error));
    }
    for _ in 0..10_000 {
        network.tick(&[]).expect("known inputs");
        network.learn(None);
    }
    let left = network
        .layer()
        .v
        .iter()
        .fold(0.0, |a: f64, v| a.max(v.abs()));
    assert!(left < 1e-30, "it drives itself: {left}");
    network.settle();
    network
}

#[test]
fn what_has_learnt_runs_as_a_graph() {
    let (model, populations) = model(0);
    let mut network = learnt(&model);
    let fresh = model.online::<f64>(&OnlineConfig::default());
    let fresh = export_online(&model, &fresh.expect("in range"), false).expect("exports");
    let graph = export_online(&model, &network, false).expect("exports");
    assert_ne!(graph, fresh, "it has learnt");
    let mut runner = Runner::new(&graph, None, Integration::Exact).expect("runs");
    assert_eq!(runner.dt_s(), 0.0005);
    let nodes = ["first", "second"].map(|name| runner.node(name).expect("there"));
    let mut spikes = [0, 0];
    for tick in 1000..2000 {
        let now = inputs(tick);
        network.tick(&now).expect("known inputs");
        let mut row = [0.0; INPUTS as usize];
        now.iter().for_each(|&i| row[i as usize] = 1.0);
        runner.set_input(0, &row).expect("fits");
        runner.tick();
        for ((population, node), sum) in populations.iter().zip(nodes).zip(&mut spikes) {
            let z = runner.value(node).expect("there").iter().enumerate();
            let fired: Vec<u32> = z.filter(|z| *z.1 > 0.0).map(|z| z.0 as u32).collect();
            assert_eq!(network.fired_of(*population), fired, "tick {tick}");
            *sum += fired.len();
        }
        for (a, b) in network.readout().iter().zip(runner.output(0).expect("one")) {
            assert!((a - b).abs() < 1e-9, "tick {tick}: {a} {b}");
        }
        network.learn(None);
    }
    assert!(spikes.iter().all(|&n| n > 200), "{spikes:?} are no test");
}

#[test]
fn what_nir_does_not_have_is_named() {
    let (adapting, _) = model(5);
    let network = adapting.online::<f64>(&OnlineConfig {
        feedback: Feedback::Random,
        ..OnlineConfig::default()
    });
    let network = network.expect("in range");
    let error = export_online(&adapting, &network, false).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("first: NIR has no node for the adaptive thresholds of 5 of its 20"),
        "{error}"
    );
    let lossy = export_online(&adapting, &network, true).expect("allowed");
    let error = Runner::new(&lossy, None, Integration::Exact).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("adaptive neurons in its metadata"),
        "{error}"
    );

    let (mut twice, _) = model(0);
    twice.inputs("first", 2);
    let network = twice
        .online::<f64>(&OnlineConfig::default())
        .expect("in range");
    let error = export_online(&twice, &network, false).unwrap_err();
    assert!(
        error.to_string().contains("node \"first\": stands twice"),
        "{error}"
    );
}
