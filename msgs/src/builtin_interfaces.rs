//! Points in time and spans of it.

use crate::macros::message;

message! {
    /// A point in time, since the epoch or the start of the simulation.
    #[derive(Copy, Eq, Hash, PartialOrd, Ord)]
    pub struct Time = "builtin_interfaces/msg/Time" {
        /// Whole seconds.
        sec: i32,
        /// Nanoseconds after them, 0 to 999 999 999.
        nanosec: u32,
    }
}

message! {
    /// A span of time; negative ones have negative `sec` and positive `nanosec`.
    #[derive(Copy, Eq, Hash, PartialOrd, Ord)]
    pub struct Duration = "builtin_interfaces/msg/Duration" {
        /// Whole seconds.
        sec: i32,
        /// Nanoseconds after them, 0 to 999 999 999.
        nanosec: u32,
    }
}

const NS_PER_S: i64 = 1_000_000_000;

/// (seconds, nanoseconds); beyond what 32-bit seconds hold, the nearest end.
fn split(ns: i64) -> (i32, u32) {
    match i32::try_from(ns.div_euclid(NS_PER_S)) {
        Ok(sec) => (sec, ns.rem_euclid(NS_PER_S) as u32),
        Err(_) if ns < 0 => (i32::MIN, 0),
        Err(_) => (i32::MAX, 999_999_999),
    }
}

impl Time {
    /// From nanoseconds; outside of what the type holds (68 years either way),
    /// its first or last moment.
    #[must_use]
    pub fn from_ns(ns: i64) -> Self {
        let (sec, nanosec) = split(ns);
        Self { sec, nanosec }
    }

    /// In nanoseconds.
    #[must_use]
    pub fn to_ns(self) -> i64 {
        i64::from(self.sec) * NS_PER_S + i64::from(self.nanosec)
    }
}

impl Duration {
    /// From nanoseconds; outside of what the type holds (68 years either way),
    /// its least or greatest span.
    #[must_use]
    pub fn from_ns(ns: i64) -> Self {
        let (sec, nanosec) = split(ns);
        Self { sec, nanosec }
    }

    /// In nanoseconds.
    #[must_use]
    pub fn to_ns(self) -> i64 {
        i64::from(self.sec) * NS_PER_S + i64::from(self.nanosec)
    }
}
