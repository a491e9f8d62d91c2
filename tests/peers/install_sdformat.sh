#!/usr/bin/env bash
# Installs Gazebo's own SDF checker (`ign sdf`) from Debian, unless it is there.
set -euo pipefail
if command -v ign >/dev/null && ign sdf --versions >/dev/null 2>&1; then
  exit 0
fi
SUDO=$([ "$(id -u)" = 0 ] || echo sudo)
$SUDO apt-get update -qq
DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq --no-install-recommends ignition-tools sdformat-sdf
ign sdf --versions
