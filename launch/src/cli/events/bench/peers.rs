//! Readers that PyPI has, measured by `peers.py` in a Python that has them.

use super::mev_s;
use crate::cli::{CliError, Context};
use saccade_rosbags::events::EventInfo;
use serde_json::Value;
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

const SCRIPT: &str = include_str!("peers.py");

/// The Python process, which measures one peer at a time.
struct Python {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Python {
    /// The next line that it says, as JSON.
    fn answer(&mut self) -> Result<Value, CliError> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        if line.is_empty() {
            let status = self.child.wait()?;
            let why = format!("the Python of the peers ended ({status}); it said why above");
            return Err(CliError::failed(why));
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn ask(&mut self, question: &str) -> Result<Value, CliError> {
        if let Some(to) = &mut self.to {
            writeln!(to, "{question}").context("asking the Python of the peers")?;
        }
        self.answer()
    }
}

impl Drop for Python {
    /// It ends with its input.
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}

/// A reader that is installed there and reads the format.
pub(super) struct Peer {
    python: Rc<RefCell<Python>>,
    name: String,
    version: String,
    seconds: f64,
    error: Option<String>,
}

/// How fast a peer was, and whether it found the same events.
#[derive(Debug, serde::Serialize)]
pub(super) struct PeerSpeed {
    name: String,
    version: String,
    /// Reading and decoding, in seconds; missing where it failed.
    seconds: Option<f64>,
    /// Million events (of ours) per second.
    mev_s: Option<f64>,
    /// How many times as fast ours is.
    ratio: Option<f64>,
    /// Whether all events are the same; `null` where only sums could be compared.
    same: Option<bool>,
    /// What differs, or why it failed; empty if nothing does.
    difference: String,
}

impl Peer {
    /// The peers that `python` has for the recording's format.
    pub fn start(python: &Path, file: &Path, info: &EventInfo) -> Result<Vec<Self>, CliError> {
        let kind = info.format.rsplit('/').next().unwrap_or_default();
        // A bag's encodings are none of these programs' formats.
        let kind = if info.topic.is_some() { "bag" } else { kind };
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .arg(file)
            .args([kind, &info.width.to_string(), &info.height.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(format!(
                "starting {} (a Python with peers)",
                python.display()
            ))?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let from = from.ok_or_else(|| CliError::failed("no pipe to the Python of the peers"))?;
        let from = BufReader::new(from);
        let mut python = Python { child, to, from };
        let installed = python.answer()?;
        let python = Rc::new(RefCell::new(python));
        let peer = |(name, version): (&String, &Value)| Self {
            python: Rc::clone(&python),
            name: name.clone(),
            version: version.as_str().unwrap_or_default().to_owned(),
            seconds: f64::INFINITY,
            error: None,
        };
        let installed = installed.as_object();
        Ok(installed.into_iter().flatten().map(peer).collect())
    }

    /// Measures it once more.
    pub fn run(&mut self) -> Result<(), CliError> {
        if self.error.is_none() {
            let answer = self.python.borrow_mut().ask(&self.name)?;
            match answer["seconds"].as_f64() {
                Some(seconds) => self.seconds = self.seconds.min(seconds),
                None => self.error = Some(answer["error"].to_string()),
            }
        }
        Ok(())
    }

    /// What it found and how long that took, against `ours_s`.
    pub fn speed(self, info: &EventInfo, ours_s: f64) -> Result<PeerSpeed, CliError> {
        let (same, difference) = match &self.error {
            Some(error) => (None, error.clone()),
            None => {
                let question = format!("{} sums", self.name);
                let found = self.python.borrow_mut().ask(&question)?;
                compare(&found, info)
            }
        };
        let seconds = self.seconds.is_finite().then_some(self.seconds);
        Ok(PeerSpeed {
            name: self.name,
            version: self.version,
            seconds,
            mev_s: seconds.map(|s| mev_s(info.events, s)),
            ratio: seconds.map(|s| s / ours_s),
            same,
            difference,
        })
    }
}

impl PeerSpeed {
    pub fn line(&self) -> String {
        let events = match (self.same, self.difference.as_str()) {
            (Some(true), _) => "the same events",
            (None, "") => "the same sums (install xxhash to compare every event)",
            (_, difference) => difference,
        };
        let peer = format!("{} {}", self.name, self.version);
        match (self.seconds, self.mev_s, self.ratio) {
            (Some(seconds), Some(mev_s), Some(ratio)) => format!(
                "peer      {seconds:.6} s ({mev_s:.1} Mev/s) {peer}: ours is {ratio:.2} times as fast; {events}"
            ),
            _ => format!("peer      {peer}: failed: {events}"),
        }
    }
}

/// Whether all events are the same, if that could be seen, and what differs.
fn compare(found: &Value, info: &EventInfo) -> (Option<bool>, String) {
    if let Some(error) = found["error"].as_str() {
        return (None, error.to_owned());
    }
    let sums = [
        ("events", u128::from(info.events)),
        ("on", info.on.into()),
        ("sum_x", info.sum_x.into()),
        ("sum_y", info.sum_y.into()),
        ("sum_t_us", info.sum_t_us),
    ];
    let text = |(name, ours): (&str, u128)| {
        let theirs = found[name].to_string();
        (theirs != ours.to_string()).then(|| format!("{name} {theirs} for {ours}"))
    };
    let differences: Vec<_> = sums.into_iter().filter_map(text).collect();
    let checksum = found["checksum"].as_str();
    let same = checksum.map(|c| c == format!("{:016x}", info.checksum));
    match (same, differences.is_empty()) {
        (Some(false), true) => (
            same,
            "other events, or another order; their sums are the same".into(),
        ),
        (_, true) => (same, String::new()),
        (_, false) => (
            Some(false),
            format!("other events: {}", differences.join(", ")),
        ),
    }
}
