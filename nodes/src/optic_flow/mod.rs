//! `optic_flow`: how fast a robot goes, from an event camera that looks down.
//!
//! [`register`] finds how the image moves; the camera's height makes metres of it.

mod register;

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use register::{Register, Seen};
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::geometry_msgs::TwistWithCovarianceStamped;
use saccade_msgs::sensor_msgs::CameraInfo;
use saccade_rosbags::events::{EventBatch, PacketDecoder, PacketView};

/// Most events of a slice; more are counted as dropped.
const MOST_EVENTS: usize = 200_000;
/// Columns and rows that a camera may have.
const SIDE: std::ops::RangeInclusive<u32> = 16..=512;
/// Deviation of a velocity that is too small for events, in pixels per second.
const STILL_PXPS: f64 = 2.0;
/// Deviation of a turn that is too small for events, rad/s.
const STILL_RADPS: f64 = 0.1;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "optic_flow",
    doc: "Velocity over the ground from an event camera that looks down.",
    publishers: &[Endpoint::new(
        "flow",
        "geometry_msgs/msg/TwistWithCovarianceStamped",
        "Velocity of the robot in its own frame: x and y in m/s, turn about z in rad/s, with \
         their variances.",
    )
    .qos(Qos::SENSOR)],
    subscriptions: &[
        Endpoint::new(
            "events",
            "event_camera_msgs/msg/EventPacket",
            "The camera that looks down, the top of its image forward.",
        )
        .qos(Qos::SENSOR.depth(256)),
        Endpoint::new(
            "camera_info",
            "sensor_msgs/msg/CameraInfo",
            "Its calibration, again and again; distortion is not used.",
        )
        // Not every driver latches it, and one that does repeats it too.
        .qos(Qos::SENSOR),
    ],
    parameters: &[
        ParameterDecl::double(
            "height",
            0.3,
            (0.01, 1000.0),
            "m",
            "From the camera down to the ground.",
        ),
        ParameterDecl::double(
            "period",
            0.04,
            (0.005, 1.0),
            "s",
            "Length of a slice of events.",
        ),
        ParameterDecl::integer(
            "least_events",
            40,
            (4, 100_000),
            "",
            "A slice with fewer shows that the robot stands.",
        ),
        ParameterDecl::double(
            "silence",
            0.2,
            (0.01, 10.0),
            "s",
            "Without a packet for this long nothing is published: the camera's own noise makes \
             some events always.",
        ),
        ParameterDecl::text("base_frame", "base_link", "Frame of the robot."),
    ],
    timers: &[TimerDecl {
        name: "slice",
        period_ns: 40_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// None beyond what the parameters' ranges check.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let ns = |name: &str| (parameters.double(name) * 1e9) as i64;
    Ok(Box::new(OpticFlow {
        height_m: parameters.double("height"),
        period_ns: ns("period"),
        least: parameters.integer("least_events") as usize,
        silence_ns: ns("silence"),
        base_frame: parameters.text("base_frame").to_owned(),
        eye: None,
        decoder: PacketDecoder::new(),
        batch: EventBatch::default(),
        packet_ns: None,
        begin_us: 0,
        end_us: 0,
        counts: Counts::default(),
        trouble: None,
    }))
}

/// A calibrated camera and its slices.
struct Eye {
    register: Register,
    width: u32,
    height: u32,
    /// Focal length in pixels.
    focal_px: f64,
}

#[derive(Default)]
struct Counts {
    packets: u64,
    events: u64,
    dropped: u64,
    unusable: u64,
    measured: u64,
    still: u64,
    unknown: u64,
}

struct OpticFlow {
    height_m: f64,
    period_ns: i64,
    least: usize,
    silence_ns: i64,
    base_frame: String,
    eye: Option<Eye>,
    decoder: PacketDecoder,
    batch: EventBatch,
    /// When the last packet came.
    packet_ns: Option<i64>,
    /// Where the present slice begins and ends, by the camera's clock.
    begin_us: u64,
    end_us: u64,
    counts: Counts,
    trouble: Option<String>,
}

impl OpticFlow {
    fn calibrate(&mut self, info: &CameraInfo, ctx: &mut Context<'_>) {
        let [fx, fy, cx, cy] = [info.k[0], info.k[4], info.k[2], info.k[5]];
        let sides = SIDE.contains(&info.width) && SIDE.contains(&info.height);
        let square = fx > 0.0 && (fx / fy - 1.0).abs() < 0.05;
        if !(sides && square && cx.is_finite() && cy.is_finite()) {
            let text = format!(
                "camera_info of {}x{} pixels with focal lengths {fx} and {fy}: square pixels and \
                 {} to {} of them on a side are needed",
                info.width,
                info.height,
                SIDE.start(),
                SIDE.end()
            );
            if self.trouble.as_ref() != Some(&text) {
                ctx.log(Level::Error, text.clone());
            }
            self.trouble = Some(text);
            return;
        }
        let focal_px = 0.5 * (fx + fy);
        let same = |e: &Eye| (e.width, e.height, e.focal_px) == (info.width, info.height, focal_px);
        if self.eye.as_ref().is_some_and(same) {
            return;
        }
        self.trouble = None;
        self.eye = Some(Eye {
            register: Register::new([info.width as usize, info.height as usize], [cx, cy]),
            width: info.width,
            height: info.height,
            focal_px,
        });
    }

    fn packet(&mut self, packet: &EventPacket, ctx: &mut Context<'_>) {
        self.counts.packets += 1;
        self.packet_ns = Some(ctx.now_ns);
        self.batch.clear();
        let view = PacketView::from(packet);
        if let Err(error) = self.decoder.decode(view, &mut self.batch) {
            if self.counts.unusable == 0 {
                ctx.log(Level::Warn, error.to_string());
            }
            self.counts.unusable += 1;
            return;
        }
        let Some(eye) = &mut self.eye else { return };
        for event in &self.batch.events {
            self.counts.events += 1;
            if event.t_us < self.begin_us {
                // The camera's clock was set back: what came before is of another time.
                eye.register.forget();
                self.begin_us = event.t_us;
                self.end_us = event.t_us;
            }
            let inside = u32::from(event.x) < eye.width && u32::from(event.y) < eye.height;
            if inside && eye.register.events() < MOST_EVENTS {
                self.end_us = self.end_us.max(event.t_us);
                eye.register.push(*event);
            } else {
                self.counts.dropped += 1;
            }
        }
    }

    fn slice(&mut self, ctx: &mut Context<'_>) {
        let Some(eye) = &mut self.eye else { return };
        let silent = |t: i64| ctx.now_ns.saturating_sub(t) > self.silence_ns || t > ctx.now_ns;
        if self.packet_ns.is_none_or(silent) {
            if self.packet_ns.take().is_some() {
                ctx.log(Level::Warn, "no events: nothing is said of the motion");
            }
            eye.register.forget();
            return;
        }
        let metre = self.height_m / eye.focal_px;
        let seen = eye.register.end(self.begin_us, self.end_us, self.least);
        self.begin_us = self.end_us;
        let (motion, variance) = match seen {
            Seen::Motion(measured) => {
                self.counts.measured += 1;
                (measured.motion, measured.variance)
            }
            Seen::Still => {
                self.counts.still += 1;
                let still = STILL_PXPS * STILL_PXPS;
                let none = register::ImageMotion::default();
                (none, [still, still, STILL_RADPS * STILL_RADPS])
            }
            Seen::Nothing => {
                self.counts.unknown += 1;
                return;
            }
        };
        let mut message = TwistWithCovarianceStamped::default();
        message.header.stamp = ctx.stamp();
        self.base_frame.clone_into(&mut message.header.frame_id);
        // The ground comes towards the bottom of the image as the robot goes forward, and
        // towards its right as the robot goes to the left.
        let twist = &mut message.twist;
        twist.twist.linear.x = metre * motion.velocity[1];
        twist.twist.linear.y = metre * motion.velocity[0];
        twist.twist.angular.z = motion.turn;
        twist.covariance[0] = metre * metre * variance[1];
        twist.covariance[7] = metre * metre * variance[0];
        twist.covariance[35] = variance[2];
        ctx.publish("flow", message);
    }
}

impl Node for OpticFlow {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => ctx.set_timer("slice", Some(self.period_ns)),
            Input::Timer { .. } => self.slice(ctx),
            Input::Message { topic, payload } => {
                let taken = match topic {
                    "events" => payload.get().map(|p| self.packet(&p, ctx)),
                    _ => payload.get().map(|i| self.calibrate(&i, ctx)),
                };
                if let Err(error) = taken {
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            _ => {}
        }
    }

    fn health(&self) -> Health {
        let c = &self.counts;
        let values = [
            ("packets", c.packets),
            ("events", c.events),
            ("dropped", c.dropped),
            ("unusable packets", c.unusable),
            ("measured", c.measured),
            ("still", c.still),
            ("unknown", c.unknown),
        ];
        let silent = (c.packets > 0 && self.packet_ns.is_none()).then(|| "no events".to_owned());
        let no_info = || self.eye.is_none().then(|| "no camera_info yet".to_owned());
        Health {
            warning: self.trouble.clone().or(silent).or_else(no_info),
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Output;
    use crate::payload::Payload;
    use saccade_msgs::Event;
    use saccade_msgs::Message;
    use saccade_rosbags::events::{Geometry, mono_packet};

    const SENSOR: Geometry = Geometry {
        width: 32,
        height: 32,
    };

    struct Rig {
        node: Box<dyn Node>,
        outputs: Vec<Output>,
        next_id: u64,
        now_ns: i64,
    }

    impl Rig {
        fn give(&mut self, input: Input) -> Vec<Output> {
            let (now_ns, id) = (self.now_ns, &mut self.next_id);
            let mut ctx = Context::new(now_ns, now_ns, &mut self.outputs, id);
            self.node.handle(input, &mut ctx);
            std::mem::take(&mut self.outputs)
        }

        fn message<M: Message>(&mut self, topic: &'static str, message: M) -> Vec<Output> {
            let payload = Payload::new(message);
            self.give(Input::Message { topic, payload })
        }

        /// Edges that go down the image by `pxps`, for 40 ms; what the node says then.
        fn slice(&mut self, pxps: f64) -> Option<TwistWithCovarianceStamped> {
            let mut events = Vec::new();
            for ms in 0..40 {
                self.now_ns += 1_000_000;
                let t_us = self.now_ns as u64 / 1000;
                let moved = |t_us: u64| (pxps * t_us as f64 * 1e-6).floor() as i64;
                if moved(t_us) == moved(t_us - 1000) && ms > 0 {
                    continue;
                }
                for x in 0..32 {
                    // An edge in every column, eight rows apart, each column on its own.
                    let begin = moved(t_us) + i64::from(x) * 5 % 8;
                    let rows = (0..32).filter(|y| (begin - y).rem_euclid(8) == 0);
                    let event = |y: i64| Event {
                        t_us,
                        x,
                        y: y as u16,
                        on: true,
                    };
                    events.extend(rows.map(event));
                }
            }
            let first_ns = events.first()?.t_us * 1000;
            let packet = mono_packet(&events, first_ns, SENSOR, 0, "down").expect("fits");
            self.message("events", packet);
            self.tick()
        }

        fn tick(&mut self) -> Option<TwistWithCovarianceStamped> {
            let said = self.give(Input::Timer { name: "slice" });
            said.into_iter().find_map(|output| match output {
                Output::Publish { payload, .. } => {
                    let twist = payload.get::<TwistWithCovarianceStamped>();
                    Some((*twist.expect("a twist")).clone())
                }
                _ => None,
            })
        }
    }

    fn rig() -> Rig {
        Rig {
            node: create(&Parameters::defaults(&INTERFACE)).expect("defaults are valid"),
            outputs: Vec::new(),
            next_id: 0,
            now_ns: 1_000_000_000,
        }
    }

    fn info(side: u32, focal: f64) -> CameraInfo {
        CameraInfo {
            width: side,
            height: side,
            k: [focal, 0.0, 15.5, 0.0, focal, 15.5, 0.0, 0.0, 1.0],
            ..CameraInfo::default()
        }
    }

    #[test]
    fn down_the_image_is_forward_and_silence_is_not_standing() {
        let mut rig = rig();
        assert_eq!(rig.slice(40.0), None, "not without camera_info");
        assert!(rig.node.health().warning.is_some());
        rig.message("camera_info", info(32, 30.0));
        let said: Vec<_> = (0..20).filter_map(|_| rig.slice(40.0)).collect();
        let last = &said.last().expect("it says something").twist;
        // 0.3 m above the ground with 30 pixels: 1 cm for each.
        assert!((last.twist.linear.x - 0.4).abs() < 0.04, "{last:?}");
        assert!(last.twist.linear.y.abs() < 0.04, "{last:?}");
        assert!(last.covariance[0] > 0.0);
        assert_eq!(rig.node.health().warning, None);
        let still = rig.tick().expect("the camera spoke a moment ago");
        assert_eq!(still.twist.twist.linear.x, 0.0);
        rig.now_ns += 300_000_000;
        assert_eq!(rig.tick(), None);
        assert_eq!(rig.node.health().warning.as_deref(), Some("no events"));
    }

    #[test]
    fn calibrations_that_make_no_sense_are_refused() {
        for wrong in [
            info(0, 30.0),
            info(1 << 20, 30.0),
            info(32, 0.0),
            info(32, f64::NAN),
        ] {
            let mut rig = rig();
            let said = rig.message("camera_info", wrong);
            assert!(matches!(said[..], [Output::Log(_)]));
            assert!(
                rig.node
                    .health()
                    .warning
                    .is_some_and(|w| w.contains("pixels"))
            );
        }
    }
}
