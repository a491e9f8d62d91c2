//! `saccade weights run`: any NIR graph on inputs out of NumPy files.

use super::{CliError, CliResult, Context, Exit, print_json, print_line};
use crate::nir_file;
use npyz::{DType, NpyFile, Order, TypeChar, WriterBuilder};
use saccade_engine::nir::{Integration, Runner};
use saccade_rosbags::write_atomic;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

/// Numbers of an input or of what is recorded at most.
const MAX_NUMBERS: usize = 1 << 28;

/// Arguments of `saccade weights run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  saccade weights run net.nir --input spikes.npy -o readout.npy
  saccade weights run net.nir --input left=l.npy --input right=r.npy \\
      -o lif=spikes.npy -o output=readout.npy --dt-ms 0.1 --integration euler

An input is [ticks, ...], each tick of the shape of the graph's Input: 0 and 1 for spikes, or any
numbers. What is written is [ticks, ...] in 64-bit floats. NIR says neither ticks nor an order within
one; what is chosen: a signal holds for a tick, a node's output reaches the nodes behind it in the
same tick, and of a cycle the edges that lead no further away from the inputs are a tick late.")]
pub struct RunArgs {
    /// NIR file.
    nir: PathBuf,
    /// NumPy file with what goes into an Input; its name may be left out where there is one.
    #[arg(long, value_name = "[NODE=]FILE.npy", required = true)]
    input: Vec<Named>,
    /// NumPy file to write what a node gives to; without a name, what the Output gives.
    #[arg(short, long, value_name = "[NODE=]FILE.npy")]
    output: Vec<Named>,
    /// Length of a tick, in milliseconds; without, as the graph says, or 1.
    #[arg(long)]
    dt_ms: Option<f64>,
    /// How the equations of neurons become steps.
    #[arg(long, value_enum, default_value_t = Steps::Exact)]
    integration: Steps,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Steps {
    /// The exact solution for an input that holds for the tick.
    Exact,
    /// Forward Euler, as most programs that train with PyTorch have it.
    Euler,
}

/// A file, and the node it is for.
#[derive(Clone, Debug)]
struct Named {
    node: Option<String>,
    file: PathBuf,
}

impl FromStr for Named {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node, file) = match text.split_once('=') {
            Some((node, file)) => (Some(node.to_owned()), file),
            None => (None, text),
        };
        Ok(Self {
            node,
            file: file.into(),
        })
    }
}

/// What a node gave over a run.
#[derive(Serialize)]
struct Given {
    node: String,
    shape: Vec<usize>,
    mean: f64,
    smallest: f64,
    largest: f64,
}

#[derive(Serialize)]
struct Document {
    dt_s: f64,
    ticks: usize,
    /// Seconds of the network in a second of this machine.
    times_real_time: f64,
    nodes: Vec<Given>,
}

