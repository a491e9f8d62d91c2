//! What the node knows of the robot and the scene, and how old it is.

use super::evidence::CameraPath;
use super::geometry::Camera;
use super::kinematics::{DOF, Joints};
use super::plan::{HAND_JOINTS, Hand};
use super::tf::{TfBuffer, TfError};
use saccade_msgs::Event;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::sensor_msgs::{CameraInfo, JointState};
use saccade_msgs::tf2_msgs::TFMessage;
use saccade_rosbags::events::{EventBatch, PacketDecoder, PacketView};

/// Joints of the arm in the order of every [`Joints`].
pub const ARM_JOINTS: [&str; DOF] = [
    "arm_1_joint",
    "arm_2_joint",
    "arm_3_joint",
    "arm_4_joint",
    "arm_5_joint",
    "arm_6_joint",
];

/// Positions with the time they were measured at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured<T> {
    /// ROS time, ns.
    pub stamp_ns: i64,
    /// The value.
    pub value: T,
}

/// Most events kept of a look; more are counted as dropped.
const EVENTS_MAX: usize = 4_000_000;
/// Beyond this difference, the camera has a clock of its own, µs.
const OWN_CLOCK_US: i64 = 1_000_000;

/// Everything received.
#[derive(Debug, Default)]
pub struct Senses {
    /// Arm joints, radians.
    pub arm: Option<Measured<Joints>>,
    /// Hand joints, radians.
    pub hand: Option<Measured<Hand>>,
    /// The event camera and its optical frame.
    pub camera: Option<(Camera, String)>,
    /// Why the last camera_info was not taken.
    pub camera_refused: Option<String>,
    /// The tree of frames.
    pub tf: TfBuffer,
    /// When the last packet of events came, ROS time, ns.
    pub packet_ns: Option<i64>,
    /// Whether the e-stop is pressed.
    pub e_stop: bool,
    /// Events of the present look.
    pub events: Vec<Event>,
    /// Whether events are being kept.
    pub recording: bool,
    /// Events that found no room.
    pub dropped: u64,
    /// Messages that could not be used.
    pub unusable: u64,
    decoder: PacketDecoder,
    batch: EventBatch,
    clock_offset_us: Option<i64>,
}

impl Senses {
    /// Forgets what was sensed so far; the e-stop stays as it is.
    pub fn forget(&mut self) {
        *self = Senses {
            e_stop: self.e_stop,
            dropped: self.dropped,
            unusable: self.unusable,
            ..Senses::default()
        };
    }

    /// Forgets the events so far and keeps those to come.
    pub fn record(&mut self) {
        self.events.clear();
        self.recording = true;
        self.clock_offset_us = None;
    }

    /// Takes joint positions in; joints of others are ignored.
    pub fn joints(&mut self, message: &JointState, now_ns: i64) {
        let stamp_ns = stamp_or(message.header.stamp.to_ns(), now_ns);
        if let Some(value) = pick(message, &ARM_JOINTS) {
            self.arm = Some(Measured { stamp_ns, value });
        }
        if let Some(value) = pick(message, &HAND_JOINTS) {
            self.hand = Some(Measured { stamp_ns, value });
        }
    }

    /// Takes a calibration in.
    pub fn camera_info(&mut self, info: &CameraInfo) {
        match camera(info) {
            Ok(camera) => {
                self.camera = Some((camera, info.header.frame_id.clone()));
                self.camera_refused = None;
            }
            Err(reason) => {
                self.camera = None;
                self.camera_refused = Some(reason);
            }
        }
    }

    /// Takes transforms in.
    pub fn transforms(&mut self, message: &TFMessage, fixed: bool) {
        for transform in &message.transforms {
            if !self.tf.insert(transform, fixed) {
                self.unusable += 1;
            }
        }
    }

    /// Takes a packet of events in.
    pub fn packet(&mut self, packet: &EventPacket, now_ns: i64) {
        let stamp_ns = stamp_or(packet.header.stamp.to_ns(), now_ns);
        self.batch.clear();
        if self
            .decoder
            .decode(PacketView::from(packet), &mut self.batch)
            .is_err()
        {
            self.unusable += 1;
            return;
        }
        self.packet_ns = Some(stamp_ns);
        let (true, Some(first)) = (self.recording, self.batch.events.first()) else {
            return;
        };
        // A camera with a clock of its own is tied to the packet's stamp.
        let offset = *self.clock_offset_us.get_or_insert_with(|| {
            let difference = stamp_ns / 1000 - first.t_us as i64;
            if difference.abs() > OWN_CLOCK_US {
                difference
            } else {
                0
            }
        });
        let room = EVENTS_MAX - self.events.len().min(EVENTS_MAX);
        self.dropped += self.batch.events.len().saturating_sub(room) as u64;
        let shifted = self.batch.events.iter().take(room).map(|e| Event {
            t_us: e.t_us.saturating_add_signed(offset),
            ..*e
        });
        self.events.extend(shifted);
    }

