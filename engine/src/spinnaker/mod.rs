//! The language of a SpiNNaker board: events over UDP, as its tool chain speaks it.
//!
//! | module | is |
//! |---|---|
//! | [`eieio`] | data messages: events with keys, payloads, times |
//! | [`command`] | EIEIO commands: the notification protocol, buffers |
//! | [`sdp`] | the headers around them, and the request that sets an IP tag |
//! | [`board_map`] | the database that tells clients of populations and keys |
//! | [`socket`] | UDP sockets as live events need them |
//! | [`emulator`] | a board on this machine |

pub mod board_map;
pub mod command;
pub mod eieio;
pub mod emulator;
mod error;
pub mod sdp;
pub mod socket;
#[cfg(test)]
mod tests;

pub use error::{Result, SpinnakerError};
