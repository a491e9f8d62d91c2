//! Pictures of recordings, networks and runs.
