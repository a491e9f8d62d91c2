//! What deciding costs: networks that do not learn, at 1 ms ticks.

use super::clock::{median, timed};
use super::ours::network;
use super::problem::{Problem, Sizes};
use crate::cli::CliError;
use saccade_engine::circuit::{Builder, Lif, Rule, Value};
use saccade_engine::learning::optimizer::OptimizerConfig;
use saccade_engine::network::{Interval, Network, Part};
use std::ops::Range;

const N_IN: usize = 2048;
/// Neurons of a layer.
const LAYER: usize = 200;
const EVENTS_HZ: f64 = 100_000.0;
/// A second of simulated time.
const TICKS: usize = 1000;

/// What a network takes of a core while it runs in real time.
#[derive(Debug, serde::Serialize)]
pub(super) struct Share {
    network: &'static str,
    /// Input spikes per second.
    input_hz: f64,
    /// Firing rate of the neurons.
    rate_hz: f64,
    /// Of one core, for f32.
    percent: f64,
}

impl Share {
    pub fn line(&self) -> String {
        format!(
            "{:<42} {:>9.0} {:>8.1} {:>9.2} %",
            self.network, self.input_hz, self.rate_hz, self.percent
        )
    }
}

/// One recurrent layer of 200 neurons, and two of them in two ways.
pub(super) fn measure(repeats: usize, seed: u64) -> Result<Vec<Share>, CliError> {
    Ok(vec![
        one_layer(repeats, seed),
        blocks(repeats, seed)?,
        two_populations(repeats, seed)?,
    ])
}

fn input(n_rec: usize, seed: u64) -> Problem {
    let sizes = Sizes {
        n_in: N_IN,
        n_rec,
        n_out: 4,
    };
    let none = OptimizerConfig::Sgd { eta: 0.0 };
    Problem::new(sizes, none, EVENTS_HZ / N_IN as f64, TICKS, seed)
}

/// Runs `tick` for a second, once to warm up and then `repeats` times; it returns the
/// spikes of the neurons.
fn share(
    name: &'static str,
    neurons: usize,
    inputs: &[Vec<u32>],
    repeats: usize,
    mut tick: impl FnMut(&[u32]) -> usize,
) -> Share {
    let mut seconds = Vec::with_capacity(repeats);
    let mut spikes = 0;
    for turn in 0..=repeats {
        spikes = 0;
        let cpu_s = timed(|| spikes = inputs.iter().map(|fired| tick(fired)).sum());
        if turn > 0 {
            seconds.push(cpu_s);
        }
    }
    Share {
        network: name,
        input_hz: inputs.iter().map(Vec::len).sum::<usize>() as f64,
        rate_hz: spikes as f64 / neurons as f64,
        percent: 100.0 * median(&seconds),
    }
}

fn one_layer(repeats: usize, seed: u64) -> Share {
    let problem = input(LAYER, seed);
    let network = network(&problem, &problem.neurons);
    run(
        "2048-200-4, one recurrent layer",
        &network,
        &problem,
        repeats,
    )
}

fn run(name: &'static str, network: &Network<f32>, problem: &Problem, repeats: usize) -> Share {
    // Nothing is recorded.
    let mut interval = Interval::new(network, 0, 0);
    let neurons = network.topology.n_rec();
    share(name, neurons, &problem.inputs, repeats, |fired| {
        interval.step(network, fired);
        interval.fired().len()
    })
}

/// Two layers as one of twice the size, in which the inputs reach the first half, that
/// the second, and that the readout. It costs what all-to-all would: matrices are dense.
fn blocks(repeats: usize, seed: u64) -> Result<Share, CliError> {
    let problem = input(2 * LAYER, seed);
    let mut network = network(&problem, &problem.neurons);
    let all = |from: Range<usize>, to: Range<usize>| {
        let to = move |i| to.clone().map(move |j| (i as u32, j as u32));
        from.flat_map(to)
    };
    let (first, second) = (0..LAYER, LAYER..2 * LAYER);
    let incoming: Vec<_> = all(0..N_IN, first.clone()).collect();
    let recurrent = all(first.clone(), 0..2 * LAYER).chain(all(second.clone(), second.clone()));
    let recurrent: Vec<_> = recurrent.filter(|(i, j)| i != j).collect();
    let readout: Vec<_> = all(second, 0..4).collect();
    network.connect(Part::Input, &incoming)?;
    network.connect(Part::Recurrent, &recurrent)?;
    network.connect(Part::Readout, &readout)?;
    // Between layers fewer spikes arrive than from the inputs.
    for row in network
        .weights
        .w_rec
        .chunks_exact_mut(2 * LAYER)
        .take(LAYER)
    {
        row[LAYER..].iter_mut().for_each(|w| *w *= 2.0);
    }
    Ok(run(
        "2048-200-200-4, two recurrent layers",
        &network,
        &problem,
        repeats,
    ))
}

/// Two layers as a circuit, of synapses one by one; the readout are neurons that never fire.
fn two_populations(repeats: usize, seed: u64) -> Result<Share, CliError> {
    let problem = input(LAYER, seed);
    let mut model = Builder::new(1.0, seed);
    let events = model.inputs("events", N_IN);
    let first = model.population("first", LAYER, Lif::default());
    let second = model.population("second", LAYER, Lif::default());
    let silent = Lif {
        v_th_mv: 1e3,
        ..Lif::default()
    };
    let readout = model.population("readout", 4, silent);
    let even = |mv: f64| Value::Uniform(-mv, mv);
    model
        .project(events, first, Rule::AllToAll)
        .weight(even(0.6));
    for (from, to, mv) in [
        (first, first, 1.0),
        (first, second, 3.0),
        (second, second, 1.0),
        (second, readout, 1.0),
    ] {
        model.project(from, to, Rule::AllToAll).weight(even(mv));
    }
    let mut circuit = model.build::<f32>()?;
    let name = "2048-200-200-4, a circuit of its own";
    Ok(share(name, 2 * LAYER, &problem.inputs, repeats, |fired| {
        // Its inputs are in range: `input` drew them so.
        let _ = circuit.spike(events, fired);
        circuit.tick();
        circuit.fired(first).len() + circuit.fired(second).len()
    }))
}
