//! From any recording to any other, with an account of what came across.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::bag::BagReader;
use crate::error::{BagError, Result};
use crate::file::part_of;
use crate::message::{Connection, RawMessage, Serialization};
use crate::options::{Target, WriteOptions};
use crate::transcode::Transcoder;
use crate::writer::BagWriter;

/// What is converted, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConvertOptions {
    /// How the result is written.
    pub write: WriteOptions,
    /// Topics to take, all if there is none here; `*` stands for any characters.
    pub topics: Vec<String>,
    /// Topics to leave out.
    pub exclude: Vec<String>,
    /// Leaves out what was logged earlier than this after the first message, ns; 0
    /// leaves nothing out, though some may be logged before the first.
    pub start_ns: i64,
    /// Leaves out what was logged later than this after the start, ns.
    pub duration_ns: Option<i64>,
    /// Whether messages are put in the order of their log times.
    pub in_time_order: bool,
}

/// What came across, and what did not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ConvertReport {
    /// Messages written.
    pub messages: u64,
    /// Their bytes, before any compression.
    pub bytes: u64,
    /// Of these, messages whose bytes were transcoded between ROS 1 and CDR.
    pub transcoded: u64,
    /// Topics written, also those without messages.
    pub topics: u64,
    /// Messages that the options leave out.
    pub left_out: u64,
    /// Messages that could not be transcoded.
    pub lost: u64,
    /// Topics that lost messages, and why the first one was lost.
    pub lost_topics: Vec<LostTopic>,
    /// What the format of the result has no place for.
    pub not_held: NotHeld,
}

/// A topic whose messages could not all be transcoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostTopic {
    /// Topic.
    pub topic: String,
    /// ROS 2 type name.
    pub r#type: String,
    /// Messages lost.
    pub messages: u64,
    /// Why the first one was.
    pub reason: String,
}

/// What the format of the result has no place for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct NotHeld {
    /// Messages with a `seq` other than 0 in a header, which only ROS 1 has.
    pub header_seq: u64,
    /// Messages with a publish time of their own, which only MCAP has.
    pub publish_times: u64,
    /// Messages with a sequence number that counting does not give, which only
    /// MCAP has.
    pub sequences: u64,
    /// Topics with QoS profiles, of which ROS 1 holds only whether they latch.
    pub qos: u64,
    /// Topics whose definition differs from an earlier one of the same type: SQLite
    /// holds one for a type.
    pub definitions: u64,
    /// Attachments and metadata records of MCAP.
    pub attachments: u64,
}

impl ConvertReport {
    fn lose(&mut self, connection: &Connection, reason: &str) {
        self.lost += 1;
        let same =
            |t: &&mut LostTopic| t.topic == connection.topic && t.r#type == connection.type_name;
        match self.lost_topics.iter_mut().find(same) {
            Some(topic) => topic.messages += 1,
            None => self.lost_topics.push(LostTopic {
                topic: connection.topic.clone(),
                r#type: connection.type_name.clone(),
                messages: 1,
                reason: reason.to_owned(),
            }),
        }
    }
}

