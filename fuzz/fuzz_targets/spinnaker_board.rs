#![no_main]
saccade_fuzz::target!("spinnaker_board");
