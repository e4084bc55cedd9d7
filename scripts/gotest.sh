#!/usr/bin/env bash
# Runs go test and shows one line a package, everything about what failed, and
# every skip with its reason, so that a skip is never mistaken for a pass. The
# paths are trimmed as in the binaries, so that each package is compiled once.
set -uo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
go test -trimpath -v "$@" >"$log" 2>&1 || status=$?
if [ "$status" = 0 ]; then
	grep -E '^(ok|\?) ' "$log"
else
	grep -vE '^(=== |[[:space:]]*--- PASS)' "$log"
fi
grep -E -B1 '^[[:space:]]*--- SKIP|_test\.go:[0-9]+: SKIP' "$log" | grep -vE '^(--$|=== )' | sort -u
exit "$status"
