//! Any NIR graph, tick by tick.
//!
//! [`Runner`] runs every node that NIR 1.0 has, by the equations in the documentation of
//! PyPI's `nir`, in `f64`, on ticks of one length:
//!
//! ```text
//! Linear    y = W x                        Affine    y = W x + b       Scale  y = s x
//! Conv1d, Conv2d                           cross-correlation, zeros around, plus bias
//! SumPool2d, AvgPool2d                     sum, mean of a window, zeros around
//! Flatten   y = x                          Threshold y = 1 where x > threshold, else 0
//! Delay     y(t) = x(t - delay)            a whole number of ticks
//! I         v' = r x                       LI      tau v' = (v_leak - v) + r x
//! IF, LIF   the same, z = 1 where v > v_threshold, v = v_reset then
//! CubaLI    tau_syn i' = -i + w_in x,      tau_mem v' = (v_leak - v) + r i
//! CubaLIF   the same with threshold
//! ```
//!
//! NIR is continuous time and says no ticks. What is chosen here:
//! - A signal is constant for a tick; a spike is a 1 that lasts one. Neurons take the
//!   exact solution over the tick or a forward Euler step ([`Integration`]). What comes in
//!   during a tick is in the potential at its end, where it is compared with the threshold.
//! - What a node gives in a tick reaches the nodes behind it in the same tick. Of a cycle,
//!   the edges that lead no further away from the inputs (counted in edges) are a tick
//!   late; each cycle must have a neuron, or a delay of a tick or more, which takes
//!   nothing besides.
//! - The metadata `reset` and `t_ref` of our own graphs ([`super::export`]) are kept to.

mod filter;
mod neuron;
mod order;
mod parameters;
mod unit;

use super::{Graph, Value, wrong};
use crate::error::Result;
use order::Order;
use unit::Unit;

/// Numbers that a runner holds at most, weights and states together.
pub const MAX_NUMBERS: usize = 1 << 26;

/// How the equations of neurons become steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Integration {
    /// The exact solution for an input that is constant for the tick.
    #[default]
    Exact,
    /// Forward Euler: every derivative is taken at the start of the tick, as most programs
    /// that train with PyTorch have it.
    Euler,
}

/// A node's output, seen from one that takes it.
#[derive(Clone, Copy, Debug)]
struct Source {
    unit: usize,
    /// Whether it comes a tick late.
    late: bool,
}

/// A graph that runs.
#[derive(Debug)]
pub struct Runner {
    dt_s: f64,
    /// In the order in which they run.
    units: Vec<Unit>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    values: Vec<Vec<f64>>,
    /// The values a tick ago, of units whose output somebody takes late.
    before: Vec<Option<Vec<f64>>>,
    /// What comes into the unit that runs.
    sum: Vec<f64>,
}

impl Runner {
    /// Builds a runner, at rest. A tick lasts `dt_s` seconds; without, what the metadata
    /// `dt` say, or else 1 ms.
    ///
    /// # Errors
    /// [`crate::Error::Nir`] names the node that cannot run, or the edge or parameter that
    /// is wrong.
    pub fn new(graph: &Graph, dt_s: Option<f64>, integration: Integration) -> Result<Self> {
        let dt_s = tick(graph, dt_s)?;
        let flat = graph.flattened()?;
        let order = Order::of(&flat, dt_s)?;
        let mut runner = Self {
            dt_s,
            units: Vec::with_capacity(order.names.len()),
            inputs: Vec::new(),
            outputs: Vec::new(),
            values: Vec::new(),
            before: Vec::new(),
            sum: Vec::new(),
        };
        let mut left = MAX_NUMBERS;
        for (at, name) in order.names.iter().enumerate() {
            let node = &flat.nodes[name.as_str()];
            let sources = &order.sources[at];
            let shape = runner.shape_into(name, sources)?;
            let unit = unit::build(name, node, shape, dt_s, integration, &mut left)?;
            match node.kind.as_str() {
                "Input" => runner.inputs.push(at),
                "Output" => runner.outputs.push(at),
                _ => {}
            }
            runner.values.push(unit.at_rest());
            runner.units.push(unit);
        }
        // By name, whatever the order in which they run.
        for ends in [&mut runner.inputs, &mut runner.outputs] {
            ends.sort_by(|&a, &b| order.names[a].cmp(&order.names[b]));
        }
        runner.connect(&order)?;
        let longest = runner.units.iter().map(|u| u.takes).max();
        runner.sum = vec![0.0; longest.unwrap_or_default()];
        Ok(runner)
    }

    /// The shape that comes into a node from nodes that run before it.
    fn shape_into(&self, name: &str, sources: &[Source]) -> Result<Option<Vec<usize>>> {
        let mut known = sources.iter().filter(|s| s.unit < self.units.len());
        let Some(first) = known.next() else {
            return Ok(None);
        };
        let first = &self.units[first.unit];
        for source in known {
            let other = &self.units[source.unit];
            if other.shape != first.shape {
                let what = format!(
                    "gets {:?} from {:?} and {:?} from {:?}; what is added must have one shape",
                    first.shape, first.name, other.shape, other.name
                );
                return Err(wrong(format!("node {name:?}"), what));
            }
        }
        Ok(Some(first.shape.clone()))
    }

