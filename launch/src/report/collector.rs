//! Watches a run and keeps what its report shows.

use super::journeys::Journeys;
use super::summary::Trial;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{
    Activity, Decision, GraspState, ObjectTruth, SaccadePhase, Spikes, TrialResult,
};
use saccade_msgs::sensor_msgs::{Image, JointState};
use saccade_msgs::{Event, Message};
use saccade_nodes::Payload;
use saccade_nodes::host::Observer;
use saccade_rosbags::events::{EventBatch, PacketDecoder, PacketView};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept of a saccade, from its onset on, ns.
pub const SACCADE_NS: i64 = 700_000_000;
/// Joint states closer together than this are left out, ns.
const JOINT_STEP_NS: i64 = 20_000_000;
/// Bounds of what one trial may keep; more is counted, not kept.
const MAX_EVENTS: usize = 2_000_000;
const MAX_SAMPLES: usize = 200_000;

/// A watcher of a run: hand [`Collector::observer`] to the host, and afterwards
/// [`Collector::take`] what it saw. Clones share what they saw.
#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Seen>>);

impl Collector {
    /// The observer to hand to a host.
    pub fn observer(&self) -> Box<dyn Observer> {
        Box::new(self.clone())
    }

    /// Verdicts so far.
    pub fn trials(&self) -> Vec<Trial> {
        self.seen().trials.clone()
    }

    /// Hands out everything seen and forgets it.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A panic of the host elsewhere does not make what was seen wrong.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Collector {
    fn message(&mut self, now_ns: i64, _node: &str, topic: &str, payload: &Payload) {
        self.seen().message(now_ns, topic, payload);
    }
}

/// All that was seen: every verdict, and some trials in detail.
#[derive(Default)]
pub struct Seen {
    /// Verdicts in order.
    pub trials: Vec<Trial>,
    /// The first success and the first failure of every class.
    pub details: Vec<Detail>,
    /// Journeys, where a run has these.
    pub journeys: Journeys,
    current: Detail,
    image: Option<Payload>,
    scene_seed: Option<u64>,
    decoder: PacketDecoder,
    batch: EventBatch,
}

/// One trial in detail.
#[derive(Default)]
pub struct Detail {
    /// The verdict.
    pub trial: Option<Trial>,
    /// First and last message, ns.
    pub range_ns: Option<(i64, i64)>,
    /// Onset of the saccade that led to the decision, ns.
    pub onset_ns: Option<i64>,
    /// The head camera when the saccade began (or soon after), and when the
    /// object was held (or at the end): `sensor_msgs/msg/Image`.
    pub before: Option<Arc<Image>>,
    /// See `before`.
    pub after: Option<Arc<Image>>,
    /// Columns and rows of the event camera.
    pub sensor: (u32, u32),
    /// Events of the saccade.
    pub events: Vec<Event>,
    /// Spikes of the hidden neurons: (ns, neuron).
    pub spikes: Vec<(i64, u32)>,
    /// Number of hidden neurons.
    pub neurons: u32,
    /// Class names of `probabilities`.
    pub classes: Vec<String>,
    /// Probability of each class at (ns).
    pub probabilities: Vec<(i64, Vec<f32>)>,
    /// Whether the final decision has fallen: saccades after it do not matter.
    decided: bool,
    /// Names of the arm's joints.
    pub joint_names: Vec<String>,
    /// Their positions at (ns), rad.
    pub joints: Vec<(i64, Vec<f64>)>,
    /// States of the grasping state machine and when they began, ns.
    pub states: Vec<(i64, String)>,
    /// What was left out because the bounds were reached.
    pub cut: u64,
}

impl Detail {
    fn begin_saccade(&mut self, now_ns: i64, image: Option<Arc<Image>>) {
        self.onset_ns = Some(now_ns);
        self.before = image;
        self.events.clear();
        self.spikes.clear();
        self.probabilities.clear();
    }

    fn in_saccade(&self, t_ns: i64) -> bool {
        self.onset_ns
            .is_some_and(|onset| (onset..onset + SACCADE_NS).contains(&t_ns))
    }

    fn state(&self) -> &str {
        self.states.last().map_or("", |s| s.1.as_str())
    }

    fn room(&mut self, len: usize) -> bool {
        let room = len < MAX_SAMPLES;
        self.cut += u64::from(!room);
        room
    }
}

