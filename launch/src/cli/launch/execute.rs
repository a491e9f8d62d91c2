//! Running what a launch file comes to, and reporting on it.

use super::console::{Console, Watch};
use super::outcome::Outcome;
use super::plan::Plan;
use super::{LaunchArgs, hear_libraries, seconds_to_ns};
use crate::cli::{CliError, CliResult, Context, Exit, print_json, stop};
use crate::launch_file::Launch;
use crate::processes::{self, Ended, Screen};
use crate::report::{Collector, Run, Summary};
use saccade_msgs::Message;
use saccade_msgs::saccade_msgs::{JourneyResult, TrialResult};
use saccade_nodes::{Observer, Payload, RunOptions, RunReport, lockstep, realtime};
use saccade_rosbags::BagReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How often the end of all processes is looked for.
const POLL: Duration = Duration::from_millis(20);

pub(super) fn execute(args: &LaunchArgs, file: &Path, launch: &Launch, plan: &Plan) -> CliResult {
    check(args, file, plan)?;
    let duration_ns = args.duration.map(seconds_to_ns).transpose()?;
    let recording = recording_path(args, launch, plan)?;
    for message in &launch.messages {
        eprintln!("{message}");
    }
    let collector = Collector::default();
    let console = Console::new(plan.expected, args.log_level, args.json);
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
        pace: args.pace.unwrap_or_default(),
        ..RunOptions::default()
    };
    hear_libraries(args.log_level);
    let result = if plan.programs.is_empty() {
        compose(args, plan, options).map(|host| (host, Vec::new()))
    } else {
        with_programs(args, plan, options, &console)
    };
    console.finish();
    let (host, ended) = result.inspect_err(|_| {
        // A run that never began leaves no empty folder behind.
        let _ = made.map(std::fs::remove_dir);
    })?;
    for verdicts in &plan.verdicts {
        collect_verdicts(verdicts, &mut collector.clone())?;
    }
    let run = Run {
        host: Some(host),
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
        realtime: args.realtime || plan.nodes.is_empty(),
        summary: Summary::new(&seen.trials),
        trials: &seen.trials,
        journeys: &seen.journeys.results,
        composed: !plan.nodes.is_empty(),
        processes: &ended,
        pace: args.pace.unwrap_or_default(),
        report: &args.report,
    };
    if args.json {
        print_json(&outcome.json())?;
    } else {
        outcome.print()?;
    }
    Ok(exit(&outcome, plan.expected))
}

fn check(args: &LaunchArgs, file: &Path, plan: &Plan) -> Result<(), CliError> {
    let file = file.display();
    if plan.nodes.is_empty() && plan.programs.is_empty() {
        let text = format!("{file}: nothing to run: no node and no executable");
        return Err(CliError::failed(text));
    }
    if !plan.nodes.is_empty() && !plan.programs.is_empty() && !args.realtime {
        let names: Vec<_> = plan.programs.iter().map(|p| p.name.as_str()).collect();
        return Err(CliError::usage(format!(
            "{file} starts processes beside the nodes ({}), which run by the wall clock: add \
             --realtime, and --ros for the nodes to meet them on ROS 2's network",
            names.join(", ")
        )));
    }
    Ok(())
}

/// The nodes of this process, to their end.
fn compose(args: &LaunchArgs, plan: &Plan, options: RunOptions) -> Result<RunReport, CliError> {
    Ok(if args.realtime {
        realtime::run(&plan.nodes, options)?
    } else {
        lockstep::run(&plan.nodes, options)?
    })
}

/// Programs, and beside them the nodes of this process, if there are any: where these end,
/// so do the programs.
fn with_programs(
    args: &LaunchArgs,
    plan: &Plan,
    options: RunOptions,
    console: &Console,
) -> Result<(RunReport, Vec<Ended>), CliError> {
    let begun = Instant::now();
    std::fs::create_dir_all(&args.report).context(format!("making {}", args.report.display()))?;
    let log = args.report.join("launch.log");
    let screen = Screen::new(&log, args.json, console.progress())
        .context(format!("making {}", log.display()))?;
    plan.write_files()
        .context("writing the parameters of the processes")?;
    let stop = Arc::clone(&options.stop);
    let pace = options.pace;
    let until = options.duration_ns.map(|ns| pace.wall(ns));
    thread::scope(|scope| {
        let programs = scope.spawn(|| processes::run(&plan.programs, &screen, &stop));
        if !plan.nodes.is_empty() {
            let host = compose(args, plan, options);
            stop.store(true, Ordering::Relaxed);
            return Ok((host?, programs.join().unwrap_or_default()));
        }
        let in_time = || until.is_none_or(|until| begun.elapsed() < until);
        while !programs.is_finished() && !stop.load(Ordering::Relaxed) && in_time() {
            thread::sleep(POLL);
        }
        let (seconds, in_time) = (begun.elapsed().as_secs_f64(), in_time());
        stop.store(true, Ordering::Relaxed);
        let ended = programs.join().unwrap_or_default();
        let by_itself = why(plan, &ended);
        let host = RunReport {
            finished: by_itself.is_some(),
            ended: match (by_itself, in_time) {
                (Some(why), _) => why,
                (None, true) => "interrupted".to_owned(),
                (None, false) => "time is up".to_owned(),
            },
            sim_s: seconds * pace.factor(),
            wall_s: seconds,
            ..RunReport::default()
        };
        Ok((host, ended))
    })
}

/// Why processes ended that were not told to.
fn why(plan: &Plan, ended: &[Ended]) -> Option<String> {
    let required = plan.programs.iter().zip(ended);
    let mut required = required.filter(|(program, _)| program.required);
    if let Some((_, ended)) = required.find(|(_, ended)| ended.by_itself()) {
        return Some(format!("{} has ended", ended.name));
    }
    let all = ended.iter().all(Ended::by_itself);
    all.then(|| "all processes have ended".to_owned())
}

/// What a referee that was a process of its own recorded of its verdicts.
fn collect_verdicts(recording: &Path, collector: &mut Collector) -> Result<(), CliError> {
    if !recording.is_file() {
        return Ok(()); // It never ran, which was said.
    }
    for message in BagReader::open(recording)? {
        let message = message?;
        let kinds = [TrialResult::TYPE_NAME, JourneyResult::TYPE_NAME];
        let kind = message.connection.type_name.as_str();
        if let Some(kind) = kinds.into_iter().find(|k| *k == kind) {
            let payload = Payload::decode(kind, &message.data).context(format!(
                "{}: {}",
                recording.display(),
                message.topic()
            ))?;
            collector.message(0, "", message.topic(), &payload);
        }
    }
    Ok(())
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
    let host = match (args.in_processes(), args.realtime) {
        (true, _) => "processes",
        (false, true) => "realtime",
        (false, false) => "lockstep",
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
    if outcome.processes.iter().any(Ended::failed) {
        return Exit::Failure;
    }
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

/// `--record`, or what the launch argument `record` says; of nodes in this process only.
fn recording_path(
    args: &LaunchArgs,
    launch: &Launch,
    plan: &Plan,
) -> Result<Option<PathBuf>, CliError> {
    if plan.nodes.is_empty() {
        if args.record.is_some() {
            return Err(CliError::usage(
                "--record is for nodes in this process; 'saccade bag record --all' records \
                 processes from ROS 2's network",
            ));
        }
        return Ok(None);
    }
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
