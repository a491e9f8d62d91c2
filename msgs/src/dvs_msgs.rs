//! Events of the rpg_dvs_ros drivers, one by one.

use crate::builtin_interfaces::Time;
use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// A pixel saw its brightness change.
    #[derive(Copy, Eq, Hash)]
    pub struct Event = "dvs_msgs/msg/Event" {
        /// Column.
        x: u16,
        /// Row.
        y: u16,
        /// When.
        ts: Time,
        /// Whether it became brighter.
        polarity: bool,
    }
}

message! {
    /// Events in order of time.
    #[derive(Eq, Hash)]
    pub struct EventArray = "dvs_msgs/msg/EventArray" {
        /// When they came, in which optical frame.
        header: Header,
        /// Rows of the sensor.
        height: u32,
        /// Columns of the sensor.
        width: u32,
        /// The events.
        events: Vec<Event>,
    }
}
