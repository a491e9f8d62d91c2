#!/usr/bin/env bash
# Installs what the feature `gz-transport` is built with from Debian (bookworm:
# ignition-transport 11, that of Gazebo Fortress), unless it is there.
set -euo pipefail
headers() { pkg-config --exists ignition-transport11 || pkg-config --exists gz-transport13; }
if headers 2>/dev/null; then
  exit 0
fi
SUDO=$([ "$(id -u)" = 0 ] || echo sudo)
$SUDO apt-get update -qq
DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq --no-install-recommends \
  g++ pkg-config libignition-transport-dev
headers
