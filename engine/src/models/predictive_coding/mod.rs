//! A network of predictive coding over eyes and whiskers, whose joint causes are a code
//! of the place (MuPNet: Struckmeier et al. 2019, arXiv:1909.07201; Pearson et al. 2021,
//! doi 10.3389/frobt.2021.732023).
//!
//! Two pathways, visual 10800 ← 1000 ← 300 and tactile 72 ← 50 ← 20, and joint causes, 100,
//! above both. [`Network`] has the published equations
//! ([`crate::learning::predictive_coding`]) for `f32` and `f64`; [`Trainer`] learns one
//! from samples, as published or faster; [`PlaceNetwork`] is what comes out and goes to
//! a file; [`Recogniser`] answers in real time, with the joint causes as the code or, where
//! one was learnt, by a [`Readout`] of the causes below them.

mod checkpoint;
mod config;
mod descriptor;
mod fields;
mod network;
mod place_network;
mod readout;
mod recogniser;
mod reliability;
mod settled;
mod shortcut;
mod stored;
mod training;
mod weights_file;

pub use config::{Config, PathwayConfig, STOP};
pub use fields::Fields;
pub use network::{Activity, Network, TACTILE, VISUAL};
pub use place_network::{PlaceNetwork, Provenance, Scaling};
pub use readout::{Readout, ReadoutConfig};
pub use recogniser::{Answer, Method, Quick, Recogniser};
pub use reliability::Reliability;
pub use settled::{Next, Settled};
pub use stored::Precision;
pub use training::{EpochReport, Schedule, Trainer};
