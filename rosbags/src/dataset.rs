//! Labelled samples out of a bag: what the camera saw in each microsaccade.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{Label, SaccadePhase};
use saccade_msgs::{Event, Message};
use xxhash_rust::xxh3::Xxh3;

use crate::bag::BagReader;
use crate::error::{BagError, Result};
use crate::events::{EventBatch, PacketDecoder, PacketView, hash_events};
use crate::message::RawMessage;

/// Topic of the camera's `event_camera_msgs/EventPacket`.
pub const EVENTS_TOPIC: &str = "/dvs_right/events";
/// Topic of `saccade_msgs/Label`.
pub const LABEL_TOPIC: &str = "/label";
/// Topic of `saccade_msgs/SaccadePhase`.
pub const SACCADE_TOPIC: &str = "/saccade";

/// A sample lasts this long from the saccade's onset, µs, unless the next comes first.
pub const SAMPLE_US: u64 = 700_000;
/// How much later than others of its time a message may be recorded, µs.
const SLACK_US: u64 = 200_000;

/// The events of one saccade and what there was to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledSample {
    /// Number of the saccade in its recording.
    pub id: u32,
    /// Name of the class.
    pub label: String,
    /// Index of the class; -1 is none.
    pub class_id: i32,
    /// Time of the onset, µs, on the clock of the events.
    pub onset_us: u64,
    /// Events from the onset on, with their times as recorded.
    pub events: Vec<Event>,
    /// Columns of the camera.
    pub width: u16,
    /// Rows of the camera.
    pub height: u16,
}

impl LabelledSample {
    /// Adds all of the sample to a checksum.
    fn hash(&self, hash: &mut Xxh3) {
        hash.update(&self.id.to_le_bytes());
        hash.update(&(self.label.len() as u64).to_le_bytes());
        hash.update(self.label.as_bytes());
        hash.update(&self.class_id.to_le_bytes());
        hash.update(&self.onset_us.to_le_bytes());
        hash.update(&self.width.to_le_bytes());
        hash.update(&self.height.to_le_bytes());
        hash.update(&(self.events.len() as u64).to_le_bytes());
        hash_events(&self.events, hash);
    }
}

/// Iterates over the labelled samples of a bag of any format, in the order of
/// the saccades, with memory for a sample.
///
/// A sample starts where a [`SaccadePhase`] says that the eye begins to move,
/// and takes the last [`Label`] stamped at or before that moment.
///
/// ```no_run
/// # fn main() -> saccade_rosbags::Result<()> {
/// for sample in saccade_rosbags::dataset::Dataset::open("train.bag".as_ref())? {
///     let sample = sample?;
///     println!("{} {} events", sample.label, sample.events.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct Dataset {
    path: PathBuf,
    bag: BagReader,
    decoder: PacketDecoder,
    batch: EventBatch,
    size: (u16, u16),
    labels: VecDeque<StampedLabel>,
    /// Onsets whose samples are not complete: (time in µs, saccade).
    onsets: VecDeque<(u64, u32)>,
    moving: bool,
    /// Events from the first open onset on, or the latest if there is none.
    events: Vec<Event>,
    /// Length of `events` at which old ones are dropped next.
    trim_at: usize,
    newest_event_us: u64,
    /// Latest stamp of labels and saccade phases.
    newest_stamp_us: u64,
    /// The first message of a new clock, until the samples of the old one are out.
    held: Option<Input>,
    ended: bool,
    unlabelled: u64,
}

/// A message that matters here.
enum Input {
    Packet(EventPacket),
    Label(Label),
    Phase(SaccadePhase),
}

impl Input {
    fn decode(message: &RawMessage, path: &Path) -> Result<Option<Self>> {
        Ok(match message.topic() {
            EVENTS_TOPIC => Some(Self::Packet(message.decode(path)?)),
            LABEL_TOPIC => Some(Self::Label(message.decode(path)?)),
            SACCADE_TOPIC => Some(Self::Phase(message.decode(path)?)),
            _ => None,
        })
    }

    /// The stamp of a label or phase, µs.
    fn stamp_us(&self) -> Option<u64> {
        let header = match self {
            Self::Packet(_) => return None,
            Self::Label(label) => &label.header,
            Self::Phase(phase) => &phase.header,
        };
        Some(u64::try_from(header.stamp.to_ns() / 1000).unwrap_or(0))
    }
}

struct StampedLabel {
    t_us: u64,
    label: String,
    class_id: i32,
}

impl Dataset {
    /// Opens a bag with the topics [`EVENTS_TOPIC`], [`LABEL_TOPIC`] and
    /// [`SACCADE_TOPIC`].
    ///
    /// # Errors
    /// If the bag cannot be read or lacks one of the topics.
    pub fn open(path: &Path) -> Result<Self> {
        let mut bag = BagReader::open(path)?;
        let connections = bag.connections()?;
        let wanted = [
            (EVENTS_TOPIC, EventPacket::TYPE_NAME),
            (LABEL_TOPIC, Label::TYPE_NAME),
            (SACCADE_TOPIC, SaccadePhase::TYPE_NAME),
        ];
        for (topic, type_name) in wanted {
            if !(connections.iter()).any(|c| c.topic == topic && c.type_name == type_name) {
                let has: Vec<_> = (connections.iter())
                    .map(|c| format!("{} ({})", c.topic, c.type_name))
                    .collect();
                return Err(BagError::NoTopic {
                    path: path.to_owned(),
                    what: format!("a data set needs the topic `{topic}` of type {type_name}"),
                    has: format!("[{}]", has.join(", ")),
                });
            }
        }
        Ok(Self {
            path: path.to_owned(),
            bag,
            decoder: PacketDecoder::new(),
            batch: EventBatch::default(),
            size: (0, 0),
            labels: VecDeque::new(),
            onsets: VecDeque::new(),
            moving: false,
            events: Vec::new(),
            trim_at: 0,
            newest_event_us: 0,
            newest_stamp_us: 0,
            held: None,
            ended: false,
            unlabelled: 0,
        })
    }

