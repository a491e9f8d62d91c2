//! Tests that cross crates: closed loops, third-party peers, fault injection.
