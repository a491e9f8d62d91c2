//! `dvs_ingest`: from event packets to input spikes.
//!
//! A packet is decoded, filtered, and encoded millisecond by millisecond; its
//! spikes leave before the next packet is looked at. Every event is counted
//! where it ends: as a spike, merged with one, filtered, outside the window,
//! or refused.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use saccade_engine::encoder::{Encoder, EncoderConfig, EncoderCounts, Placement};
use saccade_msgs::Event;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{SaccadePhase, Spikes};
use saccade_rosbags::events::{EventBatch, PacketDecoder, PacketView};

/// An encoder that fell behind by more ticks than this skips them: the stream
/// has a gap, not activity.
const CATCH_UP_TICKS: i64 = 2_000;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "dvs_ingest",
    doc: "Decodes event packets of any common encoding, filters them and turns them into input spikes.",
    publishers: &[Endpoint::new(
        "spikes",
        "saccade_msgs/msg/Spikes",
        "Input spikes, one message per packet; ids are polarity x row x column.",
    )
    .qos(Qos::SENSOR.depth(256))],
    subscriptions: &[
        Endpoint::new(
            "events",
            "event_camera_msgs/msg/EventPacket",
            "The event camera.",
        )
        .qos(Qos::SENSOR.depth(256).lifespan_ms(50)),
        Endpoint::new(
            "saccade",
            "saccade_msgs/msg/SaccadePhase",
            "At each onset the attention window is placed anew.",
        )
        .qos(Qos::DEFAULT.depth(32)),
    ],
    parameters: &[
        ParameterDecl::integer(
            "out",
            32,
            (1, 512),
            "",
            "Cells along a side of the encoder's grid.",
        ),
        ParameterDecl::integer(
            "window",
            64,
            (0, 8192),
            "px",
            "Side of the window; 0 takes half of the sensor's shorter side.",
        ),
        ParameterDecl::switch(
            "attention",
            true,
            "The window follows the events; otherwise it stays central.",
        ),
        ParameterDecl::integer(
            "history",
            1000,
            (1, 100_000),
            "events",
            "Events that place the window.",
        ),
        ParameterDecl::integer(
            "refractory_us",
            0,
            (0, 1_000_000),
            "us",
            "A pixel's events this soon after its last are dropped.",
        ),
        ParameterDecl::integer(
            "background_us",
            0,
            (0, 10_000_000),
            "us",
            "Events without a neighbour's event this recently are dropped; 0 switches it off.",
        ),
    ],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// A window that the grid does not divide.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let node = DvsIngest {
        out: parameters.integer("out") as u16,
        window: parameters.integer("window") as u16,
        attention: parameters.switch("attention"),
        history: parameters.integer("history") as usize,
        refractory_us: parameters.integer("refractory_us") as u64,
        background_us: parameters.integer("background_us") as u64,
        decoder: PacketDecoder::new(),
        batch: EventBatch::default(),
        sensor: None,
        base_us: None,
        onset_us: None,
        seq: 0,
        counts: Counts::default(),
        past: EncoderCounts::default(),
    };
    // Found now rather than at the first packet.
    node.encoder(128, 128)
        .map_err(|reason| NodeError::Configuration {
            node: "dvs_ingest",
            reason,
        })?;
    Ok(Box::new(node))
}

/// Where events ended that did not reach the encoder.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    events: u64,
    bad_packets: u64,
    refractory: u64,
    background: u64,
    backwards: u64,
    clock_steps: u64,
    spikes: u64,
}

/// What depends on the sensor's size.
struct Sensor {
    width: u16,
    height: u16,
    encoder: Encoder,
    /// Time of each pixel's last event, in microseconds; 0 before the first.
    last_us: Vec<u64>,
    /// Ticks encoded since `base_us`.
    ticks: i64,
}

struct DvsIngest {
    out: u16,
    window: u16,
    attention: bool,
    history: usize,
    refractory_us: u64,
    background_us: u64,
    decoder: PacketDecoder,
    batch: EventBatch,
    sensor: Option<Sensor>,
    /// Event time of tick 0.
    base_us: Option<u64>,
    /// Onset of a saccade that no event has followed yet.
    onset_us: Option<u64>,
    seq: u64,
    counts: Counts,
    /// Counts of the encoders of sensors before this one.
    past: EncoderCounts,
}

