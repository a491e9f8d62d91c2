//! Networks built from the engine's parts, and what trains and judges them.

pub mod augment;
pub mod baselines;
pub mod central_complex;
mod checkpoint;
pub mod classifier;
pub mod config;
pub mod evaluation;
mod presentation;
pub mod sample;
mod tensors;
pub mod training;
mod weights_file;
