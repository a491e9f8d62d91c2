#![no_main]
saccade_fuzz::target!("board_database");
