//! Where a network runs.
//!
//! | | in this process | [`SpinnakerLive`](spinnaker_live::SpinnakerLive) |
//! |---|---|---|
//! | is | [`Classifier::tick`](crate::models::classifier::Classifier::tick) | a board, or its emulator, over UDP |
//! | whose clock | the caller's: a tick is done when the call returns | the board's: ticks arrive |
//! | observable | everything | the spikes of the recurrent layer |
//! | learns | all weights, or the readout's | the readout's: the board's stay |
//!
//! They are not behind one trait: whoever could call the one and the other alike would have
//! to wait for the board, or to guess the tick. What they share comes after the recurrent
//! layer: spikes that a board sent are put to the readout, the evidence and the record for
//! learning by [`Classifier::observe`](crate::models::classifier::Classifier::observe).

pub mod spinnaker_live;
pub mod spinnaker_path;
