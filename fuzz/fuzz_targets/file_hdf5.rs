#![no_main]
saccade_fuzz::target!("file_hdf5");
