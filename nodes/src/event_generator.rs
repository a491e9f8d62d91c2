//! `event_generator`: a seeded EVT3 stream at a set rate, to load the ingest.
//!
//! The stream is what a busy scene makes of a sensor: words of all types in an
//! order that nothing can foresee, rows and columns all over the sensor, single
//! events and vectors, `TIME_HIGH` told anew every 16 µs, about 3 bytes for an
//! event. Packets have 1.024 ms of sensor time and all the same number of events,
//! so that whoever counts packets knows how many events were in those it lost.
//! A cycle of 64 packets is made at the start; it repeats with the time put on.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Node, NodeError};
use crate::parameters::Parameters;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::std_msgs::Header;

/// Sensor time of a packet in microseconds: a quarter of a step of `TIME_HIGH`.
const PACKET_US: u64 = 1024;
/// Packets of a cycle.
const CYCLE: usize = 64;
/// How often a sensor tells `TIME_HIGH`, in microseconds.
const HIGH_EVERY_US: u64 = 16;

const ADDR_Y: u16 = 0;
const ADDR_X: u16 = 2;
const VECT_BASE_X: u16 = 3;
const VECT_12: u16 = 4;
const TIME_LOW: u16 = 6;
const TIME_HIGH: u16 = 8;
const ON: u16 = 1 << 11;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "event_generator",
    doc: "Publishes a seeded EVT3 stream at a set rate, to load what ingests it.",
    publishers: &[Endpoint::new(
        "events",
        "event_camera_msgs/msg/EventPacket",
        "Packets of 1.024 ms, all with the same number of events.",
    )
    .qos(Qos::SENSOR.depth(256))],
    parameters: &[
        ParameterDecl::double("rate", 20.0, (0.01, 400.0), "Mev/s", "Events per second."),
        ParameterDecl::integer("width", 1280, (32, 2048), "px", "Columns of the sensor."),
        ParameterDecl::integer("height", 720, (1, 2048), "px", "Rows of the sensor."),
        ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "Seed of the stream."),
    ],
    timers: &[TimerDecl {
        name: "packet",
        period_ns: PACKET_US as i64 * 1000,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// None beyond what the parameters' ranges check.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let mut source = Source {
        random: ChaCha8Rng::seed_from_u64(parameters.integer("seed") as u64),
        width: parameters.integer("width") as u16,
        height: parameters.integer("height") as u16,
    };
    let events = (parameters.double("rate") * PACKET_US as f64).round() as u64;
    Ok(Box::new(EventGenerator {
        cycle: (0..CYCLE)
            .map(|i| source.packet(i as u64, events))
            .collect(),
        width: source.width.into(),
        height: source.height.into(),
        events,
        seq: 0,
    }))
}

/// A packet of the cycle.
struct Template {
    bytes: Vec<u8>,
    /// Where its `TIME_HIGH` words are.
    highs: Vec<usize>,
}

impl Template {
    fn put(&mut self, kind: u16, payload: u16) {
        let word = kind << 12 | payload;
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    fn put_high(&mut self) {
        self.highs.push(self.bytes.len());
        self.put(TIME_HIGH, 0);
    }

    /// The packet's words with `high` as the time's upper bits.
    fn at(&self, high: u64) -> Vec<u8> {
        let word = (TIME_HIGH << 12 | (high & 0xFFF) as u16).to_le_bytes();
        let mut bytes = self.bytes.clone();
        for &at in &self.highs {
            bytes[at..at + 2].copy_from_slice(&word);
        }
        bytes
    }
}

/// Makes the words of packets.
struct Source {
    random: ChaCha8Rng,
    width: u16,
    height: u16,
}

impl Source {
    /// The packet number `index` of the cycle, with `events` events evenly over its time.
    fn packet(&mut self, index: u64, events: u64) -> Template {
        let mut packet = Template {
            bytes: Vec::new(),
            highs: Vec::new(),
        };
        let low_us = index * PACKET_US % 4096;
        let mut sent = 0;
        for us in 0..PACKET_US {
            if us % HIGH_EVERY_US == 0 {
                packet.put_high();
            }
            let due = events * (us + 1) / PACKET_US;
            if due > sent {
                packet.put(TIME_LOW, (low_us + us) as u16);
                self.events(due - sent, &mut packet);
                sent = due;
            }
        }
        packet
    }

