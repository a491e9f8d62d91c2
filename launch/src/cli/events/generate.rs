//! `saccade events generate`: large files of synthetic events, to measure with.

use crate::cli::{CliError, CliResult, Context, Exit, print_line};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_rosbags::events::synthetic::{Kind, Stream};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Events that are made at once.
const PIECE: usize = 1 << 16;

/// Arguments of `saccade events generate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  saccade events generate evt3-sparse big.raw
  saccade events bench big.raw --peers target/peers/bin/python")]
pub struct GenerateArgs {
    /// What the file is of.
    kind: FileKind,
    /// The file to write.
    file: PathBuf,
    /// Events in it, at least.
    #[arg(long, default_value_t = 100_000_000)]
    events: u64,
    /// The same seed gives the same file.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FileKind {
    /// Prophesee RAW, EVT3 of a quiet scene: single events, 7.7 bytes each.
    Evt3Sparse,
    /// Prophesee RAW, EVT3 of a busy scene: many events in vectors, 2.8 bytes each.
    Evt3Dense,
    /// Prophesee RAW, EVT2, 0.2 million events per second.
    Evt2,
    /// Prophesee RAW, EVT2.1.
    Evt21,
    /// Prophesee DAT.
    Dat,
}

impl FileKind {
    fn stream(self) -> Kind {
        match self {
            Self::Evt3Sparse => Kind::Evt3Sparse,
            Self::Evt3Dense => Kind::Evt3Dense,
            Self::Evt2 => Kind::Evt2 { mean_us: 5 },
            Self::Evt21 => Kind::Evt21,
            Self::Dat => Kind::Dat,
        }
    }

    fn header(self) -> String {
        let (width, height) = (Stream::WIDTH, Stream::HEIGHT);
        let raw = |version, name| {
            format!(
                "% evt {version}\n% format {name};height={height};width={width}\n\
                 % geometry {width}x{height}\n% end\n"
            )
        };
        match self {
            Self::Evt3Sparse | Self::Evt3Dense => raw("3.0", "EVT3"),
            Self::Evt2 => raw("2.0", "EVT2"),
            Self::Evt21 => raw("2.1", "EVT21"),
            Self::Dat => format!(
                "% Data file containing CD events.\n% Version 2\n% Height {height}\n\
                 % Width {width}\n\x0C\x08"
            ),
        }
    }
}

/// Runs `saccade events generate`.
pub fn run(args: &GenerateArgs) -> CliResult {
    // Written beside and renamed: an interrupted run leaves no half file of this name.
    let mut beside = args.file.clone().into_os_string();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let writing = || format!("writing {}", beside.display());
    let (events, bytes) = write(args, &beside).context(writing())?;
    std::fs::rename(&beside, &args.file).context(writing())?;
    print_line(format!(
        "{}: {events} events, {bytes} bytes ({:.1} for each event)",
        args.file.display(),
        bytes as f64 / events.max(1) as f64
    ))?;
    Ok(Exit::Success)
}

/// Writes the file piece by piece; returns its events and bytes.
fn write(args: &GenerateArgs, path: &Path) -> Result<(u64, u64), CliError> {
    let mut file = File::create(path)?;
    let header = args.kind.header();
    file.write_all(header.as_bytes())?;
    let bar = ProgressBar::new(args.events).with_style(ProgressStyle::with_template(
        "{bar:30} {human_pos}/{human_len} events, {eta} left",
    )?);
    let mut stream = Stream::new(args.kind.stream(), args.seed);
    let (mut events, mut bytes) = (0, header.len() as u64);
    while events < args.events {
        let wanted = (args.events - events).min(PIECE as u64) as usize;
        let (piece, more) = stream.more(wanted);
        file.write_all(piece)?;
        events += more as u64;
        bytes += piece.len() as u64;
        bar.set_position(events);
    }
    bar.finish_and_clear();
    Ok((events, bytes))
}
