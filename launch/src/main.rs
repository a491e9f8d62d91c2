//! The `saccade` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    saccade_launch::cli::main()
}
