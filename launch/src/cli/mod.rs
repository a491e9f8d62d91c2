//! The `saccade` command: one file per subcommand.
//!
//! Rules for all of them:
//! - results go to stdout, progress and diagnostics to stderr;
//! - with `--json` stdout carries one JSON document and nothing else
//!   ([`print_json`]);
//! - the exit status is 0 on success, 1 on failure, 2 on wrong usage, 3 when
//!   the command finished but lost data ([`Exit`], [`CliError`]).
//!
//! A subcommand is a `clap` argument struct and a function
//! `run(args) -> CliResult`; errors of any type convert with `?`.

pub mod bag;
pub mod bench;
pub mod dataset;
pub mod doctor;
pub mod eval;
pub mod events;
pub mod experiment;
mod keep;
pub mod launch;
#[cfg(feature = "dds")]
mod live;
pub mod node;
pub mod plot;
mod plot_journey;
mod priority;
pub mod spinnaker;
mod stop;
pub mod train;
pub mod weights;
mod weights_run;

use clap::{Parser, Subcommand};
use saccade_rosbags::write_atomic;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// ROS 2 nodes for closed-loop neurorobotics, with their own launcher.
#[derive(Debug, Parser)]
#[command(
    name = "saccade",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "Exit status: 0 success, 1 failure, 2 wrong usage, \
                        3 finished but lost data.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// A command is listed here when it works; until then it has no variant or is
// hidden (`hide = true`).
#[derive(Debug, Subcommand)]
enum Command {
    /// Run a launch file.
    Launch(launch::LaunchArgs),
    /// What the nodes publish, subscribe to, offer and take as parameters.
    Node(node::NodeArgs),
    /// Recordings: what is in them, convert and recover them.
    Bag(bag::BagArgs),
    /// Event-camera files and event topics in bags.
    Events(events::EventsArgs),
    /// Make and inspect labelled data sets.
    Dataset(dataset::DatasetArgs),
    /// Train a network on a data set.
    Train(train::TrainArgs),
    /// How good networks are, what they stand, and what they keep.
    Eval(eval::EvalArgs),
    /// Trained weights: what they are, to and from NIR, and NIR graphs run.
    Weights(weights::WeightsArgs),
    /// Learn the field's reference tasks, with curves and pictures.
    Experiment(experiment::ExperimentArgs),
    /// Draw curves, confusion matrices and spike rasters.
    Plot(plot::PlotArgs),
    /// How fast the engine is on this machine, beside NEST if wanted, and ROS 2's network.
    Bench(bench::BenchArgs),
    /// SpiNNaker boards: an emulated one.
    Spinnaker(spinnaker::SpinnakerArgs),
    /// What is installed on this machine, and what will be used.
    Doctor(doctor::DoctorArgs),
}

/// How a command ended that did not fail outright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done (exit status 0).
    Success,
    /// It ran to its end, and the result is a failure already printed (1).
    Failure,
    /// It finished but lost data, which it has counted and printed (3).
    LostData,
}

/// What a subcommand returns.
pub type CliResult = Result<Exit, CliError>;

/// Why a command failed. Any error converts with `?`; it deliberately does
/// not implement `std::error::Error` itself, which is what makes that possible.
#[derive(Debug)]
pub enum CliError {
    /// The command line is wrong (exit status 2). The text says how.
    Usage(String),
    /// Something failed (exit status 1).
    Failed {
        /// What was being done, outermost first.
        context: Vec<String>,
        /// The error, with its chain of causes.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Whoever read our stdout has closed it (`saccade … | head`): not an error.
    StdoutClosed,
}

impl CliError {
    /// Wrong usage: exit status 2.
    pub fn usage(text: impl Into<String>) -> Self {
        CliError::Usage(text.into())
    }

    /// A failure with a text of its own.
    pub fn failed(text: impl Into<String>) -> Self {
        CliError::Failed {
            context: Vec::new(),
            source: text.into().into(),
        }
    }

    /// Says what was being done when this happened.
    #[must_use]
    pub fn context(mut self, doing: impl Into<String>) -> Self {
        if let CliError::Failed { context, .. } = &mut self {
            context.insert(0, doing.into());
        }
        self
    }

    /// The text and its causes, one per line, outermost first. A cause whose
    /// text the line above already ends with is not repeated.
    pub fn lines(&self) -> Vec<String> {
        let (context, source) = match self {
            CliError::Usage(text) => return vec![text.clone()],
            CliError::StdoutClosed => return Vec::new(),
            CliError::Failed { context, source } => (context, source),
        };
        let mut lines = context.clone();
        lines.push(source.to_string());
        let mut cause = source.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !lines.last().is_some_and(|above| above.contains(&text)) {
                lines.push(text);
            }
            cause = error.source();
        }
        lines
    }