    /// `count` events of one time stamp, one to three in a row of the sensor.
    fn events(&mut self, count: u64, packet: &mut Template) {
        let mut left = count;
        while left > 0 {
            packet.put(ADDR_Y, self.random.random_range(0..self.height));
            let here = self.random.random_range(1..=3).min(left);
            let on = if self.random.random() { ON } else { 0 };
            if here == 3 {
                self.vector(here, on, packet);
            } else {
                for _ in 0..here {
                    packet.put(ADDR_X, on | self.random.random_range(0..self.width));
                }
            }
            left -= here;
        }
    }

    /// `count` events within 12 columns.
    fn vector(&mut self, count: u64, on: u16, packet: &mut Template) {
        let mut mask = 0_u16;
        while u64::from(mask.count_ones()) < count {
            mask |= 1 << self.random.random_range(0..12);
        }
        packet.put(
            VECT_BASE_X,
            on | self.random.random_range(0..self.width - 12),
        );
        packet.put(VECT_12, mask);
    }
}

struct EventGenerator {
    cycle: Vec<Template>,
    width: u32,
    height: u32,
    /// Events of a packet.
    events: u64,
    seq: u64,
}

impl Node for EventGenerator {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        let Input::Timer { .. } = input else {
            return;
        };
        let template = &self.cycle[self.seq as usize % CYCLE];
        let packet = EventPacket {
            header: Header {
                stamp: ctx.stamp(),
                frame_id: "event_generator".to_owned(),
            },
            height: self.height,
            width: self.width,
            seq: self.seq,
            time_base: 0,
            encoding: "evt3".to_owned(),
            is_bigendian: false,
            events: template.at((self.seq * PACKET_US) >> 12),
        };
        self.seq += 1;
        ctx.publish("events", packet);
    }

    fn health(&self) -> Health {
        let values = [
            ("packets", self.seq),
            ("events", self.seq * self.events),
            ("events of a packet", self.events),
        ];
        Health {
            warning: None,
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Output;
    use saccade_rosbags::events::{EventBatch, PacketDecoder, PacketView};

    fn packets(rate: &str, count: usize) -> Vec<EventPacket> {
        let mut parameters = Parameters::defaults(&INTERFACE);
        parameters.set_text("rate", rate).expect("in range");
        let mut node = create(&parameters).expect("a node");
        let (mut outputs, mut id) = (Vec::new(), 0);
        for i in 0..count {
            let now_ns = i as i64 * PACKET_US as i64 * 1000;
            let mut ctx = Context::new(now_ns, now_ns, &mut outputs, &mut id);
            node.handle(Input::Timer { name: "packet" }, &mut ctx);
        }
        let packet = |output: Output| match output {
            Output::Publish { payload, .. } => {
                (*payload.get::<EventPacket>().expect("a packet")).clone()
            }
            other => panic!("{other:?}"),
        };
        outputs.into_iter().map(packet).collect()
    }

    #[test]
    fn every_event_is_inside_and_in_time_over_a_wrap_of_the_clock() {
        let mut decoder = PacketDecoder::new();
        let mut batch = EventBatch::default();
        // 24 bits of µs are 16.8 s.
        let count = 20_000;
        for (i, packet) in packets("0.5", count).iter().enumerate() {
            batch.clear();
            let view = PacketView::from(packet);
            decoder.decode(view, &mut batch).expect("decodes");
            assert_eq!(batch.events.len(), 512, "packet {i}");
            let begin_us = i as u64 * PACKET_US;
            for event in &batch.events {
                assert!(
                    (begin_us..begin_us + PACKET_US).contains(&event.t_us),
                    "{i}"
                );
            }
        }
        let counts = decoder.counts();
        assert_eq!(counts.packets, count as u64);
        assert_eq!(counts.decode, Default::default());
    }

    #[test]
    fn the_seed_makes_the_stream() {
        assert_eq!(packets("20", 3), packets("20", 3));
        let bytes = packets("20", 1)[0].events.len() as f64 / 20_480.0;
        assert!((2.0..4.0).contains(&bytes), "{bytes} bytes an event");
    }
}
