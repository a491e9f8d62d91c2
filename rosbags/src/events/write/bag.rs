//! Bags with one topic of events: packets of up to a millisecond, as camera
//! drivers send them.

use std::path::{Path, PathBuf};

use saccade_msgs::Event;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::dvs_msgs;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::std_msgs::Header;

use super::super::{EventBatch, EventError, Geometry, RawEncoding, libcaer, libcaer_cmp, mono};
use super::options::{Encoding, FileFormat, WriteOptions};
use super::raw::Evt;
use crate::error::{BagError, Result};
use crate::file::part_of;
use crate::{BagWriter, Ros1Compression};

/// Time that a packet spans, µs.
const SPAN_US: u64 = 1000;
/// Events in a packet at most.
const PER_PACKET: usize = 1 << 16;
/// Times of ROS end here (2038), µs.
const END_US: u64 = (1 << 31) * 1_000_000;

/// Writes a bag under another name until it is finished.
pub(super) struct BagSink {
    path: PathBuf,
    part: PathBuf,
    bag: Option<BagWriter>,
    topic: String,
    sensor: Geometry,
    codec: Codec,
    /// The events of the next message.
    pending: EventBatch,
    /// Messages written.
    seq: u64,
    /// Events written.
    written: u64,
    lost: u64,
}

/// What turns events into a message.
enum Codec {
    Evt(&'static str, Evt),
    Mono,
    Libcaer,
    LibcaerCmp,
    DvsMsgs,
}

impl BagSink {
    /// Creates the bag.
    pub fn create(path: &Path, format: FileFormat, options: &WriteOptions) -> Result<Self> {
        let part = part_of(path).map_err(|e| BagError::io(path, "create", e))?;
        let bag = match format {
            FileFormat::Ros1Bag => BagWriter::ros1(&part, Ros1Compression::Lz4)?,
            _ => BagWriter::mcap(&part)?,
        };
        let encoding = options.encoding.unwrap_or(Encoding::Mono);
        let evt = |encoding: RawEncoding| Evt::new(encoding);
        let codec = match (encoding, encoding.raw().and_then(evt)) {
            (_, Some(evt)) => Codec::Evt(encoding.name(), evt),
            (Encoding::Libcaer, None) => Codec::Libcaer,
            (Encoding::LibcaerCmp, None) => Codec::LibcaerCmp,
            (Encoding::DvsMsgs, None) => Codec::DvsMsgs,
            (_, None) => Codec::Mono,
        };
        Ok(Self {
            path: path.to_owned(),
            part,
            bag: Some(bag),
            topic: options.topic.clone().unwrap_or_else(|| "/events".into()),
            sensor: options.geometry.unwrap_or(Geometry::UNBOUNDED),
            codec,
            pending: EventBatch::default(),
            seq: 0,
            written: 0,
            lost: 0,
        })
    }

    /// Takes events and triggers; returns how many triggers were lost.
    pub fn batch(&mut self, batch: &EventBatch) -> Result<u64> {
        let mut triggers = batch.triggers.iter().peekable();
        for event in &batch.events {
            while let Some(trigger) = triggers.next_if(|t| t.t_us <= event.t_us) {
                self.pending.triggers.push(*trigger);
            }
            let first_us = self.pending.events.first().map_or(event.t_us, |e| e.t_us);
            let far = event.t_us.abs_diff(first_us) >= SPAN_US;
            if far || self.pending.events.len() == PER_PACKET {
                self.put()?;
            }
            self.pending.events.push(*event);
        }
        self.pending.triggers.extend(triggers);
        if self.pending.triggers.len() >= PER_PACKET {
            self.put()?;
        }
        Ok(std::mem::take(&mut self.lost))
    }

