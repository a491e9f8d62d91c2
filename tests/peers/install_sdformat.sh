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
# Where another one installs at the same time, it is waited for.
apt="apt-get -qq -o DPkg::Lock::Timeout=300"
$SUDO $apt update
# `ign sdf` itself is in the library's development package.
DEBIAN_FRONTEND=noninteractive $SUDO $apt install -y --no-install-recommends ignition-tools libsdformat-dev sdformat-sdf ignition-transport-cli
ign sdf --versions
