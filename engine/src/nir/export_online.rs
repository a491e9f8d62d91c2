//! A network that learns, of several populations, as a NIR graph.

use std::collections::BTreeSet;

use super::export::{end, li_parameters, lif, node, values};
use super::{Array, Element, Graph, Node, wrong};
use crate::circuit::{Builder, Source};
use crate::error::Result;
use crate::learning::online::{Cells, Connection, Online};
use crate::neurons::NeuronParams;
use crate::real::Real;

/// Numbers of all matrices at most, as many as a file holds.
const MAX_NUMBERS: usize = 1 << 24;

/// What has learnt, as a graph: an Input for each group of inputs, a LIF for each population,
/// a LI and an Output for the readout, under their names. A projection is a Linear for each
/// delay that its synapses have, named `from_to_to_number_delay`, and a Delay behind it
/// where that is not 0. `network` was made of `model`; its weights are those of the last
/// [`Online::settle`].
///
/// # Errors
/// [`crate::Error::Nir`] where a name stands twice, thresholds adapt, for which NIR has no
/// node (allowed by `lossy`), or the matrices, which NIR has dense only, would be too large.
pub fn export_online<R: Real>(
    model: &Builder<Cells>,
    network: &Online<R>,
    lossy: bool,
) -> Result<Graph> {
    let mut to = Graph {
        metadata: values([("dt", Array::scalar(model.dt_ms / 1000.0).into())]),
        ..Graph::default()
    };
    for (name, n) in &model.inputs {
        add(&mut to, name, end("Input", *n))?;
    }
    for (name, n, cells) in &model.populations {
        population(&mut to, model.dt_ms, (name, *n), cells, lossy)?;
    }
    let mut numbers = 0;
    for (at, projecting) in model.projections.iter().enumerate() {
        let (from, n_from) = match projecting.from {
            Source::Inputs(inputs) => {
                let (name, n) = &model.inputs[inputs.0];
                (name, *n)
            }
            Source::Population(population) => {
                let (name, n, _) = &model.populations[population.0];
                (name, *n)
            }
        };
        let (into, n_into, _) = &model.populations[projecting.to.0];
        let synapses = network.connections(at);
        let delays: BTreeSet<u32> = synapses.iter().map(|c| c.delay_ticks).collect();
        numbers += delays.len() * n_from * n_into;
        if numbers > MAX_NUMBERS {
            let what = format!(
                "with {} delays of {n_from} x {n_into} synapses the graph has more than {MAX_NUMBERS} numbers",
                delays.len()
            );
            return Err(wrong(format!("projection {from} -> {into}"), what));
        }
        for delay in delays {
            let name = format!("{from}_to_{into}_{at}_{delay}");
            let linear = matrix(&synapses, delay, *n_into, n_from);
            add(&mut to, &name, linear)?;
            to.edges.push((from.clone(), name.clone()));
            let mut last = name;
            if delay > 0 {
                let wait = format!("{last}_delay");
                let seconds = f64::from(delay) * model.dt_ms / 1000.0;
                let seconds = Array::uniform(*n_into, seconds);
                add(
                    &mut to,
                    &wait,
                    node("Delay", values([("delay", seconds.into())])),
                )?;
                to.edges.push((last, wait.clone()));
                last = wait;
            }
            to.edges.push((last, into.clone()));
        }
    }
    Ok(to)
}

fn add(to: &mut Graph, name: &str, node: Node) -> Result<()> {
    match to.nodes.insert(name.to_owned(), node) {
        None => Ok(()),
        Some(_) => Err(wrong(
            format!("node {name:?}"),
            "stands twice; give inputs and populations other names",
        )),
    }
}

fn population(
    to: &mut Graph,
    dt_ms: f64,
    (name, n): (&str, usize),
    cells: &Cells,
    lossy: bool,
) -> Result<()> {
    match cells {
        Cells::Spiking {
            params, adapting, ..
        } => {
            if *adapting > 0 && params.beta > 0.0 && !lossy {
                let what = format!(
                    "NIR has no node for the adaptive thresholds of {adapting} of its {n} neurons; other programs would run plain LIF neurons; allow it (lossy) or take none that adapt"
                );
                return Err(wrong(format!("population {name}"), what));
            }
            let params = NeuronParams {
                dt_ms,
                ..params.clone()
            };
            add(to, name, lif(&params, n, *adapting))
        }
        Cells::Readout { tau_ms } => {
            let params = NeuronParams {
                dt_ms,
                tau_out_ms: *tau_ms,
                regular_spike_arrival_out: true,
                ..NeuronParams::default()
            };
            add(to, name, node("LI", li_parameters(&params, n)))?;
            let output = format!("{name}_output");
            add(to, &output, end("Output", n))?;
            to.edges.push((name.to_owned(), output));
            Ok(())
        }
    }
}

/// The synapses with this delay.
fn matrix<R: Real>(synapses: &[Connection<R>], delay: u32, to: usize, from: usize) -> Node {
    let mut dense = vec![0.0; to * from];
    for c in synapses.iter().filter(|c| c.delay_ticks == delay) {
        dense[c.to as usize * from + c.from as usize] += c.weight.to_f64();
    }
    let weight = Array {
        element: Element::F64,
        shape: vec![to, from],
        values: dense,
    };
    node("Linear", values([("weight", weight.into())]))
}
