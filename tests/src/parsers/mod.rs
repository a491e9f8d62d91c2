//! Every parser of bytes from outside, as a function that may be given anything:
//! it must come back, hold what it promises, and keep within its memory.
//!
//! `fuzz/` hunts with them; `tests/parsers.rs` runs them over their seeds, which a
//! program makes ([`seeds`]), and over what hunts have found (`fuzz/regressions`).

mod board;
mod streams;
mod whole;

pub mod seeds;

use std::alloc::System;

/// A heap with a limit, past which an allocation fails and the process aborts.
/// Binaries that check parsers make theirs the global allocator.
pub type Heap = cap::Cap<System>;

/// A parser.
pub struct Parser {
    /// Its name, and that of its fuzz target.
    pub name: &'static str,
    /// Bytes that it may hold at once whatever it is given.
    pub memory: usize,
    /// Bytes that it may hold besides for each byte that it is given.
    pub memory_per_byte: usize,
    /// Parses; panics where a promise is broken.
    pub parse: fn(&[u8]),
    /// Well-formed inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

const MIB: usize = 1 << 20;

/// A parser that takes no more than a few times what it is given.
const fn plain(name: &'static str, parse: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Parser {
    Parser {
        name,
        memory: 16 * MIB,
        memory_per_byte: 1024,
        parse,
        seeds,
    }
}

/// A parser of a format that packs: it may unpack `memory` bytes at once.
const fn packed(
    name: &'static str,
    memory: usize,
    parse: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
) -> Parser {
    Parser {
        memory,
        ..plain(name, parse, seeds)
    }
}

/// All parsers. The memory of those that unpack is what `rosbags/README.md` states
/// for a chunk, a record or a packet, and as much again for what is made of it.
pub static PARSERS: &[Parser] = &[
    plain("evt2", streams::evt2, seeds::evt2),
    plain("evt21", streams::evt21, seeds::evt21),
    plain("evt3", streams::evt3, seeds::evt3),
    plain("dat", streams::dat, seeds::dat),
    plain("packets", streams::packets, seeds::packets),
    plain("file_raw", whole::raw, seeds::file_raw),
    plain("file_aedat2", whole::aedat2, seeds::file_aedat2),
    plain("file_aedat3", whole::aedat3, seeds::file_aedat3),
    packed("file_aedat4", 768 * MIB, whole::aedat4, seeds::file_aedat4),
    plain("file_es", whole::es, seeds::file_es),
    plain("file_nmnist", whole::nmnist, seeds::file_nmnist),
    plain("file_text", whole::text, seeds::file_text),
    plain("file_npy", whole::npy, seeds::file_npy),
    packed("file_npz", 768 * MIB, whole::npz, seeds::file_npz),
    packed("file_hdf5", 768 * MIB, whole::hdf5, seeds::file_hdf5),
    packed("bag_ros1", 2048 * MIB, whole::ros1, seeds::bag_ros1),
    packed("bag_mcap", 768 * MIB, whole::mcap, seeds::bag_mcap),
    plain("bag_sqlite", whole::sqlite, seeds::bag_sqlite),
    plain("messages", whole::messages, seeds::messages),
    plain("launch_file", whole::launch_file, seeds::launch_file),
    plain("params_file", whole::params_file, seeds::params_file),
    plain("parameters", whole::parameters, seeds::parameters),
    plain("world", whole::world, seeds::world),
    plain("weights", whole::weights, seeds::weights),
    plain("checkpoint", whole::checkpoint, seeds::checkpoint),
    plain("eieio", board::eieio, seeds::eieio),
    plain("sdp", board::sdp, seeds::sdp),
    plain(
        "spinnaker_board",
        board::spinnaker_board,
        seeds::spinnaker_board,
    ),
    plain(
        "board_database",
        board::board_database,
        seeds::board_database,
    ),
    // Packed, and with as many input spikes as a network may take in an interval.
    packed("file_nir", 2048 * MIB, whole::nir, seeds::file_nir),
];

/// Gives `input` to the parser `name`.
///
/// # Panics
/// Where there is no such parser, or a promise is broken. Too much memory aborts.
pub fn check(name: &str, input: &[u8], heap: &Heap) {
    let found = PARSERS.iter().find(|p| p.name == name);
    let parser = found.unwrap_or_else(|| panic!("no parser `{name}`"));
    let limit = heap.allocated() + parser.memory + parser.memory_per_byte * input.len();
    heap.set_limit(limit)
        .expect("the limit is above what is held");
    (parser.parse)(input);
    heap.set_limit(usize::MAX).expect("no limit");
}
