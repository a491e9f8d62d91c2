//! `dvs_ingest`: from event packets, or images, to input spikes.
//!
//! A packet is decoded, filtered, and encoded millisecond by millisecond, each in a
//! pass over its events; its spikes leave before the next packet is looked at. Every
//! event is counted where it ends: as a spike, merged with one, filtered, outside
//! the window, or refused.

mod clock;
mod encode;
mod images;
mod interface;
mod settings;

pub use clock::{ClockCounts, SensorClock};
pub use images::{ImageError, Images, luminance};
pub use interface::INTERFACE;

use crate::interface::Interface;
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use encode::Sensor;
use saccade_engine::encoder::EncoderCounts;
use saccade_msgs::Event;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{ClockRelation, SaccadePhase};
use saccade_msgs::sensor_msgs::Image;
use saccade_msgs::std_srvs::trigger;
use saccade_rosbags::events::{EventBatch, Geometry, PacketDecoder, PacketView, mono_packet};
use settings::Settings;

/// How often the clock relation is published, in receive time.
const RELATION_NS: i64 = 1_000_000_000;

/// Makes the node.
///
/// # Errors
/// A window that the grid does not divide, filters that are none, a code that is
/// none.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let settings = Settings::read(parameters)?;
    let images = Images::new(settings.pixels.clone(), settings.image_seed)
        .map_err(|e| settings::refused(e.to_string()))?;
    // Found now rather than at the first packet.
    let usual = Geometry {
        width: 128,
        height: 128,
    };
    settings.encoder(usual).map_err(settings::refused)?;
    Ok(Box::new(DvsIngest {
        settings,
        images,
        image_packets: 0,
        source: None,
        decoder: PacketDecoder::new(),
        batch: EventBatch::default(),
        sensor: None,
        clock: SensorClock::default(),
        last_relation_ns: None,
        onset_us: None,
        counts: Counts::default(),
        past: EncoderCounts::default(),
    }))
}

/// Where events ended that did not reach the encoder, and what else happened.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    events: u64,
    bad_packets: u64,
    bad_images: u64,
    other_source: u64,
    gaps: u64,
    backwards: u64,
    clock_steps: u64,
    spikes: u64,
    messages: u64,
    /// Removed by filters of sensors before this one, held ones among them.
    past_removed: u64,
}

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Packets,
    Images,
}

struct DvsIngest {
    settings: Settings,
    images: Images,
    image_packets: u64,
    /// Which topic spoke first.
    source: Option<Source>,
    decoder: PacketDecoder,
    batch: EventBatch,
    sensor: Option<Sensor>,
    clock: SensorClock,
    last_relation_ns: Option<i64>,
    /// Onset of a saccade that no event has followed yet.
    onset_us: Option<u64>,
    counts: Counts,
    /// Counts of the encoders before this one.
    past: EncoderCounts,
}

impl DvsIngest {
    /// Whether this source is the one that is heard.
    fn hears(&mut self, source: Source, ctx: &mut Context<'_>) -> bool {
        let heard = *self.source.get_or_insert(source);
        if heard == source {
            return true;
        }
        self.counts.other_source += 1;
        if self.counts.other_source == 1 {
            let (heard, other) = match heard {
                Source::Packets => ("events", "image"),
                Source::Images => ("image", "events"),
            };
            let text = format!("'{heard}' spoke first, '{other}' is not heard; remap one of them");
            ctx.log(Level::Error, text);
        }
        false
    }

