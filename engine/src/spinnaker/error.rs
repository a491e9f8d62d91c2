//! What can be wrong with a packet, a board's description or a board.

use std::path::PathBuf;

/// Result of this module.
pub type Result<T> = std::result::Result<T, SpinnakerError>;

/// An error of the protocol or of a board. Offsets count bytes from the start of what was
/// given to the parser.
#[derive(Debug, thiserror::Error)]
pub enum SpinnakerError {
    /// A packet ends early.
    #[error(
        "{what} at byte {offset} needs {needed} bytes, {found} are left; the packet is cut off"
    )]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A field has a value that it cannot have.
    #[error("{what} at byte {offset} is {value:#x}, expected {expected}")]
    Field {
        /// The field.
        what: &'static str,
        /// Where it is.
        offset: usize,
        /// What it is.
        value: u32,
        /// What it may be, in words.
        expected: &'static str,
    },
    /// A path that is no text.
    #[error("the database path at byte {offset} is not UTF-8; rename the folder")]
    Path {
        /// Where the path goes wrong.
        offset: usize,
    },
    /// A path too long for the notification protocol.
    #[error(
        "the database path {path} has {bytes} bytes, the notification protocol carries {most}; \
         choose a shorter folder"
    )]
    PathTooLong {
        /// The path.
        path: String,
        /// Its length.
        bytes: usize,
        /// The longest there may be.
        most: usize,
    },
    /// A buffer is too small for what is to be written.
    #[error("{what} takes {needed} bytes, the buffer has {found}; give a larger one")]
    Buffer {
        /// What was to be written.
        what: &'static str,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes of the buffer.
        found: usize,
    },
    /// An event that the message's type cannot carry.
    #[error("event {index}: {what} {value:#x} does not go into a message of type {kind}; {remedy}")]
    Event {
        /// Position in the message.
        index: usize,
        /// Key or payload.
        what: &'static str,
        /// Its value.
        value: u32,
        /// Type of the message.
        kind: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The message holds as many events as it can.
    #[error("the message is full with {events} events; start another one")]
    Full {
        /// Events in it.
        events: usize,
    },
    /// A population that a board cannot hold, or does not.
    #[error("population '{label}': {what}")]
    Population {
        /// Its label.
        label: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The database of a board cannot be used.
    #[error("{path}: {what}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A setting that cannot be.
    #[error("{0}")]
    Setting(String),
    /// The system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Checks that `bytes` has `needed` bytes from `offset` on.
pub(super) fn need(what: &'static str, bytes: &[u8], offset: usize, needed: usize) -> Result<()> {
    let found = bytes.len().saturating_sub(offset);
    if found >= needed {
        return Ok(());
    }
    Err(SpinnakerError::Truncated {
        what,
        offset,
        needed,
        found,
    })
}

/// The u16 at `offset`, little endian; 0 beyond the end, which callers have checked.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let at = bytes.get(offset..offset + 2);
    at.map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

/// The u32 at `offset`, as [`u16_at`].
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let at = bytes.get(offset..offset + 4);
    at.map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}
