//! Recognising places: samples of what the robot sees and feels, descriptors that turn
//! them into codes, and how well places are known again by them.

pub mod baselines;
pub mod bootstrap;
mod descriptor;
mod map;
mod pose_filter;
pub mod rank_statistics;
pub mod retrieval;
mod samples;
mod slow;

pub use descriptor::{Descriptor, Likeness, pearson};
pub use map::{Found, PlaceMap, Search};
pub use pose_filter::{Estimate, PoseFilter, PoseFilterConfig};
pub use samples::{Pose, Samples, Senses};
pub use slow::{SlowConfig, SlowFeatures};
