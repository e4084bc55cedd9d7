#!/usr/bin/env bash
# Runs a client program of this directory against SUNYA_SERVER
# (http://127.0.0.1:8080), in a virtual environment that is made once for each
# requirements.txt and kept in the cache directory.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
key=$(sha256sum "$here/requirements.txt" | cut -c1-16)
venv="${XDG_CACHE_HOME:-$HOME/.cache}/sunya-e2e/python-clients-$key"

if [[ ! -e "$venv/complete" ]]; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    if ! python3 -m venv "$venv"; then
        echo "run.sh: python3 -m venv does not work; install python3-venv" >&2
        exit 1
    fi
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    touch "$venv/complete"
fi

exec "$venv/bin/python" "$here/$1"
