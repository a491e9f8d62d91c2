//! `metadata.yaml` of a rosbag2 directory, versions 1 to 9.
//!
//! What came when (`rosbag2_storage/yaml.hpp`): 3 compression, 4 QoS profiles and
//! file paths relative to the directory, 5 figures for each file, 6 custom data,
//! 7 type hashes, 8 the ROS distribution, 9 QoS profiles as YAML in place of text.

use std::path::Path;

use saphyr::Yaml;

use super::qos::QosProfile;
use super::yaml::{self, quoted};
use crate::error::{BagError, Result};
use crate::message::{Connection, Serialization, ros2_type_name};

/// Written: read by every ROS 2 from Humble to Rolling.
pub(crate) const VERSION: i64 = 8;
/// The newest that is known.
const NEWEST: i64 = 9;

/// What `metadata.yaml` says of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// Version of the file's format.
    pub version: i64,
    /// `sqlite3` or `mcap`.
    pub storage: String,
    /// Names of the storage files, in order.
    pub paths: Vec<String>,
    /// Log time of the first message, ns.
    pub start_ns: i64,
    /// From the first to the last message, ns.
    pub duration_ns: i64,
    /// Messages in all files.
    pub messages: u64,
    /// Topics (without definitions), and their messages.
    pub topics: Vec<(Connection, u64)>,
    /// `zstd`, or empty.
    pub compression_format: String,
    /// `file`, `message`, or empty.
    pub compression_mode: String,
    /// Figures for each file, from version 5 on.
    pub files: Vec<FileFigures>,
    /// What users have added.
    pub custom_data: Vec<(String, String)>,
    /// ROS distribution of the recorder, or empty.
    pub ros_distro: String,
}

/// A file of a directory in figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileFigures {
    /// Its name.
    pub path: String,
    /// Log time of its first message, ns.
    pub start_ns: i64,
    /// From its first to its last message, ns.
    pub duration_ns: i64,
    /// Messages in it.
    pub messages: u64,
}

impl Metadata {
    /// Reads `metadata.yaml`.
    ///
    /// # Errors
    /// If it cannot be read, or is not what its version demands.
    pub fn read(path: &Path) -> Result<Self> {
        let size = std::fs::metadata(path)
            .map_err(|e| BagError::io(path, "stat", e))?
            .len();
        if size > yaml::MAX_TEXT as u64 {
            let found = format!("{size} bytes");
            let expected = format!("metadata of at most {} bytes", yaml::MAX_TEXT);
            return Err(BagError::corrupt(path, 0, expected, found));
        }
        let text = std::fs::read_to_string(path).map_err(|e| BagError::io(path, "read", e))?;
        Self::parse(&text).map_err(|reason| BagError::Metadata {
            path: path.to_owned(),
            reason,
        })
    }

