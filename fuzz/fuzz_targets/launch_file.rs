#![no_main]
saccade_fuzz::target!("launch_file");
