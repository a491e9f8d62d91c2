//! `teacher`: shows a running classifier the labelled saccades of data sets, and says of
//! one class what it is.
//!
//! Scene by scene: a label, the onset, the events of every millisecond at its end, the end
//! of the saccade, a pause. The data sets are read when the node is made.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use saccade_msgs::Event;
use saccade_msgs::saccade_msgs::{Label, SaccadePhase};
use saccade_rosbags::dataset::{Dataset, LabelledSample};
use saccade_rosbags::events::{Geometry, mono_packet};
use std::path::Path;

/// Events that the data sets may hold in all: 1 GiB of memory.
const MOST_EVENTS: usize = 1 << 26;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "teacher",
    doc: "Shows the labelled saccades of data sets, and says of one class what it is.",
    publishers: &[
        Endpoint::new(
            "events",
            "event_camera_msgs/msg/EventPacket",
            "The events of each millisecond that had some, `mono`.",
        )
        .qos(Qos::SENSOR.depth(256)),
        Endpoint::new(
            "saccade",
            "saccade_msgs/msg/SaccadePhase",
            "Onset and end of each saccade.",
        )
        .qos(Qos::DEFAULT.depth(32)),
        Endpoint::new(
            "label",
            "saccade_msgs/msg/Label",
            "Before each onset what will be seen; `learn` is true only in lessons.",
        ),
    ],
    parameters: &[
        ParameterDecl::text(
            "lesson",
            "",
            "Data set of `saccade dataset make` to teach from; empty goes on to the test.",
        ),
        ParameterDecl::text(
            "label",
            "mug",
            "The class that is told in the lesson; the others are shown without a word. Empty tells all.",
        ),
        ParameterDecl::integer(
            "presentations",
            50,
            (0, 1_000_000),
            "",
            "So many scenes of that class are shown, then the lesson is over.",
        ),
        ParameterDecl::text(
            "test",
            "",
            "Data set that is shown after the lesson without a word; empty ends there.",
        ),
        ParameterDecl::double(
            "watch",
            0.3,
            (0.01, 10.0),
            "s",
            "Of each saccade from its onset.",
        ),
        ParameterDecl::double("pause", 0.1, (0.001, 10.0), "s", "Between saccades."),
    ],
    timers: &[TimerDecl {
        name: "tick",
        period_ns: 1_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node and reads the data sets.
///
/// # Errors
/// A data set that cannot be read or is too large, or none at all.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let wrong = |reason: String| NodeError::Configuration {
        node: "teacher",
        reason,
    };
    let label = parameters.text("label");
    let mut left = parameters.integer("presentations");
    let mut scenes = Vec::new();
    let mut events = 0;
    for (parameter, lesson) in [("lesson", true), ("test", false)] {
        let file = parameters.text(parameter);
        if file.is_empty() {
            continue;
        }
        let failed = |e: &dyn std::fmt::Display| wrong(format!("{parameter} '{file}': {e}"));
        for sample in Dataset::open(Path::new(file)).map_err(|e| failed(&e))? {
            let sample = sample.map_err(|e| failed(&e))?;
            let told = lesson && (label.is_empty() || sample.label == label);
            if lesson && left == 0 {
                break;
            }
            left -= i64::from(told);
            events += sample.events.len();
            if events > MOST_EVENTS {
                return Err(failed(&format!(
                    "more than {MOST_EVENTS} events; use fewer scenes"
                )));
            }
            scenes.push(Scene { sample, told });
        }
    }
    if scenes.is_empty() {
        return Err(wrong(
            "no scene to show; give 'lesson' or 'test' a data set".to_owned(),
        ));
    }
    let ms = |name: &str| (parameters.double(name) * 1e3).round() as u64;
    Ok(Box::new(Teacher {
        scenes,
        watch_ms: ms("watch"),
        pause_ms: ms("pause").max(1),
        shown: 0,
        ms: 0,
        onset_us: 0,
        next: 0,
        packets: 0,
        told: 0,
    }))
}

/// A saccade and whether its label is for learning.
struct Scene {
    sample: LabelledSample,
    told: bool,
}

