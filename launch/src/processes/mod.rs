//! Running programs as `ros2 launch` does: each in a process group of its own, its output line
//! by line, started again where wanted, and ended by SIGINT, SIGTERM and SIGKILL in turn.
//!
//! ```no_run
//! use saccade_launch::processes::{Program, Screen, run};
//! use std::sync::atomic::AtomicBool;
//! let program = Program::new("sleep-1", &["sleep", "3"]);
//! let ended = run(&[program], &Screen::default(), &AtomicBool::new(false));
//! assert!(!ended[0].failed());
//! ```

mod group;
mod screen;

pub use group::kill_all;
pub use screen::Screen;

use crate::launch_file::Output;
use group::{Ending, Group};
use saccade_nodes::Level;
use screen::Stream;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a process is looked at.
const POLL: Duration = Duration::from_millis(10);
/// A line of output that is longer is printed in pieces (bytes).
const MAX_LINE: u64 = 64 << 10;
/// How long the output of a process that has ended is waited for: whoever left its process
/// group may hold it open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a program ended that was told to.
const STOPPED: &str = "stopped";

/// A program to run.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Program {
    /// Before each line of its output: `[name]`.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Working folder.
    pub cwd: Option<PathBuf>,
    /// Changes to the environment; `None` takes a variable away.
    pub env: Vec<(String, Option<String>)>,
    /// Where its output goes.
    pub output: Output,
    /// Whether it is started again when it ends by itself, whatever its status.
    pub respawn: bool,
    /// How long to wait before.
    pub respawn_delay: Duration,
    /// Whether everything ends when it does.
    pub required: bool,
    /// How long SIGINT has time before SIGTERM follows.
    pub sigterm_timeout: Duration,
    /// And that before SIGKILL does.
    pub sigkill_timeout: Duration,
}

impl Program {
    /// A program as `ros2 launch` runs it unasked, but with its output on the screen.
    pub fn new(name: &str, command: &[&str]) -> Self {
        Program {
            name: name.to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            cwd: None,
            env: Vec::new(),
            output: Output::Screen,
            respawn: false,
            respawn_delay: Duration::ZERO,
            required: false,
            sigterm_timeout: Duration::from_secs(5),
            sigkill_timeout: Duration::from_secs(5),
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| std::io::Error::other("no program is named"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        group::own(&mut command);
        command.spawn()
    }
}

/// What became of a program.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Ended {
    /// Its name.
    pub name: String,
    /// How often it was started.
    pub starts: u64,
    /// How its last run ended: `finished`, `stopped`, or what was wrong with it.
    pub how: String,
    /// Whether that is a failure: it could not be started, or ended by itself with another
    /// status than 0.
    failed: bool,
    /// Whether it ended, or could not start, without having been told to end.
    #[serde(skip)]
    by_itself: bool,
}

impl Ended {
    /// Whether it ended, or could not be started, without having been told to end.
    pub fn by_itself(&self) -> bool {
        self.by_itself
    }

    /// Whether it could not be started, or ended by itself with another status than 0.
    pub fn failed(&self) -> bool {
        self.failed
    }
}

/// Runs programs until all have ended, or, once `stop` is set (by who calls, or by the end of
/// a required program, which sets it), have been ended.
pub fn run(programs: &[Program], screen: &Screen, stop: &AtomicBool) -> Vec<Ended> {
    thread::scope(|scope| {
        let threads: Vec<_> = programs
            .iter()
            .map(|program| scope.spawn(move || supervise(program, screen, stop)))
            .collect();
        let ended = threads.into_iter().zip(programs);
        ended
            .map(|(thread, program)| {
                thread.join().unwrap_or_else(|_| Ended {
                    name: program.name.clone(),
                    starts: 0,
                    how: "its supervisor panicked".to_owned(),
                    failed: true,
                    by_itself: true,
                })
            })
            .collect()
    })
}

/// Runs a program, and again where it is to be.
fn supervise(program: &Program, screen: &Screen, stop: &AtomicBool) -> Ended {
    let mut ended = Ended {
        name: program.name.clone(),
        starts: 0,
        how: "not started".to_owned(),
        failed: false,
        by_itself: false,
    };
    while !stop.load(Ordering::Relaxed) {
        ended.starts += 1;
        (ended.how, ended.failed) = match once(program, screen, stop) {
            Ok(Some(status)) if status.success() => ("finished".to_owned(), false),
            Ok(Some(status)) => (said(status), true),
            Ok(None) => (STOPPED.to_owned(), false),
            Err(error) => {
                let what = program.command.first().map_or("", String::as_str);
                let text = format!("cannot start '{what}': {error}");
                screen.event(&program.name, Level::Error, &text);
                (text, true)
            }
        };
        ended.by_itself = ended.how != STOPPED;
        // What is started again has not failed.
        ended.failed &= !program.respawn;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if program.required {
            let text = "was required: shutting everything down";
            screen.event(&program.name, Level::Info, text);
            stop.store(true, Ordering::Relaxed);
        }
        if !program.respawn {
            break;
        }
        let again = Instant::now() + program.respawn_delay;
        while Instant::now() < again && !stop.load(Ordering::Relaxed) {
            thread::sleep(POLL);
        }
    }
    ended
}

/// One run of a program and of what it starts: its status, `None` where it was told to end.
fn once(
    program: &Program,
    screen: &Screen,
    stop: &AtomicBool,
) -> std::io::Result<Option<ExitStatus>> {
    let mut child = program.spawn()?;
    let group = Group::of(&child);
    let started = format!("process started with pid [{}]", child.id());
    screen.event(&program.name, Level::Info, &started);
    let readers = [
        child
            .stdout
            .take()
            .map(|pipe| reader(program, screen, Stream::Out, pipe)),
        child
            .stderr
            .take()
            .map(|pipe| reader(program, screen, Stream::Err, pipe)),
    ];
    let mut ending: Option<Ending> = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if stop.load(Ordering::Relaxed) {
            ending.get_or_insert_default().step(&group, program, screen);
        }
        thread::sleep(POLL);
    };
    let told = ending.is_some();
    // What it has started does not outlive it.
    while group.lives() && ending.get_or_insert_default().step(&group, program, screen) {
        thread::sleep(POLL);
    }
    wait_for(readers.into_iter().flatten().collect());
    report(program, screen, child.id(), status);
    Ok((!told).then_some(status))
}

fn report(program: &Program, screen: &Screen, pid: u32, status: ExitStatus) {
    let (level, text) = if status.success() {
        let text = format!("process has finished cleanly [pid {pid}]");
        (Level::Info, text)
    } else {
        let command = program.command.join(" ");
        let text = format!(
            "process has died [pid {pid}, {}, cmd '{command}']",
            said(status)
        );
        (Level::Error, text)
    };
    screen.event(&program.name, level, &text);
}

/// A status in words.
fn said(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "no exit code".to_owned(),
    }
}

/// Reads lines until the pipe is closed.
fn reader(
    program: &Program,
    screen: &Screen,
    stream: Stream,
    pipe: impl Read + Send + 'static,
) -> JoinHandle<()> {
    let (name, output, screen) = (program.name.clone(), program.output, screen.clone());
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        loop {
            line.clear();
            match pipe.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(1..) => screen.line(&name, output, stream, &line),
                _ => break,
            }
        }
    })
}

fn wait_for(readers: Vec<JoinHandle<()>>) {
    let until = Instant::now() + LAST_WORDS;
    while Instant::now() < until && !readers.iter().all(JoinHandle::is_finished) {
        thread::sleep(POLL);
    }
}
