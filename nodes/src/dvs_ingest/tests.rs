//! The node, driven by hand: clocks, losses, live filters, codes.

use super::*;
use crate::interface::Value;
use crate::node::Output;
use crate::payload::Payload;
use saccade_msgs::Message;
use saccade_msgs::saccade_msgs::Spikes;
use saccade_rosbags::events::{Evt3Encoder, mono_packet};

pub(super) struct Driven {
    node: Box<dyn Node>,
    parameters: Parameters,
    next_id: u64,
}

impl Driven {
    pub fn new(texts: &[(&str, &str)]) -> Self {
        Self::try_new(texts).unwrap_or_else(|e| panic!("{e}"))
    }

    fn try_new(texts: &[(&str, &str)]) -> Result<Self, NodeError> {
        let mut parameters = Parameters::defaults(&INTERFACE);
        for (name, text) in texts {
            parameters.set_text(name, text)?;
        }
        Ok(Driven {
            node: create(&parameters)?,
            parameters,
            next_id: 0,
        })
    }

    fn hand(&mut self, now_ns: i64, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut ctx = Context::new(now_ns, now_ns, &mut outputs, &mut self.next_id);
        self.node.handle(input, &mut ctx);
        outputs
    }

    pub fn send<M: Message>(
        &mut self,
        now_ns: i64,
        topic: &'static str,
        message: M,
    ) -> Vec<Output> {
        let payload = Payload::new(message);
        self.hand(now_ns, Input::Message { topic, payload })
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), NodeError> {
        let value = Value::Text(value.to_owned());
        let changed = self.parameters.changed(&[(name, value)])?;
        self.node.change(&changed)?;
        self.parameters = changed;
        Ok(())
    }

    pub fn count(&self, name: &str) -> u64 {
        let health = self.node.health();
        let value = health.values.iter().find(|(key, _)| key == name);
        let (_, value) = value.unwrap_or_else(|| panic!("no '{name}' in {health:?}"));
        value.parse().expect("a counter")
    }

    fn warning(&self) -> String {
        self.node.health().warning.unwrap_or_default()
    }
}

pub(super) fn published<M: Message>(outputs: &[Output], name: &str) -> Vec<M> {
    let of_topic = |o: &Output| match o {
        Output::Publish { topic, payload } if *topic == name => {
            Some((*payload.get::<M>().expect("the declared type")).clone())
        }
        _ => None,
    };
    outputs.iter().filter_map(of_topic).collect()
}

pub(super) fn packet(encoding: &str, seq: u64, stamp_ns: i64, events: Vec<u8>) -> EventPacket {
    let mut packet = EventPacket {
        width: 640,
        height: 480,
        seq,
        encoding: encoding.to_owned(),
        events,
        ..EventPacket::default()
    };
    packet.header.stamp = Time::from_ns(stamp_ns);
    packet.header.frame_id = "camera".into();
    packet
}

fn event(t_us: u64, x: u16, y: u16) -> Event {
    Event {
        t_us,
        x,
        y,
        on: true,
    }
}

/// ROS time of a sensor that is 30 ppm slow.
fn ros_ns(sensor_us: u64) -> i64 {
    1_700_000_000_000_000_000 + sensor_us as i64 * 1000 + sensor_us as i64 * 3 / 100
}

/// Forty seconds of EVT3, whose clock wraps after 16.8 s: packets of 10 ms that come
/// up to 5 ms late. Rows change, so that a loss costs no more than its packets.
fn evt3_packets(lost: impl Fn(u64) -> bool) -> Vec<(i64, EventPacket)> {
    let mut encoder = Evt3Encoder::new();
    let mut packets = Vec::new();
    for i in 0..4000u64 {
        let begin_us = i * 10_000;
        let events: Vec<_> = (0..10)
            .map(|k| event(begin_us + k * 1000, 320, 240 + k as u16 % 2))
            .collect();
        let mut bytes = Vec::new();
        encoder.encode(&events, &mut bytes).expect("encodes");
        let late_ns = (i * 7 % 51) as i64 * 100_000;
        let stamp_ns = ros_ns(begin_us + 9000) + late_ns;
        if !lost(i) {
            packets.push((stamp_ns, packet("evt3", i, stamp_ns, bytes)));
        }
    }
    packets
}

