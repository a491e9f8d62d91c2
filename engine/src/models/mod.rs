//! Networks built from the engine's parts, and what trains and judges them.

pub mod augment;
pub mod baselines;
pub mod central_complex;
pub(crate) mod checkpoint;
pub mod classifier;
pub mod config;
pub mod cue_integration;
pub mod evaluation;
pub mod perturb;
pub mod place;
pub mod predictive_coding;
mod presentation;
pub mod rehearsal;
mod replay;
pub mod sample;
pub mod slow;
pub mod spike_taught;
pub mod teacher;
pub(crate) mod tensors;
pub mod training;
mod weights_file;
