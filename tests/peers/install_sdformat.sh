#!/usr/bin/env bash
# Installs Gazebo's own SDF checker (`ign sdf`) and the commands of its transport from Debian
# (bookworm: sdformat 12.3, ignition-transport 11.0, those of Fortress), unless they are there.
set -euo pipefail
transport=/usr/libexec/ignition/transport11/ign-transport-topic
if command -v ign >/dev/null && ign sdf --versions >/dev/null 2>&1 &&
  { [ -x "$transport" ] || ign topic --help >/dev/null 2>&1; }; then
  exit 0
fi
SUDO=$([ "$(id -u)" = 0 ] || echo sudo)
$SUDO apt-get update -qq
DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq --no-install-recommends ignition-tools sdformat-sdf ignition-transport-cli
ign sdf --versions