impl Seen {
    fn message(&mut self, now_ns: i64, topic: &str, payload: &Payload) {
        self.journeys.message(topic, payload);
        let range = self.current.range_ns.get_or_insert((now_ns, now_ns));
        range.1 = range.1.max(now_ns);
        // A message that does not decode is the host's to report.
        match payload.type_name() {
            Image::TYPE_NAME if topic.contains("head_camera") => self.image(payload),
            ObjectTruth::TYPE_NAME => {
                if let Ok(truth) = payload.get::<ObjectTruth>() {
                    self.scene(truth.seed);
                }
            }
            EventPacket::TYPE_NAME => {
                if let Ok(packet) = payload.get::<EventPacket>() {
                    self.packet(&packet);
                }
            }
            SaccadePhase::TYPE_NAME => {
                if let Ok(phase) = payload.get::<SaccadePhase>()
                    && phase.moving
                    && !self.current.decided
                {
                    let image = self.latest_image();
                    self.current
                        .begin_saccade(phase.header.stamp.to_ns(), image);
                }
            }
            Spikes::TYPE_NAME => {
                if let Ok(spikes) = payload.get::<Spikes>() {
                    self.spikes(&spikes);
                }
            }
            Activity::TYPE_NAME => {
                if let Ok(activity) = payload.get::<Activity>() {
                    self.activity(&activity);
                }
            }
            Decision::TYPE_NAME => {
                if let Ok(decision) = payload.get::<Decision>() {
                    self.current.decided |= decision.r#final;
                }
            }
            JointState::TYPE_NAME => {
                if let Ok(joints) = payload.get::<JointState>() {
                    self.joints(now_ns, &joints);
                }
            }
            GraspState::TYPE_NAME => {
                if let Ok(state) = payload.get::<GraspState>() {
                    self.state(now_ns, &state.state);
                }
            }
            TrialResult::TYPE_NAME => {
                if let Ok(result) = payload.get::<TrialResult>() {
                    self.finish(now_ns, Trial::from(result.as_ref()));
                }
            }
            _ => {}
        }
    }

    /// The first picture of the scene after the onset serves as the one before
    /// the grasp, where none was taken earlier.
    fn image(&mut self, payload: &Payload) {
        self.image = Some(payload.clone());
        if self.current.onset_ns.is_some() && self.current.before.is_none() {
            self.current.before = self.latest_image();
        }
    }

    /// A picture of another scene is none of this one.
    fn scene(&mut self, seed: u64) {
        if self.scene_seed.replace(seed) != Some(seed) {
            self.image = None;
        }
    }

    fn latest_image(&self) -> Option<Arc<Image>> {
        self.image
            .as_ref()
            .and_then(|payload| payload.get::<Image>().ok())
    }

    /// Packets outside of the saccade are not looked at, whatever they cost; where
    /// the encoding carries state over them, its first events are missed.
    fn packet(&mut self, packet: &EventPacket) {
        if !self.current.in_saccade(packet.header.stamp.to_ns()) {
            return;
        }
        self.batch.clear();
        if self
            .decoder
            .decode(PacketView::from(packet), &mut self.batch)
            .is_err()
        {
            return;
        }
        let current = &mut self.current;
        current.sensor = (packet.width, packet.height);
        for event in &self.batch.events {
            let t_ns = i64::try_from(event.t_us)
                .unwrap_or(i64::MAX)
                .saturating_mul(1000);
            if !current.in_saccade(t_ns) {
                continue;
            }
            if current.events.len() < MAX_EVENTS {
                current.events.push(*event);
            } else {
                current.cut += 1;
            }
        }
    }

    /// Spikes of the classifier's recurrent layer; its inputs are left out.
    fn spikes(&mut self, spikes: &Spikes) {
        if spikes.population != "hidden" {
            return;
        }
        let current = &mut self.current;
        current.neurons = spikes.size;
        let start_ns = spikes.header.stamp.to_ns();
        for (&id, &offset_us) in spikes.ids.iter().zip(&spikes.offsets_us) {
            let t_ns = start_ns + i64::from(offset_us) * 1000;
            if current.in_saccade(t_ns) && current.room(current.spikes.len()) {
                current.spikes.push((t_ns, id));
            }
        }
    }

