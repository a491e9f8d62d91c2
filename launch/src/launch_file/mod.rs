//! ROS 2's XML launch format, read for hosts that need no ROS.
//!
//! [`load`] evaluates a launch file with the rules of ROS 2's `launch`,
//! `launch_xml` and `launch_ros`: actions in document order, substitutions
//! when their action is reached, groups that scope what they change. What it
//! does not know it refuses, naming file, line and what it does know, so that
//! a file which loads here means the same under `ros2 launch`.
//!
//! Elements: `launch`, `arg` (with `choice`), `let`, `include` (with `arg`),
//! `group`, `push_ros_namespace`, `node` (with `param`, `remap`, `env`),
//! `set_parameter`, `set_remap`, `set_env`, `unset_env`, `log`; `if` and
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
//! assert_eq!(launch.nodes[0].parameters, [("rate".to_owned(), "50".to_owned())]);
//! ```

mod element;
mod error;
mod evaluate;
mod expression;
mod packages;
mod params_file;
mod ros_args;
mod substitution;

pub use error::{LaunchFileError, Place};
pub use substitution::SUBSTITUTIONS;

use std::path::Path;

/// What a launch file comes to for given arguments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Launch {
    /// The nodes to start, in document order.
    pub nodes: Vec<NodeAction>,
    /// Texts of the `log` actions that were reached.
    pub messages: Vec<String>,
    /// Every argument declared in the files that were read.
    pub arguments: Vec<Argument>,
    /// The value of each declared argument, in declared order.
    pub values: Vec<(String, String)>,
}

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
    /// Absolute namespace, `/` where none is given.
    pub namespace: String,
    /// Parameters in the order of precedence: a later one wins.
    pub parameters: Vec<(String, String)>,
    /// Remap rules (from, to); the first that matches wins, as in rcl.
    pub remaps: Vec<(String, String)>,
    /// Extra environment variables.
    pub env: Vec<(String, String)>,
    /// Whether it shall be started again when it dies.
    pub respawn: bool,
}

impl NodeAction {
    /// Namespace and name, e.g. `/left/dvs_ingest`.
    pub fn full_name(&self) -> String {
        packages::join_name(&self.namespace, &self.name)
    }
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
/// A file that cannot be read or is not XML; anything unknown or malformed in
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
    let mut node = NodeAction {
        place,
        package: "saccade_nodes".to_owned(),
        exec: exec.to_owned(),
        name: args.name.unwrap_or_else(|| exec.to_owned()),
        namespace: args.namespace.unwrap_or_else(|| "/".to_owned()),
        parameters: Vec::new(),
        remaps: args.remaps,
        env: Vec::new(),
        respawn: false,
    };
    for source in args.parameters {
        match source {
            ros_args::Parameters::One(name, value) => node.parameters.push((name, value)),
            ros_args::Parameters::File(file) => {
                let found = params_file::read(&file, &node.full_name())?;
                node.parameters.extend(found);
            }
        }
    }
    Ok((node, args.log_level))
}

/// The arguments a launch file itself declares, without evaluating it.
///
/// # Errors
/// A file that cannot be read, is not XML, or has a malformed `arg`.
pub fn arguments(path: &Path) -> Result<Vec<Argument>, LaunchFileError> {
    let text = element::read(path)?;
    let document = element::parse(path, &text)?;
    element::declared_arguments(path, document.root_element())
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
