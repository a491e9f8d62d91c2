//! Streams of event cameras, still encoded.

use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// Some of an event camera's stream.
    #[derive(Eq, Hash)]
    pub struct EventPacket = "event_camera_msgs/msg/EventPacket" {
        /// When it came, in which optical frame.
        header: Header,
        /// Rows of the sensor.
        height: u32,
        /// Columns of the sensor.
        width: u32,
        /// Counts the packets; a gap is a loss.
        seq: u64,
        /// What the events' times count from; how depends on the encoding.
        time_base: u64,
        /// `evt3`, `evt2`, `mono`, `libcaer`, `libcaer_cmp`.
        encoding: String,
        /// Whether the events are big endian.
        is_bigendian: bool,
        /// The encoded events.
        events: Vec<u8>,
    }
}
