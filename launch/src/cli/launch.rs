//! `saccade launch`: runs a launch file, its nodes in this process or each in its own.

mod console;
mod execute;
mod outcome;
mod plan;

use super::{CliError, CliResult, Exit, print_json, print_line};
use crate::cli::priority::Scheduling;
use crate::launch_file::{self, Argument, LaunchFileError, PACKAGE};
#[cfg(feature = "dds")]
pub(super) use console::{log_line, verdict};
pub(super) use plan::node_spec;
use plan::{OwnProcesses, Plan};
use saccade_nodes::clock::Pace;
use saccade_nodes::network::Connect;
use saccade_nodes::{Level, replay, rosout};
use std::path::{Path, PathBuf};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Arguments of `saccade launch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    saccade launch launch/grasp.launch.xml\n  \
    saccade launch launch/grasp.launch.xml trials:=200 seed:=7\n  \
    saccade launch launch/grasp.launch.xml --show-args\n  \
    saccade launch launch/grasp.launch.xml --realtime --ros dds\n  \
    saccade launch launch/grasp.launch.xml --processes\n  \
    saccade launch --replay report/recording.mcap")]
pub struct LaunchArgs {
    /// Launch file, in ROS 2's XML or YAML format
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
    /// By the wall clock, how fast the robot's own goes, from 0.001 to 1, for a machine that is
    /// too slow for real time
    #[arg(long, value_name = "FACTOR", conflicts_with = "lockstep")]
    pace: Option<Pace>,
    #[command(flatten)]
    scheduling: Scheduling,
    /// Each node a process of its own, by the wall clock, over ROS 2's network; ends when a
    /// referee does
    #[cfg(feature = "dds")]
    #[arg(long, conflicts_with_all = ["lockstep", "realtime", "record"])]
    processes: bool,
    /// Offer the nodes' topics, services and actions to other ROS 2 processes too [default:
    /// off; with --processes what this program was built for]
    #[cfg(feature = "dds")]
    #[arg(long, value_enum, value_name = "MIDDLEWARE")]
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
        conflicts_with_all = ["file", "arguments", "realtime", "lockstep", "record", "duration", "pace"]
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
        if let Some(by) = self.ros.filter(|_| !self.processes) {
            let (connect, whom) = self.network.connection(by)?;
            eprintln!("nodes: {whom}");
            return Ok(Some(connect));
        }
        Ok(None)
    }

    /// Whether each of our nodes is to be a process of its own.
    fn in_processes(&self) -> bool {
        #[cfg(feature = "dds")]
        return self.processes;
        #[cfg(not(feature = "dds"))]
        false
    }

    /// How our nodes are to be started as processes, if they are.
    fn own_processes(&self) -> Option<OwnProcesses> {
        #[cfg(feature = "dds")]
        if self.processes {
            let by = self.ros.unwrap_or_else(super::live::Middleware::usual);
            let mut words = self.network.words(by);
            if let Some(pace) = self.pace {
                words.extend(["--pace".to_owned(), pace.to_string()]);
            }
            return Some(OwnProcesses {
                words,
                log_level: format!("{:?}", self.log_level).to_lowercase(),
                report: self.report.clone(),
            });
        }
        None
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
pub(in crate::cli) fn refuse(error: LaunchFileError) -> CliError {
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
    #[cfg(feature = "dds")]
    if args.ros.is_some() && !args.realtime && !args.processes {
        let text = "--ros needs --realtime or --processes: simulated time is nobody else's";
        return Err(CliError::usage(text));
    }
    let plan = Plan::of(&launch, args.own_processes().as_ref())?;
    check_pace(&args, file, &plan)?;
    if args.print {
        return print_plan(&plan, args.json);
    }
    args.scheduling.apply()?;
    execute::execute(&args, file, &launch, &plan)
}

/// Only what simulates can be slowed: foreign programs (bridges, drivers, simulators) have
/// clocks of their own.
fn check_pace(args: &LaunchArgs, file: &Path, plan: &Plan) -> Result<(), CliError> {
    let Some(pace) = args.pace else {
        return Ok(());
    };
    if !args.realtime && !args.in_processes() {
        let text = "--pace needs --realtime or --processes: simulated time has no pace";
        return Err(CliError::usage(text));
    }
    match &plan.foreign {
        Some(program) if !pace.is_real() => Err(CliError::usage(format!(
            "--pace {pace}: {} starts {program}, whose clock cannot be slowed",
            file.display()
        ))),
        _ => Ok(()),
    }
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

fn print_plan(plan: &Plan, json: bool) -> CliResult {
    if json {
        let nodes = plan.nodes.iter().map(serde_json::to_value);
        let programs = plan.programs.iter().map(serde_json::to_value);
        print_json(&nodes.chain(programs).collect::<Result<Vec<_>, _>>()?)?;
        return Ok(Exit::Success);
    }
    for spec in &plan.nodes {
        print_line(format!("{}  ({PACKAGE}/{})", spec.full_name(), spec.exec))?;
        for (name, value) in &spec.parameters {
            print_line(format!("    {name}: {value}"))?;
        }
        for (from, to) in &spec.remaps {
            print_line(format!("    {from} -> {to}"))?;
        }
    }
    for program in &plan.programs {
        print_line(format!("[{}]  {}", program.name, program.command.join(" ")))?;
    }
    Ok(Exit::Success)
}

/// Has what libraries say through `tracing` while a node is at work go to the node's log.
pub(super) fn hear_libraries(least: Level) {
    let heard = tracing_subscriber::registry().with(rosout::Ear::new(least));
    // Once for a process; who set another has its own way.
    let _ = heard.try_init();
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
