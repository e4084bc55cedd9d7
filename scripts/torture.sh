#!/usr/bin/env bash
# Runs the tests of faults in large numbers, one after the other, each within
# TORTURE_LIMIT, and says at the end which failed.
set -euo pipefail
cd "$(dirname "$0")/.."

tests='Torture|Chaos|Kill|Backlog|AtRest|Frozen|Redeploy|Mangled|NothingGrows|Fifty|Greedy|Slow|Raw|Hostile'
export SUNYA_TORTURE=1
program=$(mktemp)
trap 'rm -f "$program"' EXIT
go test -tags e2e -c -o "$program" ./e2e/
cd e2e

failed=()
for name in $("$program" -test.list "${1:-$tests}"); do
  echo "== $name"
  "$program" -test.run "^$name\$" -test.v -test.timeout "${TORTURE_LIMIT:-60m}" || failed+=("$name")
done
if ((${#failed[@]})); then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
