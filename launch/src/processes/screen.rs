//! Where the output of processes goes: line by line, each with the name of who said it.

use crate::launch_file::Output;
use indicatif::ProgressBar;
use saccade_nodes::Level;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Colours of names: green, yellow, blue, magenta, cyan.
const COLOURS: u32 = 5;

/// A process's stdout or stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// The screen and the log file. Clones are the same one.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

struct Inner {
    /// Whole lines go out under this lock.
    log: Mutex<Option<File>>,
    /// Whether stdout is for a JSON document alone.
    json: bool,
    colour: bool,
    progress: ProgressBar,
}

impl Default for Screen {
    /// Without a log file.
    fn default() -> Self {
        Screen::on(None, false, ProgressBar::hidden())
    }
}

impl Screen {
    /// With a log file, which is made anew; `json` keeps stdout free; `progress` is a line on
    /// the terminal that must not be written into.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(log: &Path, json: bool, progress: ProgressBar) -> std::io::Result<Self> {
        Ok(Screen::on(Some(File::create(log)?), json, progress))
    }

    fn on(log: Option<File>, json: bool, progress: ProgressBar) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some();
        Screen(Arc::new(Inner {
            log: Mutex::new(log),
            json,
            colour: !plain && std::io::stdout().is_terminal() && std::io::stderr().is_terminal(),
            progress,
        }))
    }

    /// A line, or the beginning of a very long one, that a process printed.
    pub(super) fn line(&self, name: &str, output: Output, stream: Stream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        let on_screen = output != Output::Log || stream == Stream::Err;
        let prefix = format!("[{name}]");
        let shown = format!("{} {text}", self.coloured(&prefix, colour_of(name)));
        let logged = (output != Output::Screen).then(|| format!("{prefix} {text}"));
        self.put(on_screen.then_some((stream, shown)), logged);
    }

    /// What happened to a process, on stderr and in the log file.
    pub(super) fn event(&self, name: &str, level: Level, text: &str) {
        let (word, colour) = match level {
            Level::Debug => ("DEBUG", 2),
            Level::Info => ("INFO", 0),
            Level::Warn => ("WARN", 33),
            Level::Error => ("ERROR", 31),
        };
        let line = format!("[{word}] [{name}]: {text}");
        self.put(
            Some((Stream::Err, self.coloured(&line, colour))),
            Some(line),
        );
    }

    fn coloured(&self, text: &str, colour: u32) -> String {
        if self.0.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn put(&self, shown: Option<(Stream, String)>, logged: Option<String>) {
        let mut log = self.0.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(file), Some(line)) = (log.as_mut(), logged) {
            // A full disk is no reason to end what runs.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
        if let Some((stream, line)) = shown {
            self.0.progress.suspend(|| {
                // Nor is a terminal that has gone away.
                let _ = match stream {
                    Stream::Out if !self.0.json => writeln!(std::io::stdout(), "{line}"),
                    _ => writeln!(std::io::stderr(), "{line}"),
                };
            });
        }
    }
}

/// A colour for a process, by its number.
fn colour_of(name: &str) -> u32 {
    let number = name.rsplit('-').next().and_then(|n| n.parse::<u32>().ok());
    32 + number.unwrap_or(0) % COLOURS
}
