#![no_main]
saccade_fuzz::target!("params_file");