    fn packet(&mut self, packet: &EventPacket, ctx: &mut Context<'_>) {
        if !self.hears(Source::Packets, ctx) {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        let geometry = Geometry {
            width: packet.width as u16,
            height: packet.height as u16,
        };
        if let Err(error) = self.decoder.decode(PacketView::from(packet), &mut batch) {
            self.counts.bad_packets += 1;
            ctx.log(Level::Warn, error.to_string());
        } else if let Err(reason) = self.ready(geometry) {
            self.counts.bad_packets += 1;
            ctx.log(Level::Error, reason);
        } else if !batch.events.is_empty() {
            // The others count from a time base, which is ROS time.
            let own_clock = packet.encoding.starts_with("evt");
            self.time(packet, &batch.events, own_clock, ctx);
            self.take_in(&mut batch.events, own_clock, ctx);
        }
        self.batch = batch;
    }

    fn image(&mut self, image: &Image, ctx: &mut Context<'_>) {
        if !self.hears(Source::Images, ctx) {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        let made = self.images.push(image, &mut batch.events);
        let ready = made
            .map_err(|e| e.to_string())
            .and_then(|geometry| self.ready(geometry));
        match ready {
            Ok(()) if batch.events.is_empty() => {}
            Ok(()) => {
                self.pass_on(&batch.events, image, ctx);
                self.take_in(&mut batch.events, false, ctx);
            }
            Err(reason) => {
                self.counts.bad_images += 1;
                ctx.log(Level::Warn, reason);
            }
        }
        self.batch = batch;
    }

    /// Publishes the events of an image, at least one.
    fn pass_on(&mut self, events: &[Event], image: &Image, ctx: &mut Context<'_>) {
        let sensor = Geometry {
            width: image.width as u16,
            height: image.height as u16,
        };
        let base_ns = events[0].t_us.saturating_mul(1000);
        let frame = &image.header.frame_id;
        match mono_packet(events, base_ns, sensor, self.image_packets, frame) {
            Ok(packet) => {
                self.image_packets += 1;
                ctx.publish("image_events", packet);
            }
            Err(error) => ctx.log(Level::Warn, error.to_string()),
        }
    }

    /// Follows the sensor's clock, and tells of it once a second.
    fn time(
        &mut self,
        packet: &EventPacket,
        events: &[Event],
        own_clock: bool,
        ctx: &mut Context<'_>,
    ) {
        let (first, last) = (events[0].t_us, events[events.len() - 1].t_us);
        let ns = |t_us: u64| i64::try_from(t_us.saturating_mul(1000)).unwrap_or(i64::MAX);
        let before_ns = self.clock.last_ns().unwrap_or(ns(first));
        self.counts.gaps += u64::from(ns(first).saturating_sub(before_ns) > self.settings.gap_ns);
        let stamp_ns = packet.header.stamp.to_ns();
        let received_ns = if stamp_ns > 0 { stamp_ns } else { ctx.now_ns };
        self.clock.packet(ns(last), received_ns);
        let due = |last_ns: i64| (received_ns - last_ns).abs() >= RELATION_NS;
        if own_clock && self.last_relation_ns.is_none_or(due) {
            self.last_relation_ns = Some(received_ns);
            let relation = self.relation(packet, ns(last), received_ns);
            ctx.publish("clock_relation", relation);
        }
    }

    fn relation(&mut self, packet: &EventPacket, at_ns: i64, received_ns: i64) -> ClockRelation {
        let counts = self.clock.counts();
        let ros_ns = self.clock.to_ros_ns(at_ns).unwrap_or(received_ns);
        let mut relation = ClockRelation {
            at_ns: at_ns as u64,
            offset_ns: ros_ns - at_ns,
            drift_ppm: self.clock.drift_ppm(),
            residual_ns: self.clock.take_residual_ns(),
            packets: self.clock.packets(),
            jumps: counts.jumps,
            backwards: counts.backwards,
            stalled: counts.stalled,
            lost: self.decoder.counts().lost,
            gaps: self.counts.gaps,
            ..ClockRelation::default()
        };
        relation.header.stamp = Time::from_ns(received_ns);
        relation.header.frame_id = packet.header.frame_id.clone();
        relation
    }

    /// Makes filters and encoder for this sensor, at first and when its size changes.
    fn ready(&mut self, geometry: Geometry) -> Result<(), String> {
        let same = |s: &Sensor| s.chain.input() == geometry;
        if self.sensor.as_ref().is_some_and(same) {
            return Ok(());
        }
        let sensor = Sensor::new(&self.settings, geometry)?;
        if let Some(old) = self.sensor.replace(sensor) {
            self.counts.past_removed += old.chain.removed() + old.chain.held();
            add(&mut self.past, old.encoder.counts());
        }
        Ok(())
    }

    /// Filters and encodes events, at least one, and publishes their spikes.
    fn take_in(&mut self, events: &mut Vec<Event>, own_clock: bool, ctx: &mut Context<'_>) {
        let Some(sensor) = &mut self.sensor else {
            return;
        };
        self.counts.events += events.len() as u64;
        sensor.chain.process(events);
        let Some(first) = events.first() else {
            return;
        };
        if let Some(onset_us) = self.onset_us.take() {
            sensor.begin(onset_of(onset_us, first.t_us, own_clock, &self.clock));
        }
        let encoded = sensor.encode(events);
        self.counts.backwards += encoded.late;
        self.counts.clock_steps += u64::from(encoded.clock_step);
        let mut message = encoded.message;
        let begin_ns = i64::try_from(encoded.begin_us.saturating_mul(1000)).unwrap_or(i64::MAX);
        let stamp_ns = (self.clock.to_ros_ns(begin_ns)).filter(|_| own_clock);
        message.header.stamp = Time::from_ns(stamp_ns.unwrap_or(ctx.now_ns));
        message.seq = self.counts.messages;
        self.counts.messages += 1;
        self.counts.spikes += message.ids.len() as u64;
        if !message.ids.is_empty() {
            ctx.publish("spikes", message);
        }
    }

    /// Counts of all encoders so far.
    fn encoder_counts(&self) -> EncoderCounts {
        let mut counts = self.past;
        if let Some(sensor) = &self.sensor {
            add(&mut counts, sensor.encoder.counts());
        }
        counts
    }

    fn hot_pixels(&self) -> Vec<(u16, u16)> {
        let chain = self.sensor.as_ref().map(|s| &s.chain);
        chain.map_or(Vec::new(), |c| c.silenced())
    }

    /// What should be looked at.
    fn warning(&self) -> Option<String> {
        let lost = self.decoder.counts().lost;
        if lost > 0 {
            Some(format!("{lost} packets were lost before they came here"))
        } else if self.counts.bad_packets > 0 {
            let bad = self.counts.bad_packets;
            Some(format!("{bad} packets could not be decoded"))
        } else if self.counts.bad_images > 0 {
            let bad = self.counts.bad_images;
            Some(format!("{bad} images could not be used"))
        } else {
            self.clock.trouble().map(str::to_owned)
        }
    }

    /// What the filters did.
    fn filter_values(&self) -> Vec<(String, String)> {
        let past = self.counts.past_removed;
        let Some(chain) = self.sensor.as_ref().map(|s| &s.chain) else {
            return vec![("removed by filters".to_owned(), past.to_string())];
        };
        let mut values = vec![(
            "removed by filters".to_owned(),
            (past + chain.removed()).to_string(),
        )];
        if chain.is_empty() {
            return values;
        }
        let counts = chain.counts().into_iter();
        values.extend(counts.map(|c| (format!("removed: {}", c.name), c.removed.to_string())));
        values.push(("held back by filters".to_owned(), chain.held().to_string()));
        values.push(("hot pixels".to_owned(), chain.silenced().len().to_string()));
        values
    }
}

/// The event time of a saccade's onset. Where the camera's clock is not ROS time, the
/// relation between them says it; where there is none yet, the first event after the
/// onset stands for it.
fn onset_of(onset_us: u64, first_us: u64, own_clock: bool, clock: &SensorClock) -> u64 {
    let near = |t_us: &u64| first_us.abs_diff(*t_us) < 1_000_000;
    let onset_ns = i64::try_from(onset_us.saturating_mul(1000)).unwrap_or(i64::MAX);
    let on_its_clock = || {
        let ns = clock.to_sensor_ns(onset_ns).filter(|_| own_clock)?;
        u64::try_from(ns / 1000).ok()
    };
    let onset_us = Some(onset_us).filter(near);
    onset_us
        .or_else(|| on_its_clock().filter(near))
        .unwrap_or(first_us)
}

fn add(sum: &mut EncoderCounts, counts: EncoderCounts) {
    sum.events += counts.events;
    sum.spikes += counts.spikes;
    sum.absorbed += counts.absorbed;
    sum.merged += counts.merged;
    sum.outside += counts.outside;
    sum.unplaced += counts.unplaced;
    sum.refused += counts.refused;
}

impl Node for DvsIngest {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Message { topic, payload } => match topic {
                "events" => match payload.get::<EventPacket>() {
                    Ok(packet) => self.packet(&packet, ctx),
                    Err(error) => {
                        self.counts.bad_packets += 1;
                        ctx.log(Level::Warn, error.to_string());
                    }
                },
                "image" => match payload.get::<Image>() {
                    Ok(image) => self.image(&image, ctx),
                    Err(error) => {
                        self.counts.bad_images += 1;
                        ctx.log(Level::Warn, error.to_string());
                    }
                },
                _ => {
                    if let Ok(phase) = payload.get::<SaccadePhase>()
                        && phase.moving
                    {
                        self.onset_us = Some(phase.header.stamp.to_ns().max(0) as u64 / 1000);
                    }
                }
            },
            Input::Request { service, id, .. } => {
                let lines = self.hot_pixels().into_iter();
                let response = trigger::Response {
                    success: true,
                    message: lines.map(|(x, y)| format!("{x} {y}\n")).collect(),
                };
                ctx.respond(service, id, response);
            }
            _ => {}
        }
    }

