#!/usr/bin/env bash
# Checks everything: format, lints, all tests. Needs Rust, Python 3 with PyPI
# (third-party peers, installed into target/ on the first run) and, on Debian,
# Gazebo's SDF checker and transport (installed by apt-get, with sudo, where they are missing).
# Tests on real recordings run where SACCADE_TEST_DATA names their folder.
set -euo pipefail
cd "$(dirname "$0")"

# One profile for all: the world's physics is too slow unoptimised, and a
# second profile would build every dependency twice.
cargo fmt --all -- --check
cargo clippy --release --workspace --all-targets -- -D warnings
# The host on ROS 2's own library, which need not be here for its types to be checked, and the
# bridge to Gazebo's transport, which is in Debian.
tests/peers/install_gz_transport.sh
cargo clippy --release --workspace \
    --features saccade-launch/rcl-check,saccade-tests/rcl-check,saccade-nodes/gz-transport \
    --features saccade-launch/zenoh \
    --all-targets -- -D warnings
# With Zenoh, which the default build does without: it changes nothing else, and to build all
# once more without it would take longer than it does.
cargo test --release --workspace --features saccade-launch/zenoh
# The bridge to Gazebo's own transport; as one workspace, so that no dependency is built anew.
cargo test --release --workspace \
    --features saccade-launch/zenoh,saccade-nodes/gz-transport --test gz_bridge
if [[ -n "${AMENT_PREFIX_PATH:-}" && -n "${ROS_DISTRO:-}" ]]; then
    cargo test --release --package saccade-tests --features rcl --test rcl
else
    echo "NOT TESTED: nodes on a ROS 2 that is installed; none is sourced" >&2
fi
if ! ign gazebo --versions >/dev/null 2>&1 && ! gz sim --versions >/dev/null 2>&1; then
    echo "NOT TESTED: worlds in Gazebo; neither ign gazebo nor gz sim is installed" >&2
fi
if [[ -z "${SACCADE_TEST_DATA:-}" ]]; then
    echo "NOT TESTED: real recordings; SACCADE_TEST_DATA is not set to their folder" >&2
fi
