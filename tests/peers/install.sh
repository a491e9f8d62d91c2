#!/bin/sh
# Makes a Python environment with the third-party peers that tests are held
# against. Argument: its folder (default: target/peers). Needs python3 (3.10 or
# newer) with venv, and PyPI.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
peers=${1:-$here/../../target/peers}
requirements=$here/requirements.txt
# The copy is made last: it says that what it lists is installed.
if cmp -s "$requirements" "$peers/requirements.txt"; then
    exit 0
fi
python3 -m venv --clear "$peers"
# colcon would take what lies there for packages of its workspace.
touch "$peers/COLCON_IGNORE"
"$peers/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$peers/requirements.txt"
