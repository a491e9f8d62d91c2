//! A node that runs.

use super::filter::{Filter, Matrix};
use super::neuron::Neurons;
use super::parameters::{Reading, count, delay_ticks};
use super::{Integration, Source};
use crate::error::Result;
use crate::nir::Node;

/// Types of nodes that run, but for the graphs that lie in them.
const KINDS: [&str; 18] = [
    "Affine",
    "AvgPool2d",
    "Conv1d",
    "Conv2d",
    "CubaLI",
    "CubaLIF",
    "Delay",
    "Flatten",
    "I",
    "IF",
    "Input",
    "LI",
    "LIF",
    "Linear",
    "Output",
    "Scale",
    "SumPool2d",
    "Threshold",
];

/// A node with its state.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    /// Shape of what it gives.
    pub(super) shape: Vec<usize>,
    /// Numbers that it takes.
    pub(super) takes: usize,
    pub(super) sources: Vec<Source>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Gives what it takes.
    Pass,
    Scale(Vec<f64>),
    Threshold(Vec<f64>),
    Matrix(Matrix),
    Filter(Filter),
    Delay(Delay),
    Neurons(Box<Neurons>),
}

/// Rows of what came in, as many as the longest delay and one.
#[derive(Debug)]
struct Delay {
    ticks: Vec<usize>,
    rows: Vec<f64>,
    /// The row that is written next.
    at: usize,
    /// Whether nothing is given in the tick in which it comes.
    strict: bool,
}

/// Builds a node that takes the shape `into` (unknown where it comes from behind). What it
/// holds is taken off `left`.
pub(super) fn build(
    name: &str,
    node: &Node,
    into: Option<Vec<usize>>,
    dt_s: f64,
    integration: Integration,
    left: &mut usize,
) -> Result<Unit> {
    let reading = Reading { name, node };
    let unit = |takes: usize, shape: Vec<usize>, work: Work| Unit {
        name: name.to_owned(),
        shape,
        takes,
        sources: Vec::new(),
        work,
    };
    // Nodes that give the shape that they take.
    let like = |parameter: &str, work: &dyn Fn(Vec<f64>) -> Work, left: &mut usize| {
        let shape = own_shape(&reading, &[parameter], into.as_ref())?;
        let count = charge(&reading, &shape, left)?;
        let work = work(reading.spread(parameter, count)?);
        Ok(unit(count, shape, work))
    };
    match node.kind.as_str() {
        "Input" => {
            let shape = reading.counts("shape")?;
            charge(&reading, &shape, left)?;
            Ok(unit(0, shape, Work::Pass))
        }
        "Output" => {
            let shape = taken(&reading, into)?;
            let said = reading.counts("shape")?;
            if count(&said) != count(&shape) {
                let what = format!("has shape {said:?}, but {shape:?} comes in");
                return Err(reading.wrong(what));
            }
            Ok(unit(charge(&reading, &shape, left)?, said, Work::Pass))
        }
        "Flatten" => {
            let shape = taken(&reading, into)?;
            let flat = flattened(&reading, &shape)?;
            Ok(unit(charge(&reading, &flat, left)?, flat, Work::Pass))
        }
        "Scale" => like("scale", &Work::Scale, left),
        "Threshold" => like("threshold", &Work::Threshold, left),
        "Linear" | "Affine" => {
            let (matrix, shape) = Matrix::read(&reading)?;
            let takes = matrix.takes();
            charge(&reading, &[shape[0], takes], left)?;
            Ok(unit(takes, shape, Work::Matrix(matrix)))
        }
        "Conv1d" | "Conv2d" | "SumPool2d" | "AvgPool2d" => {
            let into = taken(&reading, into)?;
            let (filter, shape) = Filter::read(&reading, &into)?;
            charge(&reading, &shape, left)?;
            Ok(unit(into.iter().product(), shape, Work::Filter(filter)))
        }
        "Delay" => {
            let shape = own_shape(&reading, &["delay"], into.as_ref())?;
            let count = charge(&reading, &shape, left)?;
            let ticks = delay_ticks(name, node, dt_s)?.unwrap_or_default();
            let delay = Delay::new(&reading, ticks, count, left)?;
            Ok(unit(count, shape, Work::Delay(delay)))
        }
        "I" | "LI" | "IF" | "LIF" | "CubaLI" | "CubaLIF" => {
            let names = ["r", "tau", "tau_mem", "tau_syn", "v_threshold", "v_leak"];
            let shape = own_shape(&reading, &names, into.as_ref())?;
            let count = charge(&reading, &shape, left)?;
            let neurons = Neurons::read(&reading, count, dt_s, integration)?;
            Ok(unit(count, shape, Work::Neurons(Box::new(neurons))))
        }
        _ => Err(reading.wrong(format!(
            "is of no type that runs; these do: {}",
            KINDS.join(", ")
        ))),
    }
}

fn taken(reading: &Reading<'_>, into: Option<Vec<usize>>) -> Result<Vec<usize>> {
    into.ok_or_else(|| {
        reading.wrong("its shape is only known from behind; put a node with a shape before it")
    })
}

