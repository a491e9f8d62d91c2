#![no_main]
saccade_fuzz::target!("file_nir");