#[test]
fn spikes_of_a_sensor_with_its_own_clock_are_stamped_in_ros_time() {
    let mut node = Driven::new(&[("attention", "false")]);
    let (mut relations, mut worst_ns) = (Vec::new(), 0);
    for (i, (stamp_ns, packet)) in evt3_packets(|_| false).into_iter().enumerate() {
        let outputs = node.send(stamp_ns + 3_000_000, "events", packet);
        relations.extend(published::<ClockRelation>(&outputs, "clock_relation"));
        for spikes in published::<Spikes>(&outputs, "spikes") {
            let begin_us = i as u64 * 10_000;
            let off_ns = spikes.header.stamp.to_ns() - ros_ns(begin_us);
            if i > 100 {
                worst_ns = worst_ns.max(off_ns.abs());
            }
            assert_eq!(spikes.offsets_us[0], 0);
        }
    }
    assert!(worst_ns < 200_000, "off by {worst_ns} ns");
    assert!((39..=41).contains(&relations.len()), "{}", relations.len());
    let last = relations.last().expect("some");
    assert!((last.drift_ppm - 30.0).abs() < 1.0, "{last:?}");
    let error_ns = last.offset_ns + last.at_ns as i64 - ros_ns(last.at_ns / 1000);
    assert!(error_ns.abs() < 50_000, "{error_ns}");
    assert!(
        (2_000_000..3_000_000).contains(&last.residual_ns),
        "{last:?}"
    );
    assert_eq!(
        (last.jumps, last.backwards, last.lost, last.gaps),
        (0, 0, 0, 0)
    );
    assert_eq!(last.header.frame_id, "camera");
    assert_eq!(node.count("spikes"), 40_000);
    assert_eq!(node.warning(), "");
}

#[test]
fn losses_are_seen_in_numbers_and_in_time() {
    let mut node = Driven::new(&[("attention", "false")]);
    let mut last = None;
    for (stamp_ns, packet) in evt3_packets(|i| (500..520).contains(&i) || i == 700) {
        let outputs = node.send(stamp_ns, "events", packet);
        last = published::<ClockRelation>(&outputs, "clock_relation")
            .pop()
            .or(last);
    }
    let last = last.expect("some");
    assert_eq!(
        (last.lost, last.gaps),
        (21, 1),
        "200 ms is a gap, 20 ms is none"
    );
    assert_eq!(
        (node.count("packets lost"), node.count("gaps in time")),
        (21, 1)
    );
    assert!(node.warning().contains("21 packets were lost"));
}