    fn change(&mut self, parameters: &Parameters) -> Result<(), NodeError> {
        let settings = Settings::read(parameters)?;
        if let Some(sensor) = &mut self.sensor {
            let past = sensor.change(&settings).map_err(settings::refused)?;
            add(&mut self.past, past);
        }
        self.settings = settings;
        Ok(())
    }

    fn health(&self) -> Health {
        let packets = self.decoder.counts();
        let encoder = self.encoder_counts();
        let clock = self.clock.counts();
        let c = self.counts;
        let values: [(&str, u64); 23] = [
            ("packets", packets.packets),
            ("packets lost", packets.lost),
            ("packets refused", c.bad_packets),
            ("images", self.images.taken),
            ("images begun anew", self.images.restarts),
            ("images refused", c.bad_images),
            ("messages of the other source", c.other_source),
            ("events", c.events),
            ("events outside the sensor", packets.decode.outside),
            (
                "events before the stream was in step",
                packets.decode.unsynced,
            ),
            ("unknown words", packets.decode.unknown_words),
            ("absorbed", encoder.absorbed),
            ("merged", encoder.merged),
            ("outside the window", encoder.outside),
            ("before the window was placed", encoder.unplaced),
            ("refused by the encoder", encoder.refused),
            ("late by a tick or more", c.backwards),
            ("steps back of the camera's clock", c.clock_steps),
            ("packets back in time", clock.backwards),
            ("packets at a standing time", clock.stalled),
            ("gaps in time", c.gaps),
            ("spikes", c.spikes),
            ("torn bytes", packets.decode.torn_bytes),
        ];
        let mut values = values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec();
        values.extend(self.filter_values());
        Health {
            warning: self.warning(),
            values,
        }
    }
}

#[cfg(test)]
mod images_tests;
#[cfg(test)]
mod tests;
