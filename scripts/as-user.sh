#!/usr/bin/env bash
# Runs the quickstart and the end-to-end tests once more as an unprivileged
# user, in a copy of the checkout that this user owns. Needs root to begin with.
set -euo pipefail
cd "$(dirname "$0")/.."
user=sunya-test
id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"
home=$(getent passwd "$user" | cut -d: -f6)
work=$(mktemp -d "$home/checkout.XXXXXX")
trap 'rm -rf "$work"' EXIT
git ls-files -z | xargs -0 cp --parents -t "$work"
cp -r --parents bin internal/adapt/linuxns/helper/bin -t "$work"
chown -R "$user": "$work"
cache=$(go env GOMODCACHE)
# The module cache is read where it is; it is only made readable on the way.
go=$(dirname "$(command -v go)")
modules=(GOFLAGS=-mod=mod)
if su "$user" -c "test -r '$cache'" 2>/dev/null; then modules=("GOMODCACHE=$cache"); else modules=("GOPROXY=file://$cache/cache/download,$(go env GOPROXY)"); fi
su "$user" -s /bin/bash -c "cd '$work' && export PATH='$go':/usr/local/bin:/usr/bin:/bin HOME='$home' ${modules[*]@Q} && make quickstart ONCE=1 && make e2e"