/// The shape of the first parameter that is no single number, or else what comes in.
fn own_shape(
    reading: &Reading<'_>,
    parameters: &[&str],
    into: Option<&Vec<usize>>,
) -> Result<Vec<usize>> {
    for parameter in parameters {
        match reading.optional(parameter)? {
            Some(array) if array.values.len() != 1 => return Ok(array.shape.clone()),
            _ => {}
        }
    }
    // Single numbers stand for one element where nothing else is known.
    Ok(into.cloned().unwrap_or_else(|| vec![1]))
}

/// Takes as many numbers as the shape has off what is left; gives their count.
fn charge(reading: &Reading<'_>, shape: &[usize], left: &mut usize) -> Result<usize> {
    match count(shape).and_then(|count| Some((count, left.checked_sub(count)?))) {
        Some((count, rest)) => {
            *left = rest;
            Ok(count)
        }
        None => Err(reading.wrong(format!(
            "with shape {shape:?} the graph has more than {} numbers",
            super::MAX_NUMBERS
        ))),
    }
}

/// The shape with dimensions from `start_dim` to `end_dim` as one.
fn flattened(reading: &Reading<'_>, shape: &[usize]) -> Result<Vec<usize>> {
    let dimension = |parameter: &str, default: f64| {
        let found = reading.optional(parameter)?.map(|a| a.values.first());
        let said = found.flatten().copied().unwrap_or(default);
        let from_start = if said < 0.0 {
            said + shape.len() as f64
        } else {
            said
        };
        if from_start.fract() == 0.0 && (0.0..shape.len() as f64).contains(&from_start) {
            return Ok(from_start as usize);
        }
        let what = format!("{parameter} is {said}, but {shape:?} comes in");
        Err(reading.wrong(what))
    };
    let (start, end) = (dimension("start_dim", 1.0)?, dimension("end_dim", -1.0)?);
    if start > end {
        return Err(reading.wrong(format!("start_dim {start} is after end_dim {end}")));
    }
    let mut flat = shape[..start].to_vec();
    flat.push(shape[start..=end].iter().product());
    flat.extend(&shape[end + 1..]);
    Ok(flat)
}

impl Delay {
    fn new(
        reading: &Reading<'_>,
        mut ticks: Vec<usize>,
        count: usize,
        left: &mut usize,
    ) -> Result<Self> {
        if ticks.len() == 1 {
            ticks = vec![ticks[0]; count];
        }
        let strict = ticks.iter().all(|&t| t > 0);
        let rows = ticks.iter().max().map_or(1, |longest| longest + 1);
        let numbers = charge(reading, &[rows, count], left)?;
        Ok(Self {
            ticks,
            rows: vec![0.0; numbers],
            at: 0,
            strict,
        })
    }

    fn take(&mut self, into: &[f64]) {
        let count = self.ticks.len();
        self.rows[self.at * count..][..count].copy_from_slice(into);
        self.at = (self.at + 1) % (self.rows.len() / count.max(1)).max(1);
    }

    /// What came `ticks` ago, before this tick's input is taken (`taken` 0) or after (1).
    fn give(&self, taken: usize, out: &mut [f64]) {
        let count = self.ticks.len();
        let rows = self.rows.len() / count.max(1);
        for (k, (out, &ticks)) in out.iter_mut().zip(&self.ticks).enumerate() {
            let row = (self.at + 2 * rows - ticks - taken) % rows;
            *out = self.rows[row * count + k];
        }
    }
}

impl Unit {
    pub(super) fn named(&self) -> (&str, &[usize]) {
        (&self.name, &self.shape)
    }

    /// Numbers that it gives.
    pub(super) fn gives(&self) -> usize {
        self.shape.iter().product()
    }

    /// What it gave before the first tick.
    pub(super) fn at_rest(&self) -> Vec<f64> {
        match &self.work {
            Work::Neurons(neurons) => neurons.at_rest(),
            _ => vec![0.0; self.gives()],
        }
    }

    /// Whether it gives only what it took in earlier ticks.
    pub(super) fn is_delay(&self) -> bool {
        matches!(&self.work, Work::Delay(delay) if delay.strict)
    }

    /// Takes the input of a tick into a delay.
    pub(super) fn take(&mut self, into: &[f64]) {
        if let Work::Delay(delay) = &mut self.work {
            delay.take(into);
        }
    }

    /// One tick.
    pub(super) fn step(&mut self, into: &[f64], out: &mut [f64]) {
        match &mut self.work {
            Work::Pass => out.copy_from_slice(into),
            Work::Scale(scale) => {
                let products = into.iter().zip(&*scale).map(|(x, s)| x * s);
                out.iter_mut().zip(products).for_each(|(y, v)| *y = v);
            }
            Work::Threshold(threshold) => {
                let above = into
                    .iter()
                    .zip(&*threshold)
                    .map(|(x, th)| f64::from(x > th));
                out.iter_mut().zip(above).for_each(|(y, v)| *y = v);
            }
            Work::Matrix(matrix) => matrix.apply(into, out),
            Work::Filter(filter) => filter.apply(into, out),
            Work::Delay(delay) if delay.strict => delay.give(0, out),
            Work::Delay(delay) => {
                delay.take(into);
                delay.give(1, out);
            }
            Work::Neurons(neurons) => neurons.step(into, out),
        }
    }
}
