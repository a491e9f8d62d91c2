//! SDF worlds and the embedded simulator that runs them.

pub mod event_camera;
pub mod render;
pub mod textures;