    /// Hands the units their sources, now that all sizes are known.
    fn connect(&mut self, order: &Order) -> Result<()> {
        self.before = vec![None; self.units.len()];
        for at in 0..self.units.len() {
            let sources = order.sources[at].clone();
            for source in &sources {
                let (from, to) = (&self.units[source.unit], &self.units[at]);
                if from.gives() != to.takes {
                    let what = format!("{:?} numbers come in, {} are taken", from.shape, to.takes);
                    let place = format!("edge {:?} -> {:?}", from.name, to.name);
                    return Err(wrong(place, what));
                }
                if source.late {
                    self.before[source.unit] = Some(self.values[source.unit].clone());
                }
            }
            self.units[at].sources = sources;
        }
        Ok(())
    }

    /// Length of a tick, in seconds.
    pub fn dt_s(&self) -> f64 {
        self.dt_s
    }

    /// Names and shapes of the inputs, by name.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.inputs.iter().map(|&at| self.units[at].named())
    }

    /// Names and shapes of the outputs, by name.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.outputs.iter().map(|&at| self.units[at].named())
    }

    /// Names and shapes of what all nodes give, in the order in which they run.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.units.iter().map(Unit::named)
    }

    /// Sets an input, by its place among [`Self::inputs`], for the ticks that follow.
    ///
    /// # Errors
    /// [`crate::Error::Nir`] for another number of values, or one that is not finite.
    pub fn set_input(&mut self, input: usize, values: &[f64]) -> Result<()> {
        let Some(&at) = self.inputs.get(input) else {
            let what = format!("the graph has {} inputs", self.inputs.len());
            return Err(wrong(format!("input {input}"), what));
        };
        let unit = &self.units[at];
        let place = || format!("input {:?}", unit.name);
        if values.len() != unit.gives() {
            let what = format!("{} numbers for shape {:?}", values.len(), unit.shape);
            return Err(wrong(place(), what));
        }
        if let Some(k) = values.iter().position(|v| !v.is_finite()) {
            return Err(wrong(place(), format!("number {k} is {}", values[k])));
        }
        self.values[at].copy_from_slice(values);
        Ok(())
    }

    /// One tick.
    pub fn tick(&mut self) {
        for (now, before) in self.values.iter_mut().zip(&mut self.before) {
            if let Some(before) = before {
                before.copy_from_slice(now);
            }
        }
        for at in 0..self.units.len() {
            let unit = &mut self.units[at];
            if unit.sources.is_empty() {
                continue;
            }
            let (done, rest) = self.values.split_at_mut(at);
            let into = &mut self.sum[..unit.takes];
            if !unit.is_delay() {
                gather(&unit.sources, done, &self.before, into);
            }
            unit.step(into, &mut rest[0]);
        }
        // Delays take what there is only now: they give what they took before.
        for unit in &mut self.units {
            if unit.is_delay() {
                let into = &mut self.sum[..unit.takes];
                gather(&unit.sources, &self.values, &self.before, into);
                unit.take(into);
            }
        }
    }

    /// What a node gave in the last tick, by its place among [`Self::nodes`].
    pub fn value(&self, node: usize) -> Option<&[f64]> {
        self.values.get(node).map(Vec::as_slice)
    }

    /// The place among [`Self::nodes`] of a node of this name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.units.iter().position(|unit| unit.name == name)
    }

    /// What an output gave in the last tick, by its place among [`Self::outputs`].
    pub fn output(&self, output: usize) -> Option<&[f64]> {
        self.value(*self.outputs.get(output)?)
    }
}

/// Sums what comes in.
fn gather(sources: &[Source], now: &[Vec<f64>], before: &[Option<Vec<f64>>], into: &mut [f64]) {
    into.fill(0.0);
    for source in sources {
        let from = match &before[source.unit] {
            Some(before) if source.late => before,
            _ => &now[source.unit],
        };
        into.iter_mut().zip(from).for_each(|(sum, v)| *sum += v);
    }
}

fn tick(graph: &Graph, dt_s: Option<f64>) -> Result<f64> {
    let said = match graph.metadata.get("dt") {
        Some(Value::Array(dt)) if dt.values.len() == 1 => Some(dt.values[0]),
        _ => None,
    };
    let dt_s = dt_s.or(said).unwrap_or(1e-3);
    if !(1e-9..=1.0).contains(&dt_s) {
        let what = format!("is {dt_s} s; 1e-9 to 1 s are possible");
        return Err(wrong("the length of a tick", what));
    }
    Ok(dt_s)
}

#[cfg(test)]
mod tests;
