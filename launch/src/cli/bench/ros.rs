//! `saccade bench ros`: what messages cost over DDS, beside PyPI `cyclonedds`, and how
//! many events go through.

use super::clock::median;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line};
use saccade_msgs::Event;
use saccade_nodes::dds::{Options, Participant, Publisher, Reach, Subscriber};
use saccade_nodes::{NodeSpec, Qos, Reliability, RunOptions, realtime};
use saccade_rosbags::events::{Geometry, mono_packet};
use serde::Serialize;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SCRIPT: &str = include_str!("ros.py");
/// Messages that go to and fro: bytes, and how many in each turn.
const SIZES: [(usize, usize); 2] = [(1 << 10, 1000), (1 << 20, 100)];
/// Turns, of which the median counts: others use the machine too.
const TURNS: usize = 3;
/// A packet of events: how many, and for how long.
const PACKET: (usize, Duration) = (20_000, Duration::from_millis(1));
const LIMIT: Duration = Duration::from_secs(20);

/// Arguments of `saccade bench ros`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
    Round trips are between two participants, over loopback; in turns with those of cyclonedds, \
    between two processes, where --peers names its Python. Events are packets of 20000, 1000 a \
    second, first without the network, from one node to another.\n\n\
    Example:\n  saccade bench ros --peers target/peers/bin/python")]
pub struct RosArgs {
    /// A Python with `cyclonedds`, as tests/peers/install.sh makes one
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// Seconds of events
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Domain to measure in
    #[arg(long, value_name = "ID", default_value_t = 97, value_parser = clap::value_parser!(u16).range(..=230))]
    domain: u16,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    round_trips: Vec<RoundTrip>,
    /// From one node to another of the process, 20 Mev/s: published, dropped, and until
    /// it was handled.
    in_process: InProcess,
    best_effort: Stream,
    reliable: Stream,
}

#[derive(Debug, Serialize)]
struct RoundTrip {
    bytes: usize,
    /// Medians over the turns, µs.
    dds_p50_us: f64,
    dds_p99_us: f64,
    cyclonedds_p50_us: Option<f64>,
    cyclonedds_p99_us: Option<f64>,
    /// Ours by theirs, of the medians.
    ratio: Option<f64>,
}

#[derive(Debug, Serialize)]
struct InProcess {
    packets: u64,
    dropped: u64,
    p50_us: f64,
    p99_us: f64,
}

#[derive(Debug, Default, Serialize)]
struct Stream {
    sent: u64,
    received: u64,
    /// By the publisher's numbers.
    lost: u64,
    events_per_s: f64,
}

/// Runs `saccade bench ros`.
pub(super) fn run(args: &RosArgs) -> CliResult {
    let report = Report {
        round_trips: round_trips(args)?,
        in_process: in_process(args)?,
        best_effort: stream(args, Reliability::BestEffort)?,
        reliable: stream(args, Reliability::Reliable)?,
    };
    if args.json {
        print_json(&report)?;
    } else {
        report.print()?;
    }
    // Of a reliable stream nothing may be missing.
    Ok(if report.reliable.received == report.reliable.sent {
        Exit::Success
    } else {
        Exit::LostData
    })
}

fn join(domain: u16) -> Result<Participant, CliError> {
    let mut options = Options::from_env("saccade_bench", Some(Reach::Localhost))?;
    options.domain = domain;
    Ok(Participant::join(&options)?)
}

/// One end of a round trip.
struct End {
    publisher: Publisher,
    subscriber: Subscriber,
    participant: Participant,
}

impl End {
    fn new(domain: u16, out: &str, back: &str) -> Result<Self, CliError> {
        const BYTES: &str = "std_msgs/msg/Bytes";
        let mut participant = join(domain)?;
        Ok(Self {
            publisher: participant.publish(out, BYTES, Qos::DEFAULT)?,
            subscriber: participant.subscribe(back, BYTES, Qos::DEFAULT)?,
            participant,
        })
    }

    /// The next message, unless `stop` is set or it takes too long.
    fn take(&mut self, stop: &AtomicBool) -> Option<Vec<u8>> {
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

fn found(publisher: &mut Publisher) -> Result<(), CliError> {
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

fn round_trips(args: &RosArgs) -> Result<Vec<RoundTrip>, CliError> {
    let mut ping = End::new(args.domain, "/out", "/back")?;
    let mut echo = End::new(args.domain, "/back", "/out")?;
    let stop = Arc::new(AtomicBool::new(false));
    let ended = stop.clone();
    let echo = std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            if let Some(message) = echo.take(&ended) {
                // Who asked notices what does not come back.
                let _ = echo.publisher.publish(message);
            }
        }
    });
    found(&mut ping.publisher)?;
    let theirs = args.peers.as_deref();
    let mut theirs = theirs
        .map(|p| Peer::start(p, args.domain + 1))
        .transpose()?;
    let trips = SIZES
        .iter()
        .map(|(bytes, count)| round_trip(&mut ping, theirs.as_mut(), *bytes, *count));
    let trips: Result<Vec<_>, _> = trips.collect();
    stop.store(true, Ordering::Relaxed);
    let _ = echo.join();
    trips
}

