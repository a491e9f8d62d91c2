//! QoS profiles as rosbag2 records them: a YAML list with a profile for each
//! publisher; policies are numbers up to version 8 of the metadata, names from 9.
//!
//! Source of numbers and names: `rmw/types.h`, `rmw/qos_string_conversions.h`.

use std::fmt::{self, Display};

use saphyr::Yaml;

use super::yaml;

const HISTORY: [&str; 4] = ["system_default", "keep_last", "keep_all", "unknown"];
const RELIABILITY: [&str; 5] = [
    "system_default",
    "reliable",
    "best_effort",
    "unknown",
    "best_available",
];
const DURABILITY: [&str; 5] = [
    "system_default",
    "transient_local",
    "volatile",
    "unknown",
    "best_available",
];
const LIVELINESS: [&str; 6] = [
    "system_default",
    "automatic",
    "manual_by_node",
    "manual_by_topic",
    "unknown",
    "best_available",
];

/// A publisher's QoS. Policies are the numbers of `rmw`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QosProfile {
    /// 0 system default, 1 keep last, 2 keep all, 3 unknown.
    pub history: u8,
    /// Messages kept with keep last.
    pub depth: u64,
    /// 0 system default, 1 reliable, 2 best effort, 3 unknown, 4 best available.
    pub reliability: u8,
    /// 0 system default, 1 transient local, 2 volatile, 3 unknown, 4 best available.
    pub durability: u8,
    /// Seconds and nanoseconds; 9223372036 s and 854775807 ns for none.
    pub deadline: (u64, u64),
    /// Seconds and nanoseconds.
    pub lifespan: (u64, u64),
    /// 0 system default, 1 automatic, 2 manual by node, 3 manual by topic, 4 unknown,
    /// 5 best available.
    pub liveliness: u8,
    /// Seconds and nanoseconds.
    pub liveliness_lease_duration: (u64, u64),
    /// Whether the topic's name is used as it is.
    pub avoid_ros_namespace_conventions: bool,
}

impl QosProfile {
    /// The profiles in rosbag2's YAML of any version; none in an empty text.
    ///
    /// # Errors
    /// What in the text is no profile.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        match yaml::load(text)? {
            Yaml::Sequence(items) => items.iter().map(Self::from_yaml).collect(),
            _ => Err("QoS profiles are not a list".into()),
        }
    }

    pub(super) fn from_yaml(item: &Yaml<'_>) -> Result<Self, String> {
        let policy = |key: &str, names: &[&str]| {
            let value = yaml::text(item, key)?;
            let named = names
                .iter()
                .position(|name| value.eq_ignore_ascii_case(name));
            named
                .or_else(|| value.parse().ok().filter(|n| *n < names.len()))
                .map(|n| n as u8)
                .ok_or_else(|| {
                    format!(
                        "`{key}` has no value `{value}`; it has: {}",
                        names.join(", ")
                    )
                })
        };
        let time = |key: &str| {
            let time = yaml::get(item, key)?;
            Ok::<_, String>((unsigned(time, "sec")?, unsigned(time, "nsec")?))
        };
        Ok(Self {
            history: policy("history", &HISTORY)?,
            depth: unsigned(item, "depth")?,
            reliability: policy("reliability", &RELIABILITY)?,
            durability: policy("durability", &DURABILITY)?,
            deadline: time("deadline")?,
            lifespan: time("lifespan")?,
            liveliness: policy("liveliness", &LIVELINESS)?,
            liveliness_lease_duration: time("liveliness_lease_duration")?,
            avoid_ros_namespace_conventions: yaml::text(item, "avoid_ros_namespace_conventions")?
                == "true",
        })
    }

    /// The profiles as rosbag2 writes them up to version 8, which every later
    /// version reads too.
    pub fn to_text(profiles: &[Self]) -> String {
        let texts: Vec<String> = profiles.iter().map(Self::numbered).collect();
        texts.join("\n")
    }

    fn numbered(&self) -> String {
        let time = |name: &str, (sec, nsec): (u64, u64)| {
            format!("  {name}:\n    sec: {sec}\n    nsec: {nsec}\n")
        };
        format!(
            "- history: {}\n  depth: {}\n  reliability: {}\n  durability: {}\n{}{}  liveliness: {}\n{}  \
             avoid_ros_namespace_conventions: {}",
            self.history,
            self.depth,
            self.reliability,
            self.durability,
            time("deadline", self.deadline),
            time("lifespan", self.lifespan),
            self.liveliness,
            time("liveliness_lease_duration", self.liveliness_lease_duration),
            self.avoid_ros_namespace_conventions
        )
    }
}

fn unsigned(yaml: &Yaml<'_>, key: &str) -> Result<u64, String> {
    let value = yaml::text(yaml, key)?;
    (value.parse()).map_err(|_| format!("`{key}` is not a whole number: `{value}`"))
}

/// In the words of `ros2 topic info -v`.
impl Display for QosProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            |names: &[&'static str], n: u8| names.get(usize::from(n)).copied().unwrap_or("?");
        write!(
            f,
            "{}, {}, {}",
            name(&RELIABILITY, self.reliability),
            name(&DURABILITY, self.durability),
            name(&HISTORY, self.history)
        )?;
        if self.history == 1 {
            write!(f, " {}", self.depth)?;
        }
        // DDS implementations had their own ways of writing "none" in Foxy.
        let none = |time: (u64, u64)| time.0 >= 0x7FFF_FFFF || time == (0, 0);
        for (what, time) in [("deadline", self.deadline), ("lifespan", self.lifespan)] {
            if !none(time) {
                write!(f, ", {what} {}.{:09} s", time.0, time.1)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::{DEFAULT_QOS, SENSOR_DATA_QOS};

    #[test]
    fn both_ways_of_writing_are_one_profile() {
        let numbers = QosProfile::parse_list(SENSOR_DATA_QOS).expect("parses");
        assert_eq!(QosProfile::to_text(&numbers), SENSOR_DATA_QOS);
        let names = SENSOR_DATA_QOS
            .replace("history: 1", "history: keep_last")
            .replace("reliability: 2", "reliability: best_effort")
            .replace("durability: 2", "durability: volatile")
            .replace("liveliness: 1", "liveliness: automatic");
        assert_eq!(QosProfile::parse_list(&names).expect("parses"), numbers);
        assert_eq!(numbers[0].to_string(), "best_effort, volatile, keep_last 5");
        let two = format!("{DEFAULT_QOS}\n{SENSOR_DATA_QOS}");
        let two = QosProfile::parse_list(&two).expect("parses");
        assert_eq!((two.len(), &two[1]), (2, &numbers[0]));
        assert_eq!(QosProfile::parse_list("\n"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_profile_is_said() {
        for (text, part) in [
            ("depth: 1", "not a list"),
            ("- depth: 1", "`history` is missing"),
            ("- history: 9", "has no value `9`"),
            ("- {{", ""),
        ] {
            let error = QosProfile::parse_list(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
    }
}
