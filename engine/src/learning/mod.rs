//! Learning rules, one file each, and what they have in common.

pub mod bptt;
pub mod eprop;
pub mod feedback;
pub mod loss;
pub mod online;
pub mod optimizer;