    /// Why the joint states cannot be relied on; `None` when they can.
    pub fn joints_stale(&self, now_ns: i64, limit_ns: i64) -> Option<String> {
        let of = |name: &str, stamp: Option<i64>| match stamp {
            None => Some(format!("no joint states of the {name} on 'joint_states'")),
            Some(stamp_ns) => old(now_ns - stamp_ns, limit_ns)
                .map(|age| format!("joint states of the {name} are {age}")),
        };
        of("arm", self.arm.map(|m| m.stamp_ns))
            .or_else(|| of("hand", self.hand.map(|m| m.stamp_ns)))
    }

    /// Why the events cannot be relied on; `None` when they can.
    pub fn events_stale(&self, now_ns: i64, limit_ns: i64) -> Option<String> {
        match self.packet_ns {
            None => Some("no event packets on 'events'".to_owned()),
            Some(stamp_ns) => {
                old(now_ns - stamp_ns, limit_ns).map(|age| format!("events are {age}"))
            }
        }
    }

    /// The camera's path from `from_ns` to `to_ns` in the frame `world`.
    ///
    /// # Errors
    /// What tf lacks.
    pub fn camera_path(
        &self,
        world: &str,
        frame: &str,
        from_ns: i64,
        to_ns: i64,
    ) -> Result<CameraPath, TfError> {
        const STEP_NS: i64 = 2_000_000;
        let mut path = CameraPath::default();
        let mut t = from_ns.max(0);
        while t < to_ns + STEP_NS {
            let pose = self.tf.lookup(world, frame, t)?;
            path.push((t / 1000) as u64, pose);
            t += STEP_NS;
        }
        Ok(path)
    }

    /// The recorded events between two times, in order.
    pub fn events_between(&mut self, from_ns: i64, to_ns: i64) -> &[Event] {
        self.events.sort_by_key(|e| e.t_us);
        let from = self
            .events
            .partition_point(|e| (e.t_us as i64) < from_ns / 1000);
        let to = self
            .events
            .partition_point(|e| (e.t_us as i64) <= to_ns / 1000);
        self.events.get(from..to).unwrap_or_default()
    }
}

/// A zero stamp is a publisher that does not stamp; one from the future (clocks
/// apart) counts as now.
fn stamp_or(stamp_ns: i64, now_ns: i64) -> i64 {
    if stamp_ns == 0 {
        now_ns
    } else {
        stamp_ns.min(now_ns)
    }
}

fn old(age_ns: i64, limit_ns: i64) -> Option<String> {
    (age_ns > limit_ns).then(|| {
        format!(
            "{:.3} s old (limit {:.3} s)",
            age_ns as f64 / 1e9,
            limit_ns as f64 / 1e9
        )
    })
}

fn pick<const N: usize>(message: &JointState, names: &[&str; N]) -> Option<[f64; N]> {
    let mut out = [0.0; N];
    for (slot, name) in out.iter_mut().zip(names) {
        let at = message.name.iter().position(|n| n == name)?;
        *slot = *message.position.get(at)?;
    }
    out.iter().all(|q| q.is_finite()).then_some(out)
}

fn camera(info: &CameraInfo) -> Result<Camera, String> {
    let [fx, _, cx, _, fy, cy, ..] = info.k;
    let usable = |f: f64| f.is_finite() && f > 0.0;
    if !(usable(fx) && usable(fy) && cx.is_finite() && cy.is_finite()) {
        return Err(format!("camera_info has no calibration: k = {:?}", info.k));
    }
    if info.d.iter().any(|d| *d != 0.0) {
        return Err("camera_info has lens distortion; rectify the events first".to_owned());
    }
    if info.width == 0 || info.height == 0 || info.width > 8192 || info.height > 8192 {
        return Err(format!(
            "camera_info has size {}x{}",
            info.width, info.height
        ));
    }
    Ok(Camera {
        fx,
        fy,
        cx,
        cy,
        width: info.width as usize,
        height: info.height as usize,
    })
}
