//! `saccade events info`: what is in a recording.

use super::Recording;
use crate::cli::{CliResult, Exit, print_json, print_line};
use saccade_rosbags::events::{DecodeCounts, EventInfo, info_with};
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
    let topic = args.recording.topic.as_deref();
    let info = info_with(file, topic, args.recording.options())?;
    if args.json {
        print_json(&info)?;
    } else {
        print_line(text(file, &info))?;
    }
    Ok(verdict(&info))
}

/// What was lost in reading, in words; empty when nothing was.
pub fn losses(lost_packets: u64, decode: &DecodeCounts) -> Vec<String> {
    let all = [
        (lost_packets, "packets missing in the sequence numbers"),
        (decode.outside, "events outside of the sensor"),
        (
            decode.unsynced,
            "events before the stream told time and row",
        ),
        (decode.unknown_words, "words of unknown type"),
        (decode.torn_bytes, "bytes at the end that are no whole word"),
    ];
    all.iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect()
}

/// Prints what was lost; a loss has an exit status of its own.
pub fn verdict(info: &EventInfo) -> Exit {
    let decode = DecodeCounts {
        unknown_words: info.unknown_words,
        outside: info.outside,
        unsynced: info.unsynced,
        torn_bytes: info.torn_bytes,
    };
    warn(&losses(info.lost_packets, &decode))
}

/// Prints losses; the exit status says whether there are any.
pub fn warn(losses: &[String]) -> Exit {
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
