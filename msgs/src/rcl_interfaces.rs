//! What nodes log.

use crate::builtin_interfaces::Time;
use crate::macros::message;

message! {
    /// A line of the log.
    #[derive(Eq, Hash)]
    pub struct Log = "rcl_interfaces/msg/Log" {
        /// When.
        stamp: Time,
        /// How grave: one of the constants.
        level: u8,
        /// Which logger.
        name: String,
        /// The text.
        msg: String,
        /// Source file.
        file: String,
        /// Function.
        function: String,
        /// Line of the file.
        line: u32,
    }
    const {
        /// For developers.
        DEBUG: u8 as byte = 10,
        /// What goes on.
        INFO: u8 as byte = 20,
        /// Something is odd.
        WARN: u8 as byte = 30,
        /// Something failed.
        ERROR: u8 as byte = 40,
        /// The process cannot go on.
        FATAL: u8 as byte = 50,
    }
}
