//! What `node` and `executable` have in common: how a process is started.

use super::actions::{Output, Process};
use super::entity::Entity;
use super::error::{LaunchFileError, malformed, unsupported};
use super::evaluate::Evaluator;
use super::substitution::{condition, evaluate, parse};
use super::words;

/// The attributes that say how a process is started.
pub(super) const ATTRIBUTES: [&str; 7] = [
    "output",
    "respawn",
    "respawn_delay",
    "cwd",
    "shell",
    "launch-prefix",
    "on_exit",
];

/// Seconds after which ROS 2 goes from SIGINT to SIGTERM, and from there to SIGKILL.
const TIMEOUT_S: f64 = 5.0;

impl Default for Process {
    fn default() -> Self {
        Process {
            number: 1,
            label: None,
            prefix: Vec::new(),
            cwd: None,
            shell: false,
            env: Vec::new(),
            output: Output::Log,
            respawn: false,
            respawn_delay_s: 0.0,
            required: false,
            sigterm_timeout_s: TIMEOUT_S,
            sigkill_timeout_s: TIMEOUT_S,
        }
    }
}

impl Evaluator {
    /// Reads [`ATTRIBUTES`]; `label` names the attribute with the process's name.
    pub(super) fn process(&mut self, e: &Entity, label: &str) -> Result<Process, LaunchFileError> {
        let prefix = self.optional(e, "launch-prefix")?.unwrap_or_default();
        let prefix = words::split(&prefix)
            .map_err(|reason| malformed(&e.place, format!("launch-prefix: {reason}")))?;
        let flag = |text: Option<String>| match text {
            Some(text) => condition(&text, &e.place),
            None => Ok(false),
        };
        self.started += 1;
        Ok(Process {
            number: self.started,
            label: self.optional(e, label)?,
            prefix,
            cwd: self.optional(e, "cwd")?.map(Into::into),
            shell: flag(self.optional(e, "shell")?)?,
            env: self.changed_environment(),
            output: self.output(e)?,
            respawn: flag(self.optional(e, "respawn")?)?,
            respawn_delay_s: match self.optional(e, "respawn_delay")? {
                Some(text) => seconds(e, "respawn_delay", &text)?,
                None => 0.0,
            },
            required: self.required_process(e)?,
            sigterm_timeout_s: self.timeout(e, "sigterm_timeout")?,
            sigkill_timeout_s: self.timeout(e, "sigkill_timeout")?,
        })
    }

    fn output(&mut self, e: &Entity) -> Result<Output, LaunchFileError> {
        let given = self.optional(e, "output")?;
        let forced = std::env::var("OVERRIDE_LAUNCH_PROCESS_OUTPUT").ok();
        let Some(text) = forced.or(given) else {
            return Ok(Output::Log);
        };
        text.parse().map_err(|()| {
            let what = format!("output '{text}'");
            unsupported(&e.place, what, &["screen", "log", "both"])
        })
    }

    /// `on_exit="shutdown"`, the one word ROS 2 has for it (Humble since 2025).
    fn required_process(&mut self, e: &Entity) -> Result<bool, LaunchFileError> {
        match self.optional(e, "on_exit")?.as_deref() {
            None => Ok(false),
            Some("shutdown") => Ok(true),
            Some(other) => {
                let what = format!("on_exit '{other}'");
                Err(unsupported(&e.place, what, &["shutdown"]))
            }
        }
    }

    /// A timeout is a variable of the launch file (`let`, `arg`), as in ROS 2.
    fn timeout(&self, e: &Entity, name: &str) -> Result<f64, LaunchFileError> {
        match self.variable_text(name) {
            Some(text) => seconds(e, name, text),
            None => Ok(TIMEOUT_S),
        }
    }

    /// An attribute as words, each substituted after the text is parted.
    pub(super) fn words(&mut self, e: &Entity, text: &str) -> Result<Vec<String>, LaunchFileError> {
        let pieces = parse(text, &e.place)?;
        let words = words::split_pieces(pieces).map_err(|reason| malformed(&e.place, reason))?;
        words
            .iter()
            .map(|word| evaluate(word, &e.place, self))
            .collect()
    }
}

fn seconds(e: &Entity, name: &str, text: &str) -> Result<f64, LaunchFileError> {
    let seconds = text.trim().parse().ok();
    // A day is a typing error, and more than a clock can add.
    seconds
        .filter(|s| (0.0..86_400.0).contains(s))
        .ok_or_else(|| {
            let reason = format!("{name} '{text}' is not a number of seconds from 0 to a day");
            malformed(&e.place, reason)
        })
}
