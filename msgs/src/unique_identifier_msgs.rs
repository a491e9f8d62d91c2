//! Identifiers.

use crate::macros::message;

message! {
    /// A universally unique identifier (RFC 4122).
    #[derive(Copy, Eq, Hash)]
    pub struct UUID = "unique_identifier_msgs/msg/UUID" {
        /// Its bytes.
        uuid: [u8; 16],
    }
}
