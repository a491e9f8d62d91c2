//! What a launch file starts: nodes and other programs, with everything substituted.

use super::error::{LaunchFileError, Place};
use super::{packages, params_file};
use std::path::PathBuf;

/// One `node` action with everything substituted.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeAction {
    /// Where it stands, for messages about it.
    pub place: Place,
    /// Package.
    pub package: String,
    /// Executable within the package.
    pub exec: String,
    /// Node name; the executable's name where none is given.
    pub name: String,
    /// Whether a name is given: otherwise a program in a process of its own chooses.
    pub named: bool,
    /// Absolute namespace, `/` where none is given.
    pub namespace: String,
    /// Parameters in the order of precedence: a later one wins.
    pub parameters: Vec<Parameter>,
    /// Remap rules (from, to); the first that matches wins, as in rcl.
    pub remaps: Vec<(String, String)>,
    /// `args`, of a program of another package, in words. (Of our own nodes they can only be
    /// ROS arguments, and are among the other fields.)
    pub arguments: Vec<String>,
    /// `ros_args` of such a program, in words.
    pub ros_arguments: Vec<String>,
    /// Extra environment variables: its own, `<env>`.
    pub env: Vec<(String, String)>,
    /// How it is started where it is a process of its own.
    pub process: Process,
}

impl NodeAction {
    /// Namespace and name, e.g. `/left/dvs_ingest`.
    pub fn full_name(&self) -> String {
        packages::join_name(&self.namespace, &self.name)
    }

    /// The parameters, those in files among them, as texts.
    ///
    /// # Errors
    /// A parameter file that cannot be read or is malformed.
    pub fn parameter_values(&self) -> Result<Vec<(String, String)>, LaunchFileError> {
        let mut values = Vec::new();
        for parameter in &self.parameters {
            match parameter {
                Parameter::Value { name, value, .. } => values.push((name.clone(), value.clone())),
                Parameter::File(file) => values.extend(params_file::read(file, &self.full_name())?),
            }
        }
        Ok(values)
    }
}

/// One source of parameters of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// A parameter and its value.
    Value {
        /// Name; dots part nested names.
        name: String,
        /// As written; of what type it is, is left to who reads it.
        value: String,
        /// The type that the launch file names.
        kind: Option<Kind>,
    },
    /// A parameter file.
    File(PathBuf),
}

/// Types that `type` of a `param` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `str`
    Text,
    /// `int`
    Integer,
    /// `float`
    Float,
    /// `bool`
    Bool,
}

/// One `executable` action with everything substituted.
#[derive(Debug, Clone, PartialEq)]
pub struct Executable {
    /// Where it stands, for messages about it.
    pub place: Place,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Extra environment variables: its own, `<env>`.
    pub env: Vec<(String, String)>,
    /// How it is started.
    pub process: Process,
}

/// How a process is started, and what happens when it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// Its number among all that the launch files start, from 1: the N of `[name-N]`.
    pub number: usize,
    /// What it is called there; the program's name where nothing is given.
    pub label: Option<String>,
    /// What stands before the command (`launch-prefix`), in words.
    pub prefix: Vec<String>,
    /// Working folder.
    pub cwd: Option<PathBuf>,
    /// Whether a shell runs the command.
    pub shell: bool,
    /// Changes to the environment by `set_env` and `unset_env` (`None`).
    pub env: Vec<(String, Option<String>)>,
    /// Where its output goes.
    pub output: Output,
    /// Whether it is started again when it ends.
    pub respawn: bool,
    /// How long to wait before, s.
    pub respawn_delay_s: f64,
    /// Whether its end ends everything (`on_exit="shutdown"`).
    pub required: bool,
    /// After how long SIGTERM follows SIGINT (the variable `sigterm_timeout`), s.
    pub sigterm_timeout_s: f64,
    /// And SIGKILL that (the variable `sigkill_timeout`), s.
    pub sigkill_timeout_s: f64,
}

/// Where a process's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Stdout and stderr on the screen.
    Screen,
    /// Both into the log file, stderr on the screen too: what ROS 2 does unasked.
    Log,
    /// Both on both.
    Both,
}

impl std::str::FromStr for Output {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "screen" => Ok(Output::Screen),
            "log" => Ok(Output::Log),
            "both" => Ok(Output::Both),
            _ => Err(()),
        }
    }
}
