//! SDF worlds and the embedded simulator that runs them.
