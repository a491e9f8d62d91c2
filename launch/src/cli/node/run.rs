//! `saccade node NAME`: one node on ROS 2's network, with ROS 2's command line.

use crate::cli::launch::{
    hear_libraries, log_line, node_spec, parse_level, seconds_to_ns, verdict,
};
use crate::cli::live::{Middleware, NetworkArgs};
use crate::cli::priority::Scheduling;
use crate::cli::{CliError, CliResult, Exit, print_line, stop};
use crate::launch_file;
use saccade_nodes::clock::Pace;
use saccade_nodes::{Level, Observer, Payload, RunOptions, realtime, registry};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Arguments of `saccade node NAME`.
#[derive(Debug, clap::Parser)]
#[command(
    name = "saccade node NAME",
    about = "Run one node on ROS 2's network, in real time, until Ctrl-C or SIGTERM.",
    max_term_width = 100,
    after_help = "\
    After --ros-args, up to the end or `--`, as in ROS 2:\n  \
    -r FROM:=TO            remap a topic, service or action; __node:=NAME, __ns:=/NAMESPACE\n  \
    -p NAME:=VALUE         set a parameter (`saccade node describe NAME` lists them);\n  \
                           every node has use_sim_time (false) and autostart (true)\n  \
    --params-file FILE     set parameters from a YAML file\n  \
    --log-level LEVEL      debug, info (default), warn or error: on stderr and /rosout\n\n\
    Environment: ROS_DOMAIN_ID (0); ROS_LOCALHOST_ONLY and ROS_AUTOMATIC_DISCOVERY_RANGE (unlike \
    ROS 2, only this machine is reached unless they say otherwise); ROS_DISTRO (to whom the \
    node is announced); RMW_IMPLEMENTATION; with --ros zenoh ZENOH_SESSION_CONFIG_URI, \
    ZENOH_CONFIG_OVERRIDE and ZENOH_ROUTER_CHECK_ATTEMPTS.\n\n\
    Examples:\n  \
    saccade node dvs_ingest --ros-args -r events:=/event_camera/events -p filters:=flip_x\n  \
    saccade node microsaccade --ros-args -r __ns:=/left -p period:=2.0"
)]
struct RunArgs {
    #[command(flatten)]
    network: NetworkArgs,
    /// How other processes are reached [default: zenoh where RMW_IMPLEMENTATION is
    /// rmw_zenoh_cpp; rcl in a program that was built for it; else dds]
    #[arg(long, value_enum, value_name = "MIDDLEWARE")]
    ros: Option<Middleware>,
    /// How fast the node's clock goes, from 0.001 to 1, for a simulated robot on a machine
    /// that is too slow for real time; the same for all its nodes
    #[arg(long, value_name = "FACTOR", default_value_t)]
    pace: Pace,
    #[command(flatten)]
    scheduling: Scheduling,
    /// Stop after this many seconds
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    duration: Option<f64>,
    /// Record every message and input into this MCAP file
    #[arg(long, value_name = "MCAP")]
    record: Option<PathBuf>,
}

/// Runs the node that the first word names.
pub fn run(words: &[String]) -> CliResult {
    let Some((exec, rest)) = words.split_first() else {
        return Err(CliError::usage("a node's name is needed"));
    };
    if registry::find(exec).is_none() {
        let known = registry::names().join(", ");
        return Err(CliError::usage(format!(
            "no node '{exec}'; there are: {known}"
        )));
    }
    let (own, ros) = split(rest);
    let name = "saccade node NAME".to_owned();
    let args = <RunArgs as clap::Parser>::try_parse_from([name].into_iter().chain(own))
        .unwrap_or_else(|e| e.exit());
    let (action, level) =
        launch_file::from_command_line(exec, &ros).map_err(crate::cli::launch::refuse)?;
    let level = level.as_deref().map_or(Ok(Level::Info), parse_level);
    let level = level.map_err(|e| CliError::usage(format!("--log-level: {e}")))?;
    let spec = node_spec(&action)?;
    args.scheduling.apply()?;
    let (network, whom) = args
        .network
        .connection(args.ros.unwrap_or_else(Middleware::usual))?;
    eprintln!("{}: {whom}", spec.full_name());
    let options = RunOptions {
        record: args.record,
        duration_ns: args.duration.map(seconds_to_ns).transpose()?,
        observer: Box::new(Lines {
            level,
            colour: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            judged: false,
        }),
        stop: stop::on_ctrl_c()?,
        network: Some(network),
        rosout_level: level,
        pace: args.pace,
        ..RunOptions::default()
    };
    hear_libraries(level);
    let report = realtime::run(&[spec], options)?;
    for (what, count) in report.dropped.iter().filter(|(_, n)| **n > 0) {
        eprintln!("warning: {what}: {count} messages dropped");
    }
    Ok(Exit::Success)
}

/// The words for us, and those from `--ros-args` on up to `--`.
fn split(words: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut own, mut ros) = (Vec::new(), Vec::new());
    let mut within = false;
    for word in words {
        within |= word == "--ros-args";
        let list = if within { &mut ros } else { &mut own };
        list.push(word.clone());
        within &= word != "--";
    }
    (own, ros)
}

/// Prints the log, and on stdout the verdicts of a referee.
struct Lines {
    level: Level,
    colour: bool,
    judged: bool,
}

impl Observer for Lines {
    fn log(&mut self, now_ns: i64, node: &str, level: Level, text: &str) {
        if level >= self.level {
            eprintln!("{}", log_line(now_ns, node, level, text, self.colour));
        }
    }

    fn message(&mut self, _now_ns: i64, _node: &str, _topic: &str, payload: &Payload) {
        if let Some((heading, line)) = verdict(payload) {
            let heading = (!std::mem::replace(&mut self.judged, true)).then_some(heading);
            for line in heading.into_iter().chain([line]) {
                // Nobody listening is no reason to end.
                let _ = print_line(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn ros_arguments_are_set_apart() {
        let words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let (own, ros) = split(&words(
            "--domain 3 --ros-args -p a:=1 -- --network --ros-args -r b:=c",
        ));
        assert_eq!(own, words("--domain 3 --network"));
        assert_eq!(ros, words("--ros-args -p a:=1 -- --ros-args -r b:=c"));
    }
}
