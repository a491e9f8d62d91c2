//! `saccade events info`: what is in a recording.

use super::Recording;
use crate::cli::{CliResult, Exit, print_json, print_line};
use saccade_rosbags::events::{EventInfo, info};
use std::path::Path;

/// Arguments of `saccade events info`.
#[derive(Debug, clap::Args)]
pub struct InfoArgs {
    #[command(flatten)]
    recording: Recording,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs `saccade events info`.
pub fn run(args: &InfoArgs) -> CliResult {
    let file = &args.recording.file;
    let info = info(file, args.recording.topic.as_deref())?;
    if args.json {
        print_json(&info)?;
    } else {
        print_line(text(file, &info))?;
    }
    Ok(verdict(&info))
}

/// What was lost, in words; empty when nothing was.
fn losses(info: &EventInfo) -> Vec<String> {
    let all = [
        (info.lost_packets, "packets missing in the sequence numbers"),
        (info.outside, "events outside of the sensor"),
        (info.unsynced, "events before the stream told time and row"),
        (info.unknown_words, "words of unknown type"),
        (info.torn_bytes, "bytes at the end that are no whole word"),
    ];
    all.iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect()
}

/// Prints what was lost; a loss has an exit status of its own.
pub fn verdict(info: &EventInfo) -> Exit {
    let losses = losses(info);
    if losses.is_empty() {
        return Exit::Success;
    }
    eprintln!("warning: lost {}", losses.join(", "));
    Exit::LostData
}

/// Seconds from the first event to the last.
pub fn duration_s(info: &EventInfo) -> f64 {
    match (info.t_first_us, info.t_last_us) {
        (Some(first), Some(last)) => last.saturating_sub(first) as f64 * 1e-6,
        _ => 0.0,
    }
}

fn text(file: &Path, info: &EventInfo) -> String {
    let time = |t: Option<u64>| t.map_or("none".into(), |t| format!("{t} µs"));
    let seconds = duration_s(info);
    let rate = if seconds > 0.0 {
        format!("{:.1} k events/s", info.events as f64 / seconds * 1e-3)
    } else {
        "unknown".into()
    };
    let mut lines = vec![
        file.display().to_string(),
        format!("format    {}", info.format),
    ];
    lines.extend(info.topic.iter().map(|t| format!("topic     {t}")));
    let told = if info.geometry_known {
        ""
    } else {
        " (from the events; the recording does not tell)"
    };
    lines.extend([
        format!("sensor    {} x {}{told}", info.width, info.height),
        format!(
            "events    {} ({} ON, {} OFF)",
            info.events, info.on, info.off
        ),
        format!(
            "time      {} to {} ({seconds:.6} s)",
            time(info.t_first_us),
            time(info.t_last_us)
        ),
        format!("rate      {rate}"),
        format!(
            "sums      x {}, y {}, t {} µs",
            info.sum_x, info.sum_y, info.sum_t_us
        ),
        format!("checksum  {:016x}", info.checksum),
        format!(
            "triggers  {} ({} rising)",
            info.triggers, info.triggers_rising
        ),
    ]);
    if let (Some(first), Some(last)) = (info.seq_first, info.seq_last) {
        lines.push(format!(
            "packets   {}, seq {first} to {last}, {} lost",
            info.packets, info.lost_packets
        ));
    }
    if info.backward_steps > 0 {
        lines.push(format!(
            "time runs back {} times, by up to {} µs",
            info.backward_steps, info.backward_max_us
        ));
    }
    lines.join("\n")
}
