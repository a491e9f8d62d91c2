//! `saccade bench ros`: what messages cost over DDS between two processes, beside PyPI
//! `cyclonedds`, and how many events go through.

mod ends;
mod round_trip;
mod stream;

use crate::cli::{CliError, CliResult, Exit, print_json, print_line};
use ends::Role;
use round_trip::RoundTrip;
use saccade_nodes::{NodeSpec, Reliability, RunOptions, realtime};
use serde::Serialize;
use std::path::PathBuf;
use stream::Stream;

/// Arguments of `saccade bench ros`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
    Round trips are of raw bytes between two processes, over loopback; in turns with those of \
    cyclonedds, between two processes of the Python that --peers names. Events are packets of \
    20000, 1000 a second, first without the network, from one node to another, then between two \
    processes.\n\n\
    Example:\n  saccade bench ros --peers target/peers/bin/python")]
pub struct RosArgs {
    /// A Python with `cyclonedds`, as tests/peers/install.sh makes one
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// Seconds of events
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Domain to measure in; that of cyclonedds is the next
    #[arg(long, value_name = "ID", default_value_t = 97, value_parser = clap::value_parser!(u16).range(..=230))]
    domain: u16,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
    /// What this process is for another that measures
    #[arg(long, value_enum, hide = true)]
    role: Option<Role>,
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
struct InProcess {
    packets: u64,
    dropped: u64,
    p50_us: f64,
    p99_us: f64,
    /// What drawing the events took, 25 times a second.
    picture_p50_us: f64,
    picture_p99_us: f64,
}

/// Runs `saccade bench ros`.
pub(super) fn run(args: &RosArgs) -> CliResult {
    if let Some(role) = args.role {
        return ends::play(role, args.domain);
    }
    let report = Report {
        round_trips: round_trip::measure(args.domain, args.peers.as_deref())?,
        in_process: in_process(args)?,
        best_effort: stream::measure(args.domain, args.seconds, Reliability::BestEffort)?,
        reliable: stream::measure(args.domain, args.seconds, Reliability::Reliable)?,
    };
    if args.json {
        print_json(&report)?;
    } else {
        report.print()?;
    }
    // Of a reliable stream nothing may be missing, of the other nothing uncounted.
    let whole = report.reliable.received == report.reliable.sent;
    Ok(if whole && report.best_effort.uncounted == 0 {
        Exit::Success
    } else {
        Exit::LostData
    })
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
    let count = |counts: &std::collections::BTreeMap<String, u64>, name: &str| {
        counts.get(name).copied().unwrap_or(0)
    };
    let latency = |name: &str| {
        let found = report.latencies.get(name);
        found.map_or((0.0, 0.0), |p| (p.p50_us, p.p99_us))
    };
    let (p50_us, p99_us) = latency("/event_image events handled");
    let (picture_p50_us, picture_p99_us) = latency("/event_image picture handled");
    Ok(InProcess {
        packets: count(&report.topics, "/events"),
        dropped: count(&report.dropped, "/event_image events"),
        p50_us,
        p99_us,
        picture_p50_us,
        picture_p99_us,
    })
}

impl Report {
    fn print(&self) -> Result<(), CliError> {
        print_line(
            "round trip     dds p50 / p99 (us)   cyclonedds p50 / p99 (us)   ratio of p50 / p99",
        )?;
        for trip in &self.round_trips {
            print_line(trip.line())?;
        }
        let here = &self.in_process;
        print_line(format!(
            "events, in process:  {} packets, {} dropped, handled after {:.0} / {:.0} us; a \
             picture of them in {:.0} / {:.0} us",
            here.packets,
            here.dropped,
            here.p50_us,
            here.p99_us,
            here.picture_p50_us,
            here.picture_p99_us
        ))?;
        print_line(self.best_effort.line("best effort"))?;
        print_line(self.reliable.line("reliable"))
    }
}