impl DvsIngest {
    /// Counts of all encoders so far.
    fn encoder_counts(&self) -> EncoderCounts {
        let now = self.sensor.as_ref().map(|s| s.encoder.counts());
        let (now, past) = (now.unwrap_or_default(), self.past);
        EncoderCounts {
            events: past.events + now.events,
            spikes: past.spikes + now.spikes,
            merged: past.merged + now.merged,
            outside: past.outside + now.outside,
            unplaced: past.unplaced + now.unplaced,
            refused: past.refused + now.refused,
        }
    }

    fn encoder(&self, width: u16, height: u16) -> Result<Encoder, String> {
        let automatic = (width.min(height) / 2 / self.out).max(1) * self.out;
        let placement = if self.attention {
            match EncoderConfig::default().placement {
                Placement::Attention {
                    iterations,
                    smoothing_ticks,
                    min_events,
                    ..
                } => {
                    let min_events = min_events.min(self.history);
                    Placement::Attention {
                        history: self.history,
                        min_events,
                        iterations,
                        smoothing_ticks,
                    }
                }
                Placement::Centre => Placement::Centre,
            }
        } else {
            Placement::Centre
        };
        let config = EncoderConfig {
            sensor_width: width,
            sensor_height: height,
            window: if self.window == 0 {
                automatic
            } else {
                self.window
            },
            out: self.out,
            placement,
            ..EncoderConfig::default()
        };
        Encoder::new(config).map_err(|e| e.to_string())
    }

    fn packet(&mut self, packet: &EventPacket, ctx: &mut Context<'_>) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        if let Err(error) = self.decoder.decode(PacketView::from(packet), &mut batch) {
            self.counts.bad_packets += 1;
            ctx.log(Level::Warn, error.to_string());
        } else if let Err(reason) = self.ready(packet.width as u16, packet.height as u16) {
            self.counts.bad_packets += 1;
            ctx.log(Level::Error, reason);
        } else if !batch.events.is_empty() {
            self.encode(&batch.events, ctx);
        }
        self.batch = batch;
    }

    /// Makes the encoder for this sensor, at the first packet and when the size changes.
    fn ready(&mut self, width: u16, height: u16) -> Result<(), String> {
        if self
            .sensor
            .as_ref()
            .is_some_and(|s| (s.width, s.height) == (width, height))
        {
            return Ok(());
        }
        let encoder = self.encoder(width, height)?;
        self.past = self.encoder_counts();
        let last_us = vec![0; usize::from(width) * usize::from(height)];
        self.sensor = Some(Sensor {
            width,
            height,
            encoder,
            last_us,
            ticks: 0,
        });
        self.base_us = None;
        Ok(())
    }

    fn encode(&mut self, events: &[Event], ctx: &mut Context<'_>) {
        let Some(sensor) = &mut self.sensor else {
            return;
        };
        let first_us = events[0].t_us;
        if let Some(onset_us) = self.onset_us.take() {
            // An encoding with the sensor's own clock says nothing about ROS
            // time; there the first event after the onset stands for it.
            let same_clock = first_us.abs_diff(onset_us) < 1_000_000;
            self.base_us = Some(if same_clock { onset_us } else { first_us });
            sensor.ticks = 0;
            sensor.encoder.begin_interval();
        }
        let mut base_us = *self.base_us.get_or_insert(first_us);
        let tick_us = base_us.saturating_add(sensor.ticks as u64 * 1000);
        if tick_us.saturating_sub(first_us) > CATCH_UP_TICKS as u64 * 1000 {
            // The camera's clock was set back; its events would be late for ever.
            self.counts.clock_steps += 1;
            self.base_us = Some(first_us);
            base_us = first_us;
            sensor.ticks = 0;
        }
        let mut message = Spikes {
            population: "input".into(),
            size: sensor.encoder.config().n_inputs() as u32,
            seq: self.seq,
            ..Spikes::default()
        };
        message.header.stamp = Time::from_ns(ctx.now_ns);
        let first_tick = sensor
            .ticks
            .max((first_us.saturating_sub(base_us) / 1000) as i64);
        for event in events {
            self.counts.events += 1;
            let due = (event.t_us.saturating_sub(base_us) / 1000) as i64;
            if due < sensor.ticks {
                // Late by a tick or more: it joins the present tick.
                self.counts.backwards += u64::from(due + 1 < sensor.ticks);
            }
            while sensor.ticks < due {
                if due - sensor.ticks > CATCH_UP_TICKS {
                    sensor.ticks = due;
                    break;
                }
                emit(sensor, first_tick, &mut message);
            }
            if passes(
                event,
                sensor,
                self.refractory_us,
                self.background_us,
                &mut self.counts,
            ) {
                // Refused events are counted by the encoder.
                let _ = sensor.encoder.push(event.x, event.y, event.on);
            }
        }
        emit(sensor, first_tick, &mut message);
        self.counts.spikes += message.ids.len() as u64;
        self.seq += 1;
        if !message.ids.is_empty() {
            ctx.publish("spikes", message);
        }
    }
}