/// Converts a recording; the format of the result follows its name. It is written
/// beside its place and renamed when it is complete. `progress` is told the number
/// of messages read.
///
/// # Errors
/// If the result exists, no topic fits the options, the recording is damaged, or
/// reading or writing fails.
pub fn convert(
    input: &Path,
    output: &Path,
    options: &ConvertOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<ConvertReport> {
    let mut reader = match options.in_time_order {
        true => BagReader::open_in_time_order(input)?,
        false => BagReader::open(input)?,
    };
    let mut write = options.write.clone();
    if let Some(metadata) = reader.metadata() {
        if write.ros_distro.is_empty() {
            write.ros_distro = metadata.ros_distro;
        }
        write.custom_data.extend(metadata.custom_data);
    }
    let all = reader.connections()?;
    let wanted: Vec<_> = (all.iter())
        .filter(|c| options.takes(&c.topic))
        .cloned()
        .collect();
    if wanted.is_empty() && !all.is_empty() {
        return Err(no_topic(input, &all));
    }
    let mut pipeline = Pipeline::create(output, &write)?;
    for connection in &wanted {
        pipeline.add_connection(connection)?;
    }
    let mut first = None;
    let mut read = 0;
    while let Some(message) = reader.next_message()? {
        read += 1;
        progress(read);
        let start = *first.get_or_insert(message.stamp_ns) + options.start_ns;
        let since = message.stamp_ns.saturating_sub(start);
        let late = options.duration_ns.is_some_and(|duration| since > duration);
        let early = options.start_ns > 0 && since < 0;
        if early || late || !options.takes(message.topic()) {
            pipeline.report.left_out += 1;
            continue;
        }
        pipeline.push(message)?;
    }
    pipeline.report.not_held.attachments = reader.attachments();
    pipeline.finish()
}

impl ConvertOptions {
    fn takes(&self, topic: &str) -> bool {
        let any = |patterns: &[String]| {
            patterns
                .iter()
                .any(|p| fits(p.as_bytes(), topic.as_bytes()))
        };
        (self.topics.is_empty() || any(&self.topics)) && !any(&self.exclude)
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match (pattern.get(p), star) {
            (Some(b'*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (Some(c), _) if *c == name[n] => (p, n) = (p + 1, n + 1),
            (_, Some((at, taken))) => {
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

fn no_topic(path: &Path, connections: &[Arc<Connection>]) -> BagError {
    let has: Vec<_> = connections
        .iter()
        .map(|c| format!("{} ({})", c.topic, c.type_name))
        .collect();
    BagError::NoTopic {
        path: path.to_owned(),
        what: "no topic is left to convert".into(),
        has: has.join(", "),
    }
}

/// How the messages of a topic go across.
enum Way {
    Same(Arc<Connection>),
    Transcode(Box<Transcoder>, Arc<Connection>),
    Impossible(String),
}

/// Writes messages of any kind into a recording of one kind.
pub(crate) struct Pipeline {
    writer: BagWriter,
    part: Part,
    target: Target,
    mcap: bool,
    ways: Vec<(Arc<Connection>, Way)>,
    /// What a reader of the result will count.
    sequence: BTreeMap<(String, String), u32>,
    definitions: BTreeMap<String, String>,
    pub report: ConvertReport,
}

impl Pipeline {
    pub fn create(output: &Path, options: &WriteOptions) -> Result<Self> {
        let target = Target::of(output)?;
        let part = Part::of(output)?;
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let writer = BagWriter::create_as(&part.path, output, &name, options)?;
        let directory_of_mcap = options.storage == crate::options::Storage::Mcap;
        Ok(Self {
            writer,
            part,
            target,
            mcap: target == Target::Mcap || (target == Target::Directory && directory_of_mcap),
            ways: Vec::new(),
            sequence: BTreeMap::new(),
            definitions: BTreeMap::new(),
            report: ConvertReport::default(),
        })
    }

    /// Adds a topic, also one that will have no messages.
    pub fn add_connection(&mut self, connection: &Arc<Connection>) -> Result<()> {
        self.way(connection).map(drop)
    }

    /// Writes a message, transcoded where that is needed.
    pub fn push(&mut self, mut message: RawMessage) -> Result<()> {
        let at = self.way(&message.connection)?;
        let transcoded = match &self.ways[at].1 {
            Way::Same(connection) => {
                message.connection = connection.clone();
                false
            }
            Way::Transcode(transcoder, connection) => {
                let mut data = Vec::with_capacity(message.data.len() + 64);
                match transcoder.transcode(&message.data, &mut data) {
                    Ok(seq) => self.report.not_held.header_seq += u64::from(seq),
                    Err(error) => {
                        self.report.lose(&message.connection, &error.to_string());
                        return Ok(());
                    }
                }
                message.data = data;
                message.connection = connection.clone();
                true
            }
            Way::Impossible(reason) => {
                self.report.lose(&message.connection, reason);
                return Ok(());
            }
        };
        if !self.mcap {
            let key = (message.topic().to_owned(), message.type_name().to_owned());
            let count = self.sequence.entry(key).or_insert(0);
            self.report.not_held.sequences += u64::from(*count != message.sequence);
            *count = count.wrapping_add(1);
            let own_time = message.publish_ns != message.stamp_ns;
            self.report.not_held.publish_times += u64::from(own_time);
        }
        self.writer.write_raw(&message)?;
        self.report.messages += 1;
        self.report.bytes += message.data.len() as u64;
        self.report.transcoded += u64::from(transcoded);
        Ok(())
    }

    fn way(&mut self, connection: &Arc<Connection>) -> Result<usize> {
        let known = self
            .ways
            .iter()
            .position(|(c, _)| Arc::ptr_eq(c, connection) || c == connection);
        if let Some(at) = known {
            return Ok(at);
        }
        let to = self.writer.serialization();
        let way = match connection.serialization == to {
            true => Way::Same(connection.clone()),
            false => match Transcoder::new(connection, to) {
                Ok(transcoder) => {
                    let made = Arc::new(transcoder.connection().clone());
                    Way::Transcode(Box::new(transcoder), made)
                }
                Err(error) => Way::Impossible(error.to_string()),
            },
        };
        if let Way::Same(made) | Way::Transcode(_, made) = &way {
            self.report.topics += 1;
            self.writer.add_connection(made)?;
            let ros1 = self.target == Target::Ros1;
            let qos = ros1
                && connection.serialization == Serialization::Cdr
                && !connection.qos.is_empty();
            self.report.not_held.qos += u64::from(qos);
            if !self.mcap && !ros1 {
                let kept = (self.definitions).entry(made.type_name.clone());
                let kept = kept.or_insert_with(|| made.definition.clone());
                self.report.not_held.definitions += u64::from(*kept != made.definition);
            }
        }
        self.ways.push((connection.clone(), way));
        Ok(self.ways.len() - 1)
    }

    pub fn finish(self) -> Result<ConvertReport> {
        self.writer.finish()?;
        self.part.finish()?;
        Ok(self.report)
    }
}

/// The result while it is written: beside its place, and gone if it is not
/// completed.
struct Part {
    path: PathBuf,
    output: PathBuf,
    done: bool,
}

impl Part {
    fn of(output: &Path) -> Result<Self> {
        if output.symlink_metadata().is_ok() {
            return Err(BagError::Exists {
                path: output.to_owned(),
            });
        }
        Ok(Self {
            path: part_of(output).map_err(|e| BagError::io(output, "make a folder for", e))?,
            output: output.to_owned(),
            done: false,
        })
    }

    fn finish(mut self) -> Result<()> {
        let renamed = std::fs::rename(&self.path, &self.output);
        renamed
            .map_err(|e| BagError::io(&self.output, "give the complete recording this name:", e))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let _ = std::fs::remove_dir_all(&self.path);
        let name = self.path.as_os_str();
        for ending in ["", ".active", "-wal", "-shm"] {
            let mut path = name.to_owned();
            path.push(ending);
            let _ = std::fs::remove_file(path);
        }
        let _ = std::fs::remove_file(self.path.with_extension("unpacked"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, name, expected) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/a*", "/ab", true),
            ("*", "", true),
            ("/*/events", "/left/events", true),
            ("/*/events", "/events", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("/a**", "/a", true),
        ] {
            let found = fits(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }
}
