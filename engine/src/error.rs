//! What can go wrong in the engine. Every text names the value, the place and the remedy.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter lies outside its range (NaN lies outside every range).
    #[error("parameter {name} is {value}, it must be {range}")]
    Parameter {
        /// Dotted name of the parameter as in the configuration.
        name: String,
        /// The value found.
        value: String,
        /// The values allowed, in words.
        range: String,
    },
    /// An input spike names an input the network does not have.
    #[error("input spike {id} is out of range, the network has {n_in} inputs (0..{n_in})")]
    InputOutOfRange {
        /// The input of the spike.
        id: u32,
        /// Number of inputs of the network.
        n_in: usize,
    },
    /// A label names a class the network does not have.
    #[error("class {class} is out of range, the network has {n_out} outputs (0..{n_out})")]
    ClassOutOfRange {
        /// The class given.
        class: usize,
        /// Number of outputs.
        n_out: usize,
    },
    /// An event lies outside the sensor.
    #[error("event at ({x}, {y}) lies outside the {width}x{height} sensor")]
    EventOutOfSensor {
        /// Column of the event.
        x: u16,
        /// Row of the event.
        y: u16,
        /// Width of the sensor in pixels.
        width: u16,
        /// Height of the sensor in pixels.
        height: u16,
    },
    /// More events in one tick than the encoder holds.
    #[error("more than {capacity} events in one tick, the rest of the tick is dropped")]
    TickFull {
        /// Events one tick can hold.
        capacity: usize,
    },
    /// A file lacks a tensor.
    #[error("tensor {name} is missing, the file holds {found}")]
    TensorMissing {
        /// Name of the tensor.
        name: &'static str,
        /// Names that were found.
        found: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error(
        "tensor {name} has shape {found:?}, the configuration asks for {expected:?}: these are the weights of another topology"
    )]
    TensorShape {
        /// Name of the tensor.
        name: &'static str,
        /// Shape asked for by the configuration in the file.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor has another element type.
    #[error("tensor {name} has elements of type {found}, expected {expected}")]
    TensorType {
        /// Name of the tensor.
        name: &'static str,
        /// Type asked for.
        expected: String,
        /// Type in the file.
        found: String,
    },
    /// A number that must be finite is NaN or infinite.
    #[error("{name}[{index}] is {value}, it must be finite")]
    NotFinite {
        /// What holds the number.
        name: String,
        /// Position in it.
        index: usize,
        /// The number.
        value: f64,
    },
    /// The bytes are no weights file of ours.
    #[error("not a usable weights file: {0}")]
    Format(String),
    /// The bytes are no checkpoint of ours, or are damaged.
    #[error("not a usable checkpoint: {0}")]
    Checkpoint(String),
    /// A checkpoint belongs to another training.
    #[error(
        "the checkpoint is of another training: {name} is {found} there and {expected} here; resume with the same data and parameters"
    )]
    OtherTraining {
        /// Dotted name of the parameter, or what else differs.
        name: String,
        /// What it is in this training.
        expected: String,
        /// What it is in the checkpoint.
        found: String,
    },
    /// A NIR graph that the classifier cannot run, or a network that NIR cannot say.
    #[error("NIR {place}: {what}")]
    Nir {
        /// Node, edge or parameter.
        place: String,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The samples cannot be used.
    #[error("sample {index}: {what}")]
    Sample {
        /// Position in the list of samples.
        index: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Something is wrong with a part of a circuit.
    #[error("{place}: {source}")]
    In {
        /// Which part.
        place: String,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A place map cannot take or answer something, or is not one that fits.
    #[error("place map: {0}")]
    PlaceMap(String),
    /// What was sensed cannot be used.
    #[error("input: {0}")]
    Input(String),
    /// There are no samples, or too few.
    #[error("{0}")]
    NoSamples(String),
}

/// Checks that `value` lies in `low..=high`; NaN does not.
pub(crate) fn check(name: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::Parameter {
        name: name.to_owned(),
        value: value.to_string(),
        range: format!("within {low}..={high}"),
    })
}

/// Checks that an integer lies in `low..=high`.
pub(crate) fn check_count(name: &str, value: usize, low: usize, high: usize) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::Parameter {
        name: name.to_owned(),
        value: value.to_string(),
        range: format!("within {low}..={high}"),
    })
}
