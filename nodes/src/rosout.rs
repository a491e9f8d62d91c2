//! `/rosout`: every node's log, as `rcl_interfaces/Log`.

use crate::node::Level;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::rcl_interfaces::Log;

/// Where logs are published.
pub const TOPIC: &str = "/rosout";

/// A line of the log of a node, by its full name.
pub fn line(now_ns: i64, node: &str, level: Level, text: &str) -> Log {
    Log {
        stamp: Time::from_ns(now_ns),
        level: match level {
            Level::Debug => Log::DEBUG,
            Level::Info => Log::INFO,
            Level::Warn => Log::WARN,
            Level::Error => Log::ERROR,
        },
        // As rcl names a node's logger.
        name: node.trim_start_matches('/').replace('/', "."),
        msg: text.to_owned(),
        ..Log::default()
    }
}
