#![no_main]
saccade_fuzz::target!("bag_ros1");