    /// Takes the text of `metadata.yaml` apart.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        let document = yaml::load(text)?;
        Self::from_yaml(yaml::get(&document, "rosbag2_bagfile_information")?)
    }

    /// Takes the text apart that storage files hold: without the outermost key.
    pub(crate) fn parse_body(text: &str) -> std::result::Result<Self, String> {
        Self::from_yaml(&yaml::load(text)?)
    }

    fn from_yaml(info: &Yaml<'_>) -> std::result::Result<Self, String> {
        let version = yaml::integer(info, "version")?;
        if !(1..=NEWEST).contains(&version) {
            return Err(format!(
                "version {version} is not known; known are 1 to {NEWEST}"
            ));
        }
        let optional = |key: &str, since: i64| match version >= since {
            true => yaml::text(info, key),
            false => Ok(String::new()),
        };
        let paths = (yaml::list(info, "relative_file_paths")?.iter())
            .map(|path| file_name(&yaml::scalar(path).unwrap_or_default()))
            .collect::<std::result::Result<_, _>>()?;
        let topics = yaml::list(info, "topics_with_message_count")?;
        let files = match version >= 5 {
            true => yaml::list(info, "files")?,
            false => &[],
        };
        let custom = info
            .as_mapping_get("custom_data")
            .and_then(Yaml::as_mapping);
        Ok(Self {
            version,
            storage: yaml::text(info, "storage_identifier")?,
            paths,
            start_ns: start_of(info)?,
            duration_ns: duration_of(info)?,
            messages: count_of(info)?,
            topics: topics
                .iter()
                .map(topic)
                .collect::<std::result::Result<_, _>>()?,
            compression_format: optional("compression_format", 3)?.to_ascii_lowercase(),
            compression_mode: match optional("compression_mode", 3)?
                .to_ascii_lowercase()
                .as_str()
            {
                "none" => String::new(),
                mode => mode.to_owned(),
            },
            files: files
                .iter()
                .map(file)
                .collect::<std::result::Result<_, _>>()?,
            custom_data: (custom.into_iter().flatten())
                .filter_map(|(key, value)| Some((yaml::scalar(key)?, yaml::scalar(value)?)))
                .collect(),
            ros_distro: info
                .as_mapping_get("ros_distro")
                .and_then(yaml::scalar)
                .unwrap_or_default(),
        })
    }

    /// The text of `metadata.yaml`.
    pub(crate) fn to_text(&self) -> String {
        let indented: Vec<String> = (self.body().lines())
            .map(|line| format!("  {line}\n"))
            .collect();
        format!("rosbag2_bagfile_information:\n{}", indented.concat())
    }

    /// The same without its outermost key, as storage files hold it.
    pub(crate) fn body(&self) -> String {
        let mut text = format!(
            "version: {VERSION}\nstorage_identifier: {}\nduration:\n  nanoseconds: {}\n\
             starting_time:\n  nanoseconds_since_epoch: {}\nmessage_count: {}\n",
            self.storage, self.duration_ns, self.start_ns, self.messages
        );
        text += match self.topics.is_empty() {
            true => "topics_with_message_count: []\n",
            false => "topics_with_message_count:\n",
        };
        for (topic, messages) in &self.topics {
            text += &format!(
                "  - topic_metadata:\n      name: {}\n      type: {}\n      serialization_format: {}\n      \
                 offered_qos_profiles: {}\n      type_description_hash: {}\n    message_count: {messages}\n",
                quoted(&topic.topic),
                quoted(&topic.type_name),
                topic.serialization.name(),
                quoted(&topic.qos),
                quoted(&topic.md5),
            );
        }
        text += &format!(
            "compression_format: {}\ncompression_mode: {}\nrelative_file_paths:\n",
            quoted(&self.compression_format),
            quoted(&self.compression_mode)
        );
        for path in &self.paths {
            text += &format!("  - {}\n", quoted(path));
        }
        text += "files:\n";
        for file in &self.files {
            text += &format!(
                "  - path: {}\n    starting_time:\n      nanoseconds_since_epoch: {}\n    duration:\n      \
                 nanoseconds: {}\n    message_count: {}\n",
                quoted(&file.path),
                file.start_ns,
                file.duration_ns,
                file.messages
            );
        }
        text += match self.custom_data.is_empty() {
            true => "custom_data: ~\n",
            false => "custom_data:\n",
        };
        for (key, value) in &self.custom_data {
            text += &format!("  {}: {}\n", quoted(key), quoted(value));
        }
        text + &format!("ros_distro: {}\n", quoted(&self.ros_distro))
    }
}

/// Old versions wrote the directory's name in front; only the name counts, and
/// nothing leads out of the directory.
fn file_name(path: &str) -> std::result::Result<String, String> {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name {
        "" | "." | ".." => Err(format!(
            "`relative_file_paths` holds `{path}`, which is no file"
        )),
        name => Ok(name.to_owned()),
    }
}

fn start_of(yaml: &Yaml<'_>) -> std::result::Result<i64, String> {
    yaml::integer(yaml::get(yaml, "starting_time")?, "nanoseconds_since_epoch")
}

fn duration_of(yaml: &Yaml<'_>) -> std::result::Result<i64, String> {
    yaml::integer(yaml::get(yaml, "duration")?, "nanoseconds")
}

fn count_of(yaml: &Yaml<'_>) -> std::result::Result<u64, String> {
    let count = yaml::integer(yaml, "message_count")?;
    u64::try_from(count).map_err(|_| format!("`message_count` is {count}"))
}

