//! The tree of frames over the last seconds.

use super::geometry::Pose;
use glam::{DQuat, DVec3};
use saccade_msgs::geometry_msgs::TransformStamped;
use std::collections::{BTreeMap, VecDeque};

/// Why a frame's pose is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TfError {
    /// No transform names it.
    #[error("no transform of frame '{frame}' on tf or tf_static")]
    Unknown {
        /// The frame.
        frame: String,
    },
    /// It does not hang on the wanted root.
    #[error("frame '{frame}' hangs on '{top}', not on '{root}'")]
    Unconnected {
        /// The frame.
        frame: String,
        /// The top of its tree.
        top: String,
        /// What was wanted.
        root: String,
    },
    /// Its transforms are not of the wanted time.
    #[error("tf has '{frame}' from {from_s} s to {to_s} s, wanted {wanted_s} s")]
    Extrapolation {
        /// The frame.
        frame: String,
        /// First sample.
        from_s: String,
        /// Last sample.
        to_s: String,
        /// The time asked for.
        wanted_s: String,
    },
    /// Frames form a circle, or the tree is absurdly deep.
    #[error("the frames over '{frame}' form a circle")]
    Circle {
        /// Where it was noticed.
        frame: String,
    },
}

/// How long samples are kept, ns.
const KEEP_NS: i64 = 5_000_000_000;
/// Most samples kept of a frame.
const KEEP: usize = 8192;
/// A sample may be used so long beyond the last one, ns: robots publish tf at
/// 50 Hz and more.
const REACH_NS: i64 = 30_000_000;
/// Deepest tree.
const DEPTH: usize = 64;

#[derive(Debug, Clone, Default)]
struct Frame {
    parent: String,
    fixed: bool,
    samples: VecDeque<(i64, Pose)>,
}

/// Transforms by frame.
#[derive(Debug, Clone, Default)]
pub struct TfBuffer {
    frames: BTreeMap<String, Frame>,
}

impl TfBuffer {
    /// Takes a transform in; ones with numbers that are no transform are
    /// refused with `false`.
    pub fn insert(&mut self, transform: &TransformStamped, fixed: bool) -> bool {
        let (t, r) = (
            transform.transform.translation,
            transform.transform.rotation,
        );
        let pose = Pose::new(
            DVec3::new(t.x, t.y, t.z),
            DQuat::from_xyzw(r.x, r.y, r.z, r.w),
        );
        if !pose.is_valid() || transform.child_frame_id.is_empty() {
            return false;
        }
        let pose = Pose::new(pose.p, pose.q.normalize());
        let stamp = transform.header.stamp.to_ns();
        if !self.frames.contains_key(&transform.child_frame_id) {
            self.frames
                .insert(transform.child_frame_id.clone(), Frame::default());
        }
        let Some(frame) = self.frames.get_mut(&transform.child_frame_id) else {
            return false;
        };
        if frame.parent != transform.header.frame_id {
            frame.parent.clone_from(&transform.header.frame_id);
            frame.samples.clear();
        }
        frame.fixed = fixed;
        // A step back in time is a restarted simulation.
        if fixed || frame.samples.back().is_some_and(|(last, _)| stamp < *last) {
            frame.samples.clear();
        }
        frame.samples.push_back((stamp, pose));
        while frame.samples.len() > KEEP
            || frame
                .samples
                .front()
                .is_some_and(|(first, _)| stamp - first > KEEP_NS)
        {
            frame.samples.pop_front();
        }
        true
    }

