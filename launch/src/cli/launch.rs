//! `saccade launch`: runs a launch file's nodes in this process.

mod console;
mod outcome;

use super::{CliError, CliResult, Context, Exit, print_json, print_line, stop};
use crate::launch_file::{self, Argument, Launch, LaunchFileError, NodeAction};
use crate::report::{Collector, Run, Summary};
#[cfg(feature = "dds")]
pub(super) use console::log_line;
use console::{Console, Watch};
use outcome::Outcome;
use saccade_nodes::network::Connect;
use saccade_nodes::{Level, NodeSpec, RunOptions, lockstep, realtime, registry, replay};
use std::path::{Path, PathBuf};

/// The package our nodes are in, as launch files name it.
const PACKAGE: &str = "saccade_nodes";

/// Arguments of `saccade launch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    saccade launch launch/grasp.launch.xml\n  \
    saccade launch launch/grasp.launch.xml trials:=200 seed:=7\n  \
    saccade launch launch/grasp.launch.xml --show-args\n  \
    saccade launch launch/grasp.launch.xml --realtime --ros dds\n  \
    saccade launch --replay report/recording.mcap")]
pub struct LaunchArgs {
    /// Launch file, in ROS 2's XML format
    #[arg(required_unless_present = "replay")]
    file: Option<PathBuf>,
    /// Launch arguments
    #[arg(value_name = "NAME:=VALUE")]
    arguments: Vec<String>,
    /// Simulated time, reproducible, as fast as the CPU allows (default)
    #[arg(long, conflicts_with = "realtime")]
    lockstep: bool,
    /// Wall-clock time, each node its own thread
    #[arg(long)]
    realtime: bool,
    /// Offer the nodes' topics, services and actions to other ROS 2 processes too
    #[cfg(feature = "dds")]
    #[arg(long, value_enum, value_name = "MIDDLEWARE", requires = "realtime")]
    ros: Option<super::live::Middleware>,
    #[cfg(feature = "dds")]
    #[command(flatten)]
    network: super::live::NetworkArgs,
    /// Record every message into this MCAP file (default: what the launch
    /// argument `record` says: true, false or a file)
    #[arg(long, value_name = "MCAP")]
    record: Option<PathBuf>,
    /// Stop after this many seconds of simulated (or real) time
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    duration: Option<f64>,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "report")]
    report: PathBuf,
    /// Feed a recording's inputs to its nodes again and compare what they say
    #[arg(
        long,
        value_name = "MCAP",
        conflicts_with_all = ["file", "arguments", "realtime", "lockstep", "record", "duration"]
    )]
    replay: Option<PathBuf>,
    /// List the launch file's arguments
    #[arg(long, conflicts_with = "replay")]
    show_args: bool,
    /// Show what would be started, and start nothing
    #[arg(long, conflicts_with = "replay")]
    print: bool,
    /// Least severe log lines to show: debug, info, warn or error
    #[arg(long, value_name = "LEVEL", default_value = "warn", value_parser = parse_level)]
    log_level: Level,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

impl LaunchArgs {
    /// What connects the nodes with other processes.
    fn connection(&self) -> Result<Option<Connect>, CliError> {
        #[cfg(feature = "dds")]
        if let Some(by) = self.ros {
            let (connect, whom) = self.network.connection(by)?;
            eprintln!("nodes: {whom}");
            return Ok(Some(connect));
        }
        Ok(None)
    }
}

pub(super) fn parse_level(text: &str) -> Result<Level, String> {
    match text.to_lowercase().as_str() {
        "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warn" => Ok(Level::Warn),
        "error" => Ok(Level::Error),
        _ => Err("use debug, info, warn or error".to_owned()),
    }
}

/// A launch file error as the command reports it: a wrong argument is wrong usage.
pub(super) fn refuse(error: LaunchFileError) -> CliError {
    if error.is_usage() {
        CliError::usage(error.to_string())
    } else {
        error.into()
    }
}

