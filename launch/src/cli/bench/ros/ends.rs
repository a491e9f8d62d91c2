//! The two processes: this one, which measures, and another of the same program.

use crate::cli::{CliError, CliResult, Context, Exit, print_line};
use saccade_nodes::dds::{Options, Participant, Publisher, Reach, Subscriber};
use saccade_nodes::{Qos, Reliability};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before it is given up.
pub(super) const LIMIT: Duration = Duration::from_secs(20);
/// The type of event packets.
pub(super) const PACKETS: &str = "event_camera_msgs/msg/EventPacket";

/// What the other process does until its input ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Sends back what comes.
    Echo,
    /// Counts event packets, best effort.
    Hear,
    /// Counts event packets, reliably.
    HearReliably,
}

/// What a listener has heard.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Heard {
    pub received: u64,
    /// Missing between the first and the last.
    pub missing: u64,
    /// The publisher's numbers of the first and the last; 0 where nothing came.
    pub first: i64,
    pub last: i64,
}

/// As event cameras have it.
pub(super) fn camera(reliability: Reliability) -> Qos {
    Qos {
        reliability,
        ..Qos::SENSOR.depth(256)
    }
}

pub(super) fn join(domain: u16) -> Result<Participant, CliError> {
    let mut options = Options::from_env("saccade_bench", Some(Reach::Localhost))?;
    options.domain = domain;
    Ok(Participant::join(&options)?)
}

/// One end of a round trip.
pub(super) struct End {
    pub publisher: Publisher,
    subscriber: Subscriber,
    participant: Participant,
}

impl End {
    pub fn new(domain: u16, out: &str, back: &str) -> Result<Self, CliError> {
        const BYTES: &str = "std_msgs/msg/Bytes";
        let mut participant = join(domain)?;
        Ok(Self {
            publisher: participant.publish(out, BYTES, Qos::DEFAULT)?,
            subscriber: participant.subscribe(back, BYTES, Qos::DEFAULT)?,
            participant,
        })
    }

    /// The next message, unless `stop` is set or it takes too long.
    pub fn take(&mut self, stop: &AtomicBool) -> Option<Vec<u8>> {
        let begun = Instant::now();
        while !stop.load(Ordering::Relaxed) && begun.elapsed() < LIMIT {
            match self.subscriber.take() {
                Some(message) => return Some(message.cdr),
                None => self.participant.wait(Duration::from_millis(50)),
            }
        }
        None
    }
}

/// Waits until the other end is there.
pub(super) fn find(publisher: &mut Publisher) -> Result<(), CliError> {
    let begun = Instant::now();
    while publisher.matched() == 0 {
        if begun.elapsed() > LIMIT {
            return Err(CliError::failed("the other end was not found in 20 s"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // The other end may not have found this one.
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}

/// This program as another process, which ends with its input.
pub(super) struct Other {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Other {
    pub fn start(role: Role, domain: u16) -> Result<Self, CliError> {
        let role = clap::ValueEnum::to_possible_value(&role);
        let role = role.map_or(String::new(), |r| r.get_name().to_owned());
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "ros", "--role", &role])
            .args(["--domain", &domain.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the other process")?;
        Ok(Self {
            input: child.stdin.take(),
            output: child.stdout.take().map(BufReader::new),
            child,
        })
    }

    /// Ends it; the line that it says.
    pub fn end(mut self) -> Result<String, CliError> {
        self.input = None;
        let mut line = String::new();
        if let Some(output) = &mut self.output {
            let doing = "hearing from the other process (it said why above)";
            output.read_line(&mut line).context(doing)?;
        }
        Ok(line)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the other process, until its input ends.
pub(super) fn play(role: Role, domain: u16) -> CliResult {
    let stop = Arc::new(AtomicBool::new(false));
    let ended = stop.clone();
    let player = std::thread::spawn(move || match role {
        Role::Echo => echo(domain, &ended),
        Role::Hear => hear(domain, &ended, Reliability::BestEffort),
        Role::HearReliably => hear(domain, &ended, Reliability::Reliable),
    });
    // Nothing is said on it.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    stop.store(true, Ordering::Relaxed);
    let played = player.join();
    played.map_err(|_| CliError::failed("it panicked; see above"))??;
    Ok(Exit::Success)
}

fn echo(domain: u16, stop: &AtomicBool) -> Result<(), CliError> {
    let mut end = End::new(domain, "/back", "/out")?;
    while !stop.load(Ordering::Relaxed) {
        if let Some(message) = end.take(stop) {
            // Who asked notices what does not come back.
            let _ = end.publisher.publish(message);
        }
    }
    Ok(())
}

fn hear(domain: u16, stop: &AtomicBool, reliability: Reliability) -> Result<(), CliError> {
    let mut participant = join(domain)?;
    let mut subscriber = participant.subscribe("/events", PACKETS, camera(reliability))?;
    let mut heard = Heard::default();
    let mut last = false;
    while !last {
        last = stop.load(Ordering::Relaxed);
        while let Some(message) = subscriber.take() {
            if heard.first == 0 {
                heard.first = message.sequence;
            }
            heard.last = message.sequence;
        }
        participant.wait(Duration::from_millis(20));
    }
    let counts = subscriber.counts();
    (heard.received, heard.missing) = (counts.received, counts.lost);
    let line = serde_json::to_string(&heard).context("saying what was heard")?;
    print_line(line)
}
