//! Every parser over its seeds, over damage done to them, and over what fuzzing has
//! found (`fuzz/regressions/<parser>/`). Nothing is hunted for here: see `fuzz/run.sh`.

use saccade_rosbags::events::synthetic::Random;
use saccade_tests::parsers::{Heap, PARSERS, check};
use saccade_tests::repository;
use std::io::Write;

#[global_allocator]
static HEAP: Heap = Heap::new(std::alloc::System, usize::MAX);

/// Damaged copies of each seed.
const COPIES: u64 = 40;

/// What fuzzing has found for a parser.
fn regressions(name: &str) -> Vec<Vec<u8>> {
    let Ok(folder) = std::fs::read_dir(repository("fuzz/regressions").join(name)) else {
        return Vec::new();
    };
    folder
        .map(|file| std::fs::read(file.expect("lists").path()).expect("reads"))
        .collect()
}

/// A copy that is cut, or has some bytes changed.
fn damaged(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut copy = seed.to_vec();
    if random.below(3) == 0 {
        copy.truncate(random.below(copy.len() as u64 + 1) as usize);
    }
    for _ in 0..random.below(4) {
        if !copy.is_empty() {
            let at = random.below(copy.len() as u64) as usize;
            copy[at] = [0, 1, 0x7F, 0x80, 0xFF, random.below(256) as u8][random.below(6) as usize];
        }
    }
    copy
}

// One test for all: the limit on the heap is the process's.
#[test]
fn no_parser_breaks() {
    for parser in PARSERS {
        let mut random = Random(7);
        let (mut inputs, seeds) = (regressions(parser.name), (parser.seeds)());
        let regressions = inputs.len();
        for seed in &seeds {
            inputs.extend((0..COPIES).map(|_| damaged(seed, &mut random)));
        }
        inputs.extend(seeds);
        // Too much memory aborts: then the last line names the parser.
        let line = format!(
            "{}: {} inputs, {regressions} found by fuzzing\n",
            parser.name,
            inputs.len()
        );
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("stderr");
        for input in &inputs {
            check(parser.name, input, &HEAP);
        }
    }
}

/// cargo-fuzz needs a target for each parser by name.
#[test]
fn every_parser_has_a_fuzz_target() {
    let manifest = std::fs::read_to_string(repository("fuzz/Cargo.toml")).expect("reads");
    for parser in PARSERS {
        let name = parser.name;
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name}: not in fuzz/Cargo.toml"
        );
        let target = std::fs::read_to_string(repository(&format!("fuzz/fuzz_targets/{name}.rs")));
        let target = target.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(
            target.contains(&format!("target!(\"{name}\")")),
            "{name}: {target}"
        );
    }
}