/// Runs `saccade weights run`.
///
/// # Errors
/// A file cannot be read or written, the graph cannot run, or an input does not fit it.
pub fn run(args: &RunArgs) -> CliResult {
    let path = args.nir.display().to_string();
    let graph = nir_file::read(&args.nir).context(path.clone())?;
    let integration = match args.integration {
        Steps::Exact => Integration::Exact,
        Steps::Euler => Integration::Euler,
    };
    let dt_s = args.dt_ms.map(|ms| ms / 1000.0);
    let mut runner = Runner::new(&graph, dt_s, integration).context(path)?;
    let inputs = inputs(&runner, &args.input)?;
    let ticks = inputs[0].ticks;
    let nodes: Vec<(String, Vec<usize>)> = runner.nodes().map(owned).collect();
    let mut recorded = recordings(&runner, &args.output)?;
    refuse_too_much(&recorded, &nodes, ticks)?;
    let mut sums: Vec<[f64; 3]> = vec![[0.0, f64::INFINITY, f64::NEG_INFINITY]; nodes.len()];
    let start = Instant::now();
    for tick in 0..ticks {
        for (at, input) in inputs.iter().enumerate() {
            runner.set_input(at, input.at(tick))?;
        }
        runner.tick();
        for (node, sum) in sums.iter_mut().enumerate() {
            for v in runner.value(node).unwrap_or_default() {
                *sum = [sum[0] + v, sum[1].min(*v), sum[2].max(*v)];
            }
        }
        for recording in &mut recorded {
            let value = runner.value(recording.node).unwrap_or_default();
            recording.values.extend_from_slice(value);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    for recording in &recorded {
        recording.write(&nodes[recording.node].1, ticks)?;
    }
    let given = nodes
        .into_iter()
        .zip(sums)
        .map(|((node, shape), sum)| Given {
            mean: sum[0] / (shape.iter().product::<usize>() * ticks).max(1) as f64,
            node,
            shape,
            smallest: sum[1],
            largest: sum[2],
        });
    print(
        &Document {
            dt_s: runner.dt_s(),
            ticks,
            times_real_time: ticks as f64 * runner.dt_s() / seconds,
            nodes: given.collect(),
        },
        args.json,
    )
}

fn owned((name, shape): (&str, &[usize])) -> (String, Vec<usize>) {
    (name.to_owned(), shape.to_vec())
}

fn print(document: &Document, json: bool) -> CliResult {
    if json {
        print_json(document)?;
        return Ok(Exit::Success);
    }
    print_line(format!(
        "{} ticks of {} ms, {:.1} times real time",
        document.ticks,
        document.dt_s * 1000.0,
        document.times_real_time
    ))?;
    let width = document.nodes.iter().map(|n| n.node.len()).max();
    for given in &document.nodes {
        print_line(format!(
            "{:width$}  mean {:.6}, {:.6} to {:.6}, shape {:?}",
            given.node,
            given.mean,
            given.smallest,
            given.largest,
            given.shape,
            width = width.unwrap_or_default(),
        ))?;
    }
    Ok(Exit::Success)
}

/// An input for all ticks.
struct Input {
    ticks: usize,
    /// Numbers of a tick.
    size: usize,
    values: Vec<f64>,
}

impl Input {
    fn at(&self, tick: usize) -> &[f64] {
        &self.values[tick * self.size..][..self.size]
    }
}

/// The inputs in the order in which the graph has them.
fn inputs(runner: &Runner, files: &[Named]) -> Result<Vec<Input>, CliError> {
    let wanted: Vec<(String, Vec<usize>)> = runner.inputs().map(owned).collect();
    let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let mut used = BTreeSet::new();
    let mut read = Vec::with_capacity(wanted.len());
    for (name, shape) in &wanted {
        let is_it = |file: &Named| match &file.node {
            Some(node) => node == name,
            None => wanted.len() == 1,
        };
        let Some(at) = files.iter().position(is_it) else {
            return Err(CliError::usage(format!(
                "no --input {name}=FILE.npy; the graph's inputs are {}",
                names.join(", ")
            )));
        };
        used.insert(at);
        read.push(read_input(&files[at].file, shape)?);
    }
    if let Some(at) = (0..files.len()).find(|at| !used.contains(at)) {
        return Err(CliError::usage(format!(
            "--input {}: not an input of the graph, or named twice; its inputs are {}",
            files[at].file.display(),
            names.join(", ")
        )));
    }
    if read.iter().any(|input| input.ticks != read[0].ticks) {
        let lengths: Vec<String> = read.iter().map(|i| i.ticks.to_string()).collect();
        let text = format!("inputs of different lengths: {} ticks", lengths.join(", "));
        return Err(CliError::failed(text));
    }
    if read.is_empty() {
        return Err(CliError::failed("the graph has no Input"));
    }
    Ok(read)
}

fn read_input(path: &Path, shape: &[usize]) -> Result<Input, CliError> {
    let wrong = |what: String| CliError::failed(format!("{}: {what}", path.display()));
    let bytes = std::fs::read(path).context(path.display().to_string())?;
    let length = bytes.len();
    let file = NpyFile::new(&bytes[..]).context(path.display().to_string())?;
    let found: Vec<usize> = file.shape().iter().map(|&n| n as usize).collect();
    if found.is_empty() || found[1..] != *shape {
        return Err(wrong(format!(
            "has shape {found:?}, expected [ticks] and {shape:?}"
        )));
    }
    if file.order() == Order::Fortran {
        return Err(wrong(
            "is in Fortran order; write it by numpy.ascontiguousarray".to_owned(),
        ));
    }
    // No element has less than a byte: more of them than bytes are damage.
    let count = found.iter().try_fold(1_usize, |all, &n| all.checked_mul(n));
    if count.is_none_or(|count| count > length.min(MAX_NUMBERS)) {
        return Err(wrong(format!(
            "has shape {found:?} in {length} bytes; at most {MAX_NUMBERS} numbers are read"
        )));
    }
    Ok(Input {
        ticks: found[0],
        size: shape.iter().product(),
        values: numbers(file).context(path.display().to_string())?,
    })
}

/// The numbers of a file of any type of number.
fn numbers(file: NpyFile<&[u8]>) -> std::io::Result<Vec<f64>> {
    let DType::Plain(kind) = file.dtype() else {
        return Err(std::io::Error::other("holds records, expected numbers"));
    };
    macro_rules! read {
        ($type:ty) => {
            file.into_vec::<$type>()?
                .into_iter()
                .map(|v| v as f64)
                .collect()
        };
    }
    Ok(match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => read!(f32),
        (TypeChar::Float, 8) => read!(f64),
        (TypeChar::Int, 1) => read!(i8),
        (TypeChar::Int, 2) => read!(i16),
        (TypeChar::Int, 4) => read!(i32),
        (TypeChar::Int, 8) => read!(i64),
        (TypeChar::Uint, 1) => read!(u8),
        (TypeChar::Uint, 2) => read!(u16),
        (TypeChar::Uint, 4) => read!(u32),
        (TypeChar::Uint, 8) => read!(u64),
        (TypeChar::Bool, 1) => {
            let spikes = file.into_vec::<bool>()?.into_iter();
            spikes.map(|z| f64::from(u8::from(z))).collect()
        }
        _ => {
            let what = format!("holds {kind}, expected bool, integers, or floats of 4 or 8 bytes");
            return Err(std::io::Error::other(what));
        }
    })
}

/// What a node gives, to be written.
struct Recording {
    node: usize,
    file: PathBuf,
    values: Vec<f64>,
}

fn recordings(runner: &Runner, files: &[Named]) -> Result<Vec<Recording>, CliError> {
    let outputs: Vec<&str> = runner.outputs().map(|(name, _)| name).collect();
    let recording = |named: &Named| {
        let name = match (&named.node, &outputs[..]) {
            (Some(name), _) => name.as_str(),
            (None, [only]) => only,
            (None, _) => {
                return Err(CliError::usage(format!(
                    "-o NODE={}: the graph has {} outputs: {}",
                    named.file.display(),
                    outputs.len(),
                    outputs.join(", ")
                )));
            }
        };
        let Some(node) = runner.node(name) else {
            let names: Vec<&str> = runner.nodes().map(|(name, _)| name).collect();
            return Err(CliError::usage(format!(
                "-o {name}=...: no such node; there are {}",
                names.join(", ")
            )));
        };
        Ok(Recording {
            node,
            file: named.file.clone(),
            values: Vec::new(),
        })
    };
    files.iter().map(recording).collect()
}

fn refuse_too_much(
    recorded: &[Recording],
    nodes: &[(String, Vec<usize>)],
    ticks: usize,
) -> Result<(), CliError> {
    let size = |r: &Recording| nodes[r.node].1.iter().product::<usize>();
    let numbers = recorded.iter().map(size).sum::<usize>().checked_mul(ticks);
    match numbers {
        Some(numbers) if numbers <= MAX_NUMBERS => Ok(()),
        _ => Err(CliError::failed(format!(
            "{ticks} ticks of these nodes are more than {MAX_NUMBERS} numbers; record fewer or run less"
        ))),
    }
}

impl Recording {
    fn write(&self, shape: &[usize], ticks: usize) -> Result<(), CliError> {
        let mut bytes = Vec::new();
        let whole: Vec<u64> = [ticks].iter().chain(shape).map(|&n| n as u64).collect();
        let mut writer = npyz::WriteOptions::<f64>::new()
            .default_dtype()
            .shape(&whole)
            .writer(&mut bytes)
            .begin_nd()?;
        writer.extend(self.values.iter().copied())?;
        writer.finish()?;
        write_atomic(&self.file, &bytes).context(self.file.display().to_string())
    }
}
