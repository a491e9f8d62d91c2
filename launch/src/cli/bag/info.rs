//! `saccade bag info`: what is in a recording.

use crate::cli::{CliResult, Exit, print_json, print_line};
use saccade_rosbags::BagReader;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Arguments of `saccade bag info`.
#[derive(Debug, clap::Args)]
pub struct InfoArgs {
    /// The recording.
    file: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs `saccade bag info`.
///
/// # Errors
/// The recording cannot be read to its end.
pub fn run(args: &InfoArgs) -> CliResult {
    let info = BagInfo::read(&args.file)?;
    if args.json {
        print_json(&info)?;
    } else {
        print_line(info.text())?;
    }
    Ok(Exit::Success)
}

/// A recording in figures.
#[derive(Debug, Serialize)]
struct BagInfo {
    file: String,
    format: &'static str,
    messages: u64,
    /// Log times, ns.
    start_ns: Option<i64>,
    end_ns: Option<i64>,
    duration_s: f64,
    topics: Vec<TopicInfo>,
}

#[derive(Debug, Serialize)]
struct TopicInfo {
    topic: String,
    r#type: String,
    serialization: &'static str,
    messages: u64,
    /// Bytes of serialised messages, before any compression.
    bytes: u64,
}

impl BagInfo {
    /// Reads every message, so that what it says is what is there.
    fn read(path: &Path) -> saccade_rosbags::Result<Self> {
        let mut bag = BagReader::open(path)?;
        let mut topics = BTreeMap::new();
        for c in bag.connections()? {
            let topic = TopicInfo {
                topic: c.topic.clone(),
                r#type: c.type_name.clone(),
                serialization: c.serialization.name(),
                messages: 0,
                bytes: 0,
            };
            topics.insert((c.topic.clone(), c.type_name.clone()), topic);
        }
        let (mut messages, mut range) = (0, None);
        while let Some(message) = bag.next_message()? {
            messages += 1;
            let stamp = message.stamp_ns;
            range = Some(range.map_or((stamp, stamp), |(a, b): (i64, i64)| {
                (a.min(stamp), b.max(stamp))
            }));
            let c = &message.connection;
            let topic = topics
                .entry((c.topic.clone(), c.type_name.clone()))
                .or_insert_with(|| TopicInfo {
                    topic: c.topic.clone(),
                    r#type: c.type_name.clone(),
                    serialization: c.serialization.name(),
                    messages: 0,
                    bytes: 0,
                });
            topic.messages += 1;
            topic.bytes += message.data.len() as u64;
        }
        Ok(BagInfo {
            file: path.display().to_string(),
            format: bag.format_name(),
            messages,
            start_ns: range.map(|r| r.0),
            end_ns: range.map(|r| r.1),
            duration_s: range.map_or(0.0, |(a, b)| b.saturating_sub(a) as f64 * 1e-9),
            topics: topics.into_values().collect(),
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}\nformat    {}\nduration  {:.3} s\nmessages  {}\n",
            self.file, self.format, self.duration_s, self.messages
        );
        let width = |f: fn(&TopicInfo) -> usize| self.topics.iter().map(f).max().unwrap_or(0);
        let (name, type_name) = (width(|t| t.topic.len()), width(|t| t.r#type.len()));
        for t in &self.topics {
            text += &format!(
                "  {:name$}  {:type_name$}  {:>8} messages  {:>12} bytes\n",
                t.topic, t.r#type, t.messages, t.bytes
            );
        }
        text.pop();
        text
    }
}