/// Runs `saccade launch`.
///
/// # Errors
/// What is wrong with the launch file, its arguments, its nodes, or the run.
pub fn run(args: LaunchArgs) -> CliResult {
    if let Some(recording) = &args.replay {
        return run_replay(recording, args.json);
    }
    let Some(file) = &args.file else {
        return Err(CliError::usage("a launch file is needed"));
    };
    if args.show_args {
        return show_arguments(&launch_file::arguments(file).map_err(refuse)?, args.json);
    }
    let assignments = args
        .arguments
        .iter()
        .map(|text| launch_file::parse_assignment(text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(refuse)?;
    let launch = launch_file::load(file, &assignments).map_err(refuse)?;
    let specs = launch
        .nodes
        .iter()
        .map(node_spec)
        .collect::<Result<Vec<_>, _>>()?;
    if args.print {
        return print_specs(&specs, args.json);
    }
    execute(&args, file, &launch, &specs)
}

fn show_arguments(arguments: &[Argument], json: bool) -> CliResult {
    if json {
        print_json(&arguments)?;
        return Ok(Exit::Success);
    }
    for argument in arguments {
        let default = match &argument.default {
            Some(default) => format!("default: '{default}'"),
            None => "required".to_owned(),
        };
        print_line(format!("{}:=    {default}", argument.name))?;
        if !argument.description.is_empty() {
            print_line(format!("    {}", argument.description))?;
        }
        if !argument.choices.is_empty() {
            print_line(format!("    one of: {}", argument.choices.join(", ")))?;
        }
    }
    Ok(Exit::Success)
}

fn print_specs(specs: &[NodeSpec], json: bool) -> CliResult {
    if json {
        print_json(&specs)?;
        return Ok(Exit::Success);
    }
    for spec in specs {
        print_line(format!("{}  ({PACKAGE}/{})", spec.full_name(), spec.exec))?;
        for (name, value) in &spec.parameters {
            print_line(format!("    {name}: {value}"))?;
        }
        for (from, to) in &spec.remaps {
            print_line(format!("    {from} -> {to}"))?;
        }
    }
    Ok(Exit::Success)
}

/// A launch file's node as one that this process can run.
pub(super) fn node_spec(node: &NodeAction) -> Result<NodeSpec, CliError> {
    if node.package != PACKAGE {
        return Err(CliError::failed(format!(
            "{}: node '{}' is in package '{}'; saccade launch runs the nodes of {PACKAGE} in its \
             own process and cannot start other packages yet: use 'ros2 launch' where ROS 2 is \
             installed, or leave the node out",
            node.place, node.name, node.package
        )));
    }
    if registry::find(&node.exec).is_none() {
        return Err(CliError::failed(format!(
            "{}: {PACKAGE} has no node '{}'; it has: {}",
            node.place,
            node.exec,
            registry::names().join(", ")
        )));
    }
    for (given, what) in [(node.respawn, "respawn"), (!node.env.is_empty(), "<env>")] {
        if given {
            eprintln!(
                "warning: {}: {what} has no effect on '{}', which runs in this process",
                node.place, node.name
            );
        }
    }
    // Every ROS 2 node has `use_sim_time`; ours get their time from the host.
    let parameters = node
        .parameters
        .iter()
        .filter(|(name, _)| name != "use_sim_time");
    Ok(NodeSpec {
        exec: node.exec.clone(),
        name: node.name.clone(),
        namespace: node.namespace.clone(),
        parameters: parameters.cloned().collect(),
        remaps: node.remaps.clone(),
    })
}

fn execute(args: &LaunchArgs, file: &Path, launch: &Launch, specs: &[NodeSpec]) -> CliResult {
    if specs.is_empty() {
        return Err(CliError::failed(format!(
            "{}: nothing to run: no node",
            file.display()
        )));
    }
    let duration_ns = args.duration.map(seconds_to_ns).transpose()?;
    let recording = recording_path(args, launch)?;
    for message in &launch.messages {
        eprintln!("{message}");
    }
    let expected = expected_trials(specs);
    let collector = Collector::default();
    let console = Console::new(expected, args.log_level, args.json);
    let made = recording
        .as_deref()
        .map(make_folder_of)
        .transpose()?
        .flatten();
    let watch = Watch {
        console: console.clone(),
        collector: collector.clone(),
    };
    let options = RunOptions {
        record: recording.clone(),
        duration_ns,
        observer: Box::new(watch),
        stop: stop::on_ctrl_c()?,
        network: args.connection()?,
        ..RunOptions::default()
    };
    let run = if args.realtime {
        realtime::run(specs, options)
    } else {
        lockstep::run(specs, options)
    };
    console.finish();
    let run = run.inspect_err(|_| {
        // A run that never began leaves no empty folder behind.
        let _ = made.map(std::fs::remove_dir);
    });
    let run = Run {
        host: Some(run?),
        ..describe(args, file, launch, recording)
    };
    let seen = collector.take();
    crate::report::write(&args.report, &run, &seen)?;
    let Some(host) = &run.host else {
        return Ok(Exit::Failure);
    };
    let outcome = Outcome {
        run: &run,
        host,
        realtime: args.realtime,
        summary: Summary::new(&seen.trials),
        trials: &seen.trials,
        journeys: &seen.journeys.results,
        report: &args.report,
    };
    if args.json {
        print_json(&outcome.json())?;
    } else {
        outcome.print()?;
    }
    Ok(exit(&outcome, expected))
}

/// Makes the folder of a file, and says which where it was not there before.
fn make_folder_of(file: &Path) -> Result<Option<PathBuf>, CliError> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => folder,
        _ => return Ok(None),
    };
    std::fs::create_dir_all(folder).context(format!("making {}", folder.display()))?;
    Ok(Some(folder.to_owned()))
}

