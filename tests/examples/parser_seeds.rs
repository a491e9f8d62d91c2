//! Writes the parsers' generated inputs, which `fuzz/run.sh` starts from:
//!
//!     cargo run --release -p saccade-tests --example parser_seeds -- FOLDER
//!
//! fills `FOLDER/<parser>/` and prints the parsers' names.

use saccade_tests::parsers::PARSERS;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(
        std::env::args_os()
            .nth(1)
            .expect("usage: parser_seeds FOLDER"),
    );
    for parser in PARSERS {
        let folder = folder.join(parser.name);
        std::fs::create_dir_all(&folder)?;
        for (i, seed) in (parser.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed{i}")), seed)?;
        }
        println!("{}", parser.name);
    }
    Ok(())
}