    fn exit_status(&self) -> u8 {
        match self {
            CliError::Usage(_) => 2,
            CliError::Failed { .. } => 1,
            CliError::StdoutClosed => 0,
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        CliError::Failed {
            context: Vec::new(),
            source: Box::new(error),
        }
    }
}

/// Adds what was being done to an error on its way up.
pub trait Context<T> {
    /// `file.read().context("reading weights.safetensors")?`
    ///
    /// # Errors
    /// The same error, with `doing` in front of it.
    fn context(self, doing: impl Into<String>) -> Result<T, CliError>;
}

impl<T, E: Into<CliError>> Context<T> for Result<T, E> {
    fn context(self, doing: impl Into<String>) -> Result<T, CliError> {
        self.map_err(|error| error.into().context(doing))
    }
}

/// Prints one line of the result on stdout.
///
/// # Errors
/// [`CliError::StdoutClosed`] when nobody reads any more, or the write error.
pub fn print_line(line: impl Display) -> Result<(), CliError> {
    stdout_error(writeln!(std::io::stdout().lock(), "{line}"))
}

/// Prints the one JSON document of a `--json` command on stdout.
///
/// # Errors
/// As [`print_line`].
pub fn print_json(document: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document)?;
    print_line(text)
}

/// Writes a JSON document into a file, whole or not at all; makes its folder.
///
/// # Errors
/// Writing fails; the text names the file.
pub fn write_json(document: &impl serde::Serialize, path: &Path) -> Result<(), CliError> {
    write_atomic(path, &serde_json::to_vec_pretty(document)?)
        .context(format!("writing {}", path.display()))
}

fn stdout_error(written: std::io::Result<()>) -> Result<(), CliError> {
    match written {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(CliError::StdoutClosed),
        other => other.context("writing to stdout"),
    }
}

/// Parses the command line, runs the subcommand and prints its error.
pub fn main() -> ExitCode {
    let words = std::env::args_os().collect();
    let result = match Cli::parse_from(as_node(words)).command {
        Command::Launch(args) => launch::run(args),
        Command::Node(args) => node::run(args),
        Command::Bag(args) => bag::run(args),
        Command::Events(args) => events::run(args),
        Command::Dataset(args) => dataset::run(args),
        Command::Train(args) => train::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Weights(args) => weights::run(args),
        Command::Experiment(args) => experiment::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Spinnaker(args) => spinnaker::run(args),
        Command::Doctor(args) => doctor::run(args),
    };
    match result {
        Ok(Exit::Success) => ExitCode::SUCCESS,
        Ok(Exit::Failure) => ExitCode::from(1),
        Ok(Exit::LostData) => ExitCode::from(3),
        Err(error) => {
            print_error(&error);
            ExitCode::from(error.exit_status())
        }
    }
}

/// Under the name of a node, as `ros2 run` and `ros2 launch` start it, the program is
/// `saccade node NAME`.
fn as_node(mut words: Vec<OsString>) -> Vec<OsString> {
    let name = words.first().and_then(|w| Path::new(w).file_name());
    let name = name.and_then(OsStr::to_str).map(str::to_owned);
    if let Some(name) = name.filter(|n| saccade_nodes::registry::find(n).is_some()) {
        words.splice(..1, ["saccade", "node", &name].map(OsString::from));
    }
    words
}

fn print_error(error: &CliError) {
    let mut stderr = std::io::stderr().lock();
    for (i, line) in error.lines().iter().enumerate() {
        let label = if i == 0 { "error:" } else { "  caused by:" };
        // Nowhere is left to say it if stderr is closed.
        let _ = writeln!(stderr, "{label} {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading the header")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_prints_its_causes_outermost_first() {
        let inner = std::io::Error::other("disk on fire");
        let failed: Result<(), _> = Err(Outer(inner));
        let error = failed.context("opening a.bag").expect_err("it failed");
        assert_eq!(
            error.lines(),
            ["opening a.bag", "reading the header", "disk on fire"]
        );
        assert_eq!(error.exit_status(), 1);
    }

    #[test]
    fn wrong_usage_has_its_own_status() {
        assert_eq!(CliError::usage("no").context("x").exit_status(), 2);
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_program_is_the_node_it_is_called() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        assert_eq!(
            as_node(words(
                "/opt/lib/saccade_nodes/dvs_ingest --ros-args -p a:=1"
            )),
            words("saccade node dvs_ingest --ros-args -p a:=1")
        );
        let usual = words("/usr/bin/saccade node list");
        assert_eq!(as_node(usual.clone()), usual);
    }
}
