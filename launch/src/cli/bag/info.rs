//! `saccade bag info`: what is in a recording.

use crate::cli::{CliResult, Exit, print_json, print_line};
use saccade_rosbags::{BagReader, Connection, QosProfile};
use serde::Serialize;
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
    /// Storage files of a directory.
    files: Option<Vec<String>>,
    /// Bytes on disk.
    size: u64,
    compression: String,
    messages: u64,
    /// Bytes of serialised messages, before any compression.
    bytes: u64,
    /// Log times, ns.
    start_ns: Option<i64>,
    end_ns: Option<i64>,
    duration_s: f64,
    /// Messages with a log time before that of the message in front of them.
    out_of_order: u64,
    /// Attachments and metadata records of MCAP.
    attachments: u64,
    ros_distro: Option<String>,
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
    /// Log times of the first and the last message, ns.
    start_ns: Option<i64>,
    end_ns: Option<i64>,
    /// Language of the definition, empty where the recording has none.
    definition: String,
    /// ROS 1 md5 sum or ROS 2 type hash.
    hash: String,
    /// A profile for each publisher, in words; or what the recording says where
    /// that is no profile.
    qos: Vec<String>,
}

impl TopicInfo {
    fn of(c: &Connection) -> Self {
        Self {
            topic: c.topic.clone(),
            r#type: c.type_name.clone(),
            serialization: c.serialization.name(),
            messages: 0,
            bytes: 0,
            start_ns: None,
            end_ns: None,
            definition: match c.definition.is_empty() {
                true => String::new(),
                false => c.definition_encoding.clone(),
            },
            hash: c.md5.clone(),
            qos: match QosProfile::parse_list(&c.qos) {
                Ok(profiles) => profiles.iter().map(ToString::to_string).collect(),
                Err(_) => vec![c.qos.clone()],
            },
        }
    }

    fn line(&self, name: usize, type_name: usize) -> String {
        let seconds = match (self.start_ns, self.end_ns) {
            (Some(a), Some(b)) => b.saturating_sub(a) as f64 * 1e-9,
            _ => 0.0,
        };
        let rate = match self.messages > 1 && seconds > 0.0 {
            true => format!("{:9.2} Hz", (self.messages - 1) as f64 / seconds),
            false => " ".repeat(12),
        };
        let mut line = format!(
            "  {:name$}  {:type_name$}  {:>8} messages  {rate}  {:>12} bytes  {}",
            self.topic, self.r#type, self.messages, self.bytes, self.serialization
        );
        if self.definition.is_empty() {
            line += ", no definition";
        }
        let mut qos = self.qos.clone();
        qos.dedup();
        for profile in qos {
            line += &format!("; {profile}");
        }
        line
    }
}

impl BagInfo {
    /// Reads every message, so that what it says is what is there.
    fn read(path: &Path) -> saccade_rosbags::Result<Self> {
        let mut bag = BagReader::open(path)?;
        let connections = bag.connections()?;
        let mut topics: Vec<(Connection, TopicInfo)> = (connections.iter())
            .map(|c| ((**c).clone(), TopicInfo::of(c)))
            .collect();
        let (mut messages, mut bytes, mut out_of_order) = (0, 0, 0);
        let mut range: Option<(i64, i64)> = None;
        let mut last = i64::MIN;
        while let Some(message) = bag.next_message()? {
            messages += 1;
            bytes += message.data.len() as u64;
            let stamp = message.stamp_ns;
            out_of_order += u64::from(stamp < last);
            last = stamp;
            let widen = |range: Option<(i64, i64)>| {
                range.map_or((stamp, stamp), |(a, b)| (a.min(stamp), b.max(stamp)))
            };
            range = Some(widen(range));
            let c = &*message.connection;
            let at = topics.iter().position(|(known, _)| known == c);
            let at = at.unwrap_or_else(|| {
                topics.push((c.clone(), TopicInfo::of(c)));
                topics.len() - 1
            });
            let topic = &mut topics[at].1;
            topic.messages += 1;
            topic.bytes += message.data.len() as u64;
            let (a, b) = widen(topic.start_ns.zip(topic.end_ns));
            (topic.start_ns, topic.end_ns) = (Some(a), Some(b));
        }
        let mut topics: Vec<_> = topics.into_iter().map(|(_, info)| info).collect();
        topics.sort_by(|a, b| (&a.topic, &a.r#type).cmp(&(&b.topic, &b.r#type)));
        let files = bag.files();
        Ok(BagInfo {
            file: path.display().to_string(),
            format: bag.format_name(),
            size: match files {
                Some(files) => files.iter().map(|f| size(f)).sum(),
                None => size(path),
            },
            files: files.map(|files| files.iter().map(|f| f.display().to_string()).collect()),
            compression: bag.compression(),
            messages,
            bytes,
            start_ns: range.map(|r| r.0),
            end_ns: range.map(|r| r.1),
            duration_s: range.map_or(0.0, |(a, b)| b.saturating_sub(a) as f64 * 1e-9),
            out_of_order,
            attachments: bag.attachments(),
            ros_distro: (bag.metadata().map(|m| m.ros_distro)).filter(|distro| !distro.is_empty()),
            topics,
        })
    }

    fn text(&self) -> String {
        let format = match &self.files {
            Some(files) => format!("rosbag2 directory of {} {} files", files.len(), self.format),
            None => self.format.to_owned(),
        };
        let mut text = format!(
            "{}\nformat       {format}\ncompression  {}\nsize         {} bytes ({} of messages)\n\
             duration     {:.3} s\n",
            self.file, self.compression, self.size, self.bytes, self.duration_s
        );
        if let (Some(start), Some(end)) = (self.start_ns, self.end_ns) {
            let seconds = |ns: i64| ns as f64 * 1e-9;
            text += &format!(
                "start, end   {:.3}, {:.3} s\n",
                seconds(start),
                seconds(end)
            );
        }
        if let Some(distro) = &self.ros_distro {
            text += &format!("recorded by  ROS 2 {distro}\n");
        }
        text += &format!("messages     {}", self.messages);
        if self.out_of_order > 0 {
            text += &format!(" ({} earlier than the one before)", self.out_of_order);
        }
        text.push('\n');
        let width = |f: fn(&TopicInfo) -> usize| self.topics.iter().map(f).max().unwrap_or(0);
        let (name, type_name) = (width(|t| t.topic.len()), width(|t| t.r#type.len()));
        for topic in &self.topics {
            text += &topic.line(name, type_name);
            text.push('\n');
        }
        text.pop();
        text
    }
}

/// Bytes of a file; one that has just been read is there.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}
