#![no_main]
saccade_fuzz::target!("evt3");
