//! How well the parts of a system are.

use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// The state of several parts.
    #[derive(Eq, Hash)]
    pub struct DiagnosticArray = "diagnostic_msgs/msg/DiagnosticArray" {
        /// When.
        header: Header,
        /// One for each part.
        status: Vec<DiagnosticStatus>,
    }
}

message! {
    /// The state of one part.
    #[derive(Eq, Hash)]
    pub struct DiagnosticStatus = "diagnostic_msgs/msg/DiagnosticStatus" {
        /// One of the constants.
        level: u8 as byte,
        /// Which part.
        name: String,
        /// Its state in words.
        message: String,
        /// Which piece of hardware.
        hardware_id: String,
        /// Figures.
        values: Vec<KeyValue>,
    }
    const {
        /// It works.
        OK: u8 as byte = 0,
        /// It works, but look at it.
        WARN: u8 as byte = 1,
        /// It does not work.
        ERROR: u8 as byte = 2,
        /// Nothing was heard of it.
        STALE: u8 as byte = 3,
    }
}

message! {
    /// A figure.
    #[derive(Eq, Hash)]
    pub struct KeyValue = "diagnostic_msgs/msg/KeyValue" {
        /// What it is.
        key: String,
        /// Its value.
        value: String,
    }
}