struct Teacher {
    scenes: Vec<Scene>,
    watch_ms: u64,
    pause_ms: u64,
    /// Scenes that are over.
    shown: usize,
    /// Ticks of the scene under way.
    ms: u64,
    /// Its onset by our clock.
    onset_us: u64,
    /// Its first event that has not been sent.
    next: usize,
    packets: u64,
    told: u64,
}

impl Teacher {
    fn tick(&mut self, ctx: &mut Context<'_>) {
        self.ms += 1;
        if self.shown == self.scenes.len() {
            // The last decision had time to be made.
            if self.ms == self.pause_ms {
                ctx.shutdown(format!("{} saccades shown, {} told", self.shown, self.told));
            }
            return;
        }
        if self.ms == self.pause_ms {
            self.begin(ctx);
        } else if self.ms > self.pause_ms {
            let since_ms = self.ms - self.pause_ms;
            self.send(since_ms, ctx);
            if since_ms == self.watch_ms {
                self.end(ctx);
            }
        }
    }

    fn begin(&mut self, ctx: &mut Context<'_>) {
        let scene = &self.scenes[self.shown];
        let mut label = Label {
            label: scene.sample.label.clone(),
            class_id: scene.sample.class_id,
            learn: scene.told,
            ..Label::default()
        };
        label.header.stamp = ctx.stamp();
        ctx.publish("label", label);
        self.told += u64::from(scene.told);
        self.onset_us = (ctx.now_ns / 1000) as u64;
        self.next = 0;
        self.phase(true, ctx);
    }

    /// Sends the events of the millisecond that ends `since_ms` after the onset.
    fn send(&mut self, since_ms: u64, ctx: &mut Context<'_>) {
        let sample = &self.scenes[self.shown].sample;
        let end_us = sample.onset_us + since_ms * 1000;
        let left = &sample.events[self.next..];
        let due = left.partition_point(|e| e.t_us < end_us);
        let (onset_us, now_us) = (sample.onset_us, self.onset_us);
        let shifted = |e: &Event| Event {
            t_us: now_us + e.t_us.saturating_sub(onset_us),
            ..*e
        };
        let events: Vec<Event> = left[..due].iter().map(shifted).collect();
        self.next += due;
        let Some(first) = events.first() else {
            return;
        };
        let sensor = Geometry {
            width: sample.width,
            height: sample.height,
        };
        match mono_packet(&events, first.t_us * 1000, sensor, self.packets, "camera") {
            Ok(packet) => ctx.publish("events", packet),
            Err(error) => ctx.log(Level::Error, error.to_string()),
        }
        self.packets += 1;
    }

    fn end(&mut self, ctx: &mut Context<'_>) {
        self.phase(false, ctx);
        self.shown += 1;
        self.ms = 0;
    }

    fn phase(&self, moving: bool, ctx: &mut Context<'_>) {
        let mut phase = SaccadePhase {
            id: self.shown as u32 + 1,
            moving,
            ..SaccadePhase::default()
        };
        phase.header.stamp = ctx.stamp();
        ctx.publish("saccade", phase);
    }
}

