//! Samples out of a recording.

use super::{Sampler, TACTILE_SIZE, VISUAL_SIZE};
use saccade_engine::models::place::{Pose, Samples};
use saccade_msgs::Message;
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::saccade_msgs::WhiskPhase;
use saccade_msgs::sensor_msgs::Image;
use saccade_msgs::std_msgs::Float32MultiArray;
use saccade_rosbags::{BagError, BagReader, RawMessage};
use std::path::Path;
use std::sync::Arc;

/// Most samples of a recording; they take 43 kB each.
pub const MOST_SAMPLES: usize = 100_000;

/// Which topics hold what; by default WhiskEye's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// `sensor_msgs/Image`.
    pub image: String,
    /// `std_msgs/Float32MultiArray`, 24 angles in rad.
    pub theta: String,
    /// `std_msgs/Float32MultiArray`, 48 deflections.
    pub xy: String,
    /// `saccade_msgs/WhiskPhase`.
    pub whisk: String,
    /// `nav_msgs/Odometry`: where it really was.
    pub pose: String,
}

impl Default for Topics {
    fn default() -> Self {
        Topics {
            image: "/whiskeye/platform/cam0".into(),
            theta: "/whiskeye/head/theta".into(),
            xy: "/whiskeye/head/xy".into(),
            whisk: "/whiskeye/head/whisk".into(),
            pose: "/ground_truth/odom".into(),
        }
    }
}

/// What became of a recording's whisks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Whisks that ended their protraction.
    pub whisks: u64,
    /// Left out: there was no image, or not for a second.
    pub unseen: u64,
    /// Left out: whiskers did not say what they feel, or were stuck.
    pub unfelt: u64,
    /// Left out: nothing had said where the robot was.
    pub without_pose: u64,
    /// Messages refused: an encoding that is not known, values that are not numbers.
    pub refused: u64,
}

/// Reads the samples of a recording in any bag format, in its order: a sample for each whisk
/// that saw and felt, with what was left out.
///
/// # Errors
/// A recording that cannot be read, lacks a topic, or has too many samples.
pub fn read(path: &Path, topics: &Topics) -> Result<(Samples, Counts), BagError> {
    let mut bag = BagReader::open(path)?;
    check(&mut bag, path, topics)?;
    let mut reader = Reader {
        path,
        topics,
        sampler: Sampler::default(),
        pose: None,
        samples: Samples::new(VISUAL_SIZE, TACTILE_SIZE),
        counts: Counts::default(),
    };
    while let Some(message) = bag.next_message()? {
        reader.message(&message)?;
    }
    reader.counts.refused = reader.sampler.refused();
    Ok((reader.samples, reader.counts))
}

fn check(bag: &mut BagReader, path: &Path, topics: &Topics) -> Result<(), BagError> {
    let connections = bag.connections()?;
    let wanted = [
        (&topics.image, Image::TYPE_NAME, "the camera"),
        (
            &topics.theta,
            Float32MultiArray::TYPE_NAME,
            "the whiskers' angles",
        ),
        (
            &topics.xy,
            Float32MultiArray::TYPE_NAME,
            "the whiskers' deflections",
        ),
        (
            &topics.whisk,
            WhiskPhase::TYPE_NAME,
            "the node `whisk`, which says when a whisk is to be sampled",
        ),
        (
            &topics.pose,
            Odometry::TYPE_NAME,
            "where the robot really was",
        ),
    ];
    for (topic, type_name, what) in wanted {
        if !(connections.iter()).any(|c| c.topic == *topic && c.type_name == type_name) {
            let has = connections
                .iter()
                .map(|c| format!("{} ({})", c.topic, c.type_name));
            return Err(BagError::NoTopic {
                path: path.to_owned(),
                what: format!(
                    "samples of places need the topic `{topic}` of type {type_name} ({what}); record \
                     launch/place_recognition.launch.xml, or name the recording's own topic"
                ),
                has: format!("[{}]", has.collect::<Vec<_>>().join(", ")),
            });
        }
    }
    Ok(())
}

struct Reader<'a> {
    path: &'a Path,
    topics: &'a Topics,
    sampler: Sampler,
    pose: Option<Pose>,
    samples: Samples,
    counts: Counts,
}

impl Reader<'_> {
    fn message(&mut self, message: &RawMessage) -> Result<(), BagError> {
        let (now_ns, topic) = (message.stamp_ns, message.topic());
        // What the sampler refuses it counts.
        if topic == self.topics.image {
            let image: Image = message.decode(self.path)?;
            let _ = self.sampler.image(now_ns, Arc::new(image));
        } else if topic == self.topics.theta {
            let theta: Float32MultiArray = message.decode(self.path)?;
            let _ = self.sampler.theta(now_ns, &theta.data);
        } else if topic == self.topics.xy {
            let xy: Float32MultiArray = message.decode(self.path)?;
            let _ = self.sampler.xy(now_ns, &xy.data);
        } else if topic == self.topics.pose {
            self.pose = pose_of(&message.decode(self.path)?);
        } else if topic == self.topics.whisk {
            let phase: WhiskPhase = message.decode(self.path)?;
            if !phase.protracting {
                self.whisk(now_ns, message)?;
            }
        }
        Ok(())
    }

    fn whisk(&mut self, now_ns: i64, message: &RawMessage) -> Result<(), BagError> {
        self.counts.whisks += 1;
        let sample = self.sampler.take(now_ns);
        let (Some(visual), Some(tactile), Some(pose)) =
            (&sample.visual, &sample.tactile, self.pose)
        else {
            self.counts.unseen += u64::from(sample.visual.is_none());
            self.counts.unfelt += u64::from(sample.tactile.is_none());
            self.counts.without_pose += u64::from(self.pose.is_none());
            return Ok(());
        };
        let wrong = |reason: String| BagError::Message {
            path: self.path.to_owned(),
            topic: message.topic().to_owned(),
            type_name: message.type_name().to_owned(),
            sequence: message.sequence,
            stamp_ns: message.stamp_ns,
            reason,
        };
        if self.samples.len() >= MOST_SAMPLES {
            return Err(wrong(format!(
                "the recording has more than {MOST_SAMPLES} samples; split it"
            )));
        }
        let pushed = self.samples.push(visual, tactile, pose);
        pushed.map_err(|e| wrong(e.to_string()))
    }
}

/// x, y and yaw of an odometry; `None` where they are not finite.
pub fn pose_of(odometry: &Odometry) -> Option<Pose> {
    planar(&odometry.pose.pose)
}

/// A pose seen from above; `None` where a number is none.
pub fn planar(pose: &saccade_msgs::geometry_msgs::Pose) -> Option<Pose> {
    let q = &pose.orientation;
    let theta_rad = (2.0 * (q.w * q.z + q.x * q.y)).atan2(1.0 - 2.0 * (q.y * q.y + q.z * q.z));
    let all = [pose.position.x, pose.position.y, theta_rad];
    all.iter().all(|v| v.is_finite()).then_some(Pose {
        x_m: pose.position.x,
        y_m: pose.position.y,
        theta_rad,
    })
}
