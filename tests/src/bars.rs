//! A data set that is learnt in seconds.

use std::path::Path;

use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::saccade_msgs::{Label, SaccadePhase};
use saccade_msgs::std_msgs::Header;
use saccade_msgs::{CLASSES, Event};
use saccade_rosbags::BagWriter;
use saccade_rosbags::dataset::{EVENTS_TOPIC, LABEL_TOPIC, SACCADE_TOPIC};
use saccade_rosbags::events::{Geometry, mono_packet};

/// Sensor of the events.
const SENSOR: Geometry = Geometry {
    width: 32,
    height: 32,
};

/// A bag in which class k is a bar of events at row 7k + 3 of a 32 x 32 sensor; `offset`
/// moves them along the bar.
///
/// # Panics
/// Where it cannot be written.
pub fn bars(path: &Path, count: usize, offset: u16) {
    let mut bag = BagWriter::create(path).expect("a bag");
    for i in 0..count {
        let onset_ns = (i as u64 + 1) * 1_000_000_000;
        let header = || Header {
            stamp: Time::from_ns(onset_ns as i64),
            ..Header::default()
        };
        let class = i % CLASSES.len();
        let label = Label {
            header: header(),
            label: CLASSES[class].into(),
            class_id: class as i32,
            learn: true,
        };
        bag.write(LABEL_TOPIC, onset_ns as i64, &label)
            .expect("written");
        let phase = SaccadePhase {
            header: header(),
            id: i as u32,
            moving: true,
            axis: "pan".into(),
        };
        bag.write(SACCADE_TOPIC, onset_ns as i64, &phase)
            .expect("written");
        let event = |k: u64| Event {
            t_us: onset_ns / 1000 + k * 200,
            x: ((k * 7 + i as u64 + u64::from(offset)) % 32) as u16,
            y: 7 * class as u16 + 3,
            on: k.is_multiple_of(2),
        };
        let events: Vec<Event> = (0..300).map(event).collect();
        let packet = mono_packet(&events, onset_ns, SENSOR, i as u64, "dvs").expect("fits");
        bag.write(EVENTS_TOPIC, onset_ns as i64, &packet)
            .expect("written");
        let end = SaccadePhase {
            moving: false,
            ..phase
        };
        bag.write(SACCADE_TOPIC, onset_ns as i64 + 1, &end)
            .expect("written");
    }
    bag.finish().expect("closed");
}