    fn activity(&mut self, activity: &Activity) {
        let current = &mut self.current;
        let t_ns = activity.header.stamp.to_ns();
        if current.in_saccade(t_ns) && current.room(current.probabilities.len()) {
            if current.classes != activity.classes {
                current.classes.clone_from(&activity.classes);
            }
            current
                .probabilities
                .push((t_ns, activity.probabilities.clone()));
        }
    }

    fn joints(&mut self, now_ns: i64, joints: &JointState) {
        let current = &mut self.current;
        if current
            .joints
            .last()
            .is_some_and(|last| now_ns < last.0 + JOINT_STEP_NS)
        {
            return;
        }
        let arm = || {
            joints
                .name
                .iter()
                .zip(&joints.position)
                .filter(|(n, _)| n.starts_with("arm_"))
        };
        if arm().next().is_none() || !current.room(current.joints.len()) {
            return;
        }
        if current.joint_names.is_empty() {
            current.joint_names = arm().map(|(name, _)| name.clone()).collect();
        }
        current
            .joints
            .push((now_ns, arm().map(|(_, p)| *p).collect()));
    }

    fn state(&mut self, now_ns: i64, state: &str) {
        // The picture of success: the moment in which holding ends.
        if self.current.state() == "holding" && state != "holding" {
            self.current.after = self.latest_image();
        }
        if self.current.state() != state && self.current.room(self.current.states.len()) {
            self.current.states.push((now_ns, state.to_owned()));
        }
    }

