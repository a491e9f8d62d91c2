//! `saccade spinnaker emulate`: a board on this machine.

use super::board_args::{BoardArgs, UNTRAINED};
use crate::cli::priority::Scheduling;
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line, stop};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::spinnaker::emulator::{
    Control, Emulator, EmulatorConfig, LearningProgram, Program, Relay, Report,
};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Arguments of `saccade spinnaker emulate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Populations of a classifier: `input`, `control` (0 begins an interval, 1 ends it), \
                  `hidden` and `heartbeat`; where it learns, also `label`, `output` and `error`. Those of `relay`: spike i of `inj` comes back as \
                  (7 i + 3) mod 1000 of `out`; `poisson` fires at the rates that clients set.\n\n\
                  Exit status 3 says that events or packets were lost; which, is in the report."
)]
pub struct EmulateArgs {
    /// Weights of a classifier (`saccade train`), or `relay`, a network for tests; with --learn
    /// also `untrained`
    network: String,
    /// Let the network learn there, from the spikes of labels (`saccade spinnaker teach`); what
    /// it has learnt stays there, and goes when the board does
    #[arg(long)]
    learn: bool,
    /// Where the board is; clients find it at port 17893
    #[arg(long, value_name = "IPV4", default_value_t = Ipv4Addr::LOCALHOST)]
    address: Ipv4Addr,
    /// Client that is told of every start and pause, and waited for; may be repeated
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:19999")]
    notify: Vec<SocketAddr>,
    /// Tell and wait for nobody; clients are given the database by hand
    #[arg(long, conflicts_with = "notify")]
    at_once: bool,
    /// Where the database of the network goes (a temporary file)
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Length of a tick in microseconds
    #[arg(long, value_name = "US", default_value_t = 1000)]
    tick_us: u32,
    /// Runs, with a pause between
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    cycles: u32,
    /// Ticks of a run (until Ctrl-C)
    #[arg(long, value_name = "TICKS")]
    run_ticks: Option<u64>,
    /// Length of a pause in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pause_ms: u64,
    /// Address that may talk to the board; may be repeated (whoever is on this machine)
    #[arg(long, value_name = "IP")]
    allow: Vec<IpAddr>,
    #[command(flatten)]
    emulated: BoardArgs,
    #[command(flatten)]
    scheduling: Scheduling,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// Runs `saccade spinnaker emulate`.
///
/// # Errors
/// The network, the port or the database cannot be used.
pub fn run(args: &EmulateArgs) -> CliResult {
    args.scheduling.apply()?;
    let config = config(args)?;
    let database = config.database.display().to_string();
    let emulator = Emulator::new(config, program(args)?)?;
    let address = args.address;
    eprintln!("board at {address}:17893, database {database}");
    if !args.at_once {
        eprintln!("waiting for {}", join(&args.notify));
    }
    let stop = stop::on_ctrl_c()?;
    let control = Arc::new(Control::default());
    let (seen, done) = (Arc::clone(&control), Arc::clone(&stop));
    let running = std::thread::spawn(move || emulator.run(&seen));
    while !running.is_finished() {
        if done.load(Ordering::Relaxed) {
            control.stop.store(true, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let report = (running.join()).map_err(|_| CliError::failed("the board's thread broke off"))?;
    print(&report, args.json)?;
    Ok(if lost(&report) == 0 {
        Exit::Success
    } else {
        Exit::LostData
    })
}

fn join(addresses: &[SocketAddr]) -> String {
    let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    list.join(", ")
}

fn config(args: &EmulateArgs) -> Result<EmulatorConfig, CliError> {
    let name = format!("saccade_board_{}.sqlite3", args.address);
    let default = || std::env::temp_dir().join(name);
    let database = args.database.clone().unwrap_or_else(default);
    let database = std::path::absolute(&database).context("finding the database's folder")?;
    Ok(EmulatorConfig {
        address: args.address,
        tick_us: args.tick_us,
        notify: if args.at_once {
            Vec::new()
        } else {
            args.notify.clone()
        },
        cycles: args.cycles,
        run_ticks: args.run_ticks,
        pause: Duration::from_millis(args.pause_ms),
        board: args.emulated.settings(args.allow.clone())?,
        ..EmulatorConfig::new(database)
    })
}

fn program(args: &EmulateArgs) -> Result<Box<dyn Program>, CliError> {
    let (network, emulated) = (args.network.as_str(), &args.emulated);
    if args.learn {
        return Ok(Box::new(LearningProgram::new(emulated.pupil(network)?)));
    }
    if network == UNTRAINED {
        return Err(CliError::usage(
            "an untrained network knows nothing; let it learn: --learn",
        ));
    }
    if network == "relay" {
        if emulated.fixed {
            return Err(CliError::usage(
                "--fixed is for classifiers, `relay` computes nothing",
            ));
        }
        return Ok(Box::new(Relay {
            n: 1000,
            sources: 40,
        }));
    }
    let doing = || format!("loading {network} (weights of a classifier, or `relay`)");
    let classifier = Classifier::load(Path::new(network)).context(doing())?;
    let program = emulated.program(classifier);
    Ok(Box::new(program.context("converting to fixed point")?))
}

/// Events, spikes and packets that were lost, whatever the reason; what a bad line was asked
/// to lose is not among them.
fn lost(report: &Report) -> u64 {
    let b = &report.board;
    let dropped = b.no_room + b.over_fifo + b.over_bandwidth;
    report.kernel_drops + report.send_failed + dropped
}

fn print(report: &Report, json: bool) -> Result<(), CliError> {
    if json {
        return print_json(report);
    }
    let Value::Object(mut all) = serde_json::to_value(report)? else {
        return Ok(());
    };
    let board = all.remove("board");
    let counts = all
        .into_iter()
        .chain(board.into_iter().flat_map(|b| match b {
            Value::Object(counts) => counts,
            _ => serde_json::Map::new(),
        }));
    for (name, value) in counts {
        print_line(format!("{:<16} {value}", name.replace('_', " ")))?;
    }
    Ok(())
}
