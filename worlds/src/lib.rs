//! SDF worlds and the embedded simulator that runs them.

pub mod arena;
pub mod controllers;
pub mod event_camera;
pub mod kinematics;
pub mod physics;
pub mod render;
pub mod scenario;
pub mod sdf;
pub mod simulation;
pub mod textures;
pub mod vision;
pub mod whiskeye;