fn round_trip(
    ping: &mut End,
    mut theirs: Option<&mut Peer>,
    bytes: usize,
    count: usize,
) -> Result<RoundTrip, CliError> {
    let (mut ours_p50, mut ours_p99) = (Vec::new(), Vec::new());
    let (mut theirs_p50, mut theirs_p99) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let (p50, p99) = percentiles(turn(ping, bytes, count)?);
        ours_p50.push(p50);
        ours_p99.push(p99);
        if let Some(peer) = &mut theirs {
            let (p50, p99) = percentiles(peer.turn(bytes, count)?);
            theirs_p50.push(p50);
            theirs_p99.push(p99);
        }
    }
    let of = |times: &[f64]| theirs.is_some().then(|| median(times));
    let dds_p50_us = median(&ours_p50);
    let cyclonedds_p50_us = of(&theirs_p50);
    Ok(RoundTrip {
        bytes,
        dds_p50_us,
        dds_p99_us: median(&ours_p99),
        cyclonedds_p50_us,
        cyclonedds_p99_us: of(&theirs_p99),
        ratio: cyclonedds_p50_us.map(|theirs| dds_p50_us / theirs),
    })
}

fn turn(ping: &mut End, bytes: usize, count: usize) -> Result<Vec<f64>, CliError> {
    let never = AtomicBool::new(false);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let mut message = vec![0, 1, 0, 0];
        message.extend((bytes as u32).to_le_bytes());
        message.resize(8 + bytes, 0);
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

fn percentiles(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| times.get(((times.len() - 1) as f64 * q) as usize).copied();
    (at(0.5).unwrap_or(0.0), at(0.99).unwrap_or(0.0))
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

fn in_process(args: &RosArgs) -> Result<InProcess, CliError> {
    let nodes = [
        NodeSpec::new("event_generator").parameter("rate", 20.0),
        NodeSpec::new("event_image"),
    ];
    let options = RunOptions {
        duration_ns: Some(args.seconds as i64 * 1_000_000_000),
        ..RunOptions::default()
    };
    let report = realtime::run(&nodes, options)?;
    let handled = report.latencies.get("/event_image events handled");
    let count = |counts: &std::collections::BTreeMap<String, u64>, name: &str| {
        counts.get(name).copied().unwrap_or(0)
    };
    Ok(InProcess {
        packets: count(&report.topics, "/events"),
        dropped: count(&report.dropped, "/event_image events"),
        p50_us: handled.map_or(0.0, |p| p.p50_us),
        p99_us: handled.map_or(0.0, |p| p.p99_us),
    })
}

fn packet() -> Result<Vec<u8>, CliError> {
    let geometry = Geometry {
        width: 1280,
        height: 720,
    };
    let event = |i: usize| Event {
        t_us: (i / 20) as u64,
        x: (i * 31 % 1280) as u16,
        y: (i * 17 % 720) as u16,
        on: i.is_multiple_of(2),
    };
    let events: Vec<_> = (0..PACKET.0).map(event).collect();
    let packet = mono_packet(&events, 0, geometry, 0, "camera")?;
    Ok(saccade_msgs::to_cdr(&packet))
}

/// 20 million events a second from one participant to another.
fn stream(args: &RosArgs, reliability: Reliability) -> Result<Stream, CliError> {
    const TYPE: &str = "event_camera_msgs/msg/EventPacket";
    let qos = Qos {
        reliability,
        ..Qos::SENSOR.depth(256)
    };
    let (mut here, mut there) = (join(args.domain)?, join(args.domain)?);
    let mut publisher = here.publish("/events", TYPE, qos)?;
    let mut subscriber = there.subscribe("/events", TYPE, qos)?;
    found(&mut publisher)?;
    let stop = Arc::new(AtomicBool::new(false));
    let ended = stop.clone();
    let listener = std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            while subscriber.take().is_some() {}
            there.wait(Duration::from_millis(20));
        }
        while subscriber.take().is_some() {}
        subscriber.counts()
    });
    let message = packet()?;
    let total = args.seconds * 1000;
    let begun = Instant::now();
    let mut stream = Stream::default();
    for i in 0..total {
        let due = begun + PACKET.1 * i as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        publisher.publish(message.clone())?;
        stream.sent += 1;
    }
    let events = (stream.sent * PACKET.0 as u64) as f64;
    publisher.wait_acknowledged(LIMIT);
    stream.events_per_s = events / begun.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    let counts = listener
        .join()
        .map_err(|_| CliError::failed("the listener panicked; see above"))?;
    stream.received = counts.received;
    // What came after the last that came is not in its count.
    stream.lost = stream.sent.saturating_sub(counts.received);
    Ok(stream)
}

impl Report {
    fn print(&self) -> Result<(), CliError> {
        print_line("round trip     dds p50 / p99 (us)   cyclonedds p50 / p99 (us)   ratio")?;
        for trip in &self.round_trips {
            let theirs = match (trip.cyclonedds_p50_us, trip.cyclonedds_p99_us) {
                (Some(p50), Some(p99)) => format!("{p50:.0} / {p99:.0}"),
                _ => "not asked".to_owned(),
            };
            let ratio = trip.ratio.map_or("-".to_owned(), |r| format!("{r:.2}"));
            let ours = format!("{:.0} / {:.0}", trip.dds_p50_us, trip.dds_p99_us);
            let kib = trip.bytes >> 10;
            print_line(format!(
                "{kib:>5} KiB      {ours:<18}   {theirs:<25}   {ratio}"
            ))?;
        }
        let here = &self.in_process;
        print_line(format!(
            "events, in process:  {} packets, {} dropped, handled after {:.0} / {:.0} us",
            here.packets, here.dropped, here.p50_us, here.p99_us
        ))?;
        for (name, s) in [
            ("best effort", &self.best_effort),
            ("reliable", &self.reliable),
        ] {
            print_line(format!(
                "events, {name:<11}: {:.1} Mev/s, {} packets sent, {} received, {} lost",
                s.events_per_s / 1e6,
                s.sent,
                s.received,
                s.lost
            ))?;
        }
        Ok(())
    }
}
