#![doc = include_str!("../README.md")]

#[cfg(feature = "spinnaker")]
pub mod backends;
pub mod circuit;
pub mod encoder;
pub mod error;
pub mod experiments;
pub mod fixed;
pub mod learning;
pub mod models;
pub mod network;
pub mod neurons;
pub mod nir;
mod products;
pub mod real;
mod simd;
pub mod spikes;
#[cfg(feature = "spinnaker")]
pub mod spinnaker;

pub use error::{Error, Result};
pub use products::Multiply;
