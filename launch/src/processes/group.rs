//! Process groups: what a program starts gets its signals too, and ends with it.

use super::{Program, Screen};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use saccade_nodes::Level;
use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The groups that live, for [`kill_all`].
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// How long a group may take to die of SIGKILL.
const DEATH: Duration = Duration::from_secs(1);

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    // A set of numbers is right whoever panicked.
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets a program have a group of its own. A terminal's Ctrl-C does not reach it then.
pub(super) fn own(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Kills every group at once (SIGKILL): for who has no time left.
pub fn kill_all() {
    for pid in groups().iter().copied() {
        // It may be gone already.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// The group of a child that was started with [`own`].
pub(super) struct Group(Option<i32>);

impl Group {
    pub(super) fn of(child: &Child) -> Self {
        // 0 and 1 would be our own group and everybody.
        let pid = i32::try_from(child.id()).ok().filter(|pid| *pid > 1);
        groups().extend(pid);
        Group(pid)
    }

    /// Whether anyone in it lives. The dead whom nobody has waited for do not count, where
    /// `/proc` tells them apart.
    pub(super) fn lives(&self) -> bool {
        let Some(pid) = self.0 else { return false };
        killpg(Pid::from_raw(pid), None).is_ok() && living_member(pid).unwrap_or(true)
    }

    fn send(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may be gone already.
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            groups().remove(&pid);
        }
    }
}

/// Whether a process in this group is neither a zombie nor dead; `None` without `/proc`.
fn living_member(group: i32) -> Option<bool> {
    let group = group.to_string();
    let mut readable = false;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        readable = true;
        // After the name, in parentheses, which may hold anything: state, parent, group.
        let Some((_, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let mut fields = rest.split_whitespace();
        let state = fields.next();
        if fields.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X")) {
            return Some(true);
        }
    }
    readable.then_some(false)
}

/// How far the ending of a group has gone.
#[derive(Default)]
pub(super) struct Ending {
    begun: Option<Instant>,
    sent: usize,
}

impl Ending {
    /// Sends the signal that is due; `false` once nothing more can be done.
    pub(super) fn step(&mut self, group: &Group, program: &Program, screen: &Screen) -> bool {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let term = program.sigterm_timeout;
        let kill = term + program.sigkill_timeout;
        let signals = [
            (Duration::ZERO, Signal::SIGINT, "SIGINT"),
            (term, Signal::SIGTERM, "SIGTERM"),
            (kill, Signal::SIGKILL, "SIGKILL"),
        ];
        let Some((after, signal, name)) = signals.get(self.sent) else {
            return begun.elapsed() < kill + DEATH;
        };
        if begun.elapsed() >= *after {
            let (level, text) = match self.sent {
                0 => (Level::Info, format!("sending {name}")),
                _ => {
                    let seconds = after.as_secs_f64();
                    let text = format!("has not ended {seconds} s after SIGINT: sending {name}");
                    (Level::Error, text)
                }
            };
            screen.event(&program.name, level, &text);
            group.send(*signal);
            self.sent += 1;
        }
        true
    }
}