impl Node for Teacher {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        if let Input::Timer { .. } = input {
            self.tick(ctx);
        }
    }

    fn health(&self) -> Health {
        let values = [
            ("saccades", self.shown as u64),
            ("told", self.told),
            ("packets", self.packets),
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
    use saccade_msgs::builtin_interfaces::Time;
    use saccade_msgs::event_camera_msgs::EventPacket;
    use saccade_rosbags::BagWriter;
    use saccade_rosbags::dataset::{EVENTS_TOPIC, LABEL_TOPIC, SACCADE_TOPIC};
    use saccade_rosbags::events::{EventBatch, PacketDecoder, PacketView};

    /// Scenes of these classes, each with one event per millisecond in the column of its
    /// number, the first 0.5 ms after the onset.
    fn data(path: &Path, classes: &[&str]) {
        let mut bag = BagWriter::create(path).expect("a bag");
        for (i, class) in classes.iter().enumerate() {
            let onset_ns = (i as u64 + 1) * 1_000_000_000;
            let mut label = Label {
                label: (*class).into(),
                class_id: -1,
                learn: true,
                ..Label::default()
            };
            label.header.stamp = Time::from_ns(onset_ns as i64);
            bag.write(LABEL_TOPIC, onset_ns as i64, &label)
                .expect("written");
            let mut phase = SaccadePhase {
                id: i as u32,
                moving: true,
                ..SaccadePhase::default()
            };
            phase.header.stamp = label.header.stamp;
            bag.write(SACCADE_TOPIC, onset_ns as i64, &phase)
                .expect("written");
            let event = |k: u64| Event {
                t_us: onset_ns / 1000 + k * 1000 + 500,
                x: i as u16,
                y: k as u16,
                on: true,
            };
            let events: Vec<Event> = (0..20).map(event).collect();
            let sensor = Geometry {
                width: 32,
                height: 32,
            };
            let packet = mono_packet(&events, onset_ns, sensor, i as u64, "dvs").expect("fits");
            bag.write(EVENTS_TOPIC, onset_ns as i64, &packet)
                .expect("written");
            phase.moving = false;
            bag.write(SACCADE_TOPIC, onset_ns as i64 + 1, &phase)
                .expect("written");
        }
        bag.finish().expect("closed");
    }

    #[test]
    fn every_event_comes_in_its_millisecond_and_only_one_class_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (lesson, test) = (folder.path().join("l.mcap"), folder.path().join("t.mcap"));
        data(&lesson, &["ball", "mug", "pen", "mug", "ball"]);
        data(&test, &["mug"]);
        let mut parameters = Parameters::defaults(&INTERFACE);
        for (name, value) in [
            ("lesson", lesson.to_str().expect("UTF-8")),
            ("test", test.to_str().expect("UTF-8")),
            ("presentations", "2"),
            ("watch", "0.01"),
            ("pause", "0.005"),
        ] {
            parameters.set_text(name, value).expect("a parameter");
        }
        let mut node = create(&parameters).expect("a node");
        let (mut labels, mut phases, mut events, mut ended) = (vec![], vec![], vec![], None);
        for ms in 1..200 {
            let (now_ns, mut outputs, mut id) = (ms * 1_000_000, Vec::new(), 0);
            let mut ctx = Context::new(now_ns, now_ns, &mut outputs, &mut id);
            node.handle(Input::Timer { name: "tick" }, &mut ctx);
            for output in outputs {
                match output {
                    Output::Publish { topic, payload } => match topic {
                        "label" => labels.push(payload.get::<Label>().expect("a label")),
                        "saccade" => {
                            let phase = payload.get::<SaccadePhase>().expect("a phase");
                            phases.push((ms, phase.id, phase.moving));
                        }
                        _ => {
                            let packet = payload.get::<EventPacket>().expect("a packet");
                            let mut batch = EventBatch::default();
                            let view = PacketView::from(&*packet);
                            PacketDecoder::new()
                                .decode(view, &mut batch)
                                .expect("decodes");
                            events.extend(batch.events.iter().map(|e| (ms as u64, *e)));
                        }
                    },
                    Output::Shutdown { reason } => ended = Some((ms, reason)),
                    other => panic!("{other:?}"),
                }
            }
        }
        // The second mug ends the lesson: the last ball is not shown.
        let told: Vec<_> = labels.iter().map(|l| (l.label.as_str(), l.learn)).collect();
        let (ball, pen) = (("ball", false), ("pen", false));
        assert_eq!(
            told,
            [ball, ("mug", true), pen, ("mug", true), ("mug", false)]
        );
        assert_eq!(phases[..3], [(5, 1, true), (15, 1, false), (20, 2, true)]);
        assert_eq!(events.len(), 5 * 10, "ten milliseconds of each are watched");
        for (ms, event) in &events {
            assert_eq!(event.t_us, ms * 1000 - 500);
        }
        assert_eq!(ended, Some((80, "5 saccades shown, 2 told".to_owned())));
    }
}
