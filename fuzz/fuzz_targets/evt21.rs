#![no_main]
saccade_fuzz::target!("evt21");