/// Ends a tick of the encoder and adds its spikes to the message.
fn emit(sensor: &mut Sensor, first_tick: i64, message: &mut Spikes) {
    let offset_us = (sensor.ticks - first_tick).max(0).saturating_mul(1000);
    let offset_us = u32::try_from(offset_us).unwrap_or(u32::MAX);
    let spikes = sensor.encoder.tick();
    message.ids.extend_from_slice(spikes);
    message
        .offsets_us
        .extend(std::iter::repeat_n(offset_us, spikes.len()));
    sensor.ticks += 1;
}

/// The filters: refractory time of a pixel, and support by a neighbour.
fn passes(
    event: &Event,
    sensor: &mut Sensor,
    refractory_us: u64,
    background_us: u64,
    counts: &mut Counts,
) -> bool {
    if refractory_us == 0 && background_us == 0 {
        return true;
    }
    let (width, height) = (usize::from(sensor.width), usize::from(sensor.height));
    let (x, y) = (usize::from(event.x), usize::from(event.y));
    if x >= width || y >= height {
        return true; // The encoder refuses and counts it.
    }
    let last_us = std::mem::replace(&mut sensor.last_us[y * width + x], event.t_us);
    if last_us > 0 && event.t_us.saturating_sub(last_us) < refractory_us {
        counts.refractory += 1;
        return false;
    }
    if background_us > 0 {
        let supported = (y.saturating_sub(1)..(y + 2).min(height)).any(|v| {
            (x.saturating_sub(1)..(x + 2).min(width)).any(|u| {
                let t_us = sensor.last_us[v * width + u];
                (u, v) != (x, y) && t_us > 0 && event.t_us.saturating_sub(t_us) <= background_us
            })
        });
        counts.background += u64::from(!supported);
        return supported;
    }
    true
}

impl Node for DvsIngest {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        let Input::Message { topic, payload } = input else {
            return;
        };
        match topic {
            "events" => match payload.get::<EventPacket>() {
                Ok(packet) => self.packet(&packet, ctx),
                Err(error) => {
                    self.counts.bad_packets += 1;
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
        }
    }

    fn health(&self) -> Health {
        let packets = self.decoder.counts();
        let encoder = self.encoder_counts();
        let c = self.counts;
        let values: [(&str, u64); 17] = [
            ("packets", packets.packets),
            ("packets lost", packets.lost),
            ("packets refused", c.bad_packets),
            ("events", c.events),
            ("events outside the sensor", packets.decode.outside),
            (
                "events before the stream was in step",
                packets.decode.unsynced,
            ),
            ("unknown words", packets.decode.unknown_words),
            ("removed: refractory", c.refractory),
            ("removed: background", c.background),
            ("merged", encoder.merged),
            ("outside the window", encoder.outside),
            ("before the window was placed", encoder.unplaced),
            ("refused by the encoder", encoder.refused),
            ("late by a tick or more", c.backwards),
            ("steps back of the camera's clock", c.clock_steps),
            ("spikes", c.spikes),
            ("torn bytes", packets.decode.torn_bytes),
        ];
        let warning = if packets.lost > 0 {
            Some(format!(
                "{} packets were lost before they came here",
                packets.lost
            ))
        } else if c.bad_packets > 0 {
            Some(format!("{} packets could not be decoded", c.bad_packets))
        } else {
            None
        };
        Health {
            warning,
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }
}
