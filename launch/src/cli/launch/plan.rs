//! What a launch file's actions become: nodes in this process, and programs in their own.

use crate::cli::CliError;
use crate::launch_file::{
    Executable, Launch, NodeAction, PACKAGE, Parameter, Process, as_file, find_executable,
};
use crate::processes::Program;
use saccade_nodes::graph::REFEREES;
use saccade_nodes::{NodeSpec, registry};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is to be started.
#[derive(Default)]
pub(super) struct Plan {
    /// Nodes of this process.
    pub(super) nodes: Vec<NodeSpec>,
    /// Programs, in the order of their numbers.
    pub(super) programs: Vec<Program>,
    /// One of the programs that is none of our nodes.
    pub(super) foreign: Option<String>,
    /// Recordings that referees make, where these are processes of their own: their verdicts.
    pub(super) verdicts: Vec<PathBuf>,
    files: ParameterFiles,
    /// How many trials are to be judged, where that is known.
    pub(super) expected: Option<usize>,
}

/// How our own nodes become programs.
pub(super) struct OwnProcesses {
    /// Words between `saccade node NAME` and `--ros-args`.
    pub(super) words: Vec<String>,
    /// The least severe log lines to show.
    pub(super) log_level: String,
    /// Where referees record.
    pub(super) report: PathBuf,
}

impl Plan {
    /// Without `own` our nodes run in this process.
    ///
    /// # Errors
    /// An action that nothing can be made of.
    pub(super) fn of(launch: &Launch, own: Option<&OwnProcesses>) -> Result<Self, CliError> {
        let mut plan = Plan::default();
        let mut programs = Vec::new();
        for node in &launch.nodes {
            let number = node.process.number;
            match (node.package == PACKAGE, own) {
                (true, None) => {
                    warn_of_what_has_no_effect(node);
                    plan.nodes.push(node_spec(node)?);
                }
                (true, Some(own)) => programs.push((number, plan.own_node(node, own)?)),
                (false, _) => programs.push((number, plan.other_node(node)?)),
            }
        }
        for executable in &launch.executables {
            let program = program_of(executable);
            plan.foreign = Some(program.name.clone());
            programs.push((executable.process.number, program));
        }
        programs.sort_by_key(|(number, _)| *number);
        plan.programs = programs.into_iter().map(|(_, program)| program).collect();
        if own.is_none() {
            plan.expected = expected_trials(&plan.nodes);
        }
        Ok(plan)
    }

    /// Writes the parameter files that the programs are given.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn write_files(&self) -> std::io::Result<()> {
        self.files.write()
    }

    /// One of our nodes as a process of its own: this program, by its name.
    fn own_node(&mut self, node: &NodeAction, own: &OwnProcesses) -> Result<Program, CliError> {
        let spec = node_spec(node)?;
        let this = std::env::current_exe()?;
        let mut command = vec![this.display().to_string(), "node".into(), node.exec.clone()];
        command.extend(own.words.iter().cloned());
        let judges = REFEREES.contains(&node.exec.as_str());
        if judges {
            let name = spec.full_name().trim_matches('/').replace('/', ".");
            let recording = std::path::absolute(own.report.join(format!("{name}.mcap")))?;
            command.extend(["--record".to_owned(), recording.display().to_string()]);
            self.verdicts.push(recording);
            self.expected = expected_trials(&[spec]);
        }
        command.push("--ros-args".to_owned());
        command.extend(["--log-level".to_owned(), own.log_level.clone()]);
        command.extend(["-r".to_owned(), format!("__node:={}", node.name)]);
        command.extend(self.ros_words(node, true));
        let mut program = program(&node.process, command, &node.exec, &node.env);
        // A composed run ends with its referee too.
        program.required |= judges;
        // Verdicts are results, whatever `output` says.
        program.output = crate::launch_file::Output::Both;
        Ok(program)
    }

    /// A program of another package, as ROS 2's launch starts it.
    fn other_node(&mut self, node: &NodeAction) -> Result<Program, CliError> {
        let path = find_executable(&node.package, &node.exec)
            .map_err(|reason| CliError::failed(format!("{}: {reason}", node.place)))?;
        let mut command = vec![path.display().to_string()];
        command.extend(node.arguments.iter().cloned());
        if !node.ros_arguments.is_empty() {
            command.push("--ros-args".to_owned());
            command.extend(node.ros_arguments.iter().cloned());
        }
        command.push("--ros-args".to_owned());
        if node.named {
            command.extend(["-r".to_owned(), format!("__node:={}", node.name)]);
        }
        command.extend(self.ros_words(node, false));
        let program = program(&node.process, command, &node.exec, &node.env);
        self.foreign = Some(program.name.clone());
        Ok(program)
    }

    /// Namespace, parameters and remaps as ROS arguments.
    fn ros_words(&mut self, node: &NodeAction, as_text: bool) -> Vec<String> {
        let mut words = Vec::new();
        if node.namespace != "/" {
            words.extend(["-r".to_owned(), format!("__ns:={}", node.namespace)]);
        }
        for file in self.files.of(node, as_text) {
            words.extend(["--params-file".to_owned(), file.display().to_string()]);
        }
        for (from, to) in &node.remaps {
            words.extend(["-r".to_owned(), format!("{from}:={to}")]);
        }
        words
    }
}

