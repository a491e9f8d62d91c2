#![no_main]
saccade_fuzz::target!("eieio");