    /// Saccades so far that had no label and were left out.
    pub fn unlabelled(&self) -> u64 {
        self.unlabelled
    }

    /// XXH3-64 over all samples of the bag, which is read anew for it. The same
    /// samples give the same value whatever the format of the bag.
    ///
    /// # Errors
    /// As [`Dataset::open`] and reading.
    pub fn fingerprint(&self) -> Result<u64> {
        let mut hash = Xxh3::new();
        for sample in Self::open(&self.path)? {
            sample?.hash(&mut hash);
        }
        Ok(hash.digest())
    }

    fn next_sample(&mut self) -> Result<Option<LabelledSample>> {
        loop {
            while self.first_is_complete() {
                if let Some(sample) = self.take_sample() {
                    return Ok(Some(sample));
                }
            }
            if let Some(input) = self.held.take() {
                self.start_anew();
                self.take_in(input)?;
                continue;
            }
            if self.ended {
                return Ok(None);
            }
            let Some(message) = self.bag.next_message()? else {
                self.ended = true;
                continue;
            };
            let Some(input) = Input::decode(&message, &self.path)? else {
                continue;
            };
            let set_back = |stamp_us: u64| stamp_us + SLACK_US < self.newest_stamp_us;
            if input.stamp_us().is_some_and(set_back) {
                self.held = Some(input);
            } else {
                self.take_in(input)?;
            }
        }
    }

    /// Forgets what belongs to a clock that was set back.
    fn start_anew(&mut self) {
        self.labels.clear();
        self.events.clear();
        self.trim_at = 0;
        self.moving = false;
        self.newest_event_us = 0;
        self.newest_stamp_us = 0;
    }

    fn take_in(&mut self, input: Input) -> Result<()> {
        let stamp_us = input.stamp_us().unwrap_or(0);
        self.newest_stamp_us = self.newest_stamp_us.max(stamp_us);
        match input {
            Input::Packet(packet) => return self.take_packet(&packet),
            Input::Label(label) => self.labels.push_back(StampedLabel {
                t_us: stamp_us,
                label: label.label,
                class_id: label.class_id,
            }),
            Input::Phase(phase) => {
                if phase.moving && !self.moving {
                    self.onsets.push_back((stamp_us, phase.id));
                }
                self.moving = phase.moving;
            }
        }
        Ok(())
    }

    fn take_packet(&mut self, packet: &EventPacket) -> Result<()> {
        self.batch.clear();
        self.decoder
            .decode(PacketView::from(packet), &mut self.batch)
            .map_err(|source| BagError::Events {
                path: self.path.clone(),
                source,
            })?;
        // The decoder has refused any size that does not fit.
        self.size = (packet.width as u16, packet.height as u16);
        if let Some(last) = self.batch.events.last() {
            self.newest_event_us = last.t_us;
        }
        self.events.extend_from_slice(&self.batch.events);
        if self.onsets.is_empty() && self.events.len() > self.trim_at {
            let from = self.newest_event_us.saturating_sub(SLACK_US);
            self.events.retain(|e| e.t_us >= from);
            self.trim_at = 2 * self.events.len();
        }
        Ok(())
    }

    /// The end of the first open sample, if there is one.
    fn first_end(&self) -> Option<u64> {
        let (onset, _) = self.onsets.front()?;
        let end = onset.saturating_add(SAMPLE_US);
        let next = self.onsets.get(1).map_or(end, |(next, _)| *next);
        Some(end.min(next))
    }

    fn first_is_complete(&self) -> bool {
        self.first_end().is_some_and(|end| {
            self.ended
                || self.held.is_some()
                || self.newest_event_us >= end
                || self.newest_stamp_us >= end.saturating_add(SLACK_US)
        })
    }

    /// Takes the first open sample; `None` if it has no label.
    fn take_sample(&mut self) -> Option<LabelledSample> {
        let end = self.first_end()?;
        let (onset_us, id) = self.onsets.pop_front()?;
        let events = (self.events.iter())
            .filter(|e| (onset_us..end).contains(&e.t_us))
            .copied()
            .collect();
        self.events.retain(|e| e.t_us >= end);
        let current = self.labels.iter().rposition(|l| l.t_us <= onset_us);
        let Some(current) = current else {
            self.unlabelled += 1;
            return None;
        };
        // Labels before the current one will not be asked for again.
        self.labels.drain(..current);
        let label = self.labels.front()?;
        Some(LabelledSample {
            id,
            label: label.label.clone(),
            class_id: label.class_id,
            onset_us,
            events,
            width: self.size.0,
            height: self.size.1,
        })
    }
}

impl Iterator for Dataset {
    type Item = Result<LabelledSample>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_sample().transpose();
        if matches!(next, Some(Err(_))) {
            self.ended = true;
            self.held = None;
            self.onsets.clear();
        }
        next
    }
}
