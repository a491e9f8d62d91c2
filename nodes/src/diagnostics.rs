//! `/diagnostics`: every node's counters, as `diagnostic_msgs/DiagnosticArray`.

use crate::node::Health;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::diagnostic_msgs::{DiagnosticArray, DiagnosticStatus, KeyValue};

/// Where diagnostics are published.
pub const TOPIC: &str = "/diagnostics";

/// `DiagnosticStatus::OK`.
const OK: u8 = 0;
/// `DiagnosticStatus::WARN`.
const WARN: u8 = 1;

/// One array with a status for each node.
pub fn array<'a>(now_ns: i64, nodes: impl Iterator<Item = (&'a str, Health)>) -> DiagnosticArray {
    let mut message = DiagnosticArray::default();
    message.header.stamp = Time::from_ns(now_ns);
    message.status = nodes.map(|(name, health)| status(name, health)).collect();
    message
}

fn status(name: &str, health: Health) -> DiagnosticStatus {
    DiagnosticStatus {
        level: if health.warning.is_some() { WARN } else { OK },
        name: name.trim_start_matches('/').to_owned(),
        message: health.warning.unwrap_or_else(|| "running".into()),
        hardware_id: "saccade".into(),
        values: health
            .values
            .into_iter()
            .map(|(key, value)| KeyValue { key, value })
            .collect(),
    }
}