    /// Writes what is pending as one message.
    fn put(&mut self) -> Result<()> {
        let times = || {
            let events = self.pending.events.iter().map(|e| e.t_us);
            events.chain(self.pending.triggers.iter().map(|t| t.t_us))
        };
        let (Some(first_us), Some(last_us)) = (times().min(), times().max()) else {
            return Ok(());
        };
        let place = (self.pending.events.iter()).position(|e| e.t_us >= END_US);
        if let Some(i) = place {
            let why = "times of ROS go up to 2^31 s; count times from the first event";
            let error = EventError::unencodable(i, self.pending.events[i], "a bag", why);
            return Err(self.failed(error));
        }
        if last_us >= END_US {
            self.lost += self.pending.triggers.len() as u64;
            self.pending.triggers.clear();
            return self.put();
        }
        let stamp_ns = (1000 * last_us) as i64;
        let header = Header {
            stamp: Time::from_ns((1000 * first_us) as i64),
            frame_id: String::new(),
        };
        let Some(bag) = &mut self.bag else {
            return Ok(());
        };
        let (width, height) = (self.sensor.width.into(), self.sensor.height.into());
        if let Codec::DvsMsgs = self.codec {
            self.lost += self.pending.triggers.len() as u64;
            let array = dvs_msgs::EventArray {
                header,
                height,
                width,
                events: self.pending.events.iter().map(dvs_event).collect(),
            };
            bag.write(&self.topic, stamp_ns, &array)?;
        } else {
            let (encoding, events) = match encode(&mut self.codec, &self.pending, first_us) {
                Ok((encoding, events, lost)) => {
                    self.lost += lost;
                    (encoding, events)
                }
                Err(error) => return Err(self.failed(error)),
            };
            let packet = EventPacket {
                header,
                height,
                width,
                seq: self.seq,
                time_base: 1000 * first_us,
                encoding: encoding.to_owned(),
                is_bigendian: false,
                events,
            };
            bag.write(&self.topic, stamp_ns, &packet)?;
        }
        self.seq += 1;
        self.written += self.pending.events.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Completes the bag and gives it its name.
    pub fn finish(mut self) -> Result<u64> {
        self.put()?;
        if let Some(bag) = self.bag.take() {
            bag.finish()?;
        }
        std::fs::rename(&self.part, &self.path)
            .map_err(|e| BagError::io(&self.path, "write", e))?;
        Ok(self.lost)
    }

    fn failed(&self, error: EventError) -> BagError {
        BagError::Events {
            path: self.path.clone(),
            source: error.after(self.written),
        }
    }
}

impl Drop for BagSink {
    fn drop(&mut self) {
        // A finished bag has another name by now.
        let mut active = self.part.clone().into_os_string();
        active.push(".active");
        drop(self.bag.take());
        let _ = std::fs::remove_file(&self.part);
        let _ = std::fs::remove_file(active);
    }
}

/// The bytes of a packet whose times count from `first_us`, the encoding's name,
/// and how many triggers it cannot say. Every packet can be decoded on its own.
fn encode(
    codec: &mut Codec,
    batch: &EventBatch,
    first_us: u64,
) -> std::result::Result<(&'static str, Vec<u8>, u64), EventError> {
    let mut out = Vec::new();
    let no_triggers = batch.triggers.len() as u64;
    match codec {
        Codec::Evt(name, evt) => {
            evt.tell_anew();
            let lost = evt.batch(batch, &mut out)?;
            Ok((name, out, lost))
        }
        Codec::Libcaer => {
            libcaer::encode(&batch.events, first_us, &mut out)?;
            Ok(("libcaer", out, no_triggers))
        }
        Codec::LibcaerCmp => {
            libcaer_cmp::encode(&batch.events, first_us, &mut out)?;
            Ok(("libcaer_cmp", out, no_triggers))
        }
        Codec::Mono | Codec::DvsMsgs => {
            mono::encode(&batch.events, 1000 * first_us, &mut out)?;
            Ok(("mono", out, no_triggers))
        }
    }
}

fn dvs_event(event: &Event) -> dvs_msgs::Event {
    dvs_msgs::Event {
        x: event.x,
        y: event.y,
        ts: Time::from_ns((1000 * event.t_us) as i64),
        polarity: event.on,
    }
}
