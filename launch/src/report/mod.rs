//! The report folder of a run.