    /// Pose of `frame` in `root` at a time.
    ///
    /// # Errors
    /// See [`TfError`].
    pub fn lookup(&self, root: &str, frame: &str, t_ns: i64) -> Result<Pose, TfError> {
        let mut pose = Pose::IDENTITY;
        let mut at = frame;
        for _ in 0..DEPTH {
            if at == root {
                return Ok(pose);
            }
            let Some(link) = self.frames.get(at) else {
                return Err(if at == frame {
                    TfError::Unknown {
                        frame: frame.to_owned(),
                    }
                } else {
                    TfError::Unconnected {
                        frame: frame.to_owned(),
                        top: at.to_owned(),
                        root: root.to_owned(),
                    }
                });
            };
            pose = link.at(at, t_ns)? * pose;
            at = &link.parent;
        }
        Err(TfError::Circle {
            frame: at.to_owned(),
        })
    }
}

impl Frame {
    fn at(&self, name: &str, t_ns: i64) -> Result<Pose, TfError> {
        let seconds = |ns: i64| format!("{:.3}", ns as f64 / 1e9);
        let outside = || TfError::Extrapolation {
            frame: name.to_owned(),
            from_s: seconds(self.samples.front().map_or(0, |s| s.0)),
            to_s: seconds(self.samples.back().map_or(0, |s| s.0)),
            wanted_s: seconds(t_ns),
        };
        if self.fixed {
            return self.samples.back().map(|s| s.1).ok_or_else(outside);
        }
        let after = self.samples.partition_point(|(t, _)| *t <= t_ns);
        match (
            self.samples.get(after.wrapping_sub(1)),
            self.samples.get(after),
        ) {
            (Some((ta, a)), Some((tb, b))) => {
                Ok(a.interpolate(b, (t_ns - ta) as f64 / (tb - ta) as f64))
            }
            (Some((last, pose)), None) if t_ns - last <= REACH_NS => Ok(*pose),
            (None, Some((first, pose))) if first - t_ns <= REACH_NS => Ok(*pose),
            _ => Err(outside()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_msgs::builtin_interfaces::Time;

    fn transform(parent: &str, child: &str, t_ns: i64, x: f64) -> TransformStamped {
        let mut t = TransformStamped {
            child_frame_id: child.into(),
            ..Default::default()
        };
        t.header.frame_id = parent.into();
        t.header.stamp = Time::from_ns(t_ns);
        t.transform.translation.x = x;
        t
    }

    const MS: i64 = 1_000_000;

    #[test]
    fn chains_are_multiplied_and_times_interpolated() {
        let mut tf = TfBuffer::default();
        assert!(tf.insert(&transform("world", "stand", 0, 1.0), true));
        assert!(tf.insert(&transform("stand", "head", 100 * MS, 0.0), false));
        assert!(tf.insert(&transform("stand", "head", 200 * MS, 1.0), false));
        let x = |t| tf.lookup("world", "head", t).map(|p| p.p.x);
        assert!((x(150 * MS).unwrap() - 1.5).abs() < 1e-12);
        assert_eq!(x(210 * MS).unwrap(), 2.0);
        assert!(matches!(x(300 * MS), Err(TfError::Extrapolation { .. })));
        assert!(matches!(x(10 * MS), Err(TfError::Extrapolation { .. })));
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut tf = TfBuffer::default();
        assert!(matches!(
            tf.lookup("world", "eye", 0),
            Err(TfError::Unknown { .. })
        ));
        tf.insert(&transform("head", "eye", 0, 0.0), true);
        let error = tf.lookup("world", "eye", 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "frame 'eye' hangs on 'head', not on 'world'"
        );
        tf.insert(&transform("eye", "head", 0, 0.0), true);
        assert!(matches!(
            tf.lookup("world", "eye", 0),
            Err(TfError::Circle { .. })
        ));
    }

    #[test]
    fn broken_numbers_are_refused() {
        let mut tf = TfBuffer::default();
        assert!(!tf.insert(&transform("world", "eye", 0, f64::NAN), true));
        let mut flat = transform("world", "eye", 0, 0.0);
        flat.transform.rotation.w = 0.0;
        assert!(!tf.insert(&flat, true));
        assert!(!tf.insert(&transform("world", "", 0, 0.0), true));
    }
}
