//! What can be wrong with a launch file.

use std::path::PathBuf;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a launch file (or a file it names) was refused.
#[derive(Debug, thiserror::Error)]
pub enum LaunchFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not well-formed, or an element, attribute or text that makes no sense.
    #[error("{place}: {reason}")]
    Malformed {
        /// Where.
        place: Place,
        /// What, and what was expected.
        reason: String,
    },
    /// Part of ROS 2's format that is not supported here, or not part of it.
    #[error("{place}: {what} is not supported; supported here: {supported}")]
    Unsupported {
        /// Where.
        place: Place,
        /// The element, attribute or substitution.
        what: String,
        /// What could stand there.
        supported: String,
    },
    /// An argument without default was not given.
    #[error(
        "{place}: launch argument '{name}' has no default and was not given; add {name}:=VALUE"
    )]
    MissingArgument {
        /// Where it is declared.
        place: Place,
        /// Its name.
        name: String,
    },
    /// Arguments that no file declares.
    #[error("no launch argument '{name}'; declared: {declared}")]
    UnknownArgument {
        /// What was given.
        name: String,
        /// The declared names.
        declared: String,
    },
    /// A value outside an argument's choices.
    #[error("{place}: launch argument '{name}' is '{value}'; it must be one of: {choices}")]
    NotAChoice {
        /// Where it is declared.
        place: Place,
        /// Its name.
        name: String,
        /// What was given.
        value: String,
        /// What is allowed.
        choices: String,
    },
    /// A launch file in Python.
    #[error(
        "{}: a launch file in Python is a program that only 'ros2 launch' runs; here a \
         launch file is .launch.xml or .launch.yaml, which 'ros2 launch' runs too: say the same \
         in one of these", .0.display()
    )]
    Python(PathBuf),
    /// `--ros-args` of a command line.
    #[error("--ros-args: {0}")]
    RosArguments(String),
    /// Not `name:=value`.
    #[error("'{0}' is not a launch argument; write name:=value")]
    NotAnAssignment(String),
}

impl LaunchFileError {
    /// Whether the command line is at fault rather than a file.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            LaunchFileError::MissingArgument { .. }
                | LaunchFileError::UnknownArgument { .. }
                | LaunchFileError::NotAChoice { .. }
                | LaunchFileError::NotAnAssignment(_)
                | LaunchFileError::RosArguments(_)
        )
    }
}

/// A [`LaunchFileError::Malformed`].
pub(super) fn malformed(place: &Place, reason: impl Into<String>) -> LaunchFileError {
    LaunchFileError::Malformed {
        place: place.clone(),
        reason: reason.into(),
    }
}

/// A [`LaunchFileError::Unsupported`].
pub(super) fn unsupported(
    place: &Place,
    what: impl Into<String>,
    supported: &[&str],
) -> LaunchFileError {
    let supported = if supported.is_empty() {
        "none".to_owned()
    } else {
        supported.join(", ")
    };
    LaunchFileError::Unsupported {
        place: place.clone(),
        what: what.into(),
        supported,
    }
}
