//! How long a message takes to another process and back.

use super::ends::{End, Other, Role, find};
use crate::cli::bench::clock::median;
use crate::cli::{CliError, Context};
use serde::Serialize;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

const SCRIPT: &str = include_str!("../ros.py");
/// Messages that go to and fro: bytes, and how many in each turn.
const SIZES: [(usize, usize); 2] = [(1 << 10, 1000), (1 << 20, 100)];
/// Turns, of which the median counts: others use the machine too.
const TURNS: usize = 5;

/// Round trips of one size: medians over the turns.
#[derive(Debug, Serialize)]
pub(super) struct RoundTrip {
    bytes: usize,
    dds: Times,
    cyclonedds: Option<Times>,
    /// Ours by theirs.
    ratio_p50: Option<f64>,
    ratio_p99: Option<f64>,
}

/// In µs.
#[derive(Debug, Clone, Copy, Serialize)]
struct Times {
    p50_us: f64,
    p99_us: f64,
}

impl Times {
    /// Of one turn.
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        let last = times.len().saturating_sub(1);
        let at = |q: f64| times.get((last as f64 * q) as usize).copied();
        Times {
            p50_us: at(0.5).unwrap_or(0.0),
            p99_us: at(0.99).unwrap_or(0.0),
        }
    }

    fn median(turns: &[Times]) -> Option<Self> {
        let of = |get: fn(&Times) -> f64| median(&turns.iter().map(get).collect::<Vec<_>>());
        (!turns.is_empty()).then(|| Times {
            p50_us: of(|t| t.p50_us),
            p99_us: of(|t| t.p99_us),
        })
    }
}

/// Round trips of all sizes, beside those of `cyclonedds` where its Python is named.
pub(super) fn measure(domain: u16, python: Option<&Path>) -> Result<Vec<RoundTrip>, CliError> {
    let mut ping = End::new(domain, "/out", "/back")?;
    let _echo = Other::start(Role::Echo, domain)?;
    find(&mut ping.publisher)?;
    let mut theirs = python.map(|p| Peer::start(p, domain + 1)).transpose()?;
    SIZES
        .iter()
        .map(|(bytes, count)| round_trip(&mut ping, theirs.as_mut(), *bytes, *count))
        .collect()
}

fn round_trip(
    ping: &mut End,
    mut theirs: Option<&mut Peer>,
    bytes: usize,
    count: usize,
) -> Result<RoundTrip, CliError> {
    let (mut our_turns, mut their_turns) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        our_turns.push(Times::of(turn(ping, bytes, count)?));
        if let Some(peer) = &mut theirs {
            their_turns.push(Times::of(peer.turn(bytes, count)?));
        }
    }
    let none = "a turn of round trips";
    let dds = Times::median(&our_turns).ok_or_else(|| CliError::failed(none))?;
    let cyclonedds = Times::median(&their_turns);
    Ok(RoundTrip {
        bytes,
        dds,
        cyclonedds,
        ratio_p50: cyclonedds.map(|theirs| dds.p50_us / theirs.p50_us),
        ratio_p99: cyclonedds.map(|theirs| dds.p99_us / theirs.p99_us),
    })
}

fn turn(ping: &mut End, bytes: usize, count: usize) -> Result<Vec<f64>, CliError> {
    let never = AtomicBool::new(false);
    let mut message = vec![0, 1, 0, 0];
    message.extend((bytes as u32).to_le_bytes());
    message.resize(8 + bytes, 0);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let message = message.clone();
        let begun = Instant::now();
        ping.publisher.publish(message)?;
        if ping.take(&never).is_none() {
            let text = format!("{bytes} bytes did not come back in 20 s");
            return Err(CliError::failed(text));
        }
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

/// `cyclonedds`, in the Python of a child process.
struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn start(python: &Path, domain: u16) -> Result<Self, CliError> {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT, &domain.to_string()])
            .env("SACCADE_BENCH_ROS", SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(format!("starting {}", python.display()))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => Ok(Self {
                child,
                to,
                from: BufReader::new(from),
            }),
            _ => Err(CliError::failed("no pipe to the Python of cyclonedds")),
        }
    }

    fn turn(&mut self, bytes: usize, count: usize) -> Result<Vec<f64>, CliError> {
        let doing = "asking the Python of cyclonedds (it said why above)";
        writeln!(self.to, "{bytes} {count}").context(doing)?;
        let mut line = String::new();
        self.from.read_line(&mut line).context(doing)?;
        serde_json::from_str(&line).context(doing)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input ends it, and the process that it has started.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RoundTrip {
    pub fn line(&self) -> String {
        let text = |t: &Times| format!("{:.0} / {:.0}", t.p50_us, t.p99_us);
        let theirs = (self.cyclonedds.as_ref()).map_or("not asked".to_owned(), text);
        let ratio = match (self.ratio_p50, self.ratio_p99) {
            (Some(p50), Some(p99)) => format!("{p50:.2} / {p99:.2}"),
            _ => "-".to_owned(),
        };
        let (kib, ours) = (self.bytes >> 10, text(&self.dds));
        format!("{kib:>5} KiB      {ours:<18}   {theirs:<25}   {ratio}")
    }
}