fn topic(yaml: &Yaml<'_>) -> std::result::Result<(Connection, u64), String> {
    let about = yaml::get(yaml, "topic_metadata")?;
    let format = yaml::text(about, "serialization_format")?;
    let serialization = Serialization::from_name(&format)
        .ok_or_else(|| format!("serialisation `{format}` is not handled; record it as cdr"))?;
    let qos = match about.as_mapping_get("offered_qos_profiles") {
        None => String::new(),
        Some(Yaml::Sequence(items)) => {
            let profiles: std::result::Result<Vec<_>, _> =
                items.iter().map(QosProfile::from_yaml).collect();
            QosProfile::to_text(&profiles?)
        }
        Some(text) => {
            yaml::scalar(text).ok_or("`offered_qos_profiles` is neither list nor text")?
        }
    };
    let connection = Connection {
        topic: yaml::text(about, "name")?,
        type_name: ros2_type_name(&yaml::text(about, "type")?),
        definition: String::new(),
        definition_encoding: String::new(),
        serialization,
        qos,
        md5: about
            .as_mapping_get("type_description_hash")
            .and_then(yaml::scalar)
            .unwrap_or_default(),
    };
    Ok((connection, count_of(yaml)?))
}

fn file(yaml: &Yaml<'_>) -> std::result::Result<FileFigures, String> {
    Ok(FileFigures {
        path: file_name(&yaml::text(yaml, "path")?)?,
        start_ns: start_of(yaml)?,
        duration_ns: duration_of(yaml)?,
        messages: count_of(yaml)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::DEFAULT_QOS;

    fn metadata() -> Metadata {
        Metadata {
            version: VERSION,
            storage: "mcap".into(),
            paths: vec!["a_0.mcap".into(), "a \"b\".mcap".into()],
            start_ns: 12,
            duration_ns: 3,
            messages: 5,
            topics: vec![(
                Connection {
                    topic: "/a: b".into(),
                    type_name: "std_msgs/msg/String".into(),
                    definition: String::new(),
                    definition_encoding: String::new(),
                    serialization: Serialization::Cdr,
                    qos: DEFAULT_QOS.into(),
                    md5: "RIHS01_ab".into(),
                },
                5,
            )],
            compression_format: "zstd".into(),
            compression_mode: "file".into(),
            files: vec![FileFigures {
                path: "a_0.mcap".into(),
                start_ns: 12,
                duration_ns: 3,
                messages: 5,
            }],
            custom_data: vec![("who".into(), "me: \"x\"\n".into())],
            ros_distro: "jazzy".into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Metadata::parse(&metadata().to_text()), Ok(metadata()));
        let empty = Metadata {
            version: VERSION,
            storage: "sqlite3".into(),
            ..Metadata::default()
        };
        assert_eq!(Metadata::parse(&empty.to_text()), Ok(empty));
    }

    #[test]
    fn older_and_newer_versions() {
        let new = metadata().to_text();
        let lines = "[{history: keep_last, depth: 10, reliability: reliable, durability: volatile, \
             deadline: {sec: 9223372036, nsec: 854775807}, lifespan: {sec: 9223372036, nsec: 854775807}, \
             liveliness: automatic, liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}, \
             avoid_ros_namespace_conventions: false}]";
        let nine = new
            .replace("version: 8", "version: 9")
            .replace(&quoted(DEFAULT_QOS), lines);
        let read = Metadata::parse(&nine).expect("version 9");
        assert_eq!(read.topics, metadata().topics);
        let two = "rosbag2_bagfile_information:\n  version: 2\n  storage_identifier: sqlite3\n  \
             relative_file_paths:\n    - bag/bag_0.db3\n  duration: {nanoseconds: 1}\n  \
             starting_time: {nanoseconds_since_epoch: 2}\n  message_count: 3\n  \
             topics_with_message_count:\n    - topic_metadata: {name: /a, type: std_msgs/msg/String, \
             serialization_format: cdr}\n      message_count: 3\n";
        let read = Metadata::parse(two).expect("version 2");
        assert_eq!(read.paths, ["bag_0.db3"]);
        assert_eq!((read.messages, read.topics[0].0.qos.as_str()), (3, ""));
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let whole = metadata().to_text();
        for (from, to, part) in [
            ("version: 8", "version: 10", "version 10 is not known"),
            (
                "message_count: 5",
                "message_count: -5",
                "`message_count` is -5",
            ),
            (
                "  storage_identifier: mcap\n",
                "",
                "`storage_identifier` is missing",
            ),
            ("\"a_0.mcap\"", "\"../..\"", "is no file"),
            (
                "serialization_format: cdr",
                "serialization_format: xml",
                "`xml` is not handled",
            ),
            (
                "rosbag2_",
                "rosbag3_",
                "`rosbag2_bagfile_information` is missing",
            ),
        ] {
            let error = Metadata::parse(&whole.replace(from, to)).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
        for cut in 0..whole.len() {
            if whole.is_char_boundary(cut) {
                let _ = Metadata::parse(&whole[..cut]);
            }
        }
    }
}