/// Parameter files made for the programs; gone when the launch is.
#[derive(Default)]
struct ParameterFiles(Vec<(PathBuf, String)>);

impl ParameterFiles {
    fn folder() -> PathBuf {
        std::env::temp_dir().join(format!("saccade_launch_{}", std::process::id()))
    }

    /// The files that give a node its parameters, in order: those it names itself, and one
    /// for each run of values between them.
    fn of(&mut self, node: &NodeAction, as_text: bool) -> Vec<PathBuf> {
        let name = if node.named || as_text {
            node.full_name()
        } else {
            "/**".to_owned()
        };
        let mut paths = Vec::new();
        let is_file = |p: &Parameter| matches!(p, Parameter::File(_));
        for group in node.parameters.chunk_by(|a, b| !is_file(a) && !is_file(b)) {
            if let [Parameter::File(file)] = group {
                paths.push(std::path::absolute(file).unwrap_or_else(|_| file.clone()));
            } else {
                let number = self.0.len() + 1;
                let path = Self::folder().join(format!("{number}_{}.yaml", node.name));
                self.0.push((path.clone(), as_file(&name, group, as_text)));
                paths.push(path);
            }
        }
        paths
    }

    fn write(&self) -> std::io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        std::fs::create_dir(Self::folder())?;
        for (path, text) in &self.0 {
            std::fs::write(path, text)?;
        }
        Ok(())
    }
}

impl Drop for ParameterFiles {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            // Not there where nothing was started.
            let _ = std::fs::remove_dir_all(Self::folder());
        }
    }
}

fn program_of(executable: &Executable) -> Program {
    let name = base_name(&executable.command);
    let command = executable.command.clone();
    program(&executable.process, command, &name, &executable.env)
}

/// The program's name without its folder.
fn base_name(command: &[String]) -> String {
    let path = command.first().map_or("", String::as_str);
    let name = Path::new(path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn program(
    process: &Process,
    command: Vec<String>,
    name: &str,
    env: &[(String, String)],
) -> Program {
    let mut words = process.prefix.clone();
    words.extend(command);
    if process.shell {
        words = vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")];
    }
    // ROS 2 calls a process with a prefix by the prefix.
    let name = match process.prefix.as_slice() {
        [] => name.to_owned(),
        prefix => base_name(prefix),
    };
    let own = env.iter().map(|(n, v)| (n.clone(), Some(v.clone())));
    let label = process.label.as_deref().unwrap_or(&name);
    Program {
        name: format!("{label}-{}", process.number),
        command: words,
        cwd: process.cwd.clone(),
        env: process.env.iter().cloned().chain(own).collect(),
        output: process.output,
        respawn: process.respawn,
        respawn_delay: Duration::from_secs_f64(process.respawn_delay_s),
        required: process.required,
        sigterm_timeout: Duration::from_secs_f64(process.sigterm_timeout_s),
        sigkill_timeout: Duration::from_secs_f64(process.sigkill_timeout_s),
    }
}

fn warn_of_what_has_no_effect(node: &NodeAction) {
    let process = &node.process;
    for (given, what) in [
        (process.respawn, "respawn"),
        (process.required, "on_exit"),
        (!process.prefix.is_empty(), "launch-prefix"),
        (process.cwd.is_some(), "cwd"),
        (process.shell, "shell"),
        (!node.env.is_empty(), "<env>"),
    ] {
        if given {
            eprintln!(
                "warning: {}: {what} has no effect on '{}', which runs in this process; \
                 --processes gives each node its own",
                node.place, node.name
            );
        }
    }
}

/// A launch file's node as one that this process can run.
pub(in crate::cli) fn node_spec(node: &NodeAction) -> Result<NodeSpec, CliError> {
    if registry::find(&node.exec).is_none() {
        return Err(CliError::failed(format!(
            "{}: {PACKAGE} has no node '{}'; it has: {}",
            node.place,
            node.exec,
            registry::names().join(", ")
        )));
    }
    Ok(NodeSpec {
        exec: node.exec.clone(),
        name: node.name.clone(),
        namespace: node.namespace.clone(),
        parameters: node.parameter_values()?,
        remaps: node.remaps.clone(),
    })
}

/// How many trials the launch file's referee will run.
fn expected_trials(specs: &[NodeSpec]) -> Option<usize> {
    let judges = |s: &&NodeSpec| REFEREES.contains(&s.exec.as_str());
    let referee = specs.iter().find(judges)?;
    let given = referee
        .parameters
        .iter()
        .rev()
        .find(|(name, _)| name == "trials");
    match given {
        Some((_, text)) => text.trim().parse().ok(),
        None => registry::find(&referee.exec)?
            .interface
            .parameters
            .iter()
            .find_map(|p| match (p.name, p.default) {
                ("trials", saccade_nodes::Default::Integer(n)) => usize::try_from(n).ok(),
                _ => None,
            }),
    }
}
