//! Learning rules, one file each, and what they have in common.

pub mod bptt;
pub mod conductance;
pub mod eprop;
pub mod erbp;
pub mod error_neurons;
pub mod feedback;
pub mod loss;
pub mod online;
pub mod optimizer;
pub mod predictive_coding;
pub mod rule;
