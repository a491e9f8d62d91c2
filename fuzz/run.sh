#!/usr/bin/env bash
# Hunts for inputs that break a parser: run.sh [seconds per target] [target ...]
# (600 s, all targets). Needs cargo-fuzz (`cargo install cargo-fuzz`); the stable
# toolchain is enough. What breaks one is kept in fuzz/artifacts/TARGET: put it,
# made small by `cargo fuzz tmin -s none TARGET FILE`, into fuzz/regressions/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true

# One build for all; seeds are written by a program, never copied from recordings.
cargo fuzz build --sanitizer none
names=$(cargo run --quiet --release -p saccade-tests --example parser_seeds -- fuzz/corpus)
failed=0
for target in ${*:-$names}; do
    echo "== $target, $seconds s" >&2
    # The parsers' own heap is bounded for each input (saccade_tests::parsers); this
    # is for what C libraries take.
    if ! cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=25 -rss_limit_mb=4096 -max_len=65536 \
        -print_final_stats=1 2>&1 |
        { grep -E '^stat::|DONE|ERROR|panicked|SUMMARY|Test unit' >&2 || true; }; then
        failed=1
    fi
done
exit $failed
