//! Recognising places: samples of what the robot sees and feels, and who says where
//! they were taken.

mod samples;

pub use samples::{Pose, Samples, Senses};