/// Every encoding with a clock of its own, over its wrap: one event each millisecond.
#[test]
fn clocks_wrap_without_a_jump() {
    let evt2 = |t: u64| {
        let (high, low) = (t >> 6 & 0xFFF_FFFF, t & 63);
        let words = [
            8 << 28 | high as u32,
            1 << 28 | (low as u32) << 22 | 320 << 11 | 240,
        ];
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let evt21 = |t: u64| {
        let (high, low) = (t >> 6 & 0xFFF_FFFF, t & 63);
        let words = [
            8 << 60 | high << 32,
            1 << 60 | low << 54 | 320 << 43 | 240 << 32 | 1,
        ];
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let evt3 = |t: u64| {
        let (high, low) = ((t >> 12 & 0xFFF) as u16, (t & 0xFFF) as u16);
        let words = [0x8000 | high, 0x6000 | low, 240, 0x2000 | 1 << 11 | 320];
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    type Encode<'a> = &'a dyn Fn(u64) -> Vec<u8>;
    let cases: [(&str, u64, Encode<'_>); 3] = [
        ("evt2", 1 << 34, &evt2),
        ("evt21", 1 << 34, &evt21),
        ("evt3", 1 << 24, &evt3),
    ];
    for (encoding, round_us, encode) in cases {
        let mut node = Driven::new(&[("attention", "false")]);
        let mut stamps = Vec::new();
        for i in 0..4000u64 {
            let t_us = round_us - 2_000_000 + i * 1000;
            let packet = packet(encoding, i, ros_ns(t_us), encode(t_us));
            let outputs = node.send(0, "events", packet);
            let spikes = published::<Spikes>(&outputs, "spikes");
            assert_eq!(spikes.len(), 1, "{encoding}");
            stamps.push(spikes[0].header.stamp.to_ns());
        }
        let steps = stamps.windows(2).map(|w| w[1] - w[0]);
        for step_ns in steps {
            assert!(
                (900_000..1_100_000).contains(&step_ns),
                "{encoding}: {step_ns}"
            );
        }
        assert_eq!(node.clock_counts(), [0, 0, 0], "{encoding}");
    }
}

impl Driven {
    fn clock_counts(&self) -> [u64; 3] {
        [
            "packets back in time",
            "packets at a standing time",
            "steps back of the camera's clock",
        ]
        .map(|name| self.count(name))
    }
}

#[test]
fn streams_that_run_backwards_are_reported() {
    let mut node = Driven::new(&[]);
    let geometry = Geometry {
        width: 128,
        height: 128,
    };
    for i in 0..20u64 {
        let t_us = 1_000_000 - i * 5000;
        let packet =
            mono_packet(&[event(t_us, 3, 3)], t_us * 1000, geometry, i, "").expect("packs");
        let outputs = node.send(i as i64 * 1_000_000, "events", packet);
        assert!(published::<ClockRelation>(&outputs, "clock_relation").is_empty());
    }
    assert_eq!(node.count("packets back in time"), 19);
    assert!(node.warning().contains("goes back in time"));
}

fn mono(node: &mut Driven, seq: u64, events: &[Event]) -> usize {
    let geometry = Geometry {
        width: 128,
        height: 96,
    };
    let packet = mono_packet(events, events[0].t_us * 1000, geometry, seq, "").expect("packs");
    let outputs = node.send(events[0].t_us as i64 * 1000, "events", packet);
    let spikes = published::<Spikes>(&outputs, "spikes");
    spikes.iter().map(|s| s.ids.len()).sum()
}

#[test]
fn filters_change_while_the_node_runs() {
    let mut node = Driven::new(&[("attention", "false"), ("filters", "polarity=on")]);
    let burst = |t_us: u64| [event(t_us, 60, 50), event(t_us + 10, 64, 50)];
    assert_eq!(mono(&mut node, 0, &burst(1000)), 2);
    node.set("filters", "refractory=5ms,roi=62:0:10x96")
        .expect("fits");
    assert_eq!(mono(&mut node, 1, &burst(2000)), 1);
    assert_eq!(mono(&mut node, 2, &burst(3000)), 0);
    // What does not fit this sensor is refused, and nothing changes.
    let error = node
        .set("filters", "roi=100:0:100x50")
        .expect_err("too wide");
    assert!(error.to_string().contains("128x96"), "{error}");
    let error = node.set("filters", "sharpen").expect_err("no filter");
    assert!(error.to_string().contains("parameter 'filters'"), "{error}");
    assert_eq!(mono(&mut node, 3, &burst(4000)), 0);
    let error = node.set("code", "count").expect_err("read-only");
    assert!(
        error
            .to_string()
            .contains("Free to change are: filters, gap"),
        "{error}"
    );
    // Another geometry: the window lies on the middle of what is left.
    node.set("filters", "crop=40:40:32x16").expect("fits");
    assert_eq!(mono(&mut node, 4, &burst(5000)), 2);
    assert_eq!(node.count("events"), 10);
    assert_eq!(node.count("spikes") + node.count("removed by filters"), 10);
}

#[test]
fn hot_pixels_are_listed_on_request() {
    let mut node = Driven::new(&[("filters", "hot=1s:20hz:5")]);
    for i in 0..100 {
        mono(&mut node, i, &[event(1000 + i * 9000, 77, 33)]);
    }
    let input = Input::Request {
        service: "hot_pixels",
        id: 9,
        payload: Payload::new(trigger::Request {}),
    };
    let outputs = node.hand(0, input);
    let [Output::Respond { id: 9, payload, .. }] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    let response = payload.get::<trigger::Response>().expect("a response");
    assert_eq!(response.message, "77 33\n");
    assert_eq!(node.count("hot pixels"), 1);
}

#[test]
fn codes_are_chosen_by_parameter() {
    let burst: Vec<_> = (0..8).map(|i| event(1000 + i * 1000, 64, 48)).collect();
    let spikes = |texts: &[(&str, &str)]| {
        let mut node = Driven::new(texts);
        let spikes = mono(&mut node, 0, &burst);
        let absorbed = node.count("absorbed");
        (spikes, absorbed)
    };
    let central = ("attention", "false");
    assert_eq!(spikes(&[central]), (8, 0));
    let count = [central, ("code", "count"), ("count_events", "4")];
    assert_eq!(spikes(&count), (2, 6));
    let surface = [central, ("code", "time_surface"), ("surface_period", "2")];
    assert_eq!(spikes(&surface), (4, 8));
    let error = Driven::try_new(&[("code", "latency")])
        .err()
        .expect("no code");
    assert!(
        error.to_string().contains("address, count, time_surface"),
        "{error}"
    );
}
