//! Messages of any type from ROS 1's bytes to CDR and back, by the definition
//! texts that recordings carry.
//!
//! Both encodings walk the same fields, so one plan serves both directions. They
//! differ in alignment, in strings (CDR ends them with a NUL), in
//! `std_msgs/Header` (ROS 1 starts it with a `seq`) and in messages without
//! fields (CDR gives them one byte). The definition is rewritten in the language
//! of the other side, comments kept.
//!
//! What cannot be carried over: `wstring`, whose bytes differ between DDS
//! implementations; types defined in IDL that `saccade-msgs` does not know; `seq` of
//! headers, which ROS 2 lacks.

mod definition;
mod plan;
mod rewrite;
mod run;
#[cfg(test)]
mod tests;

use crate::message::{Connection, Serialization};
use definition::{Definitions, Dialect};
use plan::Plan;

/// Why messages of a type, or one of them, cannot be transcoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscodeError {
    /// The recording does not say what the type is made of.
    #[error(
        "the recording has no definition of {type_name}, and this program does not know the type"
    )]
    NoDefinition {
        /// ROS 2 type name.
        type_name: String,
    },
    /// The definition is in a language that is not handled.
    #[error("the definition of {type_name} is in `{language}`; only ros1msg and ros2msg are read")]
    Language {
        /// ROS 2 type name.
        type_name: String,
        /// What the recording says.
        language: String,
    },
    /// A definition text that is none.
    #[error("definition of {type_name}, line {line}: {reason}")]
    Definition {
        /// ROS 2 type name.
        type_name: String,
        /// Line of the whole text, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The definition holds something that the other encoding cannot.
    #[error("{type_name}.{field}: {reason}")]
    Type {
        /// ROS 2 type name.
        type_name: String,
        /// Field.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// Bytes that are not such a message.
    #[error("{field}: at byte {offset} of {size}: {reason}")]
    Bytes {
        /// Field that was being read.
        field: String,
        /// Offset in the message.
        offset: usize,
        /// Length of the message.
        size: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Transcodes the messages of one topic.
#[derive(Debug, Clone)]
pub struct Transcoder {
    plan: Plan,
    to: Serialization,
    connection: Connection,
}

impl Transcoder {
    /// Plans the way from a topic's encoding to `to`. Where the recording has no
    /// definition, that of `saccade-msgs` stands in for it if it knows the type.
    ///
    /// # Errors
    /// If there is no definition, or the other encoding cannot hold such messages.
    pub fn new(from: &Connection, to: Serialization) -> Result<Self, TranscodeError> {
        let (text, language) = definition_text(from)?;
        let dialect = match language.as_str() {
            "ros1msg" => Dialect::Ros1,
            "ros2msg" => Dialect::Ros2,
            _ => {
                return Err(TranscodeError::Language {
                    type_name: from.type_name.clone(),
                    language,
                });
            }
        };
        let definitions = Definitions::parse(&from.type_name, &text, dialect)?;
        let plan = Plan::new(&definitions)?;
        let rewritten = match to {
            Serialization::Cdr => rewrite::to_ros2(&definitions),
            Serialization::Ros1 => rewrite::to_ros1(&definitions),
        };
        let connection = match to {
            Serialization::Cdr => Connection {
                definition: rewritten.text(Dialect::Ros2),
                definition_encoding: "ros2msg".into(),
                md5: String::new(),
                serialization: to,
                ..from.clone()
            },
            Serialization::Ros1 => Connection {
                definition: rewritten.text(Dialect::Ros1),
                definition_encoding: "ros1msg".into(),
                md5: rewrite::md5(&rewritten),
                serialization: to,
                ..from.clone()
            },
        };
        Ok(Self {
            plan,
            to,
            connection,
        })
    }

    /// The topic as the other side describes it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Transcodes one message; true if it had a `seq` other than 0 in a header,
    /// which CDR does not hold.
    ///
    /// # Errors
    /// If the bytes are not such a message.
    pub fn transcode(&self, data: &[u8], out: &mut Vec<u8>) -> Result<bool, TranscodeError> {
        match self.to {
            Serialization::Cdr => run::ros1_to_cdr(&self.plan, data, out),
            Serialization::Ros1 => run::cdr_to_ros1(&self.plan, data, out).map(|()| false),
        }
    }
}

/// The text to go by, and its language: the recording's own, or where it has none
/// that can be read, ours.
fn definition_text(from: &Connection) -> Result<(String, String), TranscodeError> {
    let language = match (from.definition_encoding.as_str(), from.serialization) {
        ("", Serialization::Ros1) => "ros1msg",
        (language, _) => language,
    };
    // An empty definition is that of a message without fields, if its language is told.
    let readable = matches!(language, "ros1msg" | "ros2msg");
    let told = !from.definition.trim().is_empty();
    let ours = || saccade_msgs::registry::definition_of(&from.type_name);
    let ros2 = "ros2msg".to_owned();
    match (readable, told) {
        (true, true) => Ok((from.definition.clone(), language.to_owned())),
        (true, false) if from.serialization == Serialization::Ros1 => {
            Ok((String::new(), language.to_owned()))
        }
        (true, false) => Ok((ours().unwrap_or_default(), ros2)),
        (false, _) => match ours() {
            Some(text) => Ok((text, ros2)),
            None if told && !language.is_empty() => Err(TranscodeError::Language {
                type_name: from.type_name.clone(),
                language: language.to_owned(),
            }),
            None if told => Ok((from.definition.clone(), ros2)),
            None => Err(TranscodeError::NoDefinition {
                type_name: from.type_name.clone(),
            }),
        },
    }
}