/// How the run came about, for its report.
fn describe(args: &LaunchArgs, file: &Path, launch: &Launch, recording: Option<PathBuf>) -> Run {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let within = |path: PathBuf| match path.strip_prefix(&args.report) {
        Ok(inner) => inner.display().to_string(),
        Err(_) => std::path::absolute(&path)
            .unwrap_or(path)
            .display()
            .to_string(),
    };
    let host = if args.realtime {
        "realtime"
    } else {
        "lockstep"
    };
    let mut arguments = vec![("host".to_owned(), host.to_owned())];
    arguments.extend(launch.values.iter().cloned());
    Run {
        title: file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        command: format!("saccade {}", words.join(" ")),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: commit(file),
        arguments,
        recording: recording.map(within),
        host: None,
    }
}

/// The commit of the sources the launch file belongs to, where git knows it.
fn commit(file: &Path) -> Option<String> {
    let folder = std::path::absolute(file).ok()?.parent()?.to_owned();
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "describe",
            "--always",
            "--abbrev=40",
            "--exclude=*",
            "--dirty",
        ])
        .stderr(std::process::Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn exit(outcome: &Outcome<'_>, expected: Option<usize>) -> Exit {
    let judged = outcome.trials.len() + outcome.journeys.len();
    let short = expected.is_some_and(|n| judged < n);
    if short && outcome.host.finished {
        eprintln!(
            "error: the run ended before its trials were done: {}",
            outcome.host.ended
        );
        return Exit::Failure;
    }
    if outcome.host.lost_data() {
        Exit::LostData
    } else {
        Exit::Success
    }
}

pub(super) fn seconds_to_ns(seconds: f64) -> Result<i64, CliError> {
    // A run of a century is a typing error; this also keeps the cast exact enough.
    if seconds > 0.0 && seconds < 3.2e9 {
        Ok((seconds * 1e9) as i64)
    } else {
        Err(CliError::usage(format!(
            "--duration {seconds} is not a positive number of seconds"
        )))
    }
}

/// `--record`, or what the launch argument `record` says.
fn recording_path(args: &LaunchArgs, launch: &Launch) -> Result<Option<PathBuf>, CliError> {
    if let Some(path) = &args.record {
        return Ok(Some(path.clone()));
    }
    let said = launch
        .values
        .iter()
        .find(|(name, _)| name == "record")
        .map(|(_, v)| v.as_str());
    match said.map(str::trim) {
        None | Some("" | "false" | "False" | "0") => Ok(None),
        Some("true" | "True" | "1") => Ok(Some(args.report.join("recording.mcap"))),
        Some(path) if path.ends_with(".mcap") => Ok(Some(path.into())),
        Some(other) => Err(CliError::usage(format!(
            "record:={other}: it must be true, false or a file ending in .mcap"
        ))),
    }
}

/// How many trials the launch file's referee will run.
fn expected_trials(specs: &[NodeSpec]) -> Option<usize> {
    let judges = |s: &&NodeSpec| saccade_nodes::graph::REFEREES.contains(&s.exec.as_str());
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

fn run_replay(recording: &Path, json: bool) -> CliResult {
    let report = replay::run(recording)?;
    if json {
        print_json(&report)?;
    } else {
        let sum = |table: &std::collections::BTreeMap<String, u64>| table.values().sum::<u64>();
        print_line(format!(
            "replayed {} inputs of {} nodes: {} outputs equal to the recording, {} different",
            sum(&report.inputs),
            report.inputs.len(),
            sum(&report.equal),
            sum(&report.different)
        ))?;
        for (topic, count) in &report.different {
            print_line(format!("    {topic}: {count} different"))?;
        }
        for (topic, count) in &report.missing {
            print_line(format!("    {topic}: {count} recorded and not said again"))?;
        }
        if let Some(first) = &report.first_difference {
            print_line(format!("first difference: {first}"))?;
        }
    }
    Ok(if report.identical() {
        Exit::Success
    } else {
        Exit::Failure
    })
}