    fn finish(&mut self, now_ns: i64, trial: Trial) {
        let state = self.current.state().to_owned();
        let mut detail = std::mem::take(&mut self.current);
        if detail.after.is_none() {
            detail.after = self.latest_image();
        }
        self.current.states.push((now_ns, state));
        let alike = |d: &&Detail| {
            d.trial
                .as_ref()
                .is_some_and(|t| t.truth == trial.truth && t.success == trial.success)
        };
        if self.details.iter().find(alike).is_none() {
            detail.trial = Some(trial.clone());
            self.details.push(detail);
        }
        self.trials.push(trial);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use saccade_msgs::builtin_interfaces::Time;
    use saccade_msgs::std_msgs::Header;

    fn header(ns: i64) -> Header {
        Header {
            stamp: Time::from_ns(ns),
            ..Header::default()
        }
    }

    fn image(level: u8) -> Image {
        Image {
            width: 8,
            height: 6,
            step: 24,
            encoding: "rgb8".into(),
            data: vec![level; 8 * 6 * 3],
            ..Image::default()
        }
    }

    /// A trial as the nodes would tell it, starting at `at` ns and 2 s long.
    pub fn play(collector: &Collector, at: i64, truth: &str, success: bool) {
        let mut observer = collector.observer();
        let ms = |n: i64| at + n * 1_000_000;
        let mut say = |now, topic: &str, payload| observer.message(now, "node", topic, &payload);
        let states = [
            (0, "idle"),
            (10, "looking"),
            (900, "lifting"),
            (1200, "holding"),
            (1500, "opening"),
        ];
        let truth_of_scene = ObjectTruth {
            seed: at as u64,
            ..Default::default()
        };
        say(ms(0), "/head_camera/image_raw", Payload::new(image(1)));
        say(ms(0), "/ground_truth/object", Payload::new(truth_of_scene));
        say(ms(2), "/head_camera/image_raw", Payload::new(image(10)));
        for (t, state) in states {
            if t == 900 {
                let phase = SaccadePhase {
                    header: header(ms(20)),
                    moving: true,
                    ..Default::default()
                };
                say(ms(20), "/saccade", Payload::new(phase));
            }
            if t == 1200 {
                say(ms(1190), "/head_camera/image_raw", Payload::new(image(99)));
            }
            let message = GraspState {
                header: header(ms(t)),
                state: state.into(),
                ..Default::default()
            };
            say(ms(t), "/grasp/state", Payload::new(message.clone()));
            say(ms(t + 1), "/grasp/state", Payload::new(message));
        }
        for t in 0..800 {
            let now = ms(20 + t);
            let p = t as f32 / 800.0;
            let activity = Activity {
                header: header(now),
                classes: vec![truth.into(), "other".into()],
                probabilities: vec![p, 1.0 - p],
                ..Default::default()
            };
            say(now, "/classifier/activity", Payload::new(activity));
            let spikes = Spikes {
                header: header(now),
                population: "hidden".into(),
                size: 5,
                ids: vec![(t % 5) as u32],
                offsets_us: vec![0],
                ..Default::default()
            };
            say(now, "/classifier/spikes", Payload::new(spikes));
            let name = vec!["arm_1_joint".to_owned(), "head_pan_joint".to_owned()];
            let joints = JointState {
                name,
                position: vec![f64::from(p), 9.0],
                ..Default::default()
            };
            say(now, "/joint_states", Payload::new(joints));
        }
        let first = u64::try_from(ms(20) / 1000).expect("positive");
        let events: Vec<Event> = (0..100)
            .map(|i| Event {
                t_us: first + i * 10_000,
                x: i as u16,
                y: 3,
                on: i % 2 == 0,
            })
            .collect();
        let sensor = saccade_rosbags::events::Geometry {
            width: 128,
            height: 128,
        };
        let packet = saccade_rosbags::events::mono_packet(&events, first * 1000, sensor, 0, "dvs");
        let packet = packet.expect("a valid packet");
        say(ms(820), "/dvs_right/events", Payload::new(packet));
        let decision = Decision {
            header: header(ms(220)),
            label: truth.into(),
            confidence: 0.9,
            r#final: true,
            ..Default::default()
        };
        say(ms(820), "/decision", Payload::new(decision));
        let result = TrialResult {
            header: header(ms(2000)),
            truth: truth.into(),
            decision: truth.into(),
            success,
            decision_time_s: 0.2,
            ..Default::default()
        };
        say(ms(2000), "/trials", Payload::new(result));
    }

    #[test]
    fn a_trial_is_kept_with_everything_its_pictures_need() {
        let collector = Collector::default();
        play(&collector, 1_000_000_000, "ball", true);
        let seen = collector.take();
        let [detail] = &seen.details[..] else {
            panic!("one trial")
        };
        assert_eq!(detail.onset_ns, Some(1_020_000_000));
        // 700 of the 800 ms, every 10 ms an event, every 1 ms a spike.
        assert_eq!(
            (
                detail.events.len(),
                detail.spikes.len(),
                detail.probabilities.len()
            ),
            (70, 700, 700)
        );
        assert_eq!(detail.joint_names, ["arm_1_joint"]);
        assert_eq!(detail.joints.len(), 40, "every 20 ms");
        let states: Vec<_> = detail.states.iter().map(|s| s.1.as_str()).collect();
        assert_eq!(states, ["idle", "looking", "lifting", "holding", "opening"]);
        assert_eq!(detail.before.as_ref().map(|i| i.data[0]), Some(10));
        assert_eq!(detail.after.as_ref().map(|i| i.data[0]), Some(99));
        assert_eq!(detail.cut, 0);
    }

    #[test]
    fn a_picture_of_the_scene_before_is_not_shown() {
        let collector = Collector::default();
        let mut observer = collector.observer();
        let mut say = |now, payload| observer.message(now, "node", "/head_camera/x", &payload);
        let scene = |seed| {
            Payload::new(ObjectTruth {
                seed,
                ..Default::default()
            })
        };
        say(0, scene(1));
        say(1, Payload::new(image(1)));
        say(2, scene(2));
        let phase = SaccadePhase {
            moving: true,
            ..Default::default()
        };
        say(3, Payload::new(phase));
        say(4, Payload::new(image(2)));
        say(5, Payload::new(image(3)));
        say(6, Payload::new(TrialResult::default()));
        let seen = collector.take();
        let before = seen.details[0].before.as_ref();
        assert_eq!(before.map(|i| i.data[0]), Some(2));
    }

    #[test]
    fn memory_is_bounded_by_classes_not_by_trials() {
        let collector = Collector::default();
        for i in 0..20 {
            play(
                &collector,
                i * 3_000_000_000,
                if i % 2 == 0 { "pen" } else { "ball" },
                i > 9,
            );
        }
        let seen = collector.take();
        assert_eq!(seen.trials.len(), 20);
        assert_eq!(
            seen.details.len(),
            4,
            "first failure and first success of two classes"
        );
    }
}
