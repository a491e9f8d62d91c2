//! ROS 2's launch formats in XML and YAML, read for hosts that need no ROS.
//!
//! [`load`] evaluates a launch file with the rules of ROS 2's `launch`,
//! `launch_xml`, `launch_yaml` and `launch_ros`: actions in document order, substitutions
//! when their action is reached, groups that scope what they change. What it
//! does not know it refuses, naming file, line and what it does know, so that
//! a file which loads here means the same under `ros2 launch`.
//!
//! Elements: `launch`, `arg` (with `choice`), `let`, `include` (with `arg`),
//! `group`, `push_ros_namespace`, `node` (with `param`, `remap`, `env`),
//! `executable` (with `env`), `set_parameter`, `set_remap`, `set_env`, `unset_env`, `log`; `if` and
//! `unless` on each. Substitutions: [`SUBSTITUTIONS`].
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("a.launch.xml");
//! # std::fs::write(&path, r#"<launch>
//! #   <arg name="rate" default="100"/>
//! #   <node pkg="saccade_nodes" exec="dvs_ingest"><param name="rate" value="$(var rate)"/></node>
//! # </launch>"#).unwrap();
//! let launch = saccade_launch::launch_file::load(&path, &[("rate".into(), "50".into())]).unwrap();
//! assert_eq!(launch.nodes[0].exec, "dvs_ingest");
//! let parameters = launch.nodes[0].parameter_values().unwrap();
//! assert_eq!(parameters, [("rate".to_owned(), "50".to_owned())]);
//! ```

mod actions;
mod entity;
mod error;
mod evaluate;
mod expression;
mod node;
mod packages;
mod params_file;
mod process;
mod ros_args;
mod substitution;
mod words;
mod xml;
mod yaml;

pub use actions::{Executable, Kind, NodeAction, Output, Parameter, Process};
pub use error::{LaunchFileError, Place};
pub use packages::find_executable;
pub use params_file::as_file;
pub use substitution::SUBSTITUTIONS;

use std::path::Path;

/// The package our own nodes are in, as launch files name it.
pub const PACKAGE: &str = "saccade_nodes";

/// What a launch file comes to for given arguments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Launch {
    /// The nodes to start, in document order.
    pub nodes: Vec<NodeAction>,
    /// The other programs to start, in document order.
    pub executables: Vec<Executable>,
    /// Texts of the `log` actions that were reached.
    pub messages: Vec<String>,
    /// Every argument declared in the files that were read.
    pub arguments: Vec<Argument>,
    /// The value of each declared argument, in declared order.
    pub values: Vec<(String, String)>,
}

/// One declared launch argument.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Argument {
    /// Name.
    pub name: String,
    /// Default as written, before substitution; `None`: it must be given.
    pub default: Option<String>,
    /// What it is.
    pub description: String,
    /// The only values allowed, or empty.
    pub choices: Vec<String>,
}

/// Evaluates a launch file.
///
/// `arguments` are `name:=value` pairs of the command line.
///
/// # Errors
/// A file that cannot be read or is neither XML nor YAML; anything unknown or malformed in
/// it; an argument that is missing, not declared or not among its choices.
pub fn load(path: &Path, arguments: &[(String, String)]) -> Result<Launch, LaunchFileError> {
    evaluate::load(path, arguments)
}

/// A node as a ROS 2 command line asks for it, `--ros-args -r a:=b -p x:=1
/// --params-file FILE --log-level LEVEL --`, and the log level. Files count from the
/// working folder.
///
/// # Errors
/// A flag without its value, one that is unknown, a file that cannot be read.
pub fn from_command_line(
    exec: &str,
    words: &[String],
) -> Result<(NodeAction, Option<String>), LaunchFileError> {
    let place = Place {
        file: "(command line)".into(),
        line: 1,
    };
    let args =
        ros_args::parse(words.iter().map(String::as_str)).map_err(LaunchFileError::RosArguments)?;
    let node = NodeAction {
        place,
        package: PACKAGE.to_owned(),
        exec: exec.to_owned(),
        name: args.name.clone().unwrap_or_else(|| exec.to_owned()),
        named: args.name.is_some(),
        namespace: args.namespace.unwrap_or_else(|| "/".to_owned()),
        parameters: args.parameters,
        remaps: args.remaps,
        arguments: Vec::new(),
        ros_arguments: Vec::new(),
        env: Vec::new(),
        process: Process::default(),
    };
    Ok((node, args.log_level))
}

/// The arguments a launch file itself declares, without evaluating it.
///
/// # Errors
/// A file that cannot be read, is neither XML nor YAML, or has a malformed `arg`.
pub fn arguments(path: &Path) -> Result<Vec<Argument>, LaunchFileError> {
    entity::declared_arguments(&entity::load(path)?)
}

/// Splits `name:=value`.
///
/// # Errors
/// Anything else.
pub fn parse_assignment(text: &str) -> Result<(String, String), LaunchFileError> {
    match text.split_once(":=") {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(LaunchFileError::NotAnAssignment(text.to_owned())),
    }
}
