//! `event_image`: pictures of an event stream, to look at it in RViz or Foxglove.

use crate::event_canvas::EventCanvas;
use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::sensor_msgs::Image;
use saccade_msgs::std_msgs::Header;
use saccade_rosbags::events::{EventBatch, PacketDecoder, PacketView};

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "event_image",
    doc: "Sums events into pictures, to look at an event camera with any viewer of images.",
    publishers: &[Endpoint::new(
        "image",
        "sensor_msgs/msg/Image",
        "`rgb8`: the events since the last picture, ON and OFF in two colours.",
    )
    .qos(Qos::SENSOR.depth(4))],
    subscriptions: &[Endpoint::new(
        "events",
        "event_camera_msgs/msg/EventPacket",
        "The event camera.",
    )
    .qos(Qos::SENSOR.depth(256).lifespan_ms(500))],
    parameters: &[ParameterDecl::double(
        "rate",
        25.0,
        (0.1, 200.0),
        "Hz",
        "Pictures per second.",
    )],
    timers: &[TimerDecl {
        name: "picture",
        period_ns: 40_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// None beyond what the parameters' ranges check.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    Ok(Box::new(EventImage {
        period_ns: (1e9 / parameters.double("rate")) as i64,
        decoder: PacketDecoder::new(),
        batch: EventBatch::default(),
        canvas: None,
        frame_id: String::new(),
        pictures: 0,
        refused: 0,
    }))
}

struct EventImage {
    period_ns: i64,
    decoder: PacketDecoder,
    batch: EventBatch,
    /// As large as the sensor, from the first packet on.
    canvas: Option<EventCanvas>,
    frame_id: String,
    pictures: u64,
    /// Packets that could not be shown.
    refused: u64,
}

impl EventImage {
    fn packet(&mut self, packet: &EventPacket) -> Result<(), String> {
        self.batch.clear();
        let view = PacketView::from(packet);
        let decoded = self.decoder.decode(view, &mut self.batch);
        decoded.map_err(|e| e.to_string())?;
        let size = (packet.width, packet.height);
        if self.canvas.as_ref().map(EventCanvas::size) != Some(size) {
            let canvas = EventCanvas::new(size.0, size.1);
            self.canvas = Some(canvas.ok_or(format!(
                "a sensor of {} x {} pixels cannot be drawn",
                size.0, size.1
            ))?);
        }
        if let Some(canvas) = &mut self.canvas {
            canvas.add(self.batch.events.iter().copied());
        }
        if self.frame_id != packet.header.frame_id {
            self.frame_id.clone_from(&packet.header.frame_id);
        }
        Ok(())
    }

    fn picture(&mut self, ctx: &mut Context<'_>) {
        let Some(canvas) = &mut self.canvas else {
            return;
        };
        let (width, height) = canvas.size();
        let image = Image {
            header: Header {
                stamp: ctx.stamp(),
                frame_id: self.frame_id.clone(),
            },
            height,
            width,
            encoding: "rgb8".to_owned(),
            is_bigendian: 0,
            step: 3 * width,
            data: canvas.rgb(),
        };
        canvas.clear();
        self.pictures += 1;
        ctx.publish("image", image);
    }
}

impl Node for EventImage {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => ctx.set_timer("picture", Some(self.period_ns)),
            Input::Timer { .. } => self.picture(ctx),
            Input::Message { payload, .. } => {
                let packet = payload.get::<EventPacket>().map_err(|e| e.to_string());
                if let Err(reason) = packet.and_then(|packet| self.packet(&packet)) {
                    self.refused += 1;
                    ctx.log(Level::Warn, reason);
                }
            }
            _ => {}
        }
    }

    fn health(&self) -> Health {
        let packets = self.decoder.counts();
        let values = [
            ("pictures", self.pictures),
            ("packets", packets.packets),
            ("packets lost", packets.lost),
            ("packets refused", self.refused),
        ];
        let refused = format!("{} packets could not be shown", self.refused);
        Health {
            warning: (self.refused > 0).then_some(refused),
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_canvas::{NIGHT, OFF, ON};
    use crate::node::Output;
    use crate::payload::Payload;
    use saccade_msgs::Event;
    use saccade_rosbags::events::{Geometry, mono_packet};

    fn drive(node: &mut dyn Node, input: Input) -> Vec<Output> {
        let (mut outputs, mut id) = (Vec::new(), 0);
        node.handle(input, &mut Context::new(7, 7, &mut outputs, &mut id));
        outputs
    }

    #[test]
    fn a_picture_shows_the_events_since_the_last_one() {
        let mut node = create(&Parameters::defaults(&INTERFACE)).expect("a node");
        let picture = || Input::Timer { name: "picture" };
        assert!(drive(node.as_mut(), picture()).is_empty(), "no size yet");
        let event = |x, on| Event {
            t_us: 0,
            x,
            y: 0,
            on,
        };
        let sensor = Geometry {
            width: 3,
            height: 1,
        };
        let events = [event(0, true), event(2, false)];
        let packet = mono_packet(&events, 0, sensor, 0, "eye").expect("fits");
        let input = Input::Message {
            topic: "events",
            payload: Payload::new(packet),
        };
        drive(node.as_mut(), input);
        for expected in [[ON, NIGHT, OFF], [NIGHT; 3]] {
            let outputs = drive(node.as_mut(), picture());
            let [Output::Publish { payload, .. }] = outputs.as_slice() else {
                panic!("{outputs:?}");
            };
            let image = payload.get::<Image>().expect("an image");
            assert_eq!((image.width, image.height, image.step), (3, 1, 9));
            assert_eq!(image.header.frame_id, "eye");
            assert_eq!(image.data, expected.concat());
        }
    }
}
