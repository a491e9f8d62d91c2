#!/usr/bin/env bash
# Checks everything: format, lints, all tests. Needs Rust; some tests also need
# Python 3 with PyPI (third-party peers, installed into target/ on the first
# run) or SACCADE_TEST_DATA (a folder of real recordings), and say so when they
# do not run.
set -euo pipefail
cd "$(dirname "$0")"

# One profile for all: the world's physics is too slow unoptimised, and a
# second profile would build every dependency twice.
cargo fmt --all -- --check
cargo clippy --release --workspace --all-targets -- -D warnings
cargo test --release --workspace
