#!/usr/bin/env bash
# Runs a client program of this directory against SUNYA_SERVER
# (http://127.0.0.1:8080), with packages that are installed once for each
# package.json and kept in the cache directory.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
key=$(sha256sum "$here/package.json" | cut -c1-16)
dir="${XDG_CACHE_HOME:-$HOME/.cache}/sunya-e2e/node-clients-$key"

if [[ ! -e "$dir/complete" ]]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    cp "$here/package.json" "$dir"
    (cd "$dir" && npm install --silent --no-audit --no-fund)
    touch "$dir/complete"
fi

NODE_PATH="$dir/node_modules" exec node "$here/$1"
